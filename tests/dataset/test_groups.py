import copy
import json
import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import ParameterError
from fakeimaging.core.streams import Streams
from fakeimaging.dataset.contrasts import contrasts
from fakeimaging.dataset.covariates import Covariate
from fakeimaging.dataset.effects import for_subject, touched_by
from fakeimaging.dataset.manifest import read_manifest
from fakeimaging.dataset.participants import participants
from fakeimaging.dataset.verify import verify
from tests.conftest import tree
from tests.dataset.test_dataset import bids_errors

GAIN = "runs.parameters.gain"
LOOK = "runs.conditions.look.amplitude"
COVARIATES = {
    "group": {"levels": ["control", "patient"], "meanings": {"control": "a volunteer"}},
    "age": {"distribution": "uniform", "low": 20, "high": 80, "unit": "year"},
    "sex": {"levels": ["F", "M"]},
}
STUDY = {
    "name": "groups",
    "seed": 5,
    "subjects": 12,
    "subject": {"anatomy": "tiny"},
    "covariates": COVARIATES,
    "effects": [
        {"covariate": "group", "level": "patient", "on": GAIN, "add": -0.1},
        {"covariate": "age", "on": GAIN, "scale": 0.99},
        {"covariate": "age", "on": LOOK, "add": -0.01, "reference": 20.0},
    ],
    "variability": [{"on": GAIN, "sd": 0.05}, {"on": "bold.voxel_size", "relative": 0.02}],
    "sessions": [
        {
            "runs": [
                {"task": "rest", "duration": 24.0, "model": "linear", "parameters": {"gain": 0.4}},
                {
                    "task": "look",
                    "duration": 24.0,
                    "model": "linear",
                    "parameters": {"gain": 0.4},
                    "conditions": [
                        {"trial_type": "look", "regions": "all", "onset": 2.0, "duration": 4.0, "amplitude": 2.0},
                        {"trial_type": "wait", "regions": "all", "onset": 12.0, "duration": 4.0, "amplitude": 1.0},
                    ],
                },
            ],
            "acquisitions": [{"modality": "bold", "task": "look", "parameters": {"voxel_size": 8.0}}],
        }
    ],
}


@pytest.fixture
def content():
    return copy.deepcopy(STUDY)


def table(study):
    return pd.DataFrame(participants(study, touched_by(study)))


def problems(content):
    with pytest.raises(ParameterError) as caught:
        fi.Study.check(content)
    return "\n".join(caught.value.problems)


def test_each_value_is_the_equation_of_its_covariates(content):
    study = fi.Study.check(content)
    found = table(study)
    root = Streams(5)
    own = [root.at(f"sub-{label}", "variability", GAIN, "all", "all").rng().standard_normal() for label in study.labels]
    expected = 0.4 * 0.99 ** (found.age - 50) - 0.1 * (found.group == "patient") + 0.05 * np.array(own)
    np.testing.assert_allclose(found[GAIN], expected, rtol=1e-12)
    np.testing.assert_allclose(found[LOOK], 2.0 - 0.01 * (found.age - 20), rtol=1e-12)


def test_the_study_of_a_subject_has_its_own_values_everywhere_and_no_others(content):
    study = fi.Study.check(content)
    for label, row in zip(study.labels, table(study).to_dict("records"), strict=True):
        own = for_subject(study, label)
        assert [run.parameters["gain"] for run in own.sessions[0].runs] == [row[GAIN]] * 2
        look, wait = own.sessions[0].runs[1].conditions
        assert look.amplitude == row[LOOK]
        assert wait.amplitude == 1.0
        assert own.sessions[0].acquisitions[0].parameters["voxel_size"] == row["bold.voxel_size"]
        assert for_subject(own, label) is own
        assert own.labels == study.labels


