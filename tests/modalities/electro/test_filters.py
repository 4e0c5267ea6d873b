import numpy as np
import pytest
from scipy.signal import sosfreqz

from fakeimaging.modalities.electro.filters import FILTER, ORDER, check_filters, cutoffs, hardware_filters, sections
from fakeimaging.modalities.electro.levels import Levels
from tests.modalities.electro.silence import Settings, drawn, silent

RATE = 1000.0
NONE = Settings(sampling_frequency=RATE, high_pass=None, low_pass=None)


def filtered(forward, settings, signal=None):
    """Return what leaves the stage, all parts joined."""
    recipe, state, made = drawn(FILTER, forward, settings), None, []
    for v in range(forward.clean.n_parts):
        out, state = FILTER.act(forward.clean.make(v), forward, recipe, v, rng=None, state=state)
        made.append(out)
    return np.concatenate(made, axis=1)


def playing(make, kinds=("EEG",), n=20_000, **changes):
    return silent(kinds, n=n, rate=RATE, make=lambda clock: np.stack([make(clock.times)] * len(kinds)), **changes)


@pytest.mark.parametrize(("high", "low"), [(0.016, 400.0), (1.0, 100.0), (None, 40.0), (0.5, None)])
def test_gains_at_and_around_the_cutoffs_are_those_of_the_textbook(high, low):
    frequencies = np.geomspace(0.01, 450, 200)
    _, gain = sosfreqz(sections(high, low, RATE), frequencies, fs=RATE)
    # The bilinear transform warps frequencies to tan(pi f / rate).
    warped = lambda f: np.tan(np.pi * f / RATE)  # noqa: E731
    power = np.ones(len(frequencies))
    if high is not None:
        power *= 1 / (1 + (warped(high) / warped(frequencies)) ** 2)
    if low is not None:
        power *= 1 / (1 + (warped(frequencies) / warped(low)) ** (2 * ORDER))
    np.testing.assert_allclose(np.abs(gain) ** 2, power, rtol=1e-6, atol=1e-12)


def test_a_step_decays_with_the_time_constant():
    step = playing(lambda t: np.where(t < 2, 1.0, 3.0))
    passed = filtered(step, Settings(sampling_frequency=RATE, high_pass=0.1, low_pass=None))[0]
    times = np.arange(20_000) / RATE
    expected = np.where(times < 2, 0.0, 2 * np.exp(-2 * np.pi * 0.1 * (times - 2)))
    np.testing.assert_allclose(passed, expected, atol=2e-3)
    assert np.abs(passed[:2000]).max() < 1e-9  # as if the first sample had always been there


def test_a_slow_wave_leaves_the_low_pass_late_by_its_delay():
    settings = Settings(sampling_frequency=RATE, high_pass=None, low_pass=100.0)
    passed = filtered(playing(lambda t: np.sin(2 * np.pi * 2 * t)), settings)[0]
    times = np.arange(20_000) / RATE
    delay = 3.2361 / (
        2 * RATE * np.tan(np.pi * 100 / RATE)
    )  # damping terms of a Butterworth of order 5, summed; bilinear
    expected = np.sin(2 * np.pi * 2 * (times - delay))
    np.testing.assert_allclose(passed[2000:], expected[2000:], atol=1e-4)


def test_parts_are_those_of_one_filter_over_the_whole():
    noise = np.random.Generator(np.random.SFC64(1)).standard_normal(20_000)
    make = lambda t: noise[np.round(t * RATE).astype(int)]  # noqa: E731
    settings = Settings(sampling_frequency=RATE, high_pass=0.5, low_pass=200.0)
    split = filtered(playing(make), settings)
    np.testing.assert_array_equal(split, filtered(playing(make, block=None), settings))
    np.testing.assert_array_equal(split, filtered(playing(make, block=777), settings))


def test_only_what_an_amplifier_records_is_filtered():
    settings = Settings({"EEG": Levels(), "ECG": Levels()}, RATE, high_pass=1.0)
    forward = playing(lambda t: np.full(len(t), 5.0), ("EEG", "TRIG", "ECG"))
    passed = filtered(forward, settings)
    assert (passed[1] == 5).all()
    assert np.abs(passed[[0, 2]]).max() < 1e-6


def test_no_filter_leaves_the_signal_as_it_is():
    forward = playing(lambda t: t)
    signal = forward.clean.make(0)
    passed, _ = FILTER.act(signal, forward, drawn(FILTER, forward, NONE), 0, rng=None, state=None)
    assert passed is signal
    assert hardware_filters(NONE) == "n/a"
    assert cutoffs(Settings(high_pass="none", low_pass="none")) == cutoffs(NONE) == (None, None)


def test_a_low_pass_that_is_automatic_follows_the_rate_and_the_sidecar_says_so():
    settings = Settings(sampling_frequency=500.0, high_pass=0.016)
    assert cutoffs(settings) == (0.016, 200.0)
    told = hardware_filters(settings)
    assert told["low-pass"]["cutoff (Hz)"] == 200
    assert told["high-pass"]["time constant (s)"] == pytest.approx(9.947, abs=1e-3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"low_pass": 600.0}, "`low_pass`: 600 Hz is not below half the sampling rate, 500 Hz"),
        ({"high_pass": 50.0, "low_pass": 40.0}, "`high_pass`: 50 Hz leaves nothing below 40 Hz"),
        ({"high_pass": 500.0, "low_pass": None}, "`high_pass`: 500 Hz leaves nothing below 500 Hz"),
    ],
)
def test_filters_that_cannot_be_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        check_filters(Settings(sampling_frequency=RATE, **wrong))


@pytest.mark.parametrize("n_channels", [1, 16, 37])
def test_sections_side_by_side_are_scipys(n_channels):
    from scipy.signal import butter, sosfilt, sosfilt_zi

    from fakeimaging.modalities.electro.sections import pass_sections

    signal = np.random.default_rng(3).standard_normal((n_channels, 1000)).astype(np.float32)
    sections = butter(5, [1.0, 90.0], "bandpass", fs=250.0, output="sos")
    state = sosfilt_zi(sections)[:, None, :] * signal[None, :, :1].astype(float)
    expected, after = sosfilt(sections, signal.astype(float), axis=1, zi=state)
    found, left = pass_sections(signal, sections, state)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(left, after, rtol=1e-9, atol=1e-12)
