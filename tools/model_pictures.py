"""The picture of a model: traces, spectrum, a diagram along one parameter, weights and correlations, laid out alike for all."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from model_diagrams import DIAGRAMS, SHOWN, SUBJECT_SEED, Diagram, Shown, recipe, swept, values_of

import fakeimaging as fi
from fakeimaging.core.files import write_bytes
from fakeimaging.plotting.canvas import BLUE, GREEN, GREY, OBSERVED, TRUTH, bar, blank, styled
from fakeimaging.plotting.connectivity import by_network, draw_matrix
from fakeimaging.plotting.structure import draw_weights
from fakeimaging.scoring.connectivity import connectivity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_TRACES = 4
TAP_RATE = 250.0
"""Samples per second of the traces."""
WINDOW = 8.0
"""Length in s of the windows that the spectrum averages over."""
COLOURS = (OBSERVED, BLUE, GREEN, "#b7791f")
DPI, PALETTE = 100, 192
"""Of the file: dots per inch, and colours."""


def write_picture(name: str, path: Path) -> int:
    """Write the picture of a model, with the digest of its recipe inside; return its size in bytes."""
    from PIL import Image, PngImagePlugin

    drawn, small, text = io.BytesIO(), io.BytesIO(), PngImagePlugin.PngInfo()
    text.add_text("recipe", recipe(name))
    plot_model(name).savefig(drawn, dpi=DPI, metadata={"Software": None})
    with Image.open(drawn) as image:
        few = image.convert("RGB").quantize(PALETTE, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(small, "png", optimize=True, pnginfo=text)
    write_bytes(path, small.getvalue())
    return len(small.getvalue())


@styled
def plot_model(name: str) -> Figure:
    """Draw a model."""
    subject = fi.make_subject("01", seed=SUBJECT_SEED)
    shown, regions = SHOWN.get(name, Shown()), traced(subject)
    activity = run(name, subject, shown, regions)
    figure = blank(9.6, 4.8)
    grid = figure.add_gridspec(2, 3, width_ratios=[2.0, 1.35, 1.25])
    axes = [[figure.add_subplot(grid[i, j]) for j in range(3)] for i in range(2)]
    for ax, tap in zip((axes[0][0], axes[1][0]), ("rate", "dipole"), strict=True):
        draw_traces(ax, activity.tap(tap).from_start(), regions, shown, subject)
    axes[0][0].set(xlabel="", xticklabels=[])
    draw_spectrum(axes[0][1], activity.tap("dipole").from_start(), subject)
    draw_weights(figure, axes[0][2], subject)
    matrix = correlations(activity, subject)
    bar(figure, axes[1][2], draw_matrix(axes[1][2], matrix), "correlation")
    axes[1][2].set_title("correlation of rates, 1 s means")
    axes[0][2].set_title("weights: row receives")
    if name in DIAGRAMS:
        draw_diagram(axes[1][1], name, DIAGRAMS[name])
    else:
        draw_against_weights(axes[1][1], matrix, subject)
    return figure


def traced(subject: fi.Subject) -> list[int]:
    """Return the regions whose traces are shown: cortical, spread over the list, of different networks."""
    cortex = [i for i, region in enumerate(subject.regions) if region.kind == "cortex"]
    return [cortex[k] for k in np.linspace(0, len(cortex) - 1, N_TRACES).round().astype(int)]


def run(name: str, subject: fi.Subject, shown: Shown, regions: list[int]) -> fi.Activity:
    """Simulate the run of the traces."""
    zone = [subject.regions[i].name for i in regions[: N_TRACES // 2]]
    regional = {parameter: dict.fromkeys(zone, value) for parameter, value in shown.zone.items()}
    return fi.simulate_activity(
        subject, model=name, duration=shown.duration, parameters=shown.parameters, regional=regional,
        taps={"rate": TAP_RATE, "dipole": TAP_RATE},
    )  # fmt: skip


def draw_traces(ax: Axes, tap: Any, regions: list[int], shown: Shown, subject: fi.Subject) -> None:
    """Draw one lane a region, each around its mean, and a bar for the scale of all."""
    first, n = tap.clock.index(shown.start), round(shown.seconds * tap.clock.rate)
    lanes = tap.by_region[regions, first : first + n].astype(float)
    means = lanes.mean(axis=1)
    lanes -= means[:, None]
    apart = 1.05 * float((lanes.max(axis=1) - lanes.min(axis=1)).max())
    heights = -apart * np.arange(len(regions))
    for lane, height, colour in zip(lanes, heights, COLOURS, strict=True):
        ax.plot(np.arange(n) / tap.clock.rate, lane + height, color=colour, lw=0.7)
    labels = [subject.regions[i].name for i in regions]
    if tap.name == "rate":
        labels = [f"{label}\nmean {mean:.1f} {tap.unit}" for label, mean in zip(labels, means, strict=True)]
    ax.set_yticks(heights, labels, fontsize=6.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set(xlabel="time (s)", title=f"{tap.name} of four regions", xlim=(0, 1.06 * shown.seconds))
    _scale(ax, 1.02 * shown.seconds, apart, tap.unit)


def _scale(ax: Axes, at: float, apart: float, unit: str) -> None:
    step = 10 ** np.floor(np.log10(apart))
    size = max(k * step for k in (1, 2, 5) if k * step <= apart)
    ax.plot([at, at], [0, -size], color=OBSERVED, lw=1.5, solid_capstyle="butt")
    ax.text(
        at,
        -size / 2,
        f" {size:g}\n {unit.replace('mm2', 'mm$^2$')}",
        fontsize=6.5,
        va="center",
        ha="left",
        clip_on=False,
    )


def draw_spectrum(ax: Axes, tap: Any, subject: fi.Subject) -> None:
    """Draw the mean power spectrum of cortical dipoles."""
    from scipy.signal import welch

    cortex = [i for i, region in enumerate(subject.regions) if region.kind == "cortex"]
    frequency, power = welch(
        tap.by_region[cortex].astype(float), tap.clock.rate, nperseg=round(WINDOW * tap.clock.rate)
    )
    kept = (frequency > 0) & (frequency <= 100)
    mean = power.mean(axis=0)[kept]
    ax.loglog(frequency[kept], mean, color=OBSERVED)
    ax.set(
        xlabel="frequency (Hz)", ylabel="power ((nAm/mm$^2$)$^2$/Hz)", title="spectrum of the dipole", xlim=(0.1, 100)
    )
    ax.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])


def correlations(activity: fi.Activity, subject: fi.Subject) -> npt.NDArray[np.float64]:
    """Return the correlations of rates, averaged over each second, networks together."""
    rates = activity.tap("rate").from_start().at_rate(1.0).by_region.astype(float)
    order = by_network(subject.regions)
    return connectivity(rates[order])


def draw_diagram(ax: Axes, name: str, diagram: Diagram) -> None:
    """Draw how behaviour changes along one parameter, with published points."""
    values = values_of(diagram)
    for branch, colour in reversed(list(zip(diagram.branches, COLOURS, strict=False))):
        for k, line in enumerate(swept(name, diagram, branch)):
            ax.plot(values, line, ".", ms=3.2, color=colour, label=branch.label if k == 0 and branch.label else None)
    if diagram.theory is not None:
        fine = np.linspace(values[0], values[-1], 201)
        for line in np.atleast_2d(diagram.theory(fine)):
            ax.plot(fine, line, color=TRUTH, lw=0.8, zorder=0)
    for at, _ in diagram.known:
        ax.axvline(at, color=GREY, lw=0.8, ls="--", zorder=0)
    row = next(row for row in fi.MODELS.get(name).parameters.table() if row["name"] == diagram.parameter)
    default = float(row["default"])
    ax.plot([default], [0], "^", ms=4, color=GREY, clip_on=False, transform=ax.get_xaxis_transform())
    unit = "" if row["unit"] in {"1", "-"} else f" ({row['unit']})"
    ax.set(
        xlabel=f"{diagram.parameter}{unit}", ylabel=diagram.label.replace("mm2", "mm$^2$"), title="along one parameter"
    )
    if any(branch.label for branch in diagram.branches):
        ax.legend(handlelength=0.8, borderpad=0.1)


def draw_against_weights(ax: Axes, matrix: npt.NDArray, subject: fi.Subject) -> None:
    """Draw each joined pair of regions, weight across and correlation up."""
    place = by_network(subject.regions)
    weights = subject.connectome.weights[np.ix_(place, place)]
    pairs = np.nonzero(np.triu(weights + weights.T, 1))
    ax.semilogx((weights + weights.T)[pairs] / 2, matrix[pairs], ".", ms=2, alpha=0.5, color=OBSERVED, mew=0)
    ax.set(xlabel="mean weight of a pair", ylabel="correlation", title="pairs of regions")
