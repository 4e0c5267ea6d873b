"""The stimuli of one run, ready for the kernel: which regions each condition reaches, and its course at any times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.stimuli.condition import Condition
from fakeimaging.activity.stimuli.noise import banded, relaxing
from fakeimaging.activity.stimuli.recorded import read_samples
from fakeimaging.activity.stimuli.rules import fast_problems
from fakeimaging.activity.stimuli.shapes import FORMS, block
from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.core.parameters import in_metres
from fakeimaging.core.streams import Streams
from fakeimaging.structure.parcellation import Region
from fakeimaging.structure.selection import chosen, unknown

Array = npt.NDArray[np.float64]
Signal = Callable[[Array, Array], Array]
"""``signal(times, since)``: the courses of one event, shape (n_courses, n), at ascending times in s on the run's clock and from arrival."""
FARTHEST = 100.0
"""Distance in mm from the nearest region's centre from which on a place lies outside any head (assumed)."""


@dataclass(frozen=True, eq=False)
class Input:
    """What one condition puts into the network.

    Parameters
    ----------
    condition : Condition
    onsets : ndarray
        Sorted, in s.
    sizes : ndarray
        Of each event, 1 for the amplitude of the condition.
    gain : ndarray, shape (n_courses, n_regions)
        Amplitude in each region, in the unit of the model's stimulus; one course for all regions, or one for each it reaches.
    signal : callable
        What one event looks like.
    """

    condition: Condition
    onsets: Array
    sizes: Array
    gain: Array
    signal: Signal

    def course(self, times: Array, step: float) -> Array:
        """Return the courses at ``times`` (s, ascending), shape (n_courses, len(times))."""
        courses = np.zeros((len(self.gain), len(times)))
        arrivals = self.onsets + self.condition.latency
        over = arrivals + self.condition.duration + self.condition.tail < times[0]
        for k in np.flatnonzero(~over & (arrivals - step <= times[-1])):
            courses += self.sizes[k] * self.signal(times, times - arrivals[k])
        return courses


@dataclass(frozen=True, eq=False)
class Stimulus:
    """The stimuli of a run.

    Parameters
    ----------
    inputs : tuple of Input
        One for each condition.
    n_regions : int
    step : float
        Of the engine, in s; 0 when nothing depends on it.
    """

    inputs: tuple[Input, ...]
    n_regions: int
    step: float = 0.0

    @cached_property
    def gain(self) -> Array:
        """Amplitude of each course in each region, shape (n_courses, n_regions), in the unit of the model's stimulus."""
        return np.concatenate([np.zeros((0, self.n_regions)), *(part.gain for part in self.inputs)])

    def course(self, times: Array) -> Array:
        """Return every course at ``times`` (s, ascending), shape (n_courses, len(times)); 1 (noise: its SD) at full strength."""
        parts = [part.course(times, self.step) for part in self.inputs]
        return np.concatenate([np.zeros((0, len(times))), *parts])


def make_stimulus(
    conditions: Sequence[Condition],
    regions: Sequence[Region],
    run_duration: float,
    *,
    step: float | None = None,
    streams: Streams | None = None,
) -> Stimulus:
    """Find the regions, the times and the course of each condition.

    Parameters
    ----------
    conditions : sequence of Condition
    regions : sequence of Region
        Of the subject.
    run_duration : float
        Seconds.
    step : float, optional
        Time step of the engine in s. Pulses are means over it; what is too fast for it is refused.
    streams : Streams, optional
        Of the run. Noise is drawn from the stream ``stimulus``, name of the condition, its number among those of that name.

    Raises
    ------
    ParameterError
        Naming every region, network or kind that the subject does not have, with the nearest it has, and what is too fast.
    InputError
        If a file cannot be used, or ``step`` or ``streams`` are left out where they are needed.
    """
    problems = selection_problems(conditions, regions)
    problems += [
        f"`run.conditions[{c}].{problem}"
        for c, condition in enumerate(conditions)
        for problem in (fast_problems(condition, step) if step is not None else ())
    ]
    if problems:
        raise ParameterError(problems)
    inputs = []
    for c, condition in enumerate(conditions):
        earlier = sum(other.trial_type == condition.trial_type for other in conditions[:c])
        own = streams.at("stimulus", condition.trial_type, str(earlier + 1)) if streams is not None else None
        inputs.append(_input(condition, regions, run_duration, step, own))
    return Stimulus(tuple(inputs), len(regions), step or 0.0)


