"""EDF+ files of a series (16-bit), by edfio: the whole recording is held in memory (6 bytes a sample at the most).

A file of EDF is a row of data records of one length. That length is 1 s where it divides the recording, else the longest one
of 0.1 s or more that does; where none does, the last sample is held until the last record is full, and the annotation
``BAD_ACQ_SKIP`` covers that. The start is 1985-01-01, which BIDS and EDF+ have for one that is not told.
Format: Kemp and Olivan 2003, doi:10.1016/S1388-2457(03)00123-8.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError, did_you_mean
from fakeimaging.core.files import HashingFile, Receipt, Written, writing
from fakeimaging.dataset.marks import marks_of
from fakeimaging.modalities.layers import Channel, Series

if TYPE_CHECKING:
    from edfio import EdfSignal

UNITS = {"V": ("uV", 1e-6), "S": ("uS", 1e-6), "N": ("N", 1.0), "°C": ("degC", 1.0), "": ("", 1.0), "n/a": ("", 1.0)}
"""Physical dimension in the file, and its size in the unit of the array."""
MOST = 32767
"""Largest stored integer; -32768 is not used, so the range is symmetric and 0 is stored as 0."""
LONGEST_LABEL = 16
LIMIT_CHARACTERS = 7
"""Characters of a limit: the field has eight, and the lower limit a minus."""
LONGEST_RECORD = 10
"""Seconds of a data record at most."""
PADDED = "BAD_ACQ_SKIP"
"""What MNE-Python calls samples that were not recorded."""


def write_edf(
    path: Path,
    series: Series,
    events: Iterable[tuple[float, float, str]] = (),
    *,
    volumes: Iterable[float] = (),
    bad_segments: Iterable[tuple[float, float, str]] = (),
) -> dict[str, Written]:
    """Write a series to one EDF+ file.

    Parameters
    ----------
    path : Path
        Ends in ``.edf``.
    series : Series
        In SI units. Each channel is stored in steps of its resolution where all of its values fit; else its range is the
        smallest symmetric one that clips nothing, and its steps are larger.
    events, bad_segments : iterable of (onset, duration, name)
        In s of the run; those outside the recording are left out. Names of bad segments get ``BAD_`` in front.
    volumes : iterable of float
        When the scanner began each volume, in s of the run.

    Returns
    -------
    dict of str to Written
        What was written, by file name.

    Raises
    ------
    InputError
        If the rate, a name, a unit or a value cannot be written in EDF.
    """
    from edfio import Edf, EdfAnnotation

    n, missing = data_record(series.clock)
    marks = marks_of(series.clock, events, volumes, bad_segments)
    annotations = [EdfAnnotation(mark.onset, mark.duration, mark.text) for mark in marks]
    if missing:
        step = series.clock.step
        annotations.append(EdfAnnotation(series.clock.n * step, missing * step, PADDED))
    duration = float(n / _rate(series.clock))
    file = Edf(_signals(path, series, missing), data_record_duration=duration, annotations=annotations)
    receipt = Receipt()
    with writing(path, receipt) as sink:
        file.write(_Through(sink))
    return {path.name: receipt.result}


def read_samples(path: Path, like: Series) -> npt.NDArray[np.float32]:
    """Return the samples that `write_edf` wrote for a series like this one, without what was added, shape (n_channels, n_samples)."""
    from edfio import read_edf

    signals = read_edf(path).signals
    sizes = [UNITS[channel.unit][1] for channel in like.channels]
    rows = [signal.data[: like.clock.n] * size for signal, size in zip(signals, sizes, strict=True)]
    return np.array(rows, dtype=np.float32)


def data_record(clock: Clock) -> tuple[int, int]:
    """Return the samples of a data record, and how many of them the last one lacks.

    Examples
    --------
    >>> data_record(Clock(0.0, 1 / 250, 7500)), data_record(Clock(0.0, 1 / 250, 7625)), data_record(Clock(0.0, 1 / 250, 7507))
    ((250, 0), (125, 0), (250, 243))
    """
    rate = _rate(clock)
    seconds = next((s for s in range(1, LONGEST_RECORD + 1) if (s * rate).denominator == 1), None)
    if seconds is None:
        raise InputError(
            f"{clock.rate:g} Hz: no whole number of samples in 1 to {LONGEST_RECORD} s, as EDF wants", value=clock.rate
        )
    usual = int(seconds * rate)
    for n in range(usual, math.ceil(usual / 10) - 1, -1):
        if clock.n and clock.n % n == 0 and (n / rate * 10**6).denominator == 1:
            return n, 0
    return usual, -clock.n % usual


def _rate(clock: Clock) -> Fraction:
    return Fraction(clock.rate).limit_denominator(1000)


def _signals(path: Path, series: Series, missing: int) -> list[EdfSignal]:
    if not series.clock.n:
        raise InputError(f"{path.name}: a series without samples", value=series)
    rate = float(_rate(series.clock))
    channels = zip(series.channels, series.steps, series.to_array(), strict=True)
    return [_signal(path, channel, step, samples, rate, missing) for channel, step, samples in channels]


def _signal(path: Path, channel: Channel, step: float, samples: npt.NDArray, rate: float, missing: int) -> EdfSignal:
    from edfio import EdfSignal

    stored, limit = _stored(path, channel, step, samples)
    inside = limit * (1 - 1e-12)  # edfio rounds outwards to what the header can hold: from here, to the limit itself
    return EdfSignal.from_digital(
        np.pad(stored, (0, missing), mode="edge") if missing else stored,
        rate,
        label=channel.name,
        physical_dimension=UNITS[channel.unit][0],
        physical_range=(-inside, inside),
        digital_range=(-MOST, MOST),
    )


def _stored(path: Path, channel: Channel, step: float, samples: npt.NDArray) -> tuple[npt.NDArray[np.int16], float]:
    """Return the integers of a channel, and the physical value of the largest, in the file's unit."""
    _check(path, channel)
    most = float(np.abs(samples).max())
    if not np.isfinite(most):
        raise InputError(f"{path.name}: channel {channel.name} has values that are not finite", value=channel.name)
    size = UNITS[channel.unit][1]
    limit = rounded_up(max(MOST * step, most) / size)
    return np.rint(samples * np.float64(MOST / (limit * size))).astype(np.int16), limit


