"""Frames that several stages need are made once: the last one asked for is kept, so that memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy.typing as npt

from fakeimaging.core.arrays import Kept, frozen
from fakeimaging.core.spaces import Grid
from fakeimaging.modalities.pet.resolution import PointSpread


@dataclass(frozen=True, eq=False)
class Once:
    """A function of the frame that knows its last answer; what it gives is read-only.

    Parameters
    ----------
    make : callable
        ``make(v)`` gives frame v, an array of its own.
    """

    make: Callable[[int], npt.NDArray]
    _last: Kept = field(default_factory=partial(Kept, 0), repr=False)

    def __call__(self, v: int) -> npt.NDArray:
        """Return frame ``v``."""
        return self._last.get(v, partial(self._made, v))

    def _made(self, v: int) -> npt.NDArray:
        return frozen(self.make(v))


@dataclass(frozen=True, eq=False)
class Seen:
    """The clean frames behind the point spread.

    Parameters
    ----------
    clean : callable
        ``clean(v)`` gives the clean frame v.
    grid : Grid
    spread : PointSpread
    """

    clean: Callable[[int], npt.NDArray]
    grid: Grid
    spread: PointSpread
    _last: Kept = field(default_factory=partial(Kept, 0), repr=False)

    def __call__(self, v: int) -> npt.NDArray:
        """Return frame ``v``."""
        return self._last.get(v, partial(self._made, v))

    def _made(self, v: int) -> npt.NDArray:
        return frozen(self.applied(self.clean(v)))

    def applied(self, image: npt.NDArray) -> npt.NDArray:
        """Return any image behind the point spread."""
        return self.spread.applied(image, self.grid)
