"""Second-order sections run over many channels at once: what `scipy.signal.sosfilt` computes, channels side by side in registers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import kernels

SOURCE = '''"""Passes channels through second-order sections, sixteen side by side, transposed direct form II."""

import numpy as np
from numba import njit

SIDE, LONG = 16, 64


@njit(cache=True, nogil=True, error_model="numpy")
def run(signal, sections, state, out):
    n_channels, n = signal.shape
    tile = np.zeros((LONG, SIDE))
    first, second = np.zeros((len(sections), SIDE)), np.zeros((len(sections), SIDE))
    for c in range(0, n_channels, SIDE):
        m = min(SIDE, n_channels - c)
        first[:, :m], second[:, :m] = state[:, c : c + m, 0], state[:, c : c + m, 1]
        for start in range(0, n, LONG):
            length = min(LONG, n - start)
            for j in range(m):
                for i in range(length):
                    tile[i, j] = signal[c + j, start + i]
            for k in range(len(sections)):
                b0, b1, b2, a1, a2 = sections[k, 0], sections[k, 1], sections[k, 2], sections[k, 4], sections[k, 5]
                for i in range(length):
                    for j in range(SIDE):
                        x = tile[i, j]
                        y = b0 * x + first[k, j]
                        first[k, j] = b1 * x - a1 * y + second[k, j]
                        second[k, j] = b2 * x - a2 * y
                        tile[i, j] = y
            for j in range(m):
                for i in range(length):
                    out[c + j, start + i] = tile[i, j]
        state[:, c : c + m, 0], state[:, c : c + m, 1] = first[:, :m], second[:, :m]
'''


def pass_sections(
    signal: npt.NDArray[np.float32], sections: npt.NDArray[np.float64], state: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Return a filtered signal and the state it leaves the filter in.

    Parameters
    ----------
    signal : ndarray, shape (n_channels, n), float32
    sections : ndarray, shape (n_sections, 6)
        As scipy has them, the fourth number 1.
    state : ndarray, shape (n_sections, n_channels, 2)
        As `scipy.signal.sosfilt` takes it.
    """
    after, out = np.array(state), np.empty(signal.shape, dtype=np.float32)
    _kernel().run(np.ascontiguousarray(signal, dtype=np.float32), np.ascontiguousarray(sections), after, out)
    return out, after


@lru_cache(maxsize=1)
def _kernel() -> Any:
    return kernels.load("sections", SOURCE)
