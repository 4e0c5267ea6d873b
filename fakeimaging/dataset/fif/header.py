"""The tags of a FIF file before and after its samples, in the order in which MNE-Python and MaxFilter expect them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fakeimaging.dataset.fif import numbers as fiff
from fakeimaging.dataset.fif.info import KINDS, UNITS, Digitised, FifInfo
from fakeimaging.dataset.fif.tags import (
    block,
    channel,
    closed,
    doubles,
    floats,
    identity,
    integers,
    names,
    opened,
    point,
    tag,
    text,
    transform,
)
from fakeimaging.modalities.layers import Series


def file_start(series: Series, info: FifInfo, pack: int) -> bytes:
    """Return the tags up to the samples' block; ``pack`` is FIFF's type of the samples.

    The directory is left out (-1), as MNE-Python does: reading the heads of some hundred tags takes milliseconds.
    """
    return b"".join(
        (
            identity(fiff.FIFF_FILE_ID),
            integers(fiff.FIFF_DIR_POINTER, -1),
            integers(fiff.FIFF_FREE_LIST, -1),
            opened(fiff.FIFFB_MEAS),
            identity(fiff.FIFF_BLOCK_ID),
            identity(fiff.FIFF_PARENT_BLOCK_ID),
            _measurement(series, info, pack),
            _annotations(series, info),
            opened(fiff.FIFFB_RAW_DATA),
        )
    )


def samples_start(first: int, previous: str, part: int) -> bytes:
    """Return what precedes the samples of a file: number of its first one, and which file comes before (none when empty)."""
    number = integers(fiff.FIFF_FIRST_SAMPLE, first) if first else b""
    return number + (_link(fiff.FIFFV_ROLE_PREV_FILE, previous, part - 1) if previous else b"")


def file_end(following: str, part: int) -> bytes:
    """Return the tags after the samples: which file comes next (none when empty), and the end."""
    return b"".join(
        (
            _link(fiff.FIFFV_ROLE_NEXT_FILE, following, part + 1) if following else b"",
            closed(fiff.FIFFB_RAW_DATA),
            closed(fiff.FIFFB_MEAS),
            tag(fiff.FIFF_NOP, fiff.FIFFT_VOID, following=fiff.FIFFV_NEXT_NONE),
        )
    )


def _measurement(series: Series, info: FifInfo, pack: int) -> bytes:
    moved = info.device_to_head
    rate = series.clock.rate
    return block(
        fiff.FIFFB_MEAS_INFO,
        identity(fiff.FIFF_PARENT_BLOCK_ID),
        block(fiff.FIFFB_ISOTRAK, *_points(info.digitised)),
        b"" if moved is None else transform(moved, fiff.FIFFV_COORD_DEVICE, fiff.FIFFV_COORD_HEAD),
        text(fiff.FIFF_COMMENT, info.description),
        integers(fiff.FIFF_NCHAN, len(series.channels)),
        floats(fiff.FIFF_SFREQ, rate),
        floats(fiff.FIFF_LOWPASS, rate / 2 if info.lowpass is None else info.lowpass),
        floats(fiff.FIFF_HIGHPASS, info.highpass or 0.0),
        b"" if info.line_frequency is None else floats(fiff.FIFF_LINE_FREQ, info.line_frequency),
        integers(fiff.FIFF_DATA_PACK, pack),
        integers(fiff.FIFF_MNE_CUSTOM_REF, fiff.FIFFV_MNE_CUSTOM_REF_ON) if info.custom_reference else b"",
        block(fiff.FIFFB_SUBJECT, text(fiff.FIFF_SUBJ_HIS_ID, info.subject)) if info.subject else b"",
        *_channels(series, info, pack),
        block(fiff.FIFFB_DEVICE, text(fiff.FIFF_DEVICE_TYPE, info.device)) if info.device else b"",
        block(fiff.FIFFB_MNE_BAD_CHANNELS, names(fiff.FIFF_MNE_CH_NAME_LIST, info.bads)) if info.bads else b"",
    )


def _channels(series: Series, info: FifInfo, pack: int) -> Iterator[bytes]:
    floating = pack == fiff.FIFFT_FLOAT
    for row, (each, step) in enumerate(zip(series.channels, series.steps, strict=True)):
        kind, unit, coil = KINDS[each.kind], UNITS[each.unit], info.coil(row, each)
        yield channel(row + 1, kind, coil, info.location(row), unit, 1.0 if floating else step, each.name)


def _points(digitised: Digitised) -> Iterator[bytes]:
    for kind, points in (
        (fiff.FIFFV_POINT_CARDINAL, digitised.fiducials),
        (fiff.FIFFV_POINT_HPI, digitised.hpi),
        (fiff.FIFFV_POINT_EEG, digitised.electrodes),
        (fiff.FIFFV_POINT_EXTRA, digitised.head),
    ):
        yield from (point(kind, ident, position) for ident, position in enumerate(points, 1))


def _annotations(series: Series, info: FifInfo) -> bytes:
    """Return the annotations; times as doubles, since a float32 is 0.2 ms off after an hour."""
    if not info.annotations:
        return b""
    ordered = sorted(info.annotations)
    onsets = np.array([onset for onset, _, _ in ordered]) - series.clock.start
    return block(
        fiff.FIFFB_MNE_ANNOTATIONS,
        doubles(fiff.FIFF_MNE_BASELINE_MIN, onsets),
        doubles(fiff.FIFF_MNE_BASELINE_MAX, onsets + [duration for _, duration, _ in ordered]),
        names(fiff.FIFF_COMMENT, [name for _, _, name in ordered]),
    )


def _link(role: int, name: str, number: int) -> bytes:
    return block(
        fiff.FIFFB_REF,
        integers(fiff.FIFF_REF_ROLE, role),
        text(fiff.FIFF_REF_FILE_NAME, name),
        identity(fiff.FIFF_REF_FILE_ID),
        integers(fiff.FIFF_REF_FILE_NUM, number),
    )
