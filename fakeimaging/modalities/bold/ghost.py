"""N/2 ghost: even and odd lines of an EPI readout that do not quite agree show the image again, half a field of view away.

    S'(y) = S(y) + g S(y - N/2)

along phase encoding. The two lines differ in the same way all through the scan, so the share g is constant.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.bold.shares import phase_axis
from fakeimaging.modalities.layers import Forward, Recipe, Stage


def _draw(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    return {"percent": parameters.ghost_percent, "axis": phase_axis(parameters)}


def _act(image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray:
    if not recipe["percent"]:
        return image
    faint, axis = image * np.float32(recipe["percent"] / 100), recipe["axis"]
    half = image.shape[axis] // 2
    result = image.copy()
    ahead, behind = ([slice(None)] * image.ndim for _ in range(2))
    ahead[axis], behind[axis] = slice(half, None), slice(None, half)
    rest = image.shape[axis] - half
    start, end = list(ahead), list(behind)
    start[axis], end[axis] = slice(None, rest), slice(rest, None)
    result[tuple(ahead)] += faint[tuple(start)]
    result[tuple(behind)] += faint[tuple(end)]
    return result


GHOST = Stage("ghost", "operator", _draw, _act)
"""Needs ``parameters.ghost_percent`` (of the image, in amplitude) and ``phase_encoding``."""
