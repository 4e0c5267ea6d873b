"""Parameters of the default model and what follows from them in closed form: working point, inhibition, coupling, noise, alpha map.

    working point   E[H(I* + sigma n)] = r*,  n ~ N(0, 1),  sigma^2 = s^2 + ca^2 / 2
    inhibition      J_i = (W_E I0 + w+ J_N S_E,i + G J_N sum_j C_ij S_E,j - I_E,i) / S_I,i
    loop gain       K = spectral radius of G J_N diag(chi) C,  chi_i the response of S_E,i to a slow current

For one target rate and rows of C that sum to 1, K = G J_N chi. A network without loops to speak of has no such radius; there K is
the largest row sum instead, the gain of what a region receives in one step. Every function works on arrays over regions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.models import deco_node
from fakeimaging.activity.models.deco_node import NodeParameters, SetPoint, inhibition
from fakeimaging.activity.wiring import cortical
from fakeimaging.core.errors import ModelError
from fakeimaging.core.parameters import parameter
from fakeimaging.structure.subject import Subject

Array = npt.NDArray[np.float64]
FILTER_TIMES = (0.003, 0.015, 0.075, 0.375, 1.9, 9.4)
"""Time constants in s of the filters that make 1/f noise (assumed): 0.02 to 50 Hz."""
POSTERIOR_EDGE = (-55.0, 10.0)
"""Template y in mm at which the alpha gradient is halfway, and its width in mm (assumed)."""
FEW_LOOPS = 0.1
"""Spectral radius of the weights over their largest row sum, below which the network counts as one without loops (assumed)."""


class DmfParameters(NodeParameters):
    """Parameters of the dynamic mean field and its alpha resonator."""

    w_plus: float = parameter(1.0, unit="1", bounds=(0, 3), symbol="w_+", description="local recurrent excitation")
    target_rate: float = parameter(5.0, unit="Hz", bounds=(1, 20), symbol="r*", description="mean excitatory rate")
    rate_log_sd: float = parameter(
        0.18, unit="1", bounds=(0, 0.3), description="spread of the log target rate over regions"
    )
    loop_gain: float = parameter(
        0.86,
        unit="1",
        bounds=(0, 0.95),
        symbol="K",
        description="gain of the whole network; near 1 it locks into one mode",
    )
    noise_sd: float = parameter(0.01, unit="nA", bounds=(0, 0.1), symbol="s", description="SD of the current noise")
    noise_log_sd: float = parameter(
        0.35, unit="1", bounds=(0, 0.5), description="spread of the log noise SD over regions"
    )
    noise_exponent: float = parameter(
        1.1, unit="1", bounds=(0, 2), symbol="chi", description="its spectrum falls as 1/f^chi"
    )
    alpha_current: float = parameter(
        0.008, unit="nA", bounds=(0, 0.1), symbol="ca", description="current of the alpha rhythm at amplitude 1"
    )
    alpha_frequency: float = parameter(10.3, unit="Hz", bounds=(1, 40), description="of a region without input")
    alpha_log_sd: float = parameter(0.05, unit="1", bounds=(0, 0.3), description="spread of the log frequency")
    alpha_growth: float = parameter(
        -6.0, unit="1/s", bounds=(-100, -1), symbol="a", description="growth rate at the occipital pole"
    )
    alpha_growth_front: float = parameter(-15.0, unit="1/s", bounds=(-100, -1), description="the same at the front")
    alpha_noise: float = parameter(
        3.464, unit="1/sqrt(s)", bounds=(0, 20), symbol="be", description="noise of the rhythm at the occipital pole"
    )
    alpha_noise_front: float = parameter(0.35, unit="1", bounds=(0, 1), description="share of that noise at the front")
    alpha_suppression: float = parameter(
        6.0, unit="1/s", bounds=(0, 50), symbol="delta", description="growth lost when the rate doubles"
    )
    alpha_saturation: float = parameter(
        0.5, unit="1/s", bounds=(0.01, 50), symbol="b", description="growth lost at amplitude 1"
    )
    alpha_coupling: float = parameter(10.0, unit="1/s", bounds=(0, 20), symbol="Ka", description="through the tracts")
    tau_r: float = parameter(
        0.1, unit="s", bounds=(0.01, 10), symbol="tau_r", description="memory of the rate that suppresses alpha"
    )
    dipole_density: float = parameter(
        8.0, unit="nAm/mm2 per nA", bounds=(0, 1000), symbol="kappa", description="cortical dipole of a current"
    )
    synaptic_dipole: float = parameter(
        0.25, unit="1", bounds=(0, 1), description="share of the currents besides drive and alpha that makes a dipole"
    )
    dendrite_time: float = parameter(
        0.008,
        unit="s",
        bounds=(0.002, 0.1),
        symbol="tau_d",
        description="memory of the dendrites whose current the dipole is: a low-pass of 20 Hz",
    )
    mode_drive: float = parameter(
        0.6,
        unit="1",
        bounds=(0, 5),
        description="SD of the drive of sub-regional modes relative to the region's own, at 100 regions",
    )


def set_point(
    parameters: DmfParameters, rate: npt.ArrayLike | None = None, noise_sd: npt.ArrayLike | None = None
) -> SetPoint:
    """Return the working point at which the mean rate over the noise is the target.

    Parameters
    ----------
    parameters : DmfParameters
    rate : array_like, shape (n_regions,), optional
        Targets in Hz; ``target_rate`` when left out.
    noise_sd : array_like, shape (n_regions,), optional
        SD of the 1/f current in nA; the parameter when left out.
    """
    p = parameters
    noise = np.asarray(p.noise_sd if noise_sd is None else noise_sd, dtype=float)
    sigma = np.sqrt(noise**2 + p.alpha_current**2 / 2)
    return deco_node.set_point(p, p.target_rate if rate is None else rate, sigma, model="dmf")


def slow_response(parameters: DmfParameters, point: SetPoint, J: npt.ArrayLike) -> Array:
    """Return chi (1/nA): by how much a slow current into a region moves its S_E, inhibition included."""
    p = parameters
    c = p.gamma * (1 - point.S_E) * point.slope_E / (1 / p.tau_E + p.gamma * point.rate)
    q = p.tau_I * point.slope_I * p.J_N / (1 + p.tau_I * point.slope_I)
    return np.asarray(c / (1 - c * (p.w_plus * p.J_N - np.asarray(J) * q)))


def global_coupling(parameters: DmfParameters, point: SetPoint, coupling: npt.ArrayLike = 1.0) -> float:
    """Return the global coupling G at which the network has the loop gain asked for.

    Where loops are missing or weaker than `FEW_LOOPS`, the largest row sum has that gain: G stays finite, and nothing that
    runs along a chain of regions grows on its way.

    Parameters
    ----------
    parameters : DmfParameters
    point : SetPoint
    coupling : array_like, shape (n_regions, n_regions)
        Effective weights; left out, a network of row sums 1 and one working point.

    Raises
    ------
    ModelError
        If the weights are all 0, or no coupling from 0 to 50 gives that gain.
    """
    from scipy.optimize import brentq

    weights = np.atleast_2d(np.asarray(coupling, dtype=float))
    if parameters.loop_gain == 0:
        return 0.0
    strongest = largest_row_sum(weights)
    if strongest == 0:
        raise ModelError("model dmf: the weights are all 0, so nothing has a loop gain; set `loop_gain` to 0")
    measure = spectral_radius if spectral_radius(weights) > FEW_LOOPS * strongest else largest_row_sum
    arriving = weights @ np.broadcast_to(point.S_E, len(weights))

    def gain(G: float) -> float:
        chi = slow_response(parameters, point, inhibition(parameters, point, G, arriving))
        return measure((G * parameters.J_N * np.broadcast_to(chi, len(weights)))[:, None] * weights)

    try:
        return float(brentq(lambda G: gain(G) - parameters.loop_gain, 0.0, 50.0, xtol=1e-12))
    except ValueError:
        raise ModelError(
            f"model dmf: no coupling gives these weights a loop gain of {parameters.loop_gain:g}; lower `loop_gain`"
        ) from None


def spectral_radius(matrix: Array) -> float:
    """Return the largest eigenvalue of a matrix without negative entries.

    By iteration, with a multiple of the identity added so that networks that only alternate between two halves converge too.
    It holds when every entry grows by the same factor (Collatz 1942, doi:10.1007/BF01180013); where not, as in directed networks
    that are not one loop, all eigenvalues are computed.
    """
    shift = largest_row_sum(matrix)
    if shift == 0:
        return 0.0
    vector, old = np.ones(len(matrix)), 0.0
    for _ in range(5000):
        vector = matrix @ vector + shift * vector
        size = float(vector.max())
        vector /= size
        if abs(size - old) < 1e-14 * size:
            break
        old = size
    grown = matrix @ vector + shift * vector
    if (vector > 0).all() and np.allclose(grown, size * vector, rtol=1e-10, atol=0):
        return size - shift
    return float(np.abs(np.linalg.eigvals(matrix)).max())


def largest_row_sum(matrix: Array) -> float:
    """Return the largest sum of a row: never below the spectral radius of a matrix without negative entries."""
    return float(matrix.sum(axis=1).max())


def filter_rates() -> Array:
    """Return the rates (1/s) at which the six noise filters forget, shape (6,)."""
    return 1 / np.array(FILTER_TIMES)


def filter_gains(parameters: DmfParameters, step: float) -> Array:
    """Return the gains of the six filters, so that their sum has SD 1 at this time step, shape (6,) or (6, n_regions)."""
    exponents = np.asarray(parameters.noise_exponent)
    if exponents.ndim:
        each = (parameters.model_copy(update={"noise_exponent": float(exponent)}) for exponent in exponents)
        return np.stack([filter_gains(own, step) for own in each], axis=1)
    gains = filter_rates() ** (-parameters.noise_exponent / 2)
    rate = step * filter_rates()
    covariance = rate[:, None] * rate / (step * (rate[:, None] + rate - rate[:, None] * rate))
    return np.asarray(gains / np.sqrt(gains @ covariance @ gains))


def target_rates(parameters: DmfParameters, subject: Subject) -> Array:
    """Return each region's target rate in Hz: log-normal over regions, drawn from the subject's own stream."""
    spread = parameters.rate_log_sd * _draw(subject, "target-rate")
    return np.asarray(parameters.target_rate * np.exp(spread - parameters.rate_log_sd**2 / 2))


def noise_map(parameters: DmfParameters, subject: Subject) -> Array:
    """Return the SD of each region's 1/f current in nA: log-normal over regions, their mean square that of ``noise_sd``."""
    spread = parameters.noise_log_sd * _draw(subject, "noise")
    return np.asarray(parameters.noise_sd * np.exp(spread - parameters.noise_log_sd**2))


