"""The conditions of one run with their events: times from themselves, from its designs or from its table of events; sizes settled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fakeimaging.activity.stimuli.condition import MISSING, Condition, Event
from fakeimaging.activity.stimuli.design import REST, Design, lay_out
from fakeimaging.activity.stimuli.events_file import EventsFile, read_events
from fakeimaging.core.errors import ParameterError, did_you_mean
from fakeimaging.core.streams import Streams

RULES = ("linear", "random")
"""What `Condition.modulation` may say instead of numbers or the name of a column."""


def presented(
    conditions: Sequence[Condition],
    designs: Sequence[Design],
    events: str | None,
    run_duration: float,
    *,
    streams: Streams,
) -> tuple[Condition, ...]:
    """Return the conditions with onsets, durations and sizes as lists; one for each length of its events.

    Parameters
    ----------
    conditions : sequence of Condition
    designs : sequence of Design
        Drawn from the streams ``design``, their number.
    events : str or None
        Table of events.
    run_duration : float
        Seconds.
    streams : Streams
        Of the run. Sizes at random come from the stream ``modulation``, name of the condition, its number among those of that name.

    Raises
    ------
    ParameterError, InputError
        If a trial type has no condition or a condition no events, sizes do not fit, there is no room, or events overlap.
    """
    table = read_events(events) if events is not None else None
    laid = _laid_out(conditions, designs, run_duration, streams)
    problems = list(_strangers(conditions, laid, table))
    if problems:
        raise ParameterError(problems)
    found = []
    for c, condition in enumerate(conditions):
        earlier = sum(other.trial_type == condition.trial_type for other in conditions[:c])
        own = streams.at("modulation", condition.trial_type, str(earlier + 1))
        found += _settled(condition, laid, table, run_duration, own)
    problems = [f"`run.conditions`: {problem}" for one in found for problem in one.problems(run_duration)]
    problems += _overlaps(found, run_duration)
    if problems:
        raise ParameterError(list(dict.fromkeys(problems)))
    return tuple(found)


def _laid_out(
    conditions: Sequence[Condition], designs: Sequence[Design], run_duration: float, streams: Streams
) -> tuple[Event, ...]:
    durations = {condition.trial_type: condition.duration for condition in conditions}
    return tuple(
        event
        for d, design in enumerate(designs)
        for event in lay_out(
            design,
            run_duration,
            streams=streams.at("design", str(d + 1)),
            durations=durations,
            silent=REST not in durations,
        )
    )


def _strangers(conditions: Sequence[Condition], laid: Sequence[Event], table: EventsFile | None) -> Iterator[str]:
    """Yield the trial types without a condition, and the conditions without an event or with events from two places."""
    known = [condition.trial_type for condition in conditions]
    places = {"`run.design`": {e.trial_type for e in laid}}
    places |= {table.path: {e.trial_type for e in table.events}} if table is not None else {}
    for place, names in places.items():
        for name in sorted(names.difference(known)):
            hint = did_you_mean(name, known) or "; `conditions` say which regions it reaches, or imposes 0 percent on"
            yield f"{place}: no condition has the trial_type '{name}'{hint}"
    for condition in conditions:
        where = ["its own times"] if condition.timed else []
        where += [place for place, names in places.items() if condition.trial_type in names]
        if len(where) > 1:
            yield f"`run.conditions`: condition '{condition.trial_type}' has events from {' and '.join(where)}"
        if not where:
            yield f"`run.conditions`: condition '{condition.trial_type}' has no onset{MISSING}"


def _settled(
    condition: Condition, laid: Sequence[Event], table: EventsFile | None, run_duration: float, streams: Streams
) -> list[Condition]:
    """Return a condition as one for each length of its events."""
    own = table.of(condition.trial_type) if table is not None and not condition.timed else None
    if condition.timed:
        events = tuple(Event(t, condition.duration, condition.trial_type) for t in condition.times(run_duration))
    else:
        events = tuple(e for e in laid if e.trial_type == condition.trial_type) + (
            own.events if own is not None else ()
        )
    sizes = _sizes(condition, events, own if own is not None and own.events else None, streams)
    found: dict[float, list[tuple[float, float]]] = {}
    for event, size in zip(events, sizes, strict=True):
        found.setdefault(event.duration, []).append((event.onset, size))
    return [_with_events(condition, sized, duration) for duration, sized in found.items()]


def _with_events(condition: Condition, events: Sequence[tuple[float, float]], duration: float) -> Condition:
    values = {
        name: value
        for name, value in condition.model_dump().items()
        if name not in {"onset", "period", "count", "jitter", "modulation_range"}
    }
    onsets, sizes = tuple(onset for onset, _ in events), tuple(size for _, size in events)
    own = {"onsets": onsets, "duration": duration, "modulation": sizes if any(size != 1 for size in sizes) else None}
    return Condition.parse({**values, **own}, where="run.conditions")


def _sizes(
    condition: Condition, events: Sequence[Event], table: EventsFile | None, streams: Streams
) -> tuple[float, ...]:
    """Return the size of each event; ``table`` holds its rows where they come from one."""
    here, n = f"`run.conditions`: condition '{condition.trial_type}'", len(events)
    rule, (low, high) = condition.modulation, condition.modulation_range
    if rule is None:
        return tuple(event.modulation for event in events)
    if table is not None and table.sized:
        raise ParameterError([f"{here}: {table.path} has sizes of its own; leave out `modulation`"])
    if isinstance(rule, tuple):
        if len(rule) != n:
            raise ParameterError([f"{here}: `modulation` has {len(rule)} sizes for {n} events"])
        return condition.sizes(n)
    if rule == "linear":
        return tuple(np.linspace(low, high, n).tolist())
    if rule == "random":
        return tuple(streams.rng().uniform(low, high, n).round(6).tolist())
    if table is None:
        hint = did_you_mean(rule, RULES) or f"; it is {' or '.join(RULES)}, or a column of a table of events"
        raise ParameterError([f"{here}: `modulation`: {rule!r} is no rule{hint}"])
    return table.numbers(rule)


def _overlaps(conditions: Sequence[Condition], run_duration: float) -> Iterator[str]:
    """Yield where events of one trial type but other lengths overlap: those of one length are checked by the condition."""
    for name in dict.fromkeys(condition.trial_type for condition in conditions):
        own = [condition for condition in conditions if condition.trial_type == name]
        if len({condition.duration for condition in own}) < 2:
            continue
        events = sorted({event for condition in own for event in condition.events(run_duration)})
        for first, second in zip(events, events[1:], strict=False):
            if second.onset < first.onset + first.duration - 1e-6:
                yield f"`run.conditions`: the events of '{name}' at {first.onset:g} s and {second.onset:g} s overlap"
                break
