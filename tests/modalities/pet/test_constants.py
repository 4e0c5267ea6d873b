from dataclasses import replace

import numpy as np
import pytest

from fakeimaging import acquire, make_subject
from fakeimaging.modalities.pet.classes import classes_of
from fakeimaging.modalities.pet.constants import at_rest, of_kind
from fakeimaging.modalities.pet.kinetics import tissue_curve
from fakeimaging.modalities.pet.plasma import InputFunction, Piece
from fakeimaging.modalities.pet.tracer_table import Quantity
from fakeimaging.modalities.pet.tracers import BEYOND, TRACERS, Tracer
from fakeimaging.testing.fixtures import short_activity, tiny_subject

REGIONAL = ["cortex", "putamen", "caudate", "ventral striatum", "thalamus", "hippocampus", "amygdala", "cerebellum"]
ALL = [*REGIONAL, *BEYOND]
SOURCE = {"source": "test"}
ZERO = Quantity(value=0.0, unit="1", source="test")


def numbers(**values):
    units = {"K1": "mL/cm3/min", "VND": "mL/cm3", "VT": "mL/cm3", "BPND": "1", "off_target": "1", "vB": "1", "R1": "1"}
    return {name: {"value": float(v), "unit": units.get(name, "1/min"), **SOURCE} for name, v in values.items()}


def tracer_of(cortex, reference="white", constants=None, like="ucbj"):
    """A tracer of compartments with one VT of 4 throughout, but for its cortex; the same for every subject."""
    content = TRACERS.get(like).model_dump(mode="json", exclude_none=True)
    rest = {kind: numbers(K1=0.2, VT=4.0) for kind in ALL}
    none = {"value": 0.0, "unit": "1", **SOURCE}
    content |= {"kinds": rest | {"cortex": numbers(**cortex)}, "reference": reference, "drive": "none"}
    content |= {"constants": numbers(vB=0.05, **(constants or {})), "variation": {"between": none, "within": none}}
    return Tracer.parse(content)


def same_for_all(name):
    """A tracer of the package without differences between people and regions."""
    content = TRACERS.get(name).model_dump(mode="json", exclude_none=True)
    none = {"value": 0.0, "unit": "1", **SOURCE}
    return Tracer.parse(content | {"variation": {"between": none, "within": none}})


def subject_of_kinds():
    person = tiny_subject()
    kinds = [*REGIONAL, "cortex", "cerebellum"]
    regions = tuple(replace(region, kind=kind) for region, kind in zip(person.regions, kinds, strict=True))
    return replace(person, parcellation=replace(person.parcellation, regions=regions))


def rest_of(tracer, person=None):
    person = person or subject_of_kinds()
    return at_rest(tracer, classes_of(person), person)


def truth_of(rest, delivery=1.0, binding=1.0):
    ones = np.ones((1, rest.classes.n))
    return {name: values[0] for name, values in rest.truth(delivery * ones, binding * ones).items()}


@pytest.mark.parametrize(
    ("cortex", "constants", "expected"),
    [
        (dict(K1=0.3, k2=0.1), {}, (0.1, 0, 0, 0, 0)),
        (dict(K1=0.3, VND=3), {}, (0.1, 0, 0, 0, 0)),
        (dict(K1=0.3, VND=3, BPND=2), {}, (0.1, 2, 0, 0, 0)),
        (dict(K1=0.3, VND=3, BPND=2, k4=0.05), {}, (0.1, 0, 0.1, 0.05, 0)),
        (dict(K1=0.3, BPND=2), dict(VND=3, k4=0.05), (0.1, 0, 0.1, 0.05, 0)),
        (dict(K1=0.3, k2=0.1, k3=0.06, k4=0.02), {}, (0.1, 0, 0.06, 0.02, 0)),
        (dict(K1=0.3, k2=0.1, k3=0.06), {}, (0.1, 0, 0.06, 0, 0)),
        (dict(K1=0.3, VND=3, BPND=2, off_target=0.5, k4=0.04), {}, (0.1, 0, 0.08, 0.04, 0.02)),
        (dict(K1=0.3, VND=3, BPND=3, off_target=0.5), {}, (0.1 / 1.5, 2, 0, 0, 0)),
        (dict(K1=0.3, VT=12), {}, (0.3 / 4, 2, 0, 0, 0)),
        (dict(K1=0.3, VT=12, VND=3), {}, (0.1, 3, 0, 0, 0)),
        (dict(K1=0.3, VT=12), dict(VND=3), (0.1, 3, 0, 0, 0)),
        (dict(K1=0.3, VT=2), dict(VND=3), (0.15, 0, 0, 0, 0)),
        (dict(K1=0.3, k2=0.1), dict(VND=7), (0.1, 0, 0, 0, 0)),
    ],
)
def test_each_way_to_state_a_kind_gives_its_rate_constants(cortex, constants, expected):
    found = of_kind(tracer_of(cortex, constants=constants), "cortex")
    assert (found.k2, found.bpnd, found.k3, found.k4, found.k3_off) == pytest.approx(expected)
    assert found.K1 == 0.3


