"""What series of a real scan say about its noise, by their moments: no fitting by simulation, no image is made again.

Each voxel's series over its mean, less a constant and cosines below 1/128 Hz (the projection R), is taken for thermal noise, white in
time, and an autoregression:

    C = sigma_w^2 R R' + sigma_p^2 R V(rho) R',   V_st = rho^|s - t|
    s_k = sum_t r_t r_{t+k},   E s_k = the sum along the k-th diagonal of C

The projection takes low frequencies out of r, so plain autocorrelations are too small (Worsley et al. 2002); the diagonals of C hold
exactly what it does to them. Given rho the two variances follow by least squares over the lags; rho is searched on a line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.core.citations import Reference
from fakeimaging.modalities.smoothness import FWHM_OF_SD, SpatialCorrelation

Array = npt.NDArray[np.float64]

DRIFT_PERIOD = 128.0
"""s, below whose frequency is drift."""
LONGEST_LAG = 10.0
"""s, of the lags that are looked at: at least 3, at most a quarter of the run."""
CANDIDATES = np.linspace(0.0, 0.985, 198)
"""Values of rho."""
TRIMMED = (2.5, 97.5)
"""Percentiles of the variance between which voxels count: edges and vessels are not noise."""
FEWEST_PAIRS = 50
"""Pairs of voxels below which a distance is not looked at."""
REACH = 30.0
"""mm, or four voxels where that is more: distances over which spatial correlation is looked at."""
VOLUMES = 60
"""Most volumes that spatial correlation is measured on."""
REFERENCES = (
    Reference("Worsley et al.", 2002, "10.1006/nimg.2001.0933", "bias of the autocorrelation of residuals"),
    Reference("Krueger and Glover", 2001, "10.1002/mrm.1240", "thermal and physiological noise"),
    Reference("Forman et al.", 1995, "10.1002/mrm.1910330508", "smoothness from neighbouring voxels"),
)


@dataclass(frozen=True, eq=False)
class Residuals:
    """Series over their mean, and what was taken out of them.

    Parameters
    ----------
    series : ndarray, shape (n_voxels, n_volumes)
        Less the constant and drift.
    drift : ndarray, shape (n_voxels,)
        Power of the drift, mean square.
    basis : ndarray, shape (n_volumes, 1 + n_cosines)
        Orthonormal columns: the constant and the cosines.
    """

    series: Array
    drift: Array
    basis: Array


def residuals(relative: Array, tr: float) -> Residuals:
    """Take constant and drift out of series over their mean, shape (n_voxels, n_volumes)."""
    n = relative.shape[1]
    n_cosines = min(max(1, int(2 * n * tr / DRIFT_PERIOD)), n // 3)
    phase = np.pi * np.outer(np.arange(n) + 0.5, np.arange(n_cosines + 1)) / n
    basis = np.cos(phase) * np.sqrt(np.where(np.arange(n_cosines + 1) == 0, 1, 2) / n)
    weights = relative @ basis
    return Residuals(relative - weights @ basis.T, (weights[:, 1:] ** 2).sum(axis=1) / n, basis)


def usual(left: Residuals) -> npt.NDArray[np.bool_]:
    """Return the voxels whose variance is neither extremely small nor large."""
    power = (left.series**2).sum(axis=1)
    low, high = np.percentile(power, TRIMMED)
    return np.asarray((power >= low) & (power <= high) & (power > 0))


def lag_sums(series: Array, n_lags: int) -> Array:
    """Return the mean over voxels of sum_t r_t r_{t+k} for k = 0 to ``n_lags``."""
    n = series.shape[1]
    return np.array([np.einsum("vt,vt->", series[:, : n - k], series[:, k:]) / len(series) for k in range(n_lags + 1)])


def expected_sums(basis: Array, rho: Array, n_lags: int) -> tuple[Array, Array]:
    """Return what lag sums are for an autoregression of unit variance once the basis is taken out, and its power in the basis.

    Parameters
    ----------
    basis : ndarray, shape (n_volumes, q)
        Orthonormal columns, the constant first.
    rho : ndarray, shape (n_rho,)
    n_lags : int

    Returns
    -------
    sums : ndarray, shape (n_rho, n_lags + 1)
    power : ndarray, shape (n_rho,)
        Mean square in the columns after the first.
    """
    n = len(basis)
    covered = _times_memory(basis, rho)
    inner = np.einsum("ti,rtj->rij", basis, covered)
    both = np.einsum("ti,rij->rtj", basis, inner)
    sums = np.empty((len(rho), n_lags + 1))
    for k in range(n_lags + 1):
        early, late = slice(0, n - k), slice(k, n)
        cross = np.einsum("tj,rtj->r", basis[early], covered[:, late])
        cross += np.einsum("tj,rtj->r", basis[late], covered[:, early])
        twice = np.einsum("rtj,tj->r", both[:, early], basis[late])
        sums[:, k] = (n - k) * rho**k - cross + twice
    return sums, np.einsum("rii->r", inner[:, 1:, 1:]) / n


def _times_memory(basis: Array, rho: Array) -> Array:
    """Return V(rho) times the basis, shape (n_rho, n_volumes, q): V is a recursion forwards plus one backwards."""
    n, q = basis.shape
    both = np.zeros((len(rho), n, q))
    for order in (range(n), range(n - 1, -1, -1)):
        state = np.zeros((len(rho), q))
        for t in order:
            state = rho[:, None] * state + basis[t]
            both[:, t] += state
    return both - basis


@dataclass(frozen=True)
class Split:
    """Noise over signal: SD of its white and of its autoregressive part, memory of the latter, SD of drift; all relative to the mean."""

    white: float
    memory: float
    rho: float
    drift: float

    @property
    def lag1(self) -> float:
        """Autocorrelation from volume to volume of both parts together."""
        power = self.white**2 + self.memory**2
        return self.rho * self.memory**2 / power if power > 0 else 0.0


def split(left: Residuals, tr: float, white: float | None = None) -> Split:
    """Split noise into a white part and an autoregression by its lag sums.

    Parameters
    ----------
    left : Residuals
    tr : float
        s.
    white : float, optional
        SD of thermal noise over signal where it is known from elsewhere; what is white beyond it then counts as autoregressive.
    """
    kept = usual(left)
    n = left.series.shape[1]
    n_lags = int(min(max(3, np.ceil(LONGEST_LAG / tr)), n // 4, 40))
    found = lag_sums(left.series[kept], n_lags)
    sums, power = expected_sums(left.basis, CANDIDATES, n_lags)
    plain = sums[0]
    if white is None:
        variances = np.array([_two_variances(found, plain, row) for row in sums])
    else:
        known = min(white**2, found[0] / plain[0])
        rest = found - known * plain
        variances = np.array([(known, max(0.0, rest @ row / (row @ row))) for row in sums])
    misfit = ((found - variances[:, :1] * plain - variances[:, 1:] * sums) ** 2).sum(axis=1)
    best = int(misfit.argmin())
    thermal, memory = variances[best]
    in_drift = memory * power[best] + thermal * power[0]
    drift = max(0.0, float(left.drift[kept].mean()) - in_drift)
    return Split(float(np.sqrt(thermal)), float(np.sqrt(memory)), float(CANDIDATES[best]), float(np.sqrt(drift)))


def _two_variances(found: Array, plain: Array, row: Array) -> tuple[float, float]:
    """Least squares for both variances, neither below 0."""
    design = np.stack([plain, row], axis=1)
    both = np.linalg.lstsq(design, found, rcond=None)[0] if not np.allclose(plain, row) else np.array([-1.0, 0.0])
    if (both >= 0).all():
        return float(both[0]), float(both[1])
    only = [max(0.0, float(found @ part / (part @ part))) for part in (plain, row)]
    left_over = [((found - size * part) ** 2).sum() for size, part in zip(only, (plain, row), strict=True)]
    return (only[0], 0.0) if left_over[0] <= left_over[1] else (0.0, only[1])


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Correlation of noise in places that lie apart.

    Parameters
    ----------
    distance, correlation : ndarray, shape (n,)
        mm, 1.
    along : tuple of three floats
        Correlation of next neighbours along each axis; 0 where an axis has no pairs.
    """

    distance: Array
    correlation: Array
    along: tuple[float, float, float]


