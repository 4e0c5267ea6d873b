import gzip
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import FakeImagingError, InputError, OutputError
from fakeimaging.core.files import HIDDEN
from fakeimaging.dataset import cohort, describe
from fakeimaging.dataset.images import write_image
from fakeimaging.dataset.plan import total_bytes
from fakeimaging.dataset.verify import verify
from tests.conftest import environment, tree


def bids_errors(root):
    """Codes of the errors that the BIDS validator reports of a dataset and of each derivative, whose own ``.bidsignore`` holds."""
    program = shutil.which(
        "bids-validator-deno", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    )
    datasets = [root, *sorted((root / "derivatives").iterdir())]
    errors = []
    for dataset in datasets:
        result = subprocess.run(
            [program, str(dataset), "--format", "json", "--max-rows", "-1"],
            capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"},
        )  # fmt: skip
        issues = json.loads(result.stdout)["issues"]["issues"]
        errors += [(issue["code"], issue.get("location")) for issue in issues if issue["severity"] == "error"]
    return errors, len(datasets)


def test_the_bids_validator_finds_no_error(tiny_dataset):
    errors, n_datasets = bids_errors(tiny_dataset)
    assert errors == []
    assert n_datasets == 4


def test_the_bids_validator_would_find_one(tiny_dataset, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(tiny_dataset, copy)
    sidecar = next(copy.glob("sub-01/func/*_bold.json"))
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), "RepetitionTime": 3.0}))
    shutil.copy(sidecar, copy / "derivatives/fakeimaging-truth/sub-01/func/sub-01_relmat.json")
    errors, _ = bids_errors(copy)
    assert {code for code, _ in errors} >= {"REPETITION_TIME_MISMATCH"}


def test_sessions_runs_repeats_and_labels_make_valid_names(tmp_path, tiny_study):
    session = tiny_study["sessions"][0]
    session["runs"].append({"task": "rest", "run": 2, "duration": 20.0, "model": "linear"})
    session["acquisitions"] += [
        {"modality": "bold", "task": "rest", "run": 2, "voxel_size": 7.0},
        {"modality": "bold", "task": "rest", "run": 2, "repeat": 2, "voxel_size": 7.0, "off": ["drift"]},
    ]
    tiny_study |= {"subjects": ["x1"], "sessions": [{"label": "pre", **session}, {"label": "post", **session}]}
    dataset = fi.simulate_study(tiny_study, tmp_path / "out")
    errors, _ = bids_errors(tmp_path / "out")
    assert errors == []
    names = {scan.raw.name for scan in dataset.scans()}
    assert "sub-x1_ses-post_task-rest_acq-repeat2_run-2_bold.nii.gz" in names
    assert len(names) == 8
    pre, post = (dataset.recording("x1", "t1w", session=label) for label in ("pre", "post"))
    assert (pre.clean.make(0) == post.clean.make(0)).all()
    assert (pre.observed.make(0) != post.observed.make(0)).any()


def test_files_hold_what_the_python_objects_say(tiny_dataset):
    dataset = fi.load(tiny_dataset)
    assert dataset.subjects == ("01", "02")
    for scan in dataset.scans("02"):
        recording = dataset.reacquire(scan)
        for path, image in ((scan.raw, recording.observed), (scan.clean, recording.clean)):
            stored = nib.load(tiny_dataset / path)
            assert stored.get_data_dtype() == np.int16
            np.testing.assert_allclose(stored.affine, image.grid.affine, atol=1e-4)
            assert int(stored.header["sform_code"]) == int(stored.header["qform_code"]) == 1
            steps = np.rint(image.to_array() / np.float32(image.slope)).astype(np.int16)
            assert (np.asarray(stored.dataobj.get_unscaled()) == steps).all()


