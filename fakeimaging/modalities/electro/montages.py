"""Montages: names of electrodes and where they lie on the template's scalp.

Caps of the 10-05 system have its places on fsaverage; others (BioSemi's letters, EGI's nets, a file of one's own) are fitted to the head by
their landmarks: scaled along the ear line, towards the nose and, so that most electrodes touch, upward; then moved onto the
scalp along the head's rays. Those of MNE-Python's names are shipped (`tools/build_montages.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.errors import InputError, UnknownNameError, did_you_mean
from fakeimaging.core.spaces import Affine, apply_affine
from fakeimaging.modalities.electro.lead_field import electric, shipped, to_native
from fakeimaging.structure.head import template_head
from fakeimaging.structure.subject import Subject

Floats = npt.NDArray[np.float64]

ALL = "all"
"""The montage of every electrode of the 10-05 system."""
FILES = (".tsv", ".sfp", ".loc", ".locs", ".eloc", ".elc", ".elp", ".csd", ".csv", ".txt", ".bvef", ".xyz")
"""Endings of files of one's own."""
FEWEST_ANCHORS = 8
"""Names of the 10-05 system that a file without landmarks needs."""
TALLER = (0.5, 2.0)
"""Range in which the upward scale is sought, relative to the mean of the other two."""


@dataclass(frozen=True, eq=False)
class Montage:
    """Electrodes.

    Parameters
    ----------
    names : tuple of str
    points : ndarray, shape (n, 3)
        On the scalp, template mm.
    """

    names: tuple[str, ...]
    points: Floats

    def native(self, subject: Subject) -> Floats:
        """Return where they lie on a subject's head in native mm, shape (n, 3)."""
        return apply_affine(to_native(subject), self.points)


@dataclass(frozen=True)
class Montages(Mapping[str, tuple[str, ...]]):
    """The names of electrodes of each montage of the package."""

    def __getitem__(self, name: str) -> tuple[str, ...]:
        return self.get_montage(name).names

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(_shipped()))

    def __len__(self) -> int:
        return len(_shipped())

    def get_montage(self, name: str) -> Montage:
        """Return a montage by name.

        Raises
        ------
        UnknownNameError
            If there is none of this name.

        Examples
        --------
        >>> MONTAGES.get_montage("biosemi128").points.shape
        (128, 3)
        """
        if name not in _shipped():
            wanted = [part.strip() for part in name.split(",")]
            if set(wanted) <= set(electric().channels):
                raise UnknownNameError(
                    f"no montage '{name}'; electrodes stand in a list: {json.dumps(wanted)}", value=name
                )
            ending = "; a file of your own ends in .tsv, .sfp, .elc or another that MNE-Python reads"
            raise UnknownNameError(f"no montage '{name}'{did_you_mean(name, _shipped())}{ending}", value=name)
        return _shipped()[name]


MONTAGES = Montages()


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Montage]:
    stored = shipped("montages.npz")
    ends = np.cumsum(stored["sizes"])
    starts = ends - stored["sizes"]
    found = {
        str(title): Montage(tuple(stored["names"][a:b].tolist()), stored["points"][a:b].astype(np.float64))
        for title, a, b in zip(stored["montages"], starts, ends, strict=True)
    }
    return found | {ALL: Montage(electric().channels, electric().electrodes.astype(np.float64))}


def montage_of(chosen: str | Sequence[str]) -> Montage:
    """Return a montage by name or file, or the electrodes of the 10-05 system with these names.

    Raises
    ------
    UnknownNameError, InputError
        If there is no such montage or electrode, or a file cannot be used.

    Examples
    --------
    >>> len(montage_of("biosemi64").names), montage_of(["Cz", "Pz"]).names
    (64, ('Cz', 'Pz'))
    """
    if isinstance(chosen, str):
        if chosen.lower().endswith(FILES):
            from fakeimaging.modalities.electro.montage_files import read_montage

            return read_montage(chosen)
        return MONTAGES.get_montage(chosen)
    return Montage(tuple(chosen), electric().electrodes[electric().rows(chosen)].astype(np.float64))


