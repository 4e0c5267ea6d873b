"""Wilson-Cowan model of an excitatory and an inhibitory population (Wilson & Cowan 1972).

    tau dE = [-E + (k_e - r_e E) S_e(c1 E - c2 I + P + G sum_j C_ij E_j(t - d_ij) + stimulus)] dt + sigma sqrt(2 tau) dW_E
    tau dI = [-I + (k_i - r_i I) S_i(c3 E - c4 I + Q)] dt + sigma sqrt(2 tau) dW_I
    S(u) = 1 / (1 + exp(-a (u - theta))) - 1 / (1 + exp(a theta)),   k = 1 - 1 / (1 + exp(a theta))

E and I are the shares of cells that are active, inputs and stimulus have no unit, tau is in s. Constants are those of the paper's
limit cycle, which its input P = 1.25 sets off (25 Hz); by default P lies lower, and noise and coupling start the cycles. Ours
(assumed) are the noise, of SD sigma without feedback, coupling and delays, that neither share falls below 0, the firing rate,
proportional to E, and the dipole, proportional to how far E is from rest. With the defaults regions of the built-in subject are hardly
correlated (mean functional connectivity below 0.03), at a `G` of 3 too.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.functions import sigmoid
from fakeimaging.activity.model import Model, Observable, Setup
from fakeimaging.activity.roots import lowest_root
from fakeimaging.activity.wiring import WiringParameters, everywhere, wiring
from fakeimaging.core.citations import Reference
from fakeimaging.core.parameters import parameter
from fakeimaging.structure.subject import Subject

PAPER = "Wilson & Cowan 1972, doi:10.1016/S0006-3495(72)86068-5"
Array = npt.NDArray[np.float64]


class WilsonCowanParameters(WiringParameters):
    """Parameters of the Wilson-Cowan model."""

    tau: float = parameter(0.008, unit="s", bounds=(0.001, 1), symbol="tau", source=PAPER, description="membrane")
    c1: float = parameter(16.0, unit="1", bounds=(0, 100), symbol="c_1", source=PAPER, description="E to E")
    c2: float = parameter(12.0, unit="1", bounds=(0.1, 100), symbol="c_2", source=PAPER, description="I to E")
    c3: float = parameter(15.0, unit="1", bounds=(0, 100), symbol="c_3", source=PAPER, description="E to I")
    c4: float = parameter(3.0, unit="1", bounds=(0, 100), symbol="c_4", source=PAPER, description="I to I")
    a_e: float = parameter(1.3, unit="1", bounds=(0.01, 20), symbol="a_e", source=PAPER, description="slope of E")
    theta_e: float = parameter(
        4.0, unit="1", bounds=(0, 50), symbol="theta_e", source=PAPER, description="threshold of E"
    )
    a_i: float = parameter(2.0, unit="1", bounds=(0.01, 20), symbol="a_i", source=PAPER, description="slope of I")
    theta_i: float = parameter(
        3.7, unit="1", bounds=(0, 50), symbol="theta_i", source=PAPER, description="threshold of I"
    )
    r_e: float = parameter(1.0, unit="1", bounds=(0, 10), symbol="r_e", source=PAPER, description="refractoriness of E")
    r_i: float = parameter(1.0, unit="1", bounds=(0, 10), symbol="r_i", source=PAPER, description="refractoriness of I")
    P: float = parameter(
        1.0, unit="1", bounds=(-20, 20), symbol="P", description="input to E; 1.25 for the paper's cycle"
    )
    Q: float = parameter(0.0, unit="1", bounds=(-20, 20), symbol="Q", source=PAPER, description="input to I")
    G: float = parameter(1.2, unit="1", bounds=(0, 100), symbol="G", description="global coupling")
    sigma: float = parameter(
        0.01, unit="1", bounds=(0, 1), symbol="sigma", description="SD of the noise without feedback"
    )
    rate_scale: float = parameter(100.0, unit="Hz", bounds=(0, 1000), description="firing rate of E = 1")
    dipole_density: float = parameter(1.0, unit="nAm/mm2", bounds=(0, 100), description="cortical dipole of E = 1")


def active(u, a, theta, k):  # type: ignore[no-untyped-def]
    """Share of cells above threshold at an input, 0 without any; at most k."""
    return sigmoid(a * (u - theta)) - (1.0 - k)


def drift(  # type: ignore[no-untyped-def]
    E, I, coupled_E, stimulus, c1, c2, c3, c4, a_e, theta_e, a_i, theta_i, r_e, r_i, k_e, k_i, P, Q, G, tau  # noqa: E741
):  # fmt: skip
    """Time derivatives of E and I in 1/s."""
    u_e, u_i = c1 * E - c2 * I + P + G * coupled_E + stimulus, c3 * E - c4 * I + Q
    return (
        ((k_e - r_e * E) * active(u_e, a_e, theta_e, k_e) - E) / tau,
        ((k_i - r_i * I) * active(u_i, a_i, theta_i, k_i) - I) / tau,
    )


def diffusion(tau, sigma):  # type: ignore[no-untyped-def]
    """Amplitude of the noise per square root of second."""
    return (sigma * math.sqrt(2.0 / tau), sigma * math.sqrt(2.0 / tau))


def rate(E, rate_scale):  # type: ignore[no-untyped-def]
    """Firing rate in Hz."""
    return rate_scale * E


def dipole(E, rest, moment):  # type: ignore[no-untyped-def]
    """Dipole moment per cortical area in nAm/mm2, positive towards the pia."""
    return moment * (E - rest)


def largest_shares(parameters: Any) -> tuple[Array, Array]:
    """Return k_e and k_i."""
    p = parameters
    return _logistic(p.a_e * p.theta_e), _logistic(p.a_i * p.theta_i)


def resting_state(parameters: Any, received: Array) -> tuple[Array, Array]:
    """Return E and I of the lowest fixed point of each region in a network of its like.

    Parameters
    ----------
    parameters : WilsonCowanParameters
    received : ndarray, shape (n_regions,)
        Sum of each row of the weights.
    """
    p, (k_e, k_i) = parameters, largest_shares(parameters)

    def inhibitory(E: Array) -> Array:
        share = np.clip(E / (k_e - p.r_e * E) + 1 - k_e, 1e-300, 1 - 1e-16)
        u = p.theta_e + np.log(share / (1 - share)) / p.a_e
        return np.asarray(((p.c1 + p.G * received) * E + p.P - u) / p.c2)

    def excess(E: Array) -> Array:
        I = inhibitory(E)  # noqa: E741
        arriving = _logistic(p.a_i * (p.c3 * E - p.c4 * I + p.Q - p.theta_i)) - (1 - k_i)
        return np.asarray((k_i - p.r_i * I) * arriving - I)

    ends = [(k_e * share / (1 + p.r_e * share)) for share in (k_e - 1, k_e)]
    grid = np.linspace(float(np.max(ends[0])), float(np.min(ends[1])), 5001)[1:-1]
    E = lowest_root(excess, grid, len(received), "model wilson_cowan: no E")
    return E, inhibitory(E)


def _logistic(x: Any) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.asarray(x, dtype=float))))


def prepare(parameters: WilsonCowanParameters, subject: Subject, step: float) -> Setup:
    """Start at rest."""
    p: Any = parameters
    coupling = wiring(p, subject)
    (E, I), (k_e, k_i) = resting_state(p, coupling.sum(axis=1)), largest_shares(p)  # noqa: E741
    derived = {"k_e": k_e, "k_i": k_i, "rest": E, "moment": everywhere(subject, p.dipole_density)}
    return Setup(coupling, {"E": E, "I": I}, derived)


MODEL = Model(
    name="wilson_cowan",
    parameters=WilsonCowanParameters,
    states=("E", "I"),
    coupled=("E",),
    drift=drift,
    driven=(("E", 0), ("I", 1)),
    diffusion=diffusion,
    observables={"rate": Observable(rate, "Hz", 50.0), "dipole": Observable(dipole, "nAm/mm2", 250.0, past=False)},
    prepare=prepare,
    limits={"E": (0.0, 1.0), "I": (0.0, 1.0)},
    scheme="heun",
    step=5e-4,
    stimulus_unit="1",
    largest_stimulus=100.0,
    references=(
        Reference("Wilson and Cowan", 1972, "10.1016/S0006-3495(72)86068-5", "excitatory and inhibitory populations"),
    ),
)