def test_volumes_and_binding_potential_follow_their_definitions():
    """Innis 2007: VT = K1/k2 (1 + k3/k4) and, of what binds in one tissue, VND (1 + BPND); DVR is VT over that of the reference."""
    for cortex in (dict(K1=0.3, VND=4, BPND=2, k4=0.05), dict(K1=0.3, VND=4, BPND=2), dict(K1=0.3, VT=12)):
        tracer = tracer_of(cortex)
        truth = truth_of(rest_of(tracer))
        assert of_kind(tracer, "cortex").distribution == pytest.approx(12)
        assert truth["vt"][0] == pytest.approx(12)
        assert truth["dvr"][0] == pytest.approx(3)
        assert truth["bpnd"][0] == pytest.approx(2)
        assert truth["density"][0] == pytest.approx(2)
        assert truth["R1"][0] == pytest.approx(1.5)
        assert truth["bpnd"][1:8] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("cortex", [dict(VND=4, BPND=2, k4=0.05), dict(VND=4, BPND=2), dict(VT=12)])
def test_under_a_steady_input_tissue_reaches_its_distribution_volume(cortex):
    rest = rest_of(tracer_of(dict(K1=0.3, **cortex)))
    steady = InputFunction((Piece(0.0, (1.0,), (0.0,), (0,)),))
    for binding in (1.0, 0.5):
        ones = np.ones(rest.classes.n)
        curve = tissue_curve(steady, rest.at(ones, binding * ones), [3000.0])[:, 0]
        assert curve[0] == pytest.approx(4 * (1 + 2 * binding), rel=1e-9)


@pytest.mark.parametrize("cortex", [dict(VND=4, BPND=2, k4=0.05), dict(VND=4, BPND=2), dict(VT=12)])
def test_binding_scales_what_is_specific_and_delivery_leaves_volumes_alone(cortex):
    rest = rest_of(tracer_of(dict(K1=0.3, **cortex)))
    half, more = truth_of(rest, binding=0.5), truth_of(rest, delivery=1.7)
    assert half["bpnd"][0] == pytest.approx(1)
    assert half["vt"][0] == pytest.approx(8)
    assert half["density"][0] == pytest.approx(2)
    assert more["vt"][0] == pytest.approx(12)
    assert more["K1"][0] == pytest.approx(0.51)


@pytest.mark.parametrize("more", [dict(k4=0.05), {}])
def test_nothing_changes_what_is_off_target(more):
    rest = rest_of(tracer_of(dict(K1=0.3, VND=4, BPND=2, off_target=0.5, **more)))
    assert truth_of(rest, binding=0.0)["vt"][0] == pytest.approx(6)
    assert truth_of(rest)["vt"][0] == pytest.approx(14)


