"""Dynamic mean field of coupled excitatory and inhibitory populations (Deco et al. 2014), driven by 1/f noise.

    I_E = W_E I0 + w+ J_N S_E + G J_N sum_j C_ij S_E,j(t - d_ij) - J_i S_I + s xi        I_I = W_I I0 + J_N S_E - S_I
    r_k = u / (1 - exp(-d_k u)),  u = a_k I_k - b_k
    dS_E/dt = -S_E / tau_E + (1 - S_E) gamma r_E                                         dS_I/dt = -S_I / tau_I + r_I

Currents in nA, rates in Hz, times in s. C is the row-normalised connectome. Three choices differ from the paper, so that one
stable working point carries realistic functional connectivity (all `assumed`, measured in docs/architecture.md): w+ = 1, a
mean rate of 5 Hz, and 1/f current noise. The strength of the coupling is given as a dimensionless loop gain K of the whole
network, from which G follows; local inhibition J_i is set in closed form so that every region has the same working point (its
mean rate then differs a little with the fluctuations the network sends it).
The noise s xi is one white noise a region through six one-pole filters f_k (nA) of different time constants, their sum of SD s.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.model import Model, Observable, Setup
from fakeimaging.core.citations import Reference
from fakeimaging.core.errors import ModelError
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.structure.subject import Subject

DECO = "Deco et al. 2014, doi:10.1523/JNEUROSCI.5068-13.2014"
FILTER_TIMES = (0.003, 0.015, 0.075, 0.375, 1.9, 9.4)
"""Time constants in s of the filters that make 1/f noise (assumed): 0.02 to 50 Hz."""


class DmfParameters(Parameters):
    """Parameters of the dynamic mean field."""

    a_E: float = parameter(310.0, unit="1/nC", bounds=(1, 5000), symbol="a_E", source=DECO)
    b_E: float = parameter(125.0, unit="Hz", bounds=(1, 5000), symbol="b_E", source=DECO)
    d_E: float = parameter(0.16, unit="s", bounds=(0.001, 2), symbol="d_E", source=DECO)
    a_I: float = parameter(615.0, unit="1/nC", bounds=(1, 5000), symbol="a_I", source=DECO)
    b_I: float = parameter(177.0, unit="Hz", bounds=(1, 5000), symbol="b_I", source=DECO)
    d_I: float = parameter(0.087, unit="s", bounds=(0.001, 2), symbol="d_I", source=DECO)
    tau_E: float = parameter(0.1, unit="s", bounds=(0.01, 1), symbol="tau_E", source=DECO, description="NMDA gating")
    tau_I: float = parameter(
        0.01, unit="s", bounds=(0.002, 0.2), symbol="tau_I", source=DECO, description="GABA gating"
    )
    gamma: float = parameter(0.641, unit="1", bounds=(0.05, 5), symbol="gamma", source=DECO)
    J_N: float = parameter(0.15, unit="nA", bounds=(0.01, 1), symbol="J_NMDA", source=DECO)
    I0: float = parameter(0.382, unit="nA", bounds=(0, 2), symbol="I_0", source=DECO, description="external current")
    W_E: float = parameter(1.0, unit="1", bounds=(0, 5), symbol="W_E", source=DECO)
    W_I: float = parameter(0.7, unit="1", bounds=(0, 5), symbol="W_I", source=DECO)
    w_plus: float = parameter(1.0, unit="1", bounds=(0, 3), symbol="w_+", description="local recurrent excitation")
    target_rate: float = parameter(5.0, unit="Hz", bounds=(1, 20), symbol="r*", description="mean excitatory rate")
    loop_gain: float = parameter(
        0.9,
        unit="1",
        bounds=(0, 0.95),
        symbol="K",
        description="gain of the whole network; near 1 it locks into one mode",
    )
    noise_sd: float = parameter(0.01, unit="nA", bounds=(0, 0.1), symbol="s", description="SD of the current noise")
    noise_exponent: float = parameter(
        1.1, unit="1", bounds=(0, 2), symbol="chi", description="its spectrum falls as 1/f^chi"
    )


def response(current, a, b, d):  # type: ignore[no-untyped-def]
    """Firing rate in Hz of a population at a current in nA; the series removes 0/0 at threshold."""
    x = d * (a * current - b)
    if abs(x) < 1e-4:
        return (1.0 + x / 2.0 + x * x / 12.0) / d
    return x / (1.0 - math.exp(-x)) / d


def excitatory_rate(  # type: ignore[no-untyped-def]
    S_E, S_I, f1, f2, f3, f4, f5, f6, coupled_S_E,
    a_E, b_E, d_E, J_N, w_plus, G, J, external,
):  # fmt: skip
    """Excitatory firing rate in Hz."""
    noise = f1 + f2 + f3 + f4 + f5 + f6
    current = external + w_plus * J_N * S_E + G * J_N * coupled_S_E - J * S_I + noise
    return response(current, a_E, b_E, d_E)


def inhibitory_rate(S_E, S_I, a_I, b_I, d_I, J_N, W_I, I0):  # type: ignore[no-untyped-def]
    """Inhibitory firing rate in Hz."""
    return response(W_I * I0 + J_N * S_E - S_I, a_I, b_I, d_I)


def drift(  # type: ignore[no-untyped-def]
    S_E, S_I, f1, f2, f3, f4, f5, f6, coupled_S_E,
    a_E, b_E, d_E, a_I, b_I, d_I, tau_E, tau_I, gamma, J_N, w_plus, W_I, I0, G, J, external,
):  # fmt: skip
    """Time derivatives of gating variables and noise filters, per second."""
    r_E = excitatory_rate(
        S_E, S_I, f1, f2, f3, f4, f5, f6, coupled_S_E, a_E, b_E, d_E, J_N, w_plus, G, J, external
    )  # fmt: skip
    r_I = inhibitory_rate(S_E, S_I, a_I, b_I, d_I, J_N, W_I, I0)
    return (
        (1.0 - S_E) * gamma * r_E - S_E / tau_E,
        r_I - S_I / tau_I,
        -f1 / FILTER_TIMES[0],
        -f2 / FILTER_TIMES[1],
        -f3 / FILTER_TIMES[2],
        -f4 / FILTER_TIMES[3],
        -f5 / FILTER_TIMES[4],
        -f6 / FILTER_TIMES[5],
    )


def diffusion(g1, g2, g3, g4, g5, g6):  # type: ignore[no-untyped-def]
    """Amplitude (nA per square root of second) with which one white noise enters each filter."""
    return (
        g1 / FILTER_TIMES[0],
        g2 / FILTER_TIMES[1],
        g3 / FILTER_TIMES[2],
        g4 / FILTER_TIMES[3],
        g5 / FILTER_TIMES[4],
        g6 / FILTER_TIMES[5],
    )


@dataclass(frozen=True)
class SetPoint:
    """Working point of a region: currents in nA, gating variables, slopes in Hz/nA."""

    I_E: float
    I_I: float
    S_E: float
    S_I: float
    slope_E: float
    slope_I: float


def set_point(parameters: DmfParameters) -> SetPoint:
    """Return the working point at which the mean rate over the noise is the target rate.

    The mean over the Gaussian current noise is a 21-node Gauss-Hermite sum.
    """
    p = parameters
    nodes, weights = np.polynomial.hermite_e.hermegauss(21)
    weights = weights / weights.sum()

    def mean_rate(current: float) -> float:
        """Rate in Hz averaged over the noise."""
        return float(
            sum(
                w * response(current + p.noise_sd * x, p.a_E, p.b_E, p.d_E) for x, w in zip(nodes, weights, strict=True)
            )
        )

    I_E = _root(lambda current: mean_rate(current) - p.target_rate, -1.0, 2.0, "excitatory current")
    S_E = p.gamma * p.target_rate * p.tau_E / (1 + p.gamma * p.target_rate * p.tau_E)
    drive = p.W_I * p.I0 + p.J_N * S_E
    S_I = _root(lambda s: p.tau_I * response(drive - s, p.a_I, p.b_I, p.d_I) - s, 0.0, 10.0, "inhibition")
    h = 1e-5
    slope_E = (mean_rate(I_E + h) - mean_rate(I_E - h)) / (2 * h)
    slope_I = (response(drive - S_I + h, p.a_I, p.b_I, p.d_I) - response(drive - S_I - h, p.a_I, p.b_I, p.d_I)) / (
        2 * h
    )
    return SetPoint(I_E, drive - S_I, S_E, S_I, slope_E, slope_I)


def _root(function: Callable[[float], float], low: float, high: float, what: str) -> float:
    from scipy.optimize import brentq

    try:
        return float(brentq(function, low, high, xtol=1e-14))
    except (ValueError, OverflowError):
        raise ModelError(
            f"model dmf: these parameters have no working point (no {what} from {low:g} to {high:g})"
        ) from None


def inhibition(
    parameters: DmfParameters, point: SetPoint, G: float, received: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Return the local inhibition J_i (nA) that holds every region at the working point, shape of ``received``.

    Parameters
    ----------
    parameters : DmfParameters
    point : SetPoint
    G : float
        Global coupling.
    received : array_like, shape (n_regions,)
        Sum of each row of the effective weights.
    """
    p = parameters
    constant = p.W_E * p.I0 + p.w_plus * p.J_N * point.S_E - point.I_E
    return np.asarray((constant + G * p.J_N * point.S_E * np.asarray(received, dtype=float)) / point.S_I)


