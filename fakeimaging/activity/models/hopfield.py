"""Continuous Hopfield network: graded neurons whose weights may hold memories.

    tau dx_i = (-x_i + G sum_j W_ij V_j(t - d_ij) + I_i) dt + sigma sqrt(2 tau) dW_i,    V_i = tanh(beta x_i)
    rate_i = r_max (1 + V_i) / 2               dipole_i = kappa V_i

x, V and the stimulus I have no unit, tau is in s; the leak -x / tau takes exact steps. Uncoupled, the SD of x is sigma. W holds
the scaled weights of the connectome (``memory="connectome"``), or Hebb's rule for p patterns s_i = +-1 (``"hebb"``), W_ij =
sum_k s_i^k s_j^k / n without diagonal, whatever tracts there are (where there is none, without delay). Below beta G = 1 the
state x = 0 is stable and patterns are directions in which noise lingers; far above it the network falls into a pattern, as that
of Hopfield (1982) does with V = sign(x): up to p / n near 0.138 (Amit et al. 1985).

Without noise and delays, symmetric weights make every trajectory descend (Hopfield 1984; `energy`)

    E = -G / 2 sum_ij W_ij V_i V_j - sum_i I_i V_i + sum_i [x_i V_i - log cosh(beta x_i) / beta]

The last sum is Hopfield's integral of x dV. Departures from the paper: delays, noise, and firing rates and dipoles made of V
(phenomenological, assumed).
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.model import Model, Observable, Setup
from fakeimaging.activity.wiring import WiringParameters, everywhere, wiring
from fakeimaging.core.citations import Reference
from fakeimaging.core.errors import InputError, ModelError
from fakeimaging.core.parameters import parameter
from fakeimaging.structure.subject import Subject
from fakeimaging.structure.tables import read_table

Array = npt.NDArray[np.float64]
HOPFIELD = "form: Hopfield 1984, doi:10.1073/pnas.81.10.3088; value assumed"


class HopfieldParameters(WiringParameters):
    """Parameters of the network and its memories."""

    tau: float = parameter(
        0.1, unit="s", bounds=(0.001, 100), symbol="tau", source=HOPFIELD, description="time constant of a region"
    )
    beta: float = parameter(
        1.0, unit="1", bounds=(0.01, 1000), symbol="beta", source=HOPFIELD, description="steepness of the output"
    )
    G: float = parameter(0.9, unit="1", bounds=(0, 100), symbol="G", description="coupling")
    sigma: float = parameter(0.1, unit="1", bounds=(0, 10), symbol="sigma", description="SD of an uncoupled region")
    memory: Literal["connectome", "hebb"] = parameter(
        "connectome", unit="-", description="weights: those of the tracts, or Hebb's rule for patterns"
    )
    n_patterns: int = parameter(
        3, unit="1", bounds=(1, 10_000), symbol="p", description="random patterns that are stored by Hebb's rule"
    )
    patterns: str | None = parameter(
        None,
        unit="-",
        description="file of patterns instead (.npy, .csv, .tsv): a row a pattern, a column a region, 1 or -1",
    )
    cue: int = parameter(
        0,
        unit="1",
        bounds=(0, 10_000),
        description="pattern that the run starts from, counted from 1; 0 starts at rest",
    )
    cue_flipped: float = parameter(
        0.0, unit="1", bounds=(0, 0.5), description="share of the regions whose sign is turned in that start"
    )
    max_rate: float = parameter(10.0, unit="Hz", bounds=(0, 1000), symbol="r_max", description="firing rate at V = 1")
    dipole_density: float = parameter(
        0.65, unit="nAm/mm2", bounds=(0, 100), symbol="kappa", description="cortical dipole at V = 1"
    )


def output(x, beta):  # type: ignore[no-untyped-def]
    """Sent: V, between -1 and 1."""
    return math.tanh(beta * x)


def drift(coupled_output, stimulus, tau, G):  # type: ignore[no-untyped-def]
    """Time derivative of x in 1/s, the leak apart."""
    return ((G * coupled_output + stimulus) / tau,)


def diffusion(tau, sigma):  # type: ignore[no-untyped-def]
    """Amplitude of the noise per square root of second."""
    return (sigma * math.sqrt(2.0 / tau),)


def rate(x, beta, max_rate):  # type: ignore[no-untyped-def]
    """Firing rate in Hz."""
    return max_rate * (1.0 + math.tanh(beta * x)) / 2.0


def dipole(x, beta, moment):  # type: ignore[no-untyped-def]
    """Dipole moment per cortical area in nAm/mm2, positive towards the pia."""
    return moment * math.tanh(beta * x)


def hebb(patterns: Array) -> Array:
    """Return the weights that store patterns, shape (n_regions, n_regions).

    Parameters
    ----------
    patterns : ndarray, shape (n_patterns, n_regions)
        1 or -1.

    Examples
    --------
    >>> hebb(np.array([[1.0, -1.0, 1.0, 1.0]]))[0]
    array([ 0.  , -0.25,  0.25,  0.25])
    """
    weights = patterns.T @ patterns / patterns.shape[1]
    np.fill_diagonal(weights, 0.0)
    return np.asarray(weights)


def overlap(outputs: Array, patterns: Array) -> Array:
    """Return the overlap of outputs V, shape (..., n_regions), with each pattern: mean of s V, shape (..., n_patterns)."""
    return np.asarray(outputs @ patterns.T / patterns.shape[1])


def energy(parameters: HopfieldParameters, weights: Array, x: Array, stimulus: npt.ArrayLike = 0.0) -> Array:
    """Return Hopfield's E of states x, which never rises without noise and delays when the weights are symmetric.

    Parameters
    ----------
    parameters : HopfieldParameters
        With one ``G`` for all regions.
    weights : ndarray, shape (n_regions, n_regions)
    x : ndarray, shape (..., n_regions)
    stimulus : float or ndarray, shape (n_regions,)

    Returns
    -------
    ndarray, shape (...)
    """
    u = np.asarray(parameters.beta) * x
    V, size = np.tanh(u), np.abs(u)
    log_cosh = size + np.log1p(np.exp(-2 * size)) - math.log(2)
    own = x * V - log_cosh / np.asarray(parameters.beta) - np.asarray(stimulus) * V
    return np.asarray(own.sum(axis=-1) - parameters.G / 2 * ((V @ weights.T) * V).sum(axis=-1))


def stored_patterns(parameters: HopfieldParameters, subject: Subject) -> Array:
    """Return the patterns, shape (n_patterns, n_regions): read from their file, or drawn from the subject's stream.

    Raises
    ------
    InputError
        If the file cannot be read as a table of 1 and -1 with a column for each region.
    """
    n = subject.n_regions
    if parameters.patterns is None:
        rng = subject.streams.at("activity", "patterns").rng()
        return np.asarray(rng.integers(0, 2, (parameters.n_patterns, n)) * 2.0 - 1.0)
    values = np.asarray(read_table(parameters.patterns).values, dtype=float)
    patterns = values.T if values.shape == (n, 1) else values
    if patterns.shape[1] != n or not np.isin(patterns, (-1, 1)).all():
        raise InputError(
            f"`hopfield.patterns`: {parameters.patterns} has shape {values.shape}; rows of {n} regions, each 1 or -1, are needed",
            value=parameters.patterns,
        )
    return patterns


def prepare(parameters: HopfieldParameters, subject: Subject, step: float) -> Setup:
    """Couple by tracts or by Hebb's rule, and start at rest or at a pattern."""
    p = parameters
    derived = {"leak": 1 / np.asarray(p.tau), "moment": everywhere(subject, p.dipole_density)}
    if p.memory == "connectome" and not p.cue:
        return Setup(wiring(p, subject, signed=True), {}, derived)
    patterns = stored_patterns(p, subject)
    coupling = hebb(patterns) if p.memory == "hebb" else wiring(p, subject, signed=True)
    return Setup(coupling, {"x": _start(p, subject, patterns)}, derived, {"patterns": patterns.T})


