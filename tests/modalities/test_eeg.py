from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt, welch

import fakeimaging as fi
from fakeimaging.activity.physiology import Physiology, PhysiologyParameters, make_physiology
from fakeimaging.activity.taps import Tap
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError, ParameterError, RateError, UnknownNameError
from fakeimaging.core.streams import Streams
from fakeimaging.modalities import eeg as module
from fakeimaging.modalities.eeg import EegParameters
from fakeimaging.modalities.electro import lead_field as lf
from fakeimaging.modalities.electro import projection
from fakeimaging.modalities.electro.electrodes import MONTAGES
from fakeimaging.modalities.electro.filters import cutoffs
from fakeimaging.modalities.electro.projection import region_gain
from fakeimaging.modalities.electro.sources import field_scale
from fakeimaging.modalities.electro.to_mne import series_to_mne, to_mne_forward
from fakeimaging.modalities.ieeg import IeegParameters
from fakeimaging.modalities.meg import MegParameters
from fakeimaging.testing.fixtures import tiny_subject

RATE = 250.0
BIOSEMI = MONTAGES["biosemi64"]
ARTEFACTS = ("blinks", "saccades", "heart", "muscle")


@dataclass(frozen=True, eq=False)
class Run:
    """A run with dipoles of our own making."""

    streams: Streams
    duration: float
    taps: dict
    physiology: Physiology
    session: str | None = None
    courses: Tap | None = None
    events: tuple = ()
    sources: tuple = ()

    def tap(self, name):
        return self.taps[name]

    def modes(self, name):
        return self.courses


def tap_of(samples, before=20.0, rate=RATE):
    """Samples (n, n_regions), the warm-up of ``before`` seconds included."""
    return Tap("dipole", "nAm/mm2", Clock(0.5 / rate - before, 1 / rate, len(samples)), samples.astype(np.float32))


def run_of(subject, samples, *, blinks=((3.0, 0.25, 1.0), (7.0, 0.3, 1.2)), before=20.0, **changes):
    duration = len(samples) / RATE - before
    streams = subject.streams.at("task-rest", "run-1")
    onsets, durations, strengths = np.array(blinks).reshape(-1, 3).T
    body = replace(
        make_physiology(duration, PhysiologyParameters(), streams=streams),
        blink_onsets=onsets, blink_durations=durations, blink_strengths=strengths,
    )  # fmt: skip
    return Run(streams, duration, {"dipole": tap_of(samples, before)}, body, **changes)


def noise(n, n_regions, seed=1, exponent=1.2):
    """1/f noise of unit SD, shape (n, n_regions)."""
    rng = np.random.Generator(np.random.SFC64(seed))
    frequencies = np.fft.rfftfreq(n, 1 / RATE)
    shape = np.zeros(len(frequencies))
    shape[1:] = np.maximum(frequencies[1:], 0.1) ** (-exponent / 2)
    spectrum = shape[:, None] * (rng.standard_normal((len(shape), n_regions, 2)) @ [1, 1j])
    series = np.fft.irfft(spectrum, n, axis=0)
    return series / series.std(axis=0)


@lru_cache(maxsize=1)
def person():
    return fi.make_subject("01", seed=1)


@pytest.fixture(scope="module")
def short():
    subject = tiny_subject()
    return fi.acquire("eeg", subject, run_of(subject, 0.1 * noise(12500, 10)))