def test_sizes_are_those_of_the_closed_form(content):
    group, age, look = contrasts(fi.Study.check(content))
    assert (group.words, group.touched.name) == ("group: patient - control", GAIN)
    assert group.size == pytest.approx(-0.1)
    assert group.standardised == pytest.approx(-2.0)
    assert group.correlation is None
    assert age.size == pytest.approx(0.4 * math.log(0.99))
    assert age.standardised == pytest.approx(0.4 * math.log(0.99) / 0.05)
    spread = 60 / math.sqrt(12)
    explained = 0.4 * math.log(0.99) * spread
    assert age.correlation == pytest.approx(explained / math.sqrt(explained**2 + 0.05**2))
    assert look.size == -0.01
    assert look.standardised is None


def test_a_level_is_compared_with_the_first_whatever_else_acts(content):
    content["covariates"]["dose"] = {"levels": ["none", "low", "high"]}
    content["effects"] = [
        {"covariate": "dose", "level": "none", "on": GAIN, "add": 0.05},
        {"covariate": "dose", "level": "low", "on": GAIN, "scale": 1.5},
        {"covariate": "group", "level": "control", "on": GAIN, "scale": 0.5},
    ]
    low, high, patient = contrasts(fi.Study.check(content))
    assert (low.level, high.level, patient.level) == ("low", "high", "patient")
    assert low.size == pytest.approx(0.4 * 0.5 * 1.5 - (0.4 * 0.5 + 0.05))
    assert high.size == pytest.approx(-0.05)
    assert patient.size == pytest.approx(0.4 * 0.5)


@pytest.mark.parametrize("seed", [101, 102, 103])
def test_sizes_are_delivered_in_large_groups(content, seed):
    """2000 subjects: group, age and noise of a GLM within 3.5 standard errors of what is written as truth."""
    content |= {"seed": seed, "subjects": 2000, "variability": [{"on": GAIN, "sd": 0.03}]}
    content["effects"] = [
        {"covariate": "group", "level": "patient", "on": GAIN, "add": -0.05},
        {"covariate": "age", "on": GAIN, "add": 0.001},
    ]
    study = fi.Study.parse(content)
    found = table(study)
    design = np.column_stack([np.ones(2000), found.group == "patient", found.age]).astype(float)
    beta, (energy,), *_ = np.linalg.lstsq(design, found[GAIN], rcond=None)
    error = np.sqrt(energy / 1997 * np.diag(np.linalg.inv(design.T @ design)))
    group, age = contrasts(study)
    assert abs(beta[1] - group.size) < 3.5 * error[1]
    assert abs(beta[2] - age.size) < 3.5 * error[2]
    assert np.sqrt(energy / 1997) == pytest.approx(group.touched.sd, rel=3.5 / math.sqrt(2 * 1997))
    assert found.age.std() == pytest.approx(age.spread, rel=0.05)


def test_adding_subjects_changes_nobody(content):
    few, many = (table(fi.Study.parse(content | {"subjects": n})) for n in (7, 40))
    pd.testing.assert_frame_equal(few, many[:7])
    named, more = (table(fi.Study.parse(content | {"subjects": s})) for s in (["ann", "bob"], ["ann", "bob", "eve"]))
    pd.testing.assert_frame_equal(named, more[:2])


def test_adding_a_covariate_an_effect_or_variability_changes_no_other_value(content):
    before = table(fi.Study.check(content))
    content["covariates"] = {"site": {"levels": ["x", "y", "z"]}, **content["covariates"]}
    content["effects"].insert(0, {"covariate": "site", "level": "y", "on": "bold.echo_time", "scale": 1.1})
    content["variability"].insert(0, {"on": "bold.flip_angle", "sd": 1.0})
    pd.testing.assert_frame_equal(before, table(fi.Study.check(content))[before.columns])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_levels_come_in_their_shares_in_every_block(content, seed):
    content["covariates"]["group"] = {"levels": ["control", "patient", "sibling"], "shares": [3, 1, 1]}
    content |= {"seed": seed, "subjects": 53}
    groups = table(fi.Study.parse(content)).group.tolist()
    for start in range(0, 50, 5):
        assert Counter(groups[start : start + 5]) == {"control": 3, "patient": 1, "sibling": 1}
    assert len({tuple(groups[start : start + 5]) for start in range(0, 50, 5)}) > 3


