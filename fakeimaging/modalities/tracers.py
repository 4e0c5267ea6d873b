"""Tracers as data: one table each in ``data/tracers.toml``, or in a file of one's own; every number has a unit and a source."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import field_validator, model_validator

from fakeimaging.core.errors import InputError, ParameterError, UnknownNameError, did_you_mean
from fakeimaging.core.parameters import Parameters
from fakeimaging.modalities.kinetics import InputFunction, feng, rise_and_fall

MINUTE = 60.0
SUV_TIME = 60.0
"""Minutes after injection at which ``plasma_suv`` holds."""
BEYOND = ("brainstem", "white", "csf", "bone", "scalp")
"""Tissue outside every region; ``brainstem`` is grey matter without a label."""
NEEDED = {
    "trapping": ("K1", "k2", "k3", "vB", "lumped_constant", "plasma_glucose"),
    "reference": ("K1", "k2", "vB"),
    "metabolism": ("share",),
    "release": ("occupancy", "gain"),
    "none": (),
}
"""Constants that a model and a drive ask for."""

UNITS = {
    "K1": "mL/cm3/min",
    "k2": "1/min",
    "k3": "1/min",
    "vB": "1",
    "R1": "1",
    "BPND": "1",
    "cmrglc": "umol/100 mL/min",
    "lumped_constant": "1",
    "plasma_glucose": "umol/mL",
    "share": "1",
    "occupancy": "1",
    "gain": "1",
    "half_life": "s",
    "injected_activity": "MBq",
    "injected_mass": "ug",
    "frames": "s",
    "whole_blood": "1",
    "start": "min",
    "peak": "min",
    "rates": "1/min",
    "plasma_suv": "g/mL",
    "between": "1",
    "within": "1",
}
"""The unit each number is taken in; another one is refused, not converted."""
SHARES = {"vB", "share", "occupancy"}
"""Numbers that lie between 0 and 1."""


def problem_of(name: str, unit: str, values: Sequence[float]) -> str | None:
    """Say what is wrong with a number of a tracer, if anything is."""
    if name not in UNITS:
        return f"`{name}`: no such number of a tracer{did_you_mean(name, UNITS)}"
    if unit != UNITS[name]:
        return f"`{name}`: its unit here is {UNITS[name]}, not {unit}"
    if min(values) < 0 or (name in SHARES and max(values) > 1) or (name == "occupancy" and max(values) == 1):
        return f"`{name}`: {list(values)} is outside {'[0, 1]' if name in SHARES else '[0, inf)'}"
    return None


class Quantity(Parameters):
    """A number with its unit and its source."""

    value: float
    unit: str
    source: str


class Numbers(Parameters):
    """Several numbers with their unit and their source."""

    value: tuple[float, ...]
    unit: str
    source: str


class Framing(Parameters):
    """Numbers of frames and their lengths in s."""

    value: tuple[tuple[int, float], ...]
    unit: str
    source: str

    @field_validator("value")
    @classmethod
    def _positive(cls, value: tuple[tuple[int, float], ...]) -> tuple[tuple[int, float], ...]:
        if not value or any(n < 1 or seconds <= 0 for n, seconds in value):
            raise ValueError("pairs of how many frames (at least 1) and how long in s (above 0) are needed")
        return value

    @property
    def durations(self) -> list[float]:
        """Length of each frame in s."""
        return [seconds for n, seconds in self.value for _ in range(n)]


class Input(Parameters):
    """Shape of the plasma curve: ``feng`` (its model 2), or ``rise`` (linear to ``peak``, then exponentials)."""

    shape: Literal["feng", "rise"]
    start: Quantity
    peak: Quantity | None = None
    amplitudes: Numbers
    rates: Numbers
    plasma_suv: Quantity

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        n = len(self.rates.value)
        if len(self.amplitudes.value) != n or (self.shape == "feng" and n != 3):
            raise ValueError("`rates`: as many rates as amplitudes are needed, three of each for the shape 'feng'")
        if self.shape == "rise" and (self.peak is None or self.peak.value <= self.start.value):
            raise ValueError("`peak`: the shape 'rise' needs a peak after its start")
        return self

    def curve(self) -> InputFunction:
        """Return the concentration of unchanged tracer in plasma, in units of injected activity over body weight (SUV, g/mL)."""
        if self.shape == "feng" or self.peak is None:
            shape = feng(self.amplitudes.value, self.rates.value, self.start.value)
        else:
            shape = rise_and_fall(self.start.value, self.peak.value, self.amplitudes.value, self.rates.value)
        return shape.scaled(self.plasma_suv.value / float(shape.at(SUV_TIME)))


class Variation(Parameters):
    """How density or metabolism differs: SD of its logarithm between subjects, and within a subject between regions."""

    between: Quantity
    within: Quantity


class Tracer(Parameters):
    """A tracer: what it is, its plasma curve, its kinetics by kind of tissue, and how activity changes them."""

    title: str
    label: str
    tracer_name: str
    radionuclide: str
    binds: str
    driven_by: str
    model: Literal["trapping", "reference"]
    drive: Literal["metabolism", "release", "none"]
    half_life: Quantity
    injected_activity: Quantity
    injected_mass: Quantity | None = None
    frames: Framing
    parent_fraction: Numbers
    whole_blood: Quantity
    input: Input
    constants: dict[str, Quantity]
    variation: Variation
    kinds: dict[str, dict[str, Quantity]]

    @model_validator(mode="after")
    def _says_what_its_model_needs(self) -> Self:
        lacking = [name for name in NEEDED[self.model] + NEEDED[self.drive] if name not in self.constants]
        if lacking:
            raise ValueError(f"`constants`: a tracer of model '{self.model}' needs {', '.join(lacking)}")
        if missing := [kind for kind in BEYOND if kind not in self.kinds]:
            raise ValueError(f"`kinds`: there is nothing about {', '.join(missing)}")
        if not self.label.isalnum() or not self.label.isascii():
            raise ValueError(f"`label`: {self.label!r} is not letters and digits, as BIDS wants them")
        if len(self.parent_fraction.value) != 3 or self.half_life.value <= 0:
            raise ValueError("`parent_fraction` is three numbers, and `half_life` above 0 s")
        return self

    @model_validator(mode="after")
    def _numbers_are_of_their_units(self) -> Self:
        named = [
            (name, getattr(self, name)) for name in ("half_life", "injected_activity", "injected_mass", "whole_blood")
        ]
        named += [(name, getattr(self.input, name)) for name in ("start", "peak", "rates", "plasma_suv")]
        named += [(name, getattr(self.variation, name)) for name in ("between", "within")]
        named += [*self.constants.items(), *(pair for numbers in self.kinds.values() for pair in numbers.items())]
        found = [
            problem_of(name, number.unit, number.value if isinstance(number, Numbers) else [number.value])
            for name, number in named
            if number is not None
        ]
        if self.frames.unit != UNITS["frames"]:
            found.append(f"`frames`: its unit here is s, not {self.frames.unit}")
        if problems := list(dict.fromkeys(filter(None, found))):
            raise ValueError("; ".join(problems))
        return self

    @property
    def decay(self) -> float:
        """Decay constant in 1/min."""
        return float(np.log(2) / self.half_life.value * MINUTE)

    def constant(self, name: str) -> float:
        """Return a constant of the tracer as a whole."""
        return self.constants[name].value

    def of_kind(self, kind: str, name: str, default: float | None = None) -> float:
        """Return a number of one kind of tissue, or else the tracer's own, or else ``default``.

        Raises
        ------
        InputError
            If the tracer says nothing about this kind.
        """
        if kind not in self.kinds:
            raise InputError(
                f"the tracer {self.tracer_name} says nothing about the kind of region '{kind}'"
                f"{did_you_mean(kind, self.kinds)}",
                value=kind,
            )
        found = self.kinds[kind].get(name) or self.constants.get(name)
        if found is None and default is None:
            raise InputError(f"the tracer {self.tracer_name} has no {name} of '{kind}'", value=name)
        return found.value if found is not None else float(default)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Tracers:
    """The tracers of the package by name; a name that ends in ``.toml`` is a file with a table of one's own."""

    def names(self) -> list[str]:
        """Return the names of the package's tracers, sorted."""
        return sorted(_shipped())

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def get(self, name: str) -> Tracer:
        """Return a tracer by name or file.

        Raises
        ------
        UnknownNameError, InputError, ParameterError
            If there is no such tracer or file, or what it says cannot be used.

        Examples
        --------
        >>> TRACERS.get("fdg").radionuclide
        'F18'
        """
        if name.endswith(".toml"):
            return _own(name)
        if name not in self:
            known = self.names()
            raise UnknownNameError(
                f"no tracer called '{name}'{did_you_mean(name, known)}; a file of your own ends in .toml", value=name
            )
        return Tracer.parse(_shipped()[name], where=name)

    def table(self) -> list[dict[str, str]]:
        """Return one row a tracer: name, what it is, isotope, what it binds, what drives it."""
        rows = ((name, self.get(name)) for name in self.names())
        return [
            {
                "name": name,
                "tracer": tracer.title,
                "radionuclide": tracer.radionuclide,
                "half_life": f"{tracer.half_life.value / MINUTE:.1f} min",
                "binds": tracer.binds,
                "driven_by": tracer.driven_by,
            }
            for name, tracer in rows
        ]


TRACERS = Tracers()


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, dict[str, Any]]:
    return tomllib.loads((files("fakeimaging.data") / "tracers.toml").read_text())


def _own(name: str) -> Tracer:
    try:
        content = tomllib.loads(Path(name).read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot read the tracer {name}: {error}", value=name) from None
    if len(content) != 1 or not isinstance(table := next(iter(content.values())), dict):
        raise ParameterError([f"{name}: one table with one tracer is needed, not {len(content)}"])
    base = table.pop("like", None)
    if base is not None and base not in _shipped():
        raise ParameterError([f"{name}: `like`: no tracer called '{base}'{did_you_mean(str(base), _shipped())}"])
    return Tracer.parse(_merged(_shipped()[base], table) if base is not None else table, where=next(iter(content)))


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``changes``, table by table; a number is replaced with its unit and source."""
    result = dict(base)
    for key, value in changes.items():
        deeper = isinstance(value, dict) and isinstance(base.get(key), dict) and "value" not in value
        result[key] = _merged(base[key], value) if deeper else value
    return result
