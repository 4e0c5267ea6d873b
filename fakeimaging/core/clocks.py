"""One clock: t = 0 s is the start of the run; samples before it are warm-up that instruments may look back into."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.errors import InputError


@dataclass(frozen=True)
class Clock:
    """Evenly spaced sample times.

    Parameters
    ----------
    start : float
        Time of the first sample in seconds.
    step : float
        Seconds between samples, above 0.
    n : int
        Number of samples, at least 0.

    Examples
    --------
    >>> Clock(0.0, 0.5, 4).times
    array([0. , 0.5, 1. , 1.5])
    >>> Clock(-1.0, 0.5, 4).rate
    2.0
    """

    start: float
    step: float
    n: int

    def __post_init__(self) -> None:
        if not self.step > 0:
            raise InputError(f"`step`: {self.step} s is not above 0", value=self.step)
        if self.n < 0:
            raise InputError(f"`n`: {self.n} is negative", value=self.n)

    @property
    def rate(self) -> float:
        """Samples per second."""
        return 1.0 / self.step

    @property
    def stop(self) -> float:
        """Time just after the last sample, in seconds."""
        return self.start + self.n * self.step

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """Sample times in seconds, shape (n,)."""
        return np.asarray(self.start + self.step * np.arange(self.n), dtype=np.float64)

    def index(self, time: float) -> int:
        """Return the number of samples before ``time`` (seconds)."""
        return min(max(0, math.ceil((time - self.start) / self.step - 1e-9)), self.n)


@dataclass(frozen=True, eq=False)
class Frames:
    """Consecutive time frames of unequal length, as a PET scan has them.

    Parameters
    ----------
    durations : array_like, shape (n,)
        Seconds, each above 0; a frame starts where the last one ends.
    start : float
        Start of the first frame in s.

    Examples
    --------
    >>> frames = Frames([10.0, 10.0, 30.0])
    >>> frames.starts, frames.times
    (array([ 0., 10., 20.]), array([ 5., 15., 35.]))
    """

    durations: npt.NDArray[np.float64]
    start: float = 0.0

    def __post_init__(self) -> None:
        durations = np.array(self.durations, dtype=float)
        if durations.ndim != 1 or not len(durations) or not (np.isfinite(durations) & (durations > 0)).all():
            raise InputError("the durations of frames are one or more numbers above 0 s", value=self.durations)
        object.__setattr__(self, "durations", frozen(durations))

    @property
    def n(self) -> int:
        """Number of frames."""
        return len(self.durations)

    @property
    def step(self) -> float:
        """Length of the first frame in s, for headers that have room for one number."""
        return float(self.durations[0])

    @property
    def starts(self) -> npt.NDArray[np.float64]:
        """Start of each frame in s, shape (n,)."""
        return np.asarray(self.start + np.cumsum(self.durations) - self.durations)

    @property
    def ends(self) -> npt.NDArray[np.float64]:
        """End of each frame in s, shape (n,)."""
        return np.asarray(self.start + np.cumsum(self.durations))

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """Middle of each frame in s, shape (n,)."""
        return (self.starts + self.ends) / 2
