import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.dataset.names import SOURCE, TRUTH
from fakeimaging.dataset.plan import plan, total_bytes
from fakeimaging.dataset.verify import verify
from fakeimaging.modalities.pet.constants import of_kind
from fakeimaging.modalities.pet.faults import FAULTS
from fakeimaging.modalities.pet.maps import mixed
from fakeimaging.modalities.pet.tracers import TRACERS
from fakeimaging.testing.fixtures import short_activity, tiny_subject

PET = {"modality": "pet", "task": "rest", "voxel_size": 14.0}
GO = {
    "trial_type": "go",
    "kind": "cortex",
    "amplitude": 0.01,
    "onset": 10.0,
    "period": 30.0,
    "count": 3,
    "duration": 5.0,
}
FRAMES = [[4, 15.0], [4, 30.0]]
RUNS = [
    {"duration": 20.0, "model": "linear"},
    {"task": "tap", "duration": 100.0, "model": "linear", "conditions": [GO]},
    {"task": "film", "duration": 100.0, "model": "linear"},
]


def study(*scans, runs=RUNS[:1]):
    scans = [PET | scan for scan in scans]
    return {"seed": 3, "subject": {"anatomy": "tiny"}, "sessions": [{"runs": runs, "acquisitions": scans}]}


def official(root):
    """Code and file of each error that the official validator finds in a dataset."""
    binary = Path(sys.executable).with_name("bids-validator-deno")
    if not binary.exists():
        pytest.skip("bids-validator-deno is not installed")
    command = [str(binary), str(root), "--ignoreWarnings", "--format", "json", "--max-rows", "-1"]
    issues = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)["issues"]["issues"]
    return [(issue["code"], issue.get("location", "")) for issue in issues if issue["severity"] == "error"]


def table(path):
    header, *rows = (line.split("\t") for line in path.read_text().splitlines())
    return {name: [row[k] for row in rows] for k, name in enumerate(header)}


def pixels(path):
    return np.asarray(nib.load(path).dataobj, dtype=np.float32)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """All tracers of the package, an MR image beside them, a task, and a scan that is taken twice."""
    scans = [{"tracer": name, "frames": FRAMES, "follow": False, "blood": "both"} for name in TRACERS]
    scans += [
        {
            "tracer": "fdg",
            "task": "tap",
            "follow": True,
            "run_time": 15.0,
            "duration": 60.0,
            "blood": "none",
            "psf_frames": True,
        },
        {"tracer": "water", "task": "film", "duration": 60.0, "blood": "none", "maps": False},
        {
            "tracer": "fdg",
            "repeat": 2,
            "frames": FRAMES,
            "decay_corrected": False,
            "suv_window": [1.0, 3.0],
            "body_weight": 80.0,
        },
    ]
    content = study(*scans, runs=RUNS)
    content["sessions"][0]["acquisitions"] += [{"modality": "t1w", "voxel_size": 8.0}]
    return fi.simulate_study(content, tmp_path_factory.mktemp("pet") / "dataset")


def test_the_official_validator_finds_no_error_in_any_tracer(dataset):
    # Recursion passes over the `.bidsignore` of a derivative (validator 3.0.2), so each is checked by itself.
    for root in (dataset.root, *sorted((dataset.root / "derivatives").iterdir())):
        assert official(root) == [], root.name


def test_names_have_tracer_task_and_number(dataset):
    names = {path.name for path in (dataset.root / "sub-01/pet").glob("*_pet.nii.gz")}
    others = {f"sub-01_trc-{TRACERS.get(name).label}_pet.nii.gz" for name in TRACERS if name != "fdg"}
    assert names == others | {
        "sub-01_trc-18FFDG_run-1_pet.nii.gz",
        "sub-01_trc-18FFDG_run-2_pet.nii.gz",
        "sub-01_task-tap_trc-18FFDG_pet.nii.gz",
        "sub-01_task-film_trc-15OWATER_pet.nii.gz",
    }


