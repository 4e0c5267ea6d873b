"""Scores of a BOLD series: functional connectivity against that of the clean regions, and against the wiring.

Observed and clean series go through the same detrending and high-pass filter: what is scored is noise and sampling, not the filter.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fakeimaging.core.streams import Streams
from fakeimaging.dataset import names
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.scoring import connectivity as fc
from fakeimaging.scoring.table import Row

SHORTEST = 10
"""Volumes below which correlations say nothing: no row then."""


def score_bold(dataset: Dataset, scan: Scan) -> Iterator[Row]:
    """Yield how well functional connectivity of the observed series agrees with that of the clean regions, and with the wiring."""
    weights = np.loadtxt(dataset.root / names.table(scan.subject, "weights"), skiprows=1, delimiter="\t")
    tr = float(json.loads((dataset.root / scan.sidecar).read_text())["RepetitionTime"])
    labels = dataset.root / names.dseg(scan.subject, dataset.study.sessions[0].label)
    series = fc.cleaned(fc.regional_series(dataset.root / scan.raw, labels, len(weights)), tr)
    snr = temporal_snr(dataset.root / scan.raw, labels)
    if series.shape[1] < SHORTEST:
        return
    clean = fc.cleaned(np.load(dataset.root / scan.regional("regional_bold")), tr)
    estimate, truth = fc.connectivity(series), fc.connectivity(clean)
    stream = Streams(dataset.study.seed or 0).at("score", scan.stem)

    found, n = fc.agreement(estimate, truth)
    by_chance = fc.chance(series, truth, rng=stream.at("fc").rng())
    yield Row(scan.subject, scan.stem, "fc", found, 1.0, found - 1.0, by_chance, n, snr, "r")

    wired = weights + weights.T
    log_weights = np.log(np.where(wired > 0, wired, 1.0))
    found, n = fc.agreement(estimate, log_weights, wired > 0)
    reachable, _ = fc.agreement(truth, log_weights, wired > 0)
    by_chance = fc.chance(series, log_weights, wired > 0, rng=stream.at("fc_weights").rng())
    yield Row(scan.subject, scan.stem, "fc_weights", found, reachable, found - reachable, by_chance, n, snr, "r")


def temporal_snr(image: Path, labels: Path) -> float:
    """Return the median over the labelled voxels of mean over SD in time, of the raw series."""
    import nibabel as nib
    from nilearn.image import resample_to_img

    series: Any = nib.load(image)
    inside = np.asarray(resample_to_img(str(labels), series, interpolation="nearest").dataobj) > 0
    data = np.asarray(series.dataobj)[inside]
    return float(np.median(data.mean(axis=1) / np.maximum(data.std(axis=1), 1e-9)))
