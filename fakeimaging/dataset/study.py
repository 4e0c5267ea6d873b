"""The study file: subjects, and for each session the runs of activity and what images them.

A study is checked whole before anything runs; a bad one reports all its problems, each with the path of its key.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from pydantic import field_validator

from fakeimaging.activity.activity import RunParameters
from fakeimaging.activity.given import parameters_of
from fakeimaging.activity.models import as_model
from fakeimaging.activity.regional import regional_problems
from fakeimaging.core.errors import FakeImagingError, InputError, ParameterError
from fakeimaging.core.files import sha256_of
from fakeimaging.core.parameters import Parameters, dotted, one_or_more, parameter, told_once
from fakeimaging.core.provenance import digest
from fakeimaging.core.streams import fresh_seed
from fakeimaging.dataset.covariates import Covariate, name_problems
from fakeimaging.dataset.effects import (
    Effect,
    Variability,
    content_for,
    effect_problems,
    for_subject,
    touched_by,
    without_lost,
)
from fakeimaging.dataset.imaged import imaging_problems, scanner_problems
from fakeimaging.dataset.inputs import own_files, places, renamed, tables
from fakeimaging.dataset.settings import apply_setting
from fakeimaging.dataset.small import shrunk
from fakeimaging.modalities import MODALITIES
from fakeimaging.modalities.modality import Modality
from fakeimaging.modalities.stages import MAGNITUDE, THERMAL
from fakeimaging.structure.formats import PLAIN, lengths_path
from fakeimaging.structure.parameters import SubjectParameters
from fakeimaging.structure.subject import legal_label

SPIKES = "spikes"
"""Stage, and the parameter that is its rate."""
_TIMING = set(RunParameters.model_fields)


class Run(RunParameters):
    """One run of activity."""

    task: str = parameter("rest", unit="-", description="BIDS task label")
    run: int = parameter(1, unit="1", bounds=(1, 999), description="number of the run")
    model: str = parameter(
        "dmf", unit="-", description="registered model, or a Python file that defines MODEL, relative to the study file"
    )
    parameters: dict[str, Any] = parameter({}, unit="-", description="parameters of the model")

    @property
    def timing(self) -> dict[str, Any]:
        """What `simulate_activity` takes besides the model."""
        return {name: getattr(self, name) for name in _TIMING}


class Acquisition(Parameters):
    """One scan: a modality, the run whose activity it images, and parameters of the modality."""

    modality: str = parameter(unit="-", description="registered modality")
    task: str | None = parameter(None, unit="-", description="task of the run it images")
    run: int = parameter(1, unit="1", bounds=(1, 999), description="number of the run it images")
    repeat: int = parameter(1, unit="1", bounds=(1, 999), description="a second scan of the same thing is repeat 2")
    off: tuple[str, ...] = parameter((), unit="-", description="stages that are left out")
    parameters: dict[str, Any] = parameter({}, unit="-", description="parameters of the modality")

    @field_validator("off", mode="before")
    @classmethod
    def _one_word_is_a_list_of_one(cls, off: Any) -> Any:
        return one_or_more(off)


class Session(Parameters):
    """One visit: runs of activity, and the scans taken of them."""

    label: str | None = parameter(None, unit="-", description="BIDS session label; leave out for a single visit")
    runs: tuple[Run, ...] = ()
    acquisitions: tuple[Acquisition, ...] = ()


class Study(Parameters):
    """A whole study; build it with `read_study` or `Study.check`."""

    name: str = parameter("unnamed study", unit="-", description="title of the dataset")
    seed: int | None = parameter(
        None, unit="1", bounds=(0, 2**63 - 1), description="root of all random streams; drawn when left out"
    )
    subjects: int | tuple[str, ...] = parameter(1, unit="1", description="number of subjects, or their labels")
    subject: SubjectParameters = SubjectParameters()
    sessions: tuple[Session, ...] = ()
    covariates: dict[str, Covariate] = {}
    effects: tuple[Effect, ...] = ()
    variability: tuple[Variability, ...] = ()
    null: bool = parameter(False, unit="-", description="the null twin: the same study with every effect left out")

    @classmethod
    def check(cls, content: Mapping[str, Any]) -> Self:
        """Build a study from plain values (as TOML gives them).

        Raises
        ------
        ParameterError
            With one line for each problem in the whole study.
        """
        plain = _gathered(json.loads(json.dumps(content, default=str)))
        problems = list(_content_problems(plain))
        try:
            study = cls.parse(plain)
        except ParameterError as error:
            raise ParameterError(told_once([*error.problems, *problems])) from None
        problems += _cross_problems(study)
        problems += [] if problems else _subject_problems(study)
        if problems:
            raise ParameterError(told_once(problems))
        return study

    def seeded(self, seed: int | None = None) -> Study:
        """Return the study with a seed: its own, else ``seed``, else one drawn now."""
        if self.seed is not None:
            return self
        seeded = self.model_copy(update={"seed": fresh_seed() if seed is None else seed})
        if problems := list(_subject_problems(seeded)):
            raise ParameterError(problems)
        return seeded

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the subjects."""
        if isinstance(self.subjects, int):
            width = max(2, len(str(self.subjects)))
            return tuple(f"{i:0{width}d}" for i in range(1, self.subjects + 1))
        return self.subjects

    def content(self) -> dict[str, Any]:
        """Return the study as plain values that `check` takes back."""
        plain: dict[str, Any] = self.model_dump(mode="json")
        return plain

    def digest(self) -> str:
        """Return a hash of everything that decides one subject's files: all but name and number of subjects."""
        content = {key: value for key, value in self.portable().items() if key not in {"name", "subjects"}}
        return digest(content | {"files": [sha256_of(path) for path in own_files(self.content())]})

    def portable(self) -> dict[str, Any]:
        """Return `content` with the bare names of files, whatever folder they lie in."""
        content = self.content()
        renamed(content, lambda path: path.name)
        return content

    def for_subject(self, label: str) -> Study:
        """Return the study as one subject has it: with its own value of every number that differs by design."""
        return for_subject(self, label)

    def null_twin(self) -> Study:
        """Return the same study with every effect of a covariate left out: same subjects, covariates and noise."""
        return self.model_copy(update={"null": True})

    def small(self) -> Study:
        """Return the same study on coarse grids, one short run of each task, for a look within seconds."""
        return Study.check(shrunk(self.content()))

    def only(self, modalities: Iterable[str]) -> Study:
        """Return the study with the scans of some modalities alone, and the runs they need."""
        wanted = set(modalities)
        for name in wanted:
            MODALITIES.get(name)
        sessions = []
        for session in self.sessions:
            scans = tuple(scan for scan in session.acquisitions if scan.modality in wanted)
            imaged = {(scan.task, scan.run) for scan in scans}
            runs = tuple(run for run in session.runs if (run.task, run.run) in imaged)
            sessions.append(session.model_copy(update={"acquisitions": scans, "runs": runs}))
        return without_lost(self.model_copy(update={"sessions": tuple(sessions)}))