def test_trapped_tracer_has_a_net_uptake_also_over_the_reference_region():
    rest = rest_of(tracer_of(dict(K1=0.06, VND=4, k3=0.02), reference="white"))
    truth, k2 = truth_of(rest), 0.06 / 4
    assert truth["ki"][0] == pytest.approx(0.06 * 0.02 / (k2 + 0.02))
    assert truth["ki_reference"][0] == pytest.approx(k2 * 0.02 / (k2 + 0.02))
    assert not {"vt", "bpnd"} & set(truth)
    assert truth_of(rest, binding=0.5)["k3"][0] == pytest.approx(0.01)


def test_flow_is_what_enters_and_its_volume_the_partition():
    rest = rest_of(same_for_all("water"))
    truth, more = truth_of(rest), truth_of(rest, delivery=1.3)
    assert truth["flow"][0] == truth["K1"][0] == 0.7
    assert truth["vt"] == pytest.approx(0.9)
    assert more["flow"] == pytest.approx(1.3 * truth["flow"])
    assert more["k2"] == pytest.approx(1.3 * truth["k2"])
    content = same_for_all("water").model_dump(mode="json", exclude_none=True)
    content["constants"]["extraction"] = {"value": 0.8, "unit": "1", **SOURCE}
    less = truth_of(rest_of(Tracer.parse(content)))
    assert less["flow"] == pytest.approx(truth["flow"])
    assert less["K1"] == pytest.approx(0.8 * truth["K1"])
    assert less["vt"] == pytest.approx(truth["vt"])


def test_phosphorylation_may_be_reversed_where_a_user_says_so():
    content = same_for_all("fdg").model_dump(mode="json", exclude_none=True)
    assert "k4" not in truth_of(rest_of(Tracer.parse(content)))
    content["constants"]["k4"] = {"value": 0.0055, "unit": "1/min", "source": "Reivich 1985"}
    truth = truth_of(rest_of(Tracer.parse(content)))
    assert truth["k4"] == pytest.approx(0.0055)
    assert truth["cmrglc"][0] == pytest.approx(32.5)


@pytest.mark.parametrize(
    ("name", "system", "shown"),
    [
        ("dasb", "SERT", "bpnd"),
        ("flumazenil", "GABAA", "bpnd"),
        ("raclopride", "D2", "density"),
        ("fdg", "metabolism", "ki"),
    ],
)
def test_a_subject_with_less_of_the_target_has_as_much_less_binding(name, system, shown):
    scans = (
        acquire(
            "pet",
            make_subject("01", seed=1, anatomy="tiny", densities={system: density}),
            short_activity(),
            tracer=name,
            voxel_size=12.0,
            duration=60.0,
        )
        for density in (1.0, 0.7)
    )
    more, less = (scan.truth[shown] for scan in scans)
    np.testing.assert_allclose(less / more, 0.7, rtol=1e-9)


def test_tracers_of_one_target_agree_on_a_subjects_own_differences():
    person = subject_of_kinds()
    own = [truth_of(rest_of(TRACERS.get(name), person))["density"] for name in ("pib", "flutemetamol", "dasb")]
    average = [truth_of(rest_of(same_for_all(name), person))["density"] for name in ("pib", "flutemetamol", "dasb")]
    pib, flutemetamol, dasb = (a[:7] / b[:7] for a, b in zip(own, average, strict=True))
    np.testing.assert_allclose(pib, flutemetamol)
    assert abs(np.log(pib)).max() > 0.01
    assert abs(np.log(pib / dasb)).max() > 0.01


def test_a_reference_model_varies_as_other_tracers_of_its_target_do():
    person, dasb = subject_of_kinds(), TRACERS.get("dasb")
    none = dasb.variation.model_copy(update={"between": ZERO, "within": ZERO})
    differences = []
    for tracer in (dasb, TRACERS.get("raclopride").model_copy(update={"target": "SERT"}), TRACERS.get("raclopride")):
        shown = [
            truth_of(rest_of(tracer.model_copy(update={"variation": variation}), person))["density"][:7]
            for variation in (dasb.variation, none)
        ]
        differences.append(np.log(shown[0] / shown[1]))
    np.testing.assert_allclose(differences[1], differences[0], atol=1e-12)
    assert abs(differences[2] - differences[0]).max() > 0.01
