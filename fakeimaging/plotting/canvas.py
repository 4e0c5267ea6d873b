"""What all pictures share: one look whatever the user's settings are, blank figures, and planes of volumes in millimetres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from fakeimaging.core.spaces import Affine

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOOK = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "image.interpolation": "nearest",
    "lines.linewidth": 1.0,
    "svg.hashsalt": "fakeimaging",
}
OBSERVED, TRUTH = "#1f2933", "#d1495b"
"""Colours of what an instrument saw or an analysis found, and of the truth, in every picture."""
GREY, BLUE, GREEN = "#9aa5b1", "#2b6cb0", "#3b8f5a"
SIDES = ("sagittal", "coronal", "axial")

P = ParamSpec("P")
R = TypeVar("R")


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Give a function that draws the look of every picture here, and matplotlib's own defaults for the rest."""

    @wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        from matplotlib import style

        with style.context(["default", LOOK]):
            return draw(*args, **kwargs)

    return inside


def blank(width: float, height: float, *, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """Return an empty figure of that size in inches, not known to pyplot."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout=layout)


def row(n: int, width: float = 3.0, height: float = 3.0, **options: Any) -> tuple[Figure, list[Axes]]:
    """Return a figure with n axes side by side, each of that size in inches."""
    figure = blank(n * width, height)
    return figure, list(np.atleast_1d(figure.subplots(1, n, **options)))


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure with the sentence that says what is seen and what is truth.

    Parameters
    ----------
    title, caption : str
    figure : matplotlib.figure.Figure
    """

    title: str
    caption: str
    figure: Figure


@dataclass(frozen=True, eq=False)
class Volume:
    """A 3-D array whose axes run to the right, to the front and up.

    Parameters
    ----------
    array : ndarray, shape (nx, ny, nz)
    affine : ndarray, shape (4, 4)
        Voxel index to mm, diagonal but for the shift.
    """

    array: npt.NDArray
    affine: Affine

    @classmethod
    def read(cls, path: Path, volumes: int | slice | None = None) -> Volume:
        """Read an image that `fakeimaging` wrote, of a 4-D one all volumes or some."""
        import nibabel as nib
        from isal import igzip

        with igzip.open(path) as file:
            image: Any = nib.Nifti1Image.from_bytes(file.read())
        stored, slope, offset = image.dataobj.get_unscaled(), image.dataobj.slope, image.dataobj.inter
        part = stored if volumes is None else stored[..., volumes]
        return cls.straight(part * np.float32(slope) + np.float32(offset), image.affine)

    @classmethod
    def straight(cls, array: npt.NDArray, affine: Affine) -> Volume:
        """Take an array whose axes may run anywhere; of oblique slices each new voxel shows the nearest one, 0 outside."""
        import nibabel as nib

        turned = nib.orientations.io_orientation(affine)
        upright = affine @ nib.orientations.inv_ornt_aff(turned, array.shape[:3])
        array = nib.orientations.apply_orientation(array, turned)
        steps = nib.affines.voxel_sizes(upright)
        middle = (np.array(array.shape[:3]) - 1) / 2
        aligned = nib.affines.from_matvec(np.diag(steps), nib.affines.apply_affine(upright, middle) - steps * middle)
        if np.allclose(upright, aligned, atol=1e-4):
            return cls(array, upright)
        places = np.moveaxis(np.indices(array.shape[:3]), 0, -1)
        seen = np.rint(nib.affines.apply_affine(np.linalg.inv(upright) @ aligned, places)).astype(int)
        within = ((seen >= 0) & (seen < array.shape[:3])).all(axis=-1)
        shown = np.zeros_like(array)
        shown[within] = array[tuple(seen[within].T)]
        return cls(shown, aligned)

    def made(self, array: npt.NDArray) -> Volume:
        """Return another array on the same grid."""
        return replace(self, array=array)

    def index(self, axis: int, mm: float) -> int:
        """Return the voxel along ``axis`` at ``mm``, at most the last one."""
        nearest = round((mm - self.affine[axis, 3]) / self.affine[axis, axis])
        return int(np.clip(nearest, 0, self.array.shape[axis] - 1))

    def plane(self, axis: int, mm: float) -> npt.NDArray:
        """Return the plane across ``axis`` at ``mm``, first index across the picture, second up."""
        return np.take(self.array, self.index(axis, mm), axis=axis)

    def slab(self, mm: float) -> Volume:
        """Return the one axial plane at ``mm`` as a volume."""
        k = self.index(2, mm)
        affine = np.array(self.affine)
        affine[2, 3] += k * affine[2, 2]
        return Volume(self.array[:, :, k : k + 1], affine)

    def extent(self, axis: int) -> tuple[float, float, float, float]:
        """Return left, right, bottom and top of such a plane in mm."""
        ends: list[float] = []
        for other in (a for a in range(3) if a != axis):
            first, step = self.affine[other, 3], self.affine[other, other]
            ends += [first - step / 2, first + step * (self.array.shape[other] - 0.5)]
        return ends[0], ends[1], ends[2], ends[3]

    @property
    def middle(self) -> tuple[float, float, float]:
        """Middle of the volume in mm."""
        steps = np.diag(self.affine)[:3]
        x, y, z = self.affine[:3, 3] + steps * (np.array(self.array.shape) - 1) / 2
        return float(x), float(y), float(z)


def bar(figure: Figure, ax: Axes | list[Axes], shown: Any, label: str) -> None:
    """Add a slim colour bar with a label that carries the unit."""
    made = figure.colorbar(shown, ax=ax, shrink=0.8, pad=0.02, aspect=25)
    made.set_label(label)
    made.outline.set_visible(False)


def note(ax: Axes, text: str, *, where: tuple[float, float] = (0.03, 0.97), colour: str = OBSERVED) -> None:
    """Write a short text at a corner of the axes."""
    ax.text(*where, text, transform=ax.transAxes, va="top", ha="left", fontsize=7.5, color=colour)


def hidden(ax: Axes) -> None:
    """Take away axes and frame, leaving the title; what is invisible takes no time to lay out either."""
    ax.xaxis.set_visible(False)
    ax.yaxis.set_visible(False)
    ax.spines[:].set_visible(False)


def equal_line(ax: Axes, *values: npt.NDArray) -> None:
    """Draw the line on which estimate and truth agree, over the range of the values."""
    every = np.concatenate([np.ravel(v) for v in values])
    every = every[np.isfinite(every)]
    ends = [float(every.min()), float(every.max())]
    ax.plot(ends, ends, color=GREY, lw=0.8, ls="--", zorder=0)
