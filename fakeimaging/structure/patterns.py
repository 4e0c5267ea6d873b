"""Where inside its region activity is stronger or weaker: smooth spatial patterns, one set a subject.

Each pattern is a Gaussian random field in template space, brought to zero mean and unit variance over the grey matter of each
region. Activity at x in region r is that of r plus the sum over patterns m of pattern_m(x) times mode m of r.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.spaces import Grid, apply_affine, centred_grid
from fakeimaging.core.streams import Streams
from fakeimaging.structure.parcellation import Parcellation
from fakeimaging.structure.template import TissueMaps

N_MODES = 2
"""Patterns, and modes of activity, of each region."""
FWHM = 12.0
"""mm, of the Gaussian that smooths the field (assumed: between the size of a column cluster and of a region)."""
SPACING = 4.0
"""mm, of the field's own grid."""
SAMPLING = 2.0
"""mm, at which the grey matter of a region is sampled for mean and variance."""
FEWEST = 4
"""Samples of a region below which it has no pattern."""


@dataclass(frozen=True, eq=False)
class Patterns:
    """Smooth fields and what normalises them in each region.

    Parameters
    ----------
    grid : Grid
        Of the fields, template mm.
    fields : ndarray, shape (N_MODES, *grid.shape), float32
    mean, scale : ndarray, shape (N_MODES, n_regions + 1)
        By label; outside every region (label 0) the scale is 0.
    """

    grid: Grid
    fields: npt.NDArray[np.float32]
    mean: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]

    def at(self, points: npt.ArrayLike, labels: npt.NDArray) -> npt.NDArray[np.float32]:
        """Return the patterns at points (n, 3) in template mm of regions ``labels`` (n,), shape (N_MODES, n); 0 for label 0."""
        values = _interpolated(self.fields, self.grid, points)
        return np.asarray((values - self.mean[:, labels]) * self.scale[:, labels], dtype=np.float32)


@lru_cache(maxsize=4)
def make_patterns(parcellation: Parcellation, maps: TissueMaps, streams: Streams, n: int = N_MODES) -> Patterns:
    """Draw the patterns of a subject.

    Parameters
    ----------
    parcellation : Parcellation
    maps : TissueMaps
        Whose grey matter weighs the points of a region.
    streams : Streams
        Of the subject; each pattern draws from its own.
    n : int
        How many.
    """
    grid = _field_grid(parcellation.grid)
    fields = np.stack([_smooth_field(grid, streams.at("patterns", f"mode-{m + 1}")) for m in range(n)])
    points, labels = _sampled(parcellation)
    grey = np.maximum(_interpolated(maps.grey[None].astype(np.float32), maps.grid, points)[0], 1e-3)
    values, n_labels = _interpolated(fields, grid, points), len(parcellation.regions) + 1
    total = np.bincount(labels, weights=grey, minlength=n_labels)
    share = np.divide(1.0, total, out=np.zeros(n_labels), where=total > 0)
    mean = np.stack([np.bincount(labels, weights=grey * value, minlength=n_labels) * share for value in values])
    power = np.stack([np.bincount(labels, weights=grey * value**2, minlength=n_labels) * share for value in values])
    variance = np.where(np.bincount(labels, minlength=n_labels) >= FEWEST, power - mean**2, 0.0)
    scale = np.divide(1.0, np.sqrt(np.maximum(variance, 0.0)), out=np.zeros_like(mean), where=variance > 1e-6)
    scale[:, 0] = 0
    return Patterns(grid, frozen(fields), frozen(np.asarray(mean)), frozen(np.asarray(scale)))


def _field_grid(around: Grid) -> Grid:
    corners = apply_affine(
        around.affine, np.array(np.meshgrid(*([0, size - 1] for size in around.shape))).reshape(3, -1).T
    )
    low, high = corners.min(axis=0), corners.max(axis=0)
    nx, ny, nz = (int(length / SPACING) + 3 for length in high - low)
    x, y, z = ((low + high) / 2).tolist()
    return centred_grid((nx, ny, nz), SPACING, (x, y, z))


def _smooth_field(grid: Grid, streams: Streams) -> npt.NDArray[np.float32]:
    from scipy.ndimage import gaussian_filter

    white = streams.rng().standard_normal(grid.shape, dtype=np.float32)
    return np.asarray(gaussian_filter(white, FWHM / np.sqrt(8 * np.log(2)) / SPACING, mode="wrap"))


def _sampled(parcellation: Parcellation) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """Return points of the regions at about `SAMPLING`, in template mm, and their labels."""
    step = tuple(max(1, round(SAMPLING / size)) for size in parcellation.grid.voxel_size)
    thinned = parcellation.labels[:: step[0], :: step[1], :: step[2]]
    index = np.argwhere(thinned)
    return apply_affine(parcellation.grid.affine, index * step), thinned[tuple(index.T)].astype(np.intp)


def _interpolated(images: npt.NDArray, grid: Grid, points: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Sample images (k, *grid.shape) linearly at points (n, 3) in mm, shape (k, n)."""
    from scipy.ndimage import map_coordinates

    index = apply_affine(np.asarray(np.linalg.inv(grid.affine)), points).T
    sampled = [map_coordinates(image, index, output=np.float32, order=1, mode="nearest") for image in images]
    return np.stack(sampled)


def labels_at(parcellation: Parcellation, points: npt.ArrayLike) -> npt.NDArray[np.intp]:
    """Return the label of the voxel that each point (n, 3) in template mm lies in, shape (n,); 0 outside every region."""
    grid = parcellation.grid
    index = np.rint(apply_affine(np.asarray(np.linalg.inv(grid.affine)), points)).astype(int)
    inside = ((index >= 0) & (index < grid.shape)).all(axis=-1)
    labels = np.zeros(len(index), dtype=np.intp)
    labels[inside] = parcellation.labels[tuple(index[inside].T)]
    return labels


def patterns_on(
    patterns: Patterns, grid: Grid, labels: npt.NDArray[np.uint16], to_template: npt.NDArray
) -> npt.NDArray[np.float32]:
    """Return the patterns at the voxel centres of a native grid, shape (N_MODES, *grid.shape), float32.

    Parameters
    ----------
    patterns : Patterns
    grid : Grid
    labels : ndarray, shape grid.shape
        Regions on it; 0 gives 0.
    to_template : ndarray, shape (4, 4)
        Native mm to template mm.
    """
    index = np.argwhere(labels)
    image = np.zeros((N_MODES, *grid.shape), dtype=np.float32)
    points = apply_affine(to_template @ grid.affine, index)
    image[:, *index.T] = patterns.at(points, labels[tuple(index.T)])
    return image
