"""Runs a model on a connectome, block by block: past states live in a ring, finished tap samples go straight to their storage."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import emit, kernels
from fakeimaging.activity.model import STIMULUS, Model, Setup
from fakeimaging.activity.stimuli import Stimulus
from fakeimaging.core.errors import ModelError
from fakeimaging.core.parameters import Parameters
from fakeimaging.core.streams import Streams

BLOCK_SECONDS = 1.0


@dataclass(frozen=True)
class Schedule:
    """Steps of a run.

    Parameters
    ----------
    step : float
        Seconds.
    n_dropped, n_kept : int
        Steps that are run and dropped first, then steps that are recorded.
    start : float
        Time of the first recorded step on the run's clock, in s.
    """

    step: float
    n_dropped: int
    n_kept: int
    start: float = 0.0


@dataclass(frozen=True, eq=False)
class Kernel:
    """A compiled model with its parameter rows.

    Parameters
    ----------
    module : module
        Holds ``advance``.
    names : tuple of str
        Parameters and derived constants, in the order of the rows.
    params : ndarray, shape (n_params, n_regions)
    """

    model: Model
    module: ModuleType
    names: tuple[str, ...]
    params: npt.NDArray[np.float64]

    def turn(self, step: float) -> npt.NDArray[np.float64]:
        """Return what one step makes of each rotating pair, shape (2 n_pairs, n_regions): exp(growth h) cos and sin of frequency h."""
        rows = dict(zip(self.names, self.params, strict=True))
        pairs = [np.exp((rows[p.growth] + 1j * rows[p.frequency]) * step) for p in self.model.rotating]
        return np.array([part for factor in pairs for part in (factor.real, factor.imag)]).reshape(
            -1, self.params.shape[1]
        )


@dataclass(eq=False)
class Progress:
    """Where a simulation stands: arrays that ``advance`` carries on from block to block, and those it only reads."""

    state: npt.NDArray[np.float64]
    history: npt.NDArray[np.float64]
    words: npt.NDArray[np.uint64]
    spare: npt.NDArray[np.float64]
    sums: npt.NDArray[np.float64]
    edges: tuple[npt.NDArray, ...]
    turn: npt.NDArray[np.float64]
    done: int = 0

    def copy(self) -> Progress:
        """Return a copy that can be carried on by itself."""
        arrays = {name: getattr(self, name).copy() for name in ("state", "history", "words", "spare", "sums")}
        return replace(self, **arrays)


def build(model: Model, parameters: Parameters, setup: Setup) -> Kernel:
    """Return the kernel of a model for these parameters, compiling its source when it is new."""
    n = len(setup.coupling)
    available = {**{name: getattr(parameters, name) for name in type(parameters).model_fields}, **setup.derived}
    names = emit.parameter_names(model, list(available))
    rows = [np.broadcast_to(np.asarray(available[name], dtype=float), (n,)) for name in names]
    params = np.ascontiguousarray(np.stack(rows)) if rows else np.zeros((0, n))
    source = emit.source_of(model, names)
    _check_returns(model, setup, dict(zip(names, params[:, 0].tolist(), strict=True)))
    return Kernel(model, kernels.load(model.name, source), tuple(names), params)


def _check_returns(model: Model, setup: Setup, constants: dict[str, float]) -> None:
    """Call every function once as plain Python, for the first region at the start: each must return as many numbers as it should."""
    given = {state: float(np.ravel(setup.initial.get(state, 0.0))[0]) for state in model.states}
    given |= {f"coupled_{state}": given[state] for state in model.coupled} | constants | {STIMULUS: 0.0}
    wanted = {model.drift: len(model.states)} | ({model.diffusion: len(model.driven)} if model.diffusion else {})
    for function in model.functions:
        name = function.__name__
        try:
            result = function(*(given[argument] for argument in inspect.signature(function).parameters))
        except ArithmeticError:
            continue
        except (NameError, TypeError, ValueError, LookupError, AttributeError) as error:
            raise ModelError(f"model {model.name}: `{name}` fails: {type(error).__name__}: {error}") from error
        numbers = result if function in wanted else (result,)
        if not isinstance(numbers, tuple) or not all(isinstance(value, int | float) for value in numbers):
            raise ModelError(
                f"model {model.name}: `{name}` returns {result!r}, not {'a tuple of numbers' if function in wanted else 'a number'}"
            )
        if len(numbers) != wanted.get(function, 1):
            raise ModelError(
                f"model {model.name}: `{name}` returns {len(numbers)} numbers, and {wanted[function]} are needed"
            )


def run(
    kernel: Kernel,
    setup: Setup,
    delays: npt.NDArray[np.float64],
    schedule: Schedule,
    taps: Mapping[str, npt.NDArray[np.float32]],
    *,
    streams: Streams,
    stimulus: Stimulus | None = None,
) -> None:
    """Simulate and fill the taps.

    Parameters
    ----------
    kernel : Kernel
    setup : Setup
    delays : ndarray, shape (n_regions, n_regions)
        Seconds, rounded to whole steps.
    schedule : Schedule
    taps : mapping of observable to ndarray, shape (n_samples, n_regions), float32
    streams : Streams
        Each region's noise is the stream ``region-<number>`` below this one.
    stimulus : Stimulus, optional
        On the run's clock: t = 0 when `LEAD` seconds are recorded.

    Raises
    ------
    ModelError
        If a state stops being finite: with model, region and time on the run's clock.
    """
    progress = begin(kernel, setup, delays, schedule, streams=streams)
    for first, last in blocks(kernel.model, schedule):
        every, _ = intervals(kernel.model, schedule.step)
        named = zip(kernel.model.observables, every, strict=True)
        parts = tuple(taps[name][first // k : last // k] for name, k in named)
        advance(kernel, progress, schedule, parts, last - first, stimulus)


def begin(
    kernel: Kernel, setup: Setup, delays: npt.NDArray[np.float64], schedule: Schedule, *, streams: Streams
) -> Progress:
    """Return a simulation at the start of its record: the dropped steps are done. Parameters as for `run`."""
    progress = _start(kernel, setup, delays, schedule.step, streams)
    every, _ = intervals(kernel.model, schedule.step)
    block = _block_steps(every, schedule.step)
    nothing = tuple(np.zeros((0, len(setup.coupling)), dtype=np.float32) for _ in every)
    for first in range(0, schedule.n_dropped, block):
        advance(kernel, progress, schedule, nothing, min(block, schedule.n_dropped - first))
    progress.sums[:] = 0
    return progress


def blocks(model: Model, schedule: Schedule) -> list[tuple[int, int]]:
    """Return first and last step (excluded) of each recorded block; all but the last hold whole samples of every tap."""
    every, step = intervals(model, schedule.step)
    size = _block_steps(every, step)
    return [(first, min(first + size, schedule.n_kept)) for first in range(0, schedule.n_kept, size)]


def intervals(model: Model, step: float) -> tuple[npt.NDArray[np.int64], float]:
    """Return the steps in a sample of each tap, and the step made exact so that they are whole.

    Raises
    ------
    ModelError
        If the step does not divide the interval of a tap.
    """
    counts = {name: 1 / (tap.rate * step) for name, tap in model.observables.items()}
    for name, count in counts.items():
        if count < 1 - 1e-6 or not math.isclose(count, round(count), rel_tol=1e-6):
            raise ModelError(
                f"model {model.name}: a step of {step:g} s does not divide the interval of tap '{name}'", value=step
            )
    name = min(counts, key=lambda name: counts[name])
    exact = 1 / (model.observables[name].rate * round(counts[name]))
    return np.array([round(count) for count in counts.values()], dtype=np.int64), exact


def _block_steps(every: npt.NDArray[np.int64], step: float) -> int:
    """Steps in a block: near `BLOCK_SECONDS` and whole samples of every tap."""
    whole = math.lcm(*every.tolist())
    return whole * max(1, round(BLOCK_SECONDS / step / whole))


def _start(kernel: Kernel, setup: Setup, delays: npt.NDArray, step: float, streams: Streams) -> Progress:
    model, n = kernel.model, len(setup.coupling)
    state = np.zeros((len(model.states), n))
    for name, value in setup.initial.items():
        state[model.states.index(name)] = value
    lags = np.rint(delays / step).astype(np.int64)
    length = max(int(lags[setup.coupling != 0].max(initial=0)) + 1, emit.CHUNK)
    past = state[[model.states.index(name) for name in model.coupled]]
    history = np.repeat(past[:, :, None], 2 * length, axis=2)
    words = np.stack([streams.at(f"region-{i + 1}").key(4) for i in range(n)], axis=1)
    sums = np.zeros((len(model.observables), n))
    return Progress(state, history, words, np.zeros(n), sums, _edges(setup.coupling, lags), kernel.turn(step))


def _edges(coupling: npt.NDArray, lags: npt.NDArray[np.int64]) -> tuple[npt.NDArray, ...]:
    """Return the edges sorted by target, long delays first: first edge and first short one of each target, source, weight, lag."""
    target, source = np.nonzero(coupling)
    brief = lags[target, source] < emit.CHUNK - 1
    order = np.lexsort((brief, target))
    target, source, brief = target[order], source[order], brief[order]
    first = np.searchsorted(target, np.arange(len(coupling) + 1))
    short = np.searchsorted(2 * target + brief, 2 * np.arange(len(coupling)) + 1)
    lag = lags[target, source].astype(np.uint64)
    return first, short, source.astype(np.uint64), coupling[target, source], lag


def advance(
    kernel: Kernel,
    current: Progress,
    schedule: Schedule,
    parts: Sequence[Any],
    size: int,
    stimulus: Stimulus | None = None,
) -> None:
    """Take ``size`` steps and fill ``parts``, one array for each tap.

    Raises
    ------
    ModelError
        If a state stops being finite.
    """
    every, _ = intervals(kernel.model, schedule.step)
    steps = current.done - schedule.n_dropped + np.arange(size, dtype=np.float64)
    times = steps * schedule.step + schedule.start
    course = np.zeros((0, size)) if stimulus is None else stimulus.course(times)
    gain = np.zeros((0, len(current.spare))) if stimulus is None else stimulus.gain
    # Memory maps are subclasses the kernel is not compiled for: hand over plain views of them.
    views = tuple(np.asarray(part).view(np.ndarray) for part in parts)
    kernel.module.advance(
        size, current.done, schedule.n_dropped, schedule.step, current.state, kernel.params, current.turn, *current.edges,
        current.history, current.words, current.spare, every, current.sums, gain, course, views,
    )  # fmt: skip
    current.done += size
    broken = ~np.isfinite(current.state)
    if broken.any():
        row, region = np.argwhere(broken)[0]
        recorded = current.done - size - schedule.n_dropped
        start, stop = (schedule.start + steps * schedule.step for steps in (recorded, recorded + size))
        when = f"between {start:g} and {stop:g} s on the run's clock" if recorded >= 0 else "while it settled"
        what = f"model {kernel.model.name}: `{kernel.model.states[row]}` of region {region + 1} is not finite {when}"
        raise ModelError(f"{what}; try a smaller step or coupling")
