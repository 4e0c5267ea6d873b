import json
import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.image import resample_to_img

import fakeimaging as fi
from fakeimaging.core.errors import InputError, UnknownNameError
from fakeimaging.dataset.confounds import MOTION
from fakeimaging.scoring import connectivity as fc
from fakeimaging.scoring.table import Row, Score


@pytest.fixture(scope="module")
def scored(tiny_dataset):
    return fi.score.score_dataset(tiny_dataset)


def test_connectivity_is_recovered_and_beats_chance(scored):
    rows = [row for row in scored if row.name == "fc"]
    assert len(rows) == 2
    for row in rows:
        assert row.beats_chance
        assert row.error == pytest.approx(row.estimate - row.truth)
        assert row.n == 45


@pytest.fixture(scope="module")
def long_dataset(tmp_path_factory):
    """A run of 160 s, in which the high-pass filter acts, of a network with tracts to leave out."""
    out = tmp_path_factory.mktemp("long") / "dataset"
    study = {
        "seed": 11,
        "subject": {"anatomy": "tiny"},
        "sessions": [
            {
                "runs": [{"duration": 160.0, "model": "linear"}],
                "acquisitions": [{"modality": "bold", "task": "rest", "voxel_size": 7.0, "tr": 1.6}],
            }
        ],
    }
    return fi.simulate_study(study, out)


def test_the_rows_of_a_bold_series_are_what_their_names_say(long_dataset):
    root, subject, bold = long_dataset.root, long_dataset.subject("01"), long_dataset.recording("01", "bold")
    basis = [np.ones(100), np.arange(100) - 49.5, *(np.cos(np.pi * k * (np.arange(100) + 0.5) / 100) for k in (1, 2))]
    func = root / "derivatives/fakeimaging-prep/sub-01/func"
    confounds = pd.read_csv(func / "sub-01_task-rest_run-1_desc-confounds_timeseries.tsv", sep="\t")
    more = [confounds[name].to_numpy() for name in (*MOTION, "csf", "white_matter")]

    def fc_of(series, columns):
        left, *_ = np.linalg.svd(np.stack(columns, axis=1) / np.linalg.norm(columns, axis=1), full_matrices=False)
        return np.corrcoef(series - series @ left @ left.T)

    image = nib.load(func / "sub-01_task-rest_run-1_space-tiny_desc-preproc_bold.nii.gz")
    dseg = nib.load(root / "derivatives/fakeimaging-truth/sub-01/anat/sub-01_space-tiny_seg-fakeimaging_dseg.nii.gz")
    on_grid = np.asarray(resample_to_img(dseg, image, interpolation="nearest").dataobj)
    seen = np.stack([image.get_fdata()[on_grid == i + 1].mean(axis=0) for i in range(10)])
    estimate = fc_of(seen, [*basis, *(course for course in more if course.std() > 0)])
    truth = fc_of(bold.truth["regional_bold"], basis)
    pairs = np.triu_indices(10, 1)
    weights = subject.connectome.weights[pairs]
    tracts, log_weights = weights > 0, np.log(np.where(weights > 0, weights, 1))

    recovered, wired = (row for row in fi.score.score_dataset(long_dataset) if row.name.startswith("fc"))
    assert 0 < tracts.sum() < 45
    assert (recovered.n, wired.n) == (45, tracts.sum())
    assert recovered.truth == 1
    assert recovered.estimate == pytest.approx(np.corrcoef(estimate[pairs], truth[pairs])[0, 1], abs=2e-3)
    expected = [np.corrcoef(matrix[pairs][tracts], log_weights[tracts])[0, 1] for matrix in (estimate, truth)]
    assert (wired.estimate, wired.truth) == pytest.approx(expected, abs=5e-3)
    voxels = bold.observed.to_array().astype(float)
    dseg = nib.load(root / "derivatives/fakeimaging-truth/sub-01/anat/sub-01_seg-fakeimaging_dseg.nii.gz")
    on_grid = np.asarray(resample_to_img(dseg, bold.observed.to_nifti(), interpolation="nearest").dataobj)
    tsnr = np.median((voxels.mean(axis=-1) / voxels.std(axis=-1))[on_grid > 0])
    assert recovered.snr == wired.snr == pytest.approx(tsnr, rel=1e-3)


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
    return image, labels, 10


def test_the_masker_keeps_regions_apart_and_names_missing_ones(tmp_path):
    rng = np.random.default_rng(3)
    labels = np.zeros((12, 12, 12), dtype=np.uint8)
    labels[1:4], labels[8:11] = 1, 3
    series = rng.standard_normal((2, 100))
    data = np.zeros((12, 12, 12, 100), dtype=np.float32)
    data[1:4], data[8:11] = series[0], series[1]
    nib.save(nib.Nifti1Image(labels, np.eye(4)), tmp_path / "labels.nii.gz")
    nib.save(nib.Nifti1Image(data, np.eye(4)), tmp_path / "data.nii.gz")
    found = fc.regional_series(tmp_path / "data.nii.gz", tmp_path / "labels.nii.gz", 3)
    assert np.isnan(found[1]).all()
    np.testing.assert_allclose(found[[0, 2]], series, rtol=1e-5)
    filtered = fc.cleaned(found, 1.0)
    assert np.isnan(filtered[1]).all()
    assert np.isnan(fc.connectivity(filtered)[0, 1])


