"""Integrators of stochastic networks with delays, in whole arrays and with the whole history kept.

Maruyama (1955), Heun and the classical Runge-Kutta step (Hairer, Norsett and Wanner 1993, doi:10.1007/978-3-540-78862-1), the
noise of a step added at its end; a Stratonovich amplitude is the mean of those before and after the noise (Kloeden and Platen
1992, doi:10.1007/978-3-662-12616-5). Delayed values between two steps are the mean of those at the steps (linear interpolation).
"""

from __future__ import annotations

import numpy as np

NODES = {"euler": (0,), "heun": (0, 1), "rk4": (0, 0.5, 0.5, 1)}
WEIGHTS = {"euler": (1,), "heun": (0.5, 0.5), "rk4": (1 / 6, 1 / 3, 1 / 3, 1 / 6)}


def integrate(
    drift, start, step, n_steps, *, scheme="euler", amplitude=None, increments=None, stratonovich=False, send=None,
    weights=None, lags=None,
):  # fmt: skip
    """States before each step and after the last, shape (n_steps + 1, n_states, n).

    ``drift(x, c)`` and ``amplitude(x)`` take and return arrays (n_states, n); ``increments`` of the noise (n_steps, n_states, n);
    ``send(x)`` what is sent (n,), ``weights`` (row receives) and ``lags`` in steps. Before the start everything was as it starts.
    """
    path = np.zeros((n_steps + 1, *np.shape(start)))
    path[0] = start
    for t in range(n_steps):
        x, noise = path[t], 0.0
        if amplitude is not None:
            before = amplitude(x)
            after = amplitude(x + before * increments[t]) if stratonovich else before
            noise = (before + after) / 2 * increments[t]
        slopes, guess = [], x
        for k, node in enumerate(NODES[scheme]):
            if k:
                guess = x + step * node * slopes[-1] + (noise if scheme == "heun" else 0.0)
            received = 0.0 if weights is None else _received(path, t, node, guess, send, weights, lags)
            slopes.append(drift(guess, received))
        path[t + 1] = x + step * sum(w * slope for w, slope in zip(WEIGHTS[scheme], slopes, strict=True)) + noise
    return path


def _received(path, t, node, guess, send, weights, lags):
    """What regions receive at time t + node (in steps), where the states are guessed to be ``guess``."""
    n = len(weights)
    received = np.zeros(n)
    for i in range(n):
        for j in range(n):
            if lags[i, j] == 0:
                value = send(guess)[j]
            else:
                value = (1 - node) * send(path[max(t - lags[i, j], 0)])[j]
                value += node * send(path[max(t + 1 - lags[i, j], 0)])[j]
            received[i] += weights[i, j] * value
    return received


def refined(increments, step, parts, rng):
    """Increments of the same Brownian paths at a step ``parts`` times finer, shape (n_steps parts, ...): bridges are drawn between."""
    n_steps, *rest = increments.shape
    bridges = rng.standard_normal((n_steps, parts, *rest)) * np.sqrt(step / parts)
    bridges -= bridges.mean(axis=1, keepdims=True)
    return (bridges + increments[:, None] / parts).reshape(n_steps * parts, *rest)
