"""Pictures of a PET scan: its frames, late planes, curves of groups of regions with the blood, and constants against the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.modalities.pet import suv
from fakeimaging.plotting.bold import heights_of
from fakeimaging.plotting.canvas import OBSERVED, TRUTH, Picture, Volume, bar, blank, equal_line, note, row, styled
from fakeimaging.plotting.structure import window_of
from fakeimaging.plotting.volumes import Scale, draw_plane, plot_rows
from fakeimaging.scoring import pet as score
from fakeimaging.scoring.kinetics import Plasma, Timing, window_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]
KILO = 1e-3
LATE = 1 / 3
"""Share of the scan after which its frames are averaged for the picture."""
HOT = "hot"
N_SHOWN = 8
"""Frames that are drawn, spread over the scan."""
CONSTANTS = {
    "ki": ("Net uptake", "Ki, mL/cm$^3$/min"),
    "ki_reference": ("Net uptake over the reference region", "K$_{ref}$, 1/min"),
    "vt": ("Distribution volume", "V$_T$, mL/cm$^3$"),
    "dvr": ("Distribution volume ratio", "DVR"),
    "bpnd": ("Binding potential", "BP$_{ND}$"),
    "flow": ("Blood flow", "F, mL/cm$^3$/min"),
    "suvr": ("Late uptake ratio", "SUVR"),
}
"""Title of the picture and label of the axis of each constant."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Curves of a scan.

    Parameters
    ----------
    timing : Timing
        min.
    observed, truth : ndarray, shape (n_regions, n_frames)
        Mean over each region as seen, and without noise behind the same point spread; kBq/mL.
    kinds : sequence of str
        Of the regions.
    blood : mapping of str to (times in min, kBq/mL)
    """

    timing: Timing
    observed: Floats
    truth: Floats
    kinds: Sequence[str]
    blood: Mapping[str, tuple[Floats, Floats]]


@styled
def plot_curves(curves: Curves) -> Figure:
    """Draw the mean curve of each kind of region, observed as dots and true as lines, and the blood beside them if there is any.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = row(2 if curves.blood else 1, width=4.5, height=3.1, **_widths(curves))
    for kind, colour in kind_colours(curves.kinds).items():
        rows = [k == kind for k in curves.kinds]
        seen, true = (np.nanmean(values[rows], axis=0) for values in (curves.observed, curves.truth))
        axes[0].plot(curves.timing.middle, seen, "o", ms=2.5, color=colour, mew=0)
        axes[0].plot(curves.timing.middle, true, color=colour, label=kind, lw=1)
    late = curves.timing.starts[0] > 0.1 * curves.timing.ends[-1]
    axes[0].set(xlabel="min after injection", ylabel="kBq/mL", title="tissue: observed (dots), truth (lines)")
    axes[0].set(xlim=(None if late else 0, None), ylim=(0, None))
    axes[0].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7)
    if curves.blood:
        _draw_blood(axes[1], curves.blood)
    return figure


def _widths(curves: Curves) -> dict[str, Any]:
    return {"width_ratios": [1.5, 1]} if curves.blood else {}


def _draw_blood(ax: Axes, blood: Mapping[str, tuple[Floats, Floats]]) -> None:
    for (name, (times, values)), colour in zip(blood.items(), (TRUTH, OBSERVED), strict=False):
        ax.plot(times[1:], values[1:], "o-", ms=2, lw=0.8, color=colour, label=name)
    ax.set(xlabel="min", ylabel="kBq/mL", title="blood samples", yscale="log", xlim=(0, None))
    bottom = min((values[values > 0].min() for _, values in blood.values() if (values > 0).any()), default=1.0)
    top = max((values.max() for _, values in blood.values()), default=1.0)
    ax.set_ylim(max(bottom, top / 1e3), 2 * top)
    ax.legend(loc="upper right")


def kind_colours(kinds: Sequence[str]) -> dict[str, str]:
    """Return a colour for each kind of region, in the order of their first region."""
    return {kind: f"C{k % 10}" for k, kind in enumerate(dict.fromkeys(kinds))}