def rounded_up(limit: float) -> float:
    """Return the smallest number of seven characters that is not below a limit.

    Examples
    --------
    >>> rounded_up(3276.7), rounded_up(1599.9503), rounded_up(0.00123456)
    (3276.7, 1599.96, 0.00124)
    """
    decimals = LIMIT_CHARACTERS - 1 - len(str(int(limit)))
    if decimals < -1:
        raise InputError(f"{limit:g} is too large for the header of an EDF file", value=limit)
    scale = 10.0 ** max(decimals, 0)
    return math.ceil(limit * scale * (1 - 1e-12)) / scale


def _check(path: Path, channel: Channel) -> None:
    if channel.unit not in UNITS:
        hint = did_you_mean(channel.unit, [unit for unit in UNITS if unit])
        raise InputError(
            f"{path.name}: channel {channel.name} is in {channel.unit}, which EDF files do not have here{hint}",
            value=channel.unit,
        )
    if not (channel.name.isascii() and channel.name.isprintable() and 0 < len(channel.name) <= LONGEST_LABEL):
        raise InputError(
            f"{path.name}: channel {channel.name}: a label has 1 to {LONGEST_LABEL} ASCII letters", value=channel.name
        )


class _Through(io.BytesIO):
    """Hands on what edfio writes: of objects that are no files it takes a BytesIO only."""

    def __init__(self, sink: HashingFile) -> None:
        super().__init__()
        self._sink = sink

    def write(self, data: Any) -> int:
        return self._sink.write(data)
