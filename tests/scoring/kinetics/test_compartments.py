import numpy as np
import pytest

from fakeimaging.modalities.pet.kinetics import Constants, curve_means, frame_means
from fakeimaging.scoring.kinetics import Plasma, one_tissue_fit, two_tissue_fit
from fakeimaging.scoring.kinetics.fitting import descend, rate_fit
from tests.scoring.kinetics.scans import (
    CARBON,
    DRAWN,
    FENG,
    FLUORINE,
    INPUTS,
    OXYGEN,
    WATER,
    fine_means,
    timing,
    tissue,
)

NAMES = ("K1", "k2", "k3", "k4")


def constants(*columns):
    columns = [np.asarray(column, dtype=float) for column in columns]
    return Constants(*columns, *(np.zeros_like(columns[0]) for _ in range(4 - len(columns))))


def seen(name, when, c, vB=0.0):
    blood = curve_means(INPUTS[name].at, INPUTS[name].breaks, when.starts, when.ends, when.decay)
    return (1 - vB) * frame_means(INPUTS[name], c, when.starts, when.ends, when.decay) + vB * blood


@pytest.mark.parametrize("name", list(INPUTS))
@pytest.mark.parametrize("vB", [0.0, 0.05])
def test_water_gives_flow_and_partition(name, vB):
    when, c = timing(WATER, OXYGEN), constants([0.55, 0.2, 0.8, 0.02], [0.61, 0.22, 0.9, 0.022])
    blood = INPUTS[name] if vB else None
    found = one_tissue_fit(seen(name, when, c, vB), when, INPUTS[name], blood=blood)
    np.testing.assert_allclose(found.constants.K1, c.K1, rtol=1e-4)
    np.testing.assert_allclose(found.constants.k2, c.k2, rtol=1e-4)
    np.testing.assert_allclose(found.constants.distribution, c.K1 / c.k2, rtol=1e-4)
    np.testing.assert_allclose(found.blood_volume, vB, atol=1e-4)


def test_the_curve_that_is_fitted_is_the_closed_form():
    when, fine = timing("60 min"), np.linspace(0, 60, 120_001)
    curve = fine_means(tissue("feng", fine, 0.1, 0.05), fine, when)
    found = one_tissue_fit(curve[None], when, FENG).constants
    assert (found.K1[0], found.k2[0]) == pytest.approx((0.1, 0.05), rel=1e-3)


def test_blood_that_is_left_out_raises_delivery():
    when, c = timing("60 min"), constants([0.1], [0.05])
    curves = seen("rise", when, c, vB=0.05)
    assert one_tissue_fit(curves, when, INPUTS["rise"]).constants.K1[0] > 1.03 * 0.1
    assert one_tissue_fit(curves, when, INPUTS["rise"], blood=INPUTS["rise"]).constants.K1[0] == pytest.approx(
        0.1, rel=1e-3
    )


@pytest.mark.parametrize("name", list(INPUTS))
@pytest.mark.parametrize("vB", [0.0, 0.05])
def test_two_tissue_compartments_are_recovered(name, vB):
    when = timing("90 min", FLUORINE)
    c = constants(
        [0.095, 0.29, 0.1, 0.065], [0.125, 0.17, 0.13, 0.126], [0.069, 0.03, 0.062, 0.066], [0.0055, 0.02, 0.0068, 0.05]
    )
    found = two_tissue_fit(seen(name, when, c, vB), when, INPUTS[name], blood=INPUTS[name] if vB else None)
    for each in NAMES:
        np.testing.assert_allclose(getattr(found.constants, each), getattr(c, each), rtol=2e-3)
    np.testing.assert_allclose(found.constants.distribution, c.distribution, rtol=2e-3)
    np.testing.assert_allclose(found.blood_volume, vB, atol=1e-4)


def test_what_is_trapped_has_a_net_uptake():
    when, c = timing("60 min", FLUORINE), constants([0.095, 0.065], [0.125, 0.126], [0.069, 0.02])
    found = two_tissue_fit(seen("feng", when, c), when, FENG, trapped=True).constants
    np.testing.assert_allclose(found.trapping, c.trapping, rtol=1e-3)
    np.testing.assert_array_equal(found.k4, 0.0)


def test_blood_drawn_by_hand_suffices_and_a_missing_curve_stays_missing():
    when, c = timing("60 min", CARBON), constants([0.1, 0.1], [0.05, 0.1])
    curves = seen("feng", when, c)
    curves[0] = np.nan
    for fit in (one_tissue_fit, two_tissue_fit):
        found = fit(curves, when, Plasma(DRAWN, FENG.at(DRAWN))).constants
        assert np.isnan([getattr(found, each)[0] for each in NAMES]).all()
        assert found.distribution[1] == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_noise_does_not_bias_flow(seed):
    """400 draws at 3 % of noise: the mean lies within 3 standard errors and half a percent."""
    when, rng, c = timing(WATER, OXYGEN), np.random.default_rng(seed), constants([0.5], [0.55])
    curve = seen("rise", when, c)[0]
    noise = rng.standard_normal((400, len(curve))) * np.sqrt(curve / when.weights)
    noisy = curve + 0.03 * np.sqrt(curve.max() * when.weights.mean()) * noise
    flow = one_tissue_fit(noisy, when, INPUTS["rise"]).constants.K1
    assert 0.001 < flow.std() < 0.1
    assert abs(flow.mean() - 0.5) < 3 * flow.std() / np.sqrt(400) + 0.0025


def test_steps_go_downhill_within_their_bounds():
    rng, t = np.random.default_rng(0), np.linspace(0, 5, 40)
    true = np.stack([rng.uniform(0.5, 2, 20), rng.uniform(0.2, 2, 20)], axis=1)

    def model(constants):
        return constants[:, :1] * np.exp(-constants[:, 1:] * t)

    low, high = np.zeros(2), np.array([5.0, 1.0])
    found, misfit = descend(model, model(true), np.full(40, 1 / 40), np.full((20, 2), 0.5), low, high)
    inside = true[:, 1] < 1
    np.testing.assert_allclose(found[inside], true[inside], rtol=1e-4)
    assert misfit[inside].max() < 1e-10
    np.testing.assert_allclose(found[~inside, 1], 1.0)
    free, _ = descend(model, model(true), np.full(40, 1 / 40), np.full((20, 2), 0.5), low, np.array([5.0, 5.0]))
    np.testing.assert_allclose(free, true, rtol=1e-4)


def test_a_rate_between_those_tried_is_found():
    t, rates = np.linspace(0, 5, 40), np.array([0.33, 0.77])
    data = 2.0 * np.exp(-rates[:, None] * t) + 0.5
    found, rate = rate_fit(
        data,
        np.full(40, 1 / 40),
        lambda r: np.stack([np.exp(-r[:, None] * t), np.ones((len(r), 40))], axis=-1),
        np.geomspace(0.01, 5, 20),
    )
    np.testing.assert_allclose(rate, rates, rtol=1e-5)
    np.testing.assert_allclose(found, [[2.0, 0.5]] * 2, rtol=1e-4)
