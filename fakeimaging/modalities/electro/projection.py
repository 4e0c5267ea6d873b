"""Gains times activity: the clean signal of EEG, MEG and intracranial EEG, part by part.

    V(t) = G q(t) + sum_k G_k m_k(t) + sum_s g_s c_s(t)

G: what 1 nAm/mm2 in each region makes at each sensor; q: the tap ``dipole`` (nAm/mm2); G_k, m_k: the same with the sub-regional
patterns and their courses; g_s, c_s: patches that the run's design imposes. The instruments are AC-coupled: the run's mean of
q and m is taken out.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.activity import Activity
from fakeimaging.activity.taps import Tap
from fakeimaging.core.arrays import Kept, frozen
from fakeimaging.core.clocks import Clock
from fakeimaging.modalities.electro.sampling import Ratio, part_index, ratio_of, resampled, span, stretch
from fakeimaging.modalities.electro.sensors import Sensors
from fakeimaging.modalities.electro.sources import (
    Field,
    SourceSpace,
    imposed_moments,
    mode_moments,
    region_moments,
    vertex_labels,
)
from fakeimaging.modalities.layers import Channel, Series
from fakeimaging.structure.subject import Subject

Floats = npt.NDArray[np.float64]
Signal = npt.NDArray[np.float32]

KEPT = 12 * 2**20
"""Bytes of clean parts that a recording keeps."""
BLOCK, MANY = 8192, 128
"""Samples of each part of a recording; half as many where there are more channels than that."""
FEWEST_VERTICES = 5
"""Vertices below which a region's field is not worth much; such regions are named in a warning."""


@dataclass(frozen=True, eq=False)
class Gains:
    """What activity makes at sensors.

    Parameters
    ----------
    regions : ndarray, shape (n_sensors, n_regions)
        V or T (T/m) per nAm/mm2.
    modes : ndarray, shape (n_sensors, N_MODES * n_regions), or None
        Of the sub-regional modes; None when the activity has none.
    sources : ndarray, shape (n_sensors, n_imposed)
        Of the imposed sources, per unit of their courses.
    """

    regions: Floats
    modes: Floats | None
    sources: Floats

    @cached_property
    def of_taps(self) -> Signal:
        """Regions and modes side by side."""
        parts = [self.regions] if self.modes is None else [self.regions, self.modes]
        return np.ascontiguousarray(np.concatenate(parts, axis=1), dtype=np.float32)


def moments(subject: Subject, activity: Activity, space: SourceSpace) -> tuple[Any, Any, Any]:
    """Return the moments of regions, modes (None without any) and imposed sources, each sparse, shape (n, n_columns)."""
    from scipy.sparse import csr_array, vstack

    imposed = [imposed_moments(subject, space, source) for source in activity.sources]
    sources = vstack(imposed, format="csr") if imposed else csr_array((0, space.n_columns))
    modes = None if activity.modes("dipole") is None else mode_moments(subject, space)
    return region_moments(subject, space), modes, sources


def gains_of(subject: Subject, activity: Activity, field: Field) -> Gains:
    """Return what an activity makes at the sensors of a field.

    Warns
    -----
    UserWarning
        Naming cortical regions with fewer than `FEWEST_VERTICES` vertices.
    """
    _warn_of_scarce(subject, field.space)
    regions, modes, sources = moments(subject, activity, field.space)
    return Gains(field.project(regions), None if modes is None else field.project(modes), field.project(sources))


def region_gain(subject: Subject, field: Field) -> Floats:
    """Return what 1 nAm/mm2 in each region makes at each sensor, shape (n_sensors, n_regions)."""
    return field.project(region_moments(subject, field.space))


def _warn_of_scarce(subject: Subject, space: SourceSpace) -> None:
    labels = vertex_labels(subject.parcellation, space)
    count = np.bincount(labels, minlength=subject.n_regions + 1)[1:]
    scarce = [r.name for r, n in zip(subject.regions, count, strict=True) if r.kind == "cortex" and n < FEWEST_VERTICES]
    if scarce:
        warnings.warn(
            f"regions with fewer than {FEWEST_VERTICES} surface vertices, which EEG hardly sees: {', '.join(scarce)}",
            stacklevel=2,
        )


