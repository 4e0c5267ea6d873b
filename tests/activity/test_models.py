from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import root

import fakeimaging as fi
from fakeimaging.activity.models import dmf, dmf_setup, linear
from fakeimaging.activity.models.deco_node import inhibition, transfer
from fakeimaging.core.errors import ModelError
from fakeimaging.core.streams import Streams
from fakeimaging.testing.fixtures import tiny_subject
from tests.activity.test_engine import random_network, reference_noise, run_linear
from tests.reference.networks import deco_node, deco_set_point, dmf_network, pink_gains

QUIET = {"noise_sd": 0.0, "alpha_noise": 0.0, "alpha_current": 0.0}
PUBLISHED = {"w_plus": 1.4, "target_rate": 3.0631, "rate_log_sd": 0.0, **QUIET}


@pytest.mark.parametrize("seed", [21, 22, 23])
def test_the_linear_network_has_the_covariance_of_the_lyapunov_equation(seed):
    weights, _ = random_network(seed)
    step, tau, n_steps = 5e-4, 0.02, 2_000_000
    parameters = linear.LinearParameters(tau=tau, gain=0.8, sigma=1.0)
    x = run_linear(
        weights, np.zeros((5, 5)), n_steps, streams=Streams(seed), step=step, dropped=2000, tau=tau, gain=0.8, sigma=1.0
    ).astype(float)
    exact = linear.covariance(parameters, weights)
    # Slowest mode: tau / (1 - 0.8); a sample each two of its times is nearly independent. Euler adds step / (2 tau) at most.
    n_independent = n_steps * step / (2 * tau / 0.2)
    error = np.sqrt((np.outer(exact.diagonal(), exact.diagonal()) + exact**2) / n_independent)
    assert (np.abs(x.T @ x / n_steps - exact) < 4 * error + step / (2 * tau) * exact.max()).all()


def test_uncoupled_the_linear_network_has_the_sd_asked_for():
    exact = linear.covariance(linear.LinearParameters(gain=0.0, sigma=0.7), np.zeros((3, 3)))
    np.testing.assert_allclose(exact, 0.49 * np.eye(3), atol=1e-12)


def test_deco_2014_isolated_node():
    s_e, s_i, r_e, r_i = deco_node()
    p = dmf.DmfParameters(w_plus=1.4)
    names = dmf.DmfParameters.model_fields

    def rates(state):
        arguments = {name: getattr(p, name) for name in names}
        arguments |= {
            "G": 0.0,
            "J": 1.0,
            "external": p.W_E * p.I0,
            "coupled_S_E": 0.0,
            "S_E": state[0],
            "S_I": state[1],
        }
        zeros = ("x", "y", "slow_rate", "dendrite", "rest_current", "coupled_x", "stimulus", "alpha_input")
        arguments |= {f"{kind}{i}": 0.0 for i in range(1, 7) for kind in "fgk"} | dict.fromkeys(zeros, 0.0)
        arguments["rest_rate"] = 1.0
        chosen = dmf.drift.__code__.co_varnames[: dmf.drift.__code__.co_argcount]
        return dmf.drift(*(arguments[name] for name in chosen))[:2]

    found = root(rates, [0.16, 0.04], tol=1e-12).x
    np.testing.assert_allclose(found, [s_e, s_i], rtol=1e-6)
    # Recomputed from the published constants with plain RK4: S_E .16476, S_I .03922, r_E 3.077 Hz, r_I 3.92 Hz.
    assert (s_e, s_i, r_e, r_i) == pytest.approx((0.16476, 0.03922, 3.077, 3.92), rel=1e-3)


def test_deco_2014_feedback_inhibition_in_closed_form():
    p = dmf.DmfParameters.parse(PUBLISHED)
    point = dmf_setup.set_point(p)
    assert pytest.approx(125 / 310 - 0.026, abs=1e-5) == point.I_E
    assert pytest.approx((0.16412, 0.03916), rel=2e-4) == (point.S_E, point.S_I)
    base, slope = inhibition(p, point, 0.0, point.S_E), inhibition(p, point, 1.0, point.S_E)
    assert base == pytest.approx(1.00194, rel=2e-4)
    assert slope - base == pytest.approx(0.6286, rel=2e-4)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_without_noise_every_region_rests_at_the_target_rate(seed):
    subject = fi.make_subject("01", seed=seed, anatomy="tiny")
    activity = fi.simulate_activity(subject, model="dmf", duration=1.0, parameters={**PUBLISHED, "loop_gain": 0.5})
    np.testing.assert_allclose(activity.tap("rate").samples, 3.0631, rtol=1e-4)


