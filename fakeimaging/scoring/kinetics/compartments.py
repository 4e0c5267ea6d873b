"""Compartments driven by blood, fitted to curves by weighted least squares.

    one tissue     C = (1 - vB) K1 Cp * exp(-k2 t) + vB Cb          for water K1 is the flow F and K1 / k2 the partition p
    two tissues    C = (1 - vB) sum of two such terms + vB Cb       rates and amplitudes give K1, k2, k3, k4; k4 = 0 traps

Cb is whole blood; without it there is none in the tissue. One tissue is linear but for k2, which is searched for (Boellaard et al. 2005);
two tissues start from the best pair of rates of a grid and descend in all constants.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.pet.kinetics import Constants
from fakeimaging.scoring.kinetics.fitting import descend, rate_fit, weighted_fit
from fakeimaging.scoring.kinetics.panels import panels
from fakeimaging.scoring.kinetics.plasma import Input
from fakeimaging.scoring.kinetics.timing import Array, Timing

SLOWEST, FASTEST, N_RATES, N_PAIRED = 0.003, 5.0, 120, 28
"""1/min: range of rates tried (assumed); how many of them for one tissue, and of which pairs are made for two."""
HIGHEST = np.array([5.0, 10.0, 10.0, 10.0, 0.5])
"""Largest K1 (mL/cm3/min), k2, k3, k4 (1/min) and vB (assumed)."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """Constants of each curve; NaN for one that is not finite.

    Parameters
    ----------
    constants : Constants
        Its ``trapping`` is Ki, its ``distribution`` VT.
    blood_volume : ndarray, shape (n,)
        vB; 0 without whole blood.
    """

    constants: Constants
    blood_volume: Array


def one_tissue_fit(curves: Array, timing: Timing, plasma: Input, *, blood: Input | None = None) -> Fitted:
    """Fit one tissue compartment.

    Parameters
    ----------
    curves : ndarray, shape (n, n_frames)
    timing : Timing
        The frames may begin after injection.
    plasma : Plasma or Known
        Unchanged tracer.
    blood : Plasma or Known, optional
        Whole blood; its share vB is then fitted too.

    References
    ----------
    Kety and Schmidt (1948); Boellaard et al. (2005), doi:10.1007/s11307-005-0007-2
    """
    known = np.asarray(np.isfinite(curves).all(axis=1))
    data, (convolved, fixed) = np.asarray(curves)[known], _driving(timing, plasma, blood)
    weights = timing.inverse_variance(data.mean(axis=0))
    found, rate = rate_fit(
        data, weights, lambda r: _designs([convolved(r)], fixed), np.geomspace(SLOWEST, FASTEST, N_RATES)
    )
    share = found[:, 1] if blood is not None else np.zeros(len(data))
    nothing = np.zeros(len(data))
    return _fitted(known, np.stack([found[:, 0] / (1 - share), rate, nothing, nothing, share], axis=1))


def two_tissue_fit(
    curves: Array, timing: Timing, plasma: Input, *, blood: Input | None = None, trapped: bool = False
) -> Fitted:
    """Fit two tissue compartments.

    Parameters
    ----------
    curves : ndarray, shape (n, n_frames)
    timing : Timing
    plasma : Plasma or Known
        Unchanged tracer.
    blood : Plasma or Known, optional
        Whole blood; its share vB is then fitted too.
    trapped : bool
        Whether nothing comes back: k4 = 0.

    References
    ----------
    Gunn, Gunn and Cunningham (2001), doi:10.1097/00004647-200106000-00002
    """
    known = np.asarray(np.isfinite(curves).all(axis=1))
    data, (convolved, fixed) = np.asarray(curves)[known], _driving(timing, plasma, blood)
    weights = timing.inverse_variance(data.mean(axis=0))
    high = HIGHEST * np.array([1, 1, 1, not trapped, blood is not None])

    def model(constants: Array) -> Array:
        (first, second), rates = _terms(constants)
        tissue = first[:, None] * convolved(rates[0]) + second[:, None] * convolved(rates[1])
        share = constants[:, 4:]
        return np.asarray((1 - share) * tissue + (share * fixed[0] if fixed else 0.0))

    start = _by_pairs(data, weights, convolved, fixed, trapped)
    found, _ = descend(model, data, weights, start, np.zeros(5), high)
    return _fitted(known, found)


def _driving(timing: Timing, plasma: Input, blood: Input | None) -> tuple[Callable[[Array], Array], list[Array]]:
    """Return what gives frame means of plasma convolved with exp(-rate t), and those of whole blood if there is any."""
    at = panels(timing, [*plasma.breaks, *(() if blood is None else blood.breaks)])
    values = plasma.at(at.times)
    return lambda rates: at.mean(at.convolved(values, rates)), [] if blood is None else [at.mean(blood.at(at.times))]


def _designs(columns: list[Array], fixed: list[Array]) -> Array:
    return np.stack([*columns, *(np.broadcast_to(one, columns[0].shape) for one in fixed)], axis=-1)


def _terms(constants: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Return amplitudes and rates of the two exponentials of two tissue compartments, slow one first."""
    K1, k2, k3, k4 = constants[:, :4].T
    total = k2 + k3 + k4
    root = np.sqrt(np.maximum(total**2 - 4 * k2 * k4, 1e-12 * total**2 + 1e-18))
    slow, fast = (total - root) / 2, (total + root) / 2
    return (K1 / root * (k3 + k4 - slow), K1 / root * (fast - k3 - k4)), (slow, fast)


def _by_pairs(
    data: Array, weights: Array, convolved: Callable[[Array], Array], fixed: list[Array], trapped: bool
) -> Array:
    """Return constants of each curve, shape (n, 5), by the pair of rates that leaves the least with amplitudes above 0."""
    rates = np.geomspace(SLOWEST, FASTEST, N_PAIRED)
    rates = np.concatenate([[0.0], rates]) if trapped else rates
    columns = convolved(rates)
    best, least = np.tile([0.1, 0.1, 0.05, 0.0 if trapped else 0.05, 0.0], (len(data), 1)), np.full(len(data), np.inf)
    for i, j in ((0, k) for k in range(1, len(rates))) if trapped else combinations(range(len(rates)), 2):
        found, misfit = weighted_fit(data, weights, _designs([columns[i], columns[j]], fixed))
        better = (misfit < least) & (found > 0).all(axis=1)
        best[better] = _constants(found[better], rates[i], rates[j])
        least[better] = misfit[better]
    return best


def _constants(found: Array, slow: float, fast: float) -> Array:
    """Return K1, k2, k3, k4, vB of the sum of two exponentials with these amplitudes (and blood's) and rates."""
    share = found[:, 2] if found.shape[1] > 2 else np.zeros(len(found))
    first, second = found[:, 0] / (1 - share), found[:, 1] / (1 - share)
    K1 = first + second
    k2 = (first * slow + second * fast) / K1
    k4 = slow * fast / k2
    return np.stack([K1, k2, slow + fast - k2 - k4, k4, share], axis=1)


def _fitted(known: npt.NDArray[np.bool_], found: Array) -> Fitted:
    columns = np.full((5, len(known)), np.nan)
    columns[:, known] = found.T
    return Fitted(Constants(*columns[:4]), columns[4])
