from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

import fakeimaging as fi
from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet import blood as blood_of
from fakeimaging.modalities.pet import signal
from fakeimaging.modalities.pet.kinetics import Constants, tissue_curve
from fakeimaging.modalities.pet.tracers import TRACERS
from fakeimaging.scoring.kinetics import Plasma, Timing, patlak
from fakeimaging.structure import receptors
from fakeimaging.testing import check_modality
from fakeimaging.testing.fixtures import constant_activity, short_activity, tiny_subject

KINDS = ["cortex", "putamen", "caudate", "ventral striatum", "thalamus", "hippocampus", "amygdala", "cerebellum"]
COARSE = {"voxel_size": 8.0}


def subject_of_kinds(seed=1):
    """A tiny subject whose regions are of every kind."""
    person = tiny_subject(seed=seed)
    kinds = [*KINDS, "cortex", "cerebellum"]
    regions = tuple(replace(region, kind=kind) for region, kind in zip(person.regions, kinds, strict=True))
    return replace(person, parcellation=replace(person.parcellation, regions=regions))


def firing_at(rates, activity=None):
    """A run in which each region fires at a rate of its own, all the time."""
    run = constant_activity(activity or short_activity())
    tap = run.taps["rate"]
    return replace(run, taps={"rate": replace(tap, samples=np.full_like(tap.samples, 1) * np.float32(rates))})


def scan(tracer="fdg", person=None, activity=None, **parameters):
    person = person or subject_of_kinds()
    activity = activity or firing_at(np.full(10, 5.0))
    return fi.acquire("pet", person, activity, tracer=tracer, **(COARSE | parameters))


@pytest.mark.parametrize("tracer", ["fdg", "raclopride"])
def test_pet_holds_the_contract(tracer):
    check_modality("pet", voxel_size=12.0, tracer=tracer, duration=300.0)


@pytest.mark.parametrize("tracer", ["water", "ucbj", "pib"])
def test_every_kind_of_tracer_holds_the_contract(tracer):
    # One frame as long as the run: the first one of their own is over before the tracer arrives.
    check_modality("pet", voxel_size=12.0, tracer=tracer, frames=[[1, 20.0]])


def test_receptors_are_dense_in_the_striatum_and_differ_between_people():
    kinds = [region.kind for region in subject_of_kinds().regions]
    bpnd = {k: v for k, v in zip(kinds, scan("raclopride").truth["bpnd"], strict=True)}
    assert min(bpnd["putamen"], bpnd["caudate"], bpnd["ventral striatum"]) > 5 * bpnd["cortex"]
    assert bpnd["cerebellum"] == 0
    values = np.array(
        [receptors.varied(tiny_subject(seed=s), np.ones(10), "x", between=0.05, within=0.03) for s in range(60)]
    )
    logs = np.log(values)
    assert logs.mean(axis=1).std(ddof=1) == pytest.approx(np.hypot(0.05, 0.03 / np.sqrt(10)), rel=3 / np.sqrt(2 * 59))
    assert logs.std(axis=1, ddof=1).mean() == pytest.approx(0.03 * 0.973, rel=0.1)


def test_curves_follow_the_kinetics_with_blood():
    made = scan()
    tracer, frames, t = TRACERS.get("fdg"), made.clean.clock, made.truth
    constants = Constants(t["K1"][:1], t["k2"][:1], t["k3"][:1], np.zeros(1))
    plasma = tracer.input.curve().scaled(250e6 / 70e3)
    weight = lambda u: np.exp(-tracer.decay * u)  # noqa: E731
    blood = lambda u: 0.93 * plasma.at(u)  # noqa: E731
    mixed = lambda u: weight(u) * (0.95 * tissue_curve(plasma, constants, [u])[0, 0] + 0.05 * blood(u))  # noqa: E731
    for v in (0, -1):  # the tracer arrives within the first frame
        start, end = frames.starts[v] / 60, frames.ends[v] / 60
        arrival = [kink for kink in plasma.breaks if start < kink < end] or None
        expected = quad(mixed, start, end, points=arrival, epsrel=1e-10)[0] / quad(weight, start, end)[0]
        assert t["tacs"][0, v] == pytest.approx(expected, rel=1e-8)
    assert t["ki"][0] == pytest.approx(constants.trapping[0], rel=1e-12)
    grey_suv = t["tacs"][0, -2] / (250e6 / 70e3)
    assert 6 < grey_suv < 9.5


def test_dose_scales_everything_and_weight_divides_it():
    fixed = {"randoms_fraction": 0.2}
    one, two = scan(injected_activity=100.0, **fixed), scan(injected_activity=200.0, body_weight=140.0, **fixed)
    np.testing.assert_allclose(two.truth["tacs"], one.truth["tacs"], rtol=1e-12)
    four = scan(injected_activity=400.0, **fixed)
    np.testing.assert_allclose(four.truth["tacs"], 4 * one.truth["tacs"], rtol=1e-12)
    v = 25
    quiet, loud = (s.layer("noise").make(v) / s.truth["tacs"].max() for s in (four, one))
    np.testing.assert_allclose(2 * quiet, loud, rtol=1e-3, atol=1e-6)


def test_the_clean_image_is_curves_times_tissue():
    made = scan(off=["psf", "noise", "quantisation"])
    person, grid = subject_of_kinds(), made.clean.grid
    tissue, labels = person.anatomy.tissue(grid), person.labels(grid)
    pure = np.argwhere((tissue.grey > 0.999) & (labels == 3))
    assert len(pure) > 3
    for frame in (0, 12, 30):
        np.testing.assert_allclose(made.clean.make(frame)[tuple(pure[0])], made.truth["tacs"][2, frame], rtol=2e-3)