def test_covariates_of_the_same_kind_are_independent(content):
    content["covariates"] |= {
        "hand": {"levels": ["left", "right"]},
        "years": {"distribution": "uniform", "low": 9, "high": 20},
    }
    found = table(fi.Study.parse(content | {"subjects": 400}))
    agree = (found.hand == "right") == (found.group == "patient")
    assert abs(agree.mean() - 0.5) < 3.5 * 0.5 / math.sqrt(400)
    assert abs(np.corrcoef(found.age, found.years)[0, 1]) < 3.5 / math.sqrt(400)


@pytest.mark.parametrize(("decimals", "kind"), [(0, int), (1, float)])
def test_numbers_are_what_the_table_shows(decimals, kind):
    age = Covariate(distribution="normal", mean=50.0, sd=10.0, decimals=decimals)
    drawn = [age.draw("age", 0, str(i), Streams(3)) for i in range(300)]
    assert all(isinstance(value, kind) and value == round(value, decimals) for value in drawn)
    assert abs(np.mean(drawn) - 50) < 3.5 * 10 / math.sqrt(300)
    assert np.std(drawn) == pytest.approx(10, rel=3.5 / math.sqrt(600))


def test_the_null_twin_shares_all_but_the_effects(content):
    study = fi.Study.check(content)
    twin = study.null_twin()
    full, null = table(study), table(twin)
    pd.testing.assert_frame_equal(full[["participant_id", *COVARIATES]], null[["participant_id", *COVARIATES]])
    factor = 0.99 ** (full.age - 50)
    np.testing.assert_allclose(
        full[GAIN] - null[GAIN], 0.4 * (factor - 1) - 0.1 * (full.group == "patient"), atol=1e-12
    )
    assert (null[LOOK] == 2.0).all()
    assert (full["bold.voxel_size"] == null["bold.voxel_size"]).all()
    assert [one.size for one in contrasts(twin)] == [0, 0, 0]
    assert [one.words for one in contrasts(twin)] == [one.words for one in contrasts(study)]
    assert study.digest() != twin.digest()
    assert fi.Study.check(content | {"null": True}) == twin


def test_the_file_of_effects_has_no_rounding_errors(content):
    content["effects"] = [{"covariate": "group", "level": "patient", "on": GAIN, "add": 0.1}]
    content["sessions"][0]["runs"][1]["parameters"]["gain"] = content["sessions"][0]["runs"][0]["parameters"][
        "gain"
    ] = 0.7
    (one,) = contrasts(fi.Study.check(content))
    assert one.size != 0.1
    assert one.content()["size"] == 0.1
    assert one.content()["level"] == "patient"


