import warnings
from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.glm.first_level import FirstLevelModel, make_first_level_design_matrix

import fakeimaging as fi
from fakeimaging.activity.hemodynamics_parameters import Hemodynamics
from fakeimaging.activity.hrf import balloon_response
from fakeimaging.modalities.bold import MODALITY
from fakeimaging.modalities.bold.imposed import frame_times
from fakeimaging.modalities.bold.task import labels
from fakeimaging.testing.fixtures import tiny_subject

# Nothing but what is imposed: flow does not follow activity, and no stage disturbs the image.
BARE = {"voxel_size": 14.0, "hemodynamics": {"efficacy": 0.0}, "off": [stage.name for stage in MODALITY.observe]}
CONDITIONS = [
    {"trial_type": "face", "network": "NetA", "percent": 2.0, "modulation": "random"},
    {"trial_type": "house", "kind": "cortex", "percent": -1.0},
]
DESIGN = fi.Design(trial_types=("face", "house"), n=25, duration=1.5)


@pytest.fixture(scope="module")
def run():
    return fi.simulate_activity(tiny_subject(), model="linear", duration=400.0, conditions=CONDITIONS, design=DESIGN)


def shares(bold, image="contrast-face_stat-effect_statmap"):
    """Share of each voxel's signal that responds, from the map of one condition."""
    return bold.forward.maps[image].make(0)


def percent_of_baseline(bold):
    image, baseline = bold.clean.to_array().astype(float), bold.forward.baseline[..., None]
    return 100 * np.divide(image, baseline, out=np.ones_like(image), where=baseline > 0) - 100


def events_of(activity):
    return pd.DataFrame(list(activity.events))


@pytest.mark.parametrize(("tr", "response"), [(2.0, "spm"), (1.35, "glover"), (0.8, "spm")])
def test_a_model_with_the_same_response_finds_the_percent_exactly(run, tr, response):
    bold = fi.acquire("bold", tiny_subject(), run, tr=tr, response=response, slice_order="simultaneous", **BARE)
    n = bold.clean.n_volumes
    frames = np.linspace(0.5 * tr, (n - 0.5) * tr, n)
    matrix = make_first_level_design_matrix(frames, events_of(run), hrf_model=response, high_pass=1 / 128)
    beta = np.linalg.lstsq(matrix.to_numpy(), 100 * bold.truth["regional_bold"].T.astype(float), rcond=None)[0]
    truth = np.stack([one.percent for one in run.imposed])
    assert list(matrix.columns[:2]) == [one.trial_type for one in run.imposed]
    np.testing.assert_allclose(beta[:2], truth, atol=1e-6)


