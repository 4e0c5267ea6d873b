"""Task activation: a first-level GLM of the regional series against that of the clean ones.

The estimate has AR(1) noise, drifts and motion, as nilearn fits it; the clean series has the same columns, so that what is scored
is noise and partial volume, not the model. A region is active where the clean response is above 10 % of the largest; where a design
imposes responses, they are the truth, and active is where there is one. Chance comes
from ordinary least squares on the same series without the response found, the design turned in time, forwards and backwards, which
keeps the autocorrelation of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.bold.task import ACTIVE, FAINT

N_TURNS = 220
"""Most turns of a design for chance; a run of 111 volumes or more has as many."""
FEWEST = 3
"""Active regions below which there is no slope."""

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Design:
    """A design of one run.

    Parameters
    ----------
    conditions : tuple of str
    task : ndarray, shape (n_volumes, n_conditions)
        Expected response of each condition.
    nuisance : ndarray, shape (n_volumes, n)
        Drifts, confounds and the constant.
    """

    conditions: tuple[str, ...]
    task: Matrix
    nuisance: Matrix


def design(events: Any, frame_times: Matrix, nuisance: Matrix, *, response: str = "spm") -> Design:
    """Return the design of a run: events convolved with a canonical response, beside the nuisance columns.

    Parameters
    ----------
    events : pandas.DataFrame
        Onset, duration, trial_type, and modulation where their sizes differ.
    frame_times : ndarray, shape (n_volumes,)
        Time each volume stands for, in s.
    nuisance : ndarray, shape (n_volumes, n)
    response : str
        As nilearn names them: ``"spm"``, ``"glover"``.
    """
    from nilearn.glm.first_level import make_first_level_design_matrix

    conditions = tuple(sorted(set(events["trial_type"])))
    # Names of our own, so that no name of a condition can clash with those of the design.
    own = {condition: f"condition{c}" for c, condition in enumerate(conditions)}
    names = ["onset", "duration", "trial_type", *(["modulation"] if "modulation" in events else [])]
    wanted = events[names].replace({"trial_type": own})
    full = make_first_level_design_matrix(frame_times, wanted, hrf_model=response, drift_model=None)
    return Design(conditions, full[list(own.values())].to_numpy(), nuisance)


def responses(series: Matrix, model: Design) -> tuple[Matrix, Matrix]:
    """Return response and t of each region to each condition under AR(1) noise.

    Parameters
    ----------
    series : ndarray, shape (n_regions, n_volumes)
    model : Design

    Returns
    -------
    beta, t : ndarray, shape (n_conditions, n_regions)
    """
    from nilearn.glm import compute_contrast
    from nilearn.glm.first_level import run_glm

    matrix = np.hstack([model.task, model.nuisance])
    labels, results = run_glm(series.T, matrix, noise_model="ar1")
    found = [
        compute_contrast(labels, results, np.eye(matrix.shape[1])[c], stat_type="t")
        for c in range(len(model.conditions))
    ]
    return np.stack([np.ravel(f.effect_size()) for f in found]), np.stack([np.ravel(f.stat()) for f in found])


def least_squares(series: Matrix, model: Design) -> tuple[Matrix, Matrix]:
    """Return response and t of each region to each condition by ordinary least squares, as `responses` does."""
    matrix = np.hstack([model.task, model.nuisance])
    inverse = np.linalg.pinv(matrix)
    beta = inverse @ series.T
    left = series.T - matrix @ beta
    freedom = len(matrix) - np.linalg.matrix_rank(matrix)
    spread = np.sqrt(np.outer((inverse**2).sum(axis=1), (left**2).sum(axis=0)) / max(1, freedom))
    n = len(model.conditions)
    return beta[:n], np.divide(beta[:n], spread[:n], out=np.zeros_like(beta[:n]), where=spread[:n] > 0)


def area_under_curve(values: Matrix, active: npt.NDArray[np.bool_]) -> float:
    """Return the probability that an active region has a larger value than another one; 0.5 says nothing.

    Examples
    --------
    >>> import numpy as np
    >>> area_under_curve(np.array([0.1, 0.4, 0.3, 0.9]), np.array([False, True, False, True]))
    1.0
    """
    from scipy.stats import rankdata

    n, m = int(active.sum()), int((~active).sum())
    ranks = rankdata(values)
    return float((ranks[active].sum() - n * (n + 1) / 2) / (n * m))


def slope(found: Matrix, true: Matrix, active: npt.NDArray[np.bool_], *, through_zero: bool = False) -> float:
    """Return the slope of the responses found on the true ones over the active regions: 1 without bias.

    Imposed responses, often all the same, take a line ``through_zero``.

    Examples
    --------
    >>> import numpy as np
    >>> true = np.array([[1.0, 2.0, 3.0, 0.0]])
    >>> round(slope(0.5 * true + 0.1, true, true > 0), 3)
    0.5
    """
    x, y = true[active], found[active]
    if through_zero:
        return float((x @ y) / (x @ x))
    return float(np.polyfit(x, y, 1)[0])


def turned(task: Matrix) -> list[Matrix]:
    """Return the design at other times: every circular shift but none, forwards and backwards, at most `N_TURNS` of them."""
    ways = [np.roll(course, lag, axis=0) for course in (task, task[::-1]) for lag in range(1, len(task))]
    chosen = np.linspace(0, len(ways) - 1, min(N_TURNS, len(ways))).astype(int)
    return [ways[k] for k in chosen]


def chance(
    series: Matrix, model: Design, true: Matrix, active: npt.NDArray[np.bool_], *, through_zero: bool = False
) -> tuple[float, float]:
    """Return what the design finds at other times in the series without the response it has.

    Parameters
    ----------
    series : ndarray, shape (n_regions, n_volumes)
    model : Design
    true : ndarray, shape (n_conditions, n_regions)
        Responses of the clean series.
    active : ndarray of bool, shape (n_conditions, n_regions)
    through_zero : bool
        As for `slope`.

    Returns
    -------
    area : float
        95th percentile of the area under the curve.
    error : float
        5th percentile of the slope's distance from 1.
    """
    beta, _ = least_squares(series, model)
    silent = series - (model.task @ beta).T
    areas, errors = [], []
    for task in turned(model.task):
        by_chance, t = least_squares(silent, Design(model.conditions, task, model.nuisance))
        areas.append(_mean_area(t, active))
        errors.append(abs(slope(by_chance, true, active, through_zero=through_zero) - 1))
    return float(np.quantile(areas, 0.95)), float(np.quantile(errors, 0.05))


def _mean_area(t: Matrix, active: npt.NDArray[np.bool_]) -> float:
    return float(np.mean([area_under_curve(np.abs(row), here) for row, here in zip(t, active, strict=True)]))


def truth(clean: Matrix, model: Design, imposed: Mapping[str, Matrix]) -> tuple[Matrix, npt.NDArray[np.bool_]]:
    """Return the true response of each region to each condition, and which regions are active, shape (n_conditions, n_regions).

    Parameters
    ----------
    clean : ndarray, shape (n_regions, n_volumes)
        In percent.
    model : Design
    imposed : mapping of str to ndarray of shape (n_regions,)
        Responses that are known, by condition.
    """
    beta, _ = least_squares(clean, model)
    active = np.abs(beta) > ACTIVE * np.abs(beta).max(axis=1, keepdims=True)
    for c, condition in enumerate(model.conditions):
        if condition in imposed:
            beta[c], active[c] = imposed[condition], imposed[condition] != 0
    return beta, active


def recovered(
    series: Matrix, clean: Matrix, model: Design, imposed: Mapping[str, Matrix] | None = None
) -> dict[str, Any] | None:
    """Return what the GLM recovered of the activation; None where there is too little of it to find.

    That is where all or none of the regions are active or fewer than `FEWEST` are, or where the largest response to a condition, its
    peak in any region and volume, stays below `FAINT` percent.

    Parameters
    ----------
    series, clean : ndarray, shape (n_regions, n_volumes)
        Observed and clean series in percent of their mean, the same volumes.
    model : Design
    imposed : mapping of str to ndarray of shape (n_regions,), optional
        Responses that are known, by condition.

    Returns
    -------
    dict
        ``auc`` and its ``auc_chance``; ``slope`` of the responses found on the true ones and its ``slope_chance``,
        an error; ``n``.
    """
    kept = np.isfinite(series).all(axis=1) & np.isfinite(clean).all(axis=1)
    known = {name: beta[kept] for name, beta in (imposed or {}).items()}
    true_beta, active = truth(clean[kept], model, known)
    peaks = np.abs(true_beta).max(axis=1) * np.abs(model.task).max(axis=0)
    told = active.any(axis=1) & ~active.all(axis=1) & (peaks >= FAINT)
    if not told.all() or active.sum() < FEWEST:
        return None
    beta, t = responses(series[kept], model)
    through_zero = known.keys() >= set(model.conditions)
    area_by_chance, error_by_chance = chance(series[kept], model, true_beta, active, through_zero=through_zero)
    return {
        "auc": _mean_area(t, active),
        "auc_chance": area_by_chance,
        "slope": slope(beta, true_beta, active, through_zero=through_zero),
        "slope_chance": error_by_chance,
        "n": int(active.size),
    }
