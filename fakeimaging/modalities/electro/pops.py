"""Pops of electrodes and jumps of SQUIDs: sudden steps in single channels, of which the first decay and the second stay.

    V(t) = sum_k a_k exp(-(t - t_k) / tau_k)    for t >= t_k;    tau = infinity for a jump

They come as a Poisson process, each channel by itself. The events are the truth: onset, duration, channel, size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.clocks import Clock
from fakeimaging.modalities.layers import Companion, Factors, Forward, Recipe, Stage

MINUTE = 60.0
SPREAD = 0.6
"""SD of the logarithm of a pop's size: 95 % within a factor of 3.3 (assumed; sizes of 50 to 500 uV)."""
DECAY = (0.2, 1.0)
"""s, shortest and longest time constant: of the high-pass and of the recovering contact (assumed)."""
OVER = 8.0
"""Time constants after which a pop is nothing: 0.03 % is left."""
BASELINE = 25.0
"""1/m, size in planar gradiometers relative to magnetometers: 5 fT/cm for 20 fT (`mne.defaults`, noise_std)."""


def unit_factor(unit: str) -> float:
    """Return what turns an amplitude of magnetometers or electrodes into that of a channel of this unit."""
    return BASELINE if unit == "T/m" else 1.0


def pop_course(clock: Clock, onset: float, decay: float) -> npt.NDArray[np.float64]:
    """Return the course of a pop of size 1, shape (clock.n,); one whose time constant is 0 stays.

    Examples
    --------
    >>> pop_course(Clock(0.0, 0.5, 4), 0.5, 0.5).round(3)
    array([0.   , 1.   , 0.368, 0.135])
    >>> pop_course(Clock(0.0, 0.5, 4), 0.6, 0.0)
    array([0., 0., 1., 1.])
    """
    course = np.zeros(clock.n)
    first = clock.index(onset)
    course[first:] = 1.0 if decay == 0 else np.exp(-(clock.times[first:] - onset) / decay)
    return course


def _draw(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    clock, channels = forward.clean.clock, forward.clean.channels
    able = [i for i, channel in enumerate(channels) if _pops(channel.unit, channel.kind)]
    n = rng.poisson(parameters.pop_rate / MINUTE * clock.n * clock.step * len(able))
    onset = np.sort(clock.start + clock.n * clock.step * rng.random(n))
    row = rng.choice(able, n) if able else np.zeros(0, dtype=int)
    size = parameters.pop_amplitude * np.exp(SPREAD * rng.standard_normal(n)) * rng.choice([-1, 1], n)
    decay = rng.uniform(*DECAY, n)
    names, stays = [channels[i].name for i in row], np.array([channels[i].unit != "V" for i in row], dtype=bool)
    factor = np.array([unit_factor(channels[i].unit) for i in row])
    return {"onset": onset, "channel": names, "amplitude": size * factor, "decay": np.where(stays, 0.0, decay)}


def _pops(unit: str, kind: str) -> bool:
    return kind in {"EEG", "ECOG", "SEEG"} or unit in {"T", "T/m"}


def _act(forward: Forward, recipe: Recipe, v: int, *, rng: None) -> Factors | None:
    clock: Clock = forward.clean.part(v)
    row = {channel.name: i for i, channel in enumerate(forward.clean.channels)}
    maps, courses = [], []
    events = zip(*(recipe[key] for key in ("onset", "channel", "amplitude", "decay")), strict=True)
    for onset, name, amplitude, decay in events:
        if onset < clock.stop and (decay == 0 or onset + OVER * decay > clock.start):
            maps.append(np.arange(len(row)) == row[name])
            courses.append(amplitude * pop_course(clock, onset, decay))
    return Factors(np.stack(maps, axis=1), np.stack(courses)) if maps else None


def pop_events(recipe: Recipe) -> list[tuple[float, float, str, str, float]]:
    """Return onset, duration (three time constants; 0 of a step that stays), type, channel and size of each pop."""
    rows = zip(*(recipe[key] for key in ("onset", "decay", "channel", "amplitude")), strict=True)
    return [
        (float(onset), 3 * float(decay), "pop" if decay else "jump", name, float(amplitude))
        for onset, decay, name, amplitude in rows
    ]


def event_table(name: str, events: Sequence[Sequence[Any]], about: str) -> Companion:
    """Return a table of the truth: onset, duration, type, channel and size of events in single channels."""
    columns = ("onset", "duration", "trial_type", "channel", "amplitude")
    return Companion(f"desc-{name}_events", columns, events, {"Description": about}, truth=True)


def _tell(companions: tuple[Companion, ...], forward: Forward, recipe: Recipe) -> tuple[Companion, ...]:
    table = event_table("pops", pop_events(recipe), "sudden steps in single channels; amplitude in V, T or T/m")
    return (*companions, table) if len(table.rows) else companions


POPS = Stage("pops", "additive", _draw, _act, tell=_tell, noisy=False)
"""Sudden steps in single electrodes, which decay, and in SQUIDs, which stay.

Needs ``pop_rate`` (1/min in each channel) and ``pop_amplitude``."""
