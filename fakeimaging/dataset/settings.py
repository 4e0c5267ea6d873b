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
    places, steps = _places(content, [first, *rest], override, keys)
    for place in places:
        *path, last = steps
        for step in path:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise InputError(f"`{key.strip()}`: `{step}` is {place!r} and has no keys below it", value=override)
        place[last] = _value(text.strip())
    _merge_scans(content)


def _places(
    content: dict[str, Any], steps: list[str], override: str, keys: Iterable[str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the tables in which a setting stands, and the steps of its key from there."""
    first, *rest = steps
    sessions = tables(content.get("sessions"))
    runs = [run for session in sessions for run in tables(session.get("runs"))]
    if first in MODALITIES and rest:
        scans = [scan for session in sessions for scan in tables(session.get("acquisitions"))]
        if own := [scan for scan in scans if scan.get("modality") == first]:
            return own, rest
        raise InputError(f"'{override}': the study has no scan of {first}", value=override)
    if first == "runs" and rest[:1] == ["conditions"] and len(rest) > 2:
        return _conditions(runs, ".".join(rest[1:-1]), override), rest[-1:]
    if first == "runs" and rest:
        return runs, rest
    if first in {"effects", "variability"} and rest:
        return tables(content.get(first)), rest
    if first in keys:
        return [content], steps
    if first in {*MODALITIES, "runs"}:
        raise InputError(
            f"'{override}': say which of its keys, as in {first}.KEY=value (`fakeimaging list {first}`)", value=override
        )
    owners = [f"{name}.{first}" for name in MODALITIES if first in MODALITIES.get(name).parameters.model_fields]
    hint = f"; did you mean {' or '.join(owners)}?" if owners else MODALITIES.nearest(first, {*keys, "runs"})
    raise InputError(f"`{'.'.join(steps)}`: no such key{hint}", value=override)


def _conditions(runs: list[dict[str, Any]], trial_type: str, override: str) -> list[dict[str, Any]]:
    """Return the conditions of that name in all runs."""
    everything = [condition for run in runs for condition in tables(run.get("conditions"))]
    if found := [condition for condition in everything if condition.get("trial_type") == trial_type]:
        return found
    hint = did_you_mean(trial_type, {str(condition.get("trial_type")) for condition in everything})
    raise InputError(f"'{override}': the study has no condition '{trial_type}'{hint}", value=override)


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
            flat = [_flat(scan) for scan in scans]
            session["acquisitions"] = [scan for i, scan in enumerate(scans) if flat[i] not in flat[:i]]


def _flat(scan: dict[str, Any]) -> dict[str, Any]:
    """A scan with its modality's parameters beside its own keys, where a setting puts them."""
    own = scan.get("parameters")
    return (
        {**own, **{key: value for key, value in scan.items() if key != "parameters"}} if isinstance(own, dict) else scan
    )
