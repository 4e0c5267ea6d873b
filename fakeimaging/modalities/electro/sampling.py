"""Taps at the rate of a recording, part by part: sample i is the tap's interval that starts at i / rate, low-passed when the rate falls.

The filter is a windowed sinc of zero phase: flat to 0.8 of half the new rate, 80 dB down from half of it on (Kaiser 1974; the formula
for its length, Oppenheim and Schafer 2010, chapter 7). Beyond the ends of the tap its last value counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.taps import Tap
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import RateError

Signal = npt.NDArray[np.float32]

ATTENUATION = 80.0
"""dB."""
FLAT = 0.8
"""Share of half the rate up to which nothing changes."""
LARGEST_RATIO = 1000
"""Largest numerator or denominator of the ratio of two rates."""


@dataclass(frozen=True)
class Ratio:
    """New rate over old one: ``up / down``, in lowest terms."""

    up: int
    down: int

    @property
    def half(self) -> int:
        """Half length of the filter in steps of the common rate; 0 when nothing changes."""
        if self.up == self.down == 1:
            return 0
        widest = max(self.up, self.down)
        width = np.pi * (1 - FLAT) / widest
        return int(np.ceil((ATTENUATION - 7.95) / (2.285 * width) / 2))


def ratio_of(tap_rate: float, rate: float, *, name: str) -> Ratio:
    """Return the ratio of a recording's rate to a tap's.

    Parameters
    ----------
    tap_rate, rate : float
        Hz.
    name : str
        Key of the rate in errors.

    Raises
    ------
    RateError
        If the rate is above the tap's, or the two have no ratio of whole numbers up to 1000.
    """
    if rate > tap_rate * (1 + 1e-9):
        raise RateError(
            f"`{name}`: {rate:g} Hz is above the {tap_rate:g} Hz of the activity's dipoles; "
            f"`taps` of the run say how fast: {{dipole = {rate:.1f}, rate = 50.0}}",
            value=rate,
        )
    fraction = Fraction(rate / tap_rate).limit_denominator(LARGEST_RATIO)
    if abs(float(fraction) * tap_rate - rate) > 1e-9 * rate:
        raise RateError(f"`{name}`: {rate:g} Hz is no ratio of whole numbers of {tap_rate:g} Hz", value=rate)
    return Ratio(fraction.numerator, fraction.denominator)


@lru_cache(maxsize=8)
def kernel(ratio: Ratio) -> npt.NDArray[np.float32]:
    """Return the low-pass at the common rate, shape (2 half + 1,), with a gain of ``up``."""
    half, widest = ratio.half, max(ratio.up, ratio.down)
    beta = 0.1102 * (ATTENUATION - 8.7)
    cutoff = (1 + FLAT) / 2 / widest
    taps = cutoff * np.sinc(cutoff * np.arange(-half, half + 1)) * np.kaiser(2 * half + 1, beta)
    return (ratio.up * taps / taps.sum()).astype(np.float32)


def span(ratio: Ratio, first: int, n: int) -> tuple[int, int]:
    """Return the first and one past the last sample of the old rate that ``n`` new ones from ``first`` on need."""
    low = (first * ratio.down - ratio.half) // ratio.up
    high = -(-((first + n - 1) * ratio.down + ratio.half) // ratio.up) + 1
    return low, high


def resampled(samples: Signal, low: int, ratio: Ratio, first: int, n: int) -> Signal:
    """Return new samples from old ones.

    Parameters
    ----------
    samples : ndarray, shape (n_columns, high - low)
        Old samples from ``low`` to ``high`` of `span`.
    low : int
    ratio : Ratio
    first, n : int
        New samples.

    Returns
    -------
    ndarray, shape (n_columns, n), float32
    """
    if ratio.half == 0:
        return samples
    from scipy.signal import upfirdn

    # Old sample m lies at m * up of the common rate, new sample i at i * down: the kernel is shifted by what separates the grids.
    offset = first * ratio.down - low * ratio.up + ratio.half
    lead = -offset % ratio.down
    padded = np.concatenate([np.zeros(lead, dtype=np.float32), kernel(ratio)])
    made = upfirdn(padded, samples, ratio.up, ratio.down, axis=1)
    start = (offset + lead) // ratio.down
    return np.ascontiguousarray(made[:, start : start + n], dtype=np.float32)


def stretch(tap: Tap, low: int, high: int) -> Signal:
    """Return samples ``low`` to ``high`` of a tap counted from t = 0, shape (n_columns, high - low); the ends are held."""
    origin = tap.clock.index(0.0)
    wanted = (low + origin, high + origin)
    inside = (min(max(0, wanted[0]), tap.clock.n - 1), min(max(1, wanted[1]), tap.clock.n))
    samples = tap.read(*inside).astype(np.float32, copy=False).T
    before, after = inside[0] - wanted[0], wanted[1] - inside[1]
    return samples if before == after == 0 else np.pad(samples, ((0, 0), (before, after)), mode="edge")


def part_index(clock: Clock, part: Clock) -> int:
    """Return the number of samples of a recording before one of its parts."""
    return round((part.start - clock.start) / clock.step)
