"""Epileptor: a region that goes into and out of seizures (Jirsa et al. 2014), coupled by permittivity (Proix et al. 2014).

    dx1/ds = y1 - f1 - z + I_rest1 + stimulus                     f1 = x1^3 - 3 x1^2 if x1 < 0, else (x2 - 0.6 (z - 4)^2) x1
    dy1/ds = y0 - 5 x1^2 - y1
    dz/ds = [4 (x1 - x0) - z - K sum_j C_ij (x1_j(t - d_ij) - x1_i)] / tau0
    dx2/ds = -y2 + x2 - x2^3 + I_rest2 + 2 g - 0.3 (z - 3.5)
    dy2/ds = (-y2 + f2) / tau2                                    f2 = 0 if x2 < -0.25, else 6 (x2 + 0.25)
    dg/ds = -gamma (g - 0.1 x1)

States and stimulus have no unit; tau0 and tau2 are counted in the model's own unit of time, s = t / time_unit. The paper
gives that unit no length (The Virtual Brain calls it 1 ms). With 10 ms (assumed) discharges are fast at 20 Hz, spike and wave at
3 Hz, and a seizure of x0 = -1.6 lasts 10 s. An isolated region seizes for x0 above about -2.06; the default is a healthy
brain, and an epileptogenic zone is a higher `x0` in some regions. g is the paper's filtered x1, scaled. White noise
of amplitude sigma drives x1 and x2: at 0.1 each healthy region spikes 18 times a minute, at the default (assumed) hardly ever. The
dipole is the field potential x2 - x1 of The Virtual Brain, counted from rest, times a density. The firing rate, proportional to
x1 + 2, is ours (assumed), as are the noise and the delays. With the defaults, a healthy brain, regions of the built-in subject are
hardly correlated (mean functional connectivity below 0.01).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.model import Model, Observable, Setup
from fakeimaging.activity.roots import lowest_root, rising_root
from fakeimaging.activity.wiring import WiringParameters, everywhere, wiring
from fakeimaging.core.citations import Reference
from fakeimaging.core.parameters import parameter
from fakeimaging.structure.subject import Subject

PAPER = "Jirsa et al. 2014, doi:10.1093/brain/awu133"
Array = npt.NDArray[np.float64]


class EpileptorParameters(WiringParameters):
    """Parameters of the Epileptor."""

    x0: float = parameter(
        -2.2, unit="1", bounds=(-10, 10), symbol="x_0", description="epileptogenicity; -1.6 in the paper's seizures"
    )
    y0: float = parameter(1.0, unit="1", bounds=(-10, 10), symbol="y_0", source=PAPER, description="drive of y1")
    I_rest1: float = parameter(
        3.1, unit="1", bounds=(-10, 20), symbol="I_rest1", source=PAPER, description="input of the fast discharges"
    )
    I_rest2: float = parameter(
        0.45, unit="1", bounds=(-10, 20), symbol="I_rest2", source=PAPER, description="input of spike and wave"
    )
    tau0: float = parameter(
        2857.0, unit="1", bounds=(10, 1e6), symbol="tau_0", source=PAPER, description="permittivity, in units of time"
    )
    tau2: float = parameter(
        10.0, unit="1", bounds=(0.1, 1000), symbol="tau_2", source=PAPER, description="spike and wave, in units of time"
    )
    gamma: float = parameter(
        0.01, unit="1", bounds=(1e-4, 1), symbol="gamma", source=PAPER, description="rate of the filter of x1"
    )
    K: float = parameter(2.0, unit="1", bounds=(0, 1000), symbol="K", description="global coupling of permittivity")
    sigma: float = parameter(0.05, unit="1", bounds=(0, 1), symbol="sigma", description="noise of x1 and x2")
    time_unit: float = parameter(0.01, unit="s", bounds=(1e-4, 1), description="the model's unit of time")
    rate_scale: float = parameter(10.0, unit="Hz", bounds=(0, 1000), description="firing rate for each unit of x1 + 2")
    dipole_density: float = parameter(
        0.3, unit="nAm/mm2", bounds=(0, 100), description="cortical dipole for each unit of the field potential"
    )


def drift(  # type: ignore[no-untyped-def]
    x1, y1, z, x2, y2, g, coupled_x1, stimulus, x0, y0, I_rest1, I_rest2, tau0, tau2, gamma, K, received, time_unit
):  # fmt: skip
    """Time derivatives in 1/s."""
    f1 = x1 * x1 * (x1 - 3.0) if x1 < 0.0 else (x2 - 0.6 * (z - 4.0) * (z - 4.0)) * x1
    f2 = 0.0 if x2 < -0.25 else 6.0 * (x2 + 0.25)
    return (
        (y1 - f1 - z + I_rest1 + stimulus) / time_unit,
        (y0 - 5.0 * x1 * x1 - y1) / time_unit,
        (4.0 * (x1 - x0) - z - K * (coupled_x1 - received * x1)) / (tau0 * time_unit),
        (x2 - y2 - x2 * x2 * x2 + I_rest2 + 2.0 * g - 0.3 * (z - 3.5)) / time_unit,
        (f2 - y2) / (tau2 * time_unit),
        gamma * (0.1 * x1 - g) / time_unit,
    )


def diffusion(sigma, time_unit):  # type: ignore[no-untyped-def]
    """Amplitude of the noise per square root of second."""
    return (sigma / math.sqrt(time_unit), sigma / math.sqrt(time_unit))


def rate(x1, rate_scale):  # type: ignore[no-untyped-def]
    """Firing rate in Hz."""
    return rate_scale * max(x1 + 2.0, 0.0)


def dipole(x1, x2, rest, moment):  # type: ignore[no-untyped-def]
    """Dipole moment per cortical area in nAm/mm2, positive towards the pia."""
    return moment * (x2 - x1 - rest)


def permittivity(z):  # type: ignore[no-untyped-def]
    """Permittivity, the slow variable."""
    return z


def resting_state(parameters: Any, n: int) -> dict[str, Array]:
    """Return the fixed point between seizures of each region in a network of its like (unstable where it seizes).

    Parameters
    ----------
    parameters : EpileptorParameters
    n : int
        Number of regions.
    """
    p, ones = parameters, np.ones(n)
    x1 = rising_root(
        lambda x: x**3 + 2 * x**2 + 4 * (x - p.x0) - p.y0 - p.I_rest1, -20 * ones, 20 * ones, "model epileptor: no x1"
    )
    z, g = 4 * (x1 - p.x0), 0.1 * x1
    push = p.I_rest2 + 2 * g - 0.3 * (z - 3.5)
    slow = "model epileptor: no x2"
    x2 = lowest_root(
        lambda x: x - x**3 + push - np.where(x < -0.25, 0.0, 6 * (x + 0.25)), np.linspace(-5, 5, 2001), n, slow
    )
    y2 = np.where(x2 < -0.25, 0.0, 6 * (x2 + 0.25))
    return {"x1": x1, "y1": p.y0 - 5 * x1**2, "z": z, "x2": x2, "y2": y2, "g": g}


def prepare(parameters: EpileptorParameters, subject: Subject, step: float) -> Setup:
    """Start between seizures."""
    p: Any = parameters
    coupling = wiring(p, subject)
    start = resting_state(p, subject.n_regions)
    derived = {
        "received": coupling.sum(axis=1),
        "rest": start["x2"] - start["x1"],
        "moment": everywhere(subject, p.dipole_density),
    }
    return Setup(coupling, start, derived)


MODEL = Model(
    name="epileptor",
    parameters=EpileptorParameters,
    states=("x1", "y1", "z", "x2", "y2", "g"),
    coupled=("x1",),
    drift=drift,
    driven=(("x1", 0), ("x2", 1)),
    diffusion=diffusion,
    observables={
        "rate": Observable(rate, "Hz", 50.0),
        "permittivity": Observable(permittivity, "1", 10.0),
        "dipole": Observable(dipole, "nAm/mm2", 250.0, past=False),
    },
    prepare=prepare,
    scheme="heun",
    step=2.5e-4,
    stimulus_unit="1",
    largest_stimulus=100.0,
    references=(
        Reference("Jirsa et al.", 2014, "10.1093/brain/awu133", "Epileptor"),
        Reference("Proix et al.", 2014, "10.1523/JNEUROSCI.1570-14.2014", "coupling by permittivity"),
    ),
)
