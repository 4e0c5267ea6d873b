import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

import fakeimaging as fi
from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import Grid, apply_affine
from fakeimaging.modalities.bold.surface import DEPTHS, Places, vertices_of
from fakeimaging.modalities.motion import rigid
from fakeimaging.modalities.spline import Shift
from fakeimaging.structure.surfaces import cortex

NOISE = ["physiological", "drift", "cardiac", "respiratory", "thermal", "distortion"]


@pytest.fixture(scope="module")
def scan():
    subject = fi.make_subject("01", seed=4, anatomy="tiny")
    activity = fi.simulate_activity(subject, model="linear", duration=12.0, physiology={"motion": 2.0})
    return subject, fi.acquire("bold", subject, activity, voxel_size=6.0, off=NOISE)


def slope_image(shape=(12, 10, 8), voxel=4.0):
    grid = Grid(
        shape, np.diag([-voxel, voxel, voxel, 1.0]) + np.array([[0, 0, 0, 20], [0, 0, 0, -18], [0, 0, 0, -14], [0] * 4])
    )
    points = apply_affine(grid.affine, np.moveaxis(np.indices(shape), 0, -1))
    return grid, (100 + points @ [1.0, -2.0, 3.0]).astype(np.float32)


def test_a_linear_image_is_read_exactly_wherever_the_head_lies():
    grid, image = slope_image()
    points = np.random.default_rng(1).uniform(-9, 9, (3, 50, 3))
    pose = rigid([1.0, -0.5, 0.3, 0.02, 0.05, -0.03])
    found = Places(points).values(image, grid, pose)
    np.testing.assert_allclose(found, (100 + apply_affine(pose, points) @ [1.0, -2.0, 3.0]).mean(axis=0), rtol=1e-5)
    far = Places(points + 500).values(image, grid, pose)
    assert not far.any()


def test_a_distorted_image_is_read_where_it_shows_a_place():
    """Shifted by one voxel and half as bright, the same values come back."""
    grid, image = slope_image()
    shift = Shift(1, np.ones(grid.shape, np.float32), np.full(grid.shape, 2.0, np.float32))
    points = np.random.default_rng(2).uniform(-8, 8, (2, 40, 3))
    found = Places(points).values(0.5 * np.roll(image, 1, axis=1), grid, np.eye(4), shift)
    np.testing.assert_allclose(found, Places(points).values(image, grid, np.eye(4)), rtol=1e-5)


def test_clean_series_are_means_over_the_ribbon(scan):
    subject, recording = scan
    series = fi.surface_series(recording, subject, clean=True)
    assert {side: values.shape for side, values in series.items()} == {"L": (10242, 6), "R": (10242, 6)}
    grid, volume = recording.clean.grid, recording.clean.volume(4).astype(float)
    axes = [np.arange(size) for size in grid.shape]
    read = RegularGridInterpolator(axes, volume, bounds_error=False, fill_value=0.0)
    to_index = np.linalg.inv(grid.affine) @ np.linalg.inv(subject.anatomy.to_template)
    wanted = np.mean([read(apply_affine(to_index, cortex("R").at(depth))) for depth in DEPTHS], axis=0)
    np.testing.assert_allclose(series["R"][:, 4], wanted, rtol=1e-4, atol=0.05)


def test_motion_is_undone(scan):
    subject, recording = scan
    clean, observed = (fi.surface_series(recording, subject, clean=clean)["L"] for clean in (True, False))
    motion = recording.recipe("motion")["parameters"]
    v = int(np.abs(motion).sum(axis=1).argmax())
    places, grid = vertices_of(subject.anatomy, "L"), recording.clean.grid
    still = places.values(recording.observed.volume(v), grid, np.eye(4))
    core = clean[:, v] > 500
    undone = np.abs(observed[core, v] - clean[core, v]).mean()
    assert undone < 0.6 * np.abs(still[core] - clean[core, v]).mean()


def test_what_is_no_series_is_refused(scan):
    with pytest.raises(InputError, match="t1w is no series of images"):
        fi.surface_series(fi.acquire("t1w", scan[0], voxel_size=8.0), scan[0])
