"""The phantom: nilearn takes it as a real image, and its truth is what is in it."""

import math
import subprocess
import sys

import numpy as np
import pytest

from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.modalities.phantom import TERMS, null_runs, phantom
from fakeimaging.modalities.smoothness import SpatialCorrelation
from tests.conftest import environment

SEEDS = [41, 42, 43]
COARSE = {"shape": (16, 18, 14), "voxel_size": 12.0, "n_regions": 6}


def data(image):
    return np.asarray(image.dataobj)


@pytest.fixture(scope="module")
def made():
    return phantom(seed=1)


def test_from_import_to_image_nothing_heavy_is_loaded():
    code = (
        "import sys; from fakeimaging.modalities.phantom import phantom; phantom(seed=1); "
        "print([n for n in ('numba', 'nilearn', 'mne', 'matplotlib', 'scipy.signal', 'scipy.stats') if n in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert ran.stdout.strip() == "[]"


def test_image_and_truth_belong_together(made):
    total = data(made.truth.clean) + sum(data(term) for term in made.truth.terms.values())
    np.testing.assert_allclose(data(made.image), total, atol=1e-3)
    assert list(made.truth.terms) == list(TERMS)
    labels, mask = data(made.labels), data(made.mask) > 0
    assert made.image.get_data_dtype() == np.float32
    assert made.image.header.get_zooms() == pytest.approx((8, 8, 8, 2))
    assert set(np.unique(labels)) == set(range(9))
    assert (mask[labels > 0]).all()
    assert np.bincount(labels.ravel())[1:].min() > 100
    # Brain against air: what masks look for.
    assert np.median(data(made.image)[mask]) > 20 * np.median(data(made.image)[~mask])
    assert min(np.ptp(np.argwhere(mask), axis=0)) + 1 >= 15


def test_clean_voxels_follow_their_region(made):
    clean, labels, grey = data(made.truth.clean), data(made.labels), data(made.grey)
    pure = (labels == 3) & (grey > 0.999)
    percent = 100 * (clean[pure] / 1000.0 - 1)
    np.testing.assert_allclose(percent, np.broadcast_to(made.truth.regional[2], percent.shape), atol=2e-4)
    still = (data(made.mask) > 0) & (labels == 0)
    assert np.ptp(clean[still], axis=-1).max() == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_nilearn_masks_it_and_finds_its_regions(made):
    from nilearn.maskers import NiftiLabelsMasker
    from nilearn.masking import compute_epi_mask

    found, true = data(compute_epi_mask(made.image)) > 0, data(made.mask) > 0
    assert 2 * (found & true).sum() / (found.sum() + true.sum()) > 0.97
    masker = NiftiLabelsMasker(made.labels, lut=made.regions, standardize=None)
    series = masker.fit_transform(made.image)
    assert series.shape == (120, 8)
    quiet = phantom(seed=1, off=TERMS)
    exact = NiftiLabelsMasker(quiet.labels, standardize=None).fit_transform(quiet.image)
    for r in range(8):
        assert np.corrcoef(exact[:, r], quiet.truth.regional[r])[0, 1] > 0.99999


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_nilearns_first_level_model_finds_the_activation_map(made):
    from nilearn.glm.first_level import FirstLevelModel
    from nilearn.maskers import NiftiMasker

    quiet = phantom(seed=1, off=TERMS, fluctuation_percent=0.0)
    for one, least, size in ((quiet, 0.99999, 1e-5), (made, 0.8, 0.15)):
        model = FirstLevelModel(
            t_r=2.0, mask_img=NiftiMasker(one.mask, standardize=None).fit(), hrf_model="spm", drift_model=None,
            signal_scaling=False, noise_model="ols",
        ).fit(one.image, events=one.events)  # fmt: skip
        inside = data(one.mask) > 0
        effect = data(model.compute_contrast("face", output_type="effect_size"))[inside]
        rest = data(one.truth.clean)[inside][:, 0]
        true = data(one.truth.activation["face"])[inside] * rest / 100
        assert np.corrcoef(effect, true)[0, 1] > least
        assert np.polyfit(true, effect, 1)[0] == pytest.approx(1, abs=size)


def test_a_decoder_tells_the_conditions_apart(made):
    from sklearn.linear_model import LogisticRegression

    inside = data(made.labels) > 0
    volumes = data(made.image)[inside].T
    shown = np.argmax(made.truth.regressors, axis=0)[made.truth.regressors.max(axis=0) > 0.8]
    samples = volumes[made.truth.regressors.max(axis=0) > 0.8]
    half = len(shown) // 2
    samples = (samples - samples.mean(axis=0)) / samples.std(axis=0)
    right = LogisticRegression().fit(samples[:half], shown[:half]).score(samples[half:], shown[half:])
    assert right > 0.9


def test_leaving_a_term_out_leaves_the_bits_of_the_others():
    whole = phantom(seed=3, n_volumes=12, **COARSE)
    for name in TERMS:
        part = phantom(seed=3, n_volumes=12, off=name, **COARSE)
        assert name not in part.truth.terms
        for other in set(part.truth.terms) - {"magnitude"}:
            np.testing.assert_array_equal(data(part.truth.terms[other]), data(whole.truth.terms[other]))


@pytest.mark.parametrize("seed", SEEDS)
def test_each_term_has_the_size_asked_for_in_grey_matter(seed):
    one = phantom(seed=seed, n_volumes=200, lambda_grey=0.02, lambda_white=0.01, snr=60.0)
    grey = (data(one.labels) > 0) & (data(one.grey) > 0.999)
    rest = data(one.truth.clean)[grey].mean(axis=-1, keepdims=True)
    size = {name: np.sqrt(np.mean((data(term)[grey] / rest) ** 2)) for name, term in one.truth.terms.items()}
    rho, per_field = math.exp(-1), 5.0
    fresh = 200 * grey.sum() / per_field**3
    assert abs(size["autoregressive"] / 0.02 - 1) < 4 * math.sqrt((1 + rho**2) / (1 - rho**2) / (2 * fresh))
    assert abs(size["thermal"] * 60 - 1) < 4 / math.sqrt(2 * 200 * grey.sum())
    labelled = data(one.labels) > 0
    for name in ("cardiac", "respiratory"):
        part = np.sqrt(np.mean((data(one.truth.terms[name])[labelled] / data(one.truth.clean)[labelled]) ** 2))
        assert 100 * part / getattr(one.parameters, f"{name}_percent") == pytest.approx(1, abs=0.12)
    white = (data(one.mask) > 0) & (data(one.grey) == 0) & (data(one.truth.clean)[..., 0] < 980)
    noise = data(one.truth.terms["autoregressive"])[white] / data(one.truth.clean)[white]
    assert noise.std() == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize("seed", SEEDS)
def test_autoregressive_noise_has_the_memory_and_the_smoothness_asked_for(seed):
    correlation = SpatialCorrelation(a=0.4, b=6.0, c=14.0)
    one = phantom(seed=seed, n_volumes=200, correlation=correlation, ar_time=3.0)
    noise, inside = data(one.truth.terms["autoregressive"]), data(one.mask) > 0
    rest = data(one.truth.clean)[..., 0]
    flat = np.where(inside[..., None], noise / np.maximum(rest, 1)[..., None], 0)
    spread = flat.std(axis=-1)
    unit = flat / np.maximum(spread, 1e-9)[..., None]
    for axis in range(3):
        both = np.take(inside, range(1, inside.shape[axis]), axis) & np.take(
            inside, range(inside.shape[axis] - 1), axis
        )
        each = np.take(unit, range(1, inside.shape[axis]), axis) * np.take(unit, range(inside.shape[axis] - 1), axis)
        assert each[both].mean() == pytest.approx(correlation.at(8.0), abs=0.02)
    series = flat[inside]
    assert (series[:, 1:] * series[:, :-1]).sum() / (series**2).sum() == pytest.approx(math.exp(-2 / 3), abs=0.02)


@pytest.mark.parametrize("seed", SEEDS)
def test_air_is_rayleigh(seed):
    one = phantom(seed=seed, n_volumes=20)
    air = data(one.image)[data(one.truth.clean)[..., 0] == 0]
    assert air.mean() / air.std() == pytest.approx(1.913, rel=0.01)
    assert air.mean() == pytest.approx(1.2533 * 1000 / 150, rel=0.01)


def test_null_runs_hold_nothing_and_each_subject_its_own_noise():
    options = {"n_volumes": 8, **COARSE}
    three, two = (list(null_runs(n, seed=2, **options)) for n in (3, 2))
    np.testing.assert_array_equal(data(three[1].image), data(two[1].image))
    assert not np.array_equal(data(three[0].image), data(three[1].image))
    assert np.ptp(data(three[0].truth.clean), axis=-1).max() == 0
    assert len(three[0].events) == 0


def test_regions_have_names_and_places(made):
    table = made.regions
    assert list(table.columns) == ["index", "name", "x", "y", "z"]
    # Front to back, as their number grows.
    assert table["y"].iloc[0] > 40 > -40 > table["y"].iloc[-1]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"n_regions": 900}, InputError, "`n_regions`: 900"),
        ({"shape": (4, 28, 20)}, ParameterError, "`shape`"),
        ({"voxel_size": 0.01}, ParameterError, "`voxel_size`"),
        ({"effects": {"fice": 1.0}}, InputError, "did you mean 'face'"),
        ({"connectivity": np.eye(3)}, InputError, r"\(8, 8\) is wanted"),
    ],
)
def test_what_cannot_be_is_refused_in_words(options, error, words):
    with pytest.raises(error, match=words):
        phantom(seed=1, **options)
