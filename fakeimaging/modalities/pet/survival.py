"""How many pairs of photons leave the head from each place: the mean over the lines through it of ``exp(-integral of mu)``, lines within
its slice; and what a head that has moved looks like through the attenuation map of where it lay.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.core.spaces import Affine, Grid
from fakeimaging.modalities.pet.resolution import coordinate

STEP = 6.0
"""mm, of the grid the lines are followed on; survival hardly changes over it (assumed)."""
N_ANGLES = 16
"""Directions of lines (twice as many change the mean by less than 0.1 %)."""

Volume = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Attenuation:
    """Attenuation of 511 keV on a coarse grid.

    Parameters
    ----------
    grid : Grid
        Its third axis is the scanner's.
    mu : ndarray, shape grid.shape
        1/mm.
    """

    grid: Grid
    mu: Volume


def coarse(mu: npt.NDArray, grid: Grid) -> Attenuation:
    """Return attenuation on voxels of about `STEP`, means of blocks of those of ``mu`` (1/mm)."""
    factor = np.array([max(1, round(STEP / edge)) for edge in grid.voxel_size])
    sizes = np.maximum(np.array(mu.shape) // factor, 1)
    factor = np.minimum(factor, mu.shape)
    blocks = mu[tuple(map(slice, sizes * factor))]
    means = blocks.reshape([n for pair in zip(sizes, factor, strict=True) for n in pair]).mean(axis=(1, 3, 5))
    joined = np.diag([*factor, 1.0])
    joined[:3, 3] = (factor - 1) / 2
    return Attenuation(Grid(means.shape, grid.affine @ joined), means)


def voxel_survival(attenuation: Attenuation, grid: Grid) -> Volume:
    """Return the share of pairs from each voxel of a grid that leave the head unscattered, shape grid.shape."""
    shares = np.mean([np.exp(-lines) for lines in _integrals(attenuation, N_ANGLES)], axis=0)
    return _brought(shares, attenuation.grid, grid)


def mismatch(attenuation: Attenuation, back: Affine, grid: Grid) -> Volume:
    """Return by what the activity of a moved head is multiplied when it is corrected with the attenuation of where it lay.

    Parameters
    ----------
    attenuation : Attenuation
        At the start of the scan.
    back : ndarray, shape (4, 4)
        Millimetres now to millimetres then.
    grid : Grid
    """
    moved = Attenuation(attenuation.grid, _sampled(attenuation.mu, attenuation.grid, attenuation.grid, back))
    pairs = zip(_integrals(attenuation, N_ANGLES), _integrals(moved, N_ANGLES), strict=True)
    return _brought(np.mean([np.exp(then - now) for then, now in pairs], axis=0), attenuation.grid, grid)


def _integrals(attenuation: Attenuation, n_angles: int) -> Iterator[npt.NDArray[np.float64]]:
    """Yield the integral along the line through each voxel, direction by direction."""
    grid, n_z = attenuation.grid, attenuation.grid.shape[2]
    first_slice = grid.part([0, 0, 0], (*grid.shape[:2], 1))
    x, y = (coordinate(first_slice, axis).ravel() for axis in (0, 1))
    step = float(grid.voxel_size[:2].max())
    mu = attenuation.mu.reshape(-1, n_z) * (float(np.prod(grid.voxel_size[:2])) / step)
    for angle in (np.arange(n_angles) + 0.5) * math.pi / n_angles:
        place = (x * math.cos(angle) + y * math.sin(angle)) / step
        place -= place.min()
        before = place.astype(int)
        share = (place - before)[:, None]
        lines = np.zeros((before.max() + 2, n_z))
        np.add.at(lines, before, mu * (1 - share))
        np.add.at(lines, before + 1, mu * share)
        yield ((1 - share) * lines[before] + share * lines[before + 1]).reshape(grid.shape)


def _brought(values: npt.NDArray, source: Grid, target: Grid) -> Volume:
    """Interpolate to another grid; the outermost values hold beyond."""
    return _sampled(values, source, target, np.eye(4), mode="nearest")


def _sampled(values: npt.NDArray, source: Grid, target: Grid, to_source: Affine, mode: str = "constant") -> Volume:
    from scipy.ndimage import affine_transform

    to_index = np.linalg.inv(source.affine) @ to_source @ target.affine
    return np.asarray(
        affine_transform(values.astype(np.float32), to_index, output_shape=target.shape, order=1, mode=mode)
    )
