"""Images and sinograms as compiled kernels want them: slabs of sixteen slices side by side; and their blur."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import kernels
from fakeimaging.core.arrays import frozen
from fakeimaging.core.spaces import Grid
from fakeimaging.modalities.pet.blur import FWHM, REACH

WIDE = 16
"""Slices of a slab, as the kernels have it."""
NOTHING = frozen(np.zeros(8, dtype=np.float32))
"""A register of zeros."""
Volume = npt.NDArray[np.float32]
Slabs = npt.NDArray[np.float32]
"""Shape (n_slabs, cells of `WIDE` slices): of an image with one empty cell around, or of a sinogram."""


def to_slabs(image: npt.NDArray) -> Slabs:
    """Return an image as slabs."""
    return _slices_side_by_side(image, margin=1)


def from_slabs(slabs: Slabs, shape: tuple[int, int, int]) -> Volume:
    """Return slabs as the image of that shape."""
    cells = slabs.reshape(len(slabs), shape[0] + 2, shape[1] + 2, WIDE)
    return _slices_last(cells[:, 1:-1, 1:-1], shape)


def to_bins(sinogram: npt.NDArray) -> Slabs:
    """Return a sinogram, shape (n_views, n_bins, n_slices), as slabs."""
    return _slices_side_by_side(sinogram, margin=0)


def from_bins(bins: Slabs, shape: tuple[int, int, int]) -> Volume:
    """Return slabs as the sinogram of that shape."""
    return _slices_last(bins.reshape(len(bins), shape[0], shape[1], WIDE), shape)


def _slices_side_by_side(array: npt.NDArray, *, margin: int) -> Slabs:
    n, m, n_slices = array.shape
    slabs = np.zeros((-(-n_slices // WIDE), n + 2 * margin, m + 2 * margin, WIDE), dtype=np.float32)
    for s, slab in enumerate(slabs):
        part = array[:, :, s * WIDE : (s + 1) * WIDE]
        slab[margin : margin + n, margin : margin + m, : part.shape[2]] = part
    return slabs.reshape(len(slabs), -1)


def _slices_last(slabs: npt.NDArray[np.float32], shape: tuple[int, int, int]) -> Volume:
    array = np.empty(shape, dtype=np.float32)
    for s, slab in enumerate(slabs):
        part = array[:, :, s * WIDE : (s + 1) * WIDE]
        part[:] = slab[:, :, : part.shape[2]]
    return array


@dataclass(frozen=True, eq=False)
class SlabBlur:
    """A Gaussian blur of slabs, beyond which there is nothing: its own adjoint.

    Parameters
    ----------
    shape : (nx, ny, nz)
        Of the image.
    taps : tuple of ndarray
        Weights along each axis, odd in number.
    """

    shape: tuple[int, int, int]
    taps: tuple[npt.NDArray[np.float32], ...]

    def of(self, slabs: Slabs, out: Slabs | None = None) -> Slabs:
        """Return slabs blurred, in ``out`` where it is given."""
        nx, ny, nz = self.shape
        x, y, z = self.taps
        result = np.zeros_like(slabs) if out is None else out
        row = np.zeros((ny + len(y) - 1) * WIDE, dtype=np.float32)
        kernel().blur_in_plane(slabs, (nx, ny), x, y, NOTHING, row, result)
        if len(z) > 1:
            column = np.zeros(len(slabs) * WIDE + len(z) - 1, dtype=np.float32)
            kernel().blur_across(result, (nx + 2) * (ny + 2), nz, z, NOTHING, column)
        return result


def slab_blur(grid: Grid, fwhm: float | tuple[float, float, float]) -> SlabBlur | None:
    """Return the blur by a Gaussian on a grid, whose FWHM is one number or three along its axes, in mm; None for 0."""
    sigma = np.broadcast_to(fwhm, 3) / FWHM / grid.voxel_size
    if not sigma.any():
        return None
    return SlabBlur(grid.shape, tuple(_taps(s) for s in sigma.tolist()))


def _taps(sigma: float) -> npt.NDArray[np.float32]:
    """Return samples of a Gaussian: unlike the taps of `blur`, none is negative, which OSEM could not bear; sigma in voxels."""
    reach = int(REACH * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-9)) ** 2)
    return frozen((weights / weights.sum()).astype(np.float32))


@lru_cache(maxsize=1)
def kernel() -> Any:
    """Return the compiled kernels."""
    return kernels.load("projector", Path(__file__).with_name("projector_kernel.py").read_text())
