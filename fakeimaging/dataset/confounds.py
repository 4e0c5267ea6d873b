"""Confound series as fMRIPrep names them, computed from an observed series: tissue signals, DVARS, CompCor, cosines, motion.

Motion columns are the true parameters plus a stated estimation error; everything else comes from the voxels. Tissue masks are
thresholds on the true tissue fractions. The first volumes that stand out, as long as the spins are not in their steady state, get
a column each and are left out of cosines and components.

References: Power et al. 2012, doi:10.1016/j.neuroimage.2011.10.018 (framewise displacement, DVARS); Nichols 2017, arXiv:1704.01469
(standardised DVARS); Jenkinson et al. 2002, doi:10.1006/nimg.2002.1132 (rmsd); Behzadi et al. 2007,
doi:10.1016/j.neuroimage.2007.04.042 (CompCor); Patriat et al. 2017, doi:10.1016/j.neuroimage.2016.08.051 (edge components).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.spaces import Affine
from fakeimaging.modalities.motion import framewise_displacement, rigid

Series = npt.NDArray[np.float64]
About = dict[str, dict[str, Any]]
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
"""Millimetres, then radians."""
HIGH_PASS = 1 / 128
"""Hz; slower cosines are columns, and leave the voxels before CompCor."""
N_COMPONENTS = 6
"""Columns of each kind of CompCor (a usual choice)."""
N_EDGE = 24
"""Columns from the brain's edge, as fMRIPrep has them."""
EXPLAINED = 0.5
"""Share of the variance up to which components without a column are described, as fMRIPrep's ``dropped`` ones."""
TEMPORAL_SHARE = 0.02
"""Share of the brain's voxels with the largest variance, for temporal CompCor (Behzadi et al. 2007)."""
STILL_FD, STILL_DVARS = 0.5, 1.5
"""mm of framewise displacement and standardised DVARS above which a volume is an outlier (fMRIPrep's defaults)."""
STEADY, OUTLYING = 50, 3.5
"""Volumes among which, and distance in robust SDs at which, the first ones stand out (nipype's NonSteadyStateDetector)."""
HEAD_RADIUS = 80.0
"""mm, sphere over which rmsd is a mean (Jenkinson et al. 2002)."""


@dataclass(frozen=True, eq=False)
class Voxels:
    """Series to compute confounds from.

    Parameters
    ----------
    brain : ndarray, shape (n_volumes, n_voxels), float32
        Voxels of the brain mask.
    tissues : mapping of str to ndarray of bool, shape (n_voxels,)
        ``"csf"`` and ``"white_matter"``.
    edge : ndarray, shape (n_volumes, n), float32
        Voxels just outside the mask.
    """

    brain: npt.NDArray[np.float32]
    tissues: Mapping[str, npt.NDArray[np.bool_]]
    edge: npt.NDArray[np.float32]


def confounds(voxels: Voxels, motion: Series, tr: float) -> tuple[dict[str, Series], About]:
    """Return every confound column, and what there is to say of them.

    Parameters
    ----------
    voxels : Voxels
    motion : ndarray, shape (n_volumes, 6)
        Estimated translations (mm) and rotations (rad).
    tr : float
        Repetition time in s.

    Returns
    -------
    columns : dict of str to ndarray, shape (n_volumes,)
        NaN where a value does not exist, such as the first derivative.
    about : dict
        Method of each column that is a mean or a component, and of components that have no column.
    """
    brain, n_volumes = voxels.brain, len(voxels.brain)
    columns, about = _tissue_signals(voxels)
    columns |= dvars(brain)
    columns["framewise_displacement"] = np.concatenate([[np.nan], framewise_displacement(motion)[1:]])
    columns["rmsd"] = rmsd(motion)
    skipped = first_outliers(brain.mean(axis=1, dtype=np.float64))
    drifts = cosines(n_volumes - skipped, tr)
    columns |= {f"cosine{k:02d}": _padded(drift, skipped) for k, drift in enumerate(drifts.T)}
    found, described = compcor(voxels, drifts, skipped)
    columns |= {name: _padded(course, skipped) for name, course in found.items()}
    for name, course in zip(MOTION, motion.T, strict=True):
        columns |= expanded(name, course)
    columns |= spikes("non_steady_state_outlier", np.arange(n_volumes) < skipped)
    columns |= spikes("motion_outlier", outliers(columns["framewise_displacement"], columns["std_dvars"]))
    return columns, about | described


def _tissue_signals(voxels: Voxels) -> tuple[dict[str, Series], About]:
    tissues = {name: voxels.tissues[name] for name in ("csf", "white_matter")}
    both = tissues["csf"] | tissues["white_matter"]
    signals = {"global_signal": voxels.brain.mean(axis=1, dtype=np.float64)}
    signals |= {name: _mean(voxels.brain, inside) for name, inside in tissues.items()}
    columns: dict[str, Series] = {}
    for name, course in signals.items():
        columns |= expanded(name, course)
    columns["csf_wm"] = _mean(voxels.brain, both)
    columns["tcompcor"] = _mean(voxels.brain, loudest(voxels.brain))
    return columns, {name: {"Method": "Mean"} for name in (*signals, "csf_wm", "tcompcor")}


def _padded(course: Series, skipped: int) -> Series:
    return np.concatenate([np.zeros(skipped), course])


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


