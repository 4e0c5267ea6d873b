"""Grids and affines: millimetres, RAS+ (x to the right, y to the front, z up)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.errors import InputError

Affine = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular grid of voxels.

    Parameters
    ----------
    shape : (nx, ny, nz)
        Number of voxels along each axis.
    affine : ndarray, shape (4, 4)
        Voxel index to millimetres, RAS+.

    Raises
    ------
    InputError
        If the affine is singular or not finite, or the shape is not three positive numbers.
    """

    shape: tuple[int, int, int]
    affine: Affine

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise InputError(f"a grid has three positive sizes, not {self.shape}", value=self.shape)
        affine = np.array(self.affine, dtype=float)
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
            raise InputError("the affine of a grid is a finite, invertible 4 x 4 matrix", value=self.affine)
        object.__setattr__(self, "shape", tuple(int(size) for size in self.shape))
        object.__setattr__(self, "affine", frozen(affine))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Grid) and (self.shape, self.affine.tobytes()) == (other.shape, other.affine.tobytes())

    def __hash__(self) -> int:
        return hash((self.shape, self.affine.tobytes()))

    @property
    def voxel_size(self) -> npt.NDArray[np.float64]:
        """Edge lengths of a voxel in mm, shape (3,)."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def n_voxels(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

    def finer(self, factor: int) -> Grid:
        """Return the grid whose every voxel of this one is split into ``factor`` parts along each axis, same field of view."""
        split = np.diag([1 / factor, 1 / factor, 1 / factor, 1.0])
        split[:3, 3] = (1 / factor - 1) / 2
        return Grid(tuple(size * factor for size in self.shape), self.affine @ split)  # type: ignore[arg-type]

    def coarser(self, factor: int) -> Grid:
        """Return the grid whose voxels are cubes of ``factor`` voxels of this one; what is left over at the end is cut off."""
        joined = np.diag([factor, factor, factor, 1.0])
        joined[:3, 3] = (factor - 1) / 2
        return Grid(tuple(size // factor for size in self.shape), self.affine @ joined)  # type: ignore[arg-type]

    def part(self, first: npt.ArrayLike, shape: tuple[int, int, int]) -> Grid:
        """Return the grid of a block of voxels that starts at voxel ``first``."""
        shift = np.eye(4)
        shift[:3, 3] = first
        return Grid(shape, self.affine @ shift)


def centred_grid(
    shape: tuple[int, int, int], voxel_size: float, centre: tuple[float, float, float] = (0, 0, 0)
) -> Grid:
    """Return an axis-aligned RAS+ grid whose middle lies at ``centre`` (mm).

    Examples
    --------
    >>> centred_grid((3, 3, 3), 2.0).affine[:3, 3]
    array([-2., -2., -2.])
    """
    affine = np.diag([voxel_size, voxel_size, voxel_size, 1.0])
    affine[:3, 3] = np.asarray(centre) - voxel_size * (np.asarray(shape) - 1) / 2
    return Grid(shape, affine)


def rotation(angles: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the 3 x 3 rotation about x, then y, then z by ``angles`` (three, in radians)."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def pose(angles: npt.ArrayLike, scale: npt.ArrayLike, shift: npt.ArrayLike) -> Affine:
    """Return the affine that scales, then rotates, then shifts.

    Parameters
    ----------
    angles : array_like, shape (3,)
        Rotations about x, y, z in radians.
    scale : array_like, shape (3,)
        Factor along each axis before the rotation.
    shift : array_like, shape (3,)
        Translation in mm.
    """
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(angles) @ np.diag(np.asarray(scale, dtype=float))
    matrix[:3, 3] = shift
    return matrix


def apply_affine(affine: Affine, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Map points of shape (..., 3) through a 4 x 4 affine."""
    points = np.asarray(points, dtype=float)
    return np.asarray(points @ affine[:3, :3].T + affine[:3, 3])
