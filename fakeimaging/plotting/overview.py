"""One wide picture of one subject: the network, and what every scanner saw of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fakeimaging.core.errors import InputError
from fakeimaging.dataset import names
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.plotting.bold import draw_series
from fakeimaging.plotting.canvas import Volume, bar, blank, styled
from fakeimaging.plotting.eeg import Eeg, read_eeg
from fakeimaging.plotting.pet import HOT, late_mean
from fakeimaging.plotting.structure import centre, draw_connectome, white_level, window_of
from fakeimaging.plotting.topography import draw_topography
from fakeimaging.plotting.traces import MICRO, band_amplitude, draw_traces
from fakeimaging.plotting.volumes import brightest, draw_plane
from fakeimaging.scoring import bold as score
from fakeimaging.scoring import connectivity as fc

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpecBase

SERIES_SHOWN, TRACES_SHOWN = 7, 9
"""Regions and channels whose courses are drawn."""
SECONDS = 5.0
"""Of the traces."""


@styled
def plot_overview(dataset: Dataset, label: str) -> Figure:
    """Draw the connectome of a subject above its EEG; T1w, BOLD and PET; and below them how EEG and BOLD go on in time.

    Parameters
    ----------
    dataset : Dataset
        With a T1w, a BOLD and an EEG run, and two PET scans.
    label : str
        A subject.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If a scan is missing.
    """
    figure = blank(11.0, 5.1)
    halves = figure.add_gridspec(2, 1, height_ratios=[1.15, 1])
    _draw_images(figure, halves[0].subgridspec(1, 5, width_ratios=[1.1, 1, 1, 1, 1]), dataset, label)
    _draw_courses(figure, halves[1].subgridspec(1, 3, width_ratios=[2.0, 1.1, 1.8]), dataset, label)
    return figure


def _scans(dataset: Dataset, label: str, modality: str, n: int = 1) -> list[Scan]:
    found = [scan for scan in dataset.scans(label) if scan.modality == modality]
    if len(found) < n:
        raise InputError(
            f"the overview needs {n} {modality} of sub-{label}; the dataset has {len(found)}", value=modality
        )
    return found[:n]


def _draw_images(figure: Figure, grid: GridSpecBase, dataset: Dataset, label: str) -> None:
    axes = [figure.add_subplot(grid[0, k]) for k in range(5)]
    subject = dataset.subject(label)
    draw_connectome(axes[0], subject, 0, 1)
    axes[0].set_title("connectome: the wiring")
    z, window = centre(subject)[2], window_of(subject)
    (t1w,), (bold,) = _scans(dataset, label, "t1w"), _scans(dataset, label, "bold")
    head, first = Volume.read(dataset.root / t1w.raw), Volume.read(dataset.root / bold.raw, 0)
    labels = Volume.read(dataset.root / names.dseg(label, dataset.study.sessions[0].label))
    shown = [("T1w", head, "gray", white_level(head, labels))]
    shown.append(("BOLD: one volume", first, "gray", 1.05 * float(first.array.max())))
    for scan in _scans(dataset, label, "pet", 2):
        tracer = str(scan.acquisition.parameters.get("tracer", "fdg"))
        late = late_mean(dataset, scan)
        shown.append((f"PET: {'FDG' if tracer == 'fdg' else tracer}", late, HOT, brightest(late.array, 0.9995)))
    for ax, (title, volume, cmap, top) in zip(axes[1:], shown, strict=True):
        draw_plane(ax, volume, 2, z, vmax=top, cmap=cmap)
        ax.set(title=title, xlim=window[:2], ylim=window[2:])


def _draw_courses(figure: Figure, grid: GridSpecBase, dataset: Dataset, label: str) -> None:
    traces, scalp, series = (figure.add_subplot(grid[0, k]) for k in range(3))
    (scan,), (bold,) = _scans(dataset, label, "eeg"), _scans(dataset, label, "bold")
    eeg: Eeg = read_eeg(dataset, scan)
    draw_traces(traces, eeg.traces, seconds=SECONDS, most=TRACES_SHOWN, legend=False)
    traces.set_title("EEG of the same run: observed (black) over truth (red)")
    alpha = MICRO * band_amplitude(eeg.observed, eeg.rate)
    bar(figure, scalp, draw_topography(scalp, eeg.flat, alpha, vmin=0.0, cmap="viridis"), "\N{MICRO SIGN}V rms")
    scalp.set_title("EEG: alpha, 8-12 Hz")
    true = np.load(dataset.root / bold.regional("regional_bold")).astype(float)
    tr, rows = score.repetition_time(dataset, bold), slice(None, None, -(-len(true) // SERIES_SHOWN))
    seen = score.observed_series(dataset, bold, len(true))
    seen, true = (fc.cleaned(part, tr)[rows] for part in (seen / seen.mean(axis=1, keepdims=True), true))
    draw_series(series, 100 * true, tr, 100 * seen)
    series.set_title("BOLD of some regions, detrended")
