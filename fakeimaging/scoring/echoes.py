"""Of what kind is a course in a multi-echo scan: of R2*, which grows with the echo time, or of S0, which does not?

With b_n the size of the course in echo n and S_n the mean of that echo, the two models (Kundu et al. 2012) are

    R2*:  b_n = c TE_n S_n,     S0:  b_n = c S_n,     F = (N - 1) (sum b^2 - residual) / residual

kappa is the mean of F of the first over voxels, rho that of the second, weighted by how strongly the course shows in each; as tedana
has them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fakeimaging.core.citations import Reference

LARGEST_F, LARGEST_Z = 500.0, 8.0
"""Beyond which a voxel counts no more (tedana's)."""
REFERENCE = Reference("Kundu et al.", 2012, "10.1016/j.neuroimage.2011.12.028", "kappa and rho")


def kappa_rho(
    echoes: npt.NDArray, combined: npt.NDArray, courses: npt.NDArray, echo_times: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return kappa and rho of each course, both shape (n_courses,).

    Parameters
    ----------
    echoes : ndarray, shape (n_voxels, n_echoes, n_volumes)
    combined : ndarray, shape (n_voxels, n_volumes)
        Their optimal combination, which says where a course shows.
    courses : ndarray, shape (n_courses, n_volumes)
    echo_times : array_like, shape (n_echoes,)
        s.

    Examples
    --------
    >>> t, times = np.linspace(0, 20, 60), np.array([0.015, 0.03, 0.045])
    >>> bold, drift = np.sin(t), np.linspace(-1, 1, 60) ** 2
    >>> size = np.linspace(1, 2, 5)[:, None, None]
    >>> echoes = 1000 * np.exp(-times[:, None] * (25 + 0.3 * size * bold)) * (1 + 0.01 * size * drift)
    >>> kappa, rho = kappa_rho(echoes, echoes[:, 1], np.stack([bold, drift]), times)
    >>> bool(kappa[0] > 10 * rho[0]), bool(rho[1] > 10 * kappa[1])
    (True, True)
    """
    times, means = np.asarray(echo_times, dtype=np.float64), echoes.mean(axis=-1, dtype=np.float64)
    centred = echoes - means[..., None]
    sizes = _coefficients(courses, centred.reshape(-1, echoes.shape[-1])).reshape(len(courses), *means.shape)
    shows = _coefficients(_standardised(courses), _standardised(combined))
    weights = np.clip(_standardised(shows), -LARGEST_Z, LARGEST_Z) ** 2
    kappa, rho = (
        (_f_values(sizes, model) * weights).sum(axis=1) / weights.sum(axis=1) for model in (times * means, means)
    )
    return kappa, rho


def _coefficients(courses: npt.NDArray, series: npt.NDArray) -> npt.NDArray[np.float64]:
    """Return the size of each course in each series, whose mean is 0, shape (n_courses, n_series)."""
    design = courses - courses.mean(axis=1, keepdims=True)
    return np.asarray(np.linalg.lstsq(design.T, series.T, rcond=None)[0])


def _f_values(sizes: npt.NDArray[np.float64], model: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return F of a model of the echoes, shape (n_courses, n_voxels)."""
    scale = (sizes * model).sum(axis=-1) / (model**2).sum(axis=-1)
    residual = ((sizes - scale[..., None] * model) ** 2).sum(axis=-1)
    explained = (sizes**2).sum(axis=-1) - residual
    freedom = sizes.shape[-1] - 1
    return np.asarray(np.minimum(explained * freedom / np.maximum(residual, 1e-30), LARGEST_F))


def _standardised(series: npt.NDArray) -> npt.NDArray[np.float64]:
    centred = series - series.mean(axis=-1, keepdims=True, dtype=np.float64)
    return np.asarray(centred / np.maximum(centred.std(axis=-1, keepdims=True), 1e-30))
