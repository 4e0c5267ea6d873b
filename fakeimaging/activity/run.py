"""A run: how it is simulated, and all of it that the engine needs."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from pydantic import field_validator, model_validator

from fakeimaging.activity import engine
from fakeimaging.activity.model import Model, Scheme, Setup
from fakeimaging.activity.physiology import PhysiologyParameters
from fakeimaging.activity.regional import Maps, regional_maps, with_maps
from fakeimaging.activity.stability import check_step
from fakeimaging.activity.stimuli import (
    Condition,
    Design,
    Imposed,
    ImposedSource,
    SourceSpec,
    Stimulus,
    imposed_sources,
    presented,
)
from fakeimaging.activity.stimuli.source_spec import run_problems
from fakeimaging.activity.taps import storage
from fakeimaging.activity.task import task_of
from fakeimaging.core.errors import InputError, ModelError, ParameterError, UnknownNameError, did_you_mean
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.core.streams import Streams
from fakeimaging.structure.connectome import Connectome
from fakeimaging.structure.parcellation import Region
from fakeimaging.structure.subject import Subject, legal_label

LEAD = 20.0
"""Seconds of activity recorded before t = 0, so that blood flow has a past (the hemodynamic response lasts about 20 s)."""


class RunParameters(Parameters):
    """How a run is simulated."""

    elsewhere: ClassVar[Mapping[str, str]] = {
        name: f"runs.physiology.{name}" for name in PhysiologyParameters.model_fields
    }

    duration: float = parameter(600.0, unit="s", bounds=(1, 36_000), description="length of the run")
    step: float | None = parameter(
        None, unit="s", bounds=(1e-6, 0.05), description="time step; the model's own when left out"
    )
    transient: float | None = parameter(
        None, unit="s", bounds=(0, 3600), description="dropped before the run; the model's own when left out"
    )
    speed: float = parameter(
        7.0,
        unit="m/s",
        bounds=(0.1, 200),
        description="conduction speed; sets the delays",
        source="assumed, within 5-10 m/s",
    )
    delays: bool = parameter(
        True, unit="-", description="conduction delays; without them all arrives at once, whatever the speed"
    )
    scheme: Scheme | None = parameter(
        None, unit="-", description="integrator: euler, heun or rk4; the model's own when left out"
    )
    precision: engine.Precision = parameter(
        "float64",
        unit="-",
        description="float64 sums in a fixed order, alone as in company; float32 is up to 3 times as fast, other noise",
    )
    coupling_interval: float | None = parameter(
        None,
        unit="s",
        bounds=(1e-6, 0.05),
        description="hold the coupling this long (slow coupling only); each step when left out",
    )
    noise_time: float = parameter(
        0.0, unit="s", bounds=(0, 10), description="time constant of the noise (Ornstein-Uhlenbeck); 0 is white"
    )
    interpolate: bool = parameter(False, unit="-", description="delays between whole steps, by linear interpolation")
    taps: dict[str, float] | tuple[str, ...] | None = parameter(
        None,
        unit="Hz",
        description="observables to record: a table of their rates, or a list of names at the model's own; all when left out",
    )
    conditions: tuple[Condition, ...] = ()
    design: tuple[Design, ...] = ()
    events: str | None = parameter(
        None, unit="-", description="table (.tsv) of onset, duration and trial_type that presents the conditions"
    )
    sources: tuple[SourceSpec, ...] = ()
    regional: dict[str, Any] = parameter(
        {},
        unit="-",
        description="parameters of the model that differ between regions: tables of regions, lists or files",
    )
    physiology: PhysiologyParameters = PhysiologyParameters()

    @field_validator("taps", mode="before")
    @classmethod
    def _taps_can_be(cls, taps: Any) -> Any:
        if taps is not None and (problems := list(tap_problems(taps))):
            raise ValueError("; ".join(problems))
        return tuple(taps) if isinstance(taps, list) else taps

    @field_validator("design", mode="before")
    @classmethod
    def _one_design_is_a_table(cls, design: Any) -> Any:
        alone = isinstance(design, Design | Mapping)
        return (design,) if alone else tuple(design) if isinstance(design, list) else design

    @model_validator(mode="after")
    def _events_lie_in_the_run(self) -> Self:
        timed = [c for c in self.conditions if c.timed or (not self.design and self.events is None)]
        problems = [problem for condition in timed for problem in condition.problems(self.duration)]
        if problems:
            raise ValueError(f"`conditions`: {'; '.join(problems)}")
        durations = {condition.trial_type: condition.duration for condition in self.conditions}
        for design in self.design:
            design.check_room(self.duration, durations)
        return self

    @model_validator(mode="after")
    def _sources_go_together(self) -> Self:
        trial_types = [condition.trial_type for condition in self.conditions]
        if problems := list(run_problems(self.sources, trial_types, self.duration)):
            raise ValueError(f"`sources`: {'; '.join(problems)}")
        return self

    def presented(self, streams: Streams) -> tuple[Condition, ...]:
        """Return the conditions with their events, drawn from the run's ``streams`` where a design says so."""
        return presented(self.conditions, self.design, self.events, self.duration, streams=streams)

    def imposed_sources(
        self, conditions: Sequence[Condition], regions: Sequence[Region], streams: Streams
    ) -> tuple[ImposedSource, ...]:
        """Return the imposed sources of a run, whose ``conditions`` have their events and whose ``streams`` these are."""
        return imposed_sources(self.sources, conditions, regions, self.duration, streams=streams)

    def delays_in(self, connectome: Connectome) -> npt.NDArray[np.float64]:
        """Return the conduction delays in s, shape (n_regions, n_regions)."""
        return connectome.delays(self.speed) if self.delays else np.zeros_like(connectome.tract_lengths)


