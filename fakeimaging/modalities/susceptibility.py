"""The field of the air in the head: what its cavities add to the scanner's own, in Hz.

Each cavity is one or more spheres of air in tissue. Outside a sphere of radius a, at distance r and angle theta from B0,

    dB / B0 = dchi / 3 (a / r)^3 (3 cos^2 theta - 1),

inside it 0 (after Lorentz' correction); fields of several add up. B0 lies along the z axis of native space, the scanner's, so that
the field follows the pose of the head. From the sum is taken what a scanner shims: the solid harmonics of order 0 to 2 that fit it
best over the brain. The shape of the head and neck is left out: what it adds is smooth and mostly shimmed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.citations import Reference
from fakeimaging.core.spaces import Grid, apply_affine
from fakeimaging.structure.anatomy import TINY, Anatomy
from fakeimaging.structure.template import TissueMaps

Points = npt.NDArray[np.float32]

CONTRAST = 0.36e-6 + 9.05e-6
"""Susceptibility of air minus that of water (Schenck 1996, volume, SI)."""
GAMMA = 42.577478518e6
"""Hz per T, of the proton (CODATA 2018, over 2 pi)."""
SHIM_SPACING = 6.0
"""mm, between the points of the brain that the shim is fitted at."""
REFERENCES = (Reference("Schenck", 1996, "10.1118/1.597854", "susceptibility of air and tissue"),)


class Sphere(NamedTuple):
    """A sphere of air: centre and radius in template mm."""

    x: float
    y: float
    z: float
    radius: float


def _both_sides(*spheres: Sphere) -> tuple[Sphere, ...]:
    return tuple(s._replace(x=side * s.x) for s in spheres for side in (-1, 1))


CAVITIES = _both_sides(
    Sphere(10, 18, -42, 10),  # sphenoid sinus
    Sphere(9, 32, -42, 7),  # ethmoid cells
    Sphere(8, 45, -42, 7.5),
    Sphere(9, 58, -38, 6),
    Sphere(11, 79, -16, 7),  # frontal sinus
    Sphere(30, 44, -76, 15),  # maxillary sinus
    Sphere(8, 36, -62, 9),  # nasal cavity
    Sphere(8, 52, -60, 9),
    Sphere(7, 4, -70, 9),  # pharynx
    Sphere(52, -19, -48, 6),  # middle ear
    Sphere(65, -18, -50, 5),  # ear canal
    Sphere(54, -31, -44, 8),  # mastoid cells
    Sphere(60, -41, -49, 7),
)
"""Cavities of the template's head; positions and sizes assumed, so that volumes are about those of adults and none reaches the brain."""
TINY_CAVITIES = (
    Sphere(0, 48, -70, 10),
    *_both_sides(Sphere(44, -12, -68, 7)),
)
"""Those of the tiny head (assumed): below its front, and below its sides."""


def frequency(anatomy: Anatomy, grid: Grid, field_strength: float, strength: float) -> npt.NDArray[np.float32]:
    """Return the offset from the scanner's frequency in each voxel in Hz.

    Parameters
    ----------
    anatomy : Anatomy
    grid : Grid
        Native; the field at a place does not depend on it.
    field_strength : float
        T.
    strength : float
        Factor on the susceptibility of air; 0 for no field.

    Returns
    -------
    ndarray, shape grid.shape, float32
    """
    if strength == 0:
        return np.zeros(grid.shape, dtype=np.float32)
    return frozen(np.float32(strength * CONTRAST * GAMMA * field_strength) * _shimmed(anatomy, grid))


@lru_cache(maxsize=4)
def _shimmed(anatomy: Anatomy, grid: Grid) -> npt.NDArray[np.float32]:
    """Relative field of unit contrast after shimming, on a grid."""
    indices = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    points = apply_affine(grid.affine, indices).astype(np.float32)
    return dipole_field(points, native_spheres(anatomy)) - harmonics(points) @ _shim(anatomy)


