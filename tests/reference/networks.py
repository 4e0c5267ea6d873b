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


def deco_set_point(rate, sigma):
    """Currents and gating variables at which the rate averaged over Gaussian current noise is ``rate`` (Hz)."""
    from scipy.integrate import quad
    from scipy.optimize import brentq

    def mean_rate(current):
        if sigma == 0:
            return deco_rate(current, 310, 125, 0.16)
        return quad(
            lambda n: deco_rate(current + sigma * n, 310, 125, 0.16) * np.exp(-n * n / 2) / np.sqrt(2 * np.pi), -8, 8
        )[0]

    i_e = brentq(lambda current: mean_rate(current) - rate, 0.2, 0.6, xtol=1e-13)
    s_e = 0.641 * rate * 0.1 / (1 + 0.641 * rate * 0.1)
    s_i = brentq(lambda s: 0.01 * deco_rate(0.7 * 0.382 + 0.15 * s_e - s, 615, 177, 0.087) - s, 0, 1, xtol=1e-14)
    return i_e, s_e, s_i


def dmf_network(weights, lag_steps, noise, *, G, J, gains, filter_times, step, start, alpha, stimulus=None, w_plus=1.0):
    """Excitatory rate, current and drive (1/f and alpha) before each step, each shape (n_steps, n), the whole history kept.

    Deco et al. (2014) with 1/f current noise, Euler, and an alpha resonator. ``noise`` has shape (n_steps, 3, n); ``alpha`` holds
    growth, omega, drive and coupling of each region; ``start`` rate, S_E and S_I; ``stimulus`` nA before each step.
    """
    n_steps, _, n = noise.shape
    target, s_e, s_i = (np.array(values, dtype=float) for values in start)
    filters, z, slow = np.zeros((len(gains), n)), np.zeros(n, dtype=complex), target.copy()
    sent_s, sent_x = np.zeros((n_steps, n)), np.zeros((n_steps, n))
    rates, currents, drives = (np.zeros((n_steps, n)) for _ in range(3))
    source, s_start = np.arange(n), s_e.copy()
    for t in range(n_steps):
        sent_s[t], sent_x[t] = s_e, z.real
        then = t - lag_steps
        past_s = np.where(then >= 0, sent_s[np.maximum(then, 0), source], s_start)
        past_x = np.where(then >= 0, sent_x[np.maximum(then, 0), source], 0.0)
        drives[t] = filters.sum(axis=0) + 0.008 * z.real
        i_e = 0.382 + w_plus * 0.15 * s_e + G * 0.15 * (weights * past_s).sum(axis=1) - J * s_i + drives[t]
        i_e = i_e + (0.0 if stimulus is None else stimulus[t])
        r_e, r_i = deco_rate(i_e, 310, 125, 0.16), deco_rate(0.7 * 0.382 + 0.15 * s_e - s_i, 615, 177, 0.087)
        rates[t], currents[t] = r_e, i_e
        loss = 6.0 * (slow - target) / target + 0.5 * np.abs(z) ** 2
        grown = (1 - np.exp(-alpha["growth"] * step)) / alpha["growth"]
        pushed = z + grown * (-loss * z + alpha["coupling"] * (weights * past_x).sum(axis=1))
        turned = np.exp((alpha["growth"] + 1j * alpha["omega"]) * step) * pushed
        spread = np.sqrt((np.exp(2 * alpha["growth"] * step) - 1) / (2 * alpha["growth"]))
        z = turned + spread * alpha["drive"] * (noise[t, 1] + 1j * noise[t, 2])
        filters = filters + [
            -step * f / tau + g * np.sqrt(step) / tau * noise[t, 0]
            for f, tau, g in zip(filters, filter_times, gains, strict=True)
        ]
        slow = slow + step * (r_e - slow) / 0.1
        s_e, s_i = s_e + step * ((1 - s_e) * 0.641 * r_e - s_e / 0.1), s_i + step * (r_i - s_i / 0.01)
    return rates, currents, drives
