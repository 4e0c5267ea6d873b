"""How large every effect of a covariate truly is, in closed form: what a group analysis should find."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fakeimaging.dataset.covariates import Value
from fakeimaging.dataset.effects import Touched, touched_by

if TYPE_CHECKING:
    from fakeimaging.dataset.study import Study


DIGITS = 12
"""Significant digits of numbers in a file: rounding errors of sums stay out of them."""


@dataclass(frozen=True)
class Contrast:
    """A difference between two levels, or a slope on numbers, of one thing that differs between subjects.

    Parameters
    ----------
    touched : Touched
    covariate : str
    level, reference : str or None
        Level compared, and the one it is compared with; None for a slope.
    size : float
        Difference, or slope for each unit of the covariate at the centre of its distribution, all other covariates at their
        reference level or centre; 0 in a null twin.
    spread : float or None
        SD of the covariate's distribution, if it has numbers.
    """

    touched: Touched
    covariate: str
    level: str | None
    reference: str | None
    size: float
    spread: float | None

    @property
    def words(self) -> str:
        """What is compared: ``group: patient - control``, or ``age``."""
        return self.covariate if self.level is None else f"{self.covariate}: {self.level} - {self.reference}"

    @property
    def standardised(self) -> float | None:
        """Size over the SD between subjects with the same covariates (Cohen's d of two levels); None where all are the same."""
        return self.size / self.touched.sd if self.touched.sd else None

    @property
    def correlation(self) -> float | None:
        """Correlation with a continuous covariate in the population, other covariates held fixed."""
        if self.spread is None:
            return None
        explained = self.size * self.spread
        return explained / math.hypot(explained, self.touched.sd) if explained else 0.0

    def content(self) -> dict[str, Any]:
        """Return plain values for a file, numbers with `DIGITS` significant digits."""
        compared = (
            {"level": self.level, "reference": self.reference}
            if self.level is not None
            else {"per_unit_of": self.covariate}
        )
        sizes = {
            "value_in_file": self.touched.base,
            "size": self.size,
            "sd_between_subjects": self.touched.sd,
            "standardised": self.standardised,
        }
        found: dict[str, Any] = {"on": self.touched.name, "covariate": self.covariate, **compared, **sizes}
        if self.spread is not None:
            found |= {"sd_of_covariate": self.spread, "correlation": self.correlation}
        return {name: float(f"{x:.{DIGITS}g}") if isinstance(x, float) else x for name, x in found.items()}


def contrasts(study: Study) -> tuple[Contrast, ...]:
    """Return the true size of every effect; those of a null twin are 0."""
    found = []
    for touched in touched_by(study):
        for name in dict.fromkeys(effect.covariate for effect in touched.effects):
            covariate = study.covariates[name]
            if not covariate.categorical:
                found.append(Contrast(touched, name, None, None, _slope(touched, name, study), covariate.spread))
                continue
            first, *others = covariate.levels
            sizes = [_difference(touched, name, level, first, study) for level in others]
            found += [
                Contrast(touched, name, level, first, size, None) for level, size in zip(others, sizes, strict=True)
            ]
    return tuple(found)


def _typical(study: Study) -> dict[str, Value]:
    return {name: c.levels[0] if c.categorical else c.centre for name, c in study.covariates.items()}


def _difference(touched: Touched, name: str, level: str, reference: str, study: Study) -> float:
    typical = _typical(study)
    return touched.expected(typical | {name: level}, study) - touched.expected(typical | {name: reference}, study)


def _slope(touched: Touched, name: str, study: Study) -> float:
    """Return the derivative d/dx of b * prod scale ** x + sum add * x."""
    if study.null:
        return 0.0
    own = [effect for effect in touched.effects if effect.covariate == name]
    shift = math.fsum(effect.add for effect in own if effect.add is not None)
    growth = math.fsum(math.log(effect.scale) for effect in own if effect.scale is not None)
    typical = _typical(study)
    doses = [
        (e, e.dose(typical[e.covariate], study.covariates[e.covariate])) for e in touched.effects if e.scale is not None
    ]
    return touched.base * math.prod(e.scale**dose for e, dose in doses if e.scale is not None) * growth + shift
