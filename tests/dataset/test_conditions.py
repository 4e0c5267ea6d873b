"""A study whose groups differ in grey matter and densities: written, told as truth, verified."""

import numpy as np
import pandas as pd
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import ParameterError
from fakeimaging.dataset.effects import touched_by
from fakeimaging.dataset.participants import participants
from fakeimaging.dataset.plan import plan
from fakeimaging.dataset.verify import verify

TOML = """
seed = 4
subjects = 2
[subject]
anatomy = "tiny"
age = 50.0
density_table = "own.tsv"
densities = {SV2A = {"hemisphere:L" = 0.9}}
pathology.tau = {seed = ["L_NetA_01"], years = 5.0}
[covariates.group]
levels = ["control", "patient"]
[covariates.age]
distribution = "uniform"
low = 40
high = 60
[[effects]]
covariate = "age"
on = "subject.age"
add = 1.0
reference = 50.0
[[effects]]
covariate = "group"
level = "patient"
on = "subject.densities.D2"
scale = 0.7
[[effects]]
covariate = "group"
level = "patient"
on = "subject.densities.D2.network:NetB"
add = 0.2
[[effects]]
covariate = "group"
level = "patient"
on = "subject.densities.SV2A.hemisphere:L"
add = -0.3
[[effects]]
covariate = "group"
level = "patient"
on = "subject.atrophy.network:NetB"
add = 0.15
[[effects]]
covariate = "group"
level = "patient"
on = "subject.pathology.tau.years"
add = 10.0
[[sessions]]
[[sessions.acquisitions]]
modality = "t1w"
voxel_size = 6.0
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conditions")
    (folder / "own.tsv").write_text("region\tSERT\nL_NetA_01\t0.5\n")
    (folder / "study.toml").write_text(TOML)
    return fi.read_study(folder / "study.toml")


@pytest.fixture(scope="module")
def dataset(study, tmp_path_factory):
    return fi.simulate_study(study, tmp_path_factory.mktemp("conditions") / "out")


def table(dataset, label, name):
    return pd.read_csv(dataset.root / f"sourcedata/fakeimaging/sub-{label}/sub-{label}_{name}.tsv", sep="\t")


def test_groups_differ_as_the_effects_say(study, dataset):
    plan(study)
    rows = {row["participant_id"][4:]: row for row in participants(study, touched_by(study))}
    for label, row in rows.items():
        sick, subject = row["group"] == "patient", dataset.subject(label)
        found = table(dataset, label, "densities")
        networks = np.array([region.network for region in subject.regions])
        slope = 1 - 0.006 * (row["age"] - 30)
        np.testing.assert_allclose(
            found["D2"], slope * np.where(networks == "NetB", 1.2 if sick else 1, 0.7 if sick else 1)
        )
        left = np.array([region.hemisphere == "L" for region in subject.regions])
        np.testing.assert_allclose(found["SV2A"], np.where(left, 0.6 if sick else 0.9, 1.0))
        assert found["SERT"][0] == 0.5
        assert (found["tau"][0] > 0.5) == sick
        lost = table(dataset, label, "atrophy")
        kept = (1 - 0.002 * (row["age"] - 30)) * np.where((networks == "NetB") & sick, 0.85, 1.0)
        np.testing.assert_allclose(lost["loss"], 1 - kept, rtol=1e-9)
        np.testing.assert_allclose(1 - lost["grey"] / lost["grey_before"], lost["loss"], atol=1e-4)
    assert {row["group"] for row in rows.values()} == {"control", "patient"}


def test_the_record_makes_the_same_again(dataset):
    assert verify(dataset.root, "02").problems == ()


def test_a_healthy_subject_has_no_such_tables(tiny_dataset):
    assert not list(tiny_dataset.rglob("*_densities.tsv")) + list(tiny_dataset.rglob("*_atrophy.tsv"))


@pytest.mark.parametrize(
    ("on", "message"),
    [
        ("subject.densities.D3", "no such key 'subject.densities.D3'; did you mean 'D2'"),
        ("subject.pathology.amyloid.years", "no such key"),
        ("subject.disease", "is nothing by default"),
    ],
)
def test_what_is_not_there_has_no_effect(study, on, message):
    content = study.content()
    content["effects"] = [{"covariate": "group", "level": "patient", "on": on, "add": 0.1}]
    with pytest.raises(ParameterError, match=message):
        fi.Study.check(content)


@pytest.mark.parametrize(
    ("on", "base"),
    [
        ("subject.densities.SV2A.hemisphere:L", 0.9),
        ("subject.densities.SV2A", 1.0),
        ("subject.densities.GABAA.kind:cortex", 0.7),
        ("subject.densities.GABAA", 0.7),
        ("subject.densities.AADC", 1.0),
        ("subject.densities.amyloid", 0.0),
        ("subject.densities.amyloid.network:NetA", 0.0),
        ("subject.atrophy.hemisphere:L", 0.0),
        ("subject.pathology.tau.years", 5.0),
        ("subject.age", 50.0),
    ],
)
def test_differences_start_from_what_is_said_or_from_a_healthy_person(study, on, base):
    content = study.content()
    content["subject"]["densities"]["GABAA"] = {"all": 0.7, "hemisphere:R": 0.6}
    content["effects"] = [{"covariate": "group", "level": "patient", "on": on, "add": 0.1}]
    (found,) = touched_by(fi.Study.check(content))
    assert found.base == base
    assert {
        round(found.expected({"group": level}, fi.Study.check(content)) - base, 9) for level in ("control", "patient")
    } == {0, 0.1}


def test_unknown_regions_are_found_before_anything_runs(study):
    content = study.content()
    content["effects"] = [{"covariate": "group", "level": "patient", "on": "subject.atrophy.kind:cortx", "add": 0.1}]
    with pytest.raises(ParameterError, match="no such kind as 'cortx'"):
        plan(fi.Study.check(content))
