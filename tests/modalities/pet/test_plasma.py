import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gammainc

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet import administration
from fakeimaging.modalities.pet.administration import (
    area,
    bolus_infusion,
    delayed,
    dispersed,
    infused,
    sum_of,
    through_compartment,
    through_tubing,
)
from fakeimaging.modalities.pet.plasma import InputFunction, Piece, exponential, feng, from_samples, rise_and_fall
from tests.reference import compartments

FENG = feng((851.1225, 21.8798, 20.8113), (4.1339, 0.1191, 0.0104))
BOLUS = rise_and_fall(0.1, 0.6, (22.0, 5.0, 3.6), (1.5, 0.12, 0.0135))
DRAWN = from_samples([0.0, 0.3, 0.7, 1.5, 4.0, 20.0, 60.0, 90.0], [0.0, 2.0, 40.0, 18.0, 9.0, 4.0, 2.0, 1.5])
CURVES = {"feng": FENG, "rise": BOLUS, "samples": DRAWN}
TIMES = np.array([0.05, 0.3, 0.55, 0.9, 2.0, 5.5, 30.0, 61.0, 95.0])
LINE = InputFunction((Piece(0.0, (1.0,), (0.0,), (1,)),))


@pytest.fixture(params=sorted(CURVES))
def curve(request):
    return CURVES[request.param]


def _integral(curve, end, *, of=None):
    return compartments.convolved(curve.at, of or (lambda u: 1.0), end, curve.breaks)


@pytest.mark.parametrize("power", [0, 1, 2, 5])
def test_any_power_has_the_area_of_a_gamma_function(power):
    rate = 0.3
    one = InputFunction((Piece(1.0, (2.0,), (rate,), (power,)),))
    whole = 2 * math.factorial(power) / rate ** (power + 1)
    t = np.array([0.5, 1.0, 4.0, 30.0, 200.0])
    np.testing.assert_allclose(
        area(one, t), whole * gammainc(power + 1, rate * np.maximum(t - 1, 0)), atol=1e-10 * whole
    )


def test_a_piece_moved_is_the_same_curve():
    piece = Piece(0.5, (2.0, -1.0, 0.3), (0.4, 0.4, 0.0), (3, 1, 2))
    t = np.linspace(2.0, 30.0, 7)
    np.testing.assert_allclose(piece.moved(2.0).at(t), piece.at(t), rtol=1e-12)


def test_areas_are_integrals(curve):
    found = area(curve, TIMES)
    np.testing.assert_allclose(found, [_integral(curve, t) for t in TIMES], rtol=1e-10)


@pytest.mark.parametrize("duration", [1 / 3, 20.0])
def test_an_infusion_is_the_mean_of_boluses(curve, duration):
    slow = infused(curve, duration)
    shares = [_integral(curve, t) - _integral(curve, max(t - duration, 0)) if t > duration else _integral(curve, t)
              for t in TIMES]  # fmt: skip
    np.testing.assert_allclose(slow.at(TIMES) * duration, shares, rtol=1e-10)


def test_an_infusion_gives_the_same_dose():
    gone = exponential(0.2, 5.0)
    for given in (infused(gone, 30.0), bolus_infusion(gone, 45.0, 30.0), dispersed(gone, 0.3), infused(gone, 1 / 3)):
        assert float(area(given, 900.0)) == pytest.approx(25.0, rel=1e-12)


def test_bolus_and_infusion_is_its_definition():
    kbol, duration, t = 80.0, 60.0, TIMES
    both = bolus_infusion(BOLUS, kbol, duration).at(t)
    rate = 1 / (kbol + duration)
    bolus = kbol * rate
    assert bolus / rate == pytest.approx(kbol)
    running = area(BOLUS, t) - area(BOLUS, np.maximum(t - duration, 0))
    np.testing.assert_allclose(both, bolus * BOLUS.at(t) + rate * running, rtol=1e-11)
    assert bolus_infusion(BOLUS, 0.0, duration).at(t) == pytest.approx(infused(BOLUS, duration).at(t))


