"""The heart: its electric and magnetic field in the head, and the pulse artefact of an EEG inside an MR scanner.

The heart is one current dipole in the chest, whose course is the electrocardiogram of the run's beats. From there the head sees little
more than an even gradient. Coils see q x (r - r0) / |r - r0|^3, about 100 fT/cm in gradiometers (Jousmaki and Hari 1996).

Each beat also nudges the head. A conductor that turns by w in a field B has E = (w x r) x B = (w . B) r - w (r . B) in it, and in a sphere

    phi(r) = E0 . r + r' S r / 2,   S the symmetric part of dE/dr, r from its middle

balances it (Yan et al. 2010: turning about the left-right axis explains most). It comes about 0.2 s after the R peak.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.citations import Reference
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.core.spaces import apply_affine
from fakeimaging.modalities.electro.auxiliary import on_channels
from fakeimaging.modalities.electro.dipoles import free_field_map, native_dipoles, term, together
from fakeimaging.modalities.electro.lead_field import electric, native_electrodes, to_native
from fakeimaging.modalities.layers import Factors, Forward, Recipe, Stage

Floats = npt.NDArray[np.float64]
Signal = npt.NDArray[np.float32]

HEART = (-30.0, 20.0, -380.0)
"""Middle of the heart, template mm: to the left, 370 mm below the middle of the head (assumed)."""
AXIS = (-0.5, 0.1, -0.85)
"""Mean electrical axis: to the left and down, 60 deg below the horizontal (assumed; normal hearts have 0 to 90)."""
MOMENT = 1.0
"""Am of the R wave per V that it makes in the head: 5e-6 Am for 5 uV (assumed; 1 to 2 pT, and 130 fT/cm as measured)."""
MIDDLE, NECK = (0.0, -20.0, 0.0), (0.0, -30.0, -90.0)
"""Middle of the head and the joint about which it turns, template mm (assumed)."""
TURNS = {"nod": ((1.0, 0.0, 0.0), 1.0), "tilt": ((0.0, 1.0, 0.0), 0.35), "shake": ((0.0, 0.0, 1.0), 0.35)}
"""Axes of the head's turns with each beat, and how fast relative to nodding (assumed)."""
NUDGES = {
    "nod": ((1.0, 0.21, 0.045), (-0.9, 0.33, 0.06), (0.35, 0.48, 0.07)),
    "tilt": ((1.0, 0.25, 0.05), (-0.7, 0.38, 0.07)),
    "shake": ((1.0, 0.29, 0.06), (-0.7, 0.44, 0.08)),
}
"""Course of each: size, delay after the R peak in s and SD in s of its Gaussians (assumed; 0.15 to 0.5 s, Ertl et al. 2010)."""
SIZE_SPREAD, DELAY_SD = 0.2, 0.01
"""From beat to beat: SD of the logarithm of each turn's size, and of the delay in s (assumed)."""
TESLA = 3.0
"""Field for which the size of the pulse artefact is given."""
REFERENCES = (
    Reference("McSharry et al.", 2003, "10.1109/TBME.2003.808805", "electrocardiogram"),
    Reference("Jousmaki and Hari", 1996, "10.1097/00004691-199603000-00008", "the heart in MEG"),
    Reference("Yan et al.", 2010, "10.1002/hbm.20891", "pulse artefact"),
    Reference("Ertl et al.", 2010, "10.1016/j.jneumeth.2009.11.009", "when the pulse artefact comes"),
)


class HeartParameters(Parameters):
    """What the heart makes."""

    heart_amplitude: float = parameter(
        5e-6,
        unit="V",
        bounds=(0, 1e-3),
        description="of an R wave where the head sees most of it, against the head's mean",
    )
    ecg_amplitude: float = parameter(1e-3, unit="V", bounds=(0, 1e-2), description="of an R wave in the channel ECG")


class PulseParameters(Parameters):
    """What its beats make in an EEG inside an MR scanner."""

    pulse_amplitude: float = parameter(
        1e-4,
        unit="V",
        bounds=(0, 1e-2),
        source="Yan et al. 2010, doi:10.1002/hbm.20891 (200 uV and more at 3 T)",
        description="of the pulse artefact inside a scanner of 3 T where it is largest; it grows with the field",
    )


def heart_map(forward: Forward, amplitude: float) -> Floats:
    """Return what the heart makes at an R peak in every channel of the head, in its unit, shape (n_channels,).

    Parameters
    ----------
    forward : Forward
    amplitude : float
        V, of the largest potential over the whole head (335 electrodes) against the mean.
    """
    point, unit = native_dipoles(forward, HEART, AXIS)
    head = together(native_electrodes(forward.context["subject"], electric().channels), point, unit)
    mean, largest = head.mean(), np.abs(head - head.mean()).max()
    potentials = on_channels(forward, lambda places: (together(places, point, unit) - mean) * (amplitude / largest))
    return potentials[:, 0] + free_field_map(forward, point[0], MOMENT * amplitude * unit[0])


