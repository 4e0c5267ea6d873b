"""Events from a table: onset, duration and trial_type of each, as BIDS has them, and any other columns."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from fakeimaging.activity.stimuli.condition import Event
from fakeimaging.core.errors import InputError, did_you_mean

NEEDED = ("onset", "duration", "trial_type")
SIZES = ("modulation", "amplitude")
"""Columns that give the size of each event, if there is one of them."""


@dataclass(frozen=True)
class EventsFile:
    """The rows of a table of events.

    Parameters
    ----------
    path : str
    events : tuple of Event
        Sorted by onset, with the sizes that the table gives.
    columns : mapping of str to tuple of str
        Every column as text, in the order of the events.
    sized : bool
        Whether it has a column of sizes.
    """

    path: str
    events: tuple[Event, ...]
    columns: Mapping[str, tuple[str, ...]]
    sized: bool

    def of(self, trial_type: str) -> EventsFile:
        """Return the rows of one trial type."""
        own = [k for k, event in enumerate(self.events) if event.trial_type == trial_type]
        columns = {name: tuple(cells[k] for k in own) for name, cells in self.columns.items()}
        return replace(self, events=tuple(self.events[k] for k in own), columns=columns)

    def numbers(self, name: str) -> tuple[float, ...]:
        """Return a column as numbers.

        Raises
        ------
        InputError
            If there is no such column, or something else than a finite number in it.
        """
        if name not in self.columns:
            raise InputError(f"{self.path}: no column '{name}'{did_you_mean(name, self.columns)}", value=name)
        return tuple(_number(text, name, self.path) for text in self.columns[name])


def read_events(path: str) -> EventsFile:
    """Read a table of events (.tsv, or .csv with commas).

    Raises
    ------
    InputError
        If it cannot be read, a column is missing or named twice, a row has another length, or a number is none.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read the events {path}: {getattr(error, 'strerror', None) or error}", value=path
        ) from None
    table = list(csv.reader(text.splitlines(), delimiter="," if path.lower().endswith(".csv") else "\t"))
    rows = [row for row in table[1:] if any(cell.strip() for cell in row)]
    names = [name.strip() for name in table[0]] if table else []
    _check(path, names, rows)
    rows.sort(key=lambda row: _number(row[names.index("onset")], "onset", path))
    columns = {name: tuple(row[k].strip() for row in rows) for k, name in enumerate(names)}
    file = EventsFile(path, (), columns, any(name in columns for name in SIZES))
    sizes = next((file.numbers(name) for name in SIZES if name in columns), (1.0,) * len(rows))
    events = map(Event, file.numbers("onset"), file.numbers("duration"), columns["trial_type"], sizes)
    return replace(file, events=tuple(events))


def _check(path: str, names: list[str], rows: list[list[str]]) -> None:
    for name in NEEDED:
        if name not in names:
            raise InputError(f"{path}: no column '{name}' among {', '.join(names) or 'none'}", value=name)
    if len(set(names)) < len(names):
        raise InputError(f"{path}: two columns have one name", value=names)
    for k, row in enumerate(rows):
        if len(row) != len(names):
            raise InputError(f"{path}: row {k + 1} has {len(row)} cells under {len(names)} names", value=row)
    if not rows:
        raise InputError(f"{path}: no events", value=path)


def _number(text: str, name: str, path: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{path}: {text.strip()!r} in column '{name}' is not a number", value=text)
    return value
