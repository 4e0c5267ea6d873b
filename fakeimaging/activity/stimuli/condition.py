"""What a condition of a task is: which regions its stimulus reaches, when, and in which shape; and the events of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from pydantic import field_validator, model_validator

from fakeimaging.activity.stimuli.rules import SLACK, imposed_problem, shape_problem
from fakeimaging.core.errors import InputError
from fakeimaging.core.parameters import Parameters, parameter

GOLDEN_RATIO = (1 + 5**0.5) / 2
RESERVED = ("constant", "NA", "N/A", "n/a", "nan", "NaN", "NULL", "null", "None")
"""Names that design matrices take for the intercept, and readers of tables for a missing value."""
MISSING = "; give `onsets`, or `onset` with `period` and `count`, or a `design` or `events` of the run that present it"
Shape = Literal["block", "pulses", "sine", "chirp", "noise", "file"]


class Event(NamedTuple):
    """One presentation of a condition: onset and duration in s on the run's clock, and its size (1: as the condition says)."""

    onset: float
    duration: float
    trial_type: str
    modulation: float = 1.0


class Condition(Parameters):
    """One condition of a task: which regions its stimulus reaches, how strongly and when.

    The regions are those named, those of the network, those of the kind and the nearest to given places, together. Times are
    a list of ``onsets``, or ``onset`` alone, or blocks: ``onset`` of the first, ``period`` from onset to onset, ``count`` (as
    many as fit when left out), with ``jitter`` at irregular intervals; without any of them the run's ``design`` or ``events``
    present it. The ``shape`` is what the current does during an event: it is on (``block``), comes in ``pulses``, swings
    (``sine``, ``chirp``), is ``noise``, or follows a ``file``. With ``percent`` there is no current: the response of BOLD is
    imposed, and the network knows nothing of it.
    """

    trial_type: str = parameter(unit="-", description="name in the events table")
    regions: tuple[str, ...] = parameter(
        (), unit="-", description="names of regions it reaches, or kind:thalamus, network:Visual, hemisphere:L, all"
    )
    network: str | None = parameter(None, unit="-", description="functional network it reaches")
    kind: str | None = parameter(None, unit="-", description="kind of region it reaches, such as thalamus")
    near: tuple[tuple[float, float, float], ...] = parameter(
        (), unit="mm", description="template coordinates; it reaches the region nearest to each"
    )
    hemisphere: Literal["L", "R"] | None = parameter(None, unit="-", description="only on this side")
    amplitude: float = parameter(
        0.02,
        unit="nA",
        bounds=(-5000, 5000),
        description="height of the course, of a sine or chirp its peak, of noise its SD, of a file the factor; in the unit of the "
        "model's stimulus and within its range (dmf: 0.2 nA; others: `fakeimaging list models`)",
    )
    percent: float | None = parameter(
        None,
        unit="%",
        bounds=(-50, 50),
        description="imposed response in place of a current: change of BOLD in grey matter at full strength, at the usual echo time "
        "of the field (30 ms at 3 T)",
    )
    modulation: str | tuple[float, ...] | None = parameter(
        None,
        unit="1",
        description="size of each event: one number each, 'linear' or 'random' within modulation_range, or a column of the run's "
        "events; 1 when left out",
    )
    modulation_range: tuple[float, float] = parameter(
        (0.5, 1.5),
        unit="1",
        description="smallest and largest size of 'linear' (first and last) and 'random' (uniform)",
    )
    duration: float = parameter(
        20.0, unit="s", bounds=(0, 3600), description="length of one event; 0, a moment, only where percent is given"
    )
    onsets: tuple[float, ...] | None = parameter(
        None, unit="s", description="onsets of all events; instead of onset, period and count"
    )
    onset: float | None = parameter(
        None, unit="s", bounds=(0, 36_000), description="onset of the first event, if there are no onsets"
    )
    period: float | None = parameter(
        None, unit="s", bounds=(0.01, 3600), description="from onset to onset; needed for more than one event"
    )
    jitter: float = parameter(
        0.0, unit="s", bounds=(0, 3600), description="spread of the onsets beyond the period's, by golden-ratio steps"
    )
    count: int | None = parameter(
        None, unit="1", bounds=(1, 100_000), description="number of events; as many as fit when left out"
    )
    rise: float = parameter(
        0.01,
        unit="s",
        bounds=(0.001, 1),
        description="time in which a block, and noise, rises at its onset and falls after its end",
    )
    latency: float = parameter(
        0.04,
        unit="s",
        bounds=(0, 1),
        description="delay from an onset to when its stimulus arrives (eye or ear to the region)",
    )
    shape: Shape = parameter(
        "block",
        unit="-",
        description="what the stimulus does during an event; pulses need pulse_rate and pulse_width, sine frequency, chirp frequency "
        "and end_frequency, noise time_constant or band, file file and sampling_rate",
    )
    pulse_rate: float | None = parameter(
        None, unit="Hz", bounds=(0.001, 1000), description="of pulses; as many as the event has room for"
    )
    pulse_width: float | None = parameter(
        None, unit="s", bounds=(1e-5, 100), description="area of a pulse over its height (of a cosine, its width there)"
    )
    pulse_edge: Literal["cosine", "rectangle"] = parameter("cosine", unit="-", description="raised cosine or rectangle")
    frequency: float | None = parameter(
        None, unit="Hz", bounds=(0, 1000), description="of a sine, or of a chirp when it begins"
    )
    end_frequency: float | None = parameter(None, unit="Hz", bounds=(0, 1000), description="of a chirp when it ends")
    phase: float = parameter(0.0, unit="rad", bounds=(-7, 7), description="of a sine or chirp when it begins")
    time_constant: float | None = parameter(
        None, unit="s", bounds=(0.001, 1000), description="of noise (Ornstein-Uhlenbeck process)"
    )
    band: tuple[float, float] | None = parameter(None, unit="Hz", description="of noise: lowest and highest frequency")
    independent: bool = parameter(False, unit="-", description="noise of its own in each region")
    file: str | None = parameter(
        None, unit="-", description="course (.npy, .csv, .tsv): one column for all regions, or one for each"
    )
    sampling_rate: float | None = parameter(None, unit="Hz", bounds=(0.001, 100_000), description="of the file")

    @field_validator("regions", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        """Take a name alone for a list of one."""
        return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if not self.trial_type.strip() or set(self.trial_type) & set("\t\n\r"):
            raise ValueError(f"`trial_type`: {self.trial_type!r} cannot stand in an events table")
        if self.trial_type.strip() in RESERVED:
            meant = "the intercept" if self.trial_type.strip() == "constant" else "a missing value"
            raise ValueError(f"`trial_type`: design matrices take {self.trial_type!r} for {meant}; choose another name")
        if not self.regions and not self.near and self.network is None and self.kind is None:
            raise ValueError(
                "`regions`: no region is reached; name `regions`, a `network`, a `kind` or places `near` them"
            )
        if self.onset is None and (self.period, self.count) != (None, None) and self.onsets is None:
            raise ValueError("`onset`: missing; `period` and `count` go on from it")
        if self.onsets is not None and (self.onset, self.period, self.count) != (None, None, None):
            raise ValueError("`onsets`: give either `onsets` or `onset`, `period` and `count`, not both")
        if self.jitter and (self.period is None or self.jitter > self.period):
            raise ValueError("`jitter`: it spreads the onsets of a `period`, and is no longer than that")
        if self.count not in (None, 1) and self.period is None:
            raise ValueError("`period`: missing; more than one event needs it")
        if problem := shape_problem(self) or imposed_problem(self):
            raise ValueError(problem)
        return self

    @property
    def timed(self) -> bool:
        """Whether it says itself when its events are."""
        return self.onsets is not None or self.onset is not None

    @property
    def largest(self) -> float:
        """Amplitude of its largest event."""
        sizes = self.modulation if isinstance(self.modulation, tuple) else (1.0,)
        return self.amplitude * max(sizes, key=abs, default=1.0)

    @property
    def n_pulses(self) -> int:
        """Pulses that begin and (at half their height) end within an event."""
        return int((self.duration - (self.pulse_width or 0.0) + SLACK) * (self.pulse_rate or 0.0)) + 1

    @property
    def tail(self) -> float:
        """Seconds by which the current may outlast the event."""
        return max(self.rise, self.pulse_width or 0.0)

    @property
    def selectors(self) -> dict[str, tuple[str, ...]]:
        """How `regions`, `network` and `kind` choose regions, in the words of `structure.selection`."""
        groups = {"network": self.network, "kind": self.kind}
        named = {group: (f"{group}:{value}",) for group, value in groups.items() if value is not None}
        return {"regions": self.regions, **named}

    def times(self, run_duration: float) -> tuple[float, ...]:
        """Return the onset of every event in s, sorted; none when the run's design or events present it."""
        if self.onsets is not None:
            return tuple(sorted(self.onsets))
        if self.onset is None:
            return ()
        first, period = self.onset, self.period or 1.0
        fitting = 1 if self.period is None else int((run_duration - first - self.duration + SLACK) / period) + 1
        count = max(1, fitting) if self.count is None else self.count
        # Squares times the golden ratio fill an interval evenly and never repeat: irregular, and the same every time.
        onsets = [round(first + k * period + self.jitter * (k * k * GOLDEN_RATIO % 1), 9) for k in range(count)]
        late = self.count is None and len(onsets) > 1 and onsets[-1] + self.duration > run_duration + SLACK
        return tuple(onsets[:-1] if late else onsets)

    def sizes(self, n: int) -> tuple[float, ...]:
        """Return the size of each of its ``n`` events in the order of `times`.

        Raises
        ------
        InputError
            If they are still to be drawn or read: `stimuli.presented` does that.
        """
        if isinstance(self.modulation, str):
            raise InputError(f"condition '{self.trial_type}': the sizes '{self.modulation}' belong to a run")
        if self.modulation is None or self.onsets is None:
            return self.modulation or (1.0,) * n
        return tuple(size for _, size in sorted(zip(self.onsets, self.modulation, strict=True)))

    def events(self, run_duration: float) -> tuple[Event, ...]:
        """Return its events, sorted."""
        times = self.times(run_duration)
        sized = zip(times, self.sizes(len(times)), strict=True)
        return tuple(Event(onset, self.duration, self.trial_type, size) for onset, size in sized)

    def problems(self, run_duration: float) -> list[str]:
        """Return what is wrong with the times of its events in a run of this length."""
        here = f"condition '{self.trial_type}'"
        times = self.times(run_duration)
        if not times:
            return [f"{here} has no onset" + ("" if self.timed else MISSING)]
        if isinstance(self.modulation, tuple) and len(self.modulation) != len(times):
            return [f"{here}: `modulation` has {len(self.modulation)} sizes for {len(times)} events"]
        if times[0] < 0:
            return [f"{here}: the onset {times[0]:g} s is before the start of the run"]
        if times[-1] + self.duration > run_duration + SLACK:
            end = f"{times[-1]:g} s + {self.duration:g} s"
            return [f"{here}: the event at {end} ends after the run of {run_duration:g} s"]
        close = np.flatnonzero(np.diff(times) < self.duration - SLACK)
        if close.size:
            first, second = times[close[0]], times[close[0] + 1]
            both = f"the events at {first:g} s and {second:g} s overlap, as each lasts {self.duration:g} s"
            return [f"{here}: {both}; their {'currents' if self.percent is None else 'responses'} would add"]
        return []


def shortened(condition: Mapping[str, Any], run_duration: float) -> dict[str, Any] | None:
    """Return the plain values of a condition without the events that a shorter run has no room for; None when none is left.

    Examples
    --------
    >>> shortened({"trial_type": "tone", "network": "Auditory", "duration": 1.0, "onsets": [5.0, 90.0]}, 60.0)["onsets"]
    [5.0]
    """
    kept = {key: value for key, value in condition.items() if key != "count" or condition.get("period") is None}
    length = condition.get("duration", Condition.model_fields["duration"].default)
    onsets, sizes = condition.get("onsets"), condition.get("modulation")
    if onsets is not None:
        fits = [onset + length <= run_duration + SLACK for onset in onsets]
        kept["onsets"] = [onset for onset, fit in zip(onsets, fits, strict=True) if fit]
        if isinstance(sizes, list) and len(sizes) == len(onsets):
            kept["modulation"] = [size for size, fit in zip(sizes, fits, strict=True) if fit]
        return kept if kept["onsets"] else None
    if isinstance(sizes, list):
        plain = Condition.parse({key: value for key, value in kept.items() if key != "modulation"})
        kept["modulation"] = sizes[: len(plain.times(run_duration))] or None
    return kept if (condition.get("onset") or 0.0) + length <= run_duration + SLACK else None


def events_of(conditions: Sequence[Condition], run_duration: float) -> tuple[Event, ...]:
    """Return every event of a run, sorted by onset, each once: two conditions may reach other regions by the same events.

    Examples
    --------
    >>> face = Condition(trial_type="face", network="Visual", onset=10.0, duration=5.0, period=20.0)
    >>> [event.onset for event in events_of([face], 60.0)]
    [10.0, 30.0, 50.0]
    """
    return tuple(sorted({event for condition in conditions for event in condition.events(run_duration)}))
