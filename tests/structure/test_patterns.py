import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.spaces import Grid, apply_affine, centred_grid
from fakeimaging.core.streams import Streams
from fakeimaging.structure.patterns import FWHM, N_MODES, make_patterns
from fakeimaging.testing.fixtures import tiny_subject


@pytest.fixture(scope="module")
def person():
    return fi.make_subject("01", seed=1)


def test_mean_is_zero_and_variance_one_over_the_grey_matter_of_each_region(person):
    labels, grey = person.parcellation.labels[::2, ::2, ::2], person.anatomy.maps.grey[::2, ::2, ::2] / 255
    grid = person.parcellation.grid
    index = np.argwhere(labels)
    where = labels[labels > 0].astype(int)
    values = person.patterns_at(apply_affine(grid.affine, 2 * index))
    assert values.shape == (N_MODES, len(index))
    weights = grey[labels > 0]
    for value in values:
        total = np.bincount(where, weights=weights)[1:]
        mean = np.bincount(where, weights=weights * value)[1:] / total
        square = np.bincount(where, weights=weights * value**2)[1:] / total
        np.testing.assert_allclose(mean, 0, atol=1e-4)
        np.testing.assert_allclose(square, 1, atol=1e-3)
    assert abs(np.corrcoef(*values)[0, 1]) < 0.1


def test_on_a_native_grid_a_voxel_has_the_value_of_its_place_and_air_none(person):
    grid = centred_grid((56, 64, 46), 3.5)
    image, labels = person.patterns_on(grid), person.labels(grid)
    assert image.shape == (N_MODES, 56, 64, 46)
    assert image.dtype == np.float32
    assert (image[:, labels == 0] == 0).all()
    index = np.argwhere(labels)[::199]
    points = apply_affine(person.anatomy.to_template @ grid.affine, index)
    expected = person.patterns_at(points, labels[tuple(index.T)])
    np.testing.assert_allclose(image[:, *index.T], expected, rtol=1e-5, atol=1e-6)
    inside = labels > 0
    assert image[0][inside].std() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_field_is_as_smooth_as_stated(seed):
    subject = tiny_subject(seed=seed)
    made = make_patterns(subject.parcellation, subject.anatomy.maps, Streams(seed).at("x"))
    field = made.fields[0] - made.fields[0].mean()
    lag = 2
    found = [
        np.corrcoef(np.moveaxis(field, axis, 0)[lag:].ravel(), np.moveaxis(field, axis, 0)[:-lag].ravel())[0, 1]
        for axis in range(3)
    ]
    sd = FWHM / np.sqrt(8 * np.log(2))
    # White noise through a Gaussian of this SD correlates as exp(-d^2 / (4 SD^2)).
    assert np.mean(found) == pytest.approx(np.exp(-((lag * 4.0) ** 2) / (4 * sd**2)), abs=0.04)


def test_points_outside_every_region_have_none_unless_told(person):
    far = np.array([[0.0, 0.0, 200.0], [500.0, 0.0, 0.0]])
    assert (person.patterns_at(far) == 0).all()
    centroid = person.parcellation.centroids[:1]
    assert (person.patterns_at(centroid, np.array([1])) != 0).any()
    assert (person.patterns_at(centroid, np.array([0])) == 0).all()


def test_subjects_differ_and_a_subject_stays_the_same():
    grid = centred_grid((30, 30, 22), 7.0)
    one, again = (fi.make_subject("01", seed=1, anatomy="tiny").patterns_on(grid) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    other = fi.make_subject("02", seed=1, anatomy="tiny")
    points = tiny_subject().parcellation.centroids
    labels = np.arange(1, len(points) + 1)
    assert not np.allclose(tiny_subject().patterns_at(points, labels), other.patterns_at(points, labels))


def test_any_orientation_of_the_grid_will_do(person):
    grid = centred_grid((40, 40, 30), 5.0)
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = grid.shape[0] - 1
    flipped = Grid(grid.shape, grid.affine @ flip)
    a, b = person.patterns_on(grid), person.patterns_on(flipped)[:, ::-1]
    same = (a != 0).any(axis=0) & (b != 0).any(axis=0)
    assert same.sum() > 0.9 * (a != 0).any(axis=0).sum()
