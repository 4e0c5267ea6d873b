"""The time that a run's physiology covers: some before t = 0 and after the end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BEFORE, AFTER = 20.0, 5.0
"""Seconds before t = 0 and after the end of the run that are covered too (as the taps of an Activity are, before)."""


def steps(duration: float, rate: float) -> Floats:
    """Return evenly spaced times in s, from -`BEFORE` to ``duration + AFTER``, at ``rate`` (Hz)."""
    return np.asarray(-BEFORE + np.arange(int((BEFORE + duration + AFTER) * rate) + 1) / rate)
