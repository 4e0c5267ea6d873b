"""What of a run a scan sees: the mean of all of it, held throughout, or its course from the second of injection on, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.activity import Activity
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet.modulation import Imaged
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.plasma import Array
from fakeimaging.modalities.pet.tracers import MINUTE, Tracer

STEP = 10.0
"""Seconds over which activity is averaged when a scan follows its course (assumed)."""
FLOW_STEP = 1.0
"""The same for blood flow, which passes through the tissue within a minute (assumed)."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """The part of a run that drives a scan.

    Parameters
    ----------
    activity : Activity
    begin : float
        Second of the run at which the scan begins; 0 when it does not follow.
    edges : ndarray, shape (n_steps + 1,)
        Seconds after injection, from 0 to the end of the scan; one step when the mean of the run drives it throughout.
    follows : bool
    """

    activity: Activity
    begin: float
    edges: Array
    follows: bool

    @property
    def starts(self) -> Array:
        """Minutes after injection, shape (n_steps,)."""
        return self.edges[:-1] / MINUTE

    @property
    def shares(self) -> Array:
        """Share of each step in the scan, shape (n_steps,)."""
        lengths = np.diff(self.edges)
        return np.asarray(lengths / lengths.sum())

    @property
    def about(self) -> Mapping[str, str | float]:
        """What of the activity this is, in words."""
        a = self.activity
        course = f"its course from {self.begin:g} s on, {self.edges[1]:g} s steps"
        mean = f"the mean of its {a.duration:g} s, held for the whole scan"
        return {"Run": f"task-{a.task} run-{a.run}", "DrivenBy": course if self.follows else mean}

    def means(self, samples: npt.NDArray, clock: Clock) -> Array:
        """Return the mean of a series, shape (clock.n, n_regions), over each step, shape (n_steps, n_regions)."""
        edges = self.begin + self.edges if self.follows else np.array([0.0, np.inf])
        return between(samples, clock, edges)


def between(samples: npt.NDArray, clock: Clock, edges: Array) -> Array:
    """Return the mean of a series from each edge (s) to the next, shape (len(edges) - 1, n_regions)."""
    first = np.searchsorted(clock.times, edges - 1e-9)
    n = np.diff(first)
    if n.min() < 1:
        raise InputError(
            f"`pet.follow_step`: {np.diff(edges).min():g} s is shorter than the {clock.step:g} s between samples of the run"
        )
    sums = np.add.reduceat(np.asarray(samples[first[0] : first[-1]]), first[:-1] - first[0], axis=0, dtype=float)
    return np.asarray(sums / n[:, None])


def follows(parameters: PetParameters, tracer: Tracer) -> bool:
    """Tell whether a scan follows the course of its run: as its parameters say, else where flow drives the tracer."""
    return tracer.drive == "flow" if parameters.follow is None else parameters.follow


def stretch_of(imaged: Imaged) -> Stretch:
    """Return the part of the run that drives a scan.

    Raises
    ------
    InputError
        If there is no activity, or the run ends before the scan that follows it.
    """
    p, activity, seconds = imaged.parameters, imaged.activity, imaged.seconds
    if activity is None:
        raise InputError(f"the tracer {imaged.tracer.tracer_name} images activity: acquire('pet', subject, activity)")
    if not follows(p, imaged.tracer):
        return Stretch(activity, 0.0, np.array([0.0, seconds]), follows=False)
    if activity.duration < p.run_time + seconds - 1e-6:
        late = f" from second {p.run_time:g} on" if p.run_time else ""
        raise InputError(
            f"`pet.follow`: the run lasts {activity.duration:g} s and the scan {seconds:g} s{late}; make the run as long "
            "(`duration` of the run), the scan shorter (`pet.duration`), or let the mean of the run drive it (`pet.follow` = false)",
            value=seconds,
        )
    step = p.follow_step or (FLOW_STEP if imaged.tracer.drive == "flow" else STEP)
    return Stretch(activity, p.run_time, np.append(np.arange(0.0, seconds - 1e-6, step), seconds), follows=True)
