"""Canonical hemodynamic responses, and what a general linear model expects of events: an alternative to the balloon model.

    h(t) = [g(t; a, b) - r g(t; c, b)] / (1 - r),   g(t; d, b): gamma density of shape d / b and scale b

Delays a and c, dispersion b (s) and ratio r are those of SPM and of Glover (1999) as nilearn has them. A regressor follows nilearn
0.14 to the last digits: its grid of times, its sums in place of integrals and its interpolation; so a model fitted with nilearn can
be exactly right.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.activity import Activity
from fakeimaging.activity.hemodynamics import BLOCK, classic_change, kept_clock, neural_drive, respond
from fakeimaging.activity.hemodynamics_parameters import Hemodynamics
from fakeimaging.core.citations import Reference
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError, UnknownNameError, did_you_mean

REFERENCES = (Reference("Glover", 1999, "10.1006/nimg.1998.0419", "canonical hemodynamic response"),)
LENGTH = 32.0
"""Seconds after which a response is over (SPM, nilearn)."""
SHIFT = 0.1
"""Seconds between the two responses whose difference is the derivative (nilearn)."""
OVERSAMPLING = 50
"""Points of the grid in a repetition time (nilearn)."""
BEFORE = -24.0
"""Start of the grid in s from the first frame (nilearn); an event before it counts as one that starts there."""
DERIVATIVE = " derivative"
PULSE = Clock(0.0, 0.02, 1600)
"""Clock of the balloon's impulse response."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """Difference of two gamma densities: delays of peak and undershoot and their dispersion in s, ratio of the second to the first."""

    delay: float
    undershoot: float
    dispersion: float
    ratio: float

    def at(self, times: Array, first: float = 0.0) -> Array:
        """Return the difference at ``times`` (s), each density starting at ``first``."""
        t = times - first
        peak, trough = (_gamma(t, d / self.dispersion, self.dispersion) for d in (self.delay, self.undershoot))
        return peak - self.ratio * trough


SHAPES = {
    "spm": Shape(6.0, 16.0, 1.0, 0.167),  # SPM spm_hrf.m: 6, 16, 1 s and 1/6, which nilearn rounds
    "glover": Shape(6.0, 12.0, 0.9, 0.48),  # nilearn after Glover 1999
}
NAMES = (*SHAPES, *(f"{name}{DERIVATIVE}" for name in SHAPES))


def _gamma(times: Array, shape: float, scale: float) -> Array:
    """Density of the gamma distribution, 0 before 0."""
    x = np.maximum(times, 0.0) / scale
    log = (shape - 1) * np.log(x, out=np.full_like(x, -np.inf), where=x > 0) - x
    return np.asarray(np.exp(log - math.lgamma(shape)) / scale)


def _known(name: str) -> tuple[Shape, bool]:
    """Return the shape of a name, and whether its derivative is meant."""
    if name not in NAMES:
        raise UnknownNameError(f"there is no response '{name}'{did_you_mean(name, NAMES)}", value=name)
    return SHAPES[name.removesuffix(DERIVATIVE)], name.endswith(DERIVATIVE)


def response(name: str, times: npt.ArrayLike) -> Array:
    """Return a canonical response to a pulse at 0 s.

    Parameters
    ----------
    name : str
        One of `NAMES`: ``"spm"``, ``"glover"``, ``"spm derivative"``, ``"glover derivative"``.
    times : array_like
        Seconds.

    Returns
    -------
    ndarray, shape of times
        1/s, of area 1; a derivative in 1/s2, [h(t) - h(t - 0.1 s)] / 0.1 s as nilearn takes it.

    Raises
    ------
    UnknownNameError
        If there is no such response.

    Examples
    --------
    >>> times = np.arange(0, 32, 0.01)
    >>> float(times[response("spm", times).argmax()])
    5.0
    """
    shape, derivative = _known(name)
    t = np.asarray(times, dtype=np.float64)
    own = shape.at(t) / (1 - shape.ratio)
    return (own - shape.at(t, SHIFT) / (1 - shape.ratio)) / SHIFT if derivative else own


