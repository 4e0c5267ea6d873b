"""Field maps in a dataset: names, what their sidecars say, the truth beside them, and the derivative that has the distortion undone."""

import json

import nibabel as nib
import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.spaces import Grid
from fakeimaging.dataset.verify import verify
from fakeimaging.modalities.spline import resample_volume
from tests.dataset.test_dataset import bids_errors

QUIET = ["physiological", "drift", "cardiac", "respiratory", "heart_rate", "spin_history", "ghost", "thermal"]
FUNC, FMAP = "sub-01/ses-a/func/sub-01_ses-a", "sub-01/ses-a/fmap/sub-01_ses-a"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    runs = [
        {"task": "rest", "run": run, "duration": 12.0, "model": "linear", "physiology": {"motion": 2.0}}
        for run in (1, 2)
    ]
    scans = [
        {"run": 1, "voxel_size": 5.0, "fieldmap": "epi", "echo_spacing": 0.001, "off": QUIET},
        {"run": 2, "voxel_size": 8.0, "fieldmap": "phasediff", "echo_times": [0.015, 0.03]},
        {"run": 2, "repeat": 2, "voxel_size": 8.0, "fieldmap": "epi", "phase_encoding": "i", "orientation": "LAS"},
    ]
    session = {
        "label": "a",
        "runs": runs,
        "acquisitions": [{"modality": "bold", "task": "rest", **scan} for scan in scans],
    }
    study = {"seed": 3, "subject": {"anatomy": "tiny"}, "sessions": [session]}
    return fi.simulate_study(study, tmp_path_factory.mktemp("fmap") / "out")


def about(dataset, name):
    return json.loads((dataset.root / name).read_text())


def test_the_validator_finds_no_error(dataset):
    errors, _ = bids_errors(dataset.root)
    assert errors == []


def test_the_files_are_those_of_each_scan(dataset):
    found = {path.name.removeprefix("sub-01_ses-a_") for path in (dataset.root / FMAP).parent.glob("*.nii.gz")}
    assert found == {
        "acq-rest_dir-AP_run-1_epi.nii.gz", "acq-rest_dir-PA_run-1_epi.nii.gz",
        "acq-rest_run-2_magnitude1.nii.gz", "acq-rest_run-2_magnitude2.nii.gz", "acq-rest_run-2_phasediff.nii.gz",
        "acq-restrepeat2_dir-LR_run-2_epi.nii.gz", "acq-restrepeat2_dir-RL_run-2_epi.nii.gz",
    }  # fmt: skip
    assert verify(dataset.root, "01").problems == ()


def test_maps_and_scans_name_each_other(dataset):
    pair = [about(dataset, f"{FMAP}_acq-rest_dir-{label}_run-1_epi.json") for label in ("AP", "PA")]
    for keys in pair:
        assert keys["IntendedFor"] == [f"bids::{FUNC}_task-rest_run-1_bold.nii.gz"]
        assert keys["B0FieldIdentifier"] == about(dataset, f"{FUNC}_task-rest_run-1_bold.json")["B0FieldSource"]
    phase = about(dataset, f"{FMAP}_acq-rest_run-2_phasediff.json")
    echoes = [f"{FUNC}_task-rest_run-2_echo-{echo}_bold" for echo in (1, 2)]
    assert phase["IntendedFor"] == [f"bids::{echo}.nii.gz" for echo in echoes]
    assert {about(dataset, f"{echo}.json")["B0FieldSource"] for echo in echoes} == {phase["B0FieldIdentifier"]}
    assert phase["B0FieldIdentifier"] != pair[0]["B0FieldIdentifier"]
    truth = about(dataset, f"derivatives/fakeimaging-truth/{FUNC}_task-rest_run-1_desc-clean_bold.json")
    assert "B0FieldSource" not in truth


def test_the_true_field_and_shift_are_stored(dataset):
    recording = dataset.recording("01", "bold", run=1, task="rest", session="a")
    folder = dataset.root / "derivatives/fakeimaging-truth/sub-01/ses-a/fmap"
    stem = folder / "sub-01_ses-a_acq-rest_run-1"
    field = nib.load(f"{stem}_desc-truth_fieldmap.nii.gz")
    truth = recording.forward.context["maps"].frequency
    np.testing.assert_allclose(field.get_fdata(), truth, atol=1e-4 * np.abs(truth).max())
    np.testing.assert_allclose(field.affine, recording.clean.grid.affine, atol=1e-4)
    shift = nib.load(f"{stem}_desc-shift_fieldmap.nii.gz").get_fdata()
    expected = -truth * 0.001 * truth.shape[1] * 5.0
    np.testing.assert_allclose(shift, expected, atol=1e-4 * np.abs(expected).max())


def test_the_derivative_has_the_distortion_undone(dataset):
    """A moved, distorted image without noise comes back to the clean one in template space: 2.5 % of its RMS, near the air 12 %."""
    recording, subject = dataset.recording("01", "bold", run=1, task="rest", session="a"), dataset.subject("01")
    func = dataset.root / "derivatives/fakeimaging-prep/sub-01/ses-a/func"
    stem = func / "sub-01_ses-a_task-rest_run-1_space-tiny"
    series = nib.load(f"{stem}_desc-preproc_bold.nii.gz")
    grid, native = Grid(series.shape[:3], series.affine), recording.clean.grid
    to_native = np.linalg.inv(subject.anatomy.to_template)
    motion = recording.recipe("motion")["parameters"]
    v = int(np.abs(motion).sum(axis=1).argmax())
    right = resample_volume(recording.clean.make(v), native, grid, to_native)
    shift = recording.recipe("distortion")["voxels_per_hz"] * recording.forward.context["maps"].frequency
    there, steep = (
        np.abs(resample_volume(np.abs(values), native, grid, to_native))
        for values in (shift, np.gradient(shift, axis=1))
    )
    head = (right > 600) & (steep < 0.5)
    stored = np.asarray(series.dataobj[..., v])
    raw = resample_volume(recording.observed.make(v), native, grid, to_native)

    def error(image, where):
        return np.sqrt(np.mean((image - right)[where] ** 2) / np.mean(right[where] ** 2))

    assert error(stored, head) < 0.025
    shifted = head & (there > 0.4)
    assert shifted.sum() > 100
    assert error(stored, shifted) < 0.12
    assert error(stored, shifted) < 0.6 * error(raw, shifted)
