"""How the tracer is given and its blood is drawn: operations that turn one input function into another, in closed form.

A curve here is the plasma's answer to the dose given at once. By linearity, with I(t) its integral from 0 and T the duration,

    infused          (I(t) - I(t - T)) / T
    bolus+infusion   Kbol / (Kbol + T) bolus + T / (Kbol + T) infused        (Carson et al. 1993: Kbol = bolus / rate of infusion)
    dispersed        1/tau int_0^t exp(-(t - u) / tau) curve(u) du           (Iida et al. 1986)

Integral and dispersion are both one compartment: y' = K1 curve - k2 y. For a term t^n exp(-l t) its content is a sum of such terms with
rates l and k2; where the two rates are close a series in their difference stands in for the quotient, so that no digits are lost.
Times are in minutes.

References
----------
Carson et al. (1993), J Cereb Blood Flow Metab 13:24-42. Iida et al. (1986), J Cereb Blood Flow Metab 6:536-545.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet.plasma import Array, InputFunction, Piece, Term, piece_of

_HORIZON = 1e3
"""Minutes for which the last piece is exact: no scan is longer."""


def sum_of(curves: Sequence[InputFunction]) -> InputFunction:
    """Return the sum of several curves.

    Examples
    --------
    >>> from fakeimaging.modalities.pet.plasma import exponential
    >>> sum_of([exponential(0.0), exponential(0.0, 2.0, start=1.0)]).at([0.5, 2.0])
    array([1., 3.])
    """
    starts = sorted({start for curve in curves for start in curve.breaks})
    return InputFunction(tuple(_together(curves, start) for start in starts))


def _together(curves: Sequence[InputFunction], start: float) -> Piece:
    pieces = [piece.moved(start) for curve in curves if (piece := curve.piece_at(start)) is not None]
    return piece_of(start, (term for piece in pieces for term in piece.terms))


def delayed(curve: InputFunction, minutes: float) -> InputFunction:
    """Return the curve ``minutes`` later (earlier where negative)."""
    return InputFunction(tuple(replace(piece, start=piece.start + minutes) for piece in curve.pieces))


def integrated(curve: InputFunction) -> InputFunction:
    """Return the integral of a curve up to each time, in its unit times min."""
    return through_compartment(curve, 1.0, 0.0)


def area(curve: InputFunction, times: npt.ArrayLike) -> Array:
    """Return the integral of a curve up to ``times`` (min), in its unit times min.

    Examples
    --------
    >>> from fakeimaging.modalities.pet.plasma import exponential
    >>> area(exponential(0.0, 3.0, start=1.0), [0.5, 2.0, 5.0])
    array([ 0.,  3., 12.])
    """
    return integrated(curve).at(times)


def infused(curve: InputFunction, duration: float) -> InputFunction:
    """Return the curve when the same dose is given evenly over ``duration`` (min): a slow bolus of 20 s as well as a long infusion.

    Raises
    ------
    InputError
        If the duration is not above 0.
    """
    _check_positive("duration", duration)
    total = integrated(curve).scaled(1 / duration)
    return sum_of([total, delayed(total, duration).scaled(-1.0)])


def bolus_infusion(curve: InputFunction, kbol: float, duration: float) -> InputFunction:
    """Return the curve when part of the dose is a bolus and the rest an infusion over ``duration`` (min) from the same moment on.

    Parameters
    ----------
    curve : InputFunction
        The answer to the whole dose given at once.
    kbol : float
        The bolus in minutes of infusion: bolus over rate of infusion.
    duration : float
        Of the infusion, min.

    Raises
    ------
    InputError
        If ``kbol`` is below 0 or the duration not above 0.
    """
    if not kbol >= 0:
        raise InputError(f"kbol: {kbol:g} min is below 0", value=kbol)
    slow = infused(curve, duration)
    return sum_of([curve.scaled(kbol / (kbol + duration)), slow.scaled(duration / (kbol + duration))])


def dispersed(curve: InputFunction, tau: float) -> InputFunction:
    """Return the curve convolved with exp(-t / tau) / tau: what mixing in vessels or tubing leaves of it.

    Parameters
    ----------
    curve : InputFunction
    tau : float
        Dispersion constant in min.

    Raises
    ------
    InputError
        If ``tau`` is not above 0.
    """
    _check_positive("tau", tau)
    return through_compartment(curve, 1 / tau, 1 / tau)


def through_tubing(curve: InputFunction, delay: float, tau: float) -> InputFunction:
    """Return what a detector sees of blood that a pump draws: ``delay`` (min) later and dispersed (``tau`` in min, 0 for none)."""
    late = delayed(curve, delay)
    return late if tau == 0 else dispersed(late, tau)


def _check_positive(name: str, value: float) -> None:
    if not value > 0:
        raise InputError(f"{name}: {value:g} min is not above 0", value=value)


def through_compartment(curve: InputFunction, K1: float, k2: float) -> InputFunction:
    """Return the content of one compartment that a curve fills: y' = K1 curve - k2 y, y = 0 at first.

    Parameters
    ----------
    curve : InputFunction
    K1, k2 : float
        Into and out of it, 1/min.

    Examples
    --------
    >>> from fakeimaging.modalities.pet.plasma import exponential
    >>> tissue = through_compartment(exponential(0.0), 0.3, 0.1)
    >>> tissue.at([600.0]).round(6)
    array([3.])
    """
    made, content = [], 0.0
    ends = [later.start for _, later in pairwise(curve.pieces)]
    for piece, end in zip(curve.pieces, [*ends, None], strict=True):
        length = _HORIZON if end is None else end - piece.start
        own = [term for a, rate, n in piece.terms for term in _answer(K1 * a, rate, n, k2, length)]
        made.append(piece_of(piece.start, [*own, (content, k2, 0)]))
        content = 0.0 if end is None else float(made[-1].at(end))
    return InputFunction(tuple(made))


def _answer(a: float, rate: float, power: int, k2: float, length: float) -> Iterator[Term]:
    """Convolve a t^n exp(-l t) with exp(-k2 t), as terms exact for ``length`` min."""
    d = k2 - rate
    if abs(d) * length >= 1 + power:
        for j in range(power + 1):
            yield (-1) ** j * a * math.perm(power, j) / d ** (j + 1), rate, power - j
        yield (-1) ** (power + 1) * a * math.factorial(power) / d ** (power + 1), k2, 0
        return
    factor, j = a, 0
    while abs(d * length) ** j >= np.finfo(float).eps / 8 * math.factorial(j):
        yield factor / (power + j + 1), k2, power + j + 1
        j += 1
        factor *= d / j
