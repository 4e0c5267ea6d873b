"""What a user says about an imposed source: where it lies, how strong it is, its waveform, its events, and what it follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import field_validator, model_validator

from fakeimaging.activity.stimuli.waveforms import WAVEFORMS, Waveform
from fakeimaging.core.errors import did_you_mean
from fakeimaging.core.parameters import Parameters, in_metres, parameter

Kind = Literal[
    "gaussian", "peaks", "n170", "p1n1p2", "p300", "damped", "burst", "spike", "samples", "sinusoid", "rhythm", "noise"
]
WIDEST = 10_000.0
"""Highest over lowest frequency of noise, at most: its kernel is 40 times as many knots."""
_OF_WAVEFORMS = sorted({name for waveform in WAVEFORMS.values() for name in waveform.takes})
_OF_TRIALS = ("trial_type", "onsets", "rate", "latency", "latency_jitter", "amplitude_jitter", "modulation")
_OF_FOLLOWERS = ("lag", "phase_lag", "coupling", "envelope")


SMALLEST = 1e-5
"""nAm (or nAm/mm2) below which a size was told in another unit: one synapse makes some 2e-5 nAm (Hamalainen et al. 1993)."""


class SourceSpec(Parameters):
    """One source of current that is imposed on the electric and magnetic recordings of a run, beside what the network does.

    It lies in a ``region``, in a patch of ``extent`` around its middle or in all of it, or ``near`` a place. Waveforms of trials
    (gaussian, peaks, n170, p1n1p2, p300, damped, burst, spike, samples) come at the events of a ``trial_type`` of the run, at
    ``onsets``, or at a mean ``rate``; sinusoid, rhythm and noise go on through the run. A source that ``follows`` another shares
    the part ``coupling`` of its course (of the draws of its trials), a ``lag`` later; with ``envelope`` it shares the
    amplitude alone.

    Examples
    --------
    >>> SourceSpec(name="alpha", near=(-20, -90, 5), density=0.1, extent=15.0, waveform="rhythm").frequency
    10.0
    """

    name: str = parameter(unit="-", description="of the source, in tables and for what follows it")
    region: str | None = parameter(
        None,
        unit="-",
        description="region in which it lies: its name, or kind:thalamus, network:Visual, hemisphere:L, all",
    )
    near: tuple[float, float, float] | None = parameter(
        None, unit="mm", description="template coordinates of its middle; instead of a region"
    )
    extent: float | None = parameter(
        None,
        unit="mm",
        bounds=(0, 100),
        description="radius of its patch; 0 is a single dipole; when left out, all of the region, or a dipole near a place",
    )
    moment: float | None = parameter(
        None,
        unit="nAm",
        bounds=(-1e5, 1e5),
        description="of all of it, along the outward normals, where the waveform is 1",
    )
    density: float | None = parameter(
        None,
        unit="nAm/mm2",
        bounds=(-100, 100),
        description="of its patch, instead of the moment; brains reach 1 to 2",
        source="Murakami 2015, doi:10.1016/j.neuroimage.2015.02.003",
    )
    waveform: Kind = parameter("gaussian", unit="-", description="what it does in a trial, or through the run")
    frequency: float | None = parameter(
        None,
        unit="Hz",
        bounds=(0.01, 1000),
        description="of a burst, damped or sinusoid; middle of a rhythm's band; 10 when left out",
    )
    bandwidth: float | None = parameter(
        None,
        unit="Hz",
        bounds=(0.01, 200),
        description="full width at half maximum of a rhythm's spectrum; 3 when left out",
    )
    phase: float | None = parameter(
        None, unit="rad", bounds=(-7, 7), description="of a burst at its peak (cosine), of a sinusoid at t = 0 (sine)"
    )
    phase_locked: bool | None = parameter(
        None,
        unit="-",
        description="a burst has the same phase in each trial (evoked); else a random one (induced), as when left out",
    )
    peak: float | None = parameter(
        None,
        unit="s",
        bounds=(-10, 10),
        description="time of the peak of a gaussian (0.1) or burst (0.4) after its trial begins",
    )
    width: float | None = parameter(
        None,
        unit="s",
        bounds=(1e-4, 10),
        description="SD of a gaussian (0.02), of a burst's envelope (0.1), of a spike (0.012)",
    )
    decay: float | None = parameter(
        None, unit="s", bounds=(1e-3, 100), description="time constant of damped; 0.1 when left out"
    )
    peaks: tuple[tuple[float, float, float], ...] | None = parameter(
        None,
        unit="s, s, 1",
        description="time, SD and height of each peak; n170, p1n1p2, p300 and spike have their own",
    )
    exponent: float | None = parameter(
        None, unit="1", bounds=(0, 4), description="of noise: its power falls as 1/f^exponent; 1 when left out"
    )
    band: tuple[float, float] | None = parameter(
        None,
        unit="Hz",
        description="of noise: flat below the first frequency, nothing far above the second; 0.5 to 200 when left out",
    )
    samples: tuple[float, ...] | None = parameter(
        None, unit="1", description="a waveform of one's own, times the moment"
    )
    sampling_rate: float | None = parameter(None, unit="Hz", bounds=(0.001, 100_000), description="of the samples")
    trial_type: str | None = parameter(None, unit="-", description="condition of the run at whose events it comes")
    onsets: tuple[float, ...] | None = parameter(None, unit="s", description="of events of its own")
    rate: float | None = parameter(
        None, unit="1/s", bounds=(1e-4, 100), description="of events of its own at random (Poisson process)"
    )
    latency: float = parameter(0.0, unit="s", bounds=(0, 10), description="from an event to when its waveform begins")
    latency_jitter: float | None = parameter(
        None, unit="s", bounds=(0, 10), description="SD of the latency over trials; 0, or as the source it follows"
    )
    amplitude_jitter: float | None = parameter(
        None,
        unit="1",
        bounds=(0, 2),
        description="SD of the log amplitude over trials, mean 1; 0, or as the source it follows",
    )
    modulation: bool = parameter(True, unit="-", description="whether the size of an event scales its amplitude")
    follows: str | None = parameter(None, unit="-", description="name of the source that it follows")
    lag: float | None = parameter(
        None, unit="s", bounds=(-10, 10), description="by which it comes after what it follows; 0 when left out"
    )
    phase_lag: float | None = parameter(
        None, unit="rad", bounds=(-7, 7), description="lag at the frequency of what it follows, instead of lag"
    )
    coupling: float = parameter(
        1.0,
        unit="1",
        bounds=(0, 1),
        symbol="c",
        description="c followed(t - lag) + sqrt(1 - c^2) own(t), all of SD 1; of trials, their draws; coherence is c at equal spectra",
    )
    envelope: bool = parameter(
        False, unit="-", description="a rhythm shares the envelope of what it follows alone; its phase is its own"
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_waveform(cls, values: Any) -> Any:
        known = WAVEFORMS.get(str(values.get("waveform", "gaussian"))) if isinstance(values, Mapping) else None
        if known is None:
            plain = isinstance(values, Mapping)
            return {name: cls._with_tuples(name, value) for name, value in values.items()} if plain else values
        said = {name: value for name, value in values.items() if value is not None or name not in known.takes}
        return {name: cls._with_tuples(name, value) for name, value in {**known.takes, **said}.items()}

    @field_validator("name")
    @classmethod
    def _can_be_a_name(cls, name: str) -> str:
        if not name.strip() or set(name) & set("\t\n\r"):
            raise ValueError(f"{name!r} cannot stand in a table")
        return name

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        problem = next(_problems(self), None)
        if problem:
            raise ValueError(problem)
        return self

    @property
    def shape(self) -> Waveform:
        """What its waveform is."""
        return WAVEFORMS[self.waveform]

    @property
    def size(self) -> float:
        """Moment in nAm or density in nAm/mm2, whichever it has."""
        return self.density if self.density is not None else self.moment or 0.0

    @property
    def unit(self) -> str:
        """Unit of its size."""
        return "nAm" if self.density is None else "nAm/mm2"

    @cached_property
    def values(self) -> npt.NDArray[np.float64]:
        """Its samples, shape (n_samples,)."""
        return np.array(self.samples or (), dtype=np.float64)


def _problems(spec: SourceSpec) -> Iterator[str]:
    for name in ("moment", "density"):
        size = getattr(spec, name)
        if size is not None and 0 < abs(size) < SMALLEST:
            yield f"`{name}`: {size:g} is next to nothing in nAm; told in Am, it is {1e9 * size:g}"
    yield from _of_place(spec)
    yield from _of_waveform(spec)
    yield from _of_events(spec)


def _of_place(spec: SourceSpec) -> Iterator[str]:
    if (spec.region is None) == (spec.near is None):
        yield "`region`: give either a `region` or template coordinates `near` it"
    if spec.near is not None and (problem := in_metres(spec.near)):
        yield f"`near`: {problem}"
    if (spec.moment is None) == (spec.density is None):
        yield "`moment`: give either the `moment` of all of it in nAm or its `density` in nAm/mm2"
    point = spec.extent == 0 or (spec.extent is None and spec.region is None)
    if spec.density is not None and point:
        yield "`density`: a single dipole has no area; give a `moment`, or an `extent`"


def _of_waveform(spec: SourceSpec) -> Iterator[str]:
    takes = spec.shape.takes
    for name in _OF_WAVEFORMS:
        value = getattr(spec, name)
        if name not in takes and value is not None:
            waveforms = " or ".join(f"'{other}'" for other, one in WAVEFORMS.items() if name in one.takes)
            yield f"`{name}`: waveform '{spec.waveform}' has no use for it; it belongs to {waveforms}"
        if name in takes and value is None:
            yield f"`{name}`: missing; waveform '{spec.waveform}' needs it"
    if spec.peaks is not None and (not spec.peaks or not all(1e-4 <= width <= 10 for _, width, _ in spec.peaks)):
        yield "`peaks`: each is a time in s, an SD between 0.0001 and 10 s, and a height; at least one is needed"
    if spec.samples is not None and len(spec.samples) < 2:
        yield f"`samples`: {len(spec.samples)} of them are no waveform; at least 2 are needed"
    if spec.band is not None and not 0.02 <= spec.band[0] < spec.band[1] <= 1000:
        yield f"`band`: {list(spec.band)} Hz is no rising pair within [0.02, 1000]"
    elif spec.band is not None and spec.band[1] > WIDEST * spec.band[0]:
        yield f"`band`: {list(spec.band)} Hz is wider than {WIDEST:g} to 1"
    if spec.bandwidth is not None and spec.frequency is not None and spec.bandwidth > spec.frequency:
        yield f"`bandwidth`: {spec.bandwidth:g} Hz is wider than the {spec.frequency:g} Hz in its middle"


def _of_events(spec: SourceSpec) -> Iterator[str]:
    timed = [name for name in ("trial_type", "onsets", "rate") if getattr(spec, name) is not None]
    for name in _OF_TRIALS if spec.shape.ongoing else ():
        if getattr(spec, name) != type(spec).model_fields[name].default:
            yield f"`{name}`: waveform '{spec.waveform}' goes on through the run and has no trials"
    if len(timed) > 1:
        yield f"`{timed[1]}`: it has events from `{timed[0]}` already"
    if timed and spec.follows is not None:
        yield f"`{timed[0]}`: it follows '{spec.follows}' and has its events"
    if not timed and spec.follows is None and not spec.shape.ongoing:
        yield f"`trial_type`: waveform '{spec.waveform}' needs events: a `trial_type` of the run, `onsets`, or a `rate`"
    if spec.lag is not None and spec.phase_lag is not None:
        yield "`lag`: give either `lag` in s or `phase_lag` in rad"
    for name in _OF_FOLLOWERS if spec.follows is None else ():
        if getattr(spec, name) != type(spec).model_fields[name].default:
            yield f"`{name}`: it follows no source; name one in `follows`"
    if spec.envelope and spec.waveform != "rhythm":
        yield f"`envelope`: it belongs to waveform 'rhythm', not to '{spec.waveform}'"


def run_problems(specs: Sequence[SourceSpec], trial_types: Sequence[str], run_duration: float) -> Iterator[str]:
    """Yield what cannot be about the sources of a run together.

    Parameters
    ----------
    specs : sequence of SourceSpec
    trial_types : sequence of str
        Of the run's conditions.
    run_duration : float
        Seconds.
    """
    named = {spec.name: spec for spec in specs}
    for name in sorted({spec.name for spec in specs if [s.name for s in specs].count(spec.name) > 1}):
        yield f"two of them are called '{name}'"
    for spec in specs:
        if spec.trial_type is not None and spec.trial_type not in trial_types:
            hint = did_you_mean(spec.trial_type, trial_types) or "; `conditions` have none"
            yield f"'{spec.name}': no condition of the run has the trial_type '{spec.trial_type}'{hint}"
        for onset in spec.onsets or ():
            if not 0 <= onset < run_duration:
                yield f"'{spec.name}': onset {onset:g} s lies outside the run of {run_duration:g} s"
        if spec.follows is not None:
            yield from _of_following(spec, named)


def _of_following(spec: SourceSpec, named: Mapping[str, SourceSpec]) -> Iterator[str]:
    leader = named.get(spec.follows or "")
    if leader is None:
        others = set(named) - {spec.name}
        yield f"'{spec.name}': there is no source '{spec.follows}' to follow{did_you_mean(spec.follows or '', others)}"
        return
    chain = _chain(spec, named)
    if chain[-1] == spec.name:
        yield f"'{spec.name}' follows itself: {' follows '.join(repr(name) for name in chain)}"
    alone = "sinusoid" in {spec.waveform, leader.waveform}
    if alone or (spec.waveform != leader.waveform and (spec.shape.ongoing or leader.shape.ongoing)):
        which = (
            "a sinusoid has its own `phase` and follows nothing, nor is it followed"
            if alone
            else "a rhythm follows a rhythm, noise follows noise, and waveforms of trials follow each other"
        )
        yield f"'{spec.name}': a {spec.waveform} cannot follow the {leader.waveform} of '{leader.name}'; {which}"
    if spec.phase_lag is not None and leader.frequency is None:
        yield f"'{spec.name}': '{leader.name}' has no frequency that `phase_lag` could belong to; give `lag` in s"


def _chain(spec: SourceSpec, named: Mapping[str, SourceSpec]) -> list[str]:
    """Return the names from a source along what each follows, up to the first that comes a second time."""
    chain = [spec.name]
    while (following := named[chain[-1]].follows) in named:
        chain.append(str(following))
        if chain.count(chain[-1]) > 1:
            break
    return chain
