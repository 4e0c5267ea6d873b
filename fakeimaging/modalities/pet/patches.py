"""Places of their own within regions: irregular pieces of grey matter where binding is displaced, each grown from a point.

A place that reaches into several regions is a class of its own in each of them, with all the numbers of its host but one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import Grid, apply_affine
from fakeimaging.modalities.pet.imposed import Displaced
from fakeimaging.modalities.pet.plasma import Array
from fakeimaging.structure.anatomy import resample
from fakeimaging.structure.growth import grow_place
from fakeimaging.structure.parcellation import Parcellation
from fakeimaging.structure.selection import check_known, chosen
from fakeimaging.structure.subject import Subject

FARTHEST = 10.0
"""mm between the point a place grows from and the nearest grey matter of a region beyond which it is refused (assumed)."""


def _no_places() -> npt.NDArray[np.intp]:
    return np.zeros(0, dtype=np.intp)


@dataclass(frozen=True, eq=False)
class Places:
    """Places in the order of their classes.

    Parameters
    ----------
    wanted : tuple of Displaced
    which, hosts : ndarray of int, shape (n_places,)
        Of each class the place (row of ``wanted``) and the region in which it lies.
    image : ndarray of uint16, shape of the template's label image, or None
        k + 1 in the k-th place.
    """

    wanted: tuple[Displaced, ...] = ()
    which: npt.NDArray[np.intp] = field(default_factory=_no_places)
    hosts: npt.NDArray[np.intp] = field(default_factory=_no_places)
    image: npt.NDArray[np.uint16] | None = None

    @property
    def n(self) -> int:
        """Number of classes."""
        return len(self.hosts)

    def left(self, edges: Array) -> Array:
        """Return the share of binding that is left in each class between ``edges`` (s after injection), shape (n_steps, n)."""
        rows = [self.wanted[k] for k in self.which]
        since = np.stack([edges[:-1] >= row.onset - 1e-6 for row in rows], axis=1)
        return 1 - since * np.array([row.reduction for row in rows])

    def on(self, subject: Subject, grid: Grid, labels: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
        """Return ``labels`` (i + 1 in region i) of a native grid with n_regions + j + 1 in the j-th place."""
        if self.image is None:
            return labels
        source, n_regions = subject.parcellation.grid, subject.n_regions
        place = resample(self.image, source, grid, subject.anatomy.to_template, order=0).astype(np.intp)
        number = np.zeros((len(self.wanted) + 1, n_regions + 1), dtype=np.uint16)
        number[self.which + 1, self.hosts + 1] = n_regions + np.arange(self.n) + 1
        own = number[place, labels]
        return np.where(own > 0, own, labels)


def places_of(subject: Subject, wanted: Sequence[Displaced]) -> Places:
    """Grow places through the grey matter of the regions, each into what the ones before it left.

    Raises
    ------
    InputError
        If a place begins far from grey matter, or there is not enough of it.
    """
    if not wanted:
        return Places()
    atlas = subject.parcellation
    image = np.zeros(atlas.labels.shape, dtype=np.uint16)
    for k, place in enumerate(wanted):
        check_known(place.where, atlas.regions, where=f"pet.displaced[{k}].where")
        allowed = np.append(False, chosen(place.where, atlas.regions))
        _grow(image, allowed, subject.parcellation, place, k)
    pairs = np.unique(np.stack([image[image > 0], atlas.labels[image > 0]], axis=1), axis=0).astype(np.intp) - 1
    return Places(tuple(wanted), pairs[:, 0], pairs[:, 1], image)


def _grow(
    image: npt.NDArray[np.uint16], allowed: npt.NDArray[np.bool_], atlas: Parcellation, place: Displaced, k: int
) -> None:
    """Write k + 1 into ``image`` where a place lies, through labels that are ``allowed``; only a box around its point is looked at."""
    grid = atlas.grid
    voxel = float(np.prod(grid.voxel_size))
    reach = FARTHEST + 4 * place.volume ** (1 / 3)
    for widened in (reach, 3 * reach):
        box = _box(grid, place.near, widened)
        free = allowed[atlas.labels[box]] & (image[box] == 0)
        first = [part.start for part in box]
        points = apply_affine(grid.affine, np.argwhere(free) + first)
        if np.linalg.norm(points - place.near, axis=1).min(initial=np.inf) > FARTHEST:
            raise InputError(
                f"`pet.displaced[{k}].near`: there is no grey matter to grow in within {FARTHEST:g} mm of {list(place.near)}",
                value=place.near,
            )
        n = max(1, round(place.volume / voxel))
        grown = grow_place(free, grid.part(first, free.shape), place.near, n)
        if grown.sum() == n:
            image[box][grown] = k + 1
            return
    raise InputError(
        f"`pet.displaced[{k}].volume`: {place.volume:g} mm3 is more than the grey matter around {list(place.near)}",
        value=place.volume,
    )


def _box(grid: Grid, near: Sequence[float], reach: float) -> tuple[slice, slice, slice]:
    middle = apply_affine(np.asarray(np.linalg.inv(grid.affine)), np.array([near]))[0]
    low = np.floor(middle - reach / grid.voxel_size).astype(int)
    high = np.ceil(middle + reach / grid.voxel_size).astype(int) + 1
    found = [slice(max(0, a), max(0, min(b, n))) for a, b, n in zip(low, high, grid.shape, strict=True)]
    return (found[0], found[1], found[2])
