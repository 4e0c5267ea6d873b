"""Courses of imposed sources that go on through a run: Gaussian noise of known spectrum as a function of time, and what follows it.

    rhythm    x(t) = a cos(2 pi f t) - b sin(2 pi f t), a and b each with correlation exp(-2 (pi s u)^2) over a time u: the power is a
              Gaussian around f of SD s = bandwidth / 2.355
    noise     power (low^2 + f^2)^(-exponent / 2) up to high, from where it falls to nothing at 1.25 high
    follower  x(t) = c y(t - lag) + sqrt(1 - c^2) own(t)
    envelope  x(t) = |c y(t - lag) + sqrt(1 - c^2) own(t)| cos(2 pi f t + phi(t)) with the moduli of analytic signals and a phase of its
              own: x and y do not correlate, and their squared envelopes do with c^2

All but sinusoids have SD 1. Noise is white numbers at knots on the run's clock, drawn block by block from streams of their own,
filtered, and joined by cubics: a time has one value however a run is cut, and a lag needs no whole number of samples. Courses are
arrays of shape (1, n), or (2, n) where they have an envelope: the second row is the first a quarter of a cycle later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.stimuli.waveforms import EDGE, FWHM
from fakeimaging.core.errors import InputError
from fakeimaging.core.streams import Streams

Array = npt.NDArray[np.float64]
KNOTS = 32
"""Knots in the time 1 / s of a rhythm: cubics keep 0.999 of the power of a tone 2 s from its middle."""
KNOTS_OF_NOISE = 10
"""Knots in the time 1 / high of noise: cubics keep 0.993 of the power there, and more below."""
MEMORY = 2.0
"""Length of the kernel of noise to either side in the time 1 / low: exp(-12) of it is left there."""
SMALLEST = 4096
"""Knots of a block, at least."""
SWING = 4.0
"""SD in rad by which the phase of a rhythm with another's envelope wanders (assumed): all coherence is lost, exp(-8)."""
_KEPT_BLOCKS = 4


@dataclass(frozen=True, eq=False)
class Filtered:
    """White noise at knots, filtered and joined by cubics: independent courses of SD 1.

    Parameters
    ----------
    kernel : ndarray, shape (2 n + 1,)
        Symmetric; its squares sum to 1.
    rate : float
        Knots in a second.
    streams : Streams
        Block k comes from ``block-k``.
    n : int
        Courses.
    latest : dict
        The blocks made last.
    """

    kernel: Array
    rate: float
    streams: Streams
    n: int = 1
    latest: dict[int, Array] = field(default_factory=dict, repr=False)

    @cached_property
    def size(self) -> int:
        """Knots of a block."""
        return max(SMALLEST, 1 << len(self.kernel).bit_length())

    def __call__(self, times: Array) -> Array:
        """Return their values at times in s, shape (n, len(times))."""
        position = times * self.rate
        below = np.floor(position)
        found, part = np.empty((self.n, len(times))), position - below
        knot = below.astype(np.int64)
        block = knot // self.size
        for number in np.unique(block).tolist():
            here = np.flatnonzero(block == number)
            found[:, here] = _cubic(self._block(number), knot[here] - number * self.size, part[here])
        return found

    def _block(self, number: int) -> Array:
        found = self.latest.get(number)
        if found is None:
            if len(self.latest) >= _KEPT_BLOCKS:
                self.latest.clear()
            found = self.latest[number] = self._made(number)
        return found

    def _made(self, number: int) -> Array:
        """Return the knots of a block, and one before and two after them."""
        half, shape = len(self.kernel) // 2, (self.n, self.size)
        before, own, after = (self.streams.at(f"block-{number + k}").rng().standard_normal(shape) for k in (-1, 0, 1))
        white = np.concatenate([before[:, -half - 1 :], own, after[:, : half + 2]], axis=1)
        length = 1 << (white.shape[1] - 1).bit_length()
        spectrum = np.fft.rfft(white, length) * np.fft.rfft(self.kernel, length)
        return np.fft.irfft(spectrum, length)[:, 2 * half : white.shape[1]]


