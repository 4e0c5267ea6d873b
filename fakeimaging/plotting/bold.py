"""Pictures of a BOLD series: volumes, every voxel in time beside what moves it, connectivity, and the response to a task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fakeimaging.dataset import names
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.modalities.recording import Recording
from fakeimaging.plotting.canvas import (
    BLUE,
    GREY,
    OBSERVED,
    TRUTH,
    Picture,
    Volume,
    bar,
    blank,
    equal_line,
    note,
    row,
    styled,
)
from fakeimaging.plotting.connectivity import plot_connectivity
from fakeimaging.plotting.physiology import draw_motion, plot_physiology
from fakeimaging.plotting.structure import window_of
from fakeimaging.plotting.volumes import Scale, draw_plane, plot_rows
from fakeimaging.scoring import activation
from fakeimaging.scoring import bold as score
from fakeimaging.scoring import connectivity as fc
from fakeimaging.structure.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROWS_SHOWN = (400, 100, 120, 200)
"""Most rows of each group of a carpet; more voxels are averaged with their neighbours."""
CARPET_SD = 2.0
"""SDs at which the greys of a carpet end."""
SLICES_SHOWN = 7
MARGIN = 25.0
"""mm around the outermost centroids that a plane shows."""
TISSUES = ("cortex", "deep grey", "cerebellum", "white, fluid")
"""Groups of a carpet, from above to below."""


@styled
def plot_series(recording: Recording, regions: Sequence[int]) -> Figure:
    """Draw the true BOLD signal of some regions in percent.

    Parameters
    ----------
    recording : Recording
        Of ``bold``.
    regions : sequence of int
        Rows of the connectome.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = row(1, width=6.4)
    clock = recording.clean.clock
    draw_series(axes[0], 100 * recording.truth["regional_bold"][list(regions)], clock.step if clock else 1.0)
    return figure


def draw_series(ax: Axes, percent: npt.NDArray, tr: float, observed: npt.NDArray | None = None) -> None:
    """Draw true courses in percent, shape (n, n_volumes), one line each, set apart by four times their SD, and observed over them."""
    times = np.arange(percent.shape[1]) * tr
    apart = 4 * percent.std()
    for k, values in enumerate(percent):
        alone = observed is None
        ax.plot(times, values - k * apart, lw=1.0 if alone else 1.8, color=TRUTH, alpha=1.0 if alone else 0.45)
        if observed is not None:
            ax.plot(times, observed[k] - k * apart, lw=0.7, color=OBSERVED)
    ax.set(xlabel="s", yticks=[], xlim=(0, times[-1]))
    ax.spines["left"].set_visible(False)
    ax.plot([-0.015 * times[-1]] * 2, [-0.5, 0.5], color=OBSERVED, lw=1.5, clip_on=False)
    ax.text(-0.03 * times[-1], 0, "1 %", rotation=90, ha="right", va="center", fontsize=7)


@dataclass(frozen=True, eq=False)
class Carpet:
    """Every voxel in time, and what moves it.

    Parameters
    ----------
    series : ndarray, shape (n_voxels, n_volumes)
        In SDs of each voxel, or of each mean over neighbours.
    groups : ndarray of int, shape (n_voxels,)
        Position in `TISSUES`, sorted.
    motion : ndarray, shape (n_volumes, 6)
        mm, then rad.
    displacement, std_dvars : ndarray, shape (n_volumes,)
    tr : float
    """

    series: npt.NDArray
    groups: npt.NDArray
    motion: npt.NDArray
    displacement: npt.NDArray
    std_dvars: npt.NDArray
    tr: float


@styled
def plot_carpet(carpet: Carpet) -> Figure:
    """Draw motion, framewise displacement and DVARS above all voxels in time.

    Returns
    -------
    matplotlib.figure.Figure
    """
    n = carpet.series.shape[1]
    times, end = (np.arange(n) + 0.5) * carpet.tr, n * carpet.tr
    figure = blank(9.0, 5.2)
    shift, turn, change, voxels = figure.subplots(4, 1, sharex=True, height_ratios=[1, 1, 1, 4])
    draw_motion(shift, times, carpet.motion[:, :3], "shift\nmm")
    draw_motion(turn, times, np.rad2deg(carpet.motion[:, 3:]), "rotation\ndeg")
    shift.legend(loc="lower left", bbox_to_anchor=(0, 0.9), ncols=3)
    change.plot(times, carpet.displacement, color=TRUTH)
    change.set_ylabel("FD\nmm", color=TRUTH)
    change.set_ylim(bottom=0)
    other = change.twinx()
    other.plot(times, carpet.std_dvars, color=BLUE)
    other.set_ylabel("DVARS\nstd.", color=BLUE)
    other.spines["right"].set_visible(True)
    shown = voxels.imshow(
        carpet.series,
        aspect="auto",
        cmap="gray",
        vmin=-CARPET_SD,
        vmax=CARPET_SD,
        extent=(0, end, len(carpet.series), 0),
    )
    _name_groups(voxels, carpet.groups, end)
    voxels.set(xlabel="s", xlim=(0, end))
    bar(figure, voxels, shown, "SD of the row")
    figure.align_ylabels([shift, turn, change])
    return figure


