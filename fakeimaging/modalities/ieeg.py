"""Intracranial electroencephalography: the potentials at grids and strips on the brain and at shafts in it, in volts.

    V = G q + G_1 m_1 + G_2 m_2

q, m_k: the activity's dipole density (nAm/mm2) and its sub-regional courses, as in `eeg`; G: what they make at the contacts in
a homogeneous brain (V per nAm/mm2), with an insulator above contacts that lie on it. The clean signal is against a place infinitely
far away; the reference is a stage. Bipolar channels are differences from the start, each its own amplifier. The mean of the
run is taken out.

A recording can be as fast as the run's dipoles: for 2 kHz, simulate it with ``taps={"dipole": 2000.0, ...}``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import field_validator, model_validator

from fakeimaging.activity.activity import Activity
from fakeimaging.core.citations import Reference
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError, UnknownNameError, did_you_mean
from fakeimaging.core.parameters import parameter
from fakeimaging.core.spaces import apply_affine
from fakeimaging.modalities.electro.background import BACKGROUND, BackgroundParameters
from fakeimaging.modalities.electro.bad import BAD, BadKind, as_pairs, problem_of
from fakeimaging.modalities.electro.contact_tables import electrode_tables, truth_table
from fakeimaging.modalities.electro.contacts_field import contact_field, field_inside, imposed_inside, recombined
from fakeimaging.modalities.electro.drift import DRIFT
from fakeimaging.modalities.electro.filters import FILTER, check_filters, cutoffs, hardware_filters
from fakeimaging.modalities.electro.implants import Implant, check_names, devices_of
from fakeimaging.modalities.electro.lead_field import REFERENCES, electric, to_native
from fakeimaging.modalities.electro.levels import Levels
from fakeimaging.modalities.electro.line import LINE, LineParameters
from fakeimaging.modalities.electro.medium import CONDUCTIVITY
from fakeimaging.modalities.electro.noise import SENSOR
from fakeimaging.modalities.electro.placement import Contacts, place, whereabouts
from fakeimaging.modalities.electro.pops import POPS
from fakeimaging.modalities.electro.projection import Courses, clean_series, gains_of, shared_context
from fakeimaging.modalities.electro.quantisation import QUANTISATION
from fakeimaging.modalities.electro.reference import reference_weights, subtracted
from fakeimaging.modalities.electro.sensors import Sensors
from fakeimaging.modalities.electro.sources import Dense
from fakeimaging.modalities.layers import Channel, Companion, Forward, Recipe, Series, Stage
from fakeimaging.modalities.modality import Modality
from fakeimaging.structure.subject import Subject

MICROVOLT = 1e-6
SCALP = "scalp:"
"""What stands before the name of an electrode of the scalp."""
SCHEMES = ("white_matter", "average", "bipolar")
"""References that are not one contact or electrode by name."""


class IeegParameters(BackgroundParameters, LineParameters):
    """Parameters of the recording."""

    elsewhere: ClassVar[Mapping[str, str]] = {"sfreq": "sampling_frequency", "montage": "implants"}

    implants: str | tuple[Implant, ...] = parameter(
        "temporal",
        unit="-",
        description="plan of implantation (temporal, temporal_grid, hippocampal_shafts, bilateral_shafts), or devices",
    )
    sampling_frequency: float = parameter(
        250.0, unit="Hz", bounds=(10, 10_000), description="samples per second; at most the rate of the run's dipoles"
    )
    file_format: Literal["brainvision", "edf", "eeglab"] = parameter(
        "brainvision", unit="-", description="of the observed file; the truth is BrainVision"
    )
    reference: str = parameter(
        "white_matter",
        unit="-",
        description="white_matter (the contact farthest from grey matter, in white matter if one is), average, "
        "bipolar (neighbours in a row), the name of a contact, or of an electrode of the scalp: scalp:Cz",
    )
    conductivity: float = parameter(
        CONDUCTIVITY, unit="S/m", bounds=(0.01, 10), symbol="sigma", source="mne.make_bem_model", description="of brain"
    )
    line_amplitude: float = parameter(
        2e-6, unit="V", bounds=(0, 1e-3), description="of mains hum in a typical channel, rms"
    )
    amplifier_noise: float = parameter(
        4e-8, unit="V/sqrt(Hz)", bounds=(0, 1e-5), description="white noise of the amplifier; 0.4 uV over 100 Hz"
    )
    electrode_noise: float = parameter(
        2e-7, unit="V/sqrt(Hz)", bounds=(0, 1e-4), description="noise of metal in tissue at 1 Hz, 1/f in power"
    )
    electrode_drift: float = parameter(
        5e-5, unit="V", bounds=(0, 1e-2), description="SD of the slow drift of a typical contact over minutes"
    )
    high_pass: float | Literal["none"] | None = parameter(
        0.15,
        unit="Hz",
        source="Micromed, as papers on ECoG report it",
        description="cutoff of the amplifier's high-pass, first order, from 0.0001; 'none' is DC-coupled",
    )
    low_pass: float | Literal["auto", "none"] | None = parameter(
        "auto",
        unit="Hz",
        description="cutoff of the amplifier's low-pass, Butterworth of order 5; 'auto' is 0.4 of the sampling rate, 'none' no filter",
    )
    bad_channels: int | float | tuple[tuple[str, BadKind], ...] = parameter(
        0, unit="-", description="number (2), share (0.05) or table ({LA7 = 'flat'}) of bad channels; numbers are drawn"
    )
    bad_kinds: tuple[BadKind, ...] = parameter(
        ("flat", "noisy", "loose"), unit="-", description="kinds among which drawn channels are bad"
    )
    noisy_amplitude: float = parameter(
        3e-4, unit="V", bounds=(0, 1e-2), description="noise of a contact whose wire is broken, rms"
    )
    mark_bad: bool = parameter(True, unit="-", description="whether the table of channels says which are bad")
    pop_rate: float = parameter(0.001, unit="1/min", bounds=(0, 60), description="of pops in each channel")
    pop_amplitude: float = parameter(3e-4, unit="V", bounds=(0, 1e-2), description="of a pop, median")
    resolution: float = parameter(
        2.5e-7, unit="V", bounds=(1e-9, 1e-5), description="one step of the stored int16: 8 mV either way"
    )

    @field_validator("bad_channels", mode="before")
    @classmethod
    def _table_as_pairs(cls, value: Any) -> Any:
        return as_pairs(value)

    @model_validator(mode="after")
    def _devices_and_reference_exist(self) -> Self:
        try:
            devices = devices_of(self.implants)
        except UnknownNameError as error:
            raise ValueError(f"`implants`: {error}") from None
        check_names(devices)
        names = [name for device in devices for name in device.names]
        electrodes = electric().channels
        if self.reference.startswith(SCALP):
            wanted = self.reference.removeprefix(SCALP)
            if wanted not in electrodes:
                raise ValueError(f"`reference`: no electrode '{wanted}'{did_you_mean(wanted, electrodes)}")
        elif self.reference not in (*SCHEMES, *names):
            scalp = f"; did you mean '{SCALP}{self.reference}'?" if self.reference in electrodes else ""
            hint = scalp or did_you_mean(self.reference, (*SCHEMES, *names))
            raise ValueError(f"`reference`: '{self.reference}' is no contact{hint}")
        if self.reference == "bipolar" and not any(device.neighbours for device in devices):
            raise ValueError("`reference`: bipolar needs two contacts in a row of a device")
        if len(names) < 2:
            raise ValueError("`implants`: at least two contacts")
        if problem := problem_of(self.bad_channels, [channel.name for channel in channels_of(self)]):
            raise ValueError(f"`bad_channels`: {problem}")
        check_filters(self)
        return self

    def levels(self) -> dict[str, Levels]:
        """Return noise, hum and drift of every kind of contact."""
        contact = Levels(
            white=self.amplifier_noise, pink=self.electrode_noise, line=self.line_amplitude, drift=self.electrode_drift
        )
        return {"ECOG": contact, "SEEG": contact}


def channels_of(parameters: IeegParameters) -> tuple[Channel, ...]:
    """Return the channels: one a contact, or one a pair of neighbours."""
    devices = devices_of(parameters.implants)
    if parameters.reference != "bipolar":
        return tuple(Channel(name, device.channel_kind) for device in devices for name in device.names)
    return tuple(
        Channel(f"{device.names[a]}-{device.names[b]}", device.channel_kind)
        for device in devices
        for a, b in device.neighbours
    )


def weights_of(parameters: IeegParameters) -> npt.NDArray[np.float64]:
    """Return what each channel adds up of the contacts, shape (n_channels, n_contacts)."""
    devices = devices_of(parameters.implants)
    n_contacts = sum(device.n_contacts for device in devices)
    if parameters.reference != "bipolar":
        return np.eye(n_contacts)
    firsts = np.cumsum([0, *(device.n_contacts for device in devices)])
    pairs = [
        (first + a, first + b) for first, device in zip(firsts, devices, strict=False) for a, b in device.neighbours
    ]
    weights = np.zeros((len(pairs), n_contacts))
    for row, (a, b) in enumerate(pairs):
        weights[row, a], weights[row, b] = 1, -1
    return weights


def geometry(parameters: IeegParameters, duration: float) -> tuple[tuple[Channel, ...], Clock]:
    """Return the channels and the clock of a recording of a run of ``duration`` seconds."""
    n = math.floor(duration * parameters.sampling_frequency + 1e-6)
    return channels_of(parameters), Clock(0.0, 1 / parameters.sampling_frequency, n)


def forward(subject: Subject, activity: Activity | None, parameters: IeegParameters) -> Forward:
    """Return the noise-free potentials and the truth: what each region's dipoles make at each contact, and where each contact is."""
    if activity is None:
        raise InputError("ieeg images activity")
    channels, clock = geometry(parameters, activity.duration)
    devices, weights = devices_of(parameters.implants), weights_of(parameters)
    contacts, around, field = _implanted(devices, subject, parameters.conductivity)
    field = field if parameters.reference != "bipolar" else recombined(field, weights)
    gains = gains_of(subject, activity, field)
    inside = weights @ field_inside(contacts, subject, conductivity=parameters.conductivity)
    imposed = imposed_inside(inside, activity.sources, subject, field.space)
    gains = replace(gains, regions=gains.regions + inside, sources=gains.sources + imposed)
    courses = Courses(activity, clock, "ieeg.sampling_frequency")
    reference = _reference_of(parameters, contacts, around)
    return Forward(
        clean=clean_series(channels, clock, gains, courses, parameters.resolution),
        reference=MICROVOLT,
        truth={"region_gain": gains.regions.T.astype(np.float32)},
        companions=(
            _channel_table(parameters, channels, contacts, weights, reference),
            *electrode_tables(subject, devices, contacts, around),
            truth_table(subject, contacts, around),
        ),
        context={
            **shared_context(
                subject, activity, _sensors(subject, channels, contacts, weights), parameters, field, gains
            ),
            "contacts": contacts,
            "reference": reference,
            "reference_signal": _scalp_signal(reference, subject, activity, courses, clock),
            "about_clean": {"iEEGReference": "a place infinitely far away" if reference != "bipolar" else "bipolar"},
        },
    )


