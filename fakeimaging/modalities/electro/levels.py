"""Levels: how much noise, hum and drift each kind of channel has, which is all that the stages need to know of a modality.

A modality's parameters say it with a method: ``levels() -> mapping of kind to Levels``. Kinds that are not in it (triggers) are no
analogue inputs: they have no noise and pass no filter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.layers import Channel

ELECTRODES = ("EEG", "ECOG", "SEEG", "DBS", "EOG", "VEOG", "HEOG", "ECG", "EMG")
"""BIDS types of channels that are electrodes against a reference or each other."""


@dataclass(frozen=True)
class Levels:
    """Of one kind of channel, in its unit (V, T, T/m).

    Parameters
    ----------
    white : float
        Density of white noise, per sqrt(Hz).
    pink : float
        Density at 1 Hz of noise whose power falls as 1/f.
    line : float
        Root mean square of the mains in a typical channel.
    drift : float
        SD of the slow drift of a typical channel.
    sweat : float
        Peak of a typical burst of sweat where it is largest.
    """

    white: float = 0.0
    pink: float = 0.0
    line: float = 0.0
    drift: float = 0.0
    sweat: float = 0.0


class HasLevels(Protocol):
    """Parameters of an electrical or magnetic recording."""

    def levels(self) -> Mapping[str, Levels]:
        """Return the levels of each kind of channel."""
        ...


def levels_of(parameters: HasLevels, channels: Sequence[Channel], name: str) -> npt.NDArray[np.float64]:
    """Return one level of every channel, 0 where its kind has none, shape (n_channels,)."""
    table = parameters.levels()
    return np.array([getattr(table[c.kind], name) if c.kind in table else 0.0 for c in channels], dtype=np.float64)


def analogue_rows(parameters: HasLevels, channels: Sequence[Channel]) -> npt.NDArray[np.intp]:
    """Return the rows of the channels that an amplifier records."""
    table = parameters.levels()
    return np.array([i for i, channel in enumerate(channels) if channel.kind in table], dtype=np.intp)
