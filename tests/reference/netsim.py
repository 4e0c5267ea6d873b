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


def courses(table, n_inputs, n_steps, step=0.005):
    """Times at which any input turns, and all inputs from then on, of a table of switches (step, input, sign)."""
    times, levels, found = sorted({0, *table[:, 0]}), np.zeros(n_inputs), []
    for time in times:
        for _, number, sign in table[table[:, 0] == time]:
            levels[number] += sign
        found.append(levels.copy())
    return np.array([*times, n_steps]) * step, np.array(found)


def bold(weights, C, sigma, edges, levels, constants, times, *, gates=(), b=0.0):
    """BOLD in percent at ``times`` from rest, by an adaptive solver on the published states: z, s and logarithms of f, v and q.

    Inputs are ``levels[k]`` from ``edges[k]`` on; flow is held within 1/8 to 8 where rates see it (model.cc of the authors'
    program); gates are (target, source, input): that input times b adds to A.
    """
    n = len(weights)
    kappa, gamma, tau, alpha, E0 = (constants[name] for name in ("kappa", "gamma", "tau", "alpha", "E0"))

    def rates(t, y, u):
        z, s, log_f, log_v, log_q = y.reshape(5, n)
        A = weights - np.eye(n)
        for target, source, number in gates:
            A[target, source] += b * u[number] * C[0, 0]
        f, v, q = np.clip(np.exp(log_f), 1 / 8, 8), np.exp(log_v), np.exp(log_q)
        out = v ** (1 / alpha)
        oxygen = f * (1 - (1 - E0) ** (1 / f)) / E0
        return np.concatenate(
            [
                sigma * A @ z + C @ u,
                z - kappa * s - gamma * (f - 1),
                s / f,
                (f - out) / (tau * v),
                (oxygen - out * q / v) / (tau * q),
            ]
        )

    state, found = np.zeros(5 * n), []
    for left, right, u in zip(edges, edges[1:], levels, strict=False):
        inside = times[(times > left) & (times <= right)]
        solution = solve_ivp(
            rates, (left, right), state, "LSODA", np.unique([*inside, right]), args=(u,), rtol=1e-8, atol=1e-9
        )
        found.append(solution.y.T[np.isin(solution.t, inside)])
        state = solution.y[:, -1]
    _, _, _, log_v, log_q = np.concatenate(found).reshape(-1, 5, n).swapaxes(0, 1)
    v, q = np.exp(log_v), np.exp(log_q)
    return 4 * (7 * E0 * (1 - q) + 2 * (1 - q / v) + (2 * E0 - 0.2) * (1 - v))
