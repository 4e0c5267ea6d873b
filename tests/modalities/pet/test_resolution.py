import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.special import erf

import fakeimaging as fi
from fakeimaging.core.spaces import Grid, centred_grid, rotation
from fakeimaging.modalities.pet import PetParameters, blur, resolution
from fakeimaging.modalities.pet.frames import boxed_grid
from fakeimaging.modalities.pet.resolution import FWHM, Painted, PointSpread, blurred, point_spread, transfer
from fakeimaging.testing.fixtures import constant_activity, short_activity, tiny_subject


def point(grid, at):
    image = np.zeros(grid.shape, dtype=np.float32)
    image[at] = 1000
    return image


def spread_of(image, grid):
    """Return the covariance of an image in mm, shape (3, 3)."""
    places = np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3) @ grid.affine[:3, :3].T
    weights = image.ravel().astype(float) / image.sum(dtype=float)
    places = places - weights @ places
    return (weights[:, None] * places).T @ places


def sphere_means(grid, centre, radius, parts=5):
    """Return the share of each voxel within a sphere."""
    fine = grid.finer(parts)
    axes = [fine.affine[a, a] * np.arange(n) + fine.affine[a, 3] - centre[a] for a, n in enumerate(fine.shape)]
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
    inside = (x**2 + y**2 + z**2 <= radius**2).astype(np.float32)
    nx, ny, nz = grid.shape
    return inside.reshape(nx, parts, ny, parts, nz, parts).mean(axis=(1, 3, 5))


def recovery(distance, radius, s):
    """Return a sphere of activity 1 behind a Gaussian of SD s, at distances from its middle: the closed form."""
    r = np.maximum(distance, 1e-6)
    rims = [np.exp(-((radius - side * r) ** 2) / (2 * s**2)) for side in (1, -1)]
    edges = [erf((radius - side * r) / (s * np.sqrt(2))) for side in (1, -1)]
    return sum(edges) / 2 - s / (r * np.sqrt(2 * np.pi)) * (rims[0] - rims[1])


@pytest.mark.parametrize(
    ("fwhm", "expected"), [(4.3, (0.813, 0.942, 0.995)), (6.0, (0.518, 0.722, 0.911)), (2.5, (0.997, 1.0, 1.0))]
)
def test_the_middle_of_a_sphere_is_recovered_as_the_closed_form_says(fwhm, expected):
    grid, s = centred_grid((33, 33, 33), 1.0), fwhm / FWHM
    for diameter, tabled in zip((8, 10, 13), expected, strict=True):
        assert recovery(0.0, diameter / 2, s) == pytest.approx(tabled, abs=6e-4)
        for centre in ((0.0, 0.0, 0.0), (0.3, 0.5, -0.2)):
            found = blurred(sphere_means(grid, centre, diameter / 2), grid, fwhm)[16, 16, 16]
            within = (np.indices((9, 9, 9)).reshape(3, -1).T - 4) / 9 - np.array(centre)
            closed = recovery(np.linalg.norm(within, axis=1), diameter / 2, s).mean()  # over the voxel
            assert found == pytest.approx(closed, rel=0.02)


def blurred_slab(edges, thickness, s):
    """Return the means between ``edges`` of a slab from 0 to ``thickness`` behind a Gaussian."""
    area = lambda x: x * (1 + erf(x / s / np.sqrt(2))) / 2 + s * np.exp(-((x / s) ** 2) / 2) / np.sqrt(2 * np.pi)  # noqa: E731
    return np.diff(area(edges) - area(edges - thickness)) / np.diff(edges)


def slab(edges, thickness):
    return np.diff(np.clip(edges, 0, thickness)) / np.diff(edges)


