import numpy as np
import pytest

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet.kinetics import frame_means, reference_tissue
from fakeimaging.scoring.kinetics import Timing, suv, suvr, window_mean
from tests.scoring.kinetics.scans import BOLUS, CARBON, timing


def test_a_mean_over_a_window_is_one_long_frame():
    when, c = timing("90 min", CARBON), reference_tissue([1.0, 1.1], [0.0, 2.0], 0.08, 0.195)
    curves = frame_means(BOLUS, c, when.starts, when.ends, when.decay)
    long = frame_means(BOLUS, c, np.array([48.0]), np.array([68.0]), when.decay)
    window = (when.starts[24], when.ends[27])
    assert window == pytest.approx((38.0, 58.0))
    found = window_mean(curves, when, window)
    long = frame_means(BOLUS, c, np.array([38.0]), np.array([58.0]), when.decay)
    np.testing.assert_allclose(found, long[:, 0], rtol=1e-12)
    np.testing.assert_allclose(suvr(curves, curves[0], when, window), long[:, 0] / long[0, 0], rtol=1e-12)
    # Frames of equal length, yet later ones count less.
    assert abs(found[0] / curves[0, 24:28].mean() - 1) > 1e-4


def test_the_ratio_is_above_that_of_volumes_while_plasma_falls():
    when, c = timing("90 min"), reference_tissue([1.0, 1.0], [0.0, 2.0], 0.08, 0.195)
    curves = frame_means(BOLUS, c, when.starts, when.ends, when.decay)
    assert suvr(curves, curves[0], when, (60.0, 88.0))[1] > 1.02 * 3


def test_a_window_without_a_frame_is_refused():
    when = Timing(np.array([80.0, 85.0]), np.array([85.0, 90.0]), 0.006)
    assert suvr(np.ones((2, 2)), np.ones(2), when, (80.0, 90.0)).tolist() == [1.0, 1.0]
    with pytest.raises(InputError, match="no frame lies between 90 and 110 min"):
        suvr(np.ones((2, 2)), np.ones(2), when, (90.0, 110.0))


def test_uptake_is_one_where_the_dose_is_spread_evenly():
    assert suv(np.array([[250e6 / 70e3]]), 250.0, 70.0) == pytest.approx(1.0)
