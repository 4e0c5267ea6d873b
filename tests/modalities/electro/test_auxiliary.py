import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import ParameterError
from fakeimaging.modalities import eeg as module
from fakeimaging.modalities.eeg import EegParameters
from fakeimaging.modalities.electro.auxiliary import on_channels
from fakeimaging.testing.fixtures import tiny_subject
from tests.modalities.electro.bodies import cap, row


@pytest.fixture(scope="module")
def run():
    return fi.simulate_activity(tiny_subject(), model="linear", duration=30.0)


def test_eye_and_heart_follow_the_electrodes(run):
    scan = fi.acquire("eeg", tiny_subject(), run)
    channels = scan.clean.channels
    assert [channel.kind for channel in channels] == ["EEG"] * 64 + ["VEOG", "HEOG", "ECG"]
    assert {channel.unit for channel in channels} == {"V"}
    assert scan.forward.context["sensors"].kinds == tuple(channel.kind for channel in channels)
    assert (scan.clean.to_array()[64:] == 0).all()
    assert np.ptp(scan.observed.to_array()[64:], axis=1).min() > 1e-5
    # The validator counts channels of the very type EOG.
    counts = module.sidecar(scan.parameters, scan.forward)
    assert [counts[f"{kind}ChannelCount"] for kind in ("EEG", "EOG", "ECG")] == [64, 0, 1]
    (table,) = [companion for companion in scan.forward.companions if companion.name == "channels"]
    assert [row[1] for row in table.rows[-3:]] == ["VEOG", "HEOG", "ECG"]


def test_the_average_reference_is_that_of_electrodes(run):
    kept = {"blinks", "saccades", "heart", "muscle", "reference"}
    off = [stage.name for stage in module.MODALITY.observe if stage.name not in kept]
    with_eyes, without = (
        fi.acquire("eeg", tiny_subject(), run, auxiliary=chosen, off=off) for chosen in (("VEOG", "HEOG", "ECG"), ())
    )
    assert without.clean.shape[0] == 64
    np.testing.assert_allclose(with_eyes.observed.to_array()[:64], without.observed.to_array(), atol=1e-10)
    before, after = (made.to_array()[64:] for made in (with_eyes.before("reference"), with_eyes.after("reference")))
    np.testing.assert_array_equal(before, after)


def test_mne_knows_their_types(run):
    raw = fi.acquire("eeg", tiny_subject(), run, auxiliary=("ECG", "VEOG")).to_mne()
    assert raw.get_channel_types()[-2:] == ["ecg", "eog"]
    assert raw.ch_names[-2:] == ["ECG", "VEOG"]


def test_a_pair_shows_the_difference_of_its_electrodes():
    forward, _ = cap()
    maps = on_channels(forward, lambda places: np.c_[places, np.ones(len(places))])
    up, ahead = maps[row(forward, "VEOG")], maps[row(forward, "HEOG")]
    assert up[2] > 60
    assert abs(up[0]) < 15
    assert ahead[0] > 110
    assert up[3] == ahead[3] == 0
    assert (maps[row(forward, "ECG")] == 0).all()
    np.testing.assert_allclose(maps[:64, :3], forward.context["sensors"].positions[:64])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"auxiliary": ["VEOG", "VEOG"]}, "each channel once"), ({"auxiliary": ["EOG"]}, "auxiliary")],
)
def test_a_wrong_channel_is_named(wrong, message):
    with pytest.raises(ParameterError, match=message):
        EegParameters.parse(wrong, where="eeg")
