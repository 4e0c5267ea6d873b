"""Plain text for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


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