@pytest.mark.parametrize(("fwhm", "each"), [(2.5, 0.055), (4.3, 0.02), (6.0, 0.015)])
@pytest.mark.parametrize("thickness", [2.0, 2.5, 3.0, 4.0])
def test_a_cortical_slab_is_recovered_as_the_closed_form_says(fwhm, each, thickness):
    grid, ratios = centred_grid((41, 3, 3), 1.0), []
    for offset in (np.arange(10) + 0.5) / 10:
        edges = np.arange(42) - 20.0 + offset
        mask = slab(edges, thickness)
        image = np.broadcast_to(mask[:, None, None], grid.shape)
        # A slab without ends: the image goes on around.
        found = blurred(image, grid, fwhm, around=True)[:, 1, 1]
        ratios.append(found @ mask / (blurred_slab(edges, thickness, fwhm / FWHM) @ mask))
    assert np.mean(ratios) == pytest.approx(1, abs=0.005)
    # What is lost with where in its voxel an edge lies.
    np.testing.assert_allclose(ratios, 1, atol=each)


def test_the_mean_of_a_slab_is_the_tabled_one():
    fine = np.linspace(0, 1, 2001)
    for fwhm, tabled in ((4.3, (0.398, 0.475, 0.540, 0.640)), (2.5, (0.589, 0.664, 0.718, 0.788))):
        for thickness, expected in zip((2.0, 2.5, 3.0, 4.0), tabled, strict=True):
            edges = fine * thickness
            assert blurred_slab(edges, thickness, fwhm / FWHM).mean() == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize("sigma", [0.35, 0.5, 0.64, 0.96])
def test_widths_below_a_voxel_are_unbiased_where_a_sampled_gaussian_is_not(sigma):
    ours, sampled = [], []
    for offset in (np.arange(20) + 0.5) / 20:
        edges = np.arange(41) - 20.0 + offset
        for thickness in (1.0, 1.5, 2.0, 3.0):
            mask, closed = slab(edges, thickness), blurred_slab(edges, thickness, sigma)
            taps = blur.kernel_of(sigma)
            kernel = np.concatenate([taps[:0:-1], taps])
            ours.append(np.convolve(mask, kernel, "same") @ mask / (closed @ mask))
            sampled.append(gaussian_filter(mask, sigma, mode="constant") @ mask / (closed @ mask))
    assert np.mean(ours) == pytest.approx(1, abs=0.01)
    assert abs(np.mean(ours) - 1) <= abs(np.mean(sampled) - 1) + 1e-3
    if sigma < 0.6:
        assert np.mean(sampled) > 1.03


@pytest.mark.parametrize("sigma", [0.2, 0.49, 0.64, 1.0, 1.83, 3.0])
def test_a_kernel_has_the_sum_and_the_variance_it_should(sigma):
    taps = blur.kernel_of(sigma).astype(float)
    places = np.arange(len(taps))
    assert 2 * taps.sum() - taps[0] == pytest.approx(1, abs=1e-6)
    assert 2 * (taps * places**2).sum() == pytest.approx(sigma**2, rel=1e-5)
    assert len(taps) <= np.ceil(4 * sigma) + 2
    frequencies = np.linspace(0, 0.5, 40)
    transfer_of = taps[0] + 2 * np.cos(2 * np.pi * np.outer(frequencies, places[1:])) @ taps[1:]
    np.testing.assert_allclose(transfer_of, np.exp(-2 * (np.pi * sigma * frequencies) ** 2), atol=0.06)


def test_the_point_spread_keeps_activity_and_honours_millimetres():
    grid = Grid((41, 41, 41), np.diag([1.0, 2.0, 3.0, 1.0]))
    image = blurred(point(grid, (20, 20, 20)), grid, 8.0)
    assert image.sum() == pytest.approx(1000, rel=1e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(spread_of(image, grid))) * FWHM, 8.0, rtol=5e-3)


def test_three_widths_lie_along_the_axes_of_the_scanner_not_of_the_array():
    fwhm = (4.0, 6.0, 8.0)
    turned = np.eye(4)
    turned[:3, :3] = np.array([[0, 0, -2.0], [1.5, 0, 0], [0, 1.0, 0]])  # array axes are y, z, -x
    for affine in (np.diag([2.0, 1.5, 1.0, 1.0]), turned):
        grid = Grid((35, 35, 35), affine)
        found = spread_of(blurred(point(grid, (17, 17, 17)), grid, fwhm), grid)
        np.testing.assert_allclose(found, np.diag((np.array(fwhm) / FWHM) ** 2), atol=0.03)


