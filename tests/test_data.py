"""What lies in data/ for people: every file loads."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.dataset.manifest import damaged, read_manifest
from fakeimaging.modalities.pet.tracers import TRACERS

DATA = Path(__file__).parents[1] / "data"
SAMPLE = DATA / "sample-dataset"


@pytest.mark.parametrize("path", sorted((DATA / "studies").glob("*.toml")), ids=lambda path: path.name)
def test_every_study_file_is_sound(path):
    study = fi.read_study(path)
    assert study.seed is not None
    assert study.sessions


@pytest.mark.parametrize("path", sorted((DATA / "tracers").glob("*.toml")), ids=lambda path: path.name)
def test_every_tracer_is_sound(path):
    assert TRACERS.get(str(path)).label.isalnum()


def test_the_sample_dataset_is_whole_small_and_has_every_modality():
    dataset = fi.load(SAMPLE)
    assert damaged(SAMPLE, read_manifest(SAMPLE, "01")) == []
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 20e6
    assert {scan.modality for scan in dataset.scans()} == set(fi.MODALITIES)


def test_every_file_of_the_sample_opens():
    for path in SAMPLE.rglob("*.nii.gz"):
        assert np.isfinite(np.asarray(nib.load(path).dataobj)).all(), path
    for path in SAMPLE.rglob("*.npy"):
        assert np.isfinite(np.load(path)).all(), path
    assert fi.load(SAMPLE).activity("01", task="rest").tap("rate").samples.shape[1] == 100


def test_the_connectome_of_the_readme_is_the_one_in_every_format():
    wanted = fi.read_connectome(DATA / "connectome24.csv")
    for ending in (".npy", ".tsv", ".txt", ".zip", ".graphml"):
        found = fi.read_connectome(DATA / f"connectome24{ending}")
        np.testing.assert_array_equal(found.weights, wanted.weights)
        np.testing.assert_array_equal(found.tract_lengths, wanted.tract_lengths)