def test_true_curves_behind_the_point_spread_are_those_of_the_image():
    person = subject_of_kinds()
    made = scan(person=person, voxel_size=9.0, psf_fwhm=12.0)
    masks = signal.masks(person, made.clean.grid)
    for frame in (5, 30):
        image = made.after("psf").make(frame)
        means = np.array([image[masks == i + 1].mean(dtype=float) for i in range(10)])
        np.testing.assert_allclose(made.truth["tacs_psf"][:, frame], means, rtol=1e-4)
    recovery = np.diag(made.truth["transfer"][:, :10])
    np.testing.assert_allclose(made.truth["recovery"], recovery)
    assert ((recovery > 0.2) & (recovery < 1)).all()
    # What is known region by region can be undone: the geometric transfer matrix gives the tissue's own curves back.
    curves = made.truth["tacs"]
    outside = made.truth["tacs_psf"] - made.truth["transfer"][:, :10] @ curves
    np.testing.assert_allclose(
        np.linalg.solve(made.truth["transfer"][:, :10], made.truth["tacs_psf"] - outside), curves
    )


def test_the_run_need_not_be_as_long_as_the_scan_and_the_truth_says_so():
    made = scan()
    assert made.clean.n_volumes == 31
    (about,) = (c.about for c in made.forward.companions if c.name == "desc-psf_tacs")
    assert about["Activity"]["DrivenBy"] == "the mean of its 20 s, held for the whole scan"


def test_the_sidecar_undoes_and_redoes_decay():
    made = scan("raclopride")
    keys, frames = made.modality.sidecar(made.parameters, made.forward), made.clean.clock
    decay = np.log(2) / 1221.8
    for start, length, factor in zip(
        keys["FrameTimesStart"], keys["FrameDuration"], keys["DecayCorrectionFactor"], strict=True
    ):
        counts = (np.exp(-decay * start) - np.exp(-decay * (start + length))) / decay
        assert factor == pytest.approx(length / counts, rel=1e-6)
    assert len(keys["FrameDuration"]) == frames.n == 34
    assert keys["InjectedMass"] / keys["InjectedRadioactivity"] == pytest.approx(
        1 / keys["SpecificRadioactivity"], rel=1e-6
    )
    half = scan("raclopride", injected_activity=155.4)
    assert half.modality.sidecar(half.parameters, half.forward)["InjectedMass"] == pytest.approx(1.0)


def test_blood_is_what_drives_the_tissue():
    made = scan("raclopride")
    (blood,) = (c for c in made.forward.companions if c.name == "recording-manual_blood")
    time, plasma, whole, parent = np.array(blood.rows).T
    curve = TRACERS.get("raclopride").input.curve().scaled(310.8e6 / 70e3)
    np.testing.assert_allclose(plasma * parent, curve.at(time / 60), rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(whole, 0.6 * plasma, rtol=1e-6, atol=1e-5)
    assert time[0] == 0
    assert time[-1] == 3600
    assert parent[np.flatnonzero(time == 2400)[0]] == pytest.approx(0.77, abs=0.01)


def test_a_kind_no_tracer_knows_is_named():
    person = subject_of_kinds()
    odd = replace(person.regions[0], kind="claustrum")
    person = replace(person, parcellation=replace(person.parcellation, regions=(odd, *person.regions[1:])))
    with pytest.raises(InputError, match="FDG says nothing about the kind of region 'claustrum'"):
        scan(person=person)
    coarse = replace(person.regions[0], kind="basal ganglia")
    person = replace(person, parcellation=replace(person.parcellation, regions=(coarse, *person.regions[1:])))
    assert receptors.kinds_of(person)[0] == "putamen"


@pytest.mark.parametrize("seconds", [60.0, 3300.0, 4500.0, 7000.0, 14_400.0])
def test_blood_is_drawn_until_the_last_frame_ends(seconds):
    times = blood_of.drawn(seconds)
    assert (times[0], times[-1]) == (0.0, seconds)
    steps = np.diff(times)
    assert steps.min() > 0
    assert steps.max() <= 1200
    assert (steps[times[1:] > 5400] <= 900).all()


@pytest.mark.parametrize("seconds", [3300.0, 4700.0, 10_800.0])
def test_patlaks_plot_from_the_blood_file_gives_net_uptake_whatever_the_length(seconds):
    made = scan(duration=seconds, voxel_size=20.0)
    (blood,) = (c for c in made.forward.companions if c.name == "recording-manual_blood")
    time, plasma, _, parent = np.array(blood.rows).T
    frames = made.clean.clock
    timing = Timing(frames.starts / 60, frames.ends / 60, TRACERS.get("fdg").decay)
    found = patlak(made.truth["tacs"], timing, Plasma(time / 60, plasma * parent))
    ratio = found / (0.95 * made.truth["ki"])  # 5 % of the volume are vessels
    assert (ratio > 0.98).all()
    assert (ratio < 1.005).all()


def test_net_uptake_is_metabolism_times_lumped_constant_over_glucose():
    truth = scan(activity=firing_at(np.arange(1.0, 11.0))).truth
    # umol/100 mL/min, and umol/mL: 0.52 / (100 x 5)
    np.testing.assert_allclose(truth["ki"], truth["cmrglc"] * 0.52 / 500, rtol=1e-9)
    constants = Constants(truth["K1"], truth["k2"], truth["k3"], np.zeros(10))
    np.testing.assert_allclose(constants.trapping, truth["ki"], rtol=1e-9)


def test_injected_mass_per_weight_is_in_micrograms_per_kilogram():
    made = scan("raclopride", body_weight=50.0)
    keys = made.modality.sidecar(made.parameters, made.forward)
    assert keys["InjectedMassPerWeight"] == pytest.approx(2.0 / 50)
    assert keys["InjectedMassPerWeightUnits"] == "ug/kg"
