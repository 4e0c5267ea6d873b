"""Atrophy: grey matter that regions have lost, taken from where it meets the fluid, so that sulci and ventricles are wider.

In a region that loses the share f, the surface to the fluid recedes by a depth r that is the same all over it. With d(x) the depth of a
voxel's middle below that surface and inside(d) = clip(d / voxel + 1/2, 0, 1), what is left is

    cortex, cerebellum    grey = min(grey0, max(0, inside(d - r) - white0))                       white matter lies deeper and stays
    nuclei                grey = grey0 min(1, inside(d - r) / (grey0 + white0), inside(e - r / 3))

where e is the depth below white matter: nuclei recede from it too, three times slower, since few lie on fluid alone, and the white share
of their voxels goes with them. r is such that f of the grey matter is gone, to one 255th of a voxel. What the fluid takes becomes fluid,
what white matter takes becomes white matter. Nothing else moves: head, centroids and wiring stay as they were.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.errors import InputError
from fakeimaging.structure.anatomy import resample
from fakeimaging.structure.parcellation import Parcellation, spilled
from fakeimaging.structure.template import TissueMaps

Floats = npt.NDArray[np.float64]
Box = tuple[slice, slice, slice]

SHEETS = ("cortex", "cerebellum")
"""Kinds that lie on the fluid with one side and lose from there alone; the others are nuclei."""
FLUID_FIRST = 3.0
"""How much faster a nucleus recedes from fluid than from white matter (assumed)."""
SURFACE = 0.1
"""Share of fluid from which a voxel holds some of its surface (assumed)."""
POCKET = 50.0
"""mm3 of fluid in one piece from which it can widen: single voxels of it lie inside the template's nuclei (assumed)."""
MOST_LOST = 0.9
"""Largest share that a region can lose (assumed: beyond it there is no region)."""
MARGIN = 2
"""Voxels around what is looked at."""
HALVINGS = 40
"""Of the interval that holds the depth of a surface: to far below a 255th of a voxel."""


@dataclass(frozen=True, eq=False)
class Atrophy:
    """What a subject's regions have lost.

    Parameters
    ----------
    losses : ndarray, shape (n_regions,)
        Shares of grey matter that were to go.
    before, after : ndarray, shape (n_regions,), mm3 of the template
        Grey matter of each region.
    """

    losses: Floats
    before: Floats
    after: Floats


@dataclass(frozen=True, eq=False)
class _Front:
    """The voxels of all regions that lose something, and how far their surfaces are.

    Parameters
    ----------
    region : ndarray of int, shape (n_voxels,)
    grey, white, pocket : ndarray, shape (n_voxels,)
        255ths; the last is fluid of a nucleus that belongs to no space that could widen.
    nucleus : ndarray of bool, shape (n_voxels,)
        Whether a voxel is of a nucleus.
    below_fluid, below_white : ndarray, shape (n_voxels,)
        Depths in voxels; the second is infinite outside the nuclei.
    """

    region: npt.NDArray[np.intp]
    grey: Floats
    white: Floats
    pocket: Floats
    nucleus: npt.NDArray[np.bool_]
    below_fluid: Floats
    below_white: Floats

    def dry(self, depth: Floats) -> Floats:
        """Return the share of its grey matter that the fluid leaves each voxel when it has come in so far in each region."""
        inside = 255 * _inside(self.below_fluid - depth[self.region])
        whole = self.grey + np.where(self.nucleus, self.white, 0)
        return np.clip((inside - np.where(self.nucleus, 0, self.white)) / whole, 0, 1)

    def spared(self, depth: Floats) -> Floats:
        """Return the share that white matter leaves each voxel then."""
        return _inside(self.below_white - depth[self.region] / FLUID_FIRST)

    def left(self, depth: Floats) -> Floats:
        """Return the grey matter that fluid and white matter leave, shape (n_voxels,)."""
        return self.grey * np.minimum(self.dry(depth), self.spared(depth))


def _inside(depth: Floats) -> Floats:
    return np.asarray(np.clip(depth + 0.5, 0, 1))


def atrophied(maps: TissueMaps, parcellation: Parcellation, losses: npt.ArrayLike) -> TissueMaps:
    """Return the maps with grey matter lost.

    Parameters
    ----------
    maps : TissueMaps
    parcellation : Parcellation
        In the space of the maps.
    losses : array_like, shape (n_regions,)
        Share of the grey matter of each region that is gone, in [0, `MOST_LOST`].

    Returns
    -------
    TissueMaps
        The same object if nothing is lost. In every voxel grey, white and csf add to what they added to before.

    Raises
    ------
    InputError
        If there are not as many losses as regions, one is outside its range, or the head has nothing to lose grey matter to.

    Examples
    --------
    >>> from fakeimaging import make_subject
    >>> subject = make_subject("01", seed=1, anatomy="tiny")
    >>> maps, losses = subject.anatomy.maps, [0.2] + 9 * [0.0]
    >>> labels = region_labels(maps, subject.parcellation)
    >>> after = grey_volumes(atrophied(maps, subject.parcellation, losses), labels)
    >>> (1 - after / grey_volumes(maps, labels)).round(4)[:3]
    array([0.2, 0. , 0. ])
    """
    lost, n = np.asarray(losses, dtype=float), len(parcellation.regions)
    if lost.shape != (n,):
        raise InputError(f"`losses`: {n} numbers are needed, one a region, not an array of shape {lost.shape}")
    if not ((lost >= 0) & (lost <= MOST_LOST)).all():
        raise InputError(
            f"`losses`: shares of the grey matter in [0, {MOST_LOST}], not {lost.min():g} to {lost.max():g}"
        )
    return _atrophied(maps, parcellation, tuple(lost.tolist())) if lost.any() else maps