def neighbours(series: Array, inside: npt.NDArray[np.bool_], voxel_size: tuple[float, float, float]) -> Neighbours:
    """Measure the spatial correlation of residuals in a mask, over all pairs of voxels at most `REACH` apart.

    Parameters
    ----------
    series : ndarray, shape (n_voxels, n_volumes)
        In the order of ``inside``.
    inside : ndarray of bool, shape (nx, ny, nz)
    voxel_size : (dx, dy, dz)
        mm.
    """
    from scipy import fft

    unit = (series / np.linalg.norm(series, axis=1, keepdims=True) * np.sqrt(series.shape[1])).astype(np.float32)
    chosen = np.unique(np.linspace(0, series.shape[1] - 1, VOLUMES).astype(int))
    reach = max(REACH, 4 * max(voxel_size))
    lags = [min(int(reach / d), n - 1) for d, n in zip(voxel_size, inside.shape, strict=True)]
    size = [fft.next_fast_len(n + lag, real=True) for n, lag in zip(inside.shape, lags, strict=True)]
    power = sum(np.abs(_spectrum(unit[:, t], inside, size)) ** 2 for t in chosen) / len(chosen)
    products = fft.irfftn(power, size)
    pairs = np.rint(fft.irfftn(np.abs(_spectrum(np.ones(len(unit), dtype=np.float32), inside, size)) ** 2, size))
    grids = np.meshgrid(*[np.arange(-lag, lag + 1) for lag in lags], indexing="ij")
    offsets = np.stack([grid.ravel() for grid in grids], axis=1)
    distance = np.linalg.norm(offsets * np.array(voxel_size), axis=1)
    correlation, n_pairs = products[tuple(offsets.T)], pairs[tuple(offsets.T)]
    far = (distance > 0) & (distance <= reach) & (n_pairs >= FEWEST_PAIRS)
    along = [float(products[tuple(step)] / max(pairs[tuple(step)], 1)) for step in np.eye(3, dtype=int)]
    return Neighbours(distance[far], correlation[far] / n_pairs[far], (along[0], along[1], along[2]))


