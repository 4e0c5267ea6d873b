"""Pictures of an EEG: traces, power at the back of the head over its 1/f background, and maps of the scalp."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.spaces import apply_affine
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan, subject_folder
from fakeimaging.modalities.electro.electrodes import MONTAGES, native_to_captrak
from fakeimaging.modalities.electro.lead_field import native_electrodes, native_fiducials
from fakeimaging.plotting.canvas import GREY, OBSERVED, TRUTH, Picture, bar, blank, note, row, styled
from fakeimaging.scoring import eeg as score
from fakeimaging.structure.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]
MICRO = 1e6
BAND = (8.0, 12.0)
"""Hz, of the maps of alpha."""
SHOWN_BAND = (1.0, 40.0)
"""Hz, of the traces that are drawn."""
SHOWN_SECONDS, SHOWN_FROM = 8.0, 20.0
FINENESS = 120
"""Points across a map."""
MOST_TRACES = 21
RIM_POINTS = 24
"""Points around a map that hold it down beyond the outermost electrodes."""


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
        found = [self.channels.index(name) for name in score.OCCIPITAL if name in self.channels]
        return found or list(range(len(self.channels)))


def read_eeg(dataset: Dataset, scan: Scan) -> Eeg:
    """Read a recording, its clean twin and its electrodes from a dataset."""
    channels, observed = score.read_series(dataset.root / scan.raw)
    _, clean = score.read_series(dataset.root / scan.clean)
    rate = float(json.loads((dataset.root / scan.sidecar).read_text())["SamplingFrequency"])
    start = "_".join(subject_folder(scan.subject, scan.session).parts)
    flat = read_flat(dataset.root / scan.folder / f"{start}_space-CapTrak_electrodes.tsv", channels)
    return Eeg(tuple(channels), rate, observed - observed.mean(axis=0), clean - clean.mean(axis=0), flat)


def read_flat(path: Path, channels: Sequence[str]) -> Floats:
    """Return where the electrodes of a BIDS table (CapTrak, mm) lie on a map; the landmarks lie on its rim."""
    rows = {line["name"]: line for line in csv.DictReader(path.read_text().splitlines(), delimiter="\t")}
    points = np.array([[float(rows[name][axis]) for axis in "xyz"] for name in channels])
    about = json.loads(path.with_name(path.name.replace("electrodes.tsv", "coordsystem.json")).read_text())
    return flattened(points, np.array(list(about["AnatomicalLandmarkCoordinates"].values())))


def electrode_map(subject: Subject, channels: Sequence[str]) -> Floats:
    """Return where a subject's electrodes lie on a map, shape (n_channels, 2)."""
    to_head = native_to_captrak(subject)
    landmarks = np.array(list(native_fiducials(subject).values()))
    points = native_electrodes(subject, list(channels))
    return flattened(apply_affine(to_head, points), apply_affine(to_head, landmarks))


def flattened(points: Floats, landmarks: Floats) -> Floats:
    """Return points on the head seen from above, distances being angles from its top: nose up, left is left.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        x to the right, y to the nose, z up.
    landmarks : ndarray, shape (m, 3)
        Nasion and preauricular points: their mean angle is the rim, 1.

    Returns
    -------
    ndarray, shape (n, 2)
    """
    every = np.vstack([points, landmarks])
    design = np.column_stack([2 * every, np.ones(len(every))])
    middle = np.linalg.lstsq(design, (every**2).sum(axis=1), rcond=None)[0][:3]
    away = every - middle
    angle = np.arccos(away[:, 2] / np.linalg.norm(away, axis=1))
    rim = angle[len(points) :].mean()
    across = away[:, :2] / np.maximum(np.linalg.norm(away[:, :2], axis=1, keepdims=True), 1e-9)
    return np.asarray((across * (angle / rim)[:, None])[: len(points)])


def band_amplitude(series: Floats, rate: float, band: tuple[float, float] = BAND) -> Floats:
    """Return the rms amplitude of each channel in a band, in the unit of the series; 0 where the recording is too slow to hold it."""
    from scipy.signal import welch

    frequencies, power = welch(series, rate, nperseg=min(round(score.WINDOW * rate), series.shape[1]), axis=1)
    inside = (frequencies >= band[0]) & (frequencies <= band[1])
    return np.sqrt(power[:, inside].sum(axis=1) * (frequencies[1] - frequencies[0]))


