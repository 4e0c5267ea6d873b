"""EEG and BOLD of one run in one scanner: triggers, artefacts and heart beats of the files fit each other."""

import json
from pathlib import Path

import mne
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.signal import find_peaks

import fakeimaging as fi
from fakeimaging.core.errors import ParameterError
from fakeimaging.dataset.physio import BUMPS, TRANSIT

STUDY = Path(__file__).parents[2] / "data/studies/eeg_fmri.toml"
STEM = "sub-01_task-rest_run-1"
SETTINGS = ["subject.anatomy=tiny", "runs.model=linear", "runs.duration=41.0"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    study = fi.read_study(STUDY, SETTINGS, small=True).only(["bold", "eeg"])
    return fi.simulate_study(study, tmp_path_factory.mktemp("eeg-fmri") / "dataset")


@pytest.fixture(scope="module")
def raw(dataset):
    return mne.io.read_raw_brainvision(
        dataset.root / f"sub-01/eeg/{STEM}_eeg.vhdr", eog=("VEOG", "HEOG"), misc=("ECG",), preload=True, verbose="error"
    )


def test_a_trigger_marks_each_volume_of_the_image(dataset, raw):
    events, codes = mne.events_from_annotations(raw, verbose="error")
    (code,) = (number for name, number in codes.items() if "R128" in name)
    image = nib.load(dataset.root / f"sub-01/func/{STEM}_bold.nii.gz")
    about = json.loads((dataset.root / f"sub-01/func/{STEM}_bold.json").read_text())
    onsets = events[events[:, 2] == code, 0] / raw.info["sfreq"]
    assert len(onsets) == image.shape[3] == 20
    np.testing.assert_allclose(onsets, about["RepetitionTime"] * np.arange(20), atol=0.5 / raw.info["sfreq"])


def test_the_gradient_artefact_repeats_each_volume(dataset, raw):
    artefact = dataset.recording("01", "eeg").layer("gradient").to_array()
    n = round(2.0 * raw.info["sfreq"])
    scale = np.abs(artefact).max()
    assert scale > 1e-4
    np.testing.assert_allclose(artefact[:, n : 20 * n], artefact[:, : 19 * n], atol=1e-4 * scale)
    assert np.abs(artefact[:, n // 2 : n] - artefact[:, : n - n // 2]).max() > 0.3 * scale
    assert np.abs(artefact[:, 20 * n :]).max() == 0
    assert locked(raw, n) > 5
    assert locked(raw, n + 3) < 2


def locked(raw, n):
    """Return how much stays of the mean over stretches of n samples, over what chance would leave: 1 where nothing repeats."""
    stretches = raw.get_data("eeg")[:, : 19 * n].reshape(-1, 19, n)
    stretches = stretches - stretches.mean(axis=2, keepdims=True)
    mean = stretches.mean(axis=1, keepdims=True)
    return 19 * mean.var() / (stretches - mean).var()


def test_beats_in_the_eeg_are_the_pulses_beside_bold_and_blinks_those_of_the_run(dataset, raw):
    body, rate = dataset.activity("01").physiology, raw.info["sfreq"]
    ecg = mne.filter.filter_data(raw.get_data("ECG")[0], rate, 2.0, 40.0, verbose="error")
    beats = find_peaks(ecg, height=0.5 * ecg.max(), distance=round(0.4 * rate))[0] / rate
    true = body.beats[(body.beats > 0.5) & (body.beats < 40.5)]
    beats = beats[(beats > 0.5) & (beats < 40.5)]
    np.testing.assert_allclose(beats, true, atol=3 / rate)

    path = dataset.root / f"sub-01/func/{STEM}_recording-cardiac_physio.tsv.gz"
    about = json.loads(path.with_name(path.name.replace(".tsv.gz", ".json")).read_text())
    pulse = pd.read_csv(path, sep="\t", header=None, names=about["Columns"])["cardiac"]
    rate = about["SamplingFrequency"]
    pulses = about["StartTime"] + find_peaks(pulse, prominence=500, distance=0.4 * rate)[0] / rate
    delays = np.array([pulses[pulses > beat].min() - beat for beat in beats if beat < 39])
    np.testing.assert_allclose(delays, TRANSIT + BUMPS[0][1] * np.diff(true).mean(), atol=0.06)

    rate = raw.info["sfreq"]
    eyes = mne.filter.filter_data(raw.get_data("VEOG")[0], rate, 1.0, 10.0, verbose="error")
    middles = body.blink_onsets + 0.4 * body.blink_durations
    strong = body.blink_strengths > 0.7
    inside = strong & (middles > 1) & (middles < 40)
    assert inside.sum() > 3
    for middle in middles[inside]:
        near = slice(round((middle - 0.1) * rate), round((middle + 0.1) * rate))
        assert np.abs(eyes[near]).max() > 5 * np.median(np.abs(eyes))


def test_another_pace_than_that_of_the_bold_of_the_run_is_refused():
    with pytest.raises(ParameterError, match=r"acquisitions\[2\].scanner_tr`: 2 s, but .* has tr = 1.5 s"):
        fi.read_study(STUDY, ["bold.tr=1.5"])
    assert fi.read_study(STUDY, ["bold.tr=1.5", "eeg.scanner_tr=1.5"]).sessions
    assert fi.read_study(STUDY, ["bold.tr=1.5", "eeg.scanner=none"]).sessions
