"""Noise of an image: its variance is kappa C / w, C the blurred activity and w the effective seconds of the frame (Chen et al. 1991,
Varga and Szabo 2002), and higher where fewer pairs leave the head.

kappa comes from the rms error of a uniform cylinder, 1.2 cells^(3/4) / counts^(1/2) (Budinger et al. 1977): counts are the trues of a
slice, times what time of flight and iterations are worth, times noise-equivalent counts over trues of the frame (`counts`).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.layers import Forward, Recipe, Stage
from fakeimaging.modalities.pet.counts import LINE, sensitivity
from fakeimaging.modalities.pet.frames import effective_seconds
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.resolution import point_spread, unit_noise
from fakeimaging.modalities.pet.scanners import SCANNERS, Three
from fakeimaging.modalities.pet.tracers import TRACERS

CYLINDER = 200.0
"""mm, diameter of the uniform cylinder that sets the noise (NEMA)."""
ITERATIVE = 2.0
"""What iterative reconstruction is worth in counts, beside filtered back projection of the same resolution (assumed)."""
SURVIVAL = 0.209
"""Mean share of photon pairs that leave it, at 0.096 /cm in water: over all its lines, each weighted by its length."""


def noise_width(parameters: PetParameters) -> Three:
    """Return the FWHM along x, y and z that makes the noise as smooth as it is, in mm: that of the point spread, at least a voxel."""
    x, y, z = map(max, point_spread(parameters).near, parameters.voxel_edges)
    return x, y, z


def noise_constant(parameters: PetParameters) -> float:
    """Return kappa in Bq s/mL where all counts are trues: variance of a voxel over its activity, times effective seconds.

    The cell of the cylinder is as wide as the noise is smooth, and its slice as thick.
    """
    x, y, thickness = noise_width(parameters)
    scanner = SCANNERS.get(parameters.scanner)
    disk = math.pi * CYLINDER**2 / 4
    seen = sensitivity(parameters) / 1e3 * LINE / scanner.axial_field_of_view.value
    counts = disk * thickness / 1e3 * SURVIVAL * seen * scanner.flight_gain(CYLINDER) * ITERATIVE
    return parameters.noise_level**2 * 1.2**2 * (disk / (x * y)) ** 1.5 / counts


def attenuated(survival: npt.NDArray) -> npt.NDArray[np.float32]:
    """Return by what the variance is higher in each voxel than in the cylinder, from the share of pairs that leave the head."""
    return np.asarray(SURVIVAL / survival, dtype=np.float32)


def _draw_noise(forward: Forward, parameters: PetParameters, *, rng: np.random.Generator) -> Recipe:
    seconds = effective_seconds(forward.clean.clock, TRACERS.get(parameters.tracer).decay)
    worth = forward.context["counts"].worth
    return {
        "fwhm": noise_width(parameters),
        "sd_over_root": np.sqrt(noise_constant(parameters) / (seconds * worth)),
        "attenuated": parameters.noise_attenuation,
        "tier": parameters.tier,
    }


def _noise(forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """SD follows the blurred activity itself, whether or not the blur is on; counts along lines have a noise of their own."""
    if recipe["tier"] == "projection":
        return np.zeros(forward.clean.grid.shape, dtype=np.float32)
    noise = unit_noise(forward.clean.grid, recipe["fwhm"], rng=rng)
    variance = np.maximum(forward.context["seen"](v), 0)
    if recipe["attenuated"]:
        variance *= forward.context["attenuated"]
    noise *= np.sqrt(variance, out=variance)
    noise *= np.float32(recipe["sd_over_root"][v])
    return noise


NOISE = Stage("noise", "additive", _draw_noise, _noise)
"""Noise of the counts: variance in proportion to activity over effective seconds, correlated over the point spread, unbiased."""