def working_point(parameters: DmfParameters, subject: Subject) -> tuple[SetPoint, float, Array]:
    """Return the working point of a subject's regions, the global coupling G, and the local inhibition J (nA).

    Raises
    ------
    ModelError
        If a region receives too little to need any inhibition at its rate.
    """
    coupling = subject.connectome.row_normalised()
    point = set_point(parameters, target_rates(parameters, subject), noise_map(parameters, subject))
    G = global_coupling(parameters, point, subject.connectome.healthy.row_normalised())
    J = inhibition(parameters, point, G, coupling @ point.S_E)
    deco_node.check_inhibition(J, point, subject, model="dmf", advice="raise `I0`, `w_plus` or `loop_gain`")
    return point, G, J


def noise_filters(parameters: DmfParameters, subject: Subject, step: float) -> dict[str, Array]:
    """Return the constants of the noise filters: gains ``g1`` to ``g6`` (nA) and rates ``k1`` to ``k6`` (1/s)."""
    sd, gains, rates = noise_map(parameters, subject), filter_gains(parameters, step), filter_rates()
    named = zip(range(1, len(rates) + 1), gains, rates, strict=True)
    return {key: value for i, gain, rate in named for key, value in ((f"g{i}", sd * gain), (f"k{i}", rate))}


def alpha_map(parameters: DmfParameters, subject: Subject) -> dict[str, Array]:
    """Return what makes the alpha rhythm of each region: strongest at the back of the cortex, none below it.

    Returns
    -------
    dict
        ``growth`` (1/s), ``omega`` (rad/s), ``alpha_drive`` (1/sqrt(s)), ``alpha_input`` (1/s) and ``cortex`` (1 or 0), each
        shape (n_regions,).
    """
    p, cortex = parameters, cortical(subject)
    middle, width = POSTERIOR_EDGE
    back = 1 / (1 + np.exp((subject.parcellation.centroids[:, 1] - middle) / width))
    return {
        "growth": p.alpha_growth_front + (p.alpha_growth - p.alpha_growth_front) * back,
        "omega": 2 * np.pi * p.alpha_frequency * np.exp(p.alpha_log_sd * _draw(subject, "alpha-frequency")),
        "alpha_drive": p.alpha_noise * (p.alpha_noise_front + (1 - p.alpha_noise_front) * back) * cortex,
        "alpha_input": p.alpha_coupling * cortex,
        "cortex": cortex,
    }


def _draw(subject: Subject, what: str) -> Array:
    return subject.streams.at("activity", what).rng().standard_normal(subject.n_regions)
