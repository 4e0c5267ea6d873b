"""Functional connectivity: what a standard masker and correlation recover of the network, against its truth.

Chance comes from the same series, each region's turned by its own random lag, which keeps autocorrelation and destroys the
relation between regions.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.dataset.confounds import cosines

N_PERMUTATIONS = 200


def regional_series(image: str | Path, labels: str | Path, n_regions: int) -> npt.NDArray[np.float64]:
    """Return the mean series of each region as nilearn's masker gives it.

    Parameters
    ----------
    image, labels : path
        4-D series and 3-D label image; the labels are resampled to the series' grid.
    n_regions : int

    Returns
    -------
    ndarray, shape (n_regions, n_volumes)
        NaN where the masker found no voxel of a region.
    """
    from nilearn.maskers import NiftiLabelsMasker

    masker = NiftiLabelsMasker(str(labels), standardize=None, resampling_target="data")
    found = masker.fit_transform(str(image))
    series = np.full((n_regions, len(found)), np.nan)
    for column, label in masker.region_ids_.items():
        if column != "background":
            series[int(label) - 1] = found[:, int(column)]
    return series


def cleaned(series: npt.NDArray, tr: float, confounds: npt.NDArray | None = None) -> npt.NDArray[np.float64]:
    """Return series detrended and high-pass filtered by cosines, as an analysis would and as the truth must be to compare.

    nilearn regresses the cosines out together with the confounds (a Butterworth filter would ring at the ends of a short run).

    Parameters
    ----------
    series : ndarray, shape (n_regions, n_volumes)
    tr : float
        Repetition time in s.
    confounds : ndarray, shape (n_volumes, n), optional
        Courses to regress out as well.
    """
    from nilearn.signal import clean

    slow = cosines(series.shape[1], tr)
    columns = slow if confounds is None else np.hstack([slow, confounds])
    result = np.full(series.shape, np.nan)
    known = np.isfinite(series).all(axis=1)
    result[known] = clean(
        series[known].astype(np.float64).T,
        detrend=True,
        standardize=None,
        filter=False,
        confounds=columns if columns.size else None,
    ).T
    return result


def connectivity(series: npt.NDArray) -> npt.NDArray[np.float64]:
    """Return the Pearson correlations between rows, shape (n_regions, n_regions); NaN for a row that is constant or missing."""
    centred = series - series.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, length, out=np.full_like(centred, np.nan), where=length > 0)
    return np.asarray(unit @ unit.T)


def agreement(
    estimate: npt.NDArray, truth: npt.NDArray, where: npt.NDArray[np.bool_] | None = None
) -> tuple[float, int]:
    """Return the Pearson correlation of two symmetric matrices over their upper triangles, and the number of pairs.

    Parameters
    ----------
    estimate, truth : ndarray, shape (n, n)
    where : ndarray of bool, shape (n, n), optional
        Pairs to compare; those with a NaN are left out in any case.

    Raises
    ------
    InputError
        If fewer than three pairs are left.
    """
    rows, columns = np.triu_indices(len(truth), 1)
    kept = np.isfinite(estimate[rows, columns]) & np.isfinite(truth[rows, columns])
    if where is not None:
        kept &= where[rows, columns]
    if kept.sum() < 3:
        raise InputError(f"only {kept.sum()} pairs of regions can be compared")
    a, b = estimate[rows, columns][kept], truth[rows, columns][kept]
    return float(np.corrcoef(a, b)[0, 1]), int(kept.sum())


def chance(
    series: npt.NDArray, truth: npt.NDArray, where: npt.NDArray[np.bool_] | None = None, *, rng: np.random.Generator
) -> float:
    """Return the 95th percentile of the agreement when each region's series is turned by its own random lag.

    Parameters
    ----------
    series : ndarray, shape (n_regions, n_volumes)
    truth : ndarray, shape (n_regions, n_regions)
    where : as in `agreement`
    rng : numpy.random.Generator
    """
    n, length = series.shape
    columns = np.arange(length)
    found = []
    for _ in range(N_PERMUTATIONS):
        lags = rng.integers(0, length, (n, 1))
        turned = series[np.arange(n)[:, None], (columns - lags) % length]
        found.append(agreement(connectivity(turned), truth, where)[0])
    return float(np.quantile(found, 0.95))
