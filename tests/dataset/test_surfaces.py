"""GIFTI and CIFTI of a series: read back by nibabel, one signal in both, each voxel and vertex under its own name."""

import nibabel as nib
import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.dataset.job import Job
from fakeimaging.dataset.manifest import Manifest
from fakeimaging.dataset.names import scans
from fakeimaging.dataset.prep import template_tissue
from fakeimaging.dataset.surfaces import STRUCTURES, brain_models, deep_voxels, gifti_bytes
from fakeimaging.structure.surfaces import cortex


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """A scan of the template's brain, which has deep structures."""
    scan = {"modality": "bold", "task": "rest", "voxel_size": 7.0, "surfaces": True}
    session = {"runs": [{"task": "rest", "duration": 8.0, "model": "linear"}], "acquisitions": [scan]}
    study = fi.Study.check({"seed": 3, "sessions": [session]})
    subject = fi.make_subject("01", seed=3)
    activity = fi.simulate_activity(subject, model="linear", duration=8.0)
    (where,) = scans(study, "01")
    recording = fi.acquire("bold", subject, activity, voxel_size=7.0, surfaces=True)
    return Job(recording, where, subject, activity, tmp_path_factory.mktemp("surfaces"), Manifest("01", "x"))


def test_deep_voxels_lie_in_regions_of_their_kind(job):
    grid, _ = template_tissue(job.subject, job.recording)
    found = deep_voxels(job, grid)
    assert {name.split("_")[2] for name, _ in found} == set(STRUCTURES.values())
    for name, voxels in found:
        middle = (voxels @ grid.affine[:3, :3].T + grid.affine[:3, 3]).mean(axis=0)
        assert np.sign(middle[0]) == (-1 if name.endswith("LEFT") else 1)
    sizes = {name: len(voxels) for name, voxels in found}
    assert sizes["CIFTI_STRUCTURE_CEREBELLUM_LEFT"] > sizes["CIFTI_STRUCTURE_PUTAMEN_LEFT"]


def test_brain_models_cover_cortex_and_deep_structures_without_overlap(job):
    grid, _ = template_tissue(job.subject, job.recording)
    deep = deep_voxels(job, grid)
    axis = brain_models(deep, grid)
    structures = [str(name) for name, _, _ in axis.iter_structures()]
    assert structures[:2] == ["CIFTI_STRUCTURE_CORTEX_LEFT", "CIFTI_STRUCTURE_CORTEX_RIGHT"]
    assert structures[2:] == [name for name, _ in deep]
    assert axis.nvertices == {name: 10242 for name in structures[:2]}
    assert int(axis.surface_mask.sum()) == sum(int(cortex(side).inside.sum()) for side in "LR")
    voxels = axis.voxel[~axis.surface_mask]
    assert len(np.unique(voxels, axis=0)) == len(voxels)
    np.testing.assert_array_equal(axis.affine, grid.affine)


def test_files_on_disk_are_one_signal(tmp_path):
    scan = {"modality": "bold", "task": "rest", "voxel_size": 9.0, "surfaces": True, "tr": 1.5}
    session = {"runs": [{"task": "rest", "duration": 12.0, "model": "linear"}], "acquisitions": [scan]}
    dataset = fi.simulate_study({"seed": 3, "subject": {"anatomy": "tiny"}, "sessions": [session]}, tmp_path / "out")
    stem = "sub-01/func/sub-01_task-rest_run-1_{}"
    recording, subject = dataset.recording("01", "bold"), dataset.subject("01")
    for folder, desc, clean in (("prep", "", False), ("truth", "desc-clean_", True)):
        root = dataset.root / f"derivatives/fakeimaging-{folder}"
        wanted = fi.surface_series(recording, subject, clean=clean)
        grey = nib.load(root / stem.format(f"space-fsaverage5_{desc}bold.dtseries.nii"))
        matrix, models = np.asarray(grey.dataobj), grey.header.get_axis(1)
        for side, name in (("L", "CORTEX_LEFT"), ("R", "CORTEX_RIGHT")):
            image = nib.load(root / stem.format(f"hemi-{side}_space-fsaverage5_{desc}bold.func.gii"))
            stored = image.agg_data("time series")
            np.testing.assert_allclose(stored, wanted[side], rtol=1e-5, atol=0.01)
            assert image.meta["AnatomicalStructurePrimary"] == f"Cortex{'Left' if side == 'L' else 'Right'}"
            (part,) = (model for key, _, model in models.iter_structures() if key.endswith(name))
            (where,) = (place for key, place, _ in models.iter_structures() if key.endswith(name))
            np.testing.assert_array_equal(matrix[:, where].T, stored[part.vertex])
        series = grey.header.get_axis(0)
        assert (series.start, series.step, series.size, str(series.unit)) == (0.75, 1.5, 8, "SECOND")


def test_the_same_series_gives_the_same_bytes():
    series = np.random.default_rng(1).random((3, 20), dtype=np.float32)
    assert gifti_bytes(series, "L", 2.0) == gifti_bytes(series, "L", 2.0)
    image = nib.GiftiImage.from_bytes(gifti_bytes(series, "L", 2.0))
    np.testing.assert_array_equal(image.agg_data("time series").T, series)
    assert image.meta["TimeStep"] == "2000"
