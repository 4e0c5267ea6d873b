"""What is there: regions and tracts, the matrix of weights, the static images of the connectome, and the T1w over its truth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from fakeimaging.dataset import names
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.plotting.canvas import Picture, Volume, bar, row, styled
from fakeimaging.plotting.connectivity import by_network, name_networks
from fakeimaging.plotting.volumes import Scale, brightest, draw_plane, plot_planes
from fakeimaging.structure.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EDGES_SHOWN = 150
"""Strongest tracts drawn; more hide each other."""
ORDERS_SHOWN = 3
"""Orders of magnitude of the weights that have a colour."""


@styled
def plot_connectome(subject: Subject) -> Figure:
    """Draw regions and strongest tracts from above and from the right, and the matrix of weights.

    Parameters
    ----------
    subject : Subject

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = row(3)
    for ax, (a, b, title) in zip(axes, ((0, 1, "from above"), (1, 2, "from the right")), strict=False):
        draw_connectome(ax, subject, a, b)
        ax.set_title(title)
    draw_weights(figure, axes[2], subject)
    return figure


@styled
def plot_weights(subject: Subject) -> Figure:
    """Draw the matrix of weights: the row receives, the column sends."""
    figure, axes = row(1, width=4.2, height=3.4)
    draw_weights(figure, axes[0], subject)
    return figure


def draw_connectome(ax: Axes, subject: Subject, a: int, b: int) -> None:
    """Draw the connectome on ``ax``, template axis ``a`` across and ``b`` up (0 right, 1 front, 2 up)."""
    from matplotlib.collections import LineCollection

    draw_silhouette(ax, subject, a, b)
    centroids, weights = subject.parcellation.centroids[:, [a, b]], subject.connectome.weights
    rows, columns = np.triu_indices(subject.n_regions, 1)
    joined = np.abs(weights + weights.T)[rows, columns]
    strongest = np.argsort(joined, kind="stable")[-EDGES_SHOWN:]
    strongest = strongest[joined[strongest] > 0]
    share = np.sqrt(joined[strongest] / joined.max()) if len(strongest) else np.zeros(0)
    ends = np.stack([centroids[rows[strongest]], centroids[columns[strongest]]], axis=1)
    colours = [(0.25, 0.3, 0.35, 0.15 + 0.6 * s) for s in share]
    ax.add_collection(LineCollection(list(ends), colors=colours, linewidths=0.3 + 2.2 * share, zorder=2))
    networks = list(dict.fromkeys(region.network for region in subject.regions))
    colour = [networks.index(region.network) for region in subject.regions]
    strength = np.abs(weights).sum(axis=1)
    size = 5 + 45 * strength / max(strength.max(), np.finfo(float).tiny)
    ax.scatter(
        centroids[:, 0], centroids[:, 1], c=colour, cmap="tab20", s=size, zorder=3, edgecolors="white", linewidths=0.3
    )
    ax.set_aspect("equal")
    ax.axis("off")


def draw_silhouette(ax: Axes, subject: Subject, a: int, b: int) -> None:
    """Draw the outline of the labelled brain."""
    labels, grid = subject.parcellation.labels, subject.parcellation.grid
    seen = (labels > 0).any(axis=3 - a - b)
    across, up = (grid.affine[k, 3] + grid.affine[k, k] * np.arange(grid.shape[k]) for k in (a, b))
    ax.contourf(across, up, seen.T.astype(float), levels=[0.5, 1.5], colors=["#eef1f4"], zorder=0)
    ax.contour(across, up, seen.T.astype(float), levels=[0.5], colors=["#b8c2cc"], linewidths=0.8, zorder=1)


