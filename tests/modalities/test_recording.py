import itertools

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import InputError, ParameterError, UnknownNameError
from fakeimaging.testing.fixtures import short_activity, tiny_subject

GRID = {"voxel_size": 8.0}


@pytest.fixture(scope="module")
def bold():
    return fi.acquire("bold", tiny_subject(), short_activity(), **GRID)


def test_additive_layers_and_operators_make_the_observed_image(bold):
    still = bold.clean.make(3)
    for name in ("physiological", "drift", "cardiac", "respiratory", "heart_rate"):
        still = still + bold.layer(name).make(3)
    assert (bold.before("steady_state").make(3) == still).all()
    summed = bold.before("thermal").make(3) + bold.layer("thermal").make(3)
    assert np.iscomplexobj(summed)
    assert (np.abs(summed) == bold.after("magnitude").make(3)).all()
    slope = np.float32(bold.recipe("quantisation")["slope"])
    assert (np.rint(np.abs(summed) / slope) * slope == bold.observed.make(3)).all()
    assert (bold.before("physiological").make(3) == bold.clean.make(3)).all()


STAGES = ("physiological", "drift", "cardiac", "respiratory", "motion", "thermal", "magnitude", "quantisation")


@pytest.mark.parametrize("off", [s for n in (0, 1, 4, 7, 8) for s in itertools.combinations(STAGES, n)][::3])
def test_a_layer_keeps_its_bits_whatever_else_is_on(bold, off):
    some = fi.acquire("bold", tiny_subject(), short_activity(), off=off, **GRID)
    for name in ("physiological", "drift", "cardiac", "respiratory", "thermal"):
        assert (some.layer(name).make(2) == bold.layer(name).make(2)).all()
    assert some.stages == tuple(name for name in bold.stages if name not in off)


def test_volumes_do_not_depend_on_the_order_they_are_asked_for(bold):
    backwards = [bold.observed.make(v) for v in reversed(range(bold.observed.n_volumes))][::-1]
    assert (np.stack(backwards, axis=-1) == bold.observed.to_array()).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_noise_is_shared_by_no_two_subjects_runs_repeats_or_modalities(seed):
    scans = [
        fi.acquire(name, tiny_subject(label, seed), short_activity(label, seed, run), repeat=repeat, **GRID)
        for name, label, run, repeat in itertools.product(("bold", "t1w"), ("01", "02"), (1, 2), (1, 2))
        if name == "bold" or run == 1
    ]
    n = 10_000
    noise = [scan.layer("thermal").make(0).ravel()[:n] for scan in scans]
    draws = np.array([part for layer in noise for part in (layer.real, layer.imag)])
    correlations = np.corrcoef(draws)[np.triu_indices(len(draws), 1)]
    assert np.abs(correlations).max() < 4 / np.sqrt(n)
    within = [
        np.corrcoef(s.layer("thermal").make(0).real.ravel(), s.layer("thermal").make(1).real.ravel())[0, 1]
        for s in scans[:4]
    ]
    assert np.abs(within).max() < 4 / np.sqrt(noise[0].size)


def test_mistakes_are_named():
    subject, activity = tiny_subject(), short_activity()
    with pytest.raises(UnknownNameError, match="did you mean 'bold'"):
        fi.acquire("bolt", subject, activity)
    with pytest.raises(InputError, match="bold images activity"):
        fi.acquire("bold", subject)
    with pytest.raises(InputError, match="the activity is of sub-02, seed 1; the subject is sub-01, seed 1"):
        fi.acquire("bold", subject, short_activity("02"))
    with pytest.raises(InputError, match="takes a Subject and an Activity, not Activity and Subject"):
        fi.acquire("bold", activity, subject)
    with pytest.raises(InputError, match="the activity is of sub-01, seed 2"):
        fi.acquire("bold", subject, short_activity(seed=2))
    with pytest.raises(InputError, match="the activity has 10 regions, the subject 8"):
        fi.acquire("bold", fi.make_subject("01", seed=1, anatomy="tiny", n_regions=8), activity)
    with pytest.raises(InputError, match="session"):
        fi.acquire("bold", subject, activity, session="pre")
    with pytest.raises(UnknownNameError, match="no stage 'thermic'; did you mean 'thermal'"):
        fi.acquire("bold", subject, activity, off=["thermic"])
    with pytest.raises(ParameterError, match="did you mean 2"):
        fi.acquire("bold", subject, activity, tr=2000.0)
    with pytest.raises(InputError, match="repeat"):
        fi.acquire("bold", subject, activity, repeat=0)
    with pytest.raises(InputError, match="longer than the run"):
        fi.acquire("bold", subject, short_activity(duration=2.0), tr=3.0)
    with pytest.raises(InputError, match="adds no term"):
        fi.acquire("bold", subject, activity, **GRID).layer("magnitude")


def test_a_session_is_part_of_a_structural_scans_stream():
    plain, pre = (fi.acquire("t1w", tiny_subject(), session=session, **GRID) for session in (None, "pre"))
    assert pre.streams.path == ("sub-01", "ses-pre", "t1w", "repeat-1")
    assert (plain.observed.make(0) != pre.observed.make(0)).any()


def test_the_nifti_image_is_in_scanner_space_in_mm_and_s(bold):
    image = bold.observed.to_nifti()
    assert image.shape == (28, 28, 20, 10)
    assert image.header.get_zooms() == pytest.approx((8, 8, 8, 2))
    assert image.header.get_xyzt_units() == ("mm", "sec")
    assert np.linalg.det(image.affine) > 0
    np.testing.assert_allclose(image.affine, bold.clean.grid.affine)