@styled
def plot_frames(observed: Volume, truth: Volume, timing: Timing, *, height: float, unit: str = "SUV") -> Figure:
    """Draw one axial plane of frames spread over a scan, as observed above the truth.

    Parameters
    ----------
    observed, truth : Volume
        Arrays of shape (nx, ny, nz, n_frames).
    timing : Timing
        min.
    height : float
        z of the plane in mm.
    unit : str
        Of the values.
    """
    shown = frames_shown(timing)
    figure = blank(1.15 * len(shown) + 0.7, 3.0)
    grid = np.atleast_2d(figure.subplots(2, len(shown)))
    top = float(np.quantile(truth.slab(height).array[..., shown], 0.997))
    for axes, volume, name in zip(grid, (observed, truth), ("observed", "truth"), strict=True):
        for ax, k in zip(axes, shown, strict=True):
            one = volume.made(volume.array[..., k])
            drawn = draw_plane(ax, one, 2, height, letters=ax is axes[0], cmap=HOT, vmax=top)
            if volume is observed:
                ax.set_title(_when(timing, k), fontsize=7)
        axes[0].text(-0.06, 0.5, name, transform=axes[0].transAxes, rotation=90, ha="right", va="center")
    bar(figure, list(grid.ravel()), drawn, unit)
    return figure


def frames_shown(timing: Timing) -> list[int]:
    """Return the frames that are drawn: all, or some spread evenly over them, the last one among them."""
    n = len(timing.starts)
    return list(range(n)) if n <= N_SHOWN else [round(k) for k in np.linspace(0, n - 1, N_SHOWN + 1)[1:]]


def _when(timing: Timing, k: int) -> str:
    start, end = timing.starts[k], timing.ends[k]
    return f"{60 * start:.0f}-{60 * end:.0f} s" if end < 2 else f"{start:g}-{end:g} min"


@styled
def plot_constants(
    estimate: Floats,
    reachable: Floats,
    truth: Floats,
    kinds: Sequence[str],
    name: str,
    *,
    corrected: Floats | None = None,
) -> Figure:
    """Draw a constant of each region as recovered, and as it would be without noise, against the tissue's own.

    Parameters
    ----------
    estimate, reachable, truth : ndarray, shape (n_regions,)
        From the noisy image; from the true curves behind the point spread; of the tissue itself.
    kinds : sequence of str
        Of the regions.
    name : str
        With the unit.
    corrected : ndarray, shape (n_regions,), optional
        From the noisy image with partial volume undone.
    """
    figure, axes = row(1, width=5.2, height=3.2)
    ax = axes[0]
    equal_line(ax, truth)
    for kind, colour in kind_colours(kinds).items():
        rows = [k == kind for k in kinds]
        ax.scatter(truth[rows], reachable[rows], s=22, facecolors="none", edgecolors=colour, linewidths=0.7)
        ax.scatter(truth[rows], estimate[rows], s=11, color=colour, label=kind, linewidths=0)
        if corrected is not None:
            ax.scatter(truth[rows], corrected[rows], s=14, color=colour, marker="x", linewidths=0.7)
    ax.set(xlabel=f"true {name} of the tissue", ylabel=f"recovered {name}")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7)
    known = np.isfinite(estimate) & np.isfinite(truth)
    note(ax, f"r = {np.corrcoef(truth[known], estimate[known])[0, 1]:.2f}")
    return figure


