"""Parameters of a PET scan."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from fakeimaging.core.errors import FakeImagingError
from fakeimaging.core.parameters import Parameters, parameter
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

    @field_validator("tracer")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            TRACERS.get(value)
        except FakeImagingError as error:
            raise ValueError(str(error).replace("\n", "; ")) from None
        return value


def injected(parameters: PetParameters) -> float:
    """Return the injected activity in MBq."""
    own = TRACERS.get(parameters.tracer).injected_activity.value
    return own if parameters.injected_activity is None else parameters.injected_activity


def suv(parameters: PetParameters) -> float:
    """Return injected activity over body weight in Bq/g: the unit of a plasma curve."""
    return injected(parameters) * 1e6 / (parameters.body_weight * 1e3)
