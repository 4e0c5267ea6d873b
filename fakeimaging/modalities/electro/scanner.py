"""EEG inside an MR scanner: what the switched gradients induce in the leads, and when the volumes begin.

    V_i(t) = sum_k M_ik dG_k/dt

For a round head at the isocentre and leads that run along meridians to the top of the cap, the vector potential of each
gradient has no part along the head's normal, so no charge gathers and the voltage is its integral along the lead (Yan et al. 2009,
doi:10.1016/j.neuroimage.2009.01.029): with R the distance from the head's centre, M_x = -R^2 y / 3, M_y = R^2 x / 3, M_z = 0; a lead
that turns by an angle d to the side adds M_z = z (x^2 + y^2) d / 2. Gradients follow one echo-planar slice after the other; the
amplifier's low-pass leaves harmonics of the slice rate. The scanner's clock may run at another pace than the amplifier's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.clocks import Clock
from fakeimaging.core.spaces import apply_affine
from fakeimaging.modalities.electro.lead_field import to_native
from fakeimaging.modalities.layers import Companion, Factors, Forward, Recipe, Stage
from fakeimaging.structure.head import template_head

Floats = npt.NDArray[np.float64]

TURN = 0.2
"""rad, SD of how far a lead turns to the side (assumed)."""
UNEVEN = 0.1
"""SD of each lead's factor in the transverse gradients (assumed)."""
POLES = 5
"""Of the amplifier's low-pass: 30 dB an octave, Butterworth (assumed)."""
TABLE = 2**15
"""Points of one slice's waveform, between which it is linear: below 1e-4 of its highest harmonic."""
RAMP = 2e-4
"""s in which a gradient reaches its level (assumed)."""
LINES, ECHO_SPACING = 64, 5e-4
"""Of the echo-planar readout, and s from one line to the next (assumed)."""
Block = tuple[float, float, float]
SEQUENCE: dict[int, tuple[Block, ...]] = {
    0: ((8.5e-3, 1.2e-3, -0.02),),
    1: ((8.5e-3, 1.2e-3, 0.02),),
    2: ((1e-3, 2.5e-3, 0.02), (4.5e-3, 2.6e-3, 0.012), (7.3e-3, 1.3e-3, -0.012), (43e-3, 3e-3, 0.02)),
}
"""Start (s after the slice's), length (s) and level (T/m) of the trapezoids along x, y, z beside the readout (assumed).

Fat saturation's spoiler, slice selection and its return, dephasing before the readout, spoiler at the end.
"""
READOUT, LEVEL, BLIP = 10e-3, 0.02, 0.004
"""s after the slice's start, T/m of the lines along x and of the blips along y (assumed)."""
LENGTH = 47e-3
"""s that a slice takes; where slices follow faster, all of it is that much shorter."""
MILLI, PER_MILLION = 1e-3, 1e-6


def inside_scanner(parameters: Any) -> bool:
    """Tell whether the recording is made inside an MR scanner."""
    return parameters.scanner != "none"


def volume_onsets(parameters: Any, duration: float) -> Floats:
    """Return when volumes begin on the amplifier's clock in s; whole ones only, none outside a scanner."""
    if not inside_scanner(parameters):
        return np.zeros(0)
    pace = 1 + PER_MILLION * parameters.scanner_clock_drift
    n = int(np.floor(duration * pace / parameters.scanner_tr + 1e-9))
    return parameters.scanner_tr * np.arange(n) / pace


def slopes(slice_time: float) -> list[list[Block]]:
    """Return where the gradients along x, y and z rise and fall within a slice: start and end in s, slope in T/m/s."""
    blocks = {axis: list(SEQUENCE[axis]) for axis in range(3)}
    for line in range(LINES):
        start = READOUT + line * ECHO_SPACING
        blocks[0].append((start, ECHO_SPACING, LEVEL * (-1) ** line))
        blocks[1].append((start - RAMP, 2 * RAMP, -BLIP))
    squeezed = min(1.0, slice_time / LENGTH)
    return [
        [
            (squeezed * a, squeezed * (a + RAMP), sign * level / (squeezed * RAMP))
            for start, length, level in blocks[axis]
            for a, sign in ((start, 1), (start + length - RAMP, -1))
        ]
        for axis in range(3)
    ]


def low_pass(frequencies: Floats, cutoff: float) -> npt.NDArray[np.complex128]:
    """Return the response of the amplifier's Butterworth low-pass; half of the power is left at the cutoff."""
    poles = np.exp(1j * np.pi * (2 * np.arange(POLES) + POLES + 1) / (2 * POLES))
    return np.asarray(np.prod(-poles[:, None] / (1j * frequencies / cutoff - poles[:, None]), axis=0))


