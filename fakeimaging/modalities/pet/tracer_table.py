"""Pieces of a tracer's table: numbers with unit and source, framing, plasma curve; which units, words and combinations there are."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Literal, Self

from pydantic import field_validator, model_validator

from fakeimaging.core.errors import UnknownNameError, did_you_mean
from fakeimaging.core.parameters import Parameters
from fakeimaging.modalities.pet.plasma import InputFunction, feng, rise_and_fall

SUV_TIME = 60.0
"""Minutes after injection at which ``plasma_suv`` holds, unless the tracer's ``suv_time`` says otherwise."""
BEYOND = ("brainstem", "white", "csf", "bone", "scalp")
"""Tissue outside every region; ``brainstem`` is grey matter without a label."""

Model = Literal["trapping", "reference", "compartments", "flow"]
Drive = Literal["metabolism", "flow", "release", "synapses", "pathology", "none"]
Method = Literal["patlak", "reference_patlak", "logan", "reference_logan", "srtm", "one_tissue", "two_tissue", "suvr"]

NEEDED_BY_MODEL: Mapping[Model, tuple[str, ...]] = {
    "trapping": ("K1", "k2", "k3", "vB", "lumped_constant", "plasma_glucose"),
    "reference": ("K1", "k2", "vB"),
    "compartments": ("vB",),
    "flow": ("vB",),
}
"""Constants of the tracer as a whole that a model asks for."""
NEEDED_BY_DRIVE: Mapping[Drive, tuple[str, ...]] = {
    "metabolism": ("share",),
    "flow": (),
    "release": ("occupancy", "gain"),
    "synapses": (),
    "pathology": (),
    "none": (),
}
"""Constants of the tracer as a whole that a drive asks for."""
NEEDED_BY_KIND: Mapping[Model, tuple[tuple[str, ...], ...]] = {
    "trapping": (),
    "reference": (),
    "compartments": (("K1",), ("k2", "VND", "VT")),
    "flow": (("flow",), ("partition",)),
}
"""Numbers that a model asks of each kind, there or among the tracer's constants: one of each group."""
READ_BY_KIND: Mapping[Model, tuple[str, ...]] = {
    "trapping": ("K1", "k2", "k3", "k4", "cmrglc", "vB"),
    "reference": ("R1", "BPND", "vB"),
    "compartments": ("K1", "k2", "k3", "k4", "VND", "VT", "BPND", "off_target", "vB"),
    "flow": ("flow", "partition", "extraction", "vB"),
}
"""Numbers of a kind that a model reads; others are refused, for they would say nothing."""
RIVALS = (("VT", "k2"), ("VT", "k3"), ("VT", "BPND"), ("VT", "off_target"), ("VND", "k2"), ("k3", "BPND"))
"""Two ways to say the same of one kind: both at once are refused."""

SIGHT: Mapping[Drive, Literal["tissue", "function", "connectivity"]] = {
    "metabolism": "function",
    "flow": "function",
    "release": "function",
    "synapses": "connectivity",
    "pathology": "connectivity",
    "none": "tissue",
}
"""What a tracer of each drive maps: synapses are those of the connectome, and pathology spreads along it."""
UNITS = {
    "K1": "mL/cm3/min",
    "k2": "1/min",
    "k3": "1/min",
    "k4": "1/min",
    "vB": "1",
    "VND": "mL/cm3",
    "VT": "mL/cm3",
    "R1": "1",
    "BPND": "1",
    "off_target": "1",
    "flow": "mL/cm3/min",
    "extraction": "1",
    "partition": "mL/cm3",
    "cmrglc": "umol/100 mL/min",
    "lumped_constant": "1",
    "plasma_glucose": "umol/mL",
    "share": "1",
    "occupancy": "1",
    "gain": "1",
    "half_life": "s",
    "injected_activity": "MBq",
    "injected_mass": "ug",
    "molecular_weight": "g/mol",
    "frames": "s",
    "late_window": "min",
    "whole_blood": "1",
    "start": "min",
    "peak": "min",
    "rates": "1/min",
    "plasma_suv": "g/mL",
    "suv_time": "min",
    "between": "1",
    "within": "1",
}
"""The unit each number is taken in; another one is refused, not converted."""
SHARES = {"vB", "share", "occupancy", "extraction"}
"""Numbers that lie between 0 and 1."""
POSITIVE = {
    *("half_life", "injected_activity", "injected_mass", "molecular_weight", "plasma_suv", "suv_time"),
    *("VND", "VT", "partition", "extraction"),
}
"""Numbers that are above 0."""
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


class Window(Parameters):
    """A stretch of time from injection on, with its unit and its source."""

    value: tuple[float, float]
    unit: str
    source: str

    @field_validator("value")
    @classmethod
    def _in_order(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not value[1] > value[0] >= 0:
            raise ValueError(f"a window has a start and a later end, not {list(value)}")
        return value


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
    suv_time: Quantity | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        n = len(self.rates.value)
        if len(self.amplitudes.value) != n or (self.shape == "feng" and n != 3):
            raise ValueError("`rates`: as many rates as amplitudes are needed, three of each for the shape 'feng'")
        if self.shape == "rise" and (self.peak is None or self.peak.value <= self.start.value):
            raise ValueError("`peak`: the shape 'rise' needs a peak after its start")
        if not (late := float(self._shape().at(self.stated_at))) > 0:
            raise ValueError(
                f"`plasma_suv`: the curve is {late:g} at {self.stated_at:g} min, where a level above 0 is stated"
            )
        return self

    @property
    def stated_at(self) -> float:
        """Minutes after injection at which ``plasma_suv`` holds."""
        return SUV_TIME if self.suv_time is None else self.suv_time.value

    def curve(self) -> InputFunction:
        """Return the concentration of unchanged tracer in plasma, in units of injected activity over body weight (SUV, g/mL)."""
        shape = self._shape()
        return shape.scaled(self.plasma_suv.value / float(shape.at(self.stated_at)))

    def _shape(self) -> InputFunction:
        if self.shape == "feng" or self.peak is None:
            return feng(self.amplitudes.value, self.rates.value, self.start.value)
        return rise_and_fall(self.start.value, self.peak.value, self.amplitudes.value, self.rates.value)


class Variation(Parameters):
    """How density or metabolism differs: SD of its logarithm between subjects, and within a subject between regions."""

    between: Quantity
    within: Quantity


Kind = Mapping[str, Quantity]


def problems_of_kind(model: Model, kind: str, numbers: Kind, constants: Kind) -> list[str]:
    """Say what a model lacks about a kind of tissue, what it does not read, and what is said in two ways.

    Parameters
    ----------
    model, kind : str
    numbers : mapping of str to Quantity
        Of the kind itself.
    constants : mapping of str to Quantity
        Of the tracer as a whole, which holds where the kind says nothing.
    """
    known, read = {*numbers, *constants}, READ_BY_KIND[model]
    lacking = [" or ".join(group) for group in NEEDED_BY_KIND[model] if not known & set(group)]
    found = [f"a tracer of model '{model}' needs {', and '.join(lacking)} of it"] if lacking else []
    if idle := [name for name in numbers if name in UNITS and name not in read]:
        found.append(f"a tracer of model '{model}' does not read {', '.join(idle)} but {', '.join(read)}")
    found += [f"{a} and {b} say the same in two ways; leave one out" for a, b in RIVALS if {a, b} <= set(numbers)]
    return [f"`kinds.{kind}`: {problem}" for problem in found]
