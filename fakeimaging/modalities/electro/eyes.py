"""Eyes: the potential between cornea and retina, which blinks short-circuit upward and saccades turn.

Each eyeball is a current dipole (Malmivuo and Plonsey 1995, Bioelectromagnetism, chapter 28). A falling lid adds one upward; gaze (a, b)
in deg to the right and up adds p (sin a, 0, sin b), so that electrodes on the side looked to become positive. As a saccade
begins the muscles of the eye fire together: the spike potential, one cycle of 22 ms (Keren et al. 2010). Coils see the same moments.
Contacts inside the skull see a few microvolts at most and are left out: the medium's formula does not hold for what lies behind bone.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fakeimaging.core.citations import Reference
from fakeimaging.core.clocks import Clock
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.modalities.electro.auxiliary import native_pair
from fakeimaging.modalities.electro.dipoles import field_maps, native_dipoles, potential_map, term, together
from fakeimaging.modalities.electro.lead_field import native_electrodes
from fakeimaging.modalities.layers import Factors, Forward, Recipe, Stage

Floats = npt.NDArray[np.float64]
Signal = npt.NDArray[np.float32]
Vector = tuple[float, float, float]

EYES = ((-33.0, 58.0, -38.0), (33.0, 58.0, -38.0))
"""Middle of the eyeballs, MNI152 mm (assumed: read off the template's T1w)."""
LID, RIGHT, UP, BACK = (0.0, 0.55, 0.83), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0)
"""Directions: of what a falling lid adds, which carries the cornea's charge up the forehead; of gaze; of the spike (assumed)."""
CLOSING = 0.4
"""Share of a blink until the lid is down: it closes faster than it opens (assumed)."""
SEEN_BY_COILS = 0.025
"""Moment that coils see over the one that would make the potentials in an endless medium: skin is a thin sheet between bone and air, in
which weaker currents make them (assumed; blinks of 0.5 to 2 pT)."""
SPIKE_DURATION = 0.022
"""s from the start of the saccade (Keren et al. 2010)."""
SPIKE_OF, SPIKE_POWER = 5.0, 0.5
"""deg of the saccade whose spike has the size asked for, and how spikes grow with saccades (assumed: larger ones have larger spikes)."""
REFERENCES = (Reference("Keren et al.", 2010, "10.1016/j.neuroimage.2009.10.057", "spike potential of saccades"),)


class EyeParameters(Parameters):
    """What eyes make."""

    blink_amplitude: float = parameter(
        3e-4,
        unit="V",
        bounds=(0, 2e-3),
        description="of a blink of strength 1, mean of Fp1 and Fp2, before the reference",
    )
    gaze_amplitude: float = parameter(
        1.6e-5,
        unit="V/deg",
        bounds=(0, 1e-4),
        source="Malmivuo and Plonsey 1995, chapter 28",
        description="between the outer corners of the eyes, per degree to the side",
    )
    spike_amplitude: float = parameter(
        5e-6,
        unit="V",
        bounds=(0, 1e-3),
        description="of the spike potential of a saccade of 5 degrees, mean of Fp1 and Fp2",
    )


def eye_moment(forward: Forward, direction: Vector, *, at: Literal["forehead", "canthi"], size: float) -> float:
    """Return the moment of each eye, Am, that makes a potential in an endless medium.

    Parameters
    ----------
    forward : Forward
    direction : (x, y, z)
        Of the dipoles, in the template.
    at : {"forehead", "canthi"}
        Mean of Fp1 and Fp2, or between the outer corners of the eyes.
    size : float
        V; its sign does not count.
    """
    points, unit = native_dipoles(forward, EYES, [direction, direction])
    if at == "forehead":
        made = together(native_electrodes(forward.context["subject"], ["Fp1", "Fp2"]), points, unit).mean()
    else:
        made = np.diff(together(native_pair(forward, "HEOG"), points, unit)[:, 0])[0]
    return float(size / abs(made))


def eye_map(forward: Forward, direction: Vector, moment: float) -> Floats:
    """Return what both eyes' dipoles along a direction make in every channel, in its unit, shape (n_channels,)."""
    points, unit = native_dipoles(forward, EYES, [direction, direction])
    fields = field_maps(forward, points, SEEN_BY_COILS * moment * unit).sum(axis=1)
    return potential_map(forward, points, moment * unit) + fields


def blink_course(clock: Clock, onsets: npt.ArrayLike, durations: npt.ArrayLike, strengths: npt.ArrayLike) -> Floats:
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


def spike_course(clock: Clock, onsets: npt.ArrayLike, amplitudes: npt.ArrayLike) -> Floats:
    """Return the spikes of saccades, 1 at the peaks of one of `SPIKE_OF` degrees, mean over each sample's interval, shape (clock.n,)."""
    course = np.zeros(clock.n)
    strengths = (np.asarray(amplitudes) / SPIKE_OF) ** SPIKE_POWER
    for onset, strength in np.broadcast(onsets, strengths):
        first, last = max(0, clock.index(onset) - 1), clock.index(onset + SPIKE_DURATION)
        edges = clock.start + clock.step * np.arange(first, last + 1) - onset
        passed = np.clip(edges / SPIKE_DURATION, 0.0, 1.0)
        area = -np.cos(2 * np.pi * passed) * SPIKE_DURATION / (2 * np.pi)
        course[first:last] += strength * np.diff(area) / clock.step
    return course


def _draw_blinks(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    return {"map": eye_map(forward, LID, eye_moment(forward, LID, at="forehead", size=parameters.blink_amplitude))}


def _blinks(forward: Forward, recipe: Recipe, v: int, *, rng: None) -> Factors:
    body, clock = forward.context["physiology"], forward.clean.part(v)
    ends = body.blink_onsets + body.blink_durations
    near = (ends > clock.start) & (body.blink_onsets < clock.stop)
    of_part = (body.blink_onsets[near], body.blink_durations[near], body.blink_strengths[near])
    return term(np.asarray(recipe["map"])[:, None], [blink_course(clock, *of_part)])


BLINKS = Stage("blinks", "additive", _draw_blinks, _blinks, noisy=False)
"""Blinks of the run's physiology: one map, largest at Fp1 and Fp2, times one course."""


def _draw_saccades(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    cornea = eye_moment(forward, RIGHT, at="canthi", size=parameters.gaze_amplitude)
    muscles = eye_moment(forward, BACK, at="forehead", size=parameters.spike_amplitude)
    columns = ((RIGHT, cornea), (UP, cornea), (BACK, muscles))
    return {"maps": np.stack([eye_map(forward, direction, moment) for direction, moment in columns], axis=1)}


def _saccades(forward: Forward, recipe: Recipe, v: int, *, rng: None) -> Factors:
    saccades, clock = forward.context["physiology"].saccades, forward.clean.part(v)
    turned = np.degrees(np.sin(np.radians(saccades.gaze(clock.times))))
    near = (saccades.onsets > clock.start - SPIKE_DURATION) & (saccades.onsets < clock.stop)
    spikes = spike_course(clock, saccades.onsets[near], saccades.amplitudes[near])
    return term(recipe["maps"], [*turned, spikes])


SACCADES = Stage("saccades", "additive", _draw_saccades, _saccades, noisy=False)
"""Gaze of the run's physiology: maps of one degree to the right and up and of the spike (columns), times their courses."""
