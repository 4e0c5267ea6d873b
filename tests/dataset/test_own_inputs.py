"""A study with courses and maps from files, parameters that differ between regions, and a lesion: written, verified, loaded."""

import tomllib

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.core.streams import Streams
from fakeimaging.dataset.verify import verify
from tests.conftest import tree

TOML = """
seed = 3
[subject]
anatomy = "tiny"
lesion = ["R_NetB_02"]
lesion_share = 0.5
[[sessions]]
[[sessions.runs]]
task = "rest"
duration = 40.0
regional.noise_sd = "maps/noise.csv"
regional.w_plus = {"hemisphere:L" = 0.95, "L_NetA_01" = 1.05}
[[sessions.runs.conditions]]
trial_type = "film"
network = "NetA"
shape = "file"
file = "film.npy"
sampling_rate = 50.0
onsets = [2.0, 20.0]
duration = 10.0
[[sessions.runs.conditions]]
trial_type = "hum"
regions = ["hemisphere:R"]
shape = "noise"
band = [5.0, 20.0]
onset = 15.0
duration = 4.0
[[sessions.acquisitions]]
modality = "bold"
task = "rest"
voxel_size = 14.0
"""


@pytest.fixture(scope="module")
def study_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "maps").mkdir()
    (folder / "study.toml").write_text(TOML)
    (folder / "maps/noise.csv").write_text("region,noise_sd\nL_NetA_02,0.02\nR_NetB_01,0.005\n")
    np.save(folder / "film.npy", Streams(3).at("test").rng().uniform(-1, 1, 501))
    return folder / "study.toml"


@pytest.fixture(scope="module")
def dataset(study_file):
    return fi.simulate_study(study_file, study_file.parent / "out")


def test_its_files_travel_with_it_and_it_comes_out_the_same(dataset):
    inputs = dataset.root / "sourcedata/fakeimaging/inputs"
    assert sorted(path.name for path in inputs.iterdir()) == ["film.npy", "noise.csv"]
    verdict = verify(dataset.root, "01")
    assert (verdict.how, verdict.problems) == ("same machine class", ())
    assert str(dataset.root.parent) not in (dataset.root / "sourcedata/fakeimaging/record.json").read_text()


def test_what_is_loaded_is_what_was_simulated(dataset):
    loaded = dataset.activity("01")
    run = dataset.study.sessions[0].runs[0]
    again = fi.simulate_activity(dataset.subject("01"), model="dmf", **run.timing)
    expected = np.where(np.arange(10) % 2 == 0, 0.95, 1.0)
    expected[0] = 1.05
    np.testing.assert_array_equal(loaded.regional["w_plus"], expected)
    assert set(loaded.truth) == set(again.truth) >= {"parameter_w_plus", "parameter_noise_sd"}
    for name, values in again.truth.items():
        np.testing.assert_array_equal(loaded.truth[name], values)
    for name, tap in again.taps.items():
        np.testing.assert_array_equal(loaded.tap(name).samples, tap.samples)
    np.testing.assert_array_equal(loaded.modes("rate").samples[:100], again.modes("rate").samples[:100])
    assert [event.trial_type for event in loaded.events] == ["film", "hum", "film"]
    weights = dataset.subject("01").connectome
    np.testing.assert_array_equal(weights.weights[9], weights.healthy.weights[9] / 2)


def test_an_edited_file_makes_another_study(study_file, dataset, tmp_path):
    for name in ("study.toml", "film.npy", "maps/noise.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((study_file.parent / name).read_bytes())
    assert fi.read_study(tmp_path / "study.toml").digest() == dataset.study.digest()
    (tmp_path / "maps/noise.csv").write_text("L_NetA_02,0.03\n")
    assert fi.read_study(tmp_path / "study.toml").digest() != dataset.study.digest()
    (tmp_path / "film.npy").unlink()
    with pytest.raises(ParameterError, match="cannot read .*film.npy: no such file"):
        fi.read_study(tmp_path / "study.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"L_NetA_01" = 1.05', '"L_NetA_01" = 9.0', "`sessions[0].runs[0].regional.w_plus`: 9 is outside [0, 3]"),
        (
            "regional.w_plus",
            "regional.w_pluss",
            "`sessions[0].runs[0].regional.w_pluss`: model dmf has no such parameter",
        ),
        ('"maps/noise.csv"', "3.0", "`sessions[0].runs[0].regional.noise_sd`: 3.0 is neither a table of regions"),
        (
            "sampling_rate = 50.0",
            "",
            "`sessions[0].runs[0].conditions[0].sampling_rate`: missing; shape 'file' needs it",
        ),
        ("lesion_share = 0.5", "lesion_share = 5.0", "`subject.lesion_share`: 5 is outside [0, 1]"),
    ],
)
def test_problems_show_at_once_with_their_key(old, new, message):
    assert old in TOML
    with pytest.raises(ParameterError) as caught:
        fi.Study.check(tomllib.loads(TOML.replace(old, new)))
    assert message in "\n".join(caught.value.problems)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"L_NetA_01" = 1.05', '"L_NetA_11" = 1.05', "did you mean 'L_NetA_01'"),
        ('"hemisphere:R"', '"hemisphere:RR"', "no such hemisphere as 'RR'"),
        ("duration = 10.0", "duration = 10.5", "501 samples at 50 Hz span 10 s"),
        ("band = [5.0, 20.0]", "band = [5.0, 700.0]", "band`: 700 Hz is not below 500 Hz"),
        ('lesion = ["R_NetB_02"]', 'lesion = ["R_NetB_22"]', "no such region as 'R_NetB_22'"),
    ],
)
def test_what_only_a_subject_shows_is_told_before_anything_is_written(study_file, tmp_path, old, new, message):
    own = study_file.parent / f"changed-{tmp_path.name}.toml"
    own.write_text(TOML.replace(old, new))
    with pytest.raises((ParameterError, InputError), match=message):
        fi.simulate_study(own, tmp_path / "out")
    assert not (tmp_path / "out").exists() or not tree(tmp_path / "out")


def test_maps_can_be_set_from_the_command_line():
    study = fi.read_study(overrides=['runs.regional.w_plus={"all" = 1.1}', "runs.regional.tau_E.all=0.11"])
    assert study.sessions[0].runs[0].regional == {"w_plus": {"all": 1.1}, "tau_E": {"all": 0.11}}
