"""The resolution of a scanner: a Gaussian point spread, and how much of each region's signal it takes to which other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.core.spaces import Grid

FWHM = 2 * math.sqrt(2 * math.log(2))
"""Full width at half maximum of a Gaussian over its SD."""
REACH = 4.0
"""SDs after which the point spread is cut."""


def blurred(image: npt.NDArray, grid: Grid, fwhm: float, *, around: bool = False) -> npt.NDArray[np.float32]:
    """Return an image convolved with a Gaussian.

    Parameters
    ----------
    image : ndarray, shape grid.shape
    grid : Grid
    fwhm : float
        mm, the same in all directions; 0 returns the image.
    around : bool
        Whether the image goes on from one edge to the opposite one; else there is nothing beyond it.
    """
    from scipy.ndimage import gaussian_filter

    if fwhm == 0:
        return np.asarray(image, dtype=np.float32)
    sigma = fwhm / FWHM / grid.voxel_size
    mode = "wrap" if around else "constant"
    return np.asarray(gaussian_filter(np.asarray(image, dtype=np.float32), sigma, mode=mode, truncate=REACH))


def unit_noise(grid: Grid, fwhm: float, *, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return Gaussian noise of SD 1 in every voxel, as smooth as a Gaussian of ``fwhm`` (mm) makes white noise."""
    white = rng.standard_normal(grid.shape, dtype=np.float32)
    if fwhm == 0:
        return white
    smooth = blurred(white, grid, fwhm, around=True)
    smooth /= np.float32(
        math.prod(_left_over(size, s) for size, s in zip(grid.shape, fwhm / FWHM / grid.voxel_size, strict=True))
    )
    return smooth


def _left_over(size: int, sigma: float) -> float:
    """SD of white noise after the filter along one axis: the length of its kernel."""
    from scipy.ndimage import gaussian_filter1d

    impulse = np.zeros(size)
    impulse[size // 2] = 1.0
    return float(np.linalg.norm(gaussian_filter1d(impulse, sigma, mode="wrap", truncate=REACH)))


@dataclass(frozen=True, eq=False)
class Painted:
    """Tissue on a grid.

    Parameters
    ----------
    grid : Grid
    labels : ndarray, shape grid.shape
        i + 1 where the grey matter is of class i: a region, or a place of its own within one.
    grey : ndarray, shape grid.shape
        Fraction of grey matter.
    others : tuple of ndarray, shape grid.shape
        Fractions of the tissues beyond the regions.
    """

    grid: Grid
    labels: npt.NDArray[np.uint16]
    grey: npt.NDArray[np.float32]
    others: tuple[npt.NDArray[np.float32], ...]


def transfer(
    painted: Painted, masks: npt.NDArray, n_regions: int, fwhm: float, n_places: int = 0
) -> npt.NDArray[np.float64]:
    """Return how much of each class the mean over a region's mask holds after the blur (geometric transfer matrix).

    Parameters
    ----------
    painted : Painted
    masks : ndarray, shape painted.grid.shape
        i + 1 where an analyst averages for region i.
    n_regions : int
    fwhm : float
        mm.
    n_places : int
        Classes of places of their own, after the regions.

    Returns
    -------
    ndarray, shape (n_regions, n_regions + n_places + len(painted.others))
        Row: region that is averaged; column: class that gives. Zeros where a mask has no voxel.

    References
    ----------
    Rousset, Ma and Evans (1998), J Nucl Med 39:904
    """
    from scipy.ndimage import find_objects

    margin = np.ceil(REACH * fwhm / FWHM / painted.grid.voxel_size + 1).astype(int)
    n_grey = n_regions + n_places
    matrix = np.zeros((n_regions, n_grey + len(painted.others)))
    for i, box in enumerate(find_objects(masks.astype(np.int32), n_regions)):
        if box is None:
            continue
        around = tuple(slice(max(0, s.start - m), s.stop + m) for s, m in zip(box, margin, strict=True))
        inside = masks[around] == i + 1
        share = blurred(inside, painted.grid, fwhm).astype(np.float64) / inside.sum()
        grey = (share * painted.grey[around]).ravel()
        given = np.bincount(painted.labels[around].ravel(), weights=grey, minlength=n_grey + 1)
        matrix[i, :n_grey] = given[1 : n_grey + 1]
        matrix[i, n_grey:] = [float((share * fraction[around]).sum()) for fraction in painted.others]
    return matrix
