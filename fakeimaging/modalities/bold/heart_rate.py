"""What a faster or slower heart does to the BOLD signal: heart rate convolved with the cardiac response function (Chang et al. 2009).

    S_grey(x) TE / TE0 (CRF * HR)(t),   CRF(t) = 0.6 t^2.7 exp(-t / 1.6) - 16 / sqrt(2 pi 9) exp(-(t - 12)^2 / 18)

HR is the mean rate of the beats within 6 s. The change is one of R2*, so it grows with the echo time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.physiology import BEFORE, Physiology
from fakeimaging.core.citations import Reference
from fakeimaging.modalities.bold.physio import STEP, LowRank, grey_term, responded, slice_moments
from fakeimaging.modalities.layers import Forward, Recipe, Stage

WINDOW = 6.0
"""s over which beats are counted (Chang et al. 2009)."""
LENGTH = 40.0
"""s after which the response is over."""
REFERENCE = Reference("Chang et al.", 2009, "10.1016/j.neuroimage.2008.09.029", "cardiac response function")


def cardiac_response(times: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the response of the signal to one moment of a faster heart at ``times`` (s) after it (Chang et al. 2009).

    Examples
    --------
    >>> cardiac_response([4.0, 12.0]).round(3)
    array([ 2.019, -1.856])
    """
    t = np.asarray(times, dtype=float)
    fall = 16 / np.sqrt(2 * np.pi * 9) * np.exp(-((t - 12) ** 2) / 18)
    return np.asarray(0.6 * t**2.7 * np.exp(-t / 1.6) - fall)


def heart_rate(body: Physiology, times: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the beats per minute of the `WINDOW` around ``times`` (s)."""
    t, beat = np.asarray(times, dtype=float), np.arange(len(body.beats))
    first, last = np.clip(t - WINDOW / 2, body.beats[0], None), np.clip(t + WINDOW / 2, None, body.beats[-1])
    passed = np.interp(last, body.beats, beat) - np.interp(first, body.beats, beat)
    return np.asarray(60 * passed / (last - first))


def rate_course(body: Physiology, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return what the heart's rate does to the signal at ``times`` (s), unit variance over the run; 0 where it never changes."""
    clock = np.arange(-BEFORE, body.duration + STEP, STEP)
    rate = heart_rate(body, clock)
    return responded(rate / rate.mean() - 1, cardiac_response(np.arange(0, LENGTH, STEP)), clock, times)


def _draw(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    return {"percent": parameters.heart_rate_percent}


def _act(forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    return rate_term(forward, recipe["percent"]).volume(v, forward.baseline.shape)


@lru_cache(maxsize=2)
def rate_term(forward: Forward, percent: float) -> LowRank:
    """Return map and course of the response to heart rate."""
    box, image = grey_term(forward, percent / 100)
    course = rate_course(forward.context["physiology"], slice_moments(forward)).astype(np.float32)
    return LowRank(box, image[None], course[:, None])


HEART_RATE = Stage("heart_rate", "additive", _draw, _act)
"""Needs ``parameters.heart_rate_percent`` and the context ``physiology``, ``slice_times``, ``tissue``, ``maps``, ``parameters``."""
