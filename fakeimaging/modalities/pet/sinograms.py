"""Counts of one frame, kept apart: trues, scatter and randoms, as expected and as drawn.

All counts of a frame, those of oblique lines too, fall into the direct planes, as after rebinning. Time of flight is
not modelled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.pet.projector import Lines, project
from fakeimaging.modalities.pet.resolution import FWHM
from fakeimaging.modalities.pet.slabs import Volume

SCATTER_FWHM = 200.0
"""mm: trues blurred so far along bins and slices have the shape of scatter (width of the kernel in dPETSTEP)."""
SINGLES_FWHM = 200.0
"""mm along the axis, from where a ring of detectors gets its single photons (assumed)."""
PARTS = ("trues", "scatter", "randoms")


@dataclass(frozen=True, eq=False)
class Expected:
    """Counts that are expected, each of shape (n_views, n_bins, n_slices), float32.

    Parameters
    ----------
    trues, scatter, randoms : ndarray
    scale : float
        Trues for each Bq/mL mm of a line that nothing attenuates.
    """

    trues: Volume
    scatter: Volume
    randoms: Volume
    scale: float

    @property
    def background(self) -> Volume:
        """Scatter and randoms."""
        return self.scatter + self.randoms


@dataclass(frozen=True, eq=False)
class Sinograms:
    """Counts of one frame, each of shape (n_views, n_bins, n_slices), int32.

    Parameters
    ----------
    trues, scatter, randoms : ndarray
    expected : Expected
        What they were drawn from.
    survival : ndarray, float32
        Share of the pairs along each line that leave the head: attenuation.
    """

    trues: npt.NDArray[np.int32]
    scatter: npt.NDArray[np.int32]
    randoms: npt.NDArray[np.int32]
    expected: Expected
    survival: Volume

    @property
    def prompts(self) -> npt.NDArray[np.int32]:
        """All coincidences."""
        return self.trues + self.scatter + self.randoms


def expected(
    image: npt.NDArray, lines: Lines, survival: Volume, *, trues: float, scatter: float, randoms: float
) -> Expected:
    """Return how the counts that are expected of a frame lie along lines.

    Parameters
    ----------
    image : ndarray, shape lines.grid.shape
        Bq/mL, behind the point spread.
    lines : Lines
    survival : ndarray, shape lines.shape
        Share of pairs that leave along each line.
    trues, scatter, randoms : float
        How many of each there are altogether; no trues where there is no activity.
    """
    pairs = project(np.maximum(image, 0), lines)
    pairs *= survival
    scale = _sized(pairs, trues)
    shape, flat = scattered(pairs, lines), accidental(image, lines)
    _sized(shape, scatter)
    _sized(flat, randoms)
    return Expected(pairs, shape, flat, scale)


def _sized(shape: Volume, total: float) -> float:
    """Scale a sinogram to so many counts, in place, and return by how much; 1 where it is empty."""
    now = float(shape.sum(dtype=np.float64))
    factor = total / now if now > 0 else 1.0
    shape *= np.float32(factor)
    return factor


def scattered(trues: Volume, lines: Lines) -> Volume:
    """Return the shape of scatter: trues blurred far along bins and slices."""
    slices = _wide(lines.grid.shape[2], SCATTER_FWHM / lines.grid.voxel_size[2])
    return np.matmul(_wide(lines.n_bins, SCATTER_FWHM / lines.bin_width), trues) @ slices


def accidental(image: npt.NDArray, lines: Lines) -> Volume:
    """Return the shape of randoms: the square of the singles of each ring, the same for all its lines."""
    activity = np.maximum(image, 0).sum(axis=(0, 1), dtype=np.float64)
    singles = activity @ _wide(len(activity), SINGLES_FWHM / lines.grid.voxel_size[2])
    return np.broadcast_to((singles**2).astype(np.float32), lines.shape).copy()


def _wide(n: int, fwhm: float) -> npt.NDArray[np.float32]:
    """Return what each of n samples in a row gets of each other; ``fwhm`` in samples."""
    apart = np.subtract.outer(np.arange(n), np.arange(n)) / (fwhm / FWHM)
    return np.exp(-0.5 * apart**2).astype(np.float32)


def drawn(expected: Expected, survival: Volume, *, rng: np.random.Generator) -> Sinograms:
    """Return Poisson counts about what is expected: trues first, then scatter, then randoms."""
    trues, scatter, randoms = (_poisson(getattr(expected, part), rng=rng) for part in PARTS)
    return Sinograms(trues, scatter, randoms, expected, survival)


def _poisson(mean: Volume, *, rng: np.random.Generator) -> npt.NDArray[np.int32]:
    counts = np.empty(mean.shape, dtype=np.int32)
    for view, expected in zip(counts, mean, strict=True):
        view[:] = rng.poisson(expected)
    return counts
