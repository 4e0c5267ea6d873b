"""Tracer in arterial plasma: curves that are sums of t^n exp(-l t) piece by piece, so that their way through a compartment is exact.

Times are in minutes, as the field's rate constants are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Piece:
    """Sum of terms a t^n exp(-l t) from ``start`` (min) on, t counted from there: amplitude a, rate l (1/min), power n (0 or 1)."""

    start: float
    amplitudes: tuple[float, ...]
    rates: tuple[float, ...]
    powers: tuple[int, ...]

    def at(self, times: Array) -> Array:
        """Return the sum at ``times`` (min, not before ``start``)."""
        u = np.asarray(times)[..., None] - self.start
        terms = np.array(self.amplitudes) * u ** np.array(self.powers) * np.exp(-np.array(self.rates) * u)
        return np.asarray(terms.sum(axis=-1))

    def states(self, time: float) -> Array:
        """Return the states of the linear system that makes the curve: one a term, two for a term with t."""
        u, found = time - self.start, []
        for a, rate, power in zip(self.amplitudes, self.rates, self.powers, strict=True):
            falling = a * np.exp(-rate * u)
            found += [falling] if power == 0 else [u * falling, falling]
        return np.array(found)

    def system(self) -> tuple[Array, Array]:
        """Return matrix and output vector of that linear system."""
        n = len(self.powers) + sum(self.powers)
        matrix, output, row = np.zeros((n, n)), np.zeros(n), 0
        for rate, power in zip(self.rates, self.powers, strict=True):
            output[row] = 1.0
            matrix[row, row] = -rate
            if power:
                matrix[row, row + 1], matrix[row + 1, row + 1] = 1.0, -rate
            row += 1 + power
        return matrix, output


@dataclass(frozen=True)
class InputFunction:
    """Concentration of the unchanged tracer in arterial plasma: pieces, each in force until the next one starts; 0 before the first."""

    pieces: tuple[Piece, ...]

    def at(self, times: npt.ArrayLike) -> Array:
        """Return the concentration at ``times`` (min)."""
        times = np.asarray(times, dtype=float)
        result = np.zeros(times.shape)
        for piece in self.pieces:
            since = times >= piece.start
            result[since] = piece.at(times[since])
        return result

    def scaled(self, factor: float) -> InputFunction:
        """Return the same curve, ``factor`` times as high."""
        pieces = (replace(p, amplitudes=tuple(factor * a for a in p.amplitudes)) for p in self.pieces)
        return InputFunction(tuple(pieces))

    def piece_at(self, time: float) -> Piece | None:
        """Return the piece in force just after ``time``, None before the first."""
        return next((piece for piece in reversed(self.pieces) if piece.start <= time), None)


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
