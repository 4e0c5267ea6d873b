import numpy as np
import pytest

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet.kinetics import Constants, frame_means, reference_tissue
from fakeimaging.scoring.kinetics import Plasma, logan, multilinear, reference_logan
from fakeimaging.scoring.kinetics.patlak import slopes
from tests.scoring.kinetics.scans import CARBON, DRAWN, FENG, FLUORINE, FRAMINGS, INPUTS, one_tissue, timing, tissue

R1, BPND = np.array([1.0, 1.1, 1.0, 0.8, 1.0, 0.85, 1.05]), np.array([0.0, 3.0, 2.5, 0.5, 0.1, 0.25, 5.0])
K1, K2 = 0.08, 0.195


def pair(name, when):
    curves = frame_means(INPUTS[name], reference_tissue(R1, BPND, K1, K2), when.starts, when.ends, when.decay)
    return curves[1:], curves[0]


@pytest.mark.parametrize("frames", list(FRAMINGS))
@pytest.mark.parametrize("name", list(INPUTS))
@pytest.mark.parametrize("half_life", [CARBON, FLUORINE])
def test_of_one_tissue_compartment_every_plot_is_straight_from_the_start(frames, name, half_life):
    when = timing(frames, half_life)
    curves, reference = pair(name, when)
    for start in (0.0, 30.0):
        np.testing.assert_allclose(logan(curves, when, INPUTS[name], start), K1 / K2 * (1 + BPND[1:]), rtol=5e-4)
        found = reference_logan(curves, reference, when, k2_reference=K2, start=start)
        np.testing.assert_allclose(found, 1 + BPND[1:], rtol=5e-4)


def test_without_the_washout_of_the_reference_the_slope_is_lower_where_binding_is_strong():
    when = timing("60 min")
    curves, reference = pair("rise", when)
    left_out = reference_logan(curves, reference, when) / (1 + BPND[1:]) - 1
    assert left_out[-1] < -0.02
    t = when.middle[when.late(30.0)]
    one = one_tissue("rise")
    driving, target = one(t, K1, K2), one(t, 1.1 * K1, 1.1 * K2 / 4)
    plasma_area = one(t, 1.0, 1e-12)
    area, own = (K1 * plasma_area - driving) / K2, (1.1 * K1 * plasma_area - target) / (1.1 * K2 / 4)
    fine = slopes(area / target, own[None] / target)[0]
    assert 4 * (1 + left_out[0]) == pytest.approx(fine, rel=2e-3)


@pytest.mark.parametrize("start", [5.0, 20.0, 40.0])
def test_of_two_tissue_compartments_the_bias_before_the_plot_is_straight_is_that_of_the_continuous_curve(start):
    when, rates = timing("90 min"), (0.1, 0.15, 0.1, 0.05)
    constants = Constants(*(np.array([rate]) for rate in rates))
    found = logan(frame_means(FENG, constants, when.starts, when.ends, when.decay), when, FENG, start)[0]
    t = when.middle[when.late(start)]
    fine = np.linspace(0, when.ends[-1], 20_001)
    curve = tissue("feng", fine, *rates)
    area = np.concatenate([[0.0], np.cumsum((curve[1:] + curve[:-1]) * fine[1] / 2)])
    here = np.interp(t, fine, curve)
    slow = slopes(one_tissue("feng")(t, 1.0, 1e-12) / here, np.interp(t, fine, area)[None] / here)[0]
    assert found == pytest.approx(slow, rel=2e-3)
    true = constants.distribution[0]
    assert {5.0: 0.06, 20.0: 0.018, 40.0: 0.008}[start] < 1 - found / true < {5.0: 0.2, 20.0: 0.03, 40.0: 0.015}[start]


def test_blood_drawn_by_hand_suffices():
    when = timing("60 min")
    curves, _ = pair("feng", when)
    np.testing.assert_allclose(logan(curves, when, Plasma(DRAWN, FENG.at(DRAWN))), K1 / K2 * (1 + BPND[1:]), rtol=0.02)


@pytest.mark.parametrize("frames", list(FRAMINGS))
def test_multilinear_regression_recovers_binding_with_and_without_the_washout(frames):
    when = timing(frames)
    curves, reference = pair("rise", when)
    curves = np.concatenate([curves, np.full((1, curves.shape[1]), np.nan)])
    bpnd, washout = multilinear(curves, reference, when)
    np.testing.assert_allclose(bpnd[:-1], BPND[1:], rtol=5e-4)
    np.testing.assert_allclose(washout[1:-1], K2, rtol=2e-3)
    with_it, given = multilinear(curves, reference, when, k2_reference=K2)
    np.testing.assert_allclose(with_it[:-1], BPND[1:], rtol=5e-4)
    assert given[0] == K2
    assert np.isnan([bpnd[-1], washout[-1], with_it[-1]]).all()


def test_noise_lowers_logans_slope_more_than_that_of_multilinear_regression():
    when, rng = timing("60 min"), np.random.default_rng(2)
    curves, reference = pair("rise", when)
    noise = rng.standard_normal((400, len(when.starts))) * np.sqrt(curves[0] / when.weights)
    noisy = curves[0] + 0.1 * curves[0].max() ** 0.5 * noise
    plot = reference_logan(noisy, reference, when, k2_reference=K2)
    regression = 1 + multilinear(noisy, reference, when, k2_reference=K2)[0]
    assert np.median(plot) < 3.9
    assert abs(np.median(regression) - 4) < abs(np.median(plot) - 4)


def test_a_missing_curve_stays_missing_and_a_short_scan_is_refused():
    when = timing("60 min")
    curves, reference = pair("rise", when)
    curves[1] = np.nan
    found = reference_logan(curves, reference, when, k2_reference=K2)
    assert np.isnan(found[1])
    assert np.isfinite(np.delete(found, 1)).all()
    with pytest.raises(InputError, match="needs three frames after 55 min"):
        logan(curves, when, FENG, start=55.0)