@lru_cache(maxsize=4)
def slice_waveform(slice_time: float, rate: float, cutoff: float) -> Floats:
    """Return dG/dt of x, y and z from the start of one slice to that of the next as the amplifier passes it, T/m/s, shape (3, TABLE + 1).

    The Fourier series of the slopes is exact; harmonics from half the sampling rate on are left out, as decimation does.
    """
    harmonics = np.arange(1, max(1, int(np.ceil(slice_time * rate / 2))))
    spectrum = np.zeros((3, TABLE // 2 + 1), dtype=np.complex128)
    angle = -2j * np.pi * harmonics / slice_time
    passed = low_pass(harmonics / slice_time, cutoff)
    for axis, pieces in enumerate(slopes(slice_time)):
        a, b, slope = np.array(pieces).T
        edges = np.exp(np.outer(angle, b)) - np.exp(np.outer(angle, a))
        spectrum[axis, harmonics] = passed * (edges @ slope) / (angle * slice_time)
    wave = np.fft.irfft(spectrum * TABLE, TABLE, axis=1)
    return frozen(np.concatenate([wave, wave[:, :1]], axis=1))


def lead_map(places: Floats, turns: Floats) -> Floats:
    """Return what 1 T/m/s of each gradient makes in each lead in V, shape (n, 3).

    Parameters
    ----------
    places : ndarray, shape (n, 3)
        Metres from the head's centre along the scanner's axes, z along the field.
    turns : ndarray, shape (n,)
        rad, how far each lead turns to the side.
    """
    x, y, z = places.T
    square = (places**2).sum(axis=1)
    return np.stack([-square * y / 3, square * x / 3, z * (x**2 + y**2) * turns / 2], axis=1)


def _draw(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    rows, n = forward.clean.rows("EEG"), len(forward.clean.channels)
    turns, uneven = TURN * rng.standard_normal(n), np.exp(UNEVEN * rng.standard_normal((n, 2)))
    maps = np.zeros((n, 3))
    if inside_scanner(parameters):
        centre = apply_affine(to_native(forward.context["subject"]), template_head().centre)
        places = MILLI * (forward.context["sensors"].positions[rows] - centre)
        maps[rows] = lead_map(places, turns[rows]) * np.column_stack([uneven, np.ones(n)])[rows]
    clock = forward.clean.clock
    return {
        "maps": maps,
        "tr": parameters.scanner_tr,
        "slices": parameters.scanner_slices,
        "pace": 1 + PER_MILLION * parameters.scanner_clock_drift,
        "low_pass": parameters.scanner_low_pass,
        "n_volumes": len(volume_onsets(parameters, clock.n * clock.step)),
    }


def gradient_courses(clock: Clock, recipe: Recipe) -> Floats:
    """Return dG/dt of x, y and z at the samples of a clock, T/m/s, shape (3, clock.n)."""
    slice_time, rate = recipe["tr"] / recipe["slices"], clock.rate
    table = slice_waveform(slice_time, rate, recipe["low_pass"])
    passed = clock.times * recipe["pace"]
    scans = (passed >= -1e-9) & (passed < recipe["n_volumes"] * recipe["tr"] - 1e-9)
    place = np.mod(passed / slice_time, 1.0) * TABLE
    first = np.minimum(place.astype(np.intp), TABLE - 1)
    return np.asarray(scans * (table[:, first] + (place - first) * (table[:, first + 1] - table[:, first])))


def _act(forward: Forward, recipe: Recipe, v: int, *, rng: None) -> Factors | None:
    clock = forward.clean.part(v)
    if not recipe["n_volumes"]:
        return None
    return Factors(np.asarray(recipe["maps"]), gradient_courses(clock, recipe))


def _tell(companions: tuple[Companion, ...], forward: Forward, recipe: Recipe) -> tuple[Companion, ...]:
    onsets = recipe["tr"] * np.arange(recipe["n_volumes"]) / recipe["pace"]
    rows = [(float(onset), 0.0, "volume") for onset in onsets]
    about = {"Description": "starts of the scanner's volumes on the amplifier's clock"}
    table = Companion("desc-volumes_events", ("onset", "duration", "trial_type"), rows, about, truth=True)
    return (*companions, table) if rows else companions


GRADIENT = Stage("gradient", "additive", _draw, _act, tell=_tell, noisy=False)
"""Artefact of the switched gradients.

Needs ``scanner``, ``scanner_tr``, ``scanner_slices``, ``scanner_low_pass`` and ``scanner_clock_drift``."""
