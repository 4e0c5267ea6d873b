"""The stage of the point spread."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.layers import Forward, Recipe, Stage
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.resolution import blurred


def _draw_psf(forward: Forward, parameters: PetParameters, *, rng: np.random.Generator) -> Recipe:
    return {"fwhm": parameters.psf_fwhm}


def _psf(image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray:
    return blurred(image, forward.clean.grid, recipe["fwhm"])


PSF = Stage("psf", "operator", _draw_psf, _psf)
"""Gaussian point spread of scanner and reconstruction."""
