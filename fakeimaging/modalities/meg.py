"""Magnetoencephalography: the magnetic field that the cortex's dipoles make in the coils of a helmet, in tesla and tesla per metre.

    B = G q + G_1 m_1 + G_2 m_2

G: field summed over each region's surface and each coil's area (T or T/m per nAm/mm2); q, G_k and m_k as in EEG. The head leans into
the helmet, a little differently in each run, and the coils do not grow with it. The clean signal is that of the head as it lies when
the run starts; movement is a stage. Sample i is the mean over the interval of the tap that starts at i / sampling_frequency.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import field_validator, model_validator

from fakeimaging.activity.activity import Activity
from fakeimaging.activity.stimuli import Event
from fakeimaging.core.arrays import frozen
from fakeimaging.core.citations import Reference
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError
from fakeimaging.core.parameters import parameter
from fakeimaging.core.spaces import Affine
from fakeimaging.core.streams import Streams
from fakeimaging.modalities.electro import eyes, heart
from fakeimaging.modalities.electro.auxiliary import LEVELS, AuxiliaryParameters, auxiliary_channels, with_auxiliary
from fakeimaging.modalities.electro.background import BACKGROUND, BackgroundParameters
from fakeimaging.modalities.electro.bad import BAD, MAGNETIC_KINDS, problem_of
from fakeimaging.modalities.electro.coil_faults import CoilFaultParameters
from fakeimaging.modalities.electro.drift import DRIFT
from fakeimaging.modalities.electro.eyes import BLINKS, SACCADES, EyeParameters
from fakeimaging.modalities.electro.filters import FILTER, check_filters, cutoffs, hardware_filters
from fakeimaging.modalities.electro.head_model import BEM, check_head_model, field_at_coils, shipped_at_coils
from fakeimaging.modalities.electro.heart import HEART_FIELD, HeartParameters
from fakeimaging.modalities.electro.helmet import (
    dev_head_t,
    digitised,
    head_in_helmet,
    head_table,
    meg_array,
    sensors_in,
)
from fakeimaging.modalities.electro.lead_field import REFERENCES
from fakeimaging.modalities.electro.levels import Levels
from fakeimaging.modalities.electro.line import LINE, LineParameters
from fakeimaging.modalities.electro.movement import MOVEMENT, Movement
from fakeimaging.modalities.electro.muscle import MUSCLE, MuscleParameters
from fakeimaging.modalities.electro.noise import SENSOR
from fakeimaging.modalities.electro.pops import POPS
from fakeimaging.modalities.electro.projection import Courses, clean_series, gains_of, shared_context
from fakeimaging.modalities.electro.quantisation import QUANTISATION
from fakeimaging.modalities.layers import Channel, Companion, Forward, Series
from fakeimaging.modalities.modality import Modality
from fakeimaging.structure.subject import Subject

FEMTOTESLA = 1e-15
TRIGGER = "STI101"
"""Name of the trigger channel, as MNE-Python looks for it."""
PULSE = 0.02
"""s, length of a trigger's pulse (assumed)."""
GRADIENT, BASELINE = 5.0, 0.05
"""1/m: gradient of the room's fields over their size, as of sources 0.6 m away (assumed); m: baseline of an axial gradiometer."""
SEEN = {"MEGMAG": 1.0, "MEGGRADPLANAR": GRADIENT, "MEGGRADAXIAL": GRADIENT * BASELINE}
"""What each kind of coil shows of a field of the room."""
COUNTED = {
    "MEG": tuple(SEEN), "MEGREF": ("MEGREFMAG",), "EEG": ("EEG",), "ECOG": ("ECOG",), "SEEG": ("SEEG",),
    "EOG": ("EOG",), "ECG": ("ECG",), "EMG": ("EMG",), "Misc": ("MISC",), "Trigger": ("TRIG",),
}  # fmt: skip
"""Types of channels behind each of BIDS' counts."""


