"""Files of a study's own that it names: models, connectomes, events, courses, maps, tracers. Each is copied into the dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fakeimaging.modalities.electro.montages import FILES, landmark_file

OF_SUBJECT = ("atlas", "atlas_table", "connectome", "tract_lengths", "density_table")
OF_SCAN = (".toml", ".fif", ".fif.gz", *FILES)
"""Endings by which a text among the parameters of a scan is a file."""

Place = tuple[dict[str, Any], str]
"""A table of the study's content and the key in it that names a file."""


def places(content: dict[str, Any]) -> Iterator[Place]:
    """Yield where the plain content of a study names a file."""
    subject = content.get("subject")
    if isinstance(subject, dict):
        yield from ((subject, key) for key in OF_SUBJECT if isinstance(subject.get(key), str))
    for session in tables(content.get("sessions")):
        for run in tables(session.get("runs")):
            if isinstance(run.get("model"), str) and run["model"].endswith(".py"):
                yield run, "model"
            yield from _of_run(run)
        for scan in tables(session.get("acquisitions")):
            for table in (scan, scan.get("parameters")):
                if isinstance(table, dict):
                    yield from ((table, k) for k, v in table.items() if isinstance(v, str) and v.endswith(OF_SCAN))


def without_folders(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return parameters of a scan with the bare names of the files among them: what is written says nothing of a machine."""
    return {
        key: Path(value).name if isinstance(value, str) and value.endswith(OF_SCAN) else value
        for key, value in parameters.items()
    }


def _of_run(run: dict[str, Any]) -> Iterator[Place]:
    """Yield the events, the courses of conditions, the maps of parameters, and patterns that a model stores."""
    if isinstance(run.get("events"), str):
        yield run, "events"
    yield from (
        (condition, "file") for condition in tables(run.get("conditions")) if isinstance(condition.get("file"), str)
    )
    parameters = run.get("parameters")
    if isinstance(parameters, dict) and isinstance(parameters.get("patterns"), str):
        yield parameters, "patterns"
    maps = run.get("regional")
    if isinstance(maps, dict):
        yield from ((maps, name) for name, value in maps.items() if isinstance(value, str))


def tables(value: Any) -> list[dict[str, Any]]:
    """Return the tables in a list that may be anything."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def renamed(content: dict[str, Any], name: Callable[[Path], Path | str]) -> None:
    """Replace every named file in place."""
    for table, key in places(content):
        table[key] = str(name(Path(table[key])))


def own_files(content: dict[str, Any]) -> list[Path]:
    """Return the files that a study names and the landmarks beside its electrodes, each once, sorted."""
    named = {Path(table[key]) for table, key in places(content)}
    return sorted(named | {beside for path in named if (beside := landmark_file(path)) is not None})
