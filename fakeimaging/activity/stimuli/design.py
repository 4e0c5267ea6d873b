"""Designs: when the trials of a run come, and of which type, laid out at random from a stream of the run.

Between the end of a trial and the onset of the next lies an interval, ``minimum`` plus what its distribution says, with the mean
asked for. A run's intervals are the distribution's quantiles in random order, so that their mean, and how long the run must be,
are the same in every draw. ``optimise`` keeps the most efficient of a stated number of draws (`efficiency`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import field_validator, model_validator

from fakeimaging.activity.stimuli.condition import Event
from fakeimaging.activity.stimuli.efficiency import efficiency
from fakeimaging.activity.stimuli.orders import ORDERS
from fakeimaging.activity.stimuli.rules import SLACK
from fakeimaging.core.errors import InputError
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.core.streams import Streams

REST = "rest"
"""A trial type that is time without a stimulus, unless a condition has that name."""
USUAL: dict[str, dict[str, Any]] = {
    "block": {"interval": "fixed", "order": "given", "mean_interval": 15.0, "minimum": 0.0},
    "event_related": {"interval": "exponential", "order": "random", "mean_interval": 4.0, "minimum": 2.0},
}
"""What a kind of design takes where nothing else is said (s; assumed, usual in practice)."""


class Design(Parameters):
    """How the trials of a run are laid out: of which types, how many, in which order, how far apart.

    What a trial does is said by the conditions of its type, which have no times of their own then. The type ``rest`` is time
    without a stimulus (a null event), unless a condition has that name.

    Examples
    --------
    >>> design = Design(kind="block", trial_types=("face", "house"), duration=10.0)
    >>> [(event.onset, event.trial_type) for event in lay_out(design, 60.0, streams=Streams(1))]
    [(10.0, 'face'), (35.0, 'house')]
    """

    kind: Literal["block", "event_related"] = parameter(
        "event_related",
        unit="-",
        description="block: types in turn, 15 s apart; event_related: random order, exponential intervals of 4 s, at least 2 s",
    )
    trial_types: tuple[str, ...] = parameter(
        unit="-", description="names of conditions; rest is time without a stimulus"
    )
    n: int | None = parameter(
        None, unit="1", bounds=(1, 10_000), description="trials of each type; as many as fit when left out"
    )
    duration: float | None = parameter(
        None, unit="s", bounds=(0, 3600), description="length of a trial; that of its condition when left out"
    )
    start: float = parameter(10.0, unit="s", bounds=(0, 3600), description="onset of the first trial")
    end: float = parameter(
        10.0, unit="s", bounds=(0, 3600), description="time kept free after the last trial, for its response"
    )
    interval: Literal["fixed", "exponential", "uniform", "geometric"] = parameter(
        "exponential", unit="-", description="distribution of the time from the end of a trial to the next onset"
    )
    mean_interval: float = parameter(4.0, unit="s", bounds=(0, 3600), description="its mean")
    minimum: float = parameter(2.0, unit="s", bounds=(0, 3600), description="its smallest value; not of fixed ones")
    grain: float = parameter(0.5, unit="s", bounds=(0.001, 60), description="step of geometric intervals")
    order: Literal["given", "random", "counterbalanced"] = parameter(
        "random", unit="-", description="of the types: in turn, shuffled, or each followed by each equally often"
    )
    optimise: Literal["detection", "estimation"] | None = parameter(
        None,
        unit="-",
        description="what the draw kept is best for: the size of responses of known shape, or their shape",
        source="Dale 1999, doi:10.1002/(SICI)1097-0193(1999)8:2/3<109::AID-HBM7>3.0.CO;2-W",
    )
    contrast: Literal["each", "differences"] = parameter(
        "each", unit="-", description="what is to be estimated well: each type against rest, or pairs of types"
    )
    tries: int = parameter(
        200, unit="1", bounds=(1, 100_000), description="draws of which an optimised design is the best"
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_kind(cls, values: Any) -> Any:
        known = USUAL.get(str(values.get("kind", "event_related"))) if isinstance(values, Mapping) else None
        return values if known is None else {**known, **values}

    @field_validator("trial_types", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if not self.trial_types:
            raise ValueError("`trial_types`: empty; name at least one")
        if len(set(self.trial_types)) < len(self.trial_types):
            raise ValueError(f"`trial_types`: one of {', '.join(self.trial_types)} is there twice")
        if self.interval != "fixed" and self.mean_interval < self.minimum:
            raise ValueError(f"`mean_interval`: {self.mean_interval:g} s is below the minimum of {self.minimum:g} s")
        if self.order == "counterbalanced" and self.n is not None and self.n % len(self.trial_types):
            many = len(self.trial_types)
            raise ValueError(
                f"`n`: {self.n} is no multiple of {many}, and each of {many} types follows each equally often"
            )
        if self.optimise and self.order == "given" and self.interval == "fixed":
            raise ValueError("`optimise`: nothing is drawn here; take a random `order` or another `interval`")
        if self.optimise and self.contrast == "differences" and self.n_real < 2:
            raise ValueError("`contrast`: differences need two types of trials")
        return self

    @property
    def n_real(self) -> int:
        """Types that are not rest by name."""
        return sum(name != REST for name in self.trial_types)

    def lengths(self, durations: Mapping[str, float] | None = None) -> dict[str, float]:
        """Return the length of a trial of each type in s; ``durations`` are those of the conditions."""
        known = durations or {}
        own = {name: self.duration if self.duration is not None else known.get(name) for name in self.trial_types}
        given = [length for length in own.values() if length is not None]
        missing = [name for name, length in own.items() if length is None and name != REST]
        if missing or not given:
            raise InputError(f"`design`: `duration` is missing; how long is a trial of '{(missing or [REST])[0]}'?")
        return {name: float(np.mean(given)) if length is None else length for name, length in own.items()}

    def trials(self, run_duration: float, durations: Mapping[str, float] | None = None) -> int:
        """Return how many trials of each type there are in a run of that many seconds; 0 when not one fits."""
        each = sum(self.lengths(durations).values())
        if self.n is not None:
            return self.n if self._fits(self.n, each, run_duration) else 0
        step = len(self.trial_types) if self.order == "counterbalanced" else 1
        most = int((run_duration + self.mean_interval) / max(each + len(self.trial_types) * self.mean_interval, SLACK))
        return next((n for n in range(most + step - most % step, 0, -step) if self._fits(n, each, run_duration)), 0)

    def needed(self, n: int, each: float) -> float:
        """Return the seconds that ``n`` trials of each type need, ``each`` s for one of each."""
        gaps = self.intervals(n * len(self.trial_types) - 1)
        return self.start + n * each + float(gaps.sum()) + self.end

    def check_room(self, run_duration: float, durations: Mapping[str, float] | None = None) -> None:
        """Raise InputError when a run of that many seconds has no room for it."""
        if self.trials(run_duration, durations) == 0:
            needed = self.needed(self.n or 1, sum(self.lengths(durations).values()))
            many = f"{self.n or 1} of each of {len(self.trial_types)} types"
            raise InputError(
                f"`design`: {many} need {needed:g} s with start and end, and the run lasts {run_duration:g} s",
                value=self.n,
            )

    def _fits(self, n: int, each: float, run_duration: float) -> bool:
        return self.needed(n, each) <= run_duration + SLACK

    def intervals(self, n: int) -> npt.NDArray[np.float64]:
        """Return ``n`` intervals in s: quantiles of their distribution, ascending, with the mean asked for."""
        extra, quantiles = self.mean_interval - self.minimum, (np.arange(n) + 0.5) / max(n, 1)
        if self.interval == "fixed" or n == 0:
            return np.full(n, self.mean_interval)
        if self.interval == "uniform":
            return self.minimum + 2 * extra * quantiles
        spread = -np.log1p(-quantiles)
        spread *= extra / spread.mean()
        if self.interval == "exponential":
            return self.minimum + spread
        return self.minimum + self.grain * _whole(spread / self.grain)


def _whole(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Round ascending values down; what is lost goes to the largest, one step each."""
    whole = np.floor(values + SLACK)
    lost = round(float(values.sum() - whole.sum()))
    steps = np.bincount(len(values) - 1 - np.arange(lost) % len(values), minlength=len(values))
    return np.asarray(whole + steps)


