"""Channels beside the sensors: eye and heart, each a pair of electrodes of its own, after the last electrode or coil.

The electrooculogram is a difference of potentials above and below the right eye (VEOG: positive as the lid falls or the eyes turn up)
and beside both (HEOG: positive as they turn right). The electrocardiogram is lead II. The brain's part of them is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.core.spaces import apply_affine
from fakeimaging.modalities.electro.lead_field import to_native
from fakeimaging.modalities.electro.levels import Levels
from fakeimaging.modalities.electro.sensors import Sensors
from fakeimaging.modalities.layers import Channel, Forward

Floats = npt.NDArray[np.float64]

PAIRS = {
    "VEOG": ((33.0, 83.2, -2.0), (33.0, 69.0, -76.0)),
    "HEOG": ((62.0, 51.0, -37.0), (-62.0, 51.0, -37.0)),
}
"""Where the electrodes of each pair lie on the scalp, template mm: 37 mm above and below the right eye, and beside both (assumed)."""
RESOLUTION = {"VEOG": 1e-7, "HEOG": 1e-7, "ECG": 5e-7}
"""V, step of the stored integer: an ECG of up to 16 mV fits (assumed)."""

LEVELS = dict.fromkeys(RESOLUTION, Levels(white=4e-8, pink=4e-7, line=3e-6, drift=6e-5))
"""Noise of these channels beside a magnetometer, in V: that of an EEG's electrodes."""


class AuxiliaryParameters(Parameters):
    """Which channels there are beside the sensors."""

    auxiliary: tuple[Literal["VEOG", "HEOG", "ECG"], ...] = parameter(
        ("VEOG", "HEOG", "ECG"), unit="-", description="channels of eye and heart beside the sensors"
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.auxiliary)) < len(self.auxiliary):
            raise ValueError(f"`auxiliary`: each channel once, not {', '.join(self.auxiliary)}")
        return self


def auxiliary_channels(parameters: AuxiliaryParameters) -> tuple[Channel, ...]:
    """Return the channels of eye and heart.

    Examples
    --------
    >>> [channel.kind for channel in auxiliary_channels(AuxiliaryParameters())]
    ['VEOG', 'HEOG', 'ECG']
    """
    return tuple(Channel(name, name, "V", RESOLUTION[name]) for name in parameters.auxiliary)


def with_auxiliary(sensors: Sensors, channels: tuple[Channel, ...]) -> Sensors:
    """Return sensors followed by channels that are nowhere in particular."""
    return replace(
        sensors,
        names=(*sensors.names, *(channel.name for channel in channels)),
        kinds=(*sensors.kinds, *(channel.kind for channel in channels)),
        positions=np.concatenate([sensors.positions, np.full((len(channels), 3), np.nan)]),
    )


def on_channels(forward: Forward, potential: Callable[[Floats], Floats]) -> Floats:
    """Return what electrodes and pairs of electrodes see of potentials, shape (n_channels, n_potentials); other channels see nothing.

    Parameters
    ----------
    forward : Forward
    potential : callable
        ``potential(places)`` returns potentials in V at places (native mm, shape (n, 3)), shape (n, n_potentials).
    """
    sensors: Sensors = forward.context["sensors"]
    electrodes = sensors.rows("EEG")
    seen = potential(sensors.positions[electrodes])
    maps = np.zeros((len(sensors.kinds), seen.shape[1]))
    maps[electrodes] = seen
    for row, kind in enumerate(sensors.kinds):
        if kind in PAIRS:
            first, second = potential(native_pair(forward, kind))
            maps[row] = first - second
    return maps


def native_pair(forward: Forward, kind: str) -> Floats:
    """Return where the electrodes of a pair lie in native mm, shape (2, 3)."""
    return apply_affine(to_native(forward.context["subject"]), np.array(PAIRS[kind]))