@pytest.mark.parametrize("target", [3.2, 5.0, 8.0])
def test_the_working_point_is_that_of_an_independent_solution(target):
    sigma = np.sqrt(0.01**2 + 0.008**2 / 2)
    point = dmf_setup.set_point(dmf.DmfParameters(), [target, 5.0])
    i_e, s_e, s_i = deco_set_point(target, sigma)
    assert (point.I_E[0], point.S_E[0], point.S_I[0]) == pytest.approx((i_e, s_e, s_i), rel=1e-6)


def test_the_default_working_point_and_coupling():
    # Figures computed outside this package.
    p = dmf.DmfParameters()
    point = dmf_setup.set_point(p)
    assert pytest.approx((0.39330, 0.24271, 0.046147), rel=2e-5) == (point.I_E, point.S_E, point.S_I)
    assert point.slope_E == pytest.approx(130.5, rel=1e-3)
    expected = {0.7: 0.759, 0.8: 0.935, 0.85: 1.034, 0.9: 1.141, 0.95: 1.258}
    for gain, G in expected.items():
        assert dmf_setup.global_coupling(p.model_copy(update={"loop_gain": gain}), point) == pytest.approx(G, abs=6e-4)
    assert inhibition(p, point, 1.1411, point.S_E) == pytest.approx(1.4443, abs=1e-4)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_loop_gain_is_the_spectral_radius_of_the_slow_network(seed):
    weights, _ = random_network(seed, n=12)
    p = dmf.DmfParameters(loop_gain=0.8)
    point = dmf_setup.set_point(p, np.random.default_rng(seed).uniform(3, 8, 12))
    G = dmf_setup.global_coupling(p, point, weights)
    J = inhibition(p, point, G, weights @ point.S_E)
    chi = dmf_setup.slow_response(p, point, J)
    radius = np.abs(np.linalg.eigvals(G * p.J_N * chi[:, None] * weights)).max()
    assert radius == pytest.approx(0.8, rel=1e-6)


def test_the_slow_response_is_that_of_the_equations():
    """chi from a small constant current into one isolated region without noise."""
    parameters = {**QUIET, "loop_gain": 0.0, "rate_log_sd": 0.0}
    p = dmf.DmfParameters.parse(parameters)
    point = dmf_setup.set_point(p)
    chi = dmf_setup.slow_response(p, point, inhibition(p, point, 0.0, 0.0))
    push = {"trial_type": "push", "kind": "cortex", "amplitude": 1e-4, "onset": 0.0, "duration": 10.0}
    activity = fi.simulate_activity(tiny_subject(), duration=10.0, parameters=parameters, conditions=[push])
    settled = activity.tap("rate").samples[-100:].mean()
    s_e = 0.641 * settled * 0.1 / (1 + 0.641 * settled * 0.1)
    assert (s_e - point.S_E) / 1e-4 == pytest.approx(chi, rel=0.02)


def test_networks_of_two_alternating_halves_have_a_spectral_radius():
    assert dmf_setup.spectral_radius(np.array([[0.0, 2.0], [0.5, 0.0]])) == pytest.approx(1.0)
    assert dmf_setup.spectral_radius(np.zeros((2, 2))) == 0


@pytest.mark.parametrize("seed", [41, 42, 43])
def test_directed_networks_have_the_spectral_radius_of_their_eigenvalues(seed):
    rng = np.random.default_rng(seed)
    for density in (0.05, 0.1, 0.2, 0.5):
        for _ in range(10):
            weights = rng.uniform(size=(15, 15)) * (rng.uniform(size=(15, 15)) < density)
            weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
            exact = np.abs(np.linalg.eigvals(weights)).max()
            assert dmf_setup.spectral_radius(weights) == pytest.approx(exact, abs=1e-9)


def test_a_chain_has_no_loop_and_the_gain_of_one_step():
    chain = np.diag(np.ones(2), -1)
    assert dmf_setup.spectral_radius(chain) == 0
    p = dmf.DmfParameters(loop_gain=0.8)
    point = dmf_setup.set_point(p, np.full(3, 5.0))
    G = dmf_setup.global_coupling(p, point, chain)
    chi = dmf_setup.slow_response(p, point, inhibition(p, point, G, chain @ point.S_E))
    # One working point: a ring of the same regions has the gain of its row sums, and so the same coupling.
    assert (G * p.J_N * chi[1:]).max() == pytest.approx(0.8, rel=1e-9)
    assert dmf_setup.global_coupling(p, point, np.roll(np.eye(3), 1, axis=0)) == pytest.approx(G, rel=1e-9)
    faint = np.array([[0.0, 0, 0], [0.999, 0, 0.001], [0.999, 0.001, 0]])
    assert dmf_setup.global_coupling(p, point, faint) == pytest.approx(G, rel=1e-3)


