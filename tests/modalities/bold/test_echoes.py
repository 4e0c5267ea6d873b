"""Scans with several echoes, spin echoes, and slices that lie as they like."""

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import ParameterError
from fakeimaging.modalities.bold import MODALITY, BoldParameters, slice_times
from fakeimaging.modalities.bold.sequence import scan_grid
from fakeimaging.testing.fixtures import constant_activity, short_activity, tiny_subject

TIMES = (0.0145, 0.0385, 0.0625)


@pytest.fixture(scope="module")
def echoes():
    return fi.acquire("bold", tiny_subject(), short_activity(), voxel_size=7.0, echo_times=TIMES).parts


def test_echoes_decay_with_the_rate_of_the_map(echoes):
    maps = echoes[0].forward.context["maps"]
    inside = maps.s0 > 100
    clean = [np.log(echo.forward.baseline[inside]) for echo in echoes]
    for first, second, gap in ((0, 1, 0.024), (1, 2, 0.024), (0, 2, 0.048)):
        np.testing.assert_allclose((clean[first] - clean[second]) / gap, maps.r2[inside], rtol=1e-3, atol=0.02)


def test_the_bold_part_grows_with_the_echo_time_and_the_volume_part_does_not(echoes):
    for own in echoes:
        alone = fi.acquire("bold", tiny_subject(), short_activity(), voxel_size=7.0, echo_time=own.parameters.echo_time)
        np.testing.assert_array_equal(own.truth["regional_bold"], alone.truth["regional_bold"])
    series = np.stack([echo.truth["regional_bold"].ravel() for echo in echoes])
    # At echo time 0 what is left is the change of blood volume: V0 (1 - eps) (1 - v).
    slope, left = np.polyfit(TIMES, series, 1)
    assert np.abs(left).max() < 0.2 * np.abs(series[1]).max()
    assert np.corrcoef(slope, series[1])[0, 1] > 0.99


@pytest.mark.parametrize("choice", [{"epsilon": "relaxation"}, {"response": "spm"}, {"response": "glover"}])
def test_every_echo_tells_the_same_change_of_r2_and_s0(choice):
    scan = fi.acquire("bold", tiny_subject(), short_activity(), voxel_size=7.0, echo_times=TIMES, **choice)
    first, *others = [echo.truth for echo in scan.parts]
    for other in others:
        np.testing.assert_allclose(
            other["regional_r2"], first["regional_r2"], atol=1e-4 * np.abs(first["regional_r2"]).max()
        )
        np.testing.assert_allclose(other["regional_s0"], first["regional_s0"], rtol=1e-5)


def test_a_spin_echo_says_that_it_is_excited_by_90_degrees():
    for sequence, angle in (("gradient_echo", 60.0), ("spin_echo", 90.0)):
        scan = fi.acquire(
            "bold", tiny_subject(), short_activity(), voxel_size=7.0, sequence=sequence, flip_angle=60.0, fieldmap="epi"
        )
        assert scan.modality.sidecar(scan.parameters, scan.forward)["FlipAngle"] == angle
        assert {extra.sidecar["FlipAngle"] for extra in scan.extras if extra.suffix == "epi"} == {90.0}


def test_echoes_share_the_head_and_not_the_receiver(echoes):
    for stage in ("physiological", "drift", "cardiac", "respiratory", "motion"):
        first, second = echoes[0].recipe(stage), echoes[1].recipe(stage)
        for key, value in first.items():
            np.testing.assert_array_equal(value, second[key])
    noise = [np.asarray(echo.layer("thermal").make(2)).ravel() for echo in echoes]
    assert abs(np.vdot(noise[0], noise[1])) / np.vdot(noise[0], noise[0]).real < 4 / np.sqrt(noise[0].size)


