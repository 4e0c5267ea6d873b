"""Electrodes of the scalp: montages by name, positions in the head's own coordinates, and the tables that BIDS asks for.

Positions are those of the 10-05 system on fsaverage, moved with the subject's head. In CapTrak coordinates the origin lies between the
preauricular points, x runs to the right one, y to the nasion, z up; the landmarks tie them to the T1w.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fakeimaging.core.spaces import Affine, Grid, apply_affine
from fakeimaging.modalities.electro.lead_field import electric, native_electrodes, native_fiducials
from fakeimaging.modalities.layers import Companion
from fakeimaging.structure.subject import Subject

_BIOSEMI64 = """
Fp1 AF7 AF3 F1 F3 F5 F7 FT7 FC5 FC3 FC1 C1 C3 C5 T7 TP7 CP5 CP3 CP1 P1 P3 P5 P7 P9 PO7 PO3 O1 Iz Oz POz Pz CPz
Fpz Fp2 AF8 AF4 AFz Fz F2 F4 F6 F8 FT8 FC6 FC4 FC2 FCz Cz C2 C4 C6 T8 TP8 CP6 CP4 CP2 P2 P4 P6 P8 P10 PO8 PO4 O2
"""
_STANDARD_1020 = "Fp1 Fpz Fp2 F7 F3 Fz F4 F8 T7 C3 Cz C4 T8 P7 P3 Pz P4 P8 O1 Oz O2"
MONTAGES = {"biosemi64": tuple(_BIOSEMI64.split()), "standard_1020": tuple(_STANDARD_1020.split())}
"""Names of the electrodes of each montage; ``"all"`` is every one of the 335."""


def electrode_names(montage: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of a montage's electrodes; names instead of a montage are returned as they are.

    Examples
    --------
    >>> len(electrode_names("biosemi64")), electrode_names(("Cz", "Pz"))
    (64, ('Cz', 'Pz'))
    """
    if not isinstance(montage, str):
        return tuple(montage)
    return electric().channels if montage == "all" else MONTAGES[montage]


def native_to_captrak(subject: Subject) -> Affine:
    """Return the rigid transform from native mm to the CapTrak coordinates of the subject's head in mm."""
    points = native_fiducials(subject)
    nasion, left, right = (points[name] for name in ("NAS", "LPA", "RPA"))
    x = (right - left) / np.linalg.norm(right - left)
    origin = left + x * np.dot(nasion - left, x)
    y = (nasion - origin) / np.linalg.norm(nasion - origin)
    matrix = np.eye(4)
    matrix[:3, :3] = [x, y, np.cross(x, y)]
    matrix[:3, 3] = -matrix[:3, :3] @ origin
    return matrix


def landmark_voxels(subject: Subject, grid: Grid) -> dict[str, list[float]]:
    """Return nasion and preauricular points as voxel indices of a native grid, as BIDS has them beside a T1w."""
    to_voxels = np.asarray(np.linalg.inv(grid.affine), dtype=np.float64)
    return {name: _rounded(apply_affine(to_voxels, point)) for name, point in native_fiducials(subject).items()}


def electrode_tables(subject: Subject, names: Sequence[str]) -> tuple[Companion, Companion]:
    """Return the tables ``electrodes`` and ``coordsystem`` of a subject."""
    native = native_electrodes(subject, names)
    to_captrak = native_to_captrak(subject)
    head = apply_affine(to_captrak, native)
    rows = [[name, *_rounded(here), *_rounded(there)] for name, here, there in zip(names, head, native, strict=True)]
    landmarks = {name: _rounded(apply_affine(to_captrak, point)) for name, point in native_fiducials(subject).items()}
    about = {f"{axis}_t1w": {"Description": f"{axis} in the scanner space of the T1w", "Units": "mm"} for axis in "xyz"}
    columns = ("name", "x", "y", "z", *about)
    coordinates = {
        "EEGCoordinateSystem": "CapTrak",
        "EEGCoordinateUnits": "mm",
        "EEGCoordinateSystemDescription": "origin on the line between the preauricular points at the foot of the nasion, "
        "x to the right, y to the nasion, z up; exact, not digitised",
        "AnatomicalLandmarkCoordinates": landmarks,
        "AnatomicalLandmarkCoordinateSystem": "CapTrak",
        "AnatomicalLandmarkCoordinateUnits": "mm",
    }
    return (
        Companion("space-CapTrak_electrodes", columns, rows, about, shared=True),
        Companion("space-CapTrak_coordsystem", about=coordinates, shared=True),
    )


def _rounded(point: npt.NDArray) -> list[float]:
    return np.round(point, 3).tolist()