def _spectrum(values: npt.NDArray[np.float32], inside: npt.NDArray[np.bool_], size: list[int]) -> npt.NDArray:
    from scipy import fft

    volume = np.zeros(inside.shape, dtype=np.float32)
    volume[inside] = values
    return np.asarray(fft.rfftn(volume, size))


def gaussian_fwhm(correlation: float, distance: float) -> float:
    """Return the width in mm of the Gaussian kernel after which white noise has this correlation at this distance (Forman et al. 1995).

    Examples
    --------
    >>> round(gaussian_fwhm(float(SpatialCorrelation.gaussian(8.0).at(3.0)), 3.0), 6)
    8.0
    """
    if not 0 < correlation < 1:
        return 0.0
    return float(distance * FWHM_OF_SD / np.sqrt(-4 * np.log(correlation)))


def fit_correlation(near: Neighbours, share: float) -> SpatialCorrelation:
    """Fit ``share`` times AFNI's mixture by least squares: the share a follows from b and c, which are searched on two grids.

    Parameters
    ----------
    near : Neighbours
    share : float
        Of the variance that is correlated in space; the rest is white.
    """
    if len(near.distance) == 0 or share <= 0:
        return SpatialCorrelation.gaussian(0.1)
    r, y = near.distance, near.correlation / share
    low, high = 0.25 * float(r.min()), 2 * float(r.max())
    b, c = np.geomspace(low, high, 48), np.geomspace(low, high, 48)
    for _ in range(3):
        best = _best_mixture(r, y, b, c)
        around = np.exp(np.linspace(-1.5, 1.5, 25) * np.log(b[1] / b[0]))
        b, c = best[1] * around, best[2] * around
    return SpatialCorrelation.parse(dict(zip("abc", best, strict=True)))


def _best_mixture(r: Array, y: Array, b: Array, c: Array) -> tuple[float, float, float]:
    bell, tail = np.exp(-0.5 * (r / b[:, None]) ** 2), np.exp(-r / c[:, None])
    difference = bell[:, None] - tail[None]
    top = ((y - tail)[None] * difference).sum(axis=-1)
    bottom = (difference**2).sum(axis=-1)
    a = np.clip(np.divide(top, bottom, out=np.ones_like(top), where=bottom > 0), 0, 1)
    misfit = ((y - tail - a[..., None] * difference) ** 2).sum(axis=-1)
    i, j = np.unravel_index(misfit.argmin(), misfit.shape)
    return float(a[i, j]), float(b[i]), float(c[j])
