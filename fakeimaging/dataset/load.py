"""Back from disk: subjects, activities and recordings of a dataset as Python objects, made when asked.

A subject is made again from the record; an activity's taps are read from their files; a recording is acquired again from
both, so that every layer is there, bit for bit on the same class of machine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fakeimaging.activity import engine
from fakeimaging.activity.activity import Activity, modes_of, network_truth, run_path
from fakeimaging.activity.models import as_model
from fakeimaging.activity.regional import regional_maps, with_maps
from fakeimaging.activity.run import with_taps
from fakeimaging.activity.stimuli import events_of, imposed_of
from fakeimaging.activity.taps import Tap
from fakeimaging.core.citations import Reference, collect
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError
from fakeimaging.dataset import names
from fakeimaging.dataset.describe import read_record, recorded_study
from fakeimaging.dataset.effects import for_subject
from fakeimaging.dataset.names import Scan
from fakeimaging.dataset.study import Run, Session, Study
from fakeimaging.dataset.write import recording_of, subject_of
from fakeimaging.modalities.recording import Recording
from fakeimaging.structure.subject import Subject


@dataclass(frozen=True)
class Dataset:
    """A dataset on disk.

    Parameters
    ----------
    root : Path
    """

    root: Path

    @cached_property
    def record(self) -> dict[str, Any]:
        """What the dataset was made from and on."""
        return read_record(self.root)

    @cached_property
    def study(self) -> Study:
        """The study."""
        return recorded_study(self.root)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Labels of the subjects."""
        return self.study.labels

    def study_of(self, label: str) -> Study:
        """Return the study as one subject has it: with its own values wherever subjects differ by design."""
        return for_subject(self.study, label)

    @cached_property
    def template_space(self) -> str:
        """Name of the space that native brains are mapped to, as file names give it."""
        label = self.subjects[0]
        content = json.loads((self.root / names.SOURCE / f"sub-{label}" / f"sub-{label}_transform.json").read_text())
        return str(content["to"])

    def scans(self, subject: str | None = None) -> tuple[Scan, ...]:
        """Return the recordings of a subject, or of all."""
        labels = self.subjects if subject is None else (self.known(subject),)
        return tuple(scan for label in labels for scan in names.scans(self.study_of(label), label))

    def subject(self, label: str) -> Subject:
        """Return a subject."""
        return subject_of(self.study, self.known(label))

    def activity(self, subject: str, *, task: str = "rest", run: int = 1, session: str | None = None) -> Activity:
        """Return the activity of a run; its taps stay on disk until they are read.

        Raises
        ------
        InputError
            If the study has no such run, or its files are missing.
        """
        self.known(subject)
        where, wanted = self._run(subject, task, run, session)
        made_by = with_taps(as_model(wanted.model), wanted.taps)
        taps = {name: self._tap(subject, where, wanted, name) for name in made_by.observables}
        person, parameters = self.subject(subject), made_by.parameters.parse(wanted.parameters)
        _, step = engine.intervals(made_by, wanted.step or made_by.step)
        maps = regional_maps(made_by, parameters, wanted.regional, person.regions)
        own = with_maps(parameters, maps)
        setup = made_by.prepare(own, person, step)
        streams = person.streams.at(*run_path(task, run, session))
        conditions = wanted.presented(streams)
        return Activity(
            streams, task, run, session, made_by.name, parameters,
            wanted.duration, taps, network_truth(setup, wanted.delays_in(person.connectome), maps), made_by.references,
            events_of(conditions, wanted.duration), modes_of(made_by, own, person, streams, wanted.duration),
            wanted.physiology, maps, imposed_of(conditions, person.regions, wanted.duration),
            wanted.imposed_sources(conditions, person.regions, streams),
        )  # fmt: skip

    def recording(
        self,
        subject: str,
        modality: str,
        *,
        task: str | None = None,
        run: int = 1,
        session: str | None = None,
        repeat: int = 1,
        **parameters: Any,
    ) -> Recording:
        """Return a recording with all its layers.

        ``task`` may be left out where the study has one scan of this modality and session; ``parameters`` tell scans apart
        that differ in them: ``recording("01", "pet", tracer="fdg")``. Of a scan with several files, such as its echoes, the first is
        returned unless ``parameters`` name another one, ``echo=2``; its ``parts`` are all of them.

        Raises
        ------
        InputError
            If the study has no such scan, or several.
        """
        found = [
            scan for scan in self.scans(subject)
            if (scan.modality, scan.session, scan.acquisition.repeat) == (modality, session, repeat)
            and (task is None or (scan.task, scan.run) == (task, run))
            and parameters.items() <= scan.parameters.model_dump().items()
        ]  # fmt: skip
        chosen = _first_parts(found)
        if len(chosen) != 1:
            listed = ", ".join(scan.raw.name for scan in found or self.scans(subject)) or "none"
            asked = [
                f"task {task!r}",
                f"session {session!r}",
                *(f"{name} {value!r}" for name, value in parameters.items()),
            ]
            raise InputError(
                f"{len(chosen)} scans fit {modality}, {', '.join(asked)}{_apart(chosen)}; "
                f"{'they' if found else 'there'} are: {listed}"
            )
        return self.reacquire(chosen[0])

    def reacquire(self, scan: Scan) -> Recording:
        """Acquire a scan again from the stored activity."""
        activity = None
        if scan.task is not None and scan.run is not None:
            activity = self.activity(scan.subject, task=scan.task, run=scan.run, session=scan.session)
        return recording_of(scan, self.subject(scan.subject), activity)

    def references(self) -> tuple[Reference, ...]:
        """Return the papers behind exactly what this dataset used."""
        models = {run.model for session in self.study.sessions for run in session.runs}
        from_models = (as_model(model).references for model in models)
        from_scans = (scan.instrument.cites(scan.parameters) for scan in self.scans())
        return collect(self.subject(self.subjects[0]).references, *from_models, *from_scans)

    def known(self, label: str) -> str:
        """Return the label if the dataset has this subject, else raise InputError."""
        if label not in self.subjects:
            raise InputError(f"no subject '{label}'; there are: {', '.join(self.subjects)}", value=label)
        return label

    def _run(self, subject: str, task: str, run: int, session: str | None) -> tuple[Session, Run]:
        for where in self.study_of(subject).sessions:
            for wanted in where.runs:
                if (where.label, wanted.task, wanted.run) == (session, task, run):
                    return where, wanted
        raise InputError(f"the study has no run {run} of task '{task}' in session {session!r}")

    def _tap(self, subject: str, session: Session, run: Run, name: str) -> Tap:
        path = self.root / names.tap_file(subject, session, run.task, run.run, name)
        try:
            about = json.loads(path.with_suffix(".json").read_text())
            samples = np.load(path, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise InputError(f"cannot read the activity {path}: {error}", value=path) from None
        return Tap(name, about["unit"], Clock(**about["clock_s"]), samples)


def _first_parts(found: Sequence[Scan]) -> list[Scan]:
    """Return one scan for each acquisition: the first of its parts that is among them."""
    return [scan for k, scan in enumerate(found) if not any(scan in other.parts for other in found[:k])]


def _apart(found: Sequence[Scan]) -> str:
    """Say by which arguments of `Dataset.recording` scans can be told apart; a run needs its task."""
    given = [{"task": scan.task, "run": scan.run, **scan.parameters.model_dump()} for scan in found]
    names = [name for name in given[0] if len({repr(one[name]) for one in given}) > 1] if given else []
    names = ["task", *names] if names[:1] == ["run"] else names
    words = (f"{name}={' or '.join(dict.fromkeys(repr(one[name]) for one in given))}" for name in names[:3])
    return f", told apart by {', '.join(words)}" if names else ""


def load(root: str | Path) -> Dataset:
    """Open a dataset that `simulate_study` wrote.

    Parameters
    ----------
    root : path
        Folder of the dataset.

    Returns
    -------
    Dataset
        Nothing but its record is read before it is asked for.

    Raises
    ------
    InputError
        If the folder is not one of our datasets.
    """
    dataset = Dataset(Path(root))
    _ = dataset.study
    return dataset
