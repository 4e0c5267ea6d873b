"""What spins remember of another slice: through-plane motion changes the time since they were last excited.

A spin that goes from slice s' to slice s between two volumes is excited TR + t_s - t_s' after the last time, rather than TR. With
the recursion of `steady_state` its magnetisation changes by g(s', s), relative, and (cos a exp(-TR / T1))^l of that is left l volumes
later. The change of a slice is the mean over its spins: at a place of the slice that has moved by D (in slices), a spin at depth d of
slice s at volume v lay in slice s + floor(d + D_u - D_v) at volume u. So d falls into three parts for each pair of volumes (u - 1, u),
whose lengths are the weights of three pairs of slices.

First order in g: what two changes make of each other is left out. One pose holds for a volume, as in `motion`. Spins from beyond the
slices are at rest. Pure tissues; muscle counts as grey matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import kernels
from fakeimaging.core.spaces import Grid, apply_affine
from fakeimaging.modalities.bold import field
from fakeimaging.modalities.bold.parameters import BoldParameters
from fakeimaging.modalities.bold.shares import shares
from fakeimaging.modalities.bold.steady_state import excited_again, kept_after, settled
from fakeimaging.modalities.boxes import Box, box_of
from fakeimaging.modalities.layers import Forward, Recipe, Stage
from fakeimaging.modalities.motion import rigid

Floats = npt.NDArray[np.float64]

TISSUES = ("grey", "white", "csf")
PLACES = 5
"""Places along each axis of a slice at which displacement is looked at; it is linear in between, the change nearly."""
REACH = 3
"""Slices that a spin may have come from on either side; those from farther count as from there."""
FORGOTTEN, LONGEST = 0.003, 40
"""Share of a change that is forgotten, and volumes after which it is in any case."""
INVISIBLE = 1e-6
"""Relative change below which a volume is left as it is."""


@dataclass(frozen=True, eq=False)
class _History:
    """What the volumes of a scan share.

    Parameters
    ----------
    moved : ndarray, shape (n_volumes, PLACES**2)
        Displacement across the slices, in slices.
    decay : ndarray, shape (n_tissues, n_lags)
        What is left of a change after so many volumes.
    change : ndarray, shape (n_tissues, (2 REACH + 1)**2, n_slices)
        Relative change on arriving in slice s + j from slice s + i, by (i, j).
    box : Box
    along : (ndarray, ndarray)
        Linear interpolation from the places to the voxels of the box, along x and y.
    shares : ndarray, shape (n_tissues, *box), float32
    """

    moved: Floats
    decay: Floats
    change: Floats
    box: Box
    along: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
    shares: npt.NDArray[np.float32]


def through_plane(poses: npt.NDArray, grid: Grid) -> Floats:
    """Return how far places of the middle slice have moved across the slices, in slices, shape (n_volumes, PLACES**2); x varies slowest."""
    nx, ny, nz = grid.shape
    x, y = np.meshgrid(np.linspace(0, nx - 1, PLACES), np.linspace(0, ny - 1, PLACES), indexing="ij")
    index = np.stack([x.ravel(), y.ravel(), np.full(x.size, (nz - 1) / 2)], axis=1)
    points = apply_affine(grid.affine, index)
    back = np.linalg.inv(grid.affine)
    return np.stack([apply_affine(back @ rigid(pose), points)[:, 2] for pose in poses]) - index[:, 2]


def arrivals(slice_times: npt.NDArray[np.float64], t1: float, p: BoldParameters) -> Floats:
    """Return the relative change of the magnetisation of spins of slice s that arrive in s + j from s + i, by i, j and s.

    Shape (2 REACH + 1, 2 REACH + 1, n_slices), each offset from -`REACH` on.
    """
    n, steps = len(slice_times), np.arange(-REACH, REACH + 1)
    steady = settled(t1, p)
    before, now = steps[:, None, None] + np.arange(n), steps[None, :, None] + np.arange(n)
    interval = p.tr + slice_times[np.clip(now, 0, n - 1)] - slice_times[np.clip(before, 0, n - 1)]
    met = np.where((before < 0) | (before >= n), 1.0, excited_again(steady, interval, t1, p))
    left = (now < 0) | (now >= n) | (steps[:, None, None] == steps[None, :, None])
    return np.where(left, 0.0, met / steady - 1)


def slice_changes(moved: Floats, decay: Floats, change: Floats, v: int) -> Floats:
    """Return the relative change of each tissue at each place of each slice of volume ``v``.

    Parameters
    ----------
    moved, decay, change : ndarray
        As in `_History`.

    Returns
    -------
    ndarray, shape (n_tissues, n_places, n_slices)
    """
    n_places, width = moved.shape[1], 2 * REACH + 1
    n_lags = min(v, decay.shape[1])
    since = moved[v - n_lags : v + 1][::-1] - moved[v]
    whole = np.floor(since)
    part = since - whole
    now, before, b, a = part[:-1], part[1:], whole[:-1], whole[1:]
    weight = np.stack([1 - np.maximum(now, before), np.abs(now - before), np.minimum(now, before)])
    pairs = (a, b), (a + (before > now), b + (now > before)), (a + 1, b + 1)
    offsets = np.clip(np.array(pairs), -REACH, REACH).astype(int) + REACH
    place = np.arange(n_places) * width**2 + offsets[:, 0] * width + offsets[:, 1]
    summed = [np.bincount(place.ravel(), (weight * left[:n_lags, None]).ravel(), n_places * width**2) for left in decay]
    return np.matmul(np.reshape(summed, (len(decay), n_places, width**2)), change)


@lru_cache(maxsize=2)
def _history(forward: Forward) -> _History:
    grid, p, times = forward.clean.grid, forward.context["parameters"], forward.context["slice_times"]
    known = field.fields()[p.field_strength].tissues
    t1s = [known[name].t1 for name in TISSUES]
    decay = np.array([[kept_after(lag, t1, p) for lag in range(LONGEST)] for t1 in t1s])
    decay = decay[:, : max(1, int((decay > FORGOTTEN).sum(axis=1).max()))]
    change = np.stack([arrivals(times, t1, p).reshape(-1, len(times)) for t1 in t1s])
    box, tissue = box_of(forward.baseline), shares(forward)
    held = np.stack([tissue["grey"] + tissue["muscle"], tissue["white"], tissue["csf"]])[:, *box]
    along = tuple(_hats(size)[part] for size, part in zip(grid.shape[:2], box[:2], strict=True))
    poses = forward.context["physiology"].motion(forward.clean.clock.times + p.tr / 2)
    return _History(through_plane(poses, grid), decay, change, box, along, np.ascontiguousarray(held))  # type: ignore[arg-type]


def _hats(size: int) -> npt.NDArray[np.float32]:
    """Weights of the places at each voxel of an axis, shape (size, PLACES)."""
    position = np.linspace(0, PLACES - 1, size) if size > 1 else np.zeros(1)
    return np.maximum(1 - np.abs(position[:, None] - np.arange(PLACES)), 0).astype(np.float32)


def _draw(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    return {"places": PLACES}


def _act(image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray:
    h = _history(forward)
    by_slice = slice_changes(h.moved, h.decay, h.change, v)[..., h.box[2]]
    if np.abs(by_slice).max(initial=0) < INVISIBLE:
        return image
    x, y = h.along
    rows = np.matmul(y, by_slice.reshape(len(TISSUES), PLACES, PLACES, -1).astype(np.float32))
    result = np.array(image, dtype=np.float32, order="C")
    _kernel(change_by_tissue)(h.shares, rows, x, result[h.box])
    return result


@lru_cache(maxsize=1)
def _kernel(function: Callable[..., None]) -> Callable[..., None]:
    """Keep the compiled kernel: finding it again means reading this file."""
    return kernels.compiled(function)


def change_by_tissue(shares, rows, along, image):  # type: ignore[no-untyped-def]
    """Multiply ``image`` (nx, ny, nz) by 1 and the sum of ``shares`` (3, nx, ny, nz) times the change of each tissue.

    Changes are those of ``rows`` (3, PLACES, ny, nz) at the two places around each x, weighed by ``along`` (nx, PLACES).
    """
    for i in range(image.shape[0]):
        first = 0
        while first < along.shape[1] - 2 and along[i, first] == 0.0:
            first += 1
        low, high = along[i, first], along[i, first + 1]
        for j in range(image.shape[1]):
            for k in range(image.shape[2]):
                grey = low * rows[0, first, j, k] + high * rows[0, first + 1, j, k]
                white = low * rows[1, first, j, k] + high * rows[1, first + 1, j, k]
                fluid = low * rows[2, first, j, k] + high * rows[2, first + 1, j, k]
                change = shares[0, i, j, k] * grey + shares[1, i, j, k] * white + shares[2, i, j, k] * fluid
                image[i, j, k] += image[i, j, k] * change


SPIN_HISTORY = Stage("spin_history", "operator", _draw, _act)
"""Needs the context ``physiology``, ``slice_times``, ``parameters``, ``maps``, ``tissue``; acts on the moved image."""
