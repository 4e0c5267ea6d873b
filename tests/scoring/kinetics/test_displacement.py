import numpy as np
import pytest

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet.kinetics import Constants, frame_means, reference_tissue
from fakeimaging.modalities.pet.reference_models import fading, gamma_variate
from fakeimaging.scoring.kinetics import gamma_variates, lassen_plot, occupancy, reference_tissue_fit, release_fit
from tests.scoring.kinetics.scans import BOLUS, timing

K1, K2 = 0.08, 0.195
FRAMES = [(6, 10), (4, 30), (5, 60), (41, 120)]
STEP = 0.25
"""Minutes for which the simulated release stays as it is."""


def scan(when, response, gains):
    """A target whose washout grows with the release, and its reference region."""

    def schedule(gain):
        starts = np.arange(0.0, when.ends[-1], STEP)
        outflow = K2 / 4 + gain * response.at(starts + STEP / 2)
        return [
            (s, Constants(*(np.array([x]) for x in (K1, k, 0.0, 0.0)))) for s, k in zip(starts, outflow, strict=True)
        ]

    def seen(constants):
        return frame_means(BOLUS, constants, when.starts, when.ends, when.decay)

    return np.concatenate([seen(schedule(gain)) for gain in gains]), seen(reference_tissue([1.0], [0.0], K1, K2))[0]


def test_a_release_is_found_when_and_as_strong_as_it_was():
    when, gains = timing(FRAMES), [0.0, 0.01, 0.03, -0.01]
    curves, reference = scan(when, gamma_variate(35.0, 42.0, 1.0), gains)
    tried = gamma_variates(np.arange(20, 60, 5.0), (2.0, 7.0, 15.0))
    found = release_fit(curves, reference, when, tried)
    np.testing.assert_allclose(found.gain, gains, atol=2e-4)
    np.testing.assert_allclose(found.k2a, K2 / 4, rtol=2e-3)
    np.testing.assert_allclose(found.R1, 1.0, rtol=1e-3)
    np.testing.assert_allclose(found.bpnd, 3.0, rtol=2e-3)
    np.testing.assert_allclose(found.lowest()[1:], K2 / (K2 / 4 + np.array(gains[1:])) - 1, rtol=5e-3)
    best = {tried[k].start for k in found.which[1:]}
    assert best == {35.0}
    assert tried[found.which[1]].at(np.array([42.0]))[0] == pytest.approx(1.0)
    assert (found.ratio[1:] < 1e-3).all()
    assert (found.ratio <= 1).all()


def test_a_drug_given_in_the_middle_is_a_step():
    when = timing(FRAMES)
    curves, reference = scan(when, fading(30.0, 0.0), [0.05])
    found = release_fit(curves, reference, when, [fading(start, 0.0) for start in (20.0, 30.0, 40.0)])
    assert found.which[0] == 1
    assert found.gain[0] == pytest.approx(0.05, rel=5e-3)
    assert found.lowest()[0] == pytest.approx(K2 / (K2 / 4 + 0.05) - 1, rel=5e-3)


def test_without_a_release_nothing_is_gained_and_a_missing_curve_stays_missing():
    when, rng = timing(FRAMES), np.random.default_rng(0)
    curves, reference = scan(when, fading(30.0, 0.0), [0.0, 0.05])
    noisy = curves * (1 + 0.01 * rng.standard_normal(curves.shape))
    noisy = np.concatenate([noisy, np.full((1, noisy.shape[1]), np.nan)])
    found = release_fit(noisy, reference, when, [fading(30.0, 0.0)])
    assert found.ratio[0] > 0.8
    assert found.ratio[1] < 0.2
    assert np.isnan(found.gain[2])
    assert found.which[2] == -1


def test_responses_need_a_peak_after_their_start():
    with pytest.raises(InputError):
        gamma_variates([30.0], [-2.0])


def test_occupancy_of_a_drug_from_two_scans():
    when, share = timing("60 min"), 0.6
    bpnd = np.array([3.0, 2.5, 1.0])
    scans = []
    for left in (1.0, 1 - share):
        c = reference_tissue(np.ones(4), np.append(0.0, left * bpnd), K1, K2)
        curves = frame_means(BOLUS, c, when.starts, when.ends, when.decay)
        scans.append(reference_tissue_fit(curves[1:], curves[0], when)[0])
    np.testing.assert_allclose(occupancy(*scans), share, rtol=1e-3)
    volumes = [K1 / K2 * (1 + left * bpnd) for left in (1.0, 1 - share)]
    assert lassen_plot(*volumes) == pytest.approx((share, K1 / K2))