def _kernel(name: str | Callable[[Array], Array], tr: float, oversampling: int) -> Array:
    """Response on nilearn's grid, where it sums to 1: one step late, its last point at the end."""
    step = tr / oversampling
    times = np.linspace(0, LENGTH, int(np.rint(LENGTH / step)))
    if callable(name):
        own = np.asarray(name(times - step))
        return np.asarray(own / own.sum())
    shape, derivative = _known(name)
    own, later = (shape.at(times - shift, step) for shift in (0.0, SHIFT))
    own, later = own / own.sum(), later / later.sum()
    return (own - later) / SHIFT if derivative else own


@dataclass(frozen=True, eq=False)
class Course:
    """What a model expects, on a fine grid.

    Parameters
    ----------
    times : ndarray, shape (n,)
        Seconds.
    values : ndarray, shape (n,)
        Per unit of modulation.
    """

    times: Array
    values: Array

    def at(self, times: npt.ArrayLike) -> Array:
        """Return it at any times (s), such as those of one slice, on lines between the points; beyond the ends the last value holds."""
        return np.asarray(np.interp(np.asarray(times, dtype=np.float64), self.times, self.values))


def expected_course(
    name: str | Callable[[Array], Array],
    onsets: npt.ArrayLike,
    durations: npt.ArrayLike,
    modulation: npt.ArrayLike,
    frame_times: npt.ArrayLike,
    *,
    oversampling: int = OVERSAMPLING,
    before: float = BEFORE,
) -> Course:
    """Return the course of a condition's regressor between the frames too.

    Parameters
    ----------
    name : str or callable
        One of `NAMES`, or a response of its own: ``name(times)`` at times in s since a pulse, whatever its area.
    onsets, durations : array_like, shape (n_events,)
        Seconds; an event of duration 0 lasts one step of the grid.
    modulation : array_like, shape (n_events,)
        Size of each event.
    frame_times : array_like, shape (n_frames,)
        Times of the frames in s, as the analysis will have them: they make the grid.
    oversampling : int
        Points of the grid in a repetition time.
    before : float
        Start of the grid in s from the first frame.

    Returns
    -------
    Course

    Raises
    ------
    InputError
        If there are fewer than two frames, they do not rise, or the events' lists are not of one length.
    """
    frames = _frames(frame_times)
    events = _events(onsets, durations, modulation)
    times = _grid(frames, oversampling, before)
    kernel = _kernel(name, float(np.diff(frames).min()), oversampling)
    return Course(times, np.convolve(_boxes(events, times), kernel)[: len(times)])


def regressor(
    name: str,
    onsets: npt.ArrayLike,
    durations: npt.ArrayLike,
    modulation: npt.ArrayLike,
    frame_times: npt.ArrayLike,
    *,
    oversampling: int = OVERSAMPLING,
    before: float = BEFORE,
) -> Array:
    """Return the regressor of a condition at the frames: nilearn's ``compute_regressor`` without its orthogonalisation.

    Parameters are those of `expected_course`.

    Returns
    -------
    ndarray, shape (n_frames,)

    Examples
    --------
    >>> regressor("spm", [0.0], [1.0], [1.0], 2.0 * np.arange(6)).round(3)
    array([0.   , 0.018, 0.156, 0.205, 0.131, 0.053])
    """
    course = expected_course(name, onsets, durations, modulation, frame_times, oversampling=oversampling, before=before)
    return course.at(frame_times)


def _frames(frame_times: npt.ArrayLike) -> Array:
    frames = np.asarray(frame_times, dtype=np.float64)
    if frames.ndim != 1 or len(frames) < 2 or not (np.diff(frames) > 0).all():
        raise InputError("`frame_times`: two or more times that rise are needed", value=frame_times)
    return frames


def _events(onsets: npt.ArrayLike, durations: npt.ArrayLike, modulation: npt.ArrayLike) -> tuple[Array, Array, Array]:
    starts, lengths, sizes = (np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in (onsets, durations, modulation))
    if not starts.shape == lengths.shape == sizes.shape:
        raise InputError(
            f"onsets, durations and modulation have {starts.size}, {lengths.size} and {sizes.size} entries; they belong together"
        )
    if not (np.isfinite(starts) & np.isfinite(sizes) & (lengths >= 0)).all():
        raise InputError("onsets and modulation of events are finite, durations at least 0 s")
    return starts, lengths, sizes


