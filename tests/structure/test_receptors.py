"""Densities of a subject: from words, files, age and disease; and what they leave alone."""

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.structure.condition import aged, diseased, diseases, table
from fakeimaging.structure.parcellation import template_parcellation
from fakeimaging.structure.receptors import LOADS, SYSTEMS, densities_of, load_of
from fakeimaging.testing.fixtures import tiny_subject

REGIONS = template_parcellation().regions
KIND = np.array([region.kind for region in REGIONS])


def tiny(**parameters):
    return fi.make_subject("01", seed=1, anatomy="tiny", **parameters)


def of_kind(values, kind):
    """The one value of all regions of a kind."""
    (value,) = set(np.round(values[kind == KIND], 12))
    return value


def test_by_default_nothing_is_said():
    subject = tiny_subject()
    assert subject.densities == {}
    np.testing.assert_array_equal(densities_of(subject, "D2"), np.ones(10))
    np.testing.assert_array_equal(load_of(subject, "tau"), np.zeros(10))
    with pytest.raises(ValueError, match="read-only"):
        densities_of(subject, "D2")[0] = 2


def test_numbers_and_words_give_factors():
    subject = tiny(
        densities={"D2": 0.8, "SV2A": {"hemisphere:L": 0.5, "L_NetA_01": 1.5}, "amyloid": {"network:NetB": 0.6}}
    )
    np.testing.assert_array_equal(densities_of(subject, "D2"), np.full(10, 0.8))
    np.testing.assert_array_equal(densities_of(subject, "SV2A")[:4], [1.5, 1.0, 0.5, 1.0])
    network = np.array([region.network for region in subject.regions])
    np.testing.assert_array_equal(load_of(subject, "amyloid"), np.where(network == "NetB", 0.6, 0.0))


def test_a_table_gives_one_column_a_system(tmp_path):
    (tmp_path / "named.tsv").write_text(
        "region\tD2\tmine\namygdala\t1\t1\n".replace("amygdala", "L_NetA_02") + "all\t0.5\t2\n"
    )
    named = tiny(density_table=str(tmp_path / "named.tsv"), densities={"D2": 0.5})
    np.testing.assert_allclose(densities_of(named, "D2")[:3], [0.25, 0.25, 0.5])
    np.testing.assert_allclose(densities_of(named, "mine")[:3], [2, 2, 1])
    (tmp_path / "plain.csv").write_text("SERT,tau\n" + "".join(f"{i / 10},{i / 20}\n" for i in range(10)))
    plain = tiny(density_table=str(tmp_path / "plain.csv"))
    np.testing.assert_allclose(densities_of(plain, "SERT"), np.arange(10) / 10)
    np.testing.assert_allclose(load_of(plain, "tau"), np.arange(10) / 20)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("D2\n1\n2\n", InputError, "2 rows for 10 regions"),
        ("1\n" * 10, InputError, "its first line names the systems"),
        ("region,D2\nL_NetA_01,-1\n", InputError, r"-1 in column 'D2' is outside \[0, 10\]"),
        ("region,D2\nL_NetA_01,120\n", InputError, "factors on the density of a healthy person"),
        ("region,tau\nL_NetA_01,1.5\n", InputError, r"1.5 in column 'tau' is outside \[0, 1\]"),
        ("region,D2\nL_NetA_1,1\n", ParameterError, "no such region as 'L_NetA_1'; did you mean 'L_NetA_01'"),
        ("region,D2\nall,1\nall,2\n", InputError, "two rows have one name"),
        ("region,D2\nall,nan\n", InputError, "finite numbers are needed"),
    ],
)
def test_a_table_that_cannot_be_is_refused(tmp_path, content, error, message):
    (tmp_path / "own.csv").write_text(content)
    with pytest.raises(error, match=message) as caught:
        tiny(density_table=str(tmp_path / "own.csv"))
    assert "own.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"densities": {"D3": 0.5}}, "`subject.densities`: no system called 'D3'; did you mean 'D2'.*`density_table`"),
        ({"densities": {"D2": -0.5}}, r"-0.5 of D2 for 'all' is outside \[0, 10\]"),
        ({"densities": {"tau": {"all": 1.5}}}, r"1.5 of tau for 'all' is outside \[0, 1\]"),
        (
            {"densities": {"D2": {"kind:putame": 0.5}}},
            "`subject.densities.D2`: the subject has no such kind as 'putame'",
        ),
        ({"densities": {"D2": {"kind:cortex": 0.5, "network:NetA": 1.0}}}, "both reach 'L_NetA_01'"),
        ({"densities": {"tau": 0.5}, "pathology": {"tau": {}}}, "`subject.densities`: tau is given twice"),
        ({"disease": "alzheimers"}, "`subject.disease`: no disease called 'alzheimers'; did you mean 'alzheimer'"),
        ({"severity": 0.5}, "`subject.severity`: there is no `disease`"),
        ({"preclinical": True}, "`subject.preclinical`: there is no `age`"),
        ({"age": 7.0}, r"`subject.age`: 7 year is outside \[18, 100\]"),
    ],
)
def test_what_cannot_be_is_refused(given, message):
    with pytest.raises(ParameterError, match=message):
        tiny(**given)


