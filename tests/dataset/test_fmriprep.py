"""The derivative of two runs as those who read fMRIPrep's output take it: nilearn's confounds and models, transforms, names."""

import json
import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

import fakeimaging as fi
from fakeimaging.core.spaces import Grid, apply_affine
from fakeimaging.dataset.transforms import LPS, itk_text
from fakeimaging.modalities.motion import rigid
from tests.dataset.test_dataset import bids_errors

N = 60
FOLDER = "derivatives/fakeimaging-prep"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    look = {"trial_type": "look", "kind": "cortex", "duration": 8.0, "onset": 3.0, "period": 25.0, "amplitude": 0.05}
    run = {"task": "look", "duration": 2.0 * N, "model": "linear", "conditions": [look], "physiology": {"motion": 0.3}}
    scan = {"modality": "bold", "task": "look", "voxel_size": 8.0}
    session = {
        "runs": [run, {**run, "run": 2}],
        "acquisitions": [
            {"modality": "t1w", "voxel_size": 4.0},
            {**scan, "surfaces": True, "sbref": True, "multiband": 2, "output_spaces": ["template", "T1w"]},
            {**scan, "run": 2, "surfaces": True},
        ],
    }
    study = {"seed": 5, "subject": {"anatomy": "tiny"}, "sessions": [session]}
    return fi.simulate_study(study, tmp_path_factory.mktemp("fmriprep") / "out")


@pytest.fixture(scope="module")
def func(dataset):
    return dataset.root / FOLDER / "sub-01/func"


def stem(run):
    return f"sub-01_task-look_run-{run}"


def image_of(func, run):
    return str(func / f"{stem(run)}_space-tiny_desc-preproc_bold.nii.gz")


def models_of(dataset, **choices):
    from nilearn.glm.first_level import first_level_from_bids

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nilearn deprecates defaults of its own here
        return first_level_from_bids(
            dataset.root, "look", **{"space_label": "tiny", "derivatives_folder": FOLDER, "slice_time_ref": None, **choices}
        )  # fmt: skip


def test_the_validator_has_nothing_to_say(dataset):
    assert bids_errors(dataset.root)[0] == []


@pytest.mark.parametrize(("strategy", "n"), [("simple", 24 + 2), ("scrubbing", 24 + 8), ("compcor", 24 + 6)])
def test_presets_of_nilearn_give_the_columns_they_promise(func, strategy, n):
    """Motion with its expansion, tissues or components, beside the cosines."""
    from nilearn.interfaces.fmriprep import load_confounds_strategy

    n += len([column for column in table(func, 1) if column.startswith("cosine")])
    columns, kept = load_confounds_strategy(image_of(func, 1), denoise_strategy=strategy)
    assert columns.shape == (N, n)
    assert np.isfinite(columns.to_numpy()).all()
    assert kept is None or 0 < len(kept) < N  # scrubbing leaves out what moved


@pytest.mark.parametrize("compcor", ["anat_combined", "anat_separated", "temporal", "temporal_anat_combined"])
def test_every_kind_of_compcor_is_there(func, compcor):
    from nilearn.interfaces.fmriprep import load_confounds

    columns, _ = load_confounds(image_of(func, 1), strategy=("high_pass", "compcor"), compcor=compcor, n_compcor=5)
    n = {"anat_combined": 5, "anat_separated": 10, "temporal": 5, "temporal_anat_combined": 10}[compcor]
    assert len([c for c in columns if "comp_cor" in c]) == n


def test_surfaces_and_grayordinates_find_the_same_confounds(func):
    from nilearn.interfaces.fmriprep import load_confounds

    wanted, _ = load_confounds(image_of(func, 1), strategy=("motion",), motion="basic", demean=False)
    pair = [str(func / f"{stem(1)}_hemi-{side}_space-fsaverage5_bold.func.gii") for side in "LR"]
    for image in (pair, str(func / f"{stem(1)}_space-fsaverage5_bold.dtseries.nii")):
        found, _ = load_confounds(image, strategy=("motion",), motion="basic", demean=False)
        pd.testing.assert_frame_equal(found, wanted)


