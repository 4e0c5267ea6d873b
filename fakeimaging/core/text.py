"""Plain text for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap


def aligned(rows: Sequence[Sequence[str]], *, indent: str = "") -> str:
    """Return a table with columns padded to the same width, two blanks apart.

    Examples
    --------
    >>> print(aligned([["name", "value"], ["tr", "2.0"]]))
    name  value
    tr    2.0
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(indent + line for line in lines)


def listed(words: Iterable[object], last: str = "and") -> str:
    """Return words as a sentence has them.

    Examples
    --------
    >>> listed([2, 4, 5])
    '2, 4 and 5'
    """
    *others, final = map(str, words)
    return f"{', '.join(others)} {last} {final}" if others else final


def folded(rows: Sequence[Sequence[str]], width: int, *, indent: str = "") -> str:
    """Return a table as `aligned` does; where it is wider than ``width``, its last columns stand below the others.

    Parameters
    ----------
    rows : sequence of rows
        The first one is the header.
    width : int
        Characters in a line.

    Examples
    --------
    >>> print(folded([["name", "value", "description"], ["tr", "2.0", "repetition time"]], 20))
    name  value
    tr    2.0
        repetition time
    """
    n_columns = len(rows[0])
    for kept in range(n_columns, 0, -1):
        heads = aligned([row[:kept] for row in rows], indent=indent).split("\n")
        if max(map(len, heads)) <= width:
            break
    if kept == n_columns:
        return "\n".join(heads)
    deep, room = indent + " " * 4, max(width - len(indent) - 4, 20)
    lines = heads[:1]
    for head, row in zip(heads[1:], rows[1:], strict=True):
        lines += [head, *(deep + line for line in wrap("; ".join(filter(None, row[kept:])), room))]
    return "\n".join(lines)