def test_age_changes_what_the_papers_say_and_nothing_before_thirty():
    at_thirty, at_seventy = aged(30.0, REGIONS), aged(70.0, REGIONS)
    assert all((factor == 1).all() for factor in at_thirty.values())
    assert all((factor == 1).all() for factor in aged(20.0, REGIONS).values())
    assert of_kind(at_seventy["D2"], "putamen") == pytest.approx(1 - 0.006 * 40)
    assert of_kind(at_seventy["metabolism"], "cortex") == pytest.approx(1 - 0.005 * 40)
    assert of_kind(at_seventy["SV2A"], "cortex") == 1
    assert of_kind(at_seventy["volume"], "hippocampus") == pytest.approx(1 - 0.003 * 40 - 0.0055 * 10)
    assert of_kind(at_seventy["volume"], "thalamus") == 1


def test_diseases_change_what_the_papers_say_in_proportion_to_severity():
    whole, half = (diseased("parkinson", severity, REGIONS) for severity in (1.0, 0.5))
    assert of_kind(whole["AADC"], "putamen") == pytest.approx((0.45 + 0.62) / 2)
    assert of_kind(half["AADC"], "putamen") == pytest.approx((1 + (0.45 + 0.62) / 2) / 2)
    sick = diseased("alzheimer", 1.0, REGIONS)
    assert of_kind(sick["volume"], "hippocampus") == pytest.approx(0.763)
    assert of_kind(sick["amyloid"], "cerebellum") == 0
    behind = np.array([r.network == "DefaultMode" and r.centroid[1] < -10 and r.kind == "cortex" for r in REGIONS])
    np.testing.assert_allclose(sick["metabolism"][behind], 0.72)
    np.testing.assert_allclose(sick["metabolism"][(KIND == "cortex") & ~behind], 0.9)
    assert set(np.round(sick["tau"][behind], 6)) == {0.8}
    for name in diseases():
        for what, factor in diseased(name, 0.0, REGIONS).items():
            assert (factor == (0 if what in LOADS else 1)).all()


@pytest.mark.parametrize(("age", "share"), [(30.0, 0.0), (50.0, 0.10), (90.0, 0.44)])
def test_healthy_people_carry_amyloid_as_often_as_the_meta_analysis_says(age, share):
    """300 people: within 3.5 standard errors."""
    subjects = [
        fi.make_subject(f"{i}", seed=9, anatomy="tiny", age=age, preclinical=True, n_regions=2) for i in range(300)
    ]
    loads = np.array([load_of(subject, "amyloid")[0] for subject in subjects])
    assert set(loads) <= {0.0, 0.4}
    assert abs((loads > 0).mean() - share) <= 3.5 * np.sqrt(share * (1 - share) / 300)


def test_the_table_names_known_things_with_sources():
    for name, rows in table().items():
        for row in rows:
            assert row.what in {"volume", *SYSTEMS}, name
            assert row.reached(REGIONS).any(), row
            assert (row.change is None) != (row.load is None)
            assert (row.load is not None) == (row.what in LOADS)
            assert all(amount.source for amount in (row.change, row.load) if amount is not None)


def test_age_disease_and_own_numbers_multiply_and_loads_said_by_name_hold():
    subject = fi.make_subject(
        "01",
        seed=1,
        age=70.0,
        disease="huntington",
        densities={"D2": {"kind:putamen": 0.5}},
        atrophy={"kind:putamen": 0.1},
    )
    assert of_kind(densities_of(subject, "D2"), "putamen") == pytest.approx(0.76 * 0.5 * 0.5)
    assert of_kind(densities_of(subject, "D2"), "caudate") == pytest.approx(0.76 * 0.5)
    assert of_kind(subject.atrophy.losses, "putamen") == pytest.approx(1 - 0.9 * 0.75)
    assert of_kind(np.round(1 - subject.atrophy.after / subject.atrophy.before, 4), "putamen") == pytest.approx(
        0.325, abs=1e-4
    )
    own = fi.make_subject("01", seed=1, disease="alzheimer", densities={"amyloid": 0.2})
    np.testing.assert_array_equal(load_of(own, "amyloid"), np.full(100, 0.2))


def test_a_disease_of_regions_that_are_not_there_is_refused():
    with pytest.raises(InputError, match="none of the regions that parkinson touches"):
        tiny(disease="parkinson")


def test_densities_change_no_tissue_no_wiring_and_no_activity():
    sick = tiny(densities={"D2": 0.5, "amyloid": 1.0})
    assert sick.anatomy.maps is tiny().anatomy.maps
    one, other = (
        fi.simulate_activity(person, model="linear", duration=2.0).tap("rate").samples
        for person in (tiny_subject(), sick)
    )
    np.testing.assert_array_equal(one, other)
