import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import expm

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet import kinetics
from fakeimaging.modalities.pet.kinetics import Constants, frame_means, reference_tissue, tissue_curve
from fakeimaging.modalities.pet.plasma import InputFunction, Piece, feng, parent_fraction, rise_and_fall
from tests.reference import compartments

FENG = (851.1225, 21.8798, 20.8113), (4.1339, 0.1191, 0.0104)
BOLUS = (0.1, 0.6, (22.0, 5.0, 3.6), (1.5, 0.12, 0.0135))
TIMES = np.array([0.2, 0.5, 1.0, 3.0, 10.0, 30.0, 60.0, 90.0])
CASES = [(0.095, 0.125, 0.069, 0.0), (0.095, 0.125, 0.069, 0.0055), (0.08, 0.195, 0.0, 0.0), (0.3, 0.17, 0.05, 0.12)]


def constants(*rows):
    return Constants(*np.array(rows, dtype=float).T)


@pytest.mark.parametrize("case", CASES)
def test_curves_are_the_closed_forms(case):
    K1, k2, k3, k4 = case
    ours = tissue_curve(feng(*FENG), constants(case), TIMES)[0]
    closed = compartments.two_tissues(
        lambda a, b: compartments.feng_through_one_tissue(TIMES, a, b, *FENG), K1, k2, k3, k4
    )
    np.testing.assert_allclose(ours, closed, rtol=1e-10)
    ours = tissue_curve(rise_and_fall(*BOLUS), constants(case), TIMES)[0]
    closed = compartments.two_tissues(
        lambda a, b: compartments.rise_and_fall_through_one_tissue(TIMES, a, b, *BOLUS), K1, k2, k3, k4
    )
    np.testing.assert_allclose(ours, closed, rtol=1e-10)


