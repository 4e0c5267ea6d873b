import json
import shutil

import nibabel as nib
import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import InputError, UnknownNameError
from fakeimaging.scoring import connectivity as fc
from fakeimaging.scoring.table import Row, Score


@pytest.fixture(scope="module")
def scored(tiny_dataset):
    return fi.score.score_dataset(tiny_dataset)


def test_connectivity_is_recovered_and_beats_chance(scored):
    rows = [row for row in scored if row.name == "fc"]
    assert len(rows) == 2
    for row in rows:
        assert row.estimate > max(0.6, row.chance)
        assert row.error == pytest.approx(row.estimate - row.truth)
        assert row.n == 45


def test_estimates_do_not_read_the_truth(tiny_dataset, tmp_path, scored):
    out = tmp_path / "out"
    shutil.copytree(tiny_dataset, out)
    name = "sub-{0}_task-rest_run-1_bold_regional-bold.npy"
    paths = [out / "sourcedata/fakeimaging" / f"sub-{label}" / name.format(label) for label in ("01", "02")]
    series = [fc.regional_series(*_inputs(out, label)) for label in ("01", "02")]
    first, second = (np.load(path) for path in paths)
    np.save(paths[0], second)
    np.save(paths[1], first)
    for label, before in zip(("01", "02"), series, strict=True):
        assert (fc.regional_series(*_inputs(out, label)) == before).all()
    swapped = fi.score.score_dataset(out)
    assert all(a.estimate < b.estimate for a, b in zip(swapped, scored, strict=True) if a.name == "fc")
    assert all(a.estimate == b.estimate for a, b in zip(swapped, scored, strict=True) if a.name == "fc_weights")


def _inputs(root, label):
    image = root / f"sub-{label}/func/sub-{label}_task-rest_run-1_bold.nii.gz"
    labels = root / f"derivatives/fakeimaging-truth/sub-{label}/anat/sub-{label}_seg-fakeimaging_dseg.nii.gz"
    return image, labels, 10, 2.0


def test_the_masker_keeps_regions_apart_and_names_missing_ones(tmp_path):
    rng = np.random.default_rng(3)
    labels = np.zeros((12, 12, 12), dtype=np.uint8)
    labels[1:4], labels[8:11] = 1, 3
    series = rng.standard_normal((2, 100))
    data = np.zeros((12, 12, 12, 100), dtype=np.float32)
    data[1:4], data[8:11] = series[0], series[1]
    nib.save(nib.Nifti1Image(labels, np.eye(4)), tmp_path / "labels.nii.gz")
    nib.save(nib.Nifti1Image(data, np.eye(4)), tmp_path / "data.nii.gz")
    found = fc.regional_series(tmp_path / "data.nii.gz", tmp_path / "labels.nii.gz", 3, 1.0)
    assert np.isnan(found[1]).all()
    assert np.corrcoef(found[0], series[0])[0, 1] > 0.95
    assert np.corrcoef(found[2], series[1])[0, 1] > 0.95
    assert np.isnan(fc.connectivity(found)[0, 1])


def test_agreement_of_a_matrix_with_itself_is_one_and_needs_pairs():
    matrix = np.corrcoef(np.random.default_rng(1).standard_normal((5, 50)))
    assert fc.agreement(matrix, matrix) == (pytest.approx(1.0), 10)
    with pytest.raises(InputError, match="only 0 pairs"):
        fc.agreement(matrix, matrix, np.zeros((5, 5), dtype=bool))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_chance_is_chance(seed):
    rng = np.random.default_rng(seed)
    truth = np.corrcoef(rng.standard_normal((30, 40)))
    beaten = 0
    for _ in range(20):
        series = rng.standard_normal((30, 80))
        beaten += fc.agreement(fc.connectivity(series), truth)[0] > fc.chance(series, truth, rng=rng)
    # One in twenty on average: five or more of twenty have a probability of 0.3 %.
    assert beaten < 5


def test_score_tables_are_saved_and_floors_kept(tmp_path):
    rows = tuple(Row("01", "scan", "fc", value, 1.0, value - 1, 0.1, 10, float("nan"), "r") for value in (0.9, 0.5))
    score = Score(rows)
    score.save(tmp_path / "score.tsv")
    score.save(tmp_path / "score.json")
    assert (tmp_path / "score.tsv").read_text().splitlines()[1].split("\t")[3:5] == ["0.9", "1.0"]
    assert json.loads((tmp_path / "score.json").read_text())[0]["snr"] is None
    assert score.failures({"fc": 0.6}) == ["fc: 0.500 is below 0.6"]
    assert score.failures({"fc": 0.5}) == []
    with pytest.raises(UnknownNameError, match="did you mean 'fc'"):
        score.failures({"fcc": 0.5})
    with pytest.raises(InputError, match="tsv or .json"):
        score.save(tmp_path / "score.xlsx")


def test_a_score_that_is_not_a_number_misses_every_floor():
    assert Score((Row("01", "scan", "fc", float("nan"), 1.0, 0.0, 0.0, 1, 1.0, "r"),)).failures({"fc": -1.0})