def test_nilearn_finds_the_map_in_the_voxels(run):
    """To 1e-6 of the signal: volumes are float32, whose last digit is 0.6e-7 of it (6e-6 percent)."""
    bold = fi.acquire("bold", tiny_subject(), run, response="spm", slice_order="simultaneous", **BARE)
    affine = bold.clean.grid.affine
    maps = {name: shares(bold, f"contrast-{name}_stat-effect_statmap") for name in ("face", "house")}
    mask = (maps["face"] != 0) | (maps["house"] != 0)
    model = FirstLevelModel(
        t_r=2.0, slice_time_ref=0.5, hrf_model="spm", high_pass=1 / 128, signal_scaling=False, noise_model="ols",
        mask_img=nib.Nifti1Image(mask.astype(np.uint8), affine),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(nib.Nifti1Image(percent_of_baseline(bold), affine), events=events_of(run))
    for name, truth in maps.items():
        found = model.compute_contrast(name, output_type="effect_size").get_fdata()
        assert np.abs(found - truth)[mask].max() < 1e-5
        assert np.abs((found - truth)[mask].mean()) < 1e-6
        assert np.abs(truth).max() > 1.0
        np.testing.assert_array_equal(bold.forward.maps[f"desc-{name}_mask"].make(0), truth != 0)


def test_the_map_is_grey_matter_times_what_the_region_responds(run):
    same = fi.acquire("bold", tiny_subject(), run, within_region=0.0, **BARE)
    varied = fi.acquire("bold", tiny_subject(), run, within_region=0.2, **BARE)
    labelled = tiny_subject().labels(same.clean.grid)
    grey = same.forward.context["maps"].grey
    percent = np.concatenate([[0.0], run.imposed[0].percent])[labelled]
    np.testing.assert_allclose(shares(same), percent * grey, atol=1e-6)
    ratio = (shares(varied) / np.where(percent * grey > 0, percent * grey, np.nan))[percent * grey > 0]
    assert ratio.mean() == pytest.approx(1.0, abs=0.05)
    assert 0.1 < ratio.std() < 0.3


def test_a_slice_is_the_same_signal_sampled_later(run):
    bold = fi.acquire("bold", tiny_subject(), run, response="spm", slice_order="ascending", **BARE)
    course = bold.forward.context["slice_times"]
    percent, share = percent_of_baseline(bold), shares(bold)
    offsets = course[np.nonzero(share)[2]]
    assert len(set(offsets)) > 5
    face, house = run.imposed
    from fakeimaging.activity.hrf import expected_course

    frames = frame_times(2.0, bold.clean.n_volumes)
    own = [expected_course("spm", one.onsets, one.durations, one.modulation, frames) for one in (face, house)]
    house_share = shares(bold, "contrast-house_stat-effect_statmap")
    for x, y, z in np.argwhere(share != 0)[::23]:
        times = bold.clean.clock.times + course[z]
        expected = share[x, y, z] * own[0].at(times) + house_share[x, y, z] * own[1].at(times)
        np.testing.assert_allclose(percent[x, y, z], expected, atol=2e-5)


def test_the_right_slice_time_reference_has_the_least_bias(run):
    bold = fi.acquire("bold", tiny_subject(), run, response="spm", slice_order="ascending", **BARE)
    offsets, n = bold.forward.context["slice_times"], bold.clean.n_volumes
    percent, share = percent_of_baseline(bold), shares(bold)
    for z in np.unique(np.nonzero(share)[2])[::3]:
        x, y = np.argwhere(share[:, :, z] != 0)[0]
        bias = {}
        for reference in (0.0, 0.25, 0.5, 0.75, 1.0, offsets[z] / 2.0):
            frames = np.linspace(2.0 * reference, 2.0 * (n - 1 + reference), n)
            matrix = make_first_level_design_matrix(frames, events_of(run), hrf_model="spm", high_pass=1 / 128)
            beta = np.linalg.lstsq(matrix.to_numpy(), percent[x, y, z], rcond=None)[0][0]
            bias[reference] = abs(beta / share[x, y, z] - 1)
        right = bias.pop(offsets[z] / 2.0)
        assert right < 0.005
        assert right <= min(bias.values()) + 1e-3
        assert max(bias.values()) > 0.02


def test_an_imposed_response_is_a_change_of_decay(run):
    """dR2* from each pair of echoes is the same, and at the usual echo time the percent is what was asked."""
    times = (0.012, 0.03, 0.048)
    scans = [
        fi.acquire("bold", tiny_subject(), run, response="spm", echo_time=te, slice_order="simultaneous", **BARE)
        for te in times
    ]
    logs = np.stack(
        [np.log1p(scan.truth["regional_bold"].astype(float)) / te for scan, te in zip(scans, times, strict=True)]
    )
    assert np.abs(logs[1]).max() > 0.2
    np.testing.assert_allclose(logs[0], logs[1], atol=2e-5)
    np.testing.assert_allclose(logs[2], logs[1], atol=2e-5)
    betas = [[row[2] for row in scan.forward.companions[0].rows] for scan in scans]
    assert set(betas[1]) == {0.0, 2.0, -1.0}
    assert max(betas[2]) == pytest.approx(100 * (1.02 ** (0.048 / 0.03) - 1), abs=1e-6)


def test_with_the_balloon_model_a_long_event_reaches_the_percent_in_its_own_shape():
    block = {"trial_type": "film", "network": "NetA", "percent": 2.0, "onset": 5.0, "duration": 60.0}
    pulse = {"trial_type": "flash", "network": "NetB", "percent": 2.0, "onset": 80.0, "duration": 0.0}
    run = fi.simulate_activity(tiny_subject(), model="linear", duration=120.0, conditions=[block, pulse])
    bold = fi.acquire("bold", tiny_subject(), run, tr=0.5, slice_order="simultaneous", **BARE)
    networks = np.array([region.network for region in tiny_subject().regions])
    film, flash = (100 * bold.truth["regional_bold"][networks == name][0] for name in ("NetA", "NetB"))
    times = 0.5 * np.arange(240) + 0.25
    assert film[(times > 50) & (times < 64)] == pytest.approx(2.0, rel=0.01)
    after = (times > 80) & (times < 110)
    shape = balloon_response(Hemodynamics(), times[after] - 80.0)
    assert np.corrcoef(flash[after], shape)[0, 1] > 0.9999
    assert 3 < times[flash.argmax()] - 80 < 5


def test_what_is_imposed_adds_to_what_the_network_does(run):
    plain = replace(run, imposed=())
    whole, without = (fi.acquire("bold", tiny_subject(), one, voxel_size=14.0, response="spm") for one in (run, plain))
    alone = fi.acquire("bold", tiny_subject(), run, response="spm", **BARE)
    names = ("regional_bold", "regional_flow")
    found, other, imposed = ({name: scan.truth[name] for name in names} for scan in (whole, without, alone))
    np.testing.assert_allclose(found["regional_bold"], other["regional_bold"] + imposed["regional_bold"], atol=1e-8)
    np.testing.assert_array_equal(found["regional_flow"], other["regional_flow"])
    assert other["regional_bold"].std() > 1e-3


def test_the_betas_of_a_current_are_what_a_model_finds_in_the_clean_regions():
    look = {"trial_type": "look", "network": "NetA", "amplitude": 0.05, "onset": 10.0, "period": 40.0, "duration": 15.0}
    flash = {"trial_type": "flash", "network": "NetB", "percent": 1.0, "onset": 8.0, "period": 30.0, "duration": 1.0}
    run = fi.simulate_activity(tiny_subject(), duration=200.0, conditions=[look, flash])
    bold = fi.acquire("bold", tiny_subject(), run, voxel_size=14.0)
    matrix = make_first_level_design_matrix(frame_times(2.0, 100), events_of(run), high_pass=1 / 128, hrf_model="spm")
    beta = np.linalg.lstsq(matrix.to_numpy(), 100 * bold.truth["regional_bold"].T.astype(float), rcond=None)[0]
    rows = pd.DataFrame(bold.forward.companions[0].rows, columns=bold.forward.companions[0].columns)
    own = rows[rows.trial_type == "look"]
    assert set(own.origin) == {"network"}
    np.testing.assert_allclose(own.beta, beta[list(matrix.columns).index("look")], atol=1e-4)
    networks = np.array([region.network for region in tiny_subject().regions])
    assert own.beta[networks == "NetA"].min() > 0.5
    np.testing.assert_array_equal(own.active == 1, np.abs(own.beta) > 0.1 * np.abs(own.beta).max())
    np.testing.assert_array_equal(rows[rows.trial_type == "flash"].beta, 1.0 * (networks == "NetB"))
    assert set(bold.forward.maps) == {"contrast-flash_stat-effect_statmap", "desc-flash_mask"}


def test_a_run_without_events_has_no_truth_of_a_task():
    run = fi.simulate_activity(tiny_subject(), model="linear", duration=20.0)
    bold = fi.acquire("bold", tiny_subject(), run, voxel_size=14.0)
    assert bold.forward.companions == ()
    assert bold.forward.maps == {}
    short = fi.simulate_activity(
        tiny_subject(), model="linear", duration=3.0,
        conditions=[{"trial_type": "x", "kind": "cortex", "percent": 1.0, "onset": 0.0, "duration": 1.0}],
    )  # fmt: skip
    assert fi.acquire("bold", tiny_subject(), short, voxel_size=14.0).truth["regional_bold"].shape == (10, 1)


def test_labels_are_legal_and_tell_conditions_apart():
    assert labels(["a b", "ab", "!", "-", "c"]) == ["ab1", "ab2", "condition1", "condition2", "c"]
