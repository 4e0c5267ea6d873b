import json
from types import SimpleNamespace

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.files import write_tsv
from fakeimaging.dataset import names
from fakeimaging.dataset.artefacts import NAME, artefact_table
from fakeimaging.dataset.brainvision import write_brainvision
from fakeimaging.dataset.names import TRUTH
from fakeimaging.dataset.study import Acquisition
from fakeimaging.scoring import eeg as score
from fakeimaging.testing.fixtures import tiny_subject
from tests.modalities.test_eeg import RATE, noise, run_of


def rhythm(n, frequency, seed):
    """A noisy oscillation of unit SD."""
    rng = np.random.Generator(np.random.SFC64(seed))
    f = np.fft.rfftfreq(n, 1 / RATE)
    spectrum = np.exp(-(((f - frequency) / 0.6) ** 2) / 2) * (rng.standard_normal((len(f), 2)) @ [1, 1j])
    series = np.fft.irfft(spectrum, n)
    return series / series.std()


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("frequency", [8.3, 10.0, 11.7])
def test_the_alpha_peak_is_found_over_the_background(frequency, seed):
    n = 30_000
    series = np.stack(
        [noise(n, 1, seed=10 * seed + k)[:, 0] + 0.5 * rhythm(n, frequency, 100 * seed + k) for k in range(3)]
    )
    assert score.alpha_peak(series, RATE) == pytest.approx(frequency, abs=0.35)


def test_a_peak_that_is_lower_than_the_background_at_7_hz_is_found():
    series = np.stack(
        [noise(30_000, 1, seed=k, exponent=2.0)[:, 0] + 0.02 * rhythm(30_000, 11.0, 50 + k) for k in range(3)]
    )
    frequencies, power = score.spectrum(series, RATE)
    assert power[frequencies == 7.0] > power[frequencies == 11.0]
    assert score.alpha_peak(series, RATE) == pytest.approx(11, abs=0.4)


def test_the_background_of_a_power_law_is_itself():
    f = np.linspace(0, 125, 501)
    power = np.append(0, 3 * f[1:] ** -1.4)
    np.testing.assert_allclose(score.background(f, power)[1:], power[1:], rtol=1e-9)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_peak_of_noise_is_not_near_the_truth_by_more_than_chance(seed):
    rng = np.random.Generator(np.random.SFC64(seed))
    trials = [noise(5000, 1, seed=1000 * seed + k).T for k in range(40)]
    level = score.peak_chance(trials[0], RATE, 10.0, rng=rng)
    beaten = np.mean([abs(score.alpha_peak(series, RATE) - 10.0) < level for series in trials])
    assert 0 < level < 1
    assert beaten <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40) + 3 * np.sqrt(0.05 * 0.95 / 200)


def test_fewer_sources_than_channels_are_recovered_without_noise():
    rng = np.random.Generator(np.random.SFC64(2))
    gains, sources = rng.standard_normal((64, 8)), noise(2000, 8).T
    estimate = score.minimum_norm(gains, gains @ sources + 7.0)
    found, chance = score.source_agreement(estimate, sources, RATE, rng=rng)
    assert found > 0.97
    assert found > chance


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_chance_of_the_sources_keeps_autocorrelation(seed):
    """Slow series agree by chance: the median over 8 regions exceeds its 95th percentile one time in twenty."""
    rng = np.random.Generator(np.random.SFC64(seed))
    trials = [
        (noise(2500, 8, seed=2 * k + 1000 * seed).T, noise(2500, 8, seed=2 * k + 1 + 1000 * seed).T) for k in range(60)
    ]
    beaten = np.mean([np.subtract(*score.source_agreement(a, b, RATE, rng=rng)) > 0 for a, b in trials])
    assert beaten <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60) + 0.02


def test_the_agreement_is_the_median_correlation():
    a, b = noise(1000, 6, seed=1).T, noise(1000, 6, seed=2).T
    expected = np.median([np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)])
    assert score.source_agreement(a, b, RATE, rng=np.random.Generator(np.random.SFC64(1)))[0] == pytest.approx(expected)


def test_the_minimum_norm_assumes_nine_times_as_much_signal_as_noise():
    gain, course = np.arange(10.0)[:, None], np.array([[1.0, -2.0, 0.5]])
    # One source at 10 electrodes: power p in 9 degrees of freedom, so that the noise has p / 81.
    np.testing.assert_allclose(score.minimum_norm(gain, gain @ course), 81 / 82 * course, rtol=1e-9)


@pytest.mark.parametrize(("rate", "holds"), [(10.0, False), (12.5, False), (28.0, False), (31.25, True), (250.0, True)])
def test_a_slow_recording_holds_no_alpha(rate, holds):
    assert score.holds_alpha(rate) is holds
    if holds:
        series = np.random.default_rng(1).standard_normal((1, 2000))
        assert 7 <= score.alpha_peak(series, rate) <= 14


