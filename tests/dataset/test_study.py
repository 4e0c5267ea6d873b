import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fakeimaging as fi
from fakeimaging.core.errors import FakeImagingError, InputError, ParameterError
from fakeimaging.dataset.plan import plan
from fakeimaging.modalities.bold import BoldParameters

HEAD = 'seed = 1\n[subject]\nanatomy = "tiny"\n'
BODY = """
[[sessions]]
[[sessions.runs]]
task = "rest"
duration = 40.0
[[sessions.acquisitions]]
modality = "bold"
task = "rest"
tr = 2.0
"""


def problems(text):
    with pytest.raises(ParameterError) as caught:
        fi.Study.check(tomllib.loads(text))
    return "\n".join(caught.value.problems)


def test_keys_of_a_modality_stand_beside_those_of_its_scan():
    study = fi.Study.check(tomllib.loads(HEAD + BODY))
    assert study.sessions[0].acquisitions[0].parameters == {"tr": 2.0}


def test_slices_at_once_that_do_not_divide_the_slices_are_found_in_the_study():
    found = problems(HEAD + BODY.replace("tr = 2.0", "multiband = 4"))
    assert found == "`sessions[0].acquisitions[0].multiband`: 4 does not divide the 46 slices; 2 does"
    fi.read_study(overrides=["bold.multiband=2"])
    fi.Study.check(tomllib.loads(HEAD + BODY.replace("tr = 2.0", "multiband = 2"))).small()


def test_all_problems_of_a_file_come_at_once():
    text = (
        (HEAD + BODY)
        .replace("tr = 2.0", "tr = 2000.0\nvoxelsize = 3.0\noff = ['thermic']")
        .replace("duration = 40.0", "duration = -1.0\nmodel = 'dmff'")
    )
    found = problems(text.replace("seed = 1", "seed = 'one'"))
    assert "`sessions[0].acquisitions[0].tr`: 2000 s is outside [0.05, 20] (repetition time); did you mean 2?" in found
    assert "`sessions[0].acquisitions[0].voxelsize`: no such key; did you mean 'voxel_size'?" in found
    assert "`sessions[0].runs[0].duration`: -1 s is outside [1, 36000]" in found
    assert "`sessions[0].runs[0].model`: no model called 'dmff'; did you mean 'dmf'?" in found
    assert "`sessions[0].acquisitions[0].off`: bold has no stage 'thermic'" in found
    assert "`seed`: 'one' is not a whole number" in found


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'modality = "bold"',
            'modality = "bolt"',
            "`sessions[0].acquisitions[0].modality`: no modality called 'bolt'; did you mean 'bold'?",
        ),
        (
            'modality = "bold"\ntask = "rest"',
            'modality = "bold"\ntask = "tapping"',
            "no run with task 'tapping', run 1 to image; there is: task 'rest' run 1",
        ),
        ('modality = "bold"\ntask = "rest"', 'modality = "bold"', "no run with task None"),
        ("seed = 1", 'seed = 1\nsubjects = ["a", "A"]', "label 'A' is there twice"),
        ("seed = 1", 'seed = 1\nsubjects = ["../x"]', "BIDS labels are 1 to 64 letters and digits"),
        ("seed = 1", "seed = 1\nsubjects = 0", "`subjects`: 0 is outside [1, 100000]"),
        ("seed = 1", "seed = 1\nsubject_count = 3", "`subject_count`: no such key; did you mean"),
        ("seed = 1", "seed = -1", "`seed`: -1 is outside [0,"),
        ('task = "rest"\nduration', 'task = "re-st"\nduration', "BIDS labels"),
        ("tr = 2.0", "off = ['thermic']", "bold has no stage 'thermic'"),
        (
            "tr = 2.0",
            "off = ['magnitude']",
            "`sessions[0].acquisitions[0].off`: without 'magnitude' the image is complex",
        ),
        ("duration = 40.0", "duration = 40.0\n[[sessions.runs]]\ntask = 'rest'", "task 'rest', run 1 is there twice"),
        (
            "[[sessions]]",
            "[[sessions]]\n[[sessions.runs]]\n[[sessions.acquisitions]]\nmodality = 't1w'\n[[sessions]]",
            "each needs a label",
        ),
        (
            "tr = 2.0",
            "tr = 2.0\n[[sessions.acquisitions]]\nmodality = 'bold'\ntask = 'rest'",
            "give the second one repeat = 2",
        ),
        (
            "duration = 40.0",
            "duration = 40.0\ntaps.dipole = 500.0",
            "`sessions[0].acquisitions[0]`: bold reads the tap 'rate', and there is dipole; add 'rate' to the run's `taps`",
        ),
        (
            "duration = 40.0",
            "duration = 40.0\ntaps = ['rates']",
            "`sessions[0].runs[0].taps`: model dmf shows no 'rates'; did you mean 'rate'",
        ),
        (
            'modality = "bold"\ntask = "rest"\ntr = 2.0',
            'modality = "eeg"\ntask = "rest"\nsampling_frequency = 500.0',
            "`sessions[0].acquisitions[0].sampling_frequency`: 500 Hz is above the 250 Hz of the activity's dipoles; `taps`",
        ),
        (
            "duration = 40.0",
            "duration = 40.0\ntaps = {rate = 50.0, dipole = 2000.0}",
            "`sessions[0].runs[0].taps`: model dmf: tap 'dipole' has a rate of 2000 Hz, above the 1000 Hz of a step of 0.001 s",
        ),
        (
            'modality = "bold"',
            'modality = "seeg"',
            "no modality called 'seeg'; did you mean 'ieeg'?",
        ),
        ("duration = 40.0", "duration = 40.0\ntaps = []", "`sessions[0].runs[0].taps`: empty; name at least one"),
        (BODY, "", "nothing to acquire"),
        ('anatomy = "tiny"', 'anatomy = "mni"', "`subject.anatomy`"),
    ],
)
def test_problems_name_their_key(old, new, message):
    text = HEAD + BODY
    assert old in text
    assert message in problems(text.replace(old, new))


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("seed = 1", "subjects = []", "`subjects`: empty; give a number of subjects or at least one label"),
        ("tr = 2.0", "tr = 2.0\nparameters = 3", "`sessions[0].acquisitions[0].parameters`: 3 is not a table of keys"),
        ("tr = 2.0", "parameters = []", "`sessions[0].acquisitions[0].parameters`: [] is not a table of keys"),
        ("tr = 2.0", "off = [['x']]", "`sessions[0].acquisitions[0].off[0]`: ['x'] is not text in quotes"),
    ],
)
def test_values_of_another_kind_are_one_clear_line(tmp_path, old, new, line, small):
    (tmp_path / "study.toml").write_text((HEAD + BODY).replace(old, new))
    with pytest.raises(ParameterError) as caught:
        fi.read_study(tmp_path / "study.toml", small=small)
    assert caught.value.problems == (line,)


