"""What a task leaves on disk: events, true responses as tables and maps, and what the scores make of them."""

import tomllib

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.dataset.plan import faint, plan, stimuli
from fakeimaging.dataset.study import read_study
from fakeimaging.dataset.tasks import tasks
from fakeimaging.scoring import bold as score
from tests.dataset.test_dataset import bids_errors

RUNS = """
seed = 7
subjects = 1
subject.anatomy = "tiny"
[[sessions]]
[[sessions.runs]]
task = "faces"
duration = 240.0
model = "linear"
parameters = { sigma = 0.3 }
[[sessions.runs.design]]
trial_types = ["big face", "house"]
n = 12
duration = 2.0
mean_interval = 6.0
optimise = "detection"
tries = 20
[[sessions.runs.conditions]]
trial_type = "big face"
network = "NetA"
percent = 2.0
modulation = "linear"
[[sessions.runs.conditions]]
trial_type = "house"
network = "NetB"
percent = 1.0
[[sessions.acquisitions]]
modality = "bold"
task = "faces"
voxel_size = 7.0
echo_times = [0.015, 0.03]
snr = 1000.0
response = "spm"
[[sessions.acquisitions]]
modality = "eeg"
task = "faces"
"""
FUNC = "sub-01/func/sub-01_task-faces_run-1"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("task")
    (folder / "study.toml").write_text(RUNS)
    fi.simulate_study(read_study(folder / "study.toml"), folder / "out")
    return fi.load(folder / "out")


def test_events_are_those_of_the_run_one_table_for_all_echoes(dataset):
    events = dataset.activity("01", task="faces").events
    table = pd.read_csv(dataset.root / f"{FUNC}_events.tsv", sep="\t")
    assert list(table.columns) == ["onset", "duration", "trial_type", "modulation"]
    assert [tuple(row) for row in table.itertuples(index=False)] == [tuple(event) for event in events]
    assert len(list((dataset.root / "sub-01/func").glob("*events.tsv"))) == 1
    sizes = table[table.trial_type == "big face"].modulation
    np.testing.assert_allclose(sizes, np.linspace(0.5, 1.5, 12))


