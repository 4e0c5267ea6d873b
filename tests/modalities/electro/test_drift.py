import numpy as np
import pytest
from scipy.signal import welch

from fakeimaging.core.clocks import Clock
from fakeimaging.modalities.electro import drift
from fakeimaging.modalities.electro.drift import DRIFT, SWEAT, spline_weights, sweat_courses
from fakeimaging.modalities.electro.levels import Levels
from fakeimaging.modalities.electro.sensors import Sensors
from tests.modalities.electro.silence import Settings, drawn, part, silent, whole

SEEDS = [31, 32, 33]
CIRCLE = np.array([[90 * np.cos(a), 90 * np.sin(a), 0.0] for a in np.linspace(0, 2 * np.pi, 40, endpoint=False)])


def on_a_head(kinds=("EEG",) * 40, positions=CIRCLE, **changes):
    sensors = Sensors(tuple(f"c{i}" for i in range(len(kinds))), kinds, positions)
    return silent(kinds, sensors=sensors, **changes)


def expected_variance():
    """Of an Ornstein-Uhlenbeck process of knots through the weights of the spline, on average over a knot."""
    _, weights = spline_weights(Clock(0.0, 0.01, 250), drift.KNOT)
    away = np.abs(np.subtract.outer(np.arange(4), np.arange(4))) * drift.KNOT
    return np.einsum("it,ij,jt->t", weights, np.exp(-away / drift.MEMORY), weights).mean()


@pytest.mark.parametrize("seed", SEEDS)
def test_drift_has_its_size_and_is_a_walk_at_the_scale_of_a_minute(seed):
    forward = silent(("EEG",) * 64, n=120_000, rate=10.0)
    recipe = drawn(DRIFT, forward, Settings(), seed)
    walks = whole(DRIFT, forward, recipe, seed) / recipe["sizes"][:, None]
    n_free = 64 * 12_000 / (2 * drift.MEMORY)
    assert (walks**2).mean() == pytest.approx(expected_variance(), abs=4 * np.sqrt(2 / n_free))
    for lag in (10.0, 60.0, 240.0):
        moved = ((walks[:, round(10 * lag) :] - walks[:, : -round(10 * lag)]) ** 2).mean()
        expected = 2 * (1 - np.exp(-lag / drift.MEMORY))
        assert moved == pytest.approx(expected, rel=0.1 + 4 * np.sqrt(2 / n_free))
    frequencies, power = welch(walks, 10.0, nperseg=4096)
    assert power[:, frequencies > 0.2].sum() < 1e-3 * power.sum()


def test_drift_of_kinds_and_none_of_a_trigger():
    settings = Settings({"MEGMAG": Levels(drift=1e-12), "EEG": Levels(drift=6e-5)})
    forward = silent(("MEGMAG",) * 100 + ("EEG",) * 100 + ("TRIG",), n=10)
    sizes = drawn(DRIFT, forward, settings)["sizes"]
    for rows, size in ((slice(0, 100), 1e-12), (slice(100, 200), 6e-5)):
        assert np.exp(np.log(sizes[rows]).mean()) / size == pytest.approx(1, abs=4 * drift.UNEVEN / 10)
    assert sizes[200] == 0


def test_parts_of_drift_join_and_do_not_depend_on_the_end():
    split, one, longer = silent(n=20_000), silent(n=20_000, block=None), silent(n=50_000)
    recipe = drawn(DRIFT, split, Settings())
    joined = whole(DRIFT, split, recipe)
    np.testing.assert_allclose(joined, whole(DRIFT, one, recipe), atol=1e-9)
    np.testing.assert_array_equal(joined[:, 16_384:], part(DRIFT, split, recipe, 2))
    np.testing.assert_allclose(joined, whole(DRIFT, longer, recipe)[:, :20_000], atol=1e-9)


def test_weights_of_the_spline_sum_to_one():
    first, weights = spline_weights(Clock(7.3, 0.011, 900), drift.KNOT)
    np.testing.assert_allclose(weights.sum(axis=0), 1, atol=1e-6)
    places = (first + np.arange(len(weights)) - 1) * drift.KNOT  # a line is kept
    np.testing.assert_allclose(places @ weights, Clock(7.3, 0.011, 900).times, atol=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_sweat_sways_slowly_and_is_smooth_over_the_scalp(seed):
    forward = on_a_head(n=20_000, rate=20.0)
    recipe = drawn(SWEAT, forward, Settings(), seed)
    layer = whole(SWEAT, forward, recipe, seed)
    rate = len(recipe["onsets"]) / (1000 / 60)
    assert rate == pytest.approx(6, abs=4 * np.sqrt(6 / (1000 / 60)))
    frequencies, power = welch(layer, 20.0, nperseg=4096)
    assert power[:, (frequencies < 0.02) | (frequencies > 0.8)].sum() < 0.01 * power.sum()
    assert np.linalg.matrix_rank(layer.astype(float), tol=1e-9) <= drift.N_PLACES
    for column in recipe["maps"].T:
        assert column.max() / 3e-5 == pytest.approx(1)
        assert np.abs(np.diff(np.append(column, column[0]))).max() < 0.25 * 3e-5  # neighbours, 14 mm apart, are alike
        assert column.min() < 0.02 * 3e-5


def test_a_burst_of_sweat_is_what_the_recipe_says():
    burst = {"onsets": [3.0], "durations": [8.0], "frequencies": [0.25], "sizes": [2.0], "places": [1]}
    clock = Clock(0.0, 0.1, 200)
    courses = sweat_courses(burst, clock)
    passed = clock.times - 3.0
    expected = 2 * np.sin(np.pi * passed / 8) ** 2 * np.sin(2 * np.pi * 0.25 * passed)
    np.testing.assert_allclose(courses[1], np.where((passed >= 0) & (passed < 8), expected, 0), atol=1e-12)
    assert not courses[[0, 2, 3]].any()


def test_only_the_scalp_sweats_where_it_is_somewhere():
    positions = np.concatenate([CIRCLE[:4], np.full((1, 3), np.nan)])
    settings = Settings({"EEG": Levels(sweat=1e-5), "MEGMAG": Levels(drift=1e-12)})
    forward = on_a_head(("EEG", "EEG", "MEGMAG", "EEG", "EEG"), positions)
    maps = drawn(SWEAT, forward, settings)["maps"]
    assert not maps[[2, 4]].any()
    assert (maps[[0, 1, 3]] > 0).all()
    np.testing.assert_allclose(maps.max(axis=0), 1e-5)
    crowd = on_a_head(("MEGMAG",) * 38 + ("EEG",) * 2)
    np.testing.assert_allclose(drawn(SWEAT, crowd, settings)["maps"].max(axis=0), 1e-5)
    nowhere = on_a_head(("EEG",), np.full((1, 3), np.nan))
    assert not drawn(SWEAT, nowhere, settings)["maps"].any()


def test_parts_of_sweat_join():
    split, one = on_a_head(n=20_000), on_a_head(n=20_000, block=None)
    recipe = drawn(SWEAT, split, Settings(sweat_rate=20.0))
    np.testing.assert_allclose(whole(SWEAT, split, recipe), whole(SWEAT, one, recipe), atol=1e-10)