def test_layers_come_back_bit_for_bit(tiny_dataset):
    dataset = fi.load(tiny_dataset)
    subject = fi.make_subject("01", seed=7, anatomy="tiny")
    activity = fi.simulate_activity(subject, model="linear", duration=40.0)
    fresh = fi.acquire("bold", subject, activity, voxel_size=7.0)
    loaded = dataset.recording("01", "bold", task="rest")
    assert (loaded.layer("thermal").make(7) == fresh.layer("thermal").make(7)).all()
    assert (loaded.observed.make(7) == fresh.observed.make(7)).all()
    tap = dataset.activity("01").tap("rate")
    assert isinstance(tap.samples, np.memmap)
    assert (tap.samples == activity.tap("rate").samples).all()
    for name, matrix in dataset.activity("01").truth.items():
        assert (matrix == activity.truth[name]).all()


def test_the_truth_on_disk_is_the_truth(tiny_dataset):
    dataset = fi.load(tiny_dataset)
    subject = dataset.subject("01")
    source = tiny_dataset / "sourcedata/fakeimaging/sub-01"
    weights = np.loadtxt(source / "sub-01_weights.tsv", skiprows=1, delimiter="\t")
    assert (weights == subject.connectome.weights).all()
    transform = json.loads((source / "sub-01_transform.json").read_text())
    assert np.array(transform["mm"]) == pytest.approx(subject.anatomy.to_template)
    truth = tiny_dataset / "derivatives/fakeimaging-truth/sub-01/anat"
    labels = nib.load(truth / "sub-01_seg-fakeimaging_dseg.nii.gz")
    grid = dataset.recording("01", "t1w").clean.grid
    assert (np.asarray(labels.dataobj) == subject.labels(grid)).all()
    grey = nib.load(truth / "sub-01_label-GM_probseg.nii.gz").get_fdata()
    np.testing.assert_allclose(grey, subject.anatomy.tissue(grid).grey, atol=1e-4)
    recording = dataset.recording("01", "bold")
    stored = np.load(source / "sub-01_task-rest_run-1_bold_regional-bold.npy")
    np.testing.assert_allclose(stored, recording.truth["regional_bold"], rtol=1e-6, atol=1e-9)
    recipe = json.loads((source / "sub-01_task-rest_run-1_bold_recipe.json").read_text())
    assert recipe["stream"] == ["sub-01", "task-rest", "run-1", "bold", "repeat-1"]
    stages = {stage["name"]: stage["recipe"] for stage in recipe["stages"]}
    assert tuple(stages) == recording.stages
    assert np.array(stages["drift"]["coefficients"]) == pytest.approx(recording.recipe("drift")["coefficients"])
    assert np.array(stages["motion"]["parameters"]) == pytest.approx(recording.recipe("motion")["parameters"])


def test_one_worker_and_two_write_the_same_bytes(tiny_dataset, tiny_study, tmp_path):
    fi.simulate_study(tiny_study, tmp_path / "out", jobs=2)
    assert tree(tmp_path / "out") == tree(tiny_dataset)


def test_adding_a_subject_a_scan_or_a_stage_switch_changes_no_other_file(tiny_dataset, tiny_study, tmp_path):
    tiny_study["subjects"] = ["02", "new", "01"]
    tiny_study["sessions"][0]["runs"].insert(0, {"task": "other", "duration": 10.0, "model": "linear"})
    tiny_study["sessions"][0]["acquisitions"].insert(
        0, {"modality": "bold", "task": "other", "voxel_size": 7.0, "off": ["thermal"]}
    )
    fi.simulate_study(tiny_study, tmp_path / "out")
    before, after = tree(tiny_dataset), tree(tmp_path / "out")
    same = {name for name in before if "/sub-0" in f"/{name}" and not name.endswith("manifest.json")}
    assert len(same) > 40
    assert {name for name in same if before[name] != after[name]} == set()


