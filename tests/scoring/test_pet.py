import json
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.dataset import names
from fakeimaging.plotting import PICTURES
from fakeimaging.scoring.pet import opened, read_blood, recovered, timing_of, to_injection
from fakeimaging.scoring.pet.analyses import estimator
from fakeimaging.scoring.pet.opened import each_frame, on_grid

STUDY = {
    "seed": 5,
    "sessions": [
        {
            "runs": [{"task": "rest", "duration": 20.0}],
            "acquisitions": [
                {"modality": "t1w", "voxel_size": 2.0},
                {"modality": "pet", "task": "rest", "tracer": "fdg", "voxel_size": 4.0},
                {"modality": "pet", "task": "rest", "tracer": "raclopride", "voxel_size": 4.0},
            ],
        }
    ],
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return fi.simulate_study(STUDY, tmp_path_factory.mktemp("pet") / "dataset")


@pytest.fixture(scope="module")
def scored(dataset):
    return {row.name: row for row in fi.score.score_dataset(dataset) if "trc" in row.scan}


def test_uptake_and_binding_are_recovered_within_the_stated_partial_volume(scored):
    endings = ("", "_recovery", "_gtm", "_regions")
    names = ("ki", "bpnd", "dvr")
    assert set(scored) == {"cmrglc", *(f"{name}{ending}" for name in names for ending in endings)}
    for row in scored.values():
        assert row.beats_chance, row.name
        assert row.error == pytest.approx(row.estimate - row.truth)
    assert scored["ki"].estimate == pytest.approx(scored["ki"].truth, rel=0.05)
    assert scored["bpnd"].estimate == pytest.approx(scored["bpnd"].truth, rel=0.1)
    assert 0.4 < scored["ki_recovery"].truth < 1
    assert 0.3 < scored["bpnd_recovery"].truth < 1
    for name, own, within in (("ki", 0.95, 0.05), ("bpnd", 1.0, 0.2)):
        # What blood vessels take of net uptake stays, and noise; partial volume does not.
        assert scored[f"{name}_gtm"].estimate == pytest.approx(own * scored[f"{name}_gtm"].truth, rel=within)
        assert scored[f"{name}_gtm"].estimate > 1.2 * scored[name].estimate
    assert scored["bpnd_regions"].estimate > 0.9
    assert scored["cmrglc"].estimate / scored["ki"].estimate == pytest.approx(100 * 5.0 / 0.52)
    assert scored["ki_regions"].estimate > 0.7
    assert (scored["ki"].n, scored["ki_regions"].n, scored["bpnd_regions"].n) == (100, 80, 92)
    assert scored["bpnd"].n in (4, 6)  # putamen and caudate, and the ventral striatum of who has more there


@pytest.mark.parametrize(
    ("tracer", "method", "constant", "bias", "within"),
    # Noise of one scan moves the means of 100 and of 6 regions by 1 and 4 % (SD over repeats).
    [("18FFDG", "patlak", "ki", (0.92, 0.95), 0.03), ("11CRAC", "srtm", "bpnd", (0.90, 0.94), 0.12)],
)
def test_on_observed_frames_partial_volume_shows_and_correction_removes_it(
    dataset, tracer, method, constant, bias, within
):
    scan = next(scan for scan in dataset.scans() if scan.stem.endswith(tracer))
    seen, truth = opened(dataset, scan), np.load(dataset.root / scan.regional(constant)).astype(float)
    where = truth > (1 if constant == "bpnd" else 0)
    estimate = estimator(method, constant, seen.tracer)
    raw, corrected, tissue = (estimate(one)[where].mean() for one in (seen.observed, seen.corrected, seen.tissue))
    # What the method itself makes of tissue with blood in it; no correction of partial volume changes that.
    assert bias[0] < tissue / truth[where].mean() < bias[1]
    assert raw < 0.75 * tissue
    assert corrected == pytest.approx(tissue, rel=within)


def test_without_noise_correction_gives_the_tissue_itself(dataset):
    for scan in dataset.scans():
        if scan.modality == "pet":
            seen = opened(dataset, scan)
            last = nib.load(dataset.root / scan.clean).dataobj[..., -1]
            means = seen.undo.means([seen.undo.spread.applied(last, seen.undo.painted.grid)])
            tissue = np.load(dataset.root / scan.regional("tacs"))[:, -1]
            assert np.median(means[:100, 0] / tissue) < 0.8
            np.testing.assert_allclose(seen.undo.corrected(means)[:100, 0], tissue, rtol=2e-3)
            np.testing.assert_allclose(seen.tissue.curves[:, -1], tissue, rtol=1e-3)


def test_estimates_do_not_read_the_truth(dataset, tmp_path, scored):
    out = tmp_path / "out"
    shutil.copytree(dataset.root, out)
    for path in (out / "sourcedata/fakeimaging/sub-01").glob("*trc*_pet_*.npy"):
        if path.stem.endswith(("_ki", "_bpnd")):
            np.save(path, np.ascontiguousarray(np.load(path)[::-1]))
    swapped = {row.name: row for row in fi.score.score_dataset(out) if "trc" in row.scan}
    for name in ("ki", "bpnd"):
        assert swapped[name].estimate == scored[name].estimate
        assert swapped[f"{name}_regions"].estimate < scored[f"{name}_regions"].estimate


def test_truth_behind_the_point_spread_is_that_of_the_same_voxels(dataset):
    scan = next(scan for scan in dataset.scans() if scan.stem.endswith("11CRAC"))
    curves = opened(dataset, scan).behind.curves
    stated = np.load(dataset.root / scan.regional("tacs_psf"))
    # The label image has 2 mm voxels here, so that some voxels change sides; the mean over all regions does not.
    np.testing.assert_allclose(curves.mean(axis=0), stated.mean(axis=0), rtol=0.1)
    assert np.corrcoef(curves[:, -1], stated[:, -1])[0, 1] > 0.97
    recording = dataset.reacquire(scan)
    labels = on_grid(dataset.root / names.dseg("01", None), recording.clean.to_nifti())
    image = recording.after("psf").make(20)
    expected = [image[labels == i + 1].mean(dtype=float) for i in range(100)]
    np.testing.assert_allclose(curves[:, 20], expected, rtol=2e-3)


def small_study(*scans):
    scans = [{"modality": "pet", "task": "rest", "voxel_size": 10.0, **scan} for scan in scans]
    runs = [{"duration": 20.0, "model": "linear"}]
    return {"seed": 1, "subject": {"anatomy": "tiny"}, "sessions": [{"runs": runs, "acquisitions": scans}]}


def test_a_scan_too_short_to_analyse_has_no_rows(tmp_path):
    # Half an hour is too short to fit a reference region to.
    half = {"tracer": "flumazenil", "frames": [[30, 60.0]], "blood": "none"}
    study = small_study({"tracer": "fdg", "duration": 600.0}, {"tracer": "raclopride"}, half)
    # The tiny anatomy has no cerebellum, so the second scan has no reference region.
    rows = fi.score.score_dataset(fi.simulate_study(study, tmp_path / "out"))
    assert [row.name for row in rows if "trc" in row.scan] == []


def test_a_subject_without_what_a_tracer_binds_to_is_scored(tmp_path):
    study = small_study({"tracer": "fdopa"})  # The tiny anatomy has no striatum, and nothing is trapped.
    rows = fi.score.score_dataset(fi.simulate_study(study, tmp_path / "out"))
    names = [row.name for row in rows if "trc" in row.scan]
    assert "ki" in names
    assert "ki_recovery" not in names


def test_a_scan_with_too_few_late_frames_has_no_rows_and_a_picture(tmp_path):
    own = tmp_path / "slow.toml"
    own.write_text(
        '[slow]\nlike = "fdg"\nlabel = "18FSLOW"\nframes = { value = [[6, 600.0]], unit = "s", source = "x" }\n'
    )
    dataset = fi.simulate_study(small_study({"tracer": str(own), "duration": 2400.0}), tmp_path / "out")
    assert [row.name for row in fi.score.score_dataset(dataset) if "trc" in row.scan] == []
    (scan,) = (scan for scan in dataset.scans() if scan.modality == "pet")
    assert [picture.title for picture in PICTURES.get("pet")(dataset, scan)] == ["Frames", "Late activity", "Curves"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    scans = {"tracer": "fdg", "duration": 4700.0}, {"tracer": "raclopride"}
    return fi.simulate_study(small_study(*scans), tmp_path_factory.mktemp("small") / "dataset")


def test_frames_are_weighted_by_the_decay_of_their_nuclide(small):
    minutes = {scan.stem[-6:]: np.log(2) / opened(small, scan).timing.decay for scan in small.scans()}
    assert minutes == pytest.approx({"18FFDG": 109.77, "11CRAC": 20.36}, rel=2e-3)


def test_what_is_reachable_needs_no_blood_samples(small, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(small.root, out)
    blood = out / "sub-01/pet/sub-01_trc-18FFDG_recording-manual_blood.tsv"
    header, *lines = blood.read_text().splitlines()
    assert float(lines[-1].split("\t")[0]) == 4500
    doubled = [(t, 2 * float(p), *rest) for t, p, *rest in (line.split("\t") for line in lines)]
    blood.write_text("\n".join([header, *("\t".join(map(str, row)) for row in doubled)]) + "\n")
    before, after = (next(recovered(d, *_fdg(d))) for d in (small, fi.load(out)))
    np.testing.assert_allclose(after.found, before.found / 2)
    np.testing.assert_array_equal(after.reachable, before.reachable)
    # Ki of the tissue times what the point spread leaves of it and blood vessels do not take.
    assert 0.3 < np.median(before.reachable / before.truth) < 0.95


def test_the_true_blood_is_that_of_the_tracer(small):
    _, seen = _fdg(small)
    # SUV of 2 g/mL an hour after 250 MBq in 70 kg; whole blood over plasma is 0.93, and all of it is still the tracer
    for one, share in ((seen.behind.plasma, 1.0), (seen.behind.blood, 0.93)):
        assert one.at(np.array([60.0]))[0] == pytest.approx(share * 2.0 * 250e6 / 70e3, rel=1e-4)


def _fdg(dataset):
    (scan,) = (scan for scan in dataset.scans() if scan.stem.endswith("18FFDG"))
    return scan, opened(dataset, scan)


def test_files_have_the_names_and_shapes_of_pet_bids(dataset):
    pet = dataset.root / "sub-01/pet"
    assert sorted(path.name for path in pet.iterdir()) == sorted(
        f"sub-01_trc-{tracer}_{ending}"
        for tracer in ("18FFDG", "11CRAC")
        for ending in ("pet.nii.gz", "pet.json", "recording-manual_blood.tsv", "recording-manual_blood.json")
    )
    image, about = (
        nib.load(pet / "sub-01_trc-18FFDG_pet.nii.gz"),
        json.loads((pet / "sub-01_trc-18FFDG_pet.json").read_text()),
    )
    assert image.shape == (48, 60, 48, 31) == (48, 60, 48, len(about["FrameDuration"]))
    assert about["Units"] == "Bq/mL"
    tacs = (
        (dataset.root / "sourcedata/fakeimaging/sub-01/sub-01_trc-18FFDG_desc-clean_tacs.tsv").read_text().splitlines()
    )
    assert len(tacs) == 32
    assert len(tacs[0].split("\t")) == 102


ABOUT = {
    "TracerRadionuclide": "C11",
    "InjectionStart": 0.0,
    "ImageDecayCorrected": True,
    "ImageDecayCorrectionTime": 0.0,
}
TEXT = """time	plasma_radioactivity	whole_blood_radioactivity	metabolite_parent_fraction
0	0	0	1
60	n/a	20	n/a
120	50	30	0.5
"""


def test_plasma_is_the_unchanged_tracer_and_what_is_missing_is_left_out(tmp_path):
    path = tmp_path / "blood.tsv"
    path.write_text(TEXT)
    found = read_blood(path, ABOUT)
    assert found["plasma"].at(np.array([1.0, 2.0])) == pytest.approx([12.5, 25.0])
    assert found["blood"].at(np.array([0.5, 1.0])) == pytest.approx([10.0, 20.0])
    path.write_text("\n".join("\t".join(line.split("\t")[::2]) for line in TEXT.splitlines()))
    assert set(read_blood(path, ABOUT)) == {"blood"}
    assert read_blood(tmp_path / "none.tsv", ABOUT) == {}


def test_times_and_decay_count_from_injection_whatever_the_zero_of_the_clock(tmp_path):
    path, later = tmp_path / "blood.tsv", {**ABOUT, "InjectionStart": -1221.8}
    path.write_text(TEXT)
    frames = {"FrameTimesStart": [0.0, 60.0], "FrameDuration": [60.0, 120.0]}
    timing = timing_of({**later, **frames})
    np.testing.assert_allclose(timing.starts * 60, [1221.8, 1281.8])
    np.testing.assert_allclose(timing.ends * 60, [1281.8, 1401.8])
    # The scan starts a half-life after injection: what is corrected to its start is half as much.
    np.testing.assert_allclose(to_injection({**later, **frames}), 2.0, rtol=1e-12)
    blood = read_blood(path, later)["blood"]
    assert blood.at(blood.times[2:])[0] == pytest.approx(60.0)
    assert blood.times[2] == pytest.approx((120 + 1221.8) / 60)
    uncorrected = to_injection({**later, **frames, "ImageDecayCorrected": False})
    rate = np.log(2) / 1221.8
    held = (np.exp(-rate * 1221.8) - np.exp(-rate * 1281.8)) / rate / 60
    assert uncorrected[0] == pytest.approx(1 / held)
    assert to_injection({**later, **frames, "Units": "kBq/mL"})[0] == pytest.approx(2000.0)


def test_a_late_window_has_a_ratio_and_nothing_else(tmp_path):
    """The reference region lies outside all regions, so that the tiny anatomy has one too."""
    own = tmp_path / "late.toml"
    own.write_text('[late]\nlike = "florbetapir"\nlabel = "18FLATE"\nreference = "white"\n')
    late = {"scan_start": 4800.0, "frames": [[4, 300.0]], "noise_level": 0.2}
    study = small_study({"tracer": str(own), "time_zero": "scan", **late}, {"tracer": str(own), "rec": "inj", **late})
    dataset = fi.simulate_study(study, tmp_path / "out")
    ratios = []
    for scan in dataset.scans():
        if scan.modality == "pet":
            seen = opened(dataset, scan)
            assert seen.timing.starts[0] == pytest.approx(80.0)
            found = list(recovered(dataset, scan, seen))
            assert [one.name for one in found] == ["suvr"]
            np.testing.assert_allclose(found[0].found, found[0].reachable, rtol=0.3)
            ratios.append((found[0].reachable, found[0].truth))
            means = seen.observed.curves.mean(), seen.behind.curves.mean()
            assert means[0] == pytest.approx(means[1], rel=0.1)
    np.testing.assert_allclose(ratios[0], ratios[1], rtol=1e-3)


@pytest.mark.parametrize("fault", ["missing_frame", "frame_lists", "frame_minutes", "end_times", "blood_missing"])
def test_a_scan_that_is_wrong_on_purpose_has_no_rows_or_wrong_ones_but_is_scored(fault, tmp_path):
    study = small_study({"tracer": "fdg", "fault": fault}, {"tracer": "fdg", "rec": "right"})
    rows = list(fi.score.score_dataset(fi.simulate_study(study, tmp_path / "out")))
    of = {kind: [row for row in rows if "trc" in row.scan and ("rec" in row.scan) == kind] for kind in (False, True)}
    assert {row.name for row in of[True]} >= {"ki", "ki_gtm"}
    assert "ki" not in {row.name for row in of[False]}


def official_errors(root):
    binary = Path(sys.executable).with_name("bids-validator-deno")
    if not binary.exists():
        pytest.skip("bids-validator-deno is not installed")
    result = subprocess.run(
        [str(binary), str(root), "-r", "--ignoreWarnings", "--format", "json"], capture_output=True, text=True
    )
    return {issue["code"] for issue in json.loads(result.stdout)["issues"]["issues"] if issue["severity"] == "error"}


def test_the_official_validator_finds_no_error(dataset):
    assert official_errors(dataset.root) == set()


def test_the_official_validator_finds_what_is_missing(dataset, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(dataset.root, out, ignore=shutil.ignore_patterns("derivatives", "sourcedata", "anat"))
    path = out / "sub-01/pet/sub-01_trc-18FFDG_pet.json"
    keys = json.loads(path.read_text())
    del keys["TracerName"], keys["FrameDuration"][-1]
    path.write_text(json.dumps(keys))
    found = official_errors(out)
    assert {"SIDECAR_KEY_REQUIRED", "PET_FRAME_CONSISTENCY"} <= found


def test_frames_are_read_one_at_a_time(tmp_path):
    values = np.random.default_rng(1).integers(0, 99, (40, 40, 40, 30), dtype=np.int16)
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "scan.nii.gz")
    tracemalloc.start()
    for v, frame in enumerate(each_frame(tmp_path / "scan.nii.gz")):
        np.testing.assert_array_equal(frame, values[..., v])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert v == 29
    assert peak < 8 * 4 * frame.size
