from dataclasses import replace

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.clocks import Frames
from fakeimaging.core.errors import ParameterError
from fakeimaging.modalities.pet import decay as last_stages
from fakeimaging.modalities.pet import faults
from fakeimaging.modalities.pet.faults import FAULTS
from fakeimaging.modalities.pet.sidecar import clean_keys, right_keys, sidecar
from fakeimaging.modalities.pet.tracers import half_life
from fakeimaging.testing.fixtures import short_activity, tiny_subject

OF_IMAGE = {"mid_frame_decay", "half_life", "not_corrected", "left_right"}
OF_BLOOD = {"blood_missing", "blood_alone", "blood_column", "blood_minutes", "blood_uncorrected"}


def scan(fault="none", **parameters):
    return fi.acquire(
        "pet", tiny_subject(), short_activity(), tracer="raclopride", voxel_size=16.0, duration=600.0, fault=fault, **parameters
    )  # fmt: skip


def keys(made):
    return sidecar(made.parameters, made.forward)


def blood(made):
    (table,) = (table for table in made.companions if table.name == "recording-manual_blood")
    return table


def test_every_fault_changes_something_and_the_truth_tells_which():
    plain = scan()
    right, image = keys(plain), plain.after("fault").make(10)
    for name, fault in FAULTS.items():
        made = scan(name)
        assert (made.after("fault").make(10) != image).any() == (name in OF_IMAGE), name
        raw = [(t.columns, t.rows, t.about) for t in made.companions if faults.is_blood(t)]
        assert (raw != [(t.columns, t.rows, t.about) for t in plain.companions if faults.is_blood(t)]) == (
            name in OF_BLOOD
        )
        assert (keys(made) != right) == (name not in OF_BLOOD | {"none", "left_right", "not_corrected"}), name
        truth = clean_keys(made.parameters, made.forward)
        assert truth.items() >= clean_keys(plain.parameters, plain.forward).items()
        assert ("Fault" in truth) == (name != "none")
        if name != "none":
            told = truth["Fault"]["RightValues"]
            assert {
                key: value for key, value in (keys(made) | told).items() if value is not None or key in right
            } == right
            assert truth["Fault"]["ReportedByValidator"] == list(fault.codes)


def test_faults_leave_the_clean_frames_and_the_draws_alone():
    plain = scan()
    for name in ("mid_frame_decay", "left_right", "blood_missing"):
        made = scan(name)
        assert (made.clean.make(10) == plain.clean.make(10)).all()
        assert (made.layer("noise").make(10) == plain.layer("noise").make(10)).all()
        assert [t.rows for t in made.companions if t.truth] == [t.rows for t in plain.companions if t.truth]


def test_decay_corrected_at_the_middle_of_a_frame_is_off_as_the_closed_form_says():
    # 5 min of O-15: exactly .481 of the activity at the start are left in the mean, at the middle .428 (pet reference page).
    decay = np.log(2) / half_life("O15") * 60
    (ratio,) = faults.mid_frame(Frames([300.0]), decay, "O15")
    assert ratio == pytest.approx(0.481 / 0.428, rel=2e-3)
    right, wrong = scan(), scan("mid_frame_decay")
    factors = faults.mid_frame(right.clean.clock, np.log(2) / 1221.8 * 60, "C11")
    np.testing.assert_allclose(wrong.after("fault").make(16), right.after("fault").make(16) * factors[16], rtol=1e-6)
    # What the sidecar says was applied is what the image has: uncorrected, both agree.
    one, two = (made.after("fault").make(16) / keys(made)["DecayCorrectionFactor"][16] for made in (right, wrong))
    np.testing.assert_allclose(one, two, rtol=1e-5)


def test_the_wrong_half_life_is_in_image_and_factors():
    right, wrong = scan(), scan("half_life")
    lengths, starts = right.clean.clock.durations, right.clean.clock.starts
    k = np.log(2) / half_life("F18")
    np.testing.assert_allclose(
        keys(wrong)["DecayCorrectionFactor"], np.exp(k * starts) * k * lengths / -np.expm1(-k * lengths), rtol=1e-5
    )
    one, two = (made.after("fault").make(16) / keys(made)["DecayCorrectionFactor"][16] for made in (right, wrong))
    np.testing.assert_allclose(one, two, rtol=1e-5)