def test_an_effect_can_stay_in_one_task_or_session(content):
    session = content["sessions"][0]
    content["sessions"] = [{"label": "pre", **session}, {"label": "post", **copy.deepcopy(session)}]
    content["effects"] = [
        {"covariate": "group", "level": "patient", "on": GAIN, "add": 0.1, "task": "look", "session": "post"}
    ]
    content["variability"] = [{"on": GAIN, "sd": 0.01}]
    study = fi.Study.check(content)
    patient = table(study).group.tolist().index("patient")
    own = for_subject(study, study.labels[patient])
    gains = np.array([[run.parameters["gain"] for run in visit.runs] for visit in own.sessions])
    deviation = gains[0, 0] - 0.4
    np.testing.assert_allclose(gains - deviation, [[0.4, 0.4], [0.4, 0.5]])
    assert deviation != 0
    names = [one.name for one in touched_by(study)]
    assert len(set(names)) == len(names) == 2
    assert f"{GAIN} (ses-post_task-look_run-1)" in names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"covariate": "groups"}, "`effects[0].covariate`: no covariate 'groups'; did you mean 'group'?"),
        ({"level": "patents"}, "`effects[0].level`: group has no level 'patents'; did you mean 'patient'?"),
        (
            {"level": None},
            "`effects[0].level`: missing; which of the levels of group has the effect: control or patient?",
        ),
        ({"covariate": "age"}, "`effects[0].level`: age has numbers, not levels; leave it out"),
        ({"reference": 3.0}, "`effects[0].reference`: group has levels, not numbers; leave it out"),
        ({"scale": 2.0}, "`effects[0].add`: give either add or scale"),
        ({"on": "runs.parameters.gian"}, "`effects[0].on`: no such key 'runs.parameters.gian'; did you mean 'gain'?"),
        ({"on": "run.duration"}, "`effects[0].on`: no such key 'run.duration'; did you mean 'runs'?"),
        ({"on": "runs.conditions.lock.amplitude"}, "`effects[0].on`: the study has no runs.conditions.lock.amplitude"),
        ({"on": "pet.dose"}, "`effects[0].on`: the study has no pet.dose"),
        ({"on": "bold"}, "`effects[0].on`: no such key 'bold'"),
        ({"task": "rset"}, "`effects[0].on`: the study has no runs.parameters.gain, task 'rset'"),
        ({"on": "runs.step"}, "`effects[0].on`: runs.step is nothing by default; give it a number in the study"),
        ({"on": "runs.physiology.motion"}, "`effects[0].on`: runs.physiology.motion is 'low'; give it a number"),
        ({"on": "runs.delays"}, "`effects[0].on`: runs.delays is True; give it a number"),
        ({"on": "subject.n_regions"}, "`effects[0].on`: subject.n_regions is the same for all subjects"),
    ],
)
def test_problems_of_effects_name_their_key(content, change, message):
    content["effects"][0] |= change
    assert message in problems(content)


@pytest.mark.parametrize(
    ("name", "covariate", "message"),
    [
        ("participant_id", {"levels": ["a", "b"]}, "`covariates.participant_id`: BIDS has this column"),
        ("Age", {"levels": ["a", "b"]}, "`covariates.Age`: there is `covariates.age` already"),
        ("a-b", {"levels": ["a", "b"]}, "`covariates.a-b`: a name has letters, digits and underscores"),
        ("sex", {"levels": ["woman", "man"]}, "`covariates.sex.levels`: 'man' is not among what BIDS allows"),
        ("x", {}, "`covariates.x.levels`: missing; give levels, or a distribution"),
        ("x", {"levels": ["a"]}, "`covariates.x.levels`: at least two are needed"),
        ("x", {"levels": ["a", "a"]}, "`covariates.x.levels`: at least two are needed, each another one"),
        ("x", {"levels": ["a", "n/a"]}, "`covariates.x.levels`: 'n/a' cannot stand in participants.tsv"),
        ("x", {"levels": ["a", "b"], "shares": [1]}, "`covariates.x.shares`: one above 0 for each of a, b"),
        ("x", {"levels": ["a", "b"], "shares": [0.5, 0.9]}, "`covariates.x.shares`: 0.5, 0.9 add to 1.4, not to 1"),
        ("x", {"levels": ["a", "b"], "shares": [1, 999]}, "`covariates.x.shares`: in hundredths of a whole"),
        ("x", {"levels": ["a", "b"], "shares": [1, 149]}, "`covariates.x.shares`: in hundredths of a whole"),
        ("x", {"levels": ["a", "b"], "meanings": {"c": "?"}}, "`covariates.x.meanings`: 'c' is none of the levels"),
        ("x", {"levels": ["a", "b"], "low": 1}, "`covariates.x.levels`: a covariate has either levels or"),
        ("x", {"distribution": "uniform", "low": 1}, "`covariates.x.distribution`: uniform takes low and high"),
        ("x", {"distribution": "normal", "low": 1, "high": 2}, "`covariates.x.distribution`: normal takes mean and sd"),
        ("x", {"distribution": "uniform", "low": 2, "high": 1}, "`covariates.x.high`: not above low"),
        ("x", {"distribution": "normal", "mean": 2, "sd": -1}, "`covariates.x.sd`: -1 is outside [0, inf)"),
        ("x", {"distribution": "gauss"}, "`covariates.x.distribution`"),
        ("x", {"lvls": ["a"]}, "`covariates.x.lvls`: no such key; did you mean 'levels'?"),
    ],
)
def test_problems_of_covariates_name_their_key(content, name, covariate, message):
    content["covariates"][name] = covariate
    assert message in problems(content)


