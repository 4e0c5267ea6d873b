"""Parameters of a BOLD scan: the sequence, the BOLD signal, and what disturbs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import field_validator, model_validator

from fakeimaging.activity import hemodynamics
from fakeimaging.activity.hemodynamics import Hemodynamics
from fakeimaging.core.parameters import Parameters, one_or_more, parameter, rescaled
from fakeimaging.core.text import listed
from fakeimaging.modalities.bold import field
from fakeimaging.modalities.bold.epsilon import blood_rate, signal_ratio

STEPHAN = "Stephan et al. 2007, doi:10.1016/j.neuroimage.2007.07.040"
LAMBDA = "share of the ceilings of Triantafyllou et al. 2005, doi:10.1016/j.neuroimage.2005.01.007; see bold.toml"
Three = tuple[float, float, float]
ECHOES = (0.001, 0.2)
"""Shortest and longest echo time in s."""
SENSES = {"AP": "j-", "PA": "j", "RL": "i-", "LR": "i"}
"""What people call the senses of phase encoding, and what BIDS does where the axes of the file point to the right and front."""
MOST_AT_ONCE = 16
"""Slices that can be excited at once (assumed)."""


class BoldParameters(Parameters):
    """Parameters of the scan and of the BOLD signal. Those that depend on the field take its value when they are left out."""

    elsewhere: ClassVar[Mapping[str, str]] = {"motion": "runs.physiology.motion"}

    tr: float = parameter(2.0, unit="s", bounds=(0.05, 20), symbol="TR", description="repetition time")
    voxel_size: float | Three = parameter(
        3.5, unit="mm", description="edge of the cubic voxel, or three edges, the last across the slices"
    )
    field_of_view: Three = parameter(
        (224.0, 224.0, 161.0), unit="mm", description="extent of the image, centred on the isocentre"
    )
    oblique: Three = parameter(
        (0.0, 0.0, 0.0), unit="deg", description="rotation of the slices about x, then y, then z of the scanner"
    )
    orientation: Literal["RAS", "LAS"] = parameter(
        "RAS", unit="-", description="where the first axis of the file points; scanners often store LAS"
    )
    field_strength: float = parameter(3.0, unit="T", bounds=(1.5, 7), symbol="B_0", description="1.5, 3 or 7")
    sequence: Literal["gradient_echo", "spin_echo"] = parameter(
        "gradient_echo", unit="-", description="what forms the echo; a spin echo refocuses static dephasing"
    )
    echo_time: float = parameter(
        0.03, unit="s", bounds=ECHOES, symbol="TE", description="echo time; 40 ms at 1.5 T, 25 ms at 7 T"
    )
    echo_times: tuple[float, ...] = parameter(
        (), unit="s", description="of a scan with several echoes, in place of `echo_time`: one file each"
    )
    echo: int = parameter(1, unit="1", bounds=(1, 20), description="which of the `echo_times` this is")
    flip_angle: float = parameter(
        73.0,
        unit="deg",
        bounds=(1, 90),
        description="of a gradient echo, near the Ernst angle of grey matter at 2 s; a spin echo has 90",
    )
    slice_order: Literal["interleaved", "ascending", "descending", "simultaneous"] = parameter(
        "interleaved", unit="-", description="order of the slices; simultaneous: all at the middle of the volume"
    )
    multiband: int = parameter(
        1,
        unit="1",
        bounds=(1, MOST_AT_ONCE),
        description="slices that are excited at once; divides the number of slices",
    )
    dummy_scans: int = parameter(
        5,
        unit="1",
        bounds=(0, 100),
        description="volumes that the scanner drops before the first; fewer leave bright ones",
    )
    phase_encoding: Literal["j-", "j", "i-", "i"] = parameter(
        "j-", unit="-", description="axis and sense of phase encoding (BIDS); j- is from front to back"
    )
    echo_spacing: float = parameter(
        0.00025,
        unit="s",
        bounds=(0, 0.002),
        description="effective time between lines of k-space, acceleration counted; 0 for no distortion",
    )
    susceptibility: float = parameter(
        1.0, unit="1", bounds=(0, 3), description="strength of the field of the air in the head; 0 for none"
    )
    V0: float = parameter(
        0.02,
        unit="1",
        bounds=(0.001, 0.2),
        symbol="V_0",
        source=hemodynamics.FRISTON,
        description="blood volume at rest",
    )
    nu0: float = parameter(
        80.6,
        unit="1/s",
        bounds=(10, 400),
        symbol="nu_0",
        source=f"{STEPHAN}, 40.3 at 1.5 T, linear in field",
        description="frequency offset at the surface of a vessel without any oxygen",
    )
    r0: float = parameter(
        110.0,
        unit="1/s",
        bounds=(10, 500),
        symbol="r_0",
        source="3 T value of published DCM scripts; see bold.toml",
        description="slope of the relaxation rate of blood against its oxygen extraction",
    )
    epsilon: float | Literal["relaxation"] = parameter(
        0.47,
        unit="1",
        symbol="eps",
        source="3 T value of published DCM scripts; see bold.toml",
        description="signal of blood over that of tissue, or 'relaxation': from the T2* of both (see epsilon)",
    )
    output: Literal["revised", "classic"] = parameter(
        "revised",
        unit="-",
        description="output equation: Stephan 2007, or that of Buxton 1998 (no field, no echo time)",
    )
    response: Literal["balloon", "spm", "glover"] = parameter(
        "balloon",
        unit="-",
        description="what turns activity into signal: the balloon model, or a canonical response as nilearn convolves it",
    )
    within_region: float = parameter(
        0.1, unit="1", bounds=(0, 1), description="SD over a region of the relative size of its response"
    )
    hemodynamics: Hemodynamics = Hemodynamics()
    snr: float = parameter(
        150.0, unit="1", bounds=(1, 1e6), description="grey matter over thermal noise with the default sequence"
    )
    noise: Literal["rician", "chi", "gaussian"] = parameter(
        "rician",
        unit="-",
        description="of the magnitude: one receiver, `coils` of them (sum of squares), or none of it",
    )
    coils: int = parameter(8, unit="1", bounds=(1, 128), description="receivers of 'chi'")
    motion_error: float = parameter(
        0.0,
        unit="mm",
        bounds=(0, 5),
        description="SD of the error of the motion columns of the preprocessed derivative",
    )
    lambda_grey: float = parameter(
        0.0085, unit="1", bounds=(0, 0.1), symbol="lambda", source=LAMBDA, description="physiological noise over signal"
    )
    lambda_white: float = parameter(0.0043, unit="1", bounds=(0, 0.1), description="the same in white matter")
    lambda_csf: float = parameter(0.0085, unit="1", bounds=(0, 0.1), description="the same in fluid")
    lambda_bold: float = parameter(
        0.5, unit="1", bounds=(0, 1), description="share of its variance that is BOLD-like: grows with the echo time"
    )
    noise_memory: float = parameter(
        2.0,
        unit="s",
        bounds=(0.05, 60),
        symbol="tau",
        description="of physiological noise in grey matter, exp(-TR / tau) from volume to volume; half in white matter and fluid",
    )
    noise_fwhm: float = parameter(
        7.0, unit="mm", bounds=(2, 40), description="width of the Gaussian that smooths physiological noise"
    )
    cardiac_percent: float = parameter(
        0.15, unit="%", bounds=(0, 10), description="root mean square of the pulse over grey matter"
    )
    respiratory_percent: float = parameter(
        0.25, unit="%", bounds=(0, 10), description="root mean square of breathing over grey matter"
    )
    heart_rate_percent: float = parameter(
        0.15,
        unit="%",
        bounds=(0, 10),
        description="root mean square of what a faster or slower heart does, over grey matter",
    )
    drift_percent: float = parameter(
        0.5, unit="%", bounds=(0, 10), description="expected SD of scanner drift over brain and time"
    )
    ghost_percent: float = parameter(
        0.5, unit="%", bounds=(0, 50), description="N/2 ghost: share of the image that shows half a field of view away"
    )
    spikes: float = parameter(0.0, unit="1/min", bounds=(0, 60), description="rate of spikes in k-space")
    spike_percent: float = parameter(
        20.0, unit="%", bounds=(0, 1000), description="amplitude of a spike's stripes over grey matter"
    )
    dropouts: float = parameter(0.0, unit="1/min", bounds=(0, 60), description="rate at which a slice loses its signal")
    sbref: bool = parameter(False, unit="-", description="whether a single-band reference volume is stored beside it")
    output_spaces: tuple[Literal["template", "T1w"], ...] = parameter(
        ("template",), unit="-", description="spaces of the preprocessed series; the template is always among them"
    )
    surfaces: bool = parameter(
        False, unit="-", description="whether the series on fsaverage5 (GIFTI) and CIFTI are made as well"
    )
    fieldmap: Literal["none", "epi", "phasediff"] = parameter(
        "none", unit="-", description="field map stored beside it: a pair of reversed spin echoes, or two phases"
    )

    @field_validator("echo_times", "output_spaces", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: Any) -> Any:
        return one_or_more(value)

    @field_validator("echo_times")
    @classmethod
    def _echo_times_are_in_seconds(cls, times: tuple[float, ...]) -> tuple[float, ...]:
        low, high = ECHOES
        if not all(low <= time <= high for time in times):
            guesses = [rescaled(time, ECHOES) for time in times]
            meant = ", ".join(f"{guess:g}" for guess in guesses if guess is not None)
            hint = f"; did you mean {meant}?" if None not in guesses else ""
            raise ValueError(f"{_written(times)} s: each is within [{low:g}, {high:g}] s{hint}")
        return times

    @field_validator("voxel_size", mode="before")
    @classmethod
    def _edges_are_three(cls, size: Any) -> Any:
        if isinstance(size, list | tuple) and len(size) != 3:
            raise ValueError(f"{_written(size)} mm; give one number or three")
        return tuple(size) if isinstance(size, list) else size

    @field_validator("phase_encoding", mode="before")
    @classmethod
    def _sense_is_that_of_bids(cls, sense: Any) -> Any:
        if isinstance(sense, str) and sense.upper() in SENSES:
            names = ", ".join(f"{name} is {meant}" for name, meant in SENSES.items())
            raise ValueError(f"'{sense}'; did you mean '{SENSES[sense.upper()]}'? ({names}; LAS swaps the last two)")
        return sense

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_field(cls, values: Any) -> Any:
        strength = values.get("field_strength", field.DEFAULT) if isinstance(values, Mapping) else None
        known = field.fields().get(strength) if isinstance(strength, float | int) else None
        if known is None or not isinstance(values, Mapping):
            return values
        # Once a mapping is made anew, its lists no longer count as those of a file, which may stand for tuples.
        own = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        return {**known.defaults, **_echo(values), **own}

    @model_validator(mode="after")
    def _field_is_known(self) -> Self:
        if self.field_strength not in field.fields():
            allowed = ", ".join(f"{strength:g}" for strength in sorted(field.fields()))
            raise ValueError(f"`field_strength`: {self.field_strength:g} T has no constants; there are {allowed}")
        return self

    @model_validator(mode="after")
    def _echoes_fit(self) -> Self:
        if not self.echo_times:
            if self.echo != 1:
                raise ValueError(f"`echo`: {self.echo}, and `echo_times` names no echoes")
            return self
        if list(self.echo_times) != sorted(set(self.echo_times)) or not self.echo_times[0] >= 0.001:
            raise ValueError(f"`echo_times`: {list(self.echo_times)} s do not rise from at least 0.001 s")
        if self.echo > len(self.echo_times):
            raise ValueError(f"`echo`: {self.echo}, and there are {len(self.echo_times)} `echo_times`")
        if self.echo_time != self.echo_times[self.echo - 1]:
            raise ValueError(
                f"`echo_time`: {self.echo_time:g} s, and `echo_times` say {self.echo_times[self.echo - 1]:g}"
            )
        return self

    @model_validator(mode="after")
    def _echo_comes_in_time(self) -> Self:
        last = max((self.echo_time, *self.echo_times))
        if last >= self.tr:
            raise ValueError(f"`tr`: {self.tr:g} s is over before the echo at {last:g} s")
        return self

    @model_validator(mode="after")
    def _voxels_have_a_size(self) -> Self:
        if not all(1 <= edge <= 20 for edge in self.voxel_edges):
            raise ValueError(f"`voxel_size`: {self.voxel_size} mm is outside [1, 20] (edge of a voxel)")
        if not all(edge <= length <= 600 for edge, length in zip(self.voxel_edges, self.field_of_view, strict=True)):
            raise ValueError(
                f"`field_of_view`: {list(self.field_of_view)} mm; each is at least one voxel and at most 600"
            )
        return self

    @model_validator(mode="after")
    def _slices_come_in_whole_groups(self) -> Self:
        if self.n_slices % self.multiband:
            fitting = [k for k in range(2, MOST_AT_ONCE + 1) if self.n_slices % k == 0]
            words = f"{listed(fitting)} {'do' if len(fitting) > 1 else 'does'}" if fitting else "only 1 does"
            raise ValueError(f"`multiband`: {self.multiband} does not divide the {self.n_slices} slices; {words}")
        return self

    @model_validator(mode="after")
    def _blood_has_a_signal(self) -> Self:
        if not isinstance(self.epsilon, str) and not 0.01 <= self.epsilon <= 2:
            raise ValueError(f"`epsilon`: {self.epsilon:g} is outside [0.01, 2] (signal of blood over that of tissue)")
        return self

    @property
    def blood_signal(self) -> float:
        """Signal of blood over that of tissue, at the usual echo time of the field, so that the echoes of a scan share it."""
        if self.epsilon != "relaxation":
            return float(self.epsilon)
        known = field.fields()[self.field_strength]
        blood, tissue = blood_rate(self.field_strength, self.hemodynamics.E0), 1 / known.tissues["grey"].t2_star
        return signal_ratio(known.defaults["echo_time"], blood, tissue)

    @property
    def excitation_angle(self) -> float:
        """Flip angle of the excitation in degrees."""
        return 90.0 if self.sequence == "spin_echo" else self.flip_angle

    @property
    def n_slices(self) -> int:
        """Number of slices."""
        return max(1, round(self.field_of_view[2] / self.voxel_edges[2]))

    @property
    def voxel_edges(self) -> Three:
        """Edges of a voxel in mm, the last across the slices."""
        return self.voxel_size if isinstance(self.voxel_size, tuple) else (self.voxel_size,) * 3


def _echo(values: Mapping[str, Any]) -> dict[str, float]:
    """Echo time of the echo that is meant, where several are named; what is wrong with them is found later."""
    times, echo = one_or_more(values.get("echo_times") or ()), values.get("echo", 1)
    if not isinstance(times, tuple) or not isinstance(echo, int) or not 1 <= echo <= len(times):
        return {}
    meant = times[echo - 1]
    return {"echo_time": meant} if isinstance(meant, int | float) and ECHOES[0] <= meant <= ECHOES[1] else {}


def _written(values: Iterable[Any]) -> str:
    return f"[{', '.join(f'{x:g}' if isinstance(x, int | float) else str(x) for x in values)}]"
