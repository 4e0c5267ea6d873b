"""Echoes of one scan: their files, their combination, and tedana's decay fit and component metrics against the truth."""

import json
import re

import nibabel as nib
import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import InputError
from fakeimaging.dataset.echoes import fit_decay, weights_of
from fakeimaging.plotting.report import write_report
from fakeimaging.scoring import Score
from tests.dataset.test_dataset import bids_errors

TIMES = (0.0145, 0.0385, 0.0625)
"""s, a set that tedana's own tests use."""
STEM = "sub-01_task-look_run-1"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    look = {"trial_type": "look", "kind": "cortex", "duration": 8.0, "onset": 3.0, "period": 20.0, "amplitude": 0.05}
    run = {"task": "look", "duration": 60.0, "model": "linear", "conditions": [look]}
    scan = {"modality": "bold", "task": "look", "voxel_size": 8.0, "echo_times": list(TIMES), "sbref": True}
    session = {"runs": [run], "acquisitions": [scan]}
    study = {"seed": 5, "subject": {"anatomy": "tiny"}, "sessions": [session]}
    return fi.simulate_study(study, tmp_path_factory.mktemp("echoes") / "out")


@pytest.fixture(scope="module")
def scan():
    """Subject, activity, and the echoes of a scan of them with and without noise."""
    subject = fi.make_subject("01", seed=4, anatomy="tiny")
    look = fi.Condition(trial_type="look", kind="cortex", duration=8.0, onset=3.0, period=20.0, amplitude=0.05)
    activity = fi.simulate_activity(subject, model="linear", duration=100.0, task="look", conditions=[look])
    return subject, fi.acquire("bold", subject, activity, voxel_size=8.0, echo_times=TIMES)


def voxels(scan, *, clean):
    """Series of the voxels in the brain, shape (n, n_echoes, n_volumes), and which they are."""
    subject, recording = scan
    inside = subject.anatomy.tissue(recording.clean.grid).brain > 0.9
    images = [part.clean if clean else part.observed for part in recording.parts]
    return np.stack([image.to_array()[inside] for image in images], axis=1).astype(float), inside


@pytest.fixture(scope="module")
def noisy(scan):
    """Observed voxels; made once."""
    return voxels(scan, clean=False)


def true_decay(scan, inside):
    maps = scan[1].forward.context["maps"]
    return 1 / maps.r2[inside].astype(float), maps.s0[inside].astype(float)


def test_raw_files_are_one_for_each_echo_and_events_and_sensors_one_for_all(dataset):
    raw = dataset.root / "sub-01/func"
    for k, time in enumerate(TIMES, start=1):
        for suffix in ("bold", "sbref"):
            assert json.loads((raw / f"{STEM}_echo-{k}_{suffix}.json").read_text())["EchoTime"] == time
            assert (raw / f"{STEM}_echo-{k}_{suffix}.nii.gz").exists()
    shared = [p.name for p in raw.iterdir() if "echo-" not in p.name]
    assert len([n for n in shared if n.endswith("_events.tsv")]) == 1
    assert len([n for n in shared if n.endswith("_physio.tsv.gz")]) == 2
    assert not list(raw.glob("*echo-*_events*")) + list(raw.glob("*echo-*_physio*"))


def test_the_validator_has_nothing_to_say(dataset):
    assert bids_errors(dataset.root)[0] == []


def test_the_combination_weighs_echoes_by_what_bold_shows_in_them(dataset):
    func = dataset.root / "derivatives/fakeimaging-prep/sub-01/func"
    echoes = np.stack([nib.load(func / f"{STEM}_echo-{k}_desc-preproc_bold.nii.gz").get_fdata() for k in (1, 2, 3)])
    together = nib.load(func / f"{STEM}_desc-optcom_bold.nii.gz")
    t2_star, _ = fit_decay(echoes.mean(axis=-1), TIMES)
    inside = nib.load(func / f"{STEM}_T2starmap.nii.gz").get_fdata() > 0
    np.testing.assert_allclose(
        nib.load(func / f"{STEM}_T2starmap.nii.gz").get_fdata()[inside], t2_star[inside], atol=2e-5
    )
    wanted = (weights_of(t2_star, TIMES)[..., None] * echoes).sum(axis=0)
    step = dataset.recording("01", "bold", echo=1).clean.slope
    np.testing.assert_allclose(together.get_fdata()[inside], wanted[inside], atol=0.6 * step)
    assert len(list(func.glob("*desc-confounds_timeseries.tsv"))) == 1
    assert json.loads((func / f"{STEM}_desc-optcom_bold.json").read_text())["SkullStripped"] is False


