"""Confound series as fMRIPrep names them, computed from an observed series: tissue signals, DVARS, CompCor, cosines, motion.

Motion columns are the true parameters plus a stated estimation error; everything else comes from the voxels. Tissue masks are
thresholds on the true tissue fractions.

References: Power et al. 2012, doi:10.1016/j.neuroimage.2011.10.018 (framewise displacement, DVARS); Nichols 2017, arXiv:1704.01469
(standardised DVARS); Behzadi et al. 2007, doi:10.1016/j.neuroimage.2007.04.042 (CompCor).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.motion import framewise_displacement

Series = npt.NDArray[np.float64]
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
"""Millimetres, then radians."""
HIGH_PASS = 1 / 128
"""Hz; slower cosines are columns, and leave the voxels before CompCor."""
N_COMPONENTS = 6
TEMPORAL_SHARE = 0.02
"""Share of the brain's voxels with the largest variance, for temporal CompCor (Behzadi et al. 2007)."""


def confounds(
    brain: npt.NDArray[np.float32], tissues: Mapping[str, npt.NDArray[np.bool_]], motion: Series, tr: float
) -> tuple[dict[str, Series], dict[str, dict[str, Any]]]:
    """Return every confound column, and what there is to say of the components.

    Parameters
    ----------
    brain : ndarray, shape (n_volumes, n_voxels)
        Series of the voxels of the brain.
    tissues : mapping of str to ndarray of bool, shape (n_voxels,)
        ``"csf"`` and ``"white_matter"``.
    motion : ndarray, shape (n_volumes, 6)
        Estimated translations (mm) and rotations (rad).
    tr : float
        Repetition time in s.

    Returns
    -------
    columns : dict of str to ndarray, shape (n_volumes,)
        NaN where a value does not exist, such as the first derivative.
    about : dict
        Description of each column that is a component.
    """
    columns: dict[str, Series] = {}
    signals = {"global_signal": brain.mean(axis=1, dtype=np.float64)}
    signals |= {name: _mean(brain, tissues[name]) for name in ("csf", "white_matter")}
    for name, course in signals.items():
        columns |= expanded(name, course)
    columns |= dvars(brain)
    columns["framewise_displacement"] = np.concatenate([[np.nan], framewise_displacement(motion)[1:]])
    drifts = cosines(len(brain), tr)
    columns |= {f"cosine{k:02d}": drift for k, drift in enumerate(drifts.T)}
    components, about = compcor(brain, tissues, drifts)
    columns |= components
    for name, course in zip(MOTION, motion.T, strict=True):
        columns |= expanded(name, course)
    return columns, about


def _mean(brain: npt.NDArray[np.float32], inside: npt.NDArray[np.bool_]) -> Series:
    return np.asarray(brain[:, inside].mean(axis=1, dtype=np.float64)) if inside.any() else np.zeros(len(brain))


def expanded(name: str, course: Series) -> dict[str, Series]:
    """Return a column with its derivative, its square and the derivative's square."""
    derivative = np.concatenate([[np.nan], np.diff(course)])
    return {
        name: course,
        f"{name}_derivative1": derivative,
        f"{name}_power2": course**2,
        f"{name}_derivative1_power2": derivative**2,
    }


def dvars(brain: npt.NDArray[np.float32]) -> dict[str, Series]:
    """Return DVARS of the series scaled to a median of 1000, and its standardised form: 1 where the change is what noise explains.

    Voxels that never change are left out, as nipype leaves them out.
    """
    brain = brain[:, brain.std(axis=0) > 0]
    if not brain.size:
        return {name: np.full(len(brain), np.nan) for name in ("dvars", "std_dvars")}
    brain = brain * np.float32(1000 / np.median(brain))
    change = np.diff(brain, axis=0)
    plain = np.sqrt(np.mean(change**2, axis=1, dtype=np.float64))
    centred = brain - brain.mean(axis=0)
    power = np.einsum("tv,tv->v", centred, centred)
    lag = np.einsum("tv,tv->v", centred[1:], centred[:-1]) / np.where(power > 0, power, 1.0)
    low, high = np.quantile(brain, (0.25, 0.75), axis=0)
    expected = float(np.mean(np.sqrt(2 * np.clip(1 - lag, 0, None)) * (high - low) / 1.349))
    return {
        "dvars": np.concatenate([[np.nan], plain]),
        "std_dvars": np.concatenate([[np.nan], plain / expected if expected > 0 else plain]),
    }


def cosines(n_volumes: int, tr: float) -> Series:
    """Return the discrete cosines slower than `HIGH_PASS`, shape (n_volumes, n), each of length 1."""
    k = np.arange(1, int(2 * n_volumes * tr * HIGH_PASS) + 1)
    return np.asarray(np.sqrt(2 / n_volumes) * np.cos(np.pi * np.outer(np.arange(n_volumes) + 0.5, k) / n_volumes))


def compcor(
    brain: npt.NDArray[np.float32], tissues: Mapping[str, npt.NDArray[np.bool_]], drifts: Series
) -> tuple[dict[str, Series], dict[str, dict[str, Any]]]:
    """Return the components of noise: of both tissues (a), each alone (c, w), and of the most variable voxels (t)."""
    filtered = brain - brain.mean(axis=0)
    filtered = filtered - (drifts @ (drifts.T @ filtered)).astype(np.float32)
    spread = filtered.std(axis=0)
    loud = spread >= np.quantile(spread, 1 - TEMPORAL_SHARE)
    csf, white = tissues["csf"], tissues["white_matter"]
    masks = {"a": (csf | white, "combined"), "c": (csf, "CSF"), "w": (white, "WM"), "t": (loud, None)}
    columns, about = {}, {}
    for letter, (inside, name) in masks.items():
        for k, (course, share) in enumerate(components(filtered[:, inside])):
            column = f"{letter}_comp_cor_{k:02d}"
            columns[column] = course
            about[column] = {
                "Method": "tCompCor" if name is None else "aCompCor",
                "Retained": True,
                "VarianceExplained": share,
            }
            about[column] |= {"Mask": name} if name is not None else {}
    return columns, about


def components(series: npt.NDArray[np.float32]) -> list[tuple[Series, float]]:
    """Return up to `N_COMPONENTS` principal courses of unit length of a series, with the share of variance each explains."""
    gram = series.astype(np.float64) @ series.T.astype(np.float64)
    values, vectors = np.linalg.eigh(gram)
    total = float(values.clip(0).sum())
    found = []
    for value, course in list(zip(values[::-1], vectors.T[::-1], strict=True))[:N_COMPONENTS]:
        if total > 0 and value > 1e-9 * total:
            sign = np.sign(course[np.abs(course).argmax()])
            found.append((np.asarray(sign * course), float(value / total)))
    return found
