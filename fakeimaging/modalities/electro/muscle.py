"""Muscles of scalp, jaw and neck: broad noise from 20 to 300 Hz over the temples, the forehead and the back of the head.

    S(f) ~ fh^4 f^2 / ((f^2 + fl^2) (f^2 + fh^2)^2)

is the usual form of the spectrum of surface electromyograms (after Shwedyk et al. 1977, IEEE Trans Biomed Eng 24:417), largest
near 65 Hz. Each muscle has two pools of fibres on either side at most, each with noise of its own and a map that falls off around its
place; its level is a tone that never ends plus the bursts of the run's physiology. Above half the sampling rate nothing is recorded:
at 250 Hz two thirds of the power are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.physiology import MUSCLES
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.modalities.electro.auxiliary import on_channels
from fakeimaging.modalities.electro.dipoles import field_maps, native_dipoles, term
from fakeimaging.modalities.electro.lead_field import electric, native_electrodes
from fakeimaging.modalities.layers import Factors, Forward, Recipe, Stage
from fakeimaging.modalities.normals import normals

Floats = npt.NDArray[np.float64]
Signal = npt.NDArray[np.float32]

POOLS = {
    "FT9": ("temporalis", 0), "FT10": ("temporalis", 1), "T7": ("temporalis", 0), "T8": ("temporalis", 1),
    "AF7": ("frontalis", 0), "AF8": ("frontalis", 1), "PO9": ("neck", 0), "PO10": ("neck", 1),
}  # fmt: skip
"""Pools of fibres by the electrode that lies on them: muscle, and 0 for left or 1 for right (assumed)."""
WIDTH = 27.0
"""mm, SD of the Gaussian with which potentials fall off around a pool (assumed)."""
LOW, HIGH = 60.0, 120.0
"""Hz: fl and fh (assumed: a peak between 60 and 100 Hz)."""
SPAN = 0.1
"""s, half length of the filter that gives noise its spectrum."""
TONE_SPREAD = 0.5
"""SD of the logarithm of the tone of pools (assumed: people clench one side)."""
MOMENT = 4e-4
"""Am per V over the pool (assumed; half a picotesla beside a clenched jaw)."""
FIBRES = (0.0, 0.0, -1.0)
"""Direction of fibres and so of dipoles, roughly: down the temple, the forehead and the neck."""


class MuscleParameters(Parameters):
    """What muscles make."""

    muscle_amplitude: float = parameter(
        3e-5, unit="V", bounds=(0, 1e-3), description="of a usual burst over the muscle, rms over all frequencies"
    )
    muscle_tone: float = parameter(
        0.05,
        unit="1",
        bounds=(0, 1),
        description="level between bursts over that of a usual burst, median over muscles",
    )


def muscle_maps(forward: Forward, amplitude: float) -> Floats:
    """Return what a pool makes in every channel when it has ``amplitude`` (V) above itself, shape (n_channels, n_pools)."""
    places = native_electrodes(forward.context["subject"], list(POOLS))

    def potential(there: Floats) -> Floats:
        distance = np.linalg.norm(there[:, None] - places, axis=2)
        return amplitude * np.exp(-0.5 * (distance / WIDTH) ** 2)

    template = electric().electrodes[electric().rows(list(POOLS))]
    _, fibres = native_dipoles(forward, template, np.tile(FIBRES, (len(POOLS), 1)))
    return on_channels(forward, potential) + field_maps(forward, places, MOMENT * amplitude * fibres)


def spectrum(frequencies: npt.ArrayLike) -> Floats:
    """Return the density of power at frequencies in Hz, of an electromyogram of unit variance, per Hz.

    Examples
    --------
    >>> f = np.arange(0.0, 5000.0, 0.5)
    >>> round(float(spectrum(f).sum() * 0.5), 3), float(f[spectrum(f).argmax()])
    (1.0, 65.5)
    """
    f = np.asarray(frequencies, dtype=float) ** 2
    # The integral from 0 to infinity, by residues.
    area = np.pi / (4 * HIGH * (LOW + HIGH) ** 2)
    return np.asarray(f / ((f + LOW**2) * (f + HIGH**2) ** 2) / area)


@lru_cache(maxsize=4)
def _filter(rate: float) -> Signal:
    """Return the filter that gives white noise the spectrum below half a rate."""
    half = round(SPAN * rate)
    n = 16 * (half + 1)
    density = np.sqrt(spectrum(np.fft.rfftfreq(n, 1 / rate)) * rate / 2)
    response = np.roll(np.fft.irfft(density, n), half)[: 2 * half + 1]
    return np.asarray(response * np.hanning(2 * half + 3)[1:-1], dtype=np.float32)


def muscle_noise(forward: Forward, n_rows: int, v: int, *, rng: Callable[[int], np.random.Generator]) -> Signal:
    """Return part v of independent electromyograms of unit variance (over all frequencies), shape (n_rows, n), without seams."""
    from scipy.fft import irfft, rfft

    series = forward.clean
    length, n, response = series.part(0).n, series.part(v).n, _filter(series.clock.rate)
    back = len(response) - 1
    white = np.zeros((n_rows, back + n), dtype=np.float32)
    white[:, back:] = normals((n_rows, length), rng=rng(v))[:, :n]
    # A part is as long as the filter remembers, but for the run's only one.
    white[:, :back] = normals((n_rows, max(length, back)), rng=rng(v - 1))[:, -back:] if back else 0
    size = _fast_length(back + n)
    joined = irfft(rfft(white, size) * rfft(response, size), size)
    return np.asarray(joined[:, back : back + n], dtype=np.float32)


def _fast_length(n: int) -> int:
    from scipy.fft import next_fast_len

    return int(next_fast_len(n, real=True))


def _draw(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    tones = parameters.muscle_tone * np.exp(TONE_SPREAD * rng.standard_normal(len(POOLS)))
    return {"maps": muscle_maps(forward, parameters.muscle_amplitude), "tones": tones}


def _act(forward: Forward, recipe: Recipe, v: int, *, rng: Callable[[int], np.random.Generator]) -> Factors:
    contraction = forward.context["physiology"].contraction(forward.clean.part(v).times)
    levels = np.stack([contraction[MUSCLES.index(muscle), side] for muscle, side in POOLS.values()])
    levels += np.asarray(recipe["tones"])[:, None]
    return term(recipe["maps"], muscle_noise(forward, len(POOLS), v, rng=rng) * levels.astype(np.float32))


MUSCLE = Stage("muscle", "additive", _draw, _act, any_part=True)
"""Muscles of the run's physiology: maps of the pools (columns) times noise of their own, as loud as they contract."""
