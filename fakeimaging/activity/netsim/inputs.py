"""Inputs of NetSim: on/off or Gaussian, of the same mean, variance and autocovariance at every lag, on a grid of 5 ms.

    on/off      P(on at k + 1 | off) = up h      P(off | on) = down h                 (a Markov chain, Smith et al. 2011)
    Gaussian    w(k + 1) = rho w(k) + SD sqrt(1 - rho^2) xi,    u = mean + w         rho = 1 - (up + down) h

mean = up / (up + down), SD = sqrt(mean (1 - mean)); both start stationary (the authors' script starts off, which lasts 2 s). Both
carry white noise of SD 1/20 a sample. All that is linear is exact on that grid: `stepped` composes its steps to longer ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.models.netsim import NOISE_STEP
from fakeimaging.activity.netsim.networks import Network

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Steps:
    """A step of the linear system of z and, with Gaussian inputs, w: state' = transition state + held + spread normals.

    Parameters
    ----------
    transition : ndarray, shape (n_states, n_states)
    spread : ndarray, shape (n_states, n_states)
        Lower triangle: its product with its transpose is the covariance of the noise of a step.
    jumps : ndarray, shape (n_parts, n_states, n_inputs)
        What an input that is on from part k of the step adds by its end.
    rho : ndarray, shape (n_inputs,)
        Of w, a fine step.
    """

    transition: Array
    spread: Array
    jumps: Array
    rho: Array


def mean_and_sd(rates: Array) -> tuple[Array, Array]:
    """Return mean and SD of each input without its noise."""
    mean = rates[:, 0] / rates.sum(axis=1)
    return mean, np.sqrt(mean * (1 - mean))


def stepped(network: Network, sigma: float, n_parts: int, *, gaussian: bool) -> Steps:
    """Return the step over ``n_parts`` times 5 ms, inputs and their noise held for 5 ms each.

    It is exact, but with gates: those multiply states, so that all takes the Euler step of the authors' program.

    Parameters
    ----------
    network : Network
    sigma : float
        1/s.
    n_parts : int
    gaussian : bool
        Whether the inputs are states.
    """
    from scipy.linalg import expm

    n, n_inputs = network.inputs.shape
    flow = sigma * (network.weights - np.eye(n))
    once = np.eye(n) + flow * NOISE_STEP if len(network.gates) else expm(flow * NOISE_STEP)
    enter = np.linalg.solve(flow, (once - np.eye(n)) @ network.inputs)
    rho, (_, sd) = 1 - network.rates.sum(axis=1) * NOISE_STEP, mean_and_sd(network.rates)
    noise = network.input_noise**2 * enter @ enter.T
    if gaussian:
        once = np.block([[once, enter], [np.zeros((n_inputs, n)), np.diag(rho)]])
        change = np.diag(sd**2 * (1 - rho**2))
        noise = np.block([[noise, np.zeros((n, n_inputs))], [np.zeros((n_inputs, n)), change]])
        enter = np.vstack([enter, np.zeros((n_inputs, n_inputs))])
    transition, covariance, jumps = np.eye(len(once)), np.zeros_like(once), [np.zeros_like(enter)]
    for _ in range(n_parts):
        covariance = covariance + transition @ noise @ transition.T
        jumps.append(jumps[-1] + transition @ enter)
        transition = once @ transition
    return Steps(transition, np.linalg.cholesky(covariance), np.stack(jumps[:0:-1]), rho)


def switches(rates: Array, n_steps: int, *, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw when each input turns, in time order.

    Parameters
    ----------
    rates : ndarray, shape (n_inputs, 2), 1/s
    n_steps : int
        Of 5 ms.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of int, shape (n_switches, 3)
        Fine step, input, 1 for on or -1 for off; an input that starts on turns on at step 0.
    """
    found = []
    for number, (up, down) in enumerate(rates):
        on = rng.uniform() < up / (up + down)
        chances = np.array([down, up] if on else [up, down]) * NOISE_STEP
        times = [np.zeros(1, dtype=np.int64)] if on else [np.zeros(0, dtype=np.int64)]
        last, n_cycles = 0, int(n_steps * chances.prod() / chances.sum()) + 10
        while last < n_steps:
            stays = rng.geometric(np.tile(chances, n_cycles))
            times.append(last + np.cumsum(stays))
            last = int(times[-1][-1])
        at = np.concatenate(times)
        signs = np.where(np.arange(len(at)) % 2, -1, 1)
        found.append(np.column_stack([at, np.full(len(at), number), signs])[at < n_steps])
    table = np.concatenate(found)
    return np.ascontiguousarray(table[np.argsort(table[:, 0], kind="stable")])
