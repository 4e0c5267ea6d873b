"""Random fields with a stated spatial correlation, drawn exactly: Gaussian, or with the heavy tail of real images.

    ACF(r) = a exp(-r^2 / (2 b^2)) + (1 - a) exp(-r / c)          (AFNI's ``-acf a b c``, Cox et al. 2017)

Circulant embedding: the correlations of a grid that is wrapped into a torus are a circulant matrix, whose eigenvalues are their
Fourier transform. White noise times the roots of those, transformed back, has these correlations exactly; real and imaginary
part are two fields. The torus is longer than the grid by the distance at which the ACF falls to `TAIL`, so that no two ends of
the grid touch by more. What the bend of the wrap makes negative is set to zero (`Field.clipped` says how much) and the rest
rescaled, so that the variance is 1 everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.citations import Reference
from fakeimaging.core.errors import InputError
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.core.streams import Streams

FWHM_OF_SD = math.sqrt(8 * math.log(2))
"""Full width at half maximum of a Gaussian with SD 1."""
TAIL = 1e-3
"""Correlation below which two places count as far apart."""
BLOCK = 32
"""Fields made at a time by `null_maps`."""
REFERENCES = (
    Reference("Cox et al.", 2017, "10.1089/brain.2016.0475", "spatial autocorrelation of fMRI noise has a heavy tail"),
    Reference("Eklund et al.", 2016, "10.1073/pnas.1602413113", "cluster inference on null data"),
    Reference("Dietrich and Newsam", 1997, "10.1137/S1064827592240555", "circulant embedding"),
)


class SpatialCorrelation(Parameters):
    """Correlation of two places r mm apart: a Gaussian, an exponential, or a mixture of both.

    The defaults lie among what AFNI reports for smoothed fMRI: a 0.4 to 0.5, b 3.5 to 6.3 mm, c 9 to 16 mm in published scripts.

    Examples
    --------
    >>> heavy = SpatialCorrelation()
    >>> heavy.at([0.0, 6.0, 24.0]).round(3)
    array([1.   , 0.547, 0.068])
    >>> round(heavy.fwhm, 1), round(float(SpatialCorrelation.gaussian(8.0).at(24.0)), 6)
    (13.1, 4e-06)
    """

    a: float = parameter(0.5, unit="1", bounds=(0, 1), symbol="a", description="share of the Gaussian part")
    b: float = parameter(5.0, unit="mm", bounds=(0.01, 500), symbol="b", description="SD of the Gaussian part")
    c: float = parameter(12.0, unit="mm", bounds=(0.01, 500), symbol="c", description="length of the exponential part")

    @classmethod
    def gaussian(cls, kernel_fwhm: float) -> SpatialCorrelation:
        """Return the correlation of white noise after a Gaussian kernel of this full width at half maximum in mm.

        The kernel's own correlation is sqrt(2) wider than the kernel: b = sqrt(2) ``kernel_fwhm`` / 2.3548.
        """
        return cls.parse({"a": 1.0, "b": math.sqrt(2) * kernel_fwhm / FWHM_OF_SD})

    def at(self, r: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the correlation at distances ``r`` in mm."""
        r = np.asarray(r, dtype=float)
        return self.a * np.exp(-0.5 * (r / self.b) ** 2) + (1 - self.a) * np.exp(-r / self.c)

    def radius(self, level: float = 0.5) -> float:
        """Return the distance in mm at which the correlation has fallen to ``level``.

        In closed form for either part alone; the mixture falls steadily between the two, where bisection finds it to the last bit.
        """
        between = (self.b * math.sqrt(-2 * math.log(level)), -self.c * math.log(level))
        if self.a in (0.0, 1.0):
            return between[0] if self.a == 1 else between[1]
        low, high = min(between), max(between)
        for _ in range(100):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if float(self.at(middle)) > level else (low, middle)
        return 0.5 * (low + high)

    @property
    def fwhm(self) -> float:
        """Full width at half maximum of the correlation in mm, twice the radius at 0.5 as AFNI reports it."""
        return 2 * self.radius(0.5)

    @property
    def kernel_fwhm(self) -> float:
        """Full width in mm of the Gaussian kernel after which white noise has a correlation of the same `fwhm`."""
        return self.fwhm / math.sqrt(2)


