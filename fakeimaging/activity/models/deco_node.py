"""The node of Deco et al. (2014), shared by the models built on it: constants, transfer function, working point, inhibition.

    r_k = u / (1 - exp(-d_k u)),  u = a_k I_k - b_k
    dS_E/dt = -S_E / tau_E + (1 - S_E) gamma r_E            dS_I/dt = -S_I / tau_I + r_I
    working point   E[r_E(I* + sigma n)] = r*,  n ~ N(0, 1)
    inhibition      J_i = (W_E I0 + w+ J_N S_E,i + G J_N sum_j C_ij S_E,j - I_E,i) / S_I,i

Every function works on arrays over regions, and constants may differ between regions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.roots import rising_root
from fakeimaging.core.errors import ModelError
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.structure.subject import Subject

Array = npt.NDArray[np.float64]
DECO = "Deco et al. 2014, doi:10.1523/JNEUROSCI.5068-13.2014"


class NodeParameters(Parameters):
    """Constants of the node; a model's parameters inherit these."""

    a_E: float = parameter(
        310.0, unit="1/nC", bounds=(1, 5000), symbol="a_E", source=DECO, description="gain of the excitatory rate"
    )
    b_E: float = parameter(
        125.0, unit="Hz", bounds=(1, 5000), symbol="b_E", source=DECO, description="threshold of the excitatory rate"
    )
    d_E: float = parameter(
        0.16, unit="s", bounds=(0.001, 2), symbol="d_E", source=DECO, description="curvature of the excitatory rate"
    )
    a_I: float = parameter(
        615.0, unit="1/nC", bounds=(1, 5000), symbol="a_I", source=DECO, description="gain of the inhibitory rate"
    )
    b_I: float = parameter(
        177.0, unit="Hz", bounds=(1, 5000), symbol="b_I", source=DECO, description="threshold of the inhibitory rate"
    )
    d_I: float = parameter(
        0.087, unit="s", bounds=(0.001, 2), symbol="d_I", source=DECO, description="curvature of the inhibitory rate"
    )
    tau_E: float = parameter(0.1, unit="s", bounds=(0.01, 1), symbol="tau_E", source=DECO, description="NMDA gating")
    tau_I: float = parameter(
        0.01, unit="s", bounds=(0.002, 0.2), symbol="tau_I", source=DECO, description="GABA gating"
    )
    gamma: float = parameter(
        0.641, unit="1", bounds=(0.05, 5), symbol="gamma", source=DECO, description="gating a spike opens"
    )
    J_N: float = parameter(
        0.15, unit="nA", bounds=(0.01, 1), symbol="J_NMDA", source=DECO, description="excitatory synaptic coupling"
    )
    I0: float = parameter(0.382, unit="nA", bounds=(0, 2), symbol="I_0", source=DECO, description="external current")
    W_E: float = parameter(
        1.0, unit="1", bounds=(0, 5), symbol="W_E", source=DECO, description="share of I0 that excitation receives"
    )
    W_I: float = parameter(
        0.7, unit="1", bounds=(0, 5), symbol="W_I", source=DECO, description="share of I0 that inhibition receives"
    )
    w_plus: float = parameter(
        1.4, unit="1", bounds=(0, 3), symbol="w_+", source=DECO, description="local recurrent excitation"
    )


@dataclass(frozen=True, eq=False)
class SetPoint:
    """Working point of each region: rate in Hz, currents in nA, gating variables, slopes in Hz/nA."""

    rate: Array
    I_E: Array
    I_I: Array
    S_E: Array
    S_I: Array
    slope_E: Array
    slope_I: Array


def transfer(current: npt.ArrayLike, a: Any, b: Any, d: Any) -> Array:
    """Return the firing rate in Hz at a current in nA, for arrays; `response` of the kernel is its twin for numbers."""
    x = d * (a * np.asarray(current, dtype=float) - b)
    small = np.abs(x) < 1e-4
    safe = np.where(small, 1.0, x)
    return np.asarray(np.where(small, 1 + x / 2 + x * x / 12, safe / -np.expm1(-safe)) / d)


def set_point(parameters: Any, rate: npt.ArrayLike, sigma: npt.ArrayLike, *, model: str) -> SetPoint:
    """Return the working point at which the mean rate over Gaussian noise in the current is the target.

    Parameters
    ----------
    parameters : NodeParameters
        Each a number, or an array of shape (n_regions,).
    rate : array_like, shape (n_regions,)
        Targets in Hz.
    sigma : array_like, shape (n_regions,)
        SD of the current in nA.
    model : str
        Who asks, for the message.

    Raises
    ------
    ModelError
        If there is none.
    """
    p = {name: np.asarray(getattr(parameters, name), dtype=float) for name in NodeParameters.model_fields}
    target = np.asarray(rate, dtype=float) + np.zeros(np.broadcast_shapes(*(value.shape for value in p.values())))
    nodes, weights = np.polynomial.hermite_e.hermegauss(21)
    spread = np.asarray(sigma, dtype=float)[..., None] * nodes

    def mean_rate(current: Array) -> Array:
        """Rate in Hz averaged over the noise (Gauss-Hermite)."""
        constants = (p[name][..., None] for name in ("a_E", "b_E", "d_E"))
        return np.asarray(transfer(current[..., None] + spread, *constants) @ weights / weights.sum())

    def inhibitory(current: Array) -> Array:
        return np.asarray(transfer(current, p["a_I"], p["b_I"], p["d_I"]))

    ones, none = np.ones(target.shape), f"model {model}: no"
    I_E = rising_root(lambda current: mean_rate(current) - target, -ones, 2 * ones, f"{none} excitatory current")
    S_E = p["gamma"] * target * p["tau_E"] / (1 + p["gamma"] * target * p["tau_E"])
    drive = p["W_I"] * p["I0"] + p["J_N"] * S_E
    S_I = -rising_root(lambda s: p["tau_I"] * inhibitory(drive + s) + s, -10 * ones, 0 * ones, f"{none} inhibition")
    h = 1e-5
    slope_E = (mean_rate(I_E + h) - mean_rate(I_E - h)) / (2 * h)
    slope_I = (inhibitory(drive - S_I + h) - inhibitory(drive - S_I - h)) / (2 * h)
    return SetPoint(target, I_E, drive - S_I, S_E, S_I, slope_E, slope_I)


def check_inhibition(J: Array, point: SetPoint, subject: Subject, *, model: str, advice: str) -> None:
    """Refuse inhibition below 0.

    Raises
    ------
    ModelError
        If a region receives too little to need any inhibition at its rate.
    """
    if (J < 0).any():
        i = int(np.argmin(J))
        rate = f"{np.broadcast_to(point.rate, J.shape)[i]:.3g} Hz"
        raise ModelError(
            f"model {model}: region {i + 1} ({subject.regions[i].name}) receives too little current for a mean rate of {rate}: "
            f"its inhibition would be {J[i]:.3g} nA, below 0; {advice}, or lower `target_rate`",
            value=float(J[i]),
        )


def inhibition(parameters: Any, point: SetPoint, G: npt.ArrayLike, received: npt.ArrayLike) -> Array:
    """Return the local inhibition J_i (nA) that holds every region at its working point.

    Parameters
    ----------
    parameters : NodeParameters
    point : SetPoint
    G : float
        Global coupling.
    received : array_like, shape (n_regions,)
        Gating that arrives at the working point: the effective weights times the S_E of their sources.
    """
    p = parameters
    constant = p.W_E * p.I0 + p.w_plus * p.J_N * point.S_E - point.I_E
    return np.asarray((constant + G * p.J_N * np.asarray(received, dtype=float)) / point.S_I)
