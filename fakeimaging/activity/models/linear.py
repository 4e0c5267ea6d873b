"""Linear rate network (multivariate Ornstein-Uhlenbeck process) around a working point.

    tau dx_i = (-x_i + g sum_j C_ij x_j(t - d_ij) + I_i) dt + sigma sqrt(2 tau) dW_i     rate_i = r0 + x_i     dipole_i = kappa x_i

C holds the scaled weights (by default each row sums to 1, so that g < 1 is stable), I the stimulus in Hz. Uncoupled, the SD of
x is sigma. The leak -x / tau takes exact steps. Rows of C and parameters may differ between regions.

Without delays the covariance P of x is exact: A P + P A' + diag(2 sigma^2 / tau) = 0 with A = diag(1 / tau) (g C - 1), and a
time s later it is exp(A s) P. With delays A depends on the frequency f, A(f)_ij = (g C_ij exp(-2 pi i f d_ij) - delta_ij) /
tau_i, and P = integral of H Q H* df with H = (2 pi i f - A(f))^-1 and Q = diag(2 sigma^2 / tau).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.model import Model, Observable, Setup
from fakeimaging.activity.wiring import WiringParameters, everywhere, wiring
from fakeimaging.core.citations import Reference
from fakeimaging.core.errors import ModelError
from fakeimaging.core.parameters import parameter
from fakeimaging.structure.subject import Subject

Array = npt.NDArray[np.float64]
N_FREQUENCIES = 512
"""Points of the integral over frequency: within 1e-4 of many more, also with delays of five times tau (measured, 20 regions)."""


class LinearParameters(WiringParameters):
    """Parameters of the linear network."""

    tau: float = parameter(0.1, unit="s", bounds=(0.005, 100), symbol="tau", description="time constant of a region")
    gain: float = parameter(0.9, unit="1", bounds=(0, 0.99), symbol="g", description="loop gain of the network")
    sigma: float = parameter(0.5, unit="Hz", bounds=(0, 100), symbol="sigma", description="SD of an uncoupled region")
    baseline: float = parameter(5.0, unit="Hz", bounds=(0, 200), symbol="r0", description="mean firing rate")
    dipole_density: float = parameter(
        0.09, unit="nAm/mm2 per Hz", bounds=(0, 100), symbol="kappa", description="cortical dipole of a rate, as in dmf"
    )


def drift(coupled_x, stimulus, tau, gain):  # type: ignore[no-untyped-def]
    """Time derivative of x in Hz/s, the leak apart."""
    return ((gain * coupled_x + stimulus) / tau,)


def diffusion(tau, sigma):  # type: ignore[no-untyped-def]
    """Amplitude of the noise in Hz per square root of second."""
    return (sigma * math.sqrt(2.0 / tau),)


def rate(x, baseline):  # type: ignore[no-untyped-def]
    """Firing rate in Hz."""
    return baseline + x


def dipole(x, moment):  # type: ignore[no-untyped-def]
    """Dipole moment per cortical area in nAm/mm2, positive towards the pia."""
    return moment * x


def prepare(parameters: LinearParameters, subject: Subject, step: float) -> Setup:
    """Couple by the scaled weights and start at the working point."""
    coupling = wiring(parameters, subject, signed=True)
    if parameters.scaling == "none":
        _check_stable(parameters, coupling)
    moment = everywhere(subject, parameters.dipole_density)
    return Setup(coupling, {}, {"moment": moment, "leak": 1 / np.asarray(parameters.tau)})


def _check_stable(parameters: LinearParameters, coupling: Array) -> None:
    growth = float(np.linalg.eigvals(flow(parameters, coupling)).real.max())
    if growth >= 0:
        raise ModelError(
            f"model linear: the network grows at {growth:.3g} 1/s; lower `gain`, or take `scaling` 'rows' or 'radius'",
            value=growth,
        )


def flow(parameters: LinearParameters, coupling: Array) -> Array:
    """Return A of dx/dt = A x without delays (1/s), shape (n_regions, n_regions)."""
    n = len(coupling)
    gain, tau = (np.broadcast_to(np.asarray(value, dtype=float), n) for value in (parameters.gain, parameters.tau))
    return np.asarray((gain[:, None] * coupling - np.eye(n)) / tau[:, None])


def _intensity(parameters: LinearParameters, n: int) -> Array:
    """Variance of the noise per second (Hz2/s), shape (n,)."""
    return np.broadcast_to(2 * np.asarray(parameters.sigma, dtype=float) ** 2 / np.asarray(parameters.tau), n)


def covariance(parameters: LinearParameters, coupling: Array, delays: Array | None = None) -> Array:
    """Return the exact stationary covariance of the rates.

    Parameters
    ----------
    parameters : LinearParameters
        Single numbers, or arrays of shape (n_regions,).
    coupling : ndarray, shape (n_regions, n_regions)
        Effective weights.
    delays : ndarray, shape (n_regions, n_regions), s, optional
        None for none; with delays it is an integral over frequency.

    Returns
    -------
    ndarray, shape (n_regions, n_regions), Hz2

    Examples
    --------
    >>> pair = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> covariance(LinearParameters(gain=0.5, sigma=1.0), pair).round(4)  # 1 / (1 - g^2) and g / (1 - g^2)
    array([[1.3333, 0.6667],
           [0.6667, 1.3333]])
    """
    if delays is not None and np.any(np.asarray(delays)[coupling != 0]):
        return _delayed_covariance(parameters, coupling, delays)
    from scipy.linalg import solve_continuous_lyapunov

    noise = np.diag(_intensity(parameters, len(coupling)))
    return np.asarray(solve_continuous_lyapunov(flow(parameters, coupling), -noise))


def _delayed_covariance(parameters: LinearParameters, coupling: Array, delays: Array) -> Array:
    from threadpoolctl import threadpool_limits

    # w = tan(u) / tau maps the whole axis onto (-pi/2, pi/2); the negative half is the complex conjugate.
    n, scale = len(coupling), float(1 / np.mean(parameters.tau))
    still, noise = flow(parameters, coupling), _intensity(parameters, n)
    own, total = np.diag(still.diagonal()), np.zeros((n, n))
    angles = (np.arange(N_FREQUENCIES) + 0.5) / N_FREQUENCIES * np.pi / 2
    with threadpool_limits(1):  # small matrices: threads only wait for each other
        for omega, width in zip(scale * np.tan(angles), scale / np.cos(angles) ** 2, strict=True):
            arriving = (still - own) * np.exp(-1j * omega * delays)
            response = np.linalg.inv(1j * omega * np.eye(n) - own - arriving)
            total += ((response * noise) @ response.conj().T).real * width
    return total / (2 * N_FREQUENCIES)


def lagged_covariance(parameters: LinearParameters, coupling: Array, lag: float) -> Array:
    """Return cov[i, j] between region i a time ``lag`` (s) later and region j, without delays: exp(A lag) P.

    Parameters
    ----------
    parameters, coupling
        As for `covariance`.
    lag : float
        Seconds, at least 0.

    Returns
    -------
    ndarray, shape (n_regions, n_regions), Hz2
    """
    from scipy.linalg import expm

    return np.asarray(expm(flow(parameters, coupling) * lag) @ covariance(parameters, coupling))


MODEL = Model(
    name="linear",
    parameters=LinearParameters,
    states=("x",),
    coupled=("x",),
    drift=drift,
    decays={"x": "leak"},
    driven=(("x", 0),),
    diffusion=diffusion,
    observables={"rate": Observable(rate, "Hz", 100.0), "dipole": Observable(dipole, "nAm/mm2", 250.0, past=False)},
    prepare=prepare,
    stimulus_unit="Hz",
    largest_stimulus=200.0,
    references=(
        Reference("Galán", 2008, "10.1371/journal.pone.0002148", "linear network whose connectome sets its covariance"),
    ),
)