@lru_cache(maxsize=1)
def _implanted(
    devices: tuple[Implant, ...], subject: Subject, conductivity: float
) -> tuple[Contacts, dict[str, npt.NDArray], Dense]:
    """Return contacts, what is around them, and their field; kept, since runs and repeats of a subject share them."""
    contacts = place(devices, subject, where="ieeg.implants")
    field = contact_field(contacts, electric().scalp.space, conductivity=conductivity)
    return contacts, whereabouts(contacts, subject), field


def _sensors(
    subject: Subject, channels: Sequence[Channel], contacts: Contacts, weights: npt.NDArray[np.float64]
) -> Sensors:
    share = np.abs(weights) / np.abs(weights).sum(axis=1, keepdims=True)
    places = apply_affine(to_native(subject), share @ contacts.points)
    return Sensors(tuple(c.name for c in channels), tuple(c.kind for c in channels), places)


def _reference_of(parameters: IeegParameters, contacts: Contacts, around: dict[str, npt.NDArray]) -> str:
    """Return the reference with the white-matter contact by its name."""
    if parameters.reference != "white_matter":
        return parameters.reference
    away = np.nan_to_num(around["distance"], nan=np.inf)
    white = around["tissue"] == "white"
    return contacts.names[int(np.where(white, away, -1.0).argmax() if white.any() else away.argmax())]


