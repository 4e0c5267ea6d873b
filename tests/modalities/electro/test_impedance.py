import numpy as np
import pytest

from fakeimaging.modalities.electro.impedance import (
    BODY,
    BOLTZMANN,
    EXCESS,
    HOUR,
    IMPEDANCE,
    cap_impedances,
)
from fakeimaging.modalities.electro.line import line_phase, mains_of
from fakeimaging.modalities.layers import Companion
from tests.modalities.electro.series import empty_forward, layer, options, rng_of

USUAL = options(impedance=8e3, impedance_drift=0.3, mains_current=1e-10, line_frequency=50.0)


def test_the_runs_of_a_session_share_a_cap():
    paths = [
        ("sub-01", "ses-a", "task-x", "run-1"),
        ("sub-01", "ses-a", "task-y", "run-2"),
        ("sub-01", "ses-b", "task-x"),
    ]
    first, second, other = (cap_impedances(empty_forward(["EEG"] * 8, path=path), USUAL) for path in paths)
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first, other)
    drifts = [
        IMPEDANCE.draw(empty_forward(["EEG"] * 8, path=path), USUAL, rng=rng_of(k))["drift"]
        for k, path in enumerate(paths)
    ]
    assert not np.allclose(drifts[0], drifts[1])


def test_impedances_are_spread_about_their_median_and_other_channels_have_none():
    found = cap_impedances(empty_forward(["EEG"] * 2000 + ["ECG"]), USUAL)
    assert np.median(found[:-1]) == pytest.approx(8e3, rel=4 * 0.4 * 1.25 / np.sqrt(2000))
    assert (found[:-1] > 0).all()
    assert found[-1] == 0


@pytest.mark.parametrize("seed", [31, 32, 33])
def test_the_noise_is_that_of_the_impedance_as_it_grows(seed):
    """Parts of 2048 samples: within each the variance is E^2 4 k T Z(t) over half the sampling rate."""
    forward = empty_forward(["EEG"] * 4, duration=8 * 2048 / 250)
    impedance, drift = np.array([5e3, 1e4, 2e4, 4e4]), np.array([0.0, 0.02, 0.05, 0.1])
    recipe = mains_of(forward, USUAL) | {"impedance": impedance, "drift": drift, "phase": 0.0, "current": 0.0}
    found = layer(IMPEDANCE, forward, recipe, seed).reshape(4, 8, 2048).var(axis=2)
    middle = forward.clean.clock.times.reshape(8, 2048).mean(axis=1)
    expected = EXCESS**2 * 4 * BOLTZMANN * BODY * impedance[:, None] * (1 + np.outer(drift, middle)) * 125
    np.testing.assert_allclose(found / expected, 1, atol=4.5 * np.sqrt(2 / 2048))
    assert (found[3, -1] / found[3, 0]) > 4


def test_the_hum_of_each_electrode_is_current_times_impedance():
    forward = empty_forward(["EEG"] * 3, duration=60.0)
    recipe = IMPEDANCE.draw(
        forward, options(**{**vars(USUAL), "mains_current": 1e-8, "impedance_drift": 10.0}), rng=rng_of(2)
    )
    found = layer(IMPEDANCE, forward, recipe)
    times = forward.clean.clock.times
    wave = np.cos(line_phase(recipe, times) + recipe["phase"])
    for row, start, drift in zip(found, recipe["impedance"], recipe["drift"], strict=True):
        for late in (times < 10, times > 50):
            size = 2 * (row[late] * wave[late]).mean()
            now = start * (1 + drift * times[late].mean())
            assert size == pytest.approx(np.sqrt(2) * 1e-8 * now, rel=0.01)
    assert recipe["drift"].mean() * HOUR == pytest.approx(10, rel=0.8)


def test_equal_impedances_leave_no_hum_after_the_reference():
    forward = empty_forward(["EEG"] * 3, duration=20.0)
    same = mains_of(forward, USUAL) | {
        "impedance": np.full(3, 8e3),
        "drift": np.zeros(3),
        "phase": 0.4,
        "current": 1e-8,
    }
    uneven = same | {"impedance": np.array([4e3, 8e3, 12e3])}
    left = [
        (np.abs(np.fft.rfft(found - found.mean(axis=0))[:, 960:1041]) ** 2).sum()
        for found in (layer(IMPEDANCE, forward, recipe) for recipe in (same, uneven))
    ]
    assert left[0] < 1e-3 * left[1]


def test_the_table_of_electrodes_has_them_in_kilo_ohm():
    forward = empty_forward(["EEG"] * 3)
    recipe = IMPEDANCE.draw(forward, USUAL, rng=rng_of(1))
    rows = [[channel.name, 0.0, 0.0, 0.0] for channel in forward.clean.channels]
    tables = (
        Companion("space-CapTrak_electrodes", ("name", "x", "y", "z"), rows),
        Companion("channels", ("name",), [["a"]]),
    )
    told, channels = IMPEDANCE.tell(tables, forward, recipe)
    assert told.columns[-1] == "impedance"
    assert told.about["impedance"]["Units"] == "kOhm"
    np.testing.assert_allclose([row[-1] for row in told.rows], recipe["impedance"] / 1e3, atol=0.006)
    assert channels is tables[1]
    assert len(tables[0].columns) == 4
