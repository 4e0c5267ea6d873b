import math

import numpy as np
import pytest
from scipy import stats

import fakeimaging as fi
from fakeimaging.core.errors import InputError
from fakeimaging.dataset.contrasts import contrasts
from fakeimaging.dataset.participants import participants
from fakeimaging.scoring.group import by_chance, group_effect, outcomes, score_group

GROUP = ["control"] * 9 + ["patient"] * 7


def test_two_groups_are_a_t_test():
    values = np.random.default_rng(1).normal(size=16)
    found = group_effect(values, {"group": GROUP}, "group")
    expected = stats.ttest_ind(values[9:], values[:9])
    assert found.estimate == pytest.approx(values[9:].mean() - values[:9].mean())
    assert (found.t, found.p, found.freedom) == pytest.approx((expected.statistic, expected.pvalue, 14))
    interval = expected.confidence_interval(0.9)
    wider = group_effect(values, {"group": GROUP}, "group", confidence=0.9)
    assert (wider.low, wider.high) == pytest.approx((interval.low, interval.high))
    turned = group_effect(values, {"group": GROUP}, "group", level="control", reference="patient")
    assert turned.t == pytest.approx(-found.t)


def test_a_number_alone_is_a_linear_regression():
    rng = np.random.default_rng(2)
    age = rng.uniform(20, 80, 30)
    values = 0.1 * age + rng.normal(size=30)
    found, expected = group_effect(values, {"age": age.tolist()}, "age"), stats.linregress(age, values)
    assert (found.estimate, found.p) == pytest.approx((expected.slope, expected.pvalue))
    assert (found.high - found.estimate) == pytest.approx(stats.t.ppf(0.975, 28) * expected.stderr)


def test_other_covariates_are_held_fixed():
    """Patients are older, and age alone makes the difference: without age it is found, with age it is not."""
    rng = np.random.default_rng(3)
    group = ["control", "patient"] * 50
    age = 50 + 10 * (np.array(group) == "patient") + rng.normal(size=100)
    values = 2.0 * age + 0.1 * rng.normal(size=100)
    alone = group_effect(values, {"group": group}, "group")
    both = group_effect(values, {"group": group, "age": age.tolist()}, "group")
    assert alone.low > 15
    assert both.covers(0.0)
    exact = group_effect(
        values * 0 + 3.0 * (np.array(group) == "patient") + age, {"group": group, "age": age.tolist()}, "group"
    )
    assert exact.estimate == pytest.approx(3.0)


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_intervals_cover_the_truth_as_often_as_they_say(seed):
    """1000 groups of 16, three covariates: 95 % within 3.5 standard errors of a proportion."""
    rng = np.random.default_rng(seed)
    age, sex = rng.uniform(20, 80, 16), rng.choice(["F", "M"], 16).tolist()
    columns = {"group": GROUP, "age": age.tolist(), "sex": sex}
    true = 0.5 * (np.array(GROUP) == "patient") + 0.02 * age
    covered = [group_effect(true + rng.normal(size=16), columns, "group").covers(0.5) for _ in range(1000)]
    assert abs(np.mean(covered) - 0.95) < 3.5 * math.sqrt(0.95 * 0.05 / 1000)


@pytest.mark.parametrize(
    ("covariates", "name", "level", "message"),
    [
        ({"group": GROUP}, "age", None, "no covariate 'age'; there is: group"),
        ({"group": ["a"] * 16}, "group", None, "one level to compare is needed"),
        ({"group": ["a", "b", "c", "c"] * 4}, "group", None, "one level to compare is needed, not None"),
        ({"group": GROUP}, "group", "sibling", "one level to compare is needed, not 'sibling'"),
        ({"group": GROUP, "site": GROUP}, "group", None, "the other covariates say all of it in these 16 subjects"),
        ({"group": ["a", "b"]}, "group", None, "2 subjects are too few for 2 columns"),
    ],
)
def test_what_cannot_be_told_is_refused(covariates, name, level, message):
    n = len(covariates["group"])
    with pytest.raises(InputError, match=message):
        group_effect(np.arange(float(n)), covariates, name, level=level)


