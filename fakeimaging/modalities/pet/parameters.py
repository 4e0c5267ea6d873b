"""Parameters of a PET scan."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import field_validator, model_validator

from fakeimaging.core.errors import FakeImagingError, did_you_mean
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.modalities.pet.faults import FAULTS, OF_DECAY
from fakeimaging.modalities.pet.tracers import TRACERS


class PetParameters(Parameters):
    """Parameters of the scan."""

    tracer: str = parameter("fdg", unit="-", description="name of a tracer, or a .toml file with a table of one's own")
    duration: float = parameter(3600.0, unit="s", bounds=(15, 14_400), description="length of the scan from injection")
    voxel_size: float = parameter(3.0, unit="mm", bounds=(1, 20), description="edge of the cubic voxel")
    injected_activity: float | None = parameter(
        None, unit="MBq", bounds=(1, 2000), description="the tracer's own when left out"
    )
    body_weight: float = parameter(70.0, unit="kg", bounds=(2, 300), description="of the subject")
    psf_fwhm: float = parameter(
        4.5, unit="mm", bounds=(0, 20), symbol="FWHM", source="Discovery MI 4.0-4.5 mm", description="point spread"
    )
    sensitivity: float = parameter(
        13.7, unit="1/s/kBq", bounds=(0.01, 1000), source="Discovery MI, NEMA", description="counts per decay"
    )
    noise_level: float = parameter(1.0, unit="1", bounds=(0, 100), description="factor on the SD of the noise")
    follow: bool = parameter(
        False, unit="-", description="follow the run's course (it must be as long) rather than take its mean"
    )
    baseline_rate: float | None = parameter(
        None, unit="Hz", bounds=(0.001, 1000), description="firing at rest; the run's mean over regions when left out"
    )
    release_gain: float | None = parameter(
        None, unit="1", bounds=(0, 100), description="dopamine change over firing change; the tracer's when left out"
    )

    # Reconstruction.
    tier: Literal["image", "projection"] = parameter(
        "image", unit="-", description="noise added to the image, or counts along lines that are reconstructed"
    )
    views: int = parameter(126, unit="1", bounds=(8, 1024), description="angles over half a circle (projection tier)")
    iterations: int = parameter(4, unit="1", bounds=(1, 200), description="passes through all subsets")
    subsets: int = parameter(21, unit="1", bounds=(1, 128), description="of the views, each as many apart")
    psf_model: bool = parameter(True, unit="-", description="the reconstruction undoes the point spread")
    post_filter: float = parameter(
        0.0, unit="mm", bounds=(0, 20), symbol="FWHM", description="Gaussian after the reconstruction"
    )

    # What the files say.
    time_zero: Literal["injection", "scan"] = parameter(
        "injection", unit="-", description="what TimeZero is; image and blood are corrected for decay to it"
    )
    decay_corrected: bool = parameter(
        True,
        unit="-",
        description="whether the raw image is corrected for decay to TimeZero; its truth is, to injection, always",
    )
    rec: str | None = parameter(
        None, unit="-",
        description="BIDS label of the reconstruction, to tell several of one scan apart: acdyn, acstat, nacdyn, nacstat",
    )  # fmt: skip
    blood: Literal["manual", "both", "none"] = parameter(
        "manual", unit="-", description="blood files: samples drawn by hand, those and a sampling machine's, or none"
    )
    blood_noise: float = parameter(
        1.0, unit="1", bounds=(0, 100), description="factor on the SD of the noise of blood samples"
    )
    metabolite_samples: int = parameter(
        0, unit="1", bounds=(0, 100), description="how many samples have a parent fraction, the others n/a; 0 for all"
    )
    hplc_recovery: bool = parameter(
        False,
        unit="-",
        description="whether blood files say what share of the activity the HPLC recovers (corrected for)",
    )
    haematocrit: float = parameter(0.4, unit="1", bounds=(0.1, 0.7), description="share of cells in blood")
    sampler_seconds: float = parameter(
        600.0, unit="s", bounds=(10, 7200), description="for which the machine samples, once a second"
    )
    sampler_delay: float = parameter(15.0, unit="s", bounds=(0, 300), description="of blood on its way to the machine")
    sampler_dispersion: float = parameter(
        5.0, unit="s", bounds=(0, 60), symbol="tau", description="dispersion constant of the tubing; 0 for none"
    )
    maps: bool = parameter(True, unit="-", description="whether the truth has a map of each constant")
    psf_frames: bool = parameter(
        False,
        unit="-",
        description="whether the truth also has the frames behind the point spread, without noise (as large as the scan)",
    )
    suv_window: tuple[float, float] | None = parameter(
        None,
        unit="min",
        description="from and to when after injection the standardized uptake is averaged for an image; none when left out",
    )
    fault: str = parameter(
        "none",
        unit="-",
        description="a deliberate mistake in the raw files, to test quality control with (`fakeimaging list faults`)",
    )

    @field_validator("fault")
    @classmethod
    def _fault_is_known(cls, value: str) -> str:
        if value not in FAULTS:
            raise ValueError(f"no fault called '{value}'{did_you_mean(value, FAULTS)}")
        return value

    @model_validator(mode="after")
    def _fault_can_be(self) -> Self:
        if self.fault in OF_DECAY and not self.decay_corrected:
            raise ValueError(
                f"`fault`: '{self.fault}' is a mistake of the correction for decay; leave decay_corrected at true"
            )
        if self.fault.startswith("blood") and self.blood == "none":
            raise ValueError(f"`fault`: '{self.fault}' needs blood; say blood = 'manual' or 'both'")
        return self

    @field_validator("rec")
    @classmethod
    def _label_is_legal(cls, value: str | None) -> str | None:
        if value is not None and not (value.isalnum() and value.isascii()):
            raise ValueError(f"{value!r} is not letters and digits, as BIDS wants them")
        return value

    @field_validator("suv_window")
    @classmethod
    def _window_is_one(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not 0 <= value[0] < value[1]:
            raise ValueError(f"from {value[0]:g} to {value[1]:g} min is no window after injection")
        return value

    @field_validator("tracer")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            TRACERS.get(value)
        except FakeImagingError as error:
            raise ValueError(str(error).replace("\n", "; ")) from None
        return value

    @model_validator(mode="after")
    def _subsets_have_views(self) -> Self:
        if self.subsets > self.views:
            raise ValueError(f"`subsets`: {self.subsets} of {self.views} views; take at most as many as `views`")
        return self


def injected(parameters: PetParameters) -> float:
    """Return the injected activity in MBq."""
    own = TRACERS.get(parameters.tracer).injected_activity.value
    return own if parameters.injected_activity is None else parameters.injected_activity


def suv(parameters: PetParameters) -> float:
    """Return injected activity over body weight in Bq/g: the unit of a plasma curve."""
    return injected(parameters) * 1e6 / (parameters.body_weight * 1e3)
