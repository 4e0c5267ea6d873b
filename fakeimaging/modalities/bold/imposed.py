"""Responses that a design imposes: percent of each region times the regressor that an analysis will have.

    y_r(t) = sum_c percent_cr / 100 x_c(t),      dS/S (TE) = (1 + y_r)^(TE / TE0) - 1

x_c: events of condition c, each as high as its modulation, convolved with the response of the scan (area 1) on nilearn's grid of the
frames at the middle of each volume; TE0: usual echo time of the field. At TE0 a linear model with the same response finds ``percent``
exactly. With the balloon model, x_c has its response to a weak pulse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.hrf import Course, balloon_response, expected_course
from fakeimaging.activity.stimuli import Event, Imposed
from fakeimaging.modalities.bold.field import SPIN_ECHO_SHARE, fields
from fakeimaging.modalities.bold.parameters import BoldParameters

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ImposedChange:
    """What is imposed on a scan.

    Parameters
    ----------
    courses : tuple of Course
        One a condition, 1 at full strength.
    percent : ndarray, shape (n_conditions, n_regions)
        At the usual echo time.
    ratio : float
        What a change of R2* does in the scan over what it does at that time (`decay_ratio`).
    """

    courses: tuple[Course, ...]
    percent: Array
    ratio: float

    def at(self, times: Array) -> Array:
        """Return the relative change of each region at ``times`` (s), shape (n, n_regions)."""
        courses = np.stack([course.at(times) for course in self.courses], axis=1)
        return at_echo(courses @ self.percent / 100, self.ratio)


def imposed_change(imposed: Sequence[Imposed], p: BoldParameters, n_volumes: int) -> ImposedChange | None:
    """Return what a run imposes on a scan of that many volumes; None when it imposes nothing."""
    if not imposed:
        return None
    frames = frame_times(p.tr, n_volumes)
    courses = tuple(course_of(p, one.onsets, one.durations, one.modulation, frames) for one in imposed)
    return ImposedChange(courses, np.stack([one.percent for one in imposed]), decay_ratio(p))


def course_of(p: BoldParameters, onsets: Array, durations: Array, modulation: Array, frames: Array) -> Course:
    """Return the regressor of events with the response of a scan, between the frames too."""
    response = partial(balloon_response, p.hemodynamics) if p.response == "balloon" else p.response
    return expected_course(response, onsets, durations, modulation, frames)


def event_course(p: BoldParameters, events: Sequence[Event], frames: Array) -> Array:
    """Return the regressor of events at the frames with the canonical response of a scan (SPM's for the balloon model)."""
    name = "spm" if p.response == "balloon" else p.response
    onsets, durations, sizes = (
        np.array([getattr(event, field) for event in events]) for field in ("onset", "duration", "modulation")
    )
    return expected_course(name, onsets, durations, sizes, frames).at(frames)


def frame_times(tr: float, n_volumes: int) -> Array:
    """Return the middle of each volume in s, two at least, as nilearn counts them (``slice_time_ref=0.5``)."""
    n = max(2, n_volumes)
    return np.linspace(0.5 * tr, (n - 1 + 0.5) * tr, n)


def decay_ratio(p: BoldParameters) -> float:
    """Return how much a change of R2* does in a scan over what it does at the usual echo time of a gradient echo."""
    share = SPIN_ECHO_SHARE if p.sequence == "spin_echo" else 1.0
    return share * p.echo_time / fields()[p.field_strength].defaults["echo_time"]


def at_echo(change: Array, ratio: float) -> Array:
    """Return a relative change through R2* at another echo time, ``ratio`` times the one it is given at."""
    return change if ratio == 1 else np.expm1(ratio * np.log1p(change))