STUDY = {
    "seed": 31,
    "subjects": 8,
    "subject": {"anatomy": "tiny"},
    "covariates": {
        "group": {"levels": ["control", "patient"]},
        "age": {"distribution": "uniform", "low": 20, "high": 80},
    },
    "effects": [
        {"covariate": "group", "level": "patient", "on": "runs.conditions.look.amplitude", "scale": 0.1},
        {"covariate": "group", "level": "patient", "on": "runs.parameters.gain", "scale": 0.9},
    ],
    "sessions": [
        {
            "runs": [
                {
                    "task": "look",
                    "duration": 60.0,
                    "model": "linear",
                    "conditions": [
                        {
                            "trial_type": "look",
                            "network": "NetB",
                            "onset": 5.0,
                            "period": 20.0,
                            "duration": 8.0,
                            "amplitude": 8.0,
                        }
                    ],
                }
            ],
            "acquisitions": [{"modality": "bold", "task": "look", "voxel_size": 10.0}],
        }
    ],
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return fi.simulate_study(STUDY, tmp_path_factory.mktemp("group") / "dataset")


def test_the_rows_are_the_glm_of_what_each_subject_gives(dataset):
    rows = {row.name: row for row in score_group(dataset)}
    assert set(rows) == {"group_fc", "group_fc_t", "group_beta", "group_beta_t"}
    patient = np.array([row["group"] == "patient" for row in participants(dataset.study)])
    ages = np.array([row["age"] for row in participants(dataset.study)])
    design = np.column_stack([np.ones(8), patient, ages]).astype(float)
    found = {name: (estimates, truths) for name, _, estimates, truths in outcomes(dataset, dataset.scans())}
    for name, (estimates, truths) in found.items():
        row = rows[name]
        assert row.estimate == pytest.approx(np.linalg.lstsq(design, estimates, rcond=None)[0][1])
        assert row.truth == pytest.approx(np.linalg.lstsq(design, truths, rcond=None)[0][1])
        assert (row.subject, row.n) == ("all", 8)
        assert row.scan == "group: patient - control task-look_run-1_bold"
    beta = rows["group_beta"]
    assert beta.truth < -0.3
    assert beta.estimate < 0
    assert rows["group_beta_t"].beats_chance


def test_scores_of_a_dataset_hold_those_of_its_groups(dataset):
    names = [row.name for row in fi.score.score_dataset(dataset)]
    assert names.count("group_beta") == 1
    assert names[-4:] == [row.name for row in score_group(dataset)]


def test_too_few_subjects_give_no_row(dataset):
    few = fi.load(dataset.root)
    vars(few)["study"] = dataset.study.model_copy(update={"subjects": 2})
    assert few.subjects == ("01", "02")
    assert list(score_group(few)) == []


@pytest.mark.parametrize("seed", [41, 42, 43])
def test_the_t_of_a_null_group_beats_chance_as_often_as_it_should(seed):
    """200 null groups of 20 with skewed values: 5 % within 3.5 standard errors."""
    study = fi.Study.check(STUDY | {"subjects": 20, "seed": seed})
    contrast = contrasts(study)[0]
    columns = {name: [row[name] for row in participants(study)] for name in study.covariates}
    rng = np.random.default_rng(seed)
    above = []
    for _ in range(200):
        values = rng.exponential(size=20)
        _, ts = by_chance(values, columns, contrast, rng=rng)
        above.append(abs(group_effect(values, columns, "group").t) > np.quantile(np.abs(ts), 0.95))
    assert abs(np.mean(above) - 0.05) < 3.5 * math.sqrt(0.05 * 0.95 / 200)


def test_the_echoes_of_a_scan_give_rows_once(tmp_path):
    study = fi.Study.check(STUDY | {"subjects": 4})
    (session,) = study.content()["sessions"]
    scan = {"modality": "bold", "task": "look", "voxel_size": 12.0, "echo_times": [0.015, 0.03]}
    content = study.content() | {"sessions": [session | {"acquisitions": [scan]}]}
    dataset = fi.simulate_study(content, tmp_path / "out")
    assert len(dataset.scans("01")) == 2
    assert [row.name for row in score_group(dataset)] == ["group_fc", "group_fc_t", "group_beta", "group_beta_t"]
