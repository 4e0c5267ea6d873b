"""What differs between the subjects of a NetSim case before anything runs: weights, inputs, hemodynamic constants.

    dz/dt = sigma (W - 1) z + C u        weights[target, source], C[node, input] in 1/s

The blood's constants scatter by Friston's (2003, doi:10.1016/S1053-8119(03)00202-7) prior covariance, rounded as in the authors'
balloon_defaults.m (same place as the cases' script) and without what links kappa and gamma to the rest: kappa and gamma always,
tau, alpha and E0 by four times it, which gives a delay of +-0.5 s, or not at all; none falls below 0.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.hemodynamics_parameters import CONSTANTS, presets, relative_covariance
from fakeimaging.activity.models.netsim import NOISE_STEP, NetsimParameters, draw_weights, ring_links
from fakeimaging.activity.netsim.cases import MORE_LINKS, Case
from fakeimaging.core.arrays import frozen
from fakeimaging.core.streams import Streams

Array = npt.NDArray[np.float64]
NEURAL = NetsimParameters()
SHARE = 0.3
"""Strength of another node's input, where inputs are shared (the cases' script)."""
GATE_RATES = (0.05, 0.03)
"""Rates in 1/s at which the inputs that gate connections turn on and off (the cases' script)."""
SPREAD = 4.0
"""Factor of the covariance of tau, alpha and E0 where there is variability (nma_rsns_thesis.m)."""
LEAST = 0.1
"""Lowest value of each constant in its own unit (nma_rsns_thesis.m)."""
DIGITS = 4
"""To which the authors rounded the covariance in their units (balloon_defaults.m)."""


@dataclass(frozen=True, eq=False)
class Network:
    """One subject's.

    Parameters
    ----------
    weights : ndarray, shape (n_nodes, n_nodes)
        Row receives, column sends; without the leak.
    inputs : ndarray, shape (n_nodes, n_inputs), 1/s
        C.
    rates : ndarray, shape (n_inputs, 2), 1/s
        At which each input turns on and off.
    gates : ndarray of int, shape (n_gates, 3)
        Target, source and input, counted from 0, of each connection that an input gates.
    constants : dict of ndarray, shape (n_nodes,)
        kappa and gamma (1/s), tau (s), alpha, E0.
    input_noise : float
        SD of the white noise of each input at samples 5 ms apart, relative to the input.
    """

    weights: Array
    inputs: Array
    rates: Array
    gates: npt.NDArray[np.int64]
    constants: dict[str, Array] = field(repr=False)
    input_noise: float = NEURAL.input_noise


def input_strength(sigma: float) -> float:
    """Return C of a node's own input in 1/s: what brings z to the same height whatever the neural lag (nma_rsns_thesis.m).

    Examples
    --------
    >>> round(input_strength(20.0), 2), round(input_strength(10.0), 2)
    (7.61, 3.9)
    """
    lag = 1 / (NOISE_STEP * sigma)
    return 80 / sum(math.exp(-k / lag) for k in range(round(10 * lag) + 1))


def draw_network(case: Case, streams: Streams, *, halved: bool = False) -> Network:
    """Draw one subject of a case; ``halved`` is the second group of case 21."""
    weights = _weights(case, streams.at("weights").rng())
    if halved:
        weights[2, 1] *= 0.5
    inputs, rates = _inputs(case, streams.at("shared inputs").rng())
    targets, sources = np.nonzero(weights) if case.gate else (np.zeros(0, dtype=int),) * 2
    gates = np.column_stack([targets, sources, case.n_nodes + np.arange(len(targets))]).astype(np.int64)
    if case.gate:
        inputs = np.hstack([inputs, np.zeros((case.n_nodes, len(gates)))])
        rates = np.vstack([rates, np.tile(GATE_RATES, (len(gates), 1))])
    constants = draw_constants(case, rng=streams.at("hemodynamics").rng())
    return Network(frozen(weights), frozen(inputs), frozen(rates), frozen(gates), constants)


def _weights(case: Case, rng: np.random.Generator) -> Array:
    links = ring_links(case.n_nodes // 5) + list(MORE_LINKS if case.links == "more" else ())
    if case.links == "cyclic":
        links = [(5, 1) if link == (1, 5) else link for link in links]
    weights = np.zeros((case.n_nodes, case.n_nodes))
    for (source, target), weight in zip(links, draw_weights(len(links), rng=rng), strict=True):
        weights[target - 1, source - 1] = case.strength * weight
    if case.links == "backward":
        back = -draw_weights(4, rng=rng)
        weights[range(4), range(1, 5)] = np.where(rng.uniform(size=4) < 0.5, back, 0.0)
    return weights


def _inputs(case: Case, rng: np.random.Generator) -> tuple[Array, Array]:
    n = case.n_nodes
    relative = np.diag([1.0, *[case.other_inputs] * (n - 1)])
    others = ~np.eye(n, dtype=bool) & (rng.uniform(size=(n, n)) < case.shared_inputs)
    return input_strength(case.sigma) * np.where(others, SHARE, relative), np.tile((NEURAL.up, NEURAL.down), (n, 1))


def draw_constants(case: Case, *, rng: np.random.Generator) -> dict[str, Array]:
    """Draw the hemodynamic constants of each node, each shape (n_nodes,)."""
    mean, n = np.array([presets()["friston2003"][name] for name in CONSTANTS]), case.n_nodes
    covariance = np.round(relative_covariance() * np.outer(mean, mean), DIGITS)
    flow = rng.standard_normal((n, 2)) @ np.linalg.cholesky(covariance[:2, :2]).T
    balloon = rng.standard_normal((n, 3)) @ np.linalg.cholesky(covariance[2:, 2:]).T
    spread = np.hstack([flow, math.sqrt(SPREAD) * balloon if case.hrf_sd else 0 * balloon])
    drawn = np.maximum(mean + spread, LEAST)
    return {name: frozen(np.ascontiguousarray(drawn[:, k])) for k, name in enumerate(CONSTANTS)}
