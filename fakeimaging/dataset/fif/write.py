"""FIF files of a series, written buffer by buffer: one file, or several that point to each other.

A file is a list of tags (`tags`): what the recording is (`header`), then buffers of samples, all channels of one instant
after the other, big-endian. Positions in FIFF are signed 32-bit, so a long recording is split. No clock, host or
random identity stands in a file. Format: FIFF (Elekta Neuromag), as MNE-Python 1.13 reads and writes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.core.files import Receipt, Written, writing
from fakeimaging.dataset.fif import numbers as fiff
from fakeimaging.dataset.fif.header import file_end, file_start, samples_start
from fakeimaging.dataset.fif.info import FifInfo
from fakeimaging.dataset.fif.tags import HEAD, head
from fakeimaging.modalities.layers import Series

Format = Literal["float32", "int16", "int32"]
SPLIT_SIZE = 2_000_000_000
"""Bytes of a file at most, unless asked otherwise."""
LARGEST = 2**31 - 1
"""Bytes of a file at most: the last position that FIFF can name."""
LONGEST_BUFFER = 10.0
"""Seconds of a buffer at most; what reads a stretch reads all of its buffers."""
TYPES: dict[Format, tuple[int, str]] = {
    "float32": (fiff.FIFFT_FLOAT, ">f4"),
    "int16": (fiff.FIFFT_DAU_PACK16, ">i2"),
    "int32": (fiff.FIFFT_INT, ">i4"),
}
MOST_STEPS = {"int16": 2**15 - 1, "int32": 2**31 - 128}
"""Largest stored integer: of int32, the largest that a float32 reaches."""
AFTER_SPLIT = r"(?=_(?:recording|chunk|atlas|seg|scale|res|den|label|desc)-|_[^_-]+\.fif$)"
"""Where BIDS has ``split`` in a name: before these entities, or before the suffix."""


def write_fif(
    path: Path, series: Series, info: FifInfo, *, sample_format: Format = "float32", split_size: int = SPLIT_SIZE
) -> dict[str, Written]:
    """Write a series to one FIF file, or to several where one would be too long.

    Parameters
    ----------
    path : Path
        Ends in ``.fif``. Several files have ``split-01``, ``split-02`` ... in their names; a reader opens the first.
    series : Series
        In SI units.
    info : FifInfo
        Where its sensors are, and what else the file says of it.
    sample_format : {"float32", "int16", "int32"}
        float32 keeps every bit; integers are steps of each channel's resolution.
    split_size : int
        Bytes of a file at most.

    Returns
    -------
    dict of str to Written
        What was written, by file name. The files get their names last to first: where the first stands, all do.

    Raises
    ------
    InputError
        If the info does not fit the series, a value is not finite or does not fit the integer, or ``split_size`` is below
        what one buffer takes.
    """
    if not series.clock.n > 0:
        raise InputError(f"{path.name}: a series without samples", value=series)
    if sample_format not in TYPES:
        raise InputError(f"`sample_format`: one of {', '.join(TYPES)}, not '{sample_format}'", value=sample_format)
    info.check(series)
    buffers = _encoded(path, series, sample_format)
    receipts: dict[str, Receipt] = {}
    with ExitStack() as open_files:
        for piece in _pieces(path, series, info, sample_format, split_size):
            receipt = receipts[piece.name] = Receipt()
            file = open_files.enter_context(writing(path.with_name(piece.name), receipt))
            file.write(piece.start)
            for start, stored in islice(buffers, piece.n_buffers):
                file.write(start)
                file.write(stored)
            file.write(piece.end)
    return {name: receipt.result for name, receipt in receipts.items()}


@dataclass(frozen=True)
class _Piece:
    """One file: its name, the tags around its buffers, how many those are."""

    name: str
    start: bytes
    n_buffers: int
    end: bytes


def _pieces(path: Path, series: Series, info: FifInfo, sample_format: Format, split_size: int) -> Iterator[_Piece]:
    """Yield the files: sizes are known before the first sample is made."""
    pack, kind = TYPES[sample_format]
    start = file_start(series, info, pack)
    lengths = [n for v in range(series.n_parts) for n in _lengths(series, v)]
    sizes = [HEAD + n * len(series.channels) * np.dtype(kind).itemsize for n in lengths]
    split_size = min(split_size, LARGEST)
    whole = file_end("", 0)
    if len(start) + sum(sizes) + len(whole) <= split_size:
        yield _Piece(path.name, start, len(sizes), whole)
        return
    done = part = 0
    while done < len(sizes):
        before = samples_start(sum(lengths[:done]), split_name(path, part - 1) if part else "", part)
        end = file_end(split_name(path, part + 1), part)
        room = split_size - len(start) - len(before) - len(end)
        n = int(np.searchsorted(np.cumsum(sizes[done:]), room, side="right"))
        if not n:
            least = split_size - room + sizes[done]
            raise InputError(f"`split_size`: {split_size} bytes; one buffer takes {least}", value=split_size)
        done += n
        yield _Piece(split_name(path, part), start + before, n, end if done < len(sizes) else whole)
        part += 1


def split_name(path: Path, part: int) -> str:
    """Return the name of one of several files.

    Examples
    --------
    >>> split_name(Path("sub-01_task-rest_desc-clean_meg.fif"), 0)
    'sub-01_task-rest_split-01_desc-clean_meg.fif'
    """
    return re.sub(AFTER_SPLIT, f"_split-{part + 1:02d}", path.name, count=1)


def _lengths(series: Series, v: int) -> list[int]:
    """Return the samples of each buffer of part ``v``: a part of usual length is halved until it is short enough."""
    n, longest = series.part(0).n, LONGEST_BUFFER * series.clock.rate
    while n > max(longest, 1):
        n = -(-n // 2)
    full, rest = divmod(series.part(v).n, n)
    return [n] * full + [rest] * (rest > 0)


def _encoded(path: Path, series: Series, sample_format: Format) -> Iterator[tuple[bytes, bytes]]:
    """Yield the buffers in order, head and samples, one part of the series in memory at a time."""
    pack, kind = TYPES[sample_format]
    for v, part in enumerate(series.parts()):
        stops = np.cumsum(_lengths(series, v))
        for samples in np.split(part, stops[:-1], axis=1):
            values = (_checked if sample_format == "float32" else _steps)(path, series, samples, sample_format)
            stored = values.T.astype(kind, order="C").tobytes()
            yield head(fiff.FIFF_DATA_BUFFER, pack, len(stored)), stored


def _checked(path: Path, series: Series, samples: npt.NDArray, sample_format: Format) -> npt.NDArray:
    good = np.isfinite(samples)
    if not good.all():
        _refuse(path, series, ~good, "values that are not finite")
    return samples


def _steps(path: Path, series: Series, samples: npt.NDArray, sample_format: Format) -> npt.NDArray:
    """Return samples in steps of their channels; the step is the float32 that the header has."""
    steps = np.rint(samples / series.steps.astype(np.float32)[:, None])
    fit = np.abs(steps) <= MOST_STEPS[sample_format]
    if not fit.all():
        _refuse(path, series, ~fit, f"values that do not fit {sample_format} in steps of its resolution")
    return steps


def _refuse(path: Path, series: Series, wrong: npt.NDArray[np.bool_], what: str) -> None:
    name = series.channels[int(np.flatnonzero(wrong.any(axis=1))[0])].name
    raise InputError(f"{path.name}: channel {name} has {what}", value=name)
