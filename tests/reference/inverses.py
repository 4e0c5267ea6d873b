"""Linear inverses of dipoles of known orientation, in plain numpy: minimum norm, dSPM, sLORETA, eLORETA.

Each returns an operator (n_sources, n_channels) for data that are white in the channels (an average reference apart), so that
|operator @ data| is the map whose peak is taken for the source. `ridge` is the power of noise over that of the brain's signal.

References: Hamalainen and Ilmoniemi 1994 (doi:10.1007/BF02512476); Dale et al. 2000 (doi:10.1016/S0896-6273(00)81138-1);
Pascual-Marqui 2002 (sLORETA) and 2007 (eLORETA, arXiv:0710.3341).
"""

from __future__ import annotations

import numpy as np


def centring(n_channels):
    """Take the mean over channels out."""
    return np.eye(n_channels) - 1 / n_channels


def minimum_norm(gain, ridge=1 / 9, noise=None):
    """G' (G G' + lambda H)^+, with lambda the ridge times the mean power of a channel; H: covariance of the noise."""
    noise = np.eye(len(gain)) if noise is None else noise
    gram = gain @ gain.T
    return gain.T @ np.linalg.pinv(gram + ridge * np.trace(gram) / np.trace(noise) * noise, rcond=1e-12, hermitian=True)


def dspm(gain, ridge=1 / 9, noise=None):
    """Minimum norm over the SD of what noise makes of it."""
    noise = np.eye(len(gain)) if noise is None else noise
    operator = minimum_norm(gain, ridge, noise)
    return operator / np.sqrt(((operator @ noise) * operator).sum(axis=1))[:, None]


def sloreta(gain, ridge=1 / 9, noise=None):
    """Minimum norm over the square root of the diagonal of its resolution."""
    operator = minimum_norm(gain, ridge, noise)
    return operator / np.sqrt((operator * gain.T).sum(axis=1))[:, None]


def eloreta(gain, ridge=1 / 9, noise=None, n_iterations=25):
    """Weighted minimum norm whose weights w_i = sqrt(g_i' (G W^-1 G' + lambda H)^+ g_i) are found by iteration."""
    noise = np.eye(len(gain)) if noise is None else noise
    weights = np.ones(gain.shape[1])
    for _ in range(n_iterations):
        gram = (gain / weights) @ gain.T
        inverse = np.linalg.pinv(gram + ridge * np.trace(gram) / np.trace(noise) * noise, rcond=1e-12, hermitian=True)
        weights = np.sqrt((gain * (inverse @ gain)).sum(axis=0))
    return (gain / weights).T @ inverse


def peaks(operator, data):
    """Return the source of the largest absolute value for each column of data, shape (n_columns,)."""
    return np.abs(operator @ data).argmax(axis=0)
