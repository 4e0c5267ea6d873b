"""Logan's plot: the distribution volume of a tracer that comes and goes, from blood, or relative to a reference region without.

    int C / C = VT int Cp / C + b                         from t* on; from the start for one tissue compartment
    int C / C = DVR (int CR + CR / k2') / C + b           k2' is the washout of the reference region; left out, the plot bends longer

Both sides are averaged over each frame, so that every integral is <int C> and no time in the middle of a frame enters. Noise of C on both
axes lowers the slope; `multilinear` avoids most of that.
"""

from __future__ import annotations

import numpy as np

from fakeimaging.core.errors import InputError
from fakeimaging.scoring.kinetics.panels import Panels, panels, through
from fakeimaging.scoring.kinetics.patlak import LEAST_LATE, slopes
from fakeimaging.scoring.kinetics.plasma import Input
from fakeimaging.scoring.kinetics.timing import Array, Timing

LOGAN_START = 30.0
"""Minutes after injection from which the plot is taken to be straight (assumed, as in use for many tracers)."""


def logan_plot(curves: Array, timing: Timing, plasma: Input, start: float = LOGAN_START) -> tuple[Array, Array]:
    """Return x = <int Cp> / <C> and y = <int C> / <C>, both of shape (n, n_late), of the frames from ``start`` on."""
    at = panels(timing, plasma.breaks)
    return _plot(curves, timing, at, at.mean(at.area(plasma.at(at.times))), start)


def logan(curves: Array, timing: Timing, plasma: Input, start: float = LOGAN_START) -> Array:
    """Return the distribution volume VT of each curve in mL/cm3.

    Parameters
    ----------
    curves : ndarray, shape (n, n_frames)
    timing : Timing
        Frames from injection on.
    plasma : Plasma or Known
    start : float
        Minutes after injection from which the plot is straight.

    References
    ----------
    Logan et al. (1990), doi:10.1038/jcbfm.1990.127
    """
    return slopes(*logan_plot(curves, timing, plasma, start))


def reference_logan(
    curves: Array, reference: Array, timing: Timing, *, k2_reference: float | None = None, start: float = LOGAN_START
) -> Array:
    """Return the distribution volume ratio DVR of each curve, 1 + BPND where what is not bound is the same in both regions.

    Parameters
    ----------
    curves : ndarray, shape (n, n_frames)
    reference : ndarray, shape (n_frames,)
    timing : Timing
        Frames from injection on.
    k2_reference : float, optional
        k2' in 1/min; without it the term is left out, which lowers the slope while C / CR still changes.
    start : float
        Minutes after injection from which the plot is straight.

    References
    ----------
    Logan et al. (1996), doi:10.1097/00004647-199609000-00008
    """
    at = panels(timing)
    area = at.mean(at.area(through(reference, timing, at)))
    return slopes(*_plot(curves, timing, at, area if k2_reference is None else area + reference / k2_reference, start))


def _plot(curves: Array, timing: Timing, at: Panels, driving: Array, start: float) -> tuple[Array, Array]:
    late = timing.late(start)
    if late.sum() < LEAST_LATE:
        raise InputError(f"a plot needs three frames after {start:g} min; there are {late.sum()}", value=start)
    here = np.asarray(curves, dtype=float)
    x, y = (np.full((len(here), int(late.sum())), np.nan) for _ in range(2))
    known = np.isfinite(here).all(axis=1)
    areas = at.mean(at.area(through(here[known], timing, at)))
    x[known], y[known] = (values[..., late] / here[known][:, late] for values in (driving, areas))
    return x, y


def multilinear(
    curves: Array, reference: Array, timing: Timing, *, k2_reference: float | None = None, start: float = 0.0
) -> tuple[Array, Array]:
    """Return BPND and k2' of each curve by multilinear regression on a reference region (MRTM, or MRTM2 with ``k2_reference``).

    Parameters
    ----------
    curves : ndarray, shape (n, n_frames)
    reference : ndarray, shape (n_frames,)
    timing : Timing
        Frames from injection on.
    k2_reference : float, optional
        k2' in 1/min that all regions share; estimated for each of them when left out.
    start : float
        Minutes after injection from which the equation holds: 0 for one tissue compartment.

    Notes
    -----
    C = g1 int CR + g2 int C + g3 CR with BPND = -g1 / g2 - 1 and k2' = g1 / g3, weighted by inverse variance.

    References
    ----------
    Ichise et al. (2003), doi:10.1097/01.WCB.0000085441.37552.CA
    """
    at, late = panels(timing), timing.late(start)
    area = at.mean(at.area(through(reference, timing, at)))
    found = np.full((2, len(curves)), np.nan)
    known = np.flatnonzero(np.isfinite(curves).all(axis=1))
    areas = at.mean(at.area(through(curves[known], timing, at)))
    root = np.sqrt(timing.inverse_variance(curves[known].mean(axis=0)))
    for i, own in zip(known, areas, strict=True):
        first = [area, reference] if k2_reference is None else [area + reference / k2_reference]
        design = np.stack([*first, own], axis=1)
        g = np.linalg.lstsq((root[:, None] * design)[late], (root * curves[i])[late], rcond=None)[0]
        found[:, i] = -g[0] / g[-1] - 1, g[0] / g[1] if k2_reference is None else k2_reference
    return found[0], found[1]
