"""How many pairs of photons leave the head: the mean over the lines through a place of ``exp(-integral of mu)``, lines within its slice."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fakeimaging.core.spaces import Grid
from fakeimaging.modalities.pet.resolution import Painted, coordinate

SOFT, BONE = 0.00975, 0.013
"""1/mm, attenuation of 511 keV in soft tissue and bone (the values of the brainweb package)."""
STEP = 6.0
"""mm, of the grid the lines are followed on; survival hardly changes over it (assumed)."""
N_ANGLES = 16
"""Directions of lines (assumed: twice as many change the mean by less than 0.1 %)."""


def survival(painted: Painted) -> npt.NDArray[np.float32]:
    """Return the share of pairs from each voxel that leave the head unscattered, shape grid.shape."""
    attenuation = _attenuation(painted)
    factor = [max(1, round(STEP / edge)) for edge in painted.grid.voxel_size]
    sizes = [size // f for size, f in zip(attenuation.shape, factor, strict=True)]
    if min(sizes) < 4:
        return escaping(attenuation, painted.grid)
    blocks = attenuation[tuple(slice(0, n * f) for n, f in zip(sizes, factor, strict=True))]
    split = blocks.reshape(sizes[0], factor[0], sizes[1], factor[1], sizes[2], factor[2])
    coarse = np.diag([*factor, 1.0])
    coarse[:3, 3] = (np.array(factor) - 1) / 2
    shares = escaping(split.mean(axis=(1, 3, 5)), Grid(tuple(sizes), painted.grid.affine @ coarse))
    return _finer(shares, factor, painted.grid.shape)


def _attenuation(painted: Painted) -> npt.NDArray[np.float32]:
    _, white, csf, bone, scalp = painted.others
    return np.asarray(np.float32(SOFT) * (painted.grey + white + csf + scalp) + np.float32(BONE) * bone)


def escaping(attenuation: npt.NDArray, grid: Grid, n_angles: int = N_ANGLES) -> npt.NDArray[np.float32]:
    """Return the share of pairs from each voxel that are not attenuated.

    Parameters
    ----------
    attenuation : ndarray, shape grid.shape
        1/mm.
    grid : Grid
        Its third axis is the scanner's.
    n_angles : int
    """
    slice_ = grid.part([0, 0, 0], (*grid.shape[:2], 1))
    x, y = (coordinate(slice_, axis)[..., 0] for axis in (0, 1))
    step = float(grid.voxel_size[:2].min())
    area, n_z = float(np.prod(grid.voxel_size[:2])), grid.shape[2]
    flat = attenuation.reshape(-1, n_z).astype(float) * area / step
    total = np.zeros_like(flat)
    for angle in (np.arange(n_angles) + 0.5) * math.pi / n_angles:
        place = (x * math.cos(angle) + y * math.sin(angle)).ravel() / step
        place -= place.min()
        first = place.astype(int)
        share = (place - first)[:, None]
        lines = np.zeros((first.max() + 2, n_z))
        np.add.at(lines, first, flat * (1 - share))
        np.add.at(lines, first + 1, flat * share)
        total += np.exp(-((1 - share) * lines[first] + share * lines[first + 1]))
    return np.asarray(total / n_angles, dtype=np.float32).reshape(attenuation.shape)


def _finer(values: npt.NDArray, factor: list[int], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Interpolate between the middles of blocks, one axis after the other."""
    for axis, (f, n) in enumerate(zip(factor, shape, strict=True)):
        place = np.clip((np.arange(n) - (f - 1) / 2) / f, 0, values.shape[axis] - 1)
        first = np.minimum(place.astype(int), max(values.shape[axis] - 2, 0))
        share = (place - first).reshape([-1 if a == axis else 1 for a in range(3)])
        last = np.minimum(first + 1, values.shape[axis] - 1)
        values = np.take(values, first, axis) * (1 - share) + np.take(values, last, axis) * share
    return np.ascontiguousarray(values, dtype=np.float32)
