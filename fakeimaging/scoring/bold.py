"""Scores of a BOLD series: functional connectivity, and the response to a task, against those of the clean regions.

Estimates read the preprocessed derivative, with its motion and tissue signals as confounds. Observed and clean series go through
the same detrending and high-pass filter: what is scored is noise and sampling, not the filter.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.streams import Streams
from fakeimaging.dataset import names
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import PREP, Scan
from fakeimaging.scoring import activation
from fakeimaging.scoring import connectivity as fc
from fakeimaging.scoring.table import Row

SHORTEST = 10
"""Volumes below which correlations say nothing: no row then."""
CONFOUNDS = {"motion": "basic", "wm_csf": "basic"}
"""How nilearn's `load_confounds` reads motion (six parameters) and tissue (two signals)."""


def score_bold(dataset: Dataset, scan: Scan) -> Iterator[Row]:
    """Yield the rows of a scan: ``fc`` and ``fc_weights``, and ``task_auc`` and ``task_beta`` where there are events.

    The echoes of a scan give rows once: their combination is compared with what the middle echo shows without noise.
    """
    if not scan.is_first:
        return
    clean = np.load(dataset.root / scan.middle.regional("regional_bold")).astype(float)
    if clean.shape[1] < SHORTEST:
        return
    series = observed_series(dataset, scan, len(clean))
    snr = temporal_snr(
        dataset.root / scan.middle.raw, dataset.root / names.dseg(scan.subject, dataset.study.sessions[0].label)
    )
    yield from connectivity_rows(dataset, scan, series, clean, snr)
    if (dataset.root / scan.events).exists():
        yield from task_rows(dataset, scan, series, clean, snr)


def observed_series(dataset: Dataset, scan: Scan, n_regions: int) -> npt.NDArray[np.float64]:
    """Return the regional series of the preprocessed file, shape (n_regions, n_volumes)."""
    labels = dataset.root / names.dseg(scan.subject, dataset.study.sessions[0].label, space=dataset.template_space)
    return fc.regional_series(dataset.root / prepared(dataset, scan), labels, n_regions)


def prepared(dataset: Dataset, scan: Scan) -> PurePosixPath:
    """Return the preprocessed file of a scan."""
    return PREP / scan.beside(f"space-{dataset.template_space}_desc-preproc_bold.nii.gz", part=False)


def nuisance(dataset: Dataset, scan: Scan, *kinds: str) -> npt.NDArray[np.float64]:
    """Return confounds as nilearn reads them, columns that never change left out.

    Parameters
    ----------
    dataset : Dataset
    scan : Scan
    *kinds : str
        ``"motion"``, ``"wm_csf"``, ``"high_pass"``.

    Returns
    -------
    ndarray, shape (n_volumes, n)
    """
    from nilearn.interfaces.fmriprep import load_confounds

    table, _ = load_confounds(str(dataset.root / prepared(dataset, scan)), strategy=kinds, **CONFOUNDS)
    columns = table.to_numpy(dtype=float)
    return np.asarray(columns[:, columns.std(axis=0) > 0])


def repetition_time(dataset: Dataset, scan: Scan) -> float:
    """Return the repetition time in s from the sidecar."""
    return float(json.loads((dataset.root / scan.sidecar).read_text())["RepetitionTime"])


def connectivity_rows(
    dataset: Dataset, scan: Scan, series: npt.NDArray, clean: npt.NDArray, snr: float
) -> Iterator[Row]:
    """Yield how well functional connectivity agrees with that of the clean regions, and with the wiring."""
    tr = repetition_time(dataset, scan)
    weights = np.loadtxt(dataset.root / names.table(scan.subject, "weights"), skiprows=1, delimiter="\t")
    series, clean = fc.cleaned(series, tr, nuisance(dataset, scan, "motion", "wm_csf")), fc.cleaned(clean, tr)
    estimate, truth = fc.connectivity(series), fc.connectivity(clean)
    stream = Streams(dataset.study.seed or 0).at("score", scan.recording)

    found, n = fc.agreement(estimate, truth)
    by_chance = fc.chance(series, truth, rng=stream.at("fc").rng())
    yield Row(scan.subject, scan.whole, "fc", found, 1.0, found - 1.0, by_chance, n, snr, "r")

    wired = weights + weights.T
    log_weights = np.log(np.where(wired > 0, wired, 1.0))
    found, n = fc.agreement(estimate, log_weights, wired > 0)
    reachable, _ = fc.agreement(truth, log_weights, wired > 0)
    by_chance = fc.chance(series, log_weights, wired > 0, rng=stream.at("fc_weights").rng())
    yield Row(scan.subject, scan.whole, "fc_weights", found, reachable, found - reachable, by_chance, n, snr, "r")


def task_rows(dataset: Dataset, scan: Scan, series: npt.NDArray, clean: npt.NDArray, snr: float) -> Iterator[Row]:
    """Yield how well a GLM finds the active regions, and the slope of their responses on the true ones."""
    model = task_design(dataset, scan, clean.shape[1])
    percent = 100 * (series / series.mean(axis=1, keepdims=True) - 1)
    found = activation.recovered(percent, 100 * clean, model, imposed_responses(dataset, scan))
    if found is None:
        return
    auc, gain, n = found["auc"], found["slope"], found["n"]
    yield Row(scan.subject, scan.whole, "task_auc", auc, 1.0, auc - 1.0, found["auc_chance"], n, snr, "AUC")
    by_chance = found["slope_chance"]
    yield Row(scan.subject, scan.whole, "task_beta", gain, 1.0, gain - 1.0, by_chance, n, snr, "slope", "closer")


def task_design(dataset: Dataset, scan: Scan, n_volumes: int) -> activation.Design:
    """Return the design of a scan: its events with a canonical response (SPM's for the balloon model), motion, drifts, a constant."""
    import pandas as pd

    tr, response = repetition_time(dataset, scan), getattr(scan.parameters, "response", "spm")
    path = dataset.root / scan.events
    events = pd.read_csv(path, sep="\t", dtype={"trial_type": str}, keep_default_na=False)
    columns = np.hstack([nuisance(dataset, scan, "motion", "high_pass"), np.ones((n_volumes, 1))])
    frames = np.asarray(tr * (np.arange(n_volumes) + 0.5), dtype=np.float64)
    return activation.design(events, frames, columns, response="spm" if response == "balloon" else response)


def imposed_responses(dataset: Dataset, scan: Scan) -> dict[str, npt.NDArray[np.float64]]:
    """Return the response of each region in percent to each type of trial that is imposed, from the truth on disk; of the middle echo.

    Returns
    -------
    dict of str to ndarray of shape (n_regions,)
        Empty where all act through the network.
    """
    import pandas as pd

    path = dataset.root / scan.middle.betas
    if not path.exists():
        return {}
    table = pd.read_csv(path, sep="\t", dtype={"trial_type": str}, keep_default_na=False)
    own = table[table["origin"] == "imposed"].groupby("trial_type", sort=False)["beta"]
    return {str(name): rows.to_numpy(dtype=float) for name, rows in own}


def temporal_snr(image: Path, labels: Path) -> float:
    """Return the median over the labelled voxels of mean over SD in time, of the raw series."""
    import nibabel as nib
    from nilearn.image import resample_to_img

    series: Any = nib.load(image)
    inside = np.asarray(resample_to_img(str(labels), series, interpolation="nearest").dataobj) > 0
    data = np.asarray(series.dataobj)[inside]
    return float(np.median(data.mean(axis=1) / np.maximum(data.std(axis=1), 1e-9)))
