from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.core.spaces import centred_grid
from fakeimaging.modalities.pet import reconstruction
from fakeimaging.modalities.pet.mu_map import mu_map
from fakeimaging.modalities.pet.projector import parallel_lines, project
from fakeimaging.modalities.pet.reconstruction import sinograms, without_noise
from fakeimaging.modalities.pet.sinograms import (
    PARTS,
    SCATTER_FWHM,
    SINGLES_FWHM,
    accidental,
    drawn,
    expected,
    scattered,
)
from fakeimaging.testing import check_modality
from fakeimaging.testing.fixtures import short_activity, tiny_subject
from tests.modalities.pet.test_projector import disc

SETTINGS = {"voxel_size": 6.0, "views": 42, "subsets": 6, "iterations": 4}
LATE = 30


def scan(tier="projection", **parameters):
    return fi.acquire("pet", tiny_subject(), short_activity(), tier=tier, **(SETTINGS | parameters))


@pytest.fixture(scope="module")
def made():
    return scan()


def test_the_projection_tier_holds_the_contract():
    check_modality("pet", voxel_size=12.0, duration=120.0, tier="projection", views=16, subsets=4, iterations=1)


def test_the_image_tier_is_left_alone(made):
    image = scan("image")
    assert (image.after("reconstruction").make(LATE) == image.before("reconstruction").make(LATE)).all()
    assert image.layer("noise").make(LATE).any()
    assert not made.layer("noise").make(LATE).any()
    assert (made.before("reconstruction").make(LATE) == image.before("reconstruction").make(LATE)).all()
    with pytest.raises(InputError, match="no sinograms in the image tier"):
        sinograms(image, LATE)


def test_the_image_is_made_of_its_sinograms(made):
    counts, recipe = sinograms(made, LATE), made.recipe("reconstruction")
    model = reconstruction.scanner_of(made.forward, recipe)
    again = reconstruction.reconstructed(counts, model, recipe)
    assert (again == made.after("reconstruction").make(LATE)).all()
    assert (counts.prompts == counts.trues + counts.scatter + counts.randoms).all()
    assert counts.survival.min() > 0.05
    assert counts.survival.max() == 1


def test_counts_are_as_many_as_the_scanner_expects(made):
    recipe = made.recipe("reconstruction")
    for frame in (0, 8, LATE):
        counts = sinograms(made, frame)
        for part in PARTS:
            mean = float(recipe[part][frame])
            assert getattr(counts.expected, part).sum(dtype=float) == pytest.approx(mean, rel=1e-4)
            assert getattr(counts, part).sum() == pytest.approx(mean, abs=4 * np.sqrt(mean) + 1)


def test_counts_are_poisson():
    grid = centred_grid((16, 18, 2), 8.0)
    lines = parallel_lines(grid, 12)
    left = np.exp(-0.006 * project(disc(grid, 50.0), lines))
    mean = expected(disc(grid, 50.0), lines, left, trues=9000.0, scatter=6000.0, randoms=4000.0)
    rng, n = np.random.default_rng(1), 400
    draws = [drawn(mean, left, rng=rng) for _ in range(n)]
    for part in (*PARTS, "prompts"):
        stack = np.array([getattr(draw, part) for draw in draws], dtype=float)
        ratio = stack.var(axis=0, ddof=1) / np.maximum(stack.mean(axis=0), 1e-9)
        some = stack.mean(axis=0) > 1
        # The ratio of one bin has a spread of sqrt(2 / n).
        assert ratio[some].mean() == pytest.approx(1, abs=4 * np.sqrt(2 / n / some.sum()))
    parts = [np.array([getattr(draw, part).ravel() for draw in draws[:200]], dtype=float) for part in PARTS]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        apart = np.mean((parts[a] - parts[a].mean(axis=0)) * (parts[b] - parts[b].mean(axis=0)))
        assert abs(apart) < 4 * parts[a].std(axis=0).mean() * parts[b].std(axis=0).mean() / np.sqrt(parts[a].size)


def test_scatter_is_wide_and_randoms_are_flat(made):
    means = sinograms(made, LATE).expected
    middle = means.trues.shape[2] // 2
    profile = {part: getattr(means, part)[:, :, middle].mean(axis=0) for part in PARTS}
    r = (np.arange(len(profile["trues"])) - (len(profile["trues"]) - 1) / 2) * 6.0
    width = {part: np.sqrt((p * r**2).sum() / p.sum()) for part, p in profile.items()}
    assert width["scatter"] > 1.3 * width["trues"]
    outside = abs(r) > 125
    assert profile["trues"][outside].max() < 1e-3 * profile["trues"].max()
    assert profile["scatter"][outside].min() > 0.02 * profile["scatter"].max()
    assert abs(profile["scatter"][:, None] - profile["scatter"][::-1, None]).max() < 0.1 * profile["scatter"].max()
    np.testing.assert_allclose(means.randoms[:, :, middle], means.randoms[0, 0, middle])
    assert means.randoms[0, 0, middle] > means.randoms[0, 0, 0]


