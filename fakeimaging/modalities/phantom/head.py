"""The phantom's head: nested ellipsoids with folded grey matter, a fissure, ventricles, deep grey matter, and no image of anyone.

Shares of tissue in a voxel are counted on a grid three times finer. Places are in units of the brain's half axes, which take
`EXTENT` of the grid, so that air is left around it: what masks of EPI images look for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import Affine, Grid, centred_grid, rotation
from fakeimaging.modalities.phantom.parameters import PhantomParameters
from fakeimaging.modalities.relaxation import BRAIN, relaxation_at_3t, spoiled_gradient_echo

Image = npt.NDArray[np.float32]

EXTENT = 0.8
"""Share of the grid that the brain takes along each axis: 19 x 22 x 16 voxels of the default grid."""
FINER = 3
RIM, CORTEX, FOLDS, WAVES = 0.95, 0.72, 0.08, 9.0
"""Radii where fluid and, on the average, white matter begin, depth of the folds and how many (assumed)."""
FISSURE = (0.035, 0.45)
"""Half width of the fissure between the hemispheres, and the radius it reaches down to (assumed)."""
VENTRICLES = (((0.13, -0.05, 0.12), (0.09, 0.34, 0.17)),)
DEEP = (((0.28, 0.05, -0.08), (0.13, 0.24, 0.17)),)
"""Centre and half axes of ventricles and deep grey matter on the right; the left mirrors them (assumed)."""
ECHO_TIME, FLIP_ANGLE = 0.03, 73.0
"""s and degrees, the default sequence of `bold`."""
FEWEST = 3
"""Voxels below which a region is too small."""


@dataclass(frozen=True, eq=False)
class Head:
    """Tissue and regions of the phantom on its grid.

    Parameters
    ----------
    grid : Grid
    grey, white, csf : ndarray, shape grid.shape, float32
        Shares of each voxel.
    rest : ndarray, shape grid.shape, float32
        Signal at rest, in units of that of grey matter.
    labels : ndarray of int16, shape grid.shape
        1 to n_regions in voxels that are mostly grey matter, 0 elsewhere.
    """

    grid: Grid
    grey: Image
    white: Image
    csf: Image
    rest: Image
    labels: npt.NDArray[np.int16]

    @property
    def affine(self) -> Affine:
        """Voxel index to mm."""
        return self.grid.affine

    @property
    def brain(self) -> npt.NDArray[np.bool_]:
        """Voxels that are mostly brain."""
        return (self.grey + self.white + self.csf) > 0.5


@lru_cache(maxsize=4)
def make_head(p: PhantomParameters) -> Head:
    """Return the head on the grid of these parameters; it has no randomness.

    Raises
    ------
    InputError
        If there are more regions than the grid can hold.
    """
    grid = centred_grid(p.shape, p.voxel_size)
    grey, white, csf = (_coarser(tissue) for tissue in _tissues(_places(p.shape, FINER)))
    tissues = {"grey": grey, "white": white, "csf": csf}
    signals = {
        name: spoiled_gradient_echo(tissue, p.tr, FLIP_ANGLE, ECHO_TIME)
        for name, tissue in relaxation_at_3t(BRAIN).items()
    }
    rest = sum(np.float32(signals[name] / signals["grey"]) * share for name, share in tissues.items())
    labels = _regions(_places(p.shape, 1), grey > 0.5, p.n_regions)
    return Head(grid, grey, white, csf, np.asarray(rest, dtype=np.float32), labels)


def _places(shape: tuple[int, int, int], finer: int) -> npt.NDArray[np.float32]:
    """Centres of (finer) voxels in units of the half axes, shape (3, *shape * finer)."""
    axes = [np.linspace(-1, 1, 2 * n * finer + 1, dtype=np.float32)[1::2] / np.float32(EXTENT) for n in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def _tissues(u: npt.NDArray[np.float32]) -> tuple[Image, Image, Image]:
    """Grey, white and fluid at each place, 0 or 1."""
    radius = np.sqrt((u**2).sum(axis=0))
    mirrored = np.stack([np.abs(u[0]), u[1], u[2]])
    direction = np.tensordot(rotation((0.6, 0.5, 0.4)).astype(np.float32), mirrored, axes=1) / np.maximum(radius, 1e-3)
    waves = np.sin(WAVES * direction + np.reshape((1.0, 0.4, 2.1), (3, 1, 1, 1)))
    folded = CORTEX + FOLDS * (waves[0] * waves[1] + waves[1] * waves[2] + waves[2] * waves[0])
    brain = radius < 1
    fissure = (mirrored[0] < FISSURE[0]) & (radius > FISSURE[1]) & (u[2] > -0.3)
    csf = brain & ((radius > RIM) | fissure | _inside(mirrored, VENTRICLES))
    grey = brain & ~csf & ((radius > folded) | _inside(mirrored, DEEP))
    white = brain & ~csf & ~grey
    return grey.astype(np.float32), white.astype(np.float32), csf.astype(np.float32)


def _inside(u: npt.NDArray[np.float32], ellipsoids: tuple) -> npt.NDArray[np.bool_]:
    found = np.zeros(u.shape[1:], dtype=bool)
    for centre, half in ellipsoids:
        scaled = (u - np.reshape(centre, (3, 1, 1, 1))) / np.reshape(half, (3, 1, 1, 1))
        found |= (scaled**2).sum(axis=0) < 1
    return found


def _coarser(fine: Image) -> Image:
    nx, ny, nz = (size // FINER for size in fine.shape)
    blocks = fine.reshape(nx, FINER, ny, FINER, nz, FINER)
    return np.asarray(blocks.mean(axis=(1, 3, 5)), dtype=np.float32)


def _regions(u: npt.NDArray[np.float32], grey: npt.NDArray[np.bool_], n: int) -> npt.NDArray[np.int16]:
    """Give each voxel of grey matter the nearest of n points that are spread evenly over the brain, front to back."""
    turn = np.arange(n) * np.pi * (3 - np.sqrt(5))
    y = 1 - (2 * np.arange(n) + 1) / n
    ring = np.sqrt(1 - y**2)
    points = np.stack([ring * np.cos(turn), y, ring * np.sin(turn)], axis=1)
    direction = u[:, grey].T / np.linalg.norm(u[:, grey], axis=0)[:, None]
    labels = np.zeros(grey.shape, dtype=np.int16)
    labels[grey] = 1 + np.argmax(direction @ points.T, axis=1)
    least = np.bincount(labels[grey], minlength=n + 1)[1:].min() if n <= grey.sum() else 0
    if least < FEWEST:
        raise InputError(
            f"`n_regions`: {n} regions leave one with {least} voxels of {grey.sum()} of grey matter; "
            f"take fewer, or a larger `shape`",
            value=n,
        )
    return labels
