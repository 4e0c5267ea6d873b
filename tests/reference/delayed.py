"""Networks with delays and without noise, by Heun's rule over the whole history; each model in the notation of its paper."""

from __future__ import annotations

import numpy as np


def solve(derivative, sent, start, weights, delays, step, n_steps):
    """States before each step, shape (n_steps, n_states, n). ``derivative(y, received)``; the past before the start is constant.

    ``sent(y)``, shape (n_signals, n), leaves each region; ``received`` is the weighted sum of what arrives.
    """
    lag = np.rint(np.asarray(delays) / step).astype(int)
    y = np.array(start, dtype=float)
    states, history = [], []

    def received(t):
        total = np.zeros_like(history[0])
        for i in range(total.shape[1]):
            for j in np.flatnonzero(weights[i]):
                total[:, i] += weights[i, j] * history[max(t - lag[i, j], 0)][:, j]
        return total

    for t in range(n_steps):
        states.append(y)
        history.append(sent(y))
        first = derivative(y, received(t))
        guess = y + step * first
        history.append(sent(guess))  # what a delay of 0 delivers at the end of the step
        second = derivative(guess, received(t + 1))
        history.pop()
        y = y + step * (first + second) / 2
    return np.array(states)


def linear(weights, delays, *, tau, gain, current, step, n_steps):
    """x of tau x' = -x + g C x(t - d) + I from rest, I constant, shape (n,)."""
    rest = [np.zeros(len(weights))]
    return solve(lambda x, c: (gain * c - x + current) / tau, lambda x: x, rest, weights, delays, step, n_steps)[:, 0]


def stuart_landau(weights, delays, *, a, omega, G, start, step, n_steps):
    """z of Deco et al. (2017), shape (n_steps, n), complex."""
    strength = weights.sum(axis=1)

    def derivative(y, received):
        z, arriving = y[0] + 1j * y[1], received[0] + 1j * received[1]
        dz = (a + 1j * omega - np.abs(z) ** 2) * z + G * (arriving - strength * z)
        return np.array([dz.real, dz.imag])

    y = solve(derivative, lambda y: y, [start.real, start.imag], weights, delays, step, n_steps)
    return y[:, 0] + 1j * y[:, 1]


def phase_slope(theta, sines, cosines, *, omega, K, stimulus=0.0):
    """theta' in rad/s of Kuramoto (1984) where weighted sums of sines and cosines arrive; the stimulus adds to the frequency."""
    return omega + stimulus + K * (sines * np.cos(theta) - cosines * np.sin(theta))


def kuramoto(weights, delays, *, omega, K, start, step, n_steps):
    """Phases: theta' = w + K sum C sin(theta_j(t - d) - theta_i), the sine of a difference written by products."""

    def derivative(theta, received):
        return phase_slope(theta, received[:1], received[1:], omega=omega, K=K)

    def sent(theta):
        return np.array([np.sin(theta[0]), np.cos(theta[0])])

    return solve(derivative, sent, [start], weights, delays, step, n_steps)[:, 0]


def mean_field_kuramoto(omega, K, *, step, n_steps, start):
    """Order parameter |mean exp(i theta)| of Kuramoto's all-to-all network at each step: each phase is pulled by the mean field."""
    theta, found = np.array(start, dtype=float), []
    for _ in range(n_steps):
        field = np.exp(1j * theta).mean()
        found.append(abs(field))
        first = omega + K * (field * np.exp(-1j * theta)).imag
        guess = theta + step * first
        field = np.exp(1j * guess).mean()
        theta = theta + step * (first + omega + K * (field * np.exp(-1j * guess)).imag) / 2
    return np.array(found)


def fitzhugh_nagumo(weights, delays, *, tau, a, b, phi, current, G, start, step, n_steps):
    """v of FitzHugh (1961) with the sign of Nagumo, diffusively coupled; ``start`` is (v, w)."""
    strength = weights.sum(axis=1)

    def derivative(y, received):
        v, w = y
        arriving = G * (received[0] - strength * v)
        return np.array([v - v**3 / 3 - w + current + arriving, phi * (v + a - b * w)]) / tau

    return solve(derivative, lambda y: y[:1], start, weights, delays, step, n_steps)[:, 0]


def neuron_slope(x, received, *, tau, G, stimulus=0.0):
    """x' in 1/s of Hopfield (1984), equation 5; the stimulus is his I."""
    return (G * received + stimulus - x) / tau


def hopfield(weights, delays, *, tau, beta, G, start, step, n_steps):
    """x of Hopfield (1984) with V = tanh(beta x)."""

    def derivative(x, received):
        return neuron_slope(x, received, tau=tau, G=G)

    return solve(derivative, lambda x: np.tanh(beta * x), [start], weights, delays, step, n_steps)[:, 0]