@lru_cache(maxsize=2)
def _atrophied(maps: TissueMaps, parcellation: Parcellation, losses: tuple[float, ...]) -> TissueMaps:
    box = _box(maps.grey > 0)
    labels = region_labels(maps, parcellation)[box].astype(np.intp)
    lost = np.array([0.0, *losses])
    where = np.nonzero((lost[labels] > 0) & (maps.grey[box] > 0))
    front = _front(maps, parcellation, labels, where)
    wanted = np.rint((1 - lost[1:]) * _sums(front.region, front.grey, len(losses)))
    depth = _depth_of(front, wanted)
    gone = (front.grey - _whole(front, front.left(depth), wanted)).astype(int)
    wet = 1 - front.dry(depth)
    from_grey = np.where(front.nucleus, np.minimum(gone, np.rint(front.grey * wet)), gone).astype(int)
    from_white = np.where(front.nucleus, np.rint(front.white * wet), 0).astype(int)
    filled = np.rint(front.pocket * (1 - front.spared(depth))).astype(int)
    to_fluid = from_grey + from_white - filled
    changes = {"grey": -gone, "white": gone - to_fluid, "csf": to_fluid}
    grey, white, csf = (_changed(getattr(maps, name), box, where, by) for name, by in changes.items())
    return replace(maps, grey=grey, white=white, csf=csf)


@lru_cache(maxsize=2)
def region_labels(maps: TissueMaps, parcellation: Parcellation) -> npt.NDArray[np.uint16]:
    """Return the labels on the grid of the maps, shape maps.grid.shape: those of the voxels, and of grey matter beside them.

    Parameters
    ----------
    maps : TissueMaps
        Before anything is lost.
    parcellation : Parcellation
    """
    grid, box = maps.grid, _box(maps.grey > 0)
    labels = parcellation.labels
    if parcellation.grid != grid:
        labels = resample(labels, parcellation.grid, grid, np.eye(4), order=0).astype(np.uint16)
    labels = labels.copy()
    labels[box] = spilled(labels[box], (maps.grey[box] / 255).astype(np.float32))
    return frozen(labels)


def grey_volumes(maps: TissueMaps, labels: npt.NDArray[np.uint16]) -> Floats:
    """Return the grey matter of each region in mm3 of the template, shape (n_regions,); the labels are those of `region_labels`."""
    inside = np.nonzero((labels > 0) & (maps.grey > 0))
    sums = _sums(labels[inside].astype(np.intp) - 1, maps.grey[inside].astype(float), int(labels.max()))
    return np.asarray(sums / 255 * abs(np.linalg.det(maps.grid.affine[:3, :3])))


def thinned(parcellation: Parcellation, before: TissueMaps, after: TissueMaps) -> Parcellation:
    """Return the parcellation without the voxels that lost all their grey matter; each region stays one piece, and where it was.

    Parameters
    ----------
    parcellation : Parcellation
    before, after : TissueMaps
        The maps it belongs to, and what `atrophied` made of them.
    """
    empty = np.asarray((before.grey > 0) & (after.grey == 0), dtype=np.uint8)
    if parcellation.grid != before.grid:
        empty = resample(empty, before.grid, parcellation.grid, np.eye(4), order=0).astype(np.uint8)
    labels = parcellation.labels.copy()
    labels[empty > 0] = 0
    _join(labels, parcellation.labels)
    return replace(parcellation, labels=frozen(labels))


def _join(labels: npt.NDArray[np.uint16], whole: npt.NDArray[np.uint16]) -> None:
    """Give regions that fell into more pieces, or vanished, lost voxels back around the smaller ones, until all hold together; in place."""
    from scipy.ndimage import binary_dilation, find_objects, label

    for i, box in enumerate(find_objects(whole)):
        if box is None:
            continue
        region, kept = whole[box] == i + 1, labels[box] == i + 1
        if kept.sum() == region.sum():
            continue
        n = label(region)[1]
        kept = kept if kept.any() else region
        pieces, found = label(kept)
        while found > n:
            small = kept & (pieces != np.bincount(pieces[kept]).argmax())
            kept |= binary_dilation(small) & region
            pieces, found = label(kept)
        labels[box][kept] = i + 1


