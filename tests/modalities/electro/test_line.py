from dataclasses import replace

import numpy as np
import pytest

from fakeimaging.core.streams import Streams
from fakeimaging.modalities.electro import line
from fakeimaging.modalities.electro.levels import Levels
from fakeimaging.modalities.electro.line import LINE, line_phase, line_sizes
from tests.modalities.electro.silence import Settings, drawn, part, silent, whole

SEEDS = [21, 22, 23]


def spectrum(layer, rate):
    power = np.abs(np.fft.rfft(layer * np.hanning(layer.shape[1]), axis=1)) ** 2
    return np.fft.rfftfreq(layer.shape[1], 1 / rate), power.sum(axis=0)


@pytest.mark.parametrize("nominal", [50.0, 60.0])
def test_harmonics_lie_where_they_should_in_the_ratios_that_they_should(nominal):
    forward = silent(("EEG",) * 64, n=60_000, rate=1000.0)
    recipe = drawn(LINE, forward, Settings(line_frequency=nominal))
    frequencies, power = spectrum(whole(LINE, forward, recipe), 1000.0)
    held = {h: power[np.abs(frequencies - h * nominal) < 2].sum() for h in line.HARMONICS if h * nominal < 499}
    assert sum(held.values()) > 0.999 * power.sum()
    for harmonic, size in line.HARMONICS.items():
        if harmonic in held:
            assert np.sqrt(held[harmonic] / held[1]) == pytest.approx(size, rel=0.3)  # sizes swell by 0.1 each


def test_nothing_above_half_the_rate():
    forward = silent(n=5000, rate=250.0)
    frequencies, power = spectrum(whole(LINE, forward, drawn(LINE, forward, Settings())), 250.0)
    assert power[np.abs(frequencies - 50) < 2].sum() > 0.999 * power.sum()  # 150 Hz would appear at 100 Hz
    slow = silent(n=500, rate=90.0)
    assert not whole(LINE, slow, drawn(LINE, slow, Settings())).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_each_kind_has_its_size(seed):
    settings = Settings({"MEGMAG": Levels(line=1e-13), "MEGGRADPLANAR": Levels(line=1e-12)})
    forward = silent(("MEGMAG",) * 100 + ("MEGGRADPLANAR",) * 100 + ("TRIG",), n=5000, rate=1000.0)
    recipe = drawn(LINE, forward, settings, seed)
    level = whole(LINE, forward, recipe).std(axis=1)
    swell = (line_sizes(recipe, forward.clean.clock.times) ** 2).mean(axis=1)
    np.testing.assert_allclose(level, np.sqrt(recipe["sizes"] ** 2 @ swell / 2), rtol=5e-3)
    for rows, size in ((slice(0, 100), 1e-13), (slice(100, 200), 1e-12)):
        typical = np.exp(np.log(recipe["sizes"][rows, 0] / np.sqrt(2)).mean())
        assert typical / size == pytest.approx(1, abs=4 * line.SPREAD / 10)
    assert level[200] == 0


def test_frequency_and_size_wander_by_what_is_said():
    times = np.arange(0, 20_000, 0.5)
    found = []
    for seed in range(40):
        recipe = drawn(LINE, silent(n=10, run_streams=Streams(seed)), Settings(), seed)
        frequency = np.diff(line_phase(recipe, times)) / (2 * np.pi * 0.5)
        found.append([frequency.mean(), frequency.std(), *line_sizes(recipe, times).std(axis=1)])
    mean, within, *swell = np.transpose(found)
    assert np.std(mean - 50.0) == pytest.approx(line.OFFSET, rel=4 / np.sqrt(80))
    assert np.mean(within) == pytest.approx(line.WANDER, rel=0.05)
    assert np.mean(swell) == pytest.approx(line.SWELL, rel=0.05)


def test_parts_join_and_come_in_any_order():
    split, one = silent(n=20_000), silent(n=20_000, block=None)
    recipe = drawn(LINE, split, Settings())
    alone = part(LINE, split, recipe, 2)
    joined = whole(LINE, split, recipe)
    np.testing.assert_allclose(joined, whole(LINE, one, recipe), atol=1e-10)
    np.testing.assert_array_equal(joined[:, 16_384:], alone)


def test_phases_and_gains_differ_between_channels():
    forward = silent(("EEG",) * 300, n=10)
    recipe = drawn(LINE, forward, Settings())
    assert np.log(recipe["sizes"][:, 0]).std() == pytest.approx(line.SPREAD, rel=4 / np.sqrt(600))
    assert recipe["phases"].std(axis=0) == pytest.approx(line.SPREAD, rel=4 / np.sqrt(600))
    silentless = replace(Settings(), table={"EEG": Levels()})
    assert not whole(LINE, forward, drawn(LINE, forward, silentless)).any()


def test_instruments_of_a_run_share_the_mains():
    one, same = (
        drawn(LINE, silent(kinds, run_streams=Streams(3)), Settings(), seed)
        for kinds, seed in ((("EEG",) * 2, 1), (("EEG",) * 5, 2))
    )
    other = drawn(LINE, silent(run_streams=Streams(4)), Settings())
    for key in ("frequency", "slow", "starts"):
        np.testing.assert_array_equal(one[key], same[key])
        assert not np.allclose(one[key], other[key], rtol=1e-6)
    assert not np.allclose(one["phases"], same["phases"][:2])
