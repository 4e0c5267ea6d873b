"""A sweep: one simulation for every value of some parameters, measured as it ends; a tidy table, one row a simulation.

A run's noise follows from subject and run number alone. Rows of one run number differ by their parameters and nothing else (common
random numbers), so that differences between values are far more certain than the values themselves; rows of different run
numbers, and of different subjects, are independent.
"""

from __future__ import annotations

import itertools
import numbers
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.activity import Activity
from fakeimaging.activity.given import timing_of
from fakeimaging.activity.model import Model
from fakeimaging.activity.models import as_model
from fakeimaging.activity.orders import Order, failures
from fakeimaging.activity.run import RunParameters, run_path
from fakeimaging.activity.taps import Tap
from fakeimaging.activity.together import counter, simulate_each, threads_of
from fakeimaging.core.errors import InputError, ModelError, ParameterError, did_you_mean
from fakeimaging.core.parameters import Parameters
from fakeimaging.structure.subject import Subject

if TYPE_CHECKING:
    import pandas as pd

Measure = Callable[[Activity], Mapping[str, float]]
Point = dict[str, Any]
Diverged = Literal["raise", "nan"]
DIVERGED = get_args(Diverged)
FEWEST_PAIRS = 3
"""Tracts below which a correlation with their weights says nothing."""


def sweep(
    subjects: Subject | Sequence[Subject],
    *,
    model: str | Path | Model = "dmf",
    parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    runs: int = 1,
    measure: Measure | None = None,
    diverged: Diverged = "raise",
    jobs: int | None = None,
    progress: bool | None = None,
    task: str = "rest",
    **timing: Any,
) -> pd.DataFrame:
    """Simulate every combination of some parameters and measure each.

    Simulations are measured as they end and then dropped, so that memory does not grow with their number. Without delays
    (``delays=False``) those with equal effective weights go side by side, which is faster.

    Parameters
    ----------
    subjects : Subject or sequence of Subject
    model : str, Path or Model
        As for `simulate_activity`.
    parameters : mapping or sequence of mapping
        Lists of values by name, of which every combination is taken; or the combinations themselves, each a mapping of name to
        value. A name is a parameter of the model or a field of `RunParameters`, such as ``speed``.
    runs : int
        Repeats, numbered from 1: noise of its own each, the same for all combinations.
    measure : callable, optional
        Takes an `Activity`, returns a mapping of name to number; `summary` when left out. Called in this thread.
    diverged : {"raise", "nan"}
        What to do with a simulation that cannot be set up (before any is run) or stops being finite: stop, or leave its
        measures empty.
    jobs : int, optional
        Threads; as many as there are processors when left out.
    progress : bool, optional
        Whether to show a bar on the error stream; only where that is a terminal when left out.
    task : str
    **timing
        Fields of `RunParameters` that all share: ``duration`` (s), ``delays``, ``precision``, ``taps`` and more.

    Returns
    -------
    pandas.DataFrame
        One row a simulation: ``subject``, a column for each name swept, ``run``, and what was measured.

    Raises
    ------
    ParameterError, InputError
        If a name is unknown, a value not allowed, there is nothing to sweep, or a measure is not a number.
    ModelError
        If a simulation cannot be set up or stops being finite; says which.

    Examples
    --------
    >>> from fakeimaging import make_subject
    >>> subject = make_subject("01", seed=1, anatomy="tiny")
    >>> table = sweep(subject, model="linear", parameters={"gain": [0.1, 0.9]}, runs=2, duration=20.0, delays=False)
    >>> list(table.columns[:5]), len(table)
    (['subject', 'gain', 'run', 'rate_mean', 'rate_sd'], 4)
    """
    import pandas as pd
    from threadpoolctl import ThreadpoolController

    chosen, points = as_model(model), _points(parameters)
    if isinstance(runs, bool) or not isinstance(runs, int) or runs < 1:
        raise InputError(f"`runs`: {runs!r} is not a whole number of at least 1", value=runs)
    if diverged not in DIVERGED:
        raise InputError(f"`diverged`: {diverged!r} is not one of {', '.join(DIVERGED)}", value=diverged)
    if measure is not None and not callable(measure):
        raise InputError(
            f"`measure`: {measure!r} is not a function of an activity that returns a mapping of name to number",
            value=measure,
        )
    run_path(task, runs, None)
    checked, threads = _checked(points, chosen, timing), threads_of(jobs)
    people = (subjects,) if isinstance(subjects, Subject) else tuple(subjects)
    orders, rows = _orders(people, points, checked, runs, task)
    kept = _possible(orders, chosen, diverged)
    # Linear algebra in measures keeps to one thread: others would take processors from the simulations, and its bits depend on them.
    libraries = ThreadpoolController()
    possible = [orders[number] for number in kept]
    with ExitStack() as stack:
        shown = stack.enter_context(_bar(progress, sum(order.seconds for order in possible)))
        found = simulate_each(possible, chosen, jobs=threads, tell=counter(possible, shown))
        outcomes = stack.enter_context(closing(found))
        for number, outcome in ((kept[k], outcome) for k, outcome in outcomes):
            if isinstance(outcome, ModelError) and diverged == "raise":
                raise outcome
            if isinstance(outcome, Activity):
                with libraries.limit(limits=1):
                    rows[number] |= _measured(measure or summary, outcome, rows[number])
    return pd.DataFrame(rows)


