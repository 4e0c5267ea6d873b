"""Stages that several modalities share: receiver noise, magnitude, the bias of the receive field, quantisation."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.parameters import Parameters
from fakeimaging.modalities.layers import Forward, Recipe, Stage
from fakeimaging.modalities.normals import normals

LARGEST = 8191
"""Largest stored step: 14 bits with sign, so that the step is far below the noise and noise does not fill the file."""
HEADROOM = 4.0
"""It stands for this many times the brightest tissue (assumed: bias and noise stay below it)."""


def slope_for(brightest: float) -> float:
    """Return the step of the stored int16 for images whose brightest tissue has this signal."""
    return float(np.float32(HEADROOM * brightest / LARGEST))


def _draw_thermal(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    return {"sigma": forward.reference / parameters.snr}


def _thermal(forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray[np.complex64]:
    noise = normals((*forward.clean.grid.shape, 2), rng=rng)
    noise *= np.float32(recipe["sigma"])
    return noise.view(np.complex64)[..., 0]


THERMAL = Stage("thermal", "additive", _draw_thermal, _thermal, of_part=True)
"""Complex Gaussian receiver noise, SD ``reference / snr`` in each channel; needs ``parameters.snr``."""


def _no_draws(forward: Forward, parameters: Parameters, *, rng: np.random.Generator) -> Recipe:
    return {}


def _magnitude(
    image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator
) -> npt.NDArray:
    return np.abs(image)


MAGNITUDE = Stage("magnitude", "operator", _no_draws, _magnitude)
"""Length of the complex signal: with thermal noise its distribution is Rician."""


def _draw_quantisation(forward: Forward, parameters: Parameters, *, rng: np.random.Generator) -> Recipe:
    return {"slope": forward.clean.slope}


def _quantise(image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray:
    slope = np.float32(recipe["slope"])
    return np.clip(np.rint(image / slope), -LARGEST, LARGEST) * slope


QUANTISATION = Stage("quantisation", "operator", _draw_quantisation, _quantise)
"""Rounding to whole steps of the stored int16."""

BIAS_ORDER = 3


def _powers() -> list[tuple[int, int, int]]:
    orders = range(BIAS_ORDER + 1)
    return [p for p in itertools.product(orders, orders, orders) if 0 < sum(p) <= BIAS_ORDER]


N_COEFFICIENTS = len(_powers())
"""Of a polynomial field."""


def _draw_bias(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    coefficients = rng.standard_normal(len(_powers()))
    brain = forward.baseline != 0
    log_field = polynomial_field(forward.baseline.shape, coefficients)[brain]
    spread = log_field.std() if brain.any() else 1.0
    scale = parameters.bias_sd / spread
    return {
        "coefficients": coefficients * scale,
        "log_mean": float(np.log(np.exp(scale * log_field.astype(float)).mean())),
    }


def polynomial_field(shape: tuple[int, ...], coefficients: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return the sum of Legendre products up to third order over a grid whose axes run from -1 to 1.

    Parameters
    ----------
    shape : (nx, ny, nz)
    coefficients : array_like, shape (19,)
        Of the products without the constant, in the order of `itertools.product`.
    """
    axes = [np.linspace(-1, 1, size) for size in shape]
    tables = [np.polynomial.legendre.legvander(axis, BIAS_ORDER) for axis in axes]
    cube = np.zeros((BIAS_ORDER + 1,) * 3)
    for power, coefficient in zip(_powers(), np.asarray(coefficients), strict=True):
        cube[power] = coefficient
    return np.einsum("abc,xa,yb,zc->xyz", cube, *tables, optimize=True).astype(np.float32)


def _bias(image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray:
    return image * np.exp(polynomial_field(image.shape, recipe["coefficients"]) - np.float32(recipe["log_mean"]))


BIAS = Stage("bias", "operator", _draw_bias, _bias)
"""Smooth multiplicative receive field, mean 1 over the brain; needs ``parameters.bias_sd`` (SD of its logarithm there)."""
