"""The MEG helmet: arrays of coils as they hang in the dewar, and where a head lies in it.

Arrays are those that MNE-Python ships, with its "accurate" integration points: a coil's signal is the field along its directions summed
over its points, weights put in. Coils have one size for every head, so a larger head is nearer to them. The helmet's own axes and those
of the head (CapTrak, which are Neuromag's) run to the right, to the front and up.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.errors import InputError, UnknownNameError, did_you_mean
from fakeimaging.core.spaces import Affine, apply_affine, pose
from fakeimaging.modalities.electro.electrodes import native_to_captrak
from fakeimaging.modalities.electro.lead_field import native_electrodes, native_fiducials, shipped, to_native
from fakeimaging.modalities.electro.sensors import Sensors
from fakeimaging.modalities.layers import Companion
from fakeimaging.structure.head import template_head
from fakeimaging.structure.subject import Subject

Floats = npt.NDArray[np.float64]

ARRAYS = ("neuromag306", "ctf151", "ctf275")
"""The arrays, by name; CTF's without their reference coils, which mne's description lacks."""
UNITS = {"MEGMAG": "T", "MEGGRADAXIAL": "T", "MEGGRADPLANAR": "T/m"}
"""Unit of each kind of coil; an axial gradiometer shows the difference of its loops."""
FAR = 40.0
"""mm of coils from the scalp, on median, above which a head is said not to fit (assumed; 20 to 30 mm are usual)."""
BELOW = 500.0
"""mm below the helmet, from where a head comes."""
SINKS = 10.0
"""mm by which a head that turns in the helmet may sink: one that fits tightly turns less (assumed)."""
HEAD_COILS = ("AF7", "AF8", "TP9", "TP10")
"""Places of the 10-05 system where the head's position coils are stuck: forehead and behind the ears (assumed)."""
FIDUCIALS = ("LPA", "NAS", "RPA")
HEAD_POINTS = 16
"""Of the scalp's vertices above the fiducials, one in so many is digitised: about 100 (assumed)."""
MILLI = 1e-3


@dataclass(frozen=True, eq=False)
class MegArray:
    """Coils in the helmet's own coordinates.

    Parameters
    ----------
    names, kinds : tuple of str
        Kinds are BIDS' types of channels.
    coil_types : ndarray of int, shape (n,)
        Numbers of FIF and MNE-Python.
    loc : ndarray, shape (n, 12), m
        Middle and three axes of each coil, as MNE-Python has them.
    points, directions : ndarray, shape (n_points, 3), mm
        Where each coil feels, and along what, weights put in (1/m for gradiometers).
    owner : ndarray of int, shape (n_points,)
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    coil_types: npt.NDArray[np.intp]
    loc: Floats
    points: Floats
    directions: Floats
    owner: npt.NDArray[np.intp]

    @property
    def units(self) -> tuple[str, ...]:
        """Unit of each coil's signal: T or T/m."""
        return tuple(UNITS[kind] for kind in self.kinds)

    @property
    def positions(self) -> Floats:
        """Middle of each coil in mm, shape (n, 3)."""
        return np.asarray(self.loc[:, :3] / MILLI)

    @cached_property
    def places(self) -> Floats:
        """The places of coils in mm, each once, shape (n_places, 3)."""
        return np.unique(self.positions.round(3), axis=0)