def _cubic(knots: Array, below: npt.NDArray[np.int64], part: Array) -> Array:
    """Return the cubic through four knots, ``part`` of the way from the second to the third; ``below`` is the first."""
    before, after, beyond = part + 1, part - 1, part - 2
    return np.asarray(
        knots.take(below, axis=1) * (part * after * beyond / -6)
        + knots.take(below + 1, axis=1) * (before * after * beyond / 2)
        + knots.take(below + 2, axis=1) * (before * part * beyond / -2)
        + knots.take(below + 3, axis=1) * (before * part * after / 6)
    )


class Course(Protocol):
    """What a source does through the run, without its size."""

    def __call__(self, times: Array) -> Array:
        """Return it at times in s, shape (1 or 2, n)."""

    def shares(self) -> Iterator[tuple[Independent, float, float]]:
        """Yield the independent courses it is the sum of, with the weight and lag in s of each."""


class Independent(Course, Protocol):
    """A course that is no sum of others."""

    def spectrum(self, frequencies: Array) -> Array:
        """Return its one-sided power in 1/Hz."""


@dataclass(frozen=True, eq=False)
class Sinusoid:
    """sin(2 pi f t + phase)."""

    frequency: float
    phase: float

    def __call__(self, times: Array) -> Array:
        """Return it at times in s, shape (1, n)."""
        return np.asarray(np.sin(2 * np.pi * self.frequency * times + self.phase))[None]

    def shares(self) -> Iterator[tuple[Independent, float, float]]:
        """Yield itself."""
        yield self, 1.0, 0.0

    def spectrum(self, frequencies: Array) -> Array:
        """Return nothing: its power is in a line."""
        return np.zeros(len(frequencies))


@dataclass(frozen=True, eq=False)
class Rhythm:
    """Noise with a Gaussian spectrum around a frequency.

    Parameters
    ----------
    frequency, bandwidth : float
        Middle and full width at half maximum in Hz.
    noise : Filtered
        Cosine and sine part of its envelope.
    """

    frequency: float
    bandwidth: float
    noise: Filtered

    def __call__(self, times: Array) -> Array:
        """Return it at times in s, shape (2, n)."""
        cosine, sine = self.noise(times)
        return _turned(cosine, sine, 2 * np.pi * self.frequency * times)

    def shares(self) -> Iterator[tuple[Independent, float, float]]:
        """Yield itself."""
        yield self, 1.0, 0.0

    def spectrum(self, frequencies: Array) -> Array:
        """Return its one-sided power in 1/Hz."""
        spread = self.bandwidth / FWHM
        return np.asarray(np.exp(-(((frequencies - self.frequency) / spread) ** 2) / 2) / (spread * np.sqrt(2 * np.pi)))


@dataclass(frozen=True, eq=False)
class Noise:
    """Noise whose power falls with frequency.

    Parameters
    ----------
    exponent : float
    band : (low, high)
        In Hz.
    noise : Filtered
    """

    exponent: float
    band: tuple[float, float]
    noise: Filtered

    def __call__(self, times: Array) -> Array:
        """Return it at times in s, shape (1, n)."""
        return self.noise(times)

    def shares(self) -> Iterator[tuple[Independent, float, float]]:
        """Yield itself."""
        yield self, 1.0, 0.0

    def spectrum(self, frequencies: Array) -> Array:
        """Return its one-sided power in 1/Hz."""
        return falling(self.exponent, self.band, frequencies) / self._area

    @cached_property
    def _area(self) -> float:
        grid = np.arange(0, EDGE * self.band[1], self.band[0] / 50)
        return float(np.trapezoid(falling(self.exponent, self.band, grid), grid))


@dataclass(frozen=True, eq=False)
class Follower:
    """A course that shares part of another.

    Parameters
    ----------
    leader, own : Course
    lag : float
        Seconds.
    coupling : float
        Correlation with the leader a lag before.
    """

    leader: Course
    own: Course
    lag: float
    coupling: float

    def __call__(self, times: Array) -> Array:
        """Return it at times in s, shape (1 or 2, n)."""
        shared = self.coupling * self.leader(times - self.lag)
        return shared if self.coupling == 1 else np.asarray(shared + np.sqrt(1 - self.coupling**2) * self.own(times))

    def shares(self) -> Iterator[tuple[Independent, float, float]]:
        """Yield the courses that its leader and its own part are sums of."""
        for course, weight, lag in self.leader.shares():
            yield course, self.coupling * weight, self.lag + lag
        for course, weight, lag in self.own.shares():
            yield course, float(np.sqrt(1 - self.coupling**2)) * weight, lag


