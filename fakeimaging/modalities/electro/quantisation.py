"""Rounding to whole steps of the stored int16, channel by channel; what lies beyond is clipped, as an amplifier does."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.layers import Forward, Recipe, Stage

LARGEST = 32_767
"""Steps of an int16."""


def _draw(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    return {"resolution": forward.clean.steps}


def _act(
    signal: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    step = np.asarray(recipe["resolution"], dtype=np.float32)[:, None]
    whole = np.asarray(signal, dtype=np.float32) / step
    np.rint(whole, out=whole)
    np.clip(whole, -LARGEST, LARGEST, out=whole)
    whole *= step
    return whole


QUANTISATION = Stage("quantisation", "operator", _draw, _act, noisy=False)
"""The recipe has the step of each channel."""
