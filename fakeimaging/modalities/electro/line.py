"""Mains hum and its harmonics: each channel has its own gain and phase, frequency and size wander slowly, as a grid's do.

    x_i(t) = sum_h size_ih m_h(t) cos(h phi(t) + phase_ih),   phi(t) = 2 pi f t + wander

The wander of the phase and the size m_h (1 on average) are sums of a few slow cosines, so any part can be made; they are
the run's, so that EEG and MEG have the same mains.
Harmonics above half the rate are left out: amplifiers do not let them alias.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.clocks import Clock
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.modalities.electro.levels import levels_of
from fakeimaging.modalities.layers import Factors, Forward, Recipe, Stage

Floats = npt.NDArray[np.float64]

HARMONICS = {1: 1.0, 3: 0.3, 5: 0.1, 7: 0.05, 9: 0.03}
"""Size of the mains' odd harmonics, each two above the one before (assumed)."""
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
KNOT = 0.125
"""s between the knots of both; straight lines between them are off by 4e-5 rad at most."""


class LineParameters(Parameters):
    """The mains."""

    line_frequency: float = parameter(
        50.0, unit="Hz", bounds=(40, 70), source="IEC 60038", description="of the mains: 50 or 60"
    )


def mains_of(forward: Forward, parameters: Any) -> dict[str, Any]:
    """Return frequency, wander and swell of the mains during a run, the same for all its instruments."""
    rng = forward.context["run_streams"].at("mains").rng()
    return {
        "frequency": parameters.line_frequency + OFFSET * float(rng.standard_normal()),
        "harmonics": np.array(list(HARMONICS)),
        "slow": np.exp(rng.uniform(np.log(SLOW[0]), np.log(SLOW[1]), N_COSINES)),
        "wander": WANDER * np.sqrt(2 / N_COSINES),
        "swell": SWELL * np.sqrt(2 / N_COSINES),
        "starts": rng.uniform(0, 2 * np.pi, (1 + len(HARMONICS), N_COSINES)),
    }


def _draw(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    channels, orders = forward.clean.channels, list(HARMONICS)
    gains = np.exp(SPREAD * rng.standard_normal(len(channels))) * levels_of(parameters, channels, "line")
    own = SPREAD * rng.standard_normal((len(channels), len(orders)))
    return mains_of(forward, parameters) | {
        "sizes": np.sqrt(2) * np.outer(gains, list(HARMONICS.values())),
        "phases": rng.uniform(0, 2 * np.pi, len(orders)) + own,
    }


def line_phase(recipe: Recipe, times: Floats) -> Floats:
    """Return the phase of the mains in rad, shape (n,)."""
    knots = _knots(times)
    swing = np.sin(2 * np.pi * np.outer(recipe["slow"], knots) + recipe["starts"][0][:, None])
    return np.asarray(
        2 * np.pi * recipe["frequency"] * times + np.interp(times, knots, recipe["wander"] / recipe["slow"] @ swing)
    )


def line_sizes(recipe: Recipe, times: Floats) -> Floats:
    """Return the size of each harmonic over its mean, shape (n_harmonics, n)."""
    knots = _knots(times)
    angle, starts = 2 * np.pi * np.outer(recipe["slow"], knots), recipe["starts"][1:]
    slowly = 1 + recipe["swell"] * (np.cos(starts) @ np.cos(angle) - np.sin(starts) @ np.sin(angle))
    return np.stack([np.interp(times, knots, sizes) for sizes in slowly])


def _knots(times: Floats) -> Floats:
    """Times around a part at which what changes slowly is computed: the same ones whatever the part."""
    return np.asarray(KNOT * np.arange(np.floor(times[0] / KNOT), np.floor(times[-1] / KNOT) + 2))


def line_courses(recipe: Recipe, clock: Clock) -> Floats:
    """Return cosines, then sines of the harmonics below half the rate, shape (2 n_harmonics, n)."""
    kept = recipe["harmonics"][recipe["harmonics"] * recipe["frequency"] < clock.rate / 2]
    phase, sizes = line_phase(recipe, clock.times), line_sizes(recipe, clock.times)[: len(kept)]
    turn = np.exp(1j * phase).astype(np.complex64)
    waves = sizes * np.cumprod([turn, *[turn * turn] * (len(kept) - 1)], axis=0)[: len(kept)]
    return np.concatenate([waves.real, waves.imag])


def _act(forward: Forward, recipe: Recipe, v: int, *, rng: None) -> Factors:
    courses = line_courses(recipe, forward.clean.part(v))
    kept = slice(len(courses) // 2)
    size, phase = recipe["sizes"][:, kept], recipe["phases"][:, kept]
    maps = np.concatenate([size * np.cos(phase), -size * np.sin(phase)], axis=1)
    return Factors(maps, courses)


LINE = Stage("line", "additive", _draw, _act, noisy=False)
"""Needs ``parameters.levels()`` and ``line_frequency``."""
