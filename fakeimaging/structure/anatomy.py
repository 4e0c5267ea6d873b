"""The tissue of one subject in its own native space, and the true transform from there to the template.

The maps stay on the template's grid; any native grid samples them through the transform. A voxel larger than the maps'
gets the mean over its volume (partial volume), not the value at its centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.core.spaces import Affine, Grid, centred_grid, pose
from fakeimaging.structure.template import TissueMaps

COARSEST_SAMPLE = 1.25
"""Largest spacing, in voxels of the map, at which it is sampled inside a larger voxel."""


class Pose(Parameters):
    """How heads differ in position, orientation and size (standard deviations over subjects)."""

    rotation_sd: float = parameter(3.0, unit="deg", bounds=(0, 20), description="head rotation about each axis")
    shift_sd: float = parameter(3.0, unit="mm", bounds=(0, 20), description="head position along each axis")
    size_sd: float = parameter(0.03, unit="1", bounds=(0, 0.1), description="size of the brain along each axis")


@dataclass(frozen=True, eq=False)
class Tissue:
    """Fractions of grey matter, white matter and cerebrospinal fluid in each voxel of a grid, float32 in 0..1."""

    grid: Grid
    grey: npt.NDArray[np.float32]
    white: npt.NDArray[np.float32]
    csf: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Tissue maps and where this subject's head lies.

    Parameters
    ----------
    maps : TissueMaps
        Tissue probabilities on the template's grid.
    to_template : ndarray, shape (4, 4)
        Native mm to template mm.
    """

    maps: TissueMaps
    to_template: Affine

    def tissue(self, grid: Grid) -> Tissue:
        """Return the tissue fractions on a native grid; those of the last grid are kept."""
        return _tissue(self, grid)


@lru_cache(maxsize=1)
def _tissue(anatomy: Anatomy, grid: Grid) -> Tissue:
    maps = anatomy.maps
    grey, white, csf = (_fractions(array, anatomy, grid) for array in (maps.grey, maps.white, maps.csf))
    return Tissue(grid, grey, white, csf)


def _fractions(array: npt.NDArray[np.uint8], anatomy: Anatomy, grid: Grid) -> npt.NDArray[np.float32]:
    factor = int(np.ceil(grid.voxel_size.max() / (COARSEST_SAMPLE * anatomy.maps.grid.voxel_size.max())))
    samples = resample(array, anatomy.maps.grid, grid.finer(factor), anatomy.to_template, order=1)
    samples /= 255
    fractions = samples if factor == 1 else blocks_of(samples, factor).mean(axis=-1, dtype=np.float32)
    return frozen(fractions)


def resample(
    array: npt.NDArray, source: Grid, target: Grid, to_source: Affine, *, order: int
) -> npt.NDArray[np.float32]:
    """Sample an image at the voxel centres of another grid.

    Parameters
    ----------
    array : ndarray, shape source.shape
        The image.
    source, target : Grid
        Its grid, and the grid wanted.
    to_source : ndarray, shape (4, 4)
        Millimetres of the target's space to millimetres of the source's.
    order : int
        0 nearest neighbour, 1 linear.

    Returns
    -------
    ndarray, shape target.shape, float32
        0 outside the image.
    """
    from scipy.ndimage import affine_transform

    step = np.linalg.inv(source.affine) @ to_source @ target.affine
    return np.asarray(
        affine_transform(
            array, step[:3, :3], step[:3, 3], target.shape, output=np.float32, order=order, prefilter=False
        )
    )


def blocks_of(array: npt.NDArray, factor: int) -> npt.NDArray:
    """Group an image into cubes: shape (nx * f, ny * f, nz * f) to (nx, ny, nz, f**3)."""
    nx, ny, nz = (size // factor for size in array.shape)
    split = array.reshape(nx, factor, ny, factor, nz, factor).transpose(0, 2, 4, 1, 3, 5)
    return split.reshape(nx, ny, nz, factor**3)


def random_pose(parameters: Pose, centre: npt.ArrayLike, *, rng: np.random.Generator) -> Affine:
    """Draw where a head lies: the affine from native mm to template mm.

    The middle of the template's brain comes to rest near the native origin (the isocentre of the scanner).

    Parameters
    ----------
    parameters : Pose
        Standard deviations.
    centre : array_like, shape (3,)
        Middle of the brain in template mm.
    rng : numpy.random.Generator
        Drawn from nine times.
    """
    angles = np.deg2rad(parameters.rotation_sd) * rng.standard_normal(3)
    shift = parameters.shift_sd * rng.standard_normal(3)
    size = np.exp(parameters.size_sd * rng.standard_normal(3))
    to_native = pose(angles, size, shift) @ pose(np.zeros(3), np.ones(3), -np.asarray(centre))
    return frozen(np.asarray(np.linalg.inv(to_native)))


def ellipsoid_maps() -> TissueMaps:
    """Return the tissue maps of the tiny anatomy: an ellipsoid of white matter in a shell of grey matter in fluid, 4 mm voxels.

    Half-axes 68, 86 and 64 mm (about those of the template's brain); the shell of grey matter takes the outer 30 % of each radius.
    """
    grid = centred_grid((40, 48, 38), 4.0)
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    points = index @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    radius = np.linalg.norm(points / np.array([68.0, 86.0, 64.0]), axis=-1)
    white, cortex, brain = (np.clip((edge - radius) / 0.05 + 0.5, 0, 1) for edge in (0.70, 0.95, 1.0))
    grey, fluid = cortex - white, brain - cortex
    as_map = [frozen(np.rint(255 * fraction).astype(np.uint8)) for fraction in (grey, white, fluid)]
    return TissueMaps("tiny", grid, *as_map)
