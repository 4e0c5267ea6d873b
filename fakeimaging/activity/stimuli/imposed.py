"""Responses that a design imposes on BOLD: events and the percent signal change of each region, without any current."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.stimuli.condition import Condition, Event
from fakeimaging.activity.stimuli.stimulus import reached
from fakeimaging.core.arrays import frozen
from fakeimaging.core.errors import ParameterError
from fakeimaging.structure.parcellation import Region

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Imposed:
    """What one type of trial imposes.

    Parameters
    ----------
    trial_type : str
    onsets, durations : ndarray, shape (n_events,)
        Seconds, sorted by onset.
    modulation : ndarray, shape (n_events,)
        Size of each event.
    percent : ndarray, shape (n_regions,)
        Signal change of each region at full strength, at the usual echo time of the field; 0 where nothing is imposed.
    """

    trial_type: str
    onsets: Array
    durations: Array
    modulation: Array
    percent: Array


def imposed_of(conditions: Sequence[Condition], regions: Sequence[Region], run_duration: float) -> tuple[Imposed, ...]:
    """Return what the conditions of a run impose, one a trial type.

    Conditions of one name that share their events add their regions; those that share their regions add their events.

    Parameters
    ----------
    conditions : sequence of Condition
        With their events (`presented`).
    regions : sequence of Region
        Of the subject.
    run_duration : float
        Seconds.

    Raises
    ------
    ParameterError
        If conditions of one name share neither, or one of them is a current: no single response belongs to the name then.
    """
    imposing = [condition for condition in conditions if condition.percent is not None]
    names = list(dict.fromkeys(condition.trial_type for condition in imposing))
    both = [c.trial_type for c in conditions if c.percent is None and c.trial_type in names]
    if both:
        raise ParameterError(
            [
                f"`run.conditions`: '{name}' is a current and imposed; give them two names"
                for name in dict.fromkeys(both)
            ]
        )
    return tuple(_merged(name, imposing, regions, run_duration) for name in names)


def _merged(name: str, conditions: Sequence[Condition], regions: Sequence[Region], run_duration: float) -> Imposed:
    own = [condition for condition in conditions if condition.trial_type == name]
    found: dict[tuple[Event, ...], Array] = {}
    for condition in own:
        percent = np.where(reached(condition, regions), float(condition.percent or 0.0), 0.0)
        events = condition.events(run_duration)
        found[events] = found.get(events, np.zeros(len(regions))) + percent
    percent = next(iter(found.values()))
    if any(not np.array_equal(other, percent) for other in found.values()):
        raise ParameterError(
            [
                f"`run.conditions`: '{name}' imposes other responses at other events; give them two names, or `modulation`"
            ]
        )
    shown = sorted(event for events in found for event in events)
    onsets, durations, sizes = (
        np.array([getattr(event, field) for event in shown]) for field in ("onset", "duration", "modulation")
    )
    return Imposed(name, *(frozen(array) for array in (onsets, durations, sizes, percent)))
