"""Blinks, and saccades with the gaze that they leave.

A saccade of amplitude A takes 21 ms + 2.2 ms/deg A (Carpenter 1988, Movements of the Eyes). Directions are drawn around the line
back to the middle, the more so the farther off the eyes are: gaze wanders and returns.
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

BLINK_DURATION = 0.25
"""s, median (assumed)."""
BLINK_REFRACTORY = 0.4
"""s after a blink without another (assumed)."""
BLINK_SPREAD = 0.25
"""SD of the logarithm of a blink's duration and of its strength (assumed)."""
SACCADE_SHORTEST, SACCADE_SLOPE = 0.021, 0.0022
"""s, and s/deg: the main sequence (Carpenter 1988)."""
FIXATION = 0.15
"""s from one saccade to the next at least (assumed: it leaves out corrective ones)."""
SACCADE_SHAPE = 1.5
"""Shape of the gamma distribution of amplitudes, and of the pauses beyond `FIXATION` (assumed: many small ones, few large ones)."""
UPRIGHT = 0.5
"""Vertical over horizontal part of a direction before it is made a unit vector (assumed: people look aside more than up)."""
RETURN = 2.0
"""Mean amplitudes off the middle at which the way back weighs as much as chance (assumed)."""
FARTHEST = 40.0
"""deg from the middle: the eyes turn no farther (assumed; Carpenter 1988 gives 45 to 50)."""


def _none(*shape: int) -> Floats:
    return frozen(np.zeros(shape))


@dataclass(frozen=True, eq=False)
class Saccades:
    """Quick turns of both eyes.

    Parameters
    ----------
    onsets, durations : ndarray, shape (n,)
        s; none starts before the last one has ended.
    targets : ndarray, shape (n + 1, 2)
        Where the eyes look before the first and after each, in deg to the right and up of straight ahead.
    """

    onsets: Floats = field(default_factory=lambda: _none(0))
    durations: Floats = field(default_factory=lambda: _none(0))
    targets: Floats = field(default_factory=lambda: _none(1, 2))

    @property
    def turns(self) -> Floats:
        """How far each goes, shape (n, 2), in deg to the right and up."""
        return np.asarray(np.diff(self.targets, axis=0))

    @property
    def amplitudes(self) -> Floats:
        """Deg, shape (n,)."""
        return np.asarray(np.linalg.norm(self.turns, axis=1))

    def gaze(self, times: npt.ArrayLike) -> Floats:
        """Return where the eyes look at ``times`` (s), shape (2, n), in deg to the right and up; the jerk of each turn is least."""
        times = np.asarray(times, dtype=float)
        if not len(self.onsets):
            return np.repeat(self.targets[-1][:, None], len(times), axis=1)
        i = np.searchsorted(self.onsets, times, side="right") - 1
        last = np.maximum(i, 0)
        share = np.where(i < 0, 0.0, np.minimum((times - self.onsets[last]) / self.durations[last], 1.0))
        done = share**3 * (10 - 15 * share + 6 * share**2)
        return np.asarray(self.targets[last].T + self.turns[last].T * done)


def draw_blinks(duration: float, rate: float, streams: Streams) -> tuple[Floats, Floats, Floats]:
    """Return onsets and durations of blinks in s, and their strengths (median 1)."""
    if rate == 0:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    gap = 60 / rate - min(BLINK_REFRACTORY, 30 / rate)
    n = int(3 * (BEFORE + duration + AFTER) * rate / 60) + 20
    intervals = min(BLINK_REFRACTORY, 30 / rate) + streams.at("intervals").rng().gamma(1.5, gap / 1.5, n)
    onsets = -BEFORE + np.cumsum(intervals) - intervals[0] / 2
    durations = BLINK_DURATION * np.exp(BLINK_SPREAD * streams.at("durations").rng().standard_normal(n))
    strengths = np.exp(BLINK_SPREAD * streams.at("strengths").rng().standard_normal(n))
    inside = onsets < duration + AFTER
    return onsets[inside], durations[inside], strengths[inside]


def draw_saccades(duration: float, parameters: PhysiologyParameters, streams: Streams) -> Saccades:
    """Return the saccades of a run; without any the eyes look straight ahead."""
    rate, mean = parameters.saccade_rate, parameters.saccade_amplitude
    if rate == 0 or mean == 0:
        return Saccades()
    pause, n = 1 / rate - FIXATION, int(2 * (BEFORE + duration + AFTER) * rate) + 40
    onsets = -BEFORE + np.cumsum(FIXATION + streams.at("pauses").rng().gamma(SACCADE_SHAPE, pause / SACCADE_SHAPE, n))
    onsets = onsets[onsets < duration + AFTER]
    amplitudes = streams.at("amplitudes").rng().gamma(SACCADE_SHAPE, mean / SACCADE_SHAPE, n)[: len(onsets)]
    angles = 2 * np.pi * streams.at("directions").rng().random(n)[: len(onsets)]
    targets = _wander(amplitudes, np.stack([np.cos(angles), UPRIGHT * np.sin(angles)], axis=1), RETURN * mean)
    durations = SACCADE_SHORTEST + SACCADE_SLOPE * np.linalg.norm(np.diff(targets, axis=0), axis=1)
    return Saccades(frozen(onsets), frozen(durations), frozen(targets))


def _wander(amplitudes: Floats, chances: Floats, reach: float) -> Floats:
    """Return where gaze is before and after each saccade, shape (n + 1, 2)."""
    targets = np.zeros((len(amplitudes) + 1, 2))
    for i, (amplitude, chance) in enumerate(zip(amplitudes, chances, strict=True)):
        direction = chance - targets[i] / reach
        aim = targets[i] + amplitude * direction / np.linalg.norm(direction)
        targets[i + 1] = aim * min(1.0, FARTHEST / max(float(np.linalg.norm(aim)), 1e-9))
    return targets
