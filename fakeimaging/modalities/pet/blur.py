"""Gaussian blur on a grid by its transfer function, cut at what the grid can show.

A voxel holds the mean of what lies in it. Sampled at voxels as wide as its SD or wider, a Gaussian is no longer one; this kernel is the
transform of ``exp(-2 pi^2 s^2 f^2)`` over the band of the grid, whose sum and variance are right at any width. On an oblique grid the
same function is applied in Fourier space.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import kernels
from fakeimaging.core.spaces import Affine

FWHM = 2 * math.sqrt(2 * math.log(2))
"""Full width at half maximum of a Gaussian over its SD."""
REACH = 4.0
"""SDs after which a kernel is cut."""
LONGEST = 4096
"""Steps of the integral over the band: longer than any kernel."""

Image = npt.NDArray[np.float32]


def widths_on(affine: Affine, fwhm: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    """Return the covariance in voxels of a Gaussian whose FWHM along x, y and z is given in mm, shape (3, 3)."""
    to_index = np.linalg.inv(affine[:3, :3])
    return np.asarray(to_index @ np.diag((np.array(fwhm) / FWHM) ** 2) @ to_index.T)


def blur(image: npt.NDArray, covariance: npt.NDArray[np.float64], *, around: bool = False) -> Image:
    """Return an image convolved with a Gaussian.

    Parameters
    ----------
    image : ndarray, shape (nx, ny, nz)
    covariance : ndarray, shape (3, 3)
        In voxels (see `widths_on`).
    around : bool
        Whether the image goes on from one edge to the opposite one; else there is nothing beyond it.
    """
    source = np.ascontiguousarray(image, dtype=np.float32)
    variances = np.diag(covariance)
    if not variances.any():
        return source
    if _is_oblique(covariance):
        return _blur_oblique(source, covariance, around)
    along_x, along_y, along_z = (kernel_of(math.sqrt(variance)) for variance in variances)
    result = np.empty_like(source)
    _kernels().blur(source, along_x, along_y, along_z, around, result)
    return result


@lru_cache(maxsize=64)
def kernel_of(sigma: float) -> Image:
    """Return the kernel along one axis from its middle outwards, float32.

    It is cut at `REACH` SDs and a voxel, and the sum and the variance of the whole kernel then put right by the least change of its taps.

    Parameters
    ----------
    sigma : float
        In voxels.

    Examples
    --------
    >>> kernel_of(0.0)
    array([1.], dtype=float32)
    """
    if sigma == 0:
        return np.ones(1, dtype=np.float32)
    places = np.arange(math.ceil(REACH * sigma) + 2)
    taps = np.fft.irfft(np.exp(-2 * (math.pi * sigma * np.fft.rfftfreq(LONGEST)) ** 2))[: len(places)]
    moments = np.array([np.where(places == 0, 1.0, 2.0), 2.0 * places**2])
    taps = taps + moments.T @ np.linalg.solve(moments @ moments.T, np.array([1.0, sigma**2]) - moments @ taps)
    taps.flags.writeable = False
    return taps.astype(np.float32)


def left_over(covariance: npt.NDArray[np.float64], shape: tuple[int, int, int]) -> float:
    """Return the SD of white noise after the blur of an image that goes on around: the length of its kernel."""
    if not _is_oblique(covariance):
        return math.prod(_length(math.sqrt(v), size) for v, size in zip(np.diag(covariance), shape, strict=True))
    impulse = np.zeros(shape, dtype=np.float32)
    impulse[0, 0, 0] = 1
    return float(np.linalg.norm(_blur_oblique(impulse, covariance, True)))


def _length(sigma: float, size: int) -> float:
    taps = kernel_of(sigma).astype(float)
    places = np.arange(1 - len(taps), len(taps)) % size
    return float(np.linalg.norm(np.bincount(places, np.concatenate([taps[:0:-1], taps]), size)))


def _is_oblique(covariance: npt.NDArray[np.float64]) -> bool:
    variances = np.diag(covariance)
    return bool(np.abs(covariance - np.diag(variances)).max() > 1e-9 * variances.max())


def _blur_oblique(image: Image, covariance: npt.NDArray[np.float64], around: bool) -> Image:
    from scipy.fft import fftfreq, irfftn, next_fast_len, rfftfreq, rfftn

    reach = np.zeros(3) if around else np.ceil(5 * np.sqrt(np.diag(covariance)) + 4)
    shape = [
        size if around else next_fast_len(int(size + r), real=True) for size, r in zip(image.shape, reach, strict=True)
    ]
    f = np.meshgrid(fftfreq(shape[0]), fftfreq(shape[1]), rfftfreq(shape[2]), indexing="ij", sparse=True)
    exponent = sum(covariance[a, b] * f[a] * f[b] for a in range(3) for b in range(3))
    blurred = irfftn(rfftn(image, shape) * np.exp(-2 * math.pi**2 * exponent), shape)
    return np.ascontiguousarray(blurred[: image.shape[0], : image.shape[1], : image.shape[2]], dtype=np.float32)


@lru_cache(maxsize=1)
def _kernels() -> Any:
    return kernels.load("blur", Path(__file__).with_name("blur_kernel.py").read_text())
