import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import ParameterError
from fakeimaging.modalities.eeg import MODALITY, EegParameters
from fakeimaging.modalities.electro.scanner import (
    GRADIENT,
    LEVEL,
    TABLE,
    gradient_courses,
    lead_map,
    low_pass,
    slice_waveform,
    slopes,
    volume_onsets,
)
from fakeimaging.testing.fixtures import tiny_subject
from tests.modalities.electro.series import options
from tests.modalities.test_eeg import noise, run_of
from tests.reference.leads import along_meridian, along_parallel, curl, vector_potential

INSIDE = {"scanner": 3.0, "scanner_tr": 1.0, "scanner_slices": 20}


def recording(duration=60.0, off=(), **changes):
    subject = tiny_subject()
    run = run_of(subject, 0.1 * noise(round((20 + duration) * 250), 10))
    return fi.acquire("eeg", subject, run, off=off, **(INSIDE | changes))


def test_the_vector_potential_of_the_twin_is_that_of_each_gradient():
    points = np.random.Generator(np.random.SFC64(1)).uniform(-0.1, 0.1, (50, 3))
    x, y, z = points.T
    zero = np.zeros_like(x)
    fields = [(z, zero, x), (zero, z, y), (-x / 2, -y / 2, z)]
    for axis, field in enumerate(fields):
        np.testing.assert_allclose(curl(points, axis), np.stack(field, axis=1), atol=1e-9)
        assert np.abs((vector_potential(points, axis) * points).sum(axis=1)).max() < 1e-17


def test_the_voltage_of_each_lead_is_the_sum_of_the_potential_along_it():
    directions = np.random.Generator(np.random.SFC64(2)).standard_normal((12, 3))
    places = 0.09 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    turns = np.linspace(-0.3, 0.3, 12)
    found = lead_map(places, turns)
    expected = [[along_meridian(place, axis) for axis in (0, 1)] for place in places]
    np.testing.assert_allclose(np.abs(found[:, :2]), np.abs(expected), rtol=1e-6)
    np.testing.assert_array_equal(np.sign(found[:, :2]), np.sign(expected))
    sideways = [along_parallel(place, turn, 2) for place, turn in zip(places, turns, strict=True)]
    np.testing.assert_allclose(found[:, 2], sideways, rtol=1e-6)
    assert max(abs(along_meridian(place, 2)) for place in places) < 1e-15


@pytest.mark.parametrize("slice_time", [0.05, 0.02])
def test_the_integral_of_the_waveform_is_the_gradient(slice_time):
    """Without a low-pass to speak of: levels of the trapezoids, and nothing left at the end of a slice."""
    wave = slice_waveform(slice_time, 400_000.0, 1e7)
    gradient = np.cumsum(wave[:, :-1], axis=1) * slice_time / TABLE
    gradient -= gradient[:, :1]
    times = np.arange(TABLE) / TABLE * slice_time
    for axis, pieces in enumerate(slopes(slice_time)):
        expected = sum(np.clip(times - a, 0, b - a) * slope for a, b, slope in pieces)
        assert np.abs(gradient[axis] - expected).max() < 0.02 * LEVEL
        assert abs(sum((b - a) * slope for a, b, slope in pieces)) < 1e-12
        assert max(b for _, b, _ in pieces) <= slice_time


def test_the_low_pass_is_butterworth():
    found = np.abs(low_pass(np.array([0.0, 125.0, 250.0, 500.0]), 250.0)) ** 2
    np.testing.assert_allclose(found, [1, 1 / (1 + 0.5**10), 0.5, 1 / (1 + 2.0**10)], rtol=1e-12)


def test_the_waveform_went_through_the_low_pass():
    wide, narrow = (np.fft.rfft(slice_waveform(0.05, 4000.0, cutoff)[0, :-1])[1:90] for cutoff in (1e7, 250.0))
    frequencies = 20.0 * np.arange(1, 90)
    seen = np.abs(wide) > 1e-3 * np.abs(wide).max()
    expected = 1 / np.sqrt(1 + (frequencies / 250) ** 10)
    np.testing.assert_allclose(np.abs(narrow / wide)[seen], expected[seen], rtol=1e-4)


def test_the_artefact_has_harmonics_of_the_slice_rate_alone():
    layer = recording(duration=40.0).layer("gradient").to_array()
    power = (np.abs(np.fft.rfft(layer, axis=1)) ** 2).sum(axis=0)
    frequencies = np.fft.rfftfreq(layer.shape[1], 1 / 250)
    multiple = np.isclose(frequencies % 20, 0) | np.isclose(frequencies % 20, 20)
    assert power[multiple].sum() > (1 - 1e-6) * power.sum()
    assert power[frequencies >= 125].sum() < 1e-6 * power.sum()


