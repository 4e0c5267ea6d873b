import numpy as np
import pytest

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
