"""Electrodes of the scalp: their positions in the head's own coordinates, and the tables that BIDS asks for.

They move with the subject's head. In CapTrak coordinates the origin lies between the
preauricular points, x runs to the right one, y to the nasion, z up; the landmarks tie them to the T1w.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fakeimaging.core.spaces import Affine, Grid, apply_affine
from fakeimaging.modalities.electro.lead_field import native_fiducials
from fakeimaging.modalities.electro.montages import MONTAGES, Montage, head_frame, montage_of
from fakeimaging.modalities.layers import Companion
from fakeimaging.structure.subject import Subject

__all__ = ["MONTAGES", "electrode_names", "electrode_tables", "landmark_voxels", "native_to_captrak"]


def electrode_names(montage: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of a montage's electrodes; names instead of a montage are returned as they are.

    Examples
    --------
    >>> len(electrode_names("biosemi64")), electrode_names(("Cz", "Pz"))
    (64, ('Cz', 'Pz'))
    """
    return montage_of(montage).names if isinstance(montage, str) else tuple(montage)


def native_to_captrak(subject: Subject) -> Affine:
    """Return the rigid transform from native mm to the CapTrak coordinates of the subject's head in mm."""
    points = native_fiducials(subject)
    return head_frame(points["NAS"], points["LPA"], points["RPA"])


def landmark_voxels(subject: Subject, grid: Grid) -> dict[str, list[float]]:
    """Return nasion and preauricular points as voxel indices of a native grid, as BIDS has them beside a T1w."""
    to_voxels = np.asarray(np.linalg.inv(grid.affine), dtype=np.float64)
    return {name: _rounded(apply_affine(to_voxels, point)) for name, point in native_fiducials(subject).items()}


def electrode_tables(subject: Subject, montage: Montage) -> tuple[Companion, Companion]:
    """Return the tables ``electrodes`` and ``coordsystem`` of a subject."""
    names, native = montage.names, montage.native(subject)
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
