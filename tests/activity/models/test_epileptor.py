import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.activity.models import epileptor
from fakeimaging.testing.fixtures import tiny_subject
from tests.activity.models.nodes import call, field, fixed_point, waves
from tests.reference import masses


def fast(start=None, **keywords):
    """x1 of an uncoupled region without noise, from its rate: at least -2."""
    keywords = {"rate": 500.0, "duration": 2.0, "K": 0.0, "sigma": 0.0, "rate_scale": 1.0, **keywords}
    return waves("epileptor", start=start, **keywords)[:, 0] - 2.0


def test_the_drift_is_the_papers():
    rng = np.random.default_rng(5)
    flow = field("epileptor", row_sum=0.8, received=0.8, stimulus=0.3, x0=-1.8, K=3.0, time_unit=0.02)
    for state in rng.uniform([-2, -15, 2, -1.5, 0, -0.3], [2, 1, 4.5, 1.5, 3, 0.3], (40, 6)):
        slow = masses.epileptor(state[:, None], 0.8 * state[0], stimulus=0.3, x0=-1.8, K=3.0, row_sum=0.8, unit=0.02)
        np.testing.assert_allclose(flow(state), slow[:, 0], rtol=1e-10, atol=1e-10)


def test_both_pieces_meet():
    at = np.array([0.0, 1.0, 3.0, -0.25, 0.5, 0.0])
    flow = field("epileptor", received=0.0)
    for i in (0, 3):
        step = np.zeros(6)
        step[i] = 1e-9
        np.testing.assert_allclose(flow(at - step), flow(at + step), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("x0", "low", "high"), [(-2.2, -1.5, -1.3), (-2.07, -1.36, -1.32), (-2.05, 1.3, 1.6), (-1.6, 1.3, 1.7)]
)
def test_an_isolated_region_seizes_above_the_published_threshold(x0, low, high):
    """The threshold lies between -2.07 and -2.05: the largest x1 jumps from -1.34 to about 1.5 (Proix et al. 2014: about -2.05)."""
    start = {"x1": -1.5, "y1": -10.0, "z": 3.5, "x2": -1.0, "y2": 0.0, "g": 0.0}
    x1 = fast(start, duration=60.0, x0=x0)
    assert low < x1.max() < high


def test_a_seizure_has_the_course_of_the_paper():
    """x0 = -1.6: seizures return every 1933 units of time, 19.3 s (recomputed with RK45)."""
    x1 = fast(duration=80.0, x0=-1.6)
    active = np.convolve(x1 > -0.5, np.ones(500), "same") > 0
    onsets = np.flatnonzero(~active[:-1] & active[1:]) / 500
    assert np.diff(onsets) == pytest.approx(19.33, rel=0.01)


def test_healthy_regions_rest_where_they_start():
    start = epileptor.resting_state(epileptor.EpileptorParameters(), 3)
    found = fixed_point(
        field("epileptor", received=0.0, K=0.0), [start[s][0] for s in ("x1", "y1", "z", "x2", "y2", "g")]
    )
    np.testing.assert_allclose([start[s][0] for s in ("x1", "y1", "z", "x2", "y2", "g")], found, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(fast(), found[0], rtol=1e-5)


def test_neighbours_that_seize_lower_the_permittivity_variable():
    """Proix et al. 2014: with x1 of the neighbours above its own, a region's z falls, towards a seizure."""
    calm = np.array([-1.46, -9.7, 2.95, -0.75, 0.0, -0.146])
    model = epileptor.MODEL
    known = {**epileptor.EpileptorParameters().model_dump(), "stimulus": 0.0, "received": 1.0}
    known |= dict(zip(model.states, calm.tolist(), strict=True))
    slopes = [call(model.drift, {**known, "coupled_x1": x})[2] for x in (-1.46, 0.5)]
    assert slopes[1] - slopes[0] == pytest.approx(-2.0 * 1.96 / 28.57)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_epileptogenic_zone_seizes_and_takes_others_with_it_through_strong_coupling(seed):
    """Noise alone starts nothing in a healthy brain; weakly coupled the zone seizes alone, strongly coupled not alone."""
    subject = tiny_subject("01", seed)
    zone = {"x0": {subject.regions[2].name: -1.6}}

    def seizing(regional, K):
        activity = fi.simulate_activity(
            subject, model="epileptor", duration=60.0, parameters={"K": K}, regional=regional
        )
        return np.flatnonzero(activity.tap("rate").from_start().samples.max(axis=0) > 20)

    assert len(seizing({}, 10.0)) == 0
    assert seizing(zone, 0.1).tolist() == [2]
    assert 2 in (among := seizing(zone, 10.0))
    assert len(among) > 1
