"""Stuart-Landau oscillators: the normal form of a Hopf bifurcation, as a resonator (a < 0) or a rhythm of its own (a > 0).

    dz_i/dt = (a_i + i w_i) z_i - |z_i|^2 z_i + G sum_j C_ij [z_j(t - d_ij) - z_i] + I_i + beta_i (dW_x + i dW_y) / dt,   z = x + i y
    rate_i = r0 exp(k x_i)               dipole_i = kappa x_i

Time in s, a and G in 1/s, w = 2 pi f in rad/s; z has no unit, the stimulus I is in 1/s and pushes x. C holds the scaled
weights. Isolated and without noise: for a > 0 a circle of radius sqrt(a) (a in 1/s) turned at f, for a < 0 decay at the rate
|a|. With noise and a << 0 the variance of x and of y is beta^2 / (2 |a|) each. The linear part, in-strength included, takes
exact steps: (a_i - G sum_j C_ij + i w_i) z_i.

Deco et al. (2017) fit f to each region's BOLD (0.04 to 0.07 Hz) and take x for the BOLD signal itself. Here z is neural, an
alpha rhythm by default: alone a region would turn (a = 2 per s), coupled over tracts with delays it is damped to the edge,
where noise keeps it going. What instruments see is phenomenological (assumed): firing follows x in a log-linear way, as spikes
follow the phase of field potentials (Truccolo et al. 2005), so that its mean over a cycle rises with the amplitude, r0 I_0(k
|z|); the dipole is proportional to x.
"""

from __future__ import annotations

import math

import numpy as np

from fakeimaging.activity.model import Model, Observable, Rotation, Setup
from fakeimaging.activity.wiring import WiringParameters, everywhere, wiring
from fakeimaging.core.citations import Reference
from fakeimaging.core.parameters import parameter
from fakeimaging.structure.subject import Subject

DECO = "form: Deco et al. 2017, doi:10.1038/s41598-017-03073-5; value assumed"


class StuartLandauParameters(WiringParameters):
    """Parameters of the oscillators."""

    a: float = parameter(
        2.0,
        unit="1/s",
        bounds=(-1000, 1000),
        symbol="a",
        source=DECO,
        description="bifurcation parameter, growth at amplitude 0",
    )
    frequency: float = parameter(
        10.0, unit="Hz", bounds=(0, 200), symbol="f", source=DECO, description="mean frequency over regions"
    )
    frequency_sd: float = parameter(
        0.4, unit="Hz", bounds=(0, 50), description="spread of the frequency over regions (normal)"
    )
    G: float = parameter(10.0, unit="1/s", bounds=(0, 1000), symbol="G", source=DECO, description="diffusive coupling")
    beta: float = parameter(
        0.8, unit="1/sqrt(s)", bounds=(0, 100), symbol="beta", source=DECO, description="noise of x and of y"
    )
    baseline: float = parameter(5.0, unit="Hz", bounds=(0, 200), symbol="r0", description="firing rate at x = 0")
    modulation: float = parameter(
        2.0, unit="1", bounds=(0, 5), symbol="k", description="change of the log firing rate with x"
    )
    dipole_density: float = parameter(
        0.3, unit="nAm/mm2", bounds=(0, 100), symbol="kappa", description="cortical dipole at x = 1"
    )


def drift(x, y, coupled_x, coupled_y, stimulus, G):  # type: ignore[no-untyped-def]
    """Time derivatives of x and y in 1/s, their linear part apart."""
    loss = x * x + y * y
    return (G * coupled_x - loss * x + stimulus, G * coupled_y - loss * y)


def diffusion(beta):  # type: ignore[no-untyped-def]
    """Amplitude of the noise of x and of y per square root of second."""
    return (beta, beta)


def rate(x, baseline, modulation):  # type: ignore[no-untyped-def]
    """Firing rate in Hz."""
    return baseline * math.exp(modulation * x)


def dipole(x, moment):  # type: ignore[no-untyped-def]
    """Dipole moment per cortical area in nAm/mm2, positive towards the pia."""
    return moment * x


def prepare(parameters: StuartLandauParameters, subject: Subject, step: float) -> Setup:
    """Couple by the scaled weights, draw the frequencies, and start at random phases on the circle of a region alone."""
    p, coupling, n = parameters, wiring(parameters, subject), subject.n_regions
    spread = subject.streams.at("activity", "frequency").rng().standard_normal(n)
    frequency = np.asarray(p.frequency) + np.asarray(p.frequency_sd) * spread
    phase = subject.streams.at("activity", "phase").rng().uniform(-np.pi, np.pi, n)
    radius = np.sqrt(np.maximum(p.a, 0.0))
    derived = {
        "growth": np.asarray(p.a) - np.asarray(p.G) * coupling.sum(axis=1),
        "omega": 2 * np.pi * frequency,
        "moment": everywhere(subject, p.dipole_density),
    }
    start = {"x": radius * np.cos(phase), "y": radius * np.sin(phase)}
    return Setup(coupling, start, derived, {"frequency": frequency})


MODEL = Model(
    name="stuart_landau",
    parameters=StuartLandauParameters,
    states=("x", "y"),
    coupled=("x", "y"),
    rotating=(Rotation("x", "y", "growth", "omega"),),
    drift=drift,
    driven=(("x", 0), ("y", 1)),
    diffusion=diffusion,
    observables={"rate": Observable(rate, "Hz", 50.0), "dipole": Observable(dipole, "nAm/mm2", 250.0, past=False)},
    prepare=prepare,
    stimulus_unit="1/s",
    largest_stimulus=1000.0,
    references=(
        Reference("Deco et al.", 2017, "10.1038/s41598-017-03073-5", "Stuart-Landau oscillators on a connectome"),
        Reference("Truccolo et al.", 2005, "10.1152/jn.00697.2004", "log-linear rate of spikes in a rhythm"),
    ),
)
