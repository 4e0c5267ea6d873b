"""Electroencephalography: the potentials that the cortex's dipoles make on the scalp, in volts.

    V = G q + G_1 m_1 + G_2 m_2

G: lead field summed over each region's surface (V per nAm/mm2); q: dipole density of each region, the tap ``dipole``
(nAm/mm2); G_k, m_k: the same with the sub-regional patterns and their courses. The clean signal is against the mean of
335 electrodes all over the head; the reference is a stage. The amplifier is AC-coupled: the run's mean is taken out.
Sample i is the mean over the interval of the tap that starts at i / sampling_frequency.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from fakeimaging.activity.activity import Activity
from fakeimaging.activity.taps import Tap
from fakeimaging.core.arrays import frozen
from fakeimaging.core.citations import Reference
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError, RateError, UnknownNameError, did_you_mean
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.modalities.electro import lead_field
from fakeimaging.modalities.electro.stages import BLINKS, LINE, QUANTISATION, REFERENCE_ELECTRODE, SENSOR
from fakeimaging.modalities.electro.electrodes import electrode_names, electrode_tables
from fakeimaging.modalities.layers import Channel, Companion, Forward, Series
from fakeimaging.modalities.modality import Modality
from fakeimaging.structure.subject import Subject

MICROVOLT = 1e-6


class EegParameters(Parameters):
    """Parameters of the recording."""

    montage: Literal["biosemi64", "standard_1020", "all"] | tuple[str, ...] = parameter(
        "biosemi64", unit="-", source="BioSemi's cap of 64", description="montage, or names of the 10-05 system"
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

    @model_validator(mode="after")
    def _electrodes_exist(self) -> Self:
        names = electrode_names(self.montage)
        try:
            lead_field.lead_field().rows(names)
        except UnknownNameError as error:
            raise ValueError(f"`montage`: {error}") from None
        if len(names) < 2 or len(set(names)) < len(names):
            raise ValueError(f"`montage`: at least two electrodes, each once, not {', '.join(names) or 'none'}")
        if self.reference not in ("average", *names):
            hint = did_you_mean(self.reference, ("average", *names))
            raise ValueError(f"`reference`: '{self.reference}' is no electrode of the montage{hint}")
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
    names = [channel.name for channel in channels]
    gains = lead_field.region_lead_field(subject, names)
    dipole, modes = activity.tap("dipole"), activity.modes("dipole")
    factor = _decimation(dipole, parameters.sampling_frequency)
    mode_gains = None if modes is None else lead_field.mode_lead_field(subject, names)

    @cache
    def potentials(v: int) -> npt.NDArray[np.float32]:
        total = projected(gains, dipole)
        if modes is not None and mode_gains is not None:
            total += projected(mode_gains, modes)
        sampled = decimated(total, factor, dipole.clock.index(0.0))[:, : clock.n]
        return frozen((sampled - sampled.mean(axis=1, keepdims=True)).astype(np.float32))

    return Forward(
        clean=Series(channels, clock, potentials, parameters.resolution),
        reference=MICROVOLT,
        truth={"region_gain": gains.T.astype(np.float32)},
        companions=(_channel_table(names, parameters), *electrode_tables(subject, names)),
        context={
            "physiology": activity.physiology,
            "subject": subject,
            "about_clean": {"EEGReference": "mean of the 335 electrodes of the lead field"},
        },
    )


def _decimation(tap: Tap, rate: float) -> int:
    """Return how many samples of the tap one sample of the recording stands for."""
    factor = tap.clock.rate / rate
    if factor < 1 - 1e-9:
        raise RateError(
            f"`eeg.sampling_frequency`: {rate:g} Hz is above the {tap.clock.rate:g} Hz of the activity's dipoles",
            value=rate,
        )
    if not math.isclose(factor, round(factor), rel_tol=1e-6):
        raise RateError(
            f"`eeg.sampling_frequency`: {rate:g} Hz is not a whole fraction of {tap.clock.rate:g} Hz", value=rate
        )
    return round(factor)


def projected(gains: npt.NDArray[np.float64], tap: Tap) -> npt.NDArray[np.float64]:
    """Return gains (n_channels, n) times a tap of n columns, warm-up included, shape (n_channels, n_samples), block by block."""
    total = np.empty((len(gains), tap.clock.n))
    first = 0
    for clock, block in tap.blocks():
        total[:, first : first + clock.n] = gains @ block.T.astype(np.float64)
        first += clock.n
    return total


def decimated(signal: npt.NDArray[np.float64], factor: int, first: int) -> npt.NDArray[np.float64]:
    """Return every ``factor``-th sample from ``first`` on of a signal (n_channels, n_samples) low-passed at half the new rate.

    The filter has zero phase and looks into the warm-up before ``first``, so that a recording starts without a transient.
    """
    if factor == 1:
        return signal[:, first:]
    from scipy.signal import resample_poly

    offset = first % factor
    return np.asarray(resample_poly(signal[:, offset:], 1, factor, axis=1, padtype="line")[:, first // factor :])


def _channel_table(names: list[str], parameters: EegParameters) -> Companion:
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
        "EEGPlacementScheme": "10-05",
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
    observe=(SENSOR, BLINKS, LINE, REFERENCE_ELECTRODE, QUANTISATION),
    datatype="eeg",
    suffix="eeg",
    sidecar=sidecar,
    references=(
        *lead_field.REFERENCES,
        Reference("Pernet et al.", 2019, "10.1038/s41597-019-0104-8", "EEG in BIDS"),
    ),
    small={"montage": "standard_1020", "sampling_frequency": 125.0},
    unit="V",
    format="brainvision",
    same_in_session=("montage",),
)
