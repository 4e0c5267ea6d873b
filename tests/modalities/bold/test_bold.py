from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.fft import dct

import fakeimaging as fi
from fakeimaging.activity.activity import Activity
from fakeimaging.activity.hemodynamics import blood_flow, respond
from fakeimaging.activity.hemodynamics_regional import regional_constants
from fakeimaging.activity.taps import Tap
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import ParameterError
from fakeimaging.modalities.bold import BoldParameters, sample, slice_times
from fakeimaging.modalities.bold import field as bold_field
from fakeimaging.modalities.bold.changes import bold_change
from fakeimaging.modalities.bold.drift import DRIFT_PERIOD, drift_courses
from fakeimaging.modalities.relaxation import relaxation_at_3t
from fakeimaging.testing.fixtures import constant_activity, short_activity, tiny_subject
from tests.modalities.bold.staging import all_but

GRID = {"voxel_size": 7.0}


def own_constants(parameters):
    return regional_constants(parameters.hemodynamics, tiny_subject())


@pytest.fixture(scope="module")
def long_run():
    return fi.simulate_activity(tiny_subject(), model="linear", duration=400.0, parameters={"sigma": 1.5})


@pytest.fixture(scope="module")
def bold(long_run):
    return fi.acquire("bold", tiny_subject(), long_run, **GRID)


@pytest.mark.parametrize("order", ["interleaved", "ascending"])
def test_a_voxel_of_grey_matter_carries_its_region_at_the_time_the_sidecar_says(long_run, order):
    bold = fi.acquire("bold", tiny_subject(), long_run, slice_order=order, within_region=0.0, **GRID)
    p, grid = bold.parameters, bold.clean.grid
    times_in_volume = bold.modality.sidecar(p, bold.forward)["SliceTiming"]
    labels, tissue = tiny_subject().labels(grid), tiny_subject().anatomy.tissue(grid)
    flow = blood_flow(long_run, p.hemodynamics, own_constants(p))
    series = np.array(list(bold.clean.volumes()))
    for x, y, z in np.argwhere((labels > 0) & (tissue.grey > 0.99))[::97]:
        times = bold.clean.clock.times + times_in_volume[z]
        expected = sample(bold_change(flow, p), flow.clock, times)[:, labels[x, y, z] - 1]
        found = series[:, x, y, z] / bold.forward.baseline[x, y, z] - 1
        at_once = {name: getattr(tissue, name)[x, y, z] * excited(name) for name in ("grey", "white", "csf")}
        share = at_once["grey"] / sum(at_once.values())
        np.testing.assert_allclose(found, expected * share, atol=2e-6)


TISSUES = {
    "grey": (1.331, 0.066, 0.8),
    "white": (0.832, 0.0532, 0.7),
    "csf": (4.16, 1.65, 1.0),
    "muscle": (1.412, 0.015, 0.8),
}
"""T1 and T2* in s, proton density."""


def excited(name):
    """PD sin a (1 - E1) / (1 - cos a E1), TR 2 s, 73 degrees: the signal of a tissue at echo time 0."""
    t1, _, density = TISSUES[name]
    e1, angle = np.exp(-2 / t1), np.deg2rad(73)
    return density * np.sin(angle) * (1 - e1) / (1 - np.cos(angle) * e1)


def test_a_voxel_decays_from_the_sum_of_its_tissues_at_their_mean_rate(long_run):
    bold = fi.acquire("bold", tiny_subject(), long_run, susceptibility=0.0, **GRID)
    tissue, maps = tiny_subject().anatomy.tissue(bold.clean.grid), bold.forward.context["maps"]
    shares = {name: getattr(tissue, name) for name in ("grey", "white", "csf")} | {"muscle": tissue.scalp - tissue.fat}
    gain = 1000 / (excited("grey") * np.exp(-0.03 / 0.066))
    amounts = {name: gain * excited(name) * share for name, share in shares.items()}
    s0 = sum(amounts.values())
    rate = sum(amount / TISSUES[name][1] for name, amount in amounts.items()) / np.where(s0 > 0, s0, 1)
    np.testing.assert_allclose(maps.s0, s0, rtol=1e-4, atol=0.01)
    np.testing.assert_allclose(maps.r2, rate, rtol=1e-4, atol=0.01)
    np.testing.assert_allclose(bold.forward.baseline, s0 * np.exp(-0.03 * rate), rtol=1e-4, atol=0.01)
    assert bold.forward.baseline[tissue.grey == 1] == pytest.approx(1000, rel=1e-4)


def test_a_longer_echo_loses_signal_at_the_same_noise(long_run):
    short, long = (
        fi.acquire("bold", tiny_subject(), long_run, echo_time=te, susceptibility=0.0, **GRID) for te in (0.03, 0.06)
    )
    assert short.recipe("thermal")["sigma"] == long.recipe("thermal")["sigma"] == pytest.approx(1000 / 150)
    grey = tiny_subject().anatomy.tissue(short.clean.grid).grey > 0.999
    ratio = long.forward.baseline[grey].mean() / short.forward.baseline[grey].mean()
    assert ratio == pytest.approx(np.exp(-0.03 / 0.066), rel=2e-3)


