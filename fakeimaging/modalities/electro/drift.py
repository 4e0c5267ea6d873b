"""What is slower than 1 Hz and not the brain: electrodes that drift, and sweat.

Drift: each channel has an Ornstein-Uhlenbeck process of `MEMORY`, drawn every `KNOT` seconds and joined by cubic B-splines: a random
walk at the scale of a minute that does not run away in hours, with hardly any power above 0.1 Hz. Sweat: bursts of skin potential,
each a slow sway under a raised cosine, largest at one place of the scalp and smooth around it.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.clocks import Clock
from fakeimaging.core.streams import Streams
from fakeimaging.modalities.electro.levels import levels_of
from fakeimaging.modalities.layers import Factors, Forward, Recipe, Stage

Floats = npt.NDArray[np.float64]
Signal = npt.NDArray[np.float32]

KNOT = 2.5
"""s."""
MEMORY = 120.0
"""s, time constant of drift (assumed)."""
UNEVEN = 0.5
"""SD of the logarithm of the channels' drift (assumed)."""
N_PLACES = 4
"""Places of the scalp that sweat during a recording (assumed)."""
WIDTH = 50.0
"""mm, SD of the Gaussian over the scalp around each (assumed)."""
SWAY = (0.1, 0.5)
"""Hz, slowest and fastest sway (assumed)."""
LASTS = (6.0, 20.0)
"""s, shortest and longest burst (assumed)."""
SIZES = 0.4
"""SD of the logarithm of the bursts' peaks (assumed)."""


def _draw_drift(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    channels = forward.clean.channels
    spread = np.exp(UNEVEN * rng.standard_normal(len(channels)))
    return {
        "sizes": levels_of(parameters, channels, "drift") * spread,
        "seed": int(rng.integers(2**63)),
        "knot": KNOT,
        "memory": MEMORY,
    }


@lru_cache(maxsize=8)
def knots(seed: int, n: int, n_channels: int, share: float) -> Floats:
    """Return a process of unit variance that keeps ``share`` of itself from knot to knot, shape (n, n_channels)."""
    values = Streams(seed).at("knots").rng().standard_normal((n, n_channels))
    values[1:] *= math.sqrt(1 - share**2)
    for k in range(1, n):
        values[k] += share * values[k - 1]
    return frozen(values)


def spline_weights(clock: Clock, knot: float) -> tuple[int, Signal]:
    """Return the first knot that a part needs, and the weight of it and those that follow at each sample, shape (n_knots, n).

    Examples
    --------
    >>> first, weights = spline_weights(Clock(0.0, 0.5, 3), 1.0)
    >>> first, [round(float(weight), 3) for weight in weights[0]]
    (0, [0.167, 0.021, 0.0])
    """
    place = clock.times / knot
    first, last = math.floor(place[0]), math.floor(place[-1])
    whole = np.floor(place)
    u = place - whole
    pieces = [(1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3]
    weights = np.zeros((last - first + 4, clock.n), dtype=np.float32)
    for j, piece in enumerate(pieces):
        weights[whole.astype(int) - first + j, np.arange(clock.n)] = piece / 6
    return first, weights


def _drift(forward: Forward, recipe: Recipe, v: int, *, rng: None) -> Factors:
    clock, knot = forward.clean.clock, recipe["knot"]
    n = math.floor(clock.stop / knot) + 5
    values = knots(recipe["seed"], n, len(recipe["sizes"]), math.exp(-knot / recipe["memory"]))
    first, weights = spline_weights(forward.clean.part(v), knot)
    amounts = values[first : first + len(weights)] * recipe["sizes"]
    return Factors(amounts.T, weights)


DRIFT = Stage("drift", "additive", _draw_drift, _drift, noisy=False)
"""The recipe has the SD of each channel; needs ``parameters.levels()``."""


def _draw_sweat(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    peak = levels_of(parameters, forward.clean.channels, "sweat")
    n = int(rng.poisson(parameters.sweat_rate / 60 * forward.clean.clock.stop))
    return {
        "maps": peak[:, None] * _sweating(forward.context["sensors"].positions, peak > 0, rng=rng),
        "onsets": np.sort(rng.uniform(0, forward.clean.clock.stop, n)),
        "durations": rng.uniform(*LASTS, n),
        "frequencies": rng.uniform(*SWAY, n),
        "sizes": np.exp(SIZES * rng.standard_normal(n)) * rng.choice([-1.0, 1.0], n),
        "places": rng.integers(N_PLACES, size=n),
    }


def _sweating(positions: Floats, mine: npt.NDArray[np.bool_], *, rng: np.random.Generator) -> Floats:
    """Return maps of largest value 1 around channels drawn among those that sweat, shape (n_channels, N_PLACES)."""
    chosen = np.flatnonzero(mine & np.isfinite(positions).all(axis=1))
    maps = np.zeros((len(positions), N_PLACES))
    if len(chosen):
        middle = positions[rng.choice(chosen, N_PLACES)]
        away = np.linalg.norm(positions[chosen, None] - middle, axis=2)
        maps[chosen] = np.exp(-0.5 * (away / WIDTH) ** 2)
    return maps


def sweat_courses(recipe: Recipe, clock: Clock) -> Floats:
    """Return the course of each place that sweats, shape (N_PLACES, clock.n)."""
    courses = np.zeros((N_PLACES, clock.n))
    bursts = zip(*(recipe[key] for key in ("onsets", "durations", "frequencies", "sizes", "places")), strict=True)
    for onset, duration, frequency, size, place in bursts:
        first, last = clock.index(onset), clock.index(onset + duration)
        passed = clock.start + clock.step * np.arange(first, last) - onset
        hill = np.sin(np.pi * passed / duration) ** 2
        courses[int(place), first:last] += size * hill * np.sin(2 * np.pi * frequency * passed)
    return courses


def _sweat(forward: Forward, recipe: Recipe, v: int, *, rng: None) -> Factors | None:
    courses = sweat_courses(recipe, forward.clean.part(v))
    return Factors(np.asarray(recipe["maps"]), courses) if courses.any() else None


SWEAT = Stage("sweat", "additive", _draw_sweat, _sweat, noisy=False)
"""Needs ``parameters.levels()``, ``sweat_rate`` (bursts a minute) and the context ``sensors``."""
