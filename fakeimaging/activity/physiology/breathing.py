"""Breaths: log-normal periods and depths with a memory from one to the next, and the belt around the chest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.physiology.covered import AFTER, BEFORE
from fakeimaging.activity.physiology.parameters import PhysiologyParameters
from fakeimaging.core.arrays import frozen
from fakeimaging.core.streams import Streams

Floats = npt.NDArray[np.float64]

INSPIRATION = 0.4
"""Share of a breath that is inspiration (assumed)."""
DEPTH_SD = 0.2
"""SD of the logarithm of a breath's depth (assumed)."""


@dataclass(frozen=True, eq=False)
class Breaths:
    """One entry a breath, each shape (n_breaths,): onset of inspiration and period in s, depth (median 1)."""

    onsets: Floats
    periods: Floats
    depths: Floats

    def within(self, times: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return the share of its breath that has passed at ``times`` (s), and the breath's depth."""
        i = np.clip(np.searchsorted(self.onsets, times, side="right") - 1, 0, len(self.onsets) - 1)
        share = (np.asarray(times, dtype=float) - self.onsets[i]) / self.periods[i]
        return np.clip(share, 0.0, 1.0), self.depths[i]

    def belt(self, times: npt.ArrayLike) -> Floats:
        """Return what a belt around the chest shows at ``times`` (s): 0 after expiration, the breath's depth at its peak."""
        share, depth = self.within(times)
        rise = 0.5 - 0.5 * np.cos(np.pi * share / INSPIRATION)
        fall = 0.5 + 0.5 * np.cos(np.pi * (share - INSPIRATION) / (1 - INSPIRATION))
        return np.asarray(depth * np.where(share < INSPIRATION, rise, fall))


def draw_breaths(duration: float, parameters: PhysiologyParameters, streams: Streams) -> Breaths:
    """Log-normal periods and depths, each with a memory from breath to breath."""
    mean, spread = 60 / parameters.breathing_rate, parameters.breathing_variability
    n = int(2 * (BEFORE + duration + AFTER) / mean) + 20
    periods = mean * np.exp(spread * _remembering(0.3, streams.at("periods").rng().standard_normal(n)) - spread**2 / 2)
    depths = np.exp(DEPTH_SD * _remembering(0.6, streams.at("depths").rng().standard_normal(n)))
    first = -BEFORE - periods[0] * streams.at("first").rng().random()
    onsets = first + np.concatenate([[0.0], np.cumsum(periods[:-1])])
    inside = onsets < duration + AFTER
    return Breaths(*(frozen(part[inside]) for part in (onsets, periods, depths)))


def _remembering(share: float, draws: Floats) -> Floats:
    """Autoregressive series of unit variance with this correlation from one entry to the next."""
    series = draws * np.sqrt(1 - share**2)
    series[0] = draws[0]
    for i in range(1, len(series)):
        series[i] += share * series[i - 1]
    return series
