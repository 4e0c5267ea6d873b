"""The stage that turns a blurred frame into counts along lines and these into an image again; it does nothing in the image tier.

The point spread before it stands for the detectors, the noise of the image tier is silent, and what the reconstruction knows of the way from
activity to counts is right: attenuation, expected scatter and randoms, scale, and the point spread where it has one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fakeimaging.core.spaces import Grid
from fakeimaging.modalities.layers import Forward, Recipe, Stage
from fakeimaging.modalities.pet import osem
from fakeimaging.modalities.pet.counts import sensitivity
from fakeimaging.modalities.pet.frames import effective_seconds
from fakeimaging.modalities.pet.mu_map import mu_map, survival
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.projector import Lines, parallel_lines
from fakeimaging.modalities.pet.sinograms import Expected, Sinograms, drawn, expected
from fakeimaging.modalities.pet.tracers import TRACERS
from fakeimaging.structure.anatomy import Anatomy

if TYPE_CHECKING:
    from fakeimaging.modalities.recording import Recording

SCATTER_FRACTION = 0.406
"""Discovery MI (NEMA)."""
RANDOMS_FRACTION = 0.2
"""Of all coincidences (assumed)."""


def _draw_reconstruction(forward: Forward, parameters: PetParameters, *, rng: np.random.Generator) -> Recipe:
    p, decay = parameters, TRACERS.get(parameters.tracer).decay
    return {
        "tier": p.tier,
        "views": p.views,
        "subsets": p.subsets,
        "iterations": p.iterations,
        "model_fwhm": float(np.mean(p.point_spread)) if p.psf_model else 0.0,
        "post_filter": p.post_filter,
        "sensitivity": sensitivity(p),
        "effective_seconds": effective_seconds(forward.clean.clock, decay),
        "scatter_fraction": SCATTER_FRACTION,
        "randoms_fraction": RANDOMS_FRACTION,
    }


def scale(lines: Lines, sensitivity: float, seconds: float) -> float:
    """Return the trues for each Bq/mL mm of a line that nothing attenuates.

    Every voxel lies on one line or between two of each view, so that all lines together see its volume `Lines.n_views` times.

    Parameters
    ----------
    lines : Lines
    sensitivity : float
        Counts per second and kBq without attenuation.
    seconds : float
        Effective seconds of the frame.
    """
    millilitres = lines.bin_width * float(lines.grid.voxel_size[2]) / 1e3
    return sensitivity / 1e3 * seconds * millilitres / lines.n_views


def counted(image: npt.NDArray, model: osem.Model, recipe: Recipe, v: int) -> Expected:
    """Return the counts expected in frame ``v`` of a blurred image in Bq/mL."""
    return expected(
        image,
        model.lines,
        model.survival,
        scale=scale(model.lines, recipe["sensitivity"], float(recipe["effective_seconds"][v])),
        scatter_fraction=recipe["scatter_fraction"],
        randoms_fraction=recipe["randoms_fraction"],
    )


def _reconstruct(
    image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator
) -> npt.NDArray:
    if recipe["tier"] == "image":
        return image
    scanner = _scanner(forward, recipe)
    return reconstructed(drawn(counted(image, scanner, recipe, v), scanner.survival, rng=rng), scanner, recipe)


def reconstructed(counts: Sinograms, model: osem.Model, recipe: Recipe) -> npt.NDArray[np.float32]:
    """Return the image in Bq/mL that the counts of a frame give."""
    return osem.reconstruct(
        counts.prompts,
        counts.expected.background,
        model,
        scale=counts.expected.scale,
        iterations=recipe["iterations"],
        post_filter=recipe["post_filter"],
    )


def _scanner(forward: Forward, recipe: Recipe) -> osem.Model:
    numbers = (recipe[key] for key in ("views", "subsets", "model_fwhm"))
    return _model(forward.context["anatomy"], forward.clean.grid, *numbers)


@lru_cache(maxsize=1)
def _model(anatomy: Anatomy, grid: Grid, views: int, subsets: int, fwhm: float) -> osem.Model:
    lines = parallel_lines(grid, views)
    return osem.model(lines, survival(mu_map(anatomy, grid), lines), subsets, fwhm)


def sinograms(recording: Recording, frame: int) -> Sinograms:
    """Return the counts that a frame was reconstructed from.

    Parameters
    ----------
    recording : Recording
        A PET scan, of either tier.
    frame : int
    """
    recipe, image = recording.recipe("reconstruction"), recording.before("reconstruction").volume(frame)
    rng = recording.streams.at("reconstruction", f"volume-{frame}").rng()
    scanner = _scanner(recording.forward, recipe)
    return drawn(counted(image, scanner, recipe, frame), scanner.survival, rng=rng)


RECONSTRUCTION = Stage("reconstruction", "operator", _draw_reconstruction, _reconstruct)
"""Counts along lines, drawn and reconstructed by ordered subsets; nothing in the image tier."""
