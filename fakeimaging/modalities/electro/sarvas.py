"""Magnetic field of a current dipole in a spherical head, exact (Sarvas 1987).

Outside a conductor that is symmetric about a centre, how its conductivity changes with depth does not matter. A dipole q at r0 makes at r

    B = mu0 / (4 pi F^2) [F q x r0 - (q x r0 . r) grad F],   a = r - r0,   F = |a| (|r| |a| + r . a)
    grad F = (|a|^2 / |r| + a . r / |a| + 2 |a| + 2 |r|) r - (|a| + 2 |r| + a . r / |a|) r0

with all places relative to the centre. A radial dipole makes none. Points are in mm, moments in Am, fields in T.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.citations import Reference
from fakeimaging.core.errors import InputError
from fakeimaging.modalities.electro.medium import Array, blocks, columns, vectors

MU0_4PI = 1e-7
"""mu0 / (4 pi), T m / A (SI before 2019; CODATA 2018 differs by 6e-10)."""
BLOCK = 1 << 16
"""Pairs of integration point and source computed at once."""
REFERENCES = (Reference("Sarvas", 1987, "10.1088/0031-9155/32/1/004", "magnetic field outside a spherical conductor"),)


def coil_field(
    centre: npt.ArrayLike,
    coil_points: npt.ArrayLike,
    coil_directions: npt.ArrayLike,
    owner: npt.ArrayLike,
    points: npt.ArrayLike,
    moments: npt.ArrayLike | None = None,
    *,
    n_coils: int | None = None,
) -> Array:
    """Return what magnetometers and gradiometers read of dipoles in a spherical conductor: B . w, summed over each coil's points.

    Parameters
    ----------
    centre : array_like, shape (3,)
        Of the conductor, mm.
    coil_points, coil_directions : array_like, shape (m, 3)
        Integration points (mm), and directions times weights; a gradiometer's weights are in 1/m.
    owner : array_like of int, shape (m,)
        Coil of each point, from 0.
    points, moments
        As in `sphere.potential`; nearer to the centre than any integration point.
    n_coils : int, optional
        Number of rows, one more than the largest ``owner`` if not given; a coil without points has a row of 0.

    Returns
    -------
    ndarray, shape (n_coils, n_sources) or (n_coils, n_sources, 3)
        T, or T/m of gradiometers.

    Raises
    ------
    InputError
        If a source is as far from the centre as the nearest integration point, or an array has another shape.
    """
    middle = vectors("the centre", np.asarray(centre)[None])
    r, w = vectors("coil points", coil_points), vectors("coil directions", coil_directions)
    summed = _sums(owner, len(r), len(w), n_coils)
    r, sources = (r - middle) * 1e-3, (vectors("points", points) - middle) * 1e-3
    directions = columns(moments, len(sources))
    _refuse_within(r, sources)
    result = np.empty((summed.shape[0], *directions.shape[:2]))
    for part in blocks(len(sources), len(r), BLOCK):
        for column, read in enumerate(_sarvas(r, w, sources[part], directions[part])):
            result[:, part, column] = summed @ read
    result *= MU0_4PI
    return result if moments is None else result[..., 0]


def _sums(owner: npt.ArrayLike, n_points: int, n_directions: int, n_coils: int | None) -> Any:
    """Return the matrix that sums each coil's points, shape (n_coils, n_points)."""
    from scipy.sparse import csr_array

    coil = np.asarray(owner)
    if coil.shape != (n_points,) or n_directions != n_points or coil.dtype.kind not in "iu" or coil.min(initial=0) < 0:
        raise InputError(f"each of {n_points} coil points has a direction and a coil, an integer from 0", value=owner)
    fewest = int(coil.max(initial=-1)) + 1
    if n_coils is not None and n_coils < fewest:
        raise InputError(f"{n_coils} coils, but points of {fewest}", value=n_coils)
    return csr_array((np.ones(n_points), (coil, np.arange(n_points))), shape=(n_coils or fewest, n_points))


def _refuse_within(r: Array, sources: Array) -> None:
    nearest = 1e3 * np.linalg.norm(r, axis=1).min(initial=np.inf)
    farthest = 1e3 * np.linalg.norm(sources, axis=1).max(initial=0.0)
    if farthest >= nearest:
        raise InputError(
            f"a source {farthest:.4g} mm from the centre, a coil {nearest:.4g} mm: no sphere between them; "
            "`sphere.within` moves sources in",
            value=float(farthest),
        )


def _sarvas(r: Array, w: Array, sources: Array, directions: Array) -> list[Array]:
    """Return 4 pi / mu0 B . w, shape (m, n_sources), for each direction; metres about the centre."""
    square, length = (r**2).sum(axis=1)[:, None], np.linalg.norm(r, axis=1)[:, None]
    dot = r @ sources.T
    a = np.sqrt(square + (sources**2).sum(axis=1) - 2 * dot)
    ra = square - dot
    f = a * (length * a + ra)
    common = 2 * length + ra / a + a
    slope = ((a**2 / length + a + common) * (r * w).sum(axis=1)[:, None] - common * (w @ sources.T)) / f**2
    turns = np.cross(directions, sources[:, None])
    return [(w @ turn.T) / f - slope * (r @ turn.T) for turn in turns.transpose(1, 0, 2)]


def magnetic_field(
    centre: npt.ArrayLike, sensors: npt.ArrayLike, points: npt.ArrayLike, moments: npt.ArrayLike | None = None
) -> Array:
    """Return the magnetic field of dipoles in a spherical conductor at places outside it.

    Parameters
    ----------
    centre : array_like, shape (3,)
        Of the conductor, mm.
    sensors : array_like, shape (n_sensors, 3)
        mm.
    points, moments
        As in `coil_field`.

    Returns
    -------
    ndarray, shape (n_sensors, 3, n_sources) or (n_sensors, 3, n_sources, 3)
        T; the second axis is that of the field's x, y and z.

    Examples
    --------
    10 nAm to the front, 30 mm deeper than a sensor and 20 mm beside it, in femtotesla:

    >>> (1e15 * magnetic_field((0, 0, 0), [[20, 0, 100]], [[0, 0, 70]], [[0, 1e-8, 0]])[0, :, 0]).round(1).tolist()
    [109.6, 0.0, -320.6]
    """
    places = vectors("sensors", sensors)
    n = len(places)
    axes, owner = np.tile(np.eye(3), (n, 1)), np.arange(3 * n)
    field = coil_field(centre, np.repeat(places, 3, axis=0), axes, owner, points, moments)
    return field.reshape(n, 3, *field.shape[1:])
