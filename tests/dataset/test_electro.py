"""What stands in files of EEG and MEG beside the samples, as MNE-Python reads it."""

import mne
import numpy as np

import fakeimaging as fi
from fakeimaging.dataset.electro import write_series
from fakeimaging.testing.fixtures import tiny_subject


def test_a_fif_file_says_what_the_recording_is(tmp_path):
    condition = {"trial_type": "go", "regions": ["all"], "amplitude": 0.0, "onsets": [1.0], "duration": 0.5}
    run = fi.simulate_activity(tiny_subject(), model="linear", duration=3.0, conditions=[condition])
    recording = fi.acquire(
        "meg", tiny_subject(), run, array="ctf151", low_pass=40.0, high_pass=0.5, line_frequency=60.0
    )
    write_series(recording, tmp_path / "x_meg.fif")
    found, expected = mne.io.read_raw_fif(tmp_path / "x_meg.fif", verbose="error"), recording.to_mne()
    np.testing.assert_allclose(found.get_data(), expected.get_data(), atol=0, rtol=1e-5)
    np.testing.assert_allclose(found.info["dev_head_t"]["trans"], expected.info["dev_head_t"]["trans"], atol=1e-6)
    for one, other in zip(found.info["chs"], expected.info["chs"], strict=True):
        assert (one["kind"], one["unit"]) == (other["kind"], other["unit"])
        if one["kind"] == 1:
            assert one["coil_type"] == other["coil_type"]
            np.testing.assert_allclose(one["loc"], other["loc"], atol=1e-6)
    points = {(int(p["kind"]), int(p["ident"])): p["r"] for p in found.info["dig"]}
    for p in expected.info["dig"]:
        if p["kind"] in (1, 2):
            np.testing.assert_allclose(points[int(p["kind"]), int(p["ident"])], p["r"], atol=1e-6)
    assert points[1, 1][0] < 0 < points[1, 3][0]  # left ear, right ear
    assert (found.info["lowpass"], found.info["highpass"], found.info["line_freq"]) == (40.0, 0.5, 60.0)
    assert list(
        zip(found.annotations.onset, found.annotations.duration, found.annotations.description, strict=True)
    ) == [(1.0, 0.5, "go")]