def _name_groups(ax: Axes, groups: npt.NDArray, end: float) -> None:
    at = []
    for k in range(len(TISSUES)):
        rows = np.flatnonzero(groups == k)
        at.append(rows.mean() if len(rows) else np.nan)
        if len(rows):
            ax.hlines(rows[-1] + 1, 0, end, color="#ffb000", lw=0.6)
    known = np.isfinite(at)
    ax.set_yticks(np.array(at)[known], np.array(TISSUES)[known])
    ax.tick_params(axis="y", length=0)


@dataclass(frozen=True, eq=False)
class Response:
    """Response of each region to one condition, in percent, NaN where it is not known.

    Parameters
    ----------
    condition : str
    estimate, truth : ndarray, shape (n_regions,)
    """

    condition: str
    estimate: npt.NDArray
    truth: npt.NDArray


@styled
def plot_activation(responses: Sequence[Response], labels: Volume, centroids: npt.NDArray) -> Figure:
    """Draw, for each condition, what was estimated and what is true on an axial plane, and region against region.

    Parameters
    ----------
    responses : sequence of Response
    labels : Volume
        Labels of the regions.
    centroids : ndarray, shape (n_regions, 3)
        Of the regions in the space of the labels, in mm.
    """
    (left, back), (right, front) = centroids[:, :2].min(axis=0) - MARGIN, centroids[:, :2].max(axis=0) + MARGIN
    figure = blank(9.0, 2.9 * len(responses))
    grid = figure.subplots(len(responses), 3, squeeze=False)
    for axes, response in zip(grid, responses, strict=True):
        z = float(centroids[int(np.nanargmax(np.abs(response.truth)))][2])
        here = labels.slab(z)
        top = float(np.nanmax(np.abs(np.concatenate([response.estimate, response.truth]))))
        for ax, values, name in zip(axes, (response.estimate, response.truth), ("estimate", "truth"), strict=False):
            plane = here.made(np.concatenate([[np.nan], values])[here.array.astype(int)])
            shown = draw_plane(ax, plane, 2, z, cmap="RdBu_r", vmin=-top, vmax=top)
            ax.set_facecolor("#3a444f")
            ax.set(xlim=(left, right), ylim=(back, front))
            ax.set_title(f"{response.condition}: {name}, z = {round(z)} mm")
        bar(figure, list(axes[:2]), shown, "% BOLD")
        _draw_responses(axes[2], response)
    return figure


def _draw_responses(ax: Axes, response: Response) -> None:
    known = np.isfinite(response.estimate) & np.isfinite(response.truth)
    x, y = response.truth[known], response.estimate[known]
    active = np.abs(x) > activation.ACTIVE * np.abs(x).max()
    ax.axhline(0, color=GREY, lw=0.5)
    ax.scatter(x[~active], y[~active], s=10, color=GREY, label="not active", linewidths=0)
    ax.scatter(x[active], y[active], s=14, color=TRUTH, label="active in truth", linewidths=0)
    equal_line(ax, x)
    ax.set(xlabel="true response, % BOLD", ylabel="estimate, % BOLD")
    ax.legend(loc="lower right")
    note(ax, f"r = {np.corrcoef(x, y)[0, 1]:.2f}")


def pictures(dataset: Dataset, scan: Scan) -> Iterator[Picture]:
    """Yield the pictures of a BOLD series: volumes of each echo, and the rest once, of their combination and the middle echo's truth."""
    several = len(scan.parts) > 1
    for k, part in enumerate(scan.parts, start=1):
        title = f"Volumes, echo {k}" if several else "Volumes"
        yield Picture(title, _volume_words(part), _volumes(dataset, part))
    yield Picture(
        "Carpet",
        "Preprocessed voxels in time, detrended, below what moves them; motion is true plus the stated estimation error, "
        "displacement and DVARS come from it and from the voxels.",
        plot_carpet(read_carpet(dataset, scan)),
    )
    clean = np.load(dataset.root / scan.middle.regional("regional_bold")).astype(float)
    if clean.shape[1] >= score.SHORTEST:
        yield from _analyses(dataset, scan, clean)
    activity = dataset.activity(scan.subject, task=str(scan.task), run=scan.run or 1, session=scan.session)
    words = "Truth: heart, breathing, blinks and head motion of the run, shared by every instrument that recorded it."
    yield Picture("Physiology", words, plot_physiology(activity.physiology))


def _volume_words(scan: Scan) -> str:
    return (
        f"What the scanner saw, {scan.raw}: the mean of the run, and the temporal signal-to-noise ratio of each voxel."
    )


def _volumes(dataset: Dataset, scan: Scan) -> Figure:
    series, subject = Volume.read(dataset.root / scan.raw), dataset.subject(scan.subject)
    mean, spread = series.array.mean(axis=3), series.array.std(axis=3)
    ratio = np.where(mean > 0.1 * mean.max(), mean / np.maximum(spread, 1e-6), np.nan)
    return plot_rows(
        [series.made(mean), series.made(ratio)],
        ["mean", "temporal SNR"],
        [Scale(high=1.05 * float(mean.max()), label="arbitrary"), Scale("viridis", label="mean / SD")],
        heights=heights_of(subject),
        window=window_of(subject),
    )