def test_the_filter_takes_drift_and_leaves_the_rest():
    times = np.arange(300) * 2.0
    fast, slow = np.sin(2 * np.pi * 0.05 * times), np.cos(np.pi * times / 600) + times / 300
    filtered = fc.cleaned(np.stack([fast + 5 * slow, fast]), 2.0)
    assert np.corrcoef(filtered[0], fast)[0, 1] > 0.99
    assert np.corrcoef(filtered[1], fast)[0, 1] > 0.99
    short = fc.cleaned(np.stack([fast[:20] + 5 * times[:20], fast[:20]]), 2.0)
    np.testing.assert_allclose(short[0], short[1], atol=1e-10)


def test_agreement_of_a_matrix_with_itself_is_one_and_needs_pairs():
    matrix = np.corrcoef(np.random.default_rng(1).standard_normal((5, 50)))
    assert fc.agreement(matrix, matrix) == (pytest.approx(1.0), 10)
    with pytest.raises(InputError, match="only 0 pairs"):
        fc.agreement(matrix, matrix, np.zeros((5, 5), dtype=bool))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_chance_is_exceeded_one_time_in_twenty(seed, monkeypatch):
    monkeypatch.setattr(fc, "N_PERMUTATIONS", 100)
    rng = np.random.default_rng(seed)
    truth, n = np.corrcoef(rng.standard_normal((8, 40))), 400
    trials = (rng.standard_normal((8, 40)) for _ in range(n))
    beaten = sum(fc.agreement(fc.connectivity(s), truth)[0] > fc.chance(s, truth, rng=rng) for s in trials)
    # A quantile of 100 draws has an SD of 2.2 %, which adds nothing to the mean and little to the binomial error.
    assert abs(beaten / n - 0.05) < 4 * np.sqrt(0.05 * 0.95 / n) + 0.01


def test_pairs_that_are_left_out_count_neither_for_agreement_nor_for_chance():
    rng = np.random.default_rng(4)
    series = rng.standard_normal((12, 60))
    where = np.zeros((12, 12), dtype=bool)
    where[:6, :6] = True
    truth = fc.connectivity(series)
    other = np.where(where, truth, rng.standard_normal((12, 12)))
    for wrong in (truth, other):
        assert fc.agreement(truth, wrong, where) == (pytest.approx(1.0), 15)
    by_chance = [fc.chance(series, wrong, where, rng=np.random.default_rng(1)) for wrong in (truth, other)]
    assert by_chance[0] == pytest.approx(by_chance[1])
    assert by_chance[0] > 1.5 * fc.chance(series, truth, rng=np.random.default_rng(1))


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


def test_a_summary_has_one_line_a_name_and_counts_what_beats_chance():
    values = ((0.9, "fc", "higher", 0.5), (0.3, "fc", "higher", 0.5), (10.2, "alpha", "closer", 0.3))
    rows = [Row("01", "s", name, v, 10.0, v - 10.0, chance, 5, 1.0, "u", better) for v, name, better, chance in values]
    lines = Score(tuple(rows)).summary().splitlines()
    assert len(lines) == 3
    assert lines[1].split() == ["fc", "2", "0.600", "10.000", "-9.400", "0.500", "1", "of", "2", "u"]
    assert "1 of 1" in lines[2]
    assert rows[2].beats_chance
    assert not Row("01", "s", "alpha", 10.4, 10.0, 0.4, 0.3, 5, 1.0, "Hz", "closer").beats_chance


def test_a_score_that_is_not_a_number_misses_every_floor():
    assert Score((Row("01", "scan", "fc", float("nan"), 1.0, 0.0, 0.0, 1, 1.0, "r"),)).failures({"fc": -1.0})


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        ("manifest.json", "sub-02 is not finished; run the same `simulate` again"),
        ("sub-02_task-rest_run-1_bold.nii.gz", "bold.nii.gz is missing or cut short"),
    ],
)
def test_what_is_missing_or_cut_short_is_named(tiny_dataset, tmp_path, harm, message):
    out = tmp_path / "out"
    shutil.copytree(tiny_dataset, out)
    path = next(out.glob(f"**/sub-02/**/{harm}"))
    path.write_bytes(path.read_bytes()[:100]) if harm.endswith("gz") else path.unlink()
    with pytest.raises(InputError, match=message):
        fi.score.score_dataset(out)


def test_a_run_too_short_to_correlate_has_no_row(tmp_path, tiny_study):
    tiny_study["subjects"] = 1
    tiny_study["sessions"][0]["runs"][0]["duration"] = 4.0
    fi.simulate_study(tiny_study, tmp_path / "out")
    assert {row.name for row in fi.score.score_dataset(tmp_path / "out")} == {
        "structure", "structure_deviation", "tissue_order", "dice_grey", "dice_white",
    }  # fmt: skip


def test_a_summary_keeps_tracers_apart():
    def row(trc, value):
        return Row("01", f"sub-01_trc-{trc}_pet", "bpnd", value, value, 0.0, 0.1, 9, 5.0, "1")

    one = Score((row("11CPIB", 0.5), row("11CPIB", 0.7)))
    assert [line.split()[0] for line in one.summary().splitlines()[1:]] == ["bpnd"]
    both = Score((*one.rows, row("11CDASB", 2.0))).summary().splitlines()[1:]
    assert [line.split()[:4] for line in both] == [
        ["bpnd", "(11CPIB)", "2", "0.600"],
        ["bpnd", "(11CDASB)", "1", "2.000"],
    ]