def native_spheres(anatomy: Anatomy) -> tuple[Sphere, ...]:
    """Return the cavities of a subject in native mm: their volumes follow the size of the head."""
    to_native = np.asarray(np.linalg.inv(anatomy.to_template), dtype=np.float64)
    size = float(np.cbrt(abs(np.linalg.det(to_native[:3, :3]))))
    spheres = TINY_CAVITIES if anatomy.maps.space == TINY else CAVITIES
    centres = apply_affine(to_native, [s[:3] for s in spheres]).tolist()
    return tuple(Sphere(x, y, z, size * s.radius) for (x, y, z), s in zip(centres, spheres, strict=True))


def air(anatomy: Anatomy, grid: Grid) -> npt.NDArray[np.float32]:
    """Return the share of each voxel that is air of a cavity, shape grid.shape; a cavity's edge is one voxel wide."""
    to_index = np.asarray(np.linalg.inv(grid.affine), dtype=np.float64)
    share, size = np.zeros(grid.shape, dtype=np.float32), float(grid.voxel_size.mean())
    for sphere in native_spheres(anatomy):
        middle = apply_affine(to_index, sphere[:3])
        reach = (sphere.radius + size) / grid.voxel_size
        first = np.clip(np.floor(middle - reach), 0, grid.shape).astype(int)
        after = np.clip(np.ceil(middle + reach) + 1, 0, grid.shape).astype(int)
        index = np.moveaxis(np.indices(tuple(after - first)), 0, -1) + first
        distance = np.linalg.norm(apply_affine(grid.affine, index) - sphere[:3], axis=-1)
        part = share[tuple(slice(*ends) for ends in zip(first, after, strict=True))]
        part += np.clip((sphere.radius - distance) / size + 0.5, 0, 1).astype(np.float32)
    return np.minimum(share, 1)


def dipole_field(points: Points, spheres: tuple[Sphere, ...]) -> npt.NDArray[np.float32]:
    """Return dB / B0 of spheres of unit contrast, B0 along z.

    Parameters
    ----------
    points : ndarray, shape (..., 3)
        mm.
    spheres : tuple of Sphere

    Examples
    --------
    >>> dipole_field(np.array([[0.0, 0.0, 20.0], [20.0, 0.0, 0.0]]), (Sphere(0, 0, 0, 10),)).round(4)
    array([ 0.0833, -0.0417], dtype=float32)
    """
    field = np.zeros(points.shape[:-1], dtype=np.float32)
    for sphere in spheres:
        x, y, z = (points[..., axis] - np.float32(sphere[axis]) for axis in range(3))
        z *= z
        square = x * x + y * y + z
        outside = square > sphere.radius**2
        square[~outside] = 1
        field += np.where(
            outside, np.float32(sphere.radius**3 / 3) * (3 * z - square) / (square * square * np.sqrt(square)), 0
        )
    return field


def harmonics(points: npt.NDArray) -> npt.NDArray[np.float32]:
    """Return the nine real solid harmonics of order 0 to 2, lengths in dm, shape (..., 9)."""
    x, y, z = np.moveaxis(np.asarray(points, dtype=np.float32) / 100, -1, 0)
    terms = (np.ones_like(x), x, y, z, x * y, y * z, x * z, 2 * z * z - x * x - y * y, x * x - y * y)
    return np.stack(terms, axis=-1)


@lru_cache(maxsize=4)
def _shim(anatomy: Anatomy) -> npt.NDArray[np.float32]:
    """Coefficients of the harmonics that fit the field of unit contrast best over the brain."""
    points = apply_affine(
        np.asarray(np.linalg.inv(anatomy.to_template), dtype=np.float64), _brain_points(anatomy.maps)
    ).astype(np.float32)
    field = dipole_field(points, native_spheres(anatomy))
    fitted = np.linalg.lstsq(harmonics(points).astype(float), field.astype(float), rcond=None)[0]
    return frozen(fitted.astype(np.float32))


@lru_cache(maxsize=2)
def _brain_points(maps: TissueMaps) -> npt.NDArray[np.float64]:
    """Places in the brain, template mm."""
    step = max(1, round(SHIM_SPACING / float(maps.grid.voxel_size[0])))
    every = (slice(step // 2, None, step),) * 3
    index = np.argwhere(maps.grey[every].astype(int) + maps.white[every] > 127) * step + step // 2
    return apply_affine(maps.grid.affine, index)
