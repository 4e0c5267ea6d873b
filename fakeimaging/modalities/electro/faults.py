"""Parameters of faults: bad channels, pops, impedances, and the scanner that an EEG may lie in."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator

from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.modalities.electro.bad import BadKind, as_pairs


class FaultParameters(Parameters):
    """Faults of electrodes."""

    bad_channels: int | float | tuple[tuple[str, BadKind], ...] = parameter(
        0, unit="-", description="number (2), share (0.05) or table ({T7 = 'flat'}) of bad channels; numbers are drawn"
    )
    bad_kinds: tuple[BadKind, ...] = parameter(
        ("flat", "noisy", "loose", "bridged"), unit="-", description="kinds among which drawn channels are bad"
    )
    noisy_amplitude: float = parameter(
        1e-4, unit="V", bounds=(0, 1e-2), description="noise of an electrode that lost contact, rms"
    )
    mark_bad: bool = parameter(True, unit="-", description="whether the table of channels says which are bad")
    pop_rate: float = parameter(
        0.003, unit="1/min", bounds=(0, 60), description="of pops in each electrode: two in ten minutes of 64"
    )
    pop_amplitude: float = parameter(
        1.5e-4, unit="V", bounds=(0, 1e-2), description="of a pop, median; they decay within 0.2 to 1 s"
    )
    impedance: float = parameter(
        8e3, unit="Ohm", bounds=(0, 1e6), description="of an electrode's contact, median over the cap"
    )
    impedance_drift: float = parameter(
        0.3, unit="1/h", bounds=(0, 10), description="growth of the impedance as gel dries, median"
    )
    mains_current: float = parameter(
        1e-10,
        unit="A",
        bounds=(0, 1e-7),
        description="that mains drive through each contact, rms; a tenth of a nanoampere makes 0.8 uV in 8 kOhm",
    )

    @field_validator("bad_channels", mode="before")
    @classmethod
    def _table_as_pairs(cls, value: Any) -> Any:
        return as_pairs(value)


class ScannerParameters(Parameters):
    """The MR scanner around a recording."""

    scanner: Literal["none"] | float = parameter(
        "none", unit="T", description="field of the MR scanner around the recording, such as 3.0; none outside"
    )
    scanner_tr: float = parameter(
        2.0, unit="s", bounds=(0.05, 20), symbol="TR", description="time from volume to volume"
    )
    scanner_slices: int = parameter(
        36, unit="1", bounds=(1, 500), description="excitations in a volume: slices over the multiband factor"
    )
    scanner_low_pass: float = parameter(
        250.0,
        unit="Hz",
        bounds=(10, 10_000),
        source="BrainAmp MR's hardware filter",
        description="cutoff of the amplifier before the samples, for what the scanner induces",
    )
    scanner_clock_drift: float = parameter(
        0.0,
        unit="1e-6",
        bounds=(-1000, 1000),
        description="pace of the scanner's clock against the amplifier's; 0 is synchronised",
    )