def _points(parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[Point]:
    """Return every combination of values; the last name changes fastest."""
    if not isinstance(parameters, Mapping):
        points = [dict(point) for point in parameters]
        odd = next((point for point in points if point.keys() != points[0].keys()), None)
        if odd is not None:
            raise InputError(
                f"`parameters`: {sorted(odd)} are not the names of the first, {sorted(points[0])}", value=odd
            )
    else:
        values = {name: _values(given) for name, given in parameters.items()}
        for name in (name for name, given in values.items() if not given):
            raise InputError(f"`parameters.{name}`: no value to sweep", value=name)
        points = [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]
    if not points or not points[0]:
        raise InputError("`parameters`: nothing to sweep; give a list of values for a name", value=parameters)
    return points


def _values(given: Any) -> list[Any]:
    """Return the values of one name as plain numbers, words or true and false."""
    if isinstance(given, str | numbers.Number):
        return [given]
    return [value.item() if isinstance(value, np.generic) else value for value in given]


def _checked(points: list[Point], model: Model, timing: Mapping[str, Any]) -> list[tuple[Parameters, RunParameters]]:
    """Return parameters of the model and of the run at every point.

    Raises
    ------
    ParameterError
        With every name that is unknown, or every value that is not allowed.
    """
    own, ours = model.parameters.model_fields, RunParameters.model_fields
    unknown = [
        f"`parameters.{name}`: no such key{did_you_mean(name, {*own, *ours})}"
        for name in points[0]
        if name not in {*own, *ours}
    ]
    twice = [
        f"`parameters.{name}`: also given as an argument" for name in points[0] if name not in own and name in timing
    ]
    if unknown or twice:
        raise ParameterError([*unknown, *twice])
    result: list[tuple[Parameters, RunParameters]] = []
    problems: dict[str, None] = {}
    for point in points:
        inner = {name: value for name, value in point.items() if name in own}
        outer = {name: value for name, value in point.items() if name not in own}
        try:
            result.append((model.parameters.parse(inner, where=model.name), timing_of(model, {**timing, **outer})))
        except ParameterError as error:
            problems |= dict.fromkeys(error.problems)
    if problems:
        raise ParameterError(problems)
    return result


def _orders(
    people: Sequence[Subject],
    points: list[Point],
    checked: list[tuple[Parameters, RunParameters]],
    runs: int,
    task: str,
) -> tuple[list[Order], list[dict[str, Any]]]:
    """Return all simulations, the runs of one combination together, and the row of each without what is measured."""
    orders, rows = [], []
    for person in people:
        label = person.streams.path[-1].removeprefix("sub-")
        for point, (parameters, times) in zip(points, checked, strict=True):
            for run in range(1, runs + 1):
                rows.append({"subject": label, **point, "run": run})
                where = ", ".join(f"{name} = {value}" for name, value in rows[-1].items())
                orders.append(Order(person, parameters, times, task, run, where=where))
    return orders, rows


def _possible(orders: Sequence[Order], model: Model, diverged: Diverged) -> list[int]:
    """Return the numbers of the orders that can be set up; one that cannot counts as diverged."""
    kept: list[int] = []
    for number, fails in enumerate(failures(orders, model)):
        if fails is not None and diverged == "raise":
            raise fails
        if fails is None:
            kept.append(number)
    return kept


def _measured(measure: Measure, activity: Activity, row: Mapping[str, Any]) -> dict[str, float]:
    found = measure(activity)
    if not isinstance(found, Mapping):
        raise InputError(f"`measure` returns {type(found).__name__}, not a mapping of name to number", value=found)
    for name, value in found.items():
        if name in row:
            raise InputError(f"`measure` returns '{name}', which is a column already", value=name)
        if not isinstance(value, numbers.Real):
            raise InputError(f"`measure` returns {name} = {value!r}, which is not a number", value=value)
    return {name: float(value) for name, value in found.items()}


@contextmanager
def _bar(progress: bool | None, total: float) -> Iterator[Callable[[float, float], None] | None]:
    """Show simulated seconds on the error stream, or yield None."""
    if not (sys.stderr.isatty() if progress is None else progress):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    text = TextColumn("{task.completed:.0f} of {task.total:.0f} s simulated")
    with Progress(
        text, BarColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=progress is None
    ) as bar:
        task = bar.add_task("", total=total)
        yield lambda done, _: bar.update(task, completed=done)


def summary(activity: Activity) -> dict[str, float]:
    """Measure an activity from t = 0 on.

    Returns
    -------
    dict of str to float
        Of each tap ``<tap>_mean``, over time and regions, and ``<tap>_sd``, over time, root mean square over regions. Of the
        tap ``rate`` also ``fc_mean``, the mean Pearson correlation of two regions, and ``fc_weight_r``, the correlation of
        those with the log of the effective weights (both directions added) over existing tracts; NaN where there is none.
    """
    measures: dict[str, float] = {}
    for name in activity.taps:
        mean, squares = _moments(activity.tap(name).from_start(), pairs=name == "rate")
        variance = squares.diagonal() if name == "rate" else squares
        measures |= {f"{name}_mean": float(mean.mean()), f"{name}_sd": float(np.sqrt(variance.mean()))}
        if name == "rate":
            correlations = _correlations(squares)
            measures["fc_mean"] = float(correlations.mean())
            measures["fc_weight_r"] = _against_weights(correlations, activity.truth["effective_weights"])
    return measures


def _moments(tap: Tap, *, pairs: bool) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return mean and variance over time, shape (n_regions,), the latter as covariances of all pairs if wanted; block by block."""
    mean = np.asarray(np.mean(tap.samples, axis=0, dtype=np.float64))
    total: Any = 0.0
    for _, samples in tap.blocks():
        centred = samples - mean
        total = total + (centred.T @ centred if pairs else (centred**2).sum(axis=0))
    return mean, total / tap.clock.n


def _correlations(covariance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the correlation of each pair of regions, in the order of `numpy.triu_indices`; NaN for one that does not change."""
    sd = np.sqrt(covariance.diagonal())
    rows, columns = np.triu_indices(len(sd), 1)
    products = sd[rows] * sd[columns]
    found = covariance[rows, columns]
    return np.divide(found, products, out=np.full_like(found, np.nan), where=products > 0)


def _against_weights(correlations: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> float:
    pairs = (weights + weights.T)[np.triu_indices(len(weights), 1)]
    kept = (pairs > 0) & np.isfinite(correlations)
    log_weights, found = np.log(pairs[kept]), correlations[kept]
    if len(found) < FEWEST_PAIRS or not np.ptp(log_weights) or not np.ptp(found):
        return float("nan")
    return float(np.corrcoef(log_weights, found)[0, 1])
