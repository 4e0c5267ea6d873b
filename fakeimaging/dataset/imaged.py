"""Whether the runs of a session record what its scans image, and whether scans of one run can be one measurement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fakeimaging.activity.models import as_model
from fakeimaging.activity.run import with_taps
from fakeimaging.core.errors import FakeImagingError, UnknownNameError
from fakeimaging.modalities import MODALITIES

if TYPE_CHECKING:
    from fakeimaging.dataset.study import Acquisition, Session


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


def scanner_problems(session: Session, where: str) -> Iterator[str]:
    """Yield EEG inside a scanner that images the same run at another pace: both have the scanner's repetition time."""
    paces: dict[tuple[str | None, int], set[float]] = {}
    for scan in session.acquisitions:
        if scan.modality == "bold" and (parameters := _parsed(scan)) is not None:
            paces.setdefault((scan.task, scan.run), set()).add(parameters.tr)
    for a, scan in enumerate(session.acquisitions):
        known = paces.get((scan.task, scan.run))
        parameters = _parsed(scan) if scan.modality == "eeg" and known else None
        if parameters is None or parameters.scanner == "none" or parameters.scanner_tr in (known or ()):
            continue
        words = " or ".join(f"{tr:g}" for tr in sorted(known or ()))
        yield (
            f"`{where}.acquisitions[{a}].scanner_tr`: {parameters.scanner_tr:g} s, but the BOLD of task {scan.task!r}, run {scan.run}, "
            f"which this EEG shares the scanner with, has tr = {words} s"
        )


def _parsed(scan: Acquisition) -> Any:
    """Parameters of a scan, None where they are not sound, of which the scan's own check tells."""
    try:
        return MODALITIES.get(scan.modality).parameters.parse(scan.parameters)
    except FakeImagingError:
        return None