@dataclass(frozen=True, eq=False)
class Enveloped:
    """A rhythm with the envelope of another course and a phase of its own.

    Parameters
    ----------
    amplitude : Course
        Whose envelope it has.
    frequency : float
        Hz.
    phase : float
        In rad where nothing has wandered.
    wander : Filtered
        Of the phase, without its size.
    """

    amplitude: Course
    frequency: float
    phase: float
    wander: Filtered

    def __call__(self, times: Array) -> Array:
        """Return it at times in s, shape (2, n)."""
        cosine, sine = self.amplitude(times)
        modulus = np.sqrt(cosine * cosine + sine * sine)
        angle = 2 * np.pi * self.frequency * times + self.phase + SWING * self.wander(times)[0]
        return _turned(modulus, np.zeros(len(times)), angle)

    def shares(self) -> Iterator[tuple[Independent, float, float]]:
        """Yield itself: it correlates with nothing but what follows it."""
        yield self, 1.0, 0.0

    def spectrum(self, frequencies: Array) -> Array:
        """Raise an error."""
        raise InputError("the spectrum of a rhythm with the envelope of another has no closed form")


def _turned(cosine: Array, sine: Array, angle: Array) -> Array:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cosine * cos - sine * sin, cosine * sin + sine * cos])


def bell(deviation: float, streams: Streams, n: int = 1) -> Filtered:
    """Return noise with a Gaussian spectrum of that SD in Hz around 0."""
    spread = KNOTS / (2 * np.sqrt(2) * np.pi)
    reach = int(np.ceil(6 * spread))
    kernel = np.exp(-((np.arange(-reach, reach + 1) / spread) ** 2) / 2)
    return Filtered(kernel / np.linalg.norm(kernel), KNOTS * deviation, streams, n)


def falling(exponent: float, band: tuple[float, float], frequencies: Array) -> Array:
    """Return the spectrum of noise, not normalised."""
    low, high = band
    end = np.clip((frequencies / high - 1) / (EDGE - 1), 0, 1)
    return np.asarray((low**2 + frequencies**2) ** (-exponent / 2) * np.cos(np.pi / 2 * end) ** 4)


def coloured(exponent: float, band: tuple[float, float], streams: Streams) -> Noise:
    """Return noise whose power falls with frequency."""
    rate = KNOTS_OF_NOISE * band[1]
    half = int(np.ceil(MEMORY * rate / band[0]))
    length = 1 << (4 * half).bit_length()
    frequencies = np.asarray(np.fft.rfftfreq(length, 1 / rate), dtype=np.float64)
    amplitudes = np.sqrt(falling(exponent, band, frequencies))
    kernel = np.roll(np.fft.irfft(amplitudes, length), half)[: 2 * half + 1]
    return Noise(exponent, band, Filtered(kernel / np.linalg.norm(kernel), rate, streams))


def coherence(first: Course, second: Course, frequencies: Array) -> npt.NDArray[np.complex128]:
    """Return the true coherency of two courses: its modulus is the coherence, its angle falls where the second comes later.

    Raises
    ------
    InputError
        If a spectrum it needs has no closed form.
    """
    one, other = _gains(first, frequencies), _gains(second, frequencies)
    power = {course: course.spectrum(frequencies) for course in {*one, *other}} if {*one} & {*other} else {}
    cross = np.zeros(len(frequencies), dtype=complex)
    for course in one.keys() & other.keys():
        cross += np.conj(one[course]) * other[course] * power[course]
    both = [sum(np.abs(gain) ** 2 * power.get(course, 0.0) for course, gain in own.items()) for own in (one, other)]
    scale = np.sqrt(both[0] * both[1])
    return np.divide(cross, scale, out=np.zeros_like(cross), where=scale > 0)


def _gains(course: Course, frequencies: Array) -> dict[Independent, npt.NDArray[np.complex128]]:
    """Return how each independent course passes into a course at each frequency."""
    found: dict[Independent, npt.NDArray[np.complex128]] = {}
    for part, weight, lag in course.shares():
        found[part] = found.get(part, 0) + weight * np.exp(-2j * np.pi * frequencies * lag)
    return found
