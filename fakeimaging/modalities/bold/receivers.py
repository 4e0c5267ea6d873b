"""How receivers make a magnitude: one of them (Rician), the root of the sum of squares of n (non-central chi), or none at all.

Of n receivers that share the signal evenly, a rotation of their space leaves the signal in one and noise alone in the others:

    |z|^2 = |S + n_1|^2 + sum_{c > 1} |n_c|^2,    sum_{c > 1} |n_c|^2 = 2 sigma^2 Gamma(n - 1)

so `THERMAL`, the noise of one, stays as it is, and `RECEIVERS` adds what the others bring. The clean signal keeps its size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities import stages
from fakeimaging.modalities.layers import Forward, Recipe, Stage


def _draw_receivers(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    others = parameters.coils - 1 if parameters.noise == "chi" else 0
    return {"others": others, "sigma": forward.reference / parameters.snr}


def _sum_of_squares(
    image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator
) -> npt.NDArray:
    if not recipe["others"]:
        return image
    power = rng.standard_gamma(recipe["others"], size=image.shape, dtype=np.float32)
    power *= np.float32(2 * recipe["sigma"] ** 2)
    power += image.real**2 + image.imag**2
    return np.sqrt(power)


RECEIVERS = Stage("receivers", "operator", _draw_receivers, _sum_of_squares, of_part=True)
"""Noise of the receivers beyond the first; needs ``parameters.noise``, ``coils`` and ``snr``."""


def _draw_magnitude(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    return {"noise": parameters.noise}


def _magnitude(
    image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator
) -> npt.NDArray:
    if recipe["noise"] == "gaussian":
        return np.ascontiguousarray(image.real)
    return stages.MAGNITUDE.act(image, forward, recipe, v, rng=rng)


MAGNITUDE = Stage(stages.MAGNITUDE.name, "operator", _draw_magnitude, _magnitude)
"""Length of the complex signal, or, with ``noise = "gaussian"``, its real part, which may be negative."""
