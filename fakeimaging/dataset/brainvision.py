"""BrainVision files of a series: ``.eeg`` (one sample of all channels after the other), ``.vmrk`` (marks), ``.vhdr``.

The header comes last: where it stands, the other two are whole. Text and numbers only, no clock.
Format: Brain Products, BrainVision Core Data Format 1.0.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError, did_you_mean
from fakeimaging.core.files import Receipt, Written, write_text, writing
from fakeimaging.dataset.marks import Mark, marks_of
from fakeimaging.modalities.layers import Series

BinaryFormat = Literal["INT_16", "IEEE_FLOAT_32"]
TYPES: dict[BinaryFormat, str] = {"INT_16": "<i2", "IEEE_FLOAT_32": "<f4"}
LARGEST: dict[BinaryFormat, float] = {"INT_16": 2**15 - 1, "IEEE_FLOAT_32": float(np.finfo(np.float32).max)}
"""Largest number of each type."""
UNITS = {
    "V": ("µV", 1e-6),
    "S": ("µS", 1e-6),
    "N": ("N", 1.0),
    "°C": ("°C", 1.0),
    "": ("n/a", 1.0),
    "n/a": ("n/a", 1.0),
}
"""Unit in the header, and its size in the unit of the array."""
ELECTRODES = ("EEG", "ECOG", "SEEG", "DBS")
"""Kinds of channels that are measured against the reference."""
MARKERS = {"event": "Stimulus", "volume": "Response", "bad": "Bad Interval"}
"""Type of a marker: BrainAmp writes a scanner's trigger as ``Response,R128``; ``Bad Interval`` is Analyzer's own."""


def write_brainvision(
    header: Path,
    series: Series,
    events: Iterable[tuple[float, float, str]] = (),
    *,
    volumes: Iterable[float] = (),
    bad_segments: Iterable[tuple[float, float, str]] = (),
    reference: str = "",
    binary_format: BinaryFormat = "INT_16",
) -> dict[str, Written]:
    """Write a series to three files, one part in memory at a time.

    Parameters
    ----------
    header : Path
        Ends in ``.vhdr``; the other two lie beside it.
    series : Series
        In SI units.
    events : iterable of (onset, duration, name)
        In s of the run; those outside the recording are left out.
    volumes : iterable of float
        When the scanner began each volume, in s of the run.
    bad_segments : iterable of (onset, duration, name)
        In s of the run.
    reference : str
        Name of the electrode that all others are against; empty for any other reference.
    binary_format : {"INT_16", "IEEE_FLOAT_32"}
        Steps of each channel's resolution, or numbers in the header's unit (a factor away from the array's: one part in 10^7).

    Returns
    -------
    dict of str to Written
        What was written, by file name.

    Raises
    ------
    InputError
        If a value is not finite or does not fit int16 at its channel's resolution, or a unit is unknown to the format.
    """
    data, markers = header.with_suffix(".eeg"), header.with_suffix(".vmrk")
    if binary_format not in TYPES:
        raise InputError(f"`binary_format`: one of {', '.join(TYPES)}, not '{binary_format}'", value=binary_format)
    header_text = _header_text(header, series, reference, binary_format)
    marks = marks_of(series.clock, events, volumes, bad_segments)
    written = {data.name: _write_samples(data, series, binary_format)}
    written[markers.name] = write_text(markers, _marker_text(data.name, series, marks))
    written[header.name] = write_text(header, header_text)
    return written


def read_samples(header: Path, like: Series, v: int | None = None) -> npt.NDArray[np.float32]:
    """Return the samples that `write_brainvision` wrote for a series like this one, all or those of part ``v``, shape (n_channels, n)."""
    binary: BinaryFormat = "IEEE_FLOAT_32" if "IEEE_FLOAT_32" in header.read_text("utf-8") else "INT_16"
    kind, n_channels = np.dtype(TYPES[binary]), len(like.channels)
    first = (v or 0) * (like.block or 0)
    count = -1 if v is None else like.part(v).n * n_channels
    data = header.with_suffix(".eeg")
    stored = np.fromfile(data, dtype=kind, count=count, offset=first * n_channels * kind.itemsize)
    return np.asarray(stored.reshape(-1, n_channels).T * _scales(like, binary)[:, None], dtype=np.float32)


def _scales(series: Series, binary_format: BinaryFormat) -> npt.NDArray[np.float32]:
    """Return what a stored 1 is in the unit of each channel, shape (n_channels,)."""
    sizes = [UNITS[channel.unit][1] for channel in series.channels]
    return np.asarray(series.steps if binary_format == "INT_16" else sizes, dtype=np.float32)


def _write_samples(path: Path, series: Series, binary_format: BinaryFormat) -> Written:
    receipt, scales, whole = Receipt(), _scales(series, binary_format), binary_format == "INT_16"
    with writing(path, receipt) as file:
        for part in series.parts():
            stored = part.T / scales
            if whole:
                np.rint(stored, out=stored)
            _check(path, series, np.abs(stored) <= LARGEST[binary_format], whole)
            file.write(stored.astype(TYPES[binary_format], order="C").tobytes())
    return receipt.result


def _check(path: Path, series: Series, fit: npt.NDArray[np.bool_], whole: bool) -> None:
    """Refuse what cannot be stored, by the name of the first such channel; ``fit`` has shape (n, n_channels)."""
    if not fit.all():
        row = int(np.flatnonzero(~fit.all(axis=0))[0])
        channel, step = series.channels[row], series.steps[row]
        what = f"do not fit int16 in steps of {step:g} {channel.unit}" if whole else "are not finite"
        raise InputError(f"{path.name}: values of channel {channel.name} {what}", value=channel.name)


def _header_text(header: Path, series: Series, reference: str, binary_format: BinaryFormat) -> str:
    lines = [
        "Brain Vision Data Exchange Header File Version 1.0",
        "; simulated by fakeimaging",
        "",
        "[Common Infos]",
        "Codepage=UTF-8",
        f"DataFile={header.with_suffix('.eeg').name}",
        f"MarkerFile={header.with_suffix('.vmrk').name}",
        "DataFormat=BINARY",
        "DataOrientation=MULTIPLEXED",
        f"NumberOfChannels={len(series.channels)}",
        f"SamplingInterval={1e6 * series.clock.step:.12g}",
        "",
        "[Binary Infos]",
        f"BinaryFormat={binary_format}",
        "",
        "[Channel Infos]",
        *_channel_lines(header, series, reference, binary_format),
    ]
    return "\n".join(lines) + "\n"


def _channel_lines(header: Path, series: Series, reference: str, binary_format: BinaryFormat) -> list[str]:
    lines = []
    for i, (channel, step) in enumerate(zip(series.channels, series.steps, strict=True), 1):
        if channel.unit not in UNITS:
            hint = did_you_mean(channel.unit, [unit for unit in UNITS if unit])
            raise InputError(
                f"{header.name}: channel {channel.name} is in {channel.unit}, which the format does not have{hint}",
                value=channel.unit,
            )
        unit, size = UNITS[channel.unit]
        against = _escaped(reference) if channel.kind in ELECTRODES else ""
        resolution = step / size if binary_format == "INT_16" else 1.0
        lines.append(f"Ch{i}={_escaped(channel.name)},{against},{resolution:.12g},{unit}")
    return lines


def _marker_text(data: str, series: Series, marks: list[Mark]) -> str:
    lines = [
        "Brain Vision Data Exchange Marker File, Version 1.0",
        "",
        "[Common Infos]",
        "Codepage=UTF-8",
        f"DataFile={data}",
        "",
        "[Marker Infos]",
        "Mk1=New Segment,,1,1,0",
    ]
    rate = series.clock.rate
    for i, mark in enumerate(marks, 2):
        sample, length = round(mark.onset * rate) + 1, max(1, round(mark.duration * rate))
        lines.append(f"Mk{i}={MARKERS[mark.kind]},{_escaped(mark.name)},{sample},{length},0")
    return "\n".join(lines) + "\n"


def _escaped(name: str) -> str:
    return name.replace(",", "\\1")