@dataclass(frozen=True, eq=False)
class PreparedRun:
    """A run that is ready for the engine: what it is, and what follows from that.

    Parameters
    ----------
    subject : Subject
    model : Model
        With the taps of the run.
    parameters : Parameters
        Of the model.
    times : RunParameters
    task, run, session, streams
        As in `Activity`.
    schedule : engine.Schedule
    conditions : tuple of Condition
        With their events.
    stimulus : Stimulus or None
    imposed : tuple of Imposed
    sources : tuple of ImposedSource
    delays : ndarray, shape (n_regions, n_regions)
        Seconds.
    maps : mapping of str to ndarray of shape (n_regions,)
        Parameters that differ between regions.
    setup : Setup
    kernel : engine.Kernel
    """

    subject: Subject
    model: Model
    parameters: Parameters
    times: RunParameters
    task: str
    run: int
    session: str | None
    streams: Streams
    schedule: engine.Schedule
    conditions: tuple[Condition, ...]
    stimulus: Stimulus | None
    imposed: tuple[Imposed, ...]
    sources: tuple[ImposedSource, ...]
    delays: npt.NDArray[np.float64]
    maps: Maps
    setup: Setup
    kernel: engine.Kernel

    @property
    def member(self) -> engine.Member:
        """What the engine runs."""
        return engine.Member(self.kernel, self.setup, self.streams.at("activity"))

    def room(self, folder: Path | None = None, *, beside: int = 1) -> dict[str, npt.NDArray[np.float32]]:
        """Return room for its taps, as `room_for`."""
        return room_for(self.model, self.schedule, self.subject.n_regions, folder, beside=beside)

    def again(self, *, task: str, run: int, session: str | None) -> PreparedRun:
        """Return another run of the same subject, all else equal."""
        streams = self.subject.streams.at(*run_path(task, run, session))
        conditions, stimulus, imposed = task_of(self.model, self.times, self.subject.regions, streams)
        sources = self.times.imposed_sources(conditions, self.subject.regions, streams)
        return replace(
            self, task=task, run=run, session=session, streams=streams, conditions=conditions, stimulus=stimulus, imposed=imposed,
            sources=sources,
        )  # fmt: skip


def prepare_run(
    subject: Subject,
    model: Model,
    parameters: Parameters,
    times: RunParameters,
    *,
    task: str,
    run: int,
    session: str | None,
) -> PreparedRun:
    """Return all that the engine needs for a run; arguments as for `simulate_activity`, parsed."""
    chosen = with_taps(model, times.taps)
    streams = subject.streams.at(*run_path(task, run, session))
    schedule = _schedule(chosen, times)
    conditions, stimulus, imposed = task_of(chosen, times, subject.regions, streams)
    sources = times.imposed_sources(conditions, subject.regions, streams)
    maps = regional_maps(chosen, parameters, times.regional, subject.regions)
    own = with_maps(parameters, maps)
    setup = chosen.prepare(own, subject, schedule.step)
    kernel = engine.build(chosen, own, setup, method_of(chosen, times, schedule.step))
    check_step(kernel, setup, schedule.step)
    delays = times.delays_in(subject.connectome)
    return PreparedRun(
        subject, chosen, parameters, times, task, run, session, streams, schedule, conditions, stimulus, imposed, sources, delays, maps,
        setup, kernel,
    )  # fmt: skip


def tap_problems(taps: Any) -> Iterator[str]:
    """Yield what is wrong with taps that are asked for, whatever the model."""
    if not isinstance(taps, Mapping | list | tuple):
        yield f"{taps!r} is neither a table of names and rates nor a list of names"
        return
    if not taps:
        yield "empty; name at least one observable, or leave it out for all of the model"
    for name in taps:
        if not isinstance(name, str):
            yield f"{name!r} is not the name of an observable"
    if len(set(map(str, taps))) < len(taps):
        yield f"one of {', '.join(map(str, taps))} is there twice"
    for name, rate in taps.items() if isinstance(taps, Mapping) else ():
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < math.inf:
            yield f"the rate of '{name}', {rate!r}, is not a number of Hz above 0"


