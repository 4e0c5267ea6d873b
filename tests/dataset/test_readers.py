"""Other people's readers on a dataset of ours: nilearn's models and confounds, MNE-BIDS."""

import json
import shutil
import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

import fakeimaging as fi
from fakeimaging.dataset.confounds import MOTION
from fakeimaging.dataset.verify import verify
from tests.dataset.test_dataset import bids_errors

PREP, SPACE = "derivatives/fakeimaging-prep", "space-MNI152NLin2009aSym"
TASK = {
    "task": "look",
    "duration": 60.0,
    "conditions": [{"trial_type": "look", "near": [[-8, -88, 0]], "amplitude": 0.05, "duration": 10.0, "onset": 5.0, "period": 25.0}],
}  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    bold = {"modality": "bold", "task": "look", "voxel_size": 7.0, "tr": 1.5}
    session = {
        "runs": [{**TASK, "run": 1}, {**TASK, "run": 2}],
        "acquisitions": [{**bold, "run": 1}, {**bold, "run": 2}, {"modality": "eeg", "task": "look", "montage": "standard_1020"}],
    }  # fmt: skip
    return fi.simulate_study({"seed": 3, "sessions": [session]}, tmp_path_factory.mktemp("readers") / "out")


@pytest.mark.parametrize("strategy", ["simple", "scrubbing", "compcor"])
def test_nilearn_loads_the_confounds(dataset, strategy):
    from nilearn.interfaces.fmriprep import load_confounds_strategy

    images = sorted(dataset.root.glob("derivatives/fakeimaging-prep/sub-01/func/*preproc_bold.nii.gz"))
    assert len(images) == 2
    for image in images:
        table, kept = load_confounds_strategy(str(image), denoise_strategy=strategy)
        assert len(table) == 40
        assert np.isfinite(table.to_numpy()).all()
        assert kept is None or len(kept) > 30


def test_nilearn_fits_the_task_from_the_folder_alone(dataset):
    from nilearn.glm.first_level import first_level_from_bids

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nilearn deprecates defaults of its own here
        models, images, events, confounds = first_level_from_bids(
            dataset.root, "look", space_label="MNI152NLin2009aSym", derivatives_folder="derivatives/fakeimaging-prep",
            confounds_strategy=("motion", "high_pass"), confounds_motion="basic", slice_time_ref=None,
        )  # fmt: skip
        assert [len(found[0]) for found in (images, events, confounds)] == [2, 2, 2]
        assert models[0].t_r == 1.5
        assert models[0].slice_time_ref == 0.5
        models[0].fit(images[0], events=events[0], confounds=confounds[0])
        z_map = models[0].compute_contrast("look", output_type="z_score")
    x, y, z = np.rint(np.linalg.inv(z_map.affine) @ [-8, -88, 0, 1])[:3].astype(int)
    values = z_map.get_fdata()
    assert values[x - 1 : x + 2, y - 1 : y + 2, z - 1 : z + 2].max() > 4


def test_mne_bids_reads_the_eeg_its_montage_and_its_events(dataset):
    from mne_bids import BIDSPath, read_raw_bids

    path = BIDSPath(root=dataset.root, subject="01", task="look", run="1", datatype="eeg")
    raw = read_raw_bids(path, verbose="error")
    assert raw.get_channel_types() == ["eeg"] * 21 + ["eog", "eog", "ecg"]
    assert raw.get_montage() is not None
    assert raw.annotations.onset[raw.annotations.description == "look"].tolist() == pytest.approx([5.0, 30.0])
    clean = dataset.recording("01", "eeg", task="look")
    assert raw.get_data().shape == clean.observed.shape
    np.testing.assert_allclose(raw.get_data(), clean.observed.to_array(), atol=1e-9)


def test_the_validator_has_nothing_to_say(dataset):
    errors, n_datasets = bids_errors(dataset.root)
    assert errors == []
    assert n_datasets == 4


def test_motion_columns_are_the_truth_plus_the_error_that_is_stated(tiny_dataset, tmp_path, tiny_study):
    tiny_study["subjects"] = 1
    tiny_study["sessions"][0]["acquisitions"][1]["motion_error"] = 0.2
    fi.simulate_study(tiny_study, tmp_path / "out")
    name = "derivatives/fakeimaging-prep/sub-01/func/sub-01_task-rest_run-1_desc-confounds_timeseries.tsv"
    plain, erring = (
        pd.read_csv(root / name, sep="\t")[list(MOTION)].to_numpy() for root in (tiny_dataset, tmp_path / "out")
    )
    truth = fi.load(tiny_dataset).recording("01", "bold").recipe("motion")["parameters"]
    np.testing.assert_allclose(plain, truth, atol=1e-8)
    error = (erring - truth) * [1, 1, 1, 50, 50, 50]
    assert abs(error.std() / 0.2 - 1) < 4 / np.sqrt(2 * error.size)
    assert json.loads((tmp_path / "out" / name).with_suffix(".json").read_text())["rot_y"]["EstimationErrorSD"] == 0.2


def test_the_derivative_undoes_motion_and_pose(dataset):
    """In template space every volume of the derivative is the head at t = 0: still, and where the label image says."""
    recording = dataset.recording("01", "bold", task="look", run=1)
    image = nib.load(dataset.root / PREP / f"sub-01/func/sub-01_task-look_run-1_{SPACE}_desc-preproc_bold.nii.gz")
    mask = nib.load(dataset.root / PREP / f"sub-01/func/sub-01_task-look_run-1_{SPACE}_desc-brain_mask.nii.gz")
    series, inside = image.get_fdata(), np.asarray(mask.dataobj) > 0
    assert image.shape[:3] == recording.clean.grid.shape
    moved = np.abs(recording.recipe("motion")["parameters"]).max(axis=0)
    assert moved.max() > 0.05
    brain, air = series[inside].mean(axis=0), series[~inside].mean(axis=0)
    assert (brain > 5 * air).all()
    # Volumes agree in the brain to noise, drift and pulse, not to the edges that motion would show.
    first, last = (series[..., v][inside] for v in (0, -1))
    assert np.corrcoef(first, last)[0, 1] > 0.99


def test_verify_replays_eeg_on_another_machine(dataset, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(dataset.root, out)
    manifest = out / "sourcedata/fakeimaging/sub-01/manifest.json"
    content = json.loads(manifest.read_text())
    content["machine"]["processor"] = "another"
    manifest.write_text(json.dumps(content))
    assert verify(out, "01").problems == ()
    samples = out / "sub-01/eeg/sub-01_task-look_run-1_eeg.eeg"
    samples.write_bytes(samples.read_bytes()[::-1])
    assert any("eeg.vhdr: differs from its replay" in line for line in verify(out, "01").problems)
