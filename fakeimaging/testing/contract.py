"""The contract of models and modalities, as checks that raise `ContractError` and name what does not hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.activity import Activity, simulate_activity
from fakeimaging.activity.model import Model
from fakeimaging.activity.models import as_model
from fakeimaging.activity.stimuli import Condition
from fakeimaging.core.errors import FakeImagingError, ParameterError
from fakeimaging.core.parameters import Parameters, bounds_of
from fakeimaging.modalities import MODALITIES
from fakeimaging.modalities.acquire import acquire
from fakeimaging.modalities.layers import Image
from fakeimaging.modalities.modality import Modality
from fakeimaging.modalities.recording import Recording
from fakeimaging.structure.patterns import N_MODES
from fakeimaging.structure.subject import Subject
from fakeimaging.testing.fixtures import constant_activity, short_activity, tiny_subject

DURATION = 4.0
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_SUFFIX = re.compile(r"[A-Za-z0-9]+\Z")
_DATATYPES = {"anat", "dwi", "eeg", "fmap", "func", "ieeg", "meg", "perf", "pet"}


class ContractError(FakeImagingError, AssertionError):
    """Something registered does not hold the contract."""


def _demand(holds: object, what: str) -> None:
    if not holds:
        raise ContractError(what)


def check_model(model: str | Path | Model) -> None:
    """Check a model: parameters, taps, stimulus, sub-regional modes, determinism and independence of its noise.

    Raises
    ------
    ContractError
        Naming the first thing that does not hold.
    """
    chosen = as_model(model)
    _demand(_NAME.match(chosen.name), f"model name '{chosen.name}' is not lower case with underscores")
    _demand("rate" in chosen.observables, f"{chosen.name}: no observable `rate`")
    _check_parameters(chosen.parameters, chosen.name)
    first = simulate_activity(tiny_subject(), model=model, duration=DURATION)
    _check_taps(first)
    again = simulate_activity(tiny_subject(), model=model, duration=DURATION)
    other = simulate_activity(tiny_subject(), model=model, duration=DURATION, run=2)
    for name, tap in first.taps.items():
        _demand(
            _same(tap.samples, again.tap(name).samples), f"{chosen.name}: tap '{name}' differs between two equal runs"
        )
        noisy = chosen.n_noises > 0
        _demand(
            not noisy or not _same(tap.samples, other.tap(name).samples), f"{chosen.name}: two runs share their noise"
        )
    if chosen.takes_stimulus:
        _check_stimulus(chosen, model, first)
    if chosen.modes is not None:
        _check_modes(first, again, other)


def _check_stimulus(chosen: Model, model: str | Path | Model, without: Activity) -> None:
    """A pulse into one region moves its rate, after its onset only, and is recorded as an event."""
    region, onset = tiny_subject().regions[0].name, 1.0
    pulse = Condition(trial_type="pulse", regions=(region,), onsets=(onset,), duration=0.5)
    activity = simulate_activity(tiny_subject(), model=model, duration=DURATION, conditions=[pulse])
    _demand(
        [event[:3] for event in activity.events] == [(onset, 0.5, "pulse")],
        f"{chosen.name}: the events are {activity.events}",
    )
    for name, tap in activity.taps.items():
        until = tap.clock.index(onset - tap.clock.step)
        _demand(
            _same(tap.samples[:until], without.tap(name).samples[:until]),
            f"{chosen.name}: tap '{name}' feels a stimulus before its onset",
        )
    moved = activity.tap("rate").samples[:, 0] != without.tap("rate").samples[:, 0]
    _demand(moved.any(), f"{chosen.name}: a stimulus leaves the rate of its region alone")


def _check_modes(first: Activity, again: Activity, other: Activity) -> None:
    """Modes have rate, clock and unit of the tap they belong to, finite samples, and streams like the taps."""
    differences = first.differences
    for name in differences.model.observables if differences is not None else ():
        here, modes = f"{first.model}: modes '{name}'", first.modes(name)
        same, others = again.modes(name), other.modes(name)
        if modes is None or same is None or others is None:
            raise ContractError(f"{here} are missing")
        tap, samples = first.tap(name), np.asarray(modes.samples)
        _demand((modes.clock, modes.unit) == (tap.clock, tap.unit), f"{here} have not the clock and unit of the tap")
        _demand(
            samples.shape == (tap.clock.n, N_MODES * tap.samples.shape[1]) and samples.dtype == np.float32,
            f"{here} have shape {samples.shape}, {samples.dtype}",
        )
        _demand(np.isfinite(samples).all(), f"{here} are not finite everywhere")
        _demand(_same(samples, np.asarray(same.samples)), f"{here} differ between two equal runs")
        _demand(not _same(samples, np.asarray(others.samples)), f"{here}: two runs share them")


def _check_taps(activity: Activity) -> None:
    for name, tap in activity.taps.items():
        here = f"{activity.model}: tap '{name}'"
        _demand(tap.unit, f"{here} has no unit")
        _demand(tap.samples.dtype == np.float32, f"{here} is {tap.samples.dtype}, not float32")
        _demand(tap.samples.shape == (tap.clock.n, tiny_subject().n_regions), f"{here} has shape {tap.samples.shape}")
        _demand(np.isfinite(tap.samples).all(), f"{here} is not finite everywhere")
        _demand(
            abs(tap.from_start().clock.n / tap.clock.rate - activity.duration) < 1 / tap.clock.rate,
            f"{here} has the wrong length",
        )


def check_modality(modality: str | Modality, *, subject: Subject | None = None, **parameters: Any) -> None:
    """Check a modality: parameters, shapes, layers, streams, truth and names.

    Parameters
    ----------
    modality : str or Modality
    subject : Subject, optional
        A tiny one when left out.
    **parameters
        Of the modality, to keep the check small.

    Raises
    ------
    ContractError
        Naming the first thing that does not hold.
    """
    chosen = MODALITIES.get(modality) if isinstance(modality, str) else modality
    _demand(_NAME.match(chosen.name), f"modality name '{chosen.name}' is not lower case with underscores")
    _demand(
        chosen.datatype in _DATATYPES and _SUFFIX.match(chosen.suffix),
        f"{chosen.name}: BIDS has no place {chosen.datatype}/_{chosen.suffix}",
    )
    _check_parameters(chosen.parameters, chosen.name)
    person = subject or tiny_subject()
    run = short_activity() if subject is None else simulate_activity(subject, model="linear", duration=20.0)
    activity = run if chosen.sees(chosen.parameters.parse(parameters)) == "function" else None
    first = acquire(chosen, person, activity, **parameters)
    _check_signals(first, person, run.duration)
    _check_streams(
        first,
        acquire(chosen, person, activity, **parameters),
        acquire(chosen, person, activity, repeat=2, **parameters),
    )
    _check_layers(first, person, activity, parameters)
    json.dumps(chosen.sidecar(first.parameters, first.forward), allow_nan=False)
    if activity is not None:
        _check_baseline(acquire(chosen, person, constant_activity(activity), **parameters))


def _check_signals(recording: Recording, subject: Subject, duration: float) -> None:
    name = recording.modality.name
    planned = recording.modality.shape(recording.parameters, duration)
    for what, signal in (("clean", recording.clean), ("observed", recording.observed)):
        part, step = signal.make(0), signal.slope if isinstance(signal, Image) else signal.steps[:, None]
        _demand(signal.shape == planned, f"{name}: {what} is {signal.shape}, and {planned} was planned")
        wanted = planned[:3] if isinstance(signal, Image) else planned
        _demand(part.shape == wanted and np.isrealobj(part), f"{name}: a part of {what} is {part.shape}, {part.dtype}")
        _demand(np.isfinite(part).all(), f"{name}: {what} is not finite everywhere")
        _demand(np.abs(part / step).max() < 32767.5, f"{name}: {what} does not fit int16 at its step")
    for key, array in recording.truth.items():
        _demand(
            np.isfinite(array).all() and len(array) == subject.n_regions,
            f"{name}: truth '{key}' is not one finite row a region",
        )
    _demand(
        recording.modality.sees(recording.parameters) != "function" or recording.truth,
        f"{name}: no truth beside the clean image",
    )


def _check_streams(first: Recording, again: Recording, repeated: Recording) -> None:
    name = first.modality.name
    _demand(_same(first.observed.make(0), again.observed.make(0)), f"{name}: the same scan comes out different")
    _demand(not _same(first.observed.make(0), repeated.observed.make(0)), f"{name}: a repeated scan has the same noise")
    _demand(_same(first.clean.make(0), repeated.clean.make(0)), f"{name}: the clean image depends on random numbers")


def _check_layers(first: Recording, subject: Subject, activity: Activity | None, parameters: dict[str, Any]) -> None:
    """Each stage alone has the bits it has among all; with every stage off the clean image is left."""
    stages = first.modality.observe
    names = [stage.name for stage in stages]
    _demand(len(set(names)) == len(names), f"{first.modality.name}: two stages share a name")
    for stage in stages:
        others = [other for other in names if other != stage.name]
        alone = acquire(first.modality, subject, activity, off=others, **parameters)
        _demand(
            _recipe_text(alone, stage.name) == _recipe_text(first, stage.name),
            f"{first.modality.name}: recipe of '{stage.name}' depends on other stages",
        )
        if stage.kind == "additive":
            _demand(
                _same(alone.layer(stage.name).make(0), first.layer(stage.name).make(0)),
                f"{first.modality.name}: layer '{stage.name}' depends on other stages",
            )
    bare = acquire(first.modality, subject, activity, off=names, **parameters)
    _demand(
        _same(bare.observed.make(0), bare.clean.make(0)),
        f"{first.modality.name}: with every stage off, observed is not clean",
    )


def _check_baseline(recording: Recording) -> None:
    if recording.forward.baseline is None:
        return
    clean = recording.clean
    change = max(float(np.abs(clean.make(v) - recording.forward.baseline).max()) for v in range(clean.n_parts))
    _demand(
        change <= 1e-5 * recording.forward.reference,
        f"{recording.modality.name}: activity that never changes moves the image by {change:g}",
    )


def _check_parameters(parameters: type[Parameters], owner: str) -> None:
    """Every field has unit and source; a value beyond its bounds and an unknown name are refused; JSON comes back equal."""
    default = parameters.parse({}, where=owner)
    _demand(
        parameters.model_validate_json(default.model_dump_json()) == default,
        f"{owner}: parameters change on the way through JSON",
    )
    for row in parameters.table():
        _demand(row["unit"] and row["source"], f"{owner}.{row['name']}: no unit or no source")
    for name, field in parameters.model_fields.items():
        for bound, step in zip(bounds_of(field), (-1.0, 1.0), strict=True):
            if bound is not None:
                _refuses(parameters, {name: bound + step * max(1.0, abs(bound))}, f"{owner}.{name}")
    _refuses(parameters, {"no_such_parameter": 1.0}, f"{owner}.no_such_parameter")


def _refuses(parameters: type[Parameters], values: dict[str, float], what: str) -> None:
    try:
        parameters.parse(values)
    except ParameterError:
        return
    raise ContractError(f"{what}: {values} is accepted")


def _recipe_text(recording: Recording, stage: str) -> str:
    return repr({key: np.asarray(value).tolist() for key, value in recording.recipe(stage).items()})


def _same(a: npt.NDArray, b: npt.NDArray) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
