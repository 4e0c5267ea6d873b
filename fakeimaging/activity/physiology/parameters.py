"""Parameters of the body during a run."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from fakeimaging.core.parameters import Parameters, parameter

MOTION_LEVELS = {"low": 0.1, "medium": 0.2, "high": 0.4}
"""Mean framewise displacement in mm (assumed: still adults 0.1-0.2, restless people 0.3-0.5)."""


class PhysiologyParameters(Parameters):
    """Heart, breathing, eyes, muscles and motion of a person during a run."""

    heart_rate: float = parameter(70.0, unit="1/min", bounds=(30, 200), description="mean heart rate")
    heart_rate_variability: float = parameter(
        0.05,
        unit="1",
        bounds=(0, 0.3),
        source="Nunan et al. 2010, doi:10.1111/j.1540-8159.2010.02841.x (SDNN 50 ms of 926 ms)",
        description="SD of the heart rate over its mean",
    )
    breathing_rate: float = parameter(14.0, unit="1/min", bounds=(4, 60), description="mean breathing rate")
    breathing_variability: float = parameter(
        0.1, unit="1", bounds=(0, 0.5), description="SD of the logarithm of a breath's period"
    )
    blink_rate: float = parameter(
        17.0,
        unit="1/min",
        bounds=(0, 60),
        source="Bentivoglio et al. 1997, doi:10.1002/mds.870120629 (at rest)",
        description="mean blink rate",
    )
    saccade_rate: float = parameter(
        0.5,
        unit="1/s",
        bounds=(0, 5),
        description="saccades per second: few while eyes rest on a cross, about 3 in free viewing",
    )
    saccade_amplitude: float = parameter(
        2.5, unit="deg", bounds=(0, 20), description="mean amplitude of a saccade; 5 or so in free viewing"
    )
    clench_rate: float = parameter(
        0.5, unit="1/min", bounds=(0, 60), description="how often the jaw's muscles (temporalis) contract"
    )
    frown_rate: float = parameter(
        0.5, unit="1/min", bounds=(0, 60), description="how often those of the forehead (frontalis) contract"
    )
    neck_rate: float = parameter(0.5, unit="1/min", bounds=(0, 60), description="how often those of the neck contract")
    motion: Literal["low", "medium", "high"] | float = parameter(
        "low",
        unit="mm",
        description="level of head motion, or its mean framewise displacement at `motion_interval`; 0 for none",
    )
    motion_interval: float = parameter(
        2.0,
        unit="s",
        bounds=(0.1, 20),
        description="time between volumes at which `motion` is meant: the repetition time of the scan that should have it",
    )

    @model_validator(mode="after")
    def _motion_is_a_length(self) -> Self:
        if not isinstance(self.motion, str) and not 0 <= self.motion <= 5:
            raise ValueError(f"`motion`: {self.motion:g} mm is outside [0, 5] (mean framewise displacement)")
        return self

    @property
    def mean_displacement(self) -> float:
        """Mean framewise displacement in mm at `motion_interval`."""
        return MOTION_LEVELS[self.motion] if isinstance(self.motion, str) else self.motion
