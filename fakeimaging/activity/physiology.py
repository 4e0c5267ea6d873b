"""What every instrument of a run shares: heart beats, breaths, blinks and head motion, made once for the run.

Beats come from integral pulse frequency modulation: one whenever the integral of the heart rate passes a whole number. The rate
follows breathing (respiratory sinus arrhythmia), a 0.1 Hz Mayer wave and a slower wander. Each part has a random stream of
its own, so other blinks leave every beat alone; only breathing reaches into beats and motion, as it does in people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from fakeimaging.core.arrays import frozen
from fakeimaging.core.citations import Reference
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.core.streams import Streams

Floats = npt.NDArray[np.float64]

BEFORE, AFTER = 20.0, 5.0
"""Seconds before t = 0 and after the end of the run that are covered too (as the taps of an Activity are, before)."""
INSPIRATION = 0.4
"""Share of a breath that is inspiration (assumed)."""
DEPTH_SD = 0.2
"""SD of the logarithm of a breath's depth (assumed)."""
RATE_SHARES = {"breathing": 0.4, "mayer": 0.35, "slow": 0.25}
"""Shares of the variance of the heart rate (assumed)."""
MAYER = (0.1, 0.015)
"""Centre and SD in Hz of the frequencies of the Mayer wave (0.1 Hz: Julien 2006, doi:10.1016/j.cardiores.2005.11.008)."""
SLOW = (0.005, 0.04)
"""Hz, lowest and highest frequency of the heart rate's slow wander (the very low frequency band of heart rate variability)."""
BLINK_DURATION = 0.25
"""s, median (assumed)."""
BLINK_REFRACTORY = 0.4
"""s after a blink without another (assumed)."""
BLINK_SPREAD = 0.25
"""SD of the logarithm of a blink's duration and of its strength (assumed)."""
MOTION_LEVELS = {"low": 0.1, "medium": 0.2, "high": 0.4}
"""Mean framewise displacement in mm (assumed: still adults 0.1-0.2, restless people 0.3-0.5)."""
MOTION_SHARES = {"drift": 0.5, "breathing": 0.3, "jerks": 0.2}
"""Shares of it that each kind of motion has by itself, jerks on average over runs (assumed)."""
LEAST_VOLUMES = 10
"""A run with fewer is too short to have a level, which then holds over all that is covered."""
SPHERE = 50.0
"""mm, radius on which rotations count (Power et al. 2012, doi:10.1016/j.neuroimage.2011.10.018)."""
_AXES = {
    "drift": (0.5, 0.8, 1.0, 1.0 / SPHERE, 0.5 / SPHERE, 0.6 / SPHERE),
    "breathing": (0.05, 0.3, 1.0, 0.4 / SPHERE, 0.05 / SPHERE, 0.05 / SPHERE),
    "jerks": (0.5, 0.7, 1.0, 1.0 / SPHERE, 0.6 / SPHERE, 0.8 / SPHERE),
}
"""Relative size along x, y, z (mm) and about x, y, z (rad): heads nod and slide along the table (assumed)."""
JERKS_A_MINUTE, JERK_RISE, JERK_DECAY, JERK_STAYS = 0.5, 0.5, 3.0, 0.3
"""How often, s to its peak, s of its decay, share that stays (assumed)."""
DRIFT_MEMORY, DRIFT_SMOOTHING = 150.0, 4.0
"""s over which the head forgets where it was, and over which drift is smooth (assumed)."""
_RATE, _HEAD_RATE = 100.0, 10.0

REFERENCES = (
    Reference("Glover et al.", 2000, "10.1002/1522-2594(200007)44:1<162::AID-MRM23>3.0.CO;2-E", "phases of RETROICOR"),
    Reference("Nunan et al.", 2010, "10.1111/j.1540-8159.2010.02841.x", "heart rate variability"),
    Reference("Bentivoglio et al.", 1997, "10.1002/mds.870120629", "blink rate"),
    Reference("Power et al.", 2012, "10.1016/j.neuroimage.2011.10.018", "framewise displacement"),
)


