import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov

import fakeimaging as fi
from fakeimaging.activity import modes as modes_module
from fakeimaging.activity.models import dmf_modes, dmf_setup
from fakeimaging.activity.modes import N_MODES
from fakeimaging.core.errors import UnknownNameError
from fakeimaging.testing.fixtures import tiny_subject
from tests.activity.test_models import QUIET


@pytest.fixture(scope="module")
def activity():
    return fi.simulate_activity(tiny_subject(), duration=25.0)


@pytest.mark.parametrize("name", ["rate", "dipole"])
def test_modes_share_rate_and_clock_with_the_tap(activity, name):
    modes, tap = activity.modes(name), activity.tap(name)
    assert (modes.clock, modes.unit, modes.name) == (tap.clock, tap.unit, name)
    assert modes.samples.shape == (tap.clock.n, N_MODES * 10)
    assert np.asarray(modes.samples).dtype == np.float32
    assert np.isfinite(modes.by_region).all()
    assert modes.from_start().clock == tap.from_start().clock


@pytest.mark.parametrize("rate", [500, 1000])
def test_a_faster_tap_has_faster_modes(rate):
    subject = tiny_subject()
    activity = fi.simulate_activity(subject, duration=2.0, taps={"dipole": rate, "rate": 50})
    modes = activity.modes("dipole")
    samples = np.asarray(modes.samples[: 2 * rate])
    assert samples.shape == (2 * rate, 2 * subject.n_regions)
    assert modes.clock == activity.tap("dipole").clock
    # Samples 1 or 2 ms apart hardly differ; were they the slow modes by another name, neighbours would.
    assert np.abs(np.diff(samples, axis=0)).std() < 0.3 * samples.std()


def test_any_stretch_is_the_same_in_any_order(activity):
    whole = np.asarray(activity.modes("rate").samples)
    assert (np.asarray(activity.modes("rate").samples) == whole).all()
    again = fi.simulate_activity(tiny_subject(), duration=25.0).modes("rate")
    for start, stop in ((2100, 2250), (0, 3), (490, 1510), (7, 7)):
        assert (again.samples[start:stop] == whole[start:stop]).all()
    assert (again.from_start().samples[40:90, 3] == whole[1040:1090, 3]).all()
    assert (np.concatenate([block for _, block in again.blocks(3.3)]) == whole).all()
    assert (again.at_rate(10.0).samples == whole.reshape(-1, 5, 20).mean(axis=1, dtype=float).astype(np.float32)).all()
    assert (again.samples[5] == whole[5]).all()


def test_the_length_of_a_block_leaves_no_trace(activity, monkeypatch):
    whole = np.asarray(activity.modes("dipole").samples)
    monkeypatch.setattr(modes_module, "BLOCK", 1.3 * 10 / 13)
    assert (np.asarray(fi.simulate_activity(tiny_subject(), duration=25.0).modes("dipole").samples) == whole).all()


def test_rate_and_dipole_read_the_same_mode():
    """When every current counts and dendrites forget at once, dipole and rate are proportional: 8 nAm/mm2 per nA."""
    own = {"synaptic_dipole": 1.0, "dendrite_time": 0.002}
    activity = fi.simulate_activity(tiny_subject(), duration=5.0, parameters=own)
    rate = np.asarray(activity.modes("rate").from_start().samples)
    dipole = np.asarray(activity.modes("dipole").samples).reshape(-1, 5, 20).mean(axis=1)
    slopes = dmf_setup.set_point(activity.parameters, activity.truth["target_rate"], activity.truth["noise_sd"]).slope_E
    expected = rate * 8 / np.tile(slopes, N_MODES)
    # Dendrites are one step of 2 ms late.
    assert (dipole - expected).std() < 0.15 * expected.std()
    assert (dipole * expected).mean() / (expected**2).mean() == pytest.approx(1, abs=0.03)


def test_modes_are_independent_of_each_other_and_of_the_region(activity):
    rate, tap = np.asarray(activity.modes("rate").samples, dtype=float), activity.tap("rate").samples
    fast = [np.diff(series, axis=0) for series in (rate[:, :10], rate[:, 10:], tap)]
    r = np.corrcoef(np.concatenate(fast, axis=1).T)[np.triu_indices(30, 1)]
    between_modes = np.corrcoef(fast[0].T, fast[1].T)[np.triu_indices(20, 1)]
    assert np.abs(between_modes).max() < 5 / np.sqrt(len(rate) / 4)
    assert np.abs(r).mean() < 0.1


def test_two_runs_have_other_modes(activity):
    other = fi.simulate_activity(tiny_subject(), duration=25.0, run=2)
    assert not (np.asarray(activity.modes("rate").samples) == np.asarray(other.modes("rate").samples)).any()


