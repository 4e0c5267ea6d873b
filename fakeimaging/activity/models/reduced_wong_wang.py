"""Reduced Wong-Wang model: one excitatory population with slow NMDA gating (Deco et al. 2013).

    x = w J_N S + G J_N sum_j C_ij S_j(t - d_ij) + I0 + stimulus              r = u / (1 - exp(-d u)),  u = a x - b
    dS = [-S / tau_S + (1 - S) gamma r] dt + sigma dW

Currents and stimulus in nA, the rate r in Hz, times in s; sigma keeps the paper's number, whose time is in ms. S stays within 0
and 1. Rows of C that sum to 1 make a network of like regions one region of recurrence w + G, which has two stable states for
1.1547 < w + G < 1.7977 and only the upper one above: by default, w = 0.9, from G = 0.255 to 0.898. Delays are ours; so is the
dipole, the deviation of x from the lower state times a density.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fakeimaging.activity.functions import rectifier
from fakeimaging.activity.model import Model, Observable, Setup
from fakeimaging.activity.models.deco_node import transfer
from fakeimaging.activity.roots import lowest_root
from fakeimaging.activity.wiring import WiringParameters, everywhere, wiring
from fakeimaging.core.citations import Reference
from fakeimaging.core.parameters import parameter
from fakeimaging.structure.subject import Subject

DECO = "Deco et al. 2013, doi:10.1523/JNEUROSCI.1091-13.2013"
ROOT_MS = 1000**0.5
"""A noise amplitude per square root of millisecond, in those of a second."""


class ReducedWongWangParameters(WiringParameters):
    """Parameters of the reduced Wong-Wang model."""

    a: float = parameter(270.0, unit="1/nC", bounds=(1, 5000), symbol="a", source=DECO, description="gain of the rate")
    b: float = parameter(
        108.0, unit="Hz", bounds=(1, 5000), symbol="b", source=DECO, description="threshold of the rate"
    )
    d: float = parameter(
        0.154, unit="s", bounds=(0.001, 2), symbol="d", source=DECO, description="curvature of the rate"
    )
    tau_S: float = parameter(0.1, unit="s", bounds=(0.01, 1), symbol="tau_S", source=DECO, description="NMDA gating")
    gamma: float = parameter(
        0.641, unit="1", bounds=(0.05, 5), symbol="gamma", source=DECO, description="gating a spike opens"
    )
    J_N: float = parameter(
        0.2609, unit="nA", bounds=(0.01, 2), symbol="J_N", source=DECO, description="synaptic coupling"
    )
    w: float = parameter(0.9, unit="1", bounds=(0, 3), symbol="w", source=DECO, description="local recurrence")
    I0: float = parameter(0.3, unit="nA", bounds=(0, 2), symbol="I_0", source=DECO, description="external current")
    G: float = parameter(0.8, unit="1", bounds=(0, 20), symbol="G", description="global coupling")
    sigma: float = parameter(
        0.001, unit="1/sqrt(ms)", bounds=(0, 1), symbol="sigma", source=DECO, description="noise of the gating"
    )
    dipole_density: float = parameter(
        8.0, unit="nAm/mm2 per nA", bounds=(0, 1000), description="cortical dipole of a current, as in dmf"
    )


def current(S, coupled_S, stimulus, w, J_N, G, I0):  # type: ignore[no-untyped-def]
    """Current into the population in nA."""
    return w * J_N * S + G * J_N * coupled_S + I0 + stimulus


def rate(S, coupled_S, stimulus, w, J_N, G, I0, a, b, d):  # type: ignore[no-untyped-def]
    """Firing rate in Hz."""
    return rectifier(a * current(S, coupled_S, stimulus, w, J_N, G, I0) - b, d)


def gating(S):  # type: ignore[no-untyped-def]
    """Share of open NMDA channels."""
    return S


def dipole(S, coupled_S, stimulus, w, J_N, G, I0, rest_current, moment):  # type: ignore[no-untyped-def]
    """Dipole moment per cortical area in nAm/mm2, positive towards the pia."""
    return moment * (current(S, coupled_S, stimulus, w, J_N, G, I0) - rest_current)


def drift(S, coupled_S, stimulus, w, J_N, G, I0, a, b, d, tau_S, gamma):  # type: ignore[no-untyped-def]
    """Time derivative of S in 1/s."""
    return ((1.0 - S) * gamma * rate(S, coupled_S, stimulus, w, J_N, G, I0, a, b, d) - S / tau_S,)


def diffusion(sigma):  # type: ignore[no-untyped-def]
    """Amplitude of the noise per square root of second."""
    return (sigma * ROOT_MS,)


def prepare(parameters: ReducedWongWangParameters, subject: Subject, step: float) -> Setup:
    """Start at the lowest state a region has in a network of its like."""
    p: Any = parameters
    coupling = wiring(p, subject)
    gain = (p.w + p.G * coupling.sum(axis=1)) * p.J_N
    low = lowest_root(
        lambda S: (1 - S) * p.gamma * transfer(gain * S + p.I0, p.a, p.b, p.d) - S / p.tau_S,
        np.linspace(0, 1, 1001), subject.n_regions, "model reduced_wong_wang: no S",
    )  # fmt: skip
    derived = {"rest_current": gain * low + p.I0, "moment": everywhere(subject, p.dipole_density)}
    return Setup(coupling, {"S": low}, derived)


MODEL = Model(
    name="reduced_wong_wang",
    parameters=ReducedWongWangParameters,
    states=("S",),
    coupled=("S",),
    drift=drift,
    driven=(("S", 0),),
    diffusion=diffusion,
    observables={
        "rate": Observable(rate, "Hz", 50.0),
        "synaptic": Observable(gating, "1", 50.0),
        "dipole": Observable(dipole, "nAm/mm2", 250.0, past=False),
    },
    prepare=prepare,
    limits={"S": (0.0, 1.0)},
    step=1e-3,
    references=(
        Reference("Deco et al.", 2013, "10.1523/JNEUROSCI.1091-13.2013", "reduced Wong-Wang network"),
        Reference("Wong and Wang", 2006, "10.1523/JNEUROSCI.3733-05.2006", "reduction to slow NMDA gating"),
    ),
)
