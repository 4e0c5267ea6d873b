import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.spaces import Grid, apply_affine, centred_grid
from fakeimaging.modalities.motion import framewise_displacement, rigid
from fakeimaging.modalities.spline import resample_volume
from fakeimaging.testing.fixtures import constant_activity, short_activity, tiny_subject
from tests.modalities.bold.staging import all_but
from tests.reference import splines

SMALL = centred_grid((9, 7, 8), 3.0)
POSE = np.array([0.8, -1.1, 0.6, 0.03, -0.02, 0.04])
QUIET = all_but("motion")


def noise(shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_a_pose_turns_about_the_isocentre_then_shifts():
    quarter = rigid([1.0, 2.0, 3.0, 0.0, 0.0, np.pi / 2])
    np.testing.assert_allclose(apply_affine(quarter, [10.0, 0.0, 0.0]), [1.0, 12.0, 3.0], atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(rigid(POSE)[:3, :3]), 1.0)


def test_framewise_displacement_by_hand():
    poses = np.array([[0, 0, 0, 0, 0, 0], [0.1, -0.2, 0.0, 0.001, 0, -0.002], [0.1, -0.2, 0.3, 0.001, 0, -0.002]])
    np.testing.assert_allclose(framewise_displacement(poses), [0, 0.1 + 0.2 + 50 * 0.003, 0.3])


def test_resampling_is_the_spline_of_the_paper():
    volume = noise(SMALL.shape)
    moved = resample_volume(volume, SMALL, SMALL, rigid(POSE))
    index = np.argwhere(np.ones(SMALL.shape))[::5]
    points = apply_affine(np.linalg.inv(SMALL.affine) @ rigid(POSE) @ SMALL.affine, index)
    inside = ((points > -0.5) & (points < np.array(SMALL.shape) - 0.5)).all(axis=1)
    expected = np.where(inside, splines.interpolate(volume, np.where(inside[:, None], points, 0)), 0)
    np.testing.assert_allclose(moved[tuple(index.T)], expected, atol=1e-5)
    assert 0 < inside.sum() < len(inside)


def test_resampling_in_place_changes_nothing():
    volume = noise(SMALL.shape)
    np.testing.assert_allclose(resample_volume(volume, SMALL, SMALL, np.eye(4)), volume, atol=3e-6)
    zeros = np.zeros(SMALL.shape, dtype=np.float32)
    assert (resample_volume(zeros, SMALL, SMALL, rigid(POSE)) == 0).all()


def test_whole_voxels_move_as_they_are():
    volume = np.zeros((24, 24, 24), dtype=np.float32)
    volume[8:16, 8:16, 8:16] = noise((8, 8, 8))
    grid = centred_grid(volume.shape, 2.0)
    moved = resample_volume(volume, grid, grid, rigid([4.0, 0, -2.0, 0, 0, 0]))
    np.testing.assert_allclose(moved[6:14, 8:16, 9:17], volume[8:16, 8:16, 8:16], atol=3e-6)


def test_a_cubic_polynomial_is_kept_on_another_grid():
    source, target = centred_grid((30, 28, 26), 2.0), centred_grid((11, 12, 10), 3.1, (1.0, -2.0, 0.5))

    def polynomial(grid):
        x, y, z = apply_affine(grid.affine, np.moveaxis(np.indices(grid.shape), 0, -1)).T / 20
        return (1 + x - y**2 + 0.5 * z**3 + x * y * z).T

    found = resample_volume(polynomial(source), source, target, np.eye(4))
    # The mirror at the edges is no cubic: its trace falls by 0.27 a voxel.
    middle = (slice(2, -2),) * 3
    np.testing.assert_allclose(found[middle], polynomial(target)[middle], atol=2e-3)


@pytest.mark.parametrize("sign", [1, -1])
def test_flipped_and_rotated_grids_agree(sign):
    flip = np.diag([sign, 1.0, 1.0, 1.0])
    source = Grid((20, 18, 16), flip @ centred_grid((20, 18, 16), 2.0).affine)
    volume = noise(source.shape)
    target = centred_grid((20, 18, 16), 2.0)
    found = resample_volume(volume, source, target, np.eye(4))
    np.testing.assert_allclose(found, volume[::sign], atol=3e-6)


@pytest.fixture(scope="module")
def still():
    run = constant_activity(short_activity(duration=60.0))
    return fi.acquire("bold", tiny_subject(), run, voxel_size=5.0, off=QUIET)


def test_realigning_with_the_truth_restores_the_image(still):
    grid, rest = still.clean.grid, still.forward.baseline
    poses = 10 * still.recipe("motion")["parameters"]
    v = int(np.abs(poses).sum(axis=1).argmax())
    moved = resample_volume(rest, grid, grid, np.linalg.inv(rigid(poses[v])))
    restored = resample_volume(moved, grid, grid, rigid(poses[v]))
    inside = rest > 500
    before, after = (np.sqrt(((image - rest)[inside] ** 2).mean()) for image in (moved, restored))
    # Interpolating twice blurs the outer edge a little; the wrong sign would double the displacement.
    assert after < 0.3 * before
    wrong = resample_volume(moved, grid, grid, np.linalg.inv(rigid(poses[v])))
    assert np.sqrt(((wrong - rest)[inside] ** 2).mean()) > before


def test_the_head_lies_where_the_recipe_says(still):
    grid, poses = still.clean.grid, still.recipe("motion")["parameters"]
    assert poses.shape == (30, 6)
    times = still.clean.clock.times + 1.0
    np.testing.assert_array_equal(poses, short_activity(duration=60.0).physiology.motion(times))
    points = apply_affine(grid.affine, np.moveaxis(np.indices(grid.shape), 0, -1))
    weight = still.forward.baseline
    for v in (7, 29):
        moved = still.observed.make(v)
        found = (points * moved[..., None]).sum(axis=(0, 1, 2)) / moved.sum()
        centre = (points * weight[..., None]).sum(axis=(0, 1, 2)) / weight.sum()
        np.testing.assert_allclose(found, apply_affine(rigid(poses[v]), centre), atol=0.02)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("level", "tr"), [("low", 2.0), ("medium", 0.72), ("high", 1.5), (0.25, 0.5)])