def _scalp_signal(
    reference: str, subject: Subject, activity: Activity, courses: Courses, clock: Clock
) -> Series | None:
    """Return what an electrode of the scalp sees, None without one as reference."""
    if not reference.startswith(SCALP):
        return None
    name = reference.removeprefix(SCALP)
    gains = gains_of(subject, activity, electric().at([name]))
    return clean_series((Channel(name, "EEG"),), clock, gains, courses, MICROVOLT)


def _channel_table(
    parameters: IeegParameters,
    channels: Sequence[Channel],
    contacts: Contacts,
    weights: npt.NDArray[np.float64],
    reference: str,
) -> Companion:
    groups = [contacts.groups[int(row.argmax())] for row in weights]
    against = [contacts.names[int(row.argmin())] if reference == "bipolar" else reference for row in weights]
    low, high = cutoffs(parameters)
    rows = [
        [channel.name, channel.kind, "uV", low, high, other, group, "good"]
        for channel, other, group in zip(channels, against, groups, strict=True)
    ]
    return Companion(
        "channels", ("name", "type", "units", "low_cutoff", "high_cutoff", "reference", "group", "status"), rows
    )


def _draw_reference(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    reference = forward.context["reference"]
    single = reference == "bipolar" or reference.startswith(SCALP)
    names = [channel.name for channel in forward.clean.channels]
    return {"reference": reference, "weights": reference_weights("none" if single else reference, names)}


def _refer(
    signal: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    scalp = forward.context["reference_signal"]
    taken = subtracted(signal, recipe) if scalp is None else scalp.make(v)
    return np.asarray(signal - taken, dtype=np.float32)


CONTACT_REFERENCE = Stage("reference", "operator", _draw_reference, _refer, noisy=False)
"""Potentials against the mean of all channels, a contact (which is then 0), or what an electrode of the scalp sees of the network;
bipolar ones stay. The recipe has the weights of the channels. Before the filter, through which an electrode of the scalp goes too."""


def sidecar(parameters: IeegParameters, forward: Forward) -> dict[str, Any]:
    """Return the BIDS keys of the recording."""
    clock, series = forward.clean.clock, forward.clean
    devices, reference = devices_of(parameters.implants), forward.context["reference"]
    chosen = " (white matter)" if parameters.reference == "white_matter" else ""
    groups = [
        f"{d.name}: {d.kind} of {'x'.join(map(str, d.shape)) if d.kind == 'grid' else d.n_contacts}" for d in devices
    ]
    none = dict.fromkeys(("EEGChannelCount", "EOGChannelCount", "ECGChannelCount", "EMGChannelCount"), 0)
    return {
        "iEEGReference": f"{reference}{chosen}",
        "iEEGGround": "none: potentials are simulated",
        "SamplingFrequency": parameters.sampling_frequency,
        "PowerLineFrequency": parameters.line_frequency,
        "SoftwareFilters": "n/a",
        "HardwareFilters": hardware_filters(parameters),
        "ElectrodeManufacturer": "simulated",
        "ElectrodeManufacturersModelName": "discs of 2.3 mm on sheets; contacts of 2 mm on shafts of 0.8 mm",
        "ECOGChannelCount": len(series.rows("ECOG")),
        "SEEGChannelCount": len(series.rows("SEEG")),
        **none,
        "MiscChannelCount": 0,
        "TriggerChannelCount": 0,
        "RecordingDuration": clock.n * clock.step,
        "RecordingType": "continuous",
        "iEEGPlacementScheme": parameters.implants if isinstance(parameters.implants, str) else "devices of the study",
        "iEEGElectrodeGroups": "; ".join(groups),
        "ElectricalStimulation": False,
    }


MODALITY = Modality(
    name="ieeg",
    parameters=IeegParameters,
    images="function",
    reads=("dipole",),
    geometry=geometry,
    forward=forward,
    observe=(BACKGROUND, SENSOR, LINE, DRIFT, POPS, BAD, CONTACT_REFERENCE, FILTER, QUANTISATION),
    datatype="ieeg",
    suffix="ieeg",
    sidecar=sidecar,
    references=(
        *REFERENCES,
        Reference("Cardinale et al.", 2013, "10.1227/NEU.0b013e31827d1161", "shafts (stereo-EEG)"),
        Reference("Schaer et al.", 2008, "10.1109/TMI.2007.903576", "outer surface of the brain, for grids and strips"),
        Reference("Ness et al.", 2015, "10.1007/s12021-015-9265-6", "a contact feels the mean over its surface"),
        Reference("Holdgraf et al.", 2019, "10.1038/s41597-019-0105-7", "intracranial EEG in BIDS"),
    ),
    small={"implants": "hippocampal_shafts", "sampling_frequency": 125.0},
    unit="V",
    format="brainvision",
    format_of=lambda parameters: parameters.file_format,
    same_in_session=("implants",),
)