def draw_weights(figure: Figure, ax: Axes, subject: Subject) -> None:
    """Draw the logarithm of the weights with a colour bar, regions of one network together."""
    from matplotlib.colors import LogNorm

    order = by_network(subject.regions)
    weights = np.abs(subject.connectome.weights[np.ix_(order, order)])
    top = weights.max()
    norm = LogNorm(top / 10**ORDERS_SHOWN, top) if top > 0 else None
    shown = ax.imshow(np.where(weights > 0, weights, np.nan), cmap="viridis", norm=norm)
    ax.set(xticks=[], yticks=[], title="weights: row receives, column sends")
    name_networks(ax, [subject.regions[i] for i in order])
    if norm is not None:
        bar(figure, ax, shown, "weight")


def pictures(dataset: Dataset, scan: Scan) -> Iterator[Picture]:
    """Yield the pictures of a T1w."""
    path = dataset.root / scan.raw
    labels = dataset.root / names.dseg(scan.subject, dataset.study.sessions[0].label)
    seen, true = Volume.read(path), Volume.read(labels)
    at, scale = centre(dataset.subject(scan.subject)), Scale(high=white_level(seen, true))
    words = f"What the scanner saw: {scan.raw}; bright white matter, dark fluid."
    yield Picture("Image", words, plot_planes(seen, scale, at=at))
    outlined = plot_planes(seen, scale, at=at, over=true)
    yield Picture(
        "Regions", "The same planes with the borders of the true regions (orange), which are truth.", outlined
    )


def white_level(t1w: Volume, labels: Volume) -> float:
    """Return the top of the greys that shows white matter bright: fat of the scalp is brighter still."""
    grey = t1w.array[::2, ::2, ::2][labels.array[::2, ::2, ::2] > 0]
    return float(2.0 * np.median(grey)) if len(grey) else brightest(t1w.array)


def centre(subject: Subject) -> tuple[float, float, float]:
    """Return a point in native mm to cut a brain at: the deep grey matter, to the right of the midline."""
    middle = np.median(subject.native_centroids(), axis=0)
    return float(middle[0]) + 12.0, float(middle[1]), float(middle[2])


def plot_structural_export(dataset: Dataset, label: str) -> Figure:
    """Draw the static images of a connectome over the axial plane with most grey matter of the strongest region.

    Parameters
    ----------
    dataset : Dataset
    label : str
        A subject.
    """
    subject, session = dataset.subject(label), dataset.study.sessions[0].label
    j = int(np.abs(subject.connectome.weights).sum(axis=0).argmax())
    made = {
        "in-strength": ("instrength", None),
        "out-strength": ("outstrength", None),
        f"volume {j + 1}: weights from {subject.regions[j].name}": ("weights", j),
    }
    volumes = {
        title: Volume.read(dataset.root / names.connectome_image(label, session, f"desc-{name}_probseg.nii.gz"), volume)
        for title, (name, volume) in made.items()
    }
    return _export_figure(volumes, subject.native_centroids()[j][2], window_of(subject, 20.0))


@styled
def _export_figure(volumes: dict[str, Volume], z: float, window: tuple[float, float, float, float]) -> Figure:
    from matplotlib.colors import LogNorm

    figure, axes = row(3, height=3.4)
    for ax, (title, volume) in zip(axes, volumes.items(), strict=True):
        inside = np.where(volume.array == 0, np.nan, np.abs(volume.array))
        top = float(np.nanmax(inside)) if np.isfinite(inside).any() else 1.0
        norm = LogNorm(top / 10**ORDERS_SHOWN, top)
        shown = draw_plane(ax, volume.made(inside), 2, z, cmap="magma", norm=norm, vmin=None)
        ax.set(title=title, xlim=window[:2], ylim=window[2:])
        ax.set_facecolor("#3a444f")
        bar(figure, ax, shown, "weight")
    return figure


def window_of(subject: Subject, margin: float = 35.0) -> tuple[float, float, float, float]:
    """Return left, right, back and front of a brain in native mm, with a margin."""
    points = subject.native_centroids()[:, :2]
    (left, back), (right, front) = points.min(axis=0) - margin, points.max(axis=0) + margin
    return float(left), float(right), float(back), float(front)
