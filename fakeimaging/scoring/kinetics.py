"""Kinetic analysis of regional curves as a PET centre does it: Patlak's plot from blood samples, the reference tissue model without.

Times are in minutes; curves are frame means, decay-corrected. Chance comes from the same numbers with their order destroyed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError

Array = npt.NDArray[np.float64]
PATLAK_START = 20.0
"""Minutes after injection from which free tracer follows plasma (the usual choice for FDG)."""
FASTEST, SLOWEST, N_BASIS = 0.6, 0.006, 400
"""1/min: range of the apparent washout tried by the reference tissue model (Gunn et al. 1997), and how many values."""
STEP = 1 / 60
"""Minutes between the points at which the reference curve is convolved."""
N_PERMUTATIONS = 200
LEAST_LATE = 3
"""Fewest frames after `PATLAK_START` through which a line is laid."""


@dataclass(frozen=True, eq=False)
class Timing:
    """Frames and the decay that weights them: starts and ends in min, decay constant in 1/min."""

    starts: Array
    ends: Array
    decay: float

    @property
    def middle(self) -> Array:
        """Middle of each frame in min."""
        return (self.starts + self.ends) / 2

    @property
    def weights(self) -> Array:
        """Counts that a constant decay-corrected activity would give: duration times decay, the usual weights."""
        return (self.ends - self.starts) * np.exp(-self.decay * self.middle)

    def late(self, start: float = PATLAK_START) -> npt.NDArray[np.bool_]:
        """Return which frames start at ``start`` (min) or later."""
        return np.asarray(self.starts >= start - 1e-9)


@dataclass(frozen=True, eq=False)
class Plasma:
    """Samples of unchanged tracer in plasma: times in min, concentration in the unit of the curves."""

    times: Array
    values: Array

    def at(self, times: Array) -> Array:
        """Return the concentration, linear between samples.

        Raises
        ------
        InputError
            If a time is after the last sample.
        """
        if np.max(times) > self.times[-1] + 1e-6:
            raise InputError(
                f"the blood is known up to {self.times[-1]:g} min, and {np.max(times):g} min is asked for", value=times
            )
        return np.interp(times, self.times, self.values)

    def area(self, times: Array) -> Array:
        """Return the integral from 0 to each of ``times``, linear between samples; raises as `at` does."""
        every = np.union1d(self.times, times)
        values = self.at(every)
        sums = np.concatenate([[0.0], np.cumsum(np.diff(every) * (values[1:] + values[:-1]) / 2)])
        return np.asarray(sums[np.searchsorted(every, times)])


def patlak_plot(curves: Array, timing: Timing, plasma: Plasma, start: float = PATLAK_START) -> tuple[Array, Array]:
    """Return x = int Cp / Cp, shape (n_late,), and y = C / Cp, shape (n, n_late), of the frames from ``start`` on.

    Raises
    ------
    InputError
        If fewer than three frames are late enough.
    """
    late = timing.late(start)
    if late.sum() < LEAST_LATE:
        raise InputError(f"Patlak's plot needs three frames after {start:g} min; there are {late.sum()}")
    at = timing.middle[late]
    values = plasma.at(at)
    return plasma.area(at) / values, np.asarray(curves)[:, late] / values


def patlak(curves: Array, timing: Timing, plasma: Plasma, start: float = PATLAK_START) -> Array:
    """Return the net uptake Ki of each curve in mL/cm3/min: the slope of Patlak's plot.

    Parameters
    ----------
    curves : ndarray, shape (n, n_frames)
    timing : Timing
    plasma : Plasma
    start : float
        Minutes after injection from which the plot is straight.

    References
    ----------
    Patlak, Blasberg and Fenstermacher (1983), doi:10.1038/jcbfm.1983.1
    """
    x, y = patlak_plot(curves, timing, plasma, start)
    return slopes(x, y)


def slopes(x: Array, y: Array) -> Array:
    """Return the slope of the straight line through each row of y, shape (n,)."""
    centred = x - x.mean()
    return np.asarray(y @ centred / (centred @ centred))


def reference_tissue_fit(curves: Array, reference: Array, timing: Timing) -> tuple[Array, Array, Array]:
    """Fit the simplified reference tissue model by basis functions.

    Parameters
    ----------
    curves : ndarray, shape (n, n_frames)
    reference : ndarray, shape (n_frames,)
        Curve of a region without specific binding.
    timing : Timing

    Returns
    -------
    bpnd, R1, k2 : ndarray, shape (n,)
        Binding potential, relative delivery, washout in 1/min. NaN for a curve that is not finite.

    References
    ----------
    Gunn, Lammertsma, Hume and Cunningham (1997), doi:10.1006/nimg.1997.0303
    """
    rates = np.geomspace(FASTEST, SLOWEST, N_BASIS)
    root = np.sqrt(timing.weights / timing.weights.sum())
    usable = np.isfinite(curves).all(axis=1)
    data = np.asarray(curves)[usable] * root
    found = np.full((3, len(data)), np.nan)
    least = np.full(len(data), np.inf)
    for rate, column in zip(rates, _convolved(reference, rates, timing), strict=True):
        design = np.stack([reference, column], axis=1) * root[:, None]
        (R1, slope), misfit = _least_squares(design, data)
        k2 = slope + R1 * rate
        better = misfit < least
        least[better] = misfit[better]
        found[:, better] = (k2 / rate - 1)[better], R1[better], k2[better]
    results = np.full((3, len(curves)), np.nan)
    results[:, usable] = found
    return results[0], results[1], results[2]


def _least_squares(design: Array, data: Array) -> tuple[Array, Array]:
    """Return coefficients, shape (2, n), and the sum of squares left, shape (n,)."""
    coefficients = np.asarray(np.linalg.lstsq(design, data.T, rcond=None)[0], dtype=np.float64)
    return coefficients, np.asarray(((data.T - design @ coefficients) ** 2).sum(axis=0))


def _convolved(reference: Array, rates: Array, timing: Timing) -> Array:
    """Return the frame means of the reference curve convolved with exp(-rate t), shape (n_rates, n_frames)."""
    t = np.arange(0.0, timing.ends[-1] + STEP / 2, STEP)
    curve = np.interp(t, [0.0, *timing.middle], [0.0, *reference])
    # Exact for a curve that is linear over a step: weights of its two ends.
    falling = np.exp(-rates * STEP)
    mean = (1 - falling) / (rates * STEP)
    old, new = (mean - falling) / rates, (1 - mean) / rates
    result = np.zeros((len(t), len(rates)))
    for i in range(1, len(t)):
        result[i] = falling * result[i - 1] + old * curve[i - 1] + new * curve[i]
    weights = np.exp(-timing.decay * t)
    areas, lengths = (_frame_areas(t, values, timing) for values in (result * weights[:, None], weights[:, None]))
    return areas / lengths


def _frame_areas(t: Array, values: Array, timing: Timing) -> Array:
    """Return the integral of each column over each frame by the trapezoidal rule, shape (n_columns, n_frames)."""
    sums = np.zeros_like(values)
    np.cumsum(STEP * (values[1:] + values[:-1]) / 2, axis=0, out=sums[1:])
    return np.array([np.interp(timing.ends, t, column) - np.interp(timing.starts, t, column) for column in sums.T])


def correlation_by_chance(estimate: Array, truth: Array, *, rng: np.random.Generator) -> float:
    """Return the 95th percentile of the correlation over regions when the regions' names are shuffled."""
    found = [np.corrcoef(rng.permutation(estimate), truth)[0, 1] for _ in range(N_PERMUTATIONS)]
    return float(np.quantile(found, 0.95))


def slope_by_chance(x: Array, y: Array, *, rng: np.random.Generator) -> float:
    """Return the 95th percentile of the mean Patlak slope when each region's late frames are shuffled."""
    found = [slopes(x, rng.permuted(y, axis=1)).mean() for _ in range(N_PERMUTATIONS)]
    return float(np.quantile(found, 0.95))


def mean_by_chance(values: Array, n: int, *, rng: np.random.Generator) -> float:
    """Return the 95th percentile of the mean over n regions drawn at random."""
    found = [rng.choice(values, n, replace=False).mean() for _ in range(N_PERMUTATIONS)]
    return float(np.quantile(found, 0.95))
