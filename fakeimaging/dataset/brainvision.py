"""BrainVision files of a series: ``.eeg`` (int16, one sample of all channels after the other), ``.vmrk`` (events), ``.vhdr``.

The header comes last: where it stands, the other two are whole. Text and numbers only, no clock.
Format: Brain Products, BrainVision Core Data Format 1.0.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.core.files import Receipt, Written, write_text, writing
from fakeimaging.modalities.layers import Series

BLOCK = 4096
"""Samples of all channels that are converted at once."""
MICROVOLT = 1e-6


def write_brainvision(
    header: Path, series: Series, events: Iterable[tuple[float, float, str]] = ()
) -> dict[str, Written]:
    """Write a series to three files.

    Parameters
    ----------
    header : Path
        Ends in ``.vhdr``; the other two lie beside it.
    series : Series
        In volts.
    events : iterable of (onset, duration, name)
        In s on the run's clock; those outside the recording are left out.

    Returns
    -------
    dict of str to Written
        What was written, by file name.

    Raises
    ------
    InputError
        If a value does not fit int16 at the series' resolution, or a channel is not in volts.
    """
    data, markers = header.with_suffix(".eeg"), header.with_suffix(".vmrk")
    for channel in series.channels:
        if channel.unit != "V":
            raise InputError(
                f"{header.name}: channel {channel.name} is in {channel.unit}, not in V", value=channel.unit
            )
    marker_text = _marker_text(data.name, series, events)
    written = {data.name: _write_samples(data, series)}
    written[markers.name] = write_text(markers, marker_text)
    written[header.name] = write_text(header, _header_text(data.name, markers.name, series))
    return written


def read_samples(header: Path, like: Series) -> npt.NDArray[np.float32]:
    """Return the samples of a file that `write_brainvision` wrote for a series like this one, shape (n_channels, n_samples)."""
    stored = np.fromfile(header.with_suffix(".eeg"), dtype="<i2").reshape(-1, len(like.channels))
    return np.asarray(stored.T * np.float32(like.resolution), dtype=np.float32)


def _write_samples(path: Path, series: Series) -> Written:
    receipt = Receipt()
    samples = series.to_array()
    with writing(path, receipt) as file:
        for first in range(0, samples.shape[1], BLOCK):
            file.write(_steps(samples[:, first : first + BLOCK], series.resolution, path).tobytes(order="F"))
    return receipt.result


def _steps(block: npt.NDArray, resolution: float, path: Path) -> npt.NDArray[np.int16]:
    steps = np.rint(block / np.float32(resolution))
    if not np.abs(steps).max() <= np.iinfo(np.int16).max:
        raise InputError(f"{path.name}: values do not fit int16 in steps of {resolution:g} V", value=path)
    return steps.astype("<i2")


def _header_text(data: str, markers: str, series: Series) -> str:
    step = f"{series.resolution / MICROVOLT:.12g}"
    channels = [f"Ch{i}={_escaped(channel.name)},,{step},µV" for i, channel in enumerate(series.channels, 1)]
    lines = [
        "Brain Vision Data Exchange Header File Version 1.0",
        "; simulated by fakeimaging",
        "",
        "[Common Infos]",
        "Codepage=UTF-8",
        f"DataFile={data}",
        f"MarkerFile={markers}",
        "DataFormat=BINARY",
        "DataOrientation=MULTIPLEXED",
        f"NumberOfChannels={len(series.channels)}",
        f"SamplingInterval={1e6 * series.clock.step:.12g}",
        "",
        "[Binary Infos]",
        "BinaryFormat=INT_16",
        "",
        "[Channel Infos]",
        *channels,
    ]
    return "\n".join(lines) + "\n"


def _marker_text(data: str, series: Series, events: Iterable[tuple[float, float, str]]) -> str:
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
    for onset, duration, name in sorted(events):
        sample = round((onset - series.clock.start) * series.clock.rate)
        if 0 <= sample < series.clock.n:
            length = max(1, round(duration * series.clock.rate))
            lines.append(f"Mk{len(lines) - 6}=Stimulus,{_escaped(name)},{sample + 1},{length},0")
    return "\n".join(lines) + "\n"


def _escaped(name: str) -> str:
    return name.replace(",", "\\1")