def test_randoms_are_the_square_of_what_each_ring_sees():
    grid = centred_grid((12, 12, 41), 10.0)
    lines, image = parallel_lines(grid, 4), np.zeros(grid.shape)
    image[6, 6, 20] = 1.0
    profile = accidental(image, lines)[0, 0].astype(float)
    z = (np.arange(41) - 20) * 10.0
    assert np.sqrt((profile * z**2).sum() / profile.sum()) * 2.3548 == pytest.approx(
        SINGLES_FWHM / np.sqrt(2), rel=0.01
    )


def test_scatter_is_a_gaussian_about_what_scatters():
    grid = centred_grid((61, 61, 61), 10.0)
    lines = parallel_lines(grid, 2)
    trues = np.zeros(lines.shape, dtype=np.float32)
    trues[:, lines.n_bins // 2, 30] = 1.0
    shape = scattered(trues, lines)[0].astype(float)
    for profile in (shape.sum(axis=0), shape.sum(axis=1)):
        z = (np.arange(len(profile)) - profile.argmax()) * 10.0
        width = np.sqrt((profile * z**2).sum() / profile.sum()) * 2.3548
        assert width == pytest.approx(SCATTER_FWHM, rel=0.03)


def test_pairs_survive_as_the_tissue_on_their_line_attenuates(made):
    grid = made.clean.grid
    lines = parallel_lines(grid, 42, field=744.0)
    per_cm = mu_map(tiny_subject().anatomy, grid)
    np.testing.assert_allclose(sinograms(made, LATE).survival, np.exp(-project(per_cm, lines) / 10), rtol=1e-5)
    assert 0.1 < sinograms(made, LATE).survival.min() < 0.3


def test_the_sidecar_says_how_it_was_reconstructed():
    plain, default = (
        made.modality.sidecar(made.parameters, made.forward)
        for made in (scan(post_filter=3.0, psf_model=False), scan())
    )
    assert plain["ReconMethodName"] == "OSEM"
    settings = dict(zip(plain["ReconMethodParameterLabels"], plain["ReconMethodParameterValues"], strict=True))
    assert (settings["subsets"], settings["iterations"]) == (6, 4)
    assert plain["ReconFilterSize"] == 3.0
    assert "ReconFilterSize" not in default
    assert default["ReconMethodName"] == "OSEM with point spread"


def test_activity_is_recovered_in_its_own_unit(made):
    blurred = made.before("reconstruction").make(LATE).astype(float)
    x = without_noise(made, LATE)
    assert x.sum(dtype=float) == pytest.approx(blurred.sum(), rel=0.02)
    inside = blurred > 0.5 * blurred.max()
    assert x[inside].mean() == pytest.approx(blurred[inside].mean(), rel=0.05)
    noisy = made.after("reconstruction").make(LATE)
    assert noisy[inside].mean(dtype=float) == pytest.approx(x[inside].mean(), rel=0.01)


def test_a_lower_dose_is_noisier_and_no_dimmer():
    inside, spread = None, []
    for dose in (400.0, 100.0):
        made = scan(injected_activity=dose, psf_model=False, randoms_fraction=0.2)
        blurred = made.before("reconstruction").make(LATE)
        inside = blurred > 0.5 * blurred.max()
        smooth = without_noise(made, LATE)
        spread.append((made.after("reconstruction").make(LATE) - smooth)[inside].std() / smooth[inside].mean())
    assert spread[1] / spread[0] == pytest.approx(2.0, rel=0.1)


def test_frames_without_counts_are_empty():
    made = scan()
    recipe = dict(made.recipe("reconstruction"))
    first = made.after("reconstruction").make(0)
    assert np.isfinite(first).all()
    assert (first >= 0).all()
    model = reconstruction.scanner_of(made.forward, recipe)
    nothing = reconstruction.counted(np.zeros(made.clean.grid.shape), model, recipe, LATE)
    assert not nothing.trues.any()
    assert not nothing.randoms.any()


def test_frames_are_the_same_in_threads(made):
    alone = [made.after("reconstruction").make(v) for v in (10, 20)]
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(scan().after("reconstruction").make, (10, 20)))
    for a, b in zip(alone, both, strict=True):
        assert (a == b).all()


@pytest.mark.parametrize(
    "wrong", [{"iterations": 0}, {"subsets": 0}, {"views": 2}, {"post_filter": -1.0}, {"tier": "sinogram"}]
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ParameterError):
        scan(**wrong)


def test_a_subset_holds_a_view():
    with pytest.raises(ParameterError, match="subsets"):
        scan(views=20, subsets=30)


def test_only_what_is_reconstructed_cites_a_reconstruction():
    names = {tier: {paper.authors for paper in scan(tier=tier).references} for tier in ("image", "projection")}
    assert names["projection"] - names["image"] == {"Joseph", "Shepp and Vardi", "Hudson and Larkin"}
    assert "Innis et al." in names["image"]
