"""What the brain's sources make at contacts inside the skull, in V/(Am): an infinite medium, bounded at contacts on the brain.

A contact's potential is the mean over its bare surface, which is what a metal disc takes on (Ness et al. 2015,
doi:10.1007/s12021-015-9265-6): `ON_DISC` points of a disc, `ON_SHAFT` of a cylinder. Above a disc lies its insulating sheet (the half
space of `medium`, which doubles V); around a shaft there is brain everywhere.

Vertices are 3 mm apart, contacts often nearer to the cortex than that. So the moment of a vertex within `NEAR` of a contact is
spread over the triangles around it, falling to 0 at its neighbours, on points about 0.6 mm apart. A deep point stands
for a cube of its lattice: it is a ball of that volume, uniformly polarised, inside which V is linear.

Outside a nucleus most of its cells' fields cancel (`sources.OPEN`); inside, they do not: across a closed layer of cells the
potential steps by q / conductivity, and outside is 0 (Lorente de No 1947). A contact in a nucleus feels `INSIDE` of that on average,
with a sign and size that change from place to place as layers fold, in a way of the subject's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.stimuli import ImposedSource
from fakeimaging.core.arrays import frozen
from fakeimaging.modalities.electro.medium import half_space_potential, infinite_potential
from fakeimaging.modalities.electro.placement import Contacts, shares_around
from fakeimaging.modalities.electro.sources import NANO, OPEN, Dense, SourceSpace, whole_density
from fakeimaging.structure.subject import Subject
from fakeimaging.structure.surfaces import HEMISPHERES, cortex

Floats = npt.NDArray[np.float64]

NEAR = 10.0
"""mm from a contact within which a vertex is spread, and the contact has a surface; beyond, both are points."""
PARTS = 6
"""Parts of a triangle's edge: 36 small triangles, whose middles are where the moment is put."""
NEAREST = 0.4
"""mm below which a contact is not nearer to one of those points (half their distance; and a shaft's radius)."""
LATTICE = 6.0
"""mm between deep points."""
BALL = LATTICE * (3 / (4 * np.pi)) ** (1 / 3)
"""mm, radius of a ball as large as a cube of the lattice."""
ON_DISC = 7
ON_SHAFT = 12
MM2 = 1e-6
"""m2."""
INSIDE = 0.5
"""Potential of a contact amid a nucleus over q / conductivity, the step across a whole layer of dipoles (assumed: amid one side of it)."""
FOLD = 12.0
"""mm after which folded layers come again, along each axis (assumed: hippocampus, two layers of some mm back to back)."""
VIEW = 2.0
"""mm around a contact in which a nucleus is felt from inside (assumed: a contact's length)."""


def contact_field(contacts: Contacts, space: SourceSpace, *, conductivity: float) -> Dense:
    """Return the field of all sources at contacts.

    Parameters
    ----------
    contacts : Contacts
    space : SourceSpace
        Vertices are those of fsaverage5.
    conductivity : float
        S/m, of the brain.

    Returns
    -------
    Dense
        ``gain`` of shape (n_contacts, n_columns), V/(Am).
    """
    flat = contacts.lengths == 0
    gain = np.empty((len(flat), space.n_columns))
    for chosen in (flat, ~flat):
        points, axes = contacts.points[chosen], contacts.axes[chosen] if flat[chosen].any() else None
        gain[chosen, : space.n_vertices] = _potential(points, axes, space.points, space.normals, conductivity)
        gain[chosen, space.n_vertices :] = _potential(points, axes, space.deep, None, conductivity)
    for i in range(len(flat)):
        near, felt = _nearby(contacts, i, space, conductivity)
        gain[i, near] = felt
    return Dense(space, frozen(gain))


def _potential(
    points: Floats, axes: Floats | None, places: npt.NDArray, moments: npt.NDArray | None, conductivity: float
) -> Floats:
    """Return the potential at points (n, 3): below an insulator with its normals ``axes``, or in brain all around."""
    if not len(points):
        return np.zeros((0, len(places) * (3 if moments is None else 1)))
    nearest = BALL if moments is None else NEAREST
    if axes is None:
        made = infinite_potential(points, places, moments, conductivity=conductivity, nearest=nearest)
    else:
        made = half_space_potential(points, axes, places, moments, conductivity=conductivity, nearest=nearest)
    return made.reshape(len(points), -1)


def recombined(field: Dense, weights: npt.ArrayLike) -> Dense:
    """Return the field of channels that are weighted sums of contacts; ``weights`` (n_channels, n_contacts)."""
    return Dense(field.space, frozen(np.asarray(weights, dtype=float) @ field.gain))


