import numpy as np
import pytest

from fakeimaging.core.spaces import Grid, centred_grid
from fakeimaging.modalities.pet import projector, resolution
from fakeimaging.modalities.pet.projector import back_project, parallel_lines, project
from fakeimaging.modalities.pet.slabs import from_bins, from_slabs, slab_blur, to_bins, to_slabs
from tests.reference import projections

CUBES = centred_grid((40, 46, 5), 3.0)
FLAT = Grid((48, 30, 17), np.diag([2.0, 3.4, 5.0, 1.0]))
TILTED = Grid((31, 44, 33), FLAT.affine @ np.array([[0.8, -0.6, 0, 3], [0.6, 0.8, 0, 1], [0, 0, 1, 2], [0, 0, 0, 1.0]]))


def bins(lines):
    return (np.arange(lines.n_bins) - (lines.n_bins - 1) / 2) * lines.bin_width


def disc(grid, radius, x=0.0, y=0.0, fine=8):
    """Share of each cell of every slice that lies within ``radius`` mm of a place."""
    nx, ny, nz = grid.shape
    i, j = ((np.arange(n * fine) + 0.5) / fine - n / 2 for n in (nx, ny))
    dx, dy, _ = grid.voxel_size
    inside = np.hypot((i * dx - x)[:, None], (j * dy - y)[None]) < radius
    share = inside.reshape(nx, fine, ny, fine).mean(axis=(1, 3))
    return np.repeat(share[:, :, None], nz, axis=2).astype(np.float32)


@pytest.mark.parametrize("grid", [CUBES, FLAT, TILTED])
@pytest.mark.parametrize("field", [np.inf, 70.0])
def test_back_projection_is_the_adjoint(grid, field):
    lines = parallel_lines(grid, 37, field=field)
    rng = np.random.default_rng(1)
    for _ in range(3):
        x, y = rng.random(grid.shape, dtype=np.float32), rng.random(lines.shape, dtype=np.float32)
        there, here = project(x, lines), back_project(y, lines)
        assert np.vdot(there.astype(float), y) == pytest.approx(np.vdot(x.astype(float), here), rel=1e-6)


@pytest.mark.parametrize("size", [(3.0, 3.0), (2.0, 3.4), (5.0, 1.5)])
def test_lines_cross_what_the_paper_says(size):
    grid = Grid((9, 7, 2), np.diag([*size, 2.0, 1.0]))
    lines = parallel_lines(grid, 12)
    weights = projections.matrix((9, 7), size, np.arange(12) * np.pi / 12, lines.n_bins, lines.bin_width)
    image = np.random.default_rng(2).random(grid.shape)
    np.testing.assert_allclose(project(image, lines), np.einsum("vbxy,xyz->vbz", weights, image), rtol=2e-5, atol=1e-4)
    sinogram = np.random.default_rng(3).random(lines.shape)
    back = np.einsum("vbxy,vbz->xyz", weights, sinogram)
    np.testing.assert_allclose(back_project(sinogram, lines), back, rtol=2e-5, atol=1e-4)


@pytest.mark.parametrize("size", [(1.5, 1.5), (1.5, 2.0)])
def test_a_disc_is_crossed_in_its_chords(size):
    grid, radius = Grid((90, 80, 1), np.diag([*size, 2.0, 1.0])), 50.0
    lines = parallel_lines(grid, 60)
    r = bins(lines)
    chords = 2 * np.sqrt(np.clip(radius**2 - r**2, 0, None))
    crossed = project(disc(grid, radius), lines)[:, :, 0]
    assert np.abs(crossed - chords)[:, abs(r) < 0.9 * radius].max() < 0.5 * max(size)
    np.testing.assert_allclose(crossed.mean(axis=0)[abs(r) < 0.9 * radius], chords[abs(r) < 0.9 * radius], rtol=5e-3)
    assert (crossed[:, abs(r) > radius + 2 * max(size)] == 0).all()


