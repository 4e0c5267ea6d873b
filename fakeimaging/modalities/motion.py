"""Head motion: rigid poses, framewise displacement, and fast cubic resampling of a volume.

A pose is three shifts (mm) and three rotations (rad, about x, then y, then z of the native space, centre at the isocentre, the
origin of native mm). It takes a point of the head from where it was at t = 0 to where it is. One pose holds for a whole volume:
what moves while its slices are taken, and the spins' memory of another slice, are left out.

Resampling is interpolation by cubic B-splines (Unser 1999, doi:10.1109/79.799930): samples become coefficients by a
recursive filter along each axis, which are then weighted over 4 x 4 x 4 neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import kernels
from fakeimaging.activity.physiology import SPHERE
from fakeimaging.core.citations import Reference
from fakeimaging.core.parameters import Parameters
from fakeimaging.core.spaces import Affine, Grid, pose
from fakeimaging.modalities.boxes import box_of
from fakeimaging.modalities.layers import Forward, Recipe, Stage

POLE = -0.2679491924311227
"""Pole of the cubic spline's filter: sqrt(3) - 2."""
REACH = 16
"""Samples that the start of the filter looks ahead: the rest adds less than 1e-9."""
MARGIN = 4
"""Voxels of air kept around what is not zero: beyond them a spline's ripple is below 0.3 % of the edge it comes from."""
_AXIS_FIRST = ((0, 2, 1), (1, 2, 0), (2, 1, 0))
"""Each axis first; never in memory order, so that one compiled filter serves all."""
REFERENCES = (
    Reference("Unser", 1999, "10.1109/79.799930", "spline interpolation"),
    Reference("Power et al.", 2012, "10.1016/j.neuroimage.2011.10.018", "framewise displacement"),
)


def rigid(parameters: npt.ArrayLike) -> Affine:
    """Return the pose as an affine: native mm at t = 0 to native mm now.

    Parameters
    ----------
    parameters : array_like, shape (6,)
        Shifts along x, y, z in mm, rotations about x, y, z in rad.

    Examples
    --------
    >>> rigid([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])[:3, 3]
    array([1., 0., 0.])
    """
    values = np.asarray(parameters, dtype=float)
    return pose(values[3:], np.ones(3), values[:3])


