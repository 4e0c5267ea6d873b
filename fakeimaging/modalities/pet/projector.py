"""Line integrals through a stack of slices: direct planes, parallel lines, linear interpolation (Joseph 1982).

Views turn about the middle of the grid over half a circle. In view theta, bin r integrates along x cos(theta) + y
sin(theta) = r, with x and y in mm along the first two axes of the grid: steps go from row to row of the axis that the
line runs along the most, and each reads the two cells it passes between. All slices are projected together
(`projector_kernel`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.citations import Reference
from fakeimaging.core.spaces import Grid
from fakeimaging.modalities.pet.slabs import (
    NOTHING,
    WIDE,
    Slabs,
    Volume,
    from_bins,
    from_slabs,
    kernel,
    to_bins,
    to_slabs,
)

REFERENCE = Reference("Joseph", 1982, "10.1109/TMI.1982.4307572", "line integrals through an image")


@dataclass(frozen=True, eq=False)
class Lines:
    """The parallel lines of a scanner, the same in every slice.

    Parameters
    ----------
    grid : Grid
        Slices lie along its third axis.
    table : ndarray, shape (n_views, 5)
        What the kernels must know of each view.
    n_bins : int
    bin_width : float
        mm.
    """

    grid: Grid
    table: npt.NDArray[np.float64]
    n_bins: int
    bin_width: float

    @property
    def plane(self) -> tuple[int, int]:
        """Cells of a slice."""
        return self.grid.shape[0], self.grid.shape[1]

    @property
    def n_views(self) -> int:
        """Number of views."""
        return len(self.table)

    @property
    def n_slabs(self) -> int:
        """Number of slabs that the slices fill."""
        return -(-self.grid.shape[2] // WIDE)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a sinogram: views, bins, slices."""
        return self.n_views, self.n_bins, self.grid.shape[2]


def parallel_lines(grid: Grid, n_views: int, *, field: float = math.inf) -> Lines:
    """Return lines as dense as the voxels, over whole slices or the circle of ``field`` mm, whichever is less.

    Parameters
    ----------
    grid : Grid
    n_views : int
        Over half a circle.
    field : float
        Diameter of the transaxial field of view in mm.

    Examples
    --------
    >>> from fakeimaging.core.spaces import centred_grid
    >>> parallel_lines(centred_grid((30, 40, 7), 2.0), 24).shape
    (24, 50, 7)
    """
    size = grid.voxel_size[:2]
    width = float(size.min())
    across = min(float(np.hypot(*(size * grid.shape[:2]))), field)
    n_bins = max(1, math.ceil(across / width - 1e-6))
    table = [_view(math.pi * v / n_views, grid, n_bins, width) for v in range(n_views)]
    return Lines(grid, frozen(np.array(table)), n_bins, width)


def _view(angle: float, grid: Grid, n_bins: int, width: float) -> list[float]:
    """Return a row: axis of the steps, place at bin 0 and row 0, its change with bin and row, length of a step."""
    (nx, ny), (dx, dy) = grid.shape[:2], grid.voxel_size[:2].tolist()
    middle_x, middle_y, c, s = (nx - 1) / 2, (ny - 1) / 2, math.cos(angle), math.sin(angle)
    r = -(n_bins - 1) / 2 * width
    if abs(s / dx) > abs(c / dy):
        return [1.0, middle_y + (r + middle_x * dx * c) / (s * dy), width / (s * dy), -c * dx / (s * dy), dx / abs(s)]
    return [0.0, middle_x + (r + middle_y * dy * s) / (c * dx), width / (c * dx), -s * dy / (c * dx), dy / abs(c)]


def project(image: npt.NDArray, lines: Lines) -> Volume:
    """Return the integrals of an image along lines.

    Parameters
    ----------
    image : ndarray, shape lines.grid.shape

    Returns
    -------
    ndarray, shape lines.shape, float32
        Unit of the image times mm.
    """
    return from_bins(forward(to_slabs(image), lines), lines.shape)


def back_project(sinogram: npt.NDArray, lines: Lines) -> Volume:
    """Return the sum in each voxel of the bins whose lines pass it, by length: the adjoint of `project`.

    Parameters
    ----------
    sinogram : ndarray, shape lines.shape
    """
    return from_slabs(backward(to_bins(sinogram), lines), lines.grid.shape)


def forward(slabs: Slabs, lines: Lines) -> Slabs:
    """Return `project` of slabs as slabs."""
    bins = np.zeros((len(slabs), lines.n_views * lines.n_bins * WIDE), dtype=np.float32)
    kernel().forward(slabs, lines.table, lines.plane, lines.n_bins, 0, 1, NOTHING, bins)
    return bins


def backward(bins: Slabs, lines: Lines, *, first: int = 0, step: int = 1) -> Slabs:
    """Return `back_project` of every ``step``-th view from ``first`` on, slabs of slabs."""
    slabs = empty(lines)
    kernel().backward(bins, lines.table, lines.plane, lines.n_bins, first, step, slabs)
    return slabs


def empty(lines: Lines) -> Slabs:
    """Return slabs of zeros for an image."""
    nx, ny = lines.plane
    return np.zeros((lines.n_slabs, (nx + 2) * (ny + 2) * WIDE), dtype=np.float32)
