"""Bursts of the muscles of the head: the temporalis clenches the jaw, the frontalis raises the brows, those of the neck hold the head.

Bursts of each come by chance (a Poisson process), on both sides but seldom evenly.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.physiology.covered import AFTER, BEFORE
from fakeimaging.activity.physiology.parameters import PhysiologyParameters
from fakeimaging.core.arrays import frozen
from fakeimaging.core.streams import Streams

Floats = npt.NDArray[np.float64]

MUSCLES = ("temporalis", "frontalis", "neck")
BURST_DURATION, BURST_SPREAD = 0.8, 0.5
"""s, median, and SD of its logarithm (assumed: from a swallow to a clench)."""
STRENGTH_SPREAD = 0.5
"""SD of the logarithm of a burst's strength (assumed)."""
UNEVEN = 0.8
"""Largest lean of a burst to one side; 1 would leave the other side relaxed (assumed)."""
RISE = 0.1
"""s in which a burst comes and goes, and at most half of it (assumed)."""


@dataclass(frozen=True, eq=False)
class Bursts:
    """Bursts of muscles in order of onset, each entry of shape (n,).

    Parameters
    ----------
    onsets, durations : ndarray
        s.
    strengths : ndarray
        Median 1.
    sides : ndarray
        From -1 (left alone) through 0 (both) to 1 (right alone).
    muscles : ndarray of int
        Into `MUSCLES`.
    """

    onsets: Floats = field(default_factory=lambda: frozen(np.zeros(0)))
    durations: Floats = field(default_factory=lambda: frozen(np.zeros(0)))
    strengths: Floats = field(default_factory=lambda: frozen(np.zeros(0)))
    sides: Floats = field(default_factory=lambda: frozen(np.zeros(0)))
    muscles: npt.NDArray[np.intp] = field(default_factory=lambda: frozen(np.zeros(0, dtype=np.intp)))

    def contraction(self, times: npt.ArrayLike) -> Floats:
        """Return how far muscles contract at ascending ``times`` (s), shape (n_muscles, 2, n): left, right; 1 in a usual burst."""
        times = np.asarray(times, dtype=float)
        course = np.zeros((len(MUSCLES), 2, len(times)))
        ends = self.onsets + self.durations
        for k in np.flatnonzero((ends > times[0]) & (self.onsets <= times[-1])) if len(times) else ():
            inside = slice(*np.searchsorted(times, (self.onsets[k], ends[k])))
            edge = min(RISE, self.durations[k] / 2)
            near = np.minimum(times[inside] - self.onsets[k], ends[k] - times[inside])
            shape = self.strengths[k] * np.sin(np.pi / 2 * np.clip(near / edge, 0.0, 1.0)) ** 2
            for side in (0, 1):
                course[self.muscles[k], side, inside] += shape * min(1.0, 1 + (2 * side - 1) * self.sides[k])
        return course


def draw_bursts(duration: float, parameters: PhysiologyParameters, streams: Streams) -> Bursts:
    """Return the bursts of a run."""
    rates = (parameters.clench_rate, parameters.frown_rate, parameters.neck_rate)
    drawn = [
        _bursts_of(muscle, duration, rate, streams.at(name))
        for muscle, (name, rate) in enumerate(zip(MUSCLES, rates, strict=True))
    ]
    joined = [np.concatenate(parts) for parts in zip(*drawn, strict=True)]
    order = np.argsort(joined[0], kind="stable")
    onsets, durations, strengths, sides, muscles = (frozen(part[order]) for part in joined)
    return Bursts(onsets, durations, strengths, sides, muscles.astype(np.intp))


def _bursts_of(muscle: int, duration: float, rate: float, streams: Streams) -> tuple[Floats, ...]:
    n = int(3 * (BEFORE + duration + AFTER) * rate / 60) + 20 if rate else 0
    onsets = (
        -BEFORE + np.cumsum(60 / rate * streams.at("intervals").rng().standard_exponential(n)) if n else np.zeros(0)
    )
    durations = BURST_DURATION * np.exp(BURST_SPREAD * streams.at("durations").rng().standard_normal(n))
    strengths = np.exp(STRENGTH_SPREAD * streams.at("strengths").rng().standard_normal(n))
    sides = streams.at("sides").rng().uniform(-UNEVEN, UNEVEN, n)
    inside = onsets < duration + AFTER
    return onsets[inside], durations[inside], strengths[inside], sides[inside], np.full(inside.sum(), float(muscle))