def test_the_truth_holds_flow_and_bold_at_the_middle_of_each_volume(bold, long_run):
    flow = blood_flow(long_run, bold.parameters.hemodynamics, own_constants(bold.parameters))
    middle = 2.0 * np.arange(200) + 1.0
    np.testing.assert_array_equal(bold.truth["regional_flow"], sample(flow.flow, flow.clock, middle).T)
    expected = sample(bold_change(flow, bold.parameters), flow.clock, middle).T
    np.testing.assert_allclose(bold.truth["regional_bold"], expected, atol=1e-8)
    assert flow.clock.times[0] == pytest.approx(-20 - 0.0005 + 0.005 + 0.02)


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
    off = all_but("thermal", "magnitude", "quantisation")
    scan = fi.acquire("bold", subject, activity, snr=50.0, susceptibility=0.0, off=off, **GRID)
    grey = subject.anatomy.tissue(scan.clean.grid).grey > 0.99
    series = scan.observed.to_array()[grey]
    tsnr = series.mean() / np.sqrt(series.var(axis=1, ddof=1).mean())
    n = series.size
    assert abs(tsnr / 50 - 1) < 3 / np.sqrt(2 * n) + 1e-3


def test_drift_is_slow_and_as_large_as_asked():
    activity = constant_activity(short_activity(duration=300.0))
    found, squares = [], None
    for repeat in range(1, 41):
        scan = fi.acquire("bold", tiny_subject(), activity, repeat=repeat, drift_percent=1.0, **GRID)
        found.append(drift_courses(scan.recipe("drift"), scan.clean.n_volumes))
        brain = np.nonzero(scan.forward.baseline)
        squares = [np.mean(np.linspace(-1, 1, n)[i] ** 2) for n, i in zip(scan.clean.grid.shape, brain, strict=True)]
    courses = np.array(found)
    power = (dct(courses[..., 0], axis=1, norm="ortho") ** 2).mean(axis=0)
    n_cosines = int(2 * 300.0 / DRIFT_PERIOD)
    assert power[n_cosines + 1 :].sum() + power[0] < 1e-9 * power.sum()
    # 40 draws of each: the first cosine has four times the power of the fourth.
    assert power[1] > power[n_cosines]
    variance = courses[..., 0].var() + courses[..., 1:].var(axis=(0, 1)) @ squares
    n_draws = 40 * 4
    assert np.sqrt(variance) == pytest.approx(0.01, rel=4 / np.sqrt(2 * n_draws))


def test_drift_has_every_cosine_of_128_s_and_more(bold):
    clock, n_cosines = bold.clean.clock, len(bold.recipe("drift")["coefficients"])
    periods = 2 * clock.n * clock.step / np.arange(1, n_cosines + 2)
    assert periods[-2] >= 128 > periods[-1]


