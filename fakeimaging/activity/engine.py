"""Runs a model on a connectome, block by block: past states live in a ring, finished tap samples go straight to their storage."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.loop import STAGES
from fakeimaging.activity.method import Kernel, Method, Precision, build, first_sent, initial_states
from fakeimaging.activity.model import Model, Setup
from fakeimaging.activity.network import Layout, edges_of, wired
from fakeimaging.activity.steps import intervals
from fakeimaging.activity.stimuli import Stimulus
from fakeimaging.activity.taps import let_go
from fakeimaging.core.errors import ModelError
from fakeimaging.core.streams import Streams

__all__ = [
    "Kernel",
    "Member",
    "Method",
    "Precision",
    "Progress",
    "Schedule",
    "advance",
    "begin",
    "blocks",
    "build",
    "intervals",
    "run",
]

BLOCK_SECONDS = 1.0
DIVERGED = 1e30
"""A state beyond this, whatever its unit, is not finite: taps hold 32 bits."""


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


def run(
    members: Sequence[Member],
    delays: npt.NDArray[np.float64],
    schedule: Schedule,
    taps: Sequence[Mapping[str, npt.NDArray[np.float32]]],
    *,
    stimulus: Stimulus | None = None,
    tell: Callable[[float], None] = lambda seconds: None,
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
    tell : callable
        Called after each block with the seconds simulated in it, of all members.

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
                let_go(own[name], first // k, last // k)
        tell(len(members) * (last - first) * schedule.step)


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