def test_an_oblique_grid_shows_the_same_point():
    fwhm, affine = (4.0, 6.0, 8.0), np.eye(4)
    affine[:3, :3] = rotation([0.3, -0.2, 0.4]) @ np.diag([1.2, 1.0, 1.5])
    grid = Grid((45, 45, 45), affine)
    image = blurred(point(grid, (22, 22, 22)), grid, fwhm)
    assert image.sum() == pytest.approx(1000, rel=1e-4)
    np.testing.assert_allclose(spread_of(image, grid), np.diag((np.array(fwhm) / FWHM) ** 2), atol=0.05)
    inside = blurred(point(grid, (1, 22, 22)), grid, fwhm)
    assert 400 < inside.sum() < 950  # what leaves the image at one end does not come back at the other
    assert inside[-5:].max() < 1e-3
    noise = resolution.unit_noise(grid, fwhm, rng=np.random.default_rng(3))
    assert noise.std() == pytest.approx(1, rel=0.05)


def test_a_point_is_as_wide_as_scanner_and_voxel_together():
    rng, grid, fwhm = np.random.default_rng(2), centred_grid((25, 25, 25), 2.0), 4.3
    places, image = (
        rng.uniform(-1, 1, (400, 3)),
        blurred(point(centred_grid((25, 25, 25), 2.0), (12, 12, 12)), grid, fwhm),
    )
    across = np.diag(spread_of(image, grid)).mean()
    # The voxel does not know where in it the point was: a box of 2 mm.
    around_true = across + (places**2).mean()
    assert np.sqrt(around_true) * FWHM == pytest.approx(np.sqrt(fwhm**2 + FWHM**2 * 2.0**2 / 12), rel=0.01)
    assert np.sqrt(across) * FWHM == pytest.approx(fwhm, rel=2e-3)


def test_the_point_spread_ends_where_the_image_does():
    grid = centred_grid((21, 21, 21), 2.0)
    face = np.zeros(grid.shape, dtype=np.float32)
    face[0] = 1.0
    image = blurred(face, grid, 8.0)
    assert image[-1].max() == 0
    middle = np.zeros(grid.shape, dtype=np.float32)
    middle[10] = 1.0
    np.testing.assert_allclose(image[:5, 10, 10], blurred(middle, grid, 8.0)[10:15, 10, 10], rtol=1e-5)


@pytest.mark.parametrize("around", [False, True])
def test_the_compiled_blur_is_three_convolutions(around):
    rng = np.random.default_rng(5)
    image = rng.standard_normal((7, 4, 9)).astype(np.float32)
    covariance = np.diag([0.8, 0.3, 2.9]) ** 2
    expected = image.astype(float)
    for axis, sigma in enumerate((0.8, 0.3, 2.9)):
        taps = blur.kernel_of(sigma).astype(float)
        kernel, n = np.concatenate([taps[:0:-1], taps]), image.shape[axis]
        matrix = np.zeros((n, n))
        for i in range(n):
            for k, weight in enumerate(kernel):
                j = i + k - len(taps) + 1
                if around or 0 <= j < n:
                    matrix[i, j % n] += weight
        expected = np.moveaxis(np.tensordot(matrix, expected, (1, axis)), 0, axis)
    np.testing.assert_allclose(blur.blur(image, covariance, around=around), expected, atol=2e-6)


def test_no_width_changes_nothing():
    image = np.random.default_rng(1).random((5, 6, 7), dtype=np.float32)
    np.testing.assert_array_equal(blurred(image, centred_grid((5, 6, 7), 2.0), 0.0), image)


