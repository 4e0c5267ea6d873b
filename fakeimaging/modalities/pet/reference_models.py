"""Target over reference region: the operational equations of reference tissue models, as forward models.

With CR the curve of the reference region and * convolution,

    SRTM      CT = R1 CR + (k2 - R1 k2a) CR * exp(-k2a t),   k2a = k2 / (1 + BPND)                        (Lammertsma and Hume 1996)
    SRTM2     the same with k2 = R1 k2'                                                                   (Wu and Carson 2002)
    FRTM      CT = R1 (CR + a CR * exp(-c t) + b CR * exp(-d t))                                          (Lammertsma et al. 1996)
    LSRRM     CT = R1 CR + k2 int CR - k2a int CT - gamma int CT h,  h = exp(-rate (t - tD)) from tD on   (Alpert et al. 2003)
    lp-ntPET  the same with h = ((t - tD) / (tP - tD))^alpha exp(alpha (1 - (t - tD) / (tP - tD)))        (Normandin et al. 2012)

where c, d = (s +/- p) / 2, s = k2 + k3 + k4, p = sqrt(s^2 - 4 k2 k4), a = (k3 + k4 - c) (c - k2') / p, b = (d - k3 - k4) (d - k2') / p
and k2' = k2 / R1. The last two are one tissue compartment whose outflow k2a + gamma h(t) moves, so that their implied truth is
BPND(t) = k2 / (k2a + gamma h(t)) - 1. Each is R1 CR and compartments driven by CR, which kinetics.py solves.

CR is any `InputFunction`: ``administration.through_compartment`` of a plasma curve is the exact one, ``plasma.from_samples`` a measured
one. Times are in minutes. The shape of h is written as in two open implementations of lp-ntPET (PETabc, vpetabc).

References
----------
Lammertsma and Hume (1996), doi:10.1006/nimg.1996.0066. Lammertsma et al. (1996), J Cereb Blood Flow Metab 16:42-52. Wu and Carson (2002),
J Cereb Blood Flow Metab 22:1440-1452. Alpert et al. (2003), doi:10.1016/S1053-8119(03)00186-1. Normandin et al. (2012),
doi:10.1016/j.neuroimage.2011.07.002.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet.kinetics import Constants, Course, frame_means, input_means, tissue_curve
from fakeimaging.modalities.pet.plasma import Array, InputFunction


@dataclass(frozen=True, eq=False)
class ReferenceModel:
    """Targets as R1 CR and what compartments driven by CR hold.

    Parameters
    ----------
    R1 : ndarray, shape (n,)
        Delivery relative to the reference region.
    rest : Constants or Course
        Of the compartments, n of them or a whole multiple of n: those of the same target add up.
    """

    R1: Array
    rest: Constants | Course

    def curve(self, reference: InputFunction, times: npt.ArrayLike) -> Array:
        """Return CT at ``times`` (min), shape (n, n_times)."""
        return self._sum(tissue_curve(reference, self.rest, times), reference.at(times))

    def means(self, reference: InputFunction, starts: Array, ends: Array, decay: float) -> Array:
        """Return what frames measure of CT, decay-corrected to time 0, shape (n, n_frames); see `kinetics.frame_means`."""
        rest = frame_means(reference, self.rest, starts, ends, decay)
        return self._sum(rest, input_means(reference, starts, ends, decay))

    def _sum(self, rest: Array, reference: Array) -> Array:
        total = rest.reshape(-1, len(self.R1), rest.shape[1]).sum(axis=0)
        return np.asarray(self.R1[:, None] * reference + total)


def srtm(R1: npt.ArrayLike, k2: npt.ArrayLike, bpnd: npt.ArrayLike) -> ReferenceModel:
    """Return the simplified reference tissue model.

    Parameters
    ----------
    R1, k2, bpnd : array_like, shape (n,)
        Delivery over that of the reference region, outflow of the target (1/min), binding potential.

    Examples
    --------
    >>> from fakeimaging.modalities.pet.plasma import exponential
    >>> srtm([1.0, 1.0], [0.2, 0.2], [0.0, 2.0]).curve(exponential(0.0), [500.0]).round(6)
    array([[1.],
           [3.]])
    """
    R1, k2, bpnd = _rows(R1, k2, bpnd)
    apparent = k2 / (1 + bpnd)
    return ReferenceModel(R1, _one_tissue(k2 - R1 * apparent, apparent))


def srtm2(R1: npt.ArrayLike, k2_prime: float, bpnd: npt.ArrayLike) -> ReferenceModel:
    """Return SRTM with the outflow of the reference region, ``k2_prime`` (1/min), shared by all targets: k2 = R1 k2'."""
    return srtm(R1, np.asarray(R1, dtype=float) * k2_prime, bpnd)


