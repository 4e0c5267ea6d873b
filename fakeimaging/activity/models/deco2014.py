"""Dynamic mean field of excitatory and inhibitory populations (Deco et al. 2014), as published.

    I_E = W_E I0 + w+ J_N S_E + G J_N sum_j C_ij S_E,j(t - d_ij) - J_i S_I + stimulus
    I_I = W_I I0 + J_N S_E - S_I              r_k = u / (1 - exp(-d_k u)),  u = a_k I_k - b_k
    dS_E = [-S_E / tau_E + (1 - S_E) gamma r_E] dt + sigma dW_E          dS_I = [-S_I / tau_I + r_I] dt + sigma dW_I
    J_i = J_0 + k G sum_j C_ij,   J_0 = (W_E I0 + w+ J_N S_E* - I_E*) / S_I*,   k = J_N S_E* / S_I*

Currents and stimulus in nA, rates in Hz, times in s; sigma keeps the paper's number, whose time is in ms. With feedback
inhibition the local inhibition J_i is set in closed form, where the paper adjusts it by trial: without noise every region then
rests exactly at the target rate (3.0631 Hz is I_E = b_E / a_E - 0.026 nA), whatever the weights. The paper's noise lifts the mean
to 3.4 Hz at G = 0 and 4.3 Hz at 0.7, and from about G = 1 it throws regions into a state of higher rates (rows of C that sum
to 1). Without feedback J_i = J everywhere. Gating stays within 0 and 1; Heun steps of 1 ms
give the moments of the paper's Euler steps of 0.1 ms within 1 %. Delays are ours (assumed); the dipole, the deviation of
I_E from its working point times a density, is too. `dmf` is the same node with 1/f drive and an alpha rhythm.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fakeimaging.activity.functions import rectifier
from fakeimaging.activity.model import Model, Observable, Setup
from fakeimaging.activity.models.deco_node import DECO, NodeParameters, check_inhibition, inhibition, set_point
from fakeimaging.activity.wiring import WiringParameters, everywhere, wiring
from fakeimaging.core.citations import Reference
from fakeimaging.core.parameters import parameter
from fakeimaging.structure.subject import Subject

ROOT_MS = 1000**0.5
"""A noise amplitude per square root of millisecond, in those of a second."""


class Deco2014Parameters(WiringParameters, NodeParameters):
    """Parameters of the dynamic mean field."""

    G: float = parameter(0.7, unit="1", bounds=(0, 20), symbol="G", description="global coupling")
    sigma: float = parameter(
        0.01,
        unit="1/sqrt(ms)",
        bounds=(0, 1),
        symbol="sigma",
        source=DECO,
        description="noise of both gating variables",
    )
    feedback_inhibition: bool = parameter(
        True, unit="-", source=DECO, description="whether local inhibition holds every region at the target rate"
    )
    target_rate: float = parameter(
        3.0631, unit="Hz", bounds=(0.1, 50), symbol="r*", source=DECO, description="rate of the working point"
    )
    J: float = parameter(
        1.0, unit="nA", bounds=(0, 20), symbol="J", source=DECO, description="local inhibition without feedback"
    )
    dipole_density: float = parameter(
        3.0, unit="nAm/mm2 per nA", bounds=(0, 1000), description="cortical dipole of a synaptic current, as in dmf"
    )


def excitatory_current(S_E, S_I, coupled_S_E, stimulus, J_N, w_plus, W_E, I0, G, J_local):  # type: ignore[no-untyped-def]
    """Current into the excitatory population in nA."""
    return W_E * I0 + w_plus * J_N * S_E + G * J_N * coupled_S_E - J_local * S_I + stimulus


def excitatory_rate(  # type: ignore[no-untyped-def]
    S_E, S_I, coupled_S_E, stimulus, J_N, w_plus, W_E, I0, G, J_local, a_E, b_E, d_E
):  # fmt: skip
    """Excitatory firing rate in Hz."""
    current = excitatory_current(S_E, S_I, coupled_S_E, stimulus, J_N, w_plus, W_E, I0, G, J_local)
    return rectifier(a_E * current - b_E, d_E)


def inhibitory_rate(S_E, S_I, J_N, W_I, I0, a_I, b_I, d_I):  # type: ignore[no-untyped-def]
    """Inhibitory firing rate in Hz."""
    return rectifier(a_I * (W_I * I0 + J_N * S_E - S_I) - b_I, d_I)


def gating(S_E):  # type: ignore[no-untyped-def]
    """Share of open NMDA channels."""
    return S_E


def dipole(  # type: ignore[no-untyped-def]
    S_E, S_I, coupled_S_E, stimulus, J_N, w_plus, W_E, I0, G, J_local, rest_current, moment
):  # fmt: skip
    """Dipole moment per cortical area in nAm/mm2, positive towards the pia."""
    current = excitatory_current(S_E, S_I, coupled_S_E, stimulus, J_N, w_plus, W_E, I0, G, J_local)
    return moment * (current - rest_current)


def drift(  # type: ignore[no-untyped-def]
    S_E, S_I, coupled_S_E, stimulus, J_N, w_plus, W_E, W_I, I0, G, J_local, a_E, b_E, d_E, a_I, b_I, d_I, tau_E, tau_I, gamma
):  # fmt: skip
    """Time derivatives of S_E and S_I in 1/s."""
    r_E = excitatory_rate(S_E, S_I, coupled_S_E, stimulus, J_N, w_plus, W_E, I0, G, J_local, a_E, b_E, d_E)
    r_I = inhibitory_rate(S_E, S_I, J_N, W_I, I0, a_I, b_I, d_I)
    return ((1.0 - S_E) * gamma * r_E - S_E / tau_E, r_I - S_I / tau_I)


def diffusion(sigma):  # type: ignore[no-untyped-def]
    """Amplitude of the noise per square root of second."""
    return (sigma * ROOT_MS, sigma * ROOT_MS)


def prepare(parameters: Deco2014Parameters, subject: Subject, step: float) -> Setup:
    """Set the local inhibition and start at the working point."""
    p: Any = parameters
    coupling = wiring(p, subject)
    n = subject.n_regions
    point = set_point(p, np.broadcast_to(p.target_rate, n), 0.0, model="deco2014")
    fed_back = inhibition(p, point, p.G, coupling @ point.S_E)
    J = np.where(p.feedback_inhibition, fed_back, p.J)
    check_inhibition(J, point, subject, model="deco2014", advice="raise `I0`, `w_plus` or `G`")
    derived = {"J_local": J, "rest_current": point.I_E, "moment": everywhere(subject, p.dipole_density)}
    return Setup(coupling, {"S_E": point.S_E, "S_I": point.S_I}, derived, {"inhibition": J})


MODEL = Model(
    name="deco2014",
    parameters=Deco2014Parameters,
    states=("S_E", "S_I"),
    coupled=("S_E",),
    drift=drift,
    driven=(("S_E", 0), ("S_I", 1)),
    diffusion=diffusion,
    observables={
        "rate": Observable(excitatory_rate, "Hz", 50.0),
        "inhibitory_rate": Observable(inhibitory_rate, "Hz", 10.0),
        "synaptic": Observable(gating, "1", 50.0),
        "dipole": Observable(dipole, "nAm/mm2", 250.0, past=False),
    },
    prepare=prepare,
    limits={"S_E": (0.0, 1.0), "S_I": (0.0, 1.0)},
    scheme="heun",
    step=1e-3,
    references=(
        Reference("Deco et al.", 2014, "10.1523/JNEUROSCI.5068-13.2014", "dynamic mean field with feedback inhibition"),
    ),
)
