"""Heart beats from integral pulse frequency modulation, and the electrocardiogram that they make.

A beat comes whenever the integral of the heart rate passes a whole number. The rate follows breathing (respiratory sinus
arrhythmia), a 0.1 Hz Mayer wave and a slower wander. The electrocardiogram is a sum of Gaussians (McSharry et al. 2003, table I),
here in closed form:

    z(t) = sum_k sum_i z_i exp(-(t - t_k - d_i)^2 / (2 s_i^2)),   z_i ~ a_i b_i^2,   s_i = b_i sqrt(RR) / 2 pi

with the R peaks t_k, and the waves P, Q, R, S, T at d_i = theta_i RR^p / 2 pi, which move less than the beat as it gets longer.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.physiology.breathing import Breaths
from fakeimaging.activity.physiology.covered import steps
from fakeimaging.activity.physiology.parameters import PhysiologyParameters
from fakeimaging.core.streams import Streams

Floats = npt.NDArray[np.float64]

RATE_SHARES = {"breathing": 0.4, "mayer": 0.35, "slow": 0.25}
"""Shares of the variance of the heart rate (assumed)."""
MAYER = (0.1, 0.015)
"""Centre and SD in Hz of the frequencies of the Mayer wave (0.1 Hz: Julien 2006, doi:10.1016/j.cardiores.2005.11.008)."""
SLOW = (0.005, 0.04)
"""Hz, lowest and highest frequency of the heart rate's slow wander (the very low frequency band of heart rate variability)."""
WAVES = {
    "P": (-np.pi / 3, 1.2, 0.25, 0.75),
    "Q": (-np.pi / 12, -5.0, 0.1, 0.5),
    "R": (0.0, 30.0, 0.1, 0.5),
    "S": (np.pi / 12, -7.5, 0.1, 0.5),
    "T": (np.pi / 2, 0.75, 0.4, 0.75),
}
"""Angle theta, a, b and the power p of each wave (McSharry et al. 2003; powers as in the authors' ECGSYN)."""
CUT = 4.0
"""SDs beyond which a wave is 0."""
REACH = 2.0
"""s that a wave lies from its R peak at most, at the slowest rate."""
_RELATIVE = 1 / (WAVES["R"][1] * WAVES["R"][2] ** 2)
_RATE = 100.0


def draw_beats(duration: float, breaths: Breaths, parameters: PhysiologyParameters, streams: Streams) -> Floats:
    """Return the times of the R peaks in s."""
    times = steps(duration, _RATE)
    rng = streams.rng()
    first, mayer, slow = rng.random(), rng.normal(*MAYER, 12), rng.uniform(*SLOW, 12)
    belt = breaths.belt(times)
    waves = {
        "breathing": (belt - belt.mean()) / belt.std(),
        "mayer": _wave(times, mayer, 2 * np.pi * rng.random(12)),
        "slow": _wave(times, slow, 2 * np.pi * rng.random(12)),
    }
    relative = sum(np.sqrt(RATE_SHARES[name]) * wave for name, wave in waves.items())
    rate = parameters.heart_rate / 60 * np.maximum(1 + parameters.heart_rate_variability * relative, 0.3)
    passed = first + np.concatenate([[0.0], np.cumsum(rate[:-1] + rate[1:]) / 2]) / _RATE
    return np.asarray(np.interp(np.arange(1, int(passed[-1]) + 1), passed, times))


def _wave(times: Floats, frequencies: Floats, phases: Floats) -> Floats:
    """Sum of sinusoids with unit variance."""
    sines = np.zeros(len(times))
    for frequency, phase in zip(frequencies, phases, strict=True):
        sines += np.sin(2 * np.pi * frequency * times + phase)
    return sines * np.sqrt(2 / len(frequencies))


def ecg(times: npt.ArrayLike, beats: npt.ArrayLike) -> Floats:
    """Return the electrocardiogram of beats, the R wave by itself 1, shape (n,).

    Parameters
    ----------
    times : array_like, shape (n,)
        s, ascending.
    beats : array_like, shape (n_beats,)
        R peaks in s, ascending, at least two.

    Examples
    --------
    >>> ecg([0.7, 1.0, 1.25], [0.0, 1.0, 2.0]).round(2)
    array([0.  , 0.99, 0.4 ])
    """
    times, peaks = np.asarray(times, dtype=float), np.asarray(beats, dtype=float)
    course, longer = np.zeros(len(times)), np.diff(peaks, prepend=2 * peaks[0] - peaks[1])
    near = np.flatnonzero((peaks > times[0] - REACH) & (peaks < times[-1] + REACH)) if len(times) else ()
    for k in near:
        for angle, size, width, power in WAVES.values():
            middle = peaks[k] + angle * longer[k] ** power / (2 * np.pi)
            sd = width * np.sqrt(longer[k]) / (2 * np.pi)
            inside = slice(*np.searchsorted(times, (middle - CUT * sd, middle + CUT * sd)))
            course[inside] += _RELATIVE * size * width**2 * np.exp(-0.5 * ((times[inside] - middle) / sd) ** 2)
    return course
