import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

import fakeimaging
from tests.conftest import environment, tree

STUDY = """
seed = 7
subjects = 1
[subject]
anatomy = "tiny"
[[sessions]]
[[sessions.runs]]
task = "rest"
duration = 40.0
model = "linear"
[[sessions.acquisitions]]
modality = "bold"
task = "rest"
voxel_size = 7.0
"""


def run(*arguments, cwd=None):
    command = [sys.executable, "-m", "fakeimaging", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=cwd, check=False)


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


def test_simulate_writes_scores_and_says_where(study, tmp_path):
    result = run("simulate", study, "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert "unnamed study: 1 subject, seed 7" in result.stdout
    assert "sub-01 done" in result.stdout
    assert "fc_weights" in result.stdout
    assert result.stderr == ""
    again = run("simulate", study, "--out", tmp_path / "out")
    assert "sub-01 kept" in again.stdout


def test_a_null_twin_without_effects_is_told(study):
    result = run("plan", study, "--null")
    assert result.returncode == 0
    assert result.stderr == (
        "fakeimaging: note: `null`: no covariate has an effect in this study; its null twin is the study itself\n"
    )


def test_small_only_seed_subjects_and_settings_reach_the_study(study, tmp_path):
    result = run("plan", study, "--seed", 9, "--subjects", 3, "--only", "bold", "bold.tr=1.0", "--small")
    assert result.returncode == 0, result.stderr
    assert "3 subjects, seed 9" in result.stdout
    assert "32 x 32 x 23 x 40" in result.stdout
    assert "sub-01/task-rest/run-1/bold/repeat-1" in result.stdout


def test_the_plan_of_the_built_in_study_shows_its_grids():
    result = run("plan")
    assert result.returncode == 0, result.stderr
    assert "208 x 248 x 200" in result.stdout
    assert "64 x 64 x 46 x 150" in result.stdout


def test_list_shows_every_parameter():
    result = run("list")
    for name in ("dmf", "linear", "bold", "t1w", "echo_time", "[0.05, 20]"):
        assert name in result.stdout
    models = run("list", "models").stdout
    assert "jansen_rit" in models
    assert "bold" not in models
    assert "loop_gain" in run("list", "dmf").stdout
    one = run("list", "bold").stdout
    assert (
        "stages: physiological, drift, cardiac, respiratory, heart_rate, steady_state, motion, spin_history, distortion"
        in one
    )
    assert "hemodynamics.kappa" in one
    assert "interleaved | ascending" in one
    assert "distance_rule.density" in run("list", "study").stdout


def test_list_shows_what_electrophysiology_has_by_name():
    wanted = {"montages": "biosemi64", "arrays": "neuromag306", "implants": "bilateral_shafts", "waveforms": "n170"}
    for what, name in wanted.items():
        result = run("list", what)
        assert result.returncode == 0, result.stderr
        assert name in result.stdout
    assert "entry" in run("list", "devices").stdout


def test_list_shows_the_numbers_of_a_tracer_and_of_a_scanner():
    tracer = run("list", "raclopride").stdout
    assert "kinds.putamen.BPND" in tracer
    assert "Narendran 2010" in tracer
    assert "Hsu 2017" in run("list", "mmr").stdout
    assert "did you mean 'raclopride'?" in run("list", "raclopryde").stderr


def test_list_says_what_a_stimulus_is():
    assert "stimulus: in 1/s, up to" in run("list", "jansen_rit").stdout
    assert "stimulus: without unit, up to 100" in run("list", "epileptor").stdout
    conditions = run("list", "conditions").stdout
    for words in ("of noise its SD", "pulses need pulse_rate", "end_frequency", "[-5000, 5000]"):
        assert words in conditions
    assert "other noise" in run("list", "runs").stdout


CONDITION = """
[[sessions.runs.conditions]]
trial_type = "look"
regions = "all"
amplitude = 0.03
duration = 5.0
onset = 8.0
"""


def test_the_plan_shows_amplitudes_in_the_unit_of_the_model(tmp_path):
    parts = STUDY.replace('model = "linear"', 'model = "jansen_rit"').partition("[[sessions.acquisitions]]")
    (tmp_path / "task.toml").write_text(parts[0] + CONDITION + "".join(parts[1:]))
    result = run("plan", tmp_path / "task.toml")
    assert result.returncode == 0, result.stderr
    line = next(line for line in result.stdout.splitlines() if "look" in line)
    assert line.split()[:5] == ["task-rest/run-1", "jansen_rit", "look", "0.03", "1/s"]


def test_score_verify_and_cite_read_a_dataset(tiny_dataset, tmp_path):
    assert run("score", tiny_dataset, "--fail-under", "fc=0.1", "--save", tmp_path / "s.tsv").returncode == 0
    assert (tmp_path / "s.tsv").exists()
    missed = run("score", tiny_dataset, "--fail-under", "fc=0.999")
    assert (missed.returncode, "is below 0.999" in missed.stderr) == (1, True)
    verified = run("verify", tiny_dataset)
    assert (verified.returncode, verified.stdout.count("agrees")) == (0, 2)
    assert "doi.org" in run("cite", tiny_dataset).stdout


def test_verify_exits_one_when_something_differs(tiny_dataset, tmp_path):
    shutil.copytree(tiny_dataset, tmp_path / "out")
    (tmp_path / "out/sub-02/anat/sub-02_T1w.json").write_text("{}")
    result = run("verify", tmp_path / "out")
    assert result.returncode == 1
    assert "sub-02_T1w.json: changed since it was written" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["simulate", "no.toml", "--out", "o"], "cannot read the study no.toml"),
        (["simulate", "--out", "o", "bold.tr=2000"], "2000 s is outside [0.05, 20] (repetition time); did you mean 2?"),
        (["simulate", "--out", "o", "sed=3"], "`sed`: no such key; did you mean 'seed'?"),
        (["simulate", "--out", "o", "--only", "pte"], "no modality called 'pte'"),
        (["simulate", "a.toml", "b.toml", "--out", "o"], "one study file at most"),
        (
            ["simulate", "subject.n_regions=19", "--out", "o"],
            "`subject.n_regions`: 19 is not a number from 20 to 300",
        ),
        (["plan", "bold.off=true"], "is not a list"),
        (["score", "full", "--fail-under", "fc=nan"], "NAME=VALUE"),
        (["simulate", "--small", "subject.anatomy=tiny", "--out", "full"], "holds something else"),
        (["score", "nowhere"], "not a dataset"),
        (["score", "full", "--fail-under", "fc"], "NAME=VALUE"),
        (["list", "modells"], "did you mean 'models'"),
        (["verify", "nowhere"], "not a dataset"),
        (["simulate", "--jobs", "0"], "--jobs"),
        (["simulat"], "No such command"),
    ],
)
def test_mistakes_get_a_line_and_exit_code_two(arguments, message, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years of work")
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.stderr
    assert tree(tmp_path).keys() == {"full/thesis.txt"}


def test_our_own_failures_get_a_line_and_exit_code_one(tmp_path):
    code = (
        "import sys; sys.argv = ['fakeimaging', 'plan']\n"
        "from fakeimaging.dataset import plan\n"
        "plan.plan = lambda study: 1 / 0\n"
        "from fakeimaging.cli import main; main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=False
    )
    assert result.returncode == 1
    assert "fakeimaging failed (ZeroDivisionError" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_study_file_may_stand_anywhere_among_the_settings(study):
    result = run("plan", "bold.tr=4.0", study)
    assert result.returncode == 0, result.stderr
    assert "32 x 32 x 23 x 10" in result.stdout


def test_what_match_prints_goes_into_a_study(tmp_path):
    made = fakeimaging.phantom(seed=2, n_volumes=30)
    made.image.to_filename(tmp_path / "real.nii.gz")
    found = run("match", tmp_path / "real.nii.gz")
    assert found.returncode == 0, found.stderr
    head, printed = STUDY.partition("[[sessions.acq")[0], found.stdout.partition("[[sessions.acq")
    (tmp_path / "pasted.toml").write_text(head + "".join(printed[1:]))
    plan = run("plan", tmp_path / "pasted.toml")
    assert plan.returncode == 0, plan.stderr
    assert " x ".join(map(str, made.image.shape[:3])) in plan.stdout


def test_the_version_is_printed():
    assert run("--version").stdout.strip() == fakeimaging.__version__


def test_an_interrupt_says_how_to_go_on(tmp_path):
    command = [sys.executable, "-m", "fakeimaging", "simulate", "--out", str(tmp_path / "out")]
    # A background shell starts its children with SIGINT ignored, and Python then keeps ignoring it.
    listening = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    child = subprocess.Popen(command, **pipes, env=environment(), preexec_fn=listening)
    child.stdout.readline()
    time.sleep(1.0)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "the same command goes on" in errors