def test_a_scan_moves_as_much_as_asked_at_its_own_repetition_time(seed, level, tr):
    body = {"motion": level, "motion_interval": tr}
    run = fi.simulate_activity(tiny_subject(seed=seed), model="linear", duration=120.0, physiology=body)
    recipe = fi.acquire("bold", tiny_subject(seed=seed), run, tr=tr, voxel_size=12.0).recipe("motion")
    poses = recipe["parameters"]
    by_hand = np.abs(np.diff(poses[:, :3], axis=0)).sum(axis=1) + 50 * np.abs(np.diff(poses[:, 3:], axis=0)).sum(axis=1)
    np.testing.assert_allclose(framewise_displacement(poses)[1:], by_hand, rtol=1e-12)
    asked = {"low": 0.1, "medium": 0.2, "high": 0.4}.get(level, level)
    assert by_hand.mean() == pytest.approx(asked, rel=1e-6) == recipe["mean_displacement"]


def test_the_recipe_says_what_each_kind_of_motion_adds():
    run = fi.simulate_activity(tiny_subject(), model="linear", duration=600.0, physiology={"motion": "high"})
    scan = fi.acquire("bold", tiny_subject(), run, voxel_size=12.0)
    recipe, body = scan.recipe("motion"), run.physiology
    times = scan.clean.clock.times + 1.0
    parts = body.motion_parts(times)
    np.testing.assert_allclose(sum(parts.values()), recipe["parameters"], atol=1e-12)
    alone = {name: recipe[f"mean_displacement_{name}"] for name in parts}
    for name, poses in parts.items():
        assert alone[name] == pytest.approx(framewise_displacement(poses)[1:].mean())
    # Shares of one half and 0.3, scaled by what the sum needs.
    assert alone["breathing"] / alone["drift"] == pytest.approx(0.6, rel=1e-6)
    assert len(recipe["jerks"]) == pytest.approx(5, abs=3 * np.sqrt(5))
    np.testing.assert_allclose(parts["breathing"][:, 2] / parts["breathing"][:, 1], 1 / 0.3)


def test_without_motion_the_image_is_left_alone():
    run = fi.simulate_activity(tiny_subject(), model="linear", duration=20.0, physiology={"motion": 0.0})
    scan = fi.acquire("bold", tiny_subject(), run, voxel_size=8.0)
    assert (scan.before("motion").make(3) == scan.after("motion").make(3)).all()