def test_a_missing_seed_is_drawn_once_for_a_dataset(tmp_path):
    content = tomllib.loads((HEAD + BODY).replace("seed = 1\n", "").replace("tr = 2.0", "voxel_size = 14.0"))
    content["sessions"][0]["runs"][0]["model"] = "linear"
    assert fi.Study.check(content).seeded().seed != fi.Study.check(content).seeded().seed
    first = fi.simulate_study(content, tmp_path / "out").study.seed
    assert fi.simulate_study({**content, "subjects": 2}, tmp_path / "out").study.seed == first
    assert fi.simulate_study(content, tmp_path / "other").study.seed != first


def test_overrides_reach_study_runs_and_modalities():
    study = fi.read_study(
        overrides=[
            "seed=3",
            "subjects=['a','b']",
            "runs.duration=120.0",
            "bold.tr=1.0",
            "subject.n_regions=50",
            "runs.parameters.loop_gain=0.5",
        ]
    )
    session = study.sessions[0]
    assert (study.seed, study.labels, session.runs[0].duration, study.subject.n_regions) == (3, ("a", "b"), 120.0, 50)
    assert session.acquisitions[1].parameters["tr"] == 1.0
    assert session.runs[0].parameters == {"loop_gain": 0.5}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("tr", "key=value"),
        ("=3", "key=value"),
        ("pet.trace=1", "no such key; did you mean 'tracer'"),
        ("bld.tr=1", "did you mean 'bold'"),
        ("dmf.loop_gain=1", "no such key"),
        ("seed.x=3", "`seed.x`: `seed` is 20261122 and has no keys below it"),
        ("bold.rt=1", "did you mean 'tr'"),
        ("sed=3", "did you mean 'seed'"),
        ("pet=1", r"say which of its keys, as in pet\.KEY=value"),
        ("tracer=fdg", r"`tracer`: no such key; did you mean pet\.tracer\?"),
        ("pet.input_function=none.tsv", "`input_function`: cannot read .*none.tsv: no such file"),
    ],
)
def test_bad_overrides_are_named(override, message):
    with pytest.raises(FakeImagingError, match=message):
        fi.read_study(overrides=[override])


