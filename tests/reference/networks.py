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


def pink_gains(filter_times, exponent, sd, step):
    """Gains tau^(exponent / 2) scaled so that the summed filters have this SD, by adding up their impulse response."""
    times = np.array(filter_times)
    gains = times ** (exponent / 2)
    decay = 1 - step / times
    n = int(12 * times.max() / step)
    response, variance = gains * np.sqrt(step) / times, 0.0
    for _ in range(n):
        variance += response.sum() ** 2
        response = response * decay
    return sd * gains / np.sqrt(variance)


def dmf_network(weights, lag_steps, noise, *, G, J, gains, filter_times, step, start, w_plus=1.0):
    """Excitatory rate before each step, shape (n_steps, n): Deco et al. (2014) with 1/f current noise, Euler, whole history kept."""
    n_steps, n = noise.shape
    s_e, s_i = np.full(n, start[0]), np.full(n, start[1])
    filters = np.zeros((len(gains), n))
    history, rates = np.zeros((n_steps, n)), np.zeros((n_steps, n))
    source = np.arange(n)
    for t in range(n_steps):
        history[t] = s_e
        then = t - lag_steps
        past = np.where(then >= 0, history[np.maximum(then, 0), source], start[0])
        i_e = 0.382 + w_plus * 0.15 * s_e + G * 0.15 * (weights * past).sum(axis=1) - J * s_i + filters.sum(axis=0)
        i_i = 0.7 * 0.382 + 0.15 * s_e - s_i
        r_e, r_i = deco_rate(i_e, 310, 125, 0.16), deco_rate(i_i, 615, 177, 0.087)
        rates[t] = r_e
        filters = filters + [
            -step * f / tau + g * np.sqrt(step) / tau * noise[t]
            for f, tau, g in zip(filters, filter_times, gains, strict=True)
        ]
        s_e, s_i = s_e + step * ((1 - s_e) * 0.641 * r_e - s_e / 0.1), s_i + step * (r_i - s_i / 0.01)
    return rates
