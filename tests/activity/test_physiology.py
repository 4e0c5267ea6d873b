from dataclasses import replace

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.activity.physiology import (
    AFTER,
    BEFORE,
    MOTION_LEVELS,
    PhysiologyParameters,
    make_physiology,
    motion,
)
from fakeimaging.core.errors import ParameterError
from fakeimaging.core.streams import Streams
from fakeimaging.testing.fixtures import tiny_subject

SEEDS = pytest.mark.parametrize("seed", [1, 2, 3])
SPHERE = np.array([1, 1, 1, 50, 50, 50])


def body(seed=1, duration=600.0, **parameters):
    return make_physiology(duration, PhysiologyParameters(**parameters), streams=Streams(seed).at("run"))


@SEEDS
def test_the_heart_beats_as_often_and_as_unevenly_as_asked(seed):
    made = body(seed, duration=1800.0, heart_rate=60.0, heart_rate_variability=0.06)
    gaps = np.diff(made.beats)
    assert gaps.mean() == pytest.approx(1.0, rel=0.01)
    # A beat averages the rate over its second, which takes a little of the faster part.
    assert gaps.std() == pytest.approx(0.06, rel=0.2)
    assert made.beats[0] == pytest.approx(-BEFORE, abs=2.0)
    assert made.beats[-1] == pytest.approx(1800 + AFTER, abs=2.0)


@SEEDS
def test_heart_rate_varies_with_breathing_and_at_a_tenth_of_a_hertz(seed):
    made = body(seed, duration=1800.0, breathing_rate=15.0, breathing_variability=0.02)
    times = np.arange(0, 1800, 0.5)
    rate = np.interp(times, made.beats[1:], 1 / np.diff(made.beats))
    power = np.abs(np.fft.rfft((rate - rate.mean()) * np.hanning(len(rate)))) ** 2
    frequency = np.fft.rfftfreq(len(rate), 0.5)

    def band(low, high):
        return power[(frequency > low) & (frequency < high)].sum() / power.sum()

    assert band(0.22, 0.28) > 0.15
    assert band(0.05, 0.15) > 0.15
    assert band(0.16, 0.21) < 0.05


@SEEDS
def test_the_mayer_wave_has_its_share_of_the_heart_rate(seed):
    """Variance at 0.1 Hz over that of the slow wander: 0.35 / 0.25.

    Two of the 12 sines too close to tell apart move it by a sixth, and slow changes of depth of breath take a fifteenth.
    """
    made = body(seed, duration=7200.0, breathing_rate=15.0, heart_rate=180.0)
    times = np.arange(0, 7200, 0.5)
    rate = np.interp(times, (made.beats[1:] + made.beats[:-1]) / 2, 1 / np.diff(made.beats))
    power = np.abs(np.fft.rfft(rate - rate.mean())) ** 2
    frequency = np.fft.rfftfreq(len(rate), 0.5)
    mayer, slow = (
        power[(frequency > low) & (frequency < high)].sum() for low, high in ((0.045, 0.155), (0.003, 0.045))
    )
    assert mayer / slow == pytest.approx(0.35 / 0.25, rel=0.3)


@SEEDS
def test_three_tenths_of_a_jerk_stay(seed, monkeypatch):
    monkeypatch.setattr(motion, "JERKS_A_MINUTE", 0.05)
    _, course = motion._jerks(np.arange(0, 10_000, 0.1), Streams(seed))
    first = np.flatnonzero(course.any(axis=1))[0]
    # The peak comes 0.5 s after the onset, which lies up to 0.1 s before; the decay of 3 s is over after 40 s.
    peak, later = np.abs(course[first : first + 20]).max(axis=0), np.abs(course[first + 400])
    np.testing.assert_allclose(later / peak, 0.3, rtol=0.03)


def test_a_steady_heart_is_a_metronome():
    made = body(heart_rate=75.0, heart_rate_variability=0.0)
    np.testing.assert_allclose(np.diff(made.beats), 0.8, atol=1e-6)


@SEEDS
def test_breaths_come_as_often_as_asked_and_follow_each_other(seed):
    breaths = body(seed, duration=1800.0, breathing_rate=12.0).breaths
    assert breaths.periods.mean() == pytest.approx(5.0, rel=0.03)
    assert np.log(breaths.periods).std() == pytest.approx(0.1, rel=0.2)
    np.testing.assert_allclose(np.diff(breaths.onsets), breaths.periods[:-1], rtol=1e-12)
    assert breaths.onsets[0] <= -BEFORE
    assert breaths.onsets[-1] + breaths.periods[-1] >= 1800 + AFTER - 1e-9
    assert np.median(breaths.depths) == pytest.approx(1.0, abs=0.1)


def test_the_cardiac_phase_runs_from_beat_to_beat():
    made = body()
    beats = made.beats[5:50]
    np.testing.assert_allclose(np.sin(made.cardiac_phase(beats) / 2), 0, atol=1e-6)
    middle = (beats[1:] + beats[:-1]) / 2
    np.testing.assert_allclose(made.cardiac_phase(middle), np.pi, atol=1e-9)
    assert (made.cardiac_phase(np.linspace(-25, 620, 999)) <= 2 * np.pi).all()


@SEEDS
def test_the_respiratory_phase_is_that_of_glover(seed):
    made = body(seed)
    times = np.arange(0.0, 600.0, 0.05)
    phase, belt = made.respiratory_phase(times), made.belt(times)
    slope = np.gradient(belt)
    for sign in (1, -1):
        moving = (sign * slope > 1e-3) & (phase != 0)
        assert (sign * phase[moving] > 0).mean() > 0.98
    # By the paper: pi times the share of samples whose belt lies lower.
    share = np.searchsorted(np.sort(belt), belt) / len(belt)
    np.testing.assert_allclose(np.abs(phase), np.pi * share, atol=0.15)
    assert belt.min() >= 0