def test_clean_is_the_regional_lead_field_times_the_dipoles(short):
    subject = tiny_subject()
    gains = region_gain(subject, lf.electric().at(BIOSEMI))
    expected = gains @ short_samples()[5000:].T
    expected -= expected.mean(axis=1, keepdims=True)
    clean = short.clean.to_array()
    np.testing.assert_allclose(clean[:64], expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    assert clean.shape == (67, 7500)
    assert (clean[64:] == 0).all()
    np.testing.assert_allclose(short.truth["region_gain"], gains.T, rtol=1e-6)


def short_samples():
    return (0.1 * noise(12500, 10)).astype(np.float32).astype(float)


def test_modes_add_to_it():
    subject = tiny_subject()
    field = lf.electric().at(BIOSEMI)
    mode_gains = field.project(projection.mode_moments(subject, field.space))
    courses = noise(7500, 20, seed=5)
    plain = fi.acquire("eeg", subject, run_of(subject, 0.1 * noise(7500, 10)))
    both = fi.acquire("eeg", subject, run_of(subject, 0.1 * noise(7500, 10), courses=tap_of(courses)))
    added = mode_gains @ courses[5000:].T
    difference = (both.clean.to_array() - plain.clean.to_array())[:64]
    wanted = added - added.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(difference, wanted, atol=1e-4 * np.abs(wanted).max())


def test_dipoles_that_never_change_make_nothing():
    subject = tiny_subject()
    scan = fi.acquire("eeg", subject, run_of(subject, np.full((7500, 10), 3.0)))
    assert np.abs(scan.clean.to_array()).max() < 1e-9


def test_a_tenth_of_a_nanoampere_metre_makes_an_eeg_of_10_to_50_microvolts():
    subject = person()
    clean = fi.acquire("eeg", subject, run_of(subject, 0.1 * noise(12500, 100))).clean.to_array()
    low = butter(4, (1, 45), "bandpass", fs=RATE, output="sos")
    level = sosfiltfilt(low, clean - clean.mean(axis=0), axis=1).std(axis=1)
    assert 5e-6 < np.median(level) < 25e-6  # independent regions with half their power below 1 Hz


def test_alpha_of_visual_cortex_is_largest_over_the_occiput():
    subject = person()
    visual = np.array([region.kind == "cortex" and region.centroid[1] < -75 for region in subject.regions])
    samples = 0.1 * np.outer(np.sin(2 * np.pi * 10 * np.arange(7500) / RATE), visual)
    scan = fi.acquire(
        "eeg", subject, run_of(subject, samples), off=["background", "sensor", *ARTEFACTS, "line", "drift", "sweat"]
    )
    level = scan.observed.to_array()[:64].std(axis=1)
    loudest = [BIOSEMI[i] for i in np.argsort(level)[-6:]]
    assert all(name.startswith(("O", "PO", "I", "P")) for name in loudest)
    front = level[[BIOSEMI.index(name) for name in ("Fp1", "Fpz", "Fp2", "F3", "F4")]]
    back = level[[BIOSEMI.index(name) for name in ("O1", "Oz", "O2")]]
    assert back.mean() > 2.5 * front.mean()


def test_references_are_constant_over_channels(short):
    subject = tiny_subject()
    run = run_of(subject, 0.1 * noise(12500, 10))
    average, single = (
        fi.acquire("eeg", subject, run, reference=name, off=["quantisation"]).observed.to_array()[:64]
        for name in ("average", "Cz")
    )
    none = fi.acquire("eeg", subject, run, off=["quantisation", "reference"]).observed.to_array()[:64]
    assert np.abs(average.mean(axis=0)).max() < 1e-10
    assert (single[BIOSEMI.index("Cz")] == 0).all()
    for series in (single, none):
        np.testing.assert_allclose(series - series.mean(axis=0), average, atol=2e-10)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_noise_has_the_density_asked_for(seed):
    subject = tiny_subject(seed=seed)
    scan = fi.acquire(
        "eeg", subject, run_of(subject, np.zeros((20_000, 10))), amplifier_noise=1e-7, electrode_noise=5e-7
    )
    noisy = scan.layer("sensor").to_array()
    electrode = scan.recipe("sensor")["electrode"]
    assert np.log(electrode / 5e-7).std() == pytest.approx(0.3, rel=4 / np.sqrt(128))
    frequencies, power = welch(noisy, RATE, nperseg=1000)
    for low, high in ((1, 3), (8, 12), (90, 115)):
        band = (frequencies >= low) & (frequencies <= high)
        expected = 1e-14 + np.outer(electrode**2, 1 / frequencies[band])
        n_values = 64 * band.sum() * 60
        assert (power[:, band] / expected).mean() == pytest.approx(1, abs=0.02 + 4 / np.sqrt(n_values))


def test_noise_of_other_channels_and_scans_is_independent(short):
    subject = tiny_subject()
    run = run_of(subject, 0.1 * noise(12500, 10))
    again = fi.acquire("eeg", subject, run, repeat=2)
    first, second = short.layer("sensor").to_array()[:4], again.layer("sensor").to_array()[:4]
    fast = butter(2, 20, "highpass", fs=RATE, output="sos")
    joined = np.corrcoef(sosfiltfilt(fast, np.concatenate([first, second]), axis=1))
    assert np.abs(joined - np.eye(8)).max() < 6 / np.sqrt(7500)


@pytest.mark.parametrize("nominal", [50.0, 60.0])
def test_mains_hum_is_at_its_frequency_and_its_size(nominal):
    subject = tiny_subject()
    run = run_of(subject, np.zeros((12500, 10)))
    layer = fi.acquire("eeg", subject, run, line_frequency=nominal).layer("line").to_array()
    frequencies = np.fft.rfftfreq(layer.shape[1], 1 / RATE)
    power = (np.abs(np.fft.rfft(layer * np.hanning(layer.shape[1]), axis=1)) ** 2).sum(axis=0)
    assert frequencies[power.argmax()] == pytest.approx(nominal, abs=0.12)
    assert power[np.abs(frequencies - nominal) < 1].sum() > 0.999 * power.sum()
    assert np.median(layer.std(axis=1)) == pytest.approx(3e-6, rel=0.3)


def test_harmonics_above_half_the_sampling_rate_do_not_alias():
    subject = tiny_subject()
    run = run_of(subject, np.zeros((12500, 10)))
    slow = fi.acquire("eeg", subject, run, sampling_frequency=50.0, line_frequency=50.0).layer("line").to_array()
    assert (slow == 0).all()


def test_stored_samples_are_whole_steps(short):
    steps = short.observed.to_array() / short.clean.steps[:, None]
    assert short.clean.steps[0] == 1e-7
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)
    loud = fi.acquire(
        "eeg", tiny_subject(), run_of(tiny_subject(), 0.1 * noise(7500, 10)), blink_amplitude=2e-3, resolution=1e-9
    )
    assert np.abs(loud.observed.to_array()[:64]).max() == pytest.approx(32767e-9)


