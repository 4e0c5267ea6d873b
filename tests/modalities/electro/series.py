"""A recording of nothing: channels without signal for tests of single stages."""

from types import SimpleNamespace

import numpy as np

from fakeimaging.core.clocks import Clock
from fakeimaging.core.streams import Streams
from fakeimaging.modalities.electro.sensors import Sensors
from fakeimaging.modalities.layers import Channel, Forward, Series

BLOCK = 2048
UNITS = {"EEG": "V", "ECG": "V", "ECOG": "V", "MEGMAG": "T", "MEGGRADPLANAR": "T/m"}


def empty_forward(kinds, *, duration=60.0, rate=250.0, path=("sub-01", "task-rest", "run-1"), **context):
    """Channels of these kinds on a row, 20 mm apart."""
    channels = tuple(Channel(f"{kind[:3]}{i}", kind, UNITS[kind]) for i, kind in enumerate(kinds))
    clock = Clock(0.0, 1 / rate, round(duration * rate))
    places = np.column_stack([20.0 * np.arange(len(kinds)), np.zeros(len(kinds)), np.zeros(len(kinds))])
    sensors = Sensors(tuple(channel.name for channel in channels), tuple(kinds), places)
    series = Series(channels, clock, lambda v: np.zeros((len(kinds), series.part(v).n), np.float32), 1e-7, BLOCK)
    return Forward(series, context={"sensors": sensors, "run_streams": Streams(1, path), **context})


def rng_of(seed):
    return np.random.Generator(np.random.SFC64(seed))


def layer(stage, forward, recipe, seed=1):
    """The term of a stage over all parts."""
    n = forward.clean.n_parts
    return np.concatenate([stage.act(forward, recipe, v, rng=rng_of(seed + v)) for v in range(n)], axis=1)


def changed(stage, forward, recipe, signal, seed=1):
    """A signal after an operator, part by part."""
    parts, first = [], 0
    for v in range(forward.clean.n_parts):
        n = forward.clean.part(v).n
        parts.append(stage.act(signal[:, first : first + n], forward, recipe, v, rng=rng_of(seed + v)))
        first += n
    return np.concatenate(parts, axis=1)


def options(**values):
    return SimpleNamespace(**values)
