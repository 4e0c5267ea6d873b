"""What lies between the brain's potentials and the samples of an EEG file, and comes from the eyes: blinks.

The stage is small: a map (one number a channel) times a course (made again from a few numbers).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.clocks import Clock
from fakeimaging.modalities.electro.lead_field import electric
from fakeimaging.modalities.layers import Forward, Recipe, Stage

EYES = np.array([[-33.0, 58.0, -38.0], [33.0, 58.0, -38.0]])
"""Middle of the eyeballs, MNI152 mm (assumed: read off the template's T1w)."""
UPWARD = (0.0, 0.55, 0.83)
"""Direction of the field that a closing lid makes: the lid carries the cornea's positive charge up the forehead (assumed)."""
CLOSING = 0.4
"""Share of a blink until the lid is down: it closes faster than it opens (assumed)."""


def _names(forward: Forward) -> list[str]:
    return [channel.name for channel in forward.clean.channels]


def blink_map(names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the potential of a blink at electrodes, relative to the mean of Fp1 and Fp2, shape (n,).

    The field of two equal dipoles in the eyeballs in a homogeneous conductor, V = p . d / |d|^3 (Malmivuo and Plonsey 1995,
    Bioelectromagnetism, chapter 28, for the corneo-retinal dipole).
    """
    field = electric()
    direction = np.array(UPWARD) / np.linalg.norm(UPWARD)
    away = field.electrodes[:, None, :].astype(np.float64) - EYES
    potential = (away @ direction / np.linalg.norm(away, axis=2) ** 3).sum(axis=1)
    return np.asarray(potential[field.rows(names)] / potential[field.rows(["Fp1", "Fp2"])].mean())


def blink_course(
    clock: Clock, onsets: npt.ArrayLike, durations: npt.ArrayLike, strengths: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Return the time course of blinks, 1 at the peak of one of strength 1, shape (clock.n,): raised cosines down and up.

    Examples
    --------
    >>> blink_course(Clock(0.0, 0.1, 6), [0.1], [0.25], [2.0]).round(3)
    array([0. , 0. , 2. , 0.5, 0. , 0. ])
    """
    course = np.zeros(clock.n)
    for onset, duration, strength in np.broadcast(onsets, durations, strengths):
        first, last = clock.index(onset), clock.index(onset + duration)
        passed = (clock.start + clock.step * np.arange(first, last) - onset) / duration
        phase = np.where(passed < CLOSING, passed / CLOSING, (1 - passed) / (1 - CLOSING))
        course[first:last] += strength * np.sin(np.pi / 2 * phase) ** 2
    return course


def _draw_blinks(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    return {"map": parameters.blink_amplitude * blink_map(_names(forward))}


def _blinks(forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    body = forward.context["physiology"]
    course = blink_course(forward.clean.part(v), body.blink_onsets, body.blink_durations, body.blink_strengths)
    return np.outer(recipe["map"], course).astype(np.float32)


BLINKS = Stage("blinks", "additive", _draw_blinks, _blinks)
"""Blinks of the run's physiology: one map, largest at Fp1 and Fp2, times one course."""
