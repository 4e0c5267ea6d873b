"""Electroencephalography: the potentials that the cortex's dipoles make on the scalp, in volts.

    V = G q + G_1 m_1 + G_2 m_2

G: lead field summed over each region's surface (V per nAm/mm2); q: dipole density of each region, the tap ``dipole``
(nAm/mm2); G_k, m_k: the same with the sub-regional patterns and their courses. The clean signal is against the mean of
335 electrodes all over the head; the reference is a stage. The amplifier is AC-coupled: the run's mean is taken out.
Sample i is the mean over the interval of the tap that starts at i / sampling_frequency.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import field_validator, model_validator

from fakeimaging.activity.activity import Activity
from fakeimaging.core.citations import Reference
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError, UnknownNameError, did_you_mean
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.modalities.electro.bad import BAD, BadKind, as_pairs, problem_of
from fakeimaging.modalities.electro.electrodes import electrode_names, electrode_tables
from fakeimaging.modalities.electro.impedance import IMPEDANCE
from fakeimaging.modalities.electro.lead_field import REFERENCES, electric
from fakeimaging.modalities.electro.montages import montage_of
from fakeimaging.modalities.electro.pops import POPS
from fakeimaging.modalities.electro.projection import Courses, clean_series, gains_of, shared_context
from fakeimaging.modalities.electro.scanner import GRADIENT, volume_onsets
from fakeimaging.modalities.electro.sensors import Sensors
from fakeimaging.modalities.electro.stages import BLINKS, LINE, QUANTISATION, REFERENCE_ELECTRODE, SENSOR
from fakeimaging.modalities.layers import Channel, Companion, Forward
from fakeimaging.modalities.modality import Modality
from fakeimaging.structure.subject import Subject

MICROVOLT = 1e-6
IN_SCANNER = 5e-7
"""V, step of the stored int16 inside a scanner unless another is asked for: the range is 16 mV then (BrainAmp MR's setting)."""


class EegParameters(Parameters):
    """Parameters of the recording."""

    montage: str | tuple[str, ...] = parameter(
        "biosemi64",
        unit="-",
        source="BioSemi's cap of 64",
        description="montage by its name in MNE-Python, file of electrodes, or names of the 10-05 system",
    )
    sampling_frequency: float = parameter(
        250.0, unit="Hz", bounds=(10, 10_000), description="samples per second; a whole fraction of the activity's rate"
    )
    reference: str = parameter("average", unit="-", description="average, or the name of an electrode of the montage")
    line_frequency: float = parameter(
        50.0, unit="Hz", bounds=(40, 70), source="IEC 60038", description="of the mains: 50 or 60"
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
    blink_amplitude: float = parameter(
        1.5e-4,
        unit="V",
        bounds=(0, 2e-3),
        description="of a blink of strength 1, mean of Fp1 and Fp2, before the reference",
    )
    resolution: float = parameter(
        1e-7,
        unit="V",
        bounds=(1e-9, 1e-5),
        source="BrainAmp's usual setting",
        description="one step of the stored int16",
    )

    # Faults of channels, impedances and the MR scanner.
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

    @model_validator(mode="after")
    def _electrodes_exist(self) -> Self:
        try:
            names = montage_of(self.montage).names
        except (UnknownNameError, InputError) as error:
            raise ValueError(f"`montage`: {error}") from None
        if len(names) < 2 or len(set(names)) < len(names):
            raise ValueError(f"`montage`: at least two electrodes, each once, not {', '.join(names) or 'none'}")
        if self.reference not in ("average", *names):
            hint = did_you_mean(self.reference, ("average", *names))
            raise ValueError(f"`reference`: '{self.reference}' is no electrode of the montage{hint}")
        return self

    @field_validator("bad_channels", mode="before")
    @classmethod
    def _table_as_pairs(cls, value: Any) -> Any:
        return as_pairs(value)

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
    channels = tuple(Channel(name, "EEG", "V") for name in electrode_names(parameters.montage))
    n = math.floor(duration * parameters.sampling_frequency + 1e-6)
    return channels, Clock(0.0, 1 / parameters.sampling_frequency, n)


def forward(subject: Subject, activity: Activity | None, parameters: EegParameters) -> Forward:
    """Return the noise-free potentials and the truth: what each region's dipoles make at each electrode."""
    if activity is None:
        raise InputError("eeg images activity")
    channels, clock = geometry(parameters, activity.duration)
    montage = montage_of(parameters.montage)
    names, field = montage.names, electric().on(montage.points)
    gains = gains_of(subject, activity, field)
    courses = Courses(activity, clock, "eeg.sampling_frequency")
    sensors = Sensors(names, tuple(channel.kind for channel in channels), montage.native(subject))
    return Forward(
        clean=clean_series(channels, clock, gains, courses, parameters.resolution),
        reference=MICROVOLT,
        truth={"region_gain": gains.regions.T.astype(np.float32)},
        companions=(_channel_table(names, parameters), *electrode_tables(subject, montage)),
        context={
            **shared_context(subject, activity, sensors, parameters, field, gains),
            "triggers": volume_onsets(parameters, activity.duration),
            "about_clean": {"EEGReference": "mean of the 335 electrodes of the lead field"},
        },
    )


def _channel_table(names: Sequence[str], parameters: EegParameters) -> Companion:
    high, reference = parameters.sampling_frequency / 2, parameters.reference
    rows = [[name, "EEG", "uV", None, high, reference, "good"] for name in names]
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
        "HardwareFilters": {"AC coupling": {"description": "the mean of the run is 0 in every channel before noise"}},
        "EEGPlacementScheme": Path(parameters.montage).name if isinstance(parameters.montage, str) else "10-05",
        "EEGChannelCount": len(forward.clean.channels),
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
    observe=(SENSOR, BLINKS, LINE, POPS, IMPEDANCE, GRADIENT, BAD, REFERENCE_ELECTRODE, QUANTISATION),
    datatype="eeg",
    suffix="eeg",
    sidecar=sidecar,
    references=(
        *REFERENCES,
        Reference("Pernet et al.", 2019, "10.1038/s41597-019-0104-8", "EEG in BIDS"),
    ),
    small={"montage": "standard_1020", "sampling_frequency": 125.0},
    unit="V",
    format="brainvision",
    same_in_session=("montage",),
)
