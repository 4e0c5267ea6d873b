"""What a design imposes on binding during a scan: transmitter that is released, sites that a drug takes, places of displaced binding.

With u = t - onset, a course is 0 before the onset, 1 at its largest, and then

    gamma        h = (u / peak)^a exp(a (1 - u / peak))      lp-ntPET (Normandin et al. 2012)
    exponential  h = exp(-u / decay)                          LSRRM (Alpert et al. 2003)
    step         h = 1 for `duration`

References
----------
Alpert et al. (2003), NeuroImage 19:1050. Normandin, Schiffer and Morris (2012), NeuroImage 59:2714.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import field_validator, model_validator

from fakeimaging.core.parameters import Parameters, one_or_more, parameter
from fakeimaging.structure.parcellation import Region
from fakeimaging.structure.selection import check_known, chosen

Array = npt.NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


class Challenge(Parameters):
    """A release of transmitter, or a drug at the sites, during the scan."""

    onset: float = parameter(0.0, unit="s", bounds=(0, 14_400), description="after injection")
    size: float | None = parameter(
        None,
        unit="1",
        bounds=(-1, 100),
        description="relative change of the transmitter at its largest: 1.0 doubles it",
    )
    occupancy: float | None = parameter(
        None,
        unit="1",
        bounds=(0, 1),
        description="share of the sites that a drug takes at its largest, in place of `size`",
    )
    shape: Literal["gamma", "exponential", "step"] = parameter("gamma", unit="-", description="of its course")
    peak: float = parameter(600.0, unit="s", bounds=(1, 14_400), description="of a gamma course, after the onset")
    sharpness: float = parameter(1.0, unit="1", bounds=(0.05, 20), symbol="alpha", description="of a gamma course")
    decay: float = parameter(900.0, unit="s", bounds=(1, 100_000), description="time constant of an exponential course")
    duration: float | None = parameter(
        None, unit="s", bounds=(1, 14_400), description="of a step; to the end of the scan when left out"
    )
    where: tuple[str, ...] = parameter(
        ("all",), unit="-", description="regions, in words: names, kind:putamen, network:DefaultMode, hemisphere:L, all"
    )

    @field_validator("where", mode="before")
    @classmethod
    def _one_word_is_a_list_of_one(cls, where: Any) -> Any:
        return one_or_more(where)

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if (self.size is None) == (self.occupancy is None):
            raise ValueError("`size`: give either it (transmitter) or `occupancy` (a drug at the sites)")
        return self

    def course(self, times: npt.ArrayLike) -> Array:
        """Return the course at ``times`` (s after injection), 1 at its largest.

        Examples
        --------
        >>> Challenge(onset=1200.0, size=1.0, peak=600.0).course([0.0, 1800.0])
        array([0., 1.])
        """
        u = np.asarray(times, dtype=float) - self.onset
        since = np.maximum(u, 0.0)
        if self.shape == "gamma":
            h = (since / self.peak) ** self.sharpness * np.exp(self.sharpness * (1 - since / self.peak))
        elif self.shape == "exponential":
            h = np.exp(-since / self.decay)
        else:
            h = np.where(u < (np.inf if self.duration is None else self.duration), 1.0, 0.0)
        return np.where(u >= 0, h, 0.0)

    @property
    def breaks(self) -> tuple[float, ...]:
        """Seconds at which the course jumps or sets in."""
        stops = self.shape == "step" and self.duration is not None
        return (self.onset, self.onset + self.duration) if stops and self.duration is not None else (self.onset,)


class Displaced(Parameters):
    """A place of its own, grown through grey matter from a point, where binding is lost."""

    near: tuple[float, float, float] = parameter(unit="mm", description="where it grows from, in the template's space")
    volume: float = parameter(
        unit="mm3",
        bounds=(1, 1_000_000),
        description="of its voxels in the template's space; a table tells how much of it is grey matter in the image",
    )
    reduction: float = parameter(unit="1", bounds=(0, 1), description="share of binding (k3, BPND) that is lost")
    onset: float = parameter(0.0, unit="s", bounds=(0, 14_400), description="from when on, after injection")
    where: tuple[str, ...] = parameter(
        ("all",),
        unit="-",
        description="regions it may grow into, in words: names, kind:putamen, network:DefaultMode ...",
    )

    @field_validator("where", mode="before")
    @classmethod
    def _one_word_is_a_list_of_one(cls, where: Any) -> Any:
        return one_or_more(where)


FINEST, COARSEST = 1.0, 30.0
"""Seconds: shortest and longest step in which the course of a challenge is followed (assumed)."""
STEPS_TO_PEAK = 20
"""Steps that a course takes to its peak, or an exponential one in its time constant (assumed)."""


def refined(edges: Array, challenges: Sequence[Challenge]) -> Array:
    """Return edges of steps (s after injection) that also follow the courses of challenges, each from its onset to the end."""
    end = float(edges[-1])
    more = [np.array(challenge.breaks) for challenge in challenges]
    for challenge in challenges:
        scale = {"gamma": challenge.peak, "exponential": challenge.decay, "step": np.inf}[challenge.shape]
        if np.isfinite(scale):
            step = min(max(scale / STEPS_TO_PEAK, FINEST), COARSEST)
            more.append(np.arange(challenge.onset, end, step))
    return united(edges, *more)


def united(edges: Array, *more: Array) -> Array:
    """Return edges and those of ``more`` between the first and the last, each once (to a microsecond)."""
    within = [times[(times > edges[0]) & (times < edges[-1])] for times in more]
    together = np.sort(np.concatenate([edges, *within]))
    return np.asarray(together[np.append(True, np.diff(together) > 1e-6)])


def held(coarse: Array, fine: Array) -> npt.NDArray[np.intp]:
    """Return the step between ``coarse`` edges in which each step between ``fine`` ones lies."""
    return np.searchsorted(coarse[:-1], fine[:-1] + 1e-6, side="right") - 1


def step_means(challenge: Challenge, edges: Array) -> Array:
    """Return the mean course between consecutive ``edges`` (s), shape (len(edges) - 1,); the course has no jump between two."""
    half, middle = np.diff(edges)[:, None] / 2, (edges[1:] + edges[:-1])[:, None] / 2
    return np.asarray(challenge.course(middle + half * _NODES) @ _WEIGHTS / 2)


def regional_course(challenges: Sequence[Challenge], amount: str, edges: Array, regions: Sequence[Region]) -> Array:
    """Return the sum over challenges of ``amount`` ("size" or "occupancy") times course, shape (len(edges) - 1, n_regions)."""
    total = np.zeros((len(edges) - 1, len(regions)))
    for c, challenge in enumerate(challenges):
        check_known(challenge.where, regions, where=f"pet.challenges[{c}].where")
        size = getattr(challenge, amount)
        if size is not None:
            total += size * np.outer(step_means(challenge, edges), chosen(challenge.where, regions))
    return total
