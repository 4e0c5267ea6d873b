"""Linear network and dynamic mean field as plain loops over time: whole history kept, Euler-Maruyama, no blocks."""

from __future__ import annotations

import numpy as np


def linear_network(weights, lag_steps, *, tau, gain, sigma, step, n_steps, noise, start=None):
    """x(t) of tau dx = (-x + g sum_j C_ij x_j(t - d_ij)) dt + sigma sqrt(2 tau) dW, shape (n_steps, n): the state before each step."""
    n = len(weights)
    x = np.zeros((n_steps + 1, n))
    past = np.zeros(n) if start is None else np.asarray(start, dtype=float)
    x[0] = past
    for t in range(n_steps):
        for i in range(n):
            received = 0.0
            for j in range(n):
                received += weights[i, j] * (x[t - lag_steps[i, j], j] if t >= lag_steps[i, j] else past[j])
            x[t + 1, i] = (
                x[t, i] + step * (-x[t, i] + gain * received) / tau + sigma * np.sqrt(2 * step / tau) * noise[t, i]
            )
    return x[:n_steps]


def deco_rate(current, a, b, d):
    """H(I) of Deco et al. (2014), equation 3 and 4 (nA, Hz)."""
    u = a * current - b
    return u / (1 - np.exp(-d * u))


def deco_node(J=1.0, w_plus=1.4, n_steps=400_000, step=1e-4):
    """Gating variables and rates of one isolated node with the published constants, after relaxing from rest (no noise)."""
    s_e = s_i = 0.0
    for _ in range(n_steps // 100):
        for _ in range(100):
            i_e = 0.382 + w_plus * 0.15 * s_e - J * s_i
            i_i = 0.7 * 0.382 + 0.15 * s_e - s_i
            r_e, r_i = deco_rate(i_e, 310, 125, 0.16), deco_rate(i_i, 615, 177, 0.087)
            s_e += step * (-s_e / 0.1 + (1 - s_e) * 0.641 * r_e)
            s_i += step * (-s_i / 0.01 + r_i)
        if n_steps > 100 and abs(-s_e / 0.1 + (1 - s_e) * 0.641 * r_e) < 1e-12:
            break
    return s_e, s_i, r_e, r_i
