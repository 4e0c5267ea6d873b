"""Whether the runs of a session record what its scans image, and whether scans of one run can be one measurement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fakeimaging.activity.models import as_model
from fakeimaging.activity.run import with_taps
from fakeimaging.activity.steps import intervals
from fakeimaging.core.errors import FakeImagingError, InputError, ModelError, RateError, UnknownNameError
from fakeimaging.modalities import MODALITIES
from fakeimaging.modalities.electro.sampling import ratio_of

if TYPE_CHECKING:
    from fakeimaging.activity.model import Model
    from fakeimaging.dataset.study import Acquisition, Session


def imaging_problems(session: Session, where: str) -> Iterator[str]:
    """Yield taps that a model does not show, and scans whose run is not there or does not record what they read."""
    recorded: dict[tuple[str | None, int], Model] = {}
    for r, run in enumerate(session.runs):
        try:
            model = as_model(run.model)
        except FakeImagingError:
            continue  # Told of where models are checked.
        try:
            seen = recorded[run.task, run.run] = with_taps(model, run.taps, where=f"{where}.runs[{r}]")
            intervals(seen, model.step if run.step is None else run.step)
        except UnknownNameError as error:
            yield str(error)
        except ModelError as error:
            yield f"`{where}.runs[{r}].{'step' if run.taps is None else 'taps'}`: {error}"
    runs = [(run.task, run.run) for run in session.runs]
    for a, scan in enumerate(session.acquisitions):
        parameters = _parsed(scan) if scan.modality in MODALITIES else None
        if parameters is None or MODALITIES.get(scan.modality).sees(parameters) != "function":
            continue
        imaged = (scan.task, scan.run)
        if imaged not in runs:
            known = ", ".join(f"task '{task}' run {run}" for task, run in runs) or "none"
            yield f"`{where}.acquisitions[{a}]`: no run with task {scan.task!r}, run {scan.run} to image; there is: {known}"
        else:
            yield from _too_short(scan, parameters, session, f"{where}.acquisitions[{a}]")
            if imaged in recorded:
                yield from _misread(scan, recorded[imaged], f"{where}.acquisitions[{a}]")


def _too_short(scan: Acquisition, parameters: Any, session: Session, where: str) -> Iterator[str]:
    """Yield a scan that follows a run beyond its end."""
    try:
        needed = MODALITIES.get(scan.modality).covers(parameters)
    except InputError:
        return  # Told of where the scan is made.
    lasts = max(run.duration for run in session.runs if (run.task, run.run) == (scan.task, scan.run))
    if needed > lasts + 1e-6:
        yield f"`{where}`: it follows task {scan.task!r}, run {scan.run}, for {needed:g} s, and `duration` of that run is {lasts:g} s"


def _misread(scan: Acquisition, model: Model, where: str) -> Iterator[str]:
    """Yield what a scan reads of a run that is not recorded, or not so fast."""
    lacking = MODALITIES.get(scan.modality).lacks(model.observables)
    if lacking:
        yield f"`{where}`: {lacking}"
    elif "dipole" in MODALITIES.get(scan.modality).reads and (found := _parsed(scan)) is not None:
        try:
            ratio_of(model.observables["dipole"].rate, found.sampling_frequency, name=f"{where}.sampling_frequency")
        except RateError as error:
            yield str(error)


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