def test_all_problems_come_at_once(content):
    content["effects"][0] |= {"level": "patents", "on": "runs.parameters.gian"}
    content["variability"] += [{"on": GAIN, "relative": 0.1}, {"on": "bold.voxelsize", "sd": 0.1}]
    content["covariates"]["participant_id"] = {"levels": ["a", "b"]}
    found = problems(content)
    assert len(found.splitlines()) == 5
    assert "`variability[2].on`: runs.parameters.gain is there twice" in found
    assert "`variability[3].on`: no such key 'bold.voxelsize'; did you mean 'voxel_size'?" in found


def test_a_parameter_that_regions_set_is_no_single_number(content):
    content["sessions"][0]["runs"][1]["regional"] = {"gain": {"all": 0.3}}
    assert "`effects[0].on`: gain differs between regions" in problems(content)


def test_the_current_of_an_imposed_response_moves_nothing(content):
    look = content["sessions"][0]["runs"][1]["conditions"][0]
    del look["amplitude"]
    look["percent"] = 1.0
    assert "`effects[2].on`: the response to 'look' is imposed: `percent` is its size" in problems(content)


def test_what_an_effect_pushes_out_of_bounds_is_told_of_each_subject_before_anything_runs(content, tmp_path):
    content["effects"][0]["add"] = 0.6
    found = problems(content)
    full = table(fi.Study.parse(content))
    beyond = full[full[GAIN] > 0.99]
    lines = [line for line in found.splitlines() if "runs[0].parameters.gain" in line]
    assert 0 < len(beyond) < 12
    assert [line.split(":")[0] for line in lines] == beyond.participant_id.tolist()
    assert f"{beyond[GAIN].iloc[0]:g} is outside" in lines[0]
    del content["seed"]
    study = fi.Study.check(content)
    with pytest.raises(ParameterError, match="sub-..: `sessions"):
        fi.simulate_study(study.model_copy(update={"seed": 5}), tmp_path / "out")
    with pytest.raises(ParameterError, match="sub-..: `sessions"):
        study.seeded(5)
    assert not (tmp_path / "out").exists()


def test_settings_reach_every_effect_and_only_drops_those_that_lost_their_scan(content):
    path = "effects.add=-0.02"
    content["effects"] = content["effects"][:1] + [{"covariate": "age", "on": "t1w.snr", "scale": 0.99}]
    content["sessions"][0]["acquisitions"].append({"modality": "t1w"})
    study = fi.Study.check(content)
    assert len(study.only(["bold"]).effects) == 1
    assert len(study.only(["t1w"]).effects) == 1
    assert fi.read_study(overrides=["null=true"]).null
    from fakeimaging.dataset.settings import apply_setting

    apply_setting(content, path, fi.Study.model_fields)
    assert [effect["add"] for effect in content["effects"]] == [-0.02, -0.02]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    out = tmp_path_factory.mktemp("groups") / "dataset"
    return fi.simulate_study(copy.deepcopy(STUDY) | {"subjects": 2}, out)


def test_the_files_of_the_participants_are_bids(dataset):
    errors, _ = bids_errors(dataset.root)
    assert errors == []
    found = pd.read_csv(dataset.root / "participants.tsv", sep="\t")
    assert found.to_dict("records") == participants(dataset.study)
    about = json.loads((dataset.root / "participants.json").read_text())
    assert about["group"]["Levels"] == {"control": "a volunteer", "patient": "patient"}
    assert about["age"]["Units"] == "year"
    assert list(about) == list(found.columns)


