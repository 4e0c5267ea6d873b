"""Pictures of an EEG: traces, power at the back of the head over its 1/f background, and maps of the scalp."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fakeimaging.core.spaces import apply_affine
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan, subject_folder
from fakeimaging.modalities.electro.electrodes import MONTAGES, native_to_captrak
from fakeimaging.modalities.electro.lead_field import native_electrodes, native_fiducials
from fakeimaging.plotting.canvas import Picture, blank, styled
from fakeimaging.plotting.topography import draw_maps, flattened
from fakeimaging.plotting.traces import (
    BAND,
    MICRO,
    SHOWN_BAND,
    SHOWN_SECONDS,
    Traces,
    band_amplitude,
    draw_spectrum,
    draw_traces,
)
from fakeimaging.scoring.eeg import OCCIPITAL
from fakeimaging.scoring.electro.files import EEG, read_channels, read_table
from fakeimaging.structure.subject import Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Eeg:
    """An EEG as it is drawn.

    Parameters
    ----------
    channels : tuple of str
    rate : float
        Hz.
    observed, clean : ndarray, shape (n_channels, n_samples)
        V, both against the mean of the channels.
    flat : ndarray, shape (n_channels, 2)
        Where each electrode lies on a map (see `flattened`).
    """

    channels: tuple[str, ...]
    rate: float
    observed: Floats
    clean: Floats
    flat: Floats

    @property
    def occipital(self) -> list[int]:
        """Rows of O1, Oz and O2, of all channels where there is none of them."""
        found = [self.channels.index(name) for name in OCCIPITAL if name in self.channels]
        return found or list(range(len(self.channels)))

    @property
    def traces(self) -> Traces:
        """The channels of the 10-20 system from front to back; all channels where there is none of them."""
        named = [self.channels.index(name) for name in MONTAGES["standard_1020"] if name in self.channels]
        return self.some(named or list(range(len(self.channels))))

    def some(self, rows: list[int]) -> Traces:
        """Return some of the channels."""
        return Traces(tuple(self.channels[i] for i in rows), self.rate, self.observed[rows], self.clean[rows])


def read_eeg(dataset: Dataset, scan: Scan) -> Eeg:
    """Read the good electrodes of a recording, of its clean twin, and where they are, from a dataset."""
    observed, clean = (read_channels(dataset.root, scan, EEG, clean=clean) for clean in (False, True))
    start = "_".join(subject_folder(scan.subject, scan.session).parts)
    flat = read_flat(dataset.root / scan.folder / f"{start}_space-CapTrak_electrodes.tsv", observed.names)
    seen, true = (one.samples - one.samples.mean(axis=0) for one in (observed, clean))
    return Eeg(observed.names, observed.rate, seen, true, flat)


def read_flat(path: Path, channels: Sequence[str]) -> Floats:
    """Return where the electrodes of a BIDS table (CapTrak, mm) lie on a map; the landmarks lie on its rim."""
    rows = {line["name"]: line for line in read_table(path)}
    points = np.array([[float(rows[name][axis]) for axis in "xyz"] for name in channels])
    about = json.loads(path.with_name(path.name.replace("electrodes.tsv", "coordsystem.json")).read_text())
    return flattened(points, np.array(list(about["AnatomicalLandmarkCoordinates"].values())))


def electrode_map(subject: Subject, channels: Sequence[str]) -> Floats:
    """Return where a subject's electrodes lie on a map, shape (n_channels, 2)."""
    to_head = native_to_captrak(subject)
    landmarks = np.array(list(native_fiducials(subject).values()))
    points = native_electrodes(subject, list(channels))
    return flattened(apply_affine(to_head, points), apply_affine(to_head, landmarks))


@styled
def plot_eeg(eeg: Eeg) -> Figure:
    """Draw traces above, and below them the spectrum at the back of the head and maps of alpha, observed and true.

    A recording too slow to hold alpha has no maps.
    """
    figure = blank(9.0, 7.0)
    grid = figure.add_gridspec(2, 3, height_ratios=[1.5, 1], width_ratios=[1.25, 1, 1])
    draw_traces(figure.add_subplot(grid[0, :]), eeg.traces)
    draw_spectrum(figure.add_subplot(grid[1, 0]), eeg.some(eeg.occipital))
    if not _holds_maps(eeg.rate):
        return figure
    values = [MICRO * band_amplitude(series, eeg.rate) for series in (eeg.observed, eeg.clean)]
    maps = [figure.add_subplot(grid[1, k]) for k in (1, 2)]
    draw_maps(figure, maps, eeg.flat, dict(zip(("alpha, observed", "alpha, truth"), values, strict=True)), "uV rms")
    return figure


def _holds_maps(rate: float) -> bool:
    return rate / 2 > BAND[1]


def pictures(dataset: Dataset, scan: Scan) -> Iterator[Picture]:
    """Yield the picture of an EEG."""
    eeg = read_eeg(dataset, scan)
    alpha = _holds_maps(eeg.rate)
    shown = "its power, and where alpha is seen on the scalp (nose up, left is left)" if alpha else "and its power"
    words = (
        f"{scan.raw} against the mean of its channels: {SHOWN_SECONDS:g} s of it from {SHOWN_BAND[0]:g} to {SHOWN_BAND[1]:g} Hz, "
        f"{shown}; truth is the same without noise, blinks and mains."
    )
    yield Picture("Traces, power and alpha" if alpha else "Traces and power", words, plot_eeg(eeg))
