"""Firing relative to baseline, which drives metabolism and release.

A is the excitatory plus the inhibitory firing rate, A0 its mean over all regions and the run (the scan, when that follows the run's course)
unless `baseline_rate` says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fakeimaging.activity.activity import Activity
from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet.modulation import Imaged
from fakeimaging.modalities.pet.plasma import Array
from fakeimaging.modalities.pet.tracers import MINUTE

FOLLOW_STEP = 30.0
"""Seconds over which activity is averaged when a scan follows its course."""


@dataclass(frozen=True, eq=False)
class Firing:
    """Firing relative to baseline.

    Parameters
    ----------
    starts : ndarray, shape (n_steps,)
        Minutes; one step at 0 when the mean of the run drives the whole scan.
    ratio : ndarray, shape (n_steps, n_regions)
        A / A0, at least 0.
    rate : ndarray, shape (n_regions,)
        Mean A in Hz: of the run, or of the part of it that a scan follows.
    baseline : float
        A0 in Hz.
    about : mapping
        What of the activity this is, in words.
    """

    starts: Array
    ratio: Array
    rate: Array
    baseline: float
    about: Mapping[str, str | float]

    @property
    def truth(self) -> dict[str, Array]:
        """Mean rate of each region, and its ratio to baseline step by step."""
        return {"firing": self.rate, "firing_ratio": self.ratio}


def firing(activity: Activity, *, baseline: float | None, seconds: float | None) -> Firing:
    """Return the firing that drives a scan.

    Parameters
    ----------
    activity : Activity
    baseline : float, optional
        A0 in Hz; the mean of ``rate`` over the regions when left out.
    seconds : float, optional
        Length of a scan that follows the course of the activity; None takes the mean of the run throughout.

    Raises
    ------
    InputError
        If nothing fires, or the run is shorter than the scan that follows it.
    """
    if seconds is not None and activity.duration < seconds - 1e-6:
        raise InputError(
            f"`pet.follow`: the run lasts {activity.duration:g} s and the scan {seconds:g} s; "
            "make the run as long, or let its mean drive the scan (follow = false)",
            value=seconds,
        )
    names = ["rate", *(name for name in ("inhibitory_rate",) if name in activity.taps)]
    end = np.inf if seconds is None else seconds
    mean = np.sum([_course(activity, name, np.array([0.0, end]))[0] for name in names], axis=0)
    reference = float(mean.mean()) if baseline is None else baseline
    if not reference > 0:
        raise InputError(f"the mean firing of this run is {reference:g} Hz; give pet a `baseline_rate` above 0")
    starts = np.zeros(1) if seconds is None else np.arange(0.0, seconds - 1e-6, FOLLOW_STEP)
    course = np.sum([_course(activity, name, np.append(starts, end)) for name in names], axis=0)
    about: dict[str, str | float] = {
        "Run": f"task-{activity.task} run-{activity.run}",
        "DrivenBy": f"the mean of its {activity.duration:g} s, held for the whole scan"
        if seconds is None
        else f"its course, {FOLLOW_STEP:g} s steps",
        "BaselineRate": reference,
    }
    return Firing(starts / MINUTE, np.maximum(course / reference, 0), mean, reference, about)


def _course(activity: Activity, name: str, edges: Array) -> Array:
    """Return the mean of a tap from each edge (s) to the next, shape (len(edges) - 1, n_regions)."""
    tap = activity.tap(name).from_start()
    first = np.searchsorted(tap.clock.times, edges - 1e-9)
    sums = np.add.reduceat(np.asarray(tap.samples)[: first[-1]], first[:-1], axis=0, dtype=float)
    return np.asarray(sums / np.diff(first)[:, None])


def firing_of(imaged: Imaged) -> Firing:
    """Return the firing that drives a scan."""
    p, activity = imaged.parameters, imaged.activity
    if activity is None:
        raise InputError(f"the tracer {imaged.tracer.tracer_name} images activity: acquire('pet', subject, activity)")
    return firing(activity, baseline=p.baseline_rate, seconds=imaged.seconds if p.follow else None)
