"""The resolution of a scanner: a Gaussian point spread along its axes, and how much of each region's signal it takes to which other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.spaces import Grid
from fakeimaging.modalities.normals import normals
from fakeimaging.modalities.pet.blur import FWHM, REACH, blur, left_over, widths_on
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.scanners import SCANNERS, Three

__all__ = ["FWHM", "Painted", "PointSpread", "blurred", "point_spread", "transfer", "unit_noise"]

NEAR, FAR = 10.0, 100.0
"""mm from the axis of the scanner at which the point spread is measured (NEMA NU 2)."""


def blurred(image: npt.NDArray, grid: Grid, fwhm: float | Three, *, around: bool = False) -> npt.NDArray[np.float32]:
    """Return an image convolved with a Gaussian.

    Parameters
    ----------
    image : ndarray, shape grid.shape
    grid : Grid
    fwhm : float or three floats
        mm, in all directions or along x, y and z; 0 returns the image.
    around : bool
        Whether the image goes on from one edge to the opposite one; else there is nothing beyond it.
    """
    return blur(image, widths_on(grid.affine, _three(fwhm)), around=around)


def _three(fwhm: float | Three) -> Three:
    return fwhm if isinstance(fwhm, tuple) else (fwhm,) * 3


@dataclass(frozen=True)
class PointSpread:
    """How a scanner shows a point: a Gaussian, which may widen away from the axis.

    Parameters
    ----------
    near : three floats
        FWHM along x, y and z of the scanner in mm, near its axis (the line along z through the isocentre).
    far : three floats, optional
        FWHM 10 cm from it. A point between is shown as a mixture of both, so that none of its activity is lost.

    Examples
    --------
    >>> PointSpread((4.3, 4.3, 4.6)).widest
    (4.3, 4.3, 4.6)
    """

    near: Three
    far: Three | None = None

    @property
    def widest(self) -> Three:
        """FWHM along x, y and z where it is widest, in mm."""
        return self.near if self.far is None else tuple(map(max, self.near, self.far))  # type: ignore[return-value]

    def applied(self, image: npt.NDArray, grid: Grid) -> npt.NDArray[np.float32]:
        """Return an image as the scanner shows it, without noise."""
        if self.far is None:
            return blurred(image, grid, self.near)
        outer = image * _outwards(grid)
        return blurred(image - outer, grid, self.near) + blurred(outer, grid, self.far)

    def gathered(self, image: npt.NDArray, grid: Grid) -> npt.NDArray[np.float32]:
        """Return the adjoint of `applied`: how much each place gives to what is summed with the weights ``image``."""
        if self.far is None:
            return blurred(image, grid, self.near)
        outwards = _outwards(grid)
        return (1 - outwards) * blurred(image, grid, self.near) + outwards * blurred(image, grid, self.far)


def point_spread(parameters: PetParameters) -> PointSpread:
    """Return the point spread of a scan, with the filter of its images where those are not reconstructed.

    A width of its own widens away from the axis as its scanner's does.
    """
    p, scanner = parameters, SCANNERS.get(parameters.scanner)
    filtered = p.post_filter if p.tier == "image" else 0.0
    near = _filtered(p.point_spread, filtered)
    if not p.psf_varies:
        return PointSpread(near)
    x, y, z = (a * far / b for a, far, b in zip(p.point_spread, scanner.far, scanner.near, strict=True))
    return PointSpread(near, _filtered((x, y, z), filtered))


def _filtered(fwhm: Three, more: float) -> Three:
    """Return the widths of a Gaussian after another one."""
    x, y, z = (math.hypot(width, more) for width in fwhm)
    return x, y, z


@lru_cache(maxsize=2)
def _outwards(grid: Grid) -> npt.NDArray[np.float32]:
    """Share of the far point spread in each voxel, from 0 near the axis to 1 at `FAR` and beyond."""
    distance = np.hypot(coordinate(grid, 0), coordinate(grid, 1))
    return frozen(np.clip((distance - NEAR) / (FAR - NEAR), 0, 1).astype(np.float32))


def coordinate(grid: Grid, axis: int) -> npt.NDArray[np.float64]:
    """Return x, y or z of each voxel in mm, shape grid.shape."""
    along = grid.affine[axis]
    i, j, k = np.ogrid[tuple(map(slice, grid.shape))]
    return np.asarray(along[0] * i + along[1] * j + along[2] * k + along[3])


def unit_noise(grid: Grid, fwhm: float | Three, *, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return Gaussian noise of SD 1 in every voxel, as smooth as a Gaussian of ``fwhm`` (mm) makes white noise."""
    covariance = widths_on(grid.affine, _three(fwhm))
    noise = blur(normals(grid.shape, rng=rng), covariance, around=True)
    noise /= np.float32(left_over(covariance, grid.shape))
    return noise


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


def class_amounts(painted: Painted, weights: npt.NDArray, n_grey: int) -> npt.NDArray[np.float64]:
    """Return the volume of each class in mL, each voxel weighted.

    Parameters
    ----------
    painted : Painted
    weights : ndarray, shape painted.grid.shape
    n_grey : int
        Number of classes of grey matter.

    Returns
    -------
    ndarray, shape (n_grey + len(painted.others),)
    """
    millilitres = abs(np.linalg.det(painted.grid.affine[:3, :3])) * 1e-3
    grey = np.bincount(painted.labels.ravel(), (painted.grey * weights).ravel(), n_grey + 1)[1 : n_grey + 1]
    others = [np.vdot(fraction, weights) for fraction in painted.others]
    return np.concatenate([grey, others]) * millilitres


def transfer(
    painted: Painted, masks: npt.NDArray, n_regions: int, spread: PointSpread, n_places: int = 0
) -> npt.NDArray[np.float64]:
    """Return how much of each class the mean over a region's mask holds after the blur (geometric transfer matrix).

    Parameters
    ----------
    painted : Painted
    masks : ndarray, shape painted.grid.shape
        i + 1 where an analyst averages for region i.
    n_regions : int
    spread : PointSpread
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

    margin = np.ceil(REACH * max(spread.widest) / FWHM / painted.grid.voxel_size + 2).astype(int)
    n_grey = n_regions + n_places
    matrix = np.zeros((n_regions, n_grey + len(painted.others)))
    for i, box in enumerate(find_objects(masks.astype(np.int32), n_regions)):
        if box is None:
            continue
        around = tuple(slice(max(0, s.start - m), s.stop + m) for s, m in zip(box, margin, strict=True))
        inside = masks[around] == i + 1
        here = painted.grid.part([s.start for s in around], inside.shape)
        share = spread.gathered(inside, here).astype(np.float64) / inside.sum()
        grey = (share * painted.grey[around]).ravel()
        given = np.bincount(painted.labels[around].ravel(), weights=grey, minlength=n_grey + 1)
        matrix[i, :n_grey] = given[1 : n_grey + 1]
        matrix[i, n_grey:] = [float((share * fraction[around]).sum()) for fraction in painted.others]
    return matrix
