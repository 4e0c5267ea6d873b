"""Electroencephalography: the potentials that the cortex's dipoles make on the scalp, in volts.

    V = G q + G_1 m_1 + G_2 m_2

G: lead field summed over each region's surface (V per nAm/mm2); q: dipole density of each region, the tap ``dipole``
(nAm/mm2); G_k, m_k: the same with the sub-regional patterns and their courses. The clean signal is against the mean of
335 electrodes all over the head; the reference is a stage. The amplifier is AC-coupled: the run's mean is taken out.
Sample i is the mean over the interval of the tap that starts at i / sampling_frequency.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import field_validator, model_validator

from fakeimaging.activity.activity import Activity
from fakeimaging.core.citations import Reference
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError, UnknownNameError
from fakeimaging.core.parameters import parameter
from fakeimaging.modalities.electro import eyes, heart
from fakeimaging.modalities.electro.auxiliary import AuxiliaryParameters, auxiliary_channels, with_auxiliary
from fakeimaging.modalities.electro.background import BACKGROUND, BackgroundParameters
from fakeimaging.modalities.electro.bad import BAD, problem_of
from fakeimaging.modalities.electro.drift import DRIFT, SWEAT
from fakeimaging.modalities.electro.electrodes import electrode_names, electrode_tables
from fakeimaging.modalities.electro.eyes import BLINKS, SACCADES, EyeParameters
from fakeimaging.modalities.electro.faults import FaultParameters, ScannerParameters
from fakeimaging.modalities.electro.filters import FILTER, check_filters, cutoffs, hardware_filters
from fakeimaging.modalities.electro.head_model import ABOUT_POTENTIALS, BEM, check_head_model, electric_field
from fakeimaging.modalities.electro.heart import HEART_FIELD, PULSE, HeartParameters, PulseParameters
from fakeimaging.modalities.electro.impedance import IMPEDANCE
from fakeimaging.modalities.electro.lead_field import REFERENCES
from fakeimaging.modalities.electro.levels import ELECTRODES, Levels
from fakeimaging.modalities.electro.line import LINE, LineParameters
from fakeimaging.modalities.electro.montages import montage_of
from fakeimaging.modalities.electro.muscle import MUSCLE, MuscleParameters
from fakeimaging.modalities.electro.noise import SENSOR
from fakeimaging.modalities.electro.pops import POPS
from fakeimaging.modalities.electro.projection import Courses, clean_series, gains_of, shared_context
from fakeimaging.modalities.electro.quantisation import QUANTISATION
from fakeimaging.modalities.electro.reference import REFERENCE_ELECTRODE, reference_electrodes
from fakeimaging.modalities.electro.scanner import GRADIENT, volume_onsets
from fakeimaging.modalities.electro.sensors import Sensors
from fakeimaging.modalities.layers import Channel, Companion, Forward
from fakeimaging.modalities.modality import Modality
from fakeimaging.structure.subject import Subject

MICROVOLT = 1e-6
IN_SCANNER = 5e-7
"""V, step of the stored int16 inside a scanner unless another is asked for: the range is 16 mV then (BrainAmp MR's setting)."""


class EegParameters(
    EyeParameters,
    HeartParameters,
    PulseParameters,
    MuscleParameters,
    AuxiliaryParameters,
    FaultParameters,
    ScannerParameters,
    BackgroundParameters,
    LineParameters,
):
    """Parameters of the recording."""

    elsewhere: ClassVar[Mapping[str, str]] = {"sfreq": "sampling_frequency", "array": "montage", "implants": "montage"}

    montage: str | tuple[str, ...] = parameter(
        "biosemi64",
        unit="-",
        source="BioSemi's cap of 64",
        description="montage by its name in MNE-Python, file of electrodes, or names of the 10-05 system",
    )
    sampling_frequency: float = parameter(
        250.0, unit="Hz", bounds=(10, 10_000), description="samples per second; at most the rate of the run's dipoles"
    )
    file_format: Literal["brainvision", "edf", "eeglab"] = parameter(
        "brainvision", unit="-", description="of the observed file; the truth is BrainVision"
    )
    reference: str = parameter(
        "average",
        unit="-",
        description="average, REST, none, or an electrode of the montage; several (a list, or with commas between them) are linked",
    )
    head_model: str = parameter(
        BEM,
        unit="-",
        description="bem (the shipped boundary elements), sphere (three shells), or a forward solution of MNE-Python (.fif)",
    )
    line_amplitude: float = parameter(
        3e-6, unit="V", bounds=(0, 1e-3), description="of mains hum in a typical channel, rms"
    )
    amplifier_noise: float = parameter(
        4e-8, unit="V/sqrt(Hz)", bounds=(0, 1e-5), description="white noise of the amplifier; 0.4 uV over 100 Hz"
    )
    electrode_noise: float = parameter(
        4e-7,
        unit="V/sqrt(Hz)",
        bounds=(0, 1e-4),
        description="noise of skin and electrode at 1 Hz, 1/f in power; about 1 uV from 0.5 to 125 Hz",
    )
    electrode_drift: float = parameter(
        6e-5, unit="V", bounds=(0, 1e-2), description="SD of the slow drift of a typical electrode over minutes"
    )
    sweat_amplitude: float = parameter(
        3e-5, unit="V", bounds=(0, 1e-2), description="peak of a typical burst of sweat where it is largest"
    )
    sweat_rate: float = parameter(0.3, unit="1/min", bounds=(0, 20), description="bursts of sweat")
    high_pass: float | Literal["none"] | None = parameter(
        0.016,
        unit="Hz",
        source="BrainAmp: a time constant of 10 s (10.3390/s21134485, table 1)",
        description="cutoff of the amplifier's high-pass, first order, from 0.0001; 'none' is DC-coupled",
    )
    low_pass: float | Literal["auto", "none"] | None = parameter(
        "auto",
        unit="Hz",
        description="cutoff of the amplifier's low-pass, Butterworth of order 5; 'auto' is 0.4 of the sampling rate, 'none' no filter",
    )
    resolution: float = parameter(
        1e-7,
        unit="V",
        bounds=(1e-9, 1e-5),
        source="BrainAmp's usual setting",
        description="one step of the stored int16",
    )

    @field_validator("head_model")
    @classmethod
    def _head_model_exists(cls, value: str) -> str:
        return check_head_model(value)

    @field_validator("reference", mode="before")
    @classmethod
    def _linked(cls, value: Any) -> Any:
        listed = isinstance(value, list | tuple) and len(value) > 0 and all(isinstance(name, str) for name in value)
        return ", ".join(value) if listed else value

    @model_validator(mode="after")
    def _electrodes_exist(self) -> Self:
        try:
            names = montage_of(self.montage).names
        except (UnknownNameError, InputError) as error:
            raise ValueError(f"`montage`: {error}") from None
        if len(names) < 2 or len(set(names)) < len(names):
            raise ValueError(f"`montage`: at least two electrodes, each once, not {', '.join(names) or 'none'}")
        reference_electrodes(self.reference, names)
        check_filters(self)
        return self

    def levels(self) -> dict[str, Levels]:
        """Return noise, hum and drift of every kind of electrode."""
        contact = Levels(
            white=self.amplifier_noise, pink=self.electrode_noise, line=self.line_amplitude, drift=self.electrode_drift
        )
        return dict.fromkeys(ELECTRODES, contact) | {"EEG": replace(contact, sweat=self.sweat_amplitude)}

    @model_validator(mode="after")
    def _faults_exist(self) -> Self:
        if problem := problem_of(self.bad_channels, electrode_names(self.montage)):
            raise ValueError(f"`bad_channels`: {problem}")
        if self.scanner != "none" and not 0.01 <= self.scanner <= 25:
            raise ValueError(f"`scanner`: {self.scanner:g} T is outside [0.01, 25] (field of the MR scanner)")
        if self.scanner != "none" and "resolution" not in self.model_fields_set:
            object.__setattr__(self, "resolution", IN_SCANNER)
        return self


def geometry(parameters: EegParameters, duration: float) -> tuple[tuple[Channel, ...], Clock]:
    """Return the channels and the clock of a recording of a run of ``duration`` seconds."""
    electrodes = (Channel(name, "EEG", "V") for name in electrode_names(parameters.montage))
    channels = (*electrodes, *auxiliary_channels(parameters))
    n = math.floor(duration * parameters.sampling_frequency + 1e-6)
    return channels, Clock(0.0, 1 / parameters.sampling_frequency, n)


def forward(subject: Subject, activity: Activity | None, parameters: EegParameters) -> Forward:
    """Return the noise-free potentials and the truth: what each region's dipoles make at each electrode."""
    if activity is None:
        raise InputError("eeg images activity")
    channels, clock = geometry(parameters, activity.duration)
    montage = montage_of(parameters.montage)
    names, field = montage.names, electric_field(parameters.head_model, subject, montage)
    gains = gains_of(subject, activity, field)
    courses = Courses(activity, clock, "eeg.sampling_frequency")
    sensors = Sensors(names, ("EEG",) * len(names), montage.native(subject))
    sensors = with_auxiliary(sensors, auxiliary_channels(parameters))
    return Forward(
        clean=clean_series(channels, clock, gains, courses, parameters.resolution),
        reference=MICROVOLT,
        truth={"region_gain": gains.regions.T.astype(np.float32)},
        companions=(_channel_table(channels, parameters), *electrode_tables(subject, montage)),
        context={
            **shared_context(subject, activity, sensors, parameters, field, gains),
            "triggers": volume_onsets(parameters, activity.duration),
            "about_clean": {
                "EEGReference": ABOUT_POTENTIALS.get(parameters.head_model, "that of the forward solution")
            },
        },
    )


def _channel_table(channels: Sequence[Channel], parameters: EegParameters) -> Companion:
    low, high = cutoffs(parameters)
    references = {"EEG": parameters.reference, "ECG": "lead II"}
    rows = [[c.name, c.kind, "uV", low, high, references.get(c.kind, "bipolar"), "good"] for c in channels]
    columns = ("name", "type", "units", "low_cutoff", "high_cutoff", "reference", "status")
    return Companion("channels", columns, rows)


def sidecar(parameters: EegParameters, forward: Forward) -> dict[str, Any]:
    """Return the BIDS keys of the recording."""
    clock = forward.clean.clock
    return {
        "EEGReference": parameters.reference,
        "EEGGround": "none: potentials are simulated",
        "SamplingFrequency": parameters.sampling_frequency,
        "PowerLineFrequency": parameters.line_frequency,
        "SoftwareFilters": "n/a",
        "HardwareFilters": hardware_filters(parameters),
        "EEGPlacementScheme": Path(parameters.montage).name if isinstance(parameters.montage, str) else "10-05",
        # Of the type of that very name, as BIDS' validator counts: VEOG and HEOG are no EOG.
        **{f"{kind}ChannelCount": len(forward.clean.rows(kind)) for kind in ("EEG", "EOG", "ECG", "EMG", "MISC")},
        "TriggerChannelCount": 0,
        "RecordingDuration": clock.n * clock.step,
        "RecordingType": "continuous",
    }


MODALITY = Modality(
    name="eeg",
    parameters=EegParameters,
    images="function",
    reads=("dipole",),
    geometry=geometry,
    forward=forward,
    observe=(
        BACKGROUND,
        SENSOR,
        BLINKS,
        SACCADES,
        HEART_FIELD,
        PULSE,
        MUSCLE,
        LINE,
        DRIFT,
        SWEAT,
        POPS,
        IMPEDANCE,
        GRADIENT,
        BAD,
        FILTER,
        REFERENCE_ELECTRODE,
        QUANTISATION,
    ),
    datatype="eeg",
    suffix="eeg",
    sidecar=sidecar,
    references=(
        *REFERENCES,
        *eyes.REFERENCES,
        *heart.REFERENCES,
        Reference("Pernet et al.", 2019, "10.1038/s41597-019-0104-8", "EEG in BIDS"),
    ),
    small={"montage": "standard_1020", "sampling_frequency": 125.0},
    unit="V",
    format="brainvision",
    format_of=lambda parameters: parameters.file_format,
    same_in_session=("montage",),
)
