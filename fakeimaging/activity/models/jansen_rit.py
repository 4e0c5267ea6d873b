"""Jansen-Rit model of a cortical column: pyramidal cells with excitatory and inhibitory feedback (Jansen & Rit 1995).

    y0'' = A a S(y1 - y2) - 2 a y0' - a^2 y0                                                   onto the interneurons
    y1'' = A a [p + G sum_j C_ij S(y1_j - y2_j)(t - d_ij) + C2 S(C1 y0) + stimulus + sigma xi] - 2 a y1' - a^2 y1      excitatory
    y2'' = B b C4 S(C3 y0) - 2 b y2' - b^2 y2                                                  inhibitory
    S(v) = 2 e0 / (1 + exp(r (v0 - v))),   C1 = C, C2 = 0.8 C, C3 = C4 = 0.25 C

Potentials y in mV, pulse rates (S, p, stimulus) in 1/s, times in s; y3, y4, y5 are the derivatives. xi is white noise. The
firing rate is that of the pyramidal cells, the dipole their potential y1 - y2, counted from rest, times a density. The paper
draws p between 120 and 320 pulses/s, where the column cycles near 11 Hz; here p is a mean and sigma its noise. Coupling sends
pulse rates from column to column, with delays in place of the paper's second pair of synaptic equations (assumed). For
G = 0 alpha cycles exist from p = 89.829 (10.4 Hz) to 315.696 (11.2 Hz); a low resting state lasts up to 113.586, and slow
spiking follows it up to about 137 (Grimbert & Faugeras 2006).
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

PAPER = "Jansen & Rit 1995, doi:10.1007/BF00199471"
Array = npt.NDArray[np.float64]


class JansenRitParameters(WiringParameters):
    """Parameters of the Jansen-Rit model."""

    A: float = parameter(3.25, unit="mV", bounds=(0, 20), symbol="A", source=PAPER, description="excitatory potential")
    B: float = parameter(22.0, unit="mV", bounds=(0, 200), symbol="B", source=PAPER, description="inhibitory potential")
    a: float = parameter(100.0, unit="1/s", bounds=(1, 500), symbol="a", source=PAPER, description="excitatory synapse")
    b: float = parameter(50.0, unit="1/s", bounds=(1, 500), symbol="b", source=PAPER, description="inhibitory synapse")
    C: float = parameter(135.0, unit="1", bounds=(0, 2000), symbol="C", source=PAPER, description="synaptic contacts")
    e0: float = parameter(
        2.5, unit="1/s", bounds=(0.1, 50), symbol="e_0", source=PAPER, description="half the top rate"
    )
    v0: float = parameter(6.0, unit="mV", bounds=(0, 50), symbol="v_0", source=PAPER, description="threshold")
    r: float = parameter(0.56, unit="1/mV", bounds=(0.01, 10), symbol="r", source=PAPER, description="steepness")
    p: float = parameter(
        220.0,
        unit="1/s",
        bounds=(-500, 2000),
        symbol="p",
        source=PAPER,
        description="mean input to the pyramidal cells",
    )
    sigma: float = parameter(2.0, unit="1/sqrt(s)", bounds=(0, 200), symbol="sigma", description="noise of the input")
    G: float = parameter(40.0, unit="1", bounds=(0, 1000), symbol="G", description="global coupling")
    dipole_density: float = parameter(
        0.05, unit="nAm/mm2 per mV", bounds=(0, 100), description="cortical dipole of a pyramidal potential"
    )


def pulses(v, e0, v0, r):  # type: ignore[no-untyped-def]
    """Pulse rate in 1/s at a potential in mV."""
    return 2.0 * e0 / (1.0 + math.exp(r * (v0 - v)))


def firing(y1, y2, e0, v0, r):  # type: ignore[no-untyped-def]
    """Firing rate of the pyramidal cells in Hz."""
    return pulses(y1 - y2, e0, v0, r)


def potential(y1, y2):  # type: ignore[no-untyped-def]
    """Potential of the pyramidal cells in mV."""
    return y1 - y2


def dipole(y1, y2, rest, moment):  # type: ignore[no-untyped-def]
    """Dipole moment per cortical area in nAm/mm2, positive towards the pia."""
    return moment * (y1 - y2 - rest)


def drift(y0, y1, y2, y3, y4, y5, coupled_firing, stimulus, A, B, a, b, C, e0, v0, r, p, G):  # type: ignore[no-untyped-def]
    """Time derivatives of y0 to y2 in mV/s and of y3 to y5 in mV/s2."""
    excitation = p + G * coupled_firing + stimulus + 0.8 * C * pulses(C * y0, e0, v0, r)
    inhibition = 0.25 * C * pulses(0.25 * C * y0, e0, v0, r)
    return (
        y3,
        y4,
        y5,
        a * (A * pulses(y1 - y2, e0, v0, r) - 2.0 * y3 - a * y0),
        a * (A * excitation - 2.0 * y4 - a * y1),
        b * (B * inhibition - 2.0 * y5 - b * y2),
    )


def diffusion(A, a, sigma):  # type: ignore[no-untyped-def]
    """Amplitude of the noise of y4 in mV/s per square root of second."""
    return (A * a * sigma,)


def resting_state(parameters: Any, received: Array) -> dict[str, Array]:
    """Return y0, y1 and y2 of the lowest fixed point of each region in a network of its like.

    Parameters
    ----------
    parameters : JansenRitParameters
    received : ndarray, shape (n_regions,)
        Sum of each row of the weights.
    """
    p = parameters

    def sigmoid(v: Array) -> Array:
        return np.asarray(2 * p.e0 / (1 + np.exp(p.r * (p.v0 - v))))

    def synapses(v: Array) -> tuple[Array, Array, Array]:
        y0 = p.A / p.a * sigmoid(v)
        y1 = p.A / p.a * (p.p + p.G * received * sigmoid(v) + 0.8 * p.C * sigmoid(p.C * y0))
        return y0, y1, p.B / p.b * 0.25 * p.C * sigmoid(0.25 * p.C * y0)

    def excess(v: Array) -> Array:
        _, y1, y2 = synapses(v)
        return np.asarray(y1 - y2 - v)

    v = lowest_root(excess, np.linspace(-100, 200, 6001), len(received), "model jansen_rit: no potential in mV")
    return dict(zip(("y0", "y1", "y2"), synapses(v), strict=True))


def prepare(parameters: JansenRitParameters, subject: Subject, step: float) -> Setup:
    """Start at rest."""
    p: Any = parameters
    coupling = wiring(p, subject)
    start = resting_state(p, coupling.sum(axis=1))
    return Setup(coupling, start, {"rest": start["y1"] - start["y2"], "moment": everywhere(subject, p.dipole_density)})


MODEL = Model(
    name="jansen_rit",
    parameters=JansenRitParameters,
    states=("y0", "y1", "y2", "y3", "y4", "y5"),
    sent={"firing": firing},
    drift=drift,
    driven=(("y4", 0),),
    diffusion=diffusion,
    observables={
        "rate": Observable(firing, "Hz", 50.0),
        "synaptic": Observable(potential, "mV", 50.0),
        "dipole": Observable(dipole, "nAm/mm2", 250.0, past=False),
    },
    prepare=prepare,
    scheme="heun",
    step=1e-3,
    stimulus_unit="1/s",
    largest_stimulus=5000.0,
    references=(
        Reference("Jansen and Rit", 1995, "10.1007/BF00199471", "cortical column"),
        Reference("Grimbert and Faugeras", 2006, "10.1162/neco.2006.18.12.3052", "bifurcations of the cortical column"),
    ),
)