def field_inside(contacts: Contacts, subject: Subject, *, conductivity: float) -> Floats:
    """Return what 1 nAm/mm2 in each nucleus makes at contacts in it beyond its dipole, V, shape (n_contacts, n_regions)."""
    deep = np.array([region.kind != "cortex" for region in subject.regions])
    step = (1 - OPEN) * INSIDE * NANO / MM2 / conductivity
    starts = subject.streams.at("structure", "layers").rng().uniform(0, 2 * np.pi, (subject.n_regions, 3))
    # Three waves along the axes, of mean square 1 together.
    folds = np.sqrt(2 / 3) * np.sin(2 * np.pi * contacts.points[:, None] / FOLD + starts).sum(axis=2)
    return np.asarray(step * folds * shares_around(contacts.points, VIEW, subject) * deep)


def imposed_inside(inside: Floats, sources: Sequence[ImposedSource], subject: Subject, space: SourceSpace) -> Floats:
    """Return the same, ``inside``, for each unit of imposed sources' courses, shape (n_contacts, n_sources): those of whole regions."""
    made = np.zeros((len(inside), len(sources)))
    for column, source in enumerate(sources):
        if source.extent is None:
            felt = inside[:, list(source.place.regions)].sum(axis=1)
            made[:, column] = whole_density(subject, space, source) * felt
    return made


def surface_points(contacts: Contacts, i: int) -> Floats:
    """Return points spread evenly over the bare surface of a contact, shape (n_points, 3)."""
    axis, radius = contacts.axes[i], contacts.radii[i]
    across = np.cross(axis, np.eye(3)[np.abs(axis).argmin()])
    across /= np.linalg.norm(across)
    if contacts.lengths[i] == 0:
        # One point in the middle, the others on the ring that halves what is left of the area.
        turn, away = 2 * np.pi * np.arange(ON_DISC - 1) / (ON_DISC - 1), radius * np.sqrt((1 + 1 / ON_DISC) / 2)
        ring = away * (np.outer(np.cos(turn), across) + np.outer(np.sin(turn), np.cross(axis, across)))
        return np.asarray(contacts.points[i] + np.concatenate([np.zeros((1, 3)), ring]))
    # Thirds of the length, each ring turned by half a step.
    k = np.arange(ON_SHAFT)
    turn = 2 * np.pi * (k % 4 + 0.5 * (k // 4)) / 4
    along = contacts.lengths[i] * ((k // 4 + 0.5) / 3 - 0.5)
    ring = radius * (np.outer(np.cos(turn), across) + np.outer(np.sin(turn), np.cross(axis, across)))
    return np.asarray(contacts.points[i] + ring + np.outer(along, axis))


def _nearby(contacts: Contacts, i: int, space: SourceSpace, conductivity: float) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return the vertices near a contact and what each makes over its surface, V/(Am)."""
    near = np.flatnonzero(np.linalg.norm(space.points - contacts.points[i], axis=1) < NEAR)
    if not len(near):
        return near, np.zeros(0)
    points = surface_points(contacts, i)
    axes = np.broadcast_to(contacts.axes[i], points.shape) if contacts.lengths[i] == 0 else None
    places, owners, shares = _spread(space, near)
    made = _potential(points, axes, places, space.normals[owners], conductivity).mean(axis=0)
    felt = np.bincount(owners, weights=shares * made, minlength=space.n_vertices)
    return near, np.asarray(felt[near], dtype=np.float64)


def _spread(space: SourceSpace, vertices: npt.NDArray[np.intp]) -> tuple[Floats, npt.NDArray[np.intp], Floats]:
    """Return points on the triangles around vertices, the vertex that each counts for, and its share of that vertex's moment."""
    triangles = all_triangles()
    corner = np.isin(triangles, vertices)
    around = triangles[corner.any(axis=1)]
    corners = space.points[around].astype(np.float64)
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    hats = _barycentric(PARTS)
    places = np.einsum("kc,tcx->tkx", hats, corners)
    triangle, point, which = np.nonzero(np.isin(around, vertices)[:, None, :] & (hats > 0))
    owners = around[triangle, which]
    shares = areas[triangle] * hats[point, which]
    total = np.bincount(owners, weights=shares, minlength=space.n_vertices)
    return places[triangle, point], owners, shares / total[owners]


@lru_cache(maxsize=1)
def all_triangles() -> npt.NDArray[np.intp]:
    """Return the triangles of both hemispheres, the left one's vertices first."""
    left, right = (cortex(side) for side in HEMISPHERES)
    return frozen(np.concatenate([left.triangles, right.triangles + len(left.white)]))


def _barycentric(n: int) -> Floats:
    """Return the middles of the n^2 small triangles of one, shape (n^2, 3), in its corners' weights."""
    upright = [(i, j) for i in range(n) for j in range(n - i)]
    turned = [(i, j) for i in range(n - 1) for j in range(n - 1 - i)]
    two = np.array([(i + 1 / 3, j + 1 / 3) for i, j in upright] + [(i + 2 / 3, j + 2 / 3) for i, j in turned]) / n
    return np.column_stack([two, 1 - two.sum(axis=1)])