def _draw_heart(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    made = heart_map(forward, parameters.heart_amplitude)
    made[forward.clean.rows("ECG")] = parameters.ecg_amplitude
    return {"map": made}


def _heart(forward: Forward, recipe: Recipe, v: int, *, rng: None) -> Factors:
    course = forward.context["physiology"].ecg(forward.clean.part(v).times)
    return term(np.asarray(recipe["map"])[:, None], course[None])


HEART_FIELD = Stage("heart", "additive", _draw_heart, _heart, noisy=False)
"""The heart of the run's physiology: one map, of which ECG channels have the most, times the electrocardiogram."""


def turning_potential(
    places: npt.ArrayLike, turn: npt.ArrayLike, field: npt.ArrayLike, *, middle: Floats, pivot: Floats
) -> Floats:
    """Return the potential in a sphere that turns in a magnetic field, shape (n,), in V.

    Parameters
    ----------
    places : array_like, shape (n, 3)
        mm.
    turn : array_like, shape (3,)
        Angular velocity, rad/s.
    field : array_like, shape (3,)
        T.
    middle, pivot : ndarray, shape (3,)
        Of the sphere, and what stays in place, mm.

    Examples
    --------
    >>> turning_potential([[80, 0, 60]], [0.01, 0, 0], [0, 0, 3], middle=np.zeros(3), pivot=np.zeros(3)).round(8).tolist()
    [-7.2e-05]
    """
    w, b = np.asarray(turn, dtype=float), np.asarray(field, dtype=float)
    slope = (w @ b) * np.eye(3) - np.outer(w, b)
    r = 1e-3 * (np.asarray(places, dtype=float) - middle)
    at_middle = slope @ (1e-3 * (middle - pivot))
    return np.asarray(r @ at_middle + 0.25 * np.einsum("ni,ij,nj->n", r, slope + slope.T, r))


def turning_maps(forward: Forward, places: Floats) -> Floats:
    """Return the potentials of `TURNS` at places (native mm), each at its share of 1 rad/s in 1 T along z, shape (n, 3)."""
    affine = to_native(forward.context["subject"])
    middle, pivot = apply_affine(affine, np.array([MIDDLE, NECK]))
    return np.stack(
        [
            turning_potential(places, share * np.array(axis), (0, 0, 1), middle=middle, pivot=pivot)
            for axis, share in TURNS.values()
        ],
        axis=1,
    )


def _draw_pulse(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    n = len(forward.context["physiology"].beats)
    sizes = np.exp(SIZE_SPREAD * rng.standard_normal((n, len(TURNS))))
    shifts = DELAY_SD * rng.standard_normal(n)
    tesla = 0.0 if parameters.scanner == "none" else float(parameters.scanner)
    head = turning_maps(forward, native_electrodes(forward.context["subject"], electric().channels))[:, 0]
    volts = parameters.pulse_amplitude * tesla / TESLA
    speed = volts / np.abs(head - head.mean()).max()
    maps = on_channels(forward, lambda places: speed * turning_maps(forward, places))
    return {"maps": maps, "sizes": sizes, "shifts": shifts, "speed": speed / tesla if tesla else 0.0}


def pulse_courses(times: Floats, beats: Floats, sizes: Floats, shifts: Floats) -> Floats:
    """Return how fast the head turns with each beat, shape (3, n): `TURNS` in order, about 1 at the first peak of a beat of size 1.

    Parameters
    ----------
    times : ndarray, shape (n,)
        s, ascending.
    beats, shifts : ndarray, shape (n_beats,)
        R peaks, and how much later than usual each turn comes, s.
    sizes : ndarray, shape (n_beats, 3)
    """
    courses = np.zeros((len(NUDGES), len(times)))
    for k in np.flatnonzero((beats > times[0] - 1.0) & (beats < times[-1] + 0.1)):
        for turn, gaussians in enumerate(NUDGES.values()):
            for size, delay, sd in gaussians:
                middle = beats[k] + delay + shifts[k]
                inside = slice(*np.searchsorted(times, (middle - 4 * sd, middle + 4 * sd)))
                courses[turn, inside] += size * sizes[k, turn] * np.exp(-0.5 * ((times[inside] - middle) / sd) ** 2)
    return courses


def _pulse(forward: Forward, recipe: Recipe, v: int, *, rng: None) -> Factors | None:
    clock = forward.clean.part(v)
    if not np.any(recipe["maps"]):
        return None
    beats = forward.context["physiology"].beats
    return term(
        recipe["maps"], pulse_courses(clock.times, beats, np.asarray(recipe["sizes"]), np.asarray(recipe["shifts"]))
    )


PULSE = Stage("pulse", "additive", _draw_pulse, _pulse, noisy=False)
"""Pulse artefact inside a scanner: maps of three turns of the head (columns) times their courses, each beat of its own size and delay.

``speed`` is the peak of nodding in rad/s. Needs ``scanner``: "none" or the field in T.
"""
