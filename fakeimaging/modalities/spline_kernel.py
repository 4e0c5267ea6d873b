"""Kernels of `spline`, compiled from this file's text: cubic B-splines on registers of coefficients (see `activity.simd`).

A place is weighed over 4 x 4 x 4 coefficients; those of a line lie side by side, eight of them fill a register, and the weights of the
last four are 0. Arrays carry `PAD` more coefficients on every side, so that no place asks for what is not there.
"""

import numpy as np
from numba import njit

from fakeimaging.activity.simd.functions import fabs
from fakeimaging.activity.simd.vectors import load, select, total

PAD = 2
CELL = 4
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
def value(c, shape, x, y, z, lag):
    """Value of a spline at one place, in samples from the first that is no padding."""
    ix, iy, iz = np.int32(np.floor(x)), np.int32(np.floor(y)), np.int32(np.floor(z))
    row, size = shape[2], shape[1] * shape[2]
    start = (ix + PAD - 1) * size + (iy + PAD - 1) * row + iz + PAD - 1
    a, b = cubic(x - np.float32(ix)), cubic(y - np.float32(iy))
    first = a[0] * plane(c, start, row, b) + a[1] * plane(c, start + size, row, b)
    second = a[2] * plane(c, start + 2 * size, row, b) + a[3] * plane(c, start + 3 * size, row, b)
    return total((first + second) * along(lag, z - np.float32(iz)))


@njit(**FLAGS)
def spline_values(c, shape, cells, to_index, lag, result):
    """Evaluate a spline: voxel (i, j, k) of ``result`` lies at ``to_index`` (3, 4) times (i, j, k, 1) of its samples.

    ``c`` holds the padded coefficients flat, ``shape`` their number along each axis; ``lag`` is -1, 0, ... 6. Where no cell is
    marked the result stays as it is.
    """
    high = (shape[0] - 2 * PAD - 0.5, shape[1] - 2 * PAD - 0.5, shape[2] - 2 * PAD - 0.5)
    lags = load(lag, 0)
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            x0 = to_index[0, 0] * i + to_index[0, 1] * j + to_index[0, 3]
            y0 = to_index[1, 0] * i + to_index[1, 1] * j + to_index[1, 3]
            z0 = to_index[2, 0] * i + to_index[2, 1] * j + to_index[2, 3]
            for k in range(result.shape[2]):
                x = np.float32(x0 + to_index[0, 2] * k)
                y = np.float32(y0 + to_index[1, 2] * k)
                z = np.float32(z0 + to_index[2, 2] * k)
                if x < -0.5 or y < -0.5 or z < -0.5 or x > high[0] or y > high[1] or z > high[2]:
                    continue
                if cells[int(x + CELL) // CELL, int(y + CELL) // CELL, int(z + CELL) // CELL]:
                    result[i, j, k] = value(c, shape, x, y, z, lags)