def test_mistaken_echoes_are_told():
    for wrong, message in (
        ({"echo_times": (0.03, 0.02)}, "do not rise"),
        ({"echo": 2}, "names no echoes"),
        ({"echo_times": TIMES, "echo": 4}, "there are 3"),
        ({"echo_times": TIMES, "echo_time": 0.03}, "`echo_times` say 0.0145"),
        ({"tr": 0.05, "echo_time": 0.06}, "over before the echo at 0.06 s"),
        ({"tr": 0.05, "echo_times": TIMES}, "over before the echo at 0.0625 s"),
        ({"voxel_size": (3.0, 3.0, 0.5)}, "outside"),
        ({"field_of_view": (224.0, 224.0, 2.0)}, "at least one voxel"),
    ):
        with pytest.raises(ParameterError, match=message):
            BoldParameters.parse(wrong, where="bold")


def test_a_spin_echo_decays_with_t2_and_recovers_over_tr():
    scan = fi.acquire("bold", tiny_subject(), short_activity(), voxel_size=7.0, sequence="spin_echo", echo_time=0.08)
    maps, tissue = scan.forward.context["maps"], tiny_subject().anatomy.tissue(scan.clean.grid)
    pure = tissue.grey > 0.9999
    assert maps.r2[pure] == pytest.approx(1 / 0.083, rel=1e-3)
    # 1 - 2 exp(-(TR - TE/2) / T1) + exp(-TR / T1), against the gradient echo of 73 degrees that has 1000.
    longitudinal = 1 - 2 * np.exp(-(2 - 0.04) / 1.331) + np.exp(-2 / 1.331)
    e1, angle = np.exp(-2 / 1.331), np.deg2rad(73)
    gradient = np.sin(angle) * (1 - e1) / (1 - np.cos(angle) * e1) * np.exp(-0.03 / 0.066)
    assert scan.forward.baseline[pure].mean() == pytest.approx(
        1000 * longitudinal * np.exp(-0.08 / 0.083) / gradient, rel=2e-3
    )


def test_a_spin_echo_sees_less_of_the_change():
    gradient, spin = (
        fi.acquire("bold", tiny_subject(), short_activity(), voxel_size=7.0, sequence=sequence, epsilon=1.0)
        for sequence in ("gradient_echo", "spin_echo")
    )
    # With epsilon 1 there is no volume part.
    slope = np.polyfit(gradient.truth["regional_bold"].ravel(), spin.truth["regional_bold"].ravel(), 1)[0]
    assert slope == pytest.approx(1 / 3.52, rel=0.01)


def test_the_response_varies_within_a_region_by_what_was_asked():
    asked = {"voxel_size": 4.0, "susceptibility": 0.0}
    plain, varied = (
        fi.acquire("bold", tiny_subject(), short_activity(), within_region=sd, **asked) for sd in (0.0, 0.3)
    )
    grid, region = plain.clean.grid, 4
    labels, weight = tiny_subject().labels(grid), plain.forward.context["maps"].grey
    here = (labels == region) & (weight > 0.2)
    change = [scan.clean.make(9)[here] / scan.forward.baseline[here] - 1 for scan in (plain, varied)]
    gain = change[1] / change[0] - 1
    mean = np.average(gain, weights=weight[here])
    spread = np.sqrt(np.average((gain - mean) ** 2, weights=weight[here]))
    assert abs(mean) < 0.05
    assert spread == pytest.approx(0.3, rel=0.15)
    np.testing.assert_array_equal(plain.truth["regional_bold"], varied.truth["regional_bold"])


@pytest.mark.parametrize("orientation", ["RAS", "LAS"])
def test_oblique_slices_show_the_same_head(orientation):
    straight = fi.acquire("bold", tiny_subject(), short_activity(), voxel_size=6.0)
    turned = fi.acquire(
        "bold",
        tiny_subject(),
        short_activity(),
        voxel_size=(6.0, 6.0, 4.5),
        oblique=(12.0, -5.0, 8.0),
        orientation=orientation,
    )
    affine = turned.clean.grid.affine
    assert np.linalg.norm(affine[:3, :3], axis=0) == pytest.approx([6, 6, 4.5])
    assert np.sign(np.linalg.det(affine)) == (-1 if orientation == "LAS" else 1)
    from fakeimaging.modalities.spline import resample_volume

    seen = resample_volume(turned.forward.baseline, turned.clean.grid, straight.clean.grid, np.eye(4))
    inner = straight.forward.context["tissue"].white > 0.99
    assert seen[inner] == pytest.approx(straight.forward.baseline[inner], rel=0.05)


