"""Noise as a function of time: Gaussian, mean 0, SD 1, a course from each of some streams, made again for any stretch of time.

    time constant tau   Ornstein-Uhlenbeck process, E x(t) x(t + u) = exp(-|u| / tau)
    band (f1, f2)       flat spectrum between both, E x(t) x(t + u) = cos(pi (f1 + f2) u) sin(pi B u) / (pi B u),  B = f2 - f1

Both are drawn at knots on the run's clock, far closer than anything in them changes, and joined by straight lines; what these
take from the variance is given back. So the step of the engine and the length of its blocks have no part in the bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fakeimaging.core.streams import Streams

Array = npt.NDArray[np.float64]
KNOTS = 100
"""Knots in a time constant (assumed): straight lines leave out 0.3 % of the variance, near and above 50 / tau."""
CHUNK = 4096
"""Knots of the process that are drawn together: across as many it forgets all but exp(-41) of itself."""
TONES = 64
"""Sines that a stretch of band-limited noise is made of; the edges of its band are as soft as two of their distances."""
STRETCH = 2048
"""Knots of a stretch: 32 in the time 1 / B (assumed: straight lines leave out 0.1 % of the variance)."""
_FALL = np.exp(-np.arange(1, CHUNK + 1) / KNOTS)
_KICK = float(np.sqrt(-np.expm1(-2 / KNOTS)))
_KEPT_CHUNKS = 4


class Noise(Protocol):
    """Random functions of time with SD 1."""

    def __call__(self, times: Array) -> Array:
        """Return them at ascending ``times`` (s, at least 0), shape (n_streams, n)."""


@dataclass(frozen=True, eq=False)
class Knots:
    """Random numbers at whole positions, joined by straight lines; chunk k holds positions k size to (k + 1) size.

    Parameters
    ----------
    draw : callable
        Returns chunk k, shape (n_streams, size), the same whenever it is asked.
    size : int
    latest : dict
        The chunks drawn last.
    """

    draw: Callable[[int], npt.NDArray]
    size: int
    latest: dict[int, npt.NDArray] = field(default_factory=dict)

    def at(self, position: Array) -> npt.NDArray:
        """Return the values at ascending positions of at least 0, shape (n_streams, n)."""
        below = np.floor(position).astype(np.int64)
        first, last = int(below[0]) // self.size, (int(below[-1]) + 1) // self.size
        chunks = [self._chunk(k) for k in range(first, last + 1)]
        knots = np.concatenate(chunks, axis=1) if len(chunks) > 1 else chunks[0]
        part, below = position - below, below - first * self.size
        return np.asarray(knots.take(below, axis=1) * (1 - part) + knots.take(below + 1, axis=1) * part)

    def _chunk(self, number: int) -> npt.NDArray:
        found = self.latest.get(number)
        if found is None:
            if len(self.latest) >= _KEPT_CHUNKS:
                self.latest.clear()
            found = self.latest[number] = self.draw(number)
        return found


def relaxing(time_constant: float, streams: Sequence[Streams]) -> Noise:
    """Return Ornstein-Uhlenbeck processes of a time constant in s."""

    def kicked(number: int) -> Array:
        """Return what the kicks of a chunk alone add up to at each of its knots."""
        kicks = _KICK * np.stack([own.at(f"chunk-{number}").rng().standard_normal(CHUNK) for own in streams])
        return np.asarray(_FALL * np.cumsum(kicks / _FALL, axis=1))

    def draw(number: int) -> Array:
        """Return the end of the chunk before as it fades, and the kicks of this one."""
        return np.asarray(kicked(number)[:, -1:] * _FALL + kicked(number + 1))

    knots, kept = Knots(draw, CHUNK), 1 - (1 - np.exp(-1 / KNOTS)) / 3
    return lambda times: np.asarray(knots.at(times * (KNOTS / time_constant)) / np.sqrt(kept))


def banded(low: float, high: float, streams: Sequence[Streams]) -> Noise:
    """Return noises of a band in Hz: stretches of `TONES` sines of random amplitude and phase, each fading into the next."""
    tones, half = np.arange(TONES) - (TONES - 1) / 2, STRETCH // 2
    turn = np.exp(1j * np.pi * np.arange(STRETCH) / STRETCH)
    fade = np.pi / 2 * np.arange(half) / half

    def stretch(number: int) -> npt.NDArray[np.complex128]:
        """Return the complex envelopes of a stretch around the middle of the band, each part of variance 1."""
        drawn = np.stack([own.at(f"stretch-{number}").rng().standard_normal((2, TONES)) for own in streams])
        spectrum = np.zeros((len(streams), STRETCH), dtype=complex)
        spectrum[:, np.arange(TONES) - TONES // 2] = (drawn[:, 0] + 1j * drawn[:, 1]) / np.sqrt(TONES)
        return np.asarray(np.fft.ifft(spectrum, norm="forward") * turn)

    def draw(number: int) -> npt.NDArray[np.complex128]:
        return np.asarray(stretch(number)[:, half:] * np.cos(fade) + stretch(number + 1)[:, :half] * np.sin(fade))

    # A line between knots keeps the share 1 - (1 - cos w) / 3 of a tone that turns by w from one to the next.
    knots, kept = Knots(draw, half), 1 - np.mean(1 - np.cos(2 * np.pi * tones / STRETCH)) / 3
    rate, middle = (high - low) * STRETCH / TONES, (low + high) / 2

    def noise(times: Array) -> Array:
        envelope, angle = knots.at(times * rate), 2 * np.pi * middle * times
        return np.asarray((envelope.real * np.cos(angle) - envelope.imag * np.sin(angle)) / np.sqrt(kept))

    return noise
