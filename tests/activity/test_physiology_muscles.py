import numpy as np
import pytest

from fakeimaging.activity.physiology import AFTER, BEFORE, MUSCLES, Bursts, PhysiologyParameters, make_physiology
from fakeimaging.core.streams import Streams

SEEDS = pytest.mark.parametrize("seed", [1, 2, 3])


def bursts(seed=1, duration=600.0, **parameters):
    return make_physiology(duration, PhysiologyParameters(**parameters), streams=Streams(seed).at("run")).bursts


@SEEDS
def test_each_muscle_contracts_as_often_as_asked(seed):
    made = bursts(seed, 3600.0, clench_rate=6.0, frown_rate=3.0, neck_rate=0.0)
    count = np.bincount(made.muscles, minlength=len(MUSCLES))
    for n, rate in zip(count, (6, 3, 0), strict=True):
        expected = rate * (3600 + BEFORE + AFTER) / 60
        assert abs(n - expected) <= 4 * np.sqrt(expected)
    assert (np.diff(made.onsets) >= 0).all()
    assert np.median(made.durations) == pytest.approx(0.8, rel=0.15)
    assert np.median(made.strengths) == pytest.approx(1.0, rel=0.15)
    assert np.abs(made.sides).max() <= 0.8


def one(side=0.0, muscle=0, onset=1.0, duration=1.0, strength=2.0):
    return Bursts(*(np.array([value]) for value in (onset, duration, strength, side)), np.array([muscle]))


def test_a_burst_rises_holds_and_falls():
    times = np.arange(0.0, 3.0, 0.01)
    course = one().contraction(times)
    assert course.shape == (3, 2, 300)
    assert (course[1:] == 0).all()
    np.testing.assert_array_equal(course[0, 0], course[0, 1])
    left = course[0, 0]
    assert (left[(times < 1) | (times > 2)] == 0).all()
    np.testing.assert_allclose(left[(times > 1.101) & (times < 1.899)], 2.0)
    assert left[105] == pytest.approx(1.0)
    assert left[195] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(("side", "left", "right"), [(-1, 2, 0), (-0.5, 2, 1), (0, 2, 2), (0.25, 1.5, 2), (1, 0, 2)])
def test_a_burst_leans_to_its_side(side, left, right):
    course = one(float(side), muscle=2).contraction(np.arange(0.0, 3.0, 0.01))
    assert course[2].max(axis=1) == pytest.approx([left, right])


def test_contraction_is_the_same_in_pieces():
    made, times = bursts(clench_rate=20.0), np.arange(0.0, 100.0, 0.004)
    pieces = np.concatenate([made.contraction(piece) for piece in np.array_split(times, 7)], axis=2)
    np.testing.assert_array_equal(made.contraction(times), pieces)
    assert Bursts().contraction(times).max() == 0
    assert made.contraction([]).shape == (3, 2, 0)


def test_a_relaxed_person_has_none():
    assert len(bursts(clench_rate=0.0, frown_rate=0.0, neck_rate=0.0).onsets) == 0
