"""Compartment kinetics of a tracer, exact: between two changes the system is linear, and a matrix exponential carries it on.

Two tissue compartments, F free and B bound or trapped, driven by the unchanged tracer in arterial plasma (Innis et al. 2007):

    dF/dt = K1 Cp - (k2 + k3) F + k4 B,   dB/dt = k3 F - k4 B,   C = (1 - vB) (F + B) + vB Cwb

k3 = 0 is one tissue compartment, k4 = 0 is trapping with Ki = K1 k3 / (k2 + k3). The simplified reference tissue model (Lammertsma and
Hume 1996) is one tissue compartment with K1 = R1 K1', k2 = R1 k2' / (1 + BPND). A frame is what a scanner measures: the mean over its
decays, corrected to the start of the scan. Here times are in minutes, as the field's rate constants are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.pet.plasma import Array, InputFunction, Piece

_LONGEST = 5.0
"""Minutes: a quadrature panel of the blood curve is no longer, and eight times shorter in the first five minutes."""


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


def tissue_curve(plasma: InputFunction, constants: Constants | Schedule, times: npt.ArrayLike) -> Array:
    """Return F + B at ``times`` (min, ascending, at least 0), shape (n, n_times)."""
    times = np.asarray(times, dtype=float)
    steps = _steps(plasma, _schedule(constants), np.union1d(0.0, times), 0.0)
    curve = {0.0: np.zeros(len(_schedule(constants)[0][1].K1))}
    curve |= {step.end: step.tissue.sum(axis=1) for step in steps}
    return np.stack([curve[float(time)] for time in times], axis=1)


def frame_means(
    plasma: InputFunction, constants: Constants | Schedule, starts: Array, ends: Array, decay: float
) -> Array:
    """Return what each frame measures of F + B, decay-corrected to time 0.

    Parameters
    ----------
    plasma : InputFunction
    constants : Constants or Schedule
        Constants, or when they change, times and constants from then on.
    starts, ends : ndarray, shape (n_frames,)
        min; frames do not overlap.
    decay : float
        Decay constant in 1/min.

    Returns
    -------
    ndarray, shape (n, n_frames)
        The mean of C weighted by exp(-decay t), the exact counterpart of counts over decay factor.
    """
    schedule = _schedule(constants)
    means = np.zeros((len(schedule[0][1].K1), len(starts)))
    for step in _steps(plasma, schedule, np.unique([0.0, *starts, *ends]), decay):
        frame = int(np.searchsorted(starts, step.start, side="right")) - 1
        if frame >= 0 and step.end <= ends[frame] + 1e-12:
            means[:, frame] += np.exp(-decay * (step.start - starts[frame])) * step.integral
    return means / decayed_time(ends - starts, decay)


def decayed_time(durations: npt.ArrayLike, decay: float) -> Array:
    """Return (1 - exp(-decay d)) / decay: how long a frame of duration d would be without decay, from its start."""
    durations = np.asarray(durations, dtype=float)
    return durations.copy() if decay == 0 else np.asarray(-np.expm1(-decay * durations) / decay)


def curve_means(
    curve: Callable[[Array], Array], breaks: Sequence[float], starts: Array, ends: Array, decay: float
) -> Array:
    """Return what each frame measures of a smooth curve with kinks at ``breaks`` (min), by Gauss-Legendre quadrature; shape (n_frames,)."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    means = np.zeros(len(starts))
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        finest = _LONGEST / 8 if start < _LONGEST else _LONGEST
        panels = np.linspace(start, end, 1 + max(1, int(np.ceil((end - start) / finest))))
        edges = np.union1d(panels, [b for b in breaks if start < b < end])
        half = np.diff(edges)[:, None] / 2
        t = edges[:-1, None] + half * (nodes + 1)
        means[i] = np.sum(half * weights * curve(t) * np.exp(-decay * (t - start)))
    return means / decayed_time(ends - starts, decay)


@dataclass(frozen=True, eq=False)
class _Step:
    """A stretch without a change: times in min, tissue (n, 2) at its end, and the integral of C exp(-decay (t - start)), shape (n,)."""

    start: float
    end: float
    tissue: Array
    integral: Array


def _schedule(constants: Constants | Schedule) -> Schedule:
    return [(0.0, constants)] if isinstance(constants, Constants) else constants


def _steps(plasma: InputFunction, schedule: Schedule, edges: Array, decay: float) -> Iterator[_Step]:
    changes = [piece.start for piece in plasma.pieces] + [time for time, _ in schedule]
    edges = np.union1d(edges, [time for time in changes if edges[0] < time < edges[-1]])
    begins = [time for time, _ in schedule]
    tissue, known = np.zeros((len(schedule[0][1].K1), 2)), {}
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        piece, now = plasma.piece_at(start), max(0, int(np.searchsorted(begins, start, side="right")) - 1)
        key = (piece, now, round(end - start, 12))
        if key not in known:
            known[key] = _propagator(piece, schedule[now][1], end - start, decay)
        states = piece.states(start) if piece is not None else np.zeros(0)
        before = np.concatenate([np.broadcast_to(states, (len(tissue), len(states))), tissue], axis=1)
        after = np.einsum("nij,nj->ni", known[key], before)
        tissue = after[:, :2] * np.exp(decay * (end - start))
        yield _Step(start, end, tissue, after[:, 2])


def _propagator(piece: Piece | None, c: Constants, length: float, decay: float) -> Array:
    """Map (input states, F, B) at the start of a step to (F, B, integral) at its end, each scaled by exp(-decay t); (n, 3, m + 2)."""
    inside, output = piece.system() if piece is not None else (np.zeros((0, 0)), np.zeros(0))
    m = len(output)
    matrix = np.zeros((len(c.K1), m + 3, m + 3))
    matrix[:, :m, :m] = inside
    matrix[:, m, :m] = c.K1[:, None] * output
    matrix[:, m, m], matrix[:, m, m + 1] = -(c.k2 + c.k3), c.k4
    matrix[:, m + 1, m], matrix[:, m + 1, m + 1] = c.k3, -c.k4
    matrix[:, m + 2, m : m + 2] = 1.0
    matrix[:, np.arange(m + 2), np.arange(m + 2)] -= decay
    return exponential(matrix * length)[:, m:, : m + 2]


def exponential(matrices: Array) -> Array:
    """Return the exponential of each matrix of a stack, shape (n, m, m), by scaling and squaring of a Taylor series.

    scipy's goes through a stack one by one, and takes a hundred times as long for matrices this small.
    """
    largest = float(np.abs(matrices).sum(axis=2).max(initial=0.0))
    halvings = max(0, math.ceil(math.log2(max(largest, 1e-300) / 0.5)))
    scaled = matrices / 2.0**halvings
    term = np.broadcast_to(np.eye(matrices.shape[1]), matrices.shape)
    result = term.copy()
    for k in range(1, 15):
        term = term @ scaled / k
        result += term
    for _ in range(halvings):
        result = result @ result
    return result