def framewise_displacement(parameters: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the sum of absolute changes from volume to volume, rotations as arcs of a 50 mm sphere, in mm; 0 for the first.

    Parameters
    ----------
    parameters : array_like, shape (n_volumes, 6)

    References
    ----------
    Power et al. (2012), doi:10.1016/j.neuroimage.2011.10.018

    Examples
    --------
    >>> framewise_displacement([[0, 0, 0, 0, 0, 0], [0.1, 0, -0.2, 0.01, 0, 0]]).round(3)
    array([0. , 0.8])
    """
    changes = np.abs(np.diff(np.asarray(parameters, dtype=float), axis=0))
    return np.concatenate([[0.0], changes @ np.array([1.0] * 3 + [SPHERE] * 3)])


def resample_volume(
    volume: npt.NDArray, source: Grid, target: Grid, target_to_source: Affine
) -> npt.NDArray[np.float32]:
    """Interpolate a volume by cubic splines at the voxel centres of another grid.

    Parameters
    ----------
    volume : ndarray, shape source.shape
        Real.
    source, target : Grid
        Its grid, and the grid wanted.
    target_to_source : ndarray, shape (4, 4)
        Millimetres of the target's space to millimetres of the source's.

    Returns
    -------
    ndarray, shape target.shape, float32
        0 outside the source's field of view.
    """
    result = np.zeros(target.shape, dtype=np.float32)
    if not volume.any():
        return result
    box = box_of(volume, MARGIN)
    coefficients = np.array(volume[box], dtype=np.float32, order="C")
    coefficients *= np.float32(6**3)
    for axes in _AXIS_FIRST:
        _kernel(spline_filter)(coefficients.transpose(axes))
    step = np.linalg.inv(source.affine) @ target_to_source @ target.affine
    step[:3, 3] -= [part.start for part in box]
    where = np.ascontiguousarray(step[:3])
    room = np.zeros(12, dtype=np.float32)
    _kernel(spline_values)(coefficients.reshape(-1), coefficients.shape, where, room, result)
    return result


@lru_cache(maxsize=4)
def _kernel(function: Callable[..., None]) -> Callable[..., None]:
    """Keep a compiled kernel: finding it again means reading this file."""
    return kernels.compiled(function)


def spline_filter(c):  # type: ignore[no-untyped-def]
    """Turn samples into cubic spline coefficients along the first of three axes, in place and up to a factor 6; mirrored at the ends."""
    n, n_rows, n_columns = c.shape
    filter_start(c)
    for i in range(1, n):
        for j in range(n_rows):
            for k in range(n_columns):
                c[i, j, k] += POLE * c[i - 1, j, k]
    for j in range(n_rows):
        for k in range(n_columns):
            c[n - 1, j, k] = POLE / (POLE * POLE - 1.0) * (c[n - 1, j, k] + POLE * c[n - 2, j, k])
    for i in range(n - 2, -1, -1):
        for j in range(n_rows):
            for k in range(n_columns):
                c[i, j, k] = POLE * (c[i + 1, j, k] - c[i, j, k])


def filter_start(c):  # type: ignore[no-untyped-def]
    """Give the first sample of each row what the filter has gathered there from the row's mirror image."""
    n, n_rows, n_columns = c.shape
    for j in range(n_rows):
        for k in range(n_columns):
            start, power = 0.0, 1.0
            for i in range(REACH):
                around = i % (2 * n - 2)
                start += power * c[min(around, 2 * n - 2 - around), j, k]
                power *= POLE
            c[0, j, k] = start


def mirrored(i, n):  # type: ignore[no-untyped-def]
    """Return the sample that stands for number ``i`` of a row of ``n``, up to two beyond its ends."""
    return abs(i) if i < n else 2 * n - 2 - i


def spline_values(c, shape, to_index, weights, result):  # type: ignore[no-untyped-def]
    """Evaluate a spline: voxel (i, j, k) of ``result`` lies at ``to_index`` (3, 4) times (i, j, k, 1) of its coefficients.

    ``c`` holds them flat, ``weights`` is room for 12 numbers: in float32, so that nothing is computed in double precision.
    """
    nx, ny, nz = shape
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            for k in range(result.shape[2]):
                x = to_index[0, 0] * i + to_index[0, 1] * j + to_index[0, 2] * k + to_index[0, 3]
                y = to_index[1, 0] * i + to_index[1, 1] * j + to_index[1, 2] * k + to_index[1, 3]
                z = to_index[2, 0] * i + to_index[2, 1] * j + to_index[2, 2] * k + to_index[2, 3]
                if x < -0.5 or y < -0.5 or z < -0.5 or x > nx - 0.5 or y > ny - 0.5 or z > nz - 0.5:
                    continue
                result[i, j, k] = spline_at(c, shape, x, y, z, weights)


def spline_at(c, shape, x, y, z, w):  # type: ignore[no-untyped-def]
    """Value of a spline at one place (x, y, z in samples)."""
    nx, ny, nz = shape
    ix, iy, iz = math.floor(x), math.floor(y), math.floor(z)
    w[0], w[1], w[2], w[3] = cubic(x - ix)
    w[4], w[5], w[6], w[7] = cubic(y - iy)
    w[8], w[9], w[10], w[11] = cubic(z - iz)
    i0, i1, i2, i3 = ix - 1, ix, ix + 1, ix + 2
    j0, j1, j2, j3 = iy - 1, iy, iy + 1, iy + 2
    k0, k1, k2, k3 = iz - 1, iz, iz + 1, iz + 2
    if ix < 1 or iy < 1 or iz < 1 or ix > nx - 3 or iy > ny - 3 or iz > nz - 3:
        i0, i1, i2, i3 = mirrored(i0, nx), mirrored(i1, nx), mirrored(i2, nx), mirrored(i3, nx)
        j0, j1, j2, j3 = mirrored(j0, ny), mirrored(j1, ny), mirrored(j2, ny), mirrored(j3, ny)
        k0, k1, k2, k3 = mirrored(k0, nz), mirrored(k1, nz), mirrored(k2, nz), mirrored(k3, nz)
    rows, columns, size = (j0 * nz, j1 * nz, j2 * nz, j3 * nz), (k0, k1, k2, k3), ny * nz
    return (
        w[0] * plane(c, i0 * size, rows, columns, w)
        + w[1] * plane(c, i1 * size, rows, columns, w)
        + w[2] * plane(c, i2 * size, rows, columns, w)
        + w[3] * plane(c, i3 * size, rows, columns, w)
    )


def plane(c, start, rows, columns, w):  # type: ignore[no-untyped-def]
    """Weighted sum over 4 x 4 coefficients of one plane."""
    return (
        w[4] * line(c, start + rows[0], columns, w)
        + w[5] * line(c, start + rows[1], columns, w)
        + w[6] * line(c, start + rows[2], columns, w)
        + w[7] * line(c, start + rows[3], columns, w)
    )


def line(c, start, columns, w):  # type: ignore[no-untyped-def]
    """Weighted sum over 4 coefficients of one row."""
    return (
        w[8] * c[start + columns[0]]
        + w[9] * c[start + columns[1]]
        + w[10] * c[start + columns[2]]
        + w[11] * c[start + columns[3]]
    )


def cubic(t):  # type: ignore[no-untyped-def]
    """Weights of the four samples around a place that is ``t`` past the second."""
    u = 1.0 - t
    return u * u * u / 6.0, 2.0 / 3.0 - t * t * (2.0 - t) / 2.0, 2.0 / 3.0 - u * u * (2.0 - u) / 2.0, t * t * t / 6.0


def _draw_motion(forward: Forward, parameters: Parameters, *, rng: np.random.Generator) -> Recipe:
    clock = forward.clean.clock
    middle = np.zeros(1) if clock is None else clock.times + clock.step / 2
    return {"parameters": forward.context["physiology"].motion(middle)}


def _move(image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray:
    parameters = recipe["parameters"][v]
    if not parameters.any():
        return image
    grid = forward.clean.grid
    return resample_volume(image, grid, grid, np.asarray(np.linalg.inv(rigid(parameters))))


MOTION = Stage("motion", "operator", _draw_motion, _move)
"""The head as it lies in the middle of each volume; the recipe's ``parameters`` (n_volumes, 6) are the true motion (see `rigid`)."""
