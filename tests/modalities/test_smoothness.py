"""Fields have the variance and the spatial correlation asked for."""

import numpy as np
import pytest

from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.core.streams import Streams
from fakeimaging.modalities.smoothness import SpatialCorrelation, embed, null_maps

SHAPE, VOXEL = (24, 28, 20), (4.0, 3.0, 5.0)
HEAVY, GAUSSIAN = SpatialCorrelation(), SpatialCorrelation.gaussian(9.0)


def fields(correlation, n, seed):
    return embed(SHAPE, VOXEL, correlation).draw(n, streams=Streams(seed))


@pytest.mark.parametrize("seed", [11, 12, 13])
@pytest.mark.parametrize("correlation", [HEAVY, GAUSSIAN, SpatialCorrelation(a=0.0, c=8.0)])
def test_the_measured_correlation_is_the_one_asked_for(correlation, seed):
    maps = fields(correlation, 100, seed).astype(float)
    for axis in range(3):
        for lag in (1, 2, 4, 8):
            near = np.take(maps, range(SHAPE[axis] - lag), axis=axis + 1)
            far = np.take(maps, range(lag, SHAPE[axis]), axis=axis + 1)
            each = (near * far).mean(axis=(1, 2, 3))
            # Maps are independent, voxels are not: the spread over 100 maps is the error. 36 looks a seed, so 4 SE.
            error = each.std(ddof=1) / np.sqrt(len(each))
            assert abs(each.mean() - correlation.at(lag * VOXEL[axis])) < 4 * error


@pytest.mark.parametrize("correlation", [HEAVY, GAUSSIAN])
def test_the_covariance_that_fields_are_drawn_from_is_exact_on_the_whole_grid(correlation):
    field = embed(SHAPE, VOXEL, correlation)
    power = field.roots.astype(float) ** 2
    covariance = (np.fft.fftn(power).real)[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    index = np.moveaxis(np.indices(SHAPE), 0, -1) * VOXEL
    expected = correlation.at(np.linalg.norm(index, axis=-1))
    assert covariance[0, 0, 0] == pytest.approx(1.0, abs=1e-6)
    assert np.abs(covariance - expected).max() < 1.5e-3
    assert field.clipped < 1e-4


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_variance_is_the_same_in_the_middle_and_in_the_corner(seed):
    n = 1500
    maps = embed((6, 6, 6), (4.0, 4.0, 4.0), HEAVY).draw(n, streams=Streams(seed))
    for voxel in [(0, 0, 0), (3, 3, 3), (5, 0, 5)]:
        assert abs(maps[:, *voxel].var() - 1) < 3.5 * np.sqrt(2 / n)
        assert abs(maps[:, *voxel].mean()) < 3.5 / np.sqrt(n)


def test_the_two_fields_of_a_pair_do_not_know_of_each_other():
    maps = fields(GAUSSIAN, 400, 5)
    each = (maps[0::2] * maps[1::2]).mean(axis=(1, 2, 3))
    assert abs(each.mean()) < 3.5 * each.std() / np.sqrt(len(each))


@pytest.mark.parametrize(
    ("abc", "fwhm"), [((0.525, 3.48032, 8.97545), 9.27474), ((0.0603753, 6.5946, 8.09281), 11.598)]
)
def test_the_width_is_the_one_afni_prints(abc, fwhm):
    # What 3dFWHMx printed for two datasets, from public posts; its own search is good to about 0.1 %.
    a, b, c = abc
    assert SpatialCorrelation(a=a, b=b, c=c).fwhm == pytest.approx(fwhm, rel=2e-3)


def test_the_width_of_either_part_alone_is_in_closed_form():
    assert SpatialCorrelation(a=1.0, b=5.0).fwhm == pytest.approx(5 * 2.354820045)
    assert SpatialCorrelation(a=0.0, c=5.0).fwhm == pytest.approx(10 * np.log(2))
    assert SpatialCorrelation(a=1 - 1e-12, b=5.0, c=5.0).fwhm == pytest.approx(5 * 2.354820045)
    assert HEAVY.at(HEAVY.radius(0.1)) == pytest.approx(0.1, abs=1e-12)


def test_a_gaussian_is_white_noise_after_a_kernel():
    from scipy.ndimage import gaussian_filter1d

    impulse = np.zeros(401)
    impulse[200] = 1
    kernel = gaussian_filter1d(impulse, 9.0 / 2.354820045 / 0.5, truncate=8)
    correlation = np.correlate(kernel, kernel, "same")
    found = correlation[200 + np.arange(0, 60)] / correlation[200]
    np.testing.assert_allclose(GAUSSIAN.at(0.5 * np.arange(60)), found, atol=1e-6)
    assert GAUSSIAN.kernel_fwhm == pytest.approx(9.0)


def test_a_map_has_its_bits_whatever_the_block():
    options = {"shape": (7, 8, 9), "seed": 3}
    whole = np.concatenate(list(null_maps(11, **options)))
    for block in (1, 3, 4):
        np.testing.assert_array_equal(np.concatenate(list(null_maps(11, block=block, **options))), whole)
    assert not np.array_equal(whole, np.concatenate(list(null_maps(11, shape=(7, 8, 9), seed=4))))


def test_a_mask_takes_away_and_changes_nothing_else():
    mask = np.zeros((7, 8, 9), dtype=bool)
    mask[2:5, 2:5, 2:5] = True
    masked, whole = (next(null_maps(2, shape=(7, 8, 9), seed=3, mask=m)) for m in (mask, None))
    np.testing.assert_array_equal(masked, whole * mask)


def test_impossible_requests_are_refused_in_words():
    with pytest.raises(InputError, match="positive"):
        null_maps(0, seed=1)
    with pytest.raises(InputError, match="`mask`: its shape"):
        null_maps(1, seed=1, mask=np.ones((2, 2, 2), dtype=bool))
    with pytest.raises(ParameterError, match=r"`a`: 1\.5 is outside \[0, 1\]"):
        SpatialCorrelation(a=1.5)
