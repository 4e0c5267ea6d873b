"""Sub-regional modes: how the parts of a region differ, each region's `N_MODES` spatial patterns times a course of its own.

Made when read and never stored: a model's linearisation (`Model.modes`) is simulated block by block from the run's stream
``modes``, and the state at the start of each block is kept, so that any stretch can be made again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import engine
from fakeimaging.activity.model import Model, Setup
from fakeimaging.activity.taps import Tap, tap_clock
from fakeimaging.core.errors import UnknownNameError, did_you_mean
from fakeimaging.core.parameters import Parameters
from fakeimaging.core.streams import Streams
from fakeimaging.structure.patterns import N_MODES
from fakeimaging.structure.subject import Subject

BLOCK = 10.0
"""Seconds that are made at once."""
HELD = 2
"""Blocks that are kept: a reader's stretches rarely end where they do."""


def at_rates_of(model: Model, modes: Model) -> Model:
    """Return the linearisation with the rates of a model's taps, its step no longer than before and a whole part of their intervals."""
    shown = {
        name: replace(tap, rate=model.observables[name].rate if name in model.observables else tap.rate)
        for name, tap in modes.observables.items()
    }
    fastest = max(tap.rate for tap in shown.values())
    n_steps = math.ceil(1 / (fastest * modes.step) - 1e-9)
    return replace(modes, observables=shown, step=1 / (fastest * n_steps))


@dataclass(frozen=True, eq=False)
class Modes:
    """The modes of one run.

    Parameters
    ----------
    model : Model
        Linearisation of the run's model.
    parameters : Parameters
        Of the run's model.
    subject : Subject
    streams : Streams
        Below the run's.
    start, stop : float
        First and last recorded second on the run's clock.
    """

    model: Model
    parameters: Parameters
    subject: Subject
    streams: Streams
    start: float
    stop: float

    def tap(self, name: str) -> Tap:
        """Return the course of every mode as one observable, shape (n, N_MODES * n_regions): mode 1 of all regions first."""
        if name not in self.model.observables:
            known = did_you_mean(name, self.model.observables)
            raise UnknownNameError(f"sub-regional modes have no tap '{name}'{known}", value=name)
        observable = self.model.observables[name]
        clock = tap_clock(observable.rate, self.start, self.stop, self.schedule.step)
        samples = ModeSamples(self, name, (clock.n, N_MODES * self.subject.n_regions))
        tap = Tap(name, observable.unit, clock, cast("npt.NDArray[np.float32]", samples))
        return tap if observable.past else tap.from_start()

    @cached_property
    def schedule(self) -> engine.Schedule:
        """Steps of the whole run."""
        _, step = engine.intervals(self.model, self.model.step)
        return engine.Schedule(
            step, round(self.model.transient / step), round((self.stop - self.start) / step), self.start
        )

    @cached_property
    def kernel(self) -> engine.Kernel:
        """The compiled linearisation, its columns repeated for each mode."""
        setup = self.model.prepare(self.parameters, self.subject, self.schedule.step)
        kernel = engine.build(self.model, self.parameters, setup)
        return replace(kernel, params=np.tile(kernel.params, N_MODES), method=engine.Method())

    @cached_property
    def starts(self) -> list[engine.Progress]:
        """State at the start of each block that was reached so far."""
        return [self._begun(self.schedule)]

    def compile(self) -> None:
        """Take one step, so that the kernel is on disk."""
        self._begun(replace(self.schedule, n_dropped=1))

    def _begun(self, schedule: engine.Schedule) -> engine.Progress:
        nothing = np.zeros((N_MODES * self.subject.n_regions,) * 2)
        return engine.begin([engine.Member(self.kernel, Setup(nothing), self.streams)], nothing, schedule)

    @cached_property
    def latest(self) -> dict[int, dict[str, npt.NDArray[np.float32]]]:
        """The blocks made last."""
        return {}

    @property
    def block_steps(self) -> int:
        """Steps in a block: whole samples of every tap."""
        return round(BLOCK / self.schedule.step)

    def block(self, number: int) -> dict[str, npt.NDArray[np.float32]]:
        """Return every observable over one block, making those before it when they were not made yet."""
        for k in range(min(number, len(self.starts) - 1), number + 1):
            if k not in self.latest:
                self._make(k)
        return self.latest[number]

    def _make(self, number: int) -> None:
        progress = self.starts[number].copy()
        size = min(self.block_steps, self.schedule.n_kept - number * self.block_steps)
        made = engine.advance(progress, self.schedule, size)
        if number + 1 == len(self.starts):
            self.starts.append(progress)
        for old in list(self.latest)[: len(self.latest) - HELD + 1]:
            del self.latest[old]
        self.latest[number] = {name: part[:, :, 0].astype(np.float32) for name, part in made.items()}


@dataclass(frozen=True, eq=False)
class ModeSamples:
    """Samples of a tap of modes that are made when a stretch of them is asked for; numpy reads it like an array.

    Parameters
    ----------
    modes : Modes
    name : str
    shape : (n_samples, N_MODES * n_regions)
    first : int
        Samples left out at the start.
    """

    modes: Modes
    name: str
    shape: tuple[int, int]
    first: int = 0
    dtype = np.dtype(np.float32)
    ndim = 2

    def __len__(self) -> int:
        return self.shape[0]

    def after(self, first: int) -> ModeSamples:
        """Return the samples without the ``first`` ones, still unmade."""
        return replace(self, shape=(self.shape[0] - first, self.shape[1]), first=self.first + first)

    def __getitem__(self, key: Any) -> Any:
        rows, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        if not isinstance(rows, slice):
            return np.asarray(self)[key]
        start, stop, step = rows.indices(len(self))
        if step != 1:
            return np.asarray(self)[key]
        found = self._stretch(start + self.first, max(start, stop) + self.first)
        return found[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        made: npt.NDArray[Any] = self[:]
        return made.astype(dtype or self.dtype, copy=False)

    def mean(self, axis: int | None = None, dtype: Any = None) -> Any:
        """Return the mean, as an array does."""
        return np.asarray(self).mean(axis=axis, dtype=dtype)

    def _stretch(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        size = round(BLOCK * self.modes.model.observables[self.name].rate)
        parts = [np.zeros((0, self.shape[1]), dtype=np.float32)]
        for number in range(start // size, -(-stop // size)):
            block = self.modes.block(number)[self.name]
            parts.append(block[max(0, start - number * size) : stop - number * size])
        return np.concatenate(parts)
