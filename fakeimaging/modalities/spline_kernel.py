"""Kernels of `spline`, compiled from this file's text: cubic B-splines on registers of coefficients (see `activity.simd`).

A place is weighed over 4 x 4 x 4 coefficients; those of a line lie side by side, eight of them fill a register, and the weights of the
last four are 0. Arrays carry `PAD` more coefficients on every side, so that no place asks for what is not there.
"""

import numpy as np
from numba import njit

from fakeimaging.activity.simd.functions import fabs
from fakeimaging.activity.simd.vectors import load, select, total

PAD = 2
CELL, SHIFT = 4, 2
POLE = -0.2679491924311227
FLAGS = {"cache": True, "nogil": True, "error_model": "numpy"}
INLINE = {"forceinline": True, "error_model": "numpy"}


@njit(**FLAGS)
def spline_filter(c, reach):
    """Turn samples into coefficients along the first of three axes, in place and up to a factor 6; mirrored at the ends."""
    n, n_rows, n_columns = c.shape
    filter_start(c, reach)
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


@njit(**INLINE)
def filter_start(c, reach):
    """Give the first sample of each row what the filter has gathered there from the row's mirror image."""
    n, n_rows, n_columns = c.shape
    for j in range(n_rows):
        for k in range(n_columns):
            start, power = 0.0, 1.0
            for i in range(reach):
                around = i % (2 * n - 2)
                start += power * c[min(around, 2 * n - 2 - around), j, k]
                power *= POLE
            c[0, j, k] = start


@njit(**FLAGS)
def occupied(volume, cells):
    """Mark the cells of `CELL` voxels along each edge, and their neighbours, where a volume has anything."""
    for i in range(volume.shape[0]):
        for j in range(volume.shape[1]):
            for k in range(volume.shape[2]):
                if volume[i, j, k] != 0:
                    a, b, c = i // CELL, j // CELL, k // CELL
                    if not cells[a + 1, b + 1, c + 1] & 1:
                        mark(cells, a, b, c)


@njit(**INLINE)
def mark(cells, a, b, c):
    """Mark a cell as seen (1) and its neighbourhood as near (2); cells have a border of one."""
    cells[a + 1, b + 1, c + 1] |= 1
    for u in range(3):
        for v in range(3):
            for w in range(3):
                cells[a + u, b + v, c + w] |= 2


@njit(**INLINE)
def cubic(t):
    """Weights of the four samples around a place that is ``t`` past the second."""
    u = np.float32(1.0) - t
    sixth, two_thirds, half = np.float32(1.0 / 6.0), np.float32(2.0 / 3.0), np.float32(0.5)
    second, third = half * t * t * (np.float32(2.0) - t), half * u * u * (np.float32(2.0) - u)
    return u * u * u * sixth, two_thirds - second, two_thirds - third, t * t * t * sixth


@njit(**INLINE)
def along(lag, t):
    """Weights of `cubic`, six times, in the lanes whose lag from the second sample is -1, 0, 1, 2; 0 in the others."""
    away = fabs(lag - t)
    wide, near = 2.0 - away, 1.0 - away
    wide, near = select(wide > 0.0, wide, 0.0), select(near > 0.0, near, 0.0)
    return wide * wide * wide - 4.0 * near * near * near


@njit(**INLINE)
def plane(c, start, step, w):
    """Four lines of coefficients, weighed."""
    first = w[0] * load(c, start) + w[1] * load(c, start + step)
    return first + w[2] * load(c, start + 2 * step) + w[3] * load(c, start + 3 * step)


@njit(**INLINE)
def value(c, shape, ix, iy, iz, x, y, z, lag):
    """Value of a spline at one place: x, y, z past the sample ix, iy, iz, counted from `CELL` samples before the first."""
    row, size = shape[2], shape[1] * shape[2]
    first = PAD - CELL - 1
    start = (ix + first) * size + (iy + first) * row + iz + first
    a, b = cubic(x), cubic(y)
    low = a[0] * plane(c, start, row, b) + a[1] * plane(c, start + size, row, b)
    high = a[2] * plane(c, start + 2 * size, row, b) + a[3] * plane(c, start + 3 * size, row, b)
    return total((low + high) * along(lag, z))


@njit(**FLAGS)
def spline_values(c, shape, cells, to_index, lag, result):
    """Evaluate a spline: voxel (i, j, k) of ``result`` lies at ``to_index`` (3, 4) times (i, j, k, 1) of its samples.

    ``c`` holds the padded coefficients flat, ``shape`` their number along each axis; ``lag`` is -1, 0, ... 6. Where no cell is
    marked the result stays as it is. Places are counted from `CELL` samples before the first, so that all are above 0.
    """
    low = np.float32(CELL - 0.5)
    top_x = np.float32(shape[0] - 2 * PAD + CELL - 0.5)
    top_y = np.float32(shape[1] - 2 * PAD + CELL - 0.5)
    top_z = np.float32(shape[2] - 2 * PAD + CELL - 0.5)
    step_x, step_y, step_z = np.float32(to_index[0, 2]), np.float32(to_index[1, 2]), np.float32(to_index[2, 2])
    lags = load(lag, 0)
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            x0 = np.float32(to_index[0, 0] * i + to_index[0, 1] * j + to_index[0, 3] + CELL)
            y0 = np.float32(to_index[1, 0] * i + to_index[1, 1] * j + to_index[1, 3] + CELL)
            z0 = np.float32(to_index[2, 0] * i + to_index[2, 1] * j + to_index[2, 3] + CELL)
            for k in range(result.shape[2]):
                along_k = np.float32(k)
                x, y, z = x0 + step_x * along_k, y0 + step_y * along_k, z0 + step_z * along_k
                if x < low or y < low or z < low or x > top_x or y > top_y or z > top_z:
                    continue
                ix, iy, iz = np.int64(x), np.int64(y), np.int64(z)
                if cells[ix >> SHIFT, iy >> SHIFT, iz >> SHIFT]:
                    away = x - np.float32(ix), y - np.float32(iy), z - np.float32(iz)
                    result[i, j, k] = value(c, shape, ix, iy, iz, away[0], away[1], away[2], lags)
