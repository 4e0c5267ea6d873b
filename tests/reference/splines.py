"""Cubic spline interpolation from its definition (Unser 1999): solve for the coefficients, then sum the basis functions."""

import numpy as np


def basis(t):
    """Cubic B-spline, support (-2, 2)."""
    t = abs(t)
    if t < 1:
        return 2 / 3 - t * t + t**3 / 2
    return (2 - t) ** 3 / 6 if t < 2 else 0.0


def weights(n, position):
    """Weight of each of ``n`` coefficients, mirrored at both ends, at a position between -0.5 and n - 0.5."""
    row = np.zeros(n)
    for i in range(-3, n + 3):
        around = i % (2 * n - 2)
        row[min(around, 2 * n - 2 - around)] += basis(position - i)
    return row


def interpolate(image, points):
    """Value of the spline through a 3-D image at points (n, 3) in voxels."""
    inverse = [np.linalg.inv(np.stack([weights(n, i) for i in range(n)])) for n in image.shape]
    coefficients = np.einsum("ia,jb,kc,abc->ijk", *inverse, image.astype(float), optimize=True)
    rows = [[weights(n, x) for n, x in zip(image.shape, point, strict=True)] for point in points]
    return np.array([np.einsum("i,j,k,ijk->", *row, coefficients, optimize=True) for row in rows])