@pytest.mark.parametrize(("rate", "message"), [(500.0, "above the 250 Hz"), (100.013, "no ratio of whole numbers")])
def test_a_rate_that_the_dipoles_do_not_have_is_refused(rate, message):
    subject = tiny_subject()
    with pytest.raises(RateError, match=message):
        fi.acquire("eeg", subject, run_of(subject, np.zeros((7500, 10))), sampling_frequency=rate)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"montage": ["Cz", "cz9"]}, "montage.*no electrode 'cz9'"),
        ({"montage": ["Cz"]}, "at least two electrodes"),
        ({"montage": ["Cz", "Pz", "Cz"]}, "each once"),
        ({"montage": "biosemi65"}, "no montage .biosemi65.; did you mean .biosemi64."),
        ({"reference": "M1"}, "'M1' is no electrode of the montage"),
        ({"sampling_frequency": 0.25}, "outside"),
        ({"line_frequency": 500.0}, "outside"),
        ({"reference": "Cz,TP9"}, "'TP9' is no electrode of the montage"),
        ({"low_pass": 200.0}, "`low_pass`: 200 Hz is not below half the sampling rate|low_pass.*not below half"),
        ({"low_pass": "automatic"}, "low_pass"),
        ({"high_pass": 120.0}, "leaves nothing below 100 Hz"),
        ({"high_pass": 0.0}, "`eeg.high_pass`: 0 Hz is below 0.0001 Hz; 'none' is DC-coupled"),
        ({"low_pass": 0.0}, "`eeg.low_pass`: 0 Hz is not above 0; 'none' is no filter"),
        ({"sfreq": 500.0}, "`eeg.sfreq`: no such key; did you mean `sampling_frequency`"),
        ({"montage": "Cz,Pz"}, r"no montage 'Cz,Pz'; electrodes stand in a list: \["),
        ({"bad_channels": ["T7"]}, "'T7' is bad in what way"),
    ],
)
def test_a_wrong_parameter_is_named(wrong, message):
    with pytest.raises(ParameterError, match=message):
        EegParameters.parse(wrong, where="eeg")


def test_linked_electrodes_may_stand_in_a_list():
    assert EegParameters.parse({"reference": ["P9", "P10"]}) == EegParameters.parse({"reference": "P9, P10"})
    with pytest.raises(ParameterError, match="'TP9' is no electrode of the montage"):
        EegParameters.parse({"reference": ["TP9", "P10"]})