def read_study(path: str | Path | None = None, overrides: Iterable[str] = (), *, small: bool = False) -> Study:
    """Read a study file.

    Parameters
    ----------
    path : path, optional
        TOML file; the built-in study when left out.
    overrides : iterable of str
        ``key=value`` each: ``seed=3``, ``subject.n_regions=50``, ``runs.duration=600.0`` (all runs), ``bold.tr=1.0`` (all scans
        of that modality; those that become the same scan are one), ``runs.parameters.loop_gain=0.8`` (the model's).
    small : bool
        Coarse grids, one short run of each task; what ``overrides`` say holds all the same.

    Raises
    ------
    InputError, ParameterError
        If the file cannot be read or the study is not sound; every problem is listed.

    Examples
    --------
    >>> study = read_study(overrides=["subjects=3", "bold.tr=1.0"])
    >>> study.labels
    ('01', '02', '03')
    """
    text = (files("fakeimaging.data") / "default_study.toml").read_text() if path is None else _text(Path(path))
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path or 'built-in study'}: {error}", value=path) from None
    content = shrunk(_gathered(content)) if small else content
    for override in overrides:
        apply_setting(content, override, Study.model_fields)
    folder = Path.cwd() if path is None else Path(path).parent
    renamed(content, lambda named: (folder / named).resolve())
    _name_lengths(content.get("subject"))
    return Study.check(content)


