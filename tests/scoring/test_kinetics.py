import numpy as np
import pytest

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet import kinetics as models
from fakeimaging.modalities.pet.kinetics import Constants, frame_means, reference_tissue
from fakeimaging.modalities.pet.plasma import feng, rise_and_fall
from fakeimaging.scoring import kinetics
from fakeimaging.scoring.kinetics import Plasma, Timing

BOLUS = rise_and_fall(0.1, 0.6, (22.0, 5.0, 3.6), (1.5, 0.12, 0.0135))
FENG = feng((851.1225, 21.8798, 20.8113), (4.1339, 0.1191, 0.0104))
DRAWN = np.array([0.0, *np.arange(5, 125, 5) / 60, 2.5, 3, 4, 5, 7, 10, 15, 20, 30, 40, 50, 60])


def framing(half_life):
    durations = np.repeat([15, 30, 60, 120, 300], [4, 8, 10, 5, 7]) / 60
    ends = np.cumsum(durations)
    return Timing(ends - durations, ends, np.log(2) / half_life)


def irreversible(ki_of_k3):
    k3 = np.asarray(ki_of_k3, dtype=float)
    return Constants(np.full_like(k3, 0.095), np.full_like(k3, 0.125), k3, np.zeros_like(k3))


def test_patlak_recovers_net_uptake_from_drawn_blood():
    timing, c = framing(109.77), irreversible([0.04, 0.069, 0.12])
    curves = frame_means(FENG, c, timing.starts, timing.ends, timing.decay)
    found = kinetics.patlak(curves, timing, Plasma(DRAWN, FENG.at(DRAWN)))
    np.testing.assert_allclose(found, c.trapping, rtol=0.03)


def test_late_and_finely_sampled_patlaks_slope_is_exact_and_blood_scales_it():
    c, edges = irreversible([0.069]), np.linspace(250, 260, 201)
    timing = Timing(edges[:-1], edges[1:], 0.0)
    fine = np.union1d(np.linspace(0, 1, 4000), np.linspace(1, 260, 60_000))
    plasma = Plasma(fine, BOLUS.at(fine))
    curve = models.tissue_curve(BOLUS, c, timing.middle)
    slope = kinetics.patlak(curve, timing, plasma, start=200.0)[0]
    assert slope == pytest.approx(c.trapping[0], rel=1e-5)
    with_blood = 0.95 * curve + 0.05 * 0.9 * BOLUS.at(timing.middle)
    assert kinetics.patlak(with_blood, timing, plasma, start=200.0)[0] == pytest.approx(0.95 * slope, rel=1e-5)


def test_a_reversible_tracer_bends_patlaks_plot_down():
    timing, c = framing(109.77), irreversible([0.069])
    plasma = Plasma(DRAWN, BOLUS.at(DRAWN))
    leaky = Constants(c.K1, c.k2, c.k3, np.array([0.0055]))
    curves = [frame_means(BOLUS, k, timing.starts, timing.ends, timing.decay) for k in (c, leaky)]
    trapped, leaking = (kinetics.patlak(curve, timing, plasma)[0] for curve in curves)
    assert leaking < 0.93 * trapped


@pytest.mark.parametrize("half_life", [20.363, 109.77])
def test_the_reference_tissue_model_recovers_its_own_constants(half_life):
    timing = framing(half_life)
    R1, bpnd = np.array([1.0, 1.1, 1.0, 0.8, 1.0]), np.array([0.0, 3.0, 2.5, 0.5, 0.1])
    curves = frame_means(BOLUS, reference_tissue(R1, bpnd, 0.08, 0.195), timing.starts, timing.ends, timing.decay)
    found, delivery, k2 = kinetics.reference_tissue_fit(curves[1:], curves[0], timing)
    np.testing.assert_allclose(found, bpnd[1:], rtol=0.02, atol=0.005)
    np.testing.assert_allclose(delivery, R1[1:], rtol=0.02)
    np.testing.assert_allclose(k2[:2], R1[1:3] * 0.195, rtol=0.03)


def test_the_basis_is_the_convolution():
    timing, rate = framing(20.363), 0.05
    reference = frame_means(BOLUS, reference_tissue([1.0], [0.0], 0.08, 0.195), timing.starts, timing.ends, 0.034)[0]
    (found,) = kinetics._convolved(reference, np.array([rate]), timing)
    t = np.arange(0, 60, 1e-3)
    curve = np.interp(t, [0.0, *timing.middle], [0.0, *reference])
    slow = np.zeros_like(t)
    for i in range(1, len(t)):
        slow[i] = slow[i - 1] * np.exp(-rate * 1e-3) + 1e-3 * (curve[i] + curve[i - 1]) / 2
    for frame in (6, 20, 33):
        inside = (t >= timing.starts[frame]) & (t < timing.ends[frame])
        assert found[frame] == pytest.approx(
            np.average(slow[inside], weights=np.exp(-timing.decay * t[inside])), rel=2e-3
        )


def test_a_missing_curve_stays_missing():
    timing = framing(20.363)
    curves = frame_means(
        BOLUS, reference_tissue([1.0, 1.0], [0.0, 2.0], 0.08, 0.195), timing.starts, timing.ends, 0.034
    )
    found, _, _ = kinetics.reference_tissue_fit(np.stack([np.full(34, np.nan), curves[1]]), curves[0], timing)
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(2.0, rel=0.02)


def test_too_few_late_frames_are_refused():
    timing = Timing(np.array([0.0, 10.0]), np.array([10.0, 25.0]), 0.0)
    with pytest.raises(InputError, match="needs three frames after 20 min; there are 0"):
        kinetics.patlak(np.ones((1, 2)), timing, Plasma(DRAWN, BOLUS.at(DRAWN)))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_chance_is_exceeded_one_time_in_twenty(seed, monkeypatch):
    monkeypatch.setattr(kinetics, "N_PERMUTATIONS", 60)
    rng, n = np.random.default_rng(seed), 400
    truth, x = rng.standard_normal(30), np.arange(8.0)
    by_name = by_order = by_place = 0
    for _ in range(n):
        values, y = rng.standard_normal(30), rng.standard_normal((5, 8))
        by_name += np.corrcoef(values, truth)[0, 1] > kinetics.correlation_by_chance(values, truth, rng=rng)
        by_order += kinetics.slopes(x, y).mean() > kinetics.slope_by_chance(x, y, rng=rng)
        by_place += values[:4].mean() > kinetics.mean_by_chance(values, 4, rng=rng)
    for beaten in (by_name, by_order, by_place):
        assert abs(beaten / n - 0.05) < 3 * np.sqrt(0.05 * 0.95 / n) + 0.01


def test_blood_is_not_guessed_beyond_its_last_sample():
    plasma = Plasma(DRAWN, FENG.at(DRAWN))
    for read in (plasma.at, plasma.area):
        assert np.isfinite(read(np.array([30.0, 60.0]))).all()
        with pytest.raises(InputError, match="the blood is known up to 60 min, and 62.5 min is asked for"):
            read(np.array([30.0, 62.5]))


def test_a_frame_weighs_as_many_counts_as_are_left():
    timing = Timing(np.array([0.0, 20.0]), np.array([20.0, 60.0]), np.log(2) / 20)
    np.testing.assert_allclose(timing.weights, [20 * 2**-0.5, 40 * 2**-2.0])
