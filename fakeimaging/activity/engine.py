"""Runs a model on a connectome, block by block: past states live in a ring, finished tap samples go straight to their storage."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import ModuleType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import emit, kernels
from fakeimaging.activity.loop import STAGES, Variant
from fakeimaging.activity.model import STIMULUS, Model, Scheme, Setup
from fakeimaging.activity.network import Layout, edges_of, wired
from fakeimaging.activity.stimuli import Stimulus
from fakeimaging.core.errors import ModelError
from fakeimaging.core.parameters import Parameters
from fakeimaging.core.streams import Streams

BLOCK_SECONDS = 1.0
TINY = 1e-12
"""Shares of a time constant in a step below which a decay counts as this slow: it has a limit there, and 0/0."""
DIVERGED = 1e30
"""A state beyond this, whatever its unit, is not finite: taps hold 32 bits."""
Precision = Literal["float64", "float32"]


@dataclass(frozen=True)
class Method:
    """How a model is integrated.

    Parameters
    ----------
    scheme : {"euler", "heun", "rk4"}
    precision : {"float64", "float32"}
    hold : int
        Steps between two refreshments of the coupling.
    noise_time : float
        Time constant of the noise in s; 0 is white.
    interpolate : bool
        Delays between whole steps, by linear interpolation; else rounded.
    """

    scheme: Scheme = "euler"
    precision: Precision = "float64"
    hold: int = 1
    noise_time: float = 0.0
    interpolate: bool = False

    def __post_init__(self) -> None:
        if self.hold > 1 and self.scheme != "euler":
            raise ModelError("`coupling_interval`: coupling is held between steps under the scheme 'euler' only")


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
    """A model with its parameter rows, ready to be compiled.

    Parameters
    ----------
    model : Model
    names : tuple of str
        Parameters and derived constants, in the order of the rows.
    params : ndarray, shape (n_params, n_regions)
    method : Method
    """

    model: Model
    names: tuple[str, ...]
    params: npt.NDArray[np.float64]
    method: Method = Method()

    def module(self, *, delayed: bool, side_by_side: bool, mirrored: bool) -> ModuleType:
        """Return the module that holds ``advance`` for this kind of coupling, from disk when it was compiled before."""
        coloured = self.method.noise_time > 0 and self.model.n_noises > 0
        variant = Variant(self.method.scheme, delayed, side_by_side, mirrored, coloured)
        return kernels.load(self.model.name, emit.source_of(self.model, self.names, variant))

    def exact(self, step: float) -> npt.NDArray[np.float64]:
        """Return what one step does to the linear parts, shape (3 (n_pairs + n_decays), n_regions).

        Of a pair exp(growth h) cos and sin of frequency h, and the weight of the noise, right for both states equally shaken; of a
        decay exp(-k h), the weight of the drift, and that of the noise.
        """
        rows = dict(zip(self.names, self.params, strict=True))
        coloured = self.method.noise_time > 0
        parts: list[npt.NDArray] = []
        for pair in self.model.rotating:
            turn = np.exp((rows[pair.growth] + 1j * rows[pair.frequency]) * step)
            twice = 2 * np.where(np.abs(rows[pair.growth]) * step < TINY, TINY / step, rows[pair.growth]) * step
            parts += [turn.real, turn.imag, np.ones_like(twice) if coloured else np.sqrt(np.expm1(twice) / twice)]
        for name in self.model.decays.values():
            rate = np.where(np.abs(rows[name]) * step < TINY, TINY / step, rows[name])
            grown = -np.expm1(-rate * step) / rate
            shaken = np.sqrt(-np.expm1(-2 * rate * step) / (2 * rate * step))
            parts += [np.exp(-rate * step), grown, grown / step if coloured else shaken]
        return np.array(parts).reshape(-1, self.params.shape[1])


@dataclass(frozen=True, eq=False)
class Member:
    """One of the simulations that run side by side.

    Parameters
    ----------
    kernel : Kernel
    setup : Setup
    streams : Streams
        Each region's noise is the stream ``region-<number>`` below this one.
    """

    kernel: Kernel
    setup: Setup
    streams: Streams


@dataclass(eq=False)
class Progress:
    """Where a simulation stands: arrays that ``advance`` carries on from block to block, and those it only reads."""

    kernel: Kernel
    layout: Layout
    members: int
    advance: Callable[..., None]
    params: npt.NDArray
    exact: npt.NDArray
    wires: tuple[Any, ...]
    tint: npt.NDArray
    state: npt.NDArray
    sent: npt.NDArray
    past: tuple[Any, ...]
    received: npt.NDArray
    words: npt.NDArray
    spare: npt.NDArray
    colour: npt.NDArray
    sums: npt.NDArray
    done: int = 0

    def copy(self) -> Progress:
        """Return a copy that can be carried on by itself."""
        moving = ("state", "sent", "past", "received", "words", "spare", "colour", "sums")
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return Progress(**given | {name: copy.deepcopy(given[name]) for name in moving})


def build(model: Model, parameters: Parameters, setup: Setup, method: Method | None = None) -> Kernel:
    """Return the kernel of a model for these parameters.

    Raises
    ------
    ModelError
        If a function of the model names or returns what it should not.
    """
    n = len(setup.coupling)
    available = {**{name: getattr(parameters, name) for name in type(parameters).model_fields}, **setup.derived}
    names = emit.parameter_names(model, list(available))
    kernels.gather_straight(model.functions)
    rows = [np.broadcast_to(np.asarray(available[name], dtype=float), (n,)) for name in names]
    params = np.ascontiguousarray(np.stack(rows)) if rows else np.zeros((0, n))
    _check_returns(model, setup, dict(zip(names, params[:, 0].tolist(), strict=True)))
    return Kernel(model, tuple(names), params, method or Method(scheme=model.scheme))


def _check_returns(model: Model, setup: Setup, constants: dict[str, float]) -> None:
    """Call every function once as plain Python, for the first region at the start: each must return as many numbers as it should."""
    given = {state: float(np.ravel(setup.initial.get(state, 0.0))[0]) for state in model.states}
    given |= {f"coupled_{name}": given.get(name, 0.0) for name in model.signals} | constants | {STIMULUS: 0.0}
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
    members: Sequence[Member],
    delays: npt.NDArray[np.float64],
    schedule: Schedule,
    taps: Sequence[Mapping[str, npt.NDArray[np.float32]]],
    *,
    stimulus: Stimulus | None = None,
) -> None:
    """Simulate and fill the taps.

    Parameters
    ----------
    members : sequence of Member
        One, or several with the same coupling that run side by side.
    delays : ndarray, shape (n_regions, n_regions)
        Seconds.
    schedule : Schedule
    taps : sequence of mapping of observable to ndarray, shape (n_samples, n_regions), float32
        For each member.
    stimulus : Stimulus, optional
        On the run's clock: t = 0 when `LEAD` seconds are recorded.

    Raises
    ------
    ModelError
        If a state stops being finite: with model, region and time on the run's clock.
    """
    progress = begin(members, delays, schedule)
    model = members[0].kernel.model
    every, _ = intervals(model, schedule.step)
    for first, last in blocks(model, schedule):
        made = advance(progress, schedule, last - first, stimulus)
        for name, k in zip(model.observables, every, strict=True):
            for sim, own in enumerate(taps):
                with np.errstate(over="ignore"):
                    own[name][first // k : last // k] = made[name][:, :, sim]


def begin(members: Sequence[Member], delays: npt.NDArray[np.float64], schedule: Schedule) -> Progress:
    """Return a simulation at the start of its record: the dropped steps are done. Parameters as for `run`."""
    _check_network(members, delays, schedule)
    progress = _start(members, delays, schedule.step)
    every, _ = intervals(members[0].kernel.model, schedule.step)
    block = _block_steps(every, schedule.step)
    for first in range(0, schedule.n_dropped, block):
        advance(progress, schedule, min(block, schedule.n_dropped - first))
    progress.sums[:] = 0
    return progress


def _check_network(members: Sequence[Member], delays: npt.NDArray[np.float64], schedule: Schedule) -> None:
    """Refuse loops of a region onto itself, and delays that cannot be."""
    coupling, name = members[0].setup.coupling, f"model {members[0].kernel.model.name}"
    if any(not np.array_equal(member.setup.coupling, coupling) for member in members):
        raise ModelError(f"{name}: simulations side by side have the same coupling")
    used = np.where(coupling != 0, delays, 0.0)
    if len(members) > 1 and (used > (0.0 if members[0].kernel.method.interpolate else schedule.step / 2)).any():
        raise ModelError(f"{name}: simulations side by side have no delays")
    for wrong, what in (
        ((coupling.diagonal() != 0)[:, None] * np.eye(len(coupling)), "is coupled to itself; put that into `drift`"),
        (~(used >= 0), "receives with a delay below 0 s"),
        (
            used > (schedule.n_dropped + schedule.n_kept) * schedule.step,
            "receives with a delay longer than the whole run",
        ),
    ):
        if np.any(wrong):
            region, source = np.argwhere(wrong)[0] + 1
            raise ModelError(
                f"{name}: region {region} {what} (from region {source}: {delays[region - 1, source - 1]:g} s)"
            )


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


def _start(members: Sequence[Member], delays: npt.NDArray, step: float) -> Progress:
    kernel, coupling = members[0].kernel, members[0].setup.coupling
    model, method = kernel.model, kernel.method
    layout = _layout(len(coupling), len(members), method.precision)
    initial = np.stack([initial_states(model, member.setup) for member in members], axis=2)
    params = np.stack([member.kernel.params for member in members], axis=2)
    exact = np.stack([member.kernel.exact(step) for member in members], axis=2)
    sent = layout.cells(first_sent(kernel, initial, params)).astype(method.precision)
    edges = edges_of(coupling, delays, step, interpolate=method.interpolate)
    wiring = wired(coupling, edges, layout, sent, n_stages=len(STAGES[method.scheme]))

    def cells(values: npt.NDArray) -> npt.NDArray:
        return layout.cells(values).astype(method.precision)

    def room(n: int) -> npt.NDArray:
        return np.zeros((n, layout.room), dtype=method.precision)

    return Progress(
        kernel, layout, len(members),
        kernel.module(
            delayed=wiring.delayed, side_by_side=layout.n_sims > 1, mirrored=wiring.mirrored
        ).advance,
        params=cells(params), exact=cells(exact), state=cells(initial), tint=_tint(method, step),
        wires=wiring.wires, sent=wiring.sent, past=wiring.past,
        received=room(len(model.signals) + 1).ravel(), words=_words(members, layout), spare=room(1).ravel(),
        colour=room(model.n_noises), sums=room(len(model.observables)),
    )  # fmt: skip


def _layout(n: int, n_members: int, precision: Precision) -> Layout:
    alone = Layout(n, 1, precision)
    return alone if n_members == 1 else Layout(n, -(-n_members // (2 * alone.lane)) * 2 * alone.lane, precision)


def initial_states(model: Model, setup: Setup) -> npt.NDArray[np.float64]:
    """Return the first value of each state, shape (n_states, n_regions)."""
    state = np.zeros((len(model.states), len(setup.coupling)))
    for name, value in setup.initial.items():
        state[model.states.index(name)] = value
    return state


def first_sent(kernel: Kernel, state: npt.NDArray, params: npt.NDArray) -> npt.NDArray[np.float64]:
    """Return what the first states send, shape (n_signals, n, n_members)."""
    model = kernel.model
    known = dict(zip((*model.states, *kernel.names), (*state, *params), strict=True))
    rows = [state[model.states.index(name)] for name in model.coupled]
    for function in model.sent.values():
        given = [known[name] for name in inspect.signature(function).parameters]
        rows.append(np.vectorize(function, otypes=[float])(*given))
    return np.array(rows).reshape(-1, *state.shape[1:])


def _tint(method: Method, step: float) -> npt.NDArray:
    """Return what a step keeps of coloured noise, and how much comes in: at low frequency, white noise whatever the step."""
    if method.noise_time <= 0:
        return np.zeros(2, dtype=method.precision)
    ratio = step / method.noise_time
    return np.array([math.exp(-ratio), -math.expm1(-ratio) / math.sqrt(step)], dtype=method.precision)


def _words(members: Sequence[Member], layout: Layout) -> npt.NDArray:
    """Return the four words of every generator, shape (4 room,): a function of each member's streams alone."""
    n_words, kind = (2, np.uint32) if layout.precision == "float32" else (4, np.uint64)
    keys = [[m.streams.at(f"region-{i + 1}").key(n_words).view(kind) for m in members] for i in range(layout.n)]
    return layout.cells(np.moveaxis(np.array(keys), 2, 0)).ravel()