def _box(mask: npt.NDArray[np.bool_]) -> Box:
    """Return the part of an image that holds a mask, and some voxels around it."""
    edges = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    x, y, z = (slice(max(int(edge[0]) - MARGIN, 0), int(edge[-1]) + MARGIN + 1) for edge in edges)
    return x, y, z


@lru_cache(maxsize=2)
def _below_fluid(maps: TissueMaps) -> npt.NDArray[np.float32]:
    """Return the depth of each voxel's middle below the surface of the fluid in the box of the grey matter, in voxels."""
    from scipy.ndimage import binary_dilation, distance_transform_edt, label

    csf, size = maps.csf[_box(maps.grey > 0)], maps.grid.voxel_size
    pieces, _ = label(csf > 127)
    wide = np.bincount(pieces.ravel()) * size.prod() >= POCKET
    wide[0] = False
    surface = (csf >= SURFACE * 255) & binary_dilation(wide[pieces])
    if not surface.any():
        return frozen(np.full(csf.shape, np.inf, dtype=np.float32))
    distance, nearest = distance_transform_edt(~surface, sampling=size, return_indices=True)
    beyond = 0.5 - csf[tuple(nearest)].astype(np.float32) / 255
    return frozen(np.asarray(distance / size.mean() + beyond, dtype=np.float32))


def _below_white(maps: TissueMaps, labels: npt.NDArray[np.intp], nuclei: npt.NDArray[np.bool_]) -> Floats:
    """Return the depth of each voxel of a nucleus below the white matter around it, in voxels, shape of the labels; else infinite."""
    from scipy.ndimage import distance_transform_edt

    below = np.full(labels.shape, np.inf)
    if nuclei.any():
        part = _box(nuclei)
        around = (labels[part] == 0) & (maps.white[_box(maps.grey > 0)][part] > 127)
        size = maps.grid.voxel_size
        distance = distance_transform_edt(~around, sampling=size) / size.mean() if around.any() else np.inf
        below[part] = np.where(nuclei[part], distance - 0.5, np.inf)
    return below


def _front(
    maps: TissueMaps,
    parcellation: Parcellation,
    labels: npt.NDArray[np.intp],
    where: tuple[npt.NDArray[np.intp], ...],
) -> _Front:
    box, region = _box(maps.grey > 0), labels[where] - 1
    nucleus = np.array([one.kind not in SHEETS for one in parcellation.regions])
    losing = np.zeros(labels.shape, dtype=bool)
    losing[where] = nucleus[region]
    grey, white, csf = (share[box][where].astype(float) for share in (maps.grey, maps.white, maps.csf))
    below_fluid, below_white = _below_fluid(maps)[where].astype(float), _below_white(maps, labels, losing)[where]
    pocket = np.where(nucleus[region] & (below_fluid > 1), csf, 0.0)
    return _Front(region, grey, white, pocket, nucleus[region], below_fluid, below_white)


def _depth_of(front: _Front, wanted: Floats) -> Floats:
    """Return how far the surface of each region recedes until no more grey matter is left than wanted, in voxels."""
    reach, n = np.minimum(front.below_fluid, FLUID_FIRST * front.below_white), len(wanted)
    if np.isinf(reach).any():
        raise InputError(
            "there is no fluid that could widen and, around a nucleus, no white matter: nothing to lose grey matter to"
        )
    low, high = np.zeros(n), np.zeros(n)
    np.maximum.at(high, front.region, reach + FLUID_FIRST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        more = _sums(front.region, front.left(middle), n) > wanted
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    return high


def _whole(front: _Front, left: Floats, wanted: Floats) -> Floats:
    """Round to 255ths of which each region has as many as wanted: those with the largest remainders are rounded up."""
    floor = np.floor(left)
    parts = np.flatnonzero(left > floor)
    order = parts[np.lexsort((-(left - floor)[parts], front.region[parts]))]
    region = front.region[order]
    place = np.arange(len(order)) - np.searchsorted(region, region)
    short = wanted - _sums(front.region, floor, len(wanted))
    floor[order[place < short[region]]] += 1
    return floor


def _sums(region: npt.NDArray[np.intp], values: Floats, n: int) -> Floats:
    return np.asarray(np.bincount(region, weights=values, minlength=n), dtype=float)


def _changed(
    share: npt.NDArray[np.uint8], box: Box, where: tuple[npt.NDArray[np.intp], ...], by: npt.NDArray[np.int_]
) -> npt.NDArray[np.uint8]:
    new = share.copy()
    part = new[box]
    part[where] = (part[where].astype(int) + by).astype(np.uint8)
    return frozen(new)


def forget() -> None:
    """Release the maps that are kept."""
    _atrophied.cache_clear()
    _below_fluid.cache_clear()
    region_labels.cache_clear()
