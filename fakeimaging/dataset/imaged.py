"""Whether the runs of a session record what its scans image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fakeimaging.activity.models import as_model
from fakeimaging.activity.run import with_taps
from fakeimaging.core.errors import FakeImagingError, UnknownNameError
from fakeimaging.modalities import MODALITIES

if TYPE_CHECKING:
    from fakeimaging.dataset.study import Session


def imaging_problems(session: Session, where: str) -> Iterator[str]:
    """Yield taps that a model does not show, and scans whose run is not there or does not record what they read."""
    recorded: dict[tuple[str | None, int], list[str]] = {}
    for r, run in enumerate(session.runs):
        try:
            model = as_model(run.model)
        except FakeImagingError:
            continue  # Told of where models are checked.
        try:
            recorded[run.task, run.run] = list(with_taps(model, run.taps, where=f"{where}.runs[{r}]").observables)
        except UnknownNameError as error:
            yield str(error)
    runs = [(run.task, run.run) for run in session.runs]
    for a, scan in enumerate(session.acquisitions):
        if scan.modality not in MODALITIES or MODALITIES.get(scan.modality).images != "function":
            continue
        imaged = (scan.task, scan.run)
        if imaged not in runs:
            known = ", ".join(f"task '{task}' run {run}" for task, run in runs) or "none"
            yield f"`{where}.acquisitions[{a}]`: no run with task {scan.task!r}, run {scan.run} to image; there is: {known}"
        elif imaged in recorded and (lacking := MODALITIES.get(scan.modality).lacks(recorded[imaged])):
            yield f"`{where}.acquisitions[{a}]`: {lacking}"
