"""Orders: runs that are asked for, checked, and made ready one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fakeimaging.activity.given import parameters_of, timing_of, unknown_key
from fakeimaging.activity.model import Model
from fakeimaging.activity.run import LEAD, PreparedRun, RunParameters, prepare_run, run_path
from fakeimaging.core.errors import InputError, ModelError, ParameterError
from fakeimaging.core.parameters import Parameters
from fakeimaging.structure.subject import Subject

NAMES = ("parameters", "task", "run", "session", *RunParameters.model_fields)
"""Keys of a run."""


@dataclass(frozen=True, eq=False)
class Order:
    """A run that is asked for.

    Parameters
    ----------
    subject : Subject
    parameters : Parameters
        Of the model.
    times : RunParameters
    task, run, session
        As in `Activity`.
    where : str
        What an error calls it.
    """

    subject: Subject
    parameters: Parameters
    times: RunParameters
    task: str = "rest"
    run: int = 1
    session: str | None = None
    where: str = ""

    @property
    def parts(self) -> tuple[Parameters, RunParameters]:
        """Parameters of the model and of the run: runs of one subject in which they are equal are set up alike."""
        return self.parameters, self.times

    @property
    def seconds(self) -> float:
        """Seconds that are recorded, those before t = 0 included."""
        return LEAD + self.times.duration


def orders_of(
    subject: Subject, runs: Sequence[Mapping[str, Any]], model: Model, timing: Mapping[str, Any]
) -> Iterator[Order]:
    """Yield the orders of one subject; arguments as for `simulate_activities`.

    Raises
    ------
    ParameterError, InputError
        If a key, parameter, label or number is not allowed.
    """
    for k, given in enumerate(_listed(runs)):
        where = f"runs[{k}]"
        for name in given:
            if name not in NAMES:
                raise ParameterError([unknown_key(where, name, model, NAMES)], value=name)
        own = {name: given[name] for name in RunParameters.model_fields if name in given}
        times = timing_of(model, {**timing, **own}, where=where if own else "run")
        checked = parameters_of(model, given.get("parameters"), where=f"{where}.parameters")
        place = (given.get("task", "rest"), given.get("run", 1), given.get("session"))
        run_path(*place)
        yield Order(subject, checked, times, *place, where=f"{where} of {subject.streams.path[-1]}")


def _listed(runs: Any) -> Sequence[Mapping[str, Any]]:
    """Return the runs, each known to be a mapping.

    Raises
    ------
    InputError
        If they are a single mapping, or not mappings.
    """
    if isinstance(runs, Mapping):
        raise InputError("`runs`: a list of mappings is needed, one for each run; put this one into [ ]", value=runs)
    for k, given in enumerate(runs):
        if not isinstance(given, Mapping):
            raise InputError(f"`runs[{k}]`: {given!r} is not a mapping of key to value", value=given)
    return runs


def prepared(orders: Sequence[Order], model: Model) -> Iterator[tuple[int, PreparedRun]]:
    """Yield the number of each order and its run, ready for the engine.

    Raises
    ------
    ModelError
        If one cannot be set up; says which.
    """
    last: PreparedRun | None = None
    for number, order in enumerate(orders):
        if last is not None and _alike(last, order):
            last = last.again(task=order.task, run=order.run, session=order.session)
        else:
            last = _prepare(order, model)
        yield number, last


def failures(orders: Sequence[Order], model: Model) -> Iterator[ModelError | None]:
    """Yield for each order why it cannot be set up, None for one that can; nothing is simulated or kept."""
    last: Order | None = None
    why: ModelError | None = None
    for order in orders:
        if last is None or (last.subject is not order.subject) or last.parts != order.parts:
            last, why = order, None
            try:
                _prepare(order, model)
            except ModelError as error:
                why = error
        yield why


def _alike(ready: PreparedRun, order: Order) -> bool:
    same = ready.subject is order.subject
    return same and (ready.parameters, ready.times) == order.parts


def _prepare(order: Order, model: Model) -> PreparedRun:
    place: dict[str, Any] = {"task": order.task, "run": order.run, "session": order.session}
    try:
        return prepare_run(order.subject, model, order.parameters, order.times, **place)
    except ModelError as error:
        raise ModelError(f"{order.where}: {error}") from error
