"""The EEG lead field: potentials on the scalp per dipole moment of cortex, from a three-layer boundary-element model.

The field was computed once for fsaverage (`tools/build_lead_field.py`: scalp, skull and brain of 0.3, 0.006 and 0.3 S/m, 2562
nodes a layer, dipoles along the normal of the middle of fsaverage5's cortex) and is shipped as low-rank factors. Potentials are
relative to their mean over all 335 electrodes; only differences between electrodes have a meaning.

A region's dipole density q (nAm/mm2, along the outward normal) makes V = sum over its vertices of L area q: signed, so that walls of a
sulcus cancel. For a head s times as large L falls as 1/s^2 and area grows as s^2: the potential of a density does not depend on
the size of the head. So every subject has this one field, electrodes move and grow with the head, and what a size that differs
between axes (by some per cent) does to the field's shape is neglected.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.citations import Reference
from fakeimaging.core.errors import UnknownNameError, did_you_mean
from fakeimaging.core.spaces import Affine, apply_affine
from fakeimaging.structure.parcellation import Parcellation
from fakeimaging.structure.subject import Subject
from fakeimaging.structure.template import SPACE

FEWEST_VERTICES = 5
"""Vertices below which a region's field is not worth much; such regions are named in a warning."""
REACH = 6.0
"""mm from a vertex to the region it counts for (assumed: fsaverage and the template's cortex differ by less)."""
NANO = 1e-9
N_LEFT = 10_242
"""Vertices of the left hemisphere, which come first."""
REFERENCES = (
    Reference("Fischl et al.", 1999, "10.1006/nimg.1998.0396", "surfaces of the lead field"),
    Reference("Gramfort et al.", 2013, "10.3389/fnins.2013.00267", "boundary-element model of the lead field"),
)