def advance(
    current: Progress, schedule: Schedule, size: int, stimulus: Stimulus | None = None
) -> dict[str, npt.NDArray]:
    """Take ``size`` steps and return the samples of each tap, shape (n_samples, n_regions, n_members).

    Raises
    ------
    ModelError
        If a state stops being finite.
    """
    from numba.core.errors import NumbaError

    kernel, layout = current.kernel, current.layout
    every, _ = intervals(kernel.model, schedule.step)
    steps = current.done - schedule.n_dropped + np.arange(size + 1, dtype=np.float64)
    times = steps * schedule.step + schedule.start
    course = np.zeros((0, size + 1)) if stimulus is None else stimulus.course(times)
    gain = np.zeros((0, layout.room)) if stimulus is None else _gains(stimulus, layout)
    recorded = max(0, current.done + size - schedule.n_dropped) > 0
    parts = tuple(np.zeros((size // k if recorded else 0, layout.room), dtype=layout.precision) for k in every)
    try:
        current.advance(
            size, current.done, schedule.n_dropped, schedule.step, kernel.method.hold, layout.n, layout.n_sims, current.state,
            current.params, current.exact, current.wires, current.sent, current.past, current.received, current.words,
            current.spare, current.colour, current.tint, every, current.sums, gain.astype(layout.precision),
            course.astype(layout.precision), parts,
        )  # fmt: skip
    except NumbaError as error:
        why = str(error).strip().splitlines()
        raise ModelError(
            f"model {kernel.model.name}: its functions cannot be compiled: {' '.join(why[1:4])}"
        ) from error
    current.done += size
    _check_finite(current, schedule, size)
    n_cells = layout.n * layout.n_sims
    shaped = (part[:, :n_cells].reshape(len(part), layout.n, layout.n_sims)[:, :, : current.members] for part in parts)
    return dict(zip(kernel.model.observables, shaped, strict=True))


def _gains(stimulus: Stimulus, layout: Layout) -> npt.NDArray:
    return layout.cells(np.repeat(stimulus.gain[:, :, None], layout.n_sims, axis=2))


def _check_finite(current: Progress, schedule: Schedule, size: int) -> None:
    broken = ~(np.abs(current.state[:, : current.layout.n * current.layout.n_sims]) < DIVERGED)
    if not broken.any():
        return
    row, cell = np.argwhere(broken)[0]
    recorded = current.done - size - schedule.n_dropped
    start, stop = (schedule.start + steps * schedule.step for steps in (recorded, recorded + size))
    when = f"between {start:g} and {stop:g} s on the run's clock" if recorded >= 0 else "while it settled"
    model, region = current.kernel.model, cell // current.layout.n_sims + 1
    what = f"model {model.name}: `{model.states[row]}` of region {region} is not finite {when}"
    raise ModelError(f"{what}; try a smaller step or coupling")
