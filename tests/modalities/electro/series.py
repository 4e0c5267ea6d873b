"""A recording of nothing with sensors in a row, for tests of single stages."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from fakeimaging.core.streams import Streams
from fakeimaging.modalities.electro.sensors import Sensors
from fakeimaging.modalities.layers import dense
from tests.modalities.electro.silence import RUN, silent

BLOCK = 2048


def empty_forward(kinds, *, duration=60.0, rate=250.0, path=RUN):
    """Channels c0, c1 ... of these kinds on a line, 20 mm apart."""
    forward = silent(kinds, n=round(duration * rate), rate=rate, block=BLOCK, run_streams=Streams(1, path))
    places = np.column_stack([20.0 * np.arange(len(kinds)), np.zeros(len(kinds)), np.zeros(len(kinds))])
    sensors = Sensors(tuple(channel.name for channel in forward.clean.channels), tuple(kinds), places)
    return replace(forward, context={**forward.context, "sensors": sensors})


def rng_of(seed):
    return np.random.Generator(np.random.SFC64(seed))


def layer(stage, forward, recipe, seed=1):
    """The term of a stage over all parts."""
    n = forward.clean.n_parts
    terms = (stage.act(forward, recipe, v, rng=rng_of(seed + v)) for v in range(n))
    return np.concatenate([dense(term, forward.clean, v) for v, term in enumerate(terms)], axis=1)


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
