import numpy as np
import pytest
from scipy.integrate import quad

import fakeimaging as fi
from fakeimaging import make_subject
from fakeimaging.core.errors import InputError, ParameterError, UnknownNameError
from fakeimaging.modalities.pet.frames import geometry
from fakeimaging.modalities.pet.kinetics import Constants
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.tracers import TRACERS, Tracer, half_lives
from fakeimaging.structure.receptors import LOADS, SYSTEMS
from fakeimaging.structure.selection import chosen
from fakeimaging.testing.fixtures import short_activity, tiny_subject

OWN = """
[mine]
like = "raclopride"
title = "my ligand"
label = "11CMINE"
[mine.kinds.cortex]
BPND = { value = 1.5, unit = "1", source = "my thesis" }
"""


def numbers(content):
    """Every table of a tracer that holds a number."""
    for value in content.values():
        if isinstance(value, dict) and "value" in value:
            yield value
        elif isinstance(value, dict):
            yield from numbers(value)


@pytest.mark.parametrize("name", list(TRACERS))
def test_every_number_has_a_unit_and_a_source(name):
    found = list(numbers(TRACERS.get(name).model_dump(exclude_none=True)))
    assert len(found) > 20
    assert all(number["unit"] and number["source"] for number in found)


def test_fdg_is_trapped_at_the_published_rate():
    fdg = TRACERS.get("fdg")
    grey = Constants(*(np.array([fdg.constant(name)]) for name in ("K1", "k2", "k3")), np.zeros(1))
    assert grey.trapping[0] == pytest.approx(0.0338, abs=5e-5)
    to_ki = fdg.constant("lumped_constant") / fdg.constant("plasma_glucose") / 100
    assert fdg.of_kind("cortex", "cmrglc") * to_ki == pytest.approx(0.0338, abs=5e-5)


def test_raclopride_leaves_plasma_and_fills_the_cerebellum_as_published():
    tracer = TRACERS.get("raclopride")
    curve = tracer.input.curve()
    area = quad(lambda t: float(curve.at(t)), 0, 3000, points=[0.1, 0.6, 10, 100], limit=500)[0]
    assert 60 * 70 / area == pytest.approx(11.7, abs=1.5)  # L/h at 70 kg, 1 g/mL; Narendran 2010: 11.7 +- 5.0
    assert tracer.constant("K1") / tracer.constant("k2") == pytest.approx(0.41, abs=0.005)


@pytest.mark.parametrize("name", list(TRACERS))
def test_the_plasma_curve_has_the_level_it_states(name):
    tracer = TRACERS.get(name)
    assert tracer.input.curve().at(tracer.input.stated_at) == pytest.approx(tracer.input.plasma_suv.value, rel=1e-12)


FROM_INJECTION = {"water": 360, "fdg": 3600, "raclopride": 3600, "florbetapir": 3600, "flumazenil": 3600, "pib": 5400, "dasb": 5400,
                  "fdopa": 5400, "ucbj": 5400, "flutemetamol": 6600, "flortaucipir": 7800}  # fmt: skip
"""Seconds of a usual scan."""


@pytest.mark.parametrize("name", list(TRACERS))
def test_frames_reach_the_end_of_the_late_window_and_a_scan_lasts_as_long(name):
    tracer = TRACERS.get(name)
    assert sum(tracer.frames.durations) == FROM_INJECTION[name]
    assert 18 <= len(tracer.frames.durations) <= 60
    if tracer.late_window is not None:
        assert tracer.late_window.value[1] * 60 <= FROM_INJECTION[name]
    _, frames = geometry(PetParameters(tracer=name, voxel_size=12.0), 0.0)
    assert float(frames.ends[-1]) == FROM_INJECTION[name]


def test_the_table_lists_every_tracer():
    rows = TRACERS.table()
    assert [row["name"] for row in rows] == TRACERS.names() == sorted(FROM_INJECTION)
    assert all(row["binds"] and row["driven_by"] and row["methods"] for row in rows)
    assert {row["maps"]: row["name"] for row in rows} == {"tissue": "flumazenil", "function": "water", "wiring": "ucbj"}


def test_regions_of_reference_can_be_chosen_in_words():
    regions = make_subject("01", seed=1).regions
    expected = {"pib": {"cerebellum"}, "fdopa": {"cortex"}}
    for name, kinds in expected.items():
        where = chosen([TRACERS.get(name).reference_selector], regions)
        assert {region.kind for region, yes in zip(regions, where, strict=True) if yes} == kinds
    assert TRACERS.get("ucbj").reference_selector is TRACERS.get("flumazenil").reference_selector is None
    assert TRACERS.get("ucbj").reference_kind == "white"
    assert TRACERS.get("fdopa").reference_kind == "cortex"


