import numpy as np
import pytest

from fakeimaging.activity.models import montbrio_pazo_roxin
from fakeimaging.testing.fixtures import tiny_subject
from tests.activity.models.nodes import field, fixed_point, jacobian, waves
from tests.reference import masses

UNIT = {"tau": 1.0, "eta": -5.0, "J": 15.0, "Delta": 1.0}


def test_the_drift_is_the_papers():
    rng = np.random.default_rng(4)
    flow = field("montbrio_pazo_roxin", row_sum=1.0, stimulus=0.3, tau=0.01, G=2.0)
    for state in rng.uniform([1, -3], [120, 3], (20, 2)):
        slow = masses.montbrio_pazo_roxin(state[:, None], state[0], stimulus=0.3, tau=0.01, G=2.0)
        np.testing.assert_allclose(flow(state), slow[:, 0], rtol=1e-10, atol=1e-7)


@pytest.mark.parametrize(
    ("guess", "state", "eigenvalues"),
    [
        ((0.08, -2.0), (0.0811, -1.9616), (-5.40, -2.45)),
        ((0.5, -0.3), (0.4730, -0.3365), None),
        ((1.0, -0.2), (1.0306, -0.1544), (-0.309 - 3.319j, -0.309 + 3.319j)),
    ],
)
def test_node_saddle_and_focus(guess, state, eigenvalues):
    flow = field("montbrio_pazo_roxin", **UNIT)
    found = fixed_point(flow, guess)
    assert tuple(found) == pytest.approx(state, rel=1e-3)
    values = np.sort_complex(np.linalg.eigvals(jacobian(flow, found)))
    if eigenvalues is None:
        assert values[0].real < 0 < values[1].real
    else:
        np.testing.assert_allclose(values, eigenvalues, rtol=5e-3)
    # A time constant turns rates into Hz and leaves v.
    scaled = fixed_point(field("montbrio_pazo_roxin", **UNIT | {"tau": 0.02}), (found[0] / 0.02, found[1]))
    np.testing.assert_allclose(scaled, (found[0] / 0.02, found[1]), rtol=1e-8)


@pytest.mark.parametrize(("start", "rate"), [({"r": 5.0, "v": -2.0}, 8.11), ({"r": 90.0, "v": -0.2}, 103.06)])
def test_both_stable_states_attract(start, rate):
    r = waves("montbrio_pazo_roxin", start=start, G=0.0, sigma=0.0)
    np.testing.assert_allclose(r[-1], rate, rtol=2e-3)


def test_the_ringing_around_the_upper_state_is_in_hz():
    """A membrane of 10 ms: 3.319 / (2 pi tau) = 52.8 Hz, damped at 30.9 1/s."""
    flow = field("montbrio_pazo_roxin", G=0.0)
    turning = np.linalg.eigvals(jacobian(flow, fixed_point(flow, [103.0, -0.15])))
    np.testing.assert_allclose(np.abs(turning.imag) / (2 * np.pi), 52.82, rtol=1e-3)
    np.testing.assert_allclose(turning.real, -30.9, rtol=5e-3)


def test_the_start_is_the_lower_state():
    r = waves("montbrio_pazo_roxin", G=3.0, sigma=0.0)
    start, _ = montbrio_pazo_roxin.resting_state(montbrio_pazo_roxin.MontbrioPazoRoxinParameters(G=3.0), np.ones(10))
    np.testing.assert_allclose(r, np.tile(start, (len(r), 1)), rtol=1e-5)


@pytest.mark.parametrize("seed", [81, 82, 83])
def test_rates_are_never_negative(seed):
    subject = tiny_subject("01", seed)
    r = waves("montbrio_pazo_roxin", subject=subject, duration=10.0, sigma=1.0, G=1.0)
    assert r.min() >= 0
    assert np.isfinite(r).all()
