"""What is measured in a simulated image is what it was made with; real and broken images do no harm."""

import math
import warnings
from functools import lru_cache
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import InputError
from fakeimaging.modalities import moments
from fakeimaging.modalities.bold.parameters import BoldParameters
from fakeimaging.modalities.match import match
from fakeimaging.modalities.phantom import phantom
from fakeimaging.modalities.smoothness import SpatialCorrelation
from fakeimaging.testing.fixtures import constant_activity, short_activity, tiny_subject

REAL = Path(nib.__file__).parent / "tests" / "data"
SEEDS = [61, 62, 63]
STILL = {"off": ["cardiac", "respiratory"], "fluctuation_percent": 0.0, "events": []}
CASES = {
    "default": {"lambda_white": 0.0085},
    "noisy, slow and heavy-tailed": {
        "snr": 60.0, "lambda_grey": 0.02, "lambda_white": 0.02, "lambda_csf": 0.02, "ar_time": 4.0,
        "correlation": {"a": 0.4, "b": 6.0, "c": 14.0},
    },
    "fast, eight coils": {"noise": "chi", "coils": 8, "tr": 0.8, "n_volumes": 250, "lambda_white": 0.0085},
    "real-valued": {"noise": "gaussian", "lambda_white": 0.0085},
}  # fmt: skip


@lru_cache(maxsize=12)
def still(case, seed):
    return phantom(seed=seed, **STILL, **CASES[case])


def data(image):
    return np.asarray(image.dataobj)


def delivered_drift(made):
    """SD of the drift in percent, as it came out: it has a few cosines, so it differs from what was asked for."""
    grey = data(made.labels) > 0
    return 100 * np.sqrt(np.mean((data(made.truth.terms["drift"])[grey] / data(made.truth.clean)[grey]) ** 2))


def stripped(made):
    brain = data(made.mask)[..., None] > 0
    return nib.Nifti1Image(data(made.image) * brain, made.image.affine, made.image.header)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", CASES)
def test_what_was_asked_for_is_found(case, seed):
    made = still(case, seed)
    p, found = made.parameters, match(made.image, mask=made.labels)
    assert (found.n_volumes, found.tr, found.snr_from, found.noise) == (
        p.n_volumes, pytest.approx(p.tr), "background", p.noise,
    )  # fmt: skip
    assert found.coils == (p.coils if p.noise == "chi" else 1)
    assert found.snr == pytest.approx(p.snr, rel=0.01)
    assert found.lambda_grey == pytest.approx(p.lambda_grey, rel=0.05)
    assert found.ar_time == pytest.approx(p.ar_time, rel=0.08)
    assert found.ar1 == pytest.approx(math.exp(-p.tr / p.ar_time) / (1 + (p.snr * p.lambda_grey) ** -2), abs=0.02)
    assert found.signal == pytest.approx(p.baseline, rel=0.01)
    # Strong noise with a long memory has a drift of its own, which varies from run to run.
    assert found.drift_percent == pytest.approx(delivered_drift(made), abs=0.15 if p.ar_time > 2 else 0.04)
    for r in (8, 16, 24):
        assert found.correlation.at(r) == pytest.approx(float(p.correlation.at(r)), abs=0.04)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", ["default", "noisy, slow and heavy-tailed"])
def test_without_air_time_alone_tells_the_same(case, seed):
    made = still(case, seed)
    found = match(stripped(made), mask=made.labels)
    assert found.snr_from == "time"
    assert found.snr == pytest.approx(made.parameters.snr, rel=0.08)
    assert found.lambda_grey == pytest.approx(made.parameters.lambda_grey, rel=0.08)
    assert found.ar_time == pytest.approx(made.parameters.ar_time, rel=0.15)


