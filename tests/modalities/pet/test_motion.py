import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.clocks import Frames
from fakeimaging.modalities.motion import rigid
from fakeimaging.modalities.pet.motion import displacement, drawn_poses, poses_of_run
from fakeimaging.testing.fixtures import constant_activity, short_activity, tiny_subject

HOUR = Frames(np.array([60.0] * 10 + [300.0] * 10))


def scan(activity=None, **parameters):
    run = activity or constant_activity(short_activity())
    return fi.acquire("pet", tiny_subject(), run, **({"voxel_size": 6.0} | parameters))


def test_the_head_lies_still_unless_told():
    made = scan()
    np.testing.assert_array_equal(made.recipe("motion")["parameters"], 0)
    assert made.before("psf").make(30) is made.clean.make(30)
    assert "desc-motion" not in {c.name for c in made.companions}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_level_is_what_is_reached_after_an_hour(seed):
    rng, n = np.random.default_rng(seed), 600
    frames = Frames(np.array([1.0, 898.0, 1.0, 2699.0, 1.0]))
    squares = np.array([displacement(drawn_poses(frames, 3.0, rng=rng)) ** 2 for _ in range(n)])
    # The variance of a square of six numbers that differ in size is at most that of one normal's.
    tolerance = 4 * np.sqrt(5 / n)
    assert squares[:, -1].mean() == pytest.approx(9.0, rel=tolerance)
    assert squares[:, 2].mean() == pytest.approx(9.0 / 4, rel=tolerance)  # a quarter of the hour
    assert squares[:, 0].mean() < 0.05


def test_it_grows_with_the_level_and_nothing_else_changes():
    one, two = (drawn_poses(HOUR, level, rng=np.random.default_rng(5)) for level in (1.0, 2.0))
    np.testing.assert_allclose(two, 2 * one)
    np.testing.assert_array_equal(drawn_poses(HOUR, 0.0, rng=np.random.default_rng(5)), 0)


def test_displacement_is_the_mean_over_a_sphere():
    pose = np.array([[0.5, -0.3, 1.0, 0.02, -0.01, 0.015]])
    directions = np.random.default_rng(1).standard_normal((200_000, 3))
    places = 50 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    moved = places @ rigid(pose[0])[:3, :3].T + rigid(pose[0])[:3, 3]
    rms = np.sqrt(((moved - places) ** 2).sum(axis=1).mean())
    assert displacement(pose)[0] == pytest.approx(rms, rel=0.01)


def test_frames_lie_where_their_poses_say():
    made = scan(motion=8.0, off=["psf", "noise", "quantisation"])
    poses, grid = made.recipe("motion")["parameters"], made.clean.grid
    assert (np.diff(made.recipe("motion")["displacement"]) != 0).all()
    v = 30
    places = np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3) @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    middles = [
        (places * image.reshape(-1, 1)).sum(axis=0, dtype=float) / image.sum(dtype=float)
        for image in (made.clean.make(v), made.observed.make(v))
    ]
    expected = rigid(poses[v]) @ np.append(middles[0], 1)
    np.testing.assert_allclose(middles[1], expected[:3], atol=0.15)
    assert np.linalg.norm(middles[1] - middles[0]) > 1
    assert made.observed.make(v).sum(dtype=float) == pytest.approx(made.clean.make(v).sum(dtype=float), rel=0.02)


def test_the_true_poses_are_told():
    made = scan(motion=2.0)
    (table,) = (c for c in made.companions if c.name == "desc-motion")
    assert table.truth
    assert table.columns[2:8] == ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
    told = np.array(table.rows, dtype=float)
    np.testing.assert_allclose(told[:, 2:8], made.recipe("motion")["parameters"], atol=1e-6)
    np.testing.assert_allclose(told[:, 0], made.clean.clock.starts)
    assert "desc-motion" not in {c.name for c in scan(motion=2.0, off=["motion"]).companions}
    np.testing.assert_array_equal(scan(motion=2.0).recipe("motion")["parameters"], made.recipe("motion")["parameters"])


def test_a_scan_that_follows_the_run_moves_as_the_run_does():
    run = constant_activity(short_activity(duration=120.0))
    made = scan(run, follow=True, frames=((2, 30.0), (1, 60.0)), baseline_rate=5.0)
    times = np.arange(0.5, 120.0)
    by_hand = run.physiology.motion(times)
    expected = [by_hand[(times >= a) & (times < b)].mean(axis=0) for a, b in ((0, 30), (30, 60), (60, 120))]
    np.testing.assert_allclose(made.recipe("motion")["parameters"], expected, atol=0.05)
    assert displacement(made.recipe("motion")["parameters"]).max() > 0
    own = scan(run, follow=True, frames=((2, 30.0), (1, 60.0)), baseline_rate=5.0, motion=0.0)
    np.testing.assert_array_equal(own.recipe("motion")["parameters"], 0)
    late = poses_of_run(Frames(np.array([30.0]), 60.0), run.physiology)
    moved = run.physiology.motion(62.5 + 5 * np.arange(6)).mean(axis=0) - run.physiology.motion([60.0])[0]
    np.testing.assert_allclose(late, moved[None], rtol=1e-9)


def test_attenuation_that_does_not_follow_the_head_leaves_a_mark():
    follows, stays = (scan(motion=8.0, attenuation_moves=on, off=["noise", "quantisation"]) for on in (True, False))
    v = 30
    right, wrong = follows.observed.make(v), stays.observed.make(v)
    inside = right > 0.2 * right.max()
    ratio = wrong[inside] / right[inside]
    assert ratio.max() > 1.025
    assert ratio.min() < 0.975
    assert ratio.mean() == pytest.approx(1, abs=0.1)
    still = scan(motion=0.0, attenuation_moves=False)
    assert still.before("psf").make(v) is still.clean.make(v)


def test_another_repeat_moves_otherwise():
    run = constant_activity(short_activity())
    one, two = (fi.acquire("pet", tiny_subject(), run, voxel_size=12.0, motion=2.0, repeat=n) for n in (1, 2))
    assert not np.allclose(one.recipe("motion")["parameters"], two.recipe("motion")["parameters"])
