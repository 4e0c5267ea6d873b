"""Exact mean field of quadratic integrate-and-fire neurons (Montbrio, Pazo & Roxin 2015).

    tau dr/dt = Delta / (pi tau) + 2 r v
    tau dv = [v^2 + eta + J tau r + G tau sum_j C_ij r_j(t - d_ij) + stimulus - (pi tau r)^2] dt + sigma sqrt(tau) dW

r is the firing rate in Hz, v the mean membrane potential and eta, J, Delta, stimulus have no unit; times in s (the
paper's equations are those for tau = 1). By default r has two stable states: 8.1 Hz, and a damped ringing towards 103 Hz.
Ours (assumed) are tau, the noise, which is a current that all neurons of a region share, and coupling with delays; the dipole,
the deviation of the synaptic input from the lower state times a density, is too. Delta > 0 keeps the equation's r above 0; in
steps of finite length it is held there. With the defaults regions of the built-in subject are hardly correlated (mean functional
connectivity about 0.01).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.model import Model, Observable, Setup
from fakeimaging.activity.roots import lowest_root
from fakeimaging.activity.wiring import WiringParameters, everywhere, wiring
from fakeimaging.core.citations import Reference
from fakeimaging.core.parameters import parameter
from fakeimaging.structure.subject import Subject

PAPER = "Montbrio et al. 2015, doi:10.1103/PhysRevX.5.021028"
Array = npt.NDArray[np.float64]


class MontbrioPazoRoxinParameters(WiringParameters):
    """Parameters of the mean field of quadratic integrate-and-fire neurons."""

    tau: float = parameter(0.01, unit="s", bounds=(0.001, 10), symbol="tau", description="membrane time constant")
    eta: float = parameter(
        -5.0, unit="1", bounds=(-50, 50), symbol="eta", source=PAPER, description="centre of the excitabilities"
    )
    Delta: float = parameter(
        1.0, unit="1", bounds=(0.001, 20), symbol="Delta", source=PAPER, description="half-width of the excitabilities"
    )
    J: float = parameter(15.0, unit="1", bounds=(-100, 100), symbol="J", source=PAPER, description="synaptic weight")
    G: float = parameter(10.0, unit="1", bounds=(0, 100), symbol="G", description="global coupling")
    sigma: float = parameter(0.3, unit="1", bounds=(0, 20), symbol="sigma", description="noise of the shared current")
    dipole_density: float = parameter(
        0.5, unit="nAm/mm2", bounds=(0, 100), description="cortical dipole of a synaptic input of 1"
    )


def synaptic_input(r, coupled_r, J, G, tau):  # type: ignore[no-untyped-def]
    """Input from synapses, without unit."""
    return tau * (J * r + G * coupled_r)


def drift(r, v, coupled_r, stimulus, tau, eta, Delta, J, G):  # type: ignore[no-untyped-def]
    """Time derivatives of r in Hz/s and of v in 1/s."""
    beat = math.pi * tau * r
    return (
        (Delta / (math.pi * tau) + 2.0 * r * v) / tau,
        (v * v + eta + synaptic_input(r, coupled_r, J, G, tau) + stimulus - beat * beat) / tau,
    )


def diffusion(tau, sigma):  # type: ignore[no-untyped-def]
    """Amplitude of the noise of v per square root of second."""
    return (sigma / math.sqrt(tau),)


def rate(r):  # type: ignore[no-untyped-def]
    """Firing rate in Hz."""
    return r


def dipole(r, coupled_r, J, G, tau, rest, moment):  # type: ignore[no-untyped-def]
    """Dipole moment per cortical area in nAm/mm2, positive towards the pia."""
    return moment * (synaptic_input(r, coupled_r, J, G, tau) - rest)


def resting_state(parameters: Any, received: Array) -> tuple[Array, Array]:
    """Return r (Hz) and v of the lowest fixed point of each region in a network of its like.

    Parameters
    ----------
    parameters : MontbrioPazoRoxinParameters
    received : ndarray, shape (n_regions,)
        Sum of each row of the weights.
    """
    p = parameters

    def potential(x: Array) -> Array:
        return np.asarray(-p.Delta / (2 * np.pi * x))

    def excess(x: Array) -> Array:
        return np.asarray(potential(x) ** 2 + p.eta + (p.J + p.G * received) * x - (np.pi * x) ** 2)

    x = lowest_root(excess, np.geomspace(1e-5, 1e3, 8001), len(received), "model montbrio_pazo_roxin: no r tau")
    return x / p.tau, potential(x)


def prepare(parameters: MontbrioPazoRoxinParameters, subject: Subject, step: float) -> Setup:
    """Start at the lower state."""
    p: Any = parameters
    coupling = wiring(p, subject)
    received = coupling.sum(axis=1)
    r, v = resting_state(p, received)
    rest = p.tau * (p.J + p.G * received) * r
    return Setup(coupling, {"r": r, "v": v}, {"rest": rest, "moment": everywhere(subject, p.dipole_density)})


MODEL = Model(
    name="montbrio_pazo_roxin",
    parameters=MontbrioPazoRoxinParameters,
    states=("r", "v"),
    coupled=("r",),
    drift=drift,
    driven=(("v", 0),),
    diffusion=diffusion,
    observables={
        "rate": Observable(rate, "Hz", 50.0),
        "synaptic": Observable(synaptic_input, "1", 50.0),
        "dipole": Observable(dipole, "nAm/mm2", 250.0, past=False),
    },
    prepare=prepare,
    limits={"r": (0.0, 1e6)},
    scheme="heun",
    step=2e-4,
    stimulus_unit="1",
    largest_stimulus=1000.0,
    references=(
        Reference(
            "Montbrió et al.", 2015, "10.1103/PhysRevX.5.021028", "mean field of quadratic integrate-and-fire neurons"
        ),
    ),
)
