"""What is implanted: grids and strips on the brain, shafts in it; and the plans of implantation that come with the package.

Grids and strips are Ad-Tech's: platinum discs of 4 mm of which 2.3 mm are bare, 10 mm apart, as papers on ECoG describe them.
Shafts are Dixi's: contacts of 2 mm, 0.8 mm wide, 1.5 mm apart (Cardinale et al. 2013, doi:10.1227/NEU.0b013e31827d1161).
Contact 1 of a shaft is its tip; a grid is numbered row by row.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Literal, Self

from pydantic import model_validator

from fakeimaging.core.errors import UnknownNameError, did_you_mean
from fakeimaging.core.parameters import Parameters, in_metres, parameter

Kind = Literal["grid", "strip", "shaft"]
SPACING: Mapping[Kind, float] = {"grid": 10.0, "strip": 10.0, "shaft": 3.5}
"""mm from the middle of a contact to the next one's (Ad-Tech; Dixi)."""
DIAMETER: Mapping[Kind, float] = {"grid": 2.3, "strip": 2.3, "shaft": 0.8}
"""mm, of a bare disc or of a shaft (Ad-Tech; Dixi)."""
LENGTH = 2.0
"""mm of a shaft's contact (Dixi)."""
FEWEST: Mapping[Kind, tuple[str, ...]] = {"grid": ("rows", "columns"), "strip": ("contacts",), "shaft": ("contacts",)}
"""What says how many contacts a device has."""


class Implant(Parameters):
    """One device."""

    name: str = parameter(unit="-", description="start of its contacts' names: 'LA' gives LA1, LA2 ...")
    kind: Kind = parameter(unit="-", description="grid or strip on the brain, shaft in it")
    target: tuple[float, float, float] | str = parameter(
        unit="mm",
        description="where the tip of a shaft, or the middle of a grid or strip, is to be: template mm, or a region "
        "(a name, kind:amygdala, network:Visual), whose middle it is",
    )
    hemisphere: Literal["L", "R"] | None = parameter(
        None, unit="-", description="side of the region, where its words mean both"
    )
    entry: tuple[float, float, float] | None = parameter(
        None,
        unit="mm",
        description="where a shaft goes in, template mm; without it the shortest way from the side of the head",
    )
    rows: int | None = parameter(None, unit="1", bounds=(1, 16), description="rows of a grid")
    columns: int | None = parameter(None, unit="1", bounds=(1, 16), description="contacts in a row of a grid")
    contacts: int | None = parameter(None, unit="1", bounds=(1, 24), description="contacts of a strip or shaft")
    angle: float = parameter(
        0.0,
        unit="deg",
        bounds=(-180, 180),
        description="direction of a row of a grid or of a strip: 0 to the front, 90 upwards over the side of the brain",
    )
    spacing: float | None = parameter(
        None,
        unit="mm",
        bounds=(1, 30),
        source="Ad-Tech; Cardinale et al. 2013",
        description="from contact to contact (10; shaft 3.5)",
    )
    diameter: float | None = parameter(
        None,
        unit="mm",
        bounds=(0.1, 5),
        source="Ad-Tech; Cardinale et al. 2013",
        description="bare diameter of a disc, or of the shaft (2.3; shaft 0.8)",
    )
    length: float = parameter(
        LENGTH, unit="mm", bounds=(0.1, 10), source="Cardinale et al. 2013", description="of a contact of a shaft"
    )

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        counts = {"rows": self.rows, "columns": self.columns, "contacts": self.contacts}
        for key, value in counts.items():
            if (key in FEWEST[self.kind]) != (value is not None):
                what = "missing" if value is None else f"a {self.kind} has none"
                raise ValueError(f"`{key}`: {what}; a {self.kind} has {' and '.join(FEWEST[self.kind])}")
        if self.entry is not None and self.kind != "shaft":
            raise ValueError(f"`entry`: only a shaft has one, not a {self.kind}")
        for key, place in (("target", self.target), ("entry", self.entry)):
            if isinstance(place, tuple) and (problem := in_metres(place)):
                raise ValueError(f"`{key}`: {problem}")
        if self.hemisphere is not None and not isinstance(self.target, str):
            raise ValueError("`hemisphere`: the target is a place, which is on one side already")
        if not self.name.isascii() or not self.name[:1].isalpha() or not self.name.replace("'", "").isalnum():
            raise ValueError(f"`name`: '{self.name}' is not letters and digits, a letter first")
        if self.kind == "shaft" and self.pitch <= self.length:
            raise ValueError(f"`spacing`: {self.pitch:g} mm leaves no gap between contacts of {self.length:g} mm")
        if self.kind != "shaft" and self.pitch <= self.width:
            raise ValueError(f"`spacing`: {self.pitch:g} mm leaves no gap between contacts of {self.width:g} mm")
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and contacts in a row."""
        return (self.rows or 1, self.columns or 1) if self.kind == "grid" else (1, self.contacts or 1)

    @property
    def n_contacts(self) -> int:
        """Number of contacts."""
        rows, columns = self.shape
        return rows * columns

    @property
    def pitch(self) -> float:
        """mm from the middle of a contact to the next one's."""
        return self.spacing if self.spacing is not None else SPACING[self.kind]

    @property
    def width(self) -> float:
        """Diameter of a contact in mm."""
        return self.diameter if self.diameter is not None else DIAMETER[self.kind]

    @property
    def channel_kind(self) -> Literal["ECOG", "SEEG"]:
        """BIDS type of its channels."""
        return "SEEG" if self.kind == "shaft" else "ECOG"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its contacts."""
        return tuple(f"{self.name}{i}" for i in range(1, self.n_contacts + 1))

    @property
    def neighbours(self) -> tuple[tuple[int, int], ...]:
        """Pairs of contacts that follow each other in a row, counted from 0."""
        rows, columns = self.shape
        return tuple((r * columns + c, r * columns + c + 1) for r in range(rows) for c in range(columns - 1))


@lru_cache(maxsize=1)
def plans() -> dict[str, tuple[Implant, ...]]:
    """Return the plans of implantation by name.

    Examples
    --------
    >>> [device.name for device in plans()["temporal"]]
    ['LG', 'LST', 'LA', 'LAH', 'LPH', 'LI']
    """
    table = tomllib.loads((files("fakeimaging.data") / "implants.toml").read_text())
    return {name: tuple(Implant.parse(device) for device in plan["devices"]) for name, plan in table.items()}


def devices_of(implants: str | Sequence[Implant]) -> tuple[Implant, ...]:
    """Return the devices of a plan; devices instead of a plan are returned as they are.

    Raises
    ------
    UnknownNameError
        If there is no plan of this name.
    """
    if not isinstance(implants, str):
        return tuple(implants)
    if implants not in plans():
        raise UnknownNameError(f"no plan '{implants}'{did_you_mean(implants, plans())}", value=implants)
    return plans()[implants]


def check_names(devices: Sequence[Implant]) -> None:
    """Check that there is a contact, and that no two have one name.

    Raises
    ------
    ValueError
        Naming the device.
    """
    if not devices:
        raise ValueError("`implants`: at least one device")
    taken: dict[str, str] = {}
    for device in devices:
        for name in device.names:
            if name in taken:
                other = f"of '{taken[name]}' too" if taken[name] != device.name else "twice"
                raise ValueError(f"`implants`: contact {name} of '{device.name}' is there {other}")
            taken[name] = device.name