@pytest.mark.parametrize("parameters", [EegParameters, IeegParameters, MegParameters])
def test_an_amplifier_may_have_no_filters(parameters):
    assert cutoffs(parameters.parse({"high_pass": "none", "low_pass": "none"})) == (None, None)


def test_eeg_needs_an_activity_with_dipoles():
    with pytest.raises(InputError, match="images activity"):
        fi.acquire("eeg", tiny_subject())
    rates_only = replace(run_of(tiny_subject(), np.zeros((7500, 10))), taps={})
    with pytest.raises(
        UnknownNameError, match="eeg reads the tap 'dipole', and there is none; add 'dipole' to the run's `taps`"
    ):
        fi.acquire("eeg", tiny_subject(), rates_only)


def test_the_tables_say_what_was_recorded(short):
    tables = {companion.name: companion for companion in short.forward.companions}
    assert set(tables) == {"channels", "space-CapTrak_electrodes", "space-CapTrak_coordsystem"}
    assert [row[0] for row in tables["channels"].rows] == [c.name for c in short.clean.channels]
    assert [row[0] for row in tables["channels"].rows if row[1] == "EEG"] == list(BIOSEMI)
    keys = module.sidecar(short.parameters, short.forward)
    kinds = ("EEG", "EOG", "ECG", "EMG", "MISC", "Trigger")
    assert [keys[f"{kind}ChannelCount"] for kind in kinds] == [64, 0, 1, 0, 0, 0]
    assert keys["RecordingDuration"] == pytest.approx(30)
    assert keys["EEGReference"] == "average"
    assert keys["HardwareFilters"]["high-pass"]["cutoff (Hz)"] == 0.016
    assert {tuple(row[3:5]) for row in tables["channels"].rows} == {(0.016, 100.0)}


def test_mne_gets_the_samples_the_montage_and_the_landmarks(short):
    raw = series_to_mne(short)
    np.testing.assert_array_equal(raw.get_data().astype(np.float32), short.observed.to_array())
    positions = raw.get_montage().get_positions()
    assert positions["coord_frame"] == "head"
    assert positions["nasion"][1] > 0.09
    assert list(positions["ch_pos"]) == list(BIOSEMI)
    assert (raw.info["highpass"], raw.info["lowpass"]) == (0.016, 100.0)
    bare = series_to_mne(replace(short, off=frozenset({"filter"})))
    assert (bare.info["highpass"], bare.info["lowpass"]) == (0.0, 125.0)


def test_a_recording_hands_itself_to_mne_and_an_image_does_not(short):
    np.testing.assert_array_equal(short.to_mne().get_data(), series_to_mne(short).get_data())
    np.testing.assert_array_equal(short.to_mne_forward()["sol"]["data"], to_mne_forward(short)["sol"]["data"])
    with pytest.raises(InputError, match="t1w is an image"):
        fi.acquire("t1w", tiny_subject(), voxel_size=8.0).to_mne()


@pytest.mark.slow
def test_mne_inverts_our_forward_solution(short):
    import mne

    raw = series_to_mne(short, short.clean).pick("eeg")
    forward = to_mne_forward(short)
    field = lf.electric().at(BIOSEMI)
    scale = field_scale(tiny_subject(), field.space)
    np.testing.assert_allclose(forward["sol"]["data"], scale * field.columns()[:, :20484])
    source = 3000
    data = np.outer(forward["sol"]["data"][:, source], np.ones(10)) * 1e-8
    evoked = mne.EvokedArray(data, raw.info, verbose=False).set_eeg_reference(projection=True, verbose=False)
    covariance = mne.make_ad_hoc_cov(evoked.info, verbose=False)
    operator = mne.minimum_norm.make_inverse_operator(
        evoked.info, forward, covariance, fixed=True, loose=0.0, depth=None, verbose=False
    )
    estimate = mne.minimum_norm.apply_inverse(evoked, operator, 1 / 9, "sLORETA", verbose=False)
    found = np.abs(estimate.data[:, 0]).argmax()
    places = lf.electric().field.space.points
    assert np.linalg.norm(places[found] - places[source]) < 1