def test_weights_of_nothing_have_no_loop_gain():
    point = dmf_setup.set_point(dmf.DmfParameters(), np.full(3, 5.0))
    with pytest.raises(ModelError, match="weights are all 0.*set `loop_gain` to 0"):
        dmf_setup.global_coupling(dmf.DmfParameters(), point, np.zeros((3, 3)))
    assert dmf_setup.global_coupling(dmf.DmfParameters(loop_gain=0.0), point, np.zeros((3, 3))) == 0


def test_the_transfer_function_of_arrays_is_that_of_numbers():
    currents = np.concatenate([np.linspace(0, 1, 50), 125 / 310 + np.array([0, 1e-9, -1e-7, 1e-6])])
    slow = [dmf.response(current, 310.0, 125.0, 0.16) for current in currents.tolist()]
    np.testing.assert_allclose(transfer(currents, 310.0, 125.0, 0.16), slow, rtol=1e-9)


def test_the_noise_filters_have_unit_variance_and_the_exponent_asked_for():
    p, step, n = dmf.DmfParameters(), 1e-3, 2**17
    times, gains = np.array(dmf_setup.FILTER_TIMES), dmf_setup.filter_gains(p, step)
    frequency = np.fft.rfftfreq(n, step)[1:]
    z = np.exp(-2j * np.pi * frequency[:, None] * step)
    spectrum = np.abs((gains * (step / times) / np.sqrt(step) * z / (1 - (1 - step / times) * z)).sum(axis=1)) ** 2
    # Two-sided power sums to the variance; what lies below the lowest frequency is the filters' flat part.
    variance = (2 * spectrum[:-1].sum() + spectrum[-1] + spectrum[0]) / n
    assert variance == pytest.approx(1, rel=0.01)
    band = (frequency > 0.1) & (frequency < 20)
    slope = np.polyfit(np.log(frequency[band]), np.log(spectrum[band]), 1)[0]
    assert -slope == pytest.approx(1.1, abs=0.15)


@pytest.mark.parametrize("seed", [51, 52, 53])
def test_the_mean_square_of_the_noise_map_is_that_asked_for(seed):
    n, spread = 100_000, 0.35
    drawn = dmf_setup.noise_map(dmf.DmfParameters(), SimpleNamespace(streams=Streams(seed), n_regions=n))
    error = np.sqrt((np.exp(4 * spread**2) - 1) / n)
    assert (drawn**2).mean() == pytest.approx(0.01**2, rel=4 * error)
    assert np.log(drawn).std() == pytest.approx(spread, rel=4 / np.sqrt(2 * n))


def test_the_rate_at_threshold_has_no_gap():
    at = 125 / 310
    below, there, above = (dmf.response(at + d, 310.0, 125.0, 0.16) for d in (-1e-6, 0.0, 1e-6))
    assert there == pytest.approx(1 / 0.16)
    assert below < there < above
    assert above - below == pytest.approx(2e-6 * 310 / 2, rel=1e-3)


def test_row_sums_of_unconnected_regions_leave_the_working_point():
    weights = np.ones((10, 10)) - np.eye(10)
    weights[3] = weights[:, 3] = 0
    with pytest.warns(UserWarning, match="without any tract"):
        own = fi.Connectome(weights, 50 * weights)
    subject = fi.make_subject("01", seed=1, anatomy="tiny", connectome=own)
    activity = fi.simulate_activity(subject, duration=1.0, parameters=QUIET)
    target = activity.truth["target_rate"]
    assert target.std() > 0.3
    np.testing.assert_allclose(activity.tap("rate").samples, np.tile(target, (1050, 1)), rtol=1e-6)


def test_inhibition_is_never_negative():
    with pytest.raises(
        ModelError, match=r"region \d+ \(.+\) receives too little current.*below 0; raise `I0`, `w_plus`"
    ):
        fi.simulate_activity(tiny_subject(), duration=1.0, parameters={"I0": 0.3})
    weights = np.ones((10, 10)) - np.eye(10)
    weights[3] = weights[:, 3] = 0
    with pytest.warns(UserWarning, match="without any tract"):
        own = fi.Connectome(weights, 50 * weights)
    subject = fi.make_subject("01", seed=1, anatomy="tiny", connectome=own)
    with pytest.raises(ModelError, match=rf"region 4 \({subject.regions[3].name}\)"):
        fi.simulate_activity(subject, duration=1.0, parameters={"w_plus": 0.0})


