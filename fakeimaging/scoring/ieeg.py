"""Scores of an intracranial EEG: how far each contact shows the activity of its own region.

A contact's sign depends on which side of the cortex it lies, so that correlations count without it. A bipolar channel belongs to
the region of its first contact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from fakeimaging.core.streams import Streams
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import SOURCE, Scan, subject_folder
from fakeimaging.scoring.eeg import SHORTEST
from fakeimaging.scoring.electro.detection import detection_rows
from fakeimaging.scoring.electro.files import IEEG, Recorded, read_channels, read_table
from fakeimaging.scoring.electro.sources import band_passed, source_agreement, true_dipoles
from fakeimaging.scoring.table import Row


def score_ieeg(dataset: Dataset, scan: Scan) -> Iterator[Row]:
    """Yield how well each contact shows its region, and which bad channels are found.

    There is no row of alpha: contacts lie where a person is ill, mostly far from where that rhythm is.
    """
    observed = read_channels(dataset.root, scan, IEEG)
    if observed.seconds < SHORTEST:
        return
    stream, rate = Streams(dataset.study.seed or 0).at("score", scan.recording), observed.rate
    region = contact_regions(dataset.root, scan)
    near = [(row, region[name]) for row, name in enumerate(observed.names) if name in region]
    if near:
        rows, regions = (list(each) for each in zip(*near, strict=True))
        truth = band_passed(true_dipoles(dataset, scan, rate, observed.samples.shape[1]), rate)[regions]
        estimate = band_passed(observed.samples[rows], rate)
        found, chance = source_agreement(estimate, truth, rate, rng=stream.at("own_region").rng(), signed=False)
        yield Row(scan.subject, scan.recording, "own_region", found, 1.0, found - 1.0, chance, len(rows), np.nan, "|r|")
    yield from detection_rows(dataset, scan, IEEG)


def read_clean(root: Path, scan: Scan) -> Recorded:
    """Read the clean signal of the good channels against the reference of the recording, where that is a contact or their mean."""
    clean = read_channels(root, scan, IEEG, clean=True)
    against = {line["reference"] for line in read_table(root / scan.beside("channels.tsv"))}
    every = read_channels(root, scan, IEEG, clean=True, bad=True)
    if against == {"average"}:
        return replace(clean, samples=clean.samples - every.samples.mean(axis=0))
    shared = [row for row, name in enumerate(every.names) if against == {name}]
    return replace(clean, samples=clean.samples - every.samples[shared[0]]) if shared else clean


def contact_regions(root: Path, scan: Scan) -> dict[str, int]:
    """Return the region, counted from 0, of every channel whose (first) contact is near one."""
    start = "_".join(subject_folder(scan.subject, scan.session).parts)
    table = read_table(root / SOURCE / f"sub-{scan.subject}" / f"{start}_contacts.tsv")
    known = {line["name"]: int(line["region_index"]) - 1 for line in table if line["region_index"] != "n/a"}
    names = [line["name"] for line in read_table(root / scan.beside("channels.tsv"))]
    return {name: known[first] for name in names if (first := name.split("-")[0]) in known}
