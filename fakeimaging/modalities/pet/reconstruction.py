"""The stage that turns a blurred frame into counts along lines and these into an image; none in the image tier.

The point spread before it stands for the detectors, the noise of the image tier is silent, and what the
reconstruction knows of the way from activity to counts is right: attenuation, expected scatter and randoms, scale,
point spread where it has one.
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
from fakeimaging.modalities.pet.mu_map import line_survival, mu_map
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.projector import parallel_lines
from fakeimaging.modalities.pet.scanners import SCANNERS, Three
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
        "field": SCANNERS.get(p.scanner).ring_diameter.value,
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
    return _image(counts.prompts, counts.expected, model, recipe)


def _image(prompts: npt.NDArray, mean: Expected, model: osem.Model, recipe: Recipe) -> npt.NDArray[np.float32]:
    settings = {"iterations": recipe["iterations"], "post_filter": recipe["post_filter"]}
    return osem.reconstruct(prompts, mean.background, model, scale=mean.scale, **settings)


def scanner_of(forward: Forward, recipe: Recipe) -> osem.Model:
    """Return what the reconstruction of a scan takes for the way from activity to counts, made once for all frames."""
    numbers = (recipe[key] for key in ("field", "views", "subsets"))
    return _model(forward.context["anatomy"], forward.clean.grid, *numbers, tuple(recipe["model_fwhm"]))


@lru_cache(maxsize=1)
def _model(anatomy: Anatomy, grid: Grid, field: float, views: int, subsets: int, fwhm: Three) -> osem.Model:
    lines = parallel_lines(grid, views, field=field)
    return osem.model(lines, line_survival(mu_map(anatomy, grid), lines), subsets, fwhm)


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
    _, scanner, mean = _expected_of(recording, frame)
    rng = recording.streams.at("reconstruction", f"volume-{frame}").rng()
    return drawn(mean, scanner.survival, rng=rng)


def _expected_of(recording: Recording, frame: int) -> tuple[Recipe, osem.Model, Expected]:
    recipe = recording.recipe("reconstruction")
    if recipe["tier"] == "image":
        raise InputError('there are no sinograms in the image tier; take `tier="projection"`', value="image")
    image, scanner = recording.before("reconstruction").volume(frame), scanner_of(recording.forward, recipe)
    return recipe, scanner, counted(image, scanner, recipe, frame)


def without_noise(recording: Recording, frame: int) -> npt.NDArray[np.float32]:
    """Return a frame as it would be had it been counted without end: what bias it has is the reconstruction's.

    Parameters and errors as of `sinograms`.
    """
    recipe, scanner, mean = _expected_of(recording, frame)
    return _image(mean.trues + mean.background, mean, scanner, recipe)


RECONSTRUCTION = Stage("reconstruction", "operator", _draw_reconstruction, _reconstruct)
"""Counts along lines, drawn and reconstructed by ordered subsets; nothing in the image tier."""
