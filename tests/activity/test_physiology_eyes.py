import numpy as np
import pytest

from fakeimaging.activity.physiology import AFTER, BEFORE, PhysiologyParameters, Saccades, make_physiology
from fakeimaging.core.streams import Streams

SEEDS = pytest.mark.parametrize("seed", [1, 2, 3])


def saccades(seed=1, duration=600.0, **parameters):
    return make_physiology(duration, PhysiologyParameters(**parameters), streams=Streams(seed).at("run")).saccades


@SEEDS
@pytest.mark.parametrize(("rate", "amplitude"), [(0.5, 2.5), (3.0, 5.0)])
def test_saccades_come_as_often_and_go_as_far_as_asked(seed, rate, amplitude):
    made = saccades(seed, 1800.0, saccade_rate=rate, saccade_amplitude=amplitude)
    n = len(made.onsets)
    assert n / (1800 + BEFORE + AFTER) == pytest.approx(rate, rel=4 / np.sqrt(n))
    # A gamma distribution of shape 1.5 has an SD of 0.82 of its mean; few are cut short at 40 degrees.
    assert made.amplitudes.mean() == pytest.approx(amplitude, rel=0.01 + 4 * 0.82 / np.sqrt(n))
    assert np.diff(made.onsets).min() >= 0.15


@SEEDS
def test_gaze_wanders_about_the_middle_and_more_to_the_sides(seed):
    made = saccades(seed, 3600.0, saccade_rate=3.0, saccade_amplitude=5.0)
    across, up = made.targets.T
    assert abs(across.mean()) < 1
    assert abs(up.mean()) < 1
    assert 5 < across.std() < 12
    assert 0.4 < up.std() / across.std() < 0.9
    assert np.linalg.norm(made.targets, axis=1).max() <= 40 + 1e-9


def test_the_main_sequence():
    made = saccades()
    np.testing.assert_allclose(made.durations, 0.021 + 0.0022 * made.amplitudes, rtol=1e-12)


def test_gaze_rests_between_saccades_and_turns_within_them():
    made = saccades()
    ends = made.onsets + made.durations
    np.testing.assert_allclose(made.gaze(made.onsets).T, made.targets[:-1], atol=1e-9)
    np.testing.assert_allclose(made.gaze(ends).T, made.targets[1:], atol=1e-9)
    np.testing.assert_allclose(
        made.gaze((made.onsets + ends) / 2).T, (made.targets[:-1] + made.targets[1:]) / 2, atol=1e-9
    )
    np.testing.assert_allclose(made.gaze((ends[:-1] + made.onsets[1:]) / 2).T, made.targets[1:-1], atol=1e-9)


def test_gaze_is_the_same_in_pieces():
    made, times = saccades(), np.arange(0.0, 100.0, 0.004)
    pieces = np.concatenate([made.gaze(piece) for piece in np.array_split(times, 7)], axis=1)
    np.testing.assert_array_equal(made.gaze(times), pieces)
    assert (made.gaze([-BEFORE - 5.0]) == 0).all()


def test_eyes_at_rest_look_straight_ahead():
    still = saccades(saccade_rate=0.0)
    assert len(still.onsets) == len(still.amplitudes) == 0
    assert (still.gaze(np.arange(5.0)) == np.zeros((2, 5))).all()
    assert (saccades(saccade_amplitude=0.0).gaze(np.arange(5.0)) == 0).all()
    assert Saccades().gaze([1.0]).shape == (2, 1)