@SEEDS
def test_blinks_come_as_often_as_asked(seed):
    made = body(seed, duration=1800.0, blink_rate=20.0)
    n = len(made.blink_onsets)
    assert n / (1825 / 60) == pytest.approx(20, abs=3 * 20 * 0.85 / np.sqrt(n))
    assert np.diff(made.blink_onsets).min() >= 0.4
    assert np.median(made.blink_durations) == pytest.approx(0.25, rel=0.1)
    assert made.blink_durations.shape == made.blink_strengths.shape == (n,)
    assert body(seed, blink_rate=0.0).blink_onsets.shape == (0,)


@SEEDS
@pytest.mark.parametrize("level", ["low", "medium", "high", 1.5])
def test_mean_displacement_is_the_level(seed, level):
    made = body(seed, duration=300.0, motion=level)
    moved = np.abs(np.diff(made.motion(np.arange(1.0, 300.0, 2.0)), axis=0)) @ SPHERE
    assert moved.mean() == pytest.approx(MOTION_LEVELS.get(level, level), rel=1e-6)
    assert (made.motion([0.0]) == 0).all()


@pytest.mark.slow
@SEEDS
@pytest.mark.parametrize("interval", [0.5, 2.0])
def test_jerks_have_their_share_on_average(seed, interval):
    made = body(seed, duration=20_000.0, motion=0.3, motion_interval=interval)
    times = np.arange(interval / 2, 20_000.0, interval)
    drift, jerks = (
        (np.abs(np.diff(made.motion_parts(times)[name], axis=0)) @ SPHERE).mean() for name in ("drift", "jerks")
    )
    # About 167 jerks, whose sizes have a spread of 1.1: a standard error of 9 %. Half a jerk falls between two volumes at 2 s.
    assert jerks / drift == pytest.approx(0.4, rel=0.3)


def test_no_motion_is_none_at_all():
    assert (body(motion=0.0).motion(np.arange(0.0, 600.0, 2.0)) == 0).all()


@SEEDS
def test_the_head_nods_with_breathing(seed):
    made = body(seed, duration=600.0)
    times = np.arange(0, 600, 0.25)
    nods, belt = made.motion_parts(times)["breathing"], made.belt(times)
    assert np.corrcoef(nods[:, 2], belt)[0, 1] > 0.99
    assert np.corrcoef(np.diff(made.motion(times)[:, 2]), np.diff(belt))[0, 1] > 0.2


def test_each_part_has_draws_of_its_own():
    one = body()
    blinks, heart, still, deep, eyes, jaw = (
        body(blink_rate=30.0),
        body(heart_rate=90.0),
        body(motion=0.0),
        body(breathing_rate=10.0),
        body(saccade_rate=3.0),
        body(clench_rate=5.0),
    )
    for other in (blinks, heart, still, eyes, jaw):
        np.testing.assert_array_equal(one.breaths.onsets, other.breaths.onsets)
    for other in (blinks, still, eyes, jaw):
        np.testing.assert_array_equal(one.beats, other.beats)
    for other in (heart, still, deep, eyes, jaw):
        np.testing.assert_array_equal(one.blink_onsets, other.blink_onsets)
    for other in (blinks, heart, eyes, jaw):
        np.testing.assert_array_equal(one.head, other.head)
    for other in (blinks, heart, still, deep, jaw):
        np.testing.assert_array_equal(one.saccades.targets, other.saccades.targets)
    for other in (blinks, heart, still, deep, eyes):
        np.testing.assert_array_equal(one.bursts.onsets, other.bursts.onsets)
    of_neck = [made.bursts.onsets[made.bursts.muscles == 2] for made in (one, jaw)]
    np.testing.assert_array_equal(*of_neck)
    assert not np.array_equal(one.beats, body(seed=2).beats)
    np.testing.assert_array_equal(one.beats, body().beats)


def test_a_longer_run_starts_alike():
    short, long = body(duration=100.0), body(duration=400.0)
    n = len(short.breaths.onsets)
    np.testing.assert_array_equal(short.breaths.depths, long.breaths.depths[:n])
    np.testing.assert_allclose(short.breaths.onsets, long.breaths.onsets[:n])


def test_a_run_has_one_physiology_set_with_the_run():
    run = fi.simulate_activity(tiny_subject(), model="linear", duration=20.0, physiology={"heart_rate": 55.0})
    assert run.physiology is run.physiology
    assert run.physiology_parameters.heart_rate == 55.0
    assert np.diff(run.physiology.beats).mean() == pytest.approx(60 / 55, rel=0.05)
    other = replace(run, streams=run.streams.at("other"))
    assert not np.array_equal(other.physiology.breaths.depths, run.physiology.breaths.depths)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"motion": "wild"}, "physiology.motion"),
        ({"motion": 10.0}, r"physiology.motion`: 10 mm is outside \[0, 5\]"),
        ({"motion": -1.0}, "physiology.motion"),
        ({"heart_rate": 1.2}, "physiology.heart_rate"),
        ({"heartrate": 60.0}, "did you mean 'heart_rate'"),
    ],
)
def test_mistakes_are_named(values, message):
    with pytest.raises(ParameterError, match=message):
        fi.simulate_activity(tiny_subject(), model="linear", duration=2.0, physiology=values)