def test_a_band_is_the_one_that_is_asked_for():
    t = np.arange(0, 20, 1 / 250)
    series = np.stack([np.sin(2 * np.pi * f * t) for f in (1.4, 10.0, 60.0)])
    inside = slice(1000, 4000)
    narrow, wide = (
        score.band_passed(series, 250.0, **more)[:, inside] for more in ({}, {"band": (1.0, 40.0), "order": 2})
    )
    for passed, slow in ((narrow, 0.15), (wide, 0.9)):
        np.testing.assert_allclose(passed[1], series[1, inside], atol=0.02)
        assert passed[2].std() < 0.12
        assert (passed[0].std() > 0.55) == (slow > 0.5)


@pytest.fixture
def dataset(tmp_path):
    """A dataset of one EEG recording of ten regions, as far as its score reads it."""
    return recorded(tmp_path)


def recorded(tmp_path, **parameters):
    subject, n = tiny_subject(), 15_000
    samples = 0.1 * np.stack([noise(n, 1, seed=k)[:, 0] + 0.7 * rhythm(n, 10.0, 50 + k) for k in range(10)], axis=1)
    recording = fi.acquire("eeg", subject, run_of(subject, samples), **parameters)
    scan = names.Scan("01", None, "eeg", "rest", 1, Acquisition.parse({"modality": "eeg", "task": "rest"}))
    write_brainvision(tmp_path / scan.raw, recording.observed)
    write_brainvision(tmp_path / scan.clean, recording.clean)
    (tmp_path / scan.sidecar).write_text(
        json.dumps(recording.modality.sidecar(recording.parameters, recording.forward))
    )
    (channels,) = (table for table in recording.companions if table.name == "channels")
    write_tsv(tmp_path / scan.beside("channels.tsv"), list(channels.columns), [list(row) for row in channels.rows])
    table = artefact_table(recording, [])
    write_tsv(tmp_path / TRUTH / scan.beside(f"{NAME}.tsv"), list(table.columns), [list(row) for row in table.rows])
    path = tmp_path / names.tap_file("01", None, "rest", 1, "dipole")
    path.parent.mkdir(parents=True)
    np.save(path, samples.astype(np.float32))
    np.save(tmp_path / scan.regional("region_gain"), recording.truth["region_gain"])
    path.with_suffix(".json").write_text(json.dumps({"clock_s": {"start": -19.998, "step": 0.004, "n": n}}))
    study = SimpleNamespace(seed=1, sessions=[SimpleNamespace(label=None)])
    return SimpleNamespace(root=tmp_path, study=study, subject=lambda label: subject), scan, path


def test_a_recording_is_scored_and_beats_chance(dataset):
    opened, scan, _ = dataset
    peak, sources, *detected = score.score_eeg(opened, scan)
    assert (peak.name, sources.name) == ("alpha_peak", "sources")
    assert detected[-1].name == "beats"
    assert all(row.estimate > 0.9 and row.beats_chance for row in detected)
    assert peak.estimate == pytest.approx(10, abs=0.5)
    assert abs(peak.error) < 0.1
    assert peak.beats_chance
    assert sources.beats_chance
    assert sources.estimate > 0.3
    assert sources.n == 10


def test_another_truth_leaves_the_estimate_alone(dataset):
    """The estimate of the peak comes from the raw file; without the true dipoles the sources agree with nothing."""
    opened, scan, path = dataset
    before = list(score.score_eeg(opened, scan))[:2]
    np.save(path, noise(15_000, 10, seed=99).astype(np.float32))
    after = list(score.score_eeg(opened, scan))[:2]
    assert after[0] == before[0]
    assert after[1].estimate < 0.1


def test_a_short_recording_has_no_row(dataset, monkeypatch):
    opened, scan, _ = dataset
    monkeypatch.setattr(score, "SHORTEST", 1000.0)
    assert list(score.score_eeg(opened, scan)) == []


@pytest.mark.parametrize("rate", [10.0, 12.5])
def test_a_recording_too_slow_for_alpha_has_no_row_of_it(tmp_path, rate):
    opened, scan, _ = recorded(tmp_path, sampling_frequency=rate)
    (sources,) = score.score_eeg(opened, scan)
    assert sources.name == "sources"
    assert np.isfinite(sources.estimate)


def test_channels_that_are_marked_bad_are_left_out(tmp_path):
    opened, scan, _ = recorded(tmp_path, bad_channels={"O1": "noisy", "T7": "noisy"}, noisy_amplitude=1e-3)
    peak, sources, *detected = score.score_eeg(opened, scan)
    assert peak.n == 2
    assert abs(peak.error) < 0.1
    assert sources.beats_chance
    assert detected[-1].name == "bad_channels"
    assert detected[-1].n == 2
    assert detected[-1].estimate > 0.75
