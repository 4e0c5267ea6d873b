"""Kuramoto's phase oscillators with delays and noise.

    dtheta_i/dt = w_i + K sum_j C_ij sin(theta_j(t - d_ij) - theta_i) + I_i + sigma dW_i / dt
    rate_i = r0 exp(k cos theta_i + c [cos theta_i sum_j C_ij cos theta_j(t - d_ij) + sin theta_i sum_j C_ij sin theta_j(t - d_ij)])
    dipole_i = kappa cos theta_i

theta in rad, K in 1/s, the stimulus I in rad/s, C the scaled weights. Natural frequencies w / 2 pi are normal (SD
``frequency_spread``) or Lorentzian (half-width at half-maximum ``frequency_spread``) around their mean, drawn at random or
placed at the quantiles ((i - 1/2) / n) in random order. All to all with rows that sum to 1 and a Lorentzian of half-width gamma
(rad/s) the order parameter r = |mean exp(i theta)| is 0 up to K = 2 gamma and sqrt(1 - 2 gamma / K) above (Kuramoto 1984); a
normal of SD s locks from K = s sqrt(8 / pi). Two equal regions with a delay d lock at W = w - K sin(W d) (Yeung & Strogatz
1999).

A phase has no amplitude; what instruments see of it is phenomenological (assumed): firing follows the region's own phase (k)
and how far what it receives arrives in phase (c; 1 when all of it does, after Fries 2005), in a log-linear way; dipoles have
one size.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.model import Model, Observable, Setup
from fakeimaging.activity.wiring import WiringParameters, everywhere, wiring
from fakeimaging.core.citations import Reference
from fakeimaging.core.parameters import parameter
from fakeimaging.core.streams import Streams
from fakeimaging.structure.subject import Subject

CABRAL = "form: Cabral et al. 2011, doi:10.1016/j.neuroimage.2011.04.010; value assumed"


class KuramotoParameters(WiringParameters):
    """Parameters of the oscillators."""

    K: float = parameter(12.0, unit="1/s", bounds=(0, 10_000), symbol="K", source=CABRAL, description="coupling")
    frequency: float = parameter(
        10.0, unit="Hz", bounds=(-200, 200), symbol="f", source=CABRAL, description="mean natural frequency"
    )
    frequency_spread: float = parameter(
        0.5,
        unit="Hz",
        bounds=(0, 50),
        description="SD of a normal, half-width of a Lorentzian distribution of frequencies",
    )
    distribution: Literal["normal", "lorentzian"] = parameter(
        "normal", unit="-", description="distribution of the natural frequencies over regions"
    )
    placement: Literal["random", "quantiles"] = parameter(
        "random", unit="-", description="natural frequencies drawn from it, or at its quantiles in random order"
    )
    sigma: float = parameter(
        2.0, unit="rad/sqrt(s)", bounds=(0, 100), symbol="sigma", source=CABRAL, description="phase noise"
    )
    baseline: float = parameter(5.0, unit="Hz", bounds=(0, 200), symbol="r0", description="firing rate without rhythm")
    modulation: float = parameter(
        0.3,
        unit="1",
        bounds=(0, 5),
        symbol="k",
        description="change of the log firing rate over the region's own cycle",
    )
    coherence: float = parameter(
        0.3, unit="1", bounds=(-5, 5), symbol="c", description="change of the log firing rate with input in phase"
    )
    dipole_density: float = parameter(
        0.1, unit="nAm/mm2", bounds=(0, 100), symbol="kappa", description="amplitude of the cortical dipole"
    )


def cosine(theta):  # type: ignore[no-untyped-def]
    """Sent: cos theta."""
    return math.cos(theta)


def sine(theta):  # type: ignore[no-untyped-def]
    """Sent: sin theta."""
    return math.sin(theta)


def drift(theta, coupled_cosine, coupled_sine, stimulus, omega, K):  # type: ignore[no-untyped-def]
    """Time derivative of theta in rad/s."""
    pull = coupled_sine * math.cos(theta) - coupled_cosine * math.sin(theta)
    return (omega + K * pull + stimulus,)


def diffusion(sigma):  # type: ignore[no-untyped-def]
    """Amplitude of the phase noise in rad per square root of second."""
    return (sigma,)


def rate(theta, coupled_cosine, coupled_sine, baseline, modulation, coherence):  # type: ignore[no-untyped-def]
    """Firing rate in Hz."""
    c, s = math.cos(theta), math.sin(theta)
    return baseline * math.exp(modulation * c + coherence * (c * coupled_cosine + s * coupled_sine))


def dipole(theta, moment):  # type: ignore[no-untyped-def]
    """Dipole moment per cortical area in nAm/mm2, positive towards the pia."""
    return moment * math.cos(theta)


def natural_frequencies(parameters: KuramotoParameters, n: int, streams: Streams) -> npt.NDArray[np.float64]:
    """Return the natural frequency of each region in Hz, shape (n,).

    Examples
    --------
    >>> p = KuramotoParameters(distribution="lorentzian", placement="quantiles", frequency=1.0, frequency_spread=0.1)
    >>> sorted(natural_frequencies(p, 4, Streams(1)).round(4).tolist())  # 1 + 0.1 tan(pi ((i - 1/2) / 4 - 1/2))
    [0.7586, 0.9586, 1.0414, 1.2414]
    """
    rng = streams.at("activity", "frequency").rng()
    share = rng.uniform(size=n) if parameters.placement == "random" else rng.permutation((np.arange(n) + 0.5) / n)
    if parameters.distribution == "lorentzian":
        deviate = np.tan(np.pi * (share - 0.5))
    else:
        from scipy.special import ndtri

        deviate = ndtri(share)
    return np.asarray(np.asarray(parameters.frequency) + np.asarray(parameters.frequency_spread) * deviate)


def prepare(parameters: KuramotoParameters, subject: Subject, step: float) -> Setup:
    """Couple by the scaled weights, draw natural frequencies, and start at random phases."""
    p, n = parameters, subject.n_regions
    frequency = natural_frequencies(p, n, subject.streams)
    phase = subject.streams.at("activity", "phase").rng().uniform(-np.pi, np.pi, n)
    derived = {"omega": 2 * np.pi * frequency, "moment": everywhere(subject, p.dipole_density)}
    return Setup(wiring(p, subject), {"theta": phase}, derived, {"frequency": frequency})


MODEL = Model(
    name="kuramoto",
    parameters=KuramotoParameters,
    states=("theta",),
    sent={"cosine": cosine, "sine": sine},
    drift=drift,
    driven=(("theta", 0),),
    diffusion=diffusion,
    observables={"rate": Observable(rate, "Hz", 50.0), "dipole": Observable(dipole, "nAm/mm2", 250.0, past=False)},
    prepare=prepare,
    angles=("theta",),
    scheme="heun",
    stimulus_unit="rad/s",
    largest_stimulus=1000.0,
    references=(
        Reference("Kuramoto", 1984, "10.1007/978-3-642-69689-3", "phase oscillators and their locking"),
        Reference("Yeung & Strogatz", 1999, "10.1103/PhysRevLett.82.648", "with delays"),
        Reference("Cabral et al.", 2011, "10.1016/j.neuroimage.2011.04.010", "on a connectome"),
        Reference("Fries", 2005, "10.1016/j.tics.2005.08.011", "input in phase drives more"),
    ),
)
