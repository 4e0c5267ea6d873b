"""Dipoles of the body outside the brain, and what each channel sees of them: electrodes potentials, coils fields.

Potentials are those of an endless homogeneous medium, which fall off as the real ones do to within what artefacts differ between
people. Fields are those of dipoles in a spherical head (Sarvas 1987), with the same moments.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fakeimaging.core.spaces import apply_affine
from fakeimaging.modalities.electro.auxiliary import on_channels
from fakeimaging.modalities.electro.lead_field import to_native
from fakeimaging.modalities.electro.medium import infinite_potential
from fakeimaging.modalities.electro.sensors import Sensors
from fakeimaging.modalities.layers import Factors, Forward

Floats = npt.NDArray[np.float64]
Signal = npt.NDArray[np.float32]

INWARD = 0.9
"""Share of the distance of the nearest coil from the middle of the head within which sources are kept (assumed)."""


def native_dipoles(forward: Forward, points: npt.ArrayLike, directions: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return places and unit vectors of a subject's dipoles from template mm to native mm, each of shape (n, 3)."""
    affine = to_native(forward.context["subject"])
    turned = np.atleast_2d(np.asarray(directions, dtype=float)) @ affine[:3, :3].T
    return apply_affine(affine, np.atleast_2d(points)), turned / np.linalg.norm(turned, axis=1, keepdims=True)


def potential_map(forward: Forward, points: Floats, moments: Floats) -> Floats:
    """Return the potential of dipoles together at every electrode and pair, shape (n_channels,), in V.

    Parameters
    ----------
    forward : Forward
    points, moments : ndarray, shape (n, 3)
        Native mm, Am.
    """
    return on_channels(forward, lambda places: together(places, points, moments))[:, 0]


def together(places: Floats, points: Floats, moments: Floats) -> Floats:
    """Return the potential of dipoles together at places, shape (n_places, 1), in V."""
    return infinite_potential(places, points, moments).sum(axis=1, keepdims=True)


def field_maps(forward: Forward, points: Floats, moments: Floats) -> Floats:
    """Return the field of each dipole in every coil, shape (n_channels, n), in T or T/m; 0 in other channels.

    Parameters
    ----------
    forward : Forward
    points, moments : ndarray, shape (n, 3)
        Native mm, Am. Points as far out as coils are moved in.
    """
    from fakeimaging.modalities.electro.head_model import inner_sphere
    from fakeimaging.modalities.electro.sarvas import coil_field
    from fakeimaging.modalities.electro.sphere import within

    sensors: Sensors = forward.context["sensors"]
    if not len(sensors.points):
        return np.zeros((len(sensors.kinds), len(points)))
    centre = apply_affine(to_native(forward.context["subject"]), inner_sphere()[0])
    inside = within(points, centre, INWARD * float(np.linalg.norm(sensors.points - centre, axis=1).min()))
    n = len(sensors.kinds)
    return coil_field(centre, sensors.points, sensors.directions, sensors.owner, inside, moments, n_coils=n)


def free_field_map(forward: Forward, point: Floats, moment: Floats) -> Floats:
    """Return the field of a dipole in an endless medium, mu0 / (4 pi) q x (r - r0) / |r - r0|^3, in every coil, shape (n_channels,)."""
    from fakeimaging.modalities.electro.sarvas import MU0_4PI

    sensors: Sensors = forward.context["sensors"]
    away = 1e-3 * (sensors.points - point)
    field = MU0_4PI * np.cross(moment, away) / np.linalg.norm(away, axis=1, keepdims=True) ** 3
    felt = (field * sensors.directions).sum(axis=1)
    return np.asarray(np.bincount(sensors.owner, weights=felt, minlength=len(sensors.kinds)), dtype=np.float64)


def term(maps: npt.ArrayLike, courses: npt.NDArray | Sequence[Floats]) -> Factors:
    """Return maps (n_channels, n) and courses (n, n_samples) as a term."""
    return Factors(np.asarray(maps, dtype=np.float32), np.asarray(courses, dtype=np.float32))
