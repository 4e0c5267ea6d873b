"""A subject that is nothing but a network, and a run of it with every tap at every step."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

import fakeimaging as fi
from fakeimaging.activity.models import as_model
from fakeimaging.core.streams import Streams

SPEED = 7.0
"""Conduction speed in m/s of `trace`."""


def bare_subject(weights, delays=None, *, seed=1):
    """A subject whose regions, all cortical, are wired by ``weights`` with ``delays`` in s."""
    weights = np.asarray(weights, dtype=float)
    n = len(weights)
    lengths = np.zeros((n, n)) if delays is None else np.asarray(delays) * SPEED * 1e3
    regions = tuple(
        SimpleNamespace(name=f"r{i + 1}", kind="cortex", network="unassigned", hemisphere="L", centroid=(0.0, 0.0, i))
        for i in range(n)
    )
    centroids = np.array([region.centroid for region in regions])
    return SimpleNamespace(
        label="01",
        n_regions=n,
        regions=regions,
        parcellation=SimpleNamespace(regions=regions, centroids=centroids),
        streams=Streams(seed).at("sub-01"),
        connectome=fi.Connectome(weights, lengths, signed=bool((weights < 0).any())),
    )


def trace(name, subject, *, duration, step, sampled=None, conditions=(), run=None, **parameters):
    """Every tap of a run from its very start, 20 s before t = 0: mapping of arrays (n, n_regions), a sample each ``sampled`` s.

    ``run`` holds more of `RunParameters`.
    """
    model = as_model(name)
    taps = {key: replace(tap, rate=1 / (sampled or step), past=True) for key, tap in model.observables.items()}
    activity = fi.simulate_activity(
        subject,
        model=replace(model, observables=taps),
        duration=duration,
        step=step,
        transient=0.0,
        speed=SPEED,
        conditions=list(conditions),
        parameters=parameters,
        **(run or {}),
    )
    return {key: np.asarray(tap.samples, dtype=float) for key, tap in activity.taps.items()}


def ring(n, strength=1.0):
    """Weights of a ring in which each region receives from both neighbours."""
    weights = np.zeros((n, n))
    for i in range(n):
        weights[i, i - 1] = weights[i - 1, i] = strength
    return weights


def lopsided(n, seed, longest=0.02):
    """Weights that differ between the two directions of a tract, rows summing to 1, and delays up to ``longest`` s in whole ms."""
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.1, 1, (n, n)) * (rng.uniform(size=(n, n)) < 0.7)
    np.fill_diagonal(weights, 0)
    weights[np.arange(n), np.arange(n) - 1] += 0.3
    delays = np.round(rng.uniform(0, longest, (n, n)), 3) * (weights > 0)
    return weights / weights.sum(axis=1, keepdims=True), delays


def upward_crossings(x, step, level=0.0):
    """Times at which a course rises through a level, by linear interpolation."""
    at = np.flatnonzero((x[:-1] < level) & (x[1:] >= level))
    return (at + (level - x[at]) / (x[at + 1] - x[at])) * step


def frequency(x, step, level=0.0):
    """Mean frequency of a rhythm in Hz."""
    times = upward_crossings(x, step, level)
    return (len(times) - 1) / (times[-1] - times[0])
