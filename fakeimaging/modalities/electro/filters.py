"""Filters of the amplifier: a first-order high-pass and a Butterworth low-pass, causal, so they delay as hardware does.

A filter hands its state from part to part and starts as if the first sample had always been there.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.modalities.electro.levels import analogue_rows
from fakeimaging.modalities.electro.sections import pass_sections
from fakeimaging.modalities.layers import Forward, Recipe, Stage

if TYPE_CHECKING:
    from fakeimaging.modalities.recording import Recording

Floats = npt.NDArray[np.float64]

ORDER = 5
"""Of the low-pass: 30 dB an octave (assumed)."""
LOWEST = 1e-4
"""Hz, the lowest cutoff of a high-pass (assumed)."""
AUTOMATIC = 0.4
"""Share of the sampling rate at which the low-pass lies unless it is said (assumed)."""


class Filtered(Protocol):
    """Parameters that say what an amplifier lets pass, in Hz."""

    @property
    def sampling_frequency(self) -> float:
        """Of the recording."""
        ...

    @property
    def high_pass(self) -> float | Literal["none"] | None:
        """``"none"`` (a file has no None) for an amplifier that is DC-coupled."""
        ...

    @property
    def low_pass(self) -> float | Literal["auto", "none"] | None:
        """``"auto"`` is `AUTOMATIC` of the sampling rate."""
        ...


def cutoffs(parameters: Filtered) -> tuple[float | None, float | None]:
    """Return the frequencies in Hz below and above which an amplifier stops signals (3 dB); None where it has no filter."""
    high, low = parameters.high_pass, parameters.low_pass
    if low == "auto":
        low = AUTOMATIC * parameters.sampling_frequency
    return None if high == "none" else high, None if low == "none" else low


def band_of(recording: Recording) -> tuple[float | None, float | None]:
    """Return the same for a recording: None as well where the stage is off, or the modality has none."""
    return cutoffs(recording.parameters) if FILTER.name in recording.stages else (None, None)


def check_filters(parameters: Filtered) -> None:
    """Refuse filters that the sampling rate does not have.

    Raises
    ------
    ValueError
        Naming the key.
    """
    half = parameters.sampling_frequency / 2
    high, low = cutoffs(parameters)
    if low is not None and low <= 0:
        raise ValueError(f"`low_pass`: {low:g} Hz is not above 0; 'none' is no filter")
    if low is not None and low >= half:
        raise ValueError(
            f"`low_pass`: {low:g} Hz is not below half the sampling rate, {half:g} Hz; 'none' is no filter"
        )
    if high is not None and high < LOWEST:
        raise ValueError(f"`high_pass`: {high:g} Hz is below {LOWEST:g} Hz; 'none' is DC-coupled")
    if high is not None and high >= (half if low is None else low):
        raise ValueError(f"`high_pass`: {high:g} Hz leaves nothing below {half if low is None else low:g} Hz")


@lru_cache(maxsize=8)
def sections(high: float | None, low: float | None, rate: float) -> Floats:
    """Return both filters as second-order sections, shape (n_sections, 6)."""
    from scipy.signal import butter, zpk2sos

    parts = [butter(1, high, "highpass", fs=rate, output="zpk")] if high is not None else []
    parts += [butter(ORDER, low, "lowpass", fs=rate, output="zpk")] if low is not None else []
    zeros, poles, gain = (np.concatenate([np.atleast_1d(part[i]) for part in parts]) for i in range(3))
    return frozen(np.asarray(zpk2sos(zeros, poles, np.prod(gain))))


def hardware_filters(parameters: Filtered) -> dict[str, Any] | str:
    """Return what BIDS asks for as ``HardwareFilters``."""
    high, low = cutoffs(parameters)
    found: dict[str, Any] = {}
    if high is not None:
        found["high-pass"] = {"type": "first order", "cutoff (Hz)": high, "time constant (s)": 1 / (2 * np.pi * high)}
    if low is not None:
        found["low-pass"] = {"type": "Butterworth, causal", "order": ORDER, "cutoff (Hz)": low}
    return found or "n/a"


def _draw(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    high, low = cutoffs(parameters)
    return {"high_pass": high, "low_pass": low, "rows": analogue_rows(parameters, forward.clean.channels)}


def _act(
    signal: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator, state: Any
) -> tuple[npt.NDArray[np.float32], Any]:
    from scipy.signal import sosfilt_zi

    rows = np.asarray(recipe["rows"])
    if recipe["high_pass"] is recipe["low_pass"] is None or not len(rows):
        return signal, state
    filters = sections(recipe["high_pass"], recipe["low_pass"], forward.clean.clock.rate)
    if state is None:
        first = np.asarray(signal[rows, :1], dtype=np.float64)
        state = sosfilt_zi(filters)[:, None, :] * first[None]
    passed, after = pass_sections(signal if len(rows) == len(signal) else signal[rows], filters, state)
    if len(rows) == len(signal):
        return passed, after
    result = np.array(signal, dtype=np.float32)
    result[rows] = passed
    return result, after


FILTER = Stage("filter", "filter", _draw, _act, noisy=False)
"""Needs ``parameters.levels()``, ``sampling_frequency``, ``high_pass`` and ``low_pass``."""