def test_a_task_comes_with_its_events_and_its_name(dataset):
    pet = dataset.root / "sub-01/pet"
    assert {path.name for path in pet.glob("*_events.tsv")} == {
        "sub-01_task-tap_trc-18FFDG_events.tsv", "sub-01_task-film_trc-15OWATER_events.tsv",
    }  # fmt: skip
    events = table(pet / "sub-01_task-tap_trc-18FFDG_events.tsv")
    assert events == {"onset": ["-5.0", "25.0", "55.0"], "duration": ["5.0"] * 3, "trial_type": ["go"] * 3}
    # The injection comes at second 15 of the run, and what is later than the scan is none of its events.
    film = table(pet / "sub-01_task-film_trc-15OWATER_events.tsv")
    assert film == {"onset": ["0.0"], "duration": ["60.0"], "trial_type": ["film"]}
    assert json.loads((pet / "sub-01_task-tap_trc-18FFDG_pet.json").read_text())["TaskName"] == "tap"
    assert "TaskName" not in json.loads((pet / "sub-01_trc-18FFDG_run-1_pet.json").read_text())


def test_mr_images_beside_pet_say_whether_their_gradients_were_corrected(dataset):
    assert "NonlinearGradientCorrection" in json.loads((dataset.root / "sub-01/anat/sub-01_T1w.json").read_text())


def test_people_have_a_weight(dataset):
    assert table(dataset.root / "participants.tsv")["weight"] == ["70.0"]
    assert json.loads((dataset.root / "participants.json").read_text())["weight"]["Units"] == "kg"


def test_raw_files_hold_what_the_python_objects_say(dataset):
    for run, corrected in ((1, True), (2, False)):
        path = dataset.root / f"sub-01/pet/sub-01_trc-18FFDG_run-{run}_pet.nii.gz"
        recording = dataset.reacquire(next(scan for scan in dataset.scans() if scan.raw.name == path.name))
        np.testing.assert_array_equal(pixels(path)[..., 7], recording.observed.make(7))
        assert json.loads(path.with_suffix("").with_suffix(".json").read_text())["ImageDecayCorrected"] is corrected


def test_the_clean_frames_say_that_they_are_corrected_whatever_the_raw_ones_are(dataset):
    folder = dataset.root / TRUTH / "sub-01/pet"
    one, two = (f"sub-01_trc-18FFDG_run-{run}_desc-clean_pet" for run in (1, 2))
    about = [json.loads((folder / f"{name}.json").read_text()) for name in (one, two)]
    assert [keys["ImageDecayCorrected"] for keys in about] == [True, True]
    assert about[0]["DecayCorrectionFactor"] == about[1]["DecayCorrectionFactor"]
    # The second is of a heavier person: the same curves, lower by the weight.
    heavy, light = (pixels(folder / f"{name}.nii.gz")[..., 7] for name in (two, one))
    inside = light > 0.3 * light.max()
    np.testing.assert_allclose(heavy[inside] / light[inside], 70 / 80, rtol=1e-3)


def test_standardized_uptake_is_the_mean_of_the_window_over_dose_per_weight(dataset):
    raw = "sub-01_trc-18FFDG_run-2"
    recording = dataset.reacquire(next(scan for scan in dataset.scans() if scan.raw.name.startswith(raw)))
    folder = dataset.root / "derivatives/fakeimaging-prep/sub-01/pet"
    found, about = (
        pixels(folder / f"{raw}_desc-suv_pet.nii.gz"),
        json.loads((folder / f"{raw}_desc-suv_pet.json").read_text()),
    )
    assert (about["Units"], about["FrameTimesStart"], about["FrameDuration"]) == ("g/mL", [60.0], [120.0])
    # By hand: four frames of 30 s, corrected for decay to injection again.
    frames, k = recording.clean.clock, np.log(2) / 6586.2
    inside = [v for v in range(frames.n) if 60 <= frames.starts[v] < 180]
    factor = [k * 30 / (1 - np.exp(-k * 30)) * np.exp(k * frames.starts[v]) for v in inside]
    mean = sum(f * recording.observed.make(v).astype(float) for f, v in zip(factor, inside, strict=True)) / len(inside)
    np.testing.assert_allclose(found, mean / (250e6 / 80e3), rtol=1e-4, atol=1e-4)


def test_the_frames_behind_the_point_spread_are_stored_on_demand(dataset):
    folder = dataset.root / TRUTH / "sub-01/pet"
    (path,) = folder.glob("*_desc-psf_pet.nii.gz")
    recording = dataset.reacquire(next(scan for scan in dataset.scans() if scan.raw.name.startswith("sub-01_task-tap")))
    np.testing.assert_allclose(pixels(path)[..., 3], recording.after("psf").make(3), atol=recording.clean.slope)


