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
from fakeimaging.modalities.pet.plasma import InputFunction, feng, rise_and_fall

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

SIGHT: Mapping[str, Literal["tissue", "function", "connectivity"]] = {
    "metabolism": "function",
    "release": "function",
    "none": "tissue",
}
"""What a tracer of each drive maps."""
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
POSITIVE = {"half_life", "injected_activity", "injected_mass", "plasma_suv"}
"""Numbers that are above 0."""
SAME_HALF_LIFE = 0.01
"""Relative difference within which a half-life is that of its nuclide."""
MOST_FRAMES, SHORTEST_FRAME = 1000, 1.0
"""Most frames of a tracer, and the shortest one in s (assumed)."""


def problem_of(name: str, unit: str, values: Sequence[float]) -> str | None:
    """Say what is wrong with a number of a tracer, if anything is."""
    if name not in UNITS:
        return f"`{name}`: no such number of a tracer{did_you_mean(name, UNITS)}"
    if unit != UNITS[name]:
        return f"`{name}`: its unit here is {UNITS[name]}, not {unit}"
    if min(values) < 0 or (name in SHARES and max(values) > 1) or (name == "occupancy" and max(values) == 1):
        return f"`{name}`: {list(values)} is outside {'[0, 1]' if name in SHARES else '[0, inf)'}"
    if name in POSITIVE and min(values) == 0:
        return f"`{name}`: 0 {unit} is not above 0"
    return None


class Quantity(Parameters):
    """A number with its unit and its source."""

    value: float
    unit: str
    source: str


@lru_cache(maxsize=1)
def half_lives() -> Mapping[str, float]:
    """Return the half-life in s of each nuclide of ``data/nuclides.toml``."""
    table = tomllib.loads((files("fakeimaging.data") / "nuclides.toml").read_text())
    return {name: Quantity.parse(number, where=name).value for name, number in table.items()}


def half_life(nuclide: str) -> float:
    """Return the half-life of a nuclide in s.

    Raises
    ------
    UnknownNameError
        With the nearest known nuclide.

    Examples
    --------
    >>> half_life("O15")
    122.24
    """
    if nuclide not in half_lives():
        raise UnknownNameError(f"no nuclide called '{nuclide}'{did_you_mean(nuclide, half_lives())}", value=nuclide)
    return half_lives()[nuclide]


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
        if not value or any(n < 1 or seconds < SHORTEST_FRAME for n, seconds in value):
            raise ValueError(
                f"pairs of how many frames (at least 1) and how long (at least {SHORTEST_FRAME:g} s) are needed"
            )
        if (total := sum(n for n, _ in value)) > MOST_FRAMES:
            raise ValueError(f"{total} frames are more than the {MOST_FRAMES} a tracer may have")
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
        if not (late := float(self._shape().at(SUV_TIME))) > 0:
            raise ValueError(
                f"`plasma_suv`: the curve is {late:g} at {SUV_TIME:g} min, where a level above 0 is stated"
            )
        return self

    def curve(self) -> InputFunction:
        """Return the concentration of unchanged tracer in plasma, in units of injected activity over body weight (SUV, g/mL)."""
        shape = self._shape()
        return shape.scaled(self.plasma_suv.value / float(shape.at(SUV_TIME)))

    def _shape(self) -> InputFunction:
        if self.shape == "feng" or self.peak is None:
            return feng(self.amplitudes.value, self.rates.value, self.start.value)
        return rise_and_fall(self.start.value, self.peak.value, self.amplitudes.value, self.rates.value)


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
        if len(self.parent_fraction.value) != 3:
            raise ValueError("`parent_fraction` is three numbers")
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

    @model_validator(mode="after")
    def _decays_as_its_nuclide(self) -> Self:
        try:
            known = half_life(self.radionuclide)
        except UnknownNameError as error:
            raise ValueError(f"`radionuclide`: {error}") from None
        if not abs(self.half_life.value / known - 1) <= SAME_HALF_LIFE:
            raise ValueError(f"`half_life`: {self.half_life.value:g} s is not that of {self.radionuclide}, {known:g} s")
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
            return _own(name, _content(name))
        if name not in self:
            known = self.names()
            raise UnknownNameError(
                f"no tracer called '{name}'{did_you_mean(name, known)}; a file of your own ends in .toml", value=name
            )
        return _one_of_ours(name)

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


@lru_cache(maxsize=32)
def _one_of_ours(name: str) -> Tracer:
    return Tracer.parse(_shipped()[name], where=name)


def _content(path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the tracer {path}: {error}", value=path) from None


@lru_cache(maxsize=32)
def _own(path: str, text: str) -> Tracer:
    """Return the tracer of a file; the text is looked at again when it has changed."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"cannot read the tracer {path}: {error}", value=path) from None
    if len(content) != 1 or not isinstance(table := next(iter(content.values())), dict):
        raise ParameterError([f"{path}: one table with one tracer is needed, not {len(content)}"])
    base = table.pop("like", None)
    if base is not None and (not isinstance(base, str) or base not in _shipped()):
        raise ParameterError([f"{path}: `like`: no tracer called '{base}'{did_you_mean(str(base), _shipped())}"])
    try:
        return Tracer.parse(_merged(_shipped()[base], table) if base is not None else table, where=next(iter(content)))
    except ParameterError as error:
        raise ParameterError([f"{path}: {problem}" for problem in error.problems]) from None


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``changes``, table by table; a number is replaced with its unit and source."""
    result = dict(base)
    for key, value in changes.items():
        deeper = isinstance(value, dict) and isinstance(base.get(key), dict) and "value" not in value
        result[key] = _merged(base[key], value) if deeper else value
    return result
