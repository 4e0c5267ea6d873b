"""Tracer in arterial plasma: curves that are sums of t^n exp(-l t) piece by piece.

What an injection, a compartment or a tube makes of such a curve is again one (administration.py), so that every step has a closed form.
Times are in minutes, as the field's rate constants are.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError

Array = npt.NDArray[np.float64]

Term = tuple[float, float, int]
"""Amplitude a, rate l (1/min) and power n of a t^n exp(-l t)."""
_NEGLIGIBLE = 1e-18
"""Relative to the largest term, beyond what doubles hold."""


@dataclass(frozen=True)
class Piece:
    """Sum of terms a t^n exp(-l t) from ``start`` (min) on, t counted from there: amplitude a, rate l (1/min), power n (0, 1, 2 ...)."""

    start: float
    amplitudes: tuple[float, ...]
    rates: tuple[float, ...]
    powers: tuple[int, ...]

    @property
    def terms(self) -> Iterator[Term]:
        """The terms, one by one."""
        return zip(self.amplitudes, self.rates, self.powers, strict=True)

    def at(self, times: npt.ArrayLike) -> Array:
        """Return the sum at ``times`` (min, not before ``start``)."""
        u = np.asarray(times, dtype=float)[..., None] - self.start
        terms = np.array(self.amplitudes) * u ** np.array(self.powers, dtype=int) * np.exp(-np.array(self.rates) * u)
        return np.asarray(terms.sum(axis=-1))

    def fastest(self, time: float) -> float:
        """Return the largest rate (1/min) of any term that is not negligible from ``time`` (min) on."""
        a, rates, powers = np.abs(self.amplitudes), np.abs(self.rates), np.array(self.powers, dtype=float)
        # A term with a power may still be on its way up; its highest value is at power / rate.
        u = np.maximum(time - self.start, np.divide(powers, rates, out=np.zeros_like(rates), where=rates > 0))
        height = a * u**powers * np.exp(-np.array(self.rates) * u)
        return float(rates[height > _NEGLIGIBLE * height.max(initial=0.0)].max(initial=0.0))

    def moved(self, start: float) -> Piece:
        """Return the same curve as a piece that begins at ``start`` (min), later than now."""
        later = start - self.start
        return piece_of(start, (term for a, rate, n in self.terms for term in _expanded(a, rate, n, later)))


def _expanded(a: float, rate: float, power: int, later: float) -> Iterator[Term]:
    """Write a (t + later)^n exp(-l (t + later)) as terms in t."""
    fallen = a * math.exp(-rate * later)
    for j in range(power + 1):
        yield fallen * math.comb(power, j) * later ** (power - j), rate, j


def piece_of(start: float, terms: Iterable[Term]) -> Piece:
    """Return a piece that begins at ``start`` (min), terms of the same rate and power put together."""
    found: dict[tuple[float, int], float] = {}
    for a, rate, power in terms:
        found[rate, power] = found.get((rate, power), 0.0) + a
    kept = [(a, *key) for key, a in found.items() if a != 0]
    amplitudes, rates, powers = zip(*kept, strict=True) if kept else ((), (), ())
    return Piece(start, amplitudes, rates, powers)


@dataclass(frozen=True)
class InputFunction:
    """Concentration over time, such as that of the unchanged tracer in arterial plasma.

    Parameters
    ----------
    pieces : tuple of Piece
        Each in force until the next one starts; 0 before the first.
    """

    pieces: tuple[Piece, ...]

    @cached_property
    def breaks(self) -> tuple[float, ...]:
        """Minutes at which a piece starts: where the curve or its slope may jump."""
        return tuple(piece.start for piece in self.pieces)

    def fastest(self, times: npt.ArrayLike) -> Array:
        """Return the largest rate (1/min) of any term that still counts from each time (min) to the next break."""
        pieces = [self.piece_at(time) for time in np.asarray(times, dtype=float).tolist()]
        return np.array([0.0 if p is None else p.fastest(t) for p, t in zip(pieces, np.asarray(times), strict=True)])

    def at(self, times: npt.ArrayLike) -> Array:
        """Return the concentration at ``times`` (min)."""
        times = np.asarray(times, dtype=float)
        result, index = np.zeros(times.shape), np.searchsorted(self.breaks, times, side="right") - 1
        for i in np.unique(index[index >= 0]):
            here = index == i
            result[here] = self.pieces[i].at(times[here])
        return result

    def scaled(self, factor: float) -> InputFunction:
        """Return the same curve, ``factor`` times as high."""
        pieces = (replace(p, amplitudes=tuple(factor * a for a in p.amplitudes)) for p in self.pieces)
        return InputFunction(tuple(pieces))

    def piece_at(self, time: float) -> Piece | None:
        """Return the piece in force just after ``time``, None before the first."""
        found = bisect_right(self.breaks, time)
        return self.pieces[found - 1] if found else None


def exponential(rate: float, amplitude: float = 1.0, start: float = 0.0) -> InputFunction:
    """Return ``amplitude`` exp(-rate (t - start)) from ``start`` (min) on; a rate of 0 holds it for ever.

    Examples
    --------
    >>> exponential(0.0, 2.0, start=1.0).at([0.5, 1.0, 9.0])
    array([0., 2., 2.])
    """
    return InputFunction((Piece(start, (amplitude,), (rate,), (0,)),))


def rise_and_fall(start: float, peak: float, amplitudes: Sequence[float], rates: Sequence[float]) -> InputFunction:
    """Return a linear rise from ``start`` to ``peak`` (min), then a sum of exponentials.

    Parameters
    ----------
    start, peak : float
        Arrival and peak in min.
    amplitudes : sequence of float
        Of the exponentials at the peak; their sum is its height.
    rates : sequence of float
        1/min.

    Examples
    --------
    >>> rise_and_fall(0.0, 0.5, (8.0, 2.0), (1.0, 0.0)).at([0.25, 0.5, 60.0])
    array([ 5., 10.,  2.])
    """
    if not peak > start >= 0:
        raise InputError(f"the input peaks at {peak:g} min, which is not after its start at {start:g} min", value=peak)
    rise = Piece(start, (sum(amplitudes) / (peak - start),), (0.0,), (1,))
    return InputFunction((rise, Piece(peak, tuple(amplitudes), tuple(rates), (0,) * len(rates))))


def feng(amplitudes: Sequence[float], rates: Sequence[float], delay: float = 0.0) -> InputFunction:
    """Return model 2 of Feng et al.: (A1 t - A2 - A3) exp(-l1 t) + A2 exp(-l2 t) + A3 exp(-l3 t).

    Parameters
    ----------
    amplitudes, rates : sequence of three floats
        A1 per min, A2, A3; l1, l2, l3 in 1/min.
    delay : float
        Arrival in min.

    References
    ----------
    Feng, Wong, Wang and Wang (1994), with 851.1225, 21.8798, 20.8113 and 4.1339, 0.1191, 0.0104 for FDG.
    """
    a1, a2, a3 = amplitudes
    l1, l2, l3 = rates
    return InputFunction((Piece(delay, (a1, -(a2 + a3), a2, a3), (l1, l1, l2, l3), (1, 0, 0, 0)),))


def from_samples(times: npt.ArrayLike, values: npt.ArrayLike, tail: int = 3) -> InputFunction:
    """Return straight lines through samples, and beyond the last one an exponential.

    Parameters
    ----------
    times : array_like, shape (n_samples,)
        min, ascending; before the first sample the curve is 0.
    values : array_like, shape (n_samples,)
        At least 0.
    tail : int
        How many of the last samples set the rate of the fall beyond them (log-linear least squares); 0 ends the curve at the last
        sample. Where they do not fall, the last value stays.

    Raises
    ------
    InputError
        If there are less than two samples, or they are not ascending, finite and at least 0.

    Examples
    --------
    >>> curve = from_samples([0.0, 1.0, 2.0, 3.0], [0.0, 8.0, 4.0, 2.0], tail=2)
    >>> curve.at([0.5, 1.5, 4.0])
    array([4., 6., 1.])
    """
    times, values = np.asarray(times, dtype=float), np.asarray(values, dtype=float)
    _check_samples(times, values)
    slopes = np.diff(values) / np.diff(times)
    lines = zip(times.tolist(), values.tolist(), slopes.tolist(), strict=False)
    pieces = [piece_of(t, [(value, 0.0, 0), (slope, 0.0, 1)]) for t, value, slope in lines]
    last, rate = (float(values[-1]), _fall(times[-tail:], values[-tail:])) if tail else (0.0, 0.0)
    return InputFunction((*pieces, piece_of(float(times[-1]), [(last, rate, 0)])))


def _check_samples(times: Array, values: Array) -> None:
    if times.ndim != 1 or times.shape != values.shape or len(times) < 2:
        raise InputError(
            f"{times.shape} times and {values.shape} values: two rows of the same length, at least 2, are needed"
        )
    if not (np.isfinite(times).all() and np.isfinite(values).all() and (values >= 0).all()):
        raise InputError("samples of an input function are finite, and its values at least 0")
    if not (np.diff(times) > 0).all():
        i = int(np.argmin(np.diff(times) > 0))
        raise InputError(f"sample {i + 1} at {times[i + 1]:g} min does not come after the one at {times[i]:g} min")


def _fall(times: Array, values: Array) -> float:
    """Return the rate of an exponential through samples, 0 where they do not fall."""
    if len(times) < 2 or not (values > 0).all():
        return 0.0
    t, logs = times - times.mean(), np.log(values)
    return max(0.0, -float(t @ (logs - logs.mean()) / (t @ t)))


def parent_fraction(times: npt.ArrayLike, shape: Sequence[float]) -> Array:
    """Return the share of plasma activity that is still the tracer itself: Hill's 1 - (1 - a) t^b / (c + t^b), t in min.

    Examples
    --------
    >>> parent_fraction([0.0, 60.0], (1.0, 2.0, 100.0))
    array([1., 1.])
    """
    a, b, c = shape
    power = np.maximum(np.asarray(times, dtype=float), 0.0) ** b
    return np.asarray(1 - (1 - a) * power / (c + power))
