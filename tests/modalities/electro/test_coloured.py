import numpy as np
import pytest
from scipy.signal import welch

from fakeimaging.core.streams import Streams
from fakeimaging.modalities.electro.coloured import coloured, impulse, transfer

RATE = 1000.0
SEEDS = [11, 12, 13]


def law(exponent):
    return lambda f: f ** (-exponent / 2)


def rng_of(seed):
    return lambda w: Streams(seed).at(f"part-{w}").rng()


def parts(response, n_rows, wanted, seed):
    return [coloured(transfer(response), n_rows, v, rng=rng_of(seed)) for v in wanted]


def covariance(response, lag):
    return response[: len(response) - lag] @ response[lag:]


@pytest.mark.parametrize(("exponent", "error"), [(0, 1e-9), (1, 0.002), (1.5, 0.004), (2, 0.008), (3, 0.03)])
def test_the_filter_has_the_spectrum_asked_for(exponent, error):
    n = 4096
    response = impulse(law(exponent), RATE, n)
    power = np.abs(np.fft.rfft(response, 16 * n)) ** 2 * 2 / RATE
    frequencies = np.fft.rfftfreq(16 * n, 1 / RATE)
    np.testing.assert_allclose(power, np.hypot(frequencies, RATE / n) ** -exponent, rtol=error)


def test_a_spectrum_with_a_peak_is_no_harder():
    n = 4096
    density = lambda f: 1 + 5 * np.exp(-0.5 * ((f - 80) / 10) ** 2)  # noqa: E731
    power = np.abs(np.fft.rfft(impulse(density, RATE, n), 16 * n)) ** 2 * 2 / RATE
    frequencies = np.fft.rfftfreq(16 * n, 1 / RATE)
    np.testing.assert_allclose(power, density(np.hypot(frequencies, RATE / n)) ** 2, rtol=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("exponent", [0, 1, 2])
def test_noise_has_its_density(exponent, seed):
    n, n_rows, n_parts = 4096, 16, 6
    noise = np.concatenate(parts(impulse(law(exponent), RATE, n), n_rows, range(n_parts), seed), axis=1)
    frequencies, power = welch(noise, RATE, nperseg=1024)
    for low, high in ((4, 10), (10, 40), (40, 450)):
        band = (frequencies >= low) & (frequencies <= high)
        ratio = power[:, band] / np.hypot(frequencies[band], RATE / n) ** -exponent
        n_values = n_rows * band.sum() * 2 * n_parts * n / 1024 / 2  # half of the overlapping segments count
        assert ratio.mean() == pytest.approx(1, abs=0.02 * exponent + 4 / np.sqrt(n_values))  # leakage of steep ones


@pytest.mark.parametrize("seed", SEEDS)
def test_parts_join_without_a_seam(seed):
    n, n_rows, n_parts = 64, 256, 12
    response = impulse(law(1.5), RATE, n)
    joined = np.concatenate(parts(response, n_rows, range(n_parts), seed), axis=1)
    error = 5 / np.sqrt(n_rows * (n_parts - 1))
    variance = covariance(response, 0)
    for lag in (1, 3, 20):
        for before in (1, lag // 2 + 1, lag):  # pairs on both sides of a border
            first = n * np.arange(1, n_parts) - before
            found = (joined[:, first] * joined[:, first + lag]).mean()
            assert found / variance == pytest.approx(covariance(response, lag) / variance, abs=error)
    at_borders = (joined[:, n::n] ** 2).mean() / variance
    assert at_borders == pytest.approx(1, abs=np.sqrt(2) * error)


def test_a_part_comes_out_the_same_in_any_order_and_needs_two_generators():
    asked = []

    def rng(w):
        asked.append(w)
        return rng_of(5)(w)

    filtered = transfer(impulse(law(1), RATE, 256))
    ahead = coloured(filtered, 4, 7, rng=rng)
    assert sorted(asked) == [6, 7]
    in_order = [coloured(filtered, 4, v, rng=rng) for v in range(8)][7]
    np.testing.assert_array_equal(ahead, in_order)


def test_rows_and_far_parts_are_independent():
    n, n_rows = 8192, 6
    first, second, third = parts(impulse(law(0.5), RATE, n), n_rows, range(3), 3)
    joined = np.corrcoef(np.concatenate([first, third]))
    assert np.abs(joined - np.eye(2 * n_rows)).max() < 8 / np.sqrt(n)
    assert np.abs(second - first).max() > 1


def test_no_density_is_no_noise():
    assert not impulse(lambda f: np.zeros(len(f)), RATE, 64).any()
