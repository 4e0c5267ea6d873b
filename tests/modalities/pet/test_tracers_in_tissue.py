"""Do the tables give what a PET centre sees? Curves of each kind of tissue in units of SUV, without differences between people."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from fakeimaging import make_subject
from fakeimaging.core.spaces import centred_grid
from fakeimaging.modalities.pet.classes import classes_of
from fakeimaging.modalities.pet.constants import at_rest
from fakeimaging.modalities.pet.kinetics import tissue_curve
from fakeimaging.modalities.pet.plasma import parent_fraction
from fakeimaging.modalities.pet.tracers import BEYOND, TRACERS, Tracer
from fakeimaging.testing.fixtures import tiny_subject

REGIONAL = ["cortex", "putamen", "caudate", "ventral striatum", "thalamus", "hippocampus", "amygdala", "cerebellum"]
ROWS = {kind: row for row, kind in [*enumerate(REGIONAL), *enumerate(BEYOND, start=10)]}


@lru_cache
def rest_of(name):
    person = tiny_subject()
    kinds = [*REGIONAL, "cortex", "cerebellum"]
    regions = tuple(replace(region, kind=kind) for region, kind in zip(person.regions, kinds, strict=True))
    person = replace(person, parcellation=replace(person.parcellation, regions=regions))
    content = TRACERS.get(name).model_dump(mode="json", exclude_none=True)
    none = {"value": 0.0, "unit": "1", "source": "test"}
    tracer = Tracer.parse(content | {"variation": {"between": none, "within": none}})
    return at_rest(tracer, classes_of(person), person)


def constants(name, load=1.0):
    rest = rest_of(name)
    ones = np.ones(rest.classes.n)
    return rest.at(ones, load * ones)


@lru_cache
def curves(name, load=1.0):
    """Return times in min and the SUV of each class of tissue, its blood included."""
    tracer = TRACERS.get(name)
    times = np.linspace(0, sum(tracer.frames.durations) / 60, 600)
    plasma = tracer.input.curve()
    blood = tracer.whole_blood.value * plasma.at(times) / parent_fraction(times, tracer.parent_fraction.value)
    vB = rest_of(name).classes.column(tracer, "vB")[:, None]
    return times, (1 - vB) * tissue_curve(plasma, constants(name, load), times) + vB * blood


def late(name, kind, load=1.0):
    times, suv = curves(name, load)
    start, end = TRACERS.get(name).late_window.value
    return suv[ROWS[kind]][(times >= start) & (times <= end)].mean()


def volumes(name, load=1.0):
    return {kind: constants(name, load).distribution[row] for kind, row in ROWS.items()}


def of_region(name, key, kind, load=1.0):
    rest = rest_of(name)
    ones = np.ones((1, rest.classes.n))
    return rest.truth(ones, load * ones)[key][0, ROWS[kind]]


CORTEX = {  # lowest and highest peak in SUV, earliest and latest minute of it
    "water": (4, 8, 0.7, 1.5),
    "pib": (3.5, 7, 2, 6),
    "flutemetamol": (3, 6, 4, 10),
    "florbetapir": (3, 6, 4, 12),
    "flortaucipir": (2.5, 5.5, 5, 18),
    "dasb": (3, 6, 8, 20),
    "flumazenil": (4, 8, 6, 16),
    "ucbj": (7, 13, 10, 25),
    "fdopa": (1.5, 3, 8, 25),
    "raclopride": (2, 4, 3, 12),
    "fdg": (5, 9, 58, 60),
}


@pytest.mark.parametrize("name", list(TRACERS))
def test_cortex_peaks_when_and_as_high_as_scans_do(name):
    times, suv = curves(name)
    lowest, highest, earliest, latest = CORTEX[name]
    assert lowest < suv[0].max() < highest
    assert earliest <= times[suv[0].argmax()] <= latest


@pytest.mark.parametrize("name", list(TRACERS))
def test_no_tissue_but_grey_and_white_matter_is_bright(name):
    _, suv = curves(name)
    assert np.isfinite(suv).all()
    assert suv.min() >= 0
    grey = suv[ROWS["cortex"]].max()
    for kind, most in {"white": 0.75, "scalp": 0.8, "bone": 0.45, "csf": 0.2}.items():
        assert suv[ROWS[kind]].max() < most * grey


@pytest.mark.parametrize(("load", "low", "high"), [(0.0, 1.0, 1.16), (1.0, 1.8, 2.2)])
def test_pib_in_cortex_over_cerebellum_without_and_with_amyloid(load, low, high):
    assert low < of_region("pib", "dvr", "cortex", load) < high
    assert low < late("pib", "cortex", load) / late("pib", "cerebellum", load) < high + 0.2


@pytest.mark.parametrize("name", ["pib", "flutemetamol", "florbetapir"])
def test_white_matter_keeps_amyloid_tracers_whatever_the_load(name):
    healthy, ill = (late(name, "white", load) / late(name, "cerebellum", load) for load in (0.0, 1.0))
    assert healthy == ill
    assert 1.4 < healthy < 2.0
    assert late(name, "white", 0.0) > 1.3 * late(name, "cortex", 0.0)
    assert late(name, "cortex", 1.0) > late(name, "white", 1.0)
    assert late(name, "hippocampus", 1.0) < 0.75 * late(name, "cortex", 1.0)


def test_flutemetamol_is_that_of_the_published_simulations():
    """Heeman 2019: ratio less one of 0.02 without and 0.774 with amyloid."""
    assert of_region("flutemetamol", "bpnd", "cortex", 0.0) == pytest.approx(0.02, abs=0.005)
    assert of_region("flutemetamol", "bpnd", "cortex", 1.0) == pytest.approx(0.774, abs=0.005)


def test_florbetapir_tells_loads_apart_less_than_pib():
    ratios = [late("florbetapir", "cortex", load) / late("florbetapir", "cerebellum", load) for load in (0.0, 1.0)]
    assert 1.0 < ratios[0] < 1.2
    assert 1.4 < ratios[1] < 1.8
    assert ratios[1] / ratios[0] < late("pib", "cortex", 1.0) / late("pib", "cortex", 0.0)


def test_flortaucipir_sticks_to_basal_ganglia_without_tau_and_rises_late_with_it():
    assert 0 <= of_region("flortaucipir", "bpnd", "cortex", 0.0) < 0.1
    assert 0.3 < of_region("flortaucipir", "bpnd", "putamen", 0.0) < 0.5
    assert 0.4 < of_region("flortaucipir", "bpnd", "cortex", 1.0) < 1.0
    times, suv = curves("flortaucipir")
    ratio = suv[ROWS["cortex"]] / np.maximum(suv[ROWS["cerebellum"]], 1e-9)
    early, end = (ratio[(times > a) & (times < b)].mean() for a, b in ((80, 100), (110, 130)))
    assert 0.1 < end - early < 0.6  # Baker 2017: 0.24 +- 0.15 from 80-100 to 120-140 min


def test_dasb_binds_where_serotonin_is():
    vt = volumes("dasb")
    bpnd = {kind: v / vt["cerebellum"] - 1 for kind, v in vt.items()}
    assert 2.0 <= bpnd["brainstem"] <= 2.5
    assert 1.7 <= bpnd["thalamus"] <= 2.0
    assert 1.5 <= bpnd["putamen"] <= 1.8
    assert 0.2 <= bpnd["cortex"] <= 0.4
    assert of_region("dasb", "k2", "cerebellum") == pytest.approx(0.06, abs=0.002)


def test_flumazenil_fills_cortex_six_times_the_pons():
    vt = volumes("flumazenil")
    assert 6 <= vt["cortex"] <= 7
    assert vt["brainstem"] == pytest.approx(1.0)
    assert vt["cortex"] > vt["hippocampus"] > vt["cerebellum"] > vt["thalamus"] > vt["putamen"]
    by_pons, by_white = (vt["cortex"] / vt[kind] - 1 for kind in ("brainstem", "white"))
    assert by_pons / by_white == pytest.approx(1.23, abs=0.02)  # Klumpers 2008: pons 23 % above white matter


def test_water_flows_as_much_through_the_brain_as_published():
    """Baeck 2025: 0.48 mL/cm3/min of the whole brain."""
    tissue = make_subject("01", seed=1).anatomy.tissue(centred_grid((48, 60, 48), 4.0))
    grey, white = (np.asarray(share, dtype=float).sum() for share in (tissue.grey, tissue.white))
    flow = {kind: TRACERS.get("water").of_kind(kind, "flow") for kind in ROWS}
    assert (grey * flow["cortex"] + white * flow["white"]) / (grey + white) == pytest.approx(0.48, abs=0.04)
    assert 0.17 < flow["white"] < 0.28


def test_fdopa_is_trapped_in_the_striatum():
    assert 0.010 <= of_region("fdopa", "ki_reference", "putamen") <= 0.013
    assert 0.010 <= of_region("fdopa", "ki_reference", "caudate") <= 0.012
    assert of_region("fdopa", "ki_reference", "cortex") == 0
    _, suv = curves("fdopa")
    assert 1.8 < suv[ROWS["putamen"], -1] / suv[ROWS["cortex"], -1] < 2.6


def test_ucbj_fills_grey_matter_four_times_white():
    vt = volumes("ucbj")
    assert all(13 < vt[kind] < 23 for kind in REGIONAL)
    assert 4 < vt["white"] < 6
    assert 2.5 < of_region("ucbj", "bpnd", "cortex") < 4
    ratio = late("ucbj", "cortex") / late("ucbj", "white")
    assert ratio == pytest.approx(vt["cortex"] / vt["white"], rel=0.06)  # Koole 2019: 3.5 % off


def test_fdg_cortex_is_twice_as_bright_as_white_matter():
    assert 2 < late("fdg", "cortex") / late("fdg", "white") < 3
