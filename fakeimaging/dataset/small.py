"""The small study (``--small``): coarse grids, one short run of each task, every modality."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from fakeimaging.activity.stimuli import shortened
from fakeimaging.core.errors import FakeImagingError
from fakeimaging.dataset.inputs import tables
from fakeimaging.modalities import MODALITIES

SMALL_DURATION = 40.0
"""Seconds of a run, at most, unless a scan follows it for longer."""


def shrunk(content: dict[str, Any]) -> dict[str, Any]:
    """Change the plain content of a study in place to its small one, and return it."""
    for session in tables(content.get("sessions")):
        _keep_first_runs(session)
        for run in tables(session.get("runs")):
            # A table of events is a file: what is in it cannot be left out, so its run stays as long as it is.
            if isinstance(duration := run.get("duration", 600.0), int | float) and run.get("events") is None:
                run["duration"] = min(duration, max(SMALL_DURATION, _followed(session, run)))
                _keep_fitting(run)
        for scan in tables(session.get("acquisitions")):
            small = MODALITIES.get(scan["modality"]).small if scan.get("modality") in MODALITIES else {}
            own = scan.get("parameters")
            scan |= {"parameters": {**own, **small}} if isinstance(own, dict) else small
    return content


def _followed(session: dict[str, Any], run: dict[str, Any]) -> float:
    """Return how long a run must last for the scans that follow its course, in s; what is wrong with them is found later."""
    longest = 0.0
    for scan in tables(session.get("acquisitions")):
        same = (scan.get("task"), scan.get("run", 1)) == (run.get("task", "rest"), run.get("run", 1))
        if not same or scan.get("modality") not in MODALITIES:
            continue
        modality, own = MODALITIES.get(scan["modality"]), scan.get("parameters")
        given = {**scan, **own} if isinstance(own, dict) else scan
        with suppress(FakeImagingError):
            known = {key: value for key, value in given.items() if key in modality.parameters.model_fields}
            longest = max(longest, modality.covers(modality.parameters.parse(known)))
    return longest


def _keep_first_runs(session: dict[str, Any]) -> None:
    """Drop what repeats a task, and the scans of it."""
    first: dict[str, Any] = {}
    runs = tables(session.get("runs"))
    for run in runs:
        first.setdefault(str(run.get("task", "rest")), run.get("run", 1))
    if len(first) == len(runs):
        return

    def stays(table: dict[str, Any], task: Any) -> bool:
        return str(task) not in first or table.get("run", 1) == first[str(task)]

    session["runs"] = [run for run in runs if stays(run, run.get("task", "rest"))]
    scans = tables(session.get("acquisitions"))
    session["acquisitions"] = [scan for scan in scans if stays(scan, scan.get("task"))]


def _keep_fitting(run: dict[str, Any]) -> None:
    """Drop the events that a shortened run has no room for; what is wrong with them is found later."""
    with suppress(TypeError):
        kept = [shortened(condition, run["duration"]) for condition in tables(run.get("conditions"))]
        run["conditions"] = [condition for condition in kept if condition is not None]
        for design in tables(run.get("design")):
            design.pop("n", None)
        for source in tables(run.get("sources")):
            _keep_sources_events(source, run)


def _keep_sources_events(source: dict[str, Any], run: dict[str, Any]) -> None:
    """Drop the events of an imposed source that a shortened run does not have; the source stays, for what follows it."""
    if isinstance(source.get("onsets"), list):
        source["onsets"] = [onset for onset in source["onsets"] if onset < run["duration"]]
    if source.get("trial_type") not in {None, *(condition.get("trial_type") for condition in run["conditions"])}:
        del source["trial_type"]
        source["onsets"] = []
