"""What every simulator of `network.py` must find, computed here from the equations of `peers/common.py` and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from common import S_E, S_I, START_X, STEP, Task, orbit, orbit_measures  # noqa: E402

TOLERANCES = {"rate_uncoupled": 0.005, "rate_coupled": 0.005, "sd_S_E": 0.1, "sd_x": 0.1}
TOLERANCES |= {
    f"{what}_{how}": limit
    for what, limit in (("amplitude", 0.02), ("frequency", 0.005))
    for how in ("uncoupled", "coupled")
}
"""Relative; the SDs come from 4 s, about 3 % of sampling error each, and one scheme is not Euler's."""


def truths(task: Task) -> dict[str, float]:
    """Return the expected value of each check of a case."""
    if task.case == "hopf_delays":
        free, bound = (
            orbit_measures(oscillators(orbit(task, k)), n) for k, n in ((0.0, "uncoupled"), (task.coupling, "coupled"))
        )
        return {**free, **bound, "sd_x": oscillator_sd(task)}
    uncoupled, coupled = (fixed_point(task.weights, coupling) for coupling in (0.0, task.coupling))
    rates = [
        float(_rates(state, task.weights, g)[0].mean()) for state, g in ((uncoupled, 0.0), (coupled, task.coupling))
    ]
    return {"rate_uncoupled": rates[0], "rate_coupled": rates[1], "sd_S_E": gating_sd(task, coupled)}


def _response(current: np.ndarray, a: float, b: float, d: float) -> np.ndarray:
    u = a * current - b
    return u / -np.expm1(-d * u)


def _rates(state: np.ndarray, weights: np.ndarray, coupling: float) -> tuple[np.ndarray, np.ndarray]:
    gating, inhibition = state
    current = 0.382 + 0.15 * (1.4 * gating + coupling * weights @ gating) - inhibition
    return _response(current, 310, 125, 0.16), _response(0.7 * 0.382 + 0.15 * gating - inhibition, 615, 177, 0.087)


def drift(state: np.ndarray, weights: np.ndarray, coupling: float) -> np.ndarray:
    """Time derivative of (S_E, S_I) per ms, shape (2, n_regions)."""
    excitatory, inhibitory = _rates(state, weights, coupling)
    gating, inhibition = state
    return np.stack([-gating / 100 + (1 - gating) * 0.641e-3 * excitatory, -inhibition / 10 + 1e-3 * inhibitory])


def fixed_point(weights: np.ndarray, coupling: float) -> np.ndarray:
    """Where (S_E, S_I) comes to rest from the start of every run, by Euler steps of 1 ms."""
    state = np.tile([[S_E], [S_I]], len(weights))
    for _ in range(20_000):
        state = state + drift(state, weights, coupling)
    return state


def gating_sd(task: Task, state: np.ndarray) -> float:
    """SD of S_E of the equations linearised around rest (Lyapunov equation)."""
    from scipy.linalg import solve_continuous_lyapunov

    size = state.size
    columns = [_slope(state, task, np.eye(size)[k].reshape(state.shape)) for k in range(size)]
    covariance = solve_continuous_lyapunov(np.stack(columns, axis=1), -(task.sigma**2) * np.eye(size))
    return float(np.sqrt(np.diag(covariance)[: task.n_regions].mean()))


def _slope(state: np.ndarray, task: Task, direction: np.ndarray, h: float = 1e-6) -> np.ndarray:
    up, down = (drift(state + side * h * direction, task.weights, task.coupling) for side in (1, -1))
    return ((up - down) / (2 * h)).ravel()


def oscillators(task: Task) -> np.ndarray:
    """x each ms of the noise-free oscillators by Euler steps, shape (n_ms, n_regions)."""
    n, span = task.n_regions, int(task.delays.max())
    past, y, columns = np.full((span + 1 + task.n_steps, n), START_X), np.zeros(n), np.arange(n)
    for now in range(span, span + task.n_steps):
        x = past[now]
        arriving = (task.weights * (past[now - task.delays, columns] - x[:, None])).sum(axis=1)
        radial = task.growth - x**2 - y**2
        past[now + 1] = x + STEP * (radial * x - task.frequency * y + task.coupling * arriving)
        y = y + STEP * (radial * y + task.frequency * x)
    return past[span + round(1 / STEP) :: round(1 / STEP)]


def oscillator_sd(task: Task, n: int = 4096) -> float:
    """SD of x of the linear part with its delays and Euler steps: its spectrum summed over the unit circle."""
    size, k = task.n_regions, task.coupling
    # Half of the points lie within 50 Hz, where the resonance is; none beyond 500 Hz, where nothing is left.
    edges = np.concatenate([np.linspace(0, 0.05, n // 2), np.linspace(0.05, 0.5, n // 4)[1:]])
    power = np.array([_power(task, 2 * np.pi * f * STEP, size, k) for f in edges])
    return float(np.sqrt(2 * np.trapezoid(power, edges)))


def _power(task: Task, angle: float, size: int, k: float) -> float:
    z, eye = np.exp(1j * angle), np.eye(size)
    own = (task.growth - k) * eye + k * task.weights * z ** -task.delays.astype(float)
    # x and y: eliminate y = w x / (s - a) + noise, s = (z - 1) / step
    s = (z - 1) / STEP
    inverse = np.linalg.inv(s * eye - own + task.frequency**2 / (s - task.growth) * eye)
    gain = np.abs(inverse) ** 2 * (1 + np.abs(task.frequency / (s - task.growth)) ** 2)
    return float(task.sigma**2 * gain.sum() / size)