class PhysiologyParameters(Parameters):
    """Heart, breathing, blinks and motion of a person during a run."""

    heart_rate: float = parameter(70.0, unit="1/min", bounds=(30, 200), description="mean heart rate")
    heart_rate_variability: float = parameter(
        0.05,
        unit="1",
        bounds=(0, 0.3),
        source="Nunan et al. 2010, doi:10.1111/j.1540-8159.2010.02841.x (SDNN 50 ms of 926 ms)",
        description="SD of the heart rate over its mean",
    )
    breathing_rate: float = parameter(14.0, unit="1/min", bounds=(4, 60), description="mean breathing rate")
    breathing_variability: float = parameter(
        0.1, unit="1", bounds=(0, 0.5), description="SD of the logarithm of a breath's period"
    )
    blink_rate: float = parameter(
        17.0,
        unit="1/min",
        bounds=(0, 60),
        source="Bentivoglio et al. 1997, doi:10.1002/mds.870120629 (at rest)",
        description="mean blink rate",
    )
    motion: Literal["low", "medium", "high"] | float = parameter(
        "low",
        unit="mm",
        description="level of head motion, or its mean framewise displacement at `motion_interval`; 0 for none",
    )
    motion_interval: float = parameter(
        2.0,
        unit="s",
        bounds=(0.1, 20),
        description="time between volumes at which `motion` is meant: the repetition time of the scan that should have it",
    )

    @model_validator(mode="after")
    def _motion_is_a_length(self) -> Self:
        if not isinstance(self.motion, str) and not 0 <= self.motion <= 5:
            raise ValueError(f"`motion`: {self.motion:g} mm is outside [0, 5] (mean framewise displacement)")
        return self

    @property
    def mean_displacement(self) -> float:
        """Mean framewise displacement in mm at `motion_interval`."""
        return MOTION_LEVELS[self.motion] if isinstance(self.motion, str) else self.motion


@dataclass(frozen=True, eq=False)
class Breaths:
    """One entry a breath, each shape (n_breaths,): onset of inspiration and period in s, depth (median 1)."""

    onsets: Floats
    periods: Floats
    depths: Floats


