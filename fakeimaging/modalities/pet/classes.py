"""The classes of tissue that have a curve of their own: the regions, places of their own within regions, and what lies beyond."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.pet.patches import Places
from fakeimaging.modalities.pet.plasma import Array
from fakeimaging.modalities.pet.tracers import BEYOND, Tracer
from fakeimaging.structure.receptors import kinds_of
from fakeimaging.structure.subject import Subject


@dataclass(frozen=True, eq=False)
class Classes:
    """What each row of a curve stands for.

    Parameters
    ----------
    kinds : tuple of str
        Kind of tissue of each region.
    hosts : ndarray of int, shape (n_places,)
        Region in which each place of its own lies.
    """

    kinds: tuple[str, ...]
    hosts: npt.NDArray[np.intp]

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return len(self.kinds)

    @property
    def n(self) -> int:
        """Number of classes: regions, places, then `BEYOND`."""
        return len(self.kinds) + len(self.hosts) + len(BEYOND)

    def spread(self, regional: npt.ArrayLike, beyond: npt.ArrayLike) -> Array:
        """Return values of all classes from those of the regions and of what lies beyond; the last axis is the classes'."""
        regional = np.asarray(regional, dtype=float)
        rest = np.broadcast_to(np.asarray(beyond, dtype=float), (*regional.shape[:-1], len(BEYOND)))
        return np.concatenate([regional, regional[..., self.hosts], rest], axis=-1)

    def column(self, tracer: Tracer, name: str, default: float | None = None) -> Array:
        """Return a number of a tracer's table for each class, shape (n,)."""
        values = [tracer.of_kind(kind, name, default) for kind in (*self.kinds, *BEYOND)]
        return self.spread(values[: self.n_regions], values[self.n_regions :])


def classes_of(subject: Subject, places: Places | None = None) -> Classes:
    """Return the classes of a subject, and of places of their own within its regions."""
    return Classes(tuple(kinds_of(subject)), (places or Places()).hosts)
