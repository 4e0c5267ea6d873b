"""Imposed sources of a run: where each lies, its trials, and its moment at any times.

    trials    moment(t) = size sum_k a_k waveform(t - onset_k - latency_k),   a_k = modulation_k exp(j z_k - j^2 / 2)
    ongoing   moment(t) = size course(t)

Latencies are ``latency`` plus ``latency_jitter`` times a normal draw; the draws of a source that follows another are c times those of
its leader plus sqrt(1 - c^2) times its own, and its trials begin ``lag`` after the leader's. Random phases of bursts add likewise, as
complex amplitudes. Each draw has a stream of its own below ``sources``, the name of the source: no source changes another, nor
the network. Vertices, and what a density amounts to in nAm, belong to the instruments.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.stimuli.condition import Condition, Event, events_of
from fakeimaging.activity.stimuli.ongoing import (
    SWING,
    Course,
    Enveloped,
    Follower,
    Rhythm,
    Sinusoid,
    bell,
    coherence,
    coloured,
)
from fakeimaging.activity.stimuli.rules import SLACK
from fakeimaging.activity.stimuli.source_spec import SourceSpec
from fakeimaging.activity.stimuli.stimulus import far_place
from fakeimaging.activity.stimuli.waveforms import FWHM
from fakeimaging.core.arrays import frozen
from fakeimaging.core.errors import ParameterError
from fakeimaging.core.streams import Streams
from fakeimaging.structure.parcellation import Region
from fakeimaging.structure.selection import chosen, unknown

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    """Where a source lies.

    Parameters
    ----------
    point : (x, y, z)
        Its middle in template mm; of a region its centroid, of several their mean by volume.
    regions : tuple of int
        Rows of the regions it lies in; empty where it was given by a point.
    extent : float or None
        Radius of its patch around the point in mm; 0 is a single dipole; None is all of its regions.
    """

    point: tuple[float, float, float]
    regions: tuple[int, ...] = ()
    extent: float | None = None


class Draws(NamedTuple):
    """What trials are made of.

    Parameters
    ----------
    base : float
        Mean latency in s, lags included.
    jitters : (latency, amplitude)
        SD of the latency in s and of the log amplitude.
    normal : ndarray, shape (2, n_trials)
        Standard normal numbers behind latency and amplitude.
    turn : ndarray of complex, shape (n_trials,)
        Behind the random phase of a burst; 1 where it has none.
    sizes : ndarray, shape (n_trials,)
        Of the events.
    """

    base: float
    jitters: tuple[float, float]
    normal: Array
    turn: npt.NDArray[np.complex128]
    sizes: Array


@dataclass(frozen=True, eq=False)
class Trials:
    """The trials of a source, in the order of their events; each array has shape (n_trials,).

    Parameters
    ----------
    onset : ndarray
        Of the event in s.
    latency : ndarray
        Seconds from there to where the waveform begins: it is evaluated at t - onset - latency.
    amplitude : ndarray
        1 where the waveform has the size of the source.
    phase : ndarray
        In rad, added to the phase of a burst; 0 of all other waveforms.
    draws : Draws
        What they are made of, for what follows it.
    """

    onset: Array
    latency: Array
    amplitude: Array
    phase: Array
    draws: Draws = field(repr=False)

    @property
    def begins(self) -> Array:
        """When each waveform begins, in s."""
        return self.onset + self.latency


@dataclass(frozen=True, eq=False)
class ImposedSource:
    """One imposed source of a run.

    Parameters
    ----------
    spec : SourceSpec
    place : Place
    trials : Trials, optional
        None where it goes on through the run.
    ongoing : Course, optional
        None where it has trials.
    """

    spec: SourceSpec
    place: Place
    trials: Trials | None = None
    ongoing: Course | None = None

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.spec.name

    @property
    def unit(self) -> str:
        """Unit of its course: nAm of all of it, or nAm/mm2 of its patch."""
        return self.spec.unit

    @property
    def point(self) -> tuple[float, float, float]:
        """Middle of its place in template mm."""
        return self.place.point

    @property
    def extent(self) -> float | None:
        """Radius of its patch in mm; 0 is a single dipole, None all of its regions."""
        return self.place.extent

    @property
    def total(self) -> bool:
        """Whether its course is the moment of all of it (nAm); else its density (nAm/mm2)."""
        return self.spec.density is None

    @property
    def highest(self) -> float:
        """Frequency in Hz above which its course holds next to nothing: it is free of aliases at twice that rate."""
        return self.spec.shape.highest(self.spec)

    def course(self, times: Array) -> Array:
        """Return its moment (nAm) or density (nAm/mm2) at ascending ``times`` in s of the run, shape (n,).

        The same times give the same bits however they are divided into calls.
        """
        if self.ongoing is not None:
            return self.spec.size * self.ongoing(times)[0]
        return self.spec.size * self._in_trials(times)

    def _in_trials(self, times: Array) -> Array:
        course, shape = np.zeros(len(times)), self.spec.shape
        if self.trials is None or shape.form is None or shape.span is None or not len(times):
            return course
        first, last = shape.span(self.spec)
        begins = self.trials.begins
        for k in np.flatnonzero((begins + last >= times[0] - SLACK) & (begins + first <= times[-1] + SLACK)):
            since = times - begins[k]
            here = slice(int(np.searchsorted(since, first)), int(np.searchsorted(since, last, side="right")))
            wave = shape.form(self.spec, since[here], float(self.trials.phase[k]))
            course[here] += self.trials.amplitude[k] * wave
        return course

    def to_dict(self) -> dict[str, Any]:
        """Return all that is true of it as JSON takes it: what was asked for, its place, and its trials."""
        place, trials = self.place, self.trials
        where = {"point_mm": list(place.point), "regions": list(place.regions), "extent_mm": place.extent}
        about = {
            "name": self.name,
            "unit": self.unit,
            "spec": self.spec.model_dump(mode="json", exclude_none=True),
            "place": where,
        }
        if trials is None:
            return about
        columns = {
            "onset": trials.onset,
            "latency": trials.latency,
            "amplitude": trials.amplitude,
            "phase": trials.phase,
        }
        return {**about, "trials": {name: column.tolist() for name, column in columns.items()}}

    def coherence(self, other: ImposedSource, frequencies: Array) -> npt.NDArray[np.complex128]:
        """Return the true coherency of two ongoing sources, shape (n,); 0 where one of them has trials.

        Parameters
        ----------
        other : ImposedSource
            Of the same run. The angle is negative where it comes later.
        frequencies : ndarray, shape (n,)
            Hz.
        """
        if self.ongoing is None or other.ongoing is None:
            return np.zeros(len(frequencies), dtype=complex)
        return coherence(self.ongoing, other.ongoing, np.asarray(frequencies, dtype=np.float64))


def imposed_sources(
    specs: Sequence[SourceSpec],
    conditions: Sequence[Condition],
    regions: Sequence[Region],
    run_duration: float,
    *,
    streams: Streams,
) -> tuple[ImposedSource, ...]:
    """Return the imposed sources of a run, in the order of their specifications.

    Parameters
    ----------
    specs : sequence of SourceSpec
        As `RunParameters` has checked them together.
    conditions : sequence of Condition
        Of the run, with their events (`presented`).
    regions : sequence of Region
        Of the subject.
    run_duration : float
        Seconds.
    streams : Streams
        Of the run.

    Raises
    ------
    ParameterError
        Naming every region or place that the subject does not have.
    """
    if problems := list(source_problems(specs, regions)):
        raise ParameterError(problems)
    events, named = events_of(conditions, run_duration), {spec.name: spec for spec in specs}
    made: dict[str, ImposedSource] = {}

    def make(spec: SourceSpec) -> ImposedSource:
        if spec.name not in made:
            leader = make(named[spec.follows]) if spec.follows is not None else None
            own, place = streams.at("sources", spec.name), place_of(spec, regions)
            if spec.shape.ongoing:
                made[spec.name] = ImposedSource(spec, place, ongoing=_ongoing(spec, leader, own))
            else:
                made[spec.name] = ImposedSource(spec, place, _trials(spec, leader, events, run_duration, own))
        return made[spec.name]

    return tuple(make(spec) for spec in specs)


def place_of(spec: SourceSpec, regions: Sequence[Region]) -> Place:
    """Return where a source lies."""
    if spec.near is not None:
        return Place(spec.near, (), spec.extent or 0.0)
    rows = np.flatnonzero(chosen([spec.region or ""], regions)).tolist()
    middle = np.average([regions[i].centroid for i in rows], axis=0, weights=[regions[i].volume for i in rows])
    return Place((float(middle[0]), float(middle[1]), float(middle[2])), tuple(rows), spec.extent)


def source_problems(specs: Sequence[SourceSpec], regions: Sequence[Region]) -> Iterator[str]:
    """Yield a line for every region or place of the sources that the subject does not have."""
    for k, spec in enumerate(specs):
        if spec.near is not None:
            if problem := far_place(spec.near, regions):
                yield f"`run.sources[{k}].near`: {problem}"
        elif problem := unknown(spec.region or "", regions):
            yield f"`run.sources[{k}].region`: {problem}"
        elif spec.extent is not None and (n := int(chosen([spec.region or ""], regions).sum())) > 1:
            yield f"`run.sources[{k}].extent`: '{spec.region}' means {n} regions, and a patch has one middle; name one, or leave it out"


def _lag(spec: SourceSpec, leader: ImposedSource) -> float:
    if spec.phase_lag is None:
        return spec.lag or 0.0
    return spec.phase_lag / (2 * np.pi * (leader.spec.frequency or 1.0))


def _ongoing(spec: SourceSpec, leader: ImposedSource | None, streams: Streams) -> Course:
    own, frequency, bandwidth = streams.at("noise"), spec.frequency or 1.0, spec.bandwidth or 1.0
    course: Course
    if spec.waveform == "sinusoid":
        return Sinusoid(frequency, spec.phase or 0.0)
    if spec.waveform == "noise":
        course = coloured(spec.exponent or 0.0, spec.band or (1.0, 100.0), own)
    else:
        carrier = (leader.spec.frequency or 1.0) if leader is not None and spec.envelope else frequency
        course = Rhythm(carrier, bandwidth, bell(bandwidth / FWHM, own, 2))
    if leader is None or leader.ongoing is None:
        return course
    shared = Follower(leader.ongoing, course, _lag(spec, leader), spec.coupling)
    if not spec.envelope:
        return shared
    start = 2 * np.pi * float(streams.at("phase").rng().random())
    # Half of the mean squared width of Gaussian noise is its envelope's, half its phase's, of which SWING times the slope is the rate.
    spread = bandwidth / FWHM / np.sqrt(2) / SWING
    return Enveloped(shared, frequency, start, bell(spread, streams.at("wander")))


def _trials(
    spec: SourceSpec, leader: ImposedSource | None, events: Sequence[Event], run_duration: float, streams: Streams
) -> Trials:
    followed = leader.trials if leader is not None else None
    if followed is None or leader is None:
        onset, sizes = _events(spec, events, run_duration, streams)
        draws = _drawn(spec, sizes, streams)
    else:
        onset = followed.onset
        draws = _following(spec, followed.draws, _drawn(spec, followed.draws.sizes, streams), _lag(spec, leader))
    (late, spread), (z_latency, z_amplitude) = draws.jitters, draws.normal
    amplitude = np.exp(spread * z_amplitude - spread**2 / 2) * np.abs(draws.turn)
    amplitude = amplitude * draws.sizes if spec.modulation else amplitude
    latency = draws.base + late * z_latency
    return Trials(frozen(onset), frozen(latency), frozen(amplitude), frozen(np.angle(draws.turn)), draws)


def _events(spec: SourceSpec, events: Sequence[Event], run_duration: float, streams: Streams) -> tuple[Array, Array]:
    """Return onsets and sizes of the events of a source that follows none."""
    if spec.trial_type is not None:
        own = [event for event in events if event.trial_type == spec.trial_type]
        return np.array([event.onset for event in own]), np.array([event.modulation for event in own])
    if spec.onsets is not None:
        onset = np.sort(np.array(spec.onsets, dtype=np.float64))
    else:
        rng = streams.at("events").rng()
        onset = np.sort(rng.uniform(0.0, run_duration, rng.poisson((spec.rate or 0.0) * run_duration)))
    return onset, np.ones(len(onset))


def _drawn(spec: SourceSpec, sizes: Array, streams: Streams) -> Draws:
    n = len(sizes)
    normal = np.stack([streams.at(name).rng().standard_normal(n) for name in ("latency", "amplitude")])
    turn = np.ones(n, dtype=complex)
    if spec.phase_locked is False:
        turn = np.exp(2j * np.pi * streams.at("phase").rng().random(n))
    return Draws(spec.latency, (spec.latency_jitter or 0.0, spec.amplitude_jitter or 0.0), normal, turn, sizes)


def _following(spec: SourceSpec, leader: Draws, own: Draws, lag: float) -> Draws:
    """Return the draws of a source whose trials are those of another."""
    c, rest = spec.coupling, float(np.sqrt(1 - spec.coupling**2))
    turn = c * leader.turn + rest * own.turn if spec.phase_locked is False else own.turn
    given = (spec.latency_jitter, spec.amplitude_jitter)
    late, spread = (old if new is None else new for old, new in zip(leader.jitters, given, strict=True))
    return Draws(leader.base + own.base + lag, (late, spread), c * leader.normal + rest * own.normal, turn, own.sizes)
