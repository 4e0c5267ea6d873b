import numpy as np
import pytest
from scipy.signal import welch

from fakeimaging.modalities.electro.levels import Levels
from fakeimaging.modalities.electro.noise import SENSOR
from tests.modalities.electro.silence import Settings, drawn, part, silent, whole

MEG = Settings({"MEGMAG": Levels(white=3e-15, pink=3e-15), "MEGGRADPLANAR": Levels(white=3e-13, pink=1e-13)})
KINDS = ("MEGMAG",) * 8 + ("MEGGRADPLANAR",) * 8 + ("TRIG",)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_kind_has_its_densities_and_a_trigger_none(seed):
    forward = silent(KINDS, n=60_000)
    recipe = drawn(SENSOR, forward, MEG, seed)
    frequencies, power = welch(whole(SENSOR, forward, recipe, seed), 250.0, nperseg=1000)
    assert not power[16].any()
    for rows, white in ((slice(0, 8), 3e-15), (slice(8, 16), 3e-13)):
        for low, high in ((1, 3), (8, 12), (40, 120)):
            band = (frequencies >= low) & (frequencies <= high)
            expected = white**2 + np.outer(recipe["electrode"][rows] ** 2, 1 / frequencies[band])
            n_values = 8 * band.sum() * 60
            assert (power[rows, band] / expected).mean() == pytest.approx(1, abs=0.02 + 4 / np.sqrt(n_values))


def test_contacts_differ_as_said():
    forward = silent(("EEG",) * 400, n=10)
    spread = np.log(drawn(SENSOR, forward, Settings())["electrode"] / 5e-7)
    assert spread.std() == pytest.approx(0.3, rel=4 / np.sqrt(800))
    assert spread.mean() == pytest.approx(0, abs=4 * 0.3 / np.sqrt(400))


def test_a_longer_recording_starts_with_the_same_noise():
    short, long = silent(n=9000), silent(n=20_000)
    recipe = drawn(SENSOR, short, Settings())
    first = whole(SENSOR, short, recipe)
    np.testing.assert_array_equal(first, whole(SENSOR, long, drawn(SENSOR, long, Settings()))[:, :9000])
    assert first.dtype == np.float32
    assert part(SENSOR, short, recipe, 1).shape == (8, 9000 - 8192)


def test_white_noise_is_independent_of_the_coloured_one():
    forward = silent(n=8192)
    white, pink = (Settings({"EEG": level}) for level in (Levels(white=1e-7), Levels(pink=1e-6)))
    first, second = (whole(SENSOR, forward, drawn(SENSOR, forward, s)) for s in (white, pink))
    both = Settings({"EEG": Levels(white=1e-7, pink=1e-6)})
    np.testing.assert_allclose(whole(SENSOR, forward, drawn(SENSOR, forward, both)), first + second, atol=1e-12)
    steps = np.diff(second, axis=1)
    joined = [np.corrcoef(a[:-1], b)[0, 1] for a, b in zip(first, steps, strict=True)]
    assert np.abs(joined).max() < 5 / np.sqrt(8192)


def test_series_that_are_one_part_have_noise_too():
    forward = silent(n=1000, block=None)
    assert whole(SENSOR, forward, drawn(SENSOR, forward, Settings())).shape == (8, 1000)
