import sys

import numpy as np
import pytest

from fakeimaging.modalities.pet.kinetics import Constants, curve_means, frame_means, reference_tissue
from fakeimaging.scoring.kinetics import panels, reference_tissue_descent, reference_tissue_fit
from fakeimaging.scoring.kinetics.reference import _convolution
from tests.scoring.kinetics.scans import BOLUS, CARBON, FLUORINE, FRAMINGS, INPUTS, fine_means, timing, tissue

R1, BPND = np.array([1.0, 1.1, 1.0, 0.8, 1.0, 0.85, 1.05]), np.array([0.0, 3.0, 2.5, 0.5, 0.1, 0.25, 5.0])
K1, K2 = 0.08, 0.195
FITS = {"basis": reference_tissue_fit, "descent": reference_tissue_descent}


@pytest.mark.parametrize("frames", list(FRAMINGS))
@pytest.mark.parametrize("name", list(INPUTS))
@pytest.mark.parametrize("half_life", [CARBON, FLUORINE])
@pytest.mark.parametrize("fit", list(FITS))
def test_the_reference_tissue_model_recovers_its_own_constants(frames, name, half_life, fit):
    when = timing(frames, half_life)
    curves = frame_means(INPUTS[name], reference_tissue(R1, BPND, K1, K2), when.starts, when.ends, when.decay)
    bpnd, delivery, k2 = FITS[fit](curves[1:], curves[0], when)
    np.testing.assert_allclose(bpnd, BPND[1:], rtol=4e-4)
    np.testing.assert_allclose(delivery, R1[1:], rtol=4e-4)
    np.testing.assert_allclose(k2, R1[1:] * K2, rtol=2e-3)


def test_one_washout_for_all_is_kept():
    when = timing()
    curves = frame_means(BOLUS, reference_tissue(R1, BPND, K1, K2), when.starts, when.ends, when.decay)
    bpnd, delivery, k2 = reference_tissue_fit(curves[1:], curves[0], when, k2_reference=K2)
    np.testing.assert_allclose(bpnd, BPND[1:], rtol=4e-4)
    np.testing.assert_allclose(k2, K2 * delivery, rtol=1e-12)
    other = reference_tissue_fit(curves[1:], curves[0], when, k2_reference=0.8 * K2)[0]
    assert np.abs(other / BPND[1:] - 1).max() > 0.01


@pytest.mark.parametrize(("vB", "k4"), [(0.05, 0.0), (0.0, 0.05), (0.05, 0.05)])
def test_elsewhere_its_bias_is_that_of_the_continuous_curve(vB, k4):
    """Blood in the tissue, or a second compartment: the same bias as of frames so short that they are the curve."""
    when, rates = timing("90 min"), (0.1, 0.244, 0.15, k4) if k4 else (0.1, 0.0813, 0.0, 0.0)
    c, reference = Constants(*(np.array([r]) for r in rates)), reference_tissue([1.0], [0.0], K1, K2)
    dense = timing([(180, 5), (225, 20)])

    def bias(at):
        blood = 0.6 * curve_means(BOLUS.at, BOLUS.breaks, at.starts, at.ends, at.decay)
        curves = [frame_means(BOLUS, each, at.starts, at.ends, at.decay) for each in (c, reference)]
        target, beside = ((1 - vB) * curve[0] + vB * blood for curve in curves)
        return reference_tissue_fit(target[None], beside, at)[0][0]

    assert bias(when) == pytest.approx(bias(dense), rel=0.01)
    free = 0.1 / rates[1] / (K1 / K2)
    assert abs(bias(when) / (free * (1 + (rates[2] / k4 if k4 else 0)) - 1) - 1) > 0.005


def test_the_basis_is_the_convolution_of_the_closed_form():
    when, rate = timing(), 0.05
    reference = frame_means(BOLUS, reference_tissue([1.0], [0.0], K1, K2), when.starts, when.ends, when.decay)[0]
    found = _convolution(reference, when)(np.array([rate]))[0]
    fine = np.linspace(0, when.ends[-1], 240_001)
    exact = (tissue("rise", fine, K1, rate) - tissue("rise", fine, K1, K2)) / (K2 - rate)
    np.testing.assert_allclose(found[4:], fine_means(exact, fine, when)[4:], rtol=1e-3)


def test_a_missing_curve_stays_missing():
    when = timing()
    curves = frame_means(BOLUS, reference_tissue([1.0, 1.0], [0.0, 2.0], K1, K2), when.starts, when.ends, when.decay)
    for fit in FITS.values():
        found, _, _ = fit(np.stack([np.full(34, np.nan), curves[1]]), curves[0], when)
        assert np.isnan(found[0])
        assert found[1] == pytest.approx(2.0, rel=1e-3)
    assert np.isnan(reference_tissue_fit(np.full((2, 34), np.nan), curves[0], when)).all()


def test_the_number_of_panels_does_not_matter(monkeypatch):
    when, module = timing(), sys.modules[panels.__module__]
    curves = frame_means(BOLUS, reference_tissue(R1, BPND, K1, K2), when.starts, when.ends, when.decay)
    usual, n = reference_tissue_fit(curves[1:], curves[0], when)[0], len(panels(when).times)
    monkeypatch.setattr(module, "COARSE", 0.2)
    monkeypatch.setattr(module, "FINE", 0.05)
    assert len(panels(when).times) > 2 * n
    np.testing.assert_allclose(reference_tissue_fit(curves[1:], curves[0], when)[0], usual, rtol=1e-5)
