"""Events in any of the forms people have them in, and the series that are expected of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.hrf import regressor
from fakeimaging.activity.stimuli.condition import Event
from fakeimaging.activity.stimuli.events_file import read_events
from fakeimaging.core.errors import InputError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("onset", "duration", "trial_type", "modulation")
Events = Iterable[tuple[Any, ...]] | Mapping[str, Any] | str | Path | Any
Effects = float | Mapping[str, npt.ArrayLike] | None


def events_in(events: Events | None) -> tuple[Event, ...]:
    """Return events out of a table or a list.

    Parameters
    ----------
    events : pandas.DataFrame, mapping of columns, iterable of tuples, path of a table, or None
        Onset and duration in s, trial_type, and modulation where there is one, as BIDS and nilearn have them.

    Raises
    ------
    InputError
        If a column is missing, a number not finite or a duration negative.

    Examples
    --------
    >>> events_in([(4.0, 1.0, "face")])
    (Event(onset=4.0, duration=1.0, trial_type='face', modulation=1.0),)
    """
    if events is None:
        return ()
    if isinstance(events, str | Path):
        return read_events(str(events)).events
    rows = _rows(events) if hasattr(events, "keys") else list(events)
    return tuple(_event(i, row) for i, row in enumerate(rows))


def check_room(events: tuple[Event, ...], end: float) -> None:
    """Refuse events that begin at or after the ``end`` of a run, in s.

    Raises
    ------
    InputError
        As of onsets in milliseconds.
    """
    for i, event in enumerate(events):
        if event.onset >= end:
            raise InputError(
                f"`events[{i}]`: '{event.trial_type}' begins at {event.onset:g} s, and the run lasts {end:g} s",
                value=event,
            )


def _rows(table: Any) -> list[tuple[Any, ...]]:
    missing = [name for name in COLUMNS[:3] if name not in table.keys()]  # noqa: SIM118 (a DataFrame's keys are its columns)
    if missing:
        raise InputError(f"`events`: no column '{missing[0]}'; it has {', '.join(map(str, table.keys()))}", value=table)
    columns = [list(table[name]) for name in COLUMNS if name in table.keys()]  # noqa: SIM118
    return list(zip(*columns, strict=True))


def _event(i: int, row: Any) -> Event:
    if isinstance(row, str) or not 3 <= len(row) <= 4:
        raise InputError(f"`events[{i}]`: {row!r} is not (onset, duration, trial_type) or with a modulation", value=row)
    onset, duration, name = float(row[0]), float(row[1]), str(row[2])
    modulation = float(row[3]) if len(row) > 3 else 1.0
    if not np.isfinite([onset, duration, modulation]).all() or duration < 0:
        raise InputError(
            f"`events[{i}]`: {tuple(row)} has a number that is not finite, or a negative duration", value=row
        )
    return Event(onset, duration, name, modulation)


def table(events: tuple[Event, ...]) -> pd.DataFrame:
    """Return events as nilearn takes them, with modulation where it is not 1 throughout."""
    import pandas as pd

    columns = COLUMNS if any(event.modulation != 1 for event in events) else COLUMNS[:3]
    return pd.DataFrame([[getattr(event, name) for name in columns] for event in events], columns=list(columns))


def conditions_of(events: Iterable[Event]) -> tuple[str, ...]:
    """Return the conditions in the order of the alphabet, as nilearn has them."""
    return tuple(sorted({event.trial_type for event in events}))


def regressors(events: tuple[Event, ...], response: str, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return what each condition is expected to do at ``times`` (s), shape (n_conditions, n_volumes); a long block reaches 1."""
    courses = []
    for name in conditions_of(events):
        onsets, durations, modulation = np.array(
            [(e.onset, e.duration, e.modulation) for e in events if e.trial_type == name]
        ).T
        courses.append(regressor(response, onsets, durations, modulation, times))
    return np.array(courses).reshape(len(courses), len(times))


def read_effects(effects: Effects, conditions: tuple[str, ...], n: int, default: float) -> npt.NDArray[np.float64]:
    """Return the percent signal change of each condition in each series or region, shape (n_conditions, n).

    Raises
    ------
    InputError
        If a condition is not among the events or has another number of values, or there are no events at all.
    """
    if effects is not None and not conditions and not isinstance(effects, Mapping):
        raise InputError(f"`effects`: {effects!r}, of no event; give `events` that have it", value=effects)
    if not isinstance(effects, Mapping):
        value = default if effects is None else effects
        effects = dict.fromkeys(conditions, value)
    for name, values in effects.items():
        if name not in conditions:
            raise InputError(f"`effects`: no event is called '{name}'{did_you_mean(str(name), conditions)}", value=name)
        if np.shape(values) not in ((), (n,)) or not np.isfinite(values).all():
            raise InputError(f"`effects['{name}']`: one number or {n} are wanted, not {values!r}", value=values)
    rows = [np.broadcast_to(np.asarray(effects.get(name, 0.0), dtype=float), n) for name in conditions]
    return np.array(rows).reshape(len(conditions), n)
