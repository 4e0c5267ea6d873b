"""An Activity: what happened in one run, as named taps on one clock, and the function that simulates it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import engine
from fakeimaging.activity.given import parameters_of, timing_of
from fakeimaging.activity.model import Model, Setup
from fakeimaging.activity.models import as_model
from fakeimaging.activity.modes import Modes, at_rates_of
from fakeimaging.activity.physiology import Physiology, PhysiologyParameters, make_physiology
from fakeimaging.activity.regional import Maps, with_maps
from fakeimaging.activity.run import LEAD, PreparedRun, RunParameters, prepare_run, run_path
from fakeimaging.activity.stimuli import Event, Imposed, ImposedSource, events_of
from fakeimaging.activity.taps import Tap, tap_clock
from fakeimaging.activity.task import stimulus_of
from fakeimaging.core.arrays import frozen
from fakeimaging.core.citations import Reference
from fakeimaging.core.errors import UnknownNameError, did_you_mean
from fakeimaging.core.parameters import Parameters
from fakeimaging.core.streams import Streams
from fakeimaging.structure.subject import Subject

__all__ = [
    "LEAD",
    "Activity",
    "RunParameters",
    "activity_of",
    "compile_model",
    "modes_of",
    "network_truth",
    "run_path",
    "simulate_activity",
    "stimulus_of",
]


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
    imposed : tuple of Imposed
        Responses that the design imposes on BOLD; the taps know nothing of them.
    sources : tuple of ImposedSource
        Sources that the design imposes on electric and magnetic recordings; the taps know nothing of them.
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
    imposed: tuple[Imposed, ...] = ()
    sources: tuple[ImposedSource, ...] = ()

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
        ``conditions``, a list of `Condition` or of mappings of their fields; ``design``, a `Design` or several that lay out their
        events, or ``events``, a table that holds them; ``sources``, a list of `SourceSpec` or of mappings; ``regional``,
        parameters that differ between regions: ``{"x0": {"L_Hippocampus_01": -1.6, "kind:thalamus": -2.0}}``, or an array or a
        file with a number for each region; and more.

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
    chosen = as_model(model)
    times, checked = timing_of(chosen, timing), parameters_of(chosen, parameters)
    ready = prepare_run(subject, chosen, checked, times, task=task, run=run, session=session)
    arrays = ready.room(Path(store) if store is not None else None)
    engine.run([ready.member], ready.delays, ready.schedule, [arrays], stimulus=ready.stimulus)
    return activity_of(ready, arrays)


def activity_of(ready: PreparedRun, arrays: Mapping[str, npt.NDArray[np.float32]]) -> Activity:
    """Return the activity of a run whose taps the engine has filled."""
    model, times = ready.model, ready.times
    return Activity(
        ready.streams, ready.task, ready.run, ready.session, model.name, ready.parameters, times.duration,
        taps={name: _tap(model, name, array, ready.schedule) for name, array in arrays.items()},
        truth=network_truth(ready.setup, ready.delays, ready.maps),
        references=model.references,
        events=events_of(ready.conditions, times.duration),
        differences=modes_of(model, with_maps(ready.parameters, ready.maps), ready.subject, ready.streams, times.duration),
        physiology_parameters=times.physiology,
        regional=ready.maps,
        imposed=ready.imposed,
        sources=ready.sources,
    )  # fmt: skip


def modes_of(model: Model, parameters: Parameters, subject: Subject, streams: Streams, duration: float) -> Modes | None:
    """Return the sub-regional modes of a run, None when the model has none; ``streams`` are the run's."""
    if model.modes is None:
        return None
    return Modes(at_rates_of(model, model.modes), parameters, subject, streams.at("modes"), -LEAD, duration)


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


def compile_model(
    model: str | Path | Model, subject: Subject, *, parameters: Mapping[str, Any] | None = None, **timing: Any
) -> None:
    """Compile the kernels of a run and try one step of each, so that workers find them on disk and a mistake shows at once.

    Parameters
    ----------
    model, parameters, **timing
        As for `simulate_activity`.
    subject : Subject

    Raises
    ------
    ParameterError, ModelError
        If the model, its parameters or the run cannot be used.
    """
    chosen = as_model(model)
    times, checked = timing_of(chosen, timing), parameters_of(chosen, parameters)
    run = prepare_run(subject, chosen, checked, times, task="rest", run=1, session=None)
    engine.begin([run.member], run.delays, replace(run.schedule, n_dropped=1))
    modes = modes_of(chosen, with_maps(checked, run.maps), subject, run.streams, times.duration)
    if modes is not None:
        modes.compile()


def _tap(model: Model, name: str, array: npt.NDArray[np.float32], schedule: engine.Schedule) -> Tap:
    observable, start = model.observables[name], schedule.start
    clock = tap_clock(observable.rate, start, start + len(array) / observable.rate, schedule.step)
    tap = Tap(name, observable.unit, clock, frozen(array))
    return tap if observable.past else tap.from_start()
