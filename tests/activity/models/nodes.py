"""Tools for tests of neural masses: a model's functions called as plain Python, and short runs of the engine without noise."""

from __future__ import annotations

import inspect
from dataclasses import replace

import numpy as np
from scipy.optimize import root

import fakeimaging as fi
from fakeimaging.activity.models import MODELS
from fakeimaging.testing.fixtures import tiny_subject


def field(name, row_sum=0.0, **changes):
    """The drift and decay of one region in a network of its like, as a function of its states; ``changes`` of parameters and constants."""
    model = MODELS.get(name)
    constants = {**model.parameters().model_dump(), "stimulus": 0.0, **changes}

    def flow(state):
        states = dict(zip(model.states, np.asarray(state, dtype=float).tolist(), strict=True))
        known = {**constants, **states}
        known |= {f"coupled_{state}": row_sum * states[state] for state in model.coupled}
        known |= {f"coupled_{key}": row_sum * call(function, known) for key, function in model.sent.items()}
        slopes = zip(model.states, call(model.drift, known), strict=True)
        return np.array([slope - known.get(model.decays.get(state), 0.0) * states[state] for state, slope in slopes])

    return flow


def call(function, known):
    """Call a model's function with the names it asks for."""
    return function(**{name: known[name] for name in inspect.signature(function).parameters})


def fixed_point(flow, guess):
    """Newton from a guess; fails loudly."""
    found = root(flow, guess, tol=1e-13)
    assert np.abs(flow(found.x)).max() < 1e-6, found.message
    return found.x


def jacobian(flow, x):
    """Central differences."""
    x = np.asarray(x, dtype=float)
    h = 1e-6 * np.maximum(1, np.abs(x))
    return np.array([(flow(x + e) - flow(x - e)) / (2 * e.sum()) for e in np.diag(h)]).T


def quick(model, taps, rate):
    """The same model with some taps recorded at another rate: its kernel is the same."""
    taps = {key: replace(value, rate=rate if key in taps else value.rate) for key, value in model.observables.items()}
    return replace(model, observables=taps)


def waves(
    name, tap="rate", *, start=None, duration=2.0, transient=0.0, rate=1000.0, step=None, subject=None, **parameters
):
    """Samples of one tap of a model, shape (n, n_regions), at a rate of the test's own, from t = 0; ``start`` in place of the model's."""
    model = MODELS.get(name)

    def prepare(checked, person, at):
        setup = model.prepare(checked, person, at)
        return setup if start is None else replace(setup, initial={**setup.initial, **start})

    observables = {
        key: replace(value, rate=rate if key == tap else value.rate) for key, value in model.observables.items()
    }
    changed = replace(model, observables=observables, prepare=prepare)
    activity = fi.simulate_activity(
        subject or tiny_subject(),
        model=changed,
        duration=duration,
        transient=transient,
        step=step,
        parameters=parameters,
    )
    return activity.tap(tap).from_start().samples.astype(float)


def period(wave, rate):
    """Mean time in s between upward crossings of the mean of one wave, crossings interpolated."""
    x = wave - wave.mean()
    before = np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0))
    times = before + x[before] / (x[before] - x[before + 1])
    return np.diff(times).mean() / rate