def global_coupling(parameters: DmfParameters, point: SetPoint) -> float:
    """Return the global coupling G at which a network of row sums 1 has the loop gain asked for.

    K = G J_N chi(G), chi the response of S_E at the working point to a slow current, inhibition included.
    """
    p = parameters
    if p.loop_gain == 0:
        return 0.0
    c = p.gamma * (1 - point.S_E) * point.slope_E / (1 / p.tau_E + p.gamma * p.target_rate)
    q = p.tau_I * point.slope_I * p.J_N / (1 + p.tau_I * point.slope_I)

    def gain(G: float) -> float:
        J = float(inhibition(p, point, G, 1.0))
        return G * p.J_N * c / (1 - c * (p.w_plus * p.J_N - J * q))

    return _root(lambda G: gain(G) - p.loop_gain, 0.0, 50.0, "global coupling")


def filter_gains(parameters: DmfParameters, step: float) -> npt.NDArray[np.float64]:
    """Return the gains (nA) of the six filters, so that their sum has SD ``noise_sd`` at this time step, shape (6,)."""
    times = np.array(FILTER_TIMES)
    gains = times ** (parameters.noise_exponent / 2)
    rate = step / times
    covariance = rate[:, None] * rate / (step * (rate[:, None] + rate - rate[:, None] * rate))
    return np.asarray(parameters.noise_sd * gains / np.sqrt(gains @ covariance @ gains))