def _start(parameters: HopfieldParameters, subject: Subject, patterns: Array) -> Array:
    if not parameters.cue:
        return np.zeros(subject.n_regions)
    if parameters.cue > len(patterns):
        raise ModelError(
            f"`hopfield.cue`: {parameters.cue}, and {len(patterns)} patterns are stored", value=parameters.cue
        )
    turned = subject.streams.at("activity", "cue").rng().permutation(subject.n_regions)
    sign = np.ones(subject.n_regions)
    sign[turned[: round(parameters.cue_flipped * subject.n_regions)]] = -1
    return np.asarray(np.asarray(parameters.G) * sign * patterns[parameters.cue - 1])


MODEL = Model(
    name="hopfield",
    parameters=HopfieldParameters,
    states=("x",),
    sent={"output": output},
    drift=drift,
    decays={"x": "leak"},
    driven=(("x", 0),),
    diffusion=diffusion,
    observables={"rate": Observable(rate, "Hz", 50.0), "dipole": Observable(dipole, "nAm/mm2", 250.0, past=False)},
    prepare=prepare,
    uniform=("cue_flipped",),
    stimulus_unit="1",
    largest_stimulus=100.0,
    references=(
        Reference("Hopfield", 1982, "10.1073/pnas.79.8.2554", "memories as attractors"),
        Reference("Hopfield", 1984, "10.1073/pnas.81.10.3088", "graded neurons and their energy"),
        Reference("Amit et al.", 1985, "10.1103/PhysRevLett.55.1530", "how many patterns it stores"),
    ),
)