class MegParameters(
    EyeParameters,
    HeartParameters,
    MuscleParameters,
    AuxiliaryParameters,
    CoilFaultParameters,
    BackgroundParameters,
    LineParameters,
):
    """Parameters of the recording."""

    elsewhere: ClassVar[Mapping[str, str]] = {"sfreq": "sampling_frequency", "montage": "array", "helmet": "array"}

    array: Literal["neuromag306", "ctf151", "ctf275"] = parameter(
        "neuromag306", unit="-", source="MNE-Python's canonical arrays", description="coils of the helmet"
    )
    sampling_frequency: float = parameter(
        250.0, unit="Hz", bounds=(10, 10_000), description="samples per second; at most the rate of the run's dipoles"
    )
    gap: float = parameter(
        15.0, unit="mm", bounds=(5, 60), description="from scalp to the nearest coil: wall of the dewar, and hair"
    )
    head_rotation_sd: float = parameter(
        2.0, unit="deg", bounds=(0, 20), description="SD over runs of the head's rotation in the helmet about each axis"
    )
    head_shift_sd: float = parameter(
        3.0, unit="mm", bounds=(0, 40), description="SD over runs of how far the head is from where it fits best"
    )
    head_model: str = parameter(
        BEM,
        unit="-",
        description="bem (the shipped boundary elements), sphere (Sarvas' formula), or a forward solution of MNE-Python (.fif); "
        "what movement changes is the boundary elements' in any case",
    )
    movement: float = parameter(
        1.0,
        unit="1",
        bounds=(0, 50),
        description="size of head movement, relative to the motion of the run's physiology",
    )
    magnetometer_noise: float = parameter(
        3e-15, unit="T/sqrt(Hz)", bounds=(0, 1e-11), description="white noise of a magnetometer"
    )
    gradiometer_noise: float = parameter(
        3e-13,
        unit="T/m/sqrt(Hz)",
        bounds=(0, 1e-9),
        description="white noise of a planar gradiometer: 3 fT/cm/sqrt(Hz)",
    )
    axial_noise: float = parameter(
        5e-15, unit="T/sqrt(Hz)", bounds=(0, 1e-11), description="white noise of an axial gradiometer"
    )
    noise_corner: float = parameter(
        0.5,
        unit="Hz",
        bounds=(0, 100),
        description="frequency below which noise of power 1/f is larger than white noise",
    )
    line_amplitude: float = parameter(
        1e-13, unit="T", bounds=(0, 1e-9), description="of mains hum in a typical magnetometer in a shielded room, rms"
    )
    room_drift: float = parameter(
        1e-12, unit="T", bounds=(0, 1e-9), description="SD over minutes of the field that is left in the shielded room"
    )
    high_pass: float | Literal["none"] | None = parameter(
        0.03, unit="Hz", description="cutoff of the electronics' high-pass, from 0.0001; 'none' is DC-coupled"
    )
    low_pass: float | Literal["auto", "none"] | None = parameter(
        "auto",
        unit="Hz",
        description="cutoff of the electronics' low-pass; 'auto' is 0.4 of the sampling rate, 'none' no filter",
    )
    triggers: bool = parameter(
        True, unit="-", description=f"whether channel {TRIGGER} shows the run's events as pulses"
    )
    resolution: float = parameter(
        1e-15,
        unit="T",
        bounds=(1e-18, 1e-12),
        description="one step of a stored integer; of a planar gradiometer, per cm",
    )

    @field_validator("head_model")
    @classmethod
    def _head_model_exists(cls, value: str) -> str:
        return check_head_model(value)

    @model_validator(mode="after")
    def _filters_fit(self) -> Self:
        check_filters(self)
        if problem := problem_of(self.bad_channels, meg_array(self.array).names, MAGNETIC_KINDS):
            raise ValueError(f"`bad_channels`: {problem}")
        return self

    def levels(self) -> dict[str, Levels]:
        """Return noise, hum and drift of every kind of coil, and of the electrodes beside them."""
        white = {
            "MEGMAG": self.magnetometer_noise,
            "MEGGRADPLANAR": self.gradiometer_noise,
            "MEGGRADAXIAL": self.axial_noise,
        }
        coils = {
            kind: Levels(
                white=white[kind],
                pink=white[kind] * math.sqrt(self.noise_corner),
                line=self.line_amplitude * seen,
                drift=self.room_drift * seen,
            )
            for kind, seen in SEEN.items()
        }
        return LEVELS | coils


