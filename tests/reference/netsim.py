"""The bilinear network of Friston et al. (2003) by an adaptive solver, and the switch of NetSim as a plain loop."""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp


def bilinear(A, B, C, u, start, times):
    """z at ``times``, shape (n_times, n), of dz = (A + sum_j u_j B_j) z + C u for constant inputs u, from ``start`` at 0 s."""
    flow = A + sum(u_j * B_j for u_j, B_j in zip(u, B, strict=True))
    solution = solve_ivp(lambda t, z: flow @ z + C @ u, (0, times[-1]), start, t_eval=times, rtol=1e-10, atol=1e-12)
    return solution.y.T


def durations(course):
    """Lengths in samples of the whole stretches of 0 and of 1 in a course, the first and last left out."""
    changes = np.flatnonzero(np.diff(course))
    lengths, values = np.diff(changes), course[changes[:-1] + 1]
    return lengths[values == 0], lengths[values == 1]
