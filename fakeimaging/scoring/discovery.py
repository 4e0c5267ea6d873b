"""Which links a method finds in series of known networks, and which way they go (Smith et al. 2011): scores and simple methods.

A method takes series of shape (..., n_timepoints, n_nodes) and returns matrices (..., n_nodes, n_nodes): row receives, column sends.

c-sensitivity    share of the true links, whichever way, whose strength exceeds the 95th percentile of strengths where no link is
d-accuracy       share of the true links whose strength is larger the true way than the other; chance is 0.5

The paper takes the percentile after setting strengths against a null of series from different subjects. Here it is taken of the
strengths themselves, over all subjects (``pooled``) or in each (``per_subject``): these differ, so a figure needs the convention.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError

Array = npt.NDArray[np.float64]
PERCENTILE = 95.0
"""Of strengths where no link is (Smith et al. 2011, doi:10.1016/j.neuroimage.2010.08.063)."""
LOW, HIGH, ACTIVE = 10.0, 90.0, 0.75
"""Percentiles of a series that become 0 and 1, and above what of that a node counts as active (the authors' code, as others quote it)."""


@dataclass(frozen=True)
class Discovery:
    """What a method found.

    Parameters
    ----------
    pooled, per_subject : float
        c-sensitivity, its percentile taken over all subjects or in each; NaN without a link or where all nodes are linked.
    d_accuracy : float
        NaN where strengths are the same both ways.
    n_links : int
        Linked pairs.
    n_directed : int
        Those linked one way, over which d-accuracy is taken.
    """

    pooled: float
    per_subject: float
    d_accuracy: float
    n_links: int
    n_directed: int


def score_discovery(estimate: npt.ArrayLike, net: npt.ArrayLike) -> Discovery:
    """Score estimated links against true networks.

    Parameters
    ----------
    estimate : array, shape (n_subjects, n_nodes, n_nodes) or (n_nodes, n_nodes)
        Strengths, ``estimate[target, source]``. Their sign counts; the strength of a pair is the larger of its two.
    net : array, shape as estimate
        True weights; a link is where they are not 0. The diagonal is not looked at.

    Returns
    -------
    Discovery

    Raises
    ------
    InputError
        If shapes differ or a strength is not a number.

    References
    ----------
    Smith et al. (2011), https://doi.org/10.1016/j.neuroimage.2010.08.063

    Examples
    --------
    >>> net = [[0, 0, 0], [0.4, 0, 0], [0, 0.4, 0]]  # 1 to 2 to 3
    >>> score_discovery([[0, 0.1, 0.2], [0.9, 0, 0.8], [0.2, 0.7, 0]], net)  # 2 to 3 the wrong way
    Discovery(pooled=1.0, per_subject=1.0, d_accuracy=0.5, n_links=2, n_directed=2)
    """
    found, true = _checked(estimate, net)
    return Discovery(
        pooled=c_sensitivity(found, true, percentile="pooled"),
        per_subject=c_sensitivity(found, true, percentile="per_subject"),
        d_accuracy=d_accuracy(found, true),
        n_links=int(_upper(true | true.swapaxes(1, 2)).sum()),
        n_directed=int(_upper(true ^ true.swapaxes(1, 2)).sum()),
    )


def _checked(estimate: npt.ArrayLike, net: npt.ArrayLike) -> tuple[Array, npt.NDArray[np.bool_]]:
    found, true = np.asarray(estimate, dtype=float), np.asarray(net) != 0
    if found.shape != true.shape or found.ndim not in (2, 3) or found.shape[-1] != found.shape[-2]:
        raise InputError(
            f"`estimate` {found.shape} and `net` {true.shape} are not square matrices of the same subjects"
        )
    n = found.shape[-1]
    found, true = found.reshape(-1, n, n), true.reshape(-1, n, n)
    if not np.isfinite(found[:, ~np.eye(n, dtype=bool)]).all():
        raise InputError("`estimate`: not all strengths are finite")
    return found, true


def _upper(matrices: npt.NDArray) -> npt.NDArray:
    rows, columns = np.triu_indices(matrices.shape[-1], 1)
    return matrices[..., rows, columns]


def c_sensitivity(
    estimate: npt.ArrayLike, net: npt.ArrayLike, *, percentile: Literal["pooled", "per_subject"]
) -> float:
    """Return the share of true links stronger than the 95th percentile of pairs without one.

    Parameters
    ----------
    estimate, net
        As for `score_discovery`.
    percentile : {"pooled", "per_subject"}
        Over all subjects, or in each; interpolated linearly.
    """
    found, true = _checked(estimate, net)
    strength = _upper(np.maximum(found, found.swapaxes(1, 2)))
    linked = _upper(true | true.swapaxes(1, 2))
    if percentile not in ("pooled", "per_subject"):
        raise InputError(f"`percentile`: {percentile!r} is neither 'pooled' nor 'per_subject'", value=percentile)
    if percentile == "pooled":
        strength, linked = strength.reshape(1, -1), linked.reshape(1, -1)
    above = [_above(one[where], one[~where]) for one, where in zip(strength, linked, strict=True)]
    return float(np.mean(np.concatenate(above))) if sum(map(len, above)) else float("nan")


def _above(true: Array, false: Array) -> npt.NDArray[np.bool_]:
    return true > np.percentile(false, PERCENTILE) if len(false) else np.zeros(0, dtype=bool)


def d_accuracy(estimate: npt.ArrayLike, net: npt.ArrayLike) -> float:
    """Return the share of links that go one way whose strength is larger that way, whether or not they would be detected.

    A tie counts half; NaN if every strength is the same both ways.

    Parameters
    ----------
    estimate, net
        As for `score_discovery`.
    """
    found, true = _checked(estimate, net)
    one_way = true & ~true.swapaxes(1, 2) & ~np.eye(true.shape[-1], dtype=bool)
    ahead = (found - found.swapaxes(1, 2))[one_way]
    return float(np.mean(0.5 + 0.5 * np.sign(ahead))) if ahead.any() else float("nan")


def full_correlation(series: npt.ArrayLike) -> Array:
    """Return Pearson correlations of the nodes; 0 on the diagonal.

    Parameters
    ----------
    series : array, shape (..., n_timepoints, n_nodes)
    """
    covariance = _covariance(_centred(series))
    return _without_diagonal(_scaled(covariance))


def partial_correlation(series: npt.ArrayLike, *, ridge: float | Literal["ledoit-wolf"] = 0.0) -> Array:
    """Return correlations of each pair of nodes given all others; 0 on the diagonal.

    Parameters
    ----------
    series : array, shape (..., n_timepoints, n_nodes)
    ridge : float or "ledoit-wolf"
        What is added to the diagonal of the correlations before they are inverted, or the shrinkage of Ledoit and Wolf (2004,
        doi:10.1016/S0047-259X(03)00096-4).

    Raises
    ------
    InputError
        If ``ridge`` is negative.
    """
    centred = _centred(series)
    if ridge == "ledoit-wolf":
        correlation = _shrunk(centred)
    elif isinstance(ridge, str) or ridge < 0:
        raise InputError(f"`ridge`: {ridge!r} is neither 'ledoit-wolf' nor a number of at least 0", value=ridge)
    else:
        correlation = _scaled(_covariance(centred)) + ridge * np.eye(centred.shape[-1])
    return _without_diagonal(-_scaled(np.asarray(np.linalg.inv(correlation))))


def _centred(series: npt.ArrayLike) -> Array:
    whole = np.asarray(series, dtype=float)
    return np.asarray(whole - whole.mean(axis=-2, keepdims=True))


def _covariance(centred: Array) -> Array:
    return np.asarray(centred.swapaxes(-1, -2) @ centred / centred.shape[-2])


def _scaled(matrix: Array) -> Array:
    root = np.sqrt(np.diagonal(matrix, axis1=-2, axis2=-1))
    return np.asarray(matrix / (root[..., :, None] * root[..., None, :]))


def _without_diagonal(matrix: Array) -> Array:
    return np.where(np.eye(matrix.shape[-1], dtype=bool), 0.0, matrix)


def _shrunk(centred: Array) -> Array:
    from sklearn.covariance import ledoit_wolf

    flat = (centred / centred.std(axis=-2, keepdims=True)).reshape(-1, *centred.shape[-2:])
    shrunk = np.stack([ledoit_wolf(one, assume_centered=True)[0] for one in flat])
    return np.asarray(shrunk.reshape(*centred.shape[:-2], *shrunk.shape[1:]))


def patel(series: npt.ArrayLike) -> tuple[Array, Array]:
    """Return Patel's kappa, how far two nodes are active together, and tau, which of them is active without the other.

    Parameters
    ----------
    series : array, shape (..., n_timepoints, n_nodes)

    Returns
    -------
    kappa : ndarray, shape (..., n_nodes, n_nodes), -1 to 1
        Symmetric.
    tau : ndarray, shape (..., n_nodes, n_nodes), -1 to 1
        Antisymmetric; ``tau[target, source]`` is above 0 where the source is active less often than the target. NetSim's authors
        turned Patel's sign round too: there, nodes that receive add what they receive to inputs of their own.

    References
    ----------
    Patel et al. (2006), https://doi.org/10.1002/hbm.20182
    """
    whole = np.asarray(series, dtype=float)
    low, high = (np.percentile(whole, level, axis=-2, keepdims=True) for level in (LOW, HIGH))
    active = ((whole - low) > ACTIVE * (high - low)).astype(float)
    both = _covariance(active)
    often = np.diagonal(both, axis1=-2, axis2=-1)
    i, j = np.broadcast_arrays(often[..., :, None], often[..., None, :])
    expected, most, least = i * j, np.minimum(i, j), np.maximum(0, i + j - 1)
    above, below = most - expected, expected - least
    excess = both - expected
    lean = 0.5 + 0.5 * np.where(excess > 0, _ratio(excess, above), -_ratio(excess, below))
    kappa = _ratio(excess, lean * above + (1 - lean) * below)
    tau = np.where(i > j, 1 - _ratio(j, i), _ratio(i, j) - (j > 0))
    return _without_diagonal(kappa), _without_diagonal(tau)


def _ratio(above: Array, below: Array) -> Array:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def lagged_product(series: npt.ArrayLike, *, lag: int = 1) -> Array:
    """Return the correlation of each node with the others ``lag`` volumes before: ``[target, source]``.

    Parameters
    ----------
    series : array, shape (..., n_timepoints, n_nodes)
    lag : int
        At least 1.
    """
    centred = _centred(series)
    if isinstance(lag, bool) or not isinstance(lag, int) or not 1 <= lag < centred.shape[-2]:
        raise InputError(f"`lag`: {lag!r} is not a whole number from 1 to below the number of volumes", value=lag)
    unit = centred / np.linalg.norm(centred, axis=-2, keepdims=True)
    return _without_diagonal(np.asarray(unit[..., lag:, :].swapaxes(-1, -2) @ unit[..., :-lag, :]))
