"""What noise is made of, as series of unit size; who calls gives each its size in every place.

autoregressive   x_t = sum_i phi_i x_{t-i} + s e_t,  stationary from its first value
drift            cosines slower than 128 s
pulse, breath    sum_k sqrt(2 s_k) cos(k phase(t) - theta_k)
magnitude        sqrt((S + n)^2 + sigma^2 chi^2_{2L-1}) - (S + n),  L coils: Rician for one, non-central chi for more
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.physiology import Physiology, PhysiologyParameters, make_physiology
from fakeimaging.core.citations import Reference
from fakeimaging.core.errors import InputError
from fakeimaging.core.streams import Streams
from fakeimaging.modalities.phantom.parameters import SeriesParameters

Array = npt.NDArray[np.float64]

DRIFT_PERIOD = 128.0
"""s, shortest period of drift: what the usual high-pass filter removes."""
HARMONICS = (0.85, 0.15)
"""Shares of the variance of pulse and breathing at their rate and at twice it (assumed; RETROICOR's order 2)."""
REFERENCES = (
    Reference("Krueger and Glover", 2001, "10.1002/mrm.1240", "physiological noise follows the signal"),
    Reference("Gudbjartsson and Patz", 1995, "10.1002/mrm.1910340618", "Rician noise of magnitude images"),
    Reference("Constantinides et al.", 1997, "10.1002/mrm.1910380524", "non-central chi noise of several coils"),
)


def autocorrelations(coefficients: tuple[float, ...], n: int) -> Array:
    """Return the autocorrelation of an autoregression at lags 0 to ``n``, by the Yule-Walker equations.

    Raises
    ------
    InputError
        If the autoregression grows without bounds.

    Examples
    --------
    >>> autocorrelations((0.5,), 3)
    array([1.   , 0.5  , 0.25 , 0.125])
    """
    phi, p = np.asarray(coefficients, dtype=float), len(coefficients)
    if p == 0 or np.abs(np.roots([1.0, *-phi])).max(initial=0) >= 1:
        raise InputError(f"`ar`: {tuple(coefficients)} is not a stationary autoregression", value=coefficients)
    equations, known = np.eye(p), phi.copy()
    for k in range(1, p + 1):
        for i in range(1, p + 1):
            if i != k:
                equations[k - 1, abs(k - i) - 1] -= phi[i - 1]
    rho = [1.0, *np.linalg.solve(equations, known)]
    while len(rho) <= n:
        rho.append(float(phi @ rho[-1 : -p - 1 : -1]))
    return np.array(rho[: n + 1])


def autoregression(coefficients: tuple[float, ...], innovations: npt.NDArray) -> npt.NDArray:
    """Turn independent standard normals into stationary autoregressive series of unit variance.

    Parameters
    ----------
    coefficients : tuple of float
        Newest first.
    innovations : ndarray, shape (n_volumes, ...)
        What lies behind the first axis may be correlated, and the result is so in the same way.

    Examples
    --------
    >>> import numpy as np
    >>> noise = autoregression((0.6,), Streams(1).rng().standard_normal((20000, 2)))
    >>> round(float(np.corrcoef(noise[:-1, 0], noise[1:, 0])[0, 1]), 2)
    0.6
    """
    p, dtype = len(coefficients), innovations.dtype
    rho = autocorrelations(coefficients, p)
    first = np.linalg.cholesky(rho[np.abs(np.subtract.outer(np.arange(p), np.arange(p)))])
    series = (np.sqrt(1 - np.dot(coefficients, rho[1:])) * innovations).astype(dtype)
    start = min(p, len(innovations))
    series[:start] = np.tensordot(first[:start, :start].astype(dtype), innovations[:start], axes=1)
    for t in range(p, len(series)):
        for i, phi in enumerate(coefficients, start=1):
            series[t] += dtype.type(phi) * series[t - i]
    return series


def drift_courses(n_volumes: int, tr: float) -> Array:
    """Return the cosines of drift, at least one, each of unit power, shape (n_volumes, n); their sum with equal shares is drift."""
    n = max(1, int(2 * n_volumes * tr / DRIFT_PERIOD))
    phase = np.pi * np.outer(np.arange(n_volumes) + 0.5, np.arange(1, n + 1)) / n_volumes
    return np.asarray(np.sqrt(2 / n) * np.cos(phase))


def harmonics(phase: Array) -> Array:
    """Return cos and sin of a phase and of twice it, each with the power of its share, shape (4, n_volumes)."""
    terms = [np.sqrt(2 * share) * turn(k * phase) for k, share in enumerate(HARMONICS, 1) for turn in (np.cos, np.sin)]
    return np.stack(terms)


def lagged(lags: npt.NDArray) -> npt.NDArray:
    """Return the weights of those four terms where each harmonic lags by ``lags`` (2, ...) rad, shape (4, ...)."""
    return np.stack([turn(lag) for lag in lags for turn in (np.cos, np.sin)])


def body(p: SeriesParameters, streams: Streams) -> Physiology:
    """Draw the heart beats and breaths of a run."""
    rates = {name: getattr(p, name) for name in PhysiologyParameters.model_fields if hasattr(p, name)}
    still = PhysiologyParameters.parse({**rates, "blink_rate": 0.0, "motion": 0.0})
    return make_physiology((p.n_volumes + 1) * p.tr, still, streams=streams)


def seen_times(p: SeriesParameters) -> Array:
    """Return when each volume is seen, in s."""
    return np.asarray((np.arange(p.n_volumes) + p.slice_time_ref) * p.tr)


def magnitude(signal: npt.NDArray, sigma: float, p: SeriesParameters, *, rng: np.random.Generator) -> npt.NDArray:
    """Return what taking the length of the complex signals of all coils adds to ``signal``, which holds the noise of one channel."""
    squares = rng.standard_gamma((p.n_channels - 1) / 2, signal.shape, dtype=signal.dtype)
    return np.asarray(np.sqrt(signal**2 + signal.dtype.type(2 * sigma**2) * squares) - signal)
