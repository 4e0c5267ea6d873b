"""Parameters of a PET scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ValidationInfo, field_validator, model_validator

from fakeimaging.activity.hemodynamics_parameters import Hemodynamics
from fakeimaging.core.errors import FakeImagingError, ParameterError, did_you_mean
from fakeimaging.core.parameters import Parameters, one_or_more, parameter
from fakeimaging.modalities.pet.faults import FAULTS, OF_DECAY
from fakeimaging.modalities.pet.imposed import Challenge, Displaced
from fakeimaging.modalities.pet.scanners import SCANNERS, Three
from fakeimaging.modalities.pet.tracers import TRACERS, Framing

WITHIN = {"voxel_size": (1.0, 20.0), "psf_fwhm": (0.0, 20.0), "field_of_view": (20.0, 600.0)}
"""Bounds in mm of what may be one number or three."""

KBOL = 105.0
"""Of raclopride, in min."""
ENDING = ".tsv"
"""Of a table of one's own arterial curve."""


class PetParameters(Parameters):
    """Parameters of the scan."""

    tracer: str = parameter("fdg", unit="-", description="name of a tracer, or a .toml file with a table of one's own")
    duration: float | None = parameter(
        None,
        unit="s",
        bounds=(15, 14_400),
        description="length of the scan; that of its frames, or the tracer's, when left out",
    )
    scan_start: float = parameter(0.0, unit="s", bounds=(0, 28_800), description="when the scan starts after injection")
    frames: tuple[tuple[int, float], ...] | None = parameter(
        None,
        unit="s",
        description="how many frames and how long, in turn: [[4, 15], [8, 30]]; the tracer's when left out",
    )
    voxel_size: float | Three = parameter(
        3.0, unit="mm", description="edges of the voxel, one number or three, within [1, 20]"
    )
    field_of_view: Three = parameter(
        (192.0, 240.0, 192.0),
        unit="mm",
        description="of the image along x, y and z, around the isocentre, within [20, 600]",
    )
    scanner: str = parameter(
        "discovery_mi", unit="-", description="name of a scanner, or a .toml file with a table of one's own"
    )
    injected_activity: float | None = parameter(
        None, unit="MBq", bounds=(1, 2000), description="the tracer's own when left out"
    )
    body_weight: float = parameter(70.0, unit="kg", bounds=(2, 300), description="of the subject")
    psf_fwhm: float | Three | None = parameter(
        None,
        unit="mm",
        symbol="FWHM",
        description="point spread, one number or along x, y and z, within [0, 20]; the scanner's when left out",
    )
    psf_varies: bool = parameter(
        False, unit="-", description="whether the point spread grows away from the axis as the scanner's does"
    )
    sensitivity: float | None = parameter(
        None,
        unit="1/s/kBq",
        bounds=(0.01, 1000),
        description="counts per decay of a line of 70 cm; the scanner's when left out",
    )
    scatter_fraction: float | None = parameter(
        None, unit="1", bounds=(0, 0.95), symbol="S/(T+S)", description="the scanner's when left out"
    )
    randoms_fraction: float | None = parameter(
        None,
        unit="1",
        bounds=(0, 0.95),
        symbol="R/(T+S+R)",
        description="in every frame; as the scanner's at the activity of each frame when left out",
    )
    dead_time: bool = parameter(False, unit="-", description="whether high rates lose counts, as the scanner's do")
    noise_level: float = parameter(1.0, unit="1", bounds=(0, 100), description="factor on the SD of the noise")

    noise_attenuation: bool = parameter(
        True, unit="-", description="whether noise grows towards the middle of the head, from where fewer pairs get out"
    )
    motion: float | None = parameter(
        None,
        unit="mm",
        bounds=(0, 50),
        source="some mm in Ruttimann et al. 1995",
        description="how far the head has moved after an hour, root mean square; left out, it does as in a run that is followed, else "
        "lies still",
    )
    attenuation_moves: bool = parameter(
        True, unit="-", description="whether the correction for attenuation knows where the head lies in each frame"
    )

    # How activity and structure change the uptake.
    follow: bool | None = parameter(
        None, unit="-",
        description="follow the run's course rather than take its mean; when left out, water does and the other tracers do not",
    )  # fmt: skip
    run_time: float = parameter(
        0.0,
        unit="s",
        bounds=(0, 86_400),
        description="second of the run at which a scan that follows it begins: the injection",
    )
    follow_step: float | None = parameter(
        None,
        unit="s",
        bounds=(0.5, 600),
        description="activity is averaged over this; 1 for water and 10 otherwise when left out",
    )
    baseline_rate: float | None = parameter(
        None, unit="Hz", bounds=(0.001, 1000), description="firing at rest; the run's mean over regions when left out"
    )
    hemodynamics: Hemodynamics = Hemodynamics()
    release_gain: float | None = parameter(
        None, unit="1", bounds=(0, 100), description="dopamine change over firing change; the tracer's when left out"
    )
    release_time: float = parameter(
        120.0, unit="s", bounds=(0, 3600), description="time constant with which released dopamine follows firing"
    )
    released_by: tuple[str, ...] = parameter(
        (),
        unit="-",
        description="regions whose firing releases it everywhere, in words (kind:thalamus); each its own when empty",
    )
    challenges: tuple[Challenge, ...] = parameter(
        (),
        unit="-",
        description="tables of what is released or given during the scan, each with onset, size or occupancy, shape, where",
    )
    displaced: tuple[Displaced, ...] = parameter(
        (), unit="-", description="tables of places where binding is lost, each with near, volume, reduction, onset"
    )
    synapse_exponent: float = parameter(
        0.3, unit="1", bounds=(0, 2), description="synaptic density goes as tract strength to this power"
    )
    local_synapses: float = parameter(
        0.1, unit="1", bounds=(0, 1), description="share of the mean strength that every region has without tracts"
    )
    out_strength: float = parameter(
        0.0,
        unit="1",
        bounds=(0, 1),
        description="share of what a region sends in its strength, the rest is what it receives",
    )

    # How the tracer is given.
    administration: Literal["bolus", "infusion", "bolus_infusion"] = parameter(
        "bolus", unit="-", description="at once, evenly over a time, or part of it at once and the rest evenly"
    )
    bolus_duration: float = parameter(
        0.0, unit="s", bounds=(0, 600), description="of the bolus; 0 is the tracer's own curve"
    )
    infusion_duration: float | None = parameter(
        None, unit="s", bounds=(1, 14_400), description="of the infusion; the whole scan when left out"
    )
    kbol: float = parameter(
        KBOL,
        unit="min",
        bounds=(0, 1000),
        symbol="Kbol",
        description="bolus over the rate of infusion (105 suits raclopride)",
    )
    input_function: str | None = parameter(
        None, unit="-", description="table (.tsv) of one's own arterial curve: time (s), plasma_radioactivity (Bq/mL)"
    )

    # Reconstruction.
    tier: Literal["image", "projection"] = parameter(
        "image",
        unit="-",
        description="noise added to the image, or counts along lines that are reconstructed (`noise_level` has no say there)",
    )
    views: int = parameter(126, unit="1", bounds=(8, 1024), description="angles over half a circle (projection tier)")
    iterations: int = parameter(
        4, unit="1", bounds=(1, 200), description="passes through all subsets (projection tier)"
    )
    subsets: int = parameter(
        21, unit="1", bounds=(1, 128), description="of the views, each as many apart (projection tier)"
    )
    psf_model: bool = parameter(
        True, unit="-", description="whether the reconstruction knows the point spread (projection tier)"
    )
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

    @field_validator("tracer", "scanner")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        try:
            (TRACERS if info.field_name == "tracer" else SCANNERS).get(value)
        except FakeImagingError as error:
            raise ValueError(str(error).replace("\n", "; ")) from None
        return value

    @field_validator("released_by", mode="before")
    @classmethod
    def _one_word_is_a_list_of_one(cls, value: Any) -> Any:
        return one_or_more(value)

    @model_validator(mode="after")
    def _given_one_way(self) -> Self:
        if self.administration == "bolus" and self.infusion_duration is not None:
            raise ValueError("`infusion_duration`: the tracer is given at once; say administration = 'infusion'")
        if self.administration == "infusion" and self.bolus_duration > 0:
            raise ValueError("`bolus_duration`: an infusion has no bolus; say administration = 'bolus_infusion'")
        if self.administration != "bolus_infusion" and self.kbol != KBOL:
            raise ValueError("`kbol`: only a bolus with an infusion has one; say administration = 'bolus_infusion'")
        if self.input_function is not None and (self.administration != "bolus" or self.bolus_duration > 0):
            raise ValueError(
                "`input_function`: it says what is in the artery, however the tracer is given; leave the rest out"
            )
        if self.input_function is not None and not self.input_function.endswith(ENDING):
            raise ValueError(f"`input_function`: {Path(self.input_function).name} is not a table that ends in .tsv")
        return self

    @field_validator("voxel_size", "psf_fwhm", mode="before")
    @classmethod
    def _three_for_three_axes(cls, value: Any) -> Any:
        if isinstance(value, list | tuple) and len(value) != 3:
            raise ValueError(f"{list(value)} mm; give one number or three")
        return tuple(value) if isinstance(value, list) else value

    @field_validator("voxel_size", "psf_fwhm", "field_of_view")
    @classmethod
    def _within(cls, value: float | Three | None, info: ValidationInfo) -> float | Three | None:
        low, high = WITHIN[str(info.field_name)]
        if value is not None and not all(low <= number <= high for number in _three(value)):
            raise ValueError(f"{value} mm is outside [{low:g}, {high:g}]")
        return value

    @field_validator("frames")
    @classmethod
    def _lengths_are_some(cls, value: tuple[tuple[int, float], ...] | None) -> tuple[tuple[int, float], ...] | None:
        try:
            return None if value is None else Framing(value=value, unit="s", source="the scan's own").value
        except ParameterError as error:
            raise ValueError(error.problems[0].partition(": ")[2]) from None

    @model_validator(mode="after")
    def _frames_fill_the_duration(self) -> Self:
        if self.frames is None or self.duration is None:
            return self
        if abs((total := sum(n * seconds for n, seconds in self.frames)) - self.duration) > 1e-6:
            raise ValueError(f"`frames`: they last {total:g} s and `duration` says {self.duration:g} s; leave one out")
        return self

    @model_validator(mode="after")
    def _subsets_have_views(self) -> Self:
        if self.subsets > self.views:
            raise ValueError(f"`subsets`: {self.subsets} of {self.views} views; take at most as many as `views`")
        return self

    @model_validator(mode="after")
    def _counts_have_their_own_noise(self) -> Self:
        if self.tier == "projection" and self.noise_level != 1.0:
            raise ValueError(
                "`noise_level`: counts have the noise of their number; change injected_activity or sensitivity, or say tier = 'image'"
            )
        return self

    @property
    def voxel_edges(self) -> Three:
        """Edges of a voxel in mm."""
        return _three(self.voxel_size)

    @property
    def point_spread(self) -> Three:
        """FWHM near the axis in mm, along x, y and z of the scanner."""
        return SCANNERS.get(self.scanner).near if self.psf_fwhm is None else _three(self.psf_fwhm)


def _three(value: float | Three) -> Three:
    return value if isinstance(value, tuple) else (value,) * 3


def injected(parameters: PetParameters) -> float:
    """Return the injected activity in MBq."""
    own = TRACERS.get(parameters.tracer).injected_activity.value
    return own if parameters.injected_activity is None else parameters.injected_activity


def suv(parameters: PetParameters) -> float:
    """Return injected activity over body weight in Bq/g: the unit of a plasma curve."""
    return injected(parameters) * 1e6 / (parameters.body_weight * 1e3)
