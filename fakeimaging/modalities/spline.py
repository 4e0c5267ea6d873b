"""Interpolation of volumes by cubic B-splines (Unser 1999, doi:10.1109/79.799930).

Samples become coefficients by a recursive filter along each axis, which are then weighted over 4 x 4 x 4 neighbours
(`spline_kernel`). The image is mirrored at its ends. Places more than four voxels from anything that is not zero are left at 0:
a spline's ripple is below 0.3 % of the edge it comes from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import kernels
from fakeimaging.core.citations import Reference
from fakeimaging.core.spaces import Affine, Grid

REACH = 16
"""Samples that the start of the filter looks ahead: the rest adds less than 1e-9."""
PAD, CELL = 2, 4
"""Coefficients around the image, and voxels along the edge of a cell that is skipped when it is empty (as in the kernel)."""
LANES = 8
"""Coefficients that are read at once."""
REFERENCE = Reference("Unser", 1999, "10.1109/79.799930", "spline interpolation")
_AXIS_FIRST = ((0, 1, 2), (1, 0, 2), (2, 0, 1))
"""Each axis first."""


@dataclass(frozen=True, eq=False)
class Shift:
    """Where a distorted volume shows what is at each of its places.

    Parameters
    ----------
    axis : int
        0 or 1, along which it is distorted.
    voxels : ndarray, shape (nx, ny, nz), float32
        By how many voxels further along the axis the place of each voxel shows.
    stretch : ndarray, shape (nx, ny, nz), float32
        How many times fainter.
    """

    axis: int
    voxels: npt.NDArray[np.float32]
    stretch: npt.NDArray[np.float32]


_NOWHERE = np.zeros((0, 0, 0), dtype=np.float32)
_UNSHIFTED = Shift(0, _NOWHERE, _NOWHERE)


def resample_volume(
    volume: npt.NDArray, source: Grid, target: Grid, target_to_source: Affine, shift: Shift | None = None
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
    shift : Shift, optional
        Where the volume shows what is at each of its places, for a distorted one.

    Returns
    -------
    ndarray, shape target.shape, float32
        0 outside the source's field of view.
    """
    result = np.zeros(target.shape, dtype=np.float32)
    cells = _cells(volume)
    if not cells.any():
        return result
    coefficients = spline_coefficients(volume)
    to_index = np.ascontiguousarray((np.linalg.inv(source.affine) @ target_to_source @ target.affine)[:3])
    lags = np.arange(-1, LANES - 1, dtype=np.float32)
    s = _UNSHIFTED if shift is None else shift
    flat = coefficients.reshape(-1)
    _kernels().spline_values(flat, coefficients.shape, cells, to_index, lags, s.voxels, s.stretch, s.axis, result)
    return result


def _cells(volume: npt.NDArray) -> npt.NDArray[np.uint8]:
    cells = np.zeros([-(-size // CELL) + 2 for size in volume.shape], dtype=np.uint8)
    _kernels().occupied(np.ascontiguousarray(volume), cells)
    return cells


def spline_coefficients(volume: npt.NDArray) -> npt.NDArray[np.float32]:
    """Return the coefficients of a volume with `PAD` mirrored ones on every side, 36 times too large, as the kernel wants them.

    Parameters
    ----------
    volume : ndarray, shape (nx, ny, nz)

    Returns
    -------
    ndarray, shape (nx + 2 PAD, ny + 2 PAD, nz + 2 PAD), float32
        A view of the start of a flat array with room for one more register.
    """
    nx, ny, nz = (size + 2 * PAD for size in volume.shape)
    flat = np.zeros(nx * ny * nz + LANES, dtype=np.float32)
    padded = np.ndarray((nx, ny, nz), dtype=np.float32, buffer=flat)
    np.multiply(volume, np.float32(36), out=padded[PAD:-PAD, PAD:-PAD, PAD:-PAD], casting="unsafe")
    filter_middle(padded.reshape(1, nx, ny * nz), PAD)
    filter_middle(padded, PAD)
    if nz > 1 + 2 * PAD:
        _kernels().filter_last(padded.reshape(nx * ny, nz), PAD, REACH)
    else:
        padded /= 6
    for axes in _AXIS_FIRST:
        _mirror(padded.transpose(axes))
    return padded


def filter_middle(samples: npt.NDArray[np.float32], pad: int = 0) -> None:
    """Turn samples, six times too large, into spline coefficients along the second of three axes, in place.

    Parameters
    ----------
    samples : ndarray, C order
    pad : int
        Samples at either end of the axis that do not count.
    """
    if samples.shape[1] > 1 + 2 * pad:
        _kernels().filter_middle(samples, pad, REACH, np.empty(samples.shape[2], dtype=np.float32))
    else:
        samples /= 6


def _mirror(padded: npt.NDArray[np.float32]) -> None:
    """Fill the padding along the first axis with what lies as far on the other side of the image's first or last sample."""
    n = len(padded) - 2 * PAD
    for i in (*range(-PAD, 0), *range(n, n + PAD)):
        around = abs(i) % max(1, 2 * n - 2)
        padded[PAD + i] = padded[PAD + min(around, max(0, 2 * n - 2 - around))]


@lru_cache(maxsize=1)
def _kernels() -> Any:
    path = Path(__file__).with_name("spline_kernel.py")
    return kernels.load("spline", path.read_text())
