"""The stage that turns a blurred frame into counts along lines and these into an image again; it does nothing in the image tier.

The point spread before it stands for the detectors, the noise of the image tier is silent, and what the reconstruction knows of the way from
activity to counts is right: attenuation, expected scatter and randoms, scale, and the point spread where it has one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import Grid
from fakeimaging.modalities.layers import Forward, Recipe, Stage
from fakeimaging.modalities.pet import osem
from fakeimaging.modalities.pet.mu_map import mu_map, survival
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.projector import parallel_lines
from fakeimaging.modalities.pet.sinograms import PARTS, Expected, Sinograms, drawn, expected
from fakeimaging.structure.anatomy import Anatomy

if TYPE_CHECKING:
    from fakeimaging.modalities.recording import Recording

def _draw_reconstruction(forward: Forward, parameters: PetParameters, *, rng: np.random.Generator) -> Recipe:
    p, counts = parameters, forward.context["counts"]
    if p.tier == "image":
        return {"tier": p.tier}
    return {
        "tier": p.tier,
        "views": p.views,
        "subsets": p.subsets,
        "iterations": p.iterations,
        "model_fwhm": p.point_spread if p.psf_model else (0.0, 0.0, 0.0),
        "post_filter": p.post_filter,
        **{part: getattr(counts, part) for part in PARTS},
    }


def counted(image: npt.NDArray, model: osem.Model, recipe: Recipe, v: int) -> Expected:
    """Return the counts expected in frame ``v`` of a blurred image in Bq/mL."""
    totals = {part: float(recipe[part][v]) for part in PARTS}
    return expected(image, model.lines, model.survival, **totals)


def _reconstruct(
    image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator
) -> npt.NDArray:
    if recipe["tier"] == "image":
        return image
    scanner = scanner_of(forward, recipe)
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


def scanner_of(forward: Forward, recipe: Recipe) -> osem.Model:
    """Return what the reconstruction of a scan takes for the way from activity to counts, made once for all frames."""
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
        A PET scan of the projection tier.
    frame : int

    Raises
    ------
    InputError
        If the scan is of the image tier, which counts nothing along lines.
    """
    recipe = recording.recipe("reconstruction")
    if recipe["tier"] == "image":
        raise InputError('there are no sinograms in the image tier; take `tier="projection"`', value="image")
    image = recording.before("reconstruction").volume(frame)
    rng = recording.streams.at("reconstruction", f"volume-{frame}").rng()
    scanner = scanner_of(recording.forward, recipe)
    return drawn(counted(image, scanner, recipe, frame), scanner.survival, rng=rng)


RECONSTRUCTION = Stage("reconstruction", "operator", _draw_reconstruction, _reconstruct)
"""Counts along lines, drawn and reconstructed by ordered subsets; nothing in the image tier."""
