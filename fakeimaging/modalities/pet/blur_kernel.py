# mypy: ignore-errors
"""Kernels of `blur`, compiled from this file's text: symmetric kernels along the axes of a volume, innermost loops along its lines."""

import numpy as np
from numba import njit

FLAGS = {"cache": True, "nogil": True, "error_model": "numpy"}
INLINE = {"forceinline": True, "error_model": "numpy"}


@njit(**FLAGS)
def blur(image, along_x, along_y, along_z, around, result):
    """Blur a volume; kernels from their middle outwards; ``around`` says whether it goes on at the opposite edge."""
    nx, ny, nz = image.shape
    n_z = len(along_z)
    plane, between = np.empty((ny, nz), dtype=np.float32), np.empty((ny, nz), dtype=np.float32)
    line = np.zeros(nz + 2 * (n_z - 1), dtype=np.float32)
    for i in range(nx):
        gather(image.reshape(nx, ny * nz), i, along_x, around, plane.reshape(ny * nz))
        for j in range(ny):
            gather(plane, j, along_y, around, between[j])
            extend(between[j], n_z - 1, around, line)
            weigh(line, along_z, result[i, j])


@njit(**INLINE)
def gather(lines, i, taps, around, result):
    """Sum the lines around one of them, weighed."""
    n = lines.shape[0]
    for k in range(lines.shape[1]):
        result[k] = taps[0] * lines[i, k]
    for t in range(1, len(taps)):
        before, after, weight = i - t, i + t, taps[t]
        if around:
            before, after = before % n, after % n
        if before >= 0 and after < n:
            for k in range(lines.shape[1]):
                result[k] += weight * (lines[before, k] + lines[after, k])
        elif before >= 0:
            for k in range(lines.shape[1]):
                result[k] += weight * lines[before, k]
        elif after < n:
            for k in range(lines.shape[1]):
                result[k] += weight * lines[after, k]


@njit(**INLINE)
def extend(values, reach, around, line):
    """Copy a line into the middle of a longer one, whose ends stay 0 or go on around."""
    n = len(values)
    line[reach : reach + n] = values
    if around:
        for k in range(reach):
            line[k], line[reach + n + k] = values[(k - reach) % n], values[k % n]


@njit(**INLINE)
def weigh(line, taps, result):
    """Sum what lies around each place of a line, weighed; the line is longer at both ends by the reach of the kernel."""
    reach = len(taps) - 1
    for k in range(len(result)):
        result[k] = taps[0] * line[reach + k]
    for t in range(1, len(taps)):
        weight = taps[t]
        for k in range(len(result)):
            result[k] += weight * (line[reach + k - t] + line[reach + k + t])
