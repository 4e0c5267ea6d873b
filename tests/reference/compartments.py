"""Slow second implementations of tracer kinetics: ordinary differential equations, closed forms from the convolution integral."""

import numpy as np
from scipy.integrate import quad, solve_ivp


def by_ode(plasma, K1, k2, k3, k4, times, breaks=()):
    """F + B of one tissue at ``times`` (min), by an adaptive solver restarted at each break of the input."""
    return free_and_bound_by_ode(plasma, K1, k2, k3, k4, times, breaks).sum(axis=0)


def free_and_bound_by_ode(plasma, K1, k2, k3, k4, times, breaks=(), most=np.inf):
    """F and B, shape (2, n_times); rates are numbers or functions of time, and ``most`` is how much B the sites hold."""

    def rhs(t, y):
        f, b = y
        k = [rate(t) if callable(rate) else rate for rate in (K1, k2, k3, k4)]
        on = k[2] * (1 - b / most)
        return [k[0] * float(plasma(t)) - (k[1] + on) * f + k[3] * b, on * f - k[3] * b]

    return _stepped(rhs, 2, times, breaks)


def displaced_by_ode(plasma, K1, k2_prime, R1, k2, outflow, times, breaks=()):
    """Target of lp-ntPET, dCT/dt = R1 dCR/dt + k2 CR - outflow(t) CT, beside the reference region that it is written in."""

    def rhs(t, y):
        target, reference = y
        change = K1 * float(plasma(t)) - k2_prime * reference
        return [R1 * change + k2 * reference - outflow(t) * target, change]

    return _stepped(rhs, 2, times, breaks)[0]


def _stepped(rhs, n, times, breaks):
    stops = sorted({0.0, *breaks, *np.asarray(times).tolist()})
    state, found = np.zeros(n), {0.0: np.zeros(n)}
    for start, end in zip(stops[:-1], stops[1:], strict=True):
        middle = start + 1e-9 * (end - start)
        solution = solve_ivp(rhs, (middle, end - 1e-9 * (end - start)), state, method="DOP853", rtol=1e-11, atol=1e-13)
        state = solution.y[:, -1]
        found[end] = state
    return np.stack([found[float(t)] for t in times], axis=1)


def convolved(curve, kernel, t, breaks=()):
    """The integral of curve(u) kernel(t - u) from 0 to ``t``, by adaptive quadrature between the breaks."""
    stops = [0.0, *sorted(b for b in breaks if 0 < b < t), t]
    return sum(
        quad(lambda u: float(curve(u)) * kernel(t - u), a, b, epsabs=0, epsrel=1e-12, limit=400)[0]
        for a, b in zip(stops[:-1], stops[1:], strict=True)
    )


def exponential_through_one_tissue(t, K1, k2, rate):
    """K1 exp(-k2 t) convolved with exp(-rate t)."""
    if k2 == rate:
        return K1 * t * np.exp(-k2 * t)
    return K1 / (k2 - rate) * (np.exp(-rate * t) - np.exp(-k2 * t))


def ramp_through_one_tissue(t, K1, k2, rate):
    """K1 exp(-k2 t) convolved with t exp(-rate t), rate not k2."""
    d = k2 - rate
    return K1 * ((t / d - 1 / d**2) * np.exp(-rate * t) + np.exp(-k2 * t) / d**2)


def feng_through_one_tissue(t, K1, k2, amplitudes, rates):
    a1, a2, a3 = amplitudes
    l1, l2, l3 = rates
    total = a1 * ramp_through_one_tissue(t, K1, k2, l1)
    for a, rate in ((-(a2 + a3), l1), (a2, l2), (a3, l3)):
        total = total + a * exponential_through_one_tissue(t, K1, k2, rate)
    return total


def rise_and_fall_through_one_tissue(t, K1, k2, start, peak, amplitudes, rates):
    """Linear rise, then exponentials: three stretches, each solved by hand."""
    slope = sum(amplitudes) / (peak - start)

    def during(u):
        # (z + exp(-z) - 1) / z^2 as a series in z = k2 u, which loses no digits where z is small.
        z, term, total = k2 * u, np.full_like(u, 0.5), np.full_like(u, 0.5)
        for n in range(3, 25):
            term = -term * z / n
            total = total + term
        return K1 * slope * u**2 * total

    u, v = np.clip(t - start, 0, peak - start), np.maximum(t - peak, 0)
    after = during(u) * np.exp(-k2 * v)
    for a, rate in zip(amplitudes, rates, strict=True):
        after = after + a * exponential_through_one_tissue(v, K1, k2, rate)
    return after


def two_tissues(one_tissue, K1, k2, k3, k4):
    """Two tissue compartments as a sum of two of one: ``one_tissue(K1, k2)`` gives the curve of each."""
    total = k2 + k3 + k4
    root = np.sqrt(total**2 - 4 * k2 * k4)
    a1, a2 = (total - root) / 2, (total + root) / 2
    share = K1 / (a2 - a1)
    return one_tissue(share * (k3 + k4 - a1), a1) + one_tissue(share * (a2 - k3 - k4), a2)


def full_reference_tissue(reference, t, R1, k2, k3, k4, breaks=()):
    """The operational equation of FRTM as printed: a reference curve convolved with two exponentials."""
    s, r = k2 + k3 + k4, k2 / R1
    p = np.sqrt(s**2 - 4 * k2 * k4)
    c, d = (s + p) / 2, (s - p) / 2
    a, b = (k3 + k4 - c) * (c - r) / p, (d - k3 - k4) * (d - r) / p
    kernel = lambda u: a * np.exp(-c * u) + b * np.exp(-d * u)  # noqa: E731
    return R1 * (float(reference(t)) + convolved(reference, kernel, t, breaks))
