"""Waveforms of imposed sources, of the time s since a trial's waveform begins; 1 is the moment or density of the source.

    gaussian      exp(-(s - peak)^2 / (2 width^2))
    peaks         sum_k height_k exp(-(s - time_k)^2 / (2 width_k^2));  n170, p1n1p2 and p300 have peaks of their own
    damped        exp(-s / decay) sin(2 pi f s) over its largest value, s >= 0
    burst         exp(-(s - peak)^2 / (2 width^2)) cos(2 pi f (s - peak) + phase), which is drawn each trial unless phase_locked
    spike         a peak at s = 0 that falls more slowly than it rises (SD 5/4 and 3/4 of width), and the peaks that follow it
    samples       numbers at a rate, joined by straight lines

Those that go on through the whole run are in `ongoing`: sinusoid (its peak is 1), rhythm and noise (their SD is 1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from fakeimaging.activity.stimuli.source_spec import SourceSpec

Array = npt.NDArray[np.float64]
Form = Callable[["SourceSpec", Array, float], Array]
"""``form(spec, since, phase)``: the waveform at s since it begins; ``phase`` in rad is the trial's own."""
REACH = 6.0
"""SD of a Gaussian from its middle to where it ends: 2e-8 of its height is left."""
OUT = 20.0
"""Time constants after which a damped sinusoid is over: 2e-9 of it is left."""
HIGHEST = 4.0
"""SD of a Gaussian spectrum above which there is nothing: 3e-4 of its height."""
FWHM = float(2 * np.sqrt(2 * np.log(2)))
"""Full width at half maximum of a Gaussian over its SD."""
EDGE = 1.25
"""Frequency at which noise has ended over that from which it falls off."""
RISE, FALL = 0.75, 1.25
"""SD of the rise and fall of a spike over its width: steeper up than down, as epileptiform discharges are (sizes assumed)."""

N170 = ((0.1, 0.015, 0.4), (0.17, 0.02, -1.0))
"""Time in s, SD in s and height of P1 and N170 (peak at 172 ms: Bentin 1996, doi:10.1162/jocn.1996.8.6.551; the rest assumed)."""
P1N1P2 = ((0.1, 0.015, 0.6), (0.17, 0.02, -1.0), (0.23, 0.03, 0.7))
"""Visual P1, N1 and P2 (times within those of Luck 2014, An Introduction to the Event-Related Potential Technique; the rest assumed)."""
P300 = ((0.35, 0.07, 1.0),)
"""P300 (between 250 and 500 ms: Polich 2007, doi:10.1016/j.clinph.2007.04.019; the SD assumed)."""
AFTER_SPIKE = ((0.045, 0.014, -0.3), (0.22, 0.07, 0.5))
"""The trough and the slow wave after a spike: times, SD and heights (assumed)."""
SPIKE_WIDTH = 0.012
"""SD of a spike in s: 56 ms from 5 % to 5 %, within the 20 to 70 ms of a spike (Kane 2017, doi:10.1016/j.cnp.2017.07.002)."""


@dataclass(frozen=True)
class Waveform:
    """One kind of waveform.

    Parameters
    ----------
    takes : mapping of str to object
        Parameters of a source that it has a use for, and what they are where nothing is said; None: it has to be said.
    form : callable, optional
        The waveform of one trial; None where it goes on through the run.
    span : callable, optional
        From when to when, in s, it is not 0.
    highest : callable
        Frequency in Hz above which it holds nothing to speak of.
    """

    takes: Mapping[str, Any]
    highest: Callable[[SourceSpec], float]
    form: Form | None = None
    span: Callable[[SourceSpec], tuple[float, float]] | None = None

    @property
    def ongoing(self) -> bool:
        """Whether it goes on through the whole run, without trials."""
        return self.form is None


def gaussian(spec: SourceSpec, since: Array, phase: float = 0.0) -> Array:
    """Return one Gaussian peak."""
    return _bell(since, spec.peak or 0.0, spec.width or 1.0)


def peaks(spec: SourceSpec, since: Array, phase: float = 0.0) -> Array:
    """Return a sum of Gaussian peaks."""
    found = np.zeros(len(since))
    for time, width, height in spec.peaks or ():
        found += height * _bell(since, time, width)
    return found


def damped(spec: SourceSpec, since: Array, phase: float = 0.0) -> Array:
    """Return a damped sinusoid; its largest value is 1."""
    turn, decay = 2 * np.pi * (spec.frequency or 1.0), spec.decay or 1.0
    top = np.arctan(turn * decay) / turn
    largest = np.exp(-top / decay) * np.sin(turn * top)
    return np.asarray(np.exp(-since / decay) * np.sin(turn * since) / largest)


