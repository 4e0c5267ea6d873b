import numpy as np
import pytest

from fakeimaging.activity.taps import Tap
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import RateError
from fakeimaging.modalities.electro.sampling import Ratio, ratio_of, resampled, span, stretch

TAP_RATE = 1000.0


def sines(frequencies, n=6000, rate=TAP_RATE):
    return np.sin(2 * np.pi * np.outer(frequencies, np.arange(n) / rate)).astype(np.float32)


def taken(samples, ratio, first, n):
    """New samples of a signal (n_columns, n_old), as a recording's part takes them."""
    tap = Tap("dipole", "nAm/mm2", Clock(0.5 / TAP_RATE, 1 / TAP_RATE, samples.shape[1]), samples.T)
    low, high = span(ratio, first, n)
    return resampled(stretch(tap, low, high), low, ratio, first, n)


@pytest.mark.parametrize("rate", [1000.0, 500.0, 250.0, 512.0, 600.0, 100.0])
def test_what_the_new_rate_holds_passes_and_the_rest_does_not(rate):
    ratio = ratio_of(TAP_RATE, rate, name="rate")
    inside, beyond = 0.3 * rate, 0.55 * rate
    n, first = round(2 * rate), round(2 * rate)
    found = taken(sines([inside, beyond]), ratio, first, n)
    t = (first + np.arange(n)) / rate
    np.testing.assert_allclose(found[0], np.sin(2 * np.pi * inside * t), atol=1e-3)
    if rate < TAP_RATE:
        assert np.abs(found[1]).max() < 2e-4


@pytest.mark.parametrize("rate", [1000.0, 250.0, 512.0])
def test_parts_join_to_the_whole(rate):
    ratio, samples = ratio_of(TAP_RATE, rate, name="rate"), sines([3.0, 40.0])
    n = round(4 * rate)
    whole = taken(samples, ratio, 100, n)
    parts = [taken(samples, ratio, 100 + k, min(777, n - k)) for k in range(0, n, 777)]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=2e-6)


def test_a_level_stays_a_level_to_the_ends():
    found = taken(np.full((1, 2000), 3.0, np.float32), Ratio(1, 4), 0, 500)
    np.testing.assert_allclose(found, 3.0, rtol=1e-5)


def test_rates_that_cannot_be_had_are_refused():
    with pytest.raises(RateError, match="above the 250 Hz"):
        ratio_of(250.0, 500.0, name="eeg.sampling_frequency")
    with pytest.raises(RateError, match="no ratio"):
        ratio_of(1000.0, 999.9137, name="rate")