def test_the_drift_layer_is_its_maps_times_its_courses(bold):
    courses = drift_courses(bold.recipe("drift"), bold.clean.n_volumes)
    nx, ny, nz = bold.clean.grid.shape
    volumes = {v: bold.layer("drift").volume(v) for v in (0, 7, 199)}
    for x, y, z in (
        (nx // 2 - 5, ny // 2, nz // 2),
        (nx // 2, ny // 2 + 6, nz // 2 - 3),
        (nx // 2 + 3, ny // 2 - 7, nz // 2 + 4),
    ):
        place = [1.0, *(2 * i / (n - 1) - 1 for i, n in ((x, nx), (y, ny), (z, nz)))]
        for v, volume in volumes.items():
            expected = bold.forward.baseline[x, y, z] * (courses[v] @ place)
            assert volume[x, y, z] == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert (volumes[7][bold.forward.baseline == 0] == 0).all()


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


@dataclass(frozen=True, eq=False)
class Moded(Activity):
    """A run whose modes are given."""

    given: Tap | None = None

    def modes(self, name):
        return self.given


def with_modes(run, samples):
    tap = run.tap("rate")
    given = Tap("rate", "Hz", tap.clock, np.ascontiguousarray(samples, dtype=np.float32))
    return Moded(**{name: getattr(run, name) for name in run.__dataclass_fields__}, given=given)


@pytest.mark.parametrize("response", ["balloon", "spm"])
def test_modes_and_regions_grow_alike_with_the_volume_of_blood(response):
    run = short_activity(duration=40.0)
    rates = np.asarray(run.tap("rate").samples)
    moded = with_modes(run, np.concatenate([rates, rates], axis=1) * 0.1)
    small, large = (
        fi.acquire("bold", tiny_subject(), moded, response=response, V0=V0, **GRID).truth for V0 in (0.02, 0.04)
    )
    for name in ("regional_bold", "mode_bold"):
        assert np.abs(small[name]).max() > 1e-4
        np.testing.assert_allclose(large[name], 2 * small[name], rtol=1e-4, atol=1e-9)


def test_a_place_follows_its_region_and_its_modes(long_run):
    run = short_activity(duration=60.0)
    rates = np.asarray(run.tap("rate").samples)
    rng = np.random.default_rng(3)
    slow = np.cumsum(rng.standard_normal((len(rates), 20)), axis=0)
    slow = (slow - slow.mean(axis=0)) / slow.std(axis=0)
    mean = np.tile(run.tap("rate").from_start().samples.mean(axis=0), 2)
    moded = with_modes(run, 0.15 * mean * slow)
    plain, full = (fi.acquire("bold", tiny_subject(), activity, **GRID) for activity in (run, moded))
    np.testing.assert_array_equal(plain.truth["regional_bold"], full.truth["regional_bold"])
    assert full.truth["mode_bold"].shape == (10, 2, 30)
    labels, patterns = tiny_subject().labels(full.clean.grid), tiny_subject().patterns_on(full.clean.grid)
    grey = full.forward.baseline * full.forward.context["maps"].grey
    added = full.clean.make(12) - plain.clean.make(12)
    z = 10
    times = full.clean.clock.times[12] + full.forward.context["slice_times"][z]
    flow = respond(lambda part: 0.3 * np.tanh(0.15 * slow[part]), run.tap("rate").clock, own_constants(full.parameters))
    at_slice = sample(bold_change(flow, full.parameters), flow.clock, np.array([times])).reshape(2, 10)
    for x, y in np.argwhere(labels[:, :, z] > 0)[::17]:
        expected = grey[x, y, z] * (patterns[:, x, y, z] @ at_slice[:, labels[x, y, z] - 1])
        assert added[x, y, z] == pytest.approx(expected, abs=2e-3)
    assert (added[labels == 0] == 0).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_region_plus_mode_is_nearly_the_response_to_their_sum(seed):
    rng = np.random.default_rng(seed)
    clock = Clock(0.0, 0.01, 30_000)
    kernel = np.exp(-np.arange(2000) * 0.01 / 3.0)
    slow = [np.convolve(rng.standard_normal(clock.n), kernel)[: clock.n] for _ in range(2)]
    drive = np.stack([size * course / course.std() for size, course in zip((0.09, 0.045), slow, strict=True)], axis=1)
    drive = np.concatenate([drive, drive.sum(axis=1, keepdims=True)], axis=1)
    p = BoldParameters()
    region, mode, both = bold_change(respond(lambda part: drive[part], clock, p.hemodynamics), p).T
    assert 0.005 < region.std() < 0.01
    assert (region + mode - both).std() < 0.15 * both.std()
    assert np.corrcoef(region + mode, both)[0, 1] > 0.985


def test_each_field_has_its_own_sequence_and_tissue(long_run):
    scans = {
        field: fi.acquire("bold", tiny_subject(), long_run, field_strength=field, **GRID) for field in (1.5, 3.0, 7.0)
    }
    assert [scan.parameters.echo_time for scan in scans.values()] == [0.04, 0.03, 0.025]
    assert scans[3.0].parameters == BoldParameters(voxel_size=7.0)
    sizes = [scan.truth["regional_bold"].std() for scan in scans.values()]
    assert sizes[0] < sizes[1] < sizes[2]
    for field, scan in scans.items():
        assert scan.modality.sidecar(scan.parameters, scan.forward)["MagneticFieldStrength"] == field
        assert scan.forward.context["signals"]["grey"] == pytest.approx(1000)
    own = fi.acquire("bold", tiny_subject(), long_run, field_strength=7.0, r0=228.0, **GRID).parameters
    assert (own.r0, own.nu0) == (228.0, 188.1)
    with pytest.raises(ParameterError, match=r"bold.field_strength.*2 T has no constants; there are 1.5, 3, 7"):
        fi.acquire("bold", tiny_subject(), long_run, field_strength=2.0)


def test_the_default_field_is_the_table_at_3_t():
    defaults = bold_field.fields()[3.0].defaults
    assert {name: getattr(BoldParameters(), name) for name in defaults} == defaults
    intrinsic, epi = relaxation_at_3t(), bold_field.fields()[3.0].tissues
    for name, tissue in intrinsic.items():
        assert (epi[name].t1, epi[name].t2_star, epi[name].proton_density) == (
            tissue.t1,
            tissue.t2_star,
            tissue.proton_density,
        )


def test_the_sidecar_says_that_the_gradients_distort_nothing():
    scan = fi.acquire("bold", tiny_subject(), short_activity(), voxel_size=10.0)
    assert scan.modality.sidecar(scan.parameters, scan.forward)["NonlinearGradientCorrection"] is True
