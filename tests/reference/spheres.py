"""Potential of a current dipole in concentric spherical shells, written from the textbook, for a few electrodes at a time.

In each shell the n-th term is A r^n + B r^-(n+1); potential and normal current are continuous between shells, and no current
leaves the outermost. Lengths are in units of the outermost radius.
"""

import numpy as np


def surface_value(radii, conductivities, n):
    """Value at r = 1 of the n-th term for a source term r^-(n+1) in the innermost shell."""
    count = len(radii)
    # Unknowns: A of the innermost shell, then A and B of each of the others.
    matrix, right = np.zeros((2 * count - 1, 2 * count - 1)), np.zeros(2 * count - 1)
    for k in range(count - 1):
        r, inside, outside = radii[k], conductivities[k], conductivities[k + 1]
        value, slope = (r**n, r ** -(n + 1)), (n * r ** (n - 1), -(n + 1) * r ** -(n + 2))
        here, there = [0, None] if k == 0 else [2 * k - 1, 2 * k], [2 * k + 1, 2 * k + 2]
        for row, (terms, left_factor, right_factor) in enumerate(((value, 1, 1), (slope, inside, outside)), 2 * k):
            for column, term in zip(here, terms, strict=True):
                if column is None:
                    right[row] -= left_factor * term
                else:
                    matrix[row, column] = left_factor * term
            matrix[row, there] = [-right_factor * term for term in terms]
    matrix[-1, -2:] = [n, -(n + 1)]
    a, b = np.linalg.solve(matrix, right)[-2:]
    return a + b


def shells(electrodes, position, moment, radii, conductivities, n_terms=80):
    """Potentials at electrodes (n, 3) on the unit sphere; radii from inside out, the last 1."""
    b = np.linalg.norm(position)
    outward = position / b
    along, cosine = moment @ outward, electrodes @ outward
    across = electrodes @ (moment - along * outward)
    total = np.zeros(len(electrodes))
    before, here = np.ones_like(cosine), cosine
    slope_before, slope = np.zeros_like(cosine), np.ones_like(cosine)
    for n in range(1, n_terms + 1):
        # 1/|r - b| = sum b^n / r^(n+1) P_n; along b its gradient has the factor n P_n, across it P_n'.
        total += surface_value(radii, conductivities, n) * b ** (n - 1) * (n * along * here + across * slope)
        before, here, next_slope = (
            here,
            ((2 * n + 1) * cosine * here - n * before) / (n + 1),
            slope_before + (2 * n + 1) * here,
        )
        slope_before, slope = slope, next_slope
    return total / (4 * np.pi * conductivities[0])


def homogeneous(electrodes, position, moment, conductivity):
    """The same in one sphere, in closed form: gradient of 2/d + ln(2 / (1 - r.b + d)), the sphere's Neumann function."""
    away = electrodes - position
    d = np.linalg.norm(away, axis=1, keepdims=True)
    along = 1 - (electrodes @ position)[:, None]
    gradient = 2 * away / d**3 + (electrodes + away / d) / (along + d)
    return gradient @ moment / (4 * np.pi * conductivity)
