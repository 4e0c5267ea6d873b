"""What a FIF file says of a recording beside its samples: where the sensors are, the head, filters, bad channels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.errors import InputError, did_you_mean
from fakeimaging.dataset.fif import numbers as fiff
from fakeimaging.modalities.layers import Channel, Series

LONGEST_NAME = 15
"""Letters of a channel's name: 16 bytes with the zero that ends it."""
MEG = (fiff.FIFFV_MEG_CH, fiff.FIFFV_REF_MEG_CH)
KINDS = {
    **dict.fromkeys(("MEGMAG", "MEGGRADPLANAR", "MEGGRADAXIAL"), fiff.FIFFV_MEG_CH),
    **dict.fromkeys(("MEGREFMAG", "MEGREFGRADPLANAR", "MEGREFGRADAXIAL"), fiff.FIFFV_REF_MEG_CH),
    "EEG": fiff.FIFFV_EEG_CH,
    "ECOG": fiff.FIFFV_ECOG_CH,
    "SEEG": fiff.FIFFV_SEEG_CH,
    "DBS": fiff.FIFFV_DBS_CH,
    **dict.fromkeys(("EOG", "VEOG", "HEOG"), fiff.FIFFV_EOG_CH),
    "ECG": fiff.FIFFV_ECG_CH,
    "EMG": fiff.FIFFV_EMG_CH,
    "RESP": fiff.FIFFV_RESP_CH,
    "TEMP": fiff.FIFFV_TEMPERATURE_CH,
    "GSR": fiff.FIFFV_GALVANIC_CH,
    "TRIG": fiff.FIFFV_STIM_CH,
    "SYSCLOCK": fiff.FIFFV_SYST_CH,
    **dict.fromkeys(("PPG", "AUDIO", "PD", "HLU", "ADC", "DAC", "MISC", "OTHER"), fiff.FIFFV_MISC_CH),
}
"""Kind of a channel in FIFF, by its type in BIDS; what MNE-Python makes of that type too."""
ELECTRODES = (fiff.FIFFV_EEG_CH, fiff.FIFFV_ECOG_CH, fiff.FIFFV_SEEG_CH, fiff.FIFFV_DBS_CH)
UNITS = {
    "V": fiff.FIFF_UNIT_V,
    "T": fiff.FIFF_UNIT_T,
    "T/m": fiff.FIFF_UNIT_T_M,
    "S": fiff.FIFF_UNIT_S,
    "N": fiff.FIFF_UNIT_N,
    "Pa": fiff.FIFF_UNIT_PA,
    "m": fiff.FIFF_UNIT_M,
    "°C": fiff.FIFF_UNIT_CEL,
    "": fiff.FIFF_UNIT_NONE,
    "n/a": fiff.FIFF_UNIT_NONE,
}


def _no_points() -> npt.NDArray[np.float64]:
    return np.zeros((0, 3))


@dataclass(frozen=True, eq=False)
class Digitised:
    """Points on the head that were measured with a pen, in the head's frame (x through the ears to the right, y the nose).

    Parameters
    ----------
    fiducials : ndarray, shape (3, 3)
        Left ear, nasion, right ear, in m; or none, shape (0, 3).
    hpi : ndarray, shape (n, 3)
        Coils that locate the head, in m.
    electrodes : ndarray, shape (n, 3)
        In the order of the EEG channels, in m.
    head : ndarray, shape (n, 3)
        Points all over the scalp, in m.
    """

    fiducials: npt.NDArray[np.float64] = field(default_factory=_no_points)
    hpi: npt.NDArray[np.float64] = field(default_factory=_no_points)
    electrodes: npt.NDArray[np.float64] = field(default_factory=_no_points)
    head: npt.NDArray[np.float64] = field(default_factory=_no_points)

    def __post_init__(self) -> None:
        for name in ("fiducials", "hpi", "electrodes", "head"):
            points = _array(name, getattr(self, name), (-1, 3))
            if not np.isfinite(points).all():
                raise InputError(f"`{name}`: digitised points are numbers, in m", value=points)
            object.__setattr__(self, name, points)
        if len(self.fiducials) not in (0, 3):
            raise InputError(
                f"`fiducials`: left ear, nasion and right ear, not {len(self.fiducials)} points", value=self.fiducials
            )