def prepare(parameters: DmfParameters, subject: Subject, step: float) -> Setup:
    """Set coupling, inhibition, noise gains and the start at the working point."""
    coupling = subject.connectome.row_normalised()
    point = set_point(parameters)
    G = global_coupling(parameters, point)
    gains = filter_gains(parameters, step)
    derived = {f"g{i + 1}": gain for i, gain in enumerate(gains)}
    derived |= {
        "G": G,
        "J": inhibition(parameters, point, G, coupling.sum(axis=1)),
        "external": parameters.W_E * parameters.I0,
    }
    return Setup(coupling, {"S_E": point.S_E, "S_I": point.S_I}, derived)


MODEL = Model(
    name="dmf",
    parameters=DmfParameters,
    states=("S_E", "S_I", "f1", "f2", "f3", "f4", "f5", "f6"),
    coupled=("S_E",),
    drift=drift,
    driven=tuple((f"f{i}", 0) for i in range(1, 7)),
    diffusion=diffusion,
    observables={
        "rate": Observable(excitatory_rate, "Hz", 100.0),
        "inhibitory_rate": Observable(inhibitory_rate, "Hz", 10.0),
    },
    prepare=prepare,
    transient=20.0,
    references=(
        Reference("Deco et al.", 2014, "10.1523/JNEUROSCI.5068-13.2014", "dynamic mean field with feedback inhibition"),
    ),
)
