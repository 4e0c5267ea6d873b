"""Functional connectivity of a run at three levels, as correlation matrices of the regions: neural, clean signal, observed signal.

BIDS has no name for matrices yet (its extension 17 is a draft that calls them relmat), so they lie in ``sourcedata``.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from fakeimaging.core.files import write_json, write_tsv
from fakeimaging.dataset.job import Job

WORDS = {
    "neural": "firing rate of each region at the rate it is recorded at",
    "clean": "noise-free signal of each region in the middle of each volume",
    "observed": "mean over each region of the preprocessed series in template space, not denoised",
}
DIGITS = 6


def correlations(series: npt.NDArray) -> npt.NDArray[np.float64]:
    """Return the correlation of each pair of rows, shape (n, n); NaN for a row that never changes.

    Examples
    --------
    >>> correlations(np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    return correlations_in_blocks([np.asarray(series).T])


def correlations_in_blocks(blocks: Iterable[npt.NDArray]) -> npt.NDArray[np.float64]:
    """Return the correlation of each pair of columns of a long series that comes in blocks of rows, none of them empty."""
    n, origin, sums, products = 0, None, 0.0, 0.0
    for block in blocks:
        # About the mean of the first block, so that products of large numbers do not cancel.
        origin = block.mean(axis=0, dtype=np.float64) if origin is None else origin
        moved = block - origin
        n, sums, products = n + len(block), sums + moved.sum(axis=0), products + moved.T @ moved
    mean = np.asarray(sums) / n
    covariance = np.asarray(products) / n - np.outer(mean, mean)
    spread = np.sqrt(np.where(np.diag(covariance) > 1e-24, np.diag(covariance), np.nan))
    return np.asarray(np.clip(covariance / np.outer(spread, spread), -1, 1))


def regional_means(
    voxels: npt.NDArray[np.float32], labels: npt.NDArray[np.integer], n_regions: int
) -> npt.NDArray[np.float64]:
    """Return the mean of the voxels of each region, shape (n_regions, n_volumes); NaN for a region without voxels.

    Parameters
    ----------
    voxels : ndarray, shape (n_volumes, n_voxels)
    labels : ndarray of int, shape (n_voxels,)
        Region of each voxel from 1; 0 for none.
    n_regions : int
    """
    counts = np.bincount(labels, minlength=n_regions + 1)[1:]
    sums = np.stack([np.bincount(labels, weights=row, minlength=n_regions + 1)[1:] for row in voxels], axis=1)
    return np.asarray(np.divide(sums, counts[:, None], out=np.full(sums.shape, np.nan), where=counts[:, None] > 0))


def write_relations(job: Job, observed: npt.NDArray[np.float64]) -> None:
    """Write the three matrices of a scan; ``observed`` has shape (n_regions, n_volumes)."""
    found = {"clean": correlations(job.recording.truth["regional_bold"]), "observed": correlations(observed)}
    if job.activity is not None:
        blocks = (block for _, block in job.activity.tap("rate").from_start().blocks())
        found = {"neural": correlations_in_blocks(blocks)} | found
    columns = [region.name for region in job.subject.regions]
    for level, matrix in found.items():
        path = job.scan.shared(f"desc-{level}_relmat.tsv")
        rows = [[None if r != r else round(r, DIGITS) for r in row] for row in matrix.tolist()]
        job.note(path, write_tsv(job.root / path, columns, rows))
        about = {"Description": f"correlation of regions: {WORDS[level]}", "RelationshipMeasure": "Pearson correlation"}
        job.note(path.with_suffix(".json"), write_json(job.root / path.with_suffix(".json"), about))
