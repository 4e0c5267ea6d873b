"""Montages from files: BIDS' table of electrodes, read here, and the formats that MNE-Python reads.

Workers do not import mne: what mne has read once is kept beside the compiled kernels, by the hash of the file, and read from there.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from fakeimaging.activity.kernels import cache_folder
from fakeimaging.core.errors import InputError, did_you_mean
from fakeimaging.core.files import write_json
from fakeimaging.modalities.electro.montages import FILES, Montage, anchored, fitted, landmark_file

LANDMARKS = {
    "NAS": ("nas", "nasion", "nz", "fidnz"),
    "LPA": ("lpa", "fidt9", "leftear"),
    "RPA": ("rpa", "fidt10", "rightear"),
}
"""Names under which files have the landmarks."""
Places = Mapping[str, Sequence[float]]


def read_montage(path: str) -> Montage:
    """Return the electrodes of a file, fitted to the template's head by its landmarks, or by names of the 10-05 system.

    Raises
    ------
    InputError
        If the file cannot be read, or says too little to be fitted.
    """
    named = Path(path)
    if named.suffix.lower() not in FILES:
        raise InputError(f"no montage ends in '{named.suffix}'{did_you_mean(named.suffix, FILES)}", value=path)
    beside = landmark_file(named)
    try:
        content = named.read_bytes()
        about = "" if beside is None else beside.read_text()
    except OSError as error:
        raise InputError(f"cannot read the montage {path}: {error.strerror}", value=path) from None
    return _read(path, content, about)


@lru_cache(maxsize=8)
def _read(path: str, content: bytes, about: str) -> Montage:
    try:
        places = _table(content.decode()) if path.lower().endswith(".tsv") else _by_mne(Path(path), content)
        marks = json.loads(about).get("AnatomicalLandmarkCoordinates", {}) if about else {}
        return _montage(places, marks)
    except (ValueError, KeyError) as error:
        raise InputError(f"cannot use the montage {path}: {error}", value=path) from None


def _table(text: str) -> Places:
    """Return name, x, y and z of the rows of a table that have a place."""
    found = {}
    for number, row in enumerate(csv.DictReader(text.splitlines(), delimiter="\t"), 2):
        try:
            name, place = row["name"], [row[axis] for axis in "xyz"]
        except KeyError as error:
            raise ValueError(f"it has no column {error}") from None
        if "n/a" in place:
            continue
        try:
            found[name] = [float(value) for value in place]
        except (TypeError, ValueError):
            raise ValueError(f"line {number}: {place} are no numbers") from None
    return found


def _by_mne(path: Path, content: bytes) -> Places:
    """Return the places that mne reads from a file, landmarks by our names; what it read once is kept."""
    kept = cache_folder() / f"montage-{sha256(content + path.suffix.encode()).hexdigest()[:32]}.json"
    if kept.is_file():
        return dict(json.loads(kept.read_text()))
    import mne

    try:
        read = mne.channels.read_custom_montage(path).get_positions()
    except (RuntimeError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"MNE-Python cannot read it: {error}") from None
    marks = {"NAS": read["nasion"], "LPA": read["lpa"], "RPA": read["rpa"]}
    every = dict(read["ch_pos"]) | {name: place for name, place in marks.items() if place is not None}
    found = {name: np.asarray(place, dtype=float).tolist() for name, place in every.items()}
    write_json(kept, found)
    return found


def _montage(places: Places, marks: Mapping[str, Any]) -> Montage:
    folded = {name.lower(): name for name in places}
    among = {ours: next((folded[t] for t in theirs if t in folded), None) for ours, theirs in LANDMARKS.items()}
    known = {ours: marks.get(ours, places[name] if name is not None else None) for ours, name in among.items()}
    names = tuple(name for name in places if name not in among.values())
    points = np.array([places[name] for name in names], dtype=float).reshape(-1, 3)
    if len(names) < 2 or not np.isfinite(points).all():
        raise ValueError(f"{len(names)} electrodes with finite places; two are needed")
    missing = [name for name, place in known.items() if place is None]
    if missing:
        return Montage(names, anchored(names, points))
    return Montage(names, fitted(points, known["NAS"], known["LPA"], known["RPA"]))
