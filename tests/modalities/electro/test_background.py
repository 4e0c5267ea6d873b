from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import welch

import fakeimaging as fi
from fakeimaging.modalities.electro import background
from fakeimaging.modalities.electro.background import background_courses
from fakeimaging.modalities.electro.lead_field import electric
from fakeimaging.modalities.electro.sources import patch_moments
from fakeimaging.testing.fixtures import short_activity, tiny_subject
from tests.modalities.electro.silence import silent

SEEDS = [41, 42, 43]
MONTAGE = ("Fp1", "Cz", "Pz", "O1", "T7", "T8")
RUN = tiny_subject().streams.at("task-rest", "run-1")


def courses_at(rate, *, n=20_000, streams=RUN, block=8192, density=0.1, exponent=1.5):
    forward = silent(("EEG",), n=n, rate=rate, block=block, run_streams=streams)
    recipe = {"density": density, "exponent": exponent}
    parts = [background_courses(forward, recipe, v) for v in range(forward.clean.n_parts)]
    return np.concatenate(parts, axis=1)


def spectra(courses, highest, rate):
    """Return Fourier coefficients up to a frequency, the same whatever the rate, with a window against the ends."""
    n = courses.shape[1]
    made = np.fft.rfft(courses * np.hanning(n + 1)[:n], axis=1) / n
    return made[:, np.fft.rfftfreq(n, 1 / rate) < highest]


def expected_density(frequencies, exponent):
    band = np.linspace(*background.BAND, 20_001)
    law = lambda f: np.hypot(f, background.KNEE) ** -exponent  # noqa: E731
    return 0.01 * law(frequencies) / np.trapezoid(law(band), band)


@pytest.mark.parametrize("rate", [250.0, 512.0, 600.0, 125.0])
def test_two_instruments_of_a_run_see_the_same_courses(rate):
    mine, theirs = (spectra(courses_at(r, n=round(20 * r), exponent=0.0), 0.39 * rate, r) for r in (1000.0, rate))
    assert np.abs(mine - theirs).std() < 1e-3 * np.abs(mine).std()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("exponent", [0.0, 1.5, 2.5])
def test_courses_have_the_spectrum_and_the_size_asked_for(seed, exponent):
    found = courses_at(250.0, n=25_000, streams=RUN.at(str(seed)), exponent=exponent)
    frequencies, power = welch(found, 250.0, nperseg=2048)
    for low, high in ((1, 4), (4, 20), (20, 45), (45, 95)):
        band = (frequencies > low) & (frequencies < high)
        ratio = power[:, band] / expected_density(frequencies[band], exponent)
        n_values = 64 * band.sum() * 25_000 / 2048
        assert ratio.mean() == pytest.approx(1, abs=0.015 + 4 / np.sqrt(n_values))
    band = np.linspace(*background.BAND, 2001)
    size = np.sqrt(np.trapezoid(np.interp(band, frequencies, power.mean(axis=0)), band))
    assert size == pytest.approx(0.1, rel=0.05)


def test_what_the_rate_does_not_hold_does_not_fold_back():
    found = courses_at(100.0, n=5000, exponent=0.0)
    frequencies, power = welch(found, 100.0, nperseg=500)
    flat = power[:, (frequencies > 5) & (frequencies < 38)].mean()
    assert power[:, frequencies > 49.5].mean() < 0.05 * flat
    assert power[:, frequencies < 38].mean() == pytest.approx(flat, rel=0.05)


@pytest.mark.parametrize("rate", [250.0, 512.0, 1000.0])
def test_parts_of_any_length_hold_the_same_samples(rate):
    whole = courses_at(rate, block=None)
    np.testing.assert_array_equal(courses_at(rate), whole)
    np.testing.assert_array_equal(courses_at(rate, block=5000, n=12_000), whole[:, :12_000])


def test_courses_are_independent_of_each_other_and_of_other_runs():
    here, there = courses_at(250.0, exponent=0.0)[:4], courses_at(250.0, exponent=0.0, streams=RUN.at("b"))[:4]
    joined = np.corrcoef(np.concatenate([here, there]))
    assert np.abs(joined - np.eye(8)).max() < 6 / np.sqrt(16_000)


@pytest.fixture(scope="module")
def scans():
    """Of two montages at two rates in one run, and of another run."""
    subject, activity, later = tiny_subject(), short_activity(), short_activity(run=2)
    return [
        fi.acquire("eeg", subject, activity, montage=MONTAGE, auxiliary=()),
        fi.acquire("eeg", subject, activity, montage=MONTAGE[::-1], sampling_frequency=125.0, auxiliary=()),
        fi.acquire("eeg", subject, later, montage=MONTAGE, auxiliary=()),
    ]


def test_maps_are_those_of_patches_at_places_of_the_subject(scans):
    first, second, later = (scan.recipe("background") for scan in scans)
    np.testing.assert_array_equal(first["places"], second["places"])
    np.testing.assert_array_equal(first["places"], later["places"])
    np.testing.assert_array_equal(first["maps"], second["maps"][::-1])
    field = electric().at(MONTAGE)
    one = field.project(patch_moments(field.space, first["places"][5], first["extent"], total=False))
    np.testing.assert_allclose(first["maps"][:, 5], one[:, 0], rtol=1e-6)
    other = fi.acquire("eeg", tiny_subject(seed=2), short_activity(seed=2), montage=MONTAGE).recipe("background")
    assert not np.isin(other["places"], first["places"]).all(axis=1).all()


def test_the_layer_is_maps_times_courses(scans):
    for scan in scans:
        recipe = scan.recipe("background")
        courses = np.concatenate(
            [background_courses(scan.forward, recipe, v) for v in range(scan.clean.n_parts)], axis=1
        )
        np.testing.assert_allclose(scan.layer("background").to_array(), recipe["maps"] @ courses, atol=1e-10)
    here, there, later = (background_courses(scan.forward, scan.recipe("background"), 0) for scan in scans)
    mine, theirs = spectra(here, 45.0, 250.0), spectra(there, 45.0, 125.0)
    assert np.abs(mine - theirs).std() < 1e-3 * np.abs(mine).std()
    assert np.abs(np.corrcoef(here[0], later[0])[0, 1]) < 0.5


def test_channels_that_no_field_has_see_nothing_and_no_density_is_no_background(scans):
    scan = scans[0]
    clean = scan.clean
    wider = replace(clean, channels=(*clean.channels, replace(clean.channels[0], kind="TRIG")))
    recipe = scan.recipe("background")
    term = background.BACKGROUND.act(replace(scan.forward, clean=wider), recipe, 0, rng=None)
    assert term.dense().shape == (7, 5000)
    assert not term.maps[6].any()
    assert term.maps[:6].any()
    assert background.BACKGROUND.act(scan.forward, {**recipe, "density": 0.0}, 0, rng=None) is None


def test_eeg_meg_and_intracranial_eeg_of_a_run_have_the_same_sources():
    made = {}
    for name in ("eeg", "meg", "ieeg"):
        scan = fi.acquire(name, tiny_subject(), short_activity())
        recipe = scan.recipe("background")
        made[name] = recipe["places"], background_courses(scan.forward, recipe, 0)
        levels = np.sqrt((recipe["maps"] ** 2).sum(axis=1)) * recipe["density"]
        assert (levels > 0).all()
    for name in ("meg", "ieeg"):
        for mine, theirs in zip(made["eeg"], made[name], strict=True):
            np.testing.assert_array_equal(mine[:, : theirs.shape[1]], theirs)  # parts of MEG are shorter
