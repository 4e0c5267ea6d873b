import numpy as np
import pytest

from fakeimaging.scoring.electro import detection
from fakeimaging.scoring.electro.files import EEG, IEEG, Recorded
from fakeimaging.scoring.electro.sources import minimum_norm, source_agreement, whitened_minimum_norm
from fakeimaging.scoring.meg import NOISE, posterior
from tests.modalities.test_eeg import RATE, noise


def test_agreement_counts_each_span_once():
    starts, ends = np.array([1.0, 5.0, 9.0]), np.array([1.4, 5.4, 9.4])
    assert detection.event_agreement(np.array([1.2, 5.2, 9.2]), starts, ends) == 1
    # Two of three spans are found, one of them twice, and one time is wrong: P = 2/4, R = 2/3.
    assert detection.event_agreement(np.array([1.1, 1.2, 5.2, 7.0]), starts, ends) == pytest.approx(4 / 7)
    assert detection.event_agreement(np.zeros(0), starts, ends) == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_dead_a_loud_and_a_bridged_channel_are_found_and_no_other(seed):
    n, rate = 40, 250.0
    mixing = np.random.default_rng(seed).standard_normal((n, 12))
    common = mixing @ noise(5000, 12, seed=100 * seed).T
    samples = 1e-5 * (common + 0.2 * noise(5000, n, seed=100 * seed + 1).T)
    samples[3] = 1e-9 * noise(5000, 1, seed=5).T
    samples[7] += 3e-4 * np.random.default_rng(seed).standard_normal(5000)
    samples[21] = samples[20] + 1e-8 * np.random.default_rng(seed + 9).standard_normal(5000)
    recorded = Recorded(tuple(f"c{k}" for k in range(n)), ("EEG",) * n, rate, samples)
    assert set(detection.bad_channels(recorded, EEG)) == {"c3", "c7", "c20", "c21"}


def test_hiss_finds_a_contact_that_is_no_louder_than_others():
    sizes = np.exp(np.random.default_rng(1).standard_normal(30))
    samples = 1e-4 * sizes[:, None] * noise(5000, 30, exponent=3.0).T
    quiet = int(sizes.argmin())
    samples[quiet] += samples.std() * 0.2 * np.random.default_rng(2).standard_normal(5000)
    recorded = Recorded(tuple(f"c{k}" for k in range(30)), ("SEEG",) * 30, 250.0, samples)
    assert f"c{quiet}" in detection.bad_channels(recorded, IEEG)


def test_units_do_not_matter_to_a_whitened_inverse():
    rng = np.random.default_rng(1)
    gains, sources = rng.standard_normal((64, 8)), noise(2000, 8).T
    scale = np.where(np.arange(64) < 32, 1e-15, 1e-13)
    fields = gains @ sources
    plain = whitened_minimum_norm(gains, fields, np.ones(64))
    np.testing.assert_allclose(
        whitened_minimum_norm(scale[:, None] * gains, scale[:, None] * fields, scale), plain, rtol=1e-9
    )
    found, chance = source_agreement(plain, sources, RATE, rng=rng)
    assert found > max(0.97, chance)
    # Sensors of a small unit say nothing without whitening.
    assert not np.allclose(minimum_norm(scale[:, None] * gains, scale[:, None] * fields), plain, rtol=0.1)


def test_courses_upside_down_agree_where_the_sign_is_free():
    rng = np.random.default_rng(1)
    a = noise(2000, 6).T
    signed, free = (source_agreement(-a, a, RATE, rng=rng, signed=signed)[0] for signed in (True, False))
    assert (round(signed, 6), round(free, 6)) == (-1, 1)


def test_the_back_of_the_helmet_is_that_of_planar_gradiometers():
    places = np.linspace(-0.1, 0.1, 20)
    chs = [{"ch_name": f"{kind}{k}", "loc": np.array([0, y, 0, 1])} for kind in "mg" for k, y in enumerate(places)]
    raw = type("Raw", (), {"info": {"chs": chs}})
    names = tuple(channel["ch_name"] for channel in chs)
    kinds = ("MEGMAG",) * 20 + ("MEGGRADPLANAR",) * 20
    assert [names[row] for row in posterior(raw, names, kinds)] == ["g0", "g1", "g2", "g3"]
    assert [names[row] for row in posterior(raw, names[:20], kinds[:20])] == ["m0", "m1", "m2", "m3"]


def test_noise_of_sensors_is_that_of_mne():
    import mne

    known = mne.defaults.DEFAULTS["noise_std"] if hasattr(mne.defaults, "DEFAULTS") else None
    assert NOISE["MEGGRADPLANAR"] == (known or {"grad": 5e-13})["grad"]
    assert NOISE["MEGMAG"] == (known or {"mag": 20e-15})["mag"]
