"""Slow drift of the scanner: cosines in time times maps 1, x, y, z, in proportion to the image at rest, so a change of S0.

The power of a cosine of k half periods a run goes with 1 / k, as 1/f noise does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.layers import Forward, Recipe, Stage

DRIFT_PERIOD = 128.0
"""Shortest period of scanner drift in s: what the usual high-pass filter removes."""
DRIFT_GRADIENT = 0.5
"""Change of drift from the middle of the field of view to its edge, relative to its mean (assumed)."""


def _draw_drift(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    """Cosines slower than `DRIFT_PERIOD` (at least one), each with its own gentle gradient over space."""
    clock = forward.clean.clock
    n_cosines = max(1, int(2 * clock.n * clock.step / DRIFT_PERIOD)) if clock is not None else 1
    brain = np.nonzero(forward.baseline)
    squares = [np.mean(np.linspace(-1, 1, n)[i] ** 2) for n, i in zip(forward.baseline.shape, brain, strict=True)]
    power = 1 / np.arange(1, n_cosines + 1)
    variance = power.sum() * (1 + DRIFT_GRADIENT**2 * sum(squares))
    coefficients = rng.standard_normal((n_cosines, 4)) * np.array([1.0, *[DRIFT_GRADIENT] * 3])
    coefficients *= np.sqrt(power)[:, None]
    return {"coefficients": coefficients * parameters.drift_percent / 100 / np.sqrt(variance)}


def drift_courses(recipe: Recipe, n_volumes: int) -> npt.NDArray[np.float64]:
    """Return the time courses that belong to the maps 1, x, y, z (each from -1 to 1 over the grid), shape (n_volumes, 4)."""
    k = np.arange(1, len(recipe["coefficients"]) + 1)
    cosines = np.sqrt(2) * np.cos(np.pi * np.outer(np.arange(n_volumes) + 0.5, k) / n_volumes)
    return np.asarray(cosines @ recipe["coefficients"])


def _drift(forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    constant, *gradient = drift_courses(recipe, forward.clean.n_volumes)[v].astype(np.float32)
    field = np.float32(constant)
    for axis, (size, slope) in enumerate(zip(forward.baseline.shape, gradient, strict=True)):
        field = field + slope * np.expand_dims(
            np.linspace(-1, 1, size, dtype=np.float32), [a for a in range(3) if a != axis]
        )
    return forward.baseline * field


DRIFT = Stage("drift", "additive", _draw_drift, _drift)
"""Slow scanner drift: low-rank, maps 1, x, y, z times cosines, in proportion to the baseline."""