@dataclass(frozen=True, eq=False)
class Courses:
    """The courses that gains multiply, at the rate of a recording.

    Parameters
    ----------
    activity : Activity
    clock : Clock
        Of the recording.
    name : str
        Key of its rate in errors.
    """

    activity: Activity
    clock: Clock
    name: str

    def __post_init__(self) -> None:
        _ = self.ratio

    @cached_property
    def taps(self) -> tuple[Tap, ...]:
        """Regions, then modes where there are any."""
        modes = self.activity.modes("dipole")
        return (self.activity.tap("dipole"), *(() if modes is None else (modes,)))

    @cached_property
    def ratio(self) -> Ratio:
        """The recording's rate over the taps'."""
        return ratio_of(self.activity.tap("dipole").clock.rate, self.clock.rate, name=self.name)

    @cached_property
    def mean(self) -> Signal:
        """Mean over the run of every column, shape (n_columns, 1)."""
        means = []
        for tap in self.taps:
            inside = tap.from_start()
            total = sum(block.sum(axis=0, dtype=np.float64) for _, block in inside.blocks())
            means.append(np.asarray(total) / inside.clock.n)
        return np.concatenate(means)[:, None].astype(np.float32)

    def before_resampling(self, part: Clock) -> tuple[Signal, int]:
        """Return the old samples, without their mean, that a part needs, shape (n_columns, n), and the number of the first."""
        low, high = span(self.ratio, part_index(self.clock, part), part.n)
        return self._latest.get((low, high), lambda: frozen(self._without_mean(low, high))), low

    @cached_property
    def _latest(self) -> Kept:
        """What was asked for last: clean signal and movement read the same."""
        return Kept(0)

    def _without_mean(self, low: int, high: int) -> Signal:
        old = np.concatenate([stretch(tap, low, high) for tap in self.taps])
        old -= self.mean
        return old

    def at(self, part: Clock) -> Signal:
        """Return regions, then modes, at the samples of a part, shape (n_columns, n)."""
        old, low = self.before_resampling(part)
        return resampled(old, low, self.ratio, part_index(self.clock, part), part.n)

    def imposed(self, part: Clock) -> Signal:
        """Return the imposed courses at the samples of a part, shape (n_imposed, n)."""
        sources = self.activity.sources
        if not sources:
            return np.zeros((0, part.n), dtype=np.float32)
        rate = part.rate
        # What reaches beyond half the rate is made faster and low-passed, as the taps are.
        ratio = Ratio(1, max(1, math.ceil(2 * max(source.highest for source in sources) / rate - 1e-9)))
        low, high = span(ratio, part_index(self.clock, part), part.n)
        times = self.clock.start + np.arange(low, high) * self.clock.step / ratio.down
        fine = np.stack([np.asarray(source.course(times), dtype=np.float32) for source in sources])
        return resampled(fine, low, ratio, part_index(self.clock, part), part.n)

    def projected(self, gains: Gains, part: Clock) -> Signal:
        """Return gains times courses at the samples of a part, shape (n_sensors, n): the fewer rows are resampled."""
        first = part_index(self.clock, part)
        if self.ratio.half and len(gains.regions) < gains.of_taps.shape[1]:
            old, low = self.before_resampling(part)
            signal = resampled(gains.of_taps @ old, low, self.ratio, first, part.n)
        else:
            signal = gains.of_taps @ self.at(part)
        imposed = self.imposed(part)
        return signal if not len(imposed) else signal + gains.sources.astype(np.float32) @ imposed


def clean_series(
    channels: tuple[Channel, ...], clock: Clock, gains: Gains, courses: Courses, resolution: float
) -> Series:
    """Return the noise-free recording; channels beyond the rows of the gains (eye, heart, trigger) are 0.

    What was made last is kept: observed and clean signal of a part are often wanted together.
    """
    kept, block = Kept(KEPT), BLOCK if len(channels) <= MANY else BLOCK // 2
    # A series that referred to itself would stay in memory until the collector comes by.
    silent = Series(channels, clock, _nothing, resolution, block)

    def make(v: int) -> Signal:
        part = silent.part(v)
        return kept.get(v, lambda: frozen(_with_rest(courses.projected(gains, part), len(channels))))

    return silent.made_by(make)


def _nothing(v: int) -> Signal:
    raise NotImplementedError("a series without samples")


def _with_rest(signal: Signal, n_channels: int) -> Signal:
    missing = n_channels - len(signal)
    return signal if not missing else np.concatenate([signal, np.zeros((missing, signal.shape[1]), dtype=np.float32)])


def shared_context(
    subject: Subject, activity: Activity, sensors: Sensors, parameters: Any, field: Field, gains: Gains
) -> dict[str, Any]:
    """Return what the stages of every electrical and magnetic recording need beside the clean signal."""
    return {
        "physiology": activity.physiology,
        "subject": subject,
        "sensors": sensors,
        "run_streams": activity.streams,
        "parameters": parameters,
        "field": field,
        "gains": gains,
    }
