"""Numbers from a file of one's own, in rows and columns: ``.npy``, or ``.csv`` and ``.tsv`` with or without names along their edges."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError, did_you_mean
from fakeimaging.structure.formats.parts import naming

SEPARATORS = {".csv": ",", ".tsv": "\t"}
ENDINGS = (".npy", *SEPARATORS)


@dataclass(frozen=True, eq=False)
class Table:
    """What a file holds.

    Parameters
    ----------
    values : ndarray, shape (n_rows, n_columns)
        Finite; of a ``.npy`` file a view that is read when it is used.
    columns, rows : tuple of str, optional
        Their names, None where the file has none.
    """

    values: npt.NDArray
    columns: tuple[str, ...] | None = None
    rows: tuple[str, ...] | None = None


def read_table(path: str | Path) -> Table:
    """Read a table; one dimension is one column.

    Raises
    ------
    InputError
        If it cannot be read, or holds anything but finite numbers; the message starts with its name.
    """
    path = Path(path)
    with naming(path):
        if path.suffix.lower() not in ENDINGS:
            raise InputError(f"no table ends in {path.suffix!r}{did_you_mean(path.suffix, ENDINGS)}")
        table = _npy(path) if path.suffix.lower() == ".npy" else _text(path)
        _check_finite(table.values)
    return table


def _npy(path: Path) -> Table:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError("it holds several arrays, as .npz does; save the one that is meant with numpy.save")
    if array.dtype.kind not in "iuf" or array.ndim not in (1, 2) or array.size == 0:
        raise InputError(f"one or more columns of real numbers are needed, not {array.dtype} of shape {array.shape}")
    return Table(array.reshape(len(array), -1))


def _text(path: Path) -> Table:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    rows = [row for row in csv.reader(lines, delimiter=SEPARATORS[path.suffix.lower()]) if any(row)]
    named = len(rows) > 1 and all(len(row) > 1 and not _is_number(row[0]) for row in rows[1:])
    header = bool(rows) and not all(_is_number(cell) for cell in (rows[0][1:] if named else rows[0]))
    first = 1 if header else 0
    body = [row[1:] if named else row for row in rows[first:]]
    if not body:
        raise InputError("there are no numbers in it")
    values = np.array([_numbers(row, len(body[0]), line + first + 1) for line, row in enumerate(body)])
    columns = tuple(cell.strip() for cell in rows[0][-values.shape[1] :]) if header else None
    return Table(values, columns, tuple(row[0].strip() for row in rows[first:]) if named else None)


def _numbers(row: list[str], n: int, line: int) -> list[float]:
    if len(row) != n:
        raise InputError(f"line {line} has {len(row)} numbers, the first one {n}")
    for cell in row:
        if not _is_number(cell):
            raise InputError(f"line {line}: {cell!r} is not a number")
    return [float(cell) for cell in row]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _check_finite(values: npt.NDArray) -> None:
    """Check in stretches, so that a long file is never in memory as a whole."""
    size = max(1, 2**20 // values.shape[1])
    for start in range(0, len(values), size):
        bad = np.argwhere(~np.isfinite(values[start : start + size]))
        if len(bad):
            row, column = bad[0]
            found = values[start + row, column]
            raise InputError(f"{found} in row {start + row + 1}, column {column + 1}; finite numbers are needed")
