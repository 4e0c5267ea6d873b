"""Other people's readers on a dataset of ours: nilearn's models and confounds, MNE-BIDS."""

import warnings

import numpy as np
import pytest

import fakeimaging as fi
from tests.dataset.test_dataset import bids_errors

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
    assert len(raw.ch_names) == 21
    assert raw.get_montage() is not None
    assert raw.annotations.onset[raw.annotations.description == "look"].tolist() == pytest.approx([5.0, 30.0])
    clean = dataset.recording("01", "eeg")
    assert raw.get_data().shape == clean.observed.shape
    np.testing.assert_allclose(raw.get_data(), clean.observed.to_array(), atol=1e-9)


def test_the_validator_has_nothing_to_say(dataset):
    errors, n_datasets = bids_errors(dataset.root)
    assert errors == []
    assert n_datasets == 4
