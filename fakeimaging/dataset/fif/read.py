"""Samples of the FIF files that `write_fif` wrote, buffer by buffer, without MNE-Python."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.dataset.fif import numbers as fiff
from fakeimaging.dataset.fif.tags import HEAD
from fakeimaging.dataset.fif.write import TYPES, split_name
from fakeimaging.modalities.layers import Series


def read_samples(path: Path, like: Series, v: int | None = None) -> npt.NDArray[np.float32]:
    """Return the samples that `write_fif` wrote for a series like this one, all or those of part ``v``, shape (n_channels, n).

    Parameters
    ----------
    path : Path
        As it was given to `write_fif`, without ``split``.
    like : Series
    v : int, optional

    Raises
    ------
    InputError
        If the files do not hold as many samples.
    """
    first = 0 if v is None else v * (like.block or 0)
    n = like.clock.n if v is None else like.part(v).n
    samples = np.empty((len(like.channels), n), dtype=np.float32)
    seen = stored = 0
    for file, position, kind, size in _buffers(path):
        dtype = np.dtype(kind)
        length = size // (len(like.channels) * dtype.itemsize)
        begin, end = max(seen, first), min(seen + length, first + n)
        if begin < end:
            values = np.fromfile(file, dtype=dtype, count=size // dtype.itemsize, offset=position)
            rows = values.reshape(length, -1)[begin - seen : end - seen].T
            steps = 1 if kind == ">f4" else like.steps.astype(np.float32)[:, None]
            samples[:, begin - first : end - first] = rows * steps
            stored += end - begin
        seen += length
    if stored < n or (v is None and seen != n):
        raise InputError(f"{path.name}: {seen} samples, not {like.clock.n}", value=path)
    return samples


def _buffers(path: Path) -> Iterator[tuple[Path, int, str, int]]:
    """Yield file, position, type and bytes of each buffer's values, in order."""
    kinds = dict(TYPES.values())
    for file in _files(path):
        with open(file, "rb") as tags:
            position = following = 0
            while following != fiff.FIFFV_NEXT_NONE:
                tags.seek(position)
                tag, type_, size, following = struct.unpack(">4i", tags.read(HEAD))
                if tag == fiff.FIFF_DATA_BUFFER:
                    yield file, position + HEAD, kinds[type_], size
                position += HEAD + size


def _files(path: Path) -> Iterator[Path]:
    if path.exists():
        yield path
        return
    for part in count():
        file = path.with_name(split_name(path, part))
        if not file.exists():
            return
        yield file