def test_nilearn_takes_the_combination_as_it_takes_any_series(dataset):
    from nilearn.interfaces.fmriprep import load_confounds

    image = dataset.root / f"derivatives/fakeimaging-prep/sub-01/func/{STEM}_space-tiny_desc-preproc_bold.nii.gz"
    table, _ = load_confounds(str(image), strategy=("motion", "wm_csf"), motion="basic")
    assert table.shape == (30, 8)
    assert nib.load(image).shape[3] == 30


def test_echoes_come_back_and_score_once(dataset):
    recording = dataset.recording("01", "bold", echo=2)
    stored = nib.load(dataset.root / f"sub-01/func/{STEM}_echo-2_bold.nii.gz").get_fdata()
    np.testing.assert_allclose(recording.observed.volume(3), stored[..., 3], atol=1e-3 * recording.clean.slope)
    rows = [row for row in fi.score.score_dataset(dataset).rows if row.name == "fc"]
    assert [row.scan for row in rows] == [f"{STEM}_bold"]


def test_the_first_echo_comes_back_when_none_is_named_and_has_the_others(dataset):
    recording = dataset.recording("01", "bold", task="look")
    assert recording.parameters.echo == 1
    assert [part.parameters.echo for part in recording.parts] == [1, 2, 3]


def test_several_scans_that_fit_are_told_apart_by_name(tmp_path):
    runs = [{"task": "rest", "run": k, "duration": 20.0, "model": "linear"} for k in (1, 2)]
    scan = {"modality": "bold", "task": "rest", "voxel_size": 9.0, "echo_times": [0.02, 0.04]}
    session = {"runs": runs, "acquisitions": [scan | {"run": k} for k in (1, 2)]}
    study = {"seed": 5, "subject": {"anatomy": "tiny"}, "sessions": [session]}
    out = fi.simulate_study(study, tmp_path / "out")
    with pytest.raises(InputError, match=r"2 scans fit bold.*told apart by task='rest', run=1 or 2"):
        out.recording("01", "bold")
    assert out.recording("01", "bold", task="rest", run=2, echo=2).parameters.echo == 2


def test_the_report_shows_what_echoes_have_in_common_once(dataset, tmp_path):
    page = write_report(fi.load(dataset.root), tmp_path / "page.html", score=Score(())).read_text()
    titles = re.findall(r"<h4>(.*?)</h4>", page)
    assert [title for title in titles if title.startswith("Volumes")] == [f"Volumes, echo {k}" for k in (1, 2, 3)]
    for once in ("Carpet", "Functional connectivity", "Task activation", "Physiology"):
        assert titles.count(once) == 1, once
    assert re.findall(r'<h3 id="(.*?)">', page) == [f"{STEM}_bold"]


