"""Maps of values at sensors around the head, seen from above: nose up, left is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fakeimaging.plotting.canvas import OBSERVED, bar, row, styled
from fakeimaging.plotting.traces import printed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

FINENESS = 120
"""Points across a map."""
RIM_POINTS = 24
"""Points around a map that hold it down beyond the outermost electrodes."""


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
    draw_maps(figure, axes, flat, values, label)
    return figure


def draw_maps(figure: Figure, axes: list[Axes], flat: Floats, values: Mapping[str, Floats], label: str) -> None:
    """Draw a map on each of the axes, on one scale of colours; parameters as in `plot_topographies`."""
    every = np.concatenate(list(values.values()))
    low, high = float(min(0.0, every.min())), 1.1 * float(every.max())
    limits = (-max(-low, high), max(-low, high), "RdBu_r") if low < 0 else (0.0, high, "viridis")
    for ax, (title, map_) in zip(axes, values.items(), strict=True):
        shown = draw_topography(ax, flat, map_, vmin=limits[0], vmax=limits[1], cmap=limits[2])
        ax.set_title(title)
    bar(figure, axes, shown, printed(label))


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