@dataclass(frozen=True, eq=False)
class Physiology:
    """The body during one run, on the run's clock.

    Parameters
    ----------
    duration : float
        Of the run in s.
    beats : ndarray, shape (n_beats,)
        Times of the R peaks in s, from -`BEFORE` to ``duration + AFTER``.
    breaths : Breaths
        Those that cover the same time.
    blink_onsets, blink_durations, blink_strengths : ndarray, shape (n_blinks,)
        s, s, and relative amplitude (median 1).
    head : ndarray, shape (n, 6)
        Pose of the head every 0.1 s from -`BEFORE` on: shifts in mm, rotations in rad (see `motion`).
    head_parts : mapping of str to ndarray, shape (n, 6)
        What each kind of motion out of `MOTION_SHARES` has of it; they add up to it.
    jerks : ndarray, shape (n_jerks,)
        When the head jerks, in s.
    """

    duration: float
    beats: Floats
    breaths: Breaths
    blink_onsets: Floats
    blink_durations: Floats
    blink_strengths: Floats
    head: Floats
    head_parts: Mapping[str, Floats] = field(default_factory=dict)
    jerks: Floats = field(default_factory=lambda: frozen(np.zeros(0)))

    def cardiac_phase(self, times: npt.ArrayLike) -> Floats:
        """Return the share of the beat that has passed at ``times`` (s), in rad from 0 at an R peak to 2 pi at the next."""
        times = np.asarray(times, dtype=float)
        i = np.clip(np.searchsorted(self.beats, times, side="right") - 1, 0, len(self.beats) - 2)
        passed = (times - self.beats[i]) / (self.beats[i + 1] - self.beats[i])
        return np.asarray(2 * np.pi * (passed % 1.0))

    def belt(self, times: npt.ArrayLike) -> Floats:
        """Return what a belt around the chest shows at ``times`` (s): 0 after expiration, the breath's depth at its peak."""
        share, depth = self._within_breath(times)
        rise = 0.5 - 0.5 * np.cos(np.pi * share / INSPIRATION)
        fall = 0.5 + 0.5 * np.cos(np.pi * (share - INSPIRATION) / (1 - INSPIRATION))
        return np.asarray(depth * np.where(share < INSPIRATION, rise, fall))

    def respiratory_phase(self, times: npt.ArrayLike) -> Floats:
        """Return the phase of breathing at ``times`` (s) in rad from -pi to pi (Glover et al. 2000, equation 3, with 100 bins).

        Pi times the share of the run's time in which the belt is lower; negative during expiration.
        """
        share, _ = self._within_breath(times)
        level = np.interp(self.belt(times), *self._belt_levels)
        return np.asarray(np.pi * level * np.where(share < INSPIRATION, 1.0, -1.0))

    def respiratory_volume(self, times: npt.ArrayLike) -> Floats:
        """Return depth over period of the breaths around ``times`` (s), relative to its mean over the run (volume per time)."""
        volume = self.breaths.depths / self.breaths.periods
        middle = self.breaths.onsets + self.breaths.periods / 2
        return np.asarray(np.interp(np.asarray(times, dtype=float), middle, volume / volume.mean()))

    def motion(self, times: npt.ArrayLike) -> Floats:
        """Return how the head lies at ``times`` (s) relative to t = 0, shape (n, 6).

        Shifts along x, y, z in mm, then rotations about x, y, z in rad, about the isocentre (`modalities.motion.rigid`).
        """
        moved = _at(self.head, np.append(times, 0.0))
        return np.asarray(moved[:-1] - moved[-1])

    def motion_parts(self, times: npt.ArrayLike) -> dict[str, Floats]:
        """Return what each kind of motion has of `motion`, by name; they add up to it."""
        moved = {name: _at(part, np.append(times, 0.0)) for name, part in self.head_parts.items()}
        return {name: np.asarray(part[:-1] - part[-1]) for name, part in moved.items()}

    def _within_breath(self, times: npt.ArrayLike) -> tuple[Floats, Floats]:
        breaths = self.breaths
        i = np.clip(np.searchsorted(breaths.onsets, times, side="right") - 1, 0, len(breaths.onsets) - 1)
        share = (np.asarray(times, dtype=float) - breaths.onsets[i]) / breaths.periods[i]
        return np.clip(share, 0.0, 1.0), breaths.depths[i]

    @cached_property
    def _belt_levels(self) -> tuple[Floats, Floats]:
        """Edges of the histogram of the belt, and the share of time below each."""
        counts, edges = np.histogram(self.belt(_steps(self.duration, 20.0)), bins=100)
        return edges, np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()


def make_physiology(duration: float, parameters: PhysiologyParameters, *, streams: Streams) -> Physiology:
    """Draw the body of one run.

    Parameters
    ----------
    duration : float
        Of the run in s.
    parameters : PhysiologyParameters
    streams : Streams
        Parts draw from ``breaths``, ``beats``, ``blinks`` and ``motion`` below it.

    Examples
    --------
    >>> body = make_physiology(60.0, PhysiologyParameters(heart_rate_variability=0.0), streams=Streams(1))
    >>> import numpy as np
    >>> round(float(np.diff(body.beats).mean()), 3)
    0.857
    """
    breaths = _breaths(duration, parameters, streams.at("breaths"))
    nothing = frozen(np.zeros(0))
    still = Physiology(duration, nothing, breaths, nothing, nothing, nothing, frozen(np.zeros((1, 6))))
    beats = _beats(still, parameters, streams.at("beats"))
    parts, jerks = _head(still, parameters, streams.at("motion"))
    head = np.sum(list(parts.values()), axis=0)
    onsets, durations, strengths = _blinks(duration, parameters.blink_rate, streams.at("blinks"))
    return Physiology(
        duration, frozen(beats), breaths, frozen(onsets), frozen(durations), frozen(strengths), frozen(head),
        {name: frozen(part) for name, part in parts.items()}, frozen(jerks),
    )  # fmt: skip


