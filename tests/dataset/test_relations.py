"""Correlation matrices of a run at its three levels."""

import json

import numpy as np
import pandas as pd
import pytest

import fakeimaging as fi
from fakeimaging.dataset import relations


def test_blocks_give_the_correlation_of_the_whole_even_far_from_zero():
    rng = np.random.default_rng(3)
    series = (1e5 + rng.standard_normal((700, 6)) @ rng.standard_normal((6, 6))).astype(np.float32)
    found = relations.correlations_in_blocks(np.split(series, [1, 300, 301]))
    np.testing.assert_allclose(found, np.corrcoef(series.astype(float).T), atol=1e-6)
    np.testing.assert_allclose(found, relations.correlations(series.T), atol=1e-9)


def test_what_never_changes_correlates_with_nothing():
    found = relations.correlations(np.array([[1.0, 2.0, 4.0], [5.0, 5.0, 5.0]]))
    assert found[0, 0] == 1
    assert np.isnan(found[1]).all()


def test_means_over_regions_leave_empty_ones_out():
    voxels = np.array([[1, 2, 3, 9], [3, 4, 5, 9]], dtype=np.float32)
    found = relations.regional_means(voxels, np.array([1, 1, 3, 0]), 3)
    assert found[0].tolist() == [1.5, 3.5]
    assert np.isnan(found[1]).all()
    assert found[2].tolist() == [3, 5]


def test_the_three_levels_of_a_run(tiny_dataset):
    dataset = fi.load(tiny_dataset)
    stem = tiny_dataset / "sourcedata/fakeimaging/sub-01/sub-01_task-rest_run-1"
    matrices = {
        level: pd.read_csv(f"{stem}_desc-{level}_relmat.tsv", sep="\t") for level in ("neural", "clean", "observed")
    }
    names = [region.name for region in dataset.subject("01").regions]
    for matrix in matrices.values():
        assert list(matrix) == names
        values = matrix.to_numpy()
        assert values.shape == (10, 10)
        np.testing.assert_array_equal(values, values.T)
        assert np.diag(values) == pytest.approx(1)
    about = json.loads(stem.with_name(f"{stem.name}_desc-observed_relmat.json").read_text())
    assert "not denoised" in about["Description"]
    rate = dataset.activity("01").tap("rate").from_start().by_region
    np.testing.assert_allclose(matrices["neural"], np.corrcoef(rate.astype(float)), atol=1e-5)
    clean = dataset.recording("01", "bold").truth["regional_bold"]
    np.testing.assert_allclose(matrices["clean"], np.corrcoef(clean.astype(float)), atol=1e-5)
