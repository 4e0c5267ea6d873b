"""Files of EEG, MEG and intracranial EEG as an analysis reads them: with MNE-Python, good channels of the kinds asked for."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.dataset.artefacts import NAME
from fakeimaging.dataset.fif.write import split_name
from fakeimaging.dataset.names import TRUTH, Scan

Floats = npt.NDArray[np.float64]

EEG, IEEG = ("EEG",), ("ECOG", "SEEG")
MEG = ("MEGMAG", "MEGGRADPLANAR", "MEGGRADAXIAL")
"""BIDS types of the sensors of each modality."""
LONGEST = 600.0
"""s that are read at most: scores of longer recordings would need their hours in memory."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """Channels of a file.

    Parameters
    ----------
    names, kinds : tuple of str
        Kinds are BIDS' types.
    rate : float
        Hz.
    samples : ndarray, shape (n_channels, n_samples)
        V, T or T/m.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    rate: float
    samples: Floats

    @property
    def seconds(self) -> float:
        """Length."""
        return self.samples.shape[1] / self.rate

    def rows(self, *kinds: str) -> list[int]:
        """Return the rows of these kinds."""
        return [row for row, kind in enumerate(self.kinds) if kind in kinds]


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the lines of a table of BIDS."""
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))


def read_channels(
    root: Path, scan: Scan, kinds: tuple[str, ...], *, clean: bool = False, bad: bool = False
) -> Recorded:
    """Read channels of some kinds from the observed file of a scan, or from its clean twin.

    Parameters
    ----------
    root : Path
    scan : Scan
    kinds : tuple of str
    clean : bool
        Whether the clean signal is read.
    bad : bool
        Whether channels that the table of channels calls bad are read too.
    """
    lines = read_table(root / scan.beside("channels.tsv"))
    kept = [line for line in lines if line["type"] in kinds and (bad or line.get("status") != "bad")]
    names = tuple(line["name"] for line in kept)
    raw = read_raw(root / (scan.clean if clean else scan.raw))
    rate = float(raw.info["sfreq"])
    picks = [raw.ch_names.index(name) for name in names]
    stop = min(raw.n_times, round(LONGEST * rate))
    samples = raw.get_data(picks, stop=stop) if picks else np.zeros((0, stop))
    return Recorded(names, tuple(line["type"] for line in kept), rate, np.asarray(samples, dtype=np.float64))


def read_raw(path: Path) -> Any:
    """Return raw data of MNE-Python, not loaded; a FIF file in several parts by the name of the whole."""
    import mne

    if path.suffix == ".fif":
        first = path if path.exists() else path.with_name(split_name(path, 0))
        return mne.io.read_raw_fif(first, verbose="error")
    readers = {".edf": mne.io.read_raw_edf, ".set": mne.io.read_raw_eeglab, ".vhdr": mne.io.read_raw_brainvision}
    return readers[path.suffix](path, verbose="error")


def read_artefacts(root: Path, scan: Scan) -> list[dict[str, str]]:
    """Return the true artefacts of a scan."""
    path = root / TRUTH / scan.beside(f"{NAME}.tsv")
    return read_table(path) if path.exists() else []


def some(recorded: Recorded, rows: list[int]) -> Recorded:
    """Return some of the channels."""
    names, kinds = (tuple(each[row] for row in rows) for each in (recorded.names, recorded.kinds))
    return replace(recorded, names=names, kinds=kinds, samples=recorded.samples[rows])


def table_rows(root: Path, scan: Scan, names: tuple[str, ...]) -> list[int]:
    """Return where channels stand in the table of a scan."""
    every = [line["name"] for line in read_table(root / scan.beside("channels.tsv"))]
    return [every.index(name) for name in names]