def heights_of(subject: Subject, n: int = SLICES_SHOWN) -> list[float]:
    """Return heights in native mm at which a brain is cut, from the cerebellum to the vertex."""
    z = subject.native_centroids()[:, 2]
    return np.linspace(z.min(), z.max(), n).tolist()


def read_carpet(dataset: Dataset, scan: Scan) -> Carpet:
    """Read a carpet from the preprocessed series, its mask and its confounds."""
    import pandas as pd

    path = dataset.root / score.prepared(dataset, scan)
    series = Volume.read(path)
    inside = Volume.read(path.with_name(path.name.replace("desc-preproc_bold", "desc-brain_mask"))).array > 0
    groups = _tissue_of(dataset, scan, series)[inside]
    voxels = series.array[inside]
    courses = [_blocks(voxels[groups == k], rows) for k, rows in enumerate(ROWS_SHOWN)]
    table = pd.read_csv(dataset.root / names.PREP / scan.beside("desc-confounds_timeseries.tsv", part=False), sep="\t")
    motion = table[[f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]].to_numpy()
    return Carpet(
        _standardised(np.concatenate(courses)), np.repeat(np.arange(len(TISSUES)), [len(c) for c in courses]), motion,
        table["framewise_displacement"].to_numpy(), table["std_dvars"].to_numpy(), score.repetition_time(dataset, scan),
    )  # fmt: skip


def _blocks(voxels: npt.NDArray, most: int) -> npt.NDArray[np.float64]:
    """Return means over neighbouring voxels, at most that many rows."""
    size = max(1, -(-len(voxels) // most))
    starts = np.arange(0, len(voxels), size)
    if size == 1:
        return voxels.astype(float)
    counts = np.diff([*starts, len(voxels)])
    return np.asarray(np.add.reduceat(voxels.astype(float), starts, axis=0) / counts[:, None])


def _standardised(series: npt.NDArray) -> npt.NDArray:
    from scipy.signal import detrend

    flat = detrend(series, axis=1)
    return np.asarray(flat / np.maximum(flat.std(axis=1, keepdims=True), 1e-9))


def _tissue_of(dataset: Dataset, scan: Scan, series: Volume) -> npt.NDArray[np.intp]:
    """Return the position in `TISSUES` of each voxel of a series in template space."""
    labels = template_labels(dataset, scan)
    places = [
        [labels.index(k, series.affine[k, 3] + series.affine[k, k] * i) for i in range(series.array.shape[k])]
        for k in range(3)
    ]
    kinds: Mapping[str, int] = {"cortex": 0, "cerebellum": 2}
    group = np.array([3, *(kinds.get(region.kind, 1) for region in dataset.subject(scan.subject).regions)])
    return np.asarray(group[labels.array[np.ix_(*places)].astype(int)])


def template_labels(dataset: Dataset, scan: Scan) -> Volume:
    """Read the labels of the regions in template space."""
    session = dataset.study.sessions[0].label
    return Volume.read(dataset.root / names.dseg(scan.subject, session, space=dataset.template_space))


def _analyses(dataset: Dataset, scan: Scan, clean: npt.NDArray) -> Iterator[Picture]:
    subject, tr = dataset.subject(scan.subject), score.repetition_time(dataset, scan)
    series = score.observed_series(dataset, scan, len(clean))
    estimate = fc.connectivity(fc.cleaned(series, tr, score.nuisance(dataset, scan, "motion", "wm_csf")))
    truth = fc.connectivity(fc.cleaned(clean, tr))
    yield Picture(
        "Functional connectivity",
        "Correlation of the preprocessed regional series (recovered) beside that of the noise-free ones (truth).",
        plot_connectivity(estimate, truth, subject.regions),
    )
    if (dataset.root / scan.events).exists():
        yield Picture(
            "Task activation",
            "Response of a general linear model with autoregressive noise (estimate) beside that of the noise-free regions (truth), "
            "on the plane through the most active region.",
            plot_activation(
                read_responses(dataset, scan, series, clean),
                template_labels(dataset, scan),
                subject.parcellation.centroids,
            ),
        )


def read_responses(dataset: Dataset, scan: Scan, series: npt.NDArray, clean: npt.NDArray) -> list[Response]:
    """Fit the design of a run to its observed and its clean regional series.

    Parameters
    ----------
    dataset : Dataset
    scan : Scan
    series, clean : ndarray, shape (n_regions, n_volumes)
        Arbitrary units, and share of the baseline.
    """
    model = score.task_design(dataset, scan, clean.shape[1])
    known = np.isfinite(series).all(axis=1)
    percent = 100 * (series[known] / series[known].mean(axis=1, keepdims=True) - 1)
    found = np.full((len(model.conditions), len(series)), np.nan)
    found[:, known] = activation.responses(percent, model)[0]
    truth, _ = activation.truth(100 * clean, model, score.imposed_responses(dataset, scan))
    return [Response(*three) for three in zip(model.conditions, found, truth, strict=True)]
