"""Potentials at contacts inside the head: an endless homogeneous medium, and one that an insulator bounds.

A current dipole q at r0 in a medium of conductivity s makes at r (Malmivuo and Plonsey 1995, chapter 8)

    V = q . (r - r0) / (4 pi s |r - r0|^3)

A contact that lies on the pia has hardly any current above it: air, or the silicone sheet that carries the grid. The plane
through it, with brain below and an insulator above, adds the dipole's mirror image; on the plane itself that doubles V.
Points are in mm, moments in Am, potentials in V.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError

Array = npt.NDArray[np.float64]
CONDUCTIVITY = 0.3
"""S/m of the brain: that of the boundary-element model (the default of `mne.make_bem_model`)."""
NEAREST = 1.0
"""mm from a source below which a contact is not nearer (assumed: about the radius of a contact; a point source has no limit)."""
PER_MM2 = 1e6
"""Inverse square metres in an inverse square millimetre."""
BLOCK = 1 << 15
"""Pairs of contact and source computed at once."""


def infinite_potential(
    contacts: npt.ArrayLike,
    points: npt.ArrayLike,
    moments: npt.ArrayLike | None = None,
    *,
    conductivity: float = CONDUCTIVITY,
    nearest: float = NEAREST,
) -> Array:
    """Return the potential of dipoles in an endless homogeneous medium.

    Parameters
    ----------
    contacts : array_like, shape (n_contacts, 3)
        mm.
    points : array_like, shape (n_sources, 3)
        Where the dipoles are, mm.
    moments : array_like, shape (n_sources, 3), optional
        Am; unit vectors give V/(Am). Without them each source has three, along x, y and z.
    conductivity : float
        S/m.
    nearest : float
        mm; |r - r0| is not taken to be less, so that V falls to 0 at the source itself.

    Returns
    -------
    ndarray, shape (n_contacts, n_sources) or (n_contacts, n_sources, 3)
        V.

    Raises
    ------
    InputError
        If an array has another shape or is not finite, or a number is not positive.

    Examples
    --------
    10 nAm, 10 mm below a contact, in microvolts:

    >>> round(float(1e6 * infinite_potential([[0, 0, 10]], [[0, 0, 0]], [[0, 0, 1e-8]])[0, 0]), 2)
    26.53
    """
    places, sources = vectors("contacts", contacts), vectors("points", points)
    directions = columns(moments, len(sources))
    positive("conductivity", conductivity, "S/m")
    positive("nearest", nearest, "mm")
    result = np.empty((len(places), *directions.shape[:2]))
    for part in blocks(len(sources), len(places)):
        result[:, part] = _kernel(places, sources[part], directions[part], nearest)
    result *= PER_MM2 / (4 * np.pi * conductivity)
    return result if moments is None else result[..., 0]


def half_space_potential(
    contacts: npt.ArrayLike,
    normals: npt.ArrayLike,
    points: npt.ArrayLike,
    moments: npt.ArrayLike | None = None,
    *,
    depth: npt.ArrayLike = 0.0,
    conductivity: float = CONDUCTIVITY,
    nearest: float = NEAREST,
) -> Array:
    """Return the potential of dipoles below an insulating plane, one plane for each contact.

    The mirrored dipole makes at a contact what the dipole itself makes at the mirrored contact, so no image is built. Sources
    beyond a contact's plane (a neighbouring gyrus that stands higher) are given the same sum.

    Parameters
    ----------
    contacts, points, moments, conductivity, nearest
        As in `infinite_potential`.
    normals : array_like, shape (n_contacts, 3)
        Out of the brain, of any length.
    depth : array_like, shape () or (n_contacts,)
        mm from each contact outwards to its plane; 0 for a contact that lies on it.

    Returns
    -------
    ndarray, shape (n_contacts, n_sources) or (n_contacts, n_sources, 3)
        V.

    Raises
    ------
    InputError
        As in `infinite_potential`; also for a normal without length and for a contact above its plane.

    Examples
    --------
    >>> contact, source, moment = [[0, 0, 10]], [[0, 0, 0]], [[0, 0, 1e-8]]
    >>> half_space_potential(contact, [[0, 0, 1]], source, moment) / infinite_potential(contact, source, moment)
    array([[2.]])
    """
    places, outward = vectors("contacts", contacts), unit("normals", normals)
    if len(outward) != len(places):
        raise InputError(f"{len(places)} contacts but {len(outward)} normals", value=len(outward))
    below = np.asarray(depth, dtype=float)
    if below.shape not in ((), (len(places),)) or not np.isfinite(below).all() or (below < 0).any():
        raise InputError("the depth of a contact is one number or one a contact, 0 mm or more", value=depth)
    mirrored = places + 2 * np.broadcast_to(below, len(places))[:, None] * outward
    here = infinite_potential(places, points, moments, conductivity=conductivity, nearest=nearest)
    return here + infinite_potential(mirrored, points, moments, conductivity=conductivity, nearest=nearest)


def _kernel(contacts: Array, points: Array, directions: Array, nearest: float) -> Array:
    """Return q . (r - r0) / |r - r0|^3, shape (n_contacts, n_points, n_directions), mm^-2."""
    away = [contacts[:, None, axis] - points[:, axis] for axis in range(3)]
    distance = np.maximum(np.sqrt(away[0] ** 2 + away[1] ** 2 + away[2] ** 2), nearest)
    along = sum(each[:, :, None] * directions[:, :, axis] for axis, each in enumerate(away))
    return np.asarray(along / (distance**3)[:, :, None])


def vectors(name: str, array: npt.ArrayLike) -> Array:
    """Return an array of shape (n, 3) in float64.

    Raises
    ------
    InputError
        If it has another shape or is not finite.
    """
    found = np.asarray(array, dtype=float)
    if found.ndim != 2 or found.shape[1] != 3 or not np.isfinite(found).all():
        raise InputError(f"{name} have the shape (n, 3) and are finite, not {found.shape}", value=array)
    return found


def unit(name: str, array: npt.ArrayLike) -> Array:
    """Return vectors divided by their lengths.

    Raises
    ------
    InputError
        As in `vectors`; also if one has no length.
    """
    found = vectors(name, array)
    length = np.linalg.norm(found, axis=1, keepdims=True)
    if (length == 0).any():
        raise InputError(f"{name}: row {int(length.argmin())} has no direction", value=array)
    return np.asarray(found / length)


def columns(moments: npt.ArrayLike | None, n_sources: int) -> Array:
    """Return the moments of each source: shape (n_sources, 1, 3), or (n_sources, 3, 3), the axes, where none are given.

    Raises
    ------
    InputError
        If there are not as many moments as sources.
    """
    if moments is None:
        return np.broadcast_to(np.eye(3), (n_sources, 3, 3))
    found = vectors("moments", moments)
    if len(found) != n_sources:
        raise InputError(f"{n_sources} sources but {len(found)} moments", value=len(found))
    return found[:, None]


def positive(name: str, number: float, unit: str) -> None:
    """Refuse a number that is not positive.

    Raises
    ------
    InputError
        Then.
    """
    if not 0 < number < np.inf:
        raise InputError(f"{name} is a positive number of {unit}, not {number}", value=number)


def blocks(n_sources: int, n_places: int, pairs: int = BLOCK) -> Iterator[slice]:
    """Yield slices of the sources, each with about so many pairs of a place and a source."""
    step = max(1, pairs // max(1, n_places))
    for start in range(0, n_sources, step):
        yield slice(start, start + step)
