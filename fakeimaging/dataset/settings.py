"""Settings on the command line, ``key=value``, that change a study."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from typing import Any

from fakeimaging.core.errors import InputError, did_you_mean
from fakeimaging.dataset.inputs import tables
from fakeimaging.modalities import MODALITIES


def apply_setting(content: dict[str, Any], override: str, keys: Iterable[str]) -> None:
    """Change the plain content of a study in place.

    Parameters
    ----------
    content : dict
    override : str
        ``key=value``; a key of all runs begins with ``runs``, of all conditions of a name with ``runs.conditions`` and that name,
        of all scans of a modality with its name, of all effects with ``effects``. Scans that become the same are one afterwards.
    keys : iterable of str
        Keys that a study has.
    """
    key, equals, text = override.partition("=")
    first, *rest = key.strip().split(".")
    if not equals or not first:
        raise InputError(f"'{override}' is not of the form key=value", value=override)
    sessions = tables(content.get("sessions"))
    if first in MODALITIES and rest:
        places = [
            scan
            for session in sessions
            for scan in tables(session.get("acquisitions"))
            if scan.get("modality") == first
        ]
        if not places:
            raise InputError(f"'{override}': the study has no scan of {first}", value=override)
    elif first == "runs" and rest[:1] == ["conditions"] and len(rest) > 2:
        places, rest = _conditions(sessions, ".".join(rest[1:-1]), override), rest[-1:]
    elif first == "runs" and rest:
        places = [run for session in sessions for run in tables(session.get("runs"))]
    elif first in {"effects", "variability"} and rest:
        places = tables(content.get(first))
    elif first in keys:
        places, rest = [content], [first, *rest]
    else:
        known = {*keys, "runs", *MODALITIES}
        raise InputError(f"`{key.strip()}`: no such key{did_you_mean(first, known)}", value=override)
    for place in places:
        *path, last = rest
        for step in path:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise InputError(f"`{key.strip()}`: `{step}` is {place!r} and has no keys below it", value=override)
        place[last] = _value(text.strip())
    _merge_scans(content)


def _conditions(sessions: list[dict[str, Any]], trial_type: str, override: str) -> list[dict[str, Any]]:
    """Return the conditions of that name in all runs."""
    found = [
        condition
        for session in sessions
        for run in tables(session.get("runs"))
        for condition in tables(run.get("conditions"))
    ]
    places = [condition for condition in found if condition.get("trial_type") == trial_type]
    if not places:
        hint = did_you_mean(trial_type, {str(condition.get("trial_type")) for condition in found})
        raise InputError(f"'{override}': the study has no condition '{trial_type}'{hint}", value=override)
    return places


def _value(text: str) -> Any:
    """Read a TOML value; what is none (an unquoted word) stays text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _merge_scans(content: dict[str, Any]) -> None:
    """Keep one of the scans that an override has made the same: ``pet.tracer=fdg`` leaves one of two tracers."""
    for session in tables(content.get("sessions")):
        scans = tables(session.get("acquisitions"))
        if scans:
            session["acquisitions"] = [scan for i, scan in enumerate(scans) if scan not in scans[:i]]
