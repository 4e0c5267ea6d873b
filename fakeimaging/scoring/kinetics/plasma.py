"""Curves of blood: as drawn, linear between samples, or as they truly were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet.plasma import InputFunction
from fakeimaging.scoring.kinetics.timing import Array


class Input(Protocol):
    """A curve that drives tissue: its value at any time after injection, and the times (min) at which it has a kink."""

    @property
    def breaks(self) -> Array:
        """Times in min."""

    def at(self, times: Array) -> Array:
        """Return the concentration at ``times`` (min)."""


@dataclass(frozen=True, eq=False)
class Plasma:
    """Samples of blood or of unchanged tracer in plasma: times in min, concentration in the unit of the curves."""

    times: Array
    values: Array

    @property
    def breaks(self) -> Array:
        """Times of the samples in min."""
        return self.times

    def at(self, times: Array) -> Array:
        """Return the concentration, linear between samples.

        Raises
        ------
        InputError
            If a time is after the last sample.
        """
        if np.max(times) > self.times[-1] + 1e-6:
            raise InputError(
                f"the blood is known up to {self.times[-1]:g} min, and {np.max(times):g} min is asked for", value=times
            )
        return np.interp(times, self.times, self.values)

    def area(self, times: Array) -> Array:
        """Return the integral from 0 to each of ``times``, linear between samples; raises as `at` does."""
        every = np.union1d(self.times, times)
        values = self.at(every)
        sums = np.concatenate([[0.0], np.cumsum(np.diff(every) * (values[1:] + values[:-1]) / 2)])
        return np.asarray(sums[np.searchsorted(every, times)])


@dataclass(frozen=True, eq=False)
class Known:
    """A curve of blood as it was."""

    curve: InputFunction

    @property
    def breaks(self) -> Array:
        """Times at which the curve has a kink, in min."""
        return np.array([piece.start for piece in self.curve.pieces])

    def at(self, times: Array) -> Array:
        """Return the concentration at ``times`` (min)."""
        return self.curve.at(times)
