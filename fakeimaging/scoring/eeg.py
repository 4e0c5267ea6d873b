"""Scores of an EEG: the alpha peak over the 1/f background, the regions' dipoles by minimum norm, and what detectors find.

Estimates read the raw file, its table of channels and the field of the head; the clean recording, the dipoles and the table of
artefacts are what they are compared with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from fakeimaging.core.streams import Streams
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.scoring.electro.alpha import alpha_peak, background, holds_alpha, peak_chance, peak_row, spectrum
from fakeimaging.scoring.electro.detection import detection_rows
from fakeimaging.scoring.electro.files import EEG, read_channels, some, table_rows
from fakeimaging.scoring.electro.sources import (
    SNR_SQUARED,
    band_passed,
    minimum_norm,
    source_agreement,
    true_dipoles,
    true_gains,
)
from fakeimaging.scoring.table import Row

__all__ = [
    "OCCIPITAL",
    "SNR_SQUARED",
    "alpha_peak",
    "background",
    "band_passed",
    "holds_alpha",
    "minimum_norm",
    "peak_chance",
    "score_eeg",
    "source_agreement",
    "spectrum",
]

OCCIPITAL = ("O1", "Oz", "O2")
SHORTEST = 20.0
"""s below which nothing is said: no row then."""


def score_eeg(dataset: Dataset, scan: Scan) -> Iterator[Row]:
    """Yield how well the alpha peak (where the recording is fast enough to hold it), the regions' dipoles and artefacts are found."""
    observed = read_channels(dataset.root, scan, EEG)
    if observed.seconds < SHORTEST:
        return
    stream = Streams(dataset.study.seed or 0).at("score", scan.recording)
    where = [observed.names.index(name) for name in OCCIPITAL if name in observed.names]
    if where:
        clean = read_channels(dataset.root, scan, EEG, clean=True)
        clean = replace(clean, samples=clean.samples - clean.samples.mean(axis=0))
        yield from peak_row(scan, some(observed, where), some(clean, where), rng=stream.at("alpha_peak").rng())
    subject, rate = dataset.subject(scan.subject), observed.rate
    seen = [i for i, region in enumerate(subject.regions) if region.kind == "cortex"]
    gains = true_gains(dataset, scan, table_rows(dataset.root, scan, observed.names))[:, seen]
    estimate = minimum_norm(gains, band_passed(observed.samples, rate))
    truth = band_passed(true_dipoles(dataset, scan, rate, observed.samples.shape[1])[seen], rate)
    found, chance = source_agreement(estimate, truth, rate, rng=stream.at("sources").rng())
    yield Row(scan.subject, scan.recording, "sources", found, 1.0, found - 1.0, chance, len(seen), np.nan, "r")
    yield from detection_rows(dataset, scan, EEG)
