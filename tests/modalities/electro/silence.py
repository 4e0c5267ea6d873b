"""A recording in which nothing happens, to put one stage on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fakeimaging.core.clocks import Clock
from fakeimaging.core.streams import Streams
from fakeimaging.modalities.electro.levels import Levels
from fakeimaging.modalities.layers import Channel, Forward, Series, dense

RUN = ("sub-01", "task-rest", "run-1")
UNITS = {"MEGMAG": "T", "MEGGRADPLANAR": "T/m", "TRIG": "n/a"}


@dataclass(frozen=True)
class Settings:
    """Parameters of a stage; those that are not asked for do not matter."""

    table: Mapping[str, Levels] = field(default_factory=lambda: {"EEG": Levels(1e-7, 5e-7, 3e-6, 5e-5, 3e-5)})
    sampling_frequency: float = 250.0
    line_frequency: float = 50.0
    sweat_rate: float = 6.0
    high_pass: float | str | None = 0.1
    low_pass: float | str | None = "auto"
    reference: str = "average"

    def levels(self):
        return self.table


def silent(kinds=("EEG",) * 8, n=20_000, rate=250.0, block=8192, make=None, **context) -> Forward:
    """Return a forward model of zeros, or of what ``make(clock)`` gives for a part."""
    channels = tuple(Channel(f"c{i}", kind, UNITS.get(kind, "V")) for i, kind in enumerate(kinds))

    def part(v):
        clock = series.part(v)
        return np.zeros((len(kinds), clock.n), np.float32) if make is None else make(clock).astype(np.float32)

    series = Series(channels, Clock(0.0, 1 / rate, n), part, 1e-7, block)
    return Forward(clean=series, context={"run_streams": Streams(1, RUN)} | context)


def drawn(stage, forward, settings, seed=1) -> Mapping[str, Any]:
    """Return the recipe of a stage."""
    return stage.draw(forward, settings, rng=Streams(seed).at(stage.name, "recipe").rng())


def part(stage, forward, recipe, v, seed=1):
    """Return part v of the term of an additive stage."""

    def rng(w):
        return Streams(seed).at(stage.name, f"volume-{w}").rng()

    term = stage.act(forward, recipe, v, rng=rng if stage.any_part else rng(v))
    return dense(term, forward.clean, v)


def whole(stage, forward, recipe, seed=1):
    """Return all parts of the term of an additive stage, joined."""
    return np.concatenate([part(stage, forward, recipe, v, seed) for v in range(forward.clean.n_parts)], axis=1)
