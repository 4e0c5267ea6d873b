import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar, root

from fakeimaging.activity.models import jansen_rit
from tests.activity.models.nodes import field, fixed_point, jacobian, period, waves
from tests.reference import masses

QUIET = {"G": 0.0, "sigma": 0.0}


def equilibrium(v):
    """States and input p at which the pyramidal potential rests at v mV, by Newton on the drift with p unknown."""
    sigmoid = 5 / (1 + np.exp(0.56 * (6 - v)))
    y0 = 0.0325 * sigmoid
    y2 = 0.44 * 33.75 * 5 / (1 + np.exp(0.56 * (6 - 33.75 * y0)))
    guess = np.array([y0, v + y2, y2, 0, 0, 0, 100.0])

    def conditions(x):
        return np.array([*field("jansen_rit", p=x[6])(x[:6]), x[1] - x[2] - v])

    found = root(conditions, guess, tol=1e-12).x
    assert np.abs(conditions(found)).max() < 1e-6
    return found[:6], found[6]


def rotation(v):
    """Eigenvalue of the least damped oscillation around the equilibrium at v mV."""
    state, p = equilibrium(v)
    eigenvalues = np.linalg.eigvals(jacobian(field("jansen_rit", p=p), state))
    turning = eigenvalues[eigenvalues.imag > 10]
    return turning[turning.real.argmax()] if len(turning) else complex(-1.0, 0.0)


def test_the_drift_is_the_papers():
    rng = np.random.default_rng(2)
    flow = field("jansen_rit", row_sum=1.5, stimulus=30.0, p=150.0, G=20.0)
    for state in rng.uniform(-1, 20, (20, 6)) * [0.02, 1, 1, 1, 10, 10]:
        received = 1.5 * masses.pulses(state[1] - state[2])
        slow = masses.jansen_rit(state[:, None], received, stimulus=30.0, p=150.0, G=20.0)
        np.testing.assert_allclose(flow(state), slow[:, 0], rtol=1e-10, atol=1e-8)


def test_the_hopf_bifurcations_of_grimbert_and_faugeras():
    """Input and frequency where the branch of equilibria gains or loses an oscillation."""
    v = np.linspace(-2, 12, 141)
    growth = np.array([rotation(value).real for value in v])
    crossings = np.flatnonzero((growth[:-1] < 0) != (growth[1:] < 0))
    at = [brentq(lambda value: rotation(value).real, v[i], v[i + 1], xtol=1e-10) for i in crossings]
    at = [
        value for value in at if abs(rotation(value + 1e-6).real - rotation(value - 1e-6).real) < 1
    ]  # not where a pair ends
    found = sorted((equilibrium(value)[1], rotation(value).imag / (2 * np.pi)) for value in at)
    # Paper: 89.83 and 315.70; all digits recomputed outside this package.
    expected = [(-12.147, 7.239), (89.829, 10.377), (315.696, 11.164)]
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_the_saddle_nodes_of_grimbert_and_faugeras():
    def p_of(v):
        return equilibrium(v)[1]

    upper = minimize_scalar(lambda v: -p_of(v), bounds=(0, 4), method="bounded", options={"xatol": 1e-8}).x
    lower = minimize_scalar(p_of, bounds=(3, 8), method="bounded", options={"xatol": 1e-8}).x
    assert (p_of(upper), p_of(lower)) == pytest.approx((113.586, -41.301), rel=1e-4)


def test_rest_is_the_lowest_equilibrium():
    # Recomputed: p = 60 rests at 0.075 mV.
    start = jansen_rit.resting_state(jansen_rit.JansenRitParameters(p=60.0, G=0.0), np.zeros(2))
    v = start["y1"] - start["y2"]
    np.testing.assert_allclose(v, 0.075, atol=5e-4)
    found = fixed_point(field("jansen_rit", p=60.0), [start[f"y{i}"][0] for i in range(3)] + [0, 0, 0])
    assert found[1] - found[2] == pytest.approx(v[0], rel=1e-9)


@pytest.mark.parametrize(
    ("p", "frequency", "settled", "low", "high"),
    [(120.0, 10.40, 10.468, 5.890, 7.956), (220.0, 10.93, 10.938, 6.088, 9.034)],
)
def test_cycles_have_the_published_frequency_and_range(p, frequency, settled, low, high):
    """Frequency as listed; range and frequency of the settled cycle by RK45 at 1e-9 (from rest, p = 120 spikes slowly instead)."""
    v = waves("jansen_rit", "synaptic", start={"y1": 20.0, "y2": 12.0}, transient=5.0, p=p, **QUIET)[:, 0]
    assert 1 / period(v, 1000.0) == pytest.approx(frequency, rel=0.01)
    assert 1 / period(v, 1000.0) == pytest.approx(settled, rel=2e-3)
    assert (v.min(), v.max()) == pytest.approx((low, high), rel=2e-3)


def test_beyond_the_last_hopf_the_rhythm_dies():
    v = waves("jansen_rit", "synaptic", start={"y1": 30.0, "y2": 12.0}, transient=5.0, p=330.0, **QUIET)
    assert np.ptp(v) < 0.01


def test_a_weak_input_rests():
    v = waves("jansen_rit", "synaptic", start={"y1": 0.0, "y2": 0.0}, p=60.0, **QUIET)
    np.testing.assert_allclose(v[-1], 0.075, atol=1e-3)


def test_slow_spiking_starts_where_the_low_resting_state_ends():
    """At the saddle-node, p = 113.586: below it rest, above it spikes of more than 10 mV."""
    from_below = {"start": {"y0": 0.0, "y1": 0.0, "y2": 0.0}, "transient": 5.0, "duration": 4.0, **QUIET}
    assert np.ptp(waves("jansen_rit", "synaptic", p=112.0, **from_below)[:, 0]) < 1e-3
    assert np.ptp(waves("jansen_rit", "synaptic", p=115.0, **from_below)[:, 0]) > 10