def test_a_table_that_was_written_presents_the_same_run(dataset, tmp_path):
    original = dataset.activity("01", task="faces")
    content = RUNS[: RUNS.index("[[sessions.runs.design]]")] + RUNS[RUNS.index("[[sessions.runs.conditions]]") :]
    content = content.replace('task = "faces"', f'task = "faces"\nevents = "{dataset.root / FUNC}_events.tsv"', 1)
    (tmp_path / "again.toml").write_text(content.replace('modulation = "linear"\n', ""))
    study = read_study(tmp_path / "again.toml", ["runs.duration=240.0"])
    run = study.sessions[0].runs[0]
    again = fi.simulate_activity(dataset.subject("01"), model=run.model, task="faces", **run.timing)
    assert again.events == original.events
    for one, other in zip(again.imposed, original.imposed, strict=True):
        assert one.trial_type == other.trial_type
        for name in ("onsets", "durations", "modulation", "percent"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    fi.simulate_study(study.only(["eeg"]), tmp_path / "out")
    assert (tmp_path / "out/sourcedata/fakeimaging/inputs/sub-01_task-faces_run-1_events.tsv").is_file()
    assert fi.load(tmp_path / "out").activity("01", task="faces").events == original.events


def test_the_true_responses_stand_in_a_table_and_in_maps(dataset):
    recording = dataset.recording("01", "bold", echo=2)
    table = pd.read_csv(
        dataset.root / "sourcedata/fakeimaging/sub-01/sub-01_task-faces_run-1_echo-2_betas.tsv", sep="\t"
    )
    assert set(table.trial_type) == {"big face", "house"}
    networks = np.array([region.network for region in dataset.subject("01").regions])
    np.testing.assert_array_equal(table[table.trial_type == "big face"].beta, 2.0 * (networks == "NetA"))
    truth = dataset.root / "derivatives/fakeimaging-truth" / FUNC
    image = nib.load(f"{truth}_echo-2_contrast-bigface_stat-effect_statmap.nii.gz")
    mask = nib.load(f"{truth}_desc-bigface_mask.nii.gz")
    assert not list(truth.parent.glob("*echo-*_mask*")), "a mask is that of all echoes"
    expected = recording.forward.maps["contrast-bigface_stat-effect_statmap"].make(0)
    np.testing.assert_array_equal(np.asarray(image.dataobj), expected)
    np.testing.assert_array_equal(np.asarray(mask.dataobj), expected != 0)
    np.testing.assert_allclose(image.affine, recording.clean.grid.affine)
    first = nib.load(f"{truth}_echo-1_contrast-bigface_stat-effect_statmap.nii.gz")
    assert np.abs(first.get_fdata()).max() == pytest.approx(np.abs(expected).max() / 2, rel=0.05)


def test_the_truth_is_a_dataset_that_the_validator_accepts(dataset):
    errors, n_datasets = bids_errors(dataset.root)
    assert errors == []
    assert n_datasets == 4
    (dataset.root / "derivatives/fakeimaging-truth/.bidsignore").rename(dataset.root / "kept")
    assert {code for code, _ in bids_errors(dataset.root)[0]} == {"NOT_INCLUDED"}
    (dataset.root / "kept").rename(dataset.root / "derivatives/fakeimaging-truth/.bidsignore")


def test_scores_of_a_task_are_against_what_was_imposed(dataset):
    scan = next(scan for scan in dataset.scans("01") if scan.modality == "bold" and scan.is_first)
    assert {name: beta.max() for name, beta in score.imposed_responses(dataset, scan).items()} == {
        "big face": 2,
        "house": 1,
    }
    rows = {row.name: row for row in score.score_bold(dataset, scan)}
    assert rows["task_auc"].estimate > 0.95
    # Grey matter fills about 0.7 of these large voxels, and the echoes together act like one of 24 ms, scored against 30 ms.
    assert rows["task_beta"].estimate == pytest.approx(0.7 * 0.8, abs=0.12)
    assert rows["task_beta"].chance > abs(rows["task_beta"].error)


def test_one_design_may_stand_as_a_table():
    content = RUNS.replace("[[sessions.runs.design]]", "[sessions.runs.design]")
    assert fi.Study.check(tomllib.loads(content)) == fi.Study.check(tomllib.loads(RUNS))


def test_a_small_study_keeps_what_fits():
    content = {
        "sessions": [{
            "runs": [{
                "task": "a", "duration": 300.0, "design": [{"trial_types": ["x"], "n": 30, "duration": 1.0}],
                "conditions": [
                    {"trial_type": "x", "kind": "cortex", "percent": 1.0},
                    {"trial_type": "y", "kind": "cortex", "onsets": [3.0, 200.0], "duration": 2.0, "modulation": [1.0, 2.0]},
                ],
            }],
            "acquisitions": [{"modality": "bold", "task": "a"}],
        }],
    }  # fmt: skip
    run = fi.Study.check(content).small().sessions[0].runs[0]
    assert run.duration == 40.0
    shown = run.presented(fi.Streams(1))
    assert [len(condition.times(40.0)) for condition in shown] == [4, 1]
    assert shown[1].modulation is None


SHOWN = """
seed = 7
subject.anatomy = "tiny"
[[sessions]]
[[sessions.runs]]
task = "look"
duration = 60.0
events = "events.tsv"
[[sessions.runs.conditions]]
trial_type = "face"
network = "NetA"
percent = 1.0
[[sessions.acquisitions]]
modality = "bold"
task = "look"
"""
TABLE = "onset\tduration\ttrial_type\n10\t5\tface\n"
RUN = "`sessions[0].runs[0]"


@pytest.mark.parametrize(
    ("table", "old", "new", "message"),
    [
        (TABLE.replace("duration", "length"), "", "", f"{RUN}`: .*events.tsv: no column 'duration' among"),
        (TABLE.replace("10", "ten"), "", "", "'ten' in column 'onset' is not a number"),
        (TABLE.replace("10", "10000"), "", "", f"{RUN}.conditions`: .* the event at 10000 s .* ends after the run"),
        (TABLE.replace("face", "house"), "", "", f"{RUN}`: .*events.tsv: no condition has the trial_type 'house'"),
        (TABLE, '"NetA"', '"NetQA"', rf"{RUN}.conditions\[0\].network`: the subject has no such network as 'NetQA'"),
        (TABLE, 'network = "NetA"', "near = [[900.0, 0, 0]]", rf"{RUN}.conditions\[0\].near`: \(900, 0, 0\) lies"),
        (TABLE, "percent = 1.0", "percent = 1.0\nonset = 3.0", "has events from its own times and .*events.tsv"),
    ],
)
def test_what_cannot_be_presented_is_found_before_anything_runs(tmp_path, table, old, new, message):
    (tmp_path / "events.tsv").write_text(table)
    (tmp_path / "study.toml").write_text(SHOWN.replace(old, new))
    study = read_study(tmp_path / "study.toml")
    with pytest.raises(
        ParameterError, match=message.replace("runs[0]", r"runs\[0\]").replace("sessions[0]", r"sessions\[0\]")
    ):
        plan(study)


def test_a_plan_says_how_large_imposed_responses_will_be(tmp_path):
    (tmp_path / "study.toml").write_text(SHOWN)
    found = {}
    for duration in ("0", "0.5", "20"):
        (tmp_path / "events.tsv").write_text(TABLE.replace("\t5\t", f"\t{duration}\t"))
        study = read_study(tmp_path / "study.toml")
        found[duration] = float(stimuli(tasks(study))[0][-1].removesuffix(" %")), faint(tasks(study))
    assert found["0"][0] < 0.02
    assert "peaks at 0.0" in found["0"][1][0]
    assert "below 0.05 %" in found["0"][1][0]
    assert 0.05 < found["0.5"][0] < 0.2
    assert 0.9 < found["20"][0] < 1.3
    assert not found["0.5"][1] + found["20"][1]


def test_a_setting_reaches_the_conditions_of_a_name(tmp_path):
    (tmp_path / "study.toml").write_text(RUNS)
    study = read_study(
        tmp_path / "study.toml", ["runs.conditions.big face.percent=3", "runs.conditions.house.percent = 0.5"]
    )
    assert [condition.percent for condition in study.sessions[0].runs[0].conditions] == [3.0, 0.5]
    with pytest.raises(InputError, match="no condition 'hose'; did you mean 'house'"):
        read_study(tmp_path / "study.toml", ["runs.conditions.hose.percent=3"])
    with pytest.raises(ParameterError, match=r"conditions\[1\].percnt`: no such key; did you mean 'percent'"):
        read_study(tmp_path / "study.toml", ["runs.conditions.house.percnt=3"])