def test_more_subjects_join_a_finished_dataset(tiny_dataset, tiny_study, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(tiny_dataset, out)
    untouched = (out / "sub-01/anat/sub-01_T1w.nii.gz").stat().st_mtime_ns
    states = {}
    fi.simulate_study({**tiny_study, "subjects": 3}, out, progress=lambda label, state: states.update({label: state}))
    assert states == {"01": "kept", "02": "kept", "03": "done"}
    assert (out / "sub-01/anat/sub-01_T1w.nii.gz").stat().st_mtime_ns == untouched
    with pytest.raises(OutputError, match="holds subjects that this study has not: 03"):
        fi.simulate_study(tiny_study, out)


@pytest.mark.parametrize("harm", ["manifest", "image", "half", "stranger"])
def test_resume_mends_what_is_missing(tiny_dataset, tiny_study, tmp_path, harm):
    out = tmp_path / "out"
    shutil.copytree(tiny_dataset, out)
    image = out / "sub-02/func/sub-02_task-rest_run-1_bold.nii.gz"
    if harm == "manifest":
        (out / "sourcedata/fakeimaging/sub-02/manifest.json").unlink()
        (out / "sub-02/anat/sub-02_stale.json").write_text("{}")
    elif harm == "image":
        image.unlink()
    elif harm == "half":
        image.write_bytes(image.read_bytes()[:1000])
    else:
        (out / "sub-02/func" / f"{HIDDEN}x.nii.gz").write_bytes(b"half")
    fi.simulate_study(tiny_study, out)
    assert tree(out) == tree(tiny_dataset)


KILLED = "import sys, json, fakeimaging as fi; fi.simulate_study(json.loads(sys.argv[1]), sys.argv[2], jobs=int(sys.argv[3]))"


@pytest.mark.slow
def test_killed_twenty_times_the_same_command_gives_the_same_tree(tiny_dataset, tiny_study, tmp_path):
    chance = random.Random(20261122)
    command = [sys.executable, "-c", KILLED, json.dumps(tiny_study)]
    whole = math.inf
    for name in ("first", "second"):
        start = time.monotonic()
        subprocess.run([*command, str(tmp_path / name), "1"], check=True, env=environment())
        whole = min(whole, time.monotonic() - start)
    interrupted = 0
    for i in range(20):
        out = tmp_path / f"out-{i}"
        child = subprocess.Popen([*command, str(out), "1"], env=environment(), start_new_session=True)
        time.sleep(chance.uniform(0.25, 1.0) * whole)
        interrupted += child.poll() is None
        os.killpg(child.pid, signal.SIGKILL) if child.poll() is None else None
        child.wait()
        fi.simulate_study(tiny_study, out)
        assert tree(out) == tree(tiny_dataset), f"kill {i}"
        shutil.rmtree(out)
    assert interrupted >= 10


def test_a_folder_with_something_else_is_left_alone(tmp_path, tiny_study):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="holds something else"):
        fi.simulate_study(tiny_study, tmp_path)
    assert tree(tmp_path).keys() == {"thesis.txt"}


def test_another_study_in_the_folder_is_refused_and_nothing_changes(tiny_dataset, tiny_study):
    before = tree(tiny_dataset)
    with pytest.raises(OutputError, match="another study .`seed` differs"):
        fi.simulate_study({**tiny_study, "seed": 8}, tiny_dataset)
    assert tree(tiny_dataset) == before


def test_a_file_in_place_of_the_folder_and_a_second_run_are_refused(tmp_path, tiny_study):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="as a folder"):
        fi.simulate_study(tiny_study, tmp_path / "file")
    with cohort._claimed(tmp_path / "busy"), pytest.raises(OutputError, match="another run is writing"):
        fi.simulate_study(tiny_study, tmp_path / "busy")
    with cohort._claimed(tmp_path / "empty"):
        with pytest.raises(OutputError, match="another run is writing"):
            fi.simulate_study(tiny_study, tmp_path / "empty")
        assert (tmp_path / "empty").is_dir()