@pytest.mark.parametrize("seed", [31, 32, 33])
def test_their_variance_is_that_of_the_linear_equations(seed):
    """Stationary variance of the current by a Lyapunov equation, filters and rhythm included; 400 s, bound of 4 standard errors."""
    subject = fi.make_subject("01", seed=seed, anatomy="tiny", n_regions=2)
    # Without the slowest filters, so that 400 s hold many independent stretches.
    activity = fi.simulate_activity(subject, duration=400.0, parameters={"noise_exponent": 0.0})
    p = activity.parameters
    constants = dmf_modes.prepare(p, subject, 2e-3).derived
    for i in range(2):
        at = {key: np.broadcast_to(value, (2,))[i] for key, value in constants.items()}
        flow, noise = linear_flow(p, at)
        covariance = solve_continuous_lyapunov(flow, -noise @ noise.T)
        read = np.array([*np.zeros(10), at["moment"]])
        found = np.asarray(activity.modes("dipole").samples)[:, i::2].var()
        # Means over 4 ms keep most of it; the fastest filter (3 ms) holds a tenth.
        assert found == pytest.approx(read @ covariance @ read, rel=0.12)


def linear_flow(p, at):
    """Drift matrix and noise of s_E, s_I, six filters, x, y and dendrite, written from the equations."""
    flow, noise = np.zeros((11, 11)), np.zeros((11, 3))
    current = np.array([p.w_plus * p.J_N, -at["J"], *np.ones(6), p.alpha_current, 0.0, 0.0])
    flow[0] = at["rise_E"] * at["slope_E"] * current
    flow[0, 0] -= at["decay_E"]
    flow[1, :2] = at["slope_I"] * p.J_N, -at["slope_I"] - 1 / p.tau_I
    for k in range(6):
        flow[2 + k, 2 + k], noise[2 + k, 0] = -at[f"k{k + 1}"], at[f"g{k + 1}"] * at[f"k{k + 1}"]
    flow[10] = current * np.array([0.25, 0.25, *np.ones(8), 0.0]) / p.dendrite_time
    flow[10, 10] = -1 / p.dendrite_time
    flow[8:10, 8:10] = [[at["growth"], -at["omega"]], [at["omega"], at["growth"]]]
    noise[8, 1] = noise[9, 2] = at["alpha_drive"]
    return flow, noise


def test_the_linearisation_is_that_of_the_model():
    """A small step of current into one uncoupled region: the model's change is the integral of the linear equations."""
    parameters = {**QUIET, "loop_gain": 0.0}
    subject, push = (
        tiny_subject(),
        {"trial_type": "push", "kind": "cortex", "amplitude": 1e-4, "onset": 0.5, "duration": 1.5},
    )
    activity = fi.simulate_activity(
        subject, duration=2.0, parameters=parameters, conditions=[push | {"latency": 0.0, "rise": 0.001}]
    )
    p = activity.parameters
    at = {key: np.broadcast_to(value, (10,))[0] for key, value in dmf_modes.prepare(p, subject, 1e-3).derived.items()}
    flow, _ = linear_flow(p, at)
    state, current = np.zeros(11), []
    pushed = np.array([at["rise_E"] * at["slope_E"], *np.zeros(10)])
    read = np.array([p.w_plus * p.J_N, -at["J"], *np.zeros(9)])
    for _ in range(1000):
        current.append(1e-4 + read @ state)
        state = state + 1e-3 * (flow @ state + pushed * 1e-4)
    expected = at["slope_E"] * np.reshape(current, (-1, 20)).mean(axis=1)
    tap = activity.tap("rate").from_start().samples[:, 0].astype(float)
    found = tap[25:75] - tap[:20].mean()
    np.testing.assert_allclose(found[1:], expected[1:], rtol=0.03)


def test_the_rhythm_of_modes_is_damped_by_its_own_mean_power():
    """Of b |z|^2 z, Gaussian z keeps 2 b E|z|^2 z, with E|z|^2 = be^2 / g: so g = |a| + 2 b be^2 / g."""
    subject = tiny_subject()
    p = dmf_setup.DmfParameters(alpha_saturation=3.0)
    alpha, damping = dmf_setup.alpha_map(p, subject), -dmf_modes.prepare(p, subject, 2e-3).derived["growth"]
    np.testing.assert_allclose(damping, np.abs(alpha["growth"]) + 2 * 3.0 * alpha["alpha_drive"] ** 2 / damping)
    assert (damping > 1.05 * np.abs(alpha["growth"])).any()


def test_the_drive_of_modes_grows_with_the_fourth_root_of_the_size_of_regions():
    subject, p = tiny_subject(), dmf_setup.DmfParameters()
    derived = dmf_modes.prepare(p, subject, 2e-3).derived
    own = dmf_setup.noise_filters(p, subject, 2e-3) | dmf_setup.alpha_map(p, subject)
    for name in ("g1", "g6", "alpha_drive"):
        np.testing.assert_allclose(derived[name], own[name] * 0.6 * (100 / 10) ** 0.25)
    np.testing.assert_array_equal(derived["k1"], own["k1"])


def test_a_model_without_a_linearisation_has_no_modes():
    assert fi.simulate_activity(tiny_subject(), model="linear", duration=1.0).modes("rate") is None


def test_an_unknown_tap_of_modes_is_named(activity):
    with pytest.raises(UnknownNameError, match="no tap 'dipol'; did you mean 'dipole'"):
        activity.modes("dipol")


def test_no_drive_no_modes():
    still = fi.simulate_activity(tiny_subject(), duration=1.0, parameters={"mode_drive": 0.0}).modes("dipole")
    assert not np.asarray(still.samples).any()
