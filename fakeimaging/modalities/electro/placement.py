"""Where contacts come to lie, in template mm, and what is there.

A grid or strip starts as shortest ways over the brain's outer surface, from the target along its directions; then its contacts
move over that surface until neighbours are as far apart as they were made, as a sheet of silicone does that bends but hardly
stretches. A shaft is straight. Devices have the size they have in the subject's head, whatever the head's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.core.spaces import apply_affine
from fakeimaging.modalities.electro.envelope import Envelope, brain_depth, envelope
from fakeimaging.modalities.electro.implants import Implant
from fakeimaging.modalities.electro.lead_field import to_native
from fakeimaging.structure.head import SurfaceName, template_head
from fakeimaging.structure.selection import chosen, unknown
from fakeimaging.structure.subject import Subject
from fakeimaging.structure.surfaces import Hemisphere

Floats = npt.NDArray[np.float64]

CONE = 25.0
"""Degrees from the line between the ears within which a shaft looks for its way (assumed: the usual approach is from the side)."""
RAYS = 150
"""Ways that are compared."""
FARTHEST = 130.0
"""mm within which every way leaves the head."""
WALK = 1.0
"""mm of one step over the surface."""
ROUNDS = 150
"""Times that the contacts of a grid move."""
EASE = 0.15
"""Share of what a pair is too far apart that each of them moves by in a round (assumed: settles without swinging)."""
MOST_STRETCH = 0.15
"""Stretch that a sheet bears (assumed: silicone with a mesh of fibre hardly stretches)."""
DIAGONAL = 0.3
"""Stiffness of the sheet against shear, relative to that along its rows and columns (assumed)."""
REACH = 3.0
"""mm from a region within which a contact counts as in it (assumed)."""
CLOSEST = 1.5
"""mm between the middles of contacts of two devices below which they would touch (assumed: about a contact's size)."""


@dataclass(frozen=True, eq=False)
class Contacts:
    """Contacts, in template mm.

    Parameters
    ----------
    names, kinds, groups : tuple of str
        Kinds are BIDS' types of channels; groups the names of the devices.
    points : ndarray, shape (n, 3)
        Middles.
    axes : ndarray, shape (n, 3)
        Out of the brain: normal of a disc, direction of a shaft.
    radii, lengths : ndarray, shape (n,)
        Of a disc, whose length is 0, or of a cylinder.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    groups: tuple[str, ...]
    points: Floats
    axes: Floats
    radii: Floats
    lengths: Floats


def place(devices: Sequence[Implant], subject: Subject, *, where: str = "implants") -> Contacts:
    """Return the contacts of devices in a subject's head.

    Parameters
    ----------
    devices : sequence of Implant
    subject : Subject
        Its regions are what targets name; its size scales the devices.
    where : str
        Key of the devices in errors.

    Raises
    ------
    ParameterError
        If a target is no region or not in the brain, or a contact would lie outside the skull.
    InputError
        If two devices would touch.
    """
    sizes = to_native(subject)[:3, :3]
    scale = float(np.abs(np.linalg.det(sizes)) ** (-1 / 3))
    parts = []
    for i, device in enumerate(devices):
        key = f"{where}[{i}]"
        target = _target(device, subject, f"{key}.target")
        parts.append((_shaft if device.kind == "shaft" else _sheet)(device, target, sizes, key))
    points, axes = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    _check_apart(devices, points)
    return Contacts(
        tuple(name for device in devices for name in device.names),
        tuple(device.channel_kind for device in devices for _ in device.names),
        tuple(device.name for device in devices for _ in device.names),
        points,
        axes,
        scale * np.repeat([device.width / 2 for device in devices], [device.n_contacts for device in devices]),
        scale * np.repeat([_length(device) for device in devices], [device.n_contacts for device in devices]),
    )


def _length(device: Implant) -> float:
    return device.length if device.kind == "shaft" else 0.0


def _refuse(key: str, problem: str) -> ParameterError:
    return ParameterError([f"`{key}`: {problem}"])


def _target(device: Implant, subject: Subject, key: str) -> Floats:
    """Return the place that a device aims at."""
    if isinstance(device.target, str):
        return _middle(device.target, device.hemisphere, subject, key)
    point = np.array(device.target, dtype=float)
    _check_depth(point[None], "inner_skull" if device.kind == "shaft" else "scalp", key)
    return point


def _check_depth(points: Floats, surface: SurfaceName, key: str) -> None:
    outside = template_head().depth(points)[surface] < 0
    if outside.any():
        place = ", ".join(f"{value:g}" for value in points[outside.argmax()].round(1))
        raise _refuse(key, f"({place}) mm is outside the {surface.replace('_', ' ')}")


def _middle(words: str, hemisphere: Hemisphere | None, subject: Subject, key: str) -> Floats:
    """Return the place inside the region that words mean which is nearest to its middle."""
    if problem := unknown(words, subject.regions):
        raise _refuse(key, problem)
    found = chosen([words], subject.regions)
    side = np.array([hemisphere in (None, region.hemisphere) for region in subject.regions])
    meant = [region for region, here in zip(subject.regions, found & side, strict=True) if here]
    if not meant:
        raise _refuse(key, f"'{words}' is not in hemisphere {hemisphere}")
    if len({region.hemisphere for region in meant}) > 1:
        raise _refuse(key, f"'{words}' is on both sides; say which one with `hemisphere`")
    labels = subject.parcellation.labels
    voxels = np.argwhere(np.isin(labels, np.flatnonzero(found & side) + 1))
    points = apply_affine(subject.parcellation.grid.affine, voxels)
    return np.asarray(points[np.linalg.norm(points - points.mean(axis=0), axis=1).argmin()])


def _shaft(device: Implant, target: Floats, sizes: Floats, key: str) -> tuple[Floats, Floats]:
    """Return the contacts of a shaft, the tip first, and its direction outwards."""
    direction = _way_out(target) if device.entry is None else np.array(device.entry, dtype=float) - target
    if not np.linalg.norm(direction) > 0:
        raise _refuse(f"{key}.entry", "the shaft goes in where its tip is to be")
    direction = direction / np.linalg.norm(direction)
    pitch = device.pitch / np.linalg.norm(sizes @ direction)
    points = target + pitch * np.arange(device.n_contacts)[:, None] * direction
    inside = template_head().depth(points)["inner_skull"] > 0
    if not inside.all():
        fit = int(np.flatnonzero(~inside)[0])
        raise _refuse(f"{key}.contacts", f"contact {fit + 1} of '{device.name}' would be in the skull; {fit} fit")
    return points, np.broadcast_to(direction, points.shape)


def _way_out(target: Floats) -> Floats:
    """Return the direction of the shortest way out of the head among those within `CONE` of the side that a target is on."""
    side = np.array([1.0 if target[0] >= 0 else -1.0, 0, 0])
    # A spiral of even density over the cap (Vogel 1979).
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(RAYS)
    along = 1 - (1 - np.cos(np.radians(CONE))) * np.arange(RAYS) / (RAYS - 1)
    across = np.sqrt(1 - along**2)
    rays = np.stack([side[0] * along, across * np.cos(turn), across * np.sin(turn)], axis=1)
    reach = np.arange(0.0, FARTHEST, 2 * WALK)
    depth = template_head().depth((target + reach[:, None, None] * rays).reshape(-1, 3))["scalp"].reshape(-1, RAYS)
    return np.asarray(rays[(depth > 0).sum(axis=0).argmin()])


def _sheet(device: Implant, target: Floats, sizes: Floats, key: str) -> tuple[Floats, Floats]:
    """Return the contacts of a grid or strip, row by row, and the outward normals of the brain there."""
    surface = envelope("L" if target[0] < 0 else "R")
    rows, columns = device.shape
    pitch = device.pitch * float(np.abs(np.linalg.det(sizes)) ** (-1 / 3))
    middle = surface.onto(target[None], steps=20)
    along, down = _directions(surface, middle, device.angle, left=target[0] < 0)
    spine, carried = _walk(surface, middle, down, along, pitch, rows)
    points, _ = _walk(surface, spine, carried, carried, pitch, columns)
    laid, stretch = _settled(surface, points.reshape(rows, columns, 3), device.pitch, sizes)
    if stretch > MOST_STRETCH:
        raise _refuse(
            f"{key}.target", f"'{device.name}' would stretch by {stretch:.0%} round the brain there; move or split it"
        )
    _check_depth(laid, "inner_skull", f"{key}.target")
    return laid, surface.normals(laid)


def _directions(surface: Envelope, middle: Floats, angle: float, *, left: bool) -> tuple[Floats, Floats]:
    """Return the directions of a row and of the way from row to row, shape (1, 3) each."""
    normal = surface.normals(middle)
    ahead = np.array([[0.0, 1.0, 0.0]])
    if abs(normal[0, 1]) > 0.95:
        ahead = np.array([[1.0 if left else -1.0, 0.0, 0.0]])
    ahead = _tangent(ahead, normal)
    over = np.cross(normal, ahead) * (-1 if left else 1)
    turn = np.radians(angle)
    return np.cos(turn) * ahead + np.sin(turn) * over, np.sin(turn) * ahead - np.cos(turn) * over


def _tangent(vectors: Floats, normals: Floats) -> Floats:
    flat = vectors - np.einsum("ij,ij->i", vectors, normals)[:, None] * normals
    return np.asarray(flat / np.linalg.norm(flat, axis=1, keepdims=True))


def _walk(
    surface: Envelope, starts: Floats, ahead: Floats, carried: Floats, pitch: float, n: int
) -> tuple[Floats, Floats]:
    """Walk over the surface both ways from points that are the middles of lines of ``n`` contacts.

    Returns
    -------
    points, carried : ndarray, shape (n_starts * n, 3)
        Line after line; the vectors in ``carried`` are turned with the surface on the way.
    """
    offsets = pitch * (np.arange(n) - (n - 1) / 2)
    places, vectors = np.empty((len(starts), n, 3)), np.empty((len(starts), n, 3))
    for sign in (-1, 1):
        mine = np.flatnonzero(offsets > 0) if sign > 0 else np.flatnonzero(offsets <= 0)[::-1]
        here, course, taken, gone = starts, sign * ahead, carried, 0.0
        for i in mine:
            steps = max(1, round((abs(offsets[i]) - gone) / WALK))
            for _ in range(steps):
                here = surface.onto(here + (abs(offsets[i]) - gone) / steps * course, steps=2)
                normals = surface.normals(here)
                course, taken = _tangent(course, normals), _tangent(taken, normals)
            gone = abs(offsets[i])
            places[:, i], vectors[:, i] = here, taken
    return places.reshape(-1, 3), vectors.reshape(-1, 3)


def _settled(surface: Envelope, points: Floats, pitch: float, sizes: Floats) -> tuple[Floats, float]:
    """Return contacts (rows, columns, 3) moved over the surface until neighbours are ``pitch`` apart, and what is left of stretch.

    Parameters
    ----------
    sizes : ndarray, shape (3, 3)
        Template mm to the head's own: in these the contacts are ``pitch`` apart.
    """
    ends, rest, stiffness = _springs(points.shape[0], points.shape[1], pitch)
    found = points.reshape(-1, 3)
    if not len(rest):
        return found, 0.0
    for _ in range(ROUNDS):
        away = found[ends[1]] - found[ends[0]]
        length = np.linalg.norm(away @ sizes.T, axis=1)
        pull = (EASE * stiffness * (length - rest) / length)[:, None] * away
        moved = found.copy()
        np.add.at(moved, ends[0], pull)
        np.add.at(moved, ends[1], -pull)
        found = surface.onto(moved, steps=1)
    found = surface.onto(found)
    length = np.linalg.norm((found[ends[1]] - found[ends[0]]) @ sizes.T, axis=1)
    return found, float(np.abs(length / rest - 1)[stiffness == 1].max())


def _springs(rows: int, columns: int, pitch: float) -> tuple[npt.NDArray[np.intp], Floats, Floats]:
    """Return the pairs of contacts that the sheet holds together, shape (2, n_pairs), their distance at rest, and its stiffness."""
    numbers = np.arange(rows * columns).reshape(rows, columns)
    straight = [(numbers[:, :-1], numbers[:, 1:]), (numbers[:-1], numbers[1:])]
    slanted = [(numbers[:-1, :-1], numbers[1:, 1:]), (numbers[:-1, 1:], numbers[1:, :-1])]
    ends = np.concatenate([np.stack([a.ravel(), b.ravel()]) for a, b in (*straight, *slanted)], axis=1)
    upright = np.arange(ends.shape[1]) < sum(a.size for a, _ in straight)
    return ends, np.where(upright, pitch, np.sqrt(2) * pitch), np.where(upright, 1.0, DIAGONAL)


def _check_apart(devices: Sequence[Implant], points: Floats) -> None:
    owner = np.repeat(np.arange(len(devices)), [device.n_contacts for device in devices])
    away = np.linalg.norm(points[:, None] - points, axis=2) + np.where(owner[:, None] == owner, np.inf, 0.0)
    if away.min() < CLOSEST:
        a, b = np.unravel_index(away.argmin(), away.shape)
        names = [name for device in devices for name in device.names]
        raise InputError(
            f"contacts {names[a]} and {names[b]} would be {away.min():.1f} mm apart; move one of the devices"
        )


def whereabouts(contacts: Contacts, subject: Subject) -> dict[str, npt.NDArray]:
    """Return what is around each contact.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        ``region``: number of the nearest region within `REACH`, counted from 1, else 0; ``distance``: mm from it, NaN without one;
        ``tissue``: what takes most of the voxel; ``depth``: mm below the brain's outer surface.
    """
    region, distance = _nearest_region(contacts.points, subject)
    return {
        "region": region,
        "distance": distance,
        "tissue": _tissue(contacts.points, subject),
        "depth": brain_depth(contacts.points),
    }


def _nearest_region(points: Floats, subject: Subject) -> tuple[npt.NDArray[np.intp], Floats]:
    found, beyond = _labels_around(points, REACH, subject)
    away = np.where(found > 0, beyond, np.inf)
    best = away.argmin(axis=1)
    rows = np.arange(len(points))
    near = away[rows, best] <= REACH
    return np.where(near, found[rows, best], 0).astype(np.intp), np.where(near, away[rows, best], np.nan)


def shares_around(points: Floats, radius: float, subject: Subject) -> Floats:
    """Return the share of a ball around points (n, 3) that each region takes, shape (n, n_regions)."""
    found, beyond = _labels_around(points, radius, subject)
    inside = beyond <= radius
    shares = np.zeros((len(points), subject.n_regions + 1))
    rows = np.broadcast_to(np.arange(len(points))[:, None], found.shape)
    np.add.at(shares, (rows[inside], found[inside]), 1)
    return np.asarray((shares / shares.sum(axis=1, keepdims=True))[:, 1:])


def _labels_around(points: Floats, radius: float, subject: Subject) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return the labels of the voxels around points, 0 beyond the image, and the mm to each, shape (n_points, n_voxels) both."""
    grid, labels = subject.parcellation.grid, subject.parcellation.labels
    reach = np.ceil(radius / grid.voxel_size).astype(int) + 1
    steps = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    within = apply_affine(np.asarray(np.linalg.inv(grid.affine)), points)
    around = np.rint(within).astype(int)[:, None] + steps
    fits = ((around >= 0) & (around < grid.shape)).all(axis=2)
    found = np.where(fits, labels[tuple(np.where(fits[..., None], around, 0).transpose(2, 0, 1))], 0)
    beyond = np.maximum(np.abs(around - within[:, None]) - 0.5, 0) * grid.voxel_size
    return found.astype(np.intp), np.asarray(np.linalg.norm(beyond, axis=2))


def _tissue(points: Floats, subject: Subject) -> npt.NDArray[np.str_]:
    """Return the tissue that takes most of the voxel that each point lies in, ``"outside"`` where there is none."""
    maps = subject.anatomy.maps
    words = np.array(["outside", "grey", "white", "csf", "bone", "scalp"])
    shares: Floats = np.full((len(words), len(points)), 0.5)
    for row, name in enumerate(words[1:], 1):
        grid, share = maps.grid_of(name), getattr(maps, name)
        voxel = np.rint(apply_affine(np.asarray(np.linalg.inv(grid.affine)), points)).astype(int)
        fits = np.asarray(((voxel >= 0) & (voxel < grid.shape)).all(axis=1))
        shares[row] = np.where(fits, share[tuple(np.where(fits[:, None], voxel, 0).T)], 0)
    most: npt.NDArray[np.intp] = shares.argmax(axis=0)
    return words[most]