@pytest.mark.parametrize("seed", SEEDS)
def test_matching_a_match_changes_little(seed):
    made = phantom(seed=seed)
    first = match(made.image, mask=made.labels)
    second = match(phantom(seed=seed + 100, events=[], **first.parameters("phantom")).image, mask=made.labels)
    for name, size in {"snr": 0.02, "lambda_grey": 0.1, "tsnr": 0.1, "signal": 0.02}.items():
        assert getattr(second, name) == pytest.approx(getattr(first, name), rel=size), name
    assert second.ar1 == pytest.approx(first.ar1, abs=0.05)
    assert second.fwhm == pytest.approx(first.fwhm, rel=0.1)


def test_its_parameters_make_a_scan_of_the_same_noise():
    made = phantom(seed=64, **STILL, lambda_white=0.0085, snr=80.0)
    found = match(made.image, mask=made.labels)
    wanted = BoldParameters.parse(found.parameters())
    assert wanted.snr == found.snr
    assert (
        fi.acquire(
            "bold", tiny_subject(), constant_activity(short_activity(duration=4.0)), **found.parameters()
        ).clean.grid.shape
        == made.image.shape[:3]
    )
    subject = tiny_subject()
    activity = constant_activity(short_activity(duration=120.0))
    scan = fi.acquire("bold", subject, activity, off=["motion"], **found.parameters())
    image = scan.observed.to_nifti()
    again = match(image, mask=subject.labels(scan.clean.grid) > 0)
    assert again.snr == pytest.approx(found.snr, rel=0.1)
    assert again.lambda_grey == pytest.approx(found.lambda_grey, rel=0.25)
    assert again.tsnr == pytest.approx(found.tsnr, rel=0.2)


def test_the_tsnr_map_is_mean_over_sd():
    made = phantom(seed=65)
    found = match(made.image, mask=made.labels)
    grey = data(made.labels) > 0
    series = data(made.image)[grey].astype(float)
    np.testing.assert_allclose(data(found.tsnr_map)[grey], series.mean(axis=1) / series.std(axis=1, ddof=1), rtol=1e-5)
    assert (data(found.tsnr_map)[~grey] == 0).all()
    assert found.tsnr == pytest.approx(np.median(data(found.tsnr_map)[grey]))


def test_a_small_real_scan_gives_sensible_numbers_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = match(REAL / "functional.nii")
    assert (found.tr, found.n_volumes) == (2.0, 20)
    assert 20 < found.tsnr < 300
    assert 0 <= found.lambda_grey < 0.05
    assert 0 <= found.ar1 < 0.7
    assert all(0 <= width < 12 for width in found.fwhm)
    assert all(np.isfinite(v) for v in (found.snr, found.ar_time, found.drift_percent, found.signal))
    fi.acquire("bold", tiny_subject(), short_activity(duration=20.0), **found.parameters())
    phantom(seed=1, **found.parameters("phantom"))


@pytest.mark.parametrize(
    ("name", "words"),
    [("example4d.nii.gz", "2 volumes; at least 10"), ("anatomical.nii", "a 4-D image is wanted")],
)
def test_images_in_which_no_noise_can_be_seen_are_refused(name, words):
    with pytest.raises(InputError, match=words):
        match(REAL / name)


def test_nan_and_constant_voxels_are_left_out():
    made = phantom(seed=66, **STILL)
    spoilt = data(made.image).copy()
    brain = np.argwhere(data(made.mask) > 0)
    spoilt[tuple(brain[::50].T)] = np.nan
    spoilt[tuple(brain[1::50].T)] = 700.0
    spoilt[tuple(brain[2::50].T)][..., 3] = np.inf
    whole = match(made.image, mask=made.mask)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = match(nib.Nifti1Image(spoilt, made.image.affine, made.image.header), mask=made.mask)
    assert (data(found.mask)[tuple(brain[:2:1].T)] == 0).all()
    assert found.snr == pytest.approx(whole.snr, rel=0.01)
    assert found.lambda_grey == pytest.approx(whole.lambda_grey, rel=0.05)


def test_white_noise_alone_has_no_memory_and_no_smoothness():
    made = phantom(
        seed=67, off=["autoregressive", "drift", "cardiac", "respiratory"], fluctuation_percent=0.0, events=[]
    )
    found = match(made.image, mask=made.labels)
    assert found.lambda_grey < 0.15 / 150
    assert found.ar1 < 0.02
    assert max(found.fwhm) < 4.0
    assert found.drift_percent < 0.05


