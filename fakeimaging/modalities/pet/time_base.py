"""Clock times of a scan: PET-BIDS gives every time in seconds after its TimeZero, which is the injection or the start of the scan.

A second scan after one injection (a later window) can have a zero of its own: then its InjectionStart is negative and its image is
corrected for decay to its own start. Such an image is the other one's times exp(-lambda zero).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fakeimaging.core.clocks import Frames
from fakeimaging.modalities.pet.frames import effective_seconds
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.plasma import Array
from fakeimaging.modalities.pet.tracers import MINUTE, TRACERS

INJECTED_AT = 12 * 3600
"""Second of the day of the injection (assumed)."""
DAY = 24 * 3600


@dataclass(frozen=True)
class TimeBase:
    """What TimeZero is.

    Parameters
    ----------
    zero : float
        Seconds after injection.
    """

    zero: float

    @property
    def clock(self) -> str:
        """Time of the day.

        Examples
        --------
        >>> TimeBase(4800.0).clock
        '13:20:00'
        """
        minutes, second = divmod(round(INJECTED_AT + self.zero) % DAY, 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}"

    def of(self, seconds: float) -> float:
        """Return a time after injection on this base, in s."""
        return round(float(seconds) - self.zero, 6) + 0.0

    def left(self, decay: float) -> float:
        """Return what a value corrected to injection is when corrected to TimeZero, over it; ``decay`` in 1/min."""
        return float(np.exp(-decay * self.zero / MINUTE))


def time_base(parameters: PetParameters, frames: Frames) -> TimeBase:
    """Return the time base of the files of a scan."""
    # Clock times have whole seconds, so the zero does too.
    return TimeBase(float(round(frames.start)) if parameters.time_zero == "scan" else 0.0)


def decay_factors(frames: Frames, base: TimeBase, decay: float) -> Array:
    """Return what the mean activity of each frame is multiplied by to be corrected to TimeZero, shape (n_frames,)."""
    return np.asarray(base.left(decay) * frames.durations / effective_seconds(frames, decay))


def to_injection(parameters: PetParameters, frames: Frames) -> Array:
    """Return what each frame of the raw image is multiplied by to be corrected for decay to injection, shape (n_frames,)."""
    decay = TRACERS.get(parameters.tracer).decay
    if not parameters.decay_corrected:
        return decay_factors(frames, TimeBase(0.0), decay)
    return np.full(frames.n, 1 / time_base(parameters, frames).left(decay))


def run_second(parameters: PetParameters, seconds: float) -> float:
    """Return the second of the run at a time after injection (s), for a scan that follows the run."""
    return parameters.run_time + seconds
