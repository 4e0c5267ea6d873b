"""Spontaneous signals that are connected as asked, in plain numpy: no compilation, and their correlation is known exactly.

From a correlation matrix C: independent white series pass the response h and are mixed by the root of C. From a
connectome: the linear network of `activity.models.linear` without delays, in exact steps, passes h:

    x(t + d) = A x(t) + e,  A = exp(J d),  J = (g W - 1) / tau,  cov e = P - A P A',  J P + P J' + 2 / tau = 0
    cov y = r(0) P + sum_k r(k) (A^k P + P A'^k),  r the autocorrelation of h
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import hrf
from fakeimaging.core.errors import InputError
from fakeimaging.modalities.phantom.parameters import SeriesParameters
from fakeimaging.structure.connectome import Connectome

Array = npt.NDArray[np.float64]

STEP = 0.25
"""s, longest step between neural samples."""
TAU = 0.1
"""s, time constant of a region, as in `activity.models.linear`."""
WITHIN, BETWEEN, NETWORK_SIZE = 0.5, 0.1, 4
"""Correlation of regions of one network and of two, and how many regions a network has (assumed)."""


def network_correlation(n: int) -> Array:
    """Return the correlation of regions that form networks of `NETWORK_SIZE` in their order, shape (n, n).

    Examples
    --------
    >>> network_correlation(5)[0]
    array([1. , 0.5, 0.5, 0.5, 0.1])
    """
    network = np.arange(n) // NETWORK_SIZE
    correlation = np.where(network[:, None] == network, WITHIN, BETWEEN)
    np.fill_diagonal(correlation, 1.0)
    return correlation


def check_correlation(matrix: npt.ArrayLike, n: int) -> Array:
    """Return a correlation matrix of ``n`` series after having looked at it.

    Raises
    ------
    InputError
        If its shape is wrong, it is not symmetric with ones on the diagonal, or no data could have it.
    """
    correlation = np.array(matrix, dtype=float)
    if correlation.shape != (n, n):
        raise InputError(f"`connectivity`: its shape is {correlation.shape}, ({n}, {n}) is wanted", value=matrix)
    if not np.allclose(correlation, correlation.T, atol=1e-8) or not np.allclose(np.diag(correlation), 1, atol=1e-8):
        raise InputError(
            "`connectivity`: a correlation matrix is symmetric with ones on its diagonal; weights come as a Connectome",
            value=matrix,
        )
    least = float(np.linalg.eigvalsh(correlation).min())
    if least < -1e-8:
        raise InputError(
            f"`connectivity`: no data have these correlations (eigenvalue {least:.3g} below 0)", value=matrix
        )
    return correlation


def fluctuations(
    connectivity: npt.ArrayLike | Connectome, n: int, p: SeriesParameters, *, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return spontaneous series in percent, shape (n, n_volumes), and the correlation that they have in expectation, (n, n).

    The root mean square of their SDs is ``fluctuation_percent``; with a correlation matrix every one has that SD.
    """
    step = p.tr / math.ceil(p.tr / STEP)
    response = hrf.response(p.response, np.arange(0, hrf.LENGTH, step))
    per_volume = round(p.tr / step)
    white = rng.standard_normal((len(response) + (p.n_volumes - 1) * per_volume, n))
    if isinstance(connectivity, Connectome):
        neural, covariance = _network(connectivity, n, p.coupling, step, white, response)
        spread = np.sqrt(np.diag(covariance))
        correlation, size = covariance / np.outer(spread, spread), np.sqrt((spread**2).mean())
    else:
        correlation = check_correlation(connectivity, n)
        neural, size = white @ _root(correlation), np.linalg.norm(response)
    bold = _convolved(neural, response)[::per_volume].T
    return p.fluctuation_percent / size * bold, correlation


def _root(covariance: Array) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T)


def _network(
    connectome: Connectome, n: int, gain: float, step: float, white: Array, response: Array
) -> tuple[Array, Array]:
    """Neural series of the linear network, and the covariance of their BOLD."""
    from scipy.linalg import expm, solve_continuous_lyapunov

    if connectome.n_regions != n:
        raise InputError(
            f"`connectivity`: the connectome has {connectome.n_regions} regions, not {n}", value=connectome
        )
    rows = connectome.weights.sum(axis=1, keepdims=True)
    weights = np.divide(connectome.weights, rows, out=np.zeros((n, n)), where=rows > 0)
    flow = (gain * weights - np.eye(n)) / TAU
    covariance = solve_continuous_lyapunov(flow, -2 / TAU * np.eye(n))
    forward = expm(flow * step)
    fresh = white @ _root(covariance - forward @ covariance @ forward.T).T
    neural = np.empty_like(white)
    neural[0] = _root(covariance) @ white[0]
    for k in range(1, len(white)):
        neural[k] = forward @ neural[k - 1] + fresh[k]
    return neural, _covariance(covariance, forward, response)


def _covariance(now: Array, forward: Array, response: Array) -> Array:
    shared = np.correlate(response, response, "full")[len(response) - 1 :]
    total, later = shared[0] * now, now
    for share in shared[1:]:
        later = forward @ later
        total = total + share * (later + later.T)
    return np.asarray(total)


def _convolved(neural: Array, response: Array) -> Array:
    """Convolve each column; only samples with all of the response's past, shape (n_samples - len(response) + 1, n)."""
    size = len(neural) + len(response)
    spectrum = np.fft.rfft(neural, size, axis=0) * np.fft.rfft(response, size)[:, None]
    return np.asarray(np.fft.irfft(spectrum, size, axis=0)[len(response) - 1 : len(neural)])
