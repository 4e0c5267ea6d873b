"""Courses in closed form, 1 at full strength, of the time s since the event's current arrives.

    block    up(s / rise) - up((s - duration) / rise)                                     delivers duration
    pulses   mean over a step of sum_k p(s - k / rate)                                    each delivers its width
    sine     block(s) sin(2 pi f s + phase)
    chirp    block(s) sin(2 pi (f0 s + (f1 - f0) s^2 / (2 duration)) + phase)             instantaneous f0 + (f1 - f0) s / duration

up rises from 0 to 1 as half a cosine. A pulse p is 1 for its width, or a raised cosine of height 1 and twice that length. What a
step of the engine gets of a pulse is its mean over that step, so that pulses deliver their area whatever the step.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.stimuli.condition import Condition

Array = npt.NDArray[np.float64]


def block(condition: Condition, since: Array, step: float | None = None) -> Array:
    """Return 1 during the event, with raised-cosine edges, shape of ``since`` (s since arrival)."""
    rising = up(since / condition.rise)
    return np.asarray(rising - up((since - condition.duration) / condition.rise))


def pulses(condition: Condition, since: Array, step: float) -> Array:
    """Return the mean of the pulse train over each step that begins at ``since``."""
    width = condition.pulse_width or 0.0
    before, after = _passed(condition, since), _passed(condition, since + step)
    return np.asarray(((after[0] - before[0]) * width + (after[1] - before[1])) / step)


def sine(condition: Condition, since: Array, step: float | None = None) -> Array:
    """Return a sine of the condition's frequency and phase within the event."""
    turns = (condition.frequency or 0.0) * since
    return np.asarray(block(condition, since) * np.sin(2 * np.pi * turns + condition.phase))


def chirp(condition: Condition, since: Array, step: float | None = None) -> Array:
    """Return a sine whose frequency goes linearly from the first to the last over the event, and stays there as it fades."""
    low, high, length = condition.frequency or 0.0, condition.end_frequency or 0.0, condition.duration
    swept = np.minimum(since, length)
    turns = low * swept + (high - low) * swept**2 / (2 * length) + high * (since - swept)
    return np.asarray(block(condition, since) * np.sin(2 * np.pi * turns + condition.phase))


FORMS = {"block": block, "pulses": pulses, "sine": sine, "chirp": chirp}


def up(x: Array) -> Array:
    """Return the raised cosine that goes from 0 at 0 to 1 at 1."""
    return np.asarray((1 - np.cos(np.pi * np.clip(x, 0, 1))) / 2)


def _passed(condition: Condition, since: Array) -> tuple[Array, Array]:
    """Return how many pulses began and ended before, and the area (s) of the one that is on."""
    rate, width = condition.pulse_rate or 1.0, condition.pulse_width or 0.0
    whole = np.clip(np.floor(since * rate), 0, condition.n_pulses - 1)
    inside = since - whole / rate
    if condition.pulse_edge == "rectangle":
        return whole, np.clip(inside, 0.0, width)
    x = inside / width
    return whole, np.where(x >= 2, width, width * (_risen(x) - _risen(x - 1)))


def _risen(x: Array) -> Array:
    """Integral of `up` from 0 to x."""
    bent = np.clip(x, 0, 1)
    return np.asarray((bent - np.sin(np.pi * bent) / np.pi) / 2 + np.maximum(x - 1, 0))