def test_a_point_spread_that_widens_loses_nothing():
    grid = boxed_grid((80, 21, 21), (3.0, 3.0, 3.0))
    p = PetParameters(scanner="mmr", psf_varies=True)
    spread = point_spread(p)
    assert spread.near == (4.3, 4.3, 4.3)
    np.testing.assert_allclose(spread.far, (5.0, 5.0, 6.6), rtol=1e-12)
    widths = []
    for i in (40, 55, 70):
        image = spread.applied(point(grid, (i, 10, 10)), grid)
        assert image.sum() == pytest.approx(1000, rel=1e-4)
        widths.append(np.sqrt(np.diag(spread_of(image, grid))) * FWHM)
    np.testing.assert_allclose(widths[0], spread.near, rtol=0.01)
    assert (np.diff(widths, axis=0) > 0).all()
    x = (70 - 39.5) * 3.0
    share = (x - 10) / 90
    mixed = np.sqrt((1 - share) * np.array(spread.near) ** 2 + share * np.array(spread.far) ** 2)
    np.testing.assert_allclose(widths[2], mixed, rtol=0.01)
    along = boxed_grid((21, 21, 80), (3.0, 3.0, 3.0))
    still = spread.applied(point(along, (10, 10, 70)), along)  # far along the axis, not away from it
    np.testing.assert_allclose(np.sqrt(np.diag(spread_of(still, along))) * FWHM, spread.near, rtol=0.01)
    assert point_spread(PetParameters(scanner="mmr")).far is None


def test_the_filter_of_an_image_widens_its_point_spread_where_nothing_is_reconstructed():
    near = point_spread(PetParameters(psf_fwhm=3.0, post_filter=4.0)).near
    assert near == pytest.approx((5.0, 5.0, 5.0))
    assert point_spread(PetParameters(psf_fwhm=3.0, post_filter=4.0, tier="projection")).near == (3.0, 3.0, 3.0)
    far = point_spread(PetParameters(scanner="mmr", post_filter=4.0, psf_varies=True)).far
    assert far == pytest.approx(np.hypot((5.0, 5.0, 6.6), 4.0))


def test_what_a_place_gives_is_the_adjoint_of_what_it_is_seen_as():
    rng, grid = np.random.default_rng(7), boxed_grid((40, 30, 12), (4.0, 4.0, 5.0))
    spread = PointSpread((4.0, 5.0, 6.0), (8.0, 9.0, 10.0))
    a, b = (rng.random(grid.shape, dtype=np.float32) for _ in range(2))
    assert np.vdot(spread.applied(a, grid), b) == pytest.approx(np.vdot(a, spread.gathered(b, grid)), rel=1e-5)


@pytest.mark.parametrize("far", [None, (9.0, 9.0, 12.0)])
def test_the_transfer_between_regions_is_that_of_the_image(far):
    rng, grid = np.random.default_rng(4), boxed_grid((44, 40, 30), (4.0, 4.0, 4.0))
    labels = np.zeros(grid.shape, dtype=np.uint16)
    for i, corner in enumerate(([6, 8, 8], [20, 8, 8], [30, 24, 16]), start=1):
        labels[tuple(slice(c, c + 8) for c in corner)] = i
    grey = rng.uniform(0.2, 1, grid.shape).astype(np.float32)
    others = (rng.random(grid.shape, dtype=np.float32),)
    spread = PointSpread((6.0, 6.0, 8.0), far)
    matrix = transfer(Painted(grid, labels, grey, others), labels, 3, spread)
    values = np.array([3.0, 5.0, 2.0, 0.7])
    image = grey * np.array([0, *values[:3]], dtype=np.float32)[labels] + values[3] * others[0]
    seen = spread.applied(image, grid)
    np.testing.assert_allclose(matrix @ values, [seen[labels == i].mean() for i in (1, 2, 3)], rtol=2e-5)


def test_a_sharper_scanner_recovers_more():
    run = constant_activity(short_activity())
    means = [
        fi.acquire("pet", tiny_subject(), run, voxel_size=4.0, scanner=name).truth["recovery"].mean()
        for name in ("hrrt", "mmr")
    ]
    assert means[0] > 1.02 * means[1]
