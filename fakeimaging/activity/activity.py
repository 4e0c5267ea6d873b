"""An Activity: what happened in one run, as named taps on one clock, and the function that simulates it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from fakeimaging.activity import engine
from fakeimaging.activity.model import Model, Scheme, Setup
from fakeimaging.activity.models import as_model
from fakeimaging.activity.modes import Modes
from fakeimaging.activity.physiology import Physiology, PhysiologyParameters, make_physiology
from fakeimaging.activity.regional import Maps, regional_maps, with_maps
from fakeimaging.activity.stability import check_step
from fakeimaging.activity.stimuli import Condition, Event, Stimulus, events_of, make_stimulus
from fakeimaging.activity.taps import Tap, storage, tap_clock
from fakeimaging.core.arrays import frozen
from fakeimaging.core.citations import Reference
from fakeimaging.core.errors import InputError, ParameterError, UnknownNameError, did_you_mean
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.core.streams import Streams
from fakeimaging.structure.subject import Subject, legal_label

LEAD = 20.0
"""Seconds of activity recorded before t = 0, so that blood flow has a past (the hemodynamic response lasts about 20 s)."""


class RunParameters(Parameters):
    """How a run is simulated."""

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
    scheme: Scheme | None = parameter(
        None, unit="-", description="integrator: euler, heun or rk4; the model's own when left out"
    )
    precision: engine.Precision = parameter(
        "float64",
        unit="-",
        description="float64 sums in a fixed order, to the same bits anywhere; float32 is 3 times as fast",
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
    taps: dict[str, float] | None = parameter(
        None,
        unit="Hz",
        description="observables to record with their rates; all of the model, at its own, when left out",
    )
    conditions: tuple[Condition, ...] = ()
    regional: dict[str, Any] = parameter(
        {},
        unit="-",
        description="parameters of the model that differ between regions: tables of regions, lists or files",
    )
    physiology: PhysiologyParameters = PhysiologyParameters()

    @model_validator(mode="after")
    def _events_lie_in_the_run(self) -> Self:
        problems = [problem for condition in self.conditions for problem in condition.problems(self.duration)]
        if problems:
            raise ValueError(f"`conditions`: {'; '.join(problems)}")
        return self


@dataclass(frozen=True, eq=False, repr=False)
class Activity:
    """What happened in one run.

    Parameters
    ----------
    streams : Streams
        Place of this run in the tree of random streams: subject, session, task, run.
    task : str
    run : int
    session : str or None
    model : str
        Name of the model.
    parameters : Parameters
        Of the model.
    duration : float
        Seconds from t = 0.
    taps : mapping of str to Tap
    truth : mapping
        ``effective_weights`` (row receives) and ``delays`` (s), each (n_regions, n_regions), and what the model adds.
    references : tuple of Reference
    events : tuple of Event
        Stimuli of the run, sorted by onset; seconds from t = 0.
    differences : Modes, optional
        How the parts of each region differ.
    physiology_parameters : PhysiologyParameters
    regional : mapping of str to ndarray of shape (n_regions,)
        Parameters of the model that differ between regions; the numbers of those names in ``parameters`` are not used.
    """

    streams: Streams
    task: str
    run: int
    session: str | None
    model: str
    parameters: Parameters
    duration: float
    taps: Mapping[str, Tap]
    truth: Mapping[str, npt.NDArray] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()
    events: tuple[Event, ...] = ()
    differences: Modes | None = None
    physiology_parameters: PhysiologyParameters = PhysiologyParameters()
    regional: Maps = field(default_factory=dict)

    @cached_property
    def physiology(self) -> Physiology:
        """Heart, breathing, blinks and head motion of this run, the same for every instrument."""
        return make_physiology(self.duration, self.physiology_parameters, streams=self.streams.at("physiology"))

    def __repr__(self) -> str:
        return (
            f"Activity({'/'.join(self.streams.path)}: {self.model}, {self.duration:g} s, taps {', '.join(self.taps)})"
        )

    def tap(self, name: str) -> Tap:
        """Return the tap called ``name``.

        Raises
        ------
        UnknownNameError
            If the model shows no such observable.
        """
        if name not in self.taps:
            raise UnknownNameError(f"this activity has no tap '{name}'{did_you_mean(name, self.taps)}", value=name)
        return self.taps[name]

    def modes(self, name: str) -> Tap | None:
        """Return the sub-regional modes as one observable, on the clock of the tap of that name.

        Parameters
        ----------
        name : str
            ``"rate"`` (Hz per unit of the spatial pattern) or ``"dipole"`` (nAm/mm2 per unit).

        Returns
        -------
        Tap or None
            Samples of shape (n, N_MODES * n_regions), the first n_regions columns mode 1, made when they are read; None
            when the model has no linearisation. Both observables read the same modes.

        Raises
        ------
        UnknownNameError
            If the modes have no such observable.
        """
        if self.differences is None:
            return None
        return replace(self.differences.tap(name), clock=self.tap(name).clock)


def simulate_activity(
    subject: Subject,
    *,
    model: str | Path | Model = "dmf",
    task: str = "rest",
    run: int = 1,
    session: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    store: str | Path | None = None,
    **timing: Any,
) -> Activity:
    """Simulate one run of a subject's network.

    Parameters
    ----------
    subject : Subject
    model : str, Path or Model
        Name of a registered model, a Python file that defines ``MODEL``, or a model.
    task, run, session
        Which run this is; names its random stream.
    parameters : mapping, optional
        Parameters of the model that differ from their defaults.
    store : path, optional
        Folder for the taps as ``.npy`` files; otherwise long ones go to a temporary folder.
    **timing
        Fields of `RunParameters`: ``duration`` (s), ``step``, ``transient``, ``speed``, ``scheme``, ``precision``, ``taps``;
        ``conditions``, a list of `Condition` or of mappings of their fields; ``regional``, parameters that differ between
        regions: ``{"x0": {"L hippocampus 1": -1.6, "kind:thalamus": -2.0}}``, or an array or a file with a number for each
        region; and more.

    Returns
    -------
    Activity

    Raises
    ------
    ParameterError, InputError
        If a parameter, label or run number is not allowed.
    ModelError
        If the activity stops being finite.

    Examples
    --------
    >>> from fakeimaging import make_subject
    >>> subject = make_subject("01", seed=1, anatomy="tiny")
    >>> activity = simulate_activity(subject, model="linear", duration=2.0)
    >>> activity.tap("rate").from_start().by_region.shape
    (10, 200)
    """
    times = RunParameters.parse(timing, where="run")
    chosen = with_taps(as_model(model), times.taps)
    checked = chosen.parameters.parse(parameters or {}, where=chosen.name)
    streams = subject.streams.at(*run_path(task, run, session))
    schedule = _schedule(chosen, times)
    stimulus = stimulus_of(chosen, times, subject, streams)
    maps = regional_maps(chosen, checked, times.regional, subject.regions)
    own = with_maps(checked, maps)
    setup = chosen.prepare(own, subject, schedule.step)
    delays = subject.connectome.delays(times.speed)
    arrays = _room(chosen, schedule, subject.n_regions, Path(store) if store is not None else None)
    kernel = engine.build(chosen, own, setup, method_of(chosen, times, schedule.step))
    check_step(kernel, setup, schedule.step)
    member = engine.Member(kernel, setup, streams.at("activity"))
    engine.run([member], delays, schedule, [arrays], stimulus=stimulus)
    return Activity(
        streams, task, run, session, chosen.name, checked, times.duration,
        taps={name: _tap(chosen, name, array, schedule.step) for name, array in arrays.items()},
        truth=network_truth(setup, delays, maps),
        references=chosen.references,
        events=events_of(times.conditions, times.duration),
        differences=modes_of(chosen, own, subject, streams, times.duration),
        physiology_parameters=times.physiology,
        regional=maps,
    )  # fmt: skip


def with_taps(model: Model, taps: Mapping[str, float] | None) -> Model:
    """Return a model that shows only these observables, at these rates in Hz; as it is when ``taps`` is None.

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
            raise UnknownNameError(f"`run.taps`: model {model.name} shows no '{name}'{hint}", value=name)
    return replace(
        model, observables={name: replace(model.observables[name], rate=rate) for name, rate in taps.items()}
    )