def pictures(dataset: Dataset, scan: Scan) -> Iterator[Picture]:
    """Yield the pictures of a PET scan; none where its sidecar contradicts its image."""
    try:
        seen = score.opened(dataset, scan)
    except InputError:
        return
    subject = dataset.subject(scan.subject)
    in_suv = 1 / suv(scan.parameters)  # type: ignore[arg-type]
    observed, truth = (
        scaled(dataset, path, in_suv * factor) for path, factor in ((scan.raw, seen.factor), (scan.clean, np.ones(1)))
    )
    heights = heights_of(subject)
    yield Picture(
        "Frames",
        f"{scan.raw}: one plane over the scan, as the scanner saw it, above the truth, which has neither point spread nor noise.",
        plot_frames(observed, truth, seen.timing, height=heights[len(heights) // 2]),
    )
    yield _late(observed, truth, seen, heights, window_of(subject))
    words = "Mean over each kind of region: dots from the noisy image, lines from truth behind the same point spread; and the blood."
    yield Picture("Curves", words, plot_curves(curves_of(seen)))
    for found in score.recovered(dataset, scan, seen):
        yield _constants(found, seen.kinds)


def scaled(dataset: Dataset, path: Any, factor: Floats) -> Volume:
    """Read a series and multiply each of its frames."""
    series = Volume.read(dataset.root / path)
    return series.made(series.array * np.asarray(factor, dtype=np.float32))


def _late(
    observed: Volume,
    truth: Volume,
    seen: score.Opened,
    heights: Sequence[float],
    window: tuple[float, float, float, float],
) -> Picture:
    """Return late planes as seen, with partial volume undone voxel by voxel, and of the truth."""
    start, end = late_window(seen.timing)
    means = [series.made(window_mean(series.array, seen.timing, (start, end))) for series in (observed, truth)]
    undone = means[0].made(undone_of(means[0].array, seen))
    top = float(np.quantile(means[1].array, 0.9995))
    figure = plot_rows(
        [means[0], undone, means[1]],
        ["observed", "corrected", "truth"],
        [Scale(HOT, 0.0, top, "SUV")] * 3,
        heights=heights,
        window=window,
    )
    words = (
        f"Mean of the frames from {start:.0f} to {end:.0f} min after injection, as the scanner saw it; with partial volume undone voxel by "
        "voxel from true tissue and point spread; and the truth."
    )
    return Picture("Late activity", words, figure)


def undone_of(image: npt.NDArray, seen: score.Opened) -> npt.NDArray:
    """Return an image on the scan's own grid with partial volume undone voxel by voxel."""
    values = seen.undo.corrected(seen.undo.means([image]))[:, 0]
    return seen.undo.image(image, values)


def late_window(timing: Timing) -> tuple[float, float]:
    """Return start and end in min of the frames of the last two thirds of a scan."""
    start, end = float(timing.starts[0]), float(timing.ends[-1])
    late = timing.starts >= start + LATE * (end - start) - 1e-6
    late[-1] = True
    return float(timing.starts[late.argmax()]), end


def late_mean(dataset: Dataset, scan: Scan, *, clean: bool = False) -> Volume:
    """Return the mean activity of the last two thirds of a scan in kBq/mL, as observed or as it is in truth."""
    about = json.loads((dataset.root / scan.sidecar).read_text())
    timing = score.timing_of(about)
    path, factor = (scan.clean, np.ones(1)) if clean else (scan.raw, score.to_injection(about))
    series = scaled(dataset, path, KILO * factor)
    return series.made(window_mean(series.array, timing, late_window(timing)))


def curves_of(seen: score.Opened) -> Curves:
    """Return the curves of an opened scan, of its truth and of its blood, in kBq/mL."""
    return Curves(seen.timing, KILO * seen.observed.curves, KILO * seen.behind.curves, seen.kinds, _blood(seen))


def _blood(seen: score.Opened) -> dict[str, tuple[Floats, Floats]]:
    drawn = {"unchanged tracer in plasma": seen.observed.plasma, "whole blood": seen.observed.blood}
    return {name: (one.times, KILO * one.values) for name, one in drawn.items() if isinstance(one, Plasma)}


def _constants(found: score.Recovered, kinds: Sequence[str]) -> Picture:
    """Return the picture of one constant."""
    title, name = CONSTANTS[found.name]
    words = (
        f"By {found.method.replace('_', ' ')}. Filled: from the noisy image; open: from noise-free curves behind the point spread; "
        "crosses: from the noisy image with partial volume undone (geometric transfer matrix); dashed: the tissue itself."
    )
    figure = plot_constants(found.found, found.reachable, found.truth, kinds, name, corrected=found.corrected)
    return Picture(title, words, figure)
