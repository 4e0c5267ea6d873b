"""Noise of the sensors: white noise of amplifier or SQUID, and noise of each contact or sensor whose power falls as 1/f.

    S(f) = white^2 + size_i^2 / f

The 1/f part is flat below the rate over the length of its filter (0.06 Hz at 250 Hz); what is slower is the stage of drift.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.electro.coloured import Spectrum, coloured, impulse, part_length, transfer
from fakeimaging.modalities.electro.levels import levels_of
from fakeimaging.modalities.layers import Forward, Recipe, Stage
from fakeimaging.modalities.normals import normals

TAPS = 4096
"""Longest filter of 1/f noise."""
UNEVEN = 0.3
"""SD of the logarithm of the sensors' 1/f noise: no two electrodes have the same contact (assumed)."""


def _draw(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    channels = forward.clean.channels
    spread = np.exp(UNEVEN * rng.standard_normal(len(channels)))
    return {
        "white": levels_of(parameters, channels, "white"),
        "electrode": levels_of(parameters, channels, "pink") * spread,
    }


def _act(
    forward: Forward, recipe: Recipe, v: int, *, rng: Callable[[int], np.random.Generator]
) -> npt.NDArray[np.float32]:
    series = forward.clean
    white, electrode = (np.asarray(recipe[name], dtype=np.float32)[:, None] for name in ("white", "electrode"))
    length, n = part_length(series), series.part(v).n
    term = normals((len(white), length), rng=rng(v).spawn(1)[0])[:, :n]
    term *= white * np.float32(np.sqrt(series.clock.rate / 2))
    if electrode.any():
        slow = coloured(_pink(series.clock.rate, length), len(white), v, rng=rng, part=length)[:, :n]
        slow *= electrode
        term += slow
    return np.ascontiguousarray(term)


@lru_cache(maxsize=4)
def _pink(rate: float, n: int) -> Spectrum:
    taps = min(n, TAPS)
    return transfer(impulse(lambda f: 1 / np.sqrt(f), rate, taps), n)


SENSOR = Stage("sensor", "additive", _draw, _act, any_part=True)
"""The recipe has the density of white noise and that of 1/f noise at 1 Hz of each channel; needs ``parameters.levels()``."""