def test_unreadable_files_are_named(tmp_path):
    (tmp_path / "bad.toml").write_text("seed = = 1")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for name in ("bad.toml", "binary.toml", "missing.toml"):
        with pytest.raises(InputError, match=name):
            fi.read_study(tmp_path / name)


def test_lengths_beside_a_connectome_travel_with_it(tmp_path):
    data = Path(__file__).parents[2] / "data"
    overrides = [f"subject.connectome={data / 'connectome24.csv'}", f"subject.atlas={data / 'atlas24.nii.gz'}"]
    study = fi.read_study(overrides=overrides, small=True).only(["bold"])
    assert Path(study.subject.tract_lengths).name == "connectome24_lengths.csv"
    dataset = fi.simulate_study(study.model_copy(update={"subjects": 1}), tmp_path / "out")
    lengths = fi.read_connectome(data / "connectome24.csv").tract_lengths
    np.testing.assert_array_equal(dataset.subject("01").connectome.tract_lengths, lengths)
    assert sorted(path.name for path in (tmp_path / "out/sourcedata/fakeimaging/inputs").iterdir()) == [
        "atlas24.nii.gz", "connectome24.csv", "connectome24_lengths.csv",
    ]  # fmt: skip


def test_an_override_that_makes_two_scans_the_same_leaves_one():
    study = fi.read_study(overrides=["pet.tracer=raclopride"])
    tracers = [scan.parameters["tracer"] for scan in study.sessions[0].acquisitions if scan.modality == "pet"]
    assert tracers == ["raclopride"]


def test_a_small_study_whose_scans_become_the_same_keeps_one_too():
    study = fi.read_study(overrides=["pet.tracer=raclopride"], small=True)
    assert [scan.modality for session in study.sessions for scan in session.acquisitions].count("pet") == 1


def test_scans_that_are_not_sound_are_not_taken_for_the_same():
    with pytest.raises(ParameterError) as caught:
        fi.read_study(overrides=["pet.duration=-1.0"])
    (line,) = caught.value.problems
    assert ".duration`: -1 s is outside" in line


def test_small_and_only_keep_a_sound_study():
    study = fi.read_study()
    small, bold = study.small(), study.only(["bold"])
    sizes = {scan.modality: scan.parameters.get("voxel_size") for scan in small.sessions[0].acquisitions}
    assert (sizes["t1w"], sizes["bold"]) == (4.0, 7.0)
    assert fi.read_study(overrides=["runs.duration=190.0"]).small().sessions[0].runs[0].duration == 40.0
    wished = fi.read_study(overrides=["bold.voxel_size=20.0", "runs.duration=90.0"], small=True)
    assert (wished.sessions[0].acquisitions[1].parameters["voxel_size"], wished.sessions[0].runs[0].duration) == (
        20.0,
        90.0,
    )
    assert fi.read_study(small=True) == small
    assert small.sessions[0].runs[0].duration == 40.0
    assert {scan.modality for scan in bold.sessions[0].acquisitions} == {"bold"}
    assert study.only(["t1w"]).sessions[0].runs == ()
    with pytest.raises(FakeImagingError, match="did you mean 'bold'"):
        study.only(["bolt"])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["runs", "acquisitions", "modality", "tr", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(["name", "seed", "subjects", "subject", "sessions", "typo"]), values, max_size=4)
)
def test_no_content_whatever_gives_anything_but_our_errors(content):
    try:
        study = fi.Study.check(content)
    except FakeImagingError:
        return
    assert fi.Study.check(study.content()) == study


