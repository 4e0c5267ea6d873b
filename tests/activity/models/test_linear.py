import numpy as np
import pytest

from fakeimaging.activity.models import linear
from fakeimaging.core.errors import ModelError
from tests.activity.models.bare import bare_subject, lopsided, ring, trace
from tests.reference import delayed

PULSE = {
    "trial_type": "push",
    "regions": ("r1",),
    "amplitude": 0.2,
    "onset": 0.0,
    "duration": 1.0,
    "latency": 0.0,
    "rise": 0.001,
}


def variance_error(P, rate, seconds):
    """Standard error of a sample covariance of a process that forgets at ``rate``."""
    return np.sqrt((np.outer(P.diagonal(), P.diagonal()) + P**2) / (seconds * rate))


@pytest.mark.parametrize("seed", [101, 102, 103])
@pytest.mark.parametrize("longest", [0.0, 0.02])
def test_row_13_the_covariance_is_the_exact_one_with_and_without_delays(seed, longest):
    weights, delays = lopsided(5, seed, longest)
    run = trace(
        "linear",
        bare_subject(weights, delays, seed=seed),
        duration=980.0,
        step=1e-3,
        sampled=1e-3,
        baseline=0.0,
        tau=0.02,
        gain=0.6,
    )
    x = run["rate"][1000:]
    P = linear.covariance(linear.LinearParameters(tau=0.02, gain=0.6), weights, delays)
    # The slowest mode forgets at (1 - g) / tau at least; the coupling is held for a step, an error of step / tau of its part.
    error = 4 * variance_error(P, 0.4 / 0.02, len(x) * 1e-3) + 1e-3 / 0.02 * (P - 0.25 * np.eye(5)).max()
    assert (np.abs(x.T @ x / len(x) - P) < error).all()


def test_delays_lower_the_covariance_and_vanish_with_the_delay():
    weights, delays = lopsided(5, 1)
    p = linear.LinearParameters(tau=0.02, gain=0.9)
    without = linear.covariance(p, weights)
    np.testing.assert_allclose(linear.covariance(p, weights, delays * 1e-6), without, rtol=1e-4)
    assert (linear.covariance(p, weights, delays).diagonal() < without.diagonal()).all()


@pytest.mark.parametrize("seed", [111, 112, 113])
def test_row_13_the_lagged_covariance_is_exp_a_tau_c(seed):
    weights = np.roll(np.eye(5), 1, axis=0)  # each region feeds the next
    p = linear.LinearParameters(tau=0.02, gain=0.6)
    run = trace("linear", bare_subject(weights, seed=seed), duration=980.0, step=1e-3, baseline=0.0, tau=0.02, gain=0.6)
    x, lag = run["rate"][1000:], 15
    found = x[lag:].T @ x[:-lag] / (len(x) - lag)
    expected, P = linear.lagged_covariance(p, weights, lag * 1e-3), linear.covariance(p, weights)
    error = 4 * variance_error(P, 0.4 / 0.02, len(x) * 1e-3) + 1e-3 / 0.02 * (P - 0.25 * np.eye(5)).max()
    assert (np.abs(found - expected) < error).all()
    assert np.abs(expected - expected.T).max() > 3 * error.max()  # the direction shows


@pytest.mark.parametrize("step", [1e-3, 1e-2, 4e-2])
def test_row_15_the_variance_of_uncoupled_regions_is_that_asked_for_at_any_step(step):
    seconds, tau = 2020.0, 0.02
    x = trace(
        "linear",
        bare_subject(ring(8), seed=3),
        duration=seconds - 20,
        step=step,
        baseline=0.0,
        tau=tau,
        gain=0.0,
        sigma=2.0,
    )["rate"][round(1 / step) :]
    decay = np.exp(-2 * step / tau)
    error = np.sqrt(2 * (1 + decay) / (1 - decay) / x.size)
    assert x.var() / 4 == pytest.approx(1, abs=3 * error)
    assert error < 0.01


