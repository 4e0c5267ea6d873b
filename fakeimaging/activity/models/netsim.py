"""NetSim's network (Smith et al. 2011): linear regions with on/off inputs, bilinear where inputs gate connections.

    dz_i/dt = sigma [-z_i + g (1 + b u_i) sum_j W_ij z_j(t - d_ij)] + C u_i + noise,     u_i = on_i + I_i,     on_i = 0 or 1
    rate_i = max(0, r0 + k z_i)              dipole_i = kappa (z_i - z0_i)

sigma is 1 / (neural lag) in 1/s, C in 1/s, z and the stimulus I have no unit; the leak takes exact steps. on turns from 0 to 1
at the rate ``up`` and back at the rate ``down``: it is off for 1 / up = 10 s and on for 1 / down = 2.5 s on average, a share up
/ (up + down) = 0.2 of the time, so inputs are skewed. The published noise of the input has an SD of 1/20 at samples 5 ms apart;
here it is white noise of the same power, whatever the step. b gates what region i receives by its input: B_i of dz = (A + sum_i
u_i B_i) z + C u (Friston et al. 2003) is b sigma g times row i of W. z0 is the mean of z at b = 0.

The switch is part of the random draws of the step loop: the state ``draw`` decays so fast that each exact step leaves nothing
of it but one fresh standard normal, and ``on`` turns when that lies below the quantile of the probability rate * step, exact at
the step used. It needs white noise and the scheme "euler", the model's own; others are refused, as ``draw`` would grow.

`ring_connectome` makes the published wiring, for which ``RECIPE`` leaves the weights as they are; the default scales rows (so
that any connectome is stable) and g = 0.8 (assumed). The published model has no tract delays: lengths of `ring_connectome` are
0. NetSim has neither rates nor dipoles; r0, k and kappa are phenomenological (assumed).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.model import Model, Observable, Setup
from fakeimaging.activity.wiring import WiringParameters, everywhere, wiring
from fakeimaging.core.citations import Reference
from fakeimaging.core.errors import InputError, ModelError
from fakeimaging.core.parameters import parameter
from fakeimaging.structure.connectome import Connectome
from fakeimaging.structure.subject import Subject

Array = npt.NDArray[np.float64]
SMITH = "Smith et al. 2011, doi:10.1016/j.neuroimage.2010.08.063"
SCRIPT = f"{SMITH}, as in github.com/cabal-cmu/Feedback-Discovery, simulations_code/nma_rsns_thesis.m"
RECIPE = {"scaling": "none", "gain": 1.0}
"""Parameters of the published simulations that differ from the defaults; for `ring_connectome`."""
NOISE_STEP = 1 / 200
"""Seconds between samples of the published input noise (the script above)."""
FORGET = 50.0
"""Time constants of ``draw`` in a step: exp(-50) of it is left."""
MOTIF = ((1, 2), (2, 3), (3, 4), (4, 5), (1, 5))
"""Source and target of the links of five nodes (the script above)."""
BRIDGES = {
    3: ((3, 8), (3, 13), (8, 13)),
    10: (
        (3, 8), (8, 13), (13, 18), (18, 23), (3, 23), (28, 33), (33, 38), (38, 43), (43, 48), (28, 48), (3, 28),
    ),
}  # fmt: skip
"""Source and target of the links between motifs, by their number (the script above); for other numbers each third node feeds the next."""


class NetsimParameters(WiringParameters):
    """Parameters of NetSim's regions and inputs."""

    sigma: float = parameter(
        20.0, unit="1/s", bounds=(0.1, 1000), symbol="sigma", source=SMITH, description="1 / (neural lag)"
    )
    gain: float = parameter(
        0.8, unit="1", bounds=(0, 10), symbol="g", description="factor of the weights; 1 in the paper"
    )
    C: float = parameter(
        7.61, unit="1/s", bounds=(0, 1000), symbol="C", source=SCRIPT, description="strength of the input"
    )
    up: float = parameter(0.1, unit="1/s", bounds=(0, 10), source=SMITH, description="rate at which an input turns on")
    down: float = parameter(0.4, unit="1/s", bounds=(0.001, 10), source=SMITH, description="rate at which it turns off")
    input_noise: float = parameter(
        0.05, unit="1", bounds=(0, 10), source=SMITH, description="SD of the noise of the input at samples 5 ms apart"
    )
    modulation: float = parameter(
        0.0,
        unit="1",
        bounds=(-10, 10),
        symbol="b",
        description="relative change of what a region receives while its input is on",
    )
    baseline: float = parameter(5.0, unit="Hz", bounds=(0, 200), symbol="r0", description="firing rate at z = 0")
    rate_gain: float = parameter(5.0, unit="Hz", bounds=(0, 1000), symbol="k", description="firing rate of z = 1")
    dipole_density: float = parameter(
        0.4, unit="nAm/mm2", bounds=(0, 100), symbol="kappa", description="cortical dipole of z = 1"
    )


