"""Covariates of the subjects: group, age, sex. What they can be, and which subject has which.

A categorical covariate has fixed shares: subjects come in blocks, the smallest number of them that holds the shares exactly, and
each block is in an order of its own. A continuous one is drawn for each subject from the subject's own stream. So a subject that
is added at the end changes nobody before it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Literal, Self

from pydantic import model_validator

from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.core.streams import Streams

Value = str | float
"""A level, or a number."""
RESERVED = ("participant_id",)
FINEST_SHARE = 100
"""Largest denominator of a share: blocks stay short enough for shares to hold in small groups as well."""
ROUNDED = 6e-4
"""By how much a written share may differ from an exact one: 0.333 is a third."""
ADDED = 1e-6
"""By how much the sum of shares may miss 1."""
BIDS_LEVELS = {
    "sex": {"male", "m", "M", "MALE", "Male", "female", "f", "F", "FEMALE", "Female", "other", "o", "O", "OTHER", "Other"},
    "handedness": {
        "left", "l", "L", "LEFT", "Left", "right", "r", "R", "RIGHT", "Right", "ambidextrous", "a", "A", "AMBIDEXTROUS",
        "Ambidextrous",
    },
}  # fmt: skip
"""Levels that BIDS allows in columns of these names (specification 1.10, participants file)."""


class Covariate(Parameters):
    """One covariate: ``levels`` with ``shares``, or numbers with a ``distribution``."""

    levels: tuple[str, ...] = parameter(
        (), unit="-", description="of a categorical covariate; the first is the reference"
    )
    shares: tuple[float, ...] = parameter(
        (),
        unit="1",
        description="of the levels: they add to 1, or are whole numbers of parts (2 and 1); equal when left out",
    )
    meanings: dict[str, str] = parameter({}, unit="-", description="words for levels in participants.json")
    distribution: Literal["uniform", "normal"] | None = parameter(
        None, unit="-", description="of a continuous covariate: uniform needs low and high, normal mean and sd"
    )
    low: float | None = parameter(None, unit="-", description="of a uniform distribution")
    high: float | None = parameter(None, unit="-", description="of a uniform distribution")
    mean: float | None = parameter(None, unit="-", description="of a normal distribution")
    sd: float | None = parameter(None, unit="-", bounds=(0, None), description="of a normal distribution")
    decimals: int = parameter(
        2, unit="1", bounds=(0, 9), description="numbers are rounded to, as participants.tsv has them"
    )
    unit: str | None = parameter(
        None, unit="-", description="of the numbers, for participants.json; BIDS has age in years"
    )
    description: str = parameter("", unit="-", description="words for participants.json")

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        problem = self._categorical_problem() if self.levels else self._continuous_problem()
        if problem:
            raise ValueError(problem)
        return self

    def _categorical_problem(self) -> str:
        if self.distribution is not None or {self.low, self.high, self.mean, self.sd, self.unit} != {None}:
            return "`levels`: a covariate has either levels or a distribution of numbers"
        if len(self.levels) < 2 or len(set(self.levels)) < len(self.levels):
            return "`levels`: at least two are needed, each another one"
        for level in self.levels:
            if not level.strip() or level.strip() == "n/a" or set(level) & set("\t\r\n"):
                return f"`levels`: {level!r} cannot stand in participants.tsv"
        if unknown := set(self.meanings) - set(self.levels):
            return f"`meanings`: {min(unknown)!r} is none of the levels"
        if self.shares and (len(self.shares) != len(self.levels) or min(self.shares) <= 0):
            return f"`shares`: one above 0 for each of {', '.join(self.levels)}"
        total = math.fsum(self.shares)
        if self.shares and abs(total - 1) > ADDED and any(share % 1 for share in self.shares):
            return f"`shares`: {', '.join(f'{share:g}' for share in self.shares)} add to {total:g}, not to 1"
        if not self._has_exact_shares():
            return f"`shares`: in hundredths of a whole at the finest, not {', '.join(f'{share:g}' for share in self.shares)}"
        return ""

    def _has_exact_shares(self) -> bool:
        total = math.fsum(self.shares)
        away = [abs(share / total - exact) for share, exact in zip(self.shares, self.fractions, strict=False)]
        return sum(self.fractions) == 1 and min(self.fractions) > 0 and max(away, default=0.0) < ROUNDED

    def _continuous_problem(self) -> str:
        if self.shares or self.meanings:
            return "`levels`: missing, and `shares` and `meanings` belong to them"
        if self.distribution is None:
            return "`levels`: missing; give levels, or a distribution"
        own = {"uniform": (self.low, self.high), "normal": (self.mean, self.sd)}
        given, other = own.pop(self.distribution), own.popitem()[1]
        if None in given or other != (None, None):
            needed = "low and high" if self.distribution == "uniform" else "mean and sd"
            return f"`distribution`: {self.distribution} takes {needed}, and no more"
        if self.spread <= 0:
            return (
                "`high`: not above low" if self.distribution == "uniform" else "`sd`: 0; numbers that differ are needed"
            )
        return ""

    @property
    def categorical(self) -> bool:
        """Whether it has levels."""
        return bool(self.levels)

    @property
    def fractions(self) -> tuple[Fraction, ...]:
        """Exact shares of the levels."""
        if not self.shares:
            return (Fraction(1, len(self.levels)),) * len(self.levels)
        total = math.fsum(self.shares)
        return tuple(Fraction(share / total).limit_denominator(FINEST_SHARE) for share in self.shares)

    @property
    def block(self) -> tuple[str, ...]:
        """The fewest subjects that hold the shares exactly, level by level."""
        size = math.lcm(*(share.denominator for share in self.fractions))
        return tuple(
            level for level, share in zip(self.levels, self.fractions, strict=True) for _ in range(int(share * size))
        )

    @property
    def centre(self) -> float:
        """Mean of the distribution of numbers."""
        low, high = self.low or 0.0, self.high or 0.0
        return (low + high) / 2 if self.distribution == "uniform" else self.mean or 0.0

    @property
    def spread(self) -> float:
        """SD of the distribution of numbers."""
        low, high = self.low or 0.0, self.high or 0.0
        return (high - low) / math.sqrt(12) if self.distribution == "uniform" else self.sd or 0.0

    def draw(self, name: str, place: int, label: str, root: Streams) -> Value:
        """Return the value of one subject.

        Parameters
        ----------
        name : str
            Of the covariate.
        place : int
            Of the subject among those of the study, from 0.
        label : str
        root : Streams
            Of the study.
        """
        if self.categorical:
            block, within = divmod(place, len(self.block))
            order = root.at("cohort", "covariates", name, f"block-{block + 1}").rng().permutation(len(self.block))
            return self.block[order[within]]
        rng = root.at(f"sub-{label}", "covariates", name).rng()
        standard = math.sqrt(12) * (rng.random() - 0.5) if self.distribution == "uniform" else rng.standard_normal()
        value = self.centre + self.spread * standard
        return round(value, self.decimals) if self.decimals else round(value)


def name_problems(covariates: Mapping[str, Covariate]) -> Iterator[str]:
    """Yield names that cannot head a column of participants.tsv, and levels that BIDS does not allow there."""
    seen: dict[str, str] = {}
    for name, covariate in covariates.items():
        where = f"covariates.{name}"
        if name.lower() in RESERVED:
            yield f"`{where}`: BIDS has this column of participants.tsv for the labels; choose another name"
        elif not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            yield f"`{where}`: a name has letters, digits and underscores, and begins with a letter"
        if name.lower() in seen:
            yield f"`{where}`: there is `covariates.{seen[name.lower()]}` already (case does not count)"
        seen[name.lower()] = name
        allowed = BIDS_LEVELS.get(name)
        if allowed is not None and (strange := sorted(set(covariate.levels) - allowed)):
            yield f"`{where}.levels`: {strange[0]!r} is not among what BIDS allows in this column ({', '.join(sorted(allowed))})"