def rmsd(motion: Series) -> Series:
    """Return how far points of a sphere of `HEAD_RADIUS` around the isocentre move from volume to volume, root mean square in mm."""
    poses = [rigid(row) for row in motion]
    return np.array(
        [np.nan, *(_distance(now @ np.linalg.inv(then)) for then, now in zip(poses, poses[1:], strict=False))]
    )


def _distance(step: Affine) -> float:
    turn, shift = step[:3, :3] - np.eye(3), step[:3, 3]
    return float(np.sqrt(HEAD_RADIUS**2 / 5 * np.trace(turn.T @ turn) + shift @ shift))


def first_outliers(course: Series) -> int:
    """Return how many volumes at the start stand out from the first `STEADY` ones.

    Examples
    --------
    >>> first_outliers(np.array([1300.0, 1080.0, *np.tile([1000.0, 1002.0, 1001.0], 10)]))
    2
    """
    beginning = course[:STEADY]
    distance = np.abs(beginning - np.median(beginning))
    spread = np.median(distance)
    out = distance > OUTLYING * spread / 0.6745 if spread > 0 else np.zeros(len(beginning), dtype=bool)
    return int(np.argmin(out)) if not out.all() else 0


def outliers(displacement: Series, std_dvars: Series) -> npt.NDArray[np.bool_]:
    """Return the volumes before which the head moved, or the image changed, more than fMRIPrep allows."""
    return np.asarray((np.nan_to_num(displacement) > STILL_FD) | (np.nan_to_num(std_dvars) > STILL_DVARS))


def spikes(name: str, where: npt.NDArray[np.bool_]) -> dict[str, Series]:
    """Return a column for each volume that is marked: 1 there, else 0."""
    marked = np.flatnonzero(where)
    return {f"{name}{k:02d}": (np.arange(len(where)) == v).astype(float) for k, v in enumerate(marked)}


def loudest(series: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Return the voxels with the largest variance in time."""
    spread = series.std(axis=0)
    return np.asarray(spread >= np.quantile(spread, 1 - TEMPORAL_SHARE))


def cosines(n_volumes: int, tr: float) -> Series:
    """Return the discrete cosines slower than `HIGH_PASS`, shape (n_volumes, n), each of length 1."""
    k = np.arange(1, int(2 * n_volumes * tr * HIGH_PASS) + 1)
    return np.asarray(np.sqrt(2 / n_volumes) * np.cos(np.pi * np.outer(np.arange(n_volumes) + 0.5, k) / n_volumes))


def compcor(voxels: Voxels, drifts: Series, skipped: int = 0) -> tuple[dict[str, Series], About]:
    """Return the components of noise: of both tissues (a), each alone (c, w), the most variable voxels (t), and the brain's edge.

    Parameters
    ----------
    voxels : Voxels
    drifts : ndarray, shape (n_volumes - skipped, n)
        Slow courses of length 1 that leave the voxels first.
    skipped : int
        Volumes at the start that are left out.
    """
    csf, white = voxels.tissues["csf"], voxels.tissues["white_matter"]
    filtered = _without(voxels.brain[skipped:], drifts)
    columns: dict[str, Series] = {}
    about: About = {}
    dropped = itertools.count()
    parts: tuple[tuple[str, npt.NDArray[np.float32], str | None, str, int], ...] = (
        ("a_comp_cor_", filtered[:, csf | white], "combined", "aCompCor", N_COMPONENTS),
        ("c_comp_cor_", filtered[:, csf], "CSF", "aCompCor", N_COMPONENTS),
        ("w_comp_cor_", filtered[:, white], "WM", "aCompCor", N_COMPONENTS),
        ("t_comp_cor_", filtered[:, loudest(filtered)], None, "tCompCor", N_COMPONENTS),
        ("edge_comp_", _without(voxels.edge[skipped:], drifts), "Edge", "EdgeRegressor", N_EDGE),
    )
    for prefix, series, mask, method, n in parts:
        for k, (course, words) in enumerate(components(series, n)):
            name = f"{prefix}{k:02d}" if words["Retained"] else f"dropped_{next(dropped)}"
            columns |= {name: course} if words["Retained"] else {}
            about[name] = {"Method": method, **({"Mask": mask} if mask else {}), **words}
    return columns, about


def _without(series: npt.NDArray[np.float32], drifts: Series) -> npt.NDArray[np.float32]:
    centred = series - series.mean(axis=0)
    slow = drifts.astype(np.float32)
    return np.asarray(centred - slow @ (slow.T @ centred))


def components(series: npt.NDArray[np.float32], n: int) -> Iterator[tuple[Series, dict[str, Any]]]:
    """Yield principal courses of unit length and what they explain: ``n`` to keep, then more up to `EXPLAINED` of the variance."""
    gram = series.astype(np.float64) @ series.T.astype(np.float64)
    values, vectors = np.linalg.eigh(gram)
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    total = float(values.sum())
    explained = np.cumsum(values) / total if total > 0 else np.zeros(len(values))
    for k, (value, course) in enumerate(zip(values, vectors.T, strict=True)):
        if not value > 1e-9 * total or (k >= n and explained[k - 1] >= EXPLAINED):
            return
        yield (
            np.asarray(np.sign(course[np.abs(course).argmax()]) * course),
            {
                "Retained": k < n,
                "SingularValue": float(np.sqrt(value)),
                "VarianceExplained": float(value / total),
                "CumulativeVarianceExplained": float(explained[k]),
            },
        )