def drift(on, draw, coupled_z, stimulus, sigma, gain, modulation, C, turn_on, turn_off, interval):  # type: ignore[no-untyped-def]
    """Time derivatives of z (its leak apart), on and draw in 1/s; that of on makes a whole change in one step."""
    u = on + stimulus
    target = (0.0 if draw < turn_off else 1.0) if on > 0.5 else (1.0 if draw < turn_on else 0.0)
    return (
        sigma * gain * (1.0 + modulation * u) * coupled_z + C * u,
        (target - on) / interval,
        0.0,
    )


def diffusion(C, input_noise, forget):  # type: ignore[no-untyped-def]
    """Amplitude of the noise of z, and of a fresh standard normal each step, per square root of second."""
    return (C * input_noise * math.sqrt(NOISE_STEP), math.sqrt(2.0 * forget))


def rate(z, baseline, rate_gain):  # type: ignore[no-untyped-def]
    """Firing rate in Hz."""
    return max(0.0, baseline + rate_gain * z)


def dipole(z, z0, moment):  # type: ignore[no-untyped-def]
    """Dipole moment per cortical area in nAm/mm2, positive towards the pia."""
    return moment * (z - z0)


def switch(on):  # type: ignore[no-untyped-def]
    """Input without its noise: 0 or 1."""
    return on


def share_on(parameters: NetsimParameters) -> Array:
    """Return the share of the time that an input is on."""
    up = np.asarray(parameters.up, dtype=float)
    return np.asarray(up / (up + np.asarray(parameters.down)))


def prepare(parameters: NetsimParameters, subject: Subject, step: float) -> Setup:
    """Couple by the scaled weights, and start at the mean with each input in a state drawn from its stationary share.

    Raises
    ------
    ModelError
        If the network is not stable, or a rate of the switch too high for the step.
    """
    from scipy.special import ndtri

    p, coupling, share = parameters, wiring(parameters, subject, signed=True), share_on(parameters)
    z0 = _mean(p, coupling, share)
    chance_on, chance_off = (np.asarray(rate, dtype=float) * step for rate in (p.up, p.down))
    if np.max(chance_on) > 1 or np.max(chance_off) > 1:
        raise ModelError(
            f"model netsim: `up` and `down` times the step of {step:g} s are probabilities; take a shorter step"
        )
    on = subject.streams.at("activity", "switch").rng().uniform(size=subject.n_regions) < share
    derived = {"z0": z0, "interval": step, "forget": FORGET / step, "moment": everywhere(subject, p.dipole_density)}
    # Quantiles of +-20 stand for never and always: no generator of normals reaches them.
    derived |= {"turn_on": np.clip(ndtri(chance_on), -20, 20), "turn_off": np.clip(ndtri(chance_off), -20, 20)}
    return Setup(coupling, {"z": z0, "on": on.astype(float)}, derived)