@styled
def plot_eeg(eeg: Eeg) -> Figure:
    """Draw traces above, and below them the spectrum at the back of the head and maps of alpha, observed and true.

    A recording too slow to hold alpha has no maps.
    """
    figure = blank(9.0, 7.0)
    grid = figure.add_gridspec(2, 3, height_ratios=[1.5, 1], width_ratios=[1.25, 1, 1])
    draw_traces(figure.add_subplot(grid[0, :]), eeg)
    draw_spectrum(figure.add_subplot(grid[1, 0]), eeg)
    if not _holds_maps(eeg.rate):
        return figure
    values = [MICRO * band_amplitude(series, eeg.rate) for series in (eeg.observed, eeg.clean)]
    maps = [figure.add_subplot(grid[1, k]) for k in (1, 2)]
    _draw_maps(figure, maps, eeg.flat, dict(zip(("alpha, observed", "alpha, truth"), values, strict=True)), "uV rms")
    return figure


def _holds_maps(rate: float) -> bool:
    return rate / 2 > BAND[1]


@styled
def plot_traces(eeg: Eeg) -> Figure:
    """Draw a stretch of the traces, observed over truth."""
    figure, axes = row(1, width=9.0, height=4.5)
    draw_traces(axes[0], eeg)
    return figure


@styled
def plot_spectra(eeg: Eeg) -> Figure:
    """Draw the power at O1, Oz and O2, observed and true, with the power law fitted beside the alpha band."""
    figure, axes = row(1, width=4.5, height=3.2)
    draw_spectrum(axes[0], eeg)
    return figure


@styled
def plot_topographies(flat: Floats, values: Mapping[str, Floats], label: str) -> Figure:
    """Draw maps of the scalp on one scale of colours, nose up, left is left.

    Parameters
    ----------
    flat : ndarray, shape (n_channels, 2)
        From `flattened`.
    values : mapping of str to ndarray, shape (n_channels,)
        A map for each title.
    label : str
        Of the colour bar, with the unit.
    """
    figure, axes = row(len(values))
    _draw_maps(figure, axes, flat, values, label)
    return figure


def _draw_maps(figure: Figure, axes: list[Axes], flat: Floats, values: Mapping[str, Floats], label: str) -> None:
    every = np.concatenate(list(values.values()))
    low, high = float(min(0.0, every.min())), 1.1 * float(every.max())
    limits = (-max(-low, high), max(-low, high), "RdBu_r") if low < 0 else (0.0, high, "viridis")
    for ax, (title, map_) in zip(axes, values.items(), strict=True):
        shown = draw_topography(ax, flat, map_, vmin=limits[0], vmax=limits[1], cmap=limits[2])
        ax.set_title(title)
    bar(figure, axes, shown, label.replace("uV", "\N{MICRO SIGN}V"))


def draw_topography(ax: Axes, flat: Floats, values: Floats, **options: Any) -> Any:
    """Draw a value of each electrode as a smooth map of the scalp, through the values at the electrodes."""
    from scipy.interpolate import RBFInterpolator

    rim = max(1.0, float(np.linalg.norm(flat, axis=1).max()) + 0.03)
    ticks = np.linspace(-rim, rim, FINENESS)
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    known, given = _with_rim(flat, values, 1.15 * rim)
    smooth = RBFInterpolator(known, given, kernel="thin_plate_spline")(points).reshape(FINENESS, FINENESS)
    inside = np.linalg.norm(points, axis=1).reshape(smooth.shape) <= rim
    shown = ax.imshow(
        np.where(inside, smooth, np.nan),
        origin="lower",
        extent=(-rim, rim, -rim, rim),
        interpolation="bilinear",
        **options,
    )
    ax.contour(ticks, ticks, np.where(inside, smooth, np.nan), 6, colors="white", linewidths=0.4, alpha=0.7)
    ax.scatter(flat[:, 0], flat[:, 1], s=4, color=OBSERVED, linewidths=0)
    _draw_head(ax)
    return shown


def _with_rim(flat: Floats, values: Floats, radius: float) -> tuple[Floats, Floats]:
    """Return the electrodes with a ring of points around them that have the nearest one's value: a spline runs away beyond its data."""
    turn = np.linspace(0, 2 * np.pi, RIM_POINTS, endpoint=False)
    ring = radius * np.column_stack([np.cos(turn), np.sin(turn)])
    nearest = np.linalg.norm(ring[:, None] - flat, axis=2).argmin(axis=1)
    return np.vstack([flat, ring]), np.concatenate([values, values[nearest]])


