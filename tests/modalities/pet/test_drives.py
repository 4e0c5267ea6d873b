"""What activity, wiring and deposits do to a tracer, and how it is given."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

import fakeimaging as fi
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.modalities.pet import arterial, imposed
from fakeimaging.modalities.pet.administration import delayed
from fakeimaging.modalities.pet.drives import course
from fakeimaging.modalities.pet.drives.release import slowed
from fakeimaging.modalities.pet.drives.synapses import synaptic_density
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.tracers import TRACERS
from fakeimaging.modalities.pet.uptake import _exposure
from fakeimaging.testing.fixtures import short_activity
from tests.modalities.pet.test_pet import COARSE, KINDS, firing_at, scan, subject_of_kinds

CEREBELLUM = np.array([kind == "cerebellum" for kind in [*KINDS, "cortex", "cerebellum"]])


def course_of(values, step=1.0):
    """A run in which all regions fire at these rates, one value a second or ``step``."""
    run, values = short_activity(), np.asarray(values, dtype=np.float32)
    values = np.broadcast_to(values.reshape(len(values), -1), (len(values), 10)).copy()
    tap = replace(run.taps["rate"], clock=Clock(step / 2, step, len(values)), samples=values)
    return replace(run, taps={"rate": tap}, duration=len(values) * step, differences=None)


def test_firing_above_the_baseline_raises_metabolism_by_the_published_share():
    rates = np.full(10, 5.0)
    rest = scan(baseline_rate=5.0).truth
    double = scan(activity=firing_at(2 * rates), baseline_rate=5.0).truth
    np.testing.assert_allclose(double["cmrglc"] / rest["cmrglc"], 1.8, rtol=1e-6)
    np.testing.assert_allclose(double["ki"] / rest["ki"], 1.8, rtol=1e-6)
    silent = scan(activity=firing_at(0 * rates), baseline_rate=5.0).truth
    np.testing.assert_allclose(silent["ki"] / rest["ki"], 0.2, rtol=1e-6)


def test_inhibitory_firing_counts():
    run = firing_at(np.arange(1.0, 11.0))
    both = replace(run, taps=run.taps | {"inhibitory_rate": replace(run.taps["rate"], name="inhibitory_rate")})
    one, two = scan(activity=run, baseline_rate=5.0), scan(activity=both, baseline_rate=5.0)
    np.testing.assert_allclose(two.truth["firing"], 2 * one.truth["firing"])


def test_the_baseline_is_the_mean_over_regions():
    rates = np.arange(1.0, 11.0)
    np.testing.assert_allclose(scan(activity=firing_at(rates)).truth["firing_ratio"], rates / 5.5, rtol=1e-6)


def test_a_run_in_which_nothing_fires_needs_a_baseline():
    with pytest.raises(InputError, match="give pet a `baseline_rate`"):
        scan(activity=firing_at(np.zeros(10)))


def test_activity_is_averaged_between_the_edges():
    clock, samples = Clock(0.5, 1.0, 20), np.arange(20, dtype=np.float32)[:, None] * np.ones(10, np.float32)
    mean = lambda *edges: course.between(samples, clock, np.array(edges))[:, 0]  # noqa: E731
    np.testing.assert_allclose(mean(0.0, 5.0, np.inf), [2.0, 12.0])
    np.testing.assert_allclose(mean(0.0, 5.0, 10.0), [2.0, 7.0])
    np.testing.assert_allclose(mean(5.0, 10.0, 12.0), [7.0, 10.5])
    with pytest.raises(InputError, match=r"`pet.follow_step`: 0.25 s is shorter than the 1 s between samples"):
        mean(0.0, 0.25, 0.5)


def test_what_comes_after_the_scan_drives_nothing():
    long = course_of(np.where(np.arange(5400) < 3600, 1.0, 10.0))
    followed = scan(activity=long, follow=True).truth
    for name in ("firing", "firing_ratio", "firing_ratio_plain"):
        np.testing.assert_allclose(followed[name], 1.0)
    assert followed["firing_ratio_course"].shape == (10, 360)
    whole = scan(activity=long).truth
    np.testing.assert_allclose(whole["firing"], (3600 * 1 + 1800 * 10) / 5400)
    assert "firing_ratio_course" not in whole
    late = scan(activity=long, follow=True, run_time=1800.0, baseline_rate=1.0).truth
    np.testing.assert_allclose(late["firing_ratio_plain"], 5.5)


def test_early_activity_counts_most_and_both_means_are_told():
    stepped = course_of(np.where(np.arange(120) < 60, 5.0, 15.0))
    made = scan(activity=stepped, follow=True, duration=120.0, baseline_rate=5.0)
    truth, known = made.truth, made.forward.context["uptake"].known
    plasma = TRACERS.get("fdg").input.curve()
    areas = [quad(lambda t: float(plasma.at(t)), a, b)[0] for a, b in ((0.1, 1), (1, 2))]
    # f = .8: CMRglc is 1 and 2.6 times its resting value
    weighted, plain = (areas[0] + 2.6 * areas[1]) / sum(areas), 1.8
    rest = scan(duration=120.0, baseline_rate=5.0).truth["cmrglc"]
    np.testing.assert_allclose(truth["cmrglc"] / rest, weighted, rtol=1e-6)
    np.testing.assert_allclose(truth["cmrglc_plain"] / rest, plain, rtol=1e-6)
    np.testing.assert_allclose(truth["cmrglc_course"][:, -1] / rest, 2.6, rtol=1e-6)
    # Tables and maps have the weighted mean, too.
    for name in ("cmrglc", "K1", "k3"):
        np.testing.assert_allclose(known[name][:10], truth[name], rtol=1e-12)


@pytest.mark.parametrize(("tracer", "breaks"), [("fdg", (0, 40, 60)), ("water", (0, 40, 60)), ("pib", (0, 20, 40, 60))])
def test_a_long_step_weighs_as_the_area_of_its_plasma(tracer, breaks):
    plasma = TRACERS.get(tracer).input.curve()
    areas = [
        quad(lambda t: float(plasma.at(t)), a, b, points=[t for t in plasma.breaks if a < t < b] or None, limit=400)[0]
        for a, b in pairwise(breaks)
    ]
    found = _exposure(plasma, np.array(breaks[:-1], dtype=float), float(breaks[-1]))
    np.testing.assert_allclose(found, np.array(areas) / sum(areas), rtol=1e-6)
    # Where no tracer arrives, time itself.
    np.testing.assert_allclose(_exposure(delayed(plasma, 99.0), np.array([0.0, 15.0]), 60.0), [0.25, 0.75])


def test_a_scan_that_follows_a_short_run_says_what_to_change():
    with pytest.raises(InputError, match=r"the run lasts 20 s and the scan 3600 s; .*`pet.duration`.*follow` = false"):
        scan(follow=True)
    with pytest.raises(InputError, match=r"the scan 60 s from second 30 on"):
        scan(activity=course_of(np.ones(80)), follow=True, run_time=30.0, duration=60.0)


def test_dopamine_competes_and_leaves_the_reference_region_alone():
    rest = scan("raclopride").truth
    np.testing.assert_allclose(rest["bpnd"], rest["density"])
    more = scan("raclopride", activity=firing_at(np.full(10, 10.0)), baseline_rate=5.0).truth
    # occupancy .2: DA0/Kd = .25, doubled dopamine: 1.25 / 1.5
    np.testing.assert_allclose(more["bpnd"][~CEREBELLUM] / rest["bpnd"][~CEREBELLUM], 1.25 / 1.5, rtol=1e-6)
    np.testing.assert_array_equal(more["tacs"][CEREBELLUM], rest["tacs"][CEREBELLUM])
    assert (more["tacs"][~CEREBELLUM, -1] < rest["tacs"][~CEREBELLUM, -1]).all()
    off = scan("raclopride", activity=firing_at(np.full(10, 10.0)), baseline_rate=5.0, release_gain=0.0).truth
    np.testing.assert_allclose(off["bpnd"], rest["bpnd"])


def test_dopamine_at_rest_leaves_binding_constant_throughout():
    truth = scan("raclopride", activity=course_of(np.full(3600, 5.0)), follow=True, baseline_rate=5.0).truth
    np.testing.assert_allclose(truth["dopamine_course"], 1.0)
    np.testing.assert_allclose(truth["bpnd"], truth["density"], rtol=1e-12)
    assert "bpnd_course" not in truth
    np.testing.assert_allclose(truth["tacs"], scan("raclopride").truth["tacs"], rtol=1e-9)


def test_released_dopamine_follows_firing_with_its_time_constant():
    x, lengths = np.where(np.arange(60) < 10, 0.0, 1.0)[:, None], np.full(60, 10.0)
    y = slowed(x, lengths, 120.0)[:, 0]
    t = np.maximum(np.arange(60) * 10.0 - 100, 0)
    expected = [quad(lambda u: 1 - np.exp(-u / 120), a, a + 10)[0] / 10 for a in t[10:]]
    np.testing.assert_allclose(y[:10], 0)
    np.testing.assert_allclose(y[10:], expected, rtol=1e-9)
    np.testing.assert_array_equal(slowed(x, lengths, 0.0), x)
    stepped = course_of(np.where(np.arange(1200) < 600, 5.0, 10.0))
    wanted = {"follow": True, "baseline_rate": 5.0, "duration": 1200.0, "release_time": 300.0}
    truth = scan("raclopride", activity=stepped, **wanted).truth
    # The frames that fit last 1140 s.
    np.testing.assert_allclose(truth["dopamine_course"][:, -1], 2 - np.exp(-535 / 300), rtol=1e-3)
    np.testing.assert_allclose(truth["dopamine_course"][:, :60], 1)
    # A scan that begins later knows what was before it.
    later = scan("raclopride", activity=stepped, **(wanted | {"run_time": 900.0, "duration": 240.0})).truth
    np.testing.assert_allclose(later["dopamine_course"], truth["dopamine_course"][:, 90:], rtol=1e-9)


def test_one_node_can_release_everywhere():
    rates = np.full((1200, 10), 5.0)
    rates[600:, 4] = 10.0
    wanted = {"follow": True, "duration": 1200.0, "baseline_rate": 5.0, "release_time": 0.0}
    own = scan("raclopride", activity=course_of(rates), **wanted).truth["dopamine_course"]
    np.testing.assert_allclose(own[[0, 4], -1], [1.0, 2.0])
    shared = scan("raclopride", activity=course_of(rates), released_by="kind:thalamus", **wanted).truth
    np.testing.assert_allclose(shared["dopamine_course"][:, -1], 2.0)
    # Without a baseline, the node's own mean is its rest; the frames that fit last 1140 s.
    rest = (600 * 5 + 540 * 10) / 1140
    mean = scan(
        "raclopride", activity=course_of(rates), released_by="kind:thalamus", **(wanted | {"baseline_rate": None})
    )
    np.testing.assert_allclose(mean.truth["dopamine_course"][:, [0, -1]], [[5 / rest, 10 / rest]] * 10, rtol=1e-6)
    with pytest.raises(ParameterError, match="no such kind as 'thalamu'; did you mean 'thalamus'"):
        scan("raclopride", released_by="kind:thalamu")


@pytest.mark.parametrize(
    ("words", "closed"),
    [
        ({"peak": 600.0, "sharpness": 2.0}, lambda u: (u / 600) ** 2 * np.exp(2 * (1 - u / 600))),
        ({"shape": "exponential", "decay": 400.0}, lambda u: np.exp(-u / 400)),
        ({"shape": "step", "duration": 900.0}, lambda u: 1.0 if u < 900 else 0.0),
    ],
)
def test_a_challenge_has_the_course_of_its_paper(words, closed):
    challenge = imposed.Challenge.parse({"onset": 1000.0, "size": 1.0} | words)
    times = np.array([0.0, 999.0, 1000.0, 1600.0, 1899.0, 1901.0, 3000.0])
    expected = [closed(t - 1000) if t >= 1000 else 0.0 for t in times]
    np.testing.assert_allclose(challenge.course(times), expected, atol=1e-15)
    edges = imposed.refined(np.array([0.0, 3600.0]), [challenge])
    kinks = [t for t in (1000.0, 1900.0)]
    means = imposed.step_means(challenge, edges)
    area = quad(lambda t: closed(t - 1000) if t >= 1000 else 0.0, 0, 3600, points=kinks, limit=200)[0]
    assert means @ np.diff(edges) == pytest.approx(area, rel=1e-6)


def test_a_challenge_displaces_where_and_when_it_is_asked_to():
    wanted = {"onset": 1500.0, "size": 1.0, "peak": 600.0, "where": ["kind:putamen", "kind:cerebellum"]}
    truth, rest = scan("raclopride", challenges=[wanted]).truth, scan("raclopride").truth
    putamen = KINDS.index("putamen")
    others = np.arange(10) != putamen
    np.testing.assert_allclose(truth["tacs"][others], rest["tacs"][others], rtol=1e-12)
    frames = scan("raclopride").clean.clock
    before, late = frames.ends <= 1500, frames.starts >= 1800
    np.testing.assert_allclose(truth["tacs"][putamen, before], rest["tacs"][putamen, before], rtol=1e-12)
    assert (truth["tacs"][putamen, late] < 0.99 * rest["tacs"][putamen, late]).all()
    dopamine, bpnd = truth["dopamine_course"][putamen], truth["bpnd_course"][putamen]
    assert dopamine.max() == pytest.approx(2.0, rel=1e-3)
    np.testing.assert_allclose(bpnd, rest["bpnd"][putamen] * 1.25 / (1 + 0.25 * dopamine), rtol=1e-12)
    # Doubled dopamine takes 1 - 1.25/1.5 of the binding.
    assert truth["occupancy_course"][putamen].max() == pytest.approx(1 / 6, rel=1e-3)
    assert (
        truth["occupancy"][putamen] == truth["occupancy_course"][putamen].max() > truth["occupancy_course"][putamen, -1]
    )
    assert truth["occupancy_course"][others & ~CEREBELLUM].max() == 0
    assert "occupancy" not in rest


def test_a_drug_takes_sites_of_any_tracer():
    blocked = scan("raclopride", challenges=[{"shape": "step", "occupancy": 0.6, "where": "kind:caudate"}]).truth
    rest, caudate = scan("raclopride").truth, KINDS.index("caudate")
    assert blocked["bpnd"][caudate] == pytest.approx(0.4 * rest["bpnd"][caudate])
    assert blocked["occupancy"][caudate] == pytest.approx(0.6)
    both = [{"shape": "step", "occupancy": share, "where": "kind:caudate"} for share in (0.6, 0.7)]
    full = scan("raclopride", challenges=both).truth
    assert (full["bpnd"][caudate], full["occupancy"][caudate]) == (0.0, 1.0)
    with pytest.raises(InputError, match="FDG does not compete with a transmitter"):
        scan(challenges=[{"size": 1.0}])
    with pytest.raises(ParameterError, match="give either it"):
        scan("raclopride", challenges=[{"size": 1.0, "occupancy": 0.5}])
    with pytest.raises(ParameterError, match="pet.challenges.*where.*did you mean 'kind:putamen'|no such kind"):
        scan("raclopride", challenges=[{"size": 1.0, "where": "kind:putamin"}])


def test_waters_flow_is_the_flow_of_the_same_run():
    person, run = subject_of_kinds(), short_activity(duration=60.0)
    wet = fi.acquire("pet", person, run, tracer="water", duration=60.0, **COARSE).truth
    rest = fi.acquire("pet", person, run, tracer="water", duration=60.0, follow=False, **COARSE).truth
    ratio = wet["K1_course"] / rest["K1"][:, None] * rest["flow_ratio"][:, None]
    np.testing.assert_allclose(ratio, wet["flow_ratio_course"], rtol=1e-6)
    np.testing.assert_allclose(wet["k2_course"] / wet["K1_course"], (rest["k2"] / rest["K1"])[:, None] * np.ones(60))
    assert wet["flow_ratio_course"].shape == (10, 60)
    assert np.ptp(wet["flow_ratio_course"], axis=1).min() > 1e-3
    with pytest.raises(InputError, match="`pet.follow`: the run lasts 20 s"):
        fi.acquire("pet", person, short_activity(), tracer="water", duration=60.0, **COARSE)


def test_synaptic_density_goes_with_the_strength_of_tracts():
    weights = np.array([[0, 2.0, 1.0], [1.0, 0, 0], [0, 5.0, 0]])
    plain = {"synapse_exponent": 1.0, "local_synapses": 0.0}
    density = lambda **p: synaptic_density(weights, PetParameters.parse(p))  # noqa: E731
    np.testing.assert_allclose(density(**plain), [1, 1 / 3, 5 / 3])
    np.testing.assert_allclose(density(out_strength=1.0, **plain), np.array([1, 7, 1]) / 3)
    np.testing.assert_allclose(density(**plain), synaptic_density(-weights, PetParameters.parse(plain)))
    assert density().mean() == pytest.approx(1)
    assert np.ptp(density()) < np.ptp(density(**plain))
    with pytest.raises(InputError, match="without tracts"):
        synaptic_density(np.zeros((3, 3)), PetParameters())


def test_density_of_synapses_is_believable_in_a_whole_brain():
    rng = np.random.default_rng(3)
    weights = np.exp(rng.standard_normal((100, 100)) + 0.6 * rng.standard_normal((100, 1)))
    density = synaptic_density(weights, PetParameters())
    assert 0.08 < density.std() < 0.25
    assert 0.4 < density.min() < density.max() < 2


def test_an_infusion_gives_the_same_dose_more_slowly():
    fdg = TRACERS.get("fdg")
    curve = lambda **p: arterial.arterial(fdg, PetParameters.parse(p), 3600.0)  # noqa: E731
    bolus, slow = curve(), curve(administration="infusion", infusion_duration=1800.0)
    area = lambda c, end: quad(lambda t: float(c.at(t)), 0, end, limit=400, points=[0.1, 30.0, 30.1])[0]  # noqa: E731
    t = 25.0
    assert float(slow.at(t)) == pytest.approx(area(bolus, t) / 30, rel=1e-6)
    assert area(slow, 600.0) == pytest.approx(area(bolus, 600.0), rel=0.02)
    both = curve(administration="bolus_infusion", kbol=30.0, infusion_duration=1800.0)
    assert float(both.at(t)) == pytest.approx((float(bolus.at(t)) + float(slow.at(t))) / 2, rel=1e-9)
    assert float(curve(bolus_duration=60.0).at(0.5)) < float(bolus.at(0.5))
    whole = curve(administration="infusion")
    assert float(whole.at(t)) == pytest.approx(area(bolus, t) / 60, rel=1e-6)
    with pytest.raises(ParameterError, match="say administration = 'infusion'"):
        PetParameters.parse({"infusion_duration": 60.0})


def test_the_sidecar_says_how_the_tracer_was_given():
    keys = lambda **p: (made := scan("raclopride", **p)).modality.sidecar(made.parameters, made.forward)  # noqa: E731
    assert keys()["ModeOfAdministration"] == "bolus"
    assert "InfusionStart" not in keys()
    both = keys(administration="bolus_infusion", kbol=60.0)
    assert both["ModeOfAdministration"] == "bolus-infusion"
    assert both["InfusionRadioactivity"] == pytest.approx(both["InjectedRadioactivity"] / 2)
    assert both["InjectionEnd"] == 3600
    assert both["InfusionSpeed"] * 3600 == pytest.approx(both["InjectedVolume"] / 2)
    assert keys(administration="infusion")["InfusionRadioactivity"] == keys()["InjectedRadioactivity"]
    assert keys(bolus_duration=60.0)["InjectionEnd"] == 60


def test_glucose_on_infusion_shows_a_task_in_its_slope():
    task = course_of(np.where((np.arange(2400) // 600) % 2, 10.0, 5.0))
    wanted = {"duration": 2400.0, "follow": True, "baseline_rate": 5.0, "administration": "infusion"}
    active = scan(activity=task, **wanted).truth["tacs"][0]
    rest = scan(activity=course_of(np.full(2400, 5.0)), **wanted).truth["tacs"][0]
    frames = scan(activity=task, **wanted).clean.clock
    times, gain = frames.times, active - rest
    slope = np.gradient(gain, times)
    on = (times > 700) & (times < 1150)
    off = (times > 1300) & (times < 1750)
    assert (np.abs(gain[frames.ends <= 600]) < 1e-6 * rest.max()).all()
    assert slope[on].min() > 1.5 * np.abs(slope[off]).max()


def test_an_arterial_curve_of_ones_own_drives_the_tissue(tmp_path):
    made = scan("raclopride")
    (blood,) = (c for c in made.forward.companions if c.name == "recording-manual_blood")
    times, plasma, _, parent = np.array(blood.rows, dtype=float).T
    lines = ["time\tplasma_radioactivity\tmetabolite_parent_fraction"]
    lines += [
        f"{t:g}\t{c:.9g}\t{'n/a' if 60 < t < 90 else f'{f:.9g}'}" for t, c, f in zip(times, plasma, parent, strict=True)
    ]
    path = tmp_path / "mine.tsv"
    path.write_text("\n".join([*lines, "n/a\t5\t1"]) + "\n")
    own = arterial.measured_curve(str(path), TRACERS.get("raclopride"))
    np.testing.assert_allclose(own.at(times / 60), plasma * parent, rtol=1e-3, atol=1e-6)
    tacs = scan("raclopride", input_function=str(path)).truth["tacs"]
    np.testing.assert_allclose(tacs[:, -1], made.truth["tacs"][:, -1], rtol=0.02)
    lower = path.with_name("half.tsv")
    lower.write_text(
        "time\tplasma_radioactivity\n" + "".join(f"{t:g}\t{c / 2:.9g}\n" for t, c in zip(times, plasma, strict=True))
    )
    half = scan("raclopride", input_function=str(lower)).truth["tacs"]
    np.testing.assert_allclose(half[:, -1], tacs[:, -1] / 2, rtol=1e-3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time\tplasma\n1\t2\n3\t4\n", "there is no column 'plasma_radioactivity'"),
        ("time\tplasma_radioactivity\n1\tmuch\n3\t4\n", "'much' in column 'plasma_radioactivity' is no number"),
        ("time\tplasma_radioactivity\n5\t2\n3\t4\n", "bad.tsv: .*does not come after"),
        ("", "there is no column 'time'"),
        (
            "time\tplasma_radioactivity\n1\t90000\n60\t3000\n",
            "samples end at 60 s and the scan at 3600 s; column 'time' is in s",
        ),
        ("time\tplasma_radioactivity\n60\t90\n3600\t3\n", "peak of 90 Bq/mL is little after .* is in Bq/mL"),
    ],
)
def test_a_bad_arterial_curve_is_refused_with_its_name(tmp_path, text, words):
    path = tmp_path / "bad.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        scan(input_function=str(path))
    with pytest.raises(InputError, match=r"cannot read the arterial curve none.tsv"):
        scan(input_function=str(tmp_path / "none.tsv"))
    with pytest.raises(ParameterError, match="is not a table that ends in .tsv"):
        scan(input_function="curve.csv")


def test_deposits_bind_as_their_load_says():
    scan_of = lambda load: scan("pib", replace(subject_of_kinds(), densities={"amyloid": load})).truth  # noqa: E731
    none, half, full = (scan_of(np.full(10, load)) for load in (0.0, 0.5, 1.0))
    np.testing.assert_array_equal(half["load"], 0.5)
    np.testing.assert_allclose(half["vt"], (none["vt"] + full["vt"]) / 2, rtol=1e-9)
    assert (full["vt"] > none["vt"])[~CEREBELLUM].all()
    assert full["tacs"][0, -1] > 1.3 * none["tacs"][0, -1]


def test_metabolism_at_rest_is_the_subjects_own():
    person = subject_of_kinds()
    low = replace(person, densities={"metabolism": np.linspace(0.5, 1.0, 10)})
    np.testing.assert_allclose(scan(person=low).truth["ki"], np.linspace(0.5, 1, 10) * scan(person=person).truth["ki"])
