"""The voltage that a switched gradient induces in a lead, by summing the vector potential along it; slow, from the definition."""

import numpy as np


def vector_potential(points, axis):
    """A of 1 T/m along axis 0, 1 or 2 about the isocentre, without a part along the radius: B = curl A, B_z = x, y or z."""
    x, y, z = np.moveaxis(np.asarray(points, dtype=float), -1, 0)
    if axis == 0:
        return np.stack([-x * y, x**2 - z**2, y * z], axis=-1) / 3
    if axis == 1:
        return np.stack([z**2 - y**2, x * y, -x * z], axis=-1) / 3
    return np.stack([-y * z, x * z, np.zeros_like(z)], axis=-1) / 2


def curl(points, axis, step=1e-5):
    """B by central differences."""
    points = np.asarray(points, dtype=float)
    slopes = []
    for k in range(3):
        shift = np.zeros(3)
        shift[k] = step
        slopes.append((vector_potential(points + shift, axis) - vector_potential(points - shift, axis)) / (2 * step))
    dx, dy, dz = slopes
    return np.stack([dy[:, 2] - dz[:, 1], dz[:, 0] - dx[:, 2], dx[:, 1] - dy[:, 0]], axis=1)


def along_meridian(place, axis, n=20_000):
    """The sum of A . dl from the top of the sphere through ``place`` down to it."""
    radius, theta = np.linalg.norm(place), np.arccos(place[2] / np.linalg.norm(place))
    phi = np.arctan2(place[1], place[0])
    t = (np.arange(n) + 0.5) / n * theta
    path = radius * np.stack([np.sin(t) * np.cos(phi), np.sin(t) * np.sin(phi), np.cos(t)], axis=1)
    along = np.stack([np.cos(t) * np.cos(phi), np.cos(t) * np.sin(phi), -np.sin(t)], axis=1)
    return (vector_potential(path, axis) * along).sum() * radius * theta / n


def along_parallel(place, turn, axis, n=20_000):
    """The sum of A . dl over an angle ``turn`` about the field's axis."""
    phi = np.arctan2(place[1], place[0]) + (np.arange(n) + 0.5) / n * turn
    across = np.hypot(place[0], place[1])
    path = np.stack([across * np.cos(phi), across * np.sin(phi), np.full(n, place[2])], axis=1)
    along = np.stack([-np.sin(phi), np.cos(phi), np.zeros(n)], axis=1)
    return (vector_potential(path, axis) * along).sum() * across * turn / n