def _name_lengths(subject: Any) -> None:
    """Name the lengths that lie beside a connectome, so that they travel with it."""
    if not isinstance(subject, dict) or "tract_lengths" in subject or not isinstance(subject.get("connectome"), str):
        return
    weights = Path(subject["connectome"])
    if weights.suffix in PLAIN and lengths_path(weights).is_file():
        subject["tract_lengths"] = str(lengths_path(weights))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read the study {path}: {getattr(error, 'strerror', None) or error}", value=path
        ) from None


def _gathered(content: dict[str, Any]) -> dict[str, Any]:
    """Move what belongs to a modality from beside its scan's own keys into ``parameters``."""
    for session in tables(content.get("sessions")):
        for scan in tables(session.get("acquisitions")):
            own = {key: scan.pop(key) for key in list(scan) if key not in Acquisition.model_fields}
            if own and isinstance(scan.setdefault("parameters", {}), dict):
                scan["parameters"] = scan["parameters"] | own
    return content


def _content_problems(content: Mapping[str, Any]) -> Iterator[str]:
    """Problems of models, modalities and their parameters, found in the plain content so that all show at once."""
    for s, session in enumerate(tables(content.get("sessions"))):
        for r, run in enumerate(tables(session.get("runs"))):
            where = dotted(("sessions", s, "runs", r))
            yield from _attempt(f"{where}.model", lambda run=run, where=where: _check_model(run, where))
        for a, scan in enumerate(tables(session.get("acquisitions"))):
            where = dotted(("sessions", s, "acquisitions", a))
            if "modality" in scan:
                yield from _attempt(f"{where}.modality", lambda scan=scan, where=where: _check_scan(scan, where))


def _attempt(key: str, check: Any) -> Iterator[str]:
    try:
        check()
    except ParameterError as error:
        yield from error.problems
    except FakeImagingError as error:
        yield f"`{key}`: {error}"


def _check_model(run: Mapping[str, Any], where: str) -> None:
    name, values = run.get("model", "dmf"), run.get("parameters", {})
    if isinstance(name, str) and isinstance(values, dict):
        model, regional = as_model(name), run.get("regional", {})
        parameters = parameters_of(model, values, where=f"{where}.parameters")
        problems = (
            list(regional_problems(model, parameters, regional, where=where)) if isinstance(regional, dict) else []
        )
        if problems:
            raise ParameterError(problems)


def _check_scan(scan: Mapping[str, Any], where: str) -> None:
    modality, values = MODALITIES.get(str(scan["modality"])), scan.get("parameters", {})
    problems: list[str] = []
    if isinstance(values, dict):
        problems += _attempt(where, lambda: modality.parameters.parse(values, where=where))
    off = one_or_more(scan.get("off", ()))
    drawn = {THERMAL.name} | ({SPIKES} if isinstance(values, dict) and values.get(SPIKES) else set())
    problems += _off_problems(modality, off, drawn, f"{where}.off") if isinstance(off, tuple) else []
    if problems:
        raise ParameterError(problems)


def _off_problems(modality: Modality, off: tuple[Any, ...], drawn: set[str], key: str) -> Iterator[str]:
    """Stages that are not there, and complex images: ``drawn`` are the stages that would make them."""
    stages = {stage.name for stage in modality.observe}
    for name in off:
        if isinstance(name, str) and name not in stages:
            yield f"`{key}`: {modality.name} has no stage '{name}'; allowed: {', '.join(sorted(stages))}"
    if MAGNITUDE.name in off and (left := sorted(drawn & stages.difference(off))):
        listed = ", ".join(f"'{name}'" for name in left)
        yield f"`{key}`: without '{MAGNITUDE.name}' the image is complex, and files hold real numbers; add {listed}"