def test_parameters_of_each_region_are_allowed_in_the_covariance():
    weights, delays = lopsided(4, 5)
    taus, sigmas = np.array([0.02, 0.05, 0.1, 0.03]), np.array([1.0, 0.5, 2.0, 0.0])
    p = linear.LinearParameters().model_copy(
        update={"tau": taus, "sigma": sigmas, "gain": np.array([0.5, 0.9, 0.2, 0.7])}
    )
    A = (np.array([0.5, 0.9, 0.2, 0.7])[:, None] * weights - np.eye(4)) / taus[:, None]
    P = linear.covariance(p, weights)
    np.testing.assert_allclose(A @ P + P @ A.T, -np.diag(2 * sigmas**2 / taus), atol=1e-9)
    np.testing.assert_allclose(linear.covariance(p, weights, delays * 1e-6), P, rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize("seed", [131, 132, 133])
def test_the_covariance_of_regions_that_differ_is_the_simulated_one(seed):
    weights, _ = lopsided(4, seed, 0.0)
    maps = {"tau": [0.02, 0.04, 0.03, 0.05], "sigma": [1.0, 0.5, 2.0, 0.3], "gain": [0.5, 0.7, 0.2, 0.6]}
    subject = bare_subject(weights, seed=seed)
    x = trace("linear", subject, duration=980.0, step=1e-3, baseline=0.0, run={"regional": maps})["rate"][1000:]
    p = linear.LinearParameters().model_copy(update={name: np.array(values) for name, values in maps.items()})
    P = linear.covariance(p, weights)
    error = (
        4 * variance_error(P, 0.3 / 0.05, len(x) * 1e-3) + 0.03 * np.abs(P - np.diag(np.square(maps["sigma"]))).max()
    )
    assert (np.abs(x.T @ x / len(x) - P) < error).all()


def random_weights(n, seed):
    """Weights as they are, of both directions alike, with their spectral radius and its eigenvector."""
    weights = np.exp(np.random.default_rng(seed).standard_normal((n, n)))
    weights = np.triu(weights, 1) + np.triu(weights, 1).T
    values, vectors = np.linalg.eigh(weights)
    return weights, values[-1], vectors[:, -1]


@pytest.mark.parametrize("seed", [141, 142, 143])
def test_the_critical_gain_is_one_over_the_spectral_radius(seed):
    weights, radius, _ = random_weights(6, seed)
    weights *= 2 / radius  # critical at a gain of 0.5
    for gain in (0.4999, 0.3):
        linear.prepare(linear.LinearParameters(gain=gain, scaling="none"), bare_subject(weights), 1e-3)
    for gain in (0.5001, 0.9):
        with pytest.raises(ModelError, match="model linear: the network grows at .* lower `gain`"):
            linear.prepare(linear.LinearParameters(gain=gain, scaling="none"), bare_subject(weights), 1e-3)


@pytest.mark.parametrize("seed", [144, 145, 146])
def test_near_the_critical_gain_the_variance_is_one_over_the_distance(seed):
    weights, radius, vector = random_weights(6, seed)
    weights *= 2 / radius
    for share in (0.5, 0.95, 0.999):
        p = linear.LinearParameters(gain=0.5 * share, sigma=0.7, scaling="none")
        assert vector @ linear.covariance(p, weights) @ vector == pytest.approx(0.7**2 / (1 - share), rel=1e-6)
    share, tau, seconds = 0.95, 0.02, 980.0
    run = trace(
        "linear", bare_subject(weights, seed=seed), duration=seconds, step=1e-3, baseline=0.0, tau=tau, sigma=0.7,
        gain=0.5 * share, scaling="none",
    )  # fmt: skip
    mode = run["rate"][5000:] @ vector
    # It forgets at (1 - share) / tau; the coupling is held for a step, a share step / (2 tau) of the variance, and less here.
    error = np.sqrt(2 / (len(mode) * 1e-3 * (1 - share) / tau))
    assert np.mean(mode**2) == pytest.approx(0.7**2 / (1 - share), rel=3 * error + 1e-3 / (2 * tau))
    assert error < 0.04


@pytest.mark.parametrize("seed", [121, 122, 123])
def test_it_is_its_slow_twin(seed):
    """A current into one region from rest, which spreads over delays."""
    weights, delays = lopsided(5, seed)
    quiet = {"baseline": 0.0, "sigma": 0.0, "tau": 0.05, "gain": 0.9}
    subject = bare_subject(weights, delays)
    x = trace("linear", subject, duration=1.0, step=1e-4, conditions=[PULSE], **quiet)["rate"]
    start = round(20 / 1e-4)
    assert not x[:start].any()
    # The current rises as half a cosine in 1 ms, which is a step after half of it.
    current = np.array([0.2, 0, 0, 0, 0])
    slow = delayed.linear(weights, delays, tau=0.05, gain=0.9, current=current, step=1e-3, n_steps=400)
    np.testing.assert_allclose(
        x[start + 5 : start + 4000 : 10], slow[: len(x[start + 5 : start + 4000 : 10])], atol=1e-3 * slow.max()
    )


def test_weights_as_they_are_must_be_stable():
    with pytest.raises(ModelError, match="the network grows at"):
        trace("linear", bare_subject(ring(4, 3.0)), duration=1.0, step=1e-3, scaling="none")