def test_truth_keeps_both_parts_of_the_change_apart(dataset):
    """At any echo the change is that of R2*, exponential, plus that of S0."""
    source = dataset.root / "sourcedata/fakeimaging/sub-01"
    parts = {
        (k, name): np.load(source / f"{STEM}_echo-{k}_bold_regional-{name}.npy").astype(float)
        for k in (1, 3)
        for name in ("bold", "r2", "s0")
    }
    for k in (1, 3):
        rebuilt = np.expm1(-TIMES[k - 1] * parts[k, "r2"]) + parts[k, "s0"]
        np.testing.assert_allclose(rebuilt, parts[k, "bold"], atol=1e-6)
    np.testing.assert_allclose(parts[1, "r2"], parts[3, "r2"], rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(parts[1, "s0"], parts[3, "s0"])
    assert np.abs(parts[3, "bold"]).max() > 2 * np.abs(parts[1, "bold"]).max()


def test_truth_maps_are_those_of_the_scan(dataset):
    anat = dataset.root / "derivatives/fakeimaging-truth/sub-01/anat"
    maps = dataset.recording("01", "bold", echo=1).forward.context["maps"]
    for suffix, values in (
        ("T2starmap", np.divide(1, maps.r2, where=maps.r2 > 0, out=0 * maps.r2)),
        ("S0map", maps.s0),
    ):
        stored = nib.load(anat / f"sub-01_acq-look_run-1_desc-truth_{suffix}.nii.gz").get_fdata()
        np.testing.assert_allclose(stored, values, atol=values.max() / 60_000)


def test_a_decay_is_fitted_exactly_and_where_there_is_nothing_not_at_all():
    times, t2_star = np.array(TIMES), np.array([0.02, 0.05, 0.2])
    found, s0 = fit_decay(np.append(800 * np.exp(-times[:, None] / t2_star), [[0], [5], [5]], axis=1), times)
    np.testing.assert_allclose(found, [*t2_star, 0], rtol=1e-5)
    np.testing.assert_allclose(s0, [800, 800, 800, 0], rtol=1e-5)
    shares = weights_of(np.array([0.03, 0.0], dtype=np.float32), times)
    np.testing.assert_allclose(shares.sum(axis=0), 1, rtol=1e-6)
    np.testing.assert_allclose(
        shares[:, 0], times * np.exp(-times / 0.03) / (times * np.exp(-times / 0.03)).sum(), rtol=1e-5
    )
    np.testing.assert_allclose(shares[:, 1], times / times.sum(), rtol=1e-5)


def test_tedana_recovers_t2star_and_s0_of_clean_echoes_within_one_percent(scan):
    from tedana.decay import fit_decay as tedana_fit

    series, inside = voxels(scan, clean=True)
    good = np.full(len(series), len(TIMES))
    milliseconds = [1000 * time for time in TIMES]
    t2_star, s0 = tedana_fit(series, milliseconds, good, "loglin", report=False)[:2]
    true_t2, true_s0 = true_decay(scan, inside)
    # tedana fits log(signal + 1): beside the sinuses, where the last echo has next to none, that is another curve.
    seen = series[:, -1].mean(axis=-1) > 50
    assert seen.mean() > 0.99
    for found, truth in ((t2_star / 1000, true_t2), (s0, true_s0)):
        assert np.abs(found[seen] / truth[seen] - 1).max() < 0.01
    own, own_s0 = fit_decay(series.mean(axis=-1).T, TIMES)
    assert np.abs(own / true_t2 - 1).max() < 0.01
    assert np.abs(own_s0 / true_s0 - 1).max() < 0.01


def test_default_noise_leaves_t2star_within_a_few_percent(scan, noisy):
    subject, recording = scan
    series, inside = noisy
    core = subject.anatomy.tissue(recording.clean.grid).white[inside] > 0.99
    own, _ = fit_decay(series[core].mean(axis=-1).T, TIMES)
    true_t2, _ = true_decay(scan, inside)
    error = own / true_t2[core] - 1
    assert np.median(np.abs(error)) < 0.03


@pytest.mark.parametrize("clean", [True, False])
def test_tedana_ranks_bold_by_kappa_and_drift_by_rho(scan, noisy, clean):
    """Components of known kind: the courses of the regions' BOLD; drift, which is in proportion to the image at every echo."""
    from tedana.combine import make_optcom
    from tedana.metrics import dependence

    subject, recording = scan
    series, _ = voxels(scan, clean=True) if clean else noisy
    truth = recording.truth["regional_r2"].astype(float)
    bold = np.linalg.svd(truth - truth.mean(axis=1, keepdims=True), full_matrices=False)[2][0]
    drift = np.cos(np.pi * (np.arange(series.shape[2]) + 0.5) / series.shape[2])
    if clean:
        drifting = np.random.default_rng(1).uniform(0.005, 0.02, (len(series), 1, 1)) * drift
        series = series * (1 + drifting)
    mixing = np.stack([bold / bold.std(), drift / drift.std()], axis=1)
    good, milliseconds = np.full(len(series), len(TIMES)), np.array([1000 * time for time in TIMES])
    together = make_optcom(
        series, milliseconds, good, t2s=1000 * fit_decay(series.mean(axis=-1).T, TIMES)[0], combmode="t2s"
    )
    f_t2, f_s0, _, _ = dependence.calculate_f_maps(data_cat=series, mixing=mixing, adaptive_mask=good, tes=milliseconds)
    weights = dependence.calculate_weights(data_optcom=together, mixing=mixing)
    kappa, rho = dependence.calculate_dependence_metrics(f_t2_maps=f_t2, f_s0_maps=f_s0, z_maps=weights)
    factor = 5 if clean else 2
    assert kappa[0] > factor * rho[0]
    assert rho[1] > factor * kappa[1]


def test_echoes_are_made_the_same_whoever_asks(dataset):
    """The derivative of a scan with several echoes comes from files; made again it is the same."""
    from fakeimaging.dataset.verify import verify

    assert verify(dataset.root, "01").problems == ()


def test_the_plan_counts_every_echo_and_their_combination(dataset):
    from fakeimaging.dataset.plan import total_bytes

    written = sum(path.stat().st_size for path in dataset.root.rglob("*") if path.is_file())
    assert written < total_bytes(dataset.study) < 3 * written