def method_of(model: Model, times: RunParameters, step: float) -> engine.Method:
    """Return how a run is integrated."""
    hold = 1 if times.coupling_interval is None else max(1, round(times.coupling_interval / step))
    return engine.Method(times.scheme or model.scheme, times.precision, hold, times.noise_time, times.interpolate)


def modes_of(model: Model, parameters: Parameters, subject: Subject, streams: Streams, duration: float) -> Modes | None:
    """Return the sub-regional modes of a run, None when the model has none; ``streams`` are the run's."""
    if model.modes is None:
        return None
    return Modes(model.modes, parameters, subject, streams.at("modes"), -LEAD, duration)


def stimulus_of(model: Model, times: RunParameters, subject: Subject, streams: Streams) -> Stimulus | None:
    """Return the stimulus of a run, None when it has no condition; ``streams`` are the run's.

    Raises
    ------
    ParameterError
        If a condition names what the subject does not have, is too fast for the step or too strong for the model, or the
        model takes no stimulus.
    InputError
        If the file of a condition cannot be used.
    """
    if not times.conditions:
        return None
    if not model.takes_stimulus:
        raise ParameterError([f"`run.conditions`: model {model.name} takes no stimulus; leave them out or take dmf"])
    largest, unit = model.largest_stimulus, model.stimulus_unit
    problems = [
        f"`run.conditions`: '{condition.trial_type}': amplitude {condition.amplitude:g} {unit} is outside "
        f"[{-largest:g}, {largest:g}] of model {model.name}"
        for condition in times.conditions
        if abs(condition.amplitude) > largest
    ]
    if problems:
        raise ParameterError(problems)
    _, step = engine.intervals(model, times.step or model.step)
    return make_stimulus(times.conditions, subject.regions, times.duration, step=step, streams=streams)


