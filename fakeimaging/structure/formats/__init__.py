"""Connectomes from files and to files: NPY, CSV, TSV or TXT, zip of The Virtual Brain, GraphML. Row receives, column sends."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError, did_you_mean
from fakeimaging.core.files import write_bytes
from fakeimaging.structure.connectome import Connectome, DistanceRule, distances, lengths_between
from fakeimaging.structure.formats.graphml import graphml_bytes, read_graphml
from fakeimaging.structure.formats.matrices import SEPARATORS, npy_bytes, read_npy, read_text, text_bytes
from fakeimaging.structure.formats.parts import Parts, naming
from fakeimaging.structure.formats.tvb import read_tvb, tvb_bytes
from fakeimaging.structure.parcellation import Region

_READERS: dict[str, Callable[[Path], Parts]] = {
    ".npy": read_npy, **dict.fromkeys(SEPARATORS, read_text), ".zip": read_tvb, ".graphml": read_graphml,
}  # fmt: skip
ENDINGS = tuple(_READERS)
"""Endings of the files that can be read and written."""


def read_connectome(
    path: str | Path,
    *,
    tract_lengths: str | Path | None = None,
    centres: npt.NDArray | None = None,
    names: Sequence[str] | None = None,
    tortuosity: float | None = None,
    signed: bool = False,
) -> Connectome:
    """Read a connectome; the ending says the format.

    Parameters
    ----------
    path : path
        ``.npy``; ``.csv``, ``.tsv`` or ``.txt`` with or without names along the edges; ``.zip`` of The Virtual Brain;
        ``.graphml``. ``weights[target, source]``: row receives, column sends.
    tract_lengths : path, optional
        Matrix of lengths in mm, for a file that holds weights alone. Left out, ``mine_lengths.csv`` beside ``mine.csv`` is
        taken, as `write_connectome` writes it.
    centres : ndarray, shape (n_regions, 3), mm, optional
        Centres of the regions, for a file that has none; lengths that are nowhere else follow from them.
    names : sequence of str, optional
        Names of the regions, for a file that has none.
    tortuosity : float, optional
        Tract length over straight distance, for lengths that follow from centres (1.3).
    signed : bool
        Allows negative weights.

    Returns
    -------
    Connectome
        With names and centres where they are known.

    Raises
    ------
    InputError
        If the file cannot be read or holds no connectome; the message starts with its name.

    Warns
    -----
    UserWarning
        If lengths are derived from centres, a region connects to itself (set to 0), or a region has no tract.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "mine.csv"
    >>> _ = path.write_text(",front,back\\nfront,0,2\\nback,1,0\\n")
    >>> _ = path.with_name("mine_lengths.csv").write_text("0,80\\n80,0\\n")
    >>> mine = read_connectome(path)
    >>> mine.names, mine.weights[0, 1]
    (('front', 'back'), np.float64(2.0))
    """
    path = Path(path)
    more = {
        "names": None if names is None else tuple(names),
        "centres": centres,
        "tortuosity": tortuosity,
        "signed": signed,
    }
    return connectome_of(read_parts(path, tract_lengths=tract_lengths), path, **more)  # type: ignore[arg-type]


def read_parts(path: Path, *, tract_lengths: str | Path | None = None) -> Parts:
    """Return what the files hold, square but not checked further; see `read_connectome`."""
    with naming(path):
        parts = _reader(path)(path)
        _check_square("weights", parts.weights)
    return replace(parts, tract_lengths=_lengths(path, tract_lengths, parts))


def connectome_of(
    parts: Parts,
    path: Path,
    *,
    names: tuple[str, ...] | None,
    centres: npt.NDArray | None,
    tortuosity: float | None,
    signed: bool,
) -> Connectome:
    """Return the connectome that parts of a file make, completed by what the file has not; see `read_connectome`."""
    with naming(path):
        weights, lengths = _completed(parts, parts.centres if parts.centres is not None else centres, tortuosity, path)
        return Connectome(weights, lengths, signed, parts.names or names, parts.centres)


def _reader(path: Path) -> Callable[[Path], Parts]:
    if path.suffix.lower() not in _READERS:
        raise InputError(f"no format of a connectome ends in {path.suffix!r}{did_you_mean(path.suffix, _READERS)}")
    return _READERS[path.suffix.lower()]


def _check_square(name: str, matrix: npt.NDArray) -> None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"`{name}`: a square matrix is needed, not {matrix.shape}")


def _lengths(path: Path, given: str | Path | None, parts: Parts) -> npt.NDArray[np.float64] | None:
    """Return the lengths: from the file named for them, else those beside the weights."""
    beside = lengths_path(path)
    if given is not None and parts.tract_lengths is not None:
        raise InputError(f"{path} holds tract lengths of its own, and {given} others; leave one out")
    if given is None and (parts.tract_lengths is not None or not beside.is_file()):
        return parts.tract_lengths
    where = Path(given) if given is not None else beside
    with naming(where):
        lengths = _reader(where)(where).weights
        if lengths.shape != parts.weights.shape:
            raise InputError(f"lengths of shape {lengths.shape} for weights of shape {parts.weights.shape} in {path}")
        Connectome(np.ones(lengths.shape) - np.eye(len(lengths)), _without_diagonal(lengths))
    return lengths


PLAIN = (".npy", ".csv", ".tsv", ".txt")
"""Endings of files that hold one matrix."""


def lengths_path(path: Path) -> Path:
    """Return where the lengths of a file of weights lie: ``mine_lengths.csv`` beside ``mine.csv``."""
    return path.with_name(f"{path.stem}_lengths{path.suffix}")


def _without_diagonal(matrix: npt.NDArray) -> npt.NDArray[np.float64]:
    return np.where(np.eye(len(matrix), dtype=bool), 0.0, matrix)


def _completed(
    parts: Parts, centres: npt.NDArray | None, tortuosity: float | None, path: Path
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return weights and lengths with nothing on their diagonals, lengths derived where there are none; says what it did."""
    weights, lengths = _without_diagonal(parts.weights), parts.tract_lengths
    if np.isfinite(parts.weights).all() and parts.weights.diagonal().any():
        warnings.warn(f"{path}: weights of regions with themselves are no tracts, set to 0", stacklevel=4)
    if lengths is None:
        if centres is None or len(centres) != len(weights):
            raise InputError("no tract lengths, and no centres of its regions to derive them from; give tract_lengths")
        factor = tortuosity if tortuosity is not None else DistanceRule().tortuosity
        warnings.warn(f"{path}: no tract lengths; took {factor:g} times the distance between centres", stacklevel=4)
        lengths = lengths_between(distances(np.asarray(centres)), weights, factor)
    return weights, _without_diagonal(lengths)


