"""Dropouts: a slice whose excitation fails, or during which the head jerks, loses most of its signal; so do those excited with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.bold.spikes import at_random
from fakeimaging.modalities.layers import Forward, Recipe, Stage

LEFT = (0.05, 0.4)
"""Lowest and highest share of the signal that is left (assumed)."""


def _draw(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    volume = at_random(forward, parameters.dropouts, rng=rng)
    n_slices = forward.clean.grid.shape[2]
    n_shots = n_slices // parameters.multiband
    shot, left = rng.integers(n_shots, size=len(volume)), rng.uniform(*LEFT, size=len(volume))
    hit, at = np.nonzero(np.arange(n_slices) % n_shots == shot[:, None])
    return {"volume": volume[hit], "slice": at, "left": left[hit]}


def _act(image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray:
    hits = np.flatnonzero(np.asarray(recipe["volume"]) == v)
    if not len(hits):
        return image
    result = image.copy()
    for hit in hits:
        result[:, :, recipe["slice"][hit]] *= np.float32(recipe["left"][hit])
    return result


DROPOUTS = Stage("dropouts", "operator", _draw, _act)
"""The recipe lists them (volume, slice, share left); needs ``parameters.dropouts`` a minute and ``multiband``."""
