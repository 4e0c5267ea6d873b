import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeimaging import Grid
from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import apply_affine, centred_grid, pose, rotation

angles = st.tuples(*[st.floats(-np.pi, np.pi)] * 3)
shifts = st.tuples(*[st.floats(-200, 200)] * 3)
scales = st.tuples(*[st.floats(0.5, 2)] * 3)


@given(angles)
def test_a_rotation_keeps_lengths_and_handedness(about):
    matrix = rotation(about)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)


def test_a_rotation_about_z_takes_right_to_front():
    np.testing.assert_allclose(rotation([0, 0, np.pi / 2]) @ [1, 0, 0], [0, 1, 0], atol=1e-12)


@given(angles, scales, shifts)
def test_a_pose_and_its_inverse_cancel(about, scale, shift):
    matrix = pose(about, scale, shift)
    points = np.array([[0, 0, 0], [50, -20, 30.0]])
    back = apply_affine(np.linalg.inv(matrix), apply_affine(matrix, points))
    np.testing.assert_allclose(back, points, atol=1e-9)


@given(st.tuples(*[st.integers(1, 20)] * 3), st.floats(0.5, 5), st.integers(1, 4))
def test_a_finer_grid_has_the_same_field_of_view(shape, size, factor):
    grid = centred_grid(shape, size)
    fine = grid.finer(factor)
    assert fine.n_voxels == grid.n_voxels * factor**3
    np.testing.assert_allclose(fine.voxel_size, size / factor)
    for corner in (-0.5, None):
        old = apply_affine(grid.affine, np.full(3, corner) if corner else np.array(grid.shape) - 0.5)
        new = apply_affine(fine.affine, np.full(3, corner) if corner else np.array(fine.shape) - 0.5)
        np.testing.assert_allclose(new, old, atol=1e-9)


@pytest.mark.parametrize("affine", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.eye(3)])
def test_a_grid_needs_an_invertible_affine(affine):
    with pytest.raises(InputError, match="invertible"):
        Grid((2, 2, 2), affine)


@pytest.mark.parametrize("shape", [(0, 1, 1), (1, 1), (2, -1, 2)])
def test_a_grid_needs_three_sizes(shape):
    with pytest.raises(InputError, match="three positive"):
        Grid(shape, np.eye(4))


def test_coarser_undoes_finer_and_a_part_starts_where_it_says():
    grid = centred_grid((6, 7, 8), 3.0, (1.0, 2.0, 3.0))
    back = grid.finer(3).coarser(3)
    assert back.shape == grid.shape
    np.testing.assert_allclose(back.affine, grid.affine, atol=1e-12)
    part = grid.part((1, 2, 3), (2, 2, 2))
    np.testing.assert_allclose(part.affine[:3, 3], apply_affine(grid.affine, [1, 2, 3]))
