"""EEGLAB files of a series (``.set``, MATLAB 5, float32), by eeglabio: the whole recording is held in memory.

The file's first 116 bytes are text in which scipy puts the time; ours says what it is and nothing else. Every channel is
stored in millionths of its unit, as EEGLAB has microvolts. Positions are in mm, x to the nose and y to the left.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.core.files import Receipt, Written, writing
from fakeimaging.dataset.marks import Mark, marks_of
from fakeimaging.modalities.layers import Series

TITLE = b"MATLAB 5.0 MAT-file, simulated by fakeimaging".ljust(116)
"""Text at the head of the file, of the length the format has for it."""
LARGEST = 2**31
"""Bytes of one variable of a MATLAB 5 file, which cannot be reached."""
CHUNK = 1 << 24
"""Bytes that are copied at once."""
TYPES = {
    **{kind: kind for kind in ("EEG", "EOG", "ECG", "EMG", "ECOG", "SEEG", "DBS", "RESP", "GSR", "MISC")},
    "VEOG": "EOG",
    "HEOG": "EOG",
    "TRIG": "STIM",
    "TEMP": "TEMPERATURE",
}
"""Type of a channel, by its type in BIDS; MISC for the others. MNE-Python knows them all."""


def write_set(
    path: Path,
    series: Series,
    events: Iterable[tuple[float, float, str]] = (),
    *,
    volumes: Iterable[float] = (),
    bad_segments: Iterable[tuple[float, float, str]] = (),
    positions: npt.ArrayLike | None = None,
    reference: str = "common",
) -> dict[str, Written]:
    """Write a series to one file of EEGLAB.

    Parameters
    ----------
    path : Path
        Ends in ``.set``.
    series : Series
        In SI units.
    events, bad_segments : iterable of (onset, duration, name)
        In s of the run; those outside the recording are left out. Names of bad segments get ``BAD_`` in front.
    volumes : iterable of float
        When the scanner began each volume, in s of the run.
    positions : array_like, shape (n_channels, 3), optional
        Of the electrodes in mm, x to the right and y to the nose, around the middle of the head; NaN for channels that lie
        nowhere.
    reference : str
        Name of the reference electrode, ``"average"``, or ``"common"`` when it is not told.

    Returns
    -------
    dict of str to Written
        What was written, by file name.

    Raises
    ------
    InputError
        If there are no samples or more than the format holds, or the positions are not those of the channels.
    """
    from eeglabio.raw import export_set

    n_channels, n = series.shape
    if not 0 < 4 * n_channels * n < LARGEST:
        raise InputError(
            f"{path.name}: {n_channels} channels of {n} samples; a .set file holds something, and less than 2 GiB",
            value=series.shape,
        )
    receipt = Receipt()
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / path.name
        export_set(
            draft,
            _samples(path, series),
            series.clock.rate,
            [channel.name for channel in series.channels],
            ch_locs=None if positions is None else _turned(positions, n_channels),
            annotations=_columns(marks_of(series.clock, events, volumes, bad_segments)),
            ref_channels=reference,
            ch_types=[TYPES.get(channel.kind, "MISC") for channel in series.channels],
        )
        _copy(draft, path, receipt)
    return {path.name: receipt.result}


def read_samples(path: Path) -> npt.NDArray[np.float32]:
    """Return the samples that `write_set` wrote, shape (n_channels, n_samples)."""
    from scipy.io import loadmat

    return np.asarray(1e-6 * loadmat(path, variable_names=["data"])["data"], dtype=np.float32)


def _samples(path: Path, series: Series) -> npt.NDArray[np.float32]:
    samples = series.to_array()
    for channel, row in zip(series.channels, samples, strict=True):
        if not np.isfinite(row).all():
            raise InputError(f"{path.name}: channel {channel.name} has values that are not finite", value=channel.name)
    return samples


def _turned(positions: npt.ArrayLike, n_channels: int) -> npt.NDArray[np.float64]:
    """Return positions with x to the nose and y to the left, as EEGLAB has them."""
    given = np.asarray(positions, dtype=float)
    if given.shape != (n_channels, 3):
        raise InputError(f"`positions`: shape {given.shape}, not ({n_channels}, 3)", value=positions)
    return np.column_stack((given[:, 1], -given[:, 0], given[:, 2]))


def _columns(marks: list[Mark]) -> list[npt.NDArray] | None:
    if not marks:
        return None
    return [np.array([getattr(mark, name) for mark in marks]) for name in ("text", "onset", "duration")]


def _copy(draft: Path, path: Path, receipt: Receipt) -> None:
    """Copy the file to its place under a title without a clock."""
    with open(draft, "rb") as source, writing(path, receipt) as file:
        source.seek(len(TITLE))
        file.write(TITLE)
        while chunk := source.read(CHUNK):
            file.write(chunk)
