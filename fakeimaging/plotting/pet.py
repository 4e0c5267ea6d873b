"""Pictures of a PET scan: late planes, curves of groups of regions with the blood, and recovered constants against the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.plotting.bold import heights_of
from fakeimaging.plotting.canvas import OBSERVED, TRUTH, Picture, Volume, equal_line, note, row, styled
from fakeimaging.plotting.structure import window_of
from fakeimaging.plotting.volumes import Scale, plot_rows
from fakeimaging.scoring import pet as score
from fakeimaging.scoring.kinetics import Timing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]
KILO = 1e-3
LATE = 1 / 3
"""Share of the scan after which its frames are averaged for the picture."""
HOT = "hot"


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
    """Draw the mean curve of each kind of region, observed as dots and true as lines, and the blood beside them.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = row(2, width=4.5, height=3.1, width_ratios=[1.5, 1])
    colours = kind_colours(curves.kinds)
    for kind, colour in colours.items():
        rows = [k == kind for k in curves.kinds]
        axes[0].plot(curves.timing.middle, np.nanmean(curves.observed[rows], axis=0), "o", ms=2.5, color=colour, mew=0)
        axes[0].plot(curves.timing.middle, np.nanmean(curves.truth[rows], axis=0), color=colour, label=kind, lw=1)
    axes[0].set(
        xlabel="min", ylabel="kBq/mL", title="tissue: observed (dots), truth (lines)", xlim=(0, None), ylim=(0, None)
    )
    axes[0].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7)
    for (name, (times, values)), colour in zip(curves.blood.items(), (TRUTH, OBSERVED), strict=False):
        axes[1].plot(times[1:], values[1:], "o-", ms=2, lw=0.8, color=colour, label=name)
    axes[1].set(xlabel="min", ylabel="kBq/mL", title="blood samples", yscale="log", xlim=(0, None))
    bottom = min((values[values > 0].min() for _, values in curves.blood.values() if (values > 0).any()), default=1.0)
    top = max((values.max() for _, values in curves.blood.values()), default=1.0)
    axes[1].set_ylim(max(bottom, top / 1e3), 2 * top)
    axes[1].legend(loc="upper right")
    return figure


def kind_colours(kinds: Sequence[str]) -> dict[str, str]:
    """Return a colour for each kind of region, in the order of their first region."""
    return {kind: f"C{k % 10}" for k, kind in enumerate(dict.fromkeys(kinds))}


@styled
def plot_constants(estimate: Floats, reachable: Floats, truth: Floats, kinds: Sequence[str], name: str) -> Figure:
    """Draw a constant of each region as recovered, and as it would be without noise, against the tissue's own.

    Parameters
    ----------
    estimate, reachable, truth : ndarray, shape (n_regions,)
        From the noisy image; from the true curves behind the point spread; of the tissue itself.
    kinds : sequence of str
        Of the regions.
    name : str
        With the unit.
    """
    figure, axes = row(1, width=5.2, height=3.2)
    ax = axes[0]
    equal_line(ax, truth)
    for kind, colour in kind_colours(kinds).items():
        rows = [k == kind for k in kinds]
        ax.scatter(truth[rows], reachable[rows], s=22, facecolors="none", edgecolors=colour, linewidths=0.7)
        ax.scatter(truth[rows], estimate[rows], s=11, color=colour, label=kind, linewidths=0)
    ax.set(xlabel=f"true {name} of the tissue", ylabel=f"recovered {name}")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7)
    known = np.isfinite(estimate)
    note(ax, f"r = {np.corrcoef(truth[known], estimate[known])[0, 1]:.2f}")
    return figure


def pictures(dataset: Dataset, scan: Scan) -> Iterator[Picture]:
    """Yield the pictures of a PET scan."""
    about = json.loads((dataset.root / scan.sidecar).read_text())
    yield Picture(
        "Late activity",
        f"{scan.raw}: mean of the frames from {LATE * sum(about['FrameDuration']) / 60:.0f} min on, as the scanner saw it, above "
        "the truth, which has neither point spread nor noise.",
        _late_planes(dataset, scan),
    )
    seen = score.opened(dataset, scan)
    words = "Mean over each kind of region: dots from the noisy image, lines from truth behind the same point spread; and the blood."
    yield Picture("Curves", words, plot_curves(curves_of(dataset, scan, seen)))
    if (recovered := score.constants(dataset, scan, seen)) is not None:
        yield _constants(recovered, seen.kinds)


def _late_planes(dataset: Dataset, scan: Scan) -> Figure:
    seen, true = late_mean(dataset, scan), late_mean(dataset, scan, clean=True)
    scales = [Scale(HOT, 0.0, float(np.quantile(true.array, 0.9995)), "kBq/mL")] * 2
    subject = dataset.subject(scan.subject)
    return plot_rows(
        [seen, true], ["observed", "truth"], scales, heights=heights_of(subject), window=window_of(subject)
    )


def late_mean(dataset: Dataset, scan: Scan, *, clean: bool = False) -> Volume:
    """Return the mean activity of the last two thirds of a scan in kBq/mL, as observed or as it is in truth."""
    about = json.loads((dataset.root / scan.sidecar).read_text())
    lengths = np.array(about["FrameDuration"])
    late = np.array(about["FrameTimesStart"]) >= LATE * lengths.sum() - 1e-6
    late[-1] = True
    first = int(late.argmax())
    series = Volume.read(dataset.root / (scan.clean if clean else scan.raw), slice(first, None))
    return series.made(KILO * np.average(series.array, axis=3, weights=lengths[first:]))


def curves_of(dataset: Dataset, scan: Scan, seen: score.Opened) -> Curves:
    """Return the curves of an opened scan, of its truth and of its blood."""
    return Curves(seen.timing, KILO * seen.curves, KILO * seen.behind, seen.kinds, _blood(dataset, scan))


def _blood(dataset: Dataset, scan: Scan) -> dict[str, tuple[Floats, Floats]]:
    table = np.genfromtxt(dataset.root / scan.beside(score.BLOOD), delimiter="\t", names=True)
    times, plasma = table["time"] / 60, KILO * table["plasma_radioactivity"]
    return {
        "unchanged tracer in plasma": (times, plasma * table["metabolite_parent_fraction"]),
        "whole blood": (times, KILO * table["whole_blood_radioactivity"]),
    }


def _constants(recovered: score.Recovered, kinds: Sequence[str]) -> Picture:
    """Return the picture of net uptake or of the binding potential."""
    words = (
        "Filled: from the noisy image; open: from noise-free curves behind the point spread; dashed: no partial volume."
    )
    title, name = {"ki": ("Net uptake", "Ki, mL/cm$^3$/min"), "bpnd": ("Binding potential", "BP$_{ND}$")}[
        recovered.name
    ]
    figure = plot_constants(recovered.found, recovered.reachable, recovered.truth, kinds, name)
    return Picture(title, words, figure)