def test_the_right_kbol_is_steady_at_once():
    # A bolus that falls with rate l is topped up by an infusion of l times the bolus.
    steady = bolus_infusion(exponential(0.05, 3.0), 20.0, 100.0).at([1.0, 30.0, 99.0])
    np.testing.assert_allclose(steady, 3.0 * 20 / 120, rtol=1e-12)


@pytest.mark.parametrize("tau", [2 / 60, 0.25, 3.0])
def test_dispersion_is_the_convolution(curve, tau):
    spread = dispersed(curve, tau).at(TIMES)
    expected = [_integral(curve, t, of=lambda u: math.exp(-u / tau) / tau) for t in TIMES]
    np.testing.assert_allclose(spread, expected, rtol=1e-10)


def test_dispersion_of_an_exponential_is_its_closed_form():
    t = TIMES
    found = dispersed(exponential(0.3), 0.5).at(t)
    np.testing.assert_allclose(found, 2.0 / (2.0 - 0.3) * (np.exp(-0.3 * t) - np.exp(-2.0 * t)), rtol=1e-10)


def test_tubing_delays_and_disperses():
    t = TIMES
    seen = through_tubing(BOLUS, 0.2, 0.1)
    np.testing.assert_allclose(seen.at(t), dispersed(BOLUS, 0.1).at(t - 0.2), rtol=1e-12, atol=1e-14)
    assert through_tubing(BOLUS, 0.2, 0.0) == delayed(BOLUS, 0.2)
    assert float(seen.at(0.29)) == 0


@pytest.mark.parametrize("gap", [0.0, 1e-12, 1e-9, 1e-6, 9e-4, 1.1e-3, 0.02, 0.3])
@pytest.mark.parametrize("power", [0, 1, 3])
def test_close_rates_lose_no_digits(gap, power):
    # By Gauss-Legendre with many points, which knows nothing of a difference of rates.
    nodes, weights = np.polynomial.legendre.leggauss(60)
    one = InputFunction((Piece(0.0, (1.0,), (0.1,), (power,)),))
    found = through_compartment(one, 0.7, 0.1 + gap)
    for t in (3.0, 60.0, 300.0):
        u = t * (nodes + 1) / 2
        expected = 0.7 * t / 2 * np.sum(weights * u**power * np.exp(-0.1 * u - (0.1 + gap) * (t - u)))
        assert float(found.at(t)) == pytest.approx(expected, rel=1e-10)


def test_operations_leave_no_gap(curve):
    for made in (
        infused(curve, 7.0),
        dispersed(infused(curve, 0.3), 0.1),
        bolus_infusion(dispersed(curve, 0.2), 60, 50),
    ):
        for break_ in made.breaks:
            before, after = made.at([break_ - 1e-10, break_ + 1e-10])
            assert after == pytest.approx(before, rel=1e-5, abs=1e-7 * made.at(TIMES).max())


def test_many_samples_stay_few_pieces():
    rng = np.random.default_rng(3)
    many = from_samples(np.arange(300) / 60, rng.uniform(0, 5, 300))
    made = bolus_infusion(through_tubing(many, 0.1, 0.15), 105.0, 90.0)
    assert len(made.pieces) <= 600
    part = through_tubing(many, 0.1, 0.15)
    t = np.array([2.0, 91.0, 92.0])
    running = area(part, t) - area(part, np.maximum(t - 90, 0))
    np.testing.assert_allclose(made.at(t), (105 * part.at(t) + running) / 195, rtol=1e-10)
    expected = compartments.convolved(many.at, lambda u: math.exp(-u / 0.15) / 0.15, 0.7, many.breaks)
    assert float(part.at(0.8)) == pytest.approx(expected, rel=1e-10)


