"""What lies between the brain's potentials and the samples of an EEG file: electrode noise, blinks, mains hum, reference, rounding.

Each additive stage is small: maps (one number a channel) times courses (made again from a few numbers).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.clocks import Clock
from fakeimaging.modalities.electro.lead_field import electric
from fakeimaging.modalities.layers import Forward, Recipe, Stage

UNEVEN = 0.3
"""SD of the logarithm of the electrodes' noise: no two have the same contact (assumed)."""
EYES = np.array([[-33.0, 58.0, -38.0], [33.0, 58.0, -38.0]])
"""Middle of the eyeballs, MNI152 mm (assumed: read off the template's T1w)."""
UPWARD = (0.0, 0.55, 0.83)
"""Direction of the field that a closing lid makes: the lid carries the cornea's positive charge up the forehead (assumed)."""
CLOSING = 0.4
"""Share of a blink until the lid is down: it closes faster than it opens (assumed)."""
HARMONICS = {1: 1.0, 3: 0.3, 5: 0.1}
"""Size of the mains' odd harmonics (assumed)."""
MAINS_SPREAD = 0.5
"""SD of the logarithm of each channel's gain for mains, and of its phase in rad (assumed)."""
MAINS_SD = 0.02
"""Hz, SD of the mains' frequency about its nominal one (assumed: European grids keep within 0.05 Hz nearly always)."""
LARGEST = 32_767
"""Steps of an int16."""


def _names(forward: Forward) -> list[str]:
    return [channel.name for channel in forward.clean.channels]


def _draw_sensor(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    spread = np.exp(UNEVEN * rng.standard_normal(len(forward.clean.channels)))
    return {"white": parameters.amplifier_noise, "electrode": parameters.electrode_noise * spread}


def _sensor(forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Gaussian noise of the density sqrt(white^2 + electrode^2 / f) from the first frequency that fits the recording."""
    clock: Clock = forward.clean.part(v)
    frequencies = np.fft.rfftfreq(clock.n, clock.step)
    electrode = np.asarray(recipe["electrode"])
    terms = np.empty((len(electrode), clock.n), dtype=np.float32)
    for channel, level in enumerate(electrode):
        density = np.zeros(len(frequencies))
        density[1:] = np.sqrt(recipe["white"] ** 2 + level**2 / frequencies[1:])
        spectrum = rng.standard_normal((len(frequencies), 2)).view(np.complex128)[:, 0]
        spectrum *= density * np.sqrt(clock.rate * clock.n / 4)
        terms[channel] = np.fft.irfft(spectrum, clock.n)
    return terms


SENSOR = Stage("sensor", "additive", _draw_sensor, _sensor)
"""Noise of amplifier (white) and electrode contact (1/f in power, of its own size for each electrode)."""


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


def _draw_line(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    n_channels = len(forward.clean.channels)
    frequency = parameters.line_frequency + MAINS_SD * float(rng.standard_normal())
    gains = np.exp(MAINS_SPREAD * rng.standard_normal(n_channels))
    common = rng.uniform(0, 2 * np.pi, len(HARMONICS))
    own = MAINS_SPREAD * rng.standard_normal((n_channels, len(HARMONICS)))
    sizes = np.sqrt(2) * parameters.line_amplitude * np.outer(gains, list(HARMONICS.values()))
    return {"frequency": frequency, "sizes": sizes, "phases": common + own}


def _line(forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    clock: Clock = forward.clean.part(v)
    total = np.zeros((len(forward.clean.channels), clock.n), dtype=np.float32)
    for column, harmonic in enumerate(HARMONICS):
        if harmonic * recipe["frequency"] >= clock.rate / 2:
            break
        angle = 2 * np.pi * harmonic * recipe["frequency"] * clock.times
        size, phase = np.asarray(recipe["sizes"])[:, column], np.asarray(recipe["phases"])[:, column]
        maps = np.stack([size * np.cos(phase), -size * np.sin(phase)], axis=1)
        total += (maps @ np.stack([np.cos(angle), np.sin(angle)])).astype(np.float32)
    return total


LINE = Stage("line", "additive", _draw_line, _line)
"""Mains hum and its odd harmonics below half the sampling rate; each channel has its own gain and phase."""


def _draw_reference(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    return {"reference": parameters.reference}


def _refer(
    signal: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    chosen = recipe["reference"]
    where = slice(None) if chosen == "average" else [_names(forward).index(chosen)]
    return (signal - signal[where].mean(axis=0, dtype=np.float64)).astype(np.float32)


REFERENCE_ELECTRODE = Stage("reference", "operator", _draw_reference, _refer)
"""Potentials against the mean of all channels, or against one of them, which is then 0."""


def _draw_quantisation(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    return {"resolution": forward.clean.resolution}


def _quantise(
    signal: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    step = np.float32(recipe["resolution"])
    return np.clip(np.rint(signal / step), -LARGEST, LARGEST) * step


QUANTISATION = Stage("quantisation", "operator", _draw_quantisation, _quantise)
"""Rounding to whole steps of the stored int16; what lies beyond is clipped, as an amplifier does."""