def test_what_a_tracer_binds_is_a_system_of_the_subject():
    targets = {name: TRACERS.get(name).target for name in TRACERS}
    assert {name for name, target in targets.items() if target is None} == {"water"}
    assert {target for target in targets.values() if target} <= set(SYSTEMS)
    assert {name for name in TRACERS if TRACERS.get(name).drive == "pathology"} == {
        name for name, target in targets.items() if target in LOADS
    }


def test_molar_activity_is_activity_over_amount():
    dasb = TRACERS.get("dasb")
    assert dasb.molar_activity == pytest.approx(0.5 / (2.5 / 283.39))
    assert TRACERS.get("fdg").molar_activity is None
    known = [molar for name in TRACERS if (molar := TRACERS.get(name).molar_activity)]
    assert min(known) > 20
    assert max(known) < 200  # GBq/umol


def test_an_own_tracer_is_one_table_in_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(OWN)
    tracer = TRACERS.get(str(path))
    assert tracer.of_kind("cortex", "BPND") == 1.5
    assert tracer.of_kind("cortex", "R1") == 1.0
    assert TRACERS.get("raclopride").of_kind("cortex", "BPND") == 0.25
    scan = fi.acquire("pet", tiny_subject(), short_activity(), tracer=str(path), voxel_size=12.0, duration=60.0)
    assert scan.modality.entities(scan.parameters) == {"trc": "11CMINE"}
    assert np.median(scan.truth["density"]) == pytest.approx(1.5, rel=0.3)


TEN_LINES = """
[synvest]
like = "ucbj"
title = "[18F]SynVesT-1, synaptic density"
label = "18FSYNVEST1"
radionuclide = "F18"
half_life = { value = 6586.2, unit = "s", source = "as in nuclides.toml" }
drive = "none"
[synvest.kinds]
cortex = { BPND = { value = 3.0, unit = "1", source = "my thesis" } }
"""


def test_ten_lines_make_a_tracer_and_what_says_the_same_otherwise_falls_away(tmp_path):
    path = tmp_path / "synvest.toml"
    path.write_text(TEN_LINES)
    assert len(TEN_LINES.strip().splitlines()) < 10
    tracer = TRACERS.get(str(path))
    assert set(tracer.kinds["cortex"]) == {"K1", "BPND"}
    assert "VT" in tracer.kinds["putamen"]
    scan = fi.acquire("pet", tiny_subject(), short_activity(), tracer=str(path), voxel_size=12.0, duration=300.0)
    assert np.median(scan.truth["bpnd"]) == pytest.approx(3.0, rel=0.3)
    assert scan.modality.images_of(scan.parameters) == "tissue"


