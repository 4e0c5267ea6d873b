"""Neural masses written from their papers, over all regions at once, and one loop in time that keeps the whole history.

Each function returns the time derivatives of the states, shape (n_states, n), in s; ``received`` is what arrives through the
tracts, ``stimulus`` what is added to the input of the excitatory cells. Defaults are the papers' constants.
"""

from __future__ import annotations

import numpy as np


def run(field, start, *, step, n_steps, scheme="euler", kicks=None, weights=None, lags=None, sent=None, limits=()):
    """States before each step and after the last, shape (n_steps + 1, n_states, n), by Euler-Maruyama or stochastic Heun.

    ``field(state, received)``; ``kicks`` of shape (n_steps, n_states, n) are what noise adds in each step; ``sent(state)`` is
    what arrives ``lags`` steps later (the past before the start is constant); ``limits`` holds (state, low, high).
    """
    x = np.zeros((n_steps + 1, *np.shape(start)))
    x[0] = start
    n = x.shape[2]
    history, source = np.zeros((n_steps + 1, n)), np.arange(n)

    def arriving(t):
        return 0.0 if weights is None else (weights * history[np.maximum(t - lags, 0), source]).sum(axis=1)

    for t in range(n_steps):
        kick = 0.0 if kicks is None else kicks[t]
        history[t] = 0.0 if sent is None else sent(x[t])
        slope = field(x[t], arriving(t))
        if scheme == "heun":
            ahead = x[t] + step * slope + kick
            history[t + 1] = 0.0 if sent is None else sent(ahead)
            slope = (slope + field(ahead, arriving(t + 1))) / 2
        x[t + 1] = x[t] + step * slope + kick
        for row, low, high in limits:
            x[t + 1, row] = np.clip(x[t + 1, row], low, high)
    return x


def wilson_cowan(state, received=0.0, *, stimulus=0.0, P=1.25, Q=0.0, G=0.0, tau=8e-3):
    """Wilson & Cowan (1972), equations 11 to 13 with the constants of the limit cycle."""
    e, i = state

    def share(x, a, theta):
        return 1 / (1 + np.exp(-a * (x - theta))) - 1 / (1 + np.exp(a * theta))

    k_e, k_i = 1 - 1 / (1 + np.exp(1.3 * 4)), 1 - 1 / (1 + np.exp(2 * 3.7))
    to_e, to_i = 16 * e - 12 * i + P + G * received + stimulus, 15 * e - 3 * i + Q
    return np.array([-e + (k_e - e) * share(to_e, 1.3, 4), -i + (k_i - i) * share(to_i, 2, 3.7)]) / tau


def jansen_rit(state, received=0.0, *, stimulus=0.0, p=220.0, G=0.0):
    """Jansen & Rit (1995), equation 6: six first-order equations; ``received`` in pulses/s."""
    y0, y1, y2, y3, y4, y5 = state
    A, B, a, b, C = 3.25, 22, 100, 50, 135
    return np.array(
        [
            y3,
            y4,
            y5,
            A * a * pulses(y1 - y2) - 2 * a * y3 - a**2 * y0,
            A * a * (p + stimulus + G * received + 0.8 * C * pulses(C * y0)) - 2 * a * y4 - a**2 * y1,
            B * b * 0.25 * C * pulses(0.25 * C * y0) - 2 * b * y5 - b**2 * y2,
        ]
    )


def pulses(v):
    """Sigmoid of Jansen & Rit (1995): pulses/s at a potential in mV."""
    return 5 / (1 + np.exp(0.56 * (6 - v)))


def wong_wang_rate(x):
    """Firing rate in Hz of Deco et al. (2013) at a current in nA."""
    return (270 * x - 108) / (1 - np.exp(-0.154 * (270 * x - 108)))


def reduced_wong_wang(state, received=0.0, *, stimulus=0.0, w=0.9, G=0.0):
    """Deco et al. (2013), equations 8 to 10, time in s."""
    (s,) = state
    rate = wong_wang_rate(w * 0.2609 * s + G * 0.2609 * received + 0.3 + stimulus)
    return np.array([-s / 0.1 + (1 - s) * 0.641 * rate])


def deco2014(state, received=0.0, *, stimulus=0.0, G=0.0, J=1.0, w_plus=1.4):
    """Deco et al. (2014), equations 1 to 6, time in s."""
    s_e, s_i = state
    u_e = 310 * (0.382 + w_plus * 0.15 * s_e + G * 0.15 * received - J * s_i + stimulus) - 125
    u_i = 615 * (0.7 * 0.382 + 0.15 * s_e - s_i) - 177
    r_e, r_i = u_e / (1 - np.exp(-0.16 * u_e)), u_i / (1 - np.exp(-0.087 * u_i))
    return np.array([-s_e / 0.1 + (1 - s_e) * 0.641 * r_e, -s_i / 0.01 + r_i])


def montbrio_pazo_roxin(state, received=0.0, *, stimulus=0.0, eta=-5.0, J=15.0, Delta=1.0, G=0.0, tau=1.0):
    """Montbrio et al. (2015), equation 12, with a time constant; rates times tau have no unit."""
    r, v = state
    x = tau * r
    current = eta + stimulus + J * x + G * tau * received
    return np.array([(Delta / np.pi + 2 * x * v) / tau**2, (v**2 + current - (np.pi * x) ** 2) / tau])


def epileptor(state, received=0.0, *, stimulus=0.0, x0=-1.6, K=0.0, row_sum=1.0, unit=1.0):
    """Jirsa et al. (2014), supplementary form with six states, permittivity coupled as in Proix et al. (2014); ``unit`` in s."""
    x1, y1, z, x2, y2, u = state
    f1 = np.where(x1 < 0, x1**3 - 3 * x1**2, (x2 - 0.6 * (z - 4) ** 2) * x1)
    f2 = np.where(x2 < -0.25, 0.0, 6 * (x2 + 0.25))
    return (
        np.array(
            [
                y1 - f1 - z + 3.1 + stimulus,
                1 - 5 * x1**2 - y1,
                (4 * (x1 - x0) - z - K * (received - row_sum * x1)) / 2857,
                -y2 + x2 - x2**3 + 0.45 + 2 * u - 0.3 * (z - 3.5),
                (-y2 + f2) / 10,
                -0.01 * (u - 0.1 * x1),
            ]
        )
        / unit
    )
