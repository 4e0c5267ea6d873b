"""The task of one run: its conditions with their events, what they put into the network, and what they impose on BOLD."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fakeimaging.activity import engine
from fakeimaging.activity.model import Model
from fakeimaging.activity.stimuli import (
    Condition,
    Imposed,
    Stimulus,
    imposed_of,
    make_stimulus,
    selection_problems,
)
from fakeimaging.core.errors import ParameterError
from fakeimaging.core.streams import Streams
from fakeimaging.structure.parcellation import Region

if TYPE_CHECKING:
    from fakeimaging.activity.run import RunParameters


def task_of(
    model: Model, times: RunParameters, regions: Sequence[Region], streams: Streams
) -> tuple[tuple[Condition, ...], Stimulus | None, tuple[Imposed, ...]]:
    """Return the conditions of a run with their events, what they put into the network, and what they impose.

    Parameters
    ----------
    model : Model
    times : RunParameters
    regions : sequence of Region
        Of the subject.
    streams : Streams
        Of the run.

    Raises
    ------
    ParameterError, InputError
        If a condition names what the subject does not have, or its events, its file or its size cannot be.
    """
    if problems := selection_problems(times.conditions, regions):
        raise ParameterError(problems)
    conditions = times.presented(streams)
    stimulus = stimulus_of(model, times, regions, streams, conditions)
    return conditions, stimulus, imposed_of(conditions, regions, times.duration)


def stimulus_of(
    model: Model,
    times: RunParameters,
    regions: Sequence[Region],
    streams: Streams,
    conditions: Sequence[Condition] | None = None,
) -> Stimulus | None:
    """Return the stimulus of a run, None when no condition is a current; ``streams`` are the run's.

    ``conditions`` are those of the run with their events, where they are known.

    Raises
    ------
    ParameterError
        If a condition names what the subject does not have, is too fast for the step or too strong for the model, or the
        model takes no stimulus.
    InputError
        If the file of a condition cannot be used.
    """
    shown = times.presented(streams) if conditions is None else conditions
    currents = [condition for condition in shown if condition.percent is None]
    if not currents:
        return None
    if not model.takes_stimulus:
        raise ParameterError(
            [
                f"`run.conditions`: model {model.name} takes no stimulus; leave them out, impose their responses (`percent`) or take dmf"
            ]
        )
    largest, unit = model.largest_stimulus, model.stimulus_unit
    problems = [
        f"`run.conditions`: '{condition.trial_type}': amplitude {condition.largest:g} {unit} is outside "
        f"[{-largest:g}, {largest:g}] of model {model.name}"
        for condition in currents
        if abs(condition.largest) > largest
    ]
    if problems:
        raise ParameterError(problems)
    _, step = engine.intervals(model, times.step or model.step)
    return make_stimulus(currents, regions, times.duration, step=step, streams=streams)