def maps_of(dataset, stem):
    folder = dataset.root / TRUTH / "sub-01/pet"
    found = {path.name.split("desc-")[1].split("_")[0]: path for path in folder.glob(f"{stem}_desc-*_pet.nii.gz")}
    of_constants = {name: path for name, path in found.items() if name not in {"clean", "psf"}}
    return of_constants, dataset.root / SOURCE / "sub-01" / f"{stem}_desc-constants.tsv"


def test_maps_and_the_table_say_the_same(dataset):
    for stem in ("sub-01_trc-18FFDG_run-1", "sub-01_trc-11CRAC"):
        found, path = maps_of(dataset, stem)
        recording = dataset.reacquire(next(scan for scan in dataset.scans() if scan.stem == stem))
        painted, constants = recording.forward.context["painted"], table(path)
        assert {"K1", "vB", "mu", "k2"} <= found.keys()
        voxel = np.unravel_index(np.where(painted.labels == 3, painted.grey, 0).argmax(), painted.grey.shape)
        shares = np.array([painted.grey[voxel], *(other[voxel] for other in painted.others[1:])])
        assert shares[0] > 0.5
        for name, image in found.items():
            assert image.stat().st_size < 60_000
            assert nib.load(image).get_data_dtype() == np.float32
            if name != "mu":
                own = np.array(constants[name], dtype=float)[[2, -4, -3, -2, -1]]
                expected = own[0] if name.startswith("k") or name == "vB" else shares @ own
                assert pixels(image)[voxel] == pytest.approx(expected, rel=1e-5), name
        stated = recording.truth["K1"]
        np.testing.assert_allclose(np.array(constants["K1"][:10], dtype=float), stated, rtol=1e-6)


def test_the_map_of_net_uptake_is_what_patlaks_plot_finds_in_each_voxel(tmp_path):
    made = fi.simulate_study(study({"tracer": "fdg", "duration": 3600.0}), tmp_path / "out")
    recording, (found, path) = made.recording("01", "pet"), maps_of(made, "sub-01_trc-18FFDG")
    frames, taken = recording.clean.clock, recording.forward.context["uptake"]
    fine = np.linspace(0, 60, 60_001)
    plasma = taken.plasma.at(fine)
    area = np.concatenate([[0], np.cumsum((plasma[1:] + plasma[:-1]) / 2 * np.diff(fine))])
    late = frames.starts >= 2400
    t = frames.times[late] / 60
    x, level = np.interp(t, fine, area) / np.interp(t, fine, plasma), np.interp(t, fine, plasma)
    y = np.stack([recording.clean.make(int(v)) for v in np.flatnonzero(late)]) / level[:, None, None, None]
    slope = np.tensordot((x - x.mean()) / ((x - x.mean()) ** 2).sum(), y, axes=1)
    constants, painted = table(path), recording.forward.context["painted"]
    ki, vessels = (np.array(constants[name], dtype=float) for name in ("Ki", "vB"))
    ki_map, inside = pixels(found["Ki"]), painted.grey + painted.others[1] > 0.5
    np.testing.assert_allclose(ki_map, mixed(painted, ki), rtol=1e-5, atol=1e-9)
    # Blood vessels take their share of the volume.
    np.testing.assert_allclose(slope[inside], mixed(painted, (1 - vessels) * ki)[inside], rtol=0.015)


@pytest.mark.parametrize("tracer", ["raclopride", "pib"])
def test_the_map_of_binding_is_the_ratio_of_volumes_less_one_also_beside_fluid(tracer):
    made = fi.acquire("pet", tiny_subject(), short_activity(), tracer=tracer, voxel_size=8.0, frames=[[1, 60.0]])
    painted, known = made.forward.context["painted"], made.forward.context["uptake"].known
    reference = of_kind(TRACERS.get(tracer), "cerebellum").distribution if tracer == "pib" else 0.08 / 0.195
    whole = painted.grey + sum(painted.others[1:]) > 0.999
    assert (whole & (painted.others[2] > 0.2)).sum() > 20
    bpnd = made.forward.maps["desc-BPND_pet"].make(0)
    np.testing.assert_allclose(bpnd[whole], (mixed(painted, known["vt"] / reference) - 1)[whole], atol=2e-3)
    assert np.isfinite(made.forward.maps["desc-K1_pet"].make(0)).all()


