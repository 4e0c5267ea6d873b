"""Connectome, slices, regional series and connectivity of a subject and its recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.layers import Image
from fakeimaging.modalities.recording import Recording
from fakeimaging.scoring.connectivity import connectivity
from fakeimaging.structure.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EDGES_SHOWN = 150
"""Strongest tracts drawn; more hide each other."""


def _figure(n_columns: int, width: float = 3.2, height: float = 3.2) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure as Blank

    figure = Blank(figsize=(width * n_columns, height), layout="constrained")
    return figure, list(np.atleast_1d(figure.subplots(1, n_columns)))


def plot_connectome(subject: Subject) -> Figure:
    """Draw regions and strongest tracts from above and from the right.

    Parameters
    ----------
    subject : Subject

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = _figure(2)
    for ax, (a, b, title) in zip(axes, ((0, 1, "from above"), (1, 2, "from the right")), strict=True):
        draw_connectome(ax, subject, a, b)
        ax.set_title(title, fontsize=9)
    return figure


def draw_connectome(ax: Axes, subject: Subject, a: int, b: int) -> None:
    """Draw the connectome on ``ax``, template axis ``a`` across and ``b`` up (0 right, 1 front, 2 up)."""
    centroids, weights = subject.parcellation.centroids, subject.connectome.weights
    rows, columns = np.triu_indices(subject.n_regions, 1)
    joined = (weights + weights.T)[rows, columns]
    strongest = np.argsort(joined)[-EDGES_SHOWN:]
    scale = joined[strongest].max()
    for edge in strongest[joined[strongest] > 0]:
        ends = centroids[[rows[edge], columns[edge]]]
        share = float((joined[edge] / scale) ** 0.5)
        ax.plot(ends[:, a], ends[:, b], color="0.3", lw=0.3 + 2.2 * share, alpha=0.15 + 0.6 * share, zorder=1)
    networks = sorted({region.network for region in subject.regions})
    colours = [networks.index(region.network) for region in subject.regions]
    ax.scatter(
        centroids[:, a],
        centroids[:, b],
        c=colours,
        cmap="tab20",
        s=6 + 40 * weights.sum(axis=1) / weights.sum(axis=1).max(),
        zorder=2,
    )
    ax.set_aspect("equal")
    ax.axis("off")


def plot_slices(image: Image, *, volume: int = 0) -> Figure:
    """Draw the three middle slices of a volume: sagittal, coronal, axial (left of the person is left).

    Parameters
    ----------
    image : Image
    volume : int

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = _figure(3)
    array = image.make(volume)
    for axis, ax in enumerate(axes):
        draw_slice(ax, array, axis)
    return figure


def draw_slice(ax: Axes, array: npt.NDArray, axis: int, **options: object) -> None:
    """Draw the middle slice across ``axis`` (0 sagittal, 1 coronal, 2 axial) of a RAS+ volume."""
    plane = np.take(array, array.shape[axis] // 2, axis=axis)
    top = float(np.quantile(array, 0.998))
    ax.imshow(plane.T, origin="lower", **{"cmap": "gray", "vmin": 0, "vmax": top, **options})  # type: ignore[arg-type]
    ax.axis("off")


def plot_series(recording: Recording, regions: list[int]) -> Figure:
    """Draw the true BOLD signal of some regions in percent.

    Parameters
    ----------
    recording : Recording
        Of ``bold``.
    regions : list of int
        Rows of the connectome.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = _figure(1, width=6.4)
    draw_series(axes[0], recording, regions)
    return figure


def draw_series(ax: Axes, recording: Recording, regions: list[int]) -> None:
    """Draw true regional BOLD, one line a region, set apart by three times their SD."""
    series = 100 * recording.truth["regional_bold"][regions]
    times = np.arange(series.shape[1]) * (recording.clean.clock.step if recording.clean.clock else 1.0)
    apart = 3 * series.std()
    for row, values in enumerate(series):
        ax.plot(times, values + row * apart, lw=0.8)
    ax.set(xlabel="s", ylabel="% BOLD", yticks=[])
    ax.spines[["top", "right", "left"]].set_visible(False)


def plot_connectivity(estimate: npt.NDArray, truth: npt.NDArray) -> Figure:
    """Draw an estimated beside the true connectivity matrix.

    Parameters
    ----------
    estimate, truth : ndarray, shape (n_regions, n_regions)

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = _figure(2)
    for ax, matrix, title in zip(axes, (estimate, truth), ("recovered", "truth"), strict=True):
        draw_matrix(ax, matrix)
        ax.set_title(title, fontsize=9)
    return figure


def draw_matrix(ax: Axes, matrix: npt.NDArray) -> None:
    """Draw a matrix of correlations, diagonal left out."""
    shown = np.array(matrix, dtype=float)
    np.fill_diagonal(shown, np.nan)
    ax.imshow(shown, cmap="RdBu_r", vmin=-0.8, vmax=0.8)
    ax.set(xticks=[], yticks=[])


def plot_overview(subject: Subject, t1w: Recording, bold: Recording) -> Figure:
    """Draw one subject in a row: connectome, T1w, BOLD volume, regional BOLD, true connectivity.

    Parameters
    ----------
    subject : Subject
    t1w, bold : Recording

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = _figure(5, width=2.9, height=2.8)
    draw_connectome(axes[0], subject, 0, 1)
    draw_slice(axes[1], t1w.observed.make(0), 2)
    draw_slice(axes[2], bold.observed.make(0), 2)
    draw_series(axes[3], bold, list(range(0, subject.n_regions, max(1, subject.n_regions // 8)))[:8])
    draw_matrix(axes[4], connectivity(bold.truth["regional_bold"]))
    titles = ("structure: connectome", "T1w", "fMRI: one volume", "truth: regional BOLD", "truth: connectivity")
    for ax, title in zip(axes, titles, strict=True):
        ax.set_title(title, fontsize=9)
    return figure