def write_connectome(path: str | Path, connectome: Connectome, *, regions: Sequence[Region] | None = None) -> None:
    """Write a connectome; the ending says the format, as for `read_connectome`, which reads back the same bits.

    Parameters
    ----------
    path : path
        A file of plain numbers (``.npy``, ``.csv``, ``.tsv``, ``.txt``) gets its lengths beside it, as ``mine_lengths.csv``.
    connectome : Connectome
    regions : sequence of Region, optional
        Names, centroids, hemispheres and more, for formats that can hold them (``subject.regions``).

    Raises
    ------
    InputError
        If the ending is not known, or the regions are not those of the connectome.
    """
    path = Path(path)
    with naming(path):
        _reader(path)
        if regions is not None and len(regions) != connectome.n_regions:
            raise InputError(f"{len(regions)} regions for a connectome of {connectome.n_regions}")
    ending = path.suffix.lower()
    if ending == ".zip":
        write_bytes(path, tvb_bytes(connectome, regions))
    elif ending == ".graphml":
        write_bytes(path, graphml_bytes(connectome, regions))
    else:
        names = tuple(region.name for region in regions) if regions is not None else connectome.names
        for where, matrix in ((path, connectome.weights), (lengths_path(path), connectome.tract_lengths)):
            write_bytes(where, npy_bytes(matrix) if ending == ".npy" else _text(matrix, ending, names))


def _text(matrix: npt.NDArray, ending: str, names: tuple[str, ...] | None) -> bytes:
    # Columns that blanks separate have no room for names.
    return text_bytes(matrix, ending, None if ending == ".txt" else names)
