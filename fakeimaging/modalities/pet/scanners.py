"""PET scanners as data: one table each in ``data/pet_scanners.toml``, or in a file of one's own; every number has a unit and a source."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from fakeimaging.core.errors import InputError, ParameterError, UnknownNameError, did_you_mean
from fakeimaging.core.parameters import Parameters
from fakeimaging.modalities.pet.tracers import Numbers, Quantity

Three = tuple[float, float, float]

UNITS = {
    "fwhm": "mm",
    "transaxial_fwhm": "mm",
    "axial_fwhm": "mm",
    "sensitivity": "1/s/kBq",
    "scatter_fraction": "1",
    "peak_necr": "1000/s",
    "peak_activity": "kBq/mL",
    "randoms_weight": "1",
    "coincidence_window": "ns",
    "timing_resolution": "ps",
    "ring_diameter": "mm",
    "axial_field_of_view": "mm",
    "voxel_size": "mm",
}
"""The unit each number is taken in; another one is refused, not converted."""
LENGTHS = {"fwhm": 3, "transaxial_fwhm": 2, "axial_fwhm": 2, "voxel_size": 3}
"""How many numbers stand in those that are several."""
MM_PER_PS = 0.149896
"""Half the speed of light: how far a pair lies from the middle, for each ps between its arrivals."""


class Scanner(Parameters):
    """A scanner: whose it is, how sharp, how sensitive, how fast (see ``data/pet_scanners.toml`` for what each number is)."""

    title: str
    manufacturer: str
    model: str
    fwhm: Numbers | None = None
    transaxial_fwhm: Numbers
    axial_fwhm: Numbers
    sensitivity: Quantity
    scatter_fraction: Quantity
    peak_necr: Quantity
    peak_activity: Quantity
    randoms_weight: Quantity
    coincidence_window: Quantity
    timing_resolution: Quantity | None = None
    ring_diameter: Quantity
    axial_field_of_view: Quantity
    voxel_size: Numbers

    @model_validator(mode="after")
    def _numbers_make_sense(self) -> Self:
        numbers = ((name, getattr(self, name)) for name in UNITS)
        found = [_problem(name, number) for name, number in numbers if number is not None]
        if problems := [problem for problem in found if problem]:
            raise ValueError("; ".join(problems))
        return self

    @property
    def near(self) -> Three:
        """FWHM of a point near the axis in mm, along x, y and z of the scanner."""
        if self.fwhm is not None:
            x, y, z = self.fwhm.value
            return x, y, z
        across, along = self.transaxial_fwhm.value[0], self.axial_fwhm.value[0]
        return across, across, along

    @property
    def far(self) -> Three:
        """FWHM of a point 10 cm from the axis in mm, no less than that of a point near it."""
        across, along = self.transaxial_fwhm.value[1], self.axial_fwhm.value[1]
        x, y, z = map(max, self.near, (across, across, along))
        return x, y, z

    def flight_gain(self, diameter: float) -> float:
        """Return what time of flight is worth in counts for an object of ``diameter`` mm: D / (1.6 dx), at least 1.

        References
        ----------
        Budinger (1983), J Nucl Med 24:73; Tomitani (1981), doi:10.1109/TNS.1981.4335769
        """
        if self.timing_resolution is None:
            return 1.0
        return max(1.0, diameter / (1.6 * MM_PER_PS * self.timing_resolution.value))


def _problem(name: str, number: Quantity | Numbers) -> str | None:
    """Say what is wrong with a number of a scanner, if anything is."""
    values = number.value if isinstance(number, Numbers) else (number.value,)
    if number.unit != UNITS[name]:
        return f"`{name}`: its unit here is {UNITS[name]}, not {number.unit}"
    if len(values) != LENGTHS.get(name, 1):
        return f"`{name}`: {LENGTHS[name]} numbers are needed, not {len(values)}"
    if not all(0 < value < float("inf") for value in values):
        return f"`{name}`: {list(values)} {number.unit} is not above 0"
    if name == "scatter_fraction" and values[0] >= 1:
        return f"`{name}`: {values[0]:g} is outside (0, 1)"
    if name == "randoms_weight" and values[0] not in (1.0, 2.0):
        return f"`{name}`: {values[0]:g} is neither 1 (randoms known without noise) nor 2 (subtracted as counted)"
    return None


@dataclass(frozen=True)
class Scanners:
    """The scanners of the package by name; a name that ends in ``.toml`` is a file with a table of one's own."""

    def names(self) -> list[str]:
        """Return the names of the package's scanners, sorted."""
        return sorted(_shipped())

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def get(self, name: str) -> Scanner:
        """Return a scanner by name or file.

        Raises
        ------
        UnknownNameError, InputError, ParameterError
            If there is no such scanner or file, or what it says cannot be used.

        Examples
        --------
        >>> SCANNERS.get("hrrt").near
        (2.6, 2.6, 3.0)
        """
        if name.endswith(".toml"):
            return _own(name, _content(name))
        if name not in self:
            raise UnknownNameError(
                f"no scanner called '{name}'{did_you_mean(name, self.names())}; a file of your own ends in .toml",
                value=name,
            )
        return _one_of_ours(name)

    def table(self) -> list[dict[str, str]]:
        """Return one row a scanner: name, what it is, sharpness, sensitivity, scatter, time of flight."""
        return [_row(name, self.get(name)) for name in self.names()]


SCANNERS = Scanners()


def _row(name: str, scanner: Scanner) -> dict[str, str]:
    timing = scanner.timing_resolution
    return {
        "name": name,
        "scanner": scanner.title,
        "fwhm": f"{' x '.join(f'{width:g}' for width in scanner.near)} mm",
        "sensitivity": f"{scanner.sensitivity.value:g} cps/kBq",
        "scatter_fraction": f"{scanner.scatter_fraction.value:g}",
        "timing": "-" if timing is None else f"{timing.value:g} ps",
    }


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, dict[str, Any]]:
    return tomllib.loads((files("fakeimaging.data") / "pet_scanners.toml").read_text())


@lru_cache(maxsize=32)
def _one_of_ours(name: str) -> Scanner:
    return Scanner.parse(_shipped()[name], where=name)


def _content(path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the scanner {path}: {error}", value=path) from None


@lru_cache(maxsize=32)
def _own(path: str, text: str) -> Scanner:
    """Return the scanner of a file; the text is looked at again when it has changed. A number is replaced with its unit and source."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"cannot read the scanner {path}: {error}", value=path) from None
    if len(content) != 1 or not isinstance(table := next(iter(content.values())), dict):
        raise ParameterError([f"{path}: one table with one scanner is needed, not {len(content)}"])
    base = table.pop("like", None)
    if base is not None and (not isinstance(base, str) or base not in _shipped()):
        raise ParameterError([f"{path}: `like`: no scanner called '{base}'{did_you_mean(str(base), _shipped())}"])
    try:
        return Scanner.parse({**(_shipped()[base] if base is not None else {}), **table}, where=next(iter(content)))
    except ParameterError as error:
        raise ParameterError([f"{path}: {problem}" for problem in error.problems]) from None
