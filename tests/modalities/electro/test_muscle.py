from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import welch

from fakeimaging.activity.physiology import Bursts
from fakeimaging.core.streams import Streams
from fakeimaging.modalities.electro.muscle import MUSCLE, POOLS, muscle_noise, spectrum
from tests.modalities.electro.bodies import body, cap, helmet, recipe, row, series


def relaxed(duration=60.0):
    return replace(body(duration=duration), bursts=Bursts())


def generators(seed=1):
    return lambda v: Streams(seed).at(f"{v}").rng()


def test_the_spectrum_is_that_of_surface_electromyograms():
    frequencies = np.arange(0.0, 20_000.0, 0.1)
    power = spectrum(frequencies)
    assert power.sum() * 0.1 == pytest.approx(1, abs=1e-3)
    assert 50 < frequencies[power.argmax()] < 100
    within = (frequencies > 20) & (frequencies < 300)
    assert power[within].sum() * 0.1 > 0.9


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("rate", [250.0, 1000.0])
def test_noise_has_that_spectrum_below_half_the_rate(seed, rate):
    forward, _ = cap(relaxed(), rate=rate)
    noise = np.concatenate(
        [muscle_noise(forward, 4, v, rng=generators(seed)) for v in range(forward.clean.n_parts)], axis=1
    )
    frequencies, power = welch(noise, rate, nperseg=round(rate / 2))
    for low, high in ((15, 25), (40, 60), (80, 110), (200, 280)):
        band = (frequencies >= low) & (frequencies <= high)
        if high < rate / 2:
            # 4 x 240 windows that overlap by half, and five frequencies or more.
            assert power[:, band].mean() == pytest.approx(spectrum(frequencies[band]).mean(), rel=0.06)
    assert np.abs(np.corrcoef(noise) - np.eye(4)).max() < 6 / np.sqrt(noise.shape[1] / 2)


def test_parts_join_without_a_seam_and_in_any_order():
    forward, _ = cap(relaxed(), rate=1000.0, block=500)
    parts = [muscle_noise(forward, 8, v, rng=generators()) for v in range(forward.clean.n_parts)]
    np.testing.assert_array_equal(parts[7], muscle_noise(forward, 8, 7, rng=generators()))
    joined = np.concatenate(parts, axis=1)
    seams = np.arange(500, joined.shape[1], 500)

    def neighbours(at):
        return (joined[:, at - 1] * joined[:, at]).mean() / joined.var()

    everywhere = np.mean([neighbours(seams + k) for k in range(50, 450, 10)])
    # 119 seams of 8 rows.
    assert neighbours(seams) == pytest.approx(everywhere, abs=4 / np.sqrt(8 * len(seams)))
    assert everywhere > 0.6


def test_a_run_shorter_than_the_filter_has_noise_too():
    forward, _ = cap(relaxed(duration=0.02), rate=1000.0)
    noise = muscle_noise(forward, 3, 0, rng=generators())
    assert noise.shape == (3, 20)
    assert (noise.std(axis=1) > 0).all()


def test_maps_fall_off_around_the_muscles():
    forward, parameters = cap(montage="all")
    maps = recipe(MUSCLE, forward, parameters)["maps"]
    assert maps.shape == (338, 8)
    for column, name in enumerate(POOLS):
        assert maps[:335, column].argmax() == row(forward, name)
        assert maps[row(forward, name), column] == pytest.approx(parameters.muscle_amplitude)
        assert maps[row(forward, "Cz"), column] < 0.05 * parameters.muscle_amplitude
    assert (maps[row(forward, "ECG")] == 0).all()


def test_tension_is_largest_at_the_temples():
    forward, parameters = cap(relaxed())
    level = series(MUSCLE, forward, parameters)[:64].std(axis=1)
    names = np.array([channel.name for channel in forward.clean.channels[:64]])
    temples, vertex = (
        level[np.isin(names, chosen)] for chosen in (("T7", "T8", "FT7", "FT8"), ("C1", "C2", "P1", "P2"))
    )
    assert temples.min() > 5 * vertex.max()
    assert 0.2e-6 < level[names == "T7"][0] < 6e-6
    assert level[names == "Cz"][0] < 0.05e-6


def test_a_clenched_jaw_is_loud_on_its_side_while_it_lasts():
    burst = Bursts(*(np.array([value]) for value in (20.0, 4.0, 2.0, 1.0)), np.array([0]))
    forward, parameters = cap(replace(relaxed(), bursts=burst))
    layer, times = series(MUSCLE, forward, parameters), forward.clean.clock.times
    during, before = (times > 20.2) & (times < 23.8), times < 19.9
    right, left = layer[row(forward, "T8")], layer[row(forward, "T7")]
    assert right[during].std() > 10 * right[before].std()
    # Of the variance, what lies below 125 Hz.
    share = np.sqrt(spectrum(np.arange(0.5, 125.0)).sum())
    assert right[during].std() == pytest.approx(2 * parameters.muscle_amplitude * share, rel=0.15)
    assert left[during].std() < 2 * left[before].std()


def test_coils_see_the_same_muscles_weakly():
    forward, parameters = helmet(relaxed())
    maps = recipe(MUSCLE, forward, parameters)["maps"]
    magnetometers = np.abs(maps[forward.clean.rows("MEGMAG")])
    assert (magnetometers.max(axis=0) > 1e-13).all()
    assert magnetometers.max() < 3e-12


def test_levels_are_asked_for():
    forward, parameters = cap(muscle_tone=0.0)
    quiet = series(MUSCLE, replace(forward, context={**forward.context, "physiology": relaxed(120.0)}), parameters)
    assert (quiet == 0).all()
    loud = recipe(MUSCLE, forward, parameters.model_copy(update={"muscle_amplitude": 6e-5}))["maps"]
    np.testing.assert_allclose(loud, 2 * recipe(MUSCLE, forward, parameters)["maps"])