def landmark_file(path: Path) -> Path | None:
    """Return the ``coordsystem.json`` beside a BIDS table of electrodes, if there is one."""
    beside = path.with_name(path.name.replace("_electrodes.tsv", "_coordsystem.json"))
    return beside if beside != path and beside.is_file() else None


def head_frame(nasion: npt.ArrayLike, left: npt.ArrayLike, right: npt.ArrayLike) -> Affine:
    """Return the rigid transform to CapTrak: origin between the ears at the foot of the nasion, x right, y to the nose, z up."""
    nasion, left, right = (np.asarray(point, dtype=float) for point in (nasion, left, right))
    x = (right - left) / np.linalg.norm(right - left)
    origin = left + x * np.dot(nasion - left, x)
    y = (nasion - origin) / np.linalg.norm(nasion - origin)
    matrix = np.eye(4)
    matrix[:3, :3] = [x, y, np.cross(x, y)]
    matrix[:3, 3] = -matrix[:3, :3] @ origin
    return matrix


def fitted(points: npt.ArrayLike, nasion: npt.ArrayLike, left: npt.ArrayLike, right: npt.ArrayLike) -> Floats:
    """Return electrodes of another head on the template's scalp, template mm, shape (n, 3); any unit of length.

    Examples
    --------
    >>> nasion, left, right = electric().fiducials
    >>> cz = electric().electrodes[electric().rows(["Cz", "Oz", "T7", "T8"])]
    >>> bool(np.abs(fitted(cz / 10, nasion / 10, left / 10, right / 10) - cz).max() < 0.5)
    True
    """
    from scipy.optimize import minimize_scalar

    theirs, ours = head_frame(nasion, left, right), head_frame(*electric().fiducials)
    (there, here) = (
        _extent(apply_affine(frame, np.array(marks, dtype=float)))
        for frame, marks in ((theirs, (nasion, left, right)), (ours, electric().fiducials))
    )
    across, forth = here / there
    level = apply_affine(theirs, np.asarray(points, dtype=float)) * np.array([across, forth, (across + forth) / 2])
    back = np.asarray(np.linalg.inv(ours), dtype=np.float64)

    def gap(taller: float) -> float:
        away = template_head().depth(apply_affine(back, level * np.array([1.0, 1.0, taller])))["scalp"]
        return float((away**2).sum())

    taller = minimize_scalar(gap, bounds=TALLER, method="bounded").x
    return on_scalp(apply_affine(back, level * np.array([1.0, 1.0, taller])))


def _extent(marks: Floats) -> Floats:
    """Return the distance between the ears and that of the nasion from the line between them."""
    return np.array([marks[2, 0] - marks[1, 0], marks[0, 1]])


def anchored(names: Sequence[str], points: Floats) -> Floats:
    """Return electrodes of another head on the template's scalp by those that bear names of the 10-05 system, template mm.

    Raises
    ------
    InputError
        If there are too few of them.
    """
    known = [i for i, name in enumerate(names) if name in electric().channels]
    if len(known) < FEWEST_ANCHORS:
        raise InputError(
            f"no landmarks (NAS, LPA, RPA), and {len(known)} electrodes with names of the 10-05 system; "
            f"{FEWEST_ANCHORS} would do in their place"
        )
    ours = electric().electrodes[electric().rows([names[i] for i in known])]
    design = np.column_stack([points, np.ones(len(points))])
    affine = np.linalg.lstsq(design[known], ours, rcond=None)[0]
    return on_scalp(design @ affine)


def on_scalp(points: npt.ArrayLike) -> Floats:
    """Return where the rays through points meet the template's scalp, template mm, shape (n, 3)."""
    nodes, weights = template_head().on_scalp(points)
    return frozen(np.einsum("nk,nkc->nc", weights, template_head().vertices["scalp"][nodes]))
