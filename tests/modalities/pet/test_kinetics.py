import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import expm

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet import kinetics, propagation
from fakeimaging.modalities.pet.administration import area, bolus_infusion, dispersed, infused, through_compartment
from fakeimaging.modalities.pet.kinetics import (
    Constants,
    Course,
    Saturation,
    compartment_means,
    compartments,
    frame_means,
    input_means,
    reference_tissue,
    tissue_curve,
)
from fakeimaging.modalities.pet.plasma import (
    InputFunction,
    Piece,
    exponential,
    feng,
    from_samples,
    parent_fraction,
    rise_and_fall,
)
from tests.reference import compartments as twin

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
    closed = twin.two_tissues(lambda a, b: twin.feng_through_one_tissue(TIMES, a, b, *FENG), K1, k2, k3, k4)
    np.testing.assert_allclose(ours, closed, rtol=1e-10)
    ours = tissue_curve(rise_and_fall(*BOLUS), constants(case), TIMES)[0]
    closed = twin.two_tissues(lambda a, b: twin.rise_and_fall_through_one_tissue(TIMES, a, b, *BOLUS), K1, k2, k3, k4)
    np.testing.assert_allclose(ours, closed, rtol=1e-10)


def test_equal_rates_of_tissue_and_input_lose_nothing():
    plasma = InputFunction((Piece(0.0, (1.0,), (0.2,), (0,)),))
    for gap in (1e-13, 1e-9, 1e-6, 1e-3):
        found = tissue_curve(plasma, constants((0.1, 0.2 + gap, 0, 0)), TIMES)[0]
        mean = -np.expm1(-gap * TIMES) / (gap * TIMES)
        np.testing.assert_allclose(found, 0.1 * TIMES * np.exp(-0.2 * TIMES) * mean, rtol=1e-10)
    exact = tissue_curve(plasma, constants((0.1, 0.2, 0, 0)), TIMES)[0]
    np.testing.assert_allclose(exact, 0.1 * TIMES * np.exp(-0.2 * TIMES), rtol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_curves_solve_the_differential_equation(case):
    plasma = rise_and_fall(*BOLUS)
    expected = twin.by_ode(plasma.at, *case, TIMES, breaks=BOLUS[:2])
    np.testing.assert_allclose(tissue_curve(plasma, constants(case), TIMES)[0], expected, rtol=3e-7)


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
    expected = twin.by_ode(
        plasma.at, 0.09, 0.2, lambda t: rates[int(np.searchsorted(changes, t, side="right")) - 1], 0.03, TIMES,
        breaks=(*BOLUS[:2], *changes[1:]),
    )  # fmt: skip
    np.testing.assert_allclose(tissue_curve(plasma, schedule, TIMES)[0], expected, rtol=3e-7)
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


@pytest.mark.parametrize("size", [1e-9, 1e-3, 1.0, 40.0])
def test_a_panel_carries_as_the_matrix_exponential_does(size):
    rng = np.random.default_rng(5)
    rates = rng.uniform(0, 1, (4, 1, 40)) * rng.integers(0, 2, (4, 1, 40)) * size
    rates[:, 0, 0] = 0.1 * size, 0.3 * size, 0.0, 0.3 * size  # two equal roots
    decay, length = 0.3, 0.7
    maps = propagation.still(rates, np.array([length]), np.zeros((1, propagation.NODES)), decay)
    for n, (_, k2, k3, k4) in enumerate(rates[:, 0].T):
        matrix = np.zeros((4, 4))
        matrix[:2, :2] = [[-(k2 + k3), k4], [k3, -k4]]
        np.testing.assert_allclose(maps.carry[0, n], expm(matrix[:2, :2] * length), rtol=1e-11, atol=1e-15)
        matrix[:2, :2] -= decay * np.eye(2)
        matrix[2:, :2] = np.eye(2)
        np.testing.assert_allclose(maps.held[0, n], expm(matrix * length)[2:, :2], rtol=1e-11, atol=1e-15)


def test_panels_keep_their_edges():
    edges = propagation.panels(np.array([0.0, 0.1, 1.0, 7.0]), 0.4)
    assert {0.0, 0.1, 1.0, 7.0} <= set(edges.tolist())
    assert 0 < np.diff(edges).min() <= np.diff(edges).max() <= 0.4 + 1e-12
    assert propagation.weights(edges, 5).sum() == pytest.approx(7.0)


def test_parent_fraction_falls_from_one():
    shape = (0.55, 1.2, 77.6)
    values = parent_fraction(np.array([0.0, 10.0, 42.0, 600.0]), shape)
    assert values[0] == 1
    assert (np.diff(values) < 0).all()
    assert values[2] == pytest.approx(0.76, abs=0.001)


def test_an_input_that_peaks_before_it_starts_is_refused():
    with pytest.raises(InputError, match="not after its start"):
        rise_and_fall(1.0, 0.5, (1.0,), (0.1,))


@pytest.mark.parametrize("rate", [0.03, 0.5, 4.0])
@pytest.mark.parametrize("case", [*CASES, (0.2, 60.0, 0.0, 0.0), (0.6, 0.67, 0.0, 0.0), (0.3, 40.0, 25.0, 0.01)])
def test_an_exponential_input_gives_the_closed_form(case, rate):
    found = tissue_curve(exponential(rate), constants(case), TIMES)[0]
    closed = twin.two_tissues(lambda a, b: twin.exponential_through_one_tissue(TIMES, a, b, rate), *case)
    np.testing.assert_allclose(found, closed, rtol=1e-10)


def test_two_equal_roots_are_no_trouble():
    # k2 + k3 = k4 with k3 = 0, and almost: the closed form divides by the difference of its roots.
    at = lambda k3: tissue_curve(exponential(0.1), constants((0.1, 0.3, k3, 0.3)), TIMES)[0]  # noqa: E731
    np.testing.assert_allclose(at(0.0), twin.exponential_through_one_tissue(TIMES, 0.1, 0.3, 0.1), rtol=1e-12)
    for k3 in (1e-14, 1e-8):
        np.testing.assert_allclose(at(k3), at(0.0), rtol=1e-6)
    close = twin.by_ode(exponential(0.1).at, 0.1, 0.3, 1e-4, 0.3, TIMES)
    np.testing.assert_allclose(at(1e-4), close, rtol=1e-8)


@pytest.mark.parametrize("case", CASES)
def test_free_and_bound_are_those_of_the_differential_equation(case):
    plasma = rise_and_fall(*BOLUS)
    expected = twin.free_and_bound_by_ode(plasma.at, *case, TIMES, breaks=BOLUS[:2])
    found = np.stack([curve[0] for curve in compartments(plasma, constants(case), TIMES)])
    np.testing.assert_allclose(found, expected, rtol=3e-7, atol=1e-12)


def test_bound_over_free_settles_at_the_binding_potential():
    c = constants((0.3, 0.17, 0.05, 0.12), (0.1, 0.2, 0.3, 0.1))
    free, bound = compartments(exponential(0.0), c, [900.0])
    np.testing.assert_allclose((bound / free)[:, 0], [0.05 / 0.12, 3.0], rtol=1e-12)
    nondisplaceable = constants((0.3, 0.17, 0.0, 0.12), (0.1, 0.2, 0.0, 0.1))
    np.testing.assert_allclose(c.distribution / nondisplaceable.distribution, 1 + c.k3 / c.k4, rtol=1e-14)


def test_a_constant_infusion_fills_and_washes_out():
    # Cp rises to rate / clearance; after the stop plasma and tissue fall with their own rates.
    plasma = infused(exponential(0.9, 90.0), 200.0)
    c = constants((0.3, 0.17, 0.05, 0.12), (0.08, 0.195, 0, 0))
    full, later, last = tissue_curve(plasma, c, [200.0, 260.0, 270.0]).T
    level = 90 / 0.9 / 200
    assert float(plasma.at(200.0)) == pytest.approx(level, rel=1e-12)
    np.testing.assert_allclose(full, level * c.distribution, rtol=1e-3)
    assert (last / later)[1] == pytest.approx(np.exp(-1.95), rel=1e-6)


def test_bolus_and_infusion_bring_a_steady_state_sooner():
    plasma = feng(*FENG)
    slow, fast = infused(plasma, 120.0), bolus_infusion(plasma, 60.0, 120.0)
    c = constants((0.08, 0.08, 0, 0))
    change = [float(np.diff(np.log(tissue_curve(p, c, [60.0, 90.0])[0]))[0]) for p in (plasma, slow, fast)]
    assert abs(change[2]) < abs(change[0])
    assert abs(change[2]) < abs(change[1])


def _swinging(t):
    swing = np.sin(0.3 * t) ** 2
    return Constants(*(np.stack([a * np.ones_like(t), a * (1 + b * swing)]) for a, b in
                       ((0.1, 0.5), (0.15, 0.5), (0.06, -0.8), (0.03, 1.0))))  # fmt: skip


def test_a_smooth_course_follows_the_differential_equation():
    plasma = rise_and_fall(*BOLUS)
    free, bound = compartments(plasma, Course(_swinging), TIMES)
    for n in range(2):
        rates = [lambda t, name=name, n=n: float(getattr(_swinging(np.array([t])), name)[n, 0])
                 for name in ("K1", "k2", "k3", "k4")]  # fmt: skip
        expected = twin.free_and_bound_by_ode(plasma.at, *rates, TIMES, breaks=BOLUS[:2])
        np.testing.assert_allclose([free[n], bound[n]], expected, rtol=1e-8, atol=1e-9)
    still = tissue_curve(plasma, constants((0.1, 0.15, 0.06, 0.03)), TIMES)[0]
    np.testing.assert_allclose((free + bound)[0], still, rtol=1e-12)


def test_fine_steps_go_to_the_smooth_course():
    plasma, errors = rise_and_fall(*BOLUS), []
    smooth = tissue_curve(plasma, Course(_swinging), TIMES)
    for width in (0.5, 0.25, 0.125):
        begins = np.arange(0, 90, width)
        steps = [(t, Constants(*(getattr(_swinging(np.array([t + width / 2])), k)[:, 0] for k in ("K1", "k2", "k3", "k4"))))
                 for t in begins.tolist()]  # fmt: skip
        errors.append(np.abs(tissue_curve(plasma, steps, TIMES) - smooth)[1].max())
    assert np.log2(np.array(errors[:-1]) / errors[1:]) == pytest.approx(2.0, abs=0.3)


def test_a_jump_named_as_a_break_is_a_schedule():
    plasma, one = feng(*FENG), np.ones(1)

    def at(t):
        return Constants(
            0.1 * one[:, None], 0.2 * one[:, None], np.where(t < 20, 0.08, 0.01)[None], 0.05 * one[:, None]
        )

    steps = [(0.0, constants((0.1, 0.2, 0.08, 0.05))), (20.0, constants((0.1, 0.2, 0.01, 0.05)))]
    found = tissue_curve(plasma, Course(at, (20.0,)), TIMES)
    np.testing.assert_allclose(found, tissue_curve(plasma, steps, TIMES), rtol=1e-10)
    starts, ends = np.array([0.0, 18.0]), np.array([5.0, 25.0])
    means = frame_means(plasma, Course(at, (20.0,)), starts, ends, 0.034)
    np.testing.assert_allclose(means, frame_means(plasma, steps, starts, ends, 0.034), rtol=1e-10)


def test_a_course_that_cannot_be_followed_is_refused():
    wild = Course(lambda t: Constants(*(0.1 + 0.05 * np.sign(np.sin(70 * t * t))[None] for _ in range(4))))
    with pytest.raises(InputError, match="move too fast"):
        tissue_curve(feng(*FENG), wild, [5.0])


@pytest.mark.parametrize("activity", [1e6, 3.0, 0.03])
def test_sites_fill_as_the_differential_equation_says(activity):
    plasma, one = rise_and_fall(*BOLUS), np.ones(1)
    s = Saturation(0.15 * one, 0.3 * one, 0.02 * one, 0.05 * one, 20.0 * one, activity)
    free, bound = compartments(plasma, s, TIMES)
    expected = twin.free_and_bound_by_ode(
        plasma.at, 0.15, 0.3, 0.4, 0.05, TIMES, breaks=BOLUS[:2], most=20.0 * activity
    )  # fmt: skip
    np.testing.assert_allclose([free[0], bound[0]], expected, rtol=1e-8, atol=1e-9)
    assert bound.max() < 20 * activity


def test_a_trace_of_tracer_fills_nothing():
    plasma, one = rise_and_fall(*BOLUS), np.ones(1)
    s = Saturation(0.15 * one, 0.3 * one, 0.02 * one, 0.05 * one, 20.0 * one, 1e12)
    linear = tissue_curve(plasma, constants((0.15, 0.3, 0.4, 0.05)), TIMES)
    np.testing.assert_allclose(tissue_curve(plasma, s, TIMES), linear, rtol=1e-9)


def test_frames_of_free_and_bound_add_up_and_sum_to_the_area():
    plasma, c = dispersed(rise_and_fall(*BOLUS), 0.1), constants(*CASES)
    edges = np.concatenate([[0.0], np.cumsum([1 / 6] * 6 + [0.5] * 4 + [1] * 5 + [5] * 10)])
    starts, ends = edges[:-1], edges[1:]
    free, bound = compartment_means(plasma, c, starts, ends, 0.0)
    means = frame_means(plasma, c, starts, ends, 0.0)
    np.testing.assert_allclose(free + bound, means, rtol=1e-14)
    whole = frame_means(plasma, c, edges[:1], edges[-1:], 0.0)[:, 0] * edges[-1]
    np.testing.assert_allclose(means @ (ends - starts), whole, rtol=1e-12)
    inputs = input_means(plasma, starts, ends, 0.0)
    assert inputs @ (ends - starts) == pytest.approx(float(area(plasma, edges[-1])), rel=1e-12)
    # Of one compartment the area is known, too: k2 int C = K1 int Cp - C.
    last = tissue_curve(plasma, c, [edges[-1]])[2, 0]
    assert whole[2] == pytest.approx((0.08 * float(area(plasma, edges[-1])) - last) / 0.195, rel=1e-11)


@pytest.mark.parametrize("decay", [np.log(2) / 2.04, np.log(2) / 109.8])
def test_what_decays_in_frames_is_what_decays(decay):
    # Uncorrected means are corrected ones times the factor of the frame; another time of reference is one factor for all.
    plasma, c = feng(*FENG), constants(CASES[0])
    starts, ends = np.array([0.0, 2.0, 10.0]), np.array([2.0, 10.0, 30.0])
    corrected = frame_means(plasma, c, starts, ends, decay)[0]
    factors = np.exp(-decay * starts) * kinetics.decayed_time(ends - starts, decay) / (ends - starts)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    for start, end, value, factor in zip(starts, ends, corrected, factors, strict=True):
        t = (start + end) / 2 + (end - start) / 2 * nodes
        counted = (weights / 2) @ (tissue_curve(plasma, c, t)[0] * np.exp(-decay * t))
        assert counted == pytest.approx(value * factor, rel=1e-9)
    later = factors * np.exp(decay * 10.0)
    np.testing.assert_allclose(corrected * factors / later / corrected, np.exp(-decay * 10.0), rtol=1e-13)


def test_a_second_run_goes_on_where_the_first_ended():
    # Its clock starts 80 min after injection: the same curve in frames that are shifted, corrected to its own start.
    plasma, c, decay, gap = feng(*FENG), constants(CASES[1]), np.log(2) / 109.8, 80.0
    edges = np.array([0.0, 20.0, 60.0, 80.0, 90.0, 105.0])
    whole = frame_means(plasma, c, edges[:-1], edges[1:], decay)
    moved = InputFunction(tuple(Piece(p.start - gap, p.amplitudes, p.rates, p.powers) for p in plasma.pieces))
    run = np.unique([-gap, 0.0, 10.0, 25.0])
    second = frame_means(moved, c, run[:-1], run[1:], decay)[:, 1:]
    np.testing.assert_allclose(second, whole[:, 3:], rtol=1e-11)


def test_graphical_analysis_gives_its_slopes():
    plasma, times = rise_and_fall(*BOLUS), np.linspace(0.7, 90.0, 120)
    c = constants((0.095, 0.125, 0.069, 0.0), (0.08, 0.195, 0, 0), (0.3, 0.17, 0.05, 0.12))
    curves, cp = tissue_curve(plasma, c, times), plasma.at(times)
    summed = np.stack([frame_means(plasma, c, np.zeros(1), np.array([t]), 0.0)[:, 0] * t for t in times], axis=1)
    late = times > 60
    x, y = area(plasma, times) / cp, curves[0] / cp
    ki = np.polyfit(x[late], y[late], 1)
    assert ki[0] == pytest.approx(c.trapping[0], rel=0.01)
    blood = 0.95 * y + 0.05
    assert np.polyfit(x[late], blood[late], 1)[0] == pytest.approx(0.95 * ki[0], rel=1e-9)
    one = np.polyfit(area(plasma, times) / curves[1], summed[1] / curves[1], 1)
    assert one[0] == pytest.approx(c.distribution[1], rel=1e-9)
    assert one[1] == pytest.approx(-1 / 0.195, rel=1e-9)
    two = np.polyfit((area(plasma, times) / curves[2])[late], (summed[2] / curves[2])[late], 1)
    assert two[0] == pytest.approx(c.distribution[2], rel=0.01)


def test_flow_changes_the_ratio_but_not_the_distribution_volume():
    plasma, k2 = feng(*FENG), 0.1
    slow = reference_tissue([1.0, 0.7], [0.0, 2.0], 0.05, k2)
    fast = reference_tissue([1.0, 1.3], [0.0, 2.0], 0.05, k2)
    ratios = [
        np.divide(*frame_means(plasma, c, np.array([40.0]), np.array([60.0]), 0.0)[::-1, 0]) for c in (slow, fast)
    ]
    np.testing.assert_allclose(slow.distribution, fast.distribution, rtol=1e-12)
    assert abs(ratios[1] / ratios[0] - 1) > 0.05
    steady = [np.divide(*tissue_curve(exponential(0.0), c, [900.0])[::-1, 0]) for c in (slow, fast)]
    assert steady == pytest.approx([3.0, 3.0], rel=1e-9)


def test_frames_of_a_fast_curve_are_those_of_its_area():
    # Blood behind tubing of 2 s, and an infusion that stops inside a long late frame.
    plasma = dispersed(infused(exponential(20.0, 20.0), 61.0), 2 / 60)
    starts, ends = np.array([0.0, 20.0, 60.0]), np.array([20.0, 60.0, 65.0])
    expected = (area(plasma, ends) - area(plasma, starts)) / (ends - starts)
    np.testing.assert_allclose(input_means(plasma, starts, ends, 0.0), expected, rtol=1e-11)


def test_measured_blood_drives_tissue_as_well():
    plasma = rise_and_fall(*BOLUS)
    t = np.unique(np.concatenate([np.arange(0, 3, 0.01), np.arange(3, 95, 0.25)]))
    found = tissue_curve(from_samples(t, plasma.at(t)), constants(CASES[1]), TIMES[2:])
    np.testing.assert_allclose(found, tissue_curve(plasma, constants(CASES[1]), TIMES[2:]), rtol=2e-4)


def test_one_compartment_is_its_closed_form_through_the_plasma_curve():
    plasma = bolus_infusion(dispersed(rise_and_fall(*BOLUS), 0.1), 50.0, 40.0)
    closed = through_compartment(plasma, 0.08, 0.195)
    found = tissue_curve(plasma, constants((0.08, 0.195, 0, 0)), TIMES)[0]
    np.testing.assert_allclose(found, closed.at(TIMES), rtol=1e-10)
    starts, ends = np.array([0.0, 38.0]), np.array([3.0, 50.0])
    means = frame_means(plasma, constants((0.08, 0.195, 0, 0)), starts, ends, 0.3)[0]
    np.testing.assert_allclose(means, input_means(closed, starts, ends, 0.3), rtol=1e-11)


def test_rates_that_no_scan_could_follow_are_refused():
    with pytest.raises(InputError, match="rate constants are too fast to follow: 90 min need"):
        tissue_curve(feng(*FENG), constants((0.1, 1e6, 0.0, 0.0)), TIMES)