def test_models_come_from_the_folder_alone_with_two_runs(dataset):
    models, images, events, confounds = models_of(dataset, confounds_strategy=("motion", "high_pass", "wm_csf"))
    assert (models[0].t_r, models[0].slice_time_ref) == (2.0, 0.5)
    assert [len(found[0]) for found in (images, events, confounds)] == [2, 2, 2]
    assert all(len(one) == N for one in confounds[0])
    # nilearn makes its own mask, with erosion, where none is given: there must be a brain to find.
    models[0].fit(images[0], events=events[0], confounds=confounds[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nilearn tells that both runs get the same contrast
        assert np.isfinite(models[0].compute_contrast("look").get_fdata()).all()


def test_the_mask_of_the_derivative_fits_its_series(dataset):
    models, images, events, confounds = models_of(
        dataset, confounds_strategy=("motion",), mask_img="derivatives", img_filters=[("desc", "preproc"), ("run", "1")]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nilearn tells that the mask it was given is used
        models[0].fit(images[0], events=events[0], confounds=confounds[0])
    inside = np.asarray(models[0].masker_.mask_img_.dataobj) > 0
    assert inside.shape == nib.load(images[0][0]).shape[:3]
    assert 0.05 < inside.mean() < 0.5


def test_one_file_a_run_answers_without_a_description(dataset):
    _, images, _, _ = models_of(dataset, confounds_strategy=("motion",), img_filters=[("desc", "preproc")])
    assert [path.split("_space")[0].rpartition("run-")[2] for path in images[0]] == ["1", "2"]


def test_models_of_surfaces_find_both_hemispheres(dataset):
    # nilearn 0.14 takes the left files of two runs for one pair when a strategy is given, so none is.
    models, images, events, confounds = models_of(dataset, space_label="fsaverage5")
    assert len(images[0]) == 2
    assert images[0][0].shape == (20484, N)
    assert models[0].t_r == 2.0
    assert len(events[0]) == len(confounds[0]) == 2


def test_in_t1w_space_too_where_it_is_asked_for(dataset, func):
    assert [p.name for p in func.glob("*space-T1w_desc-preproc_bold.nii.gz")] == [
        f"{stem(1)}_space-T1w_desc-preproc_bold.nii.gz"
    ]
    image = nib.load(func / f"{stem(1)}_space-T1w_desc-preproc_bold.nii.gz")
    recording = dataset.recording("01", "bold", task="look", run=1)
    np.testing.assert_allclose(image.affine, recording.clean.grid.affine, atol=1e-4)
    inside = np.asarray(nib.load(func / f"{stem(1)}_space-T1w_desc-brain_mask.nii.gz").dataobj) > 0
    core = dataset.subject("01").anatomy.tissue(recording.clean.grid).white > 0.95
    assert inside[core].all()
    clean = recording.clean.to_array()[core].mean(axis=1)
    np.testing.assert_allclose(image.get_fdata()[core].mean(axis=1), clean, rtol=0.1)


def table(func, run):
    return pd.read_csv(func / f"{stem(run)}_desc-confounds_timeseries.tsv", sep="\t")


def test_confounds_have_fmripreps_columns_and_words(func):
    columns, about = table(func, 1), json.loads((func / f"{stem(1)}_desc-confounds_timeseries.json").read_text())
    wanted = {"csf", "white_matter", "global_signal", "csf_wm", "tcompcor", "std_dvars", "dvars", "rmsd"}
    wanted |= {f"{kind}_{k:02d}" for kind in ("a_comp_cor", "c_comp_cor", "w_comp_cor", "t_comp_cor") for k in range(6)}
    wanted |= {f"edge_comp_{k:02d}" for k in range(24)} | {"framewise_displacement", "motion_outlier00", "cosine00"}
    assert wanted <= set(columns)
    assert about["a_comp_cor_00"]["Mask"] == "combined"
    assert (
        about["edge_comp_00"] | {"Mask": "Edge", "Method": "EdgeRegressor", "Retained": True} == about["edge_comp_00"]
    )
    dropped = [key for key in about if key.startswith("dropped_")]
    assert dropped
    assert all(about[key]["Retained"] is False and key not in columns for key in dropped)
    assert columns["rmsd"].isna().tolist() == [True] + [False] * (N - 1)
    outlying = (columns["framewise_displacement"] > 0.5) | (columns["std_dvars"] > 1.5)
    spikes = columns[[c for c in columns if c.startswith("motion_outlier")]]
    assert (spikes.sum(axis=1).astype(bool) == outlying).all()
    assert (spikes.sum() == 1).all()


def read_itk(path):
    """Matrices (RAS+) of an ITK file: what a reader does, which turns LPS+ back."""
    found = []
    for line in path.read_text().splitlines():
        if line.startswith("Parameters: "):
            values = np.array(line.split()[1:], dtype=float)
            matrix = np.eye(4)
            matrix[:3, :3], matrix[:3, 3] = values[:9].reshape(3, 3), values[9:]
            found.append(LPS @ matrix @ LPS)
    return found


def test_transforms_are_the_truth_and_point_from_the_new_image_to_the_old(dataset, func):
    motion = dataset.recording("01", "bold", task="look", run=1).recipe("motion")["parameters"]
    poses = read_itk(func / f"{stem(1)}_from-orig_to-boldref_mode-image_desc-hmc_xfm.txt")
    np.testing.assert_allclose(poses, [rigid(row) for row in motion], atol=1e-9)
    truth = dataset.root / f"derivatives/fakeimaging-truth/sub-01/func/{stem(1)}"
    np.testing.assert_allclose(
        poses, read_itk(truth.with_name(f"{truth.name}_from-orig_to-boldref_mode-image_desc-truth_xfm.txt"))
    )
    to_template = dataset.subject("01").anatomy.to_template
    (there,) = read_itk(func.parent / "anat/sub-01_from-T1w_to-tiny_mode-image_xfm.txt")
    (back,) = read_itk(func.parent / "anat/sub-01_from-tiny_to-T1w_mode-image_xfm.txt")
    np.testing.assert_allclose(there, np.linalg.inv(to_template), atol=1e-9)
    np.testing.assert_allclose(back @ there, np.eye(4), atol=1e-9)


def test_itk_counts_millimetres_to_the_left_and_the_back():
    """A point 10 mm to the right and 20 mm to the front is (-10, -20) there."""
    matrix = rigid([1.0, 2.0, 3.0, 0.1, -0.2, 0.3])
    values = np.array(itk_text([matrix]).splitlines()[3].split()[1:], dtype=float)
    moved = values[:9].reshape(3, 3) @ [-10.0, -20.0, 30.0] + values[9:]
    np.testing.assert_allclose(moved * [-1, -1, 1], apply_affine(matrix, [10.0, 20.0, 30.0]))


def test_the_t1w_lost_its_bias_and_has_its_tissues(dataset, func):
    anat, recording = func.parent / "anat", dataset.recording("01", "t1w")
    flat = nib.load(anat / "sub-01_desc-preproc_T1w.nii.gz").get_fdata()
    tissue = dataset.subject("01").anatomy.tissue(recording.clean.grid)
    white = tissue.white > 0.99

    def spread(image):
        return image[white].std() / image[white].mean()

    assert spread(flat) < 0.7 * spread(recording.observed.to_array())
    labels = np.asarray(nib.load(anat / "sub-01_dseg.nii.gz").dataobj)
    assert (labels[white] == 2).all()
    assert (labels[tissue.grey > 0.99] == 1).all()
    assert (labels > 0).sum() == (np.asarray(nib.load(anat / "sub-01_desc-brain_mask.nii.gz").dataobj) > 0).sum()
    grey = nib.load(anat / "sub-01_label-GM_probseg.nii.gz").get_fdata()
    np.testing.assert_allclose(grey, tissue.grey, atol=0.006)


def test_reference_images_are_the_still_head(dataset, func):
    native = nib.load(func / f"{stem(1)}_desc-coreg_boldref.nii.gz")
    recording = dataset.recording("01", "bold", task="look", run=1)
    np.testing.assert_allclose(native.affine, recording.clean.grid.affine, atol=1e-4)
    brain = dataset.subject("01").anatomy.tissue(recording.clean.grid).brain > 0.9
    assert np.corrcoef(native.get_fdata()[brain], recording.clean.volume(0)[brain])[0, 1] > 0.9
    mean = nib.load(func / f"{stem(1)}_space-tiny_boldref.nii.gz").get_fdata()
    series = nib.load(image_of(func, 1)).get_fdata()
    np.testing.assert_allclose(mean, series.mean(axis=-1), atol=recording.clean.slope)


def test_the_single_band_reference_is_alone_sharp_and_says_so(dataset):
    raw = dataset.root / "sub-01/func"
    image = nib.load(raw / f"{stem(1)}_sbref.nii.gz")
    about = json.loads((raw / f"{stem(1)}_sbref.json").read_text())
    series = json.loads((raw / f"{stem(1)}_bold.json").read_text())
    assert image.ndim == 3
    assert ("MultibandAccelerationFactor" in about, series["MultibandAccelerationFactor"]) == (False, 2)
    assert about["RepetitionTime"] == 2 * series["RepetitionTime"]
    assert len(set(about["SliceTiming"])) == len(about["SliceTiming"]) == 2 * len(set(series["SliceTiming"]))
    recording = dataset.recording("01", "bold", task="look", run=1)
    tissue = dataset.subject("01").anatomy.tissue(Grid(image.shape, image.affine))
    fluid, white = tissue.csf > 0.6, tissue.white > 0.95
    values, rest = image.get_fdata(), recording.clean.volume(0)
    # Spins that recover longer give more, fluid the most.
    assert values[white].mean() > 1.05 * rest[white].mean()
    if fluid.sum() > 20:
        assert values[fluid].mean() / rest[fluid].mean() > values[white].mean() / rest[white].mean()
    (again,) = (extra for extra in recording.extras if extra.suffix == "sbref")
    np.testing.assert_allclose(again.image.make(0), values, atol=0.01 * recording.clean.slope)


def test_no_name_is_there_twice_and_series_are_compressed(dataset):
    names = [
        path.name for path in (dataset.root / FOLDER).rglob("*") if path.is_file() and path.name.startswith("sub-")
    ]
    assert len(names) == len(set(names))
    assert not [name for name in names if name.endswith("_bold.nii")]  # load_confounds refuses those


@pytest.mark.slow
def test_everything_is_made_again_the_same_and_fits_the_plan(dataset):
    from fakeimaging.dataset.plan import total_bytes
    from fakeimaging.dataset.verify import verify

    assert verify(dataset.root, "01").problems == ()
    written = sum(path.stat().st_size for path in dataset.root.rglob("*") if path.is_file())
    assert written < total_bytes(dataset.study) < 3 * written
