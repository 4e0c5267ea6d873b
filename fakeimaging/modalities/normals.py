"""Standard normals for whole volumes, fast: the vectors' generator (`activity.simd.random`), seeded from a named stream."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import kernels

LANES = 8
"""Generators side by side, of four words each."""
SOURCE = '''"""Fills an array with standard normals, two registers at a time."""

from numba import njit

from fakeimaging.activity.simd.random import normal_pair
from fakeimaging.activity.simd.vectors import lanes, store


@njit(cache=True, nogil=True, error_model="numpy")
def fill(out, words):
    n = lanes(out)
    for i in range(0, out.size, 2 * n):
        first, second = normal_pair(words, 0, n)
        store(out, i, first)
        store(out, i + n, second)
'''


def normals(shape: tuple[int, ...], *, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return independent standard normals, at most 5.9 in size.

    Parameters
    ----------
    shape : tuple of int
    rng : numpy.random.Generator
        Draws the 32 words that seed the generator: xoshiro128++ and the method of Box and Muller.

    Returns
    -------
    ndarray, shape ``shape``, float32
    """
    n = prod(shape)
    out = np.empty(-(-n // (2 * LANES)) * 2 * LANES, dtype=np.float32)
    words = rng.integers(1, 2**32, size=4 * LANES, dtype=np.uint32)
    _kernel().fill(out, words)
    return out[:n].reshape(shape)


@lru_cache(maxsize=1)
def _kernel() -> Any:
    return kernels.load("normals", SOURCE)