def test_sums_scales_and_delays_commute():
    t = TIMES
    total = sum_of([FENG.scaled(2.0), delayed(BOLUS, 3.0), DRAWN])
    np.testing.assert_allclose(total.at(t), 2 * FENG.at(t) + BOLUS.at(t - 3) + DRAWN.at(t), rtol=1e-12, atol=1e-12)
    one = dispersed(delayed(BOLUS, 3.0), 0.2).at(t)
    np.testing.assert_allclose(one, delayed(dispersed(BOLUS, 0.2), 3.0).at(t), rtol=1e-12, atol=1e-14)


def test_samples_are_joined_by_lines_and_fall_beyond_the_last():
    times, values = np.array([0.5, 1.0, 2.0, 40.0, 50.0, 60.0]), np.array([0.0, 6.0, 4.0, 1.0, 0.8, 0.64])
    curve = from_samples(times, values)
    np.testing.assert_allclose(curve.at(times), values, atol=1e-14)
    assert float(curve.at(1.5)) == pytest.approx(5.0)
    assert float(curve.at(0.4)) == 0
    assert float(curve.at(80.0)) == pytest.approx(0.64 * 0.8**2, rel=1e-12)
    bent = from_samples(times, [0.0, 6.0, 4.0, 1.5, 0.8, 0.64])
    slope = np.polyfit(times[3:], np.log([1.5, 0.8, 0.64]), 1)[0]
    assert float(bent.at(80.0)) == pytest.approx(0.64 * np.exp(20 * slope), rel=1e-12)
    assert float(from_samples(times, values, tail=0).at(80.0)) == 0
    assert float(from_samples([0.0, 1.0, 2.0], [1.0, 2.0, 3.0]).at(9.0)) == pytest.approx(3.0)


def test_through_a_compartment_is_the_known_closed_form():
    K1, k2, t = 0.08, 0.195, TIMES
    found = through_compartment(FENG, K1, k2).at(t)
    closed = compartments.feng_through_one_tissue(t, K1, k2, (851.1225, 21.8798, 20.8113), (4.1339, 0.1191, 0.0104))
    np.testing.assert_allclose(found, closed, rtol=1e-10)


def test_a_box_injection_raises_what_is_later_and_lowers_the_peak():
    fine = np.linspace(0, 3, 3001)
    slow = infused(BOLUS, 1 / 3).at(fine)
    assert slow.max() < BOLUS.at(fine).max()
    assert fine[slow.argmax()] > fine[BOLUS.at(fine).argmax()]
    late = infused(BOLUS, 1 / 3).at(60.0) / BOLUS.at(60.0)
    assert float(late) == pytest.approx(math.exp(0.0135 / 6), rel=2e-4)
    assert quad(lambda t: infused(LINE, 2.0).at(t), 0, 2)[0] == pytest.approx(2**3 / 12)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: infused(BOLUS, 0.0), "duration: 0 min is not above 0"),
        (lambda: dispersed(BOLUS, -1.0), "tau: -1 min is not above 0"),
        (lambda: bolus_infusion(BOLUS, -1.0, 5.0), "kbol: -1 min is below 0"),
        (lambda: from_samples([0.0], [1.0]), "at least 2"),
        (lambda: from_samples([0.0, 1.0], [1.0, -1.0]), "at least 0"),
        (lambda: from_samples([0.0, 1.0, 1.0], [1.0, 1.0, 1.0]), "sample 2 at 1 min does not come after"),
        (lambda: from_samples([0.0, np.nan], [1.0, 1.0]), "finite"),
    ],
)
def test_what_cannot_be_is_refused(make, match):
    with pytest.raises(InputError, match=match):
        make()


def test_nothing_is_in_a_curve_before_it_starts():
    assert exponential(0.1, start=2.0).piece_at(1.0) is None
    assert administration.integrated(BOLUS).at([0.0, 0.1]).tolist() == [0.0, 0.0]