def test_structure_shapes_activity():
    one = tiny_subject()
    weights = one.connectome.weights.copy()
    weights[0, 1:] = 0
    cut = fi.make_subject(
        "01",
        seed=1,
        anatomy="tiny",
        connectome=fi.Connectome(weights, np.where(weights > 0, one.connectome.tract_lengths, 0)),
    )
    before = fi.simulate_activity(one, model="linear", duration=60.0).tap("rate").samples
    after = fi.simulate_activity(cut, model="linear", duration=60.0).tap("rate").samples
    assert after[:, 0].std() < before[:, 0].std()


@pytest.fixture(scope="module")
def lopsided():
    """A subject whose weights and lengths differ between the two directions of a tract."""
    rng = np.random.default_rng(8)
    weights = np.exp(rng.standard_normal((10, 10))) * (rng.uniform(size=(10, 10)) < 0.5)
    np.fill_diagonal(weights, 0)
    lengths = np.where(weights > 0, rng.uniform(0, 150, (10, 10)), 0)
    return fi.make_subject("01", seed=1, anatomy="tiny", connectome=fi.Connectome(weights, lengths))


def per_sample(rates, n):
    return rates.reshape(-1, n, rates.shape[1]).mean(axis=1)


def network_of(activity, subject, speed, n_noises=1):
    """Weights, lags in steps and noise of a run, from the connectome and the run's stream alone."""
    weights = subject.connectome.weights / subject.connectome.weights.sum(axis=1, keepdims=True)
    lags = np.rint(subject.connectome.tract_lengths / (1e3 * speed) / 1e-3).astype(int)
    np.testing.assert_allclose(activity.truth["delays"], subject.connectome.tract_lengths / (1e3 * speed))
    np.testing.assert_allclose(activity.truth["effective_weights"], weights)
    return weights, lags, reference_noise(activity.streams.at("activity"), 2000 * n_noises, 10, n_noises)


def test_a_whole_run_of_the_default_model_is_its_slow_twin(lopsided, monkeypatch):
    monkeypatch.setattr("fakeimaging.activity.run.LEAD", 0.0)  # dipoles are recorded from t = 0
    activity = fi.simulate_activity(lopsided, model="dmf", duration=6.0, transient=0.0, speed=3.5)
    weights, lags, noise = network_of(activity, lopsided, 3.5, n_noises=3)
    target, parameters = activity.truth["target_rate"], dmf.DmfParameters()
    sd = activity.truth["noise_sd"]
    i_e, s_e, s_i = np.array(
        [deco_set_point(rate, np.sqrt(s**2 + 0.008**2 / 2)) for rate, s in zip(target, sd, strict=True)]
    ).T
    G = dmf_setup.global_coupling(parameters, dmf_setup.set_point(parameters, target, sd), weights)
    J = (0.382 + 0.15 * s_e + G * 0.15 * weights @ s_e - i_e) / s_i
    y = np.array([region.centroid[1] for region in lopsided.regions])
    back = 1 / (1 + np.exp((y + 55) / 10))
    alpha = {"growth": -15 + 9 * back, "drive": 3.464 * (0.35 + 0.65 * back), "coupling": 10.0}
    alpha["omega"] = 2 * np.pi * activity.truth["alpha_frequency"]
    times = (0.003, 0.015, 0.075, 0.375, 1.9, 9.4)
    gains, n = np.outer(pink_gains(times, 1.1, 1.0, 1e-3), sd), len(noise)
    slow = dmf_network(
        weights, lags, noise, G=G, J=J, gains=gains, filter_times=times, step=1e-3, start=(target, s_e, s_i), alpha=alpha
    )  # fmt: skip
    n_samples = n // 20
    np.testing.assert_allclose(activity.tap("rate").samples[:n_samples], per_sample(slow[0], 20), rtol=3e-4)
    source = slow[2] + 0.25 * (slow[1] - i_e - slow[2])
    dendrite = np.zeros_like(source)
    for k in range(1, len(source)):
        dendrite[k] = dendrite[k - 1] + (source[k - 1] - dendrite[k - 1]) * 1e-3 / 0.008
    dipoles = per_sample(8 * dendrite, 4)
    np.testing.assert_allclose(activity.tap("dipole").samples[: len(dipoles)], dipoles, atol=1e-4 * dipoles.std())


def test_the_transient_is_dropped_and_twenty_seconds_are_kept_as_warm_up(lopsided):
    default = fi.simulate_activity(lopsided, model="dmf", duration=1.0).tap("rate")
    whole = fi.simulate_activity(lopsided, model="dmf", duration=21.0, transient=0.0).tap("rate")
    assert default.clock.start == pytest.approx(-20 + 0.0095)
    assert (default.samples == whole.samples[1000:2050]).all()


def test_parameters_without_a_working_point_are_named():
    with pytest.raises(ModelError, match="no working point"):
        fi.simulate_activity(tiny_subject(), duration=1.0, parameters={"a_E": 1.0, "I0": 0.0})
