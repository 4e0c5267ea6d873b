"""Parameters of faults of coils: channels that are dead or noisy, and jumps of SQUIDs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator

from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.modalities.electro.bad import as_pairs

CoilFault = Literal["flat", "noisy"]


class CoilFaultParameters(Parameters):
    """Faults of coils; sizes are those of magnetometers."""

    bad_channels: int | float | tuple[tuple[str, CoilFault], ...] = parameter(
        0,
        unit="-",
        description="number (2), share (0.05) or table ({'MEG 0111' = 'flat'}) of bad channels; numbers are drawn",
    )
    bad_kinds: tuple[CoilFault, ...] = parameter(
        ("flat", "noisy"), unit="-", description="kinds among which drawn channels are bad"
    )
    noisy_amplitude: float = parameter(8e-12, unit="T", bounds=(0, 1e-9), description="noise of a bad coil, rms")
    mark_bad: bool = parameter(True, unit="-", description="whether the table of channels says which are bad")
    pop_rate: float = parameter(
        0.0003, unit="1/min", bounds=(0, 60), description="of jumps in each coil: one in ten minutes of 306"
    )
    pop_amplitude: float = parameter(5e-12, unit="T", bounds=(0, 1e-9), description="of a jump, median")

    @field_validator("bad_channels", mode="before")
    @classmethod
    def _table_as_pairs(cls, value: Any) -> Any:
        return as_pairs(value)