def _steps(duration: float, rate: float) -> Floats:
    return np.asarray(-BEFORE + np.arange(int((BEFORE + duration + AFTER) * rate) + 1) / rate)


def _breaths(duration: float, parameters: PhysiologyParameters, streams: Streams) -> Breaths:
    """Log-normal periods and depths, each with a memory from breath to breath."""
    mean, spread = 60 / parameters.breathing_rate, parameters.breathing_variability
    n = int(2 * (BEFORE + duration + AFTER) / mean) + 20
    periods = mean * np.exp(spread * _remembering(0.3, streams.at("periods").rng().standard_normal(n)) - spread**2 / 2)
    depths = np.exp(DEPTH_SD * _remembering(0.6, streams.at("depths").rng().standard_normal(n)))
    first = -BEFORE - periods[0] * streams.at("first").rng().random()
    onsets = first + np.concatenate([[0.0], np.cumsum(periods[:-1])])
    inside = onsets < duration + AFTER
    return Breaths(*(frozen(part[inside]) for part in (onsets, periods, depths)))


def _remembering(share: float, draws: Floats) -> Floats:
    """Autoregressive series of unit variance with this correlation from one entry to the next."""
    series = draws * np.sqrt(1 - share**2)
    series[0] = draws[0]
    for i in range(1, len(series)):
        series[i] += share * series[i - 1]
    return series


def _beats(body: Physiology, parameters: PhysiologyParameters, streams: Streams) -> Floats:
    times = _steps(body.duration, _RATE)
    rng = streams.rng()
    first, mayer, slow = rng.random(), rng.normal(*MAYER, 12), rng.uniform(*SLOW, 12)
    belt = body.belt(times)
    waves = {
        "breathing": (belt - belt.mean()) / belt.std(),
        "mayer": _wave(times, mayer, 2 * np.pi * rng.random(12)),
        "slow": _wave(times, slow, 2 * np.pi * rng.random(12)),
    }
    relative = sum(np.sqrt(RATE_SHARES[name]) * wave for name, wave in waves.items())
    rate = parameters.heart_rate / 60 * np.maximum(1 + parameters.heart_rate_variability * relative, 0.3)
    passed = first + np.concatenate([[0.0], np.cumsum(rate[:-1] + rate[1:]) / 2]) / _RATE
    return np.asarray(np.interp(np.arange(1, int(passed[-1]) + 1), passed, times))


def _wave(times: Floats, frequencies: Floats, phases: Floats) -> Floats:
    """Sum of sinusoids with unit variance."""
    sines = np.zeros(len(times))
    for frequency, phase in zip(frequencies, phases, strict=True):
        sines += np.sin(2 * np.pi * frequency * times + phase)
    return sines * np.sqrt(2 / len(frequencies))


def _blinks(duration: float, rate: float, streams: Streams) -> tuple[Floats, Floats, Floats]:
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


def _at(poses: Floats, times: Floats) -> Floats:
    """Poses every 0.1 s at any ``times`` (s)."""
    clock = -BEFORE + np.arange(len(poses)) / _HEAD_RATE
    return np.stack([np.interp(times, clock, column) for column in poses.T], axis=1)


