"""Tags, of which a FIFF file is a list: kind, type, size in bytes, where the next one is; then the value. All big-endian."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.dataset.fif import numbers as fiff

HEAD = 16
"""Bytes of a tag before its value."""
NAMELESS = (fiff.FIFFC_VERSION, 0, 0, 0, 2**31 - 1)
"""Identity of every file: version, no host, and the time that MNE-Python takes for none (``DATE_NONE``)."""


def tag(kind: int, type_: int, value: bytes = b"", following: int = fiff.FIFFV_NEXT_SEQ) -> bytes:
    """Return a tag with its value."""
    return head(kind, type_, len(value), following) + value


def head(kind: int, type_: int, size: int, following: int = fiff.FIFFV_NEXT_SEQ) -> bytes:
    """Return what stands before a value of ``size`` bytes."""
    return struct.pack(">4i", kind, type_, size, following)


def integers(kind: int, *values: int) -> bytes:
    """Return a tag of 32-bit integers."""
    return tag(kind, fiff.FIFFT_INT, struct.pack(f">{len(values)}i", *values))


def floats(kind: int, *values: float) -> bytes:
    """Return a tag of 32-bit floats."""
    return tag(kind, fiff.FIFFT_FLOAT, struct.pack(f">{len(values)}f", *values))


def doubles(kind: int, values: npt.ArrayLike) -> bytes:
    """Return a tag of 64-bit floats."""
    return tag(kind, fiff.FIFFT_DOUBLE, np.asarray(values, dtype=">f8").tobytes())


def text(kind: int, value: str) -> bytes:
    """Return a tag of Latin-1 text, which is all that FIFF knows; nothing for an empty one."""
    try:
        return tag(kind, fiff.FIFFT_STRING, value.encode("latin-1")) if value else b""
    except UnicodeEncodeError:
        raise InputError(f"a FIF file has no letters beyond Latin-1: {value!r}", value=value) from None


def names(kind: int, values: Iterable[str]) -> bytes:
    """Return a tag of names, colons between them; one inside a name becomes ``{COLON}``, as MNE-Python has it."""
    return text(kind, ":".join(value.replace(":", "{COLON}") for value in values))


def block(kind: int, *content: bytes) -> bytes:
    """Return tags between the start and the end of a block."""
    return opened(kind) + b"".join(content) + closed(kind)


def opened(kind: int) -> bytes:
    """Return the start of a block."""
    return integers(fiff.FIFF_BLOCK_START, kind)


def closed(kind: int) -> bytes:
    """Return the end of a block."""
    return integers(fiff.FIFF_BLOCK_END, kind)


def identity(kind: int) -> bytes:
    """Return the identity of a file or block: the same for all."""
    return tag(kind, fiff.FIFFT_ID_STRUCT, struct.pack(">5i", *NAMELESS))


def transform(matrix: npt.NDArray[np.float64], source: int, target: int) -> bytes:
    """Return a rigid transform, shape (4, 4), in m, and its inverse."""
    value = struct.pack(">2i", source, target)
    for each in (matrix, np.linalg.inv(matrix)):
        value += each[:3, :3].astype(">f4").tobytes() + each[:3, 3].astype(">f4").tobytes()
    return tag(fiff.FIFF_COORD_TRANS, fiff.FIFFT_COORD_TRANS_STRUCT, value)


def point(kind: int, ident: int, position: npt.NDArray[np.float64]) -> bytes:
    """Return a digitised point, in m."""
    value = struct.pack(">2i3f", kind, ident, *position)
    return tag(fiff.FIFF_DIG_POINT, fiff.FIFFT_DIG_POINT_STRUCT, value)


def channel(
    number: int, kind: int, coil: int, location: npt.NDArray[np.float64], unit: int, step: float, name: str
) -> bytes:
    """Return what is said of one channel; its values are the stored ones times ``step``."""
    value = struct.pack(">3i2fi", number, number, kind, 1.0, step, coil)
    value += location.astype(">f4").tobytes() + struct.pack(">2i16s", unit, 0, name.encode("ascii"))
    return tag(fiff.FIFF_CH_INFO, fiff.FIFFT_CH_INFO_STRUCT, value)
