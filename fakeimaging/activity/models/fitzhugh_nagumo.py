"""FitzHugh-Nagumo: a fast variable with a slow recovery, excitable or oscillating.

    tau dv_i/dt = v_i - v_i^3 / 3 - w_i + I_i + G sum_j C_ij [v_j(t - d_ij) - v_i] + sigma sqrt(tau) dW_i / dt
    tau dw_i/dt = phi (v_i + a - b w_i)
    rate_i = r0 exp(k (v_i - v0))             dipole_i = kappa (v_i - v0)

The equations of FitzHugh (1961) with the sign of v of Nagumo et al. (1962); v, w and I have no unit, tau is the unit of time in
s. I is ``I_ext`` plus the stimulus. C holds the scaled weights; coupling is diffusive, so that equal regions keep the working
point of one alone, v0 - v0^3 / 3 + I = w0 = (v0 + a) / b. It loses stability (Hopf bifurcation) where 1 - v0^2 = phi b: for
FitzHugh's a = 0.7, b = 0.8 and the usual phi = 0.08 at I = 0.3313 and 1.4187, with a cycle between. Coupling adds -G sum_j C_ij
to a region's own slope.

Defaults are the whole-brain variant of Ghosh et al. (2008), who write u' = T (v + u - u^3 / 3), v' = -(u - alpha + beta v) / T:
with time in units of 1 / T and w = -v this is phi = 1 / T^2 = 0.64, b = beta = 0.2, and a = alpha once the sign of both
variables is turned. Their alpha = 1.05 is a strongly damped focus. Here a = 0.75 (assumed), just beyond the bifurcation at a =
0.801 alone; coupling over tracts with delays damps it to the edge, where noise keeps an alpha rhythm going, which tau puts at
10 Hz. For FitzHugh's constants tau = 0.0025 s gives a cycle of about 10 Hz. What instruments see of v is phenomenological
(assumed).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.model import Model, Observable, Setup
from fakeimaging.activity.wiring import WiringParameters, everywhere, wiring
from fakeimaging.core.citations import Reference
from fakeimaging.core.parameters import parameter
from fakeimaging.structure.subject import Subject

FITZHUGH = "form: FitzHugh 1961, doi:10.1016/S0006-3495(61)86902-6"
GHOSH = "Ghosh et al. 2008, doi:10.1371/journal.pcbi.1000196"


class FitzHughNagumoParameters(WiringParameters):
    """Parameters of the excitable regions."""

    tau: float = parameter(0.0115, unit="s", bounds=(1e-4, 10), symbol="tau", description="unit of time")
    a: float = parameter(
        0.75,
        unit="1",
        bounds=(-5, 5),
        symbol="a",
        source=f"{FITZHUGH} (0.7); value assumed",
        description="recovery offset",
    )
    b: float = parameter(0.2, unit="1", bounds=(0.01, 1), symbol="b", source=GHOSH, description="recovery of w itself")
    phi: float = parameter(
        0.64, unit="1", bounds=(1e-4, 10), symbol="phi", source=GHOSH, description="speed of w over v"
    )
    I_ext: float = parameter(0.0, unit="1", bounds=(-10, 10), symbol="I", source=GHOSH, description="constant input")
    G: float = parameter(0.2, unit="1", bounds=(0, 100), symbol="G", description="diffusive coupling")
    sigma: float = parameter(0.1, unit="1", bounds=(0, 10), symbol="sigma", description="noise of v per sqrt(tau)")
    baseline: float = parameter(5.0, unit="Hz", bounds=(0, 200), symbol="r0", description="firing rate at rest")
    modulation: float = parameter(
        1.0, unit="1", bounds=(0, 5), symbol="k", description="change of the log firing rate with v"
    )
    dipole_density: float = parameter(
        0.25, unit="nAm/mm2", bounds=(0, 100), symbol="kappa", description="cortical dipole of v = 1 above rest"
    )


def drift(v, w, coupled_v, stimulus, tau, a, b, phi, I_ext, G, strength):  # type: ignore[no-untyped-def]
    """Time derivatives of v and w in 1/s."""
    current = I_ext + stimulus + G * (coupled_v - strength * v)
    return ((v - v * v * v / 3.0 - w + current) / tau, phi * (v + a - b * w) / tau)


def diffusion(tau, sigma):  # type: ignore[no-untyped-def]
    """Amplitude of the noise of v per square root of second."""
    return (sigma / math.sqrt(tau),)


def rate(v, v0, baseline, modulation):  # type: ignore[no-untyped-def]
    """Firing rate in Hz."""
    return baseline * math.exp(modulation * (v - v0))


def dipole(v, v0, moment):  # type: ignore[no-untyped-def]
    """Dipole moment per cortical area in nAm/mm2, positive towards the pia."""
    return moment * (v - v0)


def rest(parameters: FitzHughNagumoParameters) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the one fixed point (v, w) of an isolated region: v^3 / 3 + (1 / b - 1) v + a / b - I = 0 by Cardano's formula.

    Examples
    --------
    >>> v, w = rest(FitzHughNagumoParameters(a=0.7, b=0.8))  # FitzHugh (1961): -1.1994, -0.6243
    >>> print(f"{v:.4f} {w:.4f}")
    -1.1994 -0.6243
    """
    a, b, current = (np.asarray(value, dtype=float) for value in (parameters.a, parameters.b, parameters.I_ext))
    third, half = 1 / b - 1, 1.5 * (a / b - current)  # of v^3 + 3 third v + 2 half = 0
    root = np.sqrt(half**2 + third**3)
    v = np.cbrt(root - half) - np.cbrt(root + half)
    return np.asarray(v), np.asarray((v + a) / b)


def prepare(parameters: FitzHughNagumoParameters, subject: Subject, step: float) -> Setup:
    """Couple by the scaled weights and start at the working point."""
    coupling, (v0, w0) = wiring(parameters, subject), rest(parameters)
    derived = {"v0": v0, "strength": coupling.sum(axis=1), "moment": everywhere(subject, parameters.dipole_density)}
    return Setup(coupling, {"v": v0, "w": w0}, derived)


MODEL = Model(
    name="fitzhugh_nagumo",
    parameters=FitzHughNagumoParameters,
    states=("v", "w"),
    coupled=("v",),
    drift=drift,
    driven=(("v", 0),),
    diffusion=diffusion,
    observables={"rate": Observable(rate, "Hz", 50.0), "dipole": Observable(dipole, "nAm/mm2", 250.0, past=False)},
    prepare=prepare,
    scheme="heun",
    stimulus_unit="1",
    largest_stimulus=100.0,
    references=(
        Reference("FitzHugh", 1961, "10.1016/S0006-3495(61)86902-6", "excitable system of two variables"),
        Reference("Nagumo et al.", 1962, "10.1109/JRPROC.1962.288235", "the same as a circuit"),
        Reference("Ghosh et al.", 2008, "10.1371/journal.pcbi.1000196", "on a connectome with delays"),
    ),
)