@pytest.mark.parametrize("name", ["dasb", "flumazenil", "fdopa"])
def test_a_tracer_that_nothing_drives_shows_the_tissue(name):
    scan = fi.acquire("pet", tiny_subject(), short_activity(), tracer=name, voxel_size=12.0, duration=300.0)
    assert {"K1", "k2", "R1"} <= set(scan.truth)
    assert ("ki_reference" in scan.truth) == (name == "fdopa")
    assert scan.truth["tacs"].max() > 1e3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "one table with one tracer"),
        ("[a]\n[b]", "one table with one tracer"),
        ("[a", "cannot read the tracer"),
        ('[a]\nlike = "racloprid"', "did you mean 'raclopride'"),
        ('like = "fdg"', "`like` stands outside of a table; a tracer is one, under \\[its name\\]"),
        (
            '[a]\nlike = "fdg"\n[a.kinds.cortx]\nK1 = { value = 0.1, unit = "mL/cm3/min", source = "x" }',
            "`kinds.cortx`: no kind of region is called so; did you mean 'cortex'",
        ),
        ('[a]\nlike = "fdg"\nhalf_lyfe = 3', "half_lyfe"),
        ('[a]\nlike = "fdg"\nhalf_life = 3.0', "half_life"),
        ('[a]\nlike = "fdg"\nlabel = "18F-FDG"', "letters and digits"),
        ('[a]\nlike = "fdg"\nhalf_life = { value = 109.8, unit = "min", source = "x" }', "its unit here is s, not min"),
        (
            '[a]\nlike = "fdg"\n[a.kinds.white]\nKi = { value = 1.0, unit = "1", source = "x" }',
            "no such number of a tracer",
        ),
        (
            '[a]\nlike = "fdg"\n[a.constants]\nk3 = { value = -0.1, unit = "1/min", source = "x" }',
            r"outside \[0, inf\)",
        ),
        ('[a]\nlike = "fdg"\n[a.constants]\nvB = { value = 5.0, unit = "1", source = "x" }', r"outside \[0, 1\]"),
        ('[a]\nlike = "fdg"\ndrive = "release"', "drive 'release' needs occupancy, gain"),
        ('[a]\nlike = "fdg"\ndrive = "releese"', "drive"),
        ('[a]\nlike = "water"\nmodel = "compartments"', "`kinds.csf`: .* needs K1, and k2 or VND or VT of it"),
        (
            '[a]\nlike = "fdg"\nmodel = "flow"',
            "`kinds.cortex`: a tracer of model 'flow' needs flow, and partition of it",
        ),
        (
            '[a]\nlike = "raclopride"\n[a.kinds.cortex]\nVT = { value = 5.0, unit = "mL/cm3", source = "x" }',
            "`kinds.cortex`: a tracer of model 'reference' does not read VT but R1, BPND, vB",
        ),
        (
            '[a]\nlike = "pib"\nreference = "cerebelum"',
            "neither one of its kinds nor network:NAME; did you mean 'cerebellum'",
        ),
        ('[a]\nlike = "pib"\nmethods = ["lougan"]', "methods"),
        (
            '[a]\nlike = "pib"\nlate_window = { value = [70.0, 50.0], unit = "min", source = "x" }',
            "a start and a later end",
        ),
        (
            '[a]\nlike = "dasb"\n[a.kinds.cortex]\nVT = { value = 5.0, unit = "mL/cm3", source = "x" }\n'
            'BPND = { value = 1.0, unit = "1", source = "x" }',
            "`kinds.cortex`: VT and BPND say the same in two ways",
        ),
        ('[a]\nlike = "fdg"\nframes = { value = [[0, 5.0]], unit = "s", source = "x" }', "how many frames"),
        (
            '[a]\nlike = "raclopride"\n[a.input]\nrates = { value = [1.0], unit = "1/min", source = "x" }',
            "as many rates",
        ),
    ],
)
def test_a_tracer_that_cannot_be_used_is_refused_with_the_reason(tmp_path, text, message):
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises((InputError, ParameterError), match=message):
        TRACERS.get(str(path))


def test_what_is_not_there_is_named():
    with pytest.raises(UnknownNameError, match="did you mean 'raclopride'"):
        TRACERS.get("raclopryde")
    with pytest.raises(ParameterError, match=r"`pet.tracer`: .*did you mean 'fdg'"):
        fi.acquire("pet", tiny_subject(), short_activity(), tracer="fdgg")
    with pytest.raises(InputError, match="kind of region 'claustrum'"):
        TRACERS.get("fdg").of_kind("claustrum", "cmrglc")
    incomplete = TRACERS.get("fdg").model_dump(mode="json", exclude_none=True)
    del incomplete["kinds"]["white"]
    with pytest.raises(ParameterError, match="nothing about white"):
        Tracer.parse(incomplete)