@lru_cache(maxsize=len(ARRAYS))
def meg_array(name: str) -> MegArray:
    """Return an array by its name.

    Raises
    ------
    UnknownNameError
        If there is no such array.

    Examples
    --------
    >>> coils = meg_array("neuromag306")
    >>> len(coils.names), coils.kinds.count("MEGMAG"), len(coils.places)
    (306, 102, 102)
    """
    if name not in ARRAYS:
        raise UnknownNameError(f"no MEG array '{name}'{did_you_mean(name, ARRAYS)}", value=name)
    stored = shipped("meg_arrays.npz")
    loc, types = stored[f"{name}_loc"], stored[f"{name}_coils"]
    points, directions, owner = [], [], []
    for i, (row, coil) in enumerate(zip(loc, types, strict=True)):
        axes = row[3:].reshape(3, 3)
        points.append(row[:3] / MILLI + stored[f"coil_{coil}_points"] @ axes)
        directions.append(stored[f"coil_{coil}_directions"] @ axes)
        owner.append(np.full(len(points[-1]), i))
    names, kinds = (tuple(stored[f"{name}_{key}"].tolist()) for key in ("names", "kinds"))
    parts = [frozen(np.concatenate(part)) for part in (points, directions, owner)]
    return MegArray(names, kinds, types, loc, *parts)


def head_in_helmet(
    subject: Subject, array: MegArray, gap: float, turn: Sequence[float] = (0, 0, 0), shift: Sequence[float] = (0, 0, 0)
) -> Affine:
    """Return where the helmet is about a head that leans into it: helmet mm to native mm.

    The head, turned, goes up and back with equal force until the nearest coil is `gap` mm off its scalp; then it sinks, comes
    forward and moves to a side by `shift`, to the side no farther than the gap lets it.

    Parameters
    ----------
    subject : Subject
    array : MegArray
    gap : float
        mm: wall of the dewar, and hair.
    turn : sequence of 3 numbers
        rad about the helmet's axes, around the middle between the ears; less where a wide head has no room to turn.
    shift : sequence of 3 numbers
        mm to the right, to the front, down.

    Warns
    -----
    UserWarning
        If the head does not go all the way into the helmet.
    """
    upright = native_to_captrak(subject)
    turned, (y, z) = _turned(subject, array.places, upright, gap, np.asarray(turn, dtype=float))
    scalp = _scalp(subject, turned)
    _warn_if_far(subject, array, scalp + [0.0, y, z], gap)
    right, front, down = shift
    moved = scalp + [0.0, y + front, z - down]
    room = [sign * _room(sign * array.places, sign * moved, gap, 0) for sign in (-1, 1)]
    x = min(max(right, room[0]), room[1])
    there = pose((0, 0, 0), np.ones(3), (x, y + front, z - down))
    return np.asarray(np.linalg.inv(there @ turned), dtype=np.float64)


def _scalp(subject: Subject, from_native: Affine) -> Floats:
    return apply_affine(from_native @ to_native(subject), template_head().vertices["scalp"])


def _turned(
    subject: Subject, coils: Floats, upright: Affine, gap: float, turn: Floats
) -> tuple[Affine, tuple[float, float]]:
    """Return native mm to the axes of a head that is turned as far as the helmet lets it, and its shifts to the front and up."""
    rest = _contact(coils, _scalp(subject, upright), gap)
    for share in (1.0, 0.5, 0.25) if turn.any() else ():
        turned = pose(share * turn, np.ones(3), np.zeros(3)) @ upright
        shifts = _contact(coils, _scalp(subject, turned), gap)
        if shifts[1] > rest[1] - SINKS:
            return turned, shifts
    return upright, rest


def _contact(coils: Floats, scalp: Floats, gap: float) -> tuple[float, float]:
    """Return the shifts to the front and up at which a head that is pushed up and back rests."""

    def height(y: float) -> float:
        return _room(coils, scalp + [0.0, y, -BELOW], gap, 2) - BELOW

    middle = 0.0
    for width, step in ((60, 6), (5, 1)):
        tried = middle + np.arange(-width, width + 1, step)
        middle = float(tried[np.argmax([height(y) - y for y in tried])])
    return middle, height(middle)


def _room(coils: Floats, scalp: Floats, gap: float, axis: int) -> float:
    """Return how far a scalp can go along an axis until it is `gap` mm off a coil that lies ahead."""
    first, second = (coils[:, None, i] - scalp[None, :, i] for i in range(3) if i != axis)
    beside = first**2 + second**2
    ahead = coils[:, None, axis] - scalp[None, :, axis]
    met = (beside < gap**2) & (ahead > 0)
    return float((ahead[met] - np.sqrt(gap**2 - beside[met])).min(initial=np.inf))


