"""PET scanners as data: one table each in ``data/pet_scanners.toml``, or in a file of one's own; every number has a unit and a source."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from fakeimaging.core.parameters import Parameters
from fakeimaging.modalities.pet.shelf import Shelf
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


SCANNERS = Shelf("scanner", "pet_scanners.toml", Scanner, _row)
"""Scanners by name."""