def test_the_artefact_is_millivolts_of_rank_three_and_fits_the_amplifier():
    scan = recording()
    layer = scan.layer("gradient").to_array()
    sizes = np.linalg.svd(layer.astype(float) @ layer.T, compute_uv=False)
    assert sizes[2] > 1e-6 * sizes[0]
    assert sizes[3] < 1e-12 * sizes[0]
    assert 3e-4 < np.abs(layer).max() < 1.6e-2
    assert scan.clean.resolution == 5e-7
    observed = scan.observed.to_array()
    assert np.abs(observed).max() < 32767 * 5e-7
    assert observed.std() > 3 * scan.clean.to_array().std()


def subtracted(signal, onsets, rate, n):
    """Average artefact subtraction (Allen et al. 2000): the mean over volumes is taken off each."""
    first = np.rint(onsets * rate).astype(int)
    first = first[first + n <= signal.shape[1]]
    epochs = np.stack([signal[:, a : a + n] for a in first])
    return epochs - epochs.mean(axis=0)


def left_over(drift):
    scan = recording(scanner_clock_drift=drift)
    layer = scan.layer("gradient").to_array().astype(float)
    onsets = scan.forward.context["triggers"]
    return (subtracted(layer, onsets, 250, 249) ** 2).mean() / (layer**2).mean()


def test_average_subtraction_removes_it_when_the_clocks_are_one_and_less_when_not():
    together, apart, farther = left_over(0.0), left_over(20.0), left_over(100.0)
    assert together < 1e-6
    assert 1e-4 < apart < farther
    assert farther > 0.01


def test_what_the_brain_does_survives_the_subtraction():
    stages = [stage.name for stage in MODALITY.observe if stage.name != "gradient"]
    scan = recording(off=stages)
    onsets, rows = scan.forward.context["triggers"], scan.clean.rows("EEG")
    found, expected = (
        subtracted(series.to_array()[rows].astype(float), onsets, 250, 250) for series in (scan.observed, scan.clean)
    )
    assert (found - expected).var() < 1e-6 * expected.var()


@pytest.mark.parametrize(("drift", "n"), [(0.0, 30), (500.0, 30), (-500.0, 29)])
def test_volumes_begin_every_repetition_time_of_the_scanners_clock(drift, n):
    chosen = options(scanner=3.0, scanner_tr=2.0, scanner_clock_drift=drift)
    onsets = volume_onsets(chosen, 60.001)
    assert len(onsets) == n
    assert onsets[0] == 0
    np.testing.assert_allclose(np.diff(onsets), 2.0 / (1 + 1e-6 * drift))
    assert len(volume_onsets(options(scanner="none"), 60.0)) == 0


def test_gradients_rest_after_the_last_whole_volume():
    scan = recording(duration=10.0, scanner_tr=3.0)
    layer = scan.layer("gradient").to_array()
    assert np.abs(layer[:, 2250:]).max() == 0
    assert np.abs(layer[:, 2200:2250]).max() > 0
    (table,) = (c for c in scan.companions if c.name == "desc-volumes_events")
    assert [row[0] for row in table.rows] == [0.0, 3.0, 6.0]


def test_parts_join():
    scan = recording(duration=60.0)
    recipe = scan.recipe("gradient")
    whole = recipe["maps"] @ gradient_courses(scan.clean.clock, recipe)
    assert scan.clean.n_parts > 1
    np.testing.assert_allclose(scan.layer("gradient").to_array(), whole, atol=1e-6 * np.abs(whole).max())


def test_outside_a_scanner_there_is_nothing():
    scan = recording(scanner="none")
    assert not scan.layer("gradient").to_array().any()
    assert scan.clean.resolution == 1e-7
    assert len(scan.forward.context["triggers"]) == 0


def test_the_step_asked_for_is_kept_and_a_wrong_field_is_refused():
    assert EegParameters(scanner=3.0, resolution=1e-7).resolution == 1e-7
    assert EegParameters(scanner=3.0) == EegParameters.parse(EegParameters(scanner=3.0).model_dump())
    with pytest.raises(ParameterError, match="`eeg.scanner`: 3000 T is outside"):
        EegParameters.parse({"scanner": 3000.0}, where="eeg")
    assert GRADIENT.kind == "additive"