def lay_out(
    design: Design, run_duration: float, *, streams: Streams, durations: Mapping[str, float] | None = None,
    silent: bool = True,
) -> tuple[Event, ...]:  # fmt: skip
    """Return the trials of a run.

    Parameters
    ----------
    design : Design
    run_duration : float
        Seconds.
    streams : Streams
        Of this design: each draw has a stream of its own below it.
    durations : mapping of str to float, optional
        Length of a trial of each type in s where the design has none.
    silent : bool
        Whether `REST` is time without a stimulus.

    Raises
    ------
    InputError
        If the run has no room for them.
    """
    n, lengths = design.trials(run_duration, durations), design.lengths(durations)
    design.check_room(run_duration, durations)
    best: tuple[float, tuple[Event, ...]] = (-1.0, ())
    for k in range(design.tries if design.optimise else 1):
        events = _drawn(design, n, lengths, streams.at(f"try-{k + 1}").rng())
        if silent:
            events = tuple(event for event in events if event.trial_type != REST)
        if design.optimise is None:
            return events
        found = efficiency(events, run_duration, measure=design.optimise, contrast=design.contrast)
        best = max(best, (found, events), key=lambda pair: pair[0])
    return best[1]


def _drawn(design: Design, n: int, lengths: Mapping[str, float], rng: np.random.Generator) -> tuple[Event, ...]:
    types = ORDERS[design.order](len(design.trial_types), n, rng)
    gaps = rng.permutation(design.intervals(len(types) - 1))
    names = [design.trial_types[t] for t in types]
    steps = np.array([lengths[name] for name in names[:-1]]) + gaps
    onsets = design.start + np.concatenate([[0.0], np.cumsum(steps)])
    return tuple(
        Event(round(onset, 3), lengths[name], name) for onset, name in zip(onsets.tolist(), names, strict=True)
    )