def frtm(R1: npt.ArrayLike, k2: npt.ArrayLike, k3: npt.ArrayLike, k4: npt.ArrayLike) -> ReferenceModel:
    """Return the full reference tissue model, two tissue compartments over one.

    Parameters
    ----------
    R1, k2, k3, k4 : array_like, shape (n,)
        Delivery over that of the reference region, and rate constants of the target, 1/min.

    Raises
    ------
    InputError
        Where the two rates c and d are equal (no binding, and k4 that equals k2).
    """
    R1, k2, k3, k4 = _rows(R1, k2, k3, k4)
    s, p = k2 + k3 + k4, np.sqrt((k2 + k3 - k4) ** 2 + 4 * k3 * k4)
    if (p <= 1e-6 * s).any():
        raise InputError("frtm: k3 is 0 and k4 equals k2, where its two exponentials are one; use srtm")
    c = (s + p) / 2
    d, prime = k2 * k4 / c, k2 / R1
    a, b = (k3 + k4 - c) * (c - prime) / p, (d - k3 - k4) * (d - prime) / p
    return ReferenceModel(R1, _one_tissue(np.concatenate([R1 * a, R1 * b]), np.concatenate([c, d])))


@dataclass(frozen=True)
class Response:
    """Time course h(t) of a displacement: 0 before ``start`` (min)."""

    at: Callable[[Array], Array]
    start: float


def gamma_variate(start: float, peak: float, sharpness: float) -> Response:
    """Return the response of lp-ntPET: from ``start`` (tD, min) to 1 at ``peak`` (tP, min); ``sharpness`` is alpha.

    Raises
    ------
    InputError
        If the peak is not after the start, or the sharpness not above 0.

    Examples
    --------
    >>> gamma_variate(20.0, 30.0, 1.0).at(np.array([10.0, 20.0, 30.0]))
    array([0., 0., 1.])
    """
    if not peak > start:
        raise InputError(
            f"the response peaks at {peak:g} min, which is not after its start at {start:g} min", value=peak
        )
    if not sharpness > 0:
        raise InputError(f"sharpness: {sharpness:g} is not above 0", value=sharpness)

    def at(times: Array) -> Array:
        u = np.maximum(np.asarray(times) - start, 0) / (peak - start)
        return np.asarray(u**sharpness * np.exp(sharpness * (1 - u)))

    return Response(at, start)


def fading(start: float, rate: float) -> Response:
    """Return the response of LSRRM: 1 at ``start`` (min), then falling with ``rate`` (1/min)."""

    def at(times: Array) -> Array:
        since = np.asarray(times) - start
        return np.where(since >= 0, np.exp(-rate * np.maximum(since, 0)), 0.0)

    return Response(at, start)


def displaced(
    R1: npt.ArrayLike, k2: npt.ArrayLike, k2a: npt.ArrayLike, gamma: npt.ArrayLike, response: Response
) -> ReferenceModel:
    """Return lp-ntPET or LSRRM, as ``response`` has it.

    Parameters
    ----------
    R1, k2, k2a, gamma : array_like, shape (n,)
        Delivery over that of the reference region; outflow of the target without and with binding at rest, and how much the latter
        rises at the height of the response, 1/min.
    response : Response
        `gamma_variate` or `fading`.
    """
    R1, k2, k2a, gamma = (row[:, None] for row in _rows(R1, k2, k2a, gamma))

    def at(times: Array) -> Constants:
        out = k2a + gamma * response.at(times)
        return Constants(k2 - R1 * out, out, np.zeros_like(out), np.zeros_like(out))

    return ReferenceModel(R1[:, 0], Course(at, (response.start,)))


def binding_course(
    k2: npt.ArrayLike, k2a: npt.ArrayLike, gamma: npt.ArrayLike, response: Response, times: npt.ArrayLike
) -> Array:
    """Return the truth that `displaced` implies: BPND(t) = k2 / (k2a + gamma h(t)) - 1, shape (n, n_times)."""
    k2, k2a, gamma = (row[:, None] for row in _rows(k2, k2a, gamma))
    return np.asarray(k2 / (k2a + gamma * response.at(np.asarray(times, dtype=float))) - 1)


def _rows(*values: npt.ArrayLike) -> list[Array]:
    return [np.array(row) for row in np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, dtype=float)) for v in values))]


def _one_tissue(K1: Array, k2: Array) -> Constants:
    return Constants(K1, k2, np.zeros_like(k2), np.zeros_like(k2))
