"""Mains hum and its harmonics: each channel has its own gain and phase, frequency and size wander slowly, as a grid's do.

    x_i(t) = sum_h size_ih m_h(t) cos(h phi(t) + phase_ih),   phi(t) = 2 pi f t + wander

The wander of the phase and the size m_h (1 on average) are sums of a few slow cosines, so any part can be made.
Harmonics above half the rate are left out: amplifiers do not let them alias.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.clocks import Clock
from fakeimaging.modalities.electro.levels import levels_of
from fakeimaging.modalities.layers import Forward, Recipe, Stage

Floats = npt.NDArray[np.float64]

HARMONICS = {1: 1.0, 3: 0.3, 5: 0.1, 7: 0.05}
"""Size of the mains' odd harmonics (assumed)."""
SPREAD = 0.5
"""SD of the logarithm of each channel's gain for mains, and of its phase in rad (assumed)."""
OFFSET = 0.02
"""Hz, SD of a run's mean frequency about the nominal one (assumed: European grids keep within 0.05 Hz nearly always)."""
WANDER = 0.01
"""Hz, SD of the frequency within a run (assumed)."""
SWELL = 0.1
"""SD of the size of each harmonic within a run (assumed)."""
SLOW = (0.003, 0.05)
"""Hz, slowest and fastest cosine of both (assumed: minutes)."""
N_COSINES = 6


def _draw(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    channels, orders = forward.clean.channels, list(HARMONICS)
    gains = np.exp(SPREAD * rng.standard_normal(len(channels))) * levels_of(parameters, channels, "line")
    own = SPREAD * rng.standard_normal((len(channels), len(orders)))
    frequencies = np.exp(rng.uniform(np.log(SLOW[0]), np.log(SLOW[1]), N_COSINES))
    return {
        "frequency": parameters.line_frequency + OFFSET * float(rng.standard_normal()),
        "harmonics": np.array(orders),
        "sizes": np.sqrt(2) * np.outer(gains, list(HARMONICS.values())),
        "phases": rng.uniform(0, 2 * np.pi, len(orders)) + own,
        "slow": frequencies,
        "wander": WANDER * np.sqrt(2 / N_COSINES),
        "swell": SWELL * np.sqrt(2 / N_COSINES),
        "starts": rng.uniform(0, 2 * np.pi, (1 + len(orders), N_COSINES)),
    }


def line_phase(recipe: Recipe, times: Floats) -> Floats:
    """Return the phase of the mains in rad, shape (n,)."""
    slow, starts = recipe["slow"], recipe["starts"][0]
    swing = np.sin(2 * np.pi * np.outer(times, slow) + starts) @ (recipe["wander"] / np.asarray(slow))
    return np.asarray(2 * np.pi * recipe["frequency"] * times + swing)


def line_size(recipe: Recipe, times: Floats, harmonic: int) -> Floats:
    """Return the size of a harmonic (its place in the recipe) over its mean, shape (n,)."""
    angle = 2 * np.pi * np.outer(times, recipe["slow"]) + recipe["starts"][1 + harmonic]
    return np.asarray(1 + recipe["swell"] * np.cos(angle).sum(axis=1))


def _act(forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    clock: Clock = forward.clean.part(v)
    chosen = [i for i, h in enumerate(recipe["harmonics"]) if h * recipe["frequency"] < clock.rate / 2]
    if not chosen:
        return np.zeros((len(forward.clean.channels), clock.n), dtype=np.float32)
    turn = np.exp(1j * line_phase(recipe, clock.times))
    waves = [line_size(recipe, clock.times, i) * turn ** int(recipe["harmonics"][i]) for i in chosen]
    courses = np.concatenate([np.real(waves), np.imag(waves)]).astype(np.float32)
    size, phase = np.asarray(recipe["sizes"])[:, chosen], np.asarray(recipe["phases"])[:, chosen]
    maps = np.concatenate([size * np.cos(phase), -size * np.sin(phase)], axis=1).astype(np.float32)
    return np.asarray(maps @ courses)


LINE = Stage("line", "additive", _draw, _act)
"""Needs ``parameters.levels()`` and ``line_frequency``."""
