from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

import fakeimaging as fi
from fakeimaging.core.clocks import Frames
from fakeimaging.modalities.pet.decay import DECAY
from fakeimaging.modalities.pet.sidecar import clean_keys, sidecar
from fakeimaging.modalities.pet.time_base import TimeBase, to_injection
from fakeimaging.modalities.pet.tracers import TRACERS
from fakeimaging.testing.fixtures import short_activity, tiny_subject

REQUIRED = {
    "Units", "TracerName", "TracerRadionuclide", "InjectedRadioactivity", "InjectedRadioactivityUnits", "InjectedMass",
    "InjectedMassUnits", "SpecificRadioactivity", "SpecificRadioactivityUnits", "ModeOfAdministration", "TimeZero", "ScanStart",
    "InjectionStart", "FrameTimesStart", "FrameDuration", "AcquisitionMode", "ImageDecayCorrected", "ImageDecayCorrectionTime",
    "ReconMethodName", "ReconMethodParameterLabels", "ReconMethodParameterUnits", "ReconMethodParameterValues", "ReconFilterType",
    "AttenuationCorrection",
}  # fmt: skip
"""What PET-BIDS asks of every scan, beside the manufacturer (schema 1.11)."""
K = np.log(2) / 1221.8


def scan(tracer="raclopride", **parameters):
    return fi.acquire(
        "pet", tiny_subject(), short_activity(), tracer=tracer, voxel_size=16.0, **{"duration": 900.0} | parameters
    )


def keys(made):
    return sidecar(made.parameters, made.forward)


def late(made, start=4800.0):
    """The same forward model with frames that start late, as a second window has."""
    return replace(made.forward, clean=replace(made.clean, clock=Frames(made.clean.clock.durations, start)))


@pytest.mark.parametrize("tracer", TRACERS.names())
def test_every_tracer_says_what_is_required(tracer):
    made = scan(tracer, duration=None, frames=((4, 15.0), (2, 30.0)), follow=False)
    found = keys(made)
    assert found.keys() >= REQUIRED
    assert len(found["FrameTimesStart"]) == len(found["FrameDuration"]) == made.clean.clock.n
    if found["InjectedMass"] != "n/a":
        assert found["InjectedRadioactivity"] / found["InjectedMass"] == pytest.approx(
            found["SpecificRadioactivity"], rel=1e-4
        )


def test_molar_activity_is_specific_activity_times_molecular_weight():
    known = [keys(scan(name, duration=300.0)) for name in TRACERS if TRACERS.get(name).molar_activity is not None]
    assert known
    for found in known:
        assert found["MolarActivityUnits"] == "GBq/umol"
        per_umol = found["SpecificRadioactivity"] / 1e3 * found["TracerMolecularWeight"]
        assert found["MolarActivity"] == pytest.approx(per_umol, rel=1e-5)


def test_factors_are_decay_over_the_frame_and_not_at_its_middle():
    made = scan()
    frames, factors = made.clean.clock, keys(made)["DecayCorrectionFactor"]
    for v in (0, 8, frames.n - 1):
        left = quad(lambda t: np.exp(-K * t), frames.starts[v], frames.ends[v])[0] / frames.durations[v]
        assert factors[v] == pytest.approx(1 / left, rel=1e-6)


def test_an_uncorrected_image_times_its_factors_is_the_corrected_one():
    corrected, plain = scan(), scan(decay_corrected=False)
    factors = keys(corrected)["DecayCorrectionFactor"]
    assert "DecayCorrectionFactor" not in keys(plain)
    for v in (0, 10, 15):
        one, other = (made.after("fault").make(v) for made in (corrected, plain))
        np.testing.assert_allclose(other * factors[v], one, rtol=1e-5)
        assert (plain.clean.make(v) == corrected.clean.make(v)).all()
    assert clean_keys(plain.parameters, plain.forward)["DecayCorrectionFactor"] == factors