def geometry(parameters: MegParameters, duration: float) -> tuple[tuple[Channel, ...], Clock]:
    """Return the channels and the clock of a recording of a run of ``duration`` seconds."""
    array = meg_array(parameters.array)
    steps = {"T": parameters.resolution, "T/m": 100 * parameters.resolution}
    coils = [
        Channel(name, kind, unit, steps[unit])
        for name, kind, unit in zip(array.names, array.kinds, array.units, strict=True)
    ]
    triggers = [Channel(TRIGGER, "TRIG", "V", 1.0)] if parameters.triggers else []
    beside = auxiliary_channels(parameters)
    n = math.floor(duration * parameters.sampling_frequency + 1e-6)
    return (*coils, *beside, *triggers), Clock(0.0, 1 / parameters.sampling_frequency, n)


def helmet_to_native(subject: Subject, parameters: MegParameters, streams: Streams) -> Affine:
    """Return where the helmet is in a run: helmet mm to native mm; drawn once a run, so that all its recordings share it."""
    rng = streams.at("meg", "position").rng()
    turn = np.radians(parameters.head_rotation_sd) * rng.standard_normal(3)
    right, front, down = parameters.head_shift_sd * rng.standard_normal(3)
    shift = (right, abs(front), abs(down))
    return head_in_helmet(subject, meg_array(parameters.array), parameters.gap, turn.tolist(), shift)


def forward(subject: Subject, activity: Activity | None, parameters: MegParameters) -> Forward:
    """Return the noise-free field and the truth: what each region's dipoles make in each coil."""
    if activity is None:
        raise InputError("meg images activity")
    channels, clock = geometry(parameters, activity.duration)
    array, place = meg_array(parameters.array), helmet_to_native(subject, parameters, activity.streams)
    sensors = sensors_in(subject, array, place)
    shipped = shipped_at_coils(subject, sensors)
    field = shipped if parameters.head_model == BEM else field_at_coils(parameters.head_model, subject, sensors)
    gains = gains_of(subject, activity, field)
    courses = Courses(activity, clock, "meg.sampling_frequency")
    points = digitised(subject)
    largest = max(channel.resolution for channel in channels if channel.kind in SEEN)
    clean = clean_series(channels, clock, gains, courses, largest)
    return Forward(
        clean=with_triggers(clean, activity.events) if parameters.triggers else clean,
        reference=FEMTOTESLA,
        truth={"region_gain": gains.regions.T.astype(np.float32)},
        companions=(
            _channel_table(channels, parameters),
            head_table(subject),
        ),
        context={
            **shared_context(
                subject, activity, with_auxiliary(sensors, channels[len(array.names) :]), parameters, field, gains
            ),
            "movement": Movement(subject, courses, shipped, sensors),
            "coils": dict(zip(array.names, zip(array.coil_types.tolist(), array.loc, strict=True), strict=True)),
            "helmet": place,
            "dev_head_t": dev_head_t(subject, place),
            "head_shape": points["head"],
            "head_coils": points["hpi"],
            "trigger_codes": trigger_codes(activity.events),
        },
    )


def trigger_codes(events: Sequence[Event]) -> dict[str, int]:
    """Return the code of each type of event, from 1 on, in the order of their names."""
    return {name: code for code, name in enumerate(sorted({event.trial_type for event in events}), 1)}