def with_taps(model: Model, taps: Mapping[str, float] | Sequence[str] | None, *, where: str = "run") -> Model:
    """Return a model that shows only these observables; as it is when ``taps`` is None.

    Parameters
    ----------
    model : Model
    taps : mapping of str to float, or sequence of str, optional
        Names with rates in Hz, or names at the model's own rates.
    where : str
        What they belong to, shown in messages.

    Raises
    ------
    UnknownNameError
        If the model shows no such observable.
    """
    if taps is None:
        return model
    for name in taps:
        if name not in model.observables:
            hint = did_you_mean(name, model.observables)
            raise UnknownNameError(f"`{where}.taps`: model {model.name} shows no '{name}'{hint}", value=name)
    rates = taps if isinstance(taps, Mapping) else {name: model.observables[name].rate for name in taps}
    return replace(
        model, observables={name: replace(model.observables[name], rate=rate) for name, rate in rates.items()}
    )


def method_of(model: Model, times: RunParameters, step: float) -> engine.Method:
    """Return how a run is integrated.

    Raises
    ------
    ModelError
        If the model's noise cannot have a time constant, the scheme is not for it, or its coupling cannot be held so long.
    """
    if model.white_only and times.scheme not in {None, model.scheme}:
        raise ModelError(f"`run.scheme`: model {model.name} takes '{model.scheme}' only", value=times.scheme)
    if times.noise_time > 0 and model.calculus == "ito" and _multiplicative(model):
        raise ModelError(
            f"`run.noise_time`: amplitudes of model {model.name} depend on its state and are meant as Ito; noise with a time "
            "constant has the meaning of Stratonovich",
            value=times.noise_time,
        )
    if times.noise_time > 0 and model.white_only:
        raise ModelError(
            f"`run.noise_time`: the noise of model {model.name} is white; leave it out", value=times.noise_time
        )
    hold = _held(times.coupling_interval, step)
    return engine.Method(times.scheme or model.scheme, times.precision, hold, times.noise_time, times.interpolate)


def _multiplicative(model: Model) -> bool:
    arguments = inspect.signature(model.diffusion).parameters if model.diffusion is not None else ()
    return any(state in arguments for state in model.states)


def _held(interval: float | None, step: float) -> int:
    """Return the steps for which coupling is held."""
    if interval is None:
        return 1
    hold = max(1, round(interval / step))
    if abs(interval / step - hold) > 1e-6:
        raise ModelError(
            f"`run.coupling_interval`: {interval:g} s is not a whole number of steps of {step:g} s; the nearest is {hold * step:g}",
            value=interval,
        )
    if hold == 1:
        raise ModelError(
            f"`run.coupling_interval`: {interval:g} s is one step and holds nothing; leave it out or take a shorter `step`",
            value=interval,
        )
    return hold


def run_path(task: str, run: int, session: str | None) -> tuple[str, ...]:
    """Return the stream path of a run below its subject.

    Examples
    --------
    >>> run_path("rest", 1, None)
    ('task-rest', 'run-1')
    """
    if isinstance(run, bool) or not isinstance(run, int) or run < 1:
        raise InputError(f"`run`: {run!r} is not a whole number of at least 1", value=run)
    where = (f"ses-{legal_label(session)}",) if session is not None else ()
    return (*where, f"task-{legal_label(task)}", f"run-{run}")


def _schedule(model: Model, times: RunParameters) -> engine.Schedule:
    every, step = engine.intervals(model, times.step or model.step)
    whole = math.lcm(*every.tolist())
    n_whole = round((LEAD + times.duration) / (whole * step))
    if abs(n_whole * whole * step - LEAD - times.duration) > 1e-6:
        raise ParameterError(
            [
                f"`run.duration`: {times.duration:g} s is not a whole number of {whole * step:g} s, the slowest tap's interval"
            ]
        )
    transient = model.transient if times.transient is None else times.transient
    return engine.Schedule(step, round(transient / step), n_whole * whole, -LEAD)


def room_for(
    model: Model, schedule: engine.Schedule, n: int, folder: Path | None, *, beside: int = 1
) -> dict[str, npt.NDArray[np.float32]]:
    """Return room for the taps of a run; with ``beside`` runs at once they share what taps may take of memory."""
    every, _ = engine.intervals(model, schedule.step)
    named = zip(model.observables, every.tolist(), strict=True)
    return {name: storage(name, schedule.n_kept // k, n, folder, beside=beside) for name, k in named}
