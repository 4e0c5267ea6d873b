"""Curves of blood: as drawn, linear between samples, or as they truly were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fakeimaging.core.errors import InputError
from fakeimaging.scoring.kinetics.timing import Array


class Input(Protocol):
    """A curve that drives tissue, such as `InputFunction`: its value at any time after injection, and where (min) it has a kink."""

    @property
    def breaks(self) -> Sequence[float]:
        """Times in min."""

    def at(self, times: Array) -> Array:
        """Return the concentration at ``times`` (min)."""


@dataclass(frozen=True, eq=False)
class Plasma:
    """Samples of blood or of unchanged tracer in plasma: times in min, concentration in the unit of the curves."""

    times: Array
    values: Array

    @property
    def breaks(self) -> Sequence[float]:
        """Times of the samples in min."""
        return [float(time) for time in self.times]

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


@dataclass(frozen=True, eq=False)
class Known:
    """A curve of blood as it was, where it is not an `InputFunction`: whole blood, say.

    Parameters
    ----------
    course : callable
        Concentration at times in min.
    breaks : sequence of float
        Times at which it has a kink, in min.
    """

    course: Callable[[Array], Array]
    breaks: Sequence[float]

    def at(self, times: Array) -> Array:
        """Return the concentration at ``times`` (min)."""
        return self.course(times)
