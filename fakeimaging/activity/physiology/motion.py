"""Head motion: slow drift, nodding with each breath, and rare jerks, scaled to a mean framewise displacement."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.physiology.breathing import Breaths
from fakeimaging.activity.physiology.covered import AFTER, BEFORE, steps
from fakeimaging.activity.physiology.parameters import PhysiologyParameters
from fakeimaging.core.streams import Streams

Floats = npt.NDArray[np.float64]

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
_HEAD_RATE = 10.0


def at(poses: Floats, times: Floats) -> Floats:
    """Return poses every 0.1 s at any ``times`` (s), shape (n, 6)."""
    clock = -BEFORE + np.arange(len(poses)) / _HEAD_RATE
    return np.stack([np.interp(times, clock, column) for column in poses.T], axis=1)


def draw_head(
    duration: float, breaths: Breaths, parameters: PhysiologyParameters, streams: Streams
) -> tuple[dict[str, Floats], Floats]:
    """Poses every 0.1 s by kind: slow drift, nodding with each breath, and rare jerks, scaled to the level; when jerks come."""
    times, level = steps(duration, _HEAD_RATE), parameters.mean_displacement
    onsets, jerks = _jerks(times, streams.at("jerks"))
    courses = {
        "drift": _drift(len(times), streams.at("drift")),
        "breathing": np.repeat(breaths.belt(times)[:, None], 6, axis=1),
        "jerks": jerks,
    }
    seen = _volumes(duration, parameters.motion_interval)
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
    volumes = at(poses, times) * np.array([1.0] * 3 + [SPHERE] * 3)
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
