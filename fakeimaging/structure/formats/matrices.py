"""A matrix as plain numbers: NPY, or text in columns (CSV, TSV, blanks) with or without names along its edges."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.structure.formats.parts import Parts

SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": " "}
"""Column separator by ending; a CSV file may use semicolons instead."""


def read_npy(path: Path) -> Parts:
    """Read a matrix from ``.npy``."""
    with open(path, "rb") as file:
        array = np.load(file, allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise InputError("it holds several arrays, as .npz does; save the one that is meant with numpy.save")
    if array.dtype.kind not in "biuf" or array.ndim != 2:
        raise InputError(f"a matrix of real numbers is needed, not {array.dtype} of shape {array.shape}")
    return Parts(array.astype(np.float64))


def npy_bytes(matrix: npt.NDArray) -> bytes:
    """Return a matrix as the bytes of ``.npy``."""
    buffer = io.BytesIO()
    np.save(buffer, matrix, allow_pickle=False)
    return buffer.getvalue()


def read_text(path: Path) -> Parts:
    """Read a matrix from text; a first line or column that is no number gives the names."""
    rows = _cells(path.read_text(encoding="utf-8-sig"), SEPARATORS[path.suffix.lower()])
    if not rows:
        raise InputError("it is empty")
    header = rows.pop(0) if _is_header(rows) else None
    indexed = bool(rows) and _is_index(rows, header)
    body = [row[1:] for row in rows] if indexed else rows
    matrix = _numbers(body, first_line=1 if header is None else 2)
    names = _names(header, [row[0] for row in rows] if indexed else None, matrix.shape[1])
    return Parts(matrix, names=names)


def text_bytes(matrix: npt.NDArray, ending: str, names: tuple[str, ...] | None = None) -> bytes:
    """Return a matrix as text, each number in its shortest exact form; ``names`` go along both edges."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=SEPARATORS[ending], lineterminator="\n")
    if names is not None:
        writer.writerow(["", *names])
    for i, row in enumerate(matrix.tolist()):
        writer.writerow(([names[i]] if names is not None else []) + [_short(value) for value in row])
    return buffer.getvalue().encode()


def _short(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _cells(text: str, separator: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if separator == " ":
        return [re.split(r"[\s,;]+", line.strip()) for line in lines]
    if separator == "," and lines and ";" in lines[0] and "," not in lines[0]:
        separator = ";"
    return [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator)]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_header(rows: list[list[str]]) -> bool:
    """Tell whether the first line is one: words after its first cell, an empty corner, or counting where pandas numbers columns."""
    first = rows[0]
    if first[0] == "" or not all(_is_number(cell) for cell in first[1:]):
        return True
    counting = [[str(i + start) for i in range(len(first))] for start in (0, 1)]
    return first in counting and len(rows) == len(first) + 1


def _is_index(rows: list[list[str]], header: list[str] | None) -> bool:
    if not all(_is_number(row[0]) for row in rows):
        return True
    return header is not None and (header[0] == "" or len(rows[0]) == len(header) + 1)


def _numbers(rows: list[list[str]], *, first_line: int) -> npt.NDArray[np.float64]:
    widths = {len(row) for row in rows}
    for i, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise InputError(f"line {first_line + i} has {len(row)} numbers, the first one {len(rows[0])}")
        for cell in row:
            if not _is_number(cell):
                raise InputError(f"line {first_line + i}: {cell!r} is not a number")
    if not widths or 0 in widths:
        raise InputError("there are no numbers in it")
    return np.array([[float(cell) for cell in row] for row in rows])


def _names(header: list[str] | None, index: list[str] | None, n: int) -> tuple[str, ...] | None:
    """Return the names of the columns, else of the rows; both must agree. Bare numbers are no names."""
    columns = header[-n:] if header is not None and len(header) >= n else None
    if columns is not None and index is not None and columns != index:
        raise InputError("the names of its rows are not those of its columns")
    names = columns if columns is not None else index
    return None if names is None or all(_is_number(name) for name in names) else tuple(names)