def with_triggers(series: Series, events: Sequence[Event]) -> Series:
    """Return a series whose last channel shows each event as a pulse of its code.

    A pulse ends one sample before the next begins; of events in one sample the largest code shows.
    """
    starts, codes = _pulses(events, series.clock)

    def make(v: int) -> npt.NDArray[np.float32]:
        signal, row = series.make(v), _pulse_course(starts, codes, series.clock, series.part(v))
        if not row.any():
            return signal
        signal = np.array(signal)
        signal[-1] = row
        return frozen(signal)

    return series.made_by(make)


def _pulses(events: Sequence[Event], clock: Clock) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return first sample and code of each pulse, in order."""
    known, found = trigger_codes(events), dict[int, int]()
    for event in events:
        first = round((event.onset - clock.start) * clock.rate)
        found[first] = max(found.get(first, 0), known[event.trial_type])
    starts = sorted(first for first in found if 0 <= first < clock.n)
    return np.array(starts, dtype=np.intp), np.array([found[first] for first in starts], dtype=np.intp)


def _pulse_course(
    starts: npt.NDArray[np.intp], codes: npt.NDArray[np.intp], clock: Clock, part: Clock
) -> npt.NDArray[np.float32]:
    """Return the trigger channel in a part."""
    ends = starts + max(1, round(PULSE * clock.rate))
    ends[:-1] = np.maximum(np.minimum(ends[:-1], starts[1:] - 1), starts[:-1] + 1)
    first = round((part.start - clock.start) * clock.rate)
    course = np.zeros(part.n, dtype=np.float32)
    for start, end, code in zip(starts - first, ends - first, codes, strict=True):
        course[max(start, 0) : max(end, 0)] = code
    return course


def _channel_table(channels: Sequence[Channel], parameters: MegParameters) -> Companion:
    low, high = cutoffs(parameters)
    rows = [
        [c.name, c.kind, c.unit, *((None, None) if c.kind == "TRIG" else (low, high)), "good"]
        for c in channels
    ]  # fmt: skip
    return Companion("channels", ("name", "type", "units", "low_cutoff", "high_cutoff", "status"), rows)


def sidecar(parameters: MegParameters, forward: Forward) -> dict[str, Any]:
    """Return the BIDS keys of the recording."""
    series: Series = forward.clean
    counts = {f"{name}ChannelCount": len(series.rows(*kinds)) for name, kinds in COUNTED.items()}
    codes = {"TriggerCodes": forward.context["trigger_codes"]} if parameters.triggers else {}
    return {
        "Manufacturer": "none: fields are simulated",
        "ManufacturersModelName": parameters.array,
        "SamplingFrequency": parameters.sampling_frequency,
        "PowerLineFrequency": parameters.line_frequency,
        "DewarPosition": "upright",
        "SoftwareFilters": "n/a",
        "HardwareFilters": hardware_filters(parameters),
        "DigitizedLandmarks": True,
        "DigitizedHeadPoints": True,
        "ContinuousHeadLocalization": False,
        **counts,
        **codes,
        "RecordingDuration": series.clock.n * series.clock.step,
        "RecordingType": "continuous",
    }


MODALITY = Modality(
    name="meg",
    parameters=MegParameters,
    images="function",
    reads=("dipole",),
    geometry=geometry,
    forward=forward,
    observe=(
        BACKGROUND,
        MOVEMENT,
        SENSOR,
        BLINKS,
        SACCADES,
        HEART_FIELD,
        MUSCLE,
        LINE,
        DRIFT,
        POPS,
        BAD,
        FILTER,
        QUANTISATION,
    ),
    datatype="meg",
    suffix="meg",
    sidecar=sidecar,
    references=(
        *REFERENCES,
        *eyes.REFERENCES,
        *heart.REFERENCES,
        Reference("Niso et al.", 2018, "10.1038/sdata.2018.110", "MEG in BIDS"),
        Reference("Fairweather and Karageorghis", 1998, "10.1023/A:1018981221740", "magnetic field as of charges"),
    ),
    small={"array": "ctf151", "sampling_frequency": 125.0},
    unit="T",
    format="fif",
)
