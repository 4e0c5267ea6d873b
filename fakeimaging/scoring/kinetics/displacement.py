"""Binding that changes: within a scan when transmitter is released, or between a scan and one after a drug.

Within a scan (LSRRM, Alpert et al. 2003; lp-ntPET, Normandin et al. 2012), with h the course of the release:

    C = R1 CR + k2 int CR - k2a int C - g int C h,   BPND(t) = k2 / (k2a + g h(t)) - 1

linear in R1, k2, k2a and g for each of many courses h; the one that leaves the least is taken. Between scans, occupancy is the share of
binding that is gone; Lassen's plot finds it without a reference region.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.pet.reference_models import Response, gamma_variate
from fakeimaging.scoring.kinetics.panels import panels, through
from fakeimaging.scoring.kinetics.timing import Array, Timing

SHARPNESS = (0.25, 1.0, 4.0)
"""Sharpness of the responses tried (Normandin et al. 2012)."""


def gamma_variates(
    starts: Iterable[float], rises: Iterable[float], sharpness: Iterable[float] = SHARPNESS
) -> list[Response]:
    """Return the responses of every combination of starts and times from start to peak (min) and of sharpness.

    Examples
    --------
    >>> len(gamma_variates([20.0, 30.0], [2.0, 5.0, 10.0]))
    18
    """
    return [gamma_variate(start, start + rise, sharp) for start, rise, sharp in product(starts, rises, sharpness)]


@dataclass(frozen=True, eq=False)
class Released:
    """Constants of each curve; NaN for one that is not finite.

    Parameters
    ----------
    R1, k2, k2a, gain : ndarray, shape (n,)
        Relative delivery, washout, apparent washout at rest, and g, in 1/min but the first.
    which : ndarray of int, shape (n,)
        The response that fits best; -1 where none was tried.
    ratio : ndarray, shape (n,)
        What is left with a release over what is left without: 1 where it explains nothing.
    """

    R1: Array
    k2: Array
    k2a: Array
    gain: Array
    which: npt.NDArray[np.intp]
    ratio: Array

    @property
    def bpnd(self) -> Array:
        """Binding potential at rest."""
        return self.k2 / self.k2a - 1

    def lowest(self) -> Array:
        """Return the binding potential at the peak of the release, where h is 1."""
        return self.k2 / (self.k2a + self.gain) - 1


def release_fit(curves: Array, reference: Array, timing: Timing, responses: Sequence[Response]) -> Released:
    """Fit a release of transmitter within a scan (lp-ntPET).

    Parameters
    ----------
    curves : ndarray, shape (n, n_frames)
    reference : ndarray, shape (n_frames,)
        Curve of a region without specific binding.
    timing : Timing
        Frames from injection on.
    responses : sequence of Response
        Courses of the release to try, such as `gamma_variates` gives.

    References
    ----------
    Normandin, Schiffer and Morris (2012), doi:10.1016/j.neuroimage.2011.07.002; Alpert et al. (2003), doi:10.1016/S1053-8119(03)00186-1
    """
    at = panels(timing)
    area = at.mean(at.area(through(reference, timing, at)))
    shapes = np.stack([response.at(at.times) for response in responses])
    found, which = np.full((5, len(curves)), np.nan), np.full(len(curves), -1)
    known = np.flatnonzero(np.isfinite(curves).all(axis=1))
    root = np.sqrt(timing.inverse_variance(np.asarray(curves)[known].mean(axis=0)))
    for i in known:
        own = through(curves[i], timing, at)
        at_rest = np.stack([reference, area, -at.mean(at.area(own))], axis=1)
        released = -at.mean(at.area(own * shapes))
        designs = np.concatenate([np.broadcast_to(at_rest, (len(shapes), *at_rest.shape)), released[..., None]], axis=2)
        found[:4, i], which[i], found[4, i] = _best(root * curves[i], root[:, None] * designs, root[:, None] * at_rest)
    return Released(found[0], found[1], found[2], found[3], which, found[4])


def _best(data: Array, designs: Array, at_rest: Array) -> tuple[Array, int, float]:
    """Return coefficients of the best of the designs, which that is, and what it leaves over what ``at_rest`` leaves."""
    bases, without = np.linalg.qr(designs)[0], np.linalg.qr(at_rest)[0]
    left = ((data - np.einsum("kij,kj->ki", bases, np.einsum("kij,i->kj", bases, data))) ** 2).sum(axis=1)
    best, before = int(left.argmin()), float(((data - without @ (without.T @ data)) ** 2).sum())
    return np.linalg.lstsq(designs[best], data, rcond=None)[0], best, float(left[best]) / max(before, 1e-300)


def occupancy(baseline: Array, after: Array) -> Array:
    """Return the share of binding that is gone after a drug, from binding potentials before and after it.

    Examples
    --------
    >>> occupancy(np.array([3.0, 2.0]), np.array([1.5, 1.0]))
    array([0.5, 0.5])
    """
    return np.asarray(1 - np.asarray(after) / np.asarray(baseline))


def lassen_plot(baseline: Array, after: Array) -> tuple[float, float]:
    """Return occupancy and the volume of what is not bound, from distribution volumes of regions before and after a drug.

    Parameters
    ----------
    baseline, after : ndarray, shape (n,)
        VT in mL/cm3.

    Notes
    -----
    The line VT - VT' = occupancy (VT - VND) through the regions, all of which the drug occupies alike (Cunningham et al. 2010).

    Examples
    --------
    >>> occupied, free = lassen_plot(np.array([2.0, 4.0, 6.0]), np.array([1.5, 2.5, 3.5]))
    >>> round(occupied, 6), round(free, 6)
    (0.5, 1.0)
    """
    slope, intercept = np.polyfit(baseline, np.asarray(baseline) - np.asarray(after), 1)
    return float(slope), float(-intercept / slope)