def _head(body: Physiology, parameters: PhysiologyParameters, streams: Streams) -> tuple[dict[str, Floats], Floats]:
    """Poses every 0.1 s by kind: slow drift, nodding with each breath, and rare jerks, scaled to the level; when jerks come."""
    times, level = _steps(body.duration, _HEAD_RATE), parameters.mean_displacement
    onsets, jerks = _jerks(times, streams.at("jerks"))
    courses = {
        "drift": _drift(len(times), streams.at("drift")),
        "breathing": np.repeat(body.belt(times)[:, None], 6, axis=1),
        "jerks": jerks,
    }
    seen = _volumes(body.duration, parameters.motion_interval)
    parts = {name: course * np.array(_AXES[name]) for name, course in courses.items()}
    sizes = {name: _scale(part, level, seen) for name, part in parts.items()}
    # A run's only jerk is no larger than those of a run with many.
    sizes["jerks"] = level / _expected_by_jerks(parameters.motion_interval)
    parts = {name: part * (MOTION_SHARES[name] * sizes[name]) for name, part in parts.items()}
    scale = _scale(np.sum(list(parts.values()), axis=0), level, seen)
    return {name: part * scale for name, part in parts.items()}, onsets


def _expected_by_jerks(interval: float) -> float:
    """Mean displacement in mm that jerks of unit size make on average: there, and back but for what stays, along every axis."""
    sizes = np.array(_AXES["jerks"]) @ np.array([1.0] * 3 + [SPHERE] * 3) * np.sqrt(2 / np.pi)
    return float(JERKS_A_MINUTE / 60 * interval * (2 - JERK_STAYS) * sizes)


def _volumes(duration: float, interval: float) -> Floats:
    """Middles of the volumes of a run, or of all that is covered, when they are fewer than `LEAST_VOLUMES`."""
    n = int(duration / interval + 1e-9)
    start, n = (0.0, n) if n >= LEAST_VOLUMES else (-BEFORE, int((BEFORE + duration + AFTER) / interval))
    return np.asarray(start + (np.arange(n) + 0.5) * interval)


def _scale(poses: Floats, level: float, times: Floats) -> float:
    """Return the factor that gives poses this mean displacement between ``times`` (s)."""
    volumes = _at(poses, times) * np.array([1.0] * 3 + [SPHERE] * 3)
    found = np.abs(np.diff(volumes, axis=0)).sum(axis=1).mean() if len(volumes) > 1 else 0.0
    return float(level / found) if found > 0 else 0.0


def _drift(n: int, streams: Streams) -> Floats:
    """Smoothed walk with a long memory, six columns."""
    kept = np.exp(-1 / (_HEAD_RATE * DRIFT_MEMORY))
    window = np.hanning(int(DRIFT_SMOOTHING * _HEAD_RATE) + 2)[1:-1]
    walk = streams.rng().standard_normal((6, n + len(window) - 1))
    for i in range(1, walk.shape[1]):
        walk[:, i] += kept * walk[:, i - 1]
    return np.stack([np.convolve(column, window / window.sum(), mode="valid") for column in walk], axis=1)


def _jerks(times: Floats, streams: Streams) -> tuple[Floats, Floats]:
    """Onsets of quick displacements that settle back in part, and what they make together, shape (n, 6)."""
    rng = streams.rng()
    onsets = times[0] + np.cumsum(rng.exponential(60 / JERKS_A_MINUTE, int(len(times) / _HEAD_RATE / 20) + 10))
    sizes = rng.exponential(size=len(onsets))[:, None] * rng.standard_normal((len(onsets), 6))
    onsets, course = onsets[onsets < times[-1]], np.zeros((len(times), 6))
    for onset, size in zip(onsets, sizes, strict=False):
        since = np.maximum(times - onset, 0.0)
        rise = np.sin(np.pi / 2 * np.minimum(since / JERK_RISE, 1.0)) ** 2
        settle = JERK_STAYS + (1 - JERK_STAYS) * np.exp(-np.maximum(since - JERK_RISE, 0.0) / JERK_DECAY)
        course += (rise * settle)[:, None] * size
    return onsets, course
