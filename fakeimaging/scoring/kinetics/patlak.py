"""Patlak's plot: the net uptake of a tracer that stays, from blood or from a region where it does not stay.

    C(t) = Ki int Cp + V0 Cp(t)   from t* on, when what is free follows plasma; over each frame <C> / <Cp> = Ki <int Cp> / <Cp> + V0

Blood in vessels scales the slope by 1 - vB and moves the intercept; loss (k4) bends the plot down.
"""

from __future__ import annotations

import numpy as np

from fakeimaging.core.errors import InputError
from fakeimaging.scoring.kinetics.panels import Panels, panels, through
from fakeimaging.scoring.kinetics.plasma import Input
from fakeimaging.scoring.kinetics.timing import LATE, Array, Timing

LEAST_LATE = 3
"""Fewest frames through which a line is laid."""


def patlak_plot(curves: Array, timing: Timing, plasma: Input, start: float = LATE) -> tuple[Array, Array]:
    """Return x = <int Cp> / <Cp>, shape (n_late,), and y = <C> / <Cp>, shape (n, n_late), of the frames from ``start`` on.

    Raises
    ------
    InputError
        If fewer than three frames are late enough, or blood was not drawn to the end.
    """
    at = panels(timing, plasma.breaks)
    return _plot(curves, timing, at, plasma.at(at.times), start)


def patlak(curves: Array, timing: Timing, plasma: Input, start: float = LATE) -> Array:
    """Return the net uptake Ki of each curve in mL/cm3/min: the slope of Patlak's plot.

    Parameters
    ----------
    curves : ndarray, shape (n, n_frames)
    timing : Timing
        The frames may begin long after injection.
    plasma : Plasma or Known
    start : float
        Minutes after injection from which the plot is straight.

    References
    ----------
    Patlak, Blasberg and Fenstermacher (1983), doi:10.1038/jcbfm.1983.1
    """
    return slopes(*patlak_plot(curves, timing, plasma, start))


def reference_patlak(curves: Array, reference: Array, timing: Timing, start: float = LATE) -> Array:
    """Return the net uptake relative to a reference region of each curve in 1/min (Kocc of FDOPA, with the occipital cortex).

    Parameters
    ----------
    curves : ndarray, shape (n, n_frames)
    reference : ndarray, shape (n_frames,)
        Curve of a region that does not trap; it must begin at injection.
    timing : Timing
    start : float
        Minutes after injection from which the plot is straight.

    Notes
    -----
    The slope is k2 k3 / (k2 + k3) where K1 / k2 is that of the reference region.

    References
    ----------
    Patlak and Blasberg (1985), doi:10.1038/jcbfm.1985.87
    """
    at = panels(timing)
    return slopes(*_plot(curves, timing, at, through(reference, timing, at), start))


def _plot(curves: Array, timing: Timing, at: Panels, driving: Array, start: float) -> tuple[Array, Array]:
    late = timing.late(start)
    if late.sum() < LEAST_LATE:
        raise InputError(f"a plot needs three frames after {start:g} min; there are {late.sum()}", value=start)
    values = at.mean(driving)[late]
    return at.mean(at.area(driving))[late] / values, np.asarray(curves)[:, late] / values


def slopes(x: Array, y: Array) -> Array:
    """Return the slope of the straight line through each row of y, shape (n,), against x of shape (n_late,) or that of y."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return np.asarray((y * centred).sum(axis=-1) / (centred**2).sum(axis=-1))
