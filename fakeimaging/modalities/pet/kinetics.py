"""Compartment kinetics of a tracer, exact to rounding while the rate constants hold still (propagation.py says how).

Two tissue compartments, F free and B bound or trapped, driven by the unchanged tracer in arterial plasma (Innis et al. 2007):

    dF/dt = K1 Cp - (k2 + k3) F + k4 B,   dB/dt = k3 F - k4 B,   C = (1 - vB) (F + B) + vB Cwb

k3 = 0 is one tissue compartment, k4 = 0 is trapping with Ki = K1 k3 / (k2 + k3). The simplified reference tissue model (Lammertsma and
Hume 1996) is one tissue compartment with K1 = R1 K1', k2 = R1 k2' / (1 + BPND). Constants may change: in steps (`Schedule`), smoothly
(`Course`), or with the tracer bound so far (`Saturation`). A frame is what a scanner measures: the mean over its
decays, corrected to the start of the scan. Here times are in minutes, as the field's rate constants are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet import propagation
from fakeimaging.modalities.pet.plasma import Array, InputFunction
from fakeimaging.modalities.pet.propagation import Maps

_LONGEST = 5.0
"""Minutes: a quadrature panel of the blood curve is no longer, and eight times shorter in the first five minutes."""
_FIRST = 4.0**-18
"""Length of the first panel after a break of a course over that of the last: what starts like a root is then followed, too."""
_TOLERANCE = 1e-10
"""Largest change of a curve, relative to its own highest value, when panels are halved once more."""
_HALVINGS, _ROUNDS = 8, 60
"""Most halvings of panels, and most rounds until what is bound agrees with the places it has left."""


@dataclass(frozen=True, eq=False)
class Constants:
    """Rate constants of each class of tissue: ``K1`` in mL/cm3/min, ``k2``, ``k3``, ``k4`` in 1/min, each of shape (n,)."""

    K1: Array
    k2: Array
    k3: Array
    k4: Array

    @property
    def trapping(self) -> Array:
        """Net uptake Ki = K1 k3 / (k2 + k3) in mL/cm3/min (where k4 is 0)."""
        return _ratio(self.K1 * self.k3, self.k2 + self.k3)

    @property
    def distribution(self) -> Array:
        """Distribution volume VT = K1/k2 (1 + k3/k4) in mL/cm3; meant for reversible tracers."""
        return _ratio(self.K1, self.k2) * (1 + _ratio(self.k3, self.k4))


def _ratio(a: Array, b: Array) -> Array:
    return np.divide(a, b, out=np.zeros(np.broadcast(a, b).shape), where=b > 0)


def reference_tissue(R1: npt.ArrayLike, bpnd: npt.ArrayLike, K1: float, k2: float) -> Constants:
    """Return the constants of regions that follow the simplified reference tissue model.

    Parameters
    ----------
    R1 : array_like, shape (n,)
        Delivery over that of the reference region.
    bpnd : array_like, shape (n,)
        Binding potential, 0 in the reference region.
    K1, k2 : float
        Of the reference region, mL/cm3/min and 1/min.
    """
    R1, bpnd = np.broadcast_arrays(np.asarray(R1, dtype=float), np.asarray(bpnd, dtype=float))
    zero = np.zeros(R1.shape)
    return Constants(R1 * K1, R1 * k2 / (1 + bpnd), zero, zero)


Schedule = Sequence[tuple[float, Constants]]
"""Times (min, ascending, the first at or before 0) and the constants from each on."""


@dataclass(frozen=True, eq=False)
class Course:
    """Constants that move smoothly between breaks.

    Parameters
    ----------
    at : callable
        Constants of shape (n, n_times) at an array of times (min), shape (n_times,).
    breaks : tuple of float
        Minutes at which a constant jumps, or its slope does.
    """

    at: Callable[[Array], Constants]
    breaks: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Saturation:
    """Binding sites that fill up with the tracer itself: k3 = kon fND (Bmax - B / SA); each array of shape (n,).

    Parameters
    ----------
    K1, k2 : ndarray
        mL/cm3/min and 1/min.
    affinity : ndarray
        kon fND in mL/pmol/min.
    k4 : ndarray
        1/min.
    density : ndarray
        Bmax in pmol/mL (nM).
    specific_activity : float
        SA in units of activity a pmol, the unit of activity that of the plasma curve, decay-corrected like it.
    """

    K1: Array
    k2: Array
    affinity: Array
    k4: Array
    density: Array
    specific_activity: float


Kinetics = Constants | Schedule | Course | Saturation


def tissue_curve(plasma: InputFunction, constants: Kinetics, times: npt.ArrayLike) -> Array:
    """Return F + B at ``times`` (min, at least 0), shape (n, n_times)."""
    free, bound = compartments(plasma, constants, times)
    return np.asarray(free + bound)


def compartments(plasma: InputFunction, constants: Kinetics, times: npt.ArrayLike) -> tuple[Array, Array]:
    """Return F and B at ``times`` (min, at least 0), each of shape (n, n_times).

    Examples
    --------
    >>> from fakeimaging.modalities.pet.plasma import exponential
    >>> one = np.ones(1)
    >>> free, bound = compartments(exponential(0.0), Constants(0.1 * one, 0.2 * one, 0.3 * one, 0.15 * one), [300.0])
    >>> (bound / free).round(6)
    array([[2.]])
    """
    times = np.asarray(times, dtype=float)
    edges, states, _ = _solved(plasma, constants, np.union1d(0.0, times), 0.0)
    free, bound = states[np.searchsorted(edges, times)].transpose(2, 1, 0)
    return free, bound


def frame_means(plasma: InputFunction, constants: Kinetics, starts: Array, ends: Array, decay: float) -> Array:
    """Return what each frame measures of F + B, decay-corrected to time 0.

    Parameters
    ----------
    plasma : InputFunction
    constants : Constants, Schedule, Course or Saturation
        Constants, or how they change.
    starts, ends : ndarray, shape (n_frames,)
        min; frames do not overlap.
    decay : float
        Decay constant in 1/min.

    Returns
    -------
    ndarray, shape (n, n_frames)
        The mean of C weighted by exp(-decay t), the exact counterpart of counts over decay factor.
    """
    free, bound = compartment_means(plasma, constants, starts, ends, decay)
    return np.asarray(free + bound)


def compartment_means(
    plasma: InputFunction, constants: Kinetics, starts: Array, ends: Array, decay: float
) -> tuple[Array, Array]:
    """Return what each frame measures of F and of B, each of shape (n, n_frames); see `frame_means`."""
    edges, _, integrals = _solved(plasma, constants, np.unique([0.0, *starts, *ends]), decay)
    frame = np.searchsorted(starts, edges[:-1], side="right") - 1
    inside = (frame >= 0) & (edges[1:] <= ends[frame] + 1e-12)
    means = np.zeros((len(starts), *integrals.shape[1:]))
    since = edges[:-1][inside] - starts[frame[inside]]
    np.add.at(means, frame[inside], np.exp(-decay * since)[:, None, None] * integrals[inside])
    free, bound = (means / decayed_time(ends - starts, decay)[:, None, None]).transpose(2, 1, 0)
    return free, bound


def decayed_time(durations: npt.ArrayLike, decay: float) -> Array:
    """Return (1 - exp(-decay d)) / decay: how long a frame of duration d would be without decay, from its start."""
    durations = np.asarray(durations, dtype=float)
    return durations.copy() if decay == 0 else np.asarray(-np.expm1(-decay * durations) / decay)


def input_means(plasma: InputFunction, starts: Array, ends: Array, decay: float) -> Array:
    """Return what each frame would measure of the input itself, decay-corrected to time 0, shape (n_frames,)."""
    return curve_means(plasma.at, plasma.breaks, starts, ends, decay, fastest=plasma.fastest)


def curve_means(
    curve: Callable[[Array], Array],
    breaks: Sequence[float],
    starts: Array,
    ends: Array,
    decay: float,
    *,
    fastest: Callable[[Array], Array] | None = None,
) -> Array:
    """Return what each frame measures of a smooth curve, decay-corrected to time 0, by Gauss-Legendre quadrature.

    Parameters
    ----------
    curve : callable
        Values at an array of times (min).
    breaks : sequence of float
        Minutes at which the curve or its slope jumps.
    starts, ends : ndarray, shape (n_frames,)
        min.
    decay : float
        Decay constant in 1/min.
    fastest : callable, optional
        The largest rate in the curve (1/min) from an array of times (min) on, as `InputFunction.fastest`: panels are short enough for it.

    Returns
    -------
    ndarray, shape (n_frames,)
    """
    means = np.zeros(len(starts))
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        edges = _broken(np.array([start, end]), breaks)
        speed = decay + 1e-6 + (0.0 if fastest is None else fastest(edges[:-1]))
        finest = np.minimum(propagation.LONGEST / speed, _LONGEST / 8 if start < _LONGEST else _LONGEST)
        edges = propagation.panels(edges, finest)
        t = propagation.nodes(edges, propagation.NODES)
        means[i] = np.sum(propagation.weights(edges, propagation.NODES) * curve(t) * np.exp(-decay * (t - start)))
    return means / decayed_time(ends - starts, decay)


def _solved(plasma: InputFunction, constants: Kinetics, edges: Array, decay: float) -> tuple[Array, Array, Array]:
    """Return edges of panels, ``edges`` among them, (F, B) at each, and the integrals of exp(-decay t) (F, B) over each panel."""
    if isinstance(constants, Course):
        return _followed(plasma, constants, edges, decay)
    if isinstance(constants, Saturation):
        return _filled(plasma, constants, edges, decay)
    schedule: Schedule = [(0.0, constants)] if isinstance(constants, Constants) else constants
    begins = [time for time, _ in schedule]
    table = np.stack([_stacked(c) for _, c in schedule], axis=1)
    edges = _broken(edges, [*plasma.breaks, *begins])
    edges = propagation.panels(edges, propagation.LONGEST / _speed(plasma, table, edges, decay))
    now = np.maximum(0, np.searchsorted(begins, edges[:-1], side="right") - 1)
    values, lengths = plasma.at(propagation.nodes(edges, propagation.NODES)), np.diff(edges)
    pieces = propagation.chunks(len(lengths), table.shape[2])
    maps = [propagation.still(table[:, now[some]], lengths[some], values[some], decay) for some in pieces]
    return edges, *propagation.walk(_joined(maps))


def _speed(plasma: InputFunction, rates: Array, edges: Array, decay: float) -> Array:
    """Return the fastest rate of tissue, decay and input between each edge and the next, 1/min."""
    tissue = float(propagation.fastest(rates).max(initial=0.0)) + decay
    return np.maximum(plasma.fastest(edges[:-1]), max(tissue, 1e-6))


def _stacked(c: Constants) -> Array:
    return np.stack(np.broadcast_arrays(c.K1, c.k2, c.k3, c.k4)).astype(float)


def _broken(edges: Array, breaks: Sequence[float]) -> Array:
    """Return ``edges`` with the breaks among them that lie inside."""
    return np.union1d(edges, [time for time in breaks if edges[0] < time < edges[-1]])


def _joined(maps: list[Maps]) -> Maps:
    names = ("carry", "fed", "held", "kept")
    return Maps(*(np.concatenate([getattr(some, name) for some in maps]) for name in names))


def _followed(plasma: InputFunction, course: Course, edges: Array, decay: float) -> tuple[Array, Array, Array]:
    """Solve with constants that move, on panels halved until nothing changes any more."""
    fine, before = _course_panels(plasma, course, edges, decay), None
    for _ in range(_HALVINGS):
        rates = _rates_at(course, propagation.nodes(fine, propagation.STAGES))
        states, integrals, _ = _moved(plasma, rates, fine, decay)
        if before is not None:
            change = np.abs(states[::2] - before).max(axis=(0, 2))
            if (change <= _TOLERANCE * np.abs(states).max(axis=(0, 2))).all():
                return fine, states, integrals
        before, fine = states, np.sort(np.append(fine, (fine[1:] + fine[:-1]) / 2))
    raise InputError("the constants of this course move too fast to be followed; name its jumps as `breaks`")


def _course_panels(plasma: InputFunction, course: Course, edges: Array, decay: float) -> Array:
    edges = _broken(edges, [*plasma.breaks, *course.breaks])
    rates = np.abs(_rates_at(course, propagation.nodes(edges, propagation.STAGES)))
    longest = propagation.LONGEST_MOVING / _speed(plasma, rates, edges, decay)
    edges = propagation.panels(edges, np.minimum(longest, _LONGEST))
    after = np.flatnonzero(np.isin(edges[:-1], course.breaks))
    graded = [edges[i] + (edges[i + 1] - edges[i]) * _FIRST ** (np.arange(1, 19) / 18) for i in after]
    return np.union1d(edges, np.concatenate(graded)) if graded else edges


def _rates_at(course: Course, times: Array) -> Array:
    """Return the rates at ``times``, shape (n_panels, n_nodes), as an array of shape (4, n_panels, n, n_nodes)."""
    stacked = _stacked(course.at(times.ravel()))
    each = np.broadcast_to(stacked, (*stacked.shape[:2], times.size))
    return each.reshape(4, -1, *times.shape).swapaxes(1, 2)


def _moved(plasma: InputFunction, rates: Array, edges: Array, decay: float) -> tuple[Array, Array, Array]:
    """Return states and integrals as `propagation.walk` does, and F at the nodes, shape (n_panels, n, STAGES)."""
    values, lengths = plasma.at(propagation.nodes(edges, propagation.STAGES)), np.diff(edges)
    pieces = propagation.chunks(len(lengths), rates.shape[2])
    done = [propagation.moving(rates[:, some], lengths[some], values[some], decay) for some in pieces]
    states, integrals = propagation.walk(_joined([maps for maps, _ in done]))
    inside = np.concatenate([inside for _, inside in done])[..., 0, :]
    free = np.einsum("pnia,pna->pni", inside[..., :2], states[:-1]) + inside[..., 2]
    return states, integrals, free


def _filled(plasma: InputFunction, s: Saturation, edges: Array, decay: float) -> tuple[Array, Array, Array]:
    """Solve with sites that fill up.

    Sites taken, kon fND F B / SA, count as a way out of B whose rate follows F of the round before, until F stays what it was: unlike
    a k3 that follows B, this never leaves less than no places.
    """
    empty = Constants(s.K1, s.k2, s.affinity * s.density, s.k4)
    course = Course(lambda _: Constants(*_stacked(empty)[..., None]))
    fine = _course_panels(plasma, course, edges, decay)
    rates = _rates_at(course, propagation.nodes(fine, propagation.STAGES))
    before = np.zeros(0)
    for _ in range(_ROUNDS):
        states, integrals, free = _moved(plasma, rates, fine, decay)
        if before.size and np.abs(free - before).max() <= _TOLERANCE * np.abs(free).max():
            return fine, states, integrals
        before, rates = free, rates.copy()
        rates[3] = (s.affinity / s.specific_activity)[:, None] * free + s.k4[:, None]
    raise InputError("the tracer fills its binding sites too far for this solver; lower its mass")
