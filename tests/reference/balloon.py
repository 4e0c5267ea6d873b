"""Balloon-Windkessel model by scipy's adaptive solver on the plain (not logarithmic) states (Friston et al. 2003)."""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp


def balloon(drive, times, *, kappa=0.65, gamma=0.41, tau=0.98, alpha=0.32, E0=0.34, breaks=()):
    """f, v, q at ``times`` from rest at 0 s for a drive given as a function of time; ``breaks`` are its jumps."""

    def rates(t, y):
        s, f, v, q = y
        return [
            drive(t) - kappa * s - gamma * (f - 1),
            s,
            (f - v ** (1 / alpha)) / tau,
            (f * (1 - (1 - E0) ** (1 / f)) / E0 - v ** (1 / alpha - 1) * q) / tau,
        ]

    edges = [0.0, *[b for b in breaks if 0 < b < times[-1]], times[-1]]
    state, found = np.array([0.0, 1.0, 1.0, 1.0]), []
    for left, right in zip(edges, edges[1:], strict=False):
        inside = times[(times >= left) & (times < right)] if right != edges[-1] else times[times >= left]
        solution = solve_ivp(rates, (left, right), state, t_eval=np.unique([*inside, right]), rtol=1e-9, atol=1e-10)
        found.append(solution.y[:, np.isin(solution.t, inside)])
        state = solution.y[:, -1]
    return np.concatenate(found, axis=1)[1:]