def _draw_head(ax: Axes) -> None:
    turn = np.linspace(0, 2 * np.pi, 200)
    ax.plot(np.cos(turn), np.sin(turn), color=OBSERVED, lw=1.2)
    ax.plot([-0.12, 0, 0.12], [0.993, 1.14, 0.993], color=OBSERVED, lw=1.2)
    ear = np.array([[0.995, 0.16], [1.05, 0.18], [1.09, 0.1], [1.08, -0.06], [1.06, -0.2], [0.985, -0.2]])
    for side in (-1, 1):
        ax.plot(side * ear[:, 0], ear[:, 1], color=OBSERVED, lw=1.2)
    ax.set(xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), aspect="equal")
    ax.axis("off")


def draw_spectrum(ax: Axes, eeg: Eeg) -> None:
    """Draw the power at the back of the head over frequency, both logarithmic."""
    for series, colour, name in ((eeg.observed, OBSERVED, "observed"), (eeg.clean, TRUTH, "truth")):
        frequencies, power = score.spectrum(series[eeg.occipital] * MICRO, eeg.rate)
        shown = (frequencies >= 1) & (frequencies <= min(100.0, 0.45 * eeg.rate))
        ax.loglog(frequencies[shown], power[shown], color=colour, label=name, lw=1.1)
        if series is eeg.observed:
            law = score.background(frequencies, power)
            ax.loglog(frequencies[shown], law[shown], color=GREY, ls="--", label="1/f background", lw=0.9)
    ax.axvspan(*BAND, color="#f2e8cf", zorder=0, lw=0)
    ax.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    ax.minorticks_off()
    names = ", ".join(eeg.channels[i] for i in eeg.occipital) if len(eeg.occipital) <= 3 else "all channels"
    ax.set(xlabel="Hz", ylabel="\N{MICRO SIGN}V$^2$/Hz", title=f"power at {names}")
    ax.legend(loc="lower left")
    if score.holds_alpha(eeg.rate):
        peak = score.alpha_peak(eeg.observed[eeg.occipital], eeg.rate)
        note(ax, f"peak {peak:.1f} Hz", where=(0.62, 0.97))


def draw_traces(
    ax: Axes, eeg: Eeg, *, seconds: float = SHOWN_SECONDS, most: int = MOST_TRACES, legend: bool = True
) -> None:
    """Draw a stretch of the traces, front of the head above, positive up, observed over truth."""
    names = [name for name in MONTAGES["standard_1020"] if name in eeg.channels]
    rows = [eeg.channels.index(name) for name in names] or list(range(len(eeg.channels)))
    rows = rows[:: -(-len(rows) // most)]
    first = round(min(SHOWN_FROM, max(0.0, eeg.observed.shape[1] / eeg.rate - seconds)) * eeg.rate)
    kept = slice(first, first + round(seconds * eeg.rate))
    observed, clean = (
        MICRO * score.band_passed(series[rows], eeg.rate, band=SHOWN_BAND, order=2)[:, kept]
        for series in (eeg.observed, eeg.clean)
    )
    apart = 5 * float(np.median(clean.std(axis=1))) or 1.0
    times = first / eeg.rate + np.arange(observed.shape[1]) / eeg.rate
    for k in range(len(rows)):
        ax.plot(times, clean[k] - k * apart, color=TRUTH, lw=1.8, alpha=0.45, label="truth" if k == 0 else None)
        ax.plot(times, observed[k] - k * apart, color=OBSERVED, lw=0.7, label="observed" if k == 0 else None)
    ax.set_yticks(-apart * np.arange(len(rows)), [eeg.channels[i] for i in rows])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set(xlabel="s", xlim=(times[0], times[-1]), ylim=(-(len(rows) - 0.2) * apart, 1.2 * apart))
    size = _round(apart)
    ax.plot([times[-1]] * 2, [-size, 0], color=OBSERVED, lw=2, clip_on=False)
    ax.text(times[-1] + 0.01 * seconds, -size / 2, f"{size:.0f} \N{MICRO SIGN}V", va="center", fontsize=7)
    if legend:
        ax.legend(loc="upper left", ncols=2, bbox_to_anchor=(0, 1.06))


def _round(size: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20 ... that is no more than ``size``."""
    ten = 10.0 ** np.floor(np.log10(size))
    return float(ten * max(k for k in (1, 2, 5) if k * ten <= size * (1 + 1e-9)))


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
