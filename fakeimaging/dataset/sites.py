"""Where the numbers of a study stand that a dotted key names, the same keys as settings on the command line have.

``runs.parameters.loop_gain`` is the parameter of the model in every run, ``runs.conditions.look.amplitude`` the amplitude of every
condition with that trial type, ``bold.snr`` that of every BOLD scan, ``subject.lesion_share`` that of the subject.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from fakeimaging.activity.given import parameters_of
from fakeimaging.activity.models import as_model
from fakeimaging.activity.stimuli import Condition
from fakeimaging.core.errors import FakeImagingError, ParameterError, did_you_mean
from fakeimaging.modalities import MODALITIES
from fakeimaging.structure.receptors import SYSTEMS, unsaid

if TYPE_CHECKING:
    from fakeimaging.dataset.study import Acquisition, Run, Session, Study

FIXED = {"subject.n_regions", "runs.run", "runs.precision"}
"""What names files or shapes tables, and is the same for all."""

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Site:
    """A number in the content of a study.

    Parameters
    ----------
    on : str
        Key that names it.
    at : str
        Run or scan it belongs to, as file names have it; empty for the subject.
    path : tuple of str and int
        Where it stands in the study's content.
    base : float
        Its value in the file, or by default.
    whole : bool
        Whether only whole numbers can stand there.
    """

    on: str
    at: str
    path: Path
    base: float
    whole: bool

    def put(self, content: dict[str, Any], value: float) -> None:
        """Write a value there, in place."""
        place: Any = content
        for step, below in zip(self.path, self.path[1:], strict=False):
            nested = isinstance(place, dict) and isinstance(below, str)
            place = place.setdefault(step, {}) if nested else place[step]
        place[self.path[-1]] = int(value) if self.whole and value == round(value) else value


def sites_of(
    study: Study, on: str, task: str | None = None, session: str | None = None, *, where: str = "on"
) -> list[Site]:
    """Return the numbers that a key names.

    Parameters
    ----------
    study : Study
    on : str
        Dotted key.
    task, session : str, optional
        Runs and scans of this task, sessions of this label alone.
    where : str
        Key of the study that names them, for messages.

    Raises
    ------
    ParameterError
        If there is none, or what is there is no number.
    """
    first, _, rest = on.partition(".")
    steps = tuple(rest.split("."))
    if on in FIXED:
        raise ParameterError([f"`{where}`: {on} is the same for all subjects"])
    if first == "subject" and rest:
        places = [_Place(study.subject, ("subject",), steps, "")] if (task, session) == (None, None) else []
    elif first == "runs" and rest:
        places = list(_in_runs(study, task, session, steps, where))
    elif first in MODALITIES and rest:
        places = list(_in_scans(study, first, task, session, steps))
    else:
        raise ParameterError([f"`{where}`: no such key {on!r}{did_you_mean(first, ('runs', 'subject', *MODALITIES))}"])
    if not places:
        of = "".join(
            f", {name} {value!r}" for name, value in (("task", task), ("session", session)) if value is not None
        )
        raise ParameterError([f"`{where}`: the study has no {on}{of}"])
    return [_site(place, on, where) for place in places]


@dataclass(frozen=True)
class _Place:
    """A set of parameters, where it stands in the content, the steps from there to the number, and its run or scan."""

    owner: Any
    path: Path
    steps: tuple[str, ...]
    at: str


def _site(place: _Place, on: str, where: str) -> Site:
    """Walk down to the number."""
    value: Any = place.owner
    if value is None:
        raise ParameterError([])
    path, rest = place.path, place.steps
    while rest:
        below = _in_table(value, path, rest) if isinstance(value, Mapping) else value
        fields = (
            type(below).model_fields if isinstance(below, BaseModel) else below if isinstance(below, Mapping) else ()
        )
        step = next((step for step in (".".join(rest), rest[0]) if step in fields), None)
        if step is None:
            raise ParameterError([f"`{where}`: no such key {on!r}{did_you_mean(rest[0], fields)}"])
        value = below[step] if isinstance(below, Mapping) else getattr(below, step)
        path, rest = (*path, step), () if step == ".".join(rest) else rest[1:]
    if isinstance(value, Mapping) and path[:2] == ("subject", "densities"):
        value, path = value.get("all", unsaid(str(path[2]))), (*path, "all")
    if isinstance(value, bool) or not isinstance(value, int | float):
        named = "nothing by default" if value is None else repr(value)
        raise ParameterError(
            [f"`{where}`: {on} is {named}; give it a number in the study, which differences can start from"]
        )
    return Site(on, place.at, path, value, isinstance(value, int))


def _in_table(table: Mapping[str, Any], path: Path, rest: tuple[str, ...]) -> Mapping[str, Any]:
    """Return a table of the subject with what holds where it says nothing: no loss, the density of a healthy person."""
    word = ".".join(rest)
    if path == ("subject", "atrophy"):
        return {word: 0.0, **table}
    if path == ("subject", "densities"):
        return {**dict.fromkeys(SYSTEMS, {}), **table}
    if path[:2] == ("subject", "densities"):
        return {word: table.get("all", unsaid(str(path[2]))), **table}
    return table


def _visits(study: Study, session: str | None) -> Iterator[tuple[int, Session, tuple[str, ...]]]:
    for s, visit in enumerate(study.sessions):
        if session is None or visit.label == session:
            yield s, visit, ((f"ses-{visit.label}",) if visit.label is not None else ())


def _in_runs(
    study: Study, task: str | None, session: str | None, steps: tuple[str, ...], where: str
) -> Iterator[_Place]:
    for s, visit, named in _visits(study, session):
        for r, run in enumerate(visit.runs):
            if task is not None and run.task != task:
                continue
            path, at = ("sessions", s, "runs", r), "_".join((*named, f"task-{run.task}", f"run-{run.run}"))
            if steps[0] == "parameters":
                yield _Place(_of_model(run, steps, where), (*path, "parameters"), steps[1:], at)
            elif steps[0] == "conditions":
                for c, condition in enumerate(run.conditions):
                    if condition.trial_type == ".".join(steps[1:-1]):
                        _check_acts(condition, steps[-1], where)
                        yield _Place(condition, (*path, "conditions", c), steps[-1:], at)
            else:
                yield _Place(run, path, steps, at)


def _check_acts(condition: Condition, field: str, where: str) -> None:
    if field == "amplitude" and condition.percent is not None:
        raise ParameterError([f"`{where}`: the response to {condition.trial_type!r} is imposed: `percent` is its size"])


def _of_model(run: Run, steps: Sequence[str], where: str) -> BaseModel | None:
    """Return the parameters of a run's model, None while they are not sound, which is told elsewhere."""
    if steps[1:] and steps[1] in run.regional:
        raise ParameterError(
            [f"`{where}`: {steps[1]} differs between regions (`regional`), and no single number moves it"]
        )
    try:
        return parameters_of(as_model(run.model), run.parameters)
    except FakeImagingError:
        return None


def _in_scans(
    study: Study, modality: str, task: str | None, session: str | None, steps: tuple[str, ...]
) -> Iterator[_Place]:
    for s, visit, named in _visits(study, session):
        for a, scan in enumerate(visit.acquisitions):
            if scan.modality == modality and task in (None, scan.task):
                at = "_".join((*named, *_scan_words(scan)))
                yield _Place(_of_modality(scan), ("sessions", s, "acquisitions", a, "parameters"), steps, at)


def _scan_words(scan: Acquisition) -> Iterator[str]:
    if scan.task is not None:
        yield f"task-{scan.task}"
        yield f"run-{scan.run}"
    if scan.repeat > 1:
        yield f"repeat-{scan.repeat}"
    yield scan.modality


def _of_modality(scan: Acquisition) -> BaseModel | None:
    """Return the parameters of a scan, None while they are not sound, which is told elsewhere."""
    try:
        return MODALITIES.get(scan.modality).parameters.parse(scan.parameters)
    except FakeImagingError:
        return None
