"""What makes the subjects of a study differ: effects of covariates on its numbers, and differences that no covariate explains.

A number of the study with the value b in the file is, for subject i with covariates x_i,

    value_i = b * prod_j scale_j ** x_ij + sum_j add_j * x_ij + sum_k sd_k * z_ik,    z ~ N(0, 1)

where x_ij is 1 in the level of a categorical effect and 0 elsewhere, and the distance from `reference` in a continuous one. So the
difference between two levels, the slope on a number and their ratio to the SD between subjects (Cohen's d) are known exactly. The
null twin of a study has the same x and z, and every effect left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pydantic import model_validator

from fakeimaging.core.errors import ParameterError, did_you_mean
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.core.streams import Streams
from fakeimaging.core.text import listed
from fakeimaging.dataset.covariates import Covariate, Value
from fakeimaging.dataset.sites import Site, sites_of

if TYPE_CHECKING:
    from fakeimaging.dataset.study import Study


class Reach(Parameters):
    """Which numbers of a study something acts on."""

    on: str = parameter(
        unit="-",
        description="key, as settings name it: runs.parameters.loop_gain, runs.conditions.look.amplitude, bold.snr, subject...",
    )
    task: str | None = parameter(
        None, unit="-", description="in the runs of this task and the scans of it; in all when left out"
    )
    session: str | None = parameter(None, unit="-", description="in this session; in all when left out")

    @property
    def key(self) -> tuple[str, str | None, str | None]:
        """What it reaches."""
        return (self.on, self.task, self.session)


class Effect(Reach):
    """What a covariate does to a number of the study: ``add`` or ``scale``, in a level or for each unit of a continuous one."""

    covariate: str = parameter(unit="-", description="name of the covariate")
    level: str | None = parameter(None, unit="-", description="level that has the effect; for categorical ones")
    reference: float | None = parameter(
        None, unit="-", description="where a continuous effect is 0; the mean of its distribution when left out"
    )
    add: float | None = parameter(
        None, unit="-", description="added: in the level, or for each unit from the reference"
    )
    scale: float | None = parameter(
        None,
        unit="1",
        bounds=(1e-6, 1e6),
        description="multiplied: in the level, or once for each unit from the reference",
    )

    @model_validator(mode="after")
    def _adds_or_multiplies(self) -> Self:
        if (self.add is None) == (self.scale is None):
            raise ValueError("`add`: give either add or scale")
        return self

    def dose(self, value: Value, covariate: Covariate) -> float:
        """Return how many times the effect acts on a subject with this value of its covariate."""
        if isinstance(value, str):
            return float(value == self.level)
        return value - (covariate.centre if self.reference is None else self.reference)


class Variability(Reach):
    """A difference between subjects that no covariate explains: normal, the same for a subject wherever it acts."""

    sd: float | None = parameter(None, unit="-", bounds=(0, None), description="SD, in the unit of the number")
    relative: float | None = parameter(None, unit="1", bounds=(0, 1), description="SD over the number in the file")

    @model_validator(mode="after")
    def _has_one_size(self) -> Self:
        if (self.sd is None) == (self.relative is None):
            raise ValueError("`sd`: give either sd or relative")
        return self

    def size(self, base: float) -> float:
        """Return the SD in the unit of the number."""
        return self.sd if self.sd is not None else (self.relative or 0.0) * abs(base)

    def draw(self, label: str, root: Streams) -> float:
        """Return the deviation of a subject in SDs."""
        return float(
            root.at(f"sub-{label}", "variability", *(part or "all" for part in self.key)).rng().standard_normal()
        )


@dataclass(frozen=True)
class Touched:
    """A number of the study that differs between subjects, wherever it stands, and all that acts on it.

    Parameters
    ----------
    name : str
        Key, and where it stands if the same key differs otherwise elsewhere.
    sites : tuple of Site
    effects : tuple of Effect
    variability : tuple of Variability
    """

    name: str
    sites: tuple[Site, ...]
    effects: tuple[Effect, ...]
    variability: tuple[Variability, ...]

    @property
    def base(self) -> float:
        """Value in the file."""
        return self.sites[0].base

    def expected(self, covariates: Mapping[str, Value], study: Study) -> float:
        """Return the value of subjects with these covariates, but for what none explains."""
        factor, shift = 1.0, 0.0
        for effect in () if study.null else self.effects:
            dose = effect.dose(covariates[effect.covariate], study.covariates[effect.covariate])
            factor *= effect.scale**dose if effect.scale is not None else 1.0
            shift += effect.add * dose if effect.add is not None else 0.0
        return self.base * factor + shift

    def value(self, covariates: Mapping[str, Value], study: Study, label: str) -> float:
        """Return the value of a subject."""
        root = Streams(study.seed or 0)
        own = math.fsum(v.size(self.base) * v.draw(label, root) for v in self.variability)
        return self.expected(covariates, study) + own

    @property
    def sd(self) -> float:
        """SD between subjects with the same covariates."""
        return math.hypot(*(v.size(self.base) for v in self.variability))


def covariates_of(study: Study, label: str) -> dict[str, Value]:
    """Return the covariates of a subject by name; the study needs a seed."""
    root = Streams(study.seed or 0)
    place = int(label) - 1 if isinstance(study.subjects, int) else study.subjects.index(label)
    return {name: covariate.draw(name, place, label, root) for name, covariate in study.covariates.items()}


def touched_by(study: Study) -> tuple[Touched, ...]:
    """Return every number of a sound study that differs between its subjects."""
    acting: dict[Site, list[Effect | Variability]] = {}
    ones: list[Effect | Variability] = [*study.effects, *study.variability]
    for one in ones:
        for site in sites_of(study, *one.key):
            acting.setdefault(site, []).append(one)
    alike: dict[tuple[str, float, tuple[int, ...]], list[Site]] = {}
    for site, ones in acting.items():
        alike.setdefault((site.on, site.base, tuple(map(id, ones))), []).append(site)
    keys = [on for on, _, _ in alike]
    return tuple(
        _touched(
            on if keys.count(on) == 1 else f"{on} ({', '.join(site.at for site in sites)})", sites, acting[sites[0]]
        )
        for (on, _, _), sites in alike.items()
    )


def _touched(name: str, sites: list[Site], ones: Sequence[Effect | Variability]) -> Touched:
    effects = tuple(one for one in ones if isinstance(one, Effect))
    return Touched(name, tuple(sites), effects, tuple(one for one in ones if isinstance(one, Variability)))


def values_of(study: Study, label: str, touched: Sequence[Touched]) -> dict[str, float]:
    """Return a subject's value of every number that differs, by its name."""
    covariates = covariates_of(study, label)
    return {one.name: one.value(covariates, study, label) for one in touched}