def test_the_truth_of_the_participants_is_what_acted(dataset):
    source = dataset.root / "sourcedata/fakeimaging"
    truth = pd.read_csv(source / "participants.tsv", sep="\t", dtype=str)
    values = zip(truth[GAIN].astype(float), truth[LOOK].astype(float), strict=True)
    for label, (gain, look) in zip(dataset.subjects, values, strict=True):
        activity = dataset.activity(label, task="look")
        assert activity.parameters.gain == gain
        about = json.loads((source / f"sub-{label}/sub-{label}_task-look_run-1_tap-rate.json").read_text())
        assert about["parameters"]["gain"] == gain
        assert for_subject(dataset.study, label).sessions[0].runs[1].conditions[0].amplitude == look
    written = json.loads((source / "effects.json").read_text())
    assert written["effects"] == [one.content() for one in contrasts(dataset.study)]
    assert written["null"] is False


def test_a_subject_of_a_study_is_that_of_the_python_calls(dataset):
    row = table(dataset.study).iloc[1]
    subject = fi.make_subject("02", seed=5, anatomy="tiny")
    run = dataset.study.sessions[0].runs[1]
    conditions = [run.conditions[0].model_copy(update={"amplitude": row[LOOK]}), run.conditions[1]]
    activity = fi.simulate_activity(
        subject, model="linear", task="look", duration=24.0, parameters={"gain": row[GAIN]}, conditions=conditions
    )
    assert (dataset.activity("02", task="look").tap("rate").samples == activity.tap("rate").samples).all()
    bold = fi.acquire("bold", subject, activity, voxel_size=row["bold.voxel_size"])
    assert (dataset.recording("02", "bold").observed.make(3) == bold.observed.make(3)).all()


def test_verify_agrees_and_notices_a_changed_participant(dataset, tmp_path):
    import shutil

    copied = tmp_path / "copy"
    shutil.copytree(dataset.root, copied)
    assert [verify(copied, label).problems for label in dataset.subjects] == [(), ()]
    path = copied / "participants.tsv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1], lines[2].replace("sub-02\t", "sub-02\tx")]) + "\n")
    assert verify(copied, "01").problems == ()
    assert verify(copied, "02").problems == ("participants.tsv: the row of sub-02 is not what the record says",)


def test_more_subjects_keep_those_that_are_there_and_a_twin_is_another_study(dataset, tmp_path):
    import shutil

    copied = tmp_path / "copy"
    shutil.copytree(dataset.root, copied)
    before, told = tree(copied), []
    more = fi.simulate_study(STUDY | {"subjects": 3}, copied, progress=lambda *state: told.append(state))
    assert told == [("01", "kept"), ("02", "kept"), ("03", "done")]
    after = tree(copied)
    assert all(after[path] == before[path] for path in before if "sub-0" in path)
    assert (more.root / "participants.tsv").read_text().startswith((dataset.root / "participants.tsv").read_text())
    with pytest.raises(fi.FakeImagingError, match="holds another study \\(`null` differs\\)"):
        fi.simulate_study(dataset.study.null_twin(), copied)


def test_a_subject_whose_values_a_new_label_moves_is_made_again(tmp_path, content):
    """A label put before others shifts the blocks: what is kept must be what the new study says."""
    content |= {"subjects": ["b", "c"], "effects": content["effects"][:1], "variability": []}
    content["sessions"][0]["runs"] = content["sessions"][0]["runs"][:1]
    content["sessions"][0]["acquisitions"] = [{"modality": "bold", "task": "rest", "voxel_size": 12.0}]
    fi.simulate_study(content, tmp_path / "out")
    before, told = [row["group"] for row in participants(fi.Study.check(content))], []
    content["subjects"] = ["a", "b", "c"]
    again = fi.simulate_study(content, tmp_path / "out", progress=lambda *state: told.append(state))
    after = [row["group"] for row in participants(again.study)][1:]
    assert before[0] != after[0]
    assert dict(told) == {"a": "done", "b": "done", "c": "kept" if before[1] == after[1] else "done"}
    for label in again.subjects:
        manifest = read_manifest(again.root, label)
        assert manifest is not None
        assert manifest.study == again.study_of(label).digest()
    assert verify(again.root, "b").problems == ()
