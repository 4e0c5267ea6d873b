"""The last steps to the raw image: decay, which it is corrected for or not, and a deliberate mistake.

All before is corrected for decay to injection.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fakeimaging.core.clocks import Frames
from fakeimaging.modalities.layers import Companion, Forward, Recipe, Stage
from fakeimaging.modalities.pet.faults import FAULTS, is_blood
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.time_base import decay_factors, time_base
from fakeimaging.modalities.pet.tracers import TRACERS


def _draw_decay(forward: Forward, parameters: PetParameters, *, rng: np.random.Generator) -> Recipe:
    frames, decay = forward.clean.clock, TRACERS.get(parameters.tracer).decay
    base = time_base(parameters, frames)
    left = np.full(frames.n, base.left(decay))
    return {"left": left if parameters.decay_corrected else left / decay_factors(frames, base, decay)}


def _decay(image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: None) -> npt.NDArray:
    left = np.float32(recipe["left"][v])
    return image if left == 1 else image * left


DECAY = Stage("decay", "operator", _draw_decay, _decay, noisy=False)
"""Decay left in the raw image: a constant for the time from injection to TimeZero, or in each frame its own where it is not corrected."""


def _draw_fault(forward: Forward, parameters: PetParameters, *, rng: np.random.Generator) -> Recipe:
    fault, tracer = FAULTS[parameters.fault], TRACERS.get(parameters.tracer)
    frames = forward.clean.clock
    on_base = Frames(frames.durations, frames.start - time_base(parameters, frames).zero)
    factors = fault.image(on_base, tracer.decay, tracer.radionuclide)
    return {"fault": parameters.fault, "factors": factors, "mirrored": fault.mirrored, "decay": tracer.decay}


def _fault(image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: None) -> npt.NDArray:
    factor = np.float32(recipe["factors"][v])
    image = image if factor == 1 else image * factor
    return image[::-1] if recipe["mirrored"] else image


def _tell(companions: tuple[Companion, ...], forward: Forward, recipe: Recipe) -> tuple[Companion, ...]:
    if recipe["fault"] == "none":
        return companions
    blood = tuple(table for table in companions if is_blood(table))
    others = tuple(table for table in companions if not is_blood(table))
    return (*others, *FAULTS[recipe["fault"]].tables(blood, recipe["decay"]))


FAULT = Stage("fault", "operator", _draw_fault, _fault, noisy=False, tell=_tell)
"""The deliberate mistake in image and blood files; those in the sidecar are made with it."""