def test_everything_is_made_again_from_the_record(dataset):
    assert verify(dataset.root, "01").problems == ()


def test_two_windows_on_the_disk_join_to_one_curve(tmp_path):
    late = {"scan_start": 1800.0, "frames": [[6, 300.0]]}
    scans = [
        {"tracer": "raclopride", "duration": 1200.0},
        {"tracer": "raclopride", "repeat": 2, "time_zero": "scan", **late},
        {"tracer": "raclopride", "repeat": 3, **late},
        {"tracer": "raclopride", "repeat": 4, "duration": 3600.0},
    ]
    made = fi.simulate_study(study(*({"off": ["noise"], **scan} for scan in scans)), tmp_path / "out")
    pet, k = made.root / "sub-01/pet", np.log(2) / 1221.8
    found = [json.loads((pet / f"sub-01_trc-11CRAC_run-{run}_pet.json").read_text()) for run in (1, 2, 3, 4)]
    images = [pixels(pet / f"sub-01_trc-11CRAC_run-{run}_pet.nii.gz") for run in (1, 2, 3, 4)]
    assert [keys["TimeZero"] for keys in found[:3]] == ["12:00:00", "12:30:00", "12:00:00"]
    assert (found[1]["InjectionStart"], found[2]["InjectionStart"]) == (-1800.0, 0.0)
    assert (found[1]["FrameTimesStart"][0], found[2]["FrameTimesStart"][0]) == (0.0, 1800.0)
    brightest = images[2].max()
    np.testing.assert_allclose(images[1] * np.exp(k * 1800), images[2], atol=2e-3 * brightest)
    whole = [found[3]["FrameTimesStart"].index(start) for start in (1800.0, 2100.0)]
    np.testing.assert_allclose(images[2][..., :2], images[3][..., whole], atol=2e-3 * brightest)
    blood = {run: table(pet / f"sub-01_trc-11CRAC_run-{run}_recording-manual_blood.tsv") for run in (2, 3)}
    times = [np.array(blood[run]["time"], dtype=float) for run in (2, 3)]
    np.testing.assert_allclose(times[0] + 1800, times[1])
    assert official(made.root) == []


def test_faults_are_seen_by_the_official_validator_as_documented(tmp_path):
    scans = [
        {"tracer": "raclopride", "duration": 120.0, "fault": name, "rec": name.replace("_", ""), "maps": False}
        for name in FAULTS
    ]
    made = fi.simulate_study(study(*scans), tmp_path / "out")
    errors = official(made.root)
    for name, fault in FAULTS.items():
        assert {code for code, path in errors if f"_rec-{name.replace('_', '')}_" in path} == set(fault.codes), name
    right = json.loads((made.root / TRUTH / "sub-01/pet/sub-01_trc-11CRAC_rec-units_desc-clean_pet.json").read_text())
    assert (right["Units"], right["Fault"]["RightValues"]) == ("Bq/mL", {"Units": "Bq/mL"})


def test_a_plan_knows_that_counts_along_lines_take_longer():
    def seconds(**scan):
        return plan(fi.Study.check(study({"tracer": "fdg", **scan})))[0].seconds

    image, counts, more = (
        seconds(**scan) for scan in ({}, {"tier": "projection"}, {"tier": "projection", "iterations": 200})
    )
    assert image + 2 < counts < more


def test_the_planned_size_counts_the_maps_of_a_scan_with_few_frames(tmp_path):
    scan = {
        "tracer": "pib",
        "frames": [[1, 600.0]],
        "scan_start": 2400.0,
        "suv_window": [40.0, 50.0],
        "psf_frames": True,
    }
    checked = fi.Study.check(study(scan | {"voxel_size": 2.0}, runs=[]) | {"subjects": 1})
    dataset = fi.simulate_study(checked, tmp_path / "out")
    written = sum(path.stat().st_size for path in dataset.root.rglob("*") if path.is_file())
    assert written < total_bytes(checked) < 2.5 * written
