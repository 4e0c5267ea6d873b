"""What a scan sees of structure and what of function: bit for bit nothing of the other."""

from dataclasses import replace

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.structure.lesion import lesion
from fakeimaging.testing.fixtures import short_activity, tiny_subject
from tests.modalities.pet.test_pet import COARSE, firing_at, subject_of_kinds

LATE = 20


def pet(tracer, person, activity=None, **parameters):
    return fi.acquire("pet", person, activity, tracer=tracer, **(COARSE | parameters))


def same(one, other):
    """Whether two scans are the same bits: the observed image, the clean one, and everything true of the regions."""
    keys = set(one.truth) == set(other.truth)
    truth = all(np.array_equal(one.truth[name], other.truth[name]) for name in one.truth)
    images = all((getattr(one, w).make(LATE) == getattr(other, w).make(LATE)).all() for w in ("observed", "clean"))
    return keys and truth and images


def rewired(person):
    """The same person with half of what two regions receive."""
    weights = person.connectome.weights.copy()
    weights[[2, 5]] *= 0.5
    return replace(person, connectome=fi.Connectome(weights, person.connectome.tract_lengths))


def with_receptors(person, **factors):
    return replace(person, densities={name: np.full(10, factor) for name, factor in factors.items()})


def test_synapses_are_the_same_whatever_the_activity():
    person = subject_of_kinds()
    without = pet("ucbj", person)
    for run in (firing_at(np.full(10, 5.0)), firing_at(np.arange(1.0, 11.0)), short_activity(run=2)):
        assert same(without, pet("ucbj", person, run))


def test_glucose_does_not_know_of_receptors():
    person, run = subject_of_kinds(), short_activity()
    other = with_receptors(person, D2=0.5, SV2A=0.7, SERT=2.0, GABAA=1.3)
    assert same(pet("fdg", person, run), pet("fdg", other, run))
    assert same(pet("water", person, run, follow=False), pet("water", other, run, follow=False))
    assert not same(pet("raclopride", person, run), pet("raclopride", other, run))
    assert not same(pet("ucbj", person), pet("ucbj", other))


def test_new_weights_change_synapses_and_not_glucose_at_the_same_activity():
    person, run = subject_of_kinds(), short_activity()
    other = rewired(person)
    for tracer, words in (("fdg", {}), ("water", {"follow": False}), ("raclopride", {})):
        assert same(pet(tracer, person, run, **words), pet(tracer, other, run, **words)), tracer
    before, after = pet("ucbj", person).truth, pet("ucbj", other).truth
    ratio = after["synaptic_density"] / before["synaptic_density"]
    assert set(np.argsort(ratio)[:2]) == {2, 5}
    assert (after["bpnd"] != before["bpnd"]).all()
    assert after["tacs"][2, -1] < before["tacs"][2, -1]


def test_raclopride_sees_receptors_and_dopamine():
    person, rest = subject_of_kinds(), firing_at(np.full(10, 5.0))
    busy = firing_at(np.full(10, 8.0))
    fewer = with_receptors(person, D2=0.8)
    bpnd = {
        (who, what): pet("raclopride", p, run, baseline_rate=5.0).truth["bpnd"][1]
        for who, p in (("all", person), ("fewer", fewer))
        for what, run in (("rest", rest), ("busy", busy))
    }
    assert bpnd["fewer", "rest"] == pytest.approx(0.8 * bpnd["all", "rest"])
    assert bpnd["all", "busy"] == pytest.approx(bpnd["all", "rest"] * 1.25 / (1 + 0.25 * 1.6))
    assert bpnd["fewer", "busy"] == pytest.approx(0.8 * bpnd["all", "busy"])
    density = pet("raclopride", fewer, busy, baseline_rate=5.0).truth["density"][1]
    assert density == pytest.approx(bpnd["fewer", "rest"])


@pytest.mark.parametrize("hemodynamics", [{}, {"kappa": 0.8, "subject_variability": 0.0}])
def test_waters_flow_is_bolds_flow(hemodynamics):
    person, run = tiny_subject(), short_activity(duration=60.0)
    bold = fi.acquire("bold", person, run, tr=5.0, voxel_size=10.0, hemodynamics=hemodynamics)
    wet = fi.acquire("pet", person, run, tracer="water", duration=60.0, hemodynamics=hemodynamics, **COARSE)
    np.testing.assert_array_equal(wet.clean.clock.times, np.arange(12) * 5.0 + 2.5)
    np.testing.assert_array_equal(wet.truth["regional_flow"], bold.truth["regional_flow"])
    assert np.ptp(wet.truth["regional_flow"]) > 0.01
    # What drives the tissue is the mean of that flow over each second.
    np.testing.assert_allclose(wet.truth["flow_ratio_course"][:, 2::5][:, :12], bold.truth["regional_flow"], rtol=5e-3)
    other = fi.acquire("pet", person, run, tracer="water", duration=60.0, hemodynamics={"kappa": 0.5}, **COARSE)
    assert not np.array_equal(other.truth["regional_flow"], wet.truth["regional_flow"])


def test_tracers_of_structure_need_no_run():
    person = tiny_subject()
    for tracer in ("ucbj", "pib", "flortaucipir", "dasb", "flumazenil"):
        made = pet(tracer, person, duration=300.0)
        assert made.truth["tacs"].shape == (10, made.clean.n_volumes)
        assert np.isfinite(made.truth["tacs"]).all()


def test_cut_tracts_take_synapses_away_where_they_ended_and_nowhere_else_add_any():
    person = tiny_subject()
    cut = lesion(person, [person.regions[0].name])
    whole, less = (fi.acquire("pet", one, tracer="ucbj", **COARSE).truth["synaptic_density"] for one in (person, cut))
    assert less[0] < whole[0]
    assert (less <= whole + 1e-12).all()
    apart = np.flatnonzero((cut.connectome.weights == person.connectome.weights).all(axis=1))
    np.testing.assert_array_equal(less[apart], whole[apart])