def test_equal_rates_of_tissue_and_input_lose_nothing():
    plasma = InputFunction((Piece(0.0, (1.0,), (0.2,), (0,)),))
    for k2 in (0.2, 0.2 + 1e-9):
        found = tissue_curve(plasma, constants((0.1, k2, 0, 0)), TIMES)[0]
        np.testing.assert_allclose(found, 0.1 * TIMES * np.exp(-0.2 * TIMES), rtol=1e-7)
    exact = tissue_curve(plasma, constants((0.1, 0.2, 0, 0)), TIMES)[0]
    np.testing.assert_allclose(exact, 0.1 * TIMES * np.exp(-0.2 * TIMES), rtol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_curves_solve_the_differential_equation(case):
    plasma = rise_and_fall(*BOLUS)
    twin = compartments.by_ode(plasma.at, *case, TIMES, breaks=BOLUS[:2])
    np.testing.assert_allclose(tissue_curve(plasma, constants(case), TIMES)[0], twin, rtol=3e-7)


def test_curves_are_the_numeric_convolution():
    step, plasma = 2e-3, feng(*FENG)
    t = np.arange(0, 20 + step / 2, step)
    response = np.exp(-0.195 * t)
    summed = 0.08 * np.convolve(plasma.at(t), response)[: len(t)] * step
    summed -= 0.08 * step / 2 * (plasma.at(t) + plasma.at(t[0]) * response)
    at = [500, 5000, 10_000]
    found = tissue_curve(plasma, constants((0.08, 0.195, 0, 0)), t[at])[0]
    np.testing.assert_allclose(found, summed[at], rtol=1e-4)


def test_changing_constants_follow_the_differential_equation():
    plasma, changes = rise_and_fall(*BOLUS), (0.0, 20.0, 35.0)
    rates = (0.05, 0.02, 0.04)
    schedule = [(t, constants((0.09, 0.2, k3, 0.03))) for t, k3 in zip(changes, rates, strict=True)]
    twin = compartments.by_ode(
        plasma.at, 0.09, 0.2, lambda t: rates[int(np.searchsorted(changes, t, side="right")) - 1], 0.03, TIMES,
        breaks=(*BOLUS[:2], *changes[1:]),
    )  # fmt: skip
    np.testing.assert_allclose(tissue_curve(plasma, schedule, TIMES)[0], twin, rtol=3e-7)
    same = [(t, constants((0.09, 0.2, 0.05, 0.03))) for t in changes]
    still = tissue_curve(plasma, same[0][1], TIMES)
    np.testing.assert_allclose(tissue_curve(plasma, same, TIMES), still, rtol=1e-12)


@pytest.mark.parametrize("decay", [0.0, np.log(2) / 20.36, np.log(2) / 2.04])
def test_frames_are_decay_weighted_means(decay):
    plasma, c = rise_and_fall(*BOLUS), constants(CASES[1], CASES[2])
    starts, ends = np.array([0.0, 0.25, 5.0, 50.0]), np.array([0.25, 1.0, 10.0, 60.0])
    found = frame_means(plasma, c, starts, ends, decay)
    blood = kinetics.curve_means(plasma.at, BOLUS[:2], starts, ends, decay)
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        breaks = [b for b in BOLUS[:2] if start < b < end]
        weight = quad(lambda t: np.exp(-decay * t), start, end)[0]
        for n in range(2):
            area = quad(
                lambda t, n=n: tissue_curve(plasma, c, [t])[n, 0] * np.exp(-decay * t), start, end,
                points=breaks or None, epsrel=1e-10,
            )[0]  # fmt: skip
            assert found[n, i] == pytest.approx(area / weight, rel=1e-8)
        area = quad(lambda t: plasma.at(t) * np.exp(-decay * t), start, end, points=breaks or None, epsrel=1e-11)[0]
        assert blood[i] == pytest.approx(area / weight, rel=1e-8)


def test_the_middle_of_a_frame_is_not_its_mean():
    # Five minutes of 15O from the start: counts fall to .481 of what they were, and to .428 by the middle of the frame.
    decay = np.log(2) / (122.24 / 60)
    assert kinetics.decayed_time(5.0, decay) / 5 == pytest.approx(0.481, abs=1e-3)
    assert np.exp(-decay * 2.5) == pytest.approx(0.428, abs=1e-3)


def test_two_halves_of_a_frame_make_the_whole():
    plasma, c, decay = feng(*FENG), constants(CASES[0]), 0.034
    whole = frame_means(plasma, c, np.array([10.0]), np.array([20.0]), decay)
    halves = frame_means(plasma, c, np.array([10.0, 13.0]), np.array([13.0, 20.0]), decay)
    weights = np.exp(-decay * np.array([10.0, 13.0])) * kinetics.decayed_time([3.0, 7.0], decay)
    assert whole[0, 0] == pytest.approx((halves[0] @ weights) / weights.sum(), rel=1e-12)


def test_a_steady_input_fills_the_distribution_volume_and_washes_out():
    steady = InputFunction((Piece(0.0, (2.0,), (0.0,), (0,)), Piece(400.0, (0.0,), (0.0,), (0,))))
    c = constants((0.3, 0.17, 0.05, 0.12), (0.08, 0.195, 0, 0))
    full, after = tissue_curve(steady, c, [400.0, 410.0]).T
    np.testing.assert_allclose(full, 2 * c.distribution, rtol=1e-9)
    assert after[1] / full[1] == pytest.approx(np.exp(-1.95), rel=1e-9)
    assert c.distribution[0] == pytest.approx(0.3 / 0.17 * (1 + 0.05 / 0.12))


def test_the_reference_tissue_model_is_its_formula():
    plasma, (K1, k2) = rise_and_fall(*BOLUS), (0.08, 0.195)
    R1, bpnd = 1.1, 2.5
    both = reference_tissue([1.0, R1], [0.0, bpnd], K1, k2)
    target_k2 = R1 * k2
    apparent = target_k2 / (1 + bpnd)

    def formula(t):
        cr = lambda u: tissue_curve(plasma, both, [u])[0, 0] if u > 0 else 0.0  # noqa: E731
        inside = quad(lambda u: cr(u) * np.exp(-apparent * (t - u)), 0, t, points=[0.1, 0.6], epsrel=1e-10, limit=200)
        return R1 * cr(t) + (target_k2 - R1 * apparent) * inside[0]

    for t in (3.0, 25.0):
        assert tissue_curve(plasma, both, [t])[1, 0] == pytest.approx(formula(t), rel=1e-9)


def test_curves_are_linear_in_dose_and_move_with_the_injection():
    c = constants(CASES[1])
    one = tissue_curve(feng(*FENG), c, TIMES)
    np.testing.assert_allclose(tissue_curve(feng(*FENG).scaled(3.0), c, TIMES), 3 * one, rtol=1e-12)
    np.testing.assert_allclose(tissue_curve(feng(*FENG, delay=7.0), c, TIMES + 7.0), one, rtol=1e-11)


def test_flow_leaves_the_distribution_volume_alone():
    slow, fast = constants((0.1, 0.2, 0.03, 0.02)), constants((0.2, 0.4, 0.03, 0.02))
    np.testing.assert_allclose(slow.distribution, fast.distribution)


@pytest.mark.parametrize("size", [1e-3, 1.0, 300.0])
def test_the_exponential_of_a_stack_is_scipys(size):
    rng = np.random.default_rng(5)
    stack = rng.standard_normal((20, 6, 6)) * 0.2 - 2 * np.eye(6)
    np.testing.assert_allclose(kinetics.exponential(stack * size), expm(stack * size), rtol=1e-9, atol=1e-14)


def test_parent_fraction_falls_from_one():
    shape = (0.55, 1.2, 77.6)
    values = parent_fraction(np.array([0.0, 10.0, 42.0, 600.0]), shape)
    assert values[0] == 1
    assert (np.diff(values) < 0).all()
    assert values[2] == pytest.approx(0.76, abs=0.001)


def test_an_input_that_peaks_before_it_starts_is_refused():
    with pytest.raises(InputError, match="not after its start"):
        rise_and_fall(1.0, 0.5, (1.0,), (0.1,))