def network_truth(setup: Setup, delays: npt.NDArray[np.float64], maps: Maps) -> dict[str, npt.NDArray[np.float64]]:
    """Return the truth of an activity about its network.

    Returns
    -------
    dict of str to ndarray
        Effective weights (row receives), delays in s, what the model adds, and ``parameter_<name>`` for each that differs
        between regions.
    """
    own = {name: frozen(np.array(array)) for name, array in setup.truth.items()}
    own |= {f"parameter_{name}": values for name, values in maps.items()}
    return {"effective_weights": frozen(setup.coupling), "delays": frozen(delays), **own}


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


def compile_model(
    model: str | Path | Model,
    subject: Subject,
    parameters: Mapping[str, Any] | None = None,
    step: float | None = None,
    regional: Mapping[str, Any] | None = None,
) -> None:
    """Compile a model's kernel and try one step of it, so that workers find it on disk and a mistake shows at once.

    Parameters
    ----------
    model, parameters, step, regional
        As for `simulate_activity`.
    subject : Subject

    Raises
    ------
    ParameterError, ModelError
        If the model or its parameters cannot be used.
    """
    chosen = as_model(model)
    _, exact = engine.intervals(chosen, step or chosen.step)
    checked = chosen.parameters.parse(parameters or {}, where=chosen.name)
    own = with_maps(checked, regional_maps(chosen, checked, regional or {}, subject.regions))
    setup = chosen.prepare(own, subject, exact)
    schedule = engine.Schedule(exact, 1, 0)
    taps = _room(chosen, schedule, subject.n_regions, None)
    member = engine.Member(engine.build(chosen, own, setup), setup, Streams(0))
    engine.run([member], np.zeros_like(setup.coupling), schedule, [taps])


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


def _room(model: Model, schedule: engine.Schedule, n: int, folder: Path | None) -> dict[str, npt.NDArray[np.float32]]:
    every, _ = engine.intervals(model, schedule.step)
    named = zip(model.observables, every.tolist(), strict=True)
    return {name: storage(name, schedule.n_kept // k, n, folder) for name, k in named}


def _tap(model: Model, name: str, array: npt.NDArray[np.float32], step: float) -> Tap:
    observable = model.observables[name]
    clock = tap_clock(observable.rate, -LEAD, -LEAD + len(array) / observable.rate, step)
    tap = Tap(name, observable.unit, clock, frozen(array))
    return tap if observable.past else tap.from_start()
