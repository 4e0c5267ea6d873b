"""The tasks of a study before anything runs: events, regions and imposed responses of each run, as its first subject has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fakeimaging.activity.models import as_model
from fakeimaging.activity.run import run_path
from fakeimaging.activity.stimuli import Condition, Imposed
from fakeimaging.activity.task import task_of
from fakeimaging.core.errors import FakeImagingError, ParameterError
from fakeimaging.core.parameters import dotted
from fakeimaging.core.streams import Streams
from fakeimaging.dataset.study import Run, Session, Study
from fakeimaging.structure.subject import regions_of

HERE = "`run."
"""How messages about a run begin while it is not known where in a study it stands."""


@dataclass(frozen=True, eq=False)
class Task:
    """What the conditions of a run do.

    Parameters
    ----------
    session : Session
    run : Run
    conditions : tuple of Condition
        All as the file has them.
    imposed : tuple of Imposed
        In the first subject.
    """

    session: Session
    run: Run
    conditions: tuple[Condition, ...]
    imposed: tuple[Imposed, ...]

    def peak(self, condition: Condition) -> float | None:
        """Return the largest response in percent that a condition imposes on a volume of BOLD; None where it imposes none."""
        from fakeimaging.modalities.bold import BoldParameters
        from fakeimaging.modalities.bold.imposed import course_of, frame_times
        from fakeimaging.modalities.bold.sequence import geometry

        scans = [
            scan
            for scan in self.session.acquisitions
            if (scan.modality, scan.task, scan.run) == ("bold", self.run.task, self.run.run)
        ]
        own = [one for one in self.imposed if one.trial_type == condition.trial_type]
        if condition.percent is None or not own or not scans:
            return None
        p = BoldParameters.parse(scans[0].parameters)
        frames = frame_times(p.tr, geometry(p, self.run.duration)[1].n)
        course = course_of(p, own[0].onsets, own[0].durations, own[0].modulation, frames)
        return abs(condition.percent) * float(np.abs(course.at(frames)).max())


def tasks(study: Study) -> list[Task]:
    """Return the runs that have conditions or imposed sources, with what the conditions do in the first subject.

    Raises
    ------
    ParameterError
        With one line for each condition, table of events, course or source that cannot be, keys in full.
    """
    label = study.labels[0]
    own = study.for_subject(label) if study.seed is not None else study
    found: list[Task] = []
    problems: list[str] = []
    for s, session in enumerate(own.sessions):
        for r, run in enumerate(session.runs):
            if not run.conditions and not run.design and run.events is None and not run.sources:
                continue
            streams = Streams(study.seed or 0).at(f"sub-{label}", *run_path(run.task, run.run, session.label))
            try:
                regions = regions_of(own.subject)
                conditions, _, imposed = task_of(as_model(run.model), run, regions, streams)
                run.imposed_sources(conditions, regions, streams)
                written = study.sessions[s]
                found.append(Task(written, written.runs[r], written.runs[r].conditions, imposed))
            except FakeImagingError as error:
                problems += _located(error, dotted(("sessions", s, "runs", r)))
    if problems:
        raise ParameterError(problems)
    return found


def _located(error: FakeImagingError, where: str) -> Iterator[str]:
    """Yield the lines of an error with the place of the run in the study."""
    for line in error.problems if isinstance(error, ParameterError) else (str(error),):
        yield line.replace(HERE, f"`{where}.") if HERE in line else f"`{where}`: {line}"
