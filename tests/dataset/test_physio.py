"""The files of pulse and belt: BIDS' form, and beats and breaths that a reader finds again; the true courses beside them."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from scipy.signal import find_peaks

import fakeimaging as fi
from fakeimaging.core.clocks import Clock
from fakeimaging.dataset import physio
from fakeimaging.modalities.bold.drift import drift_courses
from fakeimaging.modalities.motion import framewise_displacement

STEM = "sub-01_task-rest_run-1"


@pytest.fixture(scope="module")
def dataset(tiny_dataset):
    return fi.load(tiny_dataset)


def sensor(dataset, name):
    path = dataset.root / f"sub-01/func/{STEM}_recording-{name}_physio.tsv.gz"
    about = json.loads((path.with_name(path.name.replace(".tsv.gz", ".json"))).read_text())
    samples = pd.read_csv(path, sep="\t", header=None, names=about["Columns"])
    return about["StartTime"] + np.arange(len(samples)) / about["SamplingFrequency"], samples, about


@pytest.mark.parametrize("name", ["cardiac", "respiratory"])
def test_files_have_no_header_and_the_words_that_bids_asks_for(dataset, name):
    times, samples, about = sensor(dataset, name)
    assert about["Columns"] == [name, "trigger"]
    assert times[0] == -10.0
    assert times[-1] == pytest.approx(40.0 - 1 / about["SamplingFrequency"])
    # A volume starts at each trigger.
    volumes = dataset.recording("01", "bold").clean.clock.times
    np.testing.assert_allclose(times[samples["trigger"] == 1], volumes, atol=0.5 / about["SamplingFrequency"])
    packed = (dataset.root / f"sub-01/func/{STEM}_recording-{name}_physio.tsv.gz").read_bytes()
    assert packed[4:8] == bytes(4)  # no time stamp in the gzip header
    assert gzip.decompress(packed).decode().splitlines()[0] == f"{samples[name][0]}\t{samples['trigger'][0]}"


def test_a_reader_finds_each_beat_a_fifth_of_a_second_late(dataset):
    times, samples, about = sensor(dataset, "cardiac")
    peaks, _ = find_peaks(samples["cardiac"], prominence=500, distance=0.4 * about["SamplingFrequency"])
    beats = dataset.activity("01").physiology.beats
    beats = beats[(beats > -9.5) & (beats < 39)]
    found = times[peaks]
    delay = np.array([found[np.argmin(np.abs(found - beat - 0.36))] - beat for beat in beats])
    period = np.diff(beats).mean()
    assert abs(len(peaks) - 49.5 / period) < 3
    np.testing.assert_allclose(delay, physio.TRANSIT + physio.BUMPS[0][1] * period, atol=0.06)


def test_a_reader_finds_each_breath(dataset):
    times, samples, _ = sensor(dataset, "respiratory")
    belt = dataset.activity("01").physiology.belt(times)
    noise = samples["respiratory"] - physio.BASE - physio.SWING * belt
    assert abs(noise.mean()) < 4 * physio.NOISE / np.sqrt(len(noise))
    assert noise.std() == pytest.approx(physio.NOISE, rel=0.1)


def test_one_pulse_is_a_bump_with_its_reflection():
    body = fi.simulate_activity(fi.make_subject("01", seed=2, anatomy="tiny"), model="linear", duration=5.0).physiology
    times = np.linspace(0, 5, 5001)
    wave = physio.pulse(body, times)
    assert 0 <= wave.min() < 0.01
    assert wave.max() == pytest.approx(1.0, abs=0.02)
    beats = body.beats[(body.beats + physio.TRANSIT > 0) & (body.beats < 4)]
    assert (physio.pulse(body, beats + physio.TRANSIT) < 0.05).all()


def test_triggers_fall_on_the_nearest_sample():
    marks = physio.triggers(Clock(-1.0, 0.05, 100), Clock(0.0, 0.7, 4))
    assert np.flatnonzero(marks).tolist() == [20, 34, 48, 62]


def test_true_courses_are_those_of_the_recipes(dataset):
    recording = dataset.recording("01", "bold")
    table = pd.read_csv(
        dataset.root / f"derivatives/fakeimaging-truth/sub-01/func/{STEM}_desc-truth_timeseries.tsv", sep="\t"
    )
    about = json.loads(
        (dataset.root / f"derivatives/fakeimaging-truth/sub-01/func/{STEM}_desc-truth_timeseries.json").read_text()
    )
    assert set(about) == set(table)
    body, middle = dataset.activity("01").physiology, recording.clean.clock.times + 1.0
    np.testing.assert_allclose(table["cardiac_sin2"], np.sin(2 * body.cardiac_phase(middle)), atol=1e-8)
    np.testing.assert_allclose(table["respiratory_phase"], body.respiratory_phase(middle), atol=1e-8)
    motion = recording.recipe("motion")["parameters"]
    np.testing.assert_allclose(table[["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"]], motion, atol=1e-8)
    np.testing.assert_allclose(table["framewise_displacement"], framewise_displacement(motion), atol=1e-8)
    drift = drift_courses(recording.recipe("drift"), len(table))
    np.testing.assert_allclose(table[["drift", "drift_x", "drift_y", "drift_z"]], drift, atol=1e-8)
    rates = 60 / np.diff(body.beats)
    assert rates.min() <= table["heart_rate"].min() <= table["heart_rate"].max() <= rates.max()


def test_the_phases_of_each_slice_are_those_of_its_own_time(dataset):
    recording, body = dataset.recording("01", "bold"), dataset.activity("01").physiology
    phases = np.load(dataset.root / f"sourcedata/fakeimaging/sub-01/{STEM}_slice-phases.npy")
    assert phases.shape == (20, recording.clean.grid.shape[2], 2)
    time = recording.clean.clock.times[3] + recording.forward.context["slice_times"][5]
    assert phases[3, 5, 0] == pytest.approx(body.cardiac_phase(time), abs=1e-5)
    assert phases[3, 5, 1] == pytest.approx(body.respiratory_phase(time), abs=1e-5)
