import numpy as np
import pytest

from fakeimaging.core.spaces import apply_affine
from fakeimaging.dataset import confounds as c


def noise(n_volumes, n_voxels, seed=1):
    return np.random.default_rng(seed).standard_normal((n_volumes, n_voxels)).astype(np.float32)


def test_cosines_are_slow_orthogonal_and_as_many_as_the_period_allows():
    drifts = c.cosines(150, 2.0)
    assert drifts.shape == (150, 4)  # 2 * 300 s / 128 s = 4.7
    np.testing.assert_allclose(drifts.T @ drifts, np.eye(4), atol=1e-12)
    crossings = np.count_nonzero(np.diff(np.sign(drifts), axis=0), axis=0)
    assert crossings.tolist() == [1, 2, 3, 4]
    assert c.cosines(10, 2.0).shape == (10, 0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_standardised_dvars_is_one_for_noise_of_any_size_and_colour(seed):
    white = 1000 + 30 * noise(200, 2000, seed)
    slow = white.copy()
    for t in range(1, 200):
        slow[t] = 1000 + 0.5 * (slow[t - 1] - 1000) + np.sqrt(0.75) * (white[t] - 1000)
    for series in (white, slow):
        found = c.dvars(series)["std_dvars"]
        assert np.isnan(found[0])
        assert abs(np.nanmean(found) - 1) < 0.02
    jumped = white.copy()
    jumped[100] += 120
    assert c.dvars(jumped)["std_dvars"][100] > 2


def test_compcor_finds_the_course_that_a_tissue_shares():
    n_volumes, course = 120, np.sin(np.arange(120) * 0.7)
    brain = 1000 + noise(n_volumes, 600)
    csf = np.arange(600) < 150
    brain[:, csf] += 3 * course[:, None].astype(np.float32)
    voxels = c.Voxels(brain, {"csf": csf, "white_matter": np.arange(600) > 400}, noise(n_volumes, 80))
    columns, about = c.compcor(voxels, c.cosines(n_volumes, 2.0))
    assert abs(np.corrcoef(columns["c_comp_cor_00"], course)[0, 1]) > 0.99
    assert abs(np.corrcoef(columns["w_comp_cor_00"], course)[0, 1]) < 0.4
    assert about["c_comp_cor_00"]["Mask"] == "CSF"
    assert about["a_comp_cor_00"]["Mask"] == "combined"
    assert about["c_comp_cor_00"]["VarianceExplained"] == pytest.approx(4.5 / 5.5, abs=0.05)
    assert [name for name in columns if name.startswith("a_")] == [f"a_comp_cor_{k:02d}" for k in range(6)]


def test_every_column_has_its_expansion_and_tissues_may_be_empty():
    nothing = np.zeros(50, dtype=bool)
    voxels = c.Voxels(noise(40, 50), {"csf": nothing, "white_matter": nothing}, noise(40, 0))
    columns, _ = c.confounds(voxels, np.zeros((40, 6)), 2.0)
    for name in (*c.MOTION, "csf", "white_matter", "global_signal"):
        for ending in ("", "_derivative1", "_power2", "_derivative1_power2"):
            assert columns[name + ending].shape == (40,)
    assert not columns["csf"].any()
    assert not [name for name in columns if name.startswith(("a_comp", "c_comp", "w_comp"))]
    drawn = c.expanded("x", np.array([1.0, 3.0, 2.0]))
    assert drawn["x_derivative1_power2"][1:].tolist() == [4.0, 1.0]


def test_rmsd_is_the_distance_that_points_of_a_sphere_move():
    motion = np.array([[0, 0, 0, 0, 0, 0], [0.3, 0, 0.4, 0, 0, 0], [0.3, 0, 0.4, 0.02, -0.01, 0.03]], dtype=float)
    found = c.rmsd(motion)
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(0.5)
    rng = np.random.default_rng(1)
    points = rng.standard_normal((200_000, 3))
    points *= c.HEAD_RADIUS * rng.random((200_000, 1)) ** (1 / 3) / np.linalg.norm(points, axis=1, keepdims=True)
    then, now = (c.rigid(row) for row in motion[1:])
    moved = np.linalg.norm(apply_affine(now @ np.linalg.inv(then), points) - points, axis=1)
    assert found[2] == pytest.approx(np.sqrt(np.mean(moved**2)), rel=0.01)


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_only_volumes_before_the_steady_state_stand_out_at_the_start(seed):
    course = 1000 + noise(80, 1, seed)[:, 0].astype(float)
    assert c.first_outliers(course + 20 * np.exp(-np.arange(80) / 0.8)) in (2, 3, 4)
    late = course.copy()
    late[10] += 50
    late[0] = np.median(late)
    assert c.first_outliers(late) == 0
    assert c.first_outliers(np.full(30, 7.0)) == 0


def test_first_volumes_get_a_column_each_and_leave_the_components():
    brain = 1000 + noise(60, 300)
    brain[:2] *= np.array([[1.4], [1.1]], dtype=np.float32)
    csf = np.arange(300) < 100
    columns, _ = c.confounds(c.Voxels(brain, {"csf": csf, "white_matter": ~csf}, noise(60, 40)), np.zeros((60, 6)), 2.0)
    assert [n for n in columns if n.startswith("non_steady")] == [
        "non_steady_state_outlier00",
        "non_steady_state_outlier01",
    ]
    assert columns["non_steady_state_outlier01"].tolist() == [0, 1] + [0] * 58
    for name in ("a_comp_cor_00", "t_comp_cor_03", "edge_comp_00", "cosine00"):
        assert columns[name][:2].tolist() == [0, 0]
        assert np.linalg.norm(columns[name]) == pytest.approx(1)


def test_motion_outliers_are_those_of_fmriprep():
    displacement, change = np.array([np.nan, 0.4, 0.6, 0.1]), np.array([np.nan, 1.6, 1.0, 1.4])
    assert c.outliers(displacement, change).tolist() == [False, True, True, False]
    assert c.spikes("motion_outlier", c.outliers(displacement, change))["motion_outlier01"].tolist() == [0, 0, 1, 0]


def test_components_without_a_column_are_told_of_up_to_half_of_the_variance():
    kept = [words for _, words in c.components(noise(50, 400), 3)]
    assert [words["Retained"] for words in kept[:4]] == [True, True, True, False]
    assert kept[-1]["CumulativeVarianceExplained"] >= 0.5 > kept[-2]["CumulativeVarianceExplained"]
    assert sum(words["VarianceExplained"] for words in kept) == pytest.approx(kept[-1]["CumulativeVarianceExplained"])