def _cross_problems(study: Study) -> Iterator[str]:
    """Problems between keys: labels, and scans that name a run that is not there."""
    if isinstance(study.subjects, int) and not 1 <= study.subjects <= 100_000:
        yield f"`subjects`: {study.subjects} is outside [1, 100000]"
        return
    if not study.labels:
        yield "`subjects`: empty; give a number of subjects or at least one label"
    yield from _label_problems("subjects", study.labels)
    yield from _label_problems("sessions", [s.label for s in study.sessions if s.label is not None])
    if len(study.sessions) > 1 and any(session.label is None for session in study.sessions):
        yield "`sessions`: with more than one session, each needs a label"
    own = own_files(study.content())
    if len({path.name for path in own}) < len(own):
        yield f"two of the files {', '.join(path.name for path in own)} share a name; rename one"
    yield from _missing_files(study.content())
    if not any(session.acquisitions for session in study.sessions):
        yield "`sessions`: nothing to acquire; add [[sessions.acquisitions]]"
    for s, session in enumerate(study.sessions):
        yield from _session_problems(session, dotted(("sessions", s)))
    yield from name_problems(study.covariates)
    yield from effect_problems(study)


def _missing_files(content: dict[str, Any]) -> Iterator[str]:
    """Files that are not there, with the key that names each; tracers and scanners are read, and missed, where scans are checked."""
    keys = {Path(table[key]): key for table, key in reversed(list(places(content)))}
    for path, key in sorted(keys.items()):
        if path.suffix != ".toml" and not path.is_file():
            yield f"`{key}`: cannot read {path}: no such file"


def _subject_problems(study: Study) -> Iterator[str]:
    """Values that effects and variability push out of what is allowed, found once a seed says who is who."""
    touched = touched_by(study)
    for label in study.labels if touched and study.seed is not None else ():
        content = content_for(study, label, touched)
        problems = [*_attempt(label, lambda content=content: Study.parse(content)), *_content_problems(content)]
        yield from (f"sub-{label}: {line}" for line in problems)


def _label_problems(key: str, labels: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for label in labels:
        try:
            legal_label(label)
        except InputError as error:
            yield f"`{key}`: {error}"
        if label.lower() in seen:
            yield f"`{key}`: label '{label}' is there twice (case does not count)"
        seen.add(label.lower())


def _own_entities(scan: Acquisition) -> str | None:
    """What sets scans of one modality apart in their names; none while the scan is not sound."""
    if scan.modality not in MODALITIES:
        return None
    modality = MODALITIES.get(scan.modality)
    try:
        return repr(modality.entities(modality.parameters.parse(scan.parameters)))
    except FakeImagingError:
        return None


def _shared_problems(session: Session, where: str) -> Iterator[str]:
    """Scans of one modality that differ in what a single file of the session tells."""
    told: dict[tuple[str, str], Any] = {}
    for a, scan in enumerate(session.acquisitions):
        for name in MODALITIES.get(scan.modality).same_in_session if scan.modality in MODALITIES else ():
            value = scan.parameters.get(name, MODALITIES.get(scan.modality).parameters.model_fields[name].default)
            if told.setdefault((scan.modality, name), value) != value:
                yield f"`{where}.acquisitions[{a}].{name}`: another one than before; all {scan.modality} of a session share it"


def _session_problems(session: Session, where: str) -> Iterator[str]:
    runs = [(run.task, run.run) for run in session.runs]
    yield from _label_problems(f"{where}.runs", {task for task, _ in runs})
    for task, run in sorted({run for run in runs if runs.count(run) > 1}):
        yield f"`{where}.runs`: task '{task}', run {run} is there twice"
    yield from _shared_problems(session, where)
    seen = set()
    for a, scan in enumerate(session.acquisitions):
        entities = _own_entities(scan)
        key = (scan.modality, scan.task, scan.run, scan.repeat, entities)
        if entities is not None and key in seen:
            yield f"`{where}.acquisitions[{a}]`: the same scan is there twice; give the second one repeat = 2"
        seen.add(key)
    yield from imaging_problems(session, where)
    yield from scanner_problems(session, where)