def burst(spec: SourceSpec, since: Array, phase: float = 0.0) -> Array:
    """Return an oscillation within a Gaussian envelope; ``phase`` adds to that of the source."""
    middle, turn = spec.peak or 0.0, 2 * np.pi * (spec.frequency or 1.0)
    angle = turn * (since - middle) + ((spec.phase or 0.0) + phase)
    return np.asarray(_bell(since, middle, spec.width or 1.0) * np.cos(angle))


def spike(spec: SourceSpec, since: Array, phase: float = 0.0) -> Array:
    """Return an interictal spike with what follows it."""
    width = spec.width or SPIKE_WIDTH
    sides = np.where(since < 0, RISE * width, FALL * width)
    return np.asarray(np.exp(-((since / sides) ** 2) / 2) + peaks(spec, since))


def samples(spec: SourceSpec, since: Array, phase: float = 0.0) -> Array:
    """Return a waveform of one's own."""
    position, values = since * (spec.sampling_rate or 1.0), spec.values
    below = np.clip(np.floor(position).astype(np.int64), 0, len(values) - 2)
    part = position - below
    return np.asarray(values[below] * (1 - part) + values[below + 1] * part)


def _bell(since: Array, middle: float, width: float) -> Array:
    return np.asarray(np.exp(-(((since - middle) / width) ** 2) / 2))


def _around(spec: SourceSpec) -> tuple[float, float]:
    middle, width = spec.peak or 0.0, spec.width or 1.0
    return middle - REACH * width, middle + REACH * width


def _of_peaks(spec: SourceSpec) -> tuple[float, float]:
    reached = [(time - REACH * width, time + REACH * width) for time, width, _ in spec.peaks or ()]
    return min(first for first, _ in reached), max(last for _, last in reached)


def _of_spike(spec: SourceSpec) -> tuple[float, float]:
    width, (first, last) = spec.width or SPIKE_WIDTH, _of_peaks(spec) if spec.peaks else (0.0, 0.0)
    return min(first, -REACH * RISE * width), max(last, REACH * FALL * width)


def _of_samples(spec: SourceSpec) -> tuple[float, float]:
    return 0.0, (len(spec.samples or ()) - 1) / (spec.sampling_rate or 1.0)


def _sharpest(spec: SourceSpec) -> float:
    """Return the highest frequency of Gaussians in time."""
    narrow = RISE * (spec.width or SPIKE_WIDTH) if spec.waveform == "spike" else spec.width
    widths = [width for _, width, _ in spec.peaks or ()] + ([narrow] if narrow else [])
    return HIGHEST / (2 * np.pi * min(widths))


def _burst_highest(spec: SourceSpec) -> float:
    return (spec.frequency or 0.0) + _sharpest(spec)


def _damped_highest(spec: SourceSpec) -> float:
    return (spec.frequency or 0.0) + HIGHEST / (spec.decay or 1.0)


def _rhythm_highest(spec: SourceSpec) -> float:
    return (spec.frequency or 0.0) + HIGHEST * (spec.bandwidth or 0.0) / FWHM


def _noise_highest(spec: SourceSpec) -> float:
    return EDGE * (spec.band or (0.0, 0.0))[1]


WAVEFORMS: dict[str, Waveform] = {
    "gaussian": Waveform({"peak": 0.1, "width": 0.02}, _sharpest, gaussian, _around),
    "peaks": Waveform({"peaks": None}, _sharpest, peaks, _of_peaks),
    "n170": Waveform({"peaks": N170}, _sharpest, peaks, _of_peaks),
    "p1n1p2": Waveform({"peaks": P1N1P2}, _sharpest, peaks, _of_peaks),
    "p300": Waveform({"peaks": P300}, _sharpest, peaks, _of_peaks),
    "damped": Waveform(
        {"frequency": 10.0, "decay": 0.1}, _damped_highest, damped, lambda spec: (0.0, OUT * (spec.decay or 1.0))
    ),
    "burst": Waveform(
        {"frequency": 10.0, "peak": 0.4, "width": 0.1, "phase": 0.0, "phase_locked": False}, _burst_highest, burst, _around
    ),
    "spike": Waveform({"width": SPIKE_WIDTH, "peaks": AFTER_SPIKE}, _sharpest, spike, _of_spike),
    "samples": Waveform(
        {"samples": None, "sampling_rate": None}, lambda spec: (spec.sampling_rate or 0.0) / 2, samples, _of_samples
    ),
    "sinusoid": Waveform({"frequency": 10.0, "phase": 0.0}, lambda spec: spec.frequency or 0.0),
    "rhythm": Waveform({"frequency": 10.0, "bandwidth": 3.0}, _rhythm_highest),
    "noise": Waveform({"exponent": 1.0, "band": (0.5, 200.0)}, _noise_highest),
}  # fmt: skip
"""All of them by name; times, widths, frequencies and sizes without a source are assumed."""