@dataclass(frozen=True, eq=False)
class LeadField:
    """The shipped field and where its sources and electrodes lie, in template mm.

    Parameters
    ----------
    channels : tuple of str
    electrodes : ndarray, shape (n_channels, 3)
        On the scalp.
    fiducials : ndarray, shape (3, 3)
        Nasion, left and right preauricular point.
    points, normals : ndarray, shape (n_vertices, 3)
        Middle of the cortex; the left hemisphere first.
    areas : ndarray, shape (n_vertices,)
        mm2.
    cortex : ndarray of bool, shape (n_vertices,)
        False on the medial wall.
    maps : ndarray, shape (n_channels, rank)
    amounts : ndarray, shape (rank, n_vertices)
        V/(Am) in units of ``step``, shape (n_vertices,).
    """

    channels: tuple[str, ...]
    electrodes: npt.NDArray[np.float32]
    fiducials: npt.NDArray[np.float32]
    points: npt.NDArray[np.float32]
    normals: npt.NDArray[np.float16]
    areas: npt.NDArray[np.float32]
    cortex: npt.NDArray[np.bool_]
    maps: npt.NDArray[np.float32]
    amounts: npt.NDArray[np.int16]
    step: npt.NDArray[np.float32]

    def rows(self, names: Sequence[str]) -> list[int]:
        """Return the row of each channel.

        Raises
        ------
        UnknownNameError
            If an electrode of this name does not exist.
        """
        index = {name: i for i, name in enumerate(self.channels)}
        for name in names:
            if name not in index:
                raise UnknownNameError(f"no electrode '{name}'{_suggested(name, self.channels)}", value=name)
        return [index[name] for name in names]

    def of(self, names: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return the field at electrodes, shape (n, n_vertices), in V/(Am)."""
        return np.asarray(self.maps[self.rows(names)].astype(np.float64) @ self.amounts * self.step)

    def summed(self, names: Sequence[str], weights: Any) -> npt.NDArray[np.float64]:
        """Return the field of weighted patches at electrodes, shape (n, n_patches), in V per (nAm/mm2).

        Parameters
        ----------
        names : sequence of str
        weights : ndarray or scipy sparse array, shape (n_patches, n_vertices)
            Dipole density of each vertex; its area is put in here.
        """
        moments = weights @ (NANO * self.areas * self.step * self.amounts).T
        return np.asarray(self.maps[self.rows(names)].astype(np.float64) @ moments.T)


def _suggested(name: str, known: Sequence[str]) -> str:
    same = [other for other in known if other.lower() == name.lower()]
    return did_you_mean(same[0], same) if same else did_you_mean(name, known)


@lru_cache(maxsize=1)
def lead_field() -> LeadField:
    """Return the shipped field.

    Examples
    --------
    >>> field = lead_field()
    >>> len(field.channels), field.of(["Cz"]).shape
    (335, (1, 20484))
    """
    stored = np.load(io.BytesIO((files("fakeimaging.data") / "lead_field.npz").read_bytes()))
    arrays = {name: frozen(stored[name]) for name in stored.files if name != "channels"}
    return LeadField(channels=tuple(stored["channels"].tolist()), **arrays)


def attribution() -> str:
    """Return the notice and the terms that go with everything made from FreeSurfer's surfaces."""
    return (files("fakeimaging.data") / "FREESURFER.txt").read_text()


def native_electrodes(subject: Subject, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return where electrodes lie on a subject's head in native mm, shape (n, 3)."""
    field = lead_field()
    return apply_affine(_to_native(subject), field.electrodes[field.rows(names)])


def native_fiducials(subject: Subject) -> dict[str, npt.NDArray[np.float64]]:
    """Return nasion and preauricular points in native mm, by their BIDS names."""
    points = apply_affine(_to_native(subject), lead_field().fiducials)
    return dict(zip(("NAS", "LPA", "RPA"), points, strict=True))


def _to_native(subject: Subject) -> Affine:
    return np.asarray(np.linalg.inv(subject.anatomy.to_template), dtype=np.float64)


@lru_cache(maxsize=4)
def vertex_labels(parcellation: Parcellation) -> npt.NDArray[np.intp]:
    """Return the label of each vertex, shape (n_vertices,): that of the nearest cortical voxel of its hemisphere within `REACH`, else 0.

    A parcellation that is not of the template has no such distance: there the nearest one counts.
    """
    field = lead_field()
    labels = np.zeros(len(field.points), dtype=np.intp)
    left = np.arange(len(labels)) < N_LEFT
    for side, there in (("L", left), ("R", ~left)):
        wanted = np.flatnonzero(there & field.cortex)
        labels[wanted] = _nearest(parcellation, side, field.points[wanted])
    return frozen(labels)


def _nearest(parcellation: Parcellation, side: str, points: npt.NDArray) -> npt.NDArray[np.intp]:
    from scipy.spatial import cKDTree

    kept = [0, *(r.kind == "cortex" and r.hemisphere == side for r in parcellation.regions)]
    mine = np.array(kept, dtype=bool)[parcellation.labels]
    if not mine.any():
        return np.zeros(len(points), dtype=np.intp)
    reach = REACH if parcellation.space == SPACE else np.inf
    voxels = np.argwhere(mine)
    away, near = cKDTree(apply_affine(parcellation.grid.affine, voxels)).query(points, distance_upper_bound=reach)
    found = np.append(parcellation.labels[mine].astype(np.intp), 0)
    return np.asarray(found[np.where(np.isfinite(away), near, len(voxels))])


def region_lead_field(subject: Subject, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return what each region's dipole density makes at each electrode.

    Parameters
    ----------
    subject : Subject
    names : sequence of str
        Electrodes.

    Returns
    -------
    ndarray, shape (n_channels, n_regions)
        V per (nAm/mm2), relative to the mean of all 335 electrodes; 0 for regions that are not cortex.

    Warns
    -----
    UserWarning
        Naming cortical regions with fewer than `FEWEST_VERTICES` vertices.
    """
    labels = vertex_labels(subject.parcellation)
    count = np.bincount(labels, minlength=subject.n_regions + 1)[1:]
    scarce = [r.name for r, n in zip(subject.regions, count, strict=True) if r.kind == "cortex" and n < FEWEST_VERTICES]
    if scarce:
        warnings.warn(
            f"regions with fewer than {FEWEST_VERTICES} surface vertices, which EEG hardly sees: {', '.join(scarce)}",
            stacklevel=2,
        )
    return lead_field().summed(names, _membership(labels, np.ones(len(labels)), subject.n_regions))


def mode_lead_field(subject: Subject, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return what the sub-regional modes make at each electrode in V per (nAm/mm2), shape (n_channels, n_modes * n_regions)."""
    labels = vertex_labels(subject.parcellation)
    patterns = subject.patterns_at(lead_field().points, labels)
    parts = [lead_field().summed(names, _membership(labels, pattern, subject.n_regions)) for pattern in patterns]
    return np.concatenate(parts, axis=1)


def _membership(labels: npt.NDArray[np.intp], values: npt.NDArray, n_regions: int) -> Any:
    from scipy.sparse import csr_array

    inside = np.flatnonzero(labels)
    return csr_array((values[inside], (labels[inside] - 1, inside)), shape=(n_regions, len(labels)))
