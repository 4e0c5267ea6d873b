"""The preprocessed derivative against what its files must hold, on a head that moves a lot and a scanner without noise."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

import fakeimaging as fi
from fakeimaging.core.spaces import Grid
from fakeimaging.dataset.confounds import MOTION
from fakeimaging.modalities.motion import resample_volume, rigid
from fakeimaging.scoring import activation, bold
from fakeimaging.scoring import connectivity as fc

QUIET = ["physiological", "drift", "cardiac", "respiratory", "heart_rate", "spin_history", "ghost", "thermal"]
STEM = "sub-01_task-look_run-1"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    condition = {
        "trial_type": "look",
        "kind": "cortex",
        "hemisphere": "L",
        "duration": 8.0,
        "onsets": [3.0, 21.0, 36.0],
        "amplitude": 0.05,
    }
    run = {
        "task": "look",
        "duration": 60.0,
        "parameters": {"loop_gain": 0.0},
        "physiology": {"motion": 1.5},
        "conditions": [condition],
    }
    scan = {"modality": "bold", "task": "look", "voxel_size": 5.0, "tr": 2.0, "off": QUIET}
    study = {"seed": 2, "subject": {"anatomy": "tiny"}, "sessions": [{"runs": [run], "acquisitions": [scan]}]}
    return fi.simulate_study(study, tmp_path_factory.mktemp("prep") / "out")


@pytest.fixture(scope="module")
def func(dataset):
    return dataset.root / "derivatives/fakeimaging-prep/sub-01/func"


@pytest.fixture(scope="module")
def series(func):
    return nib.load(func / f"{STEM}_space-tiny_desc-preproc_bold.nii.gz")


@pytest.fixture(scope="module")
def columns(func):
    return pd.read_csv(func / f"{STEM}_desc-confounds_timeseries.tsv", sep="\t")


def rms(a, b):
    return float(np.sqrt(np.mean((a - b) ** 2) / np.mean(b**2)))


def test_each_volume_is_the_clean_head_in_template_space(dataset, func, series):
    recording, subject = dataset.recording("01", "bold"), dataset.subject("01")
    inside = np.asarray(nib.load(func / f"{STEM}_space-tiny_desc-brain_mask.nii.gz").dataobj) > 0
    grid, native = Grid(series.shape[:3], series.affine), recording.clean.grid
    to_native = np.linalg.inv(subject.anatomy.to_template)
    motion = recording.recipe("motion")["parameters"]
    moved = int(np.abs(motion).sum(axis=1).argmax())
    assert np.abs(motion[moved]).max() > 0.5
    stored = np.asarray(series.dataobj[..., moved])[inside]
    right = resample_volume(recording.clean.make(moved), native, grid, to_native)[inside]
    still = resample_volume(recording.observed.make(moved), native, grid, to_native)[inside]
    wrong = resample_volume(
        recording.observed.make(moved), native, grid, np.linalg.inv(rigid(motion[moved])) @ to_native
    )
    assert rms(stored, right) < 0.5 * rms(still, right)
    assert rms(stored, right) < 0.3 * rms(wrong[inside], right)
    assert np.asarray(series.dataobj).min() >= 0


def test_the_sidecar_names_the_middle_of_the_volume(func):
    about = json.loads((func / f"{STEM}_space-tiny_desc-preproc_bold.json").read_text())
    assert (about["StartTime"], about["RepetitionTime"], about["SliceTimingCorrected"]) == (1.0, 2.0, False)


def test_confounds_are_those_of_the_file(dataset, func, series, columns):
    inside = np.asarray(nib.load(func / f"{STEM}_space-tiny_desc-brain_mask.nii.gz").dataobj) > 0
    voxels = series.get_fdata()[inside]
    np.testing.assert_allclose(columns["global_signal"], voxels.mean(axis=0), rtol=1e-3)
    motion = dataset.recording("01", "bold").recipe("motion")["parameters"]
    steps = np.abs(np.diff(motion, axis=0)) @ [1, 1, 1, 50, 50, 50]
    np.testing.assert_allclose(columns["framewise_displacement"][1:], steps, atol=1e-7)
    assert columns["framewise_displacement"].isna()[0]
    np.testing.assert_allclose(columns[list(MOTION)], motion, atol=1e-8)


def test_tissue_signals_come_from_pure_tissue(dataset, func, series, columns):
    anatomy = dataset.subject("01").anatomy
    tissue = type(anatomy)(anatomy.maps, np.eye(4)).tissue(Grid(series.shape[:3], series.affine))
    inside = np.asarray(nib.load(func / f"{STEM}_space-tiny_desc-brain_mask.nii.gz").dataobj) > 0
    np.testing.assert_array_equal(inside, tissue.grey + tissue.white + tissue.csf > 0.5)
    for name, fraction in (("csf", tissue.csf), ("white_matter", tissue.white)):
        pure = inside & (fraction > min(0.9, np.sort(fraction[inside])[-21]))
        np.testing.assert_allclose(columns[name], series.get_fdata()[pure].mean(axis=0), rtol=1e-3)


def test_the_events_file_is_what_stimulated_the_network(dataset):
    table = pd.read_csv(dataset.root / f"sub-01/func/{STEM}_events.tsv", sep="\t")
    assert [tuple(row) for row in table.itertuples(index=False)] == [
        tuple(e)[:3] for e in dataset.activity("01", task="look").events
    ]


def test_task_rows_are_a_glm_on_percent_signal_at_the_middle_of_volumes(dataset, columns):
    (scan,) = dataset.scans()
    auc, beta = (row for row in bold.score_bold(dataset, scan) if row.name.startswith("task"))
    times = 2.0 * (np.arange(30) + 0.5)
    slow = [np.cos(np.pi * k * (np.arange(30) + 0.5) / 30) for k in range(0, 1)]
    events = pd.read_csv(dataset.root / f"sub-01/func/{STEM}_events.tsv", sep="\t")
    nuisance = np.stack([*slow, *(columns[name] for name in MOTION)], axis=1)
    model = activation.design(events, times, nuisance)
    observed = bold.observed_series(dataset, scan, 10)
    percent = 100 * (observed / observed.mean(axis=1, keepdims=True) - 1)
    clean = 100 * np.load(dataset.root / scan.regional("regional_bold"))
    found, _ = activation.responses(percent, model)
    true, _ = activation.least_squares(clean, model)
    active = np.abs(true) > 0.1 * np.abs(true).max()
    assert beta.estimate == pytest.approx(np.polyfit(true[active], found[active], 1)[0], rel=1e-6)
    assert auc.estimate == pytest.approx(
        activation.area_under_curve(np.abs(activation.responses(percent, model)[1][0]), active[0])
    )
    assert (auc.truth, beta.truth, beta.better) == (1.0, 1.0, "closer")


def test_functional_connectivity_of_a_scan_without_noise_is_nearly_the_truth(dataset):
    (scan,) = dataset.scans()
    series = fc.cleaned(bold.observed_series(dataset, scan, 10), 2.0, bold.nuisance(dataset, scan, "motion"))
    clean = fc.cleaned(np.load(dataset.root / scan.regional("regional_bold")).astype(float), 2.0)
    assert fc.agreement(fc.connectivity(series), fc.connectivity(clean))[0] > 0.7
