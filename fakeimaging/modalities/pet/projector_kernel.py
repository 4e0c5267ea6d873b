# mypy: ignore-errors
"""Kernels of `projector`, compiled from this file's text: sixteen slices side by side (see `activity.simd`).

Images are slabs of `WIDE` slices: each slab is flat, rows of cells of `WIDE` slices, with one empty cell around.
Sinograms are slabs too: views of bins of `WIDE` slices. A row of ``lines`` tells a view: whether its lines step along
the first axis (else the second), where bin 0 meets row 0 (in cells of the other axis), how far that moves with each
bin and with each row, and how long a step is. Kernels take every ``step``-th view from ``first`` on. ``nothing`` is a
register of zeros.
"""

import math

import numpy as np
from numba import njit

from fakeimaging.activity.simd.vectors import load, select, store

WIDE, HALF = 16, 8
EDGE = 1e-9
TINY = 1e-30
FLAGS = {"cache": True, "nogil": True, "error_model": "numpy"}
INLINE = {"forceinline": True, "error_model": "numpy"}


@njit(**INLINE)
def met(start, slope, n_rows, n_cells):
    """First row that a line meets less than a cell outside the slab, and the one after the last."""
    if abs(slope) < EDGE:
        return 0, n_rows if -1.0 + EDGE < start < n_cells - EDGE else 0
    a, b = (-1.0 + EDGE - start) / slope, (n_cells - EDGE - start) / slope
    first = math.ceil(min(max(min(a, b), 0.0), float(n_rows)))
    last = math.ceil(min(max(max(a, b), 0.0), float(n_rows)))
    return int(first), int(last)


@njit(**INLINE)
def course(line, shape, b):
    """Where a line meets row 0, how that moves, the rows it meets, and how far apart rows and cells lie."""
    start, slope, (nx, ny) = line[1] + b * line[2], line[3], shape
    if line[0] > 0:
        first, last = met(start, slope, nx, ny)
        return start, slope, first, last, (ny + 2) * WIDE, WIDE
    first, last = met(start, slope, ny, nx)
    return start, slope, first, last, WIDE, (ny + 2) * WIDE


@njit(**INLINE)
def along(slab, line, shape, b, nothing):
    """Integrals of a slab along the line of one bin."""
    start, slope, first, last, row, cell = course(line, shape, b)
    length = np.float32(line[4])
    low, high = load(nothing, 0), load(nothing, 0)
    for m in range(first, last):
        place = start + m * slope + 1.0
        i = np.int64(place)
        far = np.float32(place - i)
        near = np.float32(1.0) - far
        o = (m + 1) * row + i * cell
        low = low + near * load(slab, o) + far * load(slab, o + cell)
        high = high + near * load(slab, o + HALF) + far * load(slab, o + cell + HALF)
    return low * length, high * length


@njit(**INLINE)
def give(low, high, line, shape, b, slab):
    """Add what one bin holds to every cell of its line: the adjoint of `along`."""
    start, slope, first, last, row, cell = course(line, shape, b)
    length = np.float32(line[4])
    low, high = low * length, high * length
    for m in range(first, last):
        place = start + m * slope + 1.0
        i = np.int64(place)
        far = np.float32(place - i)
        near = np.float32(1.0) - far
        o = (m + 1) * row + i * cell
        store(slab, o, load(slab, o) + near * low)
        store(slab, o + HALF, load(slab, o + HALF) + near * high)
        store(slab, o + cell, load(slab, o + cell) + far * low)
        store(slab, o + cell + HALF, load(slab, o + cell + HALF) + far * high)


@njit(**FLAGS)
def forward(slabs, lines, shape, n_bins, first, step, nothing, sinogram):
    """Fill views of a sinogram with line integrals."""
    for s in range(len(slabs)):
        for v in range(first, len(lines), step):
            for b in range(n_bins):
                low, high = along(slabs[s], lines[v], shape, b, nothing)
                o = (v * n_bins + b) * WIDE
                store(sinogram[s], o, low)
                store(sinogram[s], o + HALF, high)


@njit(**FLAGS)
def backward(sinogram, lines, shape, n_bins, first, step, slabs):
    """Add views of a sinogram to the cells of their lines."""
    for s in range(len(slabs)):
        for v in range(first, len(lines), step):
            for b in range(n_bins):
                o = (v * n_bins + b) * WIDE
                give(load(sinogram[s], o), load(sinogram[s], o + HALF), lines[v], shape, b, slabs[s])


@njit(**FLAGS)
def compare(slabs, lines, shape, n_bins, first, step, counts, beyond, nothing, room, result):
    """Sum in each cell, over its lines, how many times more was counted than the slabs let expect.

    ``counts`` and ``beyond`` are sinograms of the counts and of the background expected among them, both over the
    factors of their bins. A bin in which nothing is expected says nothing. ``room`` holds the views that are taken: all
    are compared before any is given back, since a processor's near memory holds one image and not two.
    """
    for s in range(len(slabs)):
        for v in range(first, len(lines), step):
            own, o = (v - first) // step * n_bins * WIDE, v * n_bins * WIDE
            for b in range(0, n_bins * WIDE, WIDE):
                low, high = along(slabs[s], lines[v], shape, b // WIDE, nothing)
                low, high = low + load(beyond[s], o + b), high + load(beyond[s], o + b + HALF)
                store(room, own + b, select(low > TINY, load(counts[s], o + b) / low, 0.0))
                store(room, own + b + HALF, select(high > TINY, load(counts[s], o + b + HALF) / high, 0.0))
        result[s, :] = np.float32(0)
        for v in range(first, len(lines), step):
            own = (v - first) // step * n_bins
            for b in range(n_bins):
                o = (own + b) * WIDE
                give(load(room, o), load(room, o + HALF), lines[v], shape, b, result[s])


@njit(**FLAGS)
def blur_in_plane(slabs, shape, taps_x, taps_y, nothing, room, result):
    """Convolve slabs along their first two axes; ``room`` holds one row between margins, all zero."""
    (nx, ny), row = shape, (shape[1] + 2) * WIDE
    reach_x, reach_y = len(taps_x) // 2, len(taps_y) // 2
    for s in range(len(slabs)):
        source, target = slabs[s], result[s]
        for i in range(nx):
            start, stop = max(-reach_x, -i), min(reach_x, nx - 1 - i) + 1
            for o in range(WIDE, (ny + 1) * WIDE, HALF):
                total = load(nothing, 0)
                for t in range(start, stop):
                    total = total + taps_x[t + reach_x] * load(source, (i + t + 1) * row + o)
                store(room, o + (reach_y - 1) * WIDE, total)
            for o in range(0, ny * WIDE, HALF):
                total = load(nothing, 0)
                for t in range(len(taps_y)):
                    total = total + taps_y[t] * load(room, o + t * WIDE)
                store(target, (i + 1) * row + WIDE + o, total)


@njit(**FLAGS)
def blur_across(slabs, n_cells, n_slices, taps, nothing, room):
    """Convolve slabs along the slices, in place; ``room`` holds them between margins, all zero."""
    reach = len(taps) // 2
    for c in range(n_cells):
        for s in range(len(slabs)):
            for z in range(min(WIDE, n_slices - s * WIDE)):
                room[reach + s * WIDE + z] = slabs[s, c * WIDE + z]
        for s in range(len(slabs)):
            for z in range(0, WIDE, HALF):
                total = load(nothing, 0)
                for t in range(len(taps)):
                    total = total + taps[t] * load(room, s * WIDE + z + t)
                store(slabs[s], c * WIDE + z, total)