def test_too_little_room_is_told_before_anything_runs(tmp_path, tiny_study, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(OutputError, match="has room for 0 MB; about"):
        fi.simulate_study(tiny_study, tmp_path / "out")
    assert tree(tmp_path / "out") == {}


def test_a_full_disk_midway_leaves_no_half_file(tmp_path, tiny_study, monkeypatch):
    from fakeimaging.core import files

    calls = iter(range(10**6))
    real = files.os.fsync

    def failing(descriptor):
        if next(calls) == 30:
            raise OSError(28, "No space left on device")
        return real(descriptor)

    monkeypatch.setattr(files.os, "fsync", failing)
    with pytest.raises(OSError, match="No space left"):
        fi.simulate_study(tiny_study, tmp_path / "out")
    assert not [path for path in (tmp_path / "out").rglob(HIDDEN + "*")]


def test_verify_agrees_and_sees_a_changed_byte_a_missing_file_and_a_stranger(tiny_dataset, tmp_path):
    assert verify(tiny_dataset, "01").problems == ()
    out = tmp_path / "out"
    shutil.copytree(tiny_dataset, out)
    tap = out / "sourcedata/fakeimaging/sub-01/sub-01_task-rest_run-1_tap-rate.npy"
    data = bytearray(tap.read_bytes())
    data[-1] ^= 1
    tap.write_bytes(data)
    (out / "sub-01/func/sub-01_task-rest_run-1_bold.json").unlink()
    (out / "sub-01/func/notes.txt").write_text("x")
    problems = "\n".join(verify(out, "01").problems)
    assert "tap-rate.npy: changed since it was written" in problems
    assert "bold.json: missing" in problems
    assert "notes.txt: the manifest does not list it" in problems
    assert verify(out, "02").problems == ()


def test_verify_sees_a_record_that_makes_something_else(tiny_dataset, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(tiny_dataset, out)
    record = out / "sourcedata/fakeimaging/record.json"
    content = json.loads(record.read_text())
    content["study"]["sessions"][0]["acquisitions"][1]["parameters"]["snr"] = 99.0
    record.write_text(json.dumps(content))
    problems = verify(out, "01").problems
    assert any("another study" in line for line in problems)
    assert any("sub-01_task-rest_run-1_bold.nii.gz: comes out different" in line for line in problems)
    assert not any("T1w.nii.gz: comes out" in line for line in problems)


def test_verify_replays_instruments_on_another_machine(tiny_dataset, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(tiny_dataset, out)
    manifest = out / "sourcedata/fakeimaging/sub-01/manifest.json"
    content = json.loads(manifest.read_text())
    content["machine"]["processor"] = "another"
    manifest.write_text(json.dumps(content))
    assert verify(out, "02").how == "same machine class"
    verdict = verify(out, "01")
    assert (verdict.how, verdict.problems) == ("replayed", ())
    tap = out / "sourcedata/fakeimaging/sub-01/sub-01_task-rest_run-1_tap-rate.npy"
    samples = np.load(tap)
    np.save(tap, samples[::-1])
    assert any("differs from its replay" in line for line in verify(out, "01").problems)


def test_loading_something_else_says_so(tmp_path, tiny_dataset):
    with pytest.raises(InputError, match="not a dataset written by fakeimaging"):
        fi.load(tmp_path)
    dataset = fi.load(tiny_dataset)
    with pytest.raises(InputError, match="no subject '03'; there are: 01, 02"):
        dataset.subject("03")
    with pytest.raises(InputError, match="there are: sub-01_T1w.nii.gz"):
        dataset.recording("01", "bold", task="tapping")
    with pytest.raises(InputError, match="no run 2"):
        dataset.activity("01", run=2)


def test_references_are_those_of_what_was_used(tiny_dataset):
    text = "\n".join(map(str, fi.load(tiny_dataset).references()))
    assert "MPRAGE" in text
    assert "balloon" in text
    assert "Deco" not in text
    assert "template" not in text


def test_the_planned_size_is_an_upper_bound_and_not_a_wild_one(tiny_dataset):
    planned = total_bytes(fi.load(tiny_dataset).study)
    written = sum(path.stat().st_size for path in tiny_dataset.rglob("*") if path.is_file())
    assert written < planned < 2 * written


def test_a_model_file_lies_beside_its_study_and_an_edit_makes_another_study(tmp_path, monkeypatch):
    model = (Path(fi.__file__).parent / "activity/models/linear.py").read_text()
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.py").write_text(model)
    text = (
        'seed = 1\n[subject]\nanatomy = "tiny"\n[[sessions]]\n[[sessions.runs]]\nduration = 20.0\nmodel = "mine.py"\n'
    )
    (tmp_path / "study" / "study.toml").write_text(
        text + '[[sessions.acquisitions]]\nmodality = "bold"\ntask = "rest"\nvoxel_size = 14.0\n'
    )
    monkeypatch.chdir(tmp_path)
    fi.simulate_study("study/study.toml", "out")
    monkeypatch.chdir("/")
    (tmp_path / "study" / "mine.py").rename(tmp_path / "study" / "moved.py")
    assert verify(tmp_path / "out", "01").problems == ()
    assert fi.load(tmp_path / "out").recording("01", "bold").clean.volume(0).any()
    (tmp_path / "study" / "mine.py").write_text(model.replace("gain * coupled_x", "0.5 * gain * coupled_x"))
    with pytest.raises(OutputError, match="holds another study .a file it names differs"):
        fi.simulate_study(tmp_path / "study/study.toml", tmp_path / "out")


def test_a_mistake_that_shows_late_leaves_the_folder_as_it_was(tmp_path, tiny_study):
    bad = json.loads(json.dumps(tiny_study))
    bad["sessions"][0]["runs"][0] |= {"model": "dmf", "parameters": {"a_E": 1.0, "I0": 0.0}}
    with pytest.raises(FakeImagingError, match="no working point"):
        fi.simulate_study(bad, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    tiny_study["sessions"][0]["acquisitions"][1]["tr"] = 19.0
    tiny_study["sessions"][0]["runs"][0]["duration"] = 10.0
    with pytest.raises(InputError, match="longer than the run"):
        fi.simulate_study(tiny_study, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_recompressing_a_file_changes_nothing(tiny_dataset, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(tiny_dataset, out)
    path = out / "sub-01/anat/sub-01_T1w.nii.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 9))
    assert verify(out, "01").problems == ()


def test_a_crash_between_the_model_files_and_the_record_is_mended(tiny_study, tmp_path, monkeypatch):
    source = (Path(fi.__file__).parent / "activity/models/linear.py").read_text()
    (tmp_path / "mine.py").write_text(source)
    tiny_study["sessions"][0]["runs"][0]["model"] = str(tmp_path / "mine.py")
    out, real = tmp_path / "out", describe.write_json
    monkeypatch.setattr(describe, "write_json", lambda path, content: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fi.simulate_study(tiny_study, out)
    assert [path.name for path in out.rglob("*") if path.is_file()] == ["mine.py"]
    monkeypatch.setattr(describe, "write_json", real)
    (out / f"{HIDDEN}README").write_text("half")
    assert fi.simulate_study(tiny_study, out).subjects == ("01", "02")
    assert not list(out.glob(f"{HIDDEN}*"))


def test_other_versions_do_not_go_on_with_a_dataset(tiny_dataset, tiny_study, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(tiny_dataset, out)
    manifest = out / "sourcedata/fakeimaging/sub-01/manifest.json"
    content = json.loads(manifest.read_text())
    content["machine"]["versions"]["numpy"] = "1.0"
    manifest.write_text(json.dumps(content))
    before = tree(out)
    with pytest.raises(OutputError, match="sub-01 in .* was made with numpy 1.0"):
        fi.simulate_study({**tiny_study, "subjects": 3}, out)
    assert tree(out) == before


def test_what_is_written_already_needs_no_room(tiny_dataset, tiny_study, tmp_path, monkeypatch):
    out = tmp_path / "out"
    shutil.copytree(tiny_dataset, out)
    present = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    left = total_bytes(fi.load(out).study) - present
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, left))
    fi.simulate_study(tiny_study, out)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, left - 1))
    with pytest.raises(OutputError, match="has room"):
        fi.simulate_study(tiny_study, out)


@pytest.mark.parametrize("content", ["[]", '{"study": {}}', "{", '{"study": {"sessions": [{"runs": [1]}]}}'])
def test_a_damaged_record_is_no_dataset(tmp_path, content):
    (tmp_path / "sourcedata/fakeimaging").mkdir(parents=True)
    (tmp_path / "sourcedata/fakeimaging/record.json").write_text(content)
    with pytest.raises(InputError, match="not a dataset written by fakeimaging"):
        fi.load(tmp_path)


def test_a_file_that_cannot_be_decompressed_is_named(tiny_dataset, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(tiny_dataset, out)
    path = out / "sub-01/anat/sub-01_T1w.nii.gz"
    data = bytearray(path.read_bytes())
    data[200:260] = bytes(60)
    path.write_bytes(data)
    assert any("sub-01_T1w.nii.gz: c" in line for line in verify(out, "01").problems)


def test_speed_and_step_of_a_run_come_back(tiny_study, tmp_path):
    tiny_study["sessions"][0]["runs"][0] |= {"speed": 3.0, "step": 0.002, "duration": 5.0}
    tiny_study["sessions"][0]["acquisitions"] = tiny_study["sessions"][0]["acquisitions"][1:]
    dataset = fi.simulate_study({**tiny_study, "subjects": 1}, tmp_path / "out")
    expected = dataset.subject("01").connectome.tract_lengths / 3000
    np.testing.assert_allclose(dataset.activity("01").truth["delays"], expected)


def test_shared_arrays_are_read_only(tiny_dataset):
    dataset = fi.load(tiny_dataset)
    subject, bold = dataset.subject("01"), dataset.recording("01", "bold")
    arrays = [
        subject.anatomy.maps.grey, subject.anatomy.to_template, subject.labels(bold.clean.grid), subject.parcellation.labels,
        subject.anatomy.tissue(bold.clean.grid).grey, subject.connectome.weights, dataset.activity("01").truth["delays"],
        dataset.activity("01").tap("rate").samples, bold.truth["regional_bold"], bold.forward.baseline,
        bold.recipe("drift")["coefficients"], bold.clean.grid.affine,
    ]  # fmt: skip
    assert [array.flags.writeable for array in arrays] == [False] * len(arrays)


@pytest.mark.parametrize(
    ("factor", "message"), [(1j, "complex image"), (1e6, "do not fit int16"), (np.nan, "do not fit int16")]
)
def test_what_an_int16_file_cannot_hold_is_refused_and_leaves_no_file(tmp_path, factor, message):
    scan = fi.acquire("t1w", fi.make_subject("01", seed=1, anatomy="tiny"), voxel_size=8.0)
    image = replace(scan.clean, make=lambda v: scan.clean.volume(v) * factor)
    with pytest.raises(InputError, match=message):
        write_image(tmp_path / "x.nii.gz", image)
    assert list(tmp_path.iterdir()) == []


def test_a_scan_without_magnitude_and_noise_is_written_with_its_sign(tiny_study, tmp_path):
    tiny_study["sessions"][0]["acquisitions"] = [
        {"modality": "t1w", "voxel_size": 8.0, "tr": 5.0, "flip_angle": 5.0, "off": ["thermal", "magnitude", "bias"]}
    ]
    fi.simulate_study({**tiny_study, "subjects": 1}, tmp_path / "out")
    assert nib.load(tmp_path / "out/sub-01/anat/sub-01_T1w.nii.gz").get_fdata().min() < 0