@dataclass(frozen=True, eq=False)
class Field:
    """What makes fields of unit variance on one grid.

    Parameters
    ----------
    shape : (nx, ny, nz)
        Of the grid.
    roots : ndarray, shape of the torus, float32
        Square roots of the eigenvalues, over the root of the number of points.
    clipped : float
        Power that was negative and left out, relative to all of it.
    """

    shape: tuple[int, int, int]
    roots: npt.NDArray[np.float32]
    clipped: float

    def pair(self, rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """Draw two independent fields, shape (2, nx, ny, nz)."""
        from scipy import fft

        white = rng.standard_normal((*self.roots.shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
        white *= self.roots
        nx, ny, nz = self.shape
        part = fft.fftn(white, overwrite_x=True)[:nx, :ny, :nz]
        return np.stack([part.real, part.imag])

    def draw(self, n: int, *, streams: Streams, first: int = 0) -> npt.NDArray[np.float32]:
        """Draw fields ``first`` to ``first + n - 1`` of a stream, shape (n, nx, ny, nz); a field has its bits whatever else is drawn."""
        fields = np.empty((n, *self.shape), dtype=np.float32)
        for k in range(first // 2, (first + n + 1) // 2):
            pair = self.pair(streams.at(f"pair-{k}").rng())
            for i in (2 * k - first, 2 * k + 1 - first):
                if 0 <= i < n:
                    fields[i] = pair[(i + first) % 2]
        return fields


@lru_cache(maxsize=4)
def embed(
    shape: tuple[int, int, int], voxel_size: tuple[float, float, float], correlation: SpatialCorrelation
) -> Field:
    """Prepare fields on a grid.

    Parameters
    ----------
    shape : (nx, ny, nz)
    voxel_size : (dx, dy, dz)
        Edges of a voxel in mm.
    correlation : SpatialCorrelation

    Examples
    --------
    >>> field = embed((12, 12, 12), (3.0, 3.0, 3.0), SpatialCorrelation())
    >>> field.draw(2, streams=Streams(1)).shape, field.clipped < 1e-3
    ((2, 12, 12, 12), True)
    """
    from scipy import fft

    reach = correlation.radius(TAIL)
    lengths = [n + math.ceil(reach / d) for n, d in zip(shape, voxel_size, strict=True)]
    torus = tuple(fft.next_fast_len(n) for n in lengths)
    squares = [(d * np.minimum(np.arange(n), n - np.arange(n))) ** 2 for n, d in zip(torus, voxel_size, strict=True)]
    distance = np.sqrt(squares[0][:, None, None] + squares[1][:, None] + squares[2])
    eigenvalues = fft.fftn(correlation.at(distance)).real
    kept = np.maximum(eigenvalues, 0.0)
    clipped = 1 - eigenvalues.sum() / kept.sum()
    roots = np.sqrt(kept / kept.sum()).astype(np.float32)
    return Field(shape, frozen(roots), float(clipped))


def null_maps(
    n: int,
    *,
    shape: tuple[int, int, int] = (24, 28, 20),
    voxel_size: float | tuple[float, float, float] = 4.0,
    correlation: SpatialCorrelation | None = None,
    mask: npt.NDArray[np.bool_] | None = None,
    seed: int,
    block: int = BLOCK,
) -> Iterator[npt.NDArray[np.float32]]:
    """Make contrast maps with nothing in them: unit variance, the spatial correlation asked for, one map a subject.

    Parameters
    ----------
    n : int
        How many in all, such as groups times subjects.
    shape : (nx, ny, nz)
    voxel_size : float or (dx, dy, dz)
        In mm.
    correlation : SpatialCorrelation, optional
        Heavy-tailed by default; ``SpatialCorrelation.gaussian(8.0)`` is what cluster inference by random field theory assumes.
    mask : ndarray of bool, shape (nx, ny, nz), optional
        Other voxels are 0.
    seed : int
    block : int
        Maps held in memory at a time; map i has the same bits for any block.

    Yields
    ------
    ndarray, shape (block, nx, ny, nz), float32
        The last one may be shorter.

    Raises
    ------
    InputError
        If a number is not positive or the mask has another shape.

    Examples
    --------
    >>> [maps.shape for maps in null_maps(40, shape=(8, 8, 8), seed=1)]
    [(32, 8, 8, 8), (8, 8, 8, 8)]
    """
    sizes = (voxel_size,) * 3 if isinstance(voxel_size, int | float) else tuple(voxel_size)
    if n < 1 or block < 1 or len(shape) != 3 or len(sizes) != 3 or min(*shape, *sizes) <= 0:
        raise InputError("`null_maps`: `n`, `block`, the three sizes of `shape` and `voxel_size` are positive", value=n)
    if mask is not None and np.shape(mask) != tuple(shape):
        raise InputError(
            f"`mask`: its shape is {np.shape(mask)}, that of the maps {tuple(shape)}", value=np.shape(mask)
        )
    field = embed(tuple(shape), tuple(float(d) for d in sizes), correlation or SpatialCorrelation())
    return _blocks(n, field, mask, Streams(seed).at("null"), block)


def _blocks(
    n: int, field: Field, mask: npt.NDArray[np.bool_] | None, streams: Streams, block: int
) -> Iterator[npt.NDArray[np.float32]]:
    for first in range(0, n, block):
        maps = field.draw(min(block, n - first), streams=streams, first=first)
        yield maps if mask is None else maps * mask
