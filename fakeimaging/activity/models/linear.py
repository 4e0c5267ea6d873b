"""Linear rate network (multivariate Ornstein-Uhlenbeck process) around a working point.

    tau dx_i = (-x_i + g sum_j C_ij x_j(t - d_ij)) dt + sigma sqrt(2 tau) dW_i        rate_i = r0 + x_i      dipole_i = kappa x_i

C is the row-normalised connectome, so that g < 1 is stable. Without delays the covariance P of x is exact: it solves the
Lyapunov equation A P + P A' + (2 sigma^2 / tau) I = 0 with A = (g C - I) / tau. Uncoupled, the SD of x is sigma.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.model import Model, Observable, Setup
from fakeimaging.core.citations import Reference
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.structure.subject import Subject


class LinearParameters(Parameters):
    """Parameters of the linear network."""

    tau: float = parameter(0.1, unit="s", bounds=(0.005, 100), symbol="tau", description="time constant of a region")
    gain: float = parameter(0.9, unit="1", bounds=(0, 0.99), symbol="g", description="loop gain of the network")
    sigma: float = parameter(0.5, unit="Hz", bounds=(0, 100), symbol="sigma", description="SD of an uncoupled region")
    baseline: float = parameter(5.0, unit="Hz", bounds=(0, 200), symbol="r0", description="mean firing rate")
    dipole_density: float = parameter(
        0.13, unit="nAm/mm2 per Hz", bounds=(0, 100), symbol="kappa", description="cortical dipole of a rate, as in dmf"
    )


def drift(x, coupled_x, tau, gain):  # type: ignore[no-untyped-def]
    """Time derivative of x in Hz/s."""
    return ((gain * coupled_x - x) / tau,)


def diffusion(tau, sigma):  # type: ignore[no-untyped-def]
    """Amplitude of the noise in Hz per square root of second."""
    return (sigma * (2.0 / tau) ** 0.5,)


def rate(x, baseline):  # type: ignore[no-untyped-def]
    """Firing rate in Hz."""
    return baseline + x


def dipole(x, moment):  # type: ignore[no-untyped-def]
    """Dipole moment per cortical area in nAm/mm2, positive towards the pia; 0 below the cortex."""
    return moment * x


def prepare(parameters: LinearParameters, subject: Subject, step: float) -> Setup:
    """Couple by the row-normalised weights and start at the working point."""
    cortex = np.array([region.kind == "cortex" for region in subject.regions])
    return Setup(subject.connectome.row_normalised(), {}, {"moment": parameters.dipole_density * cortex})


def covariance(parameters: LinearParameters, coupling: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the exact stationary covariance of the rates without delays.

    Parameters
    ----------
    parameters : LinearParameters
        Any of them may be an array over regions.
    coupling : ndarray, shape (n_regions, n_regions)
        Effective weights.

    Returns
    -------
    ndarray, shape (n_regions, n_regions), Hz2
    """
    from scipy.linalg import solve_continuous_lyapunov

    identity = np.eye(len(coupling))
    gain, tau, sigma = (np.reshape(x, (-1, 1)) for x in (parameters.gain, parameters.tau, parameters.sigma))
    flow = (gain * coupling - identity) / tau
    return np.asarray(solve_continuous_lyapunov(flow, -(2 * sigma**2 / tau) * identity))


MODEL = Model(
    name="linear",
    parameters=LinearParameters,
    states=("x",),
    coupled=("x",),
    drift=drift,
    driven=(("x", 0),),
    diffusion=diffusion,
    observables={"rate": Observable(rate, "Hz", 100.0), "dipole": Observable(dipole, "nAm/mm2", 250.0, past=False)},
    prepare=prepare,
    references=(
        Reference("Galán", 2008, "10.1371/journal.pone.0002148", "linear network whose connectome sets its covariance"),
    ),
)
