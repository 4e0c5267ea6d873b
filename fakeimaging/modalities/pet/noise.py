"""Noise of an image: its variance is kappa C / w, C the blurred activity and w the effective seconds of the frame (Chen et al. 1991,
Varga and Szabo 2002).

kappa comes from the rms error of a uniform cylinder, 1.2 cells^(3/4) / counts^(1/2) (Budinger et al. 1977, assumed), with `GAIN` times
the counts.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.layers import Forward, Recipe, Stage
from fakeimaging.modalities.pet.frames import effective_seconds
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.resolution import blurred, unit_noise
from fakeimaging.modalities.pet.tracers import TRACERS

CYLINDER = 200.0
"""mm, diameter of the uniform cylinder that sets the noise (NEMA)."""
SURVIVAL = 0.209
"""Mean share of photon pairs that leave it, at 0.096 /cm in water: over all its lines, each weighted by its length."""
GAIN = 4.5
"""What counts are worth beyond filtered back projection: 2.2 by time of flight (200 mm over 1.6 x 56 mm, of 375 ps), 2 by iterative
reconstruction after what scatter and randoms cost (assumed)."""


def noise_constant(parameters: PetParameters) -> float:
    """Return kappa in Bq s/mL: variance of a voxel over its activity, times effective seconds.

    Noise is as smooth as the point spread, at least a voxel: that is the cell of the cylinder, and the thickness of its slice.
    """
    cell = max(parameters.psf_fwhm, parameters.voxel_size)
    disk = math.pi * CYLINDER**2 / 4
    counts = disk * cell / 1e3 * parameters.sensitivity / 1e3 * SURVIVAL * GAIN
    return parameters.noise_level**2 * 1.2**2 * (disk / cell**2) ** 1.5 / counts


def _draw_noise(forward: Forward, parameters: PetParameters, *, rng: np.random.Generator) -> Recipe:
    decay = TRACERS.get(parameters.tracer).decay
    scale = np.sqrt(noise_constant(parameters) / effective_seconds(forward.clean.clock, decay))
    return {
        "fwhm": max(parameters.psf_fwhm, parameters.voxel_size),
        "psf": parameters.psf_fwhm,
        "sd_over_root": scale,
        "tier": parameters.tier,
    }


def _noise(forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """SD follows the blurred activity itself, whether or not the blur is on; in the projection tier the noise is that of the counts."""
    if recipe["tier"] == "projection":
        return np.zeros(forward.clean.grid.shape, dtype=np.float32)
    grid = forward.clean.grid
    activity = blurred(forward.clean.make(v), grid, recipe["psf"])
    return np.sqrt(activity) * np.float32(recipe["sd_over_root"][v]) * unit_noise(grid, recipe["fwhm"], rng=rng)


NOISE = Stage("noise", "additive", _draw_noise, _noise)
"""Noise of the counts: variance in proportion to activity over effective seconds, correlated over the point spread, unbiased."""
