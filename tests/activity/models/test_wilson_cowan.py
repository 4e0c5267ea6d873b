import numpy as np
import pytest

from fakeimaging.activity.models import MODELS, wilson_cowan
from fakeimaging.testing.fixtures import tiny_subject
from tests.activity.models.nodes import field, fixed_point, period, waves
from tests.reference import masses

K_E, K_I = 1 - 1 / (1 + np.exp(1.3 * 4)), 1 - 1 / (1 + np.exp(2 * 3.7))
QUIET = {"G": 0.0, "sigma": 0.0, "rate_scale": 1.0}


def test_the_drift_is_the_papers():
    rng = np.random.default_rng(1)
    flow = field("wilson_cowan", row_sum=2.0, stimulus=0.3, P=1.25, G=0.7, k_e=K_E, k_i=K_I)
    for state in rng.uniform(0, 0.5, (20, 2)):
        slow = masses.wilson_cowan(state[:, None], 2.0 * state[0], stimulus=0.3, P=1.25, G=0.7)
        np.testing.assert_allclose(flow(state), slow[:, 0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("P", "E"), [(1.0, 0.02825), (0.5, 0.00632)])
def test_weak_input_has_one_resting_state(P, E):
    # Recomputed from the constants of Wilson & Cowan 1972 with scipy.
    found = fixed_point(field("wilson_cowan", P=P, k_e=K_E, k_i=K_I), [0.02, 0.0])
    assert found[0] == pytest.approx(E, rel=2e-3)
    start, _ = wilson_cowan.resting_state(wilson_cowan.WilsonCowanParameters(P=P, G=0.0), np.zeros(3))
    np.testing.assert_allclose(start, found[0], rtol=1e-9)
    settled = waves("wilson_cowan", start={"E": 0.0, "I": 0.0}, P=P, **QUIET)
    np.testing.assert_allclose(settled[-1], E, rtol=2e-3)


def test_the_papers_input_sets_off_the_limit_cycle():
    # Range and period recomputed with RK4: E within [.1026, .2697], 39.97 ms.
    E = waves("wilson_cowan", start={"E": 0.1, "I": 0.05}, rate=2000.0, P=1.25, **QUIET)[:, 0]
    assert (E.min(), E.max()) == pytest.approx((0.1026, 0.2697), rel=0.01)
    assert period(E, 2000.0) == pytest.approx(39.97e-3, rel=0.01)


def test_shares_run_from_nothing_to_their_largest():
    assert wilson_cowan.active(0.0, 1.3, 4.0, K_E) == pytest.approx(0, abs=1e-15)
    assert wilson_cowan.active(1e3, 1.3, 4.0, K_E) == pytest.approx(K_E)
    assert wilson_cowan.largest_shares(wilson_cowan.WilsonCowanParameters()) == pytest.approx((K_E, K_I))


@pytest.mark.parametrize("seed", [61, 62, 63])
def test_without_feedback_the_noise_has_the_sd_asked_for(seed):
    """Nothing enters and nothing is refractory: E is an Ornstein-Uhlenbeck process of time constant tau."""
    free = {"c1": 0.0, "c3": 0.0, "c4": 0.0, "r_e": 0.0, "r_i": 0.0, "P": 10.0, "Q": 10.0}
    free |= QUIET | {"sigma": 0.01, "c2": 0.1, "a_e": 0.1, "a_i": 0.1}
    E = waves("wilson_cowan", rate=2000.0, subject=tiny_subject("01", seed), duration=40.0, **free)
    # Ten regions, 40 s, samples 2 tau apart are nearly independent; Heun steps of tau / 16 and means over them add 0.4 %.
    n = 10 * 40.0 / 0.016
    assert (E - E.mean(axis=0)).std() == pytest.approx(0.01, rel=4 / np.sqrt(2 * n) + 0.01)


def test_states_stay_shares():
    E = waves("wilson_cowan", duration=5.0, **QUIET | {"sigma": 0.3, "G": 1.5})
    assert E.min() >= 0
    assert E.max() <= 1
    assert MODELS.get("wilson_cowan").limits["E"] == (0.0, 1.0)