def content_for(study: Study, label: str, touched: Sequence[Touched]) -> dict[str, Any]:
    """Return the plain content of the study as one subject has it, unchecked."""
    content = study.content() | {"covariates": {}, "effects": [], "variability": [], "null": False}
    values = values_of(study, label, touched)
    for one in touched:
        for site in one.sites:
            site.put(content, values[one.name])
    return content


def for_subject(study: Study, label: str) -> Study:
    """Return the study as one subject has it: its own value wherever subjects differ, and nothing left that makes them differ.

    Examples
    --------
    >>> from fakeimaging import read_study
    >>> study = read_study()
    >>> for_subject(study, "01") is study
    True
    """
    if not study.effects and not study.variability:
        return study
    return type(study).parse(content_for(study, label, touched_by(study)))


def without_lost(study: Study) -> Study:
    """Return a study without the effects and the variability whose runs and scans it no longer has."""
    kept = {
        what: tuple(one for one in getattr(study, what) if not list(_site_problems(study, one, what)))
        for what in ("effects", "variability")
    }
    return study.model_copy(update=kept)


def effect_problems(study: Study) -> Iterator[str]:
    """Yield what is wrong with effects and variability whoever the subjects are: names, levels and keys."""
    for e, effect in enumerate(study.effects):
        yield from _covariate_problems(effect, study.covariates, f"effects[{e}]")
        yield from _site_problems(study, effect, f"effects[{e}].on")
    seen = set()
    for v, own in enumerate(study.variability):
        yield from _site_problems(study, own, f"variability[{v}].on")
        if own.key in seen:
            yield f"`variability[{v}].on`: {own.on} is there twice; give one entry with the SD of both"
        seen.add(own.key)


def _covariate_problems(effect: Effect, covariates: Mapping[str, Covariate], where: str) -> Iterator[str]:
    covariate = covariates.get(effect.covariate)
    if covariate is None:
        yield f"`{where}.covariate`: no covariate '{effect.covariate}'{did_you_mean(effect.covariate, covariates)}"
    elif not covariate.categorical and effect.level is not None:
        yield f"`{where}.level`: {effect.covariate} has numbers, not levels; leave it out"
    elif covariate.categorical and effect.reference is not None:
        yield f"`{where}.reference`: {effect.covariate} has levels, not numbers; leave it out"
    elif covariate.categorical and effect.level is None:
        yield f"`{where}.level`: missing; which of the levels of {effect.covariate} has the effect: {listed(covariate.levels, 'or')}?"
    elif covariate.categorical and effect.level not in covariate.levels:
        hint = did_you_mean(str(effect.level), covariate.levels)
        yield f"`{where}.level`: {effect.covariate} has no level {effect.level!r}{hint}"


def _site_problems(study: Study, reach: Reach, where: str) -> Iterator[str]:
    try:
        sites_of(study, *reach.key, where=where)
    except ParameterError as error:
        yield from error.problems
