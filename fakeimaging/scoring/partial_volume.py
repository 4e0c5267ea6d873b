"""Partial volume, undone with what is known of tissue and point spread: geometric transfer matrix, and its voxel-wise relative.

What the mean over a mask holds after the blur is linear in the activity of each class of tissue, m = T c (Rousset, Ma and Evans 1998);
as many masks as classes give c = T^-1 m. It is exact where activity is the same all over a class, and labels and point spread are the true
ones. The voxel-wise image keeps the detail within a class: the image times s / (s * h), s the classes painted with c (Thomas et al. 2011).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet.resolution import Painted, PointSpread, transfer

Array = npt.NDArray[np.float64]
PUREST = 0.8
"""Share of the largest value, behind the point spread, at which a voxel counts for a tissue beyond the regions (assumed)."""


@dataclass(frozen=True, eq=False)
class PartialVolume:
    """Tissue on the grid of an image, the masks over which is averaged, and what blur and mixing put into each mask from each class.

    Classes are the regions in their order, then the tissues beyond them.

    Parameters
    ----------
    painted : Painted
    masks : ndarray of int, shape painted.grid.shape
        i + 1 where is averaged for class i; 0 elsewhere.
    spread : PointSpread
    matrix : ndarray, shape (n_classes, n_classes)
        Row: mask; column: class that gives.
    """

    painted: Painted
    masks: npt.NDArray[np.intp]
    spread: PointSpread
    matrix: Array

    @property
    def n(self) -> int:
        """Number of classes."""
        return len(self.matrix)

    def means(self, images: Iterable[npt.NDArray]) -> Array:
        """Return the mean of each image over each mask, shape (n_classes, n_images); NaN where a mask has no voxel."""
        where = self.masks.ravel()
        counts = np.bincount(where, minlength=self.n + 1)[1:]
        sums = [np.bincount(where, np.ravel(image), self.n + 1)[1:] for image in images]
        return np.asarray(np.stack(sums, axis=1) / np.where(counts, counts, np.nan)[:, None])

    def corrected(self, means: Array) -> Array:
        """Return the activity of each class from the means over the masks, of the shape of ``means``; NaN where a mask has no voxel."""
        known = np.isfinite(means).all(axis=1) & (np.diag(self.matrix) > 0)
        result = np.full(means.shape, np.nan)
        result[known] = np.linalg.solve(self.matrix[np.ix_(known, known)], means[known])
        return result

    def image(self, image: npt.NDArray, values: Array) -> npt.NDArray[np.float32]:
        """Return an image with partial volume undone voxel by voxel.

        Parameters
        ----------
        image : ndarray, shape painted.grid.shape
        values : ndarray, shape (n_classes,)
            What `corrected` gives of its means.

        Notes
        -----
        The result is the activity of what a voxel is made of, tissue fractions included: 0 where nothing is painted.
        """
        sharp = paint(self.painted, values)
        soft = self.spread.applied(sharp, self.painted.grid)
        ratio = np.divide(sharp, soft, out=np.zeros_like(sharp), where=soft > 1e-6 * soft.max())
        return np.asarray(image * ratio, dtype=np.float32)


def partial_volume(painted: Painted, labels: npt.NDArray, n_regions: int, spread: PointSpread) -> PartialVolume:
    """Return what undoes partial volume.

    Parameters
    ----------
    painted : Painted
        Fractions of tissue in each voxel, those of the regions by its own labels.
    labels : ndarray of int, shape painted.grid.shape
        i + 1 where an analyst averages for region i.
    n_regions : int
    spread : PointSpread
        As a user of the scanner knows it.

    Raises
    ------
    InputError
        If the labels lie on another grid.
    """
    if labels.shape != painted.grid.shape:
        raise InputError(f"labels of shape {labels.shape} are not on the grid {painted.grid.shape}", value=labels.shape)
    masks = np.array(labels, dtype=np.intp)
    for k, fraction in enumerate(painted.others):
        soft = np.where(labels == 0, spread.applied(fraction, painted.grid), np.float32(0))
        masks[(soft > 0) & (soft >= PUREST * soft.max())] = n_regions + k + 1
    n = n_regions + len(painted.others)
    matrix = transfer(painted, masks.astype(np.uint16), n, spread)
    # What is painted has labels of regions only: the columns between them and the other tissues are empty.
    return PartialVolume(painted, masks, spread, np.delete(matrix, slice(n_regions, n), axis=1))


def paint(painted: Painted, values: Array) -> npt.NDArray[np.float32]:
    """Return the image of classes with these values, regions first, shape painted.grid.shape."""
    n_regions = len(values) - len(painted.others)
    filled = np.where(np.isfinite(values), values, 0.0).astype(np.float32)
    image = painted.grey * np.concatenate([[np.float32(0)], filled[:n_regions]])[painted.labels]
    for fraction, value in zip(painted.others, filled[n_regions:], strict=True):
        image += fraction * value
    return np.asarray(image, dtype=np.float32)
