from dataclasses import replace

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.activity.hemodynamics import blood_flow
from fakeimaging.modalities.bold import DRIFT_PERIOD, BoldParameters, bold_change, drift_courses, sample, slice_times
from fakeimaging.testing.fixtures import constant_activity, short_activity, tiny_subject

GRID = {"voxel_size": 7.0}


@pytest.fixture(scope="module")
def long_run():
    return fi.simulate_activity(tiny_subject(), model="linear", duration=400.0, parameters={"sigma": 1.5})


@pytest.fixture(scope="module")
def bold(long_run):
    return fi.acquire("bold", tiny_subject(), long_run, **GRID)


def test_a_voxel_of_grey_matter_carries_its_region_at_its_slices_own_time(bold, long_run):
    p = bold.parameters
    grid, labels = bold.clean.grid, tiny_subject().labels(bold.clean.grid)
    tissue = tiny_subject().anatomy.tissue(grid)
    x, y, z = np.argwhere((labels > 0) & (tissue.grey > 0.99))[7]
    flow = blood_flow(long_run, p.hemodynamics)
    times = bold.clean.clock.times + slice_times(grid.shape[2], p.tr, p.slice_order)[z]
    expected = sample(bold_change(flow, p), flow.clock, times)[:, labels[x, y, z] - 1]
    series = np.array([volume[x, y, z] for volume in bold.clean.volumes()])
    np.testing.assert_allclose(series / bold.forward.baseline[x, y, z] - 1, expected * tissue.grey[x, y, z], atol=2e-6)


def test_white_matter_and_fluid_carry_nothing(bold):
    tissue = tiny_subject().anatomy.tissue(bold.clean.grid)
    pure = tissue.grey == 0
    assert (bold.clean.make(5)[pure] == bold.forward.baseline[pure]).all()


def test_regional_means_of_the_clean_image_are_the_truth_scaled_by_grey_matter(bold):
    labels = tiny_subject().labels(bold.clean.grid)
    series = bold.clean.to_array()[labels == 3].mean(axis=0)
    truth = bold.truth["regional_bold"][2]
    assert np.corrcoef(series, truth)[0, 1] > 0.98


def test_slices_are_acquired_in_order_and_within_the_tr():
    times = slice_times(46, 2.0, "interleaved")
    assert sorted(times) == pytest.approx(np.arange(46) * 2 / 46)
    assert times[0] == 0
    assert times[2] < times[1] < 2.0
    assert (np.diff(slice_times(46, 2.0, "ascending")) > 0).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_delivered_snr_is_the_one_asked_for(seed):
    subject, activity = tiny_subject(seed=seed), constant_activity(short_activity(seed=seed, duration=200.0))
    scan = fi.acquire("bold", subject, activity, snr=50.0, off=["drift"], **GRID)
    grey = subject.anatomy.tissue(scan.clean.grid).grey > 0.99
    series = scan.observed.to_array()[grey]
    tsnr = series.mean() / np.sqrt(series.var(axis=1, ddof=1).mean())
    n = series.size
    assert abs(tsnr / 50 - 1) < 3 / np.sqrt(2 * n) + 1e-3


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_noise_in_air_is_rayleigh_and_in_tissue_rician(seed):
    activity = constant_activity(short_activity(seed=seed))
    scan = fi.acquire("bold", tiny_subject(seed=seed), activity, snr=5.0, off=["drift", "quantisation"], **GRID)
    sigma, images = scan.recipe("thermal")["sigma"], scan.observed.to_array().astype(float)
    assert sigma == pytest.approx(200)
    air = images[scan.forward.baseline == 0] / sigma
    assert air.mean() == pytest.approx(np.sqrt(np.pi / 2), abs=3 * 0.655 / np.sqrt(air.size))
    assert air.std() == pytest.approx(np.sqrt(2 - np.pi / 2), abs=3 * 0.655 / np.sqrt(2 * air.size))
    tissue = images[scan.forward.baseline > 900]
    excess = (tissue**2).mean() - (scan.forward.baseline[scan.forward.baseline > 900].astype(float) ** 2).mean()
    assert excess == pytest.approx(2 * sigma**2, abs=3 * 2 * sigma * 1100 / np.sqrt(tissue.size))


def test_drift_is_slow_smooth_and_as_large_as_asked(bold):
    activity = constant_activity(short_activity(duration=300.0))
    found = []
    for repeat in range(1, 41):
        scan = fi.acquire("bold", tiny_subject(), activity, repeat=repeat, drift_percent=1.0, **GRID)
        found.append(drift_courses(scan.recipe("drift"), scan.clean.n_volumes))
    courses = np.array(found)
    spectrum = np.abs(np.fft.rfft(courses[..., 0], axis=1)) ** 2
    slow = np.fft.rfftfreq(courses.shape[1], 2.0) < 1.5 / DRIFT_PERIOD
    assert spectrum[:, slow].sum() > 0.95 * spectrum.sum()
    # Variance at a voxel, over places spread evenly between -1 and 1: constant + (x + y + z gradients) / 3 each.
    variance = courses[..., 0].var() + courses[..., 1:].var(axis=(0, 1)).sum() / 3
    n_draws = 40 * 4
    assert np.sqrt(variance) == pytest.approx(0.01, rel=4 / np.sqrt(2 * n_draws))
    layer = bold.layer("drift").make(4)
    assert (layer[bold.forward.baseline == 0] == 0).all()


def test_a_shorter_tr_sees_the_same_activity(long_run):
    slow, fast = (fi.acquire("bold", tiny_subject(), long_run, tr=tr, **GRID) for tr in (2.0, 1.0))
    assert fast.clean.n_volumes == 2 * slow.clean.n_volumes
    # Middle of slow volume v is at 2 v + 1 s, halfway between the middles of fast volumes 2 v and 2 v + 1.
    between = (fast.truth["regional_bold"][:, ::2] + fast.truth["regional_bold"][:, 1::2]) / 2
    assert np.corrcoef(between.ravel(), slow.truth["regional_bold"].ravel())[0, 1] > 0.99


def test_the_signal_grows_with_echo_time_and_field(long_run):
    flow = blood_flow(long_run, BoldParameters().hemodynamics)
    sd = [bold_change(flow, BoldParameters(echo_time=te)).std() for te in (0.02, 0.03, 0.04)]
    assert sd[0] < sd[1] < sd[2]


def test_a_time_shift_of_the_activity_shifts_the_image(long_run):
    tap = long_run.tap("rate")
    later = replace(tap, clock=replace(tap.clock, start=tap.clock.start + 2.0))
    shifted = replace(long_run, taps={"rate": later})
    flow, moved = (blood_flow(run, BoldParameters().hemodynamics) for run in (long_run, shifted))
    times = np.arange(50.0, 300.0, 2.0)
    # The 2 s that enter and leave the run change each region's mean rate a little.
    before, after = sample(flow.flow, flow.clock, times), sample(moved.flow, moved.clock, times + 2.0)
    np.testing.assert_allclose(before, after, atol=5e-3)