def test_two_windows_of_one_injection_join_whatever_their_time_bases():
    on_injection, on_scan = scan(), scan(time_zero="scan")
    one, other = (
        {**sidecar(m.parameters, late(m)), "recipe": DECAY.draw(late(m), m.parameters, rng=None)}
        for m in (on_injection, on_scan)
    )
    assert (one["TimeZero"], other["TimeZero"]) == ("12:00:00", "13:20:00")
    assert (one["ScanStart"], other["ScanStart"]) == (4800.0, 0.0)
    assert (one["InjectionStart"], other["InjectionStart"]) == (0.0, -4800.0)
    assert (one["InjectionEnd"], other["InjectionEnd"]) == (20.0, -4780.0)
    assert one["ImageDecayCorrectionTime"] == other["ImageDecayCorrectionTime"] == 0.0
    since = [np.subtract(found["FrameTimesStart"], found["InjectionStart"]) for found in (one, other)]
    np.testing.assert_array_equal(*since)
    # The raw images differ by one constant, the decay between both zeros; so do what corrected them.
    ratio = other["recipe"]["left"] / one["recipe"]["left"]
    np.testing.assert_allclose(ratio, np.exp(-K * 4800), rtol=1e-9)
    np.testing.assert_allclose(
        np.divide(other["DecayCorrectionFactor"], one["DecayCorrectionFactor"]), ratio, rtol=1e-4
    )
    uncorrected = [np.divide(found["recipe"]["left"], found["DecayCorrectionFactor"]) for found in (one, other)]
    np.testing.assert_allclose(*uncorrected, rtol=1e-4)


def test_the_truth_of_a_window_of_its_own_is_corrected_to_injection():
    made = scan(time_zero="scan")
    truth = clean_keys(made.parameters, late(made))
    assert (truth["ImageDecayCorrected"], truth["ImageDecayCorrectionTime"]) == (True, -4800.0)
    assert truth["DecayCorrectionFactor"][0] == pytest.approx(np.exp(K * (4800 + 7.5)), rel=1e-3)


@pytest.mark.parametrize("corrected", [True, False])
@pytest.mark.parametrize("zero", ["injection", "scan"])
def test_whatever_is_stored_can_be_brought_back_to_injection(corrected, zero):
    words = {"scan_start": 2400.0, "duration": 600.0, "off": ["noise", "psf", "quantisation"]}
    made = scan(decay_corrected=corrected, time_zero=zero, **words)
    factors = to_injection(made.parameters, made.clean.clock)
    # By hand: an image of counts loses the decay of all 40 min and of the frame, one corrected to its own start of 40 min.
    frame = K * 300 / (1 - np.exp(-K * 300))
    own = {("injection", True): 1.0, ("scan", True): np.exp(K * 2400)}.get((zero, corrected), np.exp(K * 2400) * frame)
    assert factors[0] == pytest.approx(own, rel=1e-9)
    for v in range(2):
        np.testing.assert_allclose(made.observed.make(v) * factors[v], made.clean.make(v), rtol=1e-5, atol=1e-3)


def test_clock_times_pass_midnight():
    assert TimeBase(0.0).clock == "12:00:00"
    assert TimeBase(12 * 3600 + 61.0).clock == "00:01:01"


def test_both_tiers_say_how_the_image_came_about():
    image = keys(scan())
    assert (image["ReconMethodName"], image["ReconFilterType"]) == ("simulated in image space", "none")
    found = keys(scan(tier="projection", iterations=3, subsets=7, post_filter=4.0))
    values = dict(zip(found["ReconMethodParameterLabels"], found["ReconMethodParameterValues"], strict=True))
    assert (values["iterations"], values["subsets"]) == (3, 7)
    assert (found["ReconFilterType"], found["ReconFilterSize"]) == ("Gaussian", 4.0)
    assert len(found["ReconMethodParameterUnits"]) == len(values)
    assert "ReconFilterSize" not in keys(scan(tier="projection"))
