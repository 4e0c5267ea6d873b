import numpy as np
import pytest

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet.kinetics import frame_means, reference_tissue, tissue_curve
from fakeimaging.scoring.kinetics import Timing, panels, through
from fakeimaging.scoring.kinetics.panels import ORDER
from tests.reference.compartments import exponential_through_one_tissue
from tests.scoring.kinetics.scans import BOLUS, CARBON, FRAMINGS, INPUTS, OXYGEN, WATER, timing


@pytest.mark.parametrize("half_life", [OXYGEN, CARBON, np.inf])
def test_means_areas_and_convolutions_of_an_exponential_are_the_closed_forms(half_life):
    when, rate = timing("90 min", half_life), 0.05
    at = panels(when, [0.3, 41.7])
    falling = np.exp(-rate * at.times)
    whole = when.decay + rate
    exact = (np.exp(-whole * when.starts) - np.exp(-whole * when.ends)) / whole / when.weights
    np.testing.assert_allclose(at.mean(falling), exact, rtol=1e-11)
    np.testing.assert_allclose(at.area(falling), (1 - falling) / rate, rtol=1e-8, atol=1e-9)
    rates = np.array([0.006, 0.3, 1.5])
    found = at.convolved(falling, rates)
    for row, k in zip(found, rates, strict=True):
        np.testing.assert_allclose(row, exponential_through_one_tissue(at.times, 1.0, k, rate), rtol=2e-5, atol=1e-7)
    np.testing.assert_allclose(
        at.mean(found)[1], at.mean(exponential_through_one_tissue(at.times, 1.0, 0.3, rate)), rtol=1e-7
    )


def test_a_mean_of_one_is_one_whatever_the_frames():
    for frames in (*FRAMINGS, WATER):
        at = panels(timing(frames))
        np.testing.assert_allclose(at.mean(np.ones(len(at.times))), 1.0, rtol=1e-12)


def test_splitting_a_frame_changes_no_area():
    whole = timing([(4, 15), (8, 30), (5, 120), (4, 300)])
    halves = Timing(np.sort([*whole.starts, *whole.middle]), np.sort([*whole.ends, *whole.middle]), whole.decay)
    joined = np.add.reduceat(halves.weights, np.arange(0, 2 * len(whole.starts), 2))
    np.testing.assert_allclose(joined, whole.weights, rtol=1e-12)


@pytest.mark.parametrize("frames", list(FRAMINGS))
@pytest.mark.parametrize("name", list(INPUTS))
def test_a_curve_through_frames_keeps_their_means_and_has_the_right_integral(frames, name):
    when, constants = timing(frames), reference_tissue([1.0, 1.1], [0.0, 3.0], 0.08, 0.195)
    means = frame_means(INPUTS[name], constants, when.starts, when.ends, when.decay)
    at = panels(when)
    curves = through(means, when, at)
    np.testing.assert_allclose(at.mean(curves), means, rtol=1e-7)
    fine = np.arange(0, when.ends[-1] + 1e-9, 1 / 120)
    true = tissue_curve(INPUTS[name], constants, fine)
    area = np.concatenate([[[0.0]] * 2, np.cumsum((true[:, 1:] + true[:, :-1]) / 240, axis=1)], axis=1)
    late = at.times > 10
    exact = np.stack([np.interp(at.times[late], fine, row) for row in area])
    found = at.area(curves)[:, late]
    worst = 4e-4 if frames == "coarse" else 6e-5
    assert np.abs(found / exact - 1).max() < worst
    # Trapezoids through the middles of the frames are worse by far.
    naive = np.stack([np.interp(fine, [0, *when.middle], [0, *row]) for row in means])
    naive = np.cumsum((naive[:, 1:] + naive[:, :-1]) / 240, axis=1)[:, fine[1:] > 10]
    assert np.abs(naive / area[:, 1:][:, fine[1:] > 10] - 1).max() > 10 * np.abs(found / exact - 1).max()


def test_the_curve_through_frames_is_linear_in_them():
    when, rng = timing(), np.random.default_rng(0)
    a, b = rng.random((2, len(when.starts)))
    at = panels(when)
    together = through(2 * a - 3 * b, when, at)
    np.testing.assert_allclose(together, 2 * through(a, when, at) - 3 * through(b, when, at), atol=1e-11)


def test_a_gap_between_two_scans_is_bridged():
    whole = timing("90 min")
    means = frame_means(BOLUS, reference_tissue([1.0], [2.0], 0.08, 0.195), whole.starts, whole.ends, whole.decay)
    kept = (whole.ends <= 40 + 1e-9) | (whole.starts >= 60 - 1e-9)
    when = Timing(whole.starts[kept], whole.ends[kept], whole.decay)
    at, everywhere = panels(when), panels(whole)
    found, exact = at.area(through(means[:, kept], when, at)), everywhere.area(through(means, whole, everywhere))
    assert found[0, -1] == pytest.approx(exact[0, -1], rel=0.01)
    np.testing.assert_allclose(at.mean(through(means[:, kept], when, at)), means[:, kept], rtol=1e-7)


def test_frames_before_injection_hold_nothing():
    whole = timing()
    when = Timing(np.append(-0.5, whole.starts), np.append(0.0, whole.ends), whole.decay)
    at = panels(when)
    assert at.times[0] < 0 < at.times[ORDER * 8]
    np.testing.assert_allclose(at.area(np.ones(len(at.times)))[-1], when.ends[-1] + 0.5, rtol=1e-3)


def test_what_cannot_be_integrated_is_refused():
    whole = timing()
    late = Timing(whole.starts[10:], whole.ends[10:], whole.decay)
    with pytest.raises(InputError, match="first frame starts 4 min after injection"):
        through(np.ones(len(late.starts)), late, panels(late))
    few = Timing(whole.starts[:3], whole.ends[:3], whole.decay)
    with pytest.raises(InputError, match="needs 4 frames; there are 3"):
        through(np.ones(3), few, panels(few))
    with pytest.raises(InputError, match="overlap"):
        panels(Timing(whole.starts, whole.ends * 1.5, whole.decay))


def test_a_frame_weighs_as_many_counts_as_are_left():
    when = Timing(np.array([0.0, 20.0]), np.array([20.0, 60.0]), np.log(2) / 20)
    np.testing.assert_allclose(when.weights, np.array([0.5, 0.5 - 0.125]) * 20 / np.log(2))
    np.testing.assert_allclose(Timing(when.starts, when.ends, 0.0).weights, [20.0, 40.0])


def test_inverse_variance_is_that_of_counts():
    when, rng = timing([(4, 60), (4, 300)]), np.random.default_rng(1)
    curve = np.array([5.0, 50.0, 40.0, 30.0, 20.0, 15.0, 10.0, 8.0])
    draws = rng.poisson(1e3 * curve * when.weights, (4000, 8)) / (1e3 * when.weights)
    ratio = when.inverse_variance(curve) * draws.var(axis=0)
    np.testing.assert_allclose(ratio / ratio.mean(), 1.0, atol=0.12)
    assert when.inverse_variance(np.where(np.arange(8) == 0, 0.0, curve))[0] < 1
