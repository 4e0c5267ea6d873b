"""Planes of volumes: three through a point, or rows of axial ones from below to above. The left of the person is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.layers import Image
from fakeimaging.plotting.canvas import SIDES, Volume, bar, blank, hidden, row, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BRIGHTEST = 0.998
"""Share of the voxels that are not saturated."""
NAMES, BARS, TITLES = 0.25, 0.75, 0.3
"""Inches for the names of rows, their colour bars, and the titles of columns."""


@dataclass(frozen=True)
class Scale:
    """How values become colours.

    Parameters
    ----------
    cmap : str
    low, high : float, optional
        Ends of the scale; 0 and nearly the largest value when left out.
    label : str
        Of the colour bar, with the unit; no bar when empty.
    """

    cmap: str = "gray"
    low: float | None = None
    high: float | None = None
    label: str = ""

    def options(self, array: npt.NDArray) -> dict[str, Any]:
        """Return what imshow takes."""
        high = brightest(array) if self.high is None else self.high
        return {"cmap": self.cmap, "vmin": 0.0 if self.low is None else self.low, "vmax": high}


def brightest(array: npt.NDArray, share: float = BRIGHTEST) -> float:
    """Return the value below which that share of a volume lies, from every second voxel along each axis."""
    few = array[::2, ::2, ::2]
    return float(np.quantile(few[np.isfinite(few)], share))


@styled
def plot_slices(image: Image, *, volume: int = 0) -> Figure:
    """Draw three planes through the middle of a volume: sagittal, coronal, axial.

    Parameters
    ----------
    image : Image
    volume : int

    Returns
    -------
    matplotlib.figure.Figure
    """
    return plot_planes(Volume.straight(image.volume(volume), image.grid.affine))


@styled
def plot_planes(
    volume: Volume, scale: Scale = Scale(), *, at: tuple[float, float, float] | None = None, over: Volume | None = None
) -> Figure:
    """Draw sagittal, coronal and axial planes through a point.

    Parameters
    ----------
    volume : Volume
    scale : Scale
    at : (x, y, z), optional
        Point in mm; the middle of the volume when left out.
    over : Volume, optional
        Labels drawn over it as outlines.
    """
    figure, axes = row(3, height=3.1)
    point = volume.middle if at is None else at
    options = scale.options(volume.array)
    for axis, ax in enumerate(axes):
        shown = draw_plane(ax, volume, axis, point[axis], **options)
        if over is not None:
            outline(ax, over, axis, point[axis])
        ax.set_title(f"{SIDES[axis]}, {'xyz'[axis]} = {round(point[axis])} mm")
    if scale.label:
        bar(figure, axes, shown, scale.label)
    return figure


@styled
def plot_rows(
    volumes: Sequence[Volume],
    names: Sequence[str],
    scales: Sequence[Scale],
    *,
    heights: Sequence[float],
    window: tuple[float, float, float, float] | None = None,
) -> Figure:
    """Draw each volume as a row of axial planes from below to above.

    Parameters
    ----------
    volumes : sequence of Volume
        One a row.
    names : sequence of str
        Of the rows.
    scales : sequence of Scale
    heights : sequence of float
        z of each plane in mm.
    window : (left, right, back, front), optional
        Part of the planes that is shown, in mm.
    """
    left, right, back, front = window if window is not None else volumes[0].extent(2)
    width = (9.0 - NAMES - BARS) / len(heights)
    height = width * (front - back) / (right - left)
    figure = blank(9.0, TITLES + len(volumes) * height, layout=None)
    grid = figure.subplots(
        len(volumes), len(heights), squeeze=False, gridspec_kw={"wspace": 0.04, "hspace": 0.04, "left": NAMES / 9.0,
        "right": 1 - BARS / 9.0, "bottom": 0.01, "top": 1 - TITLES / figure.get_figheight()},
    )  # fmt: skip
    for axes, volume, name, scale in zip(grid, volumes, names, scales, strict=True):
        options = scale.options(volume.array)
        for ax, z in zip(axes, heights, strict=True):
            shown = draw_plane(ax, volume, 2, z, letters=ax is axes[0], **options)
            ax.set(xlim=(left, right), ylim=(back, front))
            if volume is volumes[0]:
                ax.set_title(f"z = {round(z)} mm")
        axes[0].text(-0.06, 0.5, name, transform=axes[0].transAxes, rotation=90, ha="right", va="center")
        if scale.label:
            place = axes[-1].get_position()
            beside = figure.add_axes((place.x1 + 0.012, place.y0 + 0.1 * place.height, 0.008, 0.8 * place.height))
            figure.colorbar(shown, cax=beside, label=scale.label).outline.set_visible(False)
    return figure


def draw_plane(ax: Axes, volume: Volume, axis: int, mm: float, *, letters: bool = True, **options: Any) -> Any:
    """Draw the plane across ``axis`` (0 sagittal, 1 coronal, 2 axial) at ``mm`` and return what is shown.

    Right, front and up of the person are right and up in the picture; a sagittal plane has the front on the right.
    """
    wanted = {"cmap": "gray", "vmin": 0.0, **options}
    shown = ax.imshow(volume.plane(axis, mm).T, origin="lower", extent=volume.extent(axis), **wanted)
    hidden(ax)
    ax.set_facecolor("black")
    if letters:
        left, right = ("P", "A") if axis == 0 else ("L", "R")
        style: Any = {"transform": ax.transAxes, "color": "white", "fontsize": 7, "va": "center"}
        ax.text(0.02, 0.5, left, ha="left", **style)
        ax.text(0.98, 0.5, right, ha="right", **style)
    return shown


def outline(ax: Axes, labels: Volume, axis: int, mm: float, colour: str = "#ffb000") -> None:
    """Draw the borders between labels over a plane of another volume."""
    plane = labels.plane(axis, mm).T
    border = np.zeros(plane.shape, dtype=bool)
    border[:, 1:] |= plane[:, 1:] != plane[:, :-1]
    border[1:] |= plane[1:] != plane[:-1]
    from matplotlib.colors import ListedColormap

    seen = np.ma.masked_where(~border, border)
    ax.imshow(seen, origin="lower", extent=labels.extent(axis), cmap=ListedColormap([colour]), alpha=0.8)