def test_not_corrected_is_the_uncorrected_image():
    wrong, plain = scan("not_corrected"), scan(decay_corrected=False)
    np.testing.assert_allclose(wrong.after("fault").make(12), plain.after("fault").make(12), rtol=1e-6)
    assert keys(wrong)["ImageDecayCorrected"] is True
    assert keys(plain)["ImageDecayCorrected"] is False


def test_mirrored_is_left_for_right():
    right, wrong = scan(), scan("left_right")
    assert (wrong.observed.make(9) == right.observed.make(9)[::-1]).all()


def test_wrong_keys_are_what_the_table_says():
    right = keys(scan())
    found = {name: keys(scan(name)) for name in FAULTS}
    ends = np.add(right["FrameTimesStart"], right["FrameDuration"])
    assert found["end_times"]["FrameDuration"] == ends.tolist()
    n = len(right["FrameDuration"])
    lengths = lambda name: [len(found[name][key]) for key in ("FrameTimesStart", "FrameDuration")]  # noqa: E731
    assert (lengths("missing_frame"), lengths("frame_lists")) == ([n - 1, n - 1], [n, n - 1])
    overlapping = found["overlapping_frames"]
    assert (np.diff(overlapping["FrameTimesStart"]) < overlapping["FrameDuration"][:-1]).all()
    assert found["frame_minutes"]["FrameDuration"][0] == 0.25
    assert (right["TimeZero"], found["time_zero"]["TimeZero"]) == ("12:00:00", "13:00:00")
    assert found["time_zero_format"]["TimeZero"] == "120000"
    assert found["injection_start"]["InjectionStart"] == 60
    assert (right["Units"], found["units"]["Units"]) == ("Bq/mL", "kBq/mL")
    assert found["radionuclide"]["TracerRadionuclide"] == "F18"
    assert found["mass"]["InjectedMass"] == 1000 * right["InjectedMass"]
    assert {"Units"} == right.keys() - found["units_missing"].keys()
    assert {"TracerName"} == right.keys() - found["tracer_missing"].keys()
    product = np.multiply(found["decay_factors"]["DecayCorrectionFactor"], right["DecayCorrectionFactor"])
    np.testing.assert_allclose(product, 1, rtol=1e-5)


def test_wrong_blood_is_what_the_table_says():
    plain = blood(scan())
    assert not any(faults.is_blood(table) for table in scan("blood_missing").companions)
    alone = blood(scan("blood_alone"))
    assert (alone.columns, alone.about) == ((), plain.about)
    assert set(plain.columns) - set(blood(scan("blood_column")).columns) == {"metabolite_parent_fraction"}
    minutes, decayed = blood(scan("blood_minutes")), blood(scan("blood_uncorrected"))
    assert [row[0] for row in minutes.rows] == pytest.approx([row[0] / 60 for row in plain.rows], abs=1e-6)
    assert decayed.rows[-1][1] == pytest.approx(plain.rows[-1][1] * 2 ** (-plain.rows[-1][0] / 1221.8), rel=1e-6)
    assert decayed.rows[-1][3] == plain.rows[-1][3]


def test_a_fault_of_the_base_of_a_late_scan_counts_from_there():
    made = scan(time_zero="scan")
    late = replace(made.forward, clean=replace(made.clean, clock=Frames(np.full(3, 300.0), 4800.0)))
    recipe = last_stages.FAULT.draw(late, made.parameters.model_copy(update={"fault": "not_corrected"}), rng=None)
    k = np.log(2) / 1221.8
    np.testing.assert_allclose(
        recipe["factors"], np.exp(-k * np.array([0, 300, 600])) * -np.expm1(-k * 300) / (k * 300), rtol=1e-9
    )
    keys_late = right_keys(made.parameters, late)
    wrong = FAULTS["injection_start"].keys(dict(keys_late))
    assert (keys_late["InjectionStart"], wrong["InjectionStart"]) == (-4800.0, 4800.0)


def test_faults_that_cannot_be_are_refused():
    with pytest.raises(ParameterError, match="did you mean 'mid_frame_decay'"):
        scan("midframe_decay")
    with pytest.raises(ParameterError, match="decay_corrected"):
        scan("half_life", decay_corrected=False)
    with pytest.raises(ParameterError, match="needs blood"):
        scan("blood_column", blood="none")


def test_the_list_of_faults_is_the_one_in_the_documentation():
    text = " ".join(faults.__doc__.split())
    for row in faults.fault_table():
        assert f"{row['name']} {row['wrong']}" in text
        if row["validator"] != "nothing":
            for code in row["validator"].split(", "):
                assert code in text