NUCLIDE = '[a]\nlike = "fdg"\nradionuclide = "{}"\nhalf_life = {{ value = {}, unit = "s", source = "x" }}'
BAD = [
    ('[a]\nlike = ["fdg"]', r"`like`: no tracer called '\['fdg'\]'"),
    ('[a]\nlike = "fdg"\nhalf_lyfe = 3', "half_lyfe"),
    ('[a]\nlike = "fdg"\n[a.input]\nstart = { value = 61.0, unit = "min", source = "x" }', "the curve is 0 at 60 min"),
    (
        '[a]\nlike = "fdg"\n[a.input]\namplitudes = { value = [0.0, 0.0, 0.0], unit = "1", source = "x" }',
        "the curve is 0 at 60 min",
    ),
    (
        '[a]\nlike = "raclopride"\ninjected_mass = { value = 0.0, unit = "ug", source = "x" }',
        "injected_mass`: 0 ug is not above 0",
    ),
    (
        '[a]\nlike = "fdg"\nframes = { value = [[1000000000, 1.0]], unit = "s", source = "x" }',
        "1000000000 frames are more than the 1000",
    ),
    ('[a]\nlike = "fdg"\nframes = { value = [[1, 1e-6]], unit = "s", source = "x" }', "at least 1 s"),
    ('[a]\nlike = "fdg"\nradionuclide = "C11"', "6586.2 s is not that of C11, 1221.8 s"),
    (NUCLIDE.format("F18", 6700.0), "6700 s is not that of F18"),
    (NUCLIDE.format("F19", 6586.2), "radionuclide`: no nuclide called 'F19'; did you mean 'F18'"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_a_complaint_begins_with_the_file_and_is_one_line(tmp_path, text, message):
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises((InputError, ParameterError), match=message) as caught:
        TRACERS.get(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_two_problems_of_a_file_are_one_line_of_a_scan(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('[a]\nlike = "fdg"\nhalf_lyfe = 3\nlabell = "x"')
    with pytest.raises(ParameterError, match=r"half_lyfe.*; .*labell") as caught:
        fi.acquire("pet", tiny_subject(), short_activity(), tracer=str(path))
    assert "\n" not in str(caught.value)


def test_a_half_life_within_one_percent_is_that_of_its_nuclide(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(NUCLIDE.format("Ga68", 4069.8))
    assert TRACERS.get(str(path)).decay == pytest.approx(np.log(2) / 67.83)


def test_half_lives_are_those_of_the_nuclides():
    minutes = {
        "C11": 20.4,
        "N13": 9.97,
        "O15": 2.04,
        "F18": 109.8,
        "Cu64": 762,
        "Ga68": 67.7,
        "Zr89": 4704,
        "I124": 6013,
    }
    assert {name: seconds / 60 for name, seconds in half_lives().items()} == pytest.approx(minutes, rel=5e-3)


def test_a_tracer_is_parsed_once_until_its_file_changes(tmp_path):
    assert TRACERS.get("fdg") is TRACERS.get("fdg")
    path = tmp_path / "mine.toml"
    path.write_text(OWN)
    first = TRACERS.get(str(path))
    assert TRACERS.get(str(path)) is first
    path.write_text(OWN.replace("1.5", "1.6"))
    assert TRACERS.get(str(path)).of_kind("cortex", "BPND") == 1.6


def test_numbers_are_those_that_were_looked_up():
    """A copy of the values: one that changes by mistake is seen."""
    fdg, raclopride = TRACERS.get("fdg"), TRACERS.get("raclopride")
    of = lambda tracer, name: {kind: n[name].value for kind, n in tracer.kinds.items() if name in n}  # noqa: E731
    assert of(raclopride, "BPND") == {
        "putamen": 3.0, "caudate": 2.5, "ventral striatum": 2.2, "thalamus": 0.5, "hippocampus": 0.25, "amygdala": 0.35,
        "cortex": 0.25, "cerebellum": 0.0, "brainstem": 0.2, "white": 0.0, "csf": 0.0, "scalp": 0.0, "bone": 0.0,
    }  # fmt: skip
    assert of(raclopride, "R1") == {
        "putamen": 1.1, "caudate": 1.0, "ventral striatum": 1.0, "thalamus": 1.1, "hippocampus": 0.85, "amygdala": 0.85,
        "cortex": 1.0, "cerebellum": 1.0, "brainstem": 0.9, "white": 0.45, "csf": 0.0, "scalp": 0.12, "bone": 0.06,
    }  # fmt: skip
    assert of(fdg, "cmrglc") == {
        "cortex": 32.5, "caudate": 33.0, "putamen": 34.0, "ventral striatum": 30.0, "thalamus": 31.0, "hippocampus": 24.0,
        "amygdala": 22.0, "cerebellum": 27.0, "brainstem": 21.0,
    }  # fmt: skip
    assert {name: quantity.value for name, quantity in fdg.constants.items()} == {
        "K1": 0.095, "k2": 0.125, "k3": 0.069, "vB": 0.05, "lumped_constant": 0.52, "plasma_glucose": 5.0, "share": 0.8
    }  # fmt: skip
    assert {name: quantity.value for name, quantity in raclopride.constants.items()} == {
        "K1": 0.08, "k2": 0.195, "vB": 0.05, "occupancy": 0.2, "gain": 1.0
    }  # fmt: skip
    assert [[n[name].value for name in ("K1", "k2", "k3")] for n in [fdg.kinds["white"]]] == [[0.0485, 0.1198, 0.0386]]
    assert fdg.input.amplitudes.value == (851.1225, 21.8798, 20.8113)
    assert fdg.input.rates.value == (4.1339, 0.1191, 0.0104)
    assert (fdg.half_life.value, raclopride.half_life.value) == (6586.2, 1221.8)
    assert raclopride.parent_fraction.value == (0.55, 1.2, 77.6)
