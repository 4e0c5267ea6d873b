"""Effects between subjects: a second-level GLM of one number a subject on the covariates, against the same on clean signals.

For each effect of a study and each BOLD scan it reaches, the number is the mean response of the active regions to a condition, or the
mean functional connectivity. Estimates come from the preprocessed series; the truth is what is imposed on the same subjects, or what
their clean regions give: what is scored is noise, not who happened to take part. Chance comes from the same numbers with the covariate
dealt out at random.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.core.streams import Streams
from fakeimaging.dataset.contrasts import Contrast, contrasts
from fakeimaging.dataset.covariates import Value
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.dataset.participants import participants
from fakeimaging.scoring import activation, bold
from fakeimaging.scoring import connectivity as fc
from fakeimaging.scoring.table import Row

N_PERMUTATIONS = 500

Vector = npt.NDArray[np.float64]
Columns = Mapping[str, Sequence[Value]]
"""Covariates by name, one value a subject: text for levels, numbers."""


@dataclass(frozen=True)
class GroupEffect:
    """A difference between levels, or a slope for each unit of a continuous covariate.

    Parameters
    ----------
    estimate : float
    low, high : float
        Ends of its confidence interval.
    t : float
    p : float
        Two-sided.
    freedom : int
        Degrees of freedom of the residuals.
    """

    estimate: float
    low: float
    high: float
    t: float
    p: float
    freedom: int

    def covers(self, truth: float) -> bool:
        """Whether the interval holds a value."""
        return self.low <= truth <= self.high


def group_effect(
    values: npt.ArrayLike,
    covariates: Columns,
    name: str,
    *,
    level: str | None = None,
    reference: str | None = None,
    confidence: float = 0.95,
) -> GroupEffect:
    """Fit a second-level GLM, all covariates together, and return the effect of one of them.

    Parameters
    ----------
    values : array_like, shape (n_subjects,)
        One number of each subject.
    covariates : mapping of str to sequence
        As columns of participants.tsv: text is categorical, numbers are continuous.
    name : str
        Covariate whose effect is wanted.
    level, reference : str, optional
        Levels to compare (level minus reference); the only other level, and the first in order of the alphabet, when left out.
    confidence : float
        Of the interval.

    Raises
    ------
    InputError
        If the covariate is not there, a level has no subject, or there are too few subjects to tell.

    Examples
    --------
    >>> group = ["control", "patient"] * 4
    >>> found = group_effect([1.0, 2.0, 1.1, 2.1, 0.9, 1.9, 1.0, 2.0], {"group": group}, "group")
    >>> round(found.estimate, 3), found.freedom, found.covers(1.0)
    (1.0, 6, True)
    """
    from scipy.stats import t as student

    column, nuisance = _design(covariates, name, level, reference)
    freedom = _freedom(nuisance)
    estimate, error = map(float, _fit(np.asarray(values, dtype=np.float64), column, nuisance))
    t = estimate / error if error > 0 else np.copysign(np.inf, estimate) if estimate else 0.0
    half = float(student.ppf((1 + confidence) / 2, freedom)) * error
    return GroupEffect(
        estimate, estimate - half, estimate + half, float(t), float(2 * student.sf(abs(t), freedom)), freedom
    )


def _design(covariates: Columns, name: str, level: str | None, reference: str | None) -> tuple[Vector, Vector]:
    """Return the column of the effect, shape (n,), and all others, shape (n, n_columns), the intercept among them."""
    if name not in covariates:
        raise InputError(f"no covariate '{name}'; there is: {', '.join(covariates) or 'none'}", value=name)
    n = len(covariates[name])
    columns: dict[tuple[str, str | None], Vector] = {}
    for other, values in covariates.items():
        columns |= _columns(other, values, reference if other == name else None)
    own = [key for key in columns if key[0] == name and level in (None, key[1])]
    if len(own) != 1:
        held = ", ".join(str(value) for value in dict.fromkeys(covariates[name]))
        raise InputError(
            f"`{name}`: one level to compare is needed, not {level!r}; these subjects have: {held}", value=level
        )
    tested = columns.pop(own[0])
    nuisance = np.stack([np.ones(n), *columns.values()], axis=1)
    if _freedom(np.column_stack([nuisance, tested])) == _freedom(nuisance):
        raise InputError(f"`{name}`: the other covariates say all of it in these {n} subjects", value=name)
    if _freedom(nuisance) < 1:
        raise InputError(f"{n} subjects are too few for {nuisance.shape[1] + 1} columns of a GLM", value=n)
    return tested, nuisance


def _columns(name: str, values: Sequence[Value], reference: str | None) -> dict[tuple[str, str | None], Vector]:
    """Return a column for each level but the reference, or one of centred numbers."""
    if not isinstance(values[0], str):
        numbers = np.asarray(values, dtype=np.float64)
        return {(name, None): numbers - numbers.mean()}
    levels = sorted({str(value) for value in values})
    first = levels[0] if reference is None else reference
    return {(name, level): np.array([float(v == level) for v in values]) for level in levels if level != first}


def _residuals(values: Vector, nuisance: Vector) -> Vector:
    return np.asarray(values - nuisance @ np.linalg.lstsq(nuisance, values, rcond=None)[0])


def _fit(values: Vector, tested: Vector, nuisance: Vector) -> tuple[Vector, Vector]:
    """Return the coefficient of a column and its standard error for values of shape (n, ...) (Frisch-Waugh-Lovell)."""
    column, left = _residuals(tested, nuisance), _residuals(values, nuisance)
    energy = float(column @ column)
    estimates = np.asarray(column @ left / energy)
    unexplained = left - np.multiply.outer(column, estimates)
    return estimates, np.sqrt((unexplained**2).sum(axis=0) / _freedom(nuisance) / energy)


def _freedom(nuisance: Vector) -> int:
    """Return the degrees of freedom of the residuals with one more column."""
    return len(nuisance) - 1 - int(np.linalg.matrix_rank(nuisance))


def by_chance(
    values: npt.ArrayLike, covariates: Columns, contrast: Contrast, *, rng: np.random.Generator
) -> tuple[Vector, Vector]:
    """Return estimate and t, shape (`N_PERMUTATIONS`,) each, when subjects are dealt to the covariate at random.

    What the other covariates do not explain of the values is permuted (Freedman and Lane 1983, doi:10.2307/1391660).
    """
    column, nuisance = _design(covariates, contrast.covariate, contrast.level, contrast.reference)
    left = _residuals(np.asarray(values, dtype=np.float64), nuisance)
    dealt = rng.permuted(np.tile(left, (N_PERMUTATIONS, 1)), axis=1)
    estimates, errors = _fit(dealt.T, column, nuisance)
    return estimates, np.divide(estimates, errors, out=np.zeros_like(estimates), where=errors > 0)


def score_group(dataset: Dataset) -> Iterator[Row]:
    """Yield for each effect and BOLD scan what a second-level GLM finds of it: ``group_beta`` and ``group_fc``, and their t.

    The rows of a null twin are those of its study: ``group_beta_t`` should not beat chance there. None is yielded where there are
    too few subjects, or a level has none.
    """
    rows = participants(dataset.study)
    covariates = {name: [row[name] for row in rows] for name in dataset.study.covariates}
    done = set()
    for contrast in contrasts(dataset.study):
        for scans in _reached(dataset, contrast):
            here = (contrast.words, scans[0].whole.partition("_")[2])
            if here not in done and _estimable(covariates, contrast):
                done.add(here)
                for name, unit, estimates, truths in outcomes(dataset, scans):
                    yield from _rows(dataset, name, unit, " ".join(here), estimates, truths, covariates, contrast)


def _estimable(covariates: Columns, contrast: Contrast) -> bool:
    if contrast.reference is not None and contrast.reference not in covariates[contrast.covariate]:
        return False
    try:
        _design(covariates, contrast.covariate, contrast.level, contrast.reference)
    except InputError:
        return False
    return True


def _reached(dataset: Dataset, contrast: Contrast) -> Iterator[list[Scan]]:
    """Yield the BOLD scans that an effect reaches, those of all subjects together; the echoes of a scan once."""
    everyone = [dataset.scans(label) for label in dataset.subjects]
    for same in zip(*everyone, strict=True):
        wanted = same[0].modality == "bold" and same[0].is_first
        if wanted and any(_reaches(site.path, same[0], dataset) for site in contrast.touched.sites):
            yield list(same)


def _reaches(path: tuple[str | int, ...], scan: Scan, dataset: Dataset) -> bool:
    """Tell whether a number of the study shows in a scan."""
    if path[0] == "subject":
        return True
    session = dataset.study.sessions[int(path[1])]
    if session.label != scan.session:
        return False
    if path[2] == "runs":
        run = session.runs[int(path[3])]
        return (run.task, run.run) == (scan.task, scan.run)
    own = session.acquisitions[int(path[3])]
    return (own.modality, own.task, own.run, own.repeat) == (
        scan.modality,
        scan.task,
        scan.run,
        scan.acquisition.repeat,
    )


Outcome = tuple[str, str, Vector, Vector]
"""Name, unit, estimate and truth of each subject."""


def outcomes(dataset: Dataset, scans: Sequence[Scan]) -> Iterator[Outcome]:
    """Yield the numbers that one scan of each subject gives: mean connectivity, and the response to each condition."""
    found = [_of_scan(dataset, scan) for scan in scans]
    if any(one is None for one in found):
        return
    strengths = np.array([one.connectivity for one in found if one is not None])
    yield "group_fc", "r", strengths[:, 0], strengths[:, 1]
    betas = [one.betas for one in found if one is not None and one.betas is not None]
    if len(betas) < len(scans):
        return
    estimates, truths = np.stack([b[0] for b in betas]), np.stack([b[1] for b in betas])
    for c in range(truths.shape[1]):
        typical = np.abs(truths[:, c].mean(axis=0))
        active = typical > activation.ACTIVE * typical.max()
        yield "group_beta", "percent", np.nanmean(estimates[:, c, active], axis=1), truths[:, c, active].mean(axis=1)


@dataclass(frozen=True, eq=False)
class _Subject:
    """What one scan gives: mean connectivity (observed, clean), responses (estimated, true), shape (n_conditions, n_regions)."""

    connectivity: tuple[float, float]
    betas: tuple[Vector, Vector] | None


def _of_scan(dataset: Dataset, scan: Scan) -> _Subject | None:
    middle = scan.middle
    clean = np.load(dataset.root / middle.regional("regional_bold")).astype(float)
    if clean.shape[1] < bold.SHORTEST:
        return None
    series, tr = bold.observed_series(dataset, scan, len(clean)), bold.repetition_time(dataset, scan)
    confounds = bold.nuisance(dataset, scan, "motion", "wm_csf")
    strengths = (_strength(fc.cleaned(series, tr, confounds)), _strength(fc.cleaned(clean, tr)))
    if not (dataset.root / scan.events).exists():
        return _Subject(strengths, None)
    model, known = bold.task_design(dataset, scan, clean.shape[1]), np.isfinite(series).all(axis=1)
    percent = 100 * (series / series.mean(axis=1, keepdims=True) - 1)
    betas = np.full((len(model.conditions), len(clean)), np.nan)
    betas[:, known] = activation.responses(percent[known], model)[0]
    return _Subject(strengths, (betas, activation.truth(100 * clean, model, bold.imposed_responses(dataset, scan))[0]))


def _strength(series: Vector) -> float:
    return float(np.nanmean(fc.connectivity(series)[np.triu_indices(len(series), 1)]))


def _rows(
    dataset: Dataset,
    name: str,
    unit: str,
    where: str,
    estimates: Vector,
    truths: Vector,
    covariates: Columns,
    contrast: Contrast,
) -> Iterator[Row]:
    found, true = (
        group_effect(values, covariates, contrast.covariate, level=contrast.level, reference=contrast.reference)
        for values in (estimates, truths)
    )
    rng = Streams(dataset.study.seed or 0).at("score", "group", name, where).rng()
    sizes, ts = by_chance(estimates, covariates, contrast, rng=rng)
    n, snr = len(estimates), float("nan")
    chance = float(np.quantile(np.abs(sizes - true.estimate), 0.05))
    error = found.estimate - true.estimate
    yield Row("all", where, name, found.estimate, true.estimate, error, chance, n, snr, unit, "closer")
    t, true_t = abs(found.t), abs(true.t)
    yield Row("all", where, f"{name}_t", t, true_t, t - true_t, float(np.quantile(np.abs(ts), 0.95)), n, snr, "t")
