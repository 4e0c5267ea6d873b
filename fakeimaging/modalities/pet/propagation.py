"""What a stretch of time does to two tissue compartments: a linear map, exact to rounding.

    d/dt (F, B) = A (F, B) + (K1 Cp, 0),   A = [[-(k2 + k3), k4], [k3, -k4]]

Where the rates hold still, with a1 <= a2 the roots of the closed form, real for all rates,

    exp(A t) = f0 I + f1 (A + a1 I),   f0 = exp(-a1 t),   f1 = (exp(-a1 t) - exp(-a2 t)) / (a2 - a1)

which has no trouble with equal roots; the input enters by Gauss-Legendre quadrature on panels short for every rate. Where the rates
move smoothly, Gauss collocation of order 16 solves the equation on each panel. Rates are plain arrays here, K1, k2, k3, k4 first.
Times are in minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet.plasma import Array

NODES = 16
"""Of a panel, for rates that hold still."""
STAGES = 8
"""Of a panel, for rates that move: the order is twice as high."""
LONGEST, LONGEST_MOVING = 12.0, 3.0
"""Panels are no longer than this over the fastest rate: quadrature and collocation are then exact to rounding."""
MOST_PANELS = 2_000_000
"""Panels of a scan beyond which its rates are refused (assumed)."""
_CHUNK = 50_000
"""Panels times tissues times nodes worked on at once."""


@dataclass(frozen=True, eq=False)
class Maps:
    """What each panel does, with (F, B) the last axis.

    Parameters
    ----------
    carry, fed : ndarray, shape (n_panels, n, 2, 2) and (n_panels, n, 2)
        (F, B) at the end is carry (F, B) at the start + fed.
    held, kept : ndarray, shape (n_panels, n, 2, 2) and (n_panels, n, 2)
        The integral of exp(-decay t) (F, B), t from the start of the panel, is held (F, B) at the start + kept.
    """

    carry: Array
    fed: Array
    held: Array
    kept: Array


def panels(edges: Array, longest: Array | float) -> Array:
    """Return ``edges`` (min, ascending) with more between them, evenly, so that no panel is longer than ``longest`` (min).

    Raises
    ------
    InputError
        If they would be too many.
    """
    wanted = np.maximum(1.0, np.ceil(np.diff(edges) / longest))
    if not wanted.sum() <= MOST_PANELS:
        raise InputError(f"rate constants are too fast to follow: {edges[-1]:g} min need {wanted.sum():.3g} steps")
    parts = wanted.astype(int)
    starts = np.repeat(np.arange(len(parts)), parts)
    share = (np.arange(len(starts)) - np.repeat(np.cumsum(parts) - parts, parts)) / parts[starts]
    return np.append(edges[starts] + share * np.diff(edges)[starts], edges[-1])


def nodes(edges: Array, n: int) -> Array:
    """Return the Gauss-Legendre points of each panel, shape (n_panels, n)."""
    return np.asarray(edges[:-1, None] + np.diff(edges)[:, None] * _gauss(n)[0])


def weights(edges: Array, n: int) -> Array:
    """Return the weights of those points in an integral, shape (n_panels, n)."""
    return np.asarray(np.diff(edges)[:, None] * _gauss(n)[1])


@lru_cache(maxsize=4)
def _gauss(n: int) -> tuple[Array, Array]:
    """Return points and weights on [0, 1]."""
    points, weights = np.polynomial.legendre.leggauss(n)
    return (points + 1) / 2, weights / 2


def fastest(rates: Array) -> Array:
    """Return the larger root a2 of each tissue, 1/min."""
    return _roots(rates)[1]


def _roots(rates: Array) -> tuple[Array, Array]:
    """Return a1 and a2; they add up to k2 + k3 + k4 and multiply to k2 k4."""
    _, k2, k3, k4 = rates
    large = (k2 + k3 + k4 + np.sqrt((k2 + k3 - k4) ** 2 + 4 * k3 * k4)) / 2
    return _divide(k2 * k4, large), large


def _divide(a: Array, b: Array) -> Array:
    """Return a / b, 0 where b is 0."""
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b))), where=b != 0)


def _modes(rates: Array, t: Array) -> tuple[Array, Array]:
    """Return f0 and f1 at ``t``."""
    slow, large = _roots(rates)
    gap, f0 = large - slow, np.exp(-slow * t)
    return f0, f0 * np.where(gap * t == 0, t, _divide(-np.expm1(-gap * t), gap))


def _summed_modes(rates: Array, t: Array, decay: float) -> tuple[Array, Array]:
    """Return the integrals of exp(-decay t) f0 and f1 from 0 to ``t``."""
    slow, large = _roots(rates)
    f1 = _modes(rates, t)[1] * np.exp(-decay * t)
    rate = slow + decay
    g0 = np.where(rate * t == 0, t, _divide(-np.expm1(-rate * t), rate))
    return g0, _divide(g0 - f1, large + decay)


def _matrix(rates: Array, f0: Array, f1: Array) -> Array:
    """Return f0 I + f1 (A + a1 I), shape (..., 2, 2)."""
    _, k2, k3, k4 = rates
    slow = _roots(rates)[0]
    rows = (f0 + f1 * (slow - k2 - k3), f1 * k4), (f1 * k3, f0 + f1 * (slow - k4))
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _from_free(rates: Array, f0: Array, f1: Array) -> Array:
    """Return what one unit in F becomes: the first column of the matrix, shape (..., 2)."""
    _, k2, k3, _ = rates
    return np.stack([f0 + f1 * (_roots(rates)[0] - k2 - k3), f1 * k3], axis=-1)


def still(rates: Array, lengths: Array, plasma: Array, decay: float) -> Maps:
    """Return what panels do while rates hold still.

    Parameters
    ----------
    rates : ndarray, shape (4, n_panels, n)
    lengths : ndarray, shape (n_panels,)
        min.
    plasma : ndarray, shape (n_panels, NODES)
        Input at the nodes.
    decay : float
        1/min.
    """
    points, share = _gauss(NODES)
    t, weighted = lengths[:, None], lengths[:, None] * share * plasma
    left, each = (t * (1 - points))[:, None], rates[..., None]
    fed = np.einsum("pq,pnqc->pnc", weighted, _from_free(each, *_modes(each, left)))
    fading = weighted * np.exp(-decay * t * points)
    kept = np.einsum("pq,pnqc->pnc", fading, _from_free(each, *_summed_modes(each, left, decay)))
    carry, held = _matrix(rates, *_modes(rates, t)), _matrix(rates, *_summed_modes(rates, t, decay))
    K1 = rates[0][..., None]
    return Maps(carry, K1 * fed, held, K1 * kept)


@lru_cache(maxsize=1)
def _tableau() -> Array:
    """Return the integrals from 0 to each collocation point of the polynomials that are 1 at one point and 0 at the others."""
    legendre = np.polynomial.legendre
    points, _ = _gauss(STAGES)
    values = legendre.legvander(2 * points - 1, STAGES)
    sums = [2 * points, *((values[:, n + 1] - values[:, n - 1]) / (2 * n + 1) for n in range(1, STAGES))]
    return np.asarray(np.linalg.solve(values[:, :STAGES].T, np.stack(sums)).T / 2)


def moving(rates: Array, lengths: Array, plasma: Array, decay: float) -> tuple[Maps, Array]:
    """Return what panels do while rates move, and the map from the start of a panel to its nodes.

    Parameters
    ----------
    rates : ndarray, shape (4, n_panels, n, STAGES)
    lengths : ndarray, shape (n_panels,)
        min.
    plasma : ndarray, shape (n_panels, STAGES)
        Input at the nodes.
    decay : float
        1/min.

    Returns
    -------
    Maps
    ndarray, shape (n_panels, n, STAGES, 2, 3)
        (F, B) at the nodes from (F, B, 1) at the start.
    """
    K1, k2, k3, k4 = rates
    points, share = _gauss(STAGES)
    A = np.stack([np.stack([-(k2 + k3), k4], axis=-1), np.stack([k3, -k4], axis=-1)], axis=-2)
    inner = -np.einsum("p,ij,pnjab->pniajb", lengths, _tableau(), A)
    inner += np.einsum("ij,ab->iajb", np.eye(STAGES), np.eye(2))
    known = np.zeros((*K1.shape, 2, 3))
    known[..., 0, 0] = known[..., 1, 1] = 1.0
    known[..., 0, 2] = np.einsum("p,ij,pnj->pni", lengths, _tableau(), K1 * plasma[:, None])
    size, shape = 2 * STAGES, K1.shape[:2]
    inside = np.linalg.solve(inner.reshape(*shape, size, size), known.reshape(*shape, size, 3)).reshape(known.shape)
    slope = A @ inside
    slope[..., 0, 2] += K1 * plasma[:, None]
    end = np.einsum("p,i,pniac->pnac", lengths, share, slope)
    end[..., :2] += np.eye(2)
    fading = lengths[:, None] * share * np.exp(-decay * lengths[:, None] * points)
    total = np.einsum("pi,pniac->pnac", fading, inside)
    return Maps(end[..., :2], end[..., 2], total[..., :2], total[..., 2]), inside


def chunks(n_panels: int, n: int) -> list[slice]:
    """Return stretches of panels that are worked on at once."""
    size = max(1, _CHUNK // (max(n, 1) * NODES))
    return [slice(first, first + size) for first in range(0, n_panels, size)]


def walk(maps: Maps) -> tuple[Array, Array]:
    """Go through the panels from an empty tissue.

    Returns
    -------
    states : ndarray, shape (n_panels + 1, n, 2)
        (F, B) at each edge.
    integrals : ndarray, shape (n_panels, n, 2)
        Of exp(-decay t) (F, B) over each panel, t from its start.
    """
    states = np.zeros((len(maps.fed) + 1, *maps.fed.shape[1:]))
    for i, (carry, fed) in enumerate(zip(maps.carry, maps.fed, strict=True)):
        states[i + 1] = (carry @ states[i][..., None])[..., 0] + fed
    return states, np.einsum("pnab,pnb->pna", maps.held, states[:-1]) + maps.kept