def test_smooth_images_are_smooth_in_all_their_noise():
    from scipy.ndimage import gaussian_filter

    made = phantom(seed=68, noise="gaussian", off=["autoregressive", "drift", "cardiac", "respiratory"], events=[],
                   fluctuation_percent=0.0)  # fmt: skip
    sigma = 18.0 / 2.3548 / 8
    smooth = gaussian_filter(data(made.image), (sigma, sigma, sigma, 0), truncate=8)
    found = match(nib.Nifti1Image(smooth, made.image.affine, made.image.header), mask=made.labels)
    assert found.fwhm == pytest.approx((18.0,) * 3, rel=0.05)
    assert found.correlation.at(8.0) == pytest.approx(float(SpatialCorrelation.gaussian(18.0).at(8.0)), abs=0.03)


def test_a_repetition_time_in_milliseconds_or_none_is_noticed():
    made = phantom(seed=69, n_volumes=20)
    header = made.image.header.copy()
    header.set_xyzt_units("mm", "msec")
    header.set_zooms((8, 8, 8, 2000))
    assert match(nib.Nifti1Image(data(made.image), made.image.affine, header)).tr == pytest.approx(2.0)
    header.set_xyzt_units("mm", "sec")
    wrong = nib.Nifti1Image(data(made.image), made.image.affine, header)
    with pytest.raises(InputError, match="the header says 2000 s, outside"):
        match(wrong)
    assert match(wrong, tr=2.0).tr == 2.0


def test_wrong_masks_and_things_are_refused():
    made = phantom(seed=70, n_volumes=12)
    with pytest.raises(InputError, match="`mask`: its shape"):
        match(made.image, mask=np.ones((2, 2, 2)))
    with pytest.raises(InputError, match="0 voxels of it vary"):
        match(made.image, mask=np.zeros(made.image.shape[:3]))
    with pytest.raises(InputError, match="not ndarray"):
        match(data(made.image))
    with pytest.raises(InputError, match="'bold' or 'phantom'"):
        match(made.image).parameters("pet")


def test_files_that_are_no_images_are_refused_by_name(tmp_path):
    table = tmp_path / "events.tsv"
    table.write_text("onset\tduration\n")
    with pytest.raises(InputError, match="`image`: there is no file"):
        match(tmp_path / "nothing.nii.gz")
    for path in (table, tmp_path):
        with pytest.raises(InputError, match="is no image that nibabel can read"):
            match(path)
    with pytest.raises(InputError, match="`mask`: there is no file"):
        match(phantom(seed=70, n_volumes=12).image, mask=tmp_path / "nothing.nii.gz")


def test_expected_lag_sums_are_those_of_the_matrices():
    n = 30
    left = moments.residuals(np.ones((1, n)), 5.0)
    project = np.eye(n) - left.basis @ left.basis.T
    rho = np.array([0.0, 0.6])
    sums, power = moments.expected_sums(left.basis, rho, 4)
    for r, value in enumerate(rho):
        memory = value ** np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
        inside = project @ memory @ project
        np.testing.assert_allclose(sums[r], [np.trace(inside, k) for k in range(5)], atol=1e-9)
        drift = left.basis[:, 1:]
        assert power[r] == pytest.approx(np.trace(drift.T @ memory @ drift) / n)


def test_parameters_of_a_scan_with_voxels_finer_than_any_that_is_simulated_can_be_used():
    import nibabel as nib

    noise = 1000 + 10 * np.random.default_rng(1).standard_normal((12, 12, 12, 20), dtype=np.float32)
    found = match(nib.Nifti1Image(noise, np.diag([0.8, 0.8, 2.0, 1.0])), tr=2.0)
    assert BoldParameters.parse(found.parameters(), where="bold").voxel_edges == pytest.approx((1.0, 1.0, 2.0))
