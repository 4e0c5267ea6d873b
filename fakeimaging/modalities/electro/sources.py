"""Where the currents are that make fields: the cortex's surface, and points in deep grey matter and cerebellum.

A region's dipole density q (nAm/mm2, along the outward normal) stands for the moment area * q at each of its vertices: signed, so
that walls of a sulcus cancel. Nuclei and cerebellum have no surface here and hardly an open field: such a region is one weak
dipole spread over its points, of the moment `OPEN` times q times the area of a sheet as large as the region, in a direction
of the region's own.

For a head s times as large, a field per moment falls as 1/s^2 and area grows as s^2: what a density makes does not depend on the
size of the head. So all gains are computed in template millimetres, where sensors are moved to, and what a size that differs
between axes (by some per cent) does to a field's shape is neglected.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.stimuli.sources import ImposedSource
from fakeimaging.core.arrays import frozen
from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import apply_affine
from fakeimaging.structure.parcellation import Parcellation
from fakeimaging.structure.patterns import N_MODES
from fakeimaging.structure.subject import Subject
from fakeimaging.structure.template import SPACE

Floats = npt.NDArray[np.float64]

NANO = 1e-9
REACH = 6.0
"""mm from a vertex to the region it counts for (assumed: fsaverage and the template's cortex differ by less)."""
FARTHEST = 10.0
"""mm from the cortex beyond which a place does not mean it (assumed)."""
OPEN = 0.1
"""Share of a sheet's moment that a nucleus or the cerebellum shows from outside: cells that point everywhere cancel (assumed)."""


@dataclass(frozen=True, eq=False)
class SourceSpace:
    """Columns of every field: vertices along their normals, then each deep point three times, along x, y and z; template mm.

    Parameters
    ----------
    points, normals : ndarray, shape (n_vertices, 3)
        Middle of the cortex, the left hemisphere first, and the outward direction.
    areas : ndarray, shape (n_vertices,)
        mm2.
    cortex : ndarray of bool, shape (n_vertices,)
        False on the medial wall.
    deep : ndarray, shape (n_deep, 3)
    left : ndarray of bool, shape (n_vertices,)
        Of the left hemisphere.
    native : bool
        True: areas, and the field that goes with them, are of the subject's own head; else of one as large as the template.
    """

    points: npt.NDArray[np.float32]
    normals: npt.NDArray[np.float32]
    areas: npt.NDArray[np.float32]
    cortex: npt.NDArray[np.bool_]
    deep: npt.NDArray[np.float32]
    left: npt.NDArray[np.bool_]
    native: bool = False

    @property
    def n_vertices(self) -> int:
        """Number of vertices."""
        return len(self.points)

    @property
    def n_columns(self) -> int:
        """Number of columns of a field."""
        return len(self.points) + 3 * len(self.deep)

    @property
    def places(self) -> npt.NDArray[np.float32]:
        """Where the source of each column lies, shape (n_columns, 3)."""
        return np.concatenate([self.points, np.repeat(self.deep, 3, axis=0)])

    @property
    def directions(self) -> npt.NDArray[np.float32]:
        """Direction of each column, shape (n_columns, 3)."""
        axes = np.tile(np.eye(3, dtype=np.float32), (len(self.deep), 1))
        return np.concatenate([self.normals, axes])


class Field(Protocol):
    """What sources make at sensors."""

    @property
    def space(self) -> SourceSpace:
        """The sources."""
        ...

    def project(self, moments: Any) -> Floats:
        """Return what weighted sums of sources make, shape (n_sensors, n_sums).

        Parameters
        ----------
        moments : scipy sparse array or ndarray, shape (n_sums, n_columns)
            Am for each unit of a sum.
        """
        ...

    def columns(self) -> Floats:
        """Return the field of every source per Am in the template's head, shape (n_sensors, n_columns)."""
        ...


@dataclass(frozen=True, eq=False)
class Dense:
    """A field as a matrix.

    Parameters
    ----------
    space : SourceSpace
    gain : ndarray, shape (n_sensors, n_columns)
        V/(Am) or T/(Am).
    """

    space: SourceSpace
    gain: Floats

    def project(self, moments: Any) -> Floats:
        """Return what weighted sums of sources make, shape (n_sensors, n_sums)."""
        return np.asarray((moments @ self.gain.T).T)

    def columns(self) -> Floats:
        """Return the field of every source per Am, shape (n_sensors, n_columns)."""
        return self.gain


@lru_cache(maxsize=8)
def vertex_labels(parcellation: Parcellation, space: SourceSpace) -> npt.NDArray[np.intp]:
    """Return the label of each vertex, shape (n_vertices,): that of the nearest cortical voxel of its hemisphere within `REACH`, else 0.

    A parcellation that is not of the template has no such distance: there the nearest one counts.
    """
    labels = np.zeros(space.n_vertices, dtype=np.intp)
    for side, there in (("L", space.left), ("R", ~space.left)):
        wanted = np.flatnonzero(there & space.cortex)
        mine = [r.kind == "cortex" and r.hemisphere == side for r in parcellation.regions]
        labels[wanted] = _nearest(parcellation, mine, space.points[wanted])
    return frozen(labels)


@lru_cache(maxsize=8)
def deep_labels(parcellation: Parcellation, space: SourceSpace) -> npt.NDArray[np.intp]:
    """Return the label of each deep point, shape (n_deep,), found as those of vertices, among the regions that are not cortex."""
    mine = [r.kind != "cortex" for r in parcellation.regions]
    return frozen(_nearest(parcellation, mine, space.deep))


def _nearest(parcellation: Parcellation, regions: list[bool], points: npt.NDArray) -> npt.NDArray[np.intp]:
    from scipy.spatial import cKDTree

    mine = np.array([False, *regions])[parcellation.labels]
    if not mine.any():
        return np.zeros(len(points), dtype=np.intp)
    reach = REACH if parcellation.space == SPACE else np.inf
    voxels = np.argwhere(mine)
    away, near = cKDTree(apply_affine(parcellation.grid.affine, voxels)).query(points, distance_upper_bound=reach)
    found = np.append(parcellation.labels[mine].astype(np.intp), 0)
    return np.asarray(found[np.where(np.isfinite(away), near, len(voxels))])


def region_moments(subject: Subject, space: SourceSpace) -> Any:
    """Return the moment in Am of every column for 1 nAm/mm2 in each region, sparse, shape (n_regions, n_columns)."""
    from scipy.sparse import csr_array

    surface = _membership(subject, space, np.ones(space.n_vertices))
    rows, columns, values = _deep_entries(subject, space)
    shape = (subject.n_regions, 3 * len(space.deep))
    return _beside(surface, csr_array((values, (rows, columns)), shape=shape))


def mode_moments(subject: Subject, space: SourceSpace) -> Any:
    """Return the same for the sub-regional modes, which only the cortex has, shape (N_MODES * n_regions, n_columns)."""
    from scipy.sparse import csr_array, vstack

    patterns = subject.patterns_at(space.points, vertex_labels(subject.parcellation, space))
    surface = vstack([_membership(subject, space, pattern) for pattern in patterns])
    return _beside(surface, csr_array((N_MODES * subject.n_regions, 3 * len(space.deep))))


def _beside(surface: Any, deep: Any) -> Any:
    from scipy.sparse import hstack

    return hstack([surface, deep], format="csr")


def _membership(subject: Subject, space: SourceSpace, values: npt.NDArray) -> Any:
    from scipy.sparse import csr_array

    labels = vertex_labels(subject.parcellation, space)
    inside = np.flatnonzero(labels)
    moments = NANO * space.areas[inside] * values[inside]
    return csr_array((moments, (labels[inside] - 1, inside)), shape=(subject.n_regions, space.n_vertices))


def _deep_entries(subject: Subject, space: SourceSpace) -> tuple[npt.NDArray, npt.NDArray, npt.NDArray]:
    """Rows, columns and moments of the regions that are not cortex; one without a point of its own has the nearest."""
    labels, directions = deep_labels(subject.parcellation, space), deep_directions(subject)
    rows, columns, values = [], [], []
    for i, region in enumerate(subject.regions):
        if region.kind == "cortex" or not len(space.deep):
            continue
        own = np.flatnonzero(labels == i + 1)
        if not len(own):
            own = np.array([np.argmin(np.linalg.norm(space.deep - np.array(region.centroid), axis=1))])
        moment = NANO * OPEN * region.volume ** (2 / 3) / len(own) * directions[i]
        rows.append(np.full(3 * len(own), i))
        columns.append((3 * own[:, None] + np.arange(3)).ravel())
        values.append(np.tile(moment, len(own)))
    if not rows:
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(values)


def deep_directions(subject: Subject) -> Floats:
    """Return the direction in which each region that is not cortex points, drawn once for the subject, shape (n_regions, 3)."""
    drawn = subject.streams.at("structure", "deep-dipoles").rng().standard_normal((subject.n_regions, 3))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def field_scale(subject: Subject, space: SourceSpace) -> float:
    """Return the field per moment of a subject's head relative to that of `space`: 1/s^2 for a head s times the template's size."""
    if space.native:
        return 1.0
    return float(np.abs(np.linalg.det(subject.anatomy.to_template[:3, :3])) ** (2 / 3))


def imposed_moments(subject: Subject, space: SourceSpace, source: ImposedSource) -> Any:
    """Return the moments of an imposed source for each unit of its course, sparse, shape (1, n_columns).

    A whole region counts with all its vertices; a patch with those of the same hemisphere around its middle, which lies in the
    source's own region when it names one. Sources of so many nAm altogether share them by area; they are nAm of the subject's own
    head, which make as much as `field_scale` of them do in the template's.
    """
    if source.extent is None:
        return _whole(subject, space, source)
    of_regions = np.isin(vertex_labels(subject.parcellation, space) - 1, list(source.place.regions))
    own = space.cortex & of_regions if of_regions.any() else space.cortex
    _refuse_deep(subject, space, source, own)
    row = patch_moments(space, source.point, source.extent, total=source.total, middles=own)
    return row * field_scale(subject, space) if source.total else row


def _refuse_deep(subject: Subject, space: SourceSpace, source: ImposedSource, own: npt.NDArray[np.bool_]) -> None:
    """Refuse a place that is far from the cortex it would go to; template parcellations alone have such distances."""
    away = float(np.linalg.norm(space.points[own] - np.asarray(source.point), axis=1).min())
    named = bool(source.place.regions) and all(subject.regions[i].kind == "cortex" for i in source.place.regions)
    if away > FARTHEST and not named and subject.parcellation.space == SPACE:
        raise InputError(
            f"source '{source.spec.name}': its place is {away:.0f} mm from the cortex, where patches and dipoles lie; name the "
            "nucleus as `region`, without `extent`, for a source in it",
            value=source.spec.name,
        )


def _whole(subject: Subject, space: SourceSpace, source: ImposedSource) -> Any:
    from scipy.sparse import csr_array

    row = np.asarray(region_moments(subject, space)[list(source.place.regions)].sum(axis=0)).ravel()
    return csr_array(row[None] * whole_density(subject, space, source))


def whole_density(subject: Subject, space: SourceSpace, source: ImposedSource) -> float:
    """Return the density in nAm/mm2 that a source of whole regions has for each unit of its course."""
    if not source.total:
        return 1.0
    row = np.asarray(region_moments(subject, space)[list(source.place.regions)].sum(axis=0)).ravel()
    surface, deep = row[: space.n_vertices], row[space.n_vertices :].reshape(-1, 3)
    return field_scale(subject, space) * float(NANO / (surface.sum() + np.linalg.norm(deep, axis=1).sum()))


def patch_moments(
    space: SourceSpace,
    point: npt.ArrayLike,
    extent: float,
    *,
    total: bool,
    middles: npt.NDArray[np.bool_] | None = None,
) -> Any:
    """Return the moments of a patch of cortex around a point, shape (1, n_columns).

    Parameters
    ----------
    space : SourceSpace
    point : array_like, shape (3,)
        Template mm; the nearest vertex of the cortex is the middle of the patch.
    extent : float
        mm from there within which vertices of the same hemisphere belong to it; that vertex alone when none other does.
    total : bool
        True: 1 unit is 1 nAm altogether, along each vertex's normal. False: 1 nAm/mm2.
    middles : ndarray of bool, shape (n_vertices,), optional
        Vertices that may be the middle; all of the cortex when left out.
    """
    from scipy.sparse import csr_array

    cortex = np.flatnonzero(space.cortex)
    allowed = cortex if middles is None else np.flatnonzero(middles)
    middle = allowed[np.argmin(np.linalg.norm(space.points[allowed] - np.asarray(point, dtype=float), axis=1))]
    same_side = space.left[cortex] == space.left[middle]
    away = np.linalg.norm(space.points[cortex] - space.points[middle], axis=1)
    own = np.union1d(cortex[same_side & (away <= extent)], [middle])
    areas = space.areas[own].astype(np.float64)
    values = NANO * (areas / areas.sum() if total else areas)
    return csr_array((values, (np.zeros(len(own), int), own)), shape=(1, space.n_columns))