def _input(
    condition: Condition, regions: Sequence[Region], run_duration: float, step: float | None, streams: Streams | None
) -> Input:
    meant = reached(condition, regions)
    names = [region.name for region, hit in zip(regions, meant, strict=True) if hit]
    if condition.shape == "noise":
        n, signal = _noise(condition, np.flatnonzero(meant), streams)
    elif condition.shape == "file":
        samples = read_samples(condition, names)
        n, signal = len(samples.order), lambda times, since: samples.at(since)
    else:
        n, signal = 1, _closed(condition, step)
    pattern = np.eye(len(regions))[meant] if n > 1 else meant[None].astype(float)
    onsets = np.array(condition.times(run_duration))
    return Input(condition, onsets, np.array(condition.sizes(len(onsets))), condition.amplitude * pattern, signal)


def _closed(condition: Condition, step: float | None) -> Signal:
    if condition.shape == "pulses" and step is None:
        raise InputError("`step`: pulses are means over the steps of the engine; give its step")
    form = FORMS[condition.shape]
    return lambda times, since: form(condition, since, step or 0.0)[None]


def _noise(condition: Condition, reached: npt.NDArray[np.intp], streams: Streams | None) -> tuple[int, Signal]:
    """Return the noise of a condition, one for all its regions or one for each, within the edges of a block."""
    if streams is None:
        raise InputError("`streams`: noise comes from a stream of the run; give the run's streams")
    own = [streams.at(f"region-{i + 1}") for i in reached] if condition.independent else [streams]
    band = condition.band
    noise = banded(*band, own) if band is not None else relaxing(condition.time_constant or 1.0, own)

    def signal(times: Array, since: Array) -> Array:
        envelope, courses = block(condition, since), np.zeros((len(own), len(times)))
        on = np.flatnonzero(envelope)
        if len(on):
            stretch = slice(on[0], on[-1] + 1)
            courses[:, stretch] = envelope[stretch] * noise(times[stretch])
        return courses

    return len(own), signal


def reached(condition: Condition, regions: Sequence[Region]) -> npt.NDArray[np.bool_]:
    """Return which regions the stimulus of a condition reaches, shape (n_regions,)."""
    meant = chosen(chain.from_iterable(condition.selectors.values()), regions)
    centroids = np.array([region.centroid for region in regions])
    for place in np.array(condition.near):
        meant[np.linalg.norm(centroids - place, axis=1).argmin()] = True
    return np.array(meant) & [condition.hemisphere in (None, region.hemisphere) for region in regions]


def selection_problems(conditions: Sequence[Condition], regions: Sequence[Region]) -> list[str]:
    """Return a line for every region, network, kind or place of the conditions that the subject does not have."""
    return [f"`run.conditions[{c}].{line}" for c, one in enumerate(conditions) for line in _unknown(one, regions)]


def _unknown(condition: Condition, regions: Sequence[Region]) -> Iterator[str]:
    problems = [
        f"{key}`: {problem}"
        for key, selectors in condition.selectors.items()
        for selector in selectors
        if (problem := unknown(selector, regions))
    ]
    problems += list(_far_places(condition, regions))
    yield from problems
    if not problems and not reached(condition, regions).any():
        yield f"hemisphere`: no region meant lies in hemisphere {condition.hemisphere}"


def _far_places(condition: Condition, regions: Sequence[Region]) -> Iterator[str]:
    """Yield the places that lie outside any head."""
    for place in condition.near:
        if problem := far_place(place, regions):
            yield f"near`: {problem}"


def far_place(place: tuple[float, float, float], regions: Sequence[Region]) -> str | None:
    """Return what is wrong with a place in template mm that lies outside any head or is told in m, None with any other."""
    if problem := in_metres(place):
        return problem
    centroids = np.array([region.centroid for region in regions])
    distance = float(np.linalg.norm(centroids - np.array(place), axis=1).min())
    if distance <= FARTHEST:
        return None
    written = ", ".join(f"{x:g}" for x in place)
    return f"({written}) lies {distance:.0f} mm from the nearest region's centre, outside the head; places are in mm in template space"
