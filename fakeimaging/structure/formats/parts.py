"""What a connectome file holds, before it is checked as a whole."""

from __future__ import annotations

import csv
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError

DAMAGED = (OSError, EOFError, ValueError, OverflowError, MemoryError, zlib.error, lzma.LZMAError, csv.Error)
"""What reading a damaged file raises: compressed data, sizes in a header and quotes in a table may all be wrong."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Matrices and names as a file gives them; None where it has none.

    Parameters
    ----------
    weights : ndarray, shape (n_regions, n_regions)
        Row receives, column sends.
    tract_lengths : ndarray, shape (n_regions, n_regions), mm, optional
    names : tuple of str, optional
    centres : ndarray, shape (n_regions, 3), mm, optional
    """

    weights: npt.NDArray[np.float64]
    tract_lengths: npt.NDArray[np.float64] | None = None
    names: tuple[str, ...] | None = None
    centres: npt.NDArray[np.float64] | None = None


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the name of the file before every complaint about what is in it."""
    try:
        yield
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(f"{path}") else f"{path}: {text}", value=path) from None
    except DAMAGED as error:
        reason = getattr(error, "strerror", None) or (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"cannot read {path}: {reason}", value=path) from None