def _grid(frames: Array, oversampling: int, before: float) -> Array:
    """Nilearn's grid: from ``before`` to a frame's share beyond the last one."""
    n, first, last = len(frames), frames[0], frames[-1]
    end = last * (1 + 1.0 / (n - 1))
    n_points = (n - 1) * 1.0 / (last - first) * (end - first - before) * oversampling + 1
    return np.linspace(first + before, end, int(np.rint(n_points)))


def _boxes(events: tuple[Array, Array, Array], times: Array) -> Array:
    """Sum of the events on the grid, each at least one point long."""
    onsets, durations, sizes = events
    last = len(times) - 1
    start = np.minimum(np.searchsorted(times, onsets), last)
    stop = np.minimum(np.searchsorted(times, onsets + durations), last)
    stop += (stop < last) & (stop == start)
    steps = np.zeros(len(times))
    np.add.at(steps, start, sizes)
    np.subtract.at(steps, stop, sizes)
    return np.cumsum(steps)


def balloon_response(parameters: Hemodynamics, times: npt.ArrayLike) -> Array:
    """Return the balloon model's response to a weak short pulse at 0 s, by its classic output equation.

    Parameters
    ----------
    parameters : Hemodynamics
    times : array_like
        Seconds; 0 is returned before the pulse and after `LENGTH`.

    Returns
    -------
    ndarray, shape of times
        1/s, of area 1, to be compared with `response`. Strong responses of the model are smaller and slower than it says.
    """
    pulse = np.where(PULSE.times < 0.1, 0.1, 0.0)[:, None]
    flow = respond(lambda part: pulse[part], PULSE, parameters)
    change = classic_change(flow)[:, 0]
    shape = change / (change.sum() * flow.clock.step)
    # The middle of the pulse is the time of a pulse without length.
    return np.asarray(
        np.interp(np.asarray(times, dtype=np.float64), flow.clock.times - 0.05, shape, left=0.0, right=0.0)
    )


def convolved(course: npt.NDArray, clock: Clock, name: str) -> Array:
    """Return the linear response to a regional course, from rest before its first sample.

    Parameters
    ----------
    course : ndarray, shape (clock.n, n_regions)
        Relative neural drive: 0 at rest, 1 where the rate has doubled.
    clock : Clock
    name : str
        One of `NAMES`.

    Returns
    -------
    ndarray, shape (clock.n, n_regions)
        1 for a drive that stays at 1.
    """
    step = clock.step
    kernel = step * response(name, step * np.arange(min(clock.n, math.ceil(LENGTH / step))))
    n_fft = 1 << (clock.n + len(kernel) - 1).bit_length()
    spectrum = np.fft.rfft(kernel, n_fft)
    found = np.empty(course.shape)
    for column in range(course.shape[1]):
        found[:, column] = np.fft.irfft(np.fft.rfft(course[:, column], n_fft) * spectrum, n_fft)[: clock.n]
    return found


def linear_response(
    drive: Callable[[slice], npt.NDArray[np.float64]], clock: Clock, name: str
) -> tuple[Clock, npt.NDArray[np.float32]]:
    """Return the canonical response to a drive as `hemodynamics.respond` takes it, on the clock that has: means over its intervals.

    Parameters
    ----------
    drive : callable
        ``drive(slice)`` returns those samples, shape (n, n_columns).
    clock : Clock
        Of the drive.
    name : str
        One of `NAMES`.

    Returns
    -------
    Clock
    ndarray of float32, shape (n_samples, n_columns)
        Relative response; times a gain it is a signal change.
    """
    every, kept = kept_clock(clock)
    parts, block = [], every * (BLOCK // every)
    for first in range(0, kept.n * every, block):
        part = drive(slice(first, min(first + block, kept.n * every)))
        parts.append(part.reshape(-1, every, part.shape[1]).mean(axis=1))
    means = np.concatenate(parts)
    return kept, convolved(means, kept, name).astype(np.float32)


def canonical_response(activity: Activity, name: str) -> tuple[Clock, npt.NDArray[np.float32]]:
    """Return the canonical response of each region to the relative change of its firing rate (`linear_response`)."""
    return linear_response(neural_drive(activity, 1.0), activity.tap("rate").clock, name)