def _warn_if_far(subject: Subject, array: MegArray, scalp: Floats, gap: float) -> None:
    from scipy.spatial import cKDTree

    away = float(np.median(cKDTree(scalp).query(array.places)[0]))
    if away > FAR:
        warnings.warn(
            f"the head of {subject.label} is too wide to go all the way into the helmet at a gap of {gap:g} mm: "
            f"its coils are {away:.0f} mm off the scalp on median",
            stacklevel=3,
        )


def sensors_in(subject: Subject, array: MegArray, to_head: Affine) -> Sensors:
    """Return the coils about a head.

    Parameters
    ----------
    subject : Subject
    array : MegArray
    to_head : ndarray, shape (4, 4)
        Helmet mm to native mm.

    Raises
    ------
    InputError
        If coils are inside the head.
    """
    positions = apply_affine(to_head, array.positions)
    depth = template_head().depth(apply_affine(subject.anatomy.to_template, positions))["scalp"]
    inside = [name for name, below in zip(array.names, depth, strict=True) if below > 0]
    if inside:
        shown = ", ".join(inside[:5]) + (", ..." if len(inside) > 5 else "")
        raise InputError(
            f"{len(inside)} of {len(array.names)} coils are inside the head of {subject.label}: {shown}", value=inside
        )
    return Sensors(
        array.names,
        array.kinds,
        positions,
        apply_affine(to_head, array.points),
        array.directions @ to_head[:3, :3].T,
        array.owner,
    )


def dev_head_t(subject: Subject, to_head: Affine) -> Affine:
    """Return what FIF files say of the head's position: helmet m to head m (Neuromag axes), shape (4, 4)."""
    matrix = native_to_captrak(subject) @ to_head
    matrix[:3, 3] *= MILLI
    matrix[3] = (0, 0, 0, 1)
    return np.asarray(matrix)


def digitised(subject: Subject) -> dict[str, Floats]:
    """Return what is digitised on a head, in head m: ``fiducials`` (left ear, nasion, right ear), ``hpi`` coils, ``head`` points.

    Exact, without an error of the pen. The head points are those of the shared scalp above the fiducials.
    """
    to_captrak = native_to_captrak(subject)
    fiducials = native_fiducials(subject)
    scalp = apply_affine(to_captrak @ to_native(subject), template_head().vertices["scalp"])
    found = {
        "fiducials": apply_affine(to_captrak, [fiducials[name] for name in FIDUCIALS]),
        "hpi": apply_affine(to_captrak, native_electrodes(subject, HEAD_COILS)),
        "head": scalp[scalp[:, 2] > 0][::HEAD_POINTS],
    }
    return {name: MILLI * points for name, points in found.items()}


def head_table(subject: Subject) -> Companion:
    """Return the file ``coordsystem`` of a subject: landmarks and head coils, in m."""
    points = digitised(subject)
    rounded = {name: np.round(places, 6).tolist() for name, places in points.items()}
    frame, description = (
        "ElektaNeuromag",
        (
            "origin on the line between the preauricular points at the foot of the nasion, x to the right, y to the nasion, z up"
        ),
    )
    about: dict[str, object] = {}
    for what in ("MEG", "HeadCoil", "AnatomicalLandmark"):
        about |= {
            f"{what}CoordinateSystem": frame,
            f"{what}CoordinateUnits": "m",
            f"{what}CoordinateSystemDescription": description,
        }
    coils = {f"coil{i}": place for i, place in enumerate(rounded["hpi"], 1)}
    landmarks = dict(zip(FIDUCIALS, rounded["fiducials"], strict=True))
    about |= {"HeadCoilCoordinates": coils, "AnatomicalLandmarkCoordinates": landmarks}
    return Companion("coordsystem", about=about, shared=True)
