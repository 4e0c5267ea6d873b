"""The stage of the point spread."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.layers import Forward, Recipe, Stage
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.resolution import point_spread


def _draw_psf(forward: Forward, parameters: PetParameters, *, rng: np.random.Generator) -> Recipe:
    spread = point_spread(parameters)
    return {"fwhm": spread.near} if spread.far is None else {"fwhm": spread.near, "fwhm_at_10_cm": spread.far}


def _psf(image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray:
    seen = forward.context["seen"]
    # The noise needs the clean frame behind the point spread as well: where that is what comes in here, it is made once.
    return seen(v) if image is forward.clean.make(v) else seen.applied(image)


PSF = Stage("psf", "operator", _draw_psf, _psf, noisy=False)
"""Gaussian point spread of scanner and reconstruction."""