def test_slices_of_a_multiband_shot_share_their_time():
    times = slice_times(60, 1.0, "interleaved", 4)
    assert len(np.unique(times)) == 15
    np.testing.assert_array_equal(times[:15], times[15:30])
    assert (slice_times(5, 2.0, "descending") == [1.6, 1.2, 0.8, 0.4, 0.0]).all()
    assert (slice_times(4, 2.0, "simultaneous") == 1.0).all()


def test_slices_at_once_divide_the_slices():
    with pytest.raises(ParameterError, match=r"`bold.multiband`: 16 does not divide the 20 slices; 2, 4, 5 and 10 do"):
        BoldParameters.parse({"multiband": 16, "field_of_view": [224.0, 224.0, 70.0]}, where="bold")
    with pytest.raises(ParameterError, match="4 does not divide the 46 slices; 2 does"):
        BoldParameters.parse({"multiband": 4})
    with pytest.raises(ParameterError, match="3 does not divide the 23 slices; only 1 does"):
        BoldParameters.parse({"multiband": 3, "voxel_size": 7.0})
    p = BoldParameters.parse({"multiband": 3, "voxel_size": [2.0, 2.0, 2.7], "field_of_view": [200.0, 200.0, 162.0]})
    assert p.n_slices == scan_grid(p).shape[2] == 60


def test_the_grid_covers_the_field_of_view_around_the_isocentre():
    grid = scan_grid(BoldParameters(voxel_size=(2.0, 2.0, 2.5), field_of_view=(210.0, 180.0, 130.0)))
    assert grid.shape == (105, 90, 52)
    middle = grid.affine @ [52, 44.5, 25.5, 1]
    assert middle[:3] == pytest.approx([0, 0, 0])


def test_a_change_of_r2_is_largest_at_an_echo_time_of_t2_star():
    times = np.linspace(0.01, 0.15, 57)
    own = {"voxel_size": 12.0, "epsilon": 1.0, "within_region": 0.0, "susceptibility": 0.0}
    scans = [fi.acquire("bold", tiny_subject(), short_activity(), echo_time=float(t), **own) for t in times]
    grey = tiny_subject().anatomy.tissue(scans[0].clean.grid).grey > 0.999
    size = [np.abs(scan.clean.make(6) - scan.forward.baseline)[grey].mean() for scan in scans]
    # Epsilon 1 leaves no part of S0; the change grows by 1 % beyond the straight line.
    assert times[int(np.argmax(size))] == pytest.approx(0.066, abs=0.003)


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_smoothing_helps_against_thermal_noise_and_little_against_physiological(seed):
    from scipy.ndimage import gaussian_filter

    subject, activity = tiny_subject(seed=seed), constant_activity(short_activity(seed=seed, duration=60.0))
    gains = {}
    for name, noise in (("thermal", {"lambda_grey": 0.0}), ("physiological", {"snr": 1e6, "lambda_grey": 0.02})):
        lambdas = dict.fromkeys(("lambda_grey", "lambda_white", "lambda_csf"), noise.get("lambda_grey"))
        kept = ("physiological", "thermal", "magnitude")
        off = [stage.name for stage in MODALITY.observe if stage.name not in kept]
        own = {"voxel_size": 4.0, "susceptibility": 0.0, "noise_fwhm": 12.0, "off": off}
        scan = fi.acquire("bold", subject, activity, **{**noise, **lambdas, **own})
        tissue = subject.anatomy.tissue(scan.clean.grid)
        inner = tissue.white > 0.999
        series = np.stack(list(scan.observed.volumes()))
        smooth = np.stack([gaussian_filter(volume, 1.0) for volume in series])
        gains[name] = (series[:, inner].std(axis=0) / smooth[:, inner].std(axis=0)).mean()
    # White noise after a Gaussian of SD 1 voxel: (2 sqrt(pi))^1.5 = 6.7 times less.
    assert gains["thermal"] == pytest.approx((2 * np.sqrt(np.pi)) ** 1.5, rel=0.1)
    assert gains["physiological"] < 1.6