@pytest.mark.parametrize("grid", [CUBES, FLAT])
def test_every_view_counts_everything(grid):
    lines = parallel_lines(grid, 40)
    image = resolution.blurred(disc(grid, 20.0, 15.0, -10.0), grid, 8.0)
    dx, dy, _ = grid.voxel_size
    seen = project(image, lines)[:, :, 0].sum(axis=1) * lines.bin_width
    np.testing.assert_allclose(seen, image[:, :, 0].sum() * dx * dy, rtol=2e-3)


def test_a_place_is_seen_where_its_view_has_it():
    grid = Grid((61, 51, 3), np.diag([2.0, 3.0, 4.0, 1.0]))
    lines = parallel_lines(grid, 24)
    image = np.zeros(grid.shape, dtype=np.float32)
    image[45, 10, 1] = 1.0
    x, y = (45 - 30) * 2.0, (10 - 25) * 3.0
    seen = project(image, lines)
    assert (seen[:, :, [0, 2]] == 0).all()
    angles = np.arange(24) * np.pi / 24
    middle = (seen[:, :, 1] * bins(lines)).sum(axis=1) / seen[:, :, 1].sum(axis=1)
    np.testing.assert_allclose(middle, x * np.cos(angles) + y * np.sin(angles), atol=0.5 * lines.bin_width)


@pytest.mark.parametrize("n_slices", [1, 15, 16, 17, 33])
def test_slices_do_not_know_of_each_other(n_slices):
    grid = centred_grid((20, 24, n_slices), 4.0)
    lines, one = parallel_lines(grid, 9), parallel_lines(centred_grid((20, 24, 1), 4.0), 9)
    image = np.random.default_rng(4).random(grid.shape, dtype=np.float32)
    whole = project(image, lines)
    back = back_project(whole, lines)
    for z in {0, n_slices // 2, n_slices - 1}:
        alone = project(image[:, :, z : z + 1], one)
        assert (whole[:, :, z] == alone[:, :, 0]).all()
        assert (back[:, :, z] == back_project(alone, one)[:, :, 0]).all()


def test_a_field_of_view_limits_the_lines():
    lines = parallel_lines(CUBES, 10, field=60.0)
    assert lines.n_bins == 20
    seen = project(disc(CUBES, 6.0, 50.0, 0.0), lines).any(axis=(1, 2))
    assert not seen[0]
    assert seen[5]
    assert parallel_lines(CUBES, 10).n_bins * 3.0 >= np.hypot(120, 138)


@pytest.mark.parametrize("grid", [CUBES, FLAT, TILTED])
def test_slabs_hold_what_they_are_given(grid):
    image = np.random.default_rng(5).random(grid.shape, dtype=np.float32)
    assert (from_slabs(to_slabs(image), grid.shape) == image).all()
    assert (from_bins(to_bins(image), grid.shape) == image).all()


@pytest.mark.parametrize("grid", [CUBES, FLAT, TILTED, centred_grid((12, 3, 1), 20.0)])
@pytest.mark.parametrize("fwhm", [4.5, (9.0, 4.0, 14.0)])
def test_slabs_are_blurred_as_images_are(grid, fwhm):
    from scipy.ndimage import gaussian_filter

    image = np.random.default_rng(6).random(grid.shape, dtype=np.float32)
    sigma = np.broadcast_to(fwhm, 3) / resolution.FWHM / grid.voxel_size
    expected = gaussian_filter(image.astype(float), sigma, mode="constant", truncate=resolution.REACH)
    spread = slab_blur(grid, fwhm)
    np.testing.assert_allclose(from_slabs(spread.of(to_slabs(image)), grid.shape), expected, atol=2e-6)
    other = np.random.default_rng(7).random(grid.shape, dtype=np.float32)
    there, here = (from_slabs(spread.of(to_slabs(a)), grid.shape).astype(float) for a in (image, other))
    assert np.vdot(there, other) == pytest.approx(np.vdot(image, here), rel=1e-6)
    assert slab_blur(grid, 0.0) is None


def test_projection_of_nothing_is_nothing():
    lines = parallel_lines(CUBES, 8)
    assert not project(np.zeros(CUBES.shape), lines).any()
    assert not back_project(np.zeros(lines.shape), lines).any()
    assert projector.empty(lines).shape == to_slabs(np.zeros(CUBES.shape)).shape
