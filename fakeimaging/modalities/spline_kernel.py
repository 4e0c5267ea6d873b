"""Kernels of `spline`, compiled from this file's text: cubic B-splines on registers of coefficients (see `activity.simd`).

A place is weighed over 4 x 4 x 4 coefficients; those of a line lie side by side, eight of them fill a register, and the last four do not
count. Arrays carry `PAD` more coefficients on every side, so that no place asks for what is not there.
"""

import numpy as np
from numba import njit

from fakeimaging.activity.simd.functions import fabs
from fakeimaging.activity.simd.vectors import load, select, total_of_four

PAD = 2
CELL, SHIFT = 4, 2
TOGETHER = 8
POLE = -0.2679491924311227
FLAGS = {"cache": True, "nogil": True, "error_model": "numpy"}
INLINE = {"forceinline": True, "error_model": "numpy"}


@njit(**FLAGS)
def filter_middle(c, pad, reach, room):
    """Turn samples into coefficients along the second of three axes, in place and up to a factor 6; mirrored at the ends.

    ``pad`` samples at either end of the axis do not count; ``room`` holds one row of the third axis.
    """
    m, last, n_row = c.shape[0], c.shape[1] - pad - 1, c.shape[2]
    n, pole = last + 1 - pad, np.float32(POLE)
    end = np.float32(POLE / (POLE * POLE - 1.0))
    for a in range(m):
        room[:] = 0
        for i in range(reach):
            around, power = i % (2 * n - 2), np.float32(POLE**i)
            from_start = pad + min(around, 2 * n - 2 - around)
            for k in range(n_row):
                room[k] += power * c[a, from_start, k]
        for k in range(n_row):
            c[a, pad, k] = room[k]
        for i in range(pad + 1, last + 1):
            for k in range(n_row):
                c[a, i, k] += pole * c[a, i - 1, k]
        for k in range(n_row):
            c[a, last, k] = end * (c[a, last, k] + pole * c[a, last - 1, k])
        for i in range(last - 1, pad - 1, -1):
            for k in range(n_row):
                c[a, i, k] = pole * (c[a, i + 1, k] - c[a, i, k])


@njit(**FLAGS)
def filter_last(c, pad, reach):
    """The same along the last of two axes, `TOGETHER` rows at a time: each is a chain of steps that wait for each other."""
    rows, last = c.shape[0], c.shape[1] - pad - 1
    n, pole = last + 1 - pad, np.float32(POLE)
    end = np.float32(POLE / (POLE * POLE - 1.0))
    for first in range(0, rows, TOGETHER):
        stop = min(first + TOGETHER, rows)
        for r in range(first, stop):
            start = np.float32(0.0)
            for i in range(reach):
                around = i % (2 * n - 2)
                start += np.float32(POLE**i) * c[r, pad + min(around, 2 * n - 2 - around)]
            c[r, pad] = start
        for i in range(pad + 1, last + 1):
            for r in range(first, stop):
                c[r, i] += pole * c[r, i - 1]
        for r in range(first, stop):
            c[r, last] = end * (c[r, last] + pole * c[r, last - 1])
        for i in range(last - 1, pad - 1, -1):
            for r in range(first, stop):
                c[r, i] = pole * (c[r, i + 1] - c[r, i])


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
    """Weights of `cubic`, six times, in the first four lanes, whose lags from the second sample are -1, 0, 1, 2."""
    away = fabs(lag - t)
    wide, near = 2.0 - away, 1.0 - away
    near = select(near > 0.0, near, 0.0)
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
    return total_of_four((low + high) * along(lag, z))


@njit(**INLINE)
def between(x, n):
    """Sample before a place, counted as in `value`, and how far past it the place lies; the outer samples hold beyond themselves."""
    inside = min(max(x - np.float32(CELL), np.float32(0.0)), np.float32(n - 1))
    i = min(np.int64(inside), max(n - 2, 0))
    return i, inside - np.float32(i)


@njit(**INLINE)
def linear(a, x, y, z):
    """Value of an array at a place, linear between samples."""
    i, x = between(x, a.shape[0])
    j, y = between(y, a.shape[1])
    k, z = between(z, a.shape[2])
    i1, j1, k1 = min(i + 1, a.shape[0] - 1), min(j + 1, a.shape[1] - 1), min(k + 1, a.shape[2] - 1)
    near = a[i, j, k] + z * (a[i, j, k1] - a[i, j, k])
    far = a[i1, j, k] + z * (a[i1, j, k1] - a[i1, j, k])
    near += y * (a[i, j1, k] + z * (a[i, j1, k1] - a[i, j1, k]) - near)
    far += y * (a[i1, j1, k] + z * (a[i1, j1, k1] - a[i1, j1, k]) - far)
    return near + x * (far - near)


@njit(**FLAGS)
def spline_values(c, shape, cells, to_index, lag, shift, stretch, axis, result):
    """Evaluate a spline: voxel (i, j, k) of ``result`` lies at ``to_index`` (3, 4) times (i, j, k, 1) of its samples.

    Where ``shift`` is not empty, it says by how many samples along ``axis`` (0 or 1) the value of each place lies further, and
    ``stretch`` what to multiply it by; both have the shape of the samples.

    ``c`` holds the padded coefficients flat, ``shape`` their number along each axis; ``lag`` is -1, 0, ... 6. Where no cell is
    marked the result stays as it is. Places are counted from `CELL` samples before the first, so that all are above 0.
    """
    low = np.float32(CELL - 0.5)
    top_x = np.float32(shape[0] - 2 * PAD + CELL - 0.5)
    top_y = np.float32(shape[1] - 2 * PAD + CELL - 0.5)
    top_z = np.float32(shape[2] - 2 * PAD + CELL - 0.5)
    step_x, step_y, step_z = np.float32(to_index[0, 2]), np.float32(to_index[1, 2]), np.float32(to_index[2, 2])
    lags, shifted = load(lag, 0), len(shift) > 0
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            x0 = np.float32(to_index[0, 0] * i + to_index[0, 1] * j + to_index[0, 3] + CELL)
            y0 = np.float32(to_index[1, 0] * i + to_index[1, 1] * j + to_index[1, 3] + CELL)
            z0 = np.float32(to_index[2, 0] * i + to_index[2, 1] * j + to_index[2, 3] + CELL)
            for k in range(result.shape[2]):
                along_k = np.float32(k)
                x, y, z = x0 + step_x * along_k, y0 + step_y * along_k, z0 + step_z * along_k
                u, v, w = x, y, z
                if shifted:
                    further = linear(shift, u, v, w)
                    x, y = (x + further, y) if axis == 0 else (x, y + further)
                if x < low or y < low or z < low or x > top_x or y > top_y or z > top_z:
                    continue
                ix, iy, iz = np.int64(x), np.int64(y), np.int64(z)
                if cells[ix >> SHIFT, iy >> SHIFT, iz >> SHIFT]:
                    away = x - np.float32(ix), y - np.float32(iy), z - np.float32(iz)
                    result[i, j, k] = value(c, shape, ix, iy, iz, away[0], away[1], away[2], lags)
                    if shifted:
                        result[i, j, k] *= linear(stretch, u, v, w)
