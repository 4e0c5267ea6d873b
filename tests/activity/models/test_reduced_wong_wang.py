import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from fakeimaging.activity.models import reduced_wong_wang
from tests.activity.models.nodes import field, waves
from tests.reference import masses


def steady_states(**changes):
    """Gating at rest, by changes of sign of the drift."""
    flow = field("reduced_wong_wang", **changes)
    grid = np.linspace(0, 1, 4001)
    values = np.array([flow([s])[0] for s in grid])
    at = np.flatnonzero((values[:-1] > 0) != (values[1:] > 0))
    return [brentq(lambda s: flow([s])[0], grid[i], grid[i + 1], xtol=1e-13) for i in at]


def recurrence(s):
    """Total recurrence w + G at which a region rests at s."""
    return brentq(lambda w: field("reduced_wong_wang", w=w)([s])[0], -5, 50, xtol=1e-12)


def test_the_drift_is_the_papers():
    flow = field("reduced_wong_wang", row_sum=1.2, stimulus=0.03, w=1.0, G=0.4)
    for s in np.linspace(0.01, 0.95, 20):
        slow = masses.reduced_wong_wang(np.array([[s]]), 1.2 * s, stimulus=0.03, w=1.0, G=0.4)
        np.testing.assert_allclose(flow([s]), slow[:, 0], rtol=1e-9)


@pytest.mark.parametrize(("w", "s", "rate"), [(0.9, 0.0344, 0.56), (1.0, 0.0357, None)])
def test_an_isolated_region_has_one_state(w, s, rate):
    states = steady_states(w=w, G=0.0)
    assert states == pytest.approx([s], rel=0.01)
    if rate is not None:
        assert reduced_wong_wang.rate(states[0], 0.0, 0.0, w, 0.2609, 0.0, 0.3, 270.0, 108.0, 0.154) == pytest.approx(
            rate, rel=0.01
        )


def test_the_folds_are_the_published_ones():
    """Two stable states for 1.1547 < w + G < 1.7977; with w = .9 from G = .255 to .898, with w = 1 from .155 to .798."""
    lower = minimize_scalar(recurrence, bounds=(0.2, 0.9), method="bounded", options={"xatol": 1e-9}).fun
    upper = -minimize_scalar(
        lambda s: -recurrence(s), bounds=(0.03, 0.3), method="bounded", options={"xatol": 1e-9}
    ).fun
    assert (lower, upper) == pytest.approx((1.1547, 1.7977), abs=1e-4)
    assert (lower - 0.9, upper - 0.9) == pytest.approx((0.255, 0.898), abs=5e-4)
    assert (lower - 1.0, upper - 1.0) == pytest.approx((0.155, 0.798), abs=5e-4)


@pytest.mark.parametrize(
    ("w", "G", "n"),
    [
        (0.9, 0.25, 1),
        (0.9, 0.26, 3),
        (0.9, 0.89, 3),
        (0.9, 0.91, 1),
        (1.0, 0.15, 1),
        (1.0, 0.16, 3),
        (1.0, 0.79, 3),
        (1.0, 0.81, 1),
    ],
)
def test_a_network_of_like_regions_has_as_many_states(w, G, n):
    assert len(steady_states(row_sum=1.0, w=w, G=G)) == n


def test_the_network_stays_low_below_the_fold_and_leaves_above():
    # Rows sum to 1: the ten regions are one region of recurrence w + G.
    quiet = {"sigma": 0.0, "start": {"S": 0.0}, "duration": 30.0, "rate": 100.0}
    below = waves("reduced_wong_wang", "synaptic", G=0.88, **quiet)
    above = waves("reduced_wong_wang", "synaptic", G=0.92, **quiet)
    assert below[-1].max() < 0.15
    assert above[-1].min() > 0.5
    np.testing.assert_allclose(below[-1], steady_states(row_sum=1.0, G=0.88)[0], rtol=1e-4)


def test_the_start_is_the_lower_state():
    parameters = {"sigma": 0.0, "G": 0.6, "duration": 1.0, "rate": 100.0}
    S = waves("reduced_wong_wang", "synaptic", **parameters)
    np.testing.assert_allclose(S, steady_states(row_sum=1.0, G=0.6)[0], rtol=1e-5)
