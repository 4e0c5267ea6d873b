"""Parameters of series and of the phantom; names and defaults are those of `bold` where both have them."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import model_validator

from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.modalities.smoothness import SpatialCorrelation

TERMS = ("autoregressive", "drift", "cardiac", "respiratory", "thermal", "magnitude")
"""What noise is made of, in this order; each can be left out and has random numbers of its own."""


class SeriesParameters(Parameters):
    """A scan of some series and the noise in it."""

    n_volumes: int = parameter(200, unit="1", bounds=(2, 100_000), description="number of volumes")
    tr: float = parameter(2.0, unit="s", bounds=(0.05, 20), symbol="TR", description="repetition time")
    slice_time_ref: float = parameter(
        0.0, unit="1", bounds=(0, 1), description="when in its repetition time a volume is seen, as nilearn's argument"
    )
    response: Literal["spm", "glover"] = parameter(
        "spm", unit="-", description="hemodynamic response, as nilearn convolves it"
    )
    baseline: float = parameter(
        1000.0, unit="arbitrary", bounds=(1e-3, 1e9), description="signal of grey matter at rest"
    )
    fluctuation_percent: float = parameter(
        0.5, unit="%", bounds=(0, 20), description="SD of the spontaneous signal, where connectivity is given"
    )
    coupling: float = parameter(0.9, unit="1", bounds=(0, 0.99), symbol="g", description="loop gain of a connectome")
    snr: float = parameter(150.0, unit="1", bounds=(1, 1e6), symbol="SNR_0", description="baseline over thermal noise")
    noise: Literal["rician", "chi", "gaussian"] = parameter(
        "gaussian",
        unit="-",
        description="of the magnitude: one receiver, `coils` of them (sum of squares), or none of it",
    )
    coils: int = parameter(8, unit="1", bounds=(1, 128), description="receivers of 'chi'")
    lambda_grey: float = parameter(
        0.0085, unit="1", bounds=(0, 0.5), symbol="lambda", description="autoregressive noise over baseline"
    )
    ar: tuple[float, ...] | None = parameter(
        None, unit="1", description="coefficients of the autoregression, newest first; left out, one from `ar_time`"
    )
    ar_time: float = parameter(
        2.0, unit="s", bounds=(0.01, 100), symbol="tau", description="memory of the noise: AR(1) with exp(-TR / tau)"
    )
    drift_percent: float = parameter(
        0.5, unit="%", bounds=(0, 20), description="expected SD of drift slower than 128 s"
    )
    cardiac_percent: float = parameter(0.15, unit="%", bounds=(0, 20), description="root mean square of the pulse")
    respiratory_percent: float = parameter(0.25, unit="%", bounds=(0, 20), description="root mean square of breathing")
    heart_rate: float = parameter(70.0, unit="1/min", bounds=(30, 200), description="mean heart rate")
    heart_rate_variability: float = parameter(0.05, unit="1", bounds=(0, 0.3), description="SD of it over its mean")
    breathing_rate: float = parameter(14.0, unit="1/min", bounds=(4, 60), description="mean breathing rate")
    breathing_variability: float = parameter(
        0.1, unit="1", bounds=(0, 0.5), description="SD of the log of a breath's period"
    )

    @model_validator(mode="after")
    def _no_conflict(self) -> Self:
        if self.ar is not None and "ar_time" in self.model_fields_set:
            raise ValueError("`ar`: give either `ar` or `ar_time`, not both")
        if "coils" in self.model_fields_set and self.noise != "chi":
            raise ValueError(f"`coils`: they belong to noise='chi', not '{self.noise}'")
        return self

    @property
    def coefficients(self) -> tuple[float, ...]:
        """Coefficients of the autoregression, newest first."""
        return self.ar if self.ar is not None else (math.exp(-self.tr / self.ar_time),)

    @property
    def n_channels(self) -> int:
        """Real channels whose squares make the magnitude: two a receiver."""
        return 2 * (self.coils if self.noise == "chi" else 1)

    @property
    def tsnr(self) -> float:
        """Temporal SNR that the noise leaves: Krueger and Glover's, with drift, pulse and breathing in it."""
        percent = (self.drift_percent, self.cardiac_percent, self.respiratory_percent)
        power = self.snr**-2 + self.lambda_grey**2 + sum((p / 100) ** 2 for p in percent)
        return float(power**-0.5)


class PhantomParameters(SeriesParameters):
    """A scan of the phantom."""

    n_volumes: int = parameter(120, unit="1", bounds=(2, 100_000), description="number of volumes")
    shape: tuple[int, int, int] = parameter((24, 28, 20), unit="1", description="voxels along each axis")
    voxel_size: float = parameter(8.0, unit="mm", bounds=(0.5, 20), description="edge of the cubic voxel")
    n_regions: int = parameter(8, unit="1", bounds=(1, 1000), description="regions of grey matter")
    noise: Literal["rician", "chi", "gaussian"] = parameter(
        "rician",
        unit="-",
        description="of the magnitude: one receiver, `coils` of them (sum of squares), or none of it",
    )
    lambda_white: float = parameter(0.0043, unit="1", bounds=(0, 0.5), description="`lambda_grey` in white matter")
    lambda_csf: float = parameter(0.0085, unit="1", bounds=(0, 0.5), description="`lambda_grey` in fluid")
    correlation: SpatialCorrelation = SpatialCorrelation.gaussian(10.0)

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if min(self.shape) < 8 or max(self.shape) > 256:
            raise ValueError(f"`shape`: {self.shape} is outside [8, 256] voxels along an axis")
        return self
