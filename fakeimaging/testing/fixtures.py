"""Small things to test with: a tiny subject, a short activity, an activity in which nothing changes."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from fakeimaging.activity.activity import Activity, simulate_activity
from fakeimaging.structure.subject import Subject, make_subject


@lru_cache(maxsize=8)
def tiny_subject(label: str = "01", seed: int = 1) -> Subject:
    """Return a subject of ten regions without a brain image."""
    return make_subject(label, seed=seed, anatomy="tiny")


@lru_cache(maxsize=8)
def short_activity(label: str = "01", seed: int = 1, run: int = 1, duration: float = 20.0) -> Activity:
    """Return a short run of the linear network of `tiny_subject`."""
    return simulate_activity(tiny_subject(label, seed), model="linear", duration=duration, run=run)


def constant_activity(activity: Activity, rate: float = 5.0) -> Activity:
    """Return the same run with every tap held at one value and no sub-regional modes."""
    taps = {name: replace(tap, samples=np.full_like(tap.samples, rate)) for name, tap in activity.taps.items()}
    return replace(activity, taps=taps, differences=None)