@dataclass(frozen=True, eq=False)
class FifInfo:
    """What a FIF file says of a series beside its samples; lengths in m, times in s of the run.

    Parameters
    ----------
    locations : ndarray, shape (n_channels, 12), or None
        MEG: centre of the coil, then its unit vectors x, y and z (z its normal), in the frame of the device. Electrodes:
        position, then that of the reference, in the head's frame; the rest 0. NaN for channels that lie nowhere.
    coil_types : sequence of int, or None
        FIFF's number of each channel's coil, such as 3024 (magnetometer) and 3012 (planar gradiometer) of a Vectorview; 0
        for channels without one. Electrodes need none.
    device_to_head : ndarray, shape (4, 4), or None
        Rigid transform from the device's frame to the head's, in m.
    digitised : Digitised
    line_frequency : float or None
        In Hz.
    highpass, lowpass : float or None
        Corners of the hardware's filters in Hz; 0 and half the sampling frequency when left out.
    bads : tuple of str
        Names of bad channels.
    annotations : tuple of (float, float, str)
        Onset, duration and what it is.
    description, device, subject : str
        Free text; the device's name; the subject's name in the study.
    custom_reference : bool
        Whether the EEG is against anything but the electrode it was recorded against.
    """

    locations: npt.NDArray[np.float64] | None = None
    coil_types: tuple[int, ...] | None = None
    device_to_head: npt.NDArray[np.float64] | None = None
    digitised: Digitised = field(default_factory=Digitised)
    line_frequency: float | None = None
    highpass: float | None = None
    lowpass: float | None = None
    bads: tuple[str, ...] = ()
    annotations: tuple[tuple[float, float, str], ...] = ()
    description: str = ""
    device: str = ""
    subject: str = ""
    custom_reference: bool = False

    def __post_init__(self) -> None:
        if self.locations is not None:
            object.__setattr__(self, "locations", _array("locations", self.locations, (-1, 12)))
        if self.device_to_head is not None:
            _check_rigid(_array("device_to_head", self.device_to_head, (4, 4)))
            object.__setattr__(self, "device_to_head", _array("device_to_head", self.device_to_head, (4, 4)))

    def location(self, row: int) -> npt.NDArray[np.float64]:
        """Return the twelve numbers of a channel."""
        return np.full(12, np.nan) if self.locations is None else self.locations[row]

    def coil(self, row: int, channel: Channel) -> int:
        """Return the number of a channel's coil."""
        if KINDS[channel.kind] in ELECTRODES:
            return fiff.FIFFV_COIL_EEG
        return fiff.FIFFV_COIL_NONE if self.coil_types is None else int(self.coil_types[row])

    def check(self, series: Series) -> None:
        """Raise InputError, by the name of what is wrong, unless this can be said of a series."""
        n = len(series.channels)
        for name, given in (("locations", self.locations), ("coil_types", self.coil_types)):
            if given is not None and len(given) != n:
                raise InputError(f"`{name}`: {len(given)} of them for {n} channels", value=given)
        for row, channel in enumerate(series.channels):
            self._check_channel(row, channel)
        known = [channel.name for channel in series.channels]
        if len(set(known)) < n:
            raise InputError("two channels have one name", value=known)
        for bad in self.bads:
            if bad not in known:
                raise InputError(f"`bads`: no channel is called '{bad}'{did_you_mean(bad, known)}", value=bad)
        for onset, duration, name in self.annotations:
            if not (name and np.isfinite(onset) and 0 <= duration < np.inf):
                raise InputError(f"`annotations`: '{name}' at {onset} s for {duration} s is no annotation", value=name)
        _check_filters(self, series.clock.rate)

    def _check_channel(self, row: int, channel: Channel) -> None:
        if channel.kind not in KINDS:
            hint = did_you_mean(channel.kind, KINDS)
            raise InputError(f"channel {channel.name}: FIF has no kind '{channel.kind}'{hint}", value=channel.kind)
        if channel.unit not in UNITS:
            hint = did_you_mean(channel.unit, [unit for unit in UNITS if unit])
            raise InputError(f"channel {channel.name}: FIF has no unit '{channel.unit}'{hint}", value=channel.unit)
        if not channel.name.isascii() or not 0 < len(channel.name) <= LONGEST_NAME:
            raise InputError(
                f"channel {channel.name}: a name in a FIF file has 1 to {LONGEST_NAME} ASCII letters",
                value=channel.name,
            )
        if KINDS[channel.kind] in MEG and channel.unit not in ("T", "T/m"):
            raise InputError(f"channel {channel.name}: MEG is in T or T/m, not in {channel.unit}", value=channel.unit)
        if KINDS[channel.kind] in MEG and not (self.coil(row, channel) and np.isfinite(self.location(row)).all()):
            raise InputError(
                f"channel {channel.name}: a sensor of MEG needs its place in `locations` and its number in `coil_types`",
                value=channel.name,
            )


def _array(name: str, values: npt.ArrayLike, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    array = np.array(values, dtype=float)
    if array.ndim != 2 or array.shape[1] != shape[1] or shape[0] not in (-1, len(array)):
        wanted = ", ".join("n" if n < 0 else str(n) for n in shape)
        raise InputError(f"`{name}`: shape {array.shape}, not ({wanted})", value=values)
    return frozen(array)


def _check_rigid(matrix: npt.NDArray[np.float64]) -> None:
    rotation = matrix[:3, :3]
    right = np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-6) and np.linalg.det(rotation) > 0
    if not (right and np.isfinite(matrix).all() and np.array_equal(matrix[3], [0, 0, 0, 1])):
        raise InputError("`device_to_head`: not a rotation and a shift", value=matrix)


def _check_filters(info: FifInfo, rate: float) -> None:
    low, high = info.highpass or 0.0, rate / 2 if info.lowpass is None else info.lowpass
    if not 0 <= low < high <= rate / 2 * (1 + 1e-9):
        raise InputError(
            f"`highpass`, `lowpass`: {low:g} and {high:g} Hz are not in order between 0 and half of {rate:g} Hz",
            value=(low, high),
        )