def test_two_model_files_of_one_name_are_refused(tmp_path):
    source = (Path(fi.__file__).parent / "activity/models/linear.py").read_text()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(source)
    content = tomllib.loads(HEAD + BODY)
    runs = content["sessions"][0]["runs"]
    runs[0]["model"] = str(tmp_path / "a/mine.py")
    runs.append({"task": "other", "model": str(tmp_path / "b/mine.py")})
    with pytest.raises(ParameterError, match="mine.py, .*mine.py share a name"):
        fi.Study.check(content)


def test_taps_of_a_study_are_a_table_or_a_list_and_rates_can_be_overridden(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text((HEAD + BODY).replace("duration = 40.0", "duration = 40.0\ntaps = ['rate']"))
    study = fi.read_study(path)
    assert study.sessions[0].runs[0].taps == ("rate",)
    assert fi.Study.check(study.content()) == study
    path.write_text(HEAD + BODY)
    assert fi.read_study(path, ["runs.taps.rate=50"]).sessions[0].runs[0].taps == {"rate": 50.0}


def test_a_plan_refuses_a_lesion_of_regions_that_are_not_there():
    for lesion in ('lesion = "L_NetA_1"', 'lesion_edges = [["L_NetA_1", "L_NetA_02"]]'):
        study = fi.Study.check(tomllib.loads(HEAD + lesion + BODY))
        with pytest.raises(
            ParameterError, match="`subject.lesion`: .* no such region as 'L_NetA_1'; did you mean 'L_NetA_01'"
        ):
            plan(study)
    assert plan(fi.Study.check(tomllib.loads(HEAD + 'lesion = "L_NetA_01"' + BODY)))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("bold.echo_times=[14, 32, 50]", "echo_times`: [14, 32, 50] s: each is within [0.001, 0.2] s; did you mean 0.014, 0.032, 0.05?"),
        ("bold.voxel_size=[3, 3]", "voxel_size`: [3, 3] mm; give one number or three"),
        ("bold.phase_encoding=AP", "phase_encoding`: 'AP'; did you mean 'j-'? (AP is j-, PA is j,"),
        ("bold.motion=high", "`sessions[0].acquisitions[1, 2, 3].motion`: no such key; did you mean `runs.physiology.motion`?"),
        ("runs.motion=high", "`sessions[0].runs[0, 1, 2].motion`: no such key; did you mean `runs.physiology.motion`?"),
        ("bold.off=gost", "off`: bold has no stage 'gost'"),
        ("bold.hemodynamics.kappa=1.54", "kappa`: 1.54 1/s is outside [0.1, 1.5] (decay of the flow signal, a rate: one over its time); "
         "did you mean 0.649, the rate of a time of 1.54 s (1/1.54)?"),
        ("bold.hemodynamics.gamma=2.46", "did you mean 0.407, the rate of a time of 2.46 s (1/2.46)?"),
    ],
)  # fmt: skip
def test_mistakes_are_answered_with_what_was_meant(override, message):
    with pytest.raises(ParameterError) as caught:
        fi.read_study(overrides=[override])
    assert message in str(caught.value)
    lines = [line.split(":")[0] for line in caught.value.problems]
    assert len(set(lines)) == len(lines)
    assert all("echo_time`" not in line for line in lines)


def test_one_word_or_number_stands_for_a_list_of_one():
    study = fi.read_study(overrides=["bold.off=ghost", "bold.echo_times=0.03", "bold.output_spaces=T1w"])
    scan = next(scan for scan in study.sessions[0].acquisitions if scan.modality == "bold")
    assert scan.off == ("ghost",)
    parameters = BoldParameters.parse(scan.parameters)
    assert (parameters.echo_times, parameters.echo_time, parameters.output_spaces) == ((0.03,), 0.03, ("T1w",))
    assert fi.Study.check(study.content()) == study
    assert BoldParameters(echo_times=[0.014, 0.032], echo=2).echo_time == 0.032
    plan(study)


def test_a_small_study_keeps_a_run_as_long_as_a_scan_follows_it():
    study = fi.read_study(Path(__file__).parents[2] / "data" / "studies" / "tracers.toml", small=True)
    assert study.sessions[0].runs[0].duration == 360.0
