"""Crash-safe writing: a hidden name in the same folder, fsync, then rename; hashes over what a reader would decompress."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from isal import igzip, igzip_lib, isal_zlib

HIDDEN = ".fakeimaging-tmp-"
"""Prefix of files that are being written; what a crash leaves behind carries it."""

UNREADABLE: tuple[type[Exception], ...] = (OSError, EOFError, isal_zlib.error, igzip_lib.IsalError)  # type: ignore[assignment]
"""What reading a damaged file raises."""


@dataclass(frozen=True)
class Written:
    """What was written: size on disk, and SHA-256 of the decompressed bytes."""

    bytes: int
    sha256: str


class _Sink(Protocol):
    def write(self, data: bytes, /) -> int: ...


class HashingFile(io.RawIOBase):
    """Passes bytes on to a file and hashes them on the way."""

    def __init__(self, sink: _Sink) -> None:
        self._sink = sink
        self._hash = hashlib.sha256()

    def writable(self) -> bool:
        """Return True: that is all it is for."""
        return True

    def write(self, data: Any) -> int:
        """Write and hash ``data`` (bytes or a buffer)."""
        self._hash.update(data)
        self._sink.write(data)
        return len(data)

    def hexdigest(self) -> str:
        """Return the hash of everything written so far."""
        return self._hash.hexdigest()


@dataclass
class Receipt:
    """Filled by `writing` when the file has its final name."""

    written: Written | None = None

    @property
    def result(self) -> Written:
        """Return what was written; raises if the file was not finished."""
        if self.written is None:
            raise RuntimeError("the file was not finished")
        return self.written


@contextmanager
def writing(path: Path, receipt: Receipt | None = None) -> Iterator[HashingFile]:
    """Open ``path`` for writing so that it appears whole or not at all.

    A name that ends in ``.gz`` is compressed (ISA-L, level 1, no time stamp and no name in the header).

    Parameters
    ----------
    path : Path
        Final name; its folder is made when missing.
    receipt : Receipt, optional
        Receives size and hash.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(HIDDEN + path.name)
    try:
        with open(hidden, "wb") as raw:
            with _compressing(raw, path.suffix == ".gz") as inner:
                sink = HashingFile(inner)
                yield sink
            raw.flush()
            os.fsync(raw.fileno())
        size = hidden.stat().st_size
        os.replace(hidden, path)
        _sync_folder(path.parent)
    finally:
        hidden.unlink(missing_ok=True)
    if receipt is not None:
        receipt.written = Written(size, sink.hexdigest())


@contextmanager
def _compressing(raw: BinaryIO, wanted: bool) -> Iterator[_Sink]:
    if not wanted:
        yield raw
        return
    with igzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=raw, mtime=0) as packed:
        yield packed


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, data: bytes) -> Written:
    """Write ``data`` to ``path`` crash-safely and return its size and hash."""
    receipt = Receipt()
    with writing(path, receipt) as file:
        file.write(data)
    return receipt.result


def read_bytes(path: Path) -> bytes:
    """Return a file's decompressed bytes (plain bytes unless its name ends in ``.gz``): what `write_bytes` takes."""
    with (igzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        return bytes(file.read())


def write_text(path: Path, text: str) -> Written:
    """Write UTF-8 text crash-safely."""
    return write_bytes(path, text.encode())


def write_json(path: Path, content: Any) -> Written:
    """Write JSON with two blanks of indent, in the order given; refuses NaN and infinity."""
    return write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_tsv(path: Path, columns: list[str], rows: list[list[Any]]) -> Written:
    """Write a tab-separated table with a header line; None becomes ``n/a``, floats their shortest exact form."""
    return write_text(path, tsv_text(columns, rows))


def tsv_text(columns: list[str], rows: list[list[Any]]) -> str:
    """Return the text of such a table."""
    lines = ["\t".join(columns)]
    lines += ["\t".join("n/a" if cell is None else str(cell) for cell in row) for row in rows]
    return "\n".join(lines) + "\n"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's decompressed bytes (plain bytes unless its name ends in ``.gz``)."""
    state = hashlib.sha256()
    opener = igzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        while chunk := file.read(1 << 20):
            state.update(chunk)
    return state.hexdigest()


def remove_leftovers(folder: Path) -> None:
    """Delete what an interrupted writer left below ``folder``."""
    for path in folder.rglob(HIDDEN + "*"):
        path.unlink(missing_ok=True)