def _mean(parameters: NetsimParameters, coupling: Array, share: Array) -> Array:
    n = len(coupling)
    loop = np.broadcast_to(np.asarray(parameters.gain, dtype=float), n)[:, None] * coupling
    radius = float(np.linalg.eigvals(loop).real.max())
    if radius >= 1:
        raise ModelError(
            f"model netsim: the network grows (largest eigenvalue of g W is {radius:.3g}); lower `gain`, or take `scaling` 'rows'",
            value=radius,
        )
    drive = np.broadcast_to(np.asarray(parameters.C) * share / np.asarray(parameters.sigma), n)
    return np.asarray(np.linalg.solve(np.eye(n) - loop, drive))


def ring_links(n_motifs: int) -> list[tuple[int, int]]:
    """Return source and target, counted from 1, of each link of ``n_motifs`` motifs of five nodes and between them.

    Raises
    ------
    InputError
        If there is no motif.
    """
    if n_motifs < 1:
        raise InputError(f"`n_motifs`: {n_motifs}, and at least 1 is needed", value=n_motifs)
    links = [(5 * k + i, 5 * k + j) for k in range(n_motifs) for i, j in MOTIF]
    return links + list(BRIDGES.get(n_motifs, tuple((5 * k + 3, 5 * k + 8) for k in range(n_motifs - 1))))


def draw_weights(n: int, *, rng: np.random.Generator) -> Array:
    """Return ``n`` weights of the published distribution: normal, 0.4 with SD 0.1, cut to 0.2 to 0.6."""
    return np.asarray(np.clip(rng.normal(0.4, 0.1, n), 0.2, 0.6))


def ring_connectome(n_motifs: int = 1, *, rng: np.random.Generator) -> Connectome:
    """Return NetSim's wiring: motifs of five nodes, 1 to 2 to 3 to 4 to 5 and 1 to 5, and links between motifs; without delays.

    Parameters
    ----------
    n_motifs : int
        Number of motifs; 1, 2, 3 and 10 in the paper.
    rng : numpy.random.Generator
        Draws each weight: normal, 0.4 with SD 0.1, cut to 0.2 to 0.6.

    Returns
    -------
    Connectome
        ``weights[target, source]``; for ``make_subject(connectome=..., n_regions=5 * n_motifs)``.

    Examples
    --------
    >>> weights = ring_connectome(rng=np.random.default_rng(1)).weights
    >>> [(int(j) + 1, int(i) + 1) for i, j in zip(*np.nonzero(weights))]  # source, target
    [(1, 2), (2, 3), (3, 4), (1, 5), (4, 5)]
    """
    links = ring_links(n_motifs)
    weights = np.zeros((5 * n_motifs, 5 * n_motifs))
    for (source, target), weight in zip(links, draw_weights(len(links), rng=rng), strict=True):
        weights[target - 1, source - 1] = weight
    smith = Reference("Smith et al.", 2011, "10.1016/j.neuroimage.2010.08.063", "motifs of the network")
    return Connectome(weights, np.zeros_like(weights), references=(smith,))


MODEL = Model(
    name="netsim",
    parameters=NetsimParameters,
    states=("z", "on", "draw"),
    coupled=("z",),
    drift=drift,
    decays={"z": "sigma", "draw": "forget"},
    driven=(("z", 0), ("draw", 1)),
    diffusion=diffusion,
    observables={
        "rate": Observable(rate, "Hz", 50.0),
        "dipole": Observable(dipole, "nAm/mm2", 250.0, past=False),
        "input": Observable(switch, "1", 50.0),
    },
    prepare=prepare,
    step=2e-3,
    transient=5.0,
    white_only=True,
    stimulus_unit="1",
    largest_stimulus=100.0,
    references=(
        Reference("Smith et al.", 2011, "10.1016/j.neuroimage.2010.08.063", "NetSim: neural model and on/off inputs"),
        Reference("Friston et al.", 2003, "10.1016/S1053-8119(03)00202-7", "bilinear neural model"),
    ),
)
