"""Imposed sources: closed forms of waveforms, statistics of trials, delivered coupling, independence, bad input.

Statistical tests state n and allow at least 3 standard errors (SE); they hold for three seeds.
"""

import json
import tomllib

import numpy as np
import pytest
from scipy.signal import csd, hilbert, welch
from scipy.special import hyp2f1

import fakeimaging as fi
from fakeimaging.activity.run import RunParameters
from fakeimaging.activity.stimuli import SourceSpec, imposed_sources
from fakeimaging.activity.stimuli.source_spec import Kind
from fakeimaging.activity.stimuli.waveforms import FWHM, WAVEFORMS
from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.core.streams import Streams
from fakeimaging.dataset.plan import plan
from fakeimaging.testing.fixtures import tiny_subject

SEEDS = [11, 12, 13]
HERE = {"near": (0.0, 0.0, 0.0), "moment": 1.0}


def make(*specs, duration=600.0, seed=1, conditions=()):
    """Return sources; each spec is a mapping that needs no place or size."""
    checked = RunParameters.parse(
        {"duration": duration, "sources": [{**HERE, **spec} for spec in specs], "conditions": conditions}
    )
    streams = Streams(seed).at("run")
    return imposed_sources(
        checked.sources, checked.presented(streams), tiny_subject().regions, duration, streams=streams
    )


def one(waveform, onsets=(1.0,), **more):
    return make({"name": "x", "waveform": waveform, "onsets": onsets, **more}, duration=20.0)[0]


def bell(s, middle, width):
    return np.exp(-((s - middle) ** 2) / (2 * width**2))


TIMES = np.arange(-0.5, 4.0, 1e-3)


@pytest.mark.parametrize(
    ("waveform", "more", "expected"),
    [
        ("gaussian", {"peak": 0.2, "width": 0.03}, lambda s: bell(s, 0.2, 0.03)),
        (
            "peaks",
            {"peaks": [[0.1, 0.01, -2.0], [0.3, 0.05, 0.5]]},
            lambda s: -2 * bell(s, 0.1, 0.01) + 0.5 * bell(s, 0.3, 0.05),
        ),
        ("n170", {}, lambda s: 0.4 * bell(s, 0.1, 0.015) - bell(s, 0.17, 0.02)),
        ("p1n1p2", {}, lambda s: 0.6 * bell(s, 0.1, 0.015) - bell(s, 0.17, 0.02) + 0.7 * bell(s, 0.23, 0.03)),
        ("p300", {}, lambda s: bell(s, 0.35, 0.07)),
        (
            "burst",
            {"frequency": 40.0, "peak": 0.5, "width": 0.05, "phase": 1.0, "phase_locked": True},
            lambda s: bell(s, 0.5, 0.05) * np.cos(2 * np.pi * 40 * (s - 0.5) + 1.0),
        ),
    ],
)
def test_waveforms_are_their_closed_forms(waveform, more, expected):
    source = one(waveform, moment=3.0, latency=0.1, **more)
    found = source.course(TIMES)
    assert np.abs(found - 3.0 * expected(TIMES - 1.1)).max() < 1e-7
    assert source.unit == "nAm"


def test_a_damped_sinusoid_peaks_at_one_and_dies_at_its_rate():
    found, since = one("damped", frequency=8.0, decay=0.2).course(TIMES), TIMES - 1.0
    assert found.max() == pytest.approx(1.0, abs=1e-3)
    assert (found[since < 0] == 0).all()
    crest, later = found[np.isclose(since, 0.031)], found[np.isclose(since, 0.031 + 0.125)]
    assert later / crest == pytest.approx(np.exp(-0.125 / 0.2), rel=1e-6)


def test_a_spike_is_as_short_as_spikes_are_and_a_slow_wave_follows():
    fine = np.arange(0.0, 4.0, 1e-4)
    found = one("spike").course(fine)
    peak = fine[found.argmax()]
    assert (peak, found.max()) == (pytest.approx(1.0, abs=1e-3), pytest.approx(1.0, abs=0.02))
    above = fine[(found > 0.05) & (np.abs(fine - 1.0) < 0.04)]
    assert 0.02 < above[-1] - above[0] < 0.07
    assert (
        np.abs(np.diff(found[fine < peak])).max() > np.abs(np.diff(found[(fine > peak) & (fine < peak + 0.02)])).max()
    )
    slow = found[fine > peak + 0.1]
    assert fine[fine > peak + 0.1][slow.argmax()] - 1.0 == pytest.approx(0.22, abs=1e-3)
    assert found[(fine > 1.02) & (fine < 1.08)].min() < -0.1


def test_samples_of_ones_own_are_joined_by_straight_lines():
    source = one("samples", samples=[0.0, 2.0, -1.0], sampling_rate=10.0, moment=5.0)
    assert source.course(np.array([0.99, 1.0, 1.05, 1.1, 1.15, 1.2, 1.21])) == pytest.approx([0, 0, 5, 10, 2.5, -5, 0])


def test_a_sinusoid_goes_on_through_the_run_and_before_it():
    source = make({"name": "x", "waveform": "sinusoid", "frequency": 7.0, "phase": 0.3, "moment": -2.0})[0]
    assert source.course(TIMES) == pytest.approx(-2 * np.sin(2 * np.pi * 7 * TIMES + 0.3), abs=1e-12)
    assert source.trials is None


def test_trials_add_where_they_overlap_and_a_density_has_its_unit():
    both = one("gaussian", onsets=(1.0, 1.01, 3.0), width=0.05).course(TIMES)
    each = sum(one("gaussian", onsets=(t,), width=0.05).course(TIMES) for t in (1.0, 1.01, 3.0))
    assert both == pytest.approx(each, abs=1e-12)
    patch = one("gaussian", near=(0.0, 0.0, 0.0), moment=None, density=0.2, extent=10.0)
    assert (patch.total, one("gaussian").total, patch.extent, patch.point) == (False, True, 10.0, (0, 0, 0))
    assert (patch.unit, patch.course(np.array([1.1]))[0]) == ("nAm/mm2", pytest.approx(0.2))


@pytest.mark.parametrize("seed", SEEDS)
def test_jitter_has_the_spread_asked_for(seed):
    """n = 4000 trials: SE of an SD is SD / 89, of the mean amplitude SD / 63."""
    onsets = np.linspace(1, 590, 4000).tolist()
    spec = {
        "name": "x",
        "waveform": "gaussian",
        "onsets": onsets,
        "latency": 0.05,
        "latency_jitter": 0.02,
        "amplitude_jitter": 0.4,
    }
    trials = make(spec, seed=seed)[0].trials
    assert trials.onset == pytest.approx(onsets)
    assert trials.latency.mean() == pytest.approx(0.05, abs=3 * 0.02 / 63)
    assert trials.latency.std() == pytest.approx(0.02, rel=3 / 89)
    assert np.log(trials.amplitude).std() == pytest.approx(0.4, rel=3 / 89)
    assert trials.amplitude.mean() == pytest.approx(1.0, abs=3 * np.sqrt(np.expm1(0.4**2)) / 63)
    assert abs(np.corrcoef(trials.latency, trials.amplitude)[0, 1]) < 3 / 63


@pytest.mark.parametrize("seed", SEEDS)
def test_events_at_a_rate_are_a_poisson_process(seed):
    """1200 expected: SE 35; intervals of an exponential distribution have SD = mean, SE of the ratio about 1 / 35."""
    trials = make({"name": "x", "waveform": "spike", "rate": 2.0}, seed=seed)[0].trials
    assert abs(len(trials.onset) - 1200) < 3 * 35
    gaps = np.diff(trials.onset)
    assert gaps.min() > 0
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=3 / 35)


@pytest.mark.parametrize("seed", SEEDS)
def test_bursts_are_induced_unless_phase_locked(seed):
    """n = 900 trials: their mean over trials is 1 of phase-locked ones, and about 1 / 30 of random phase."""
    onsets = np.arange(900) * 0.6 + 1
    spec = {"name": "x", "waveform": "burst", "onsets": onsets.tolist(), "peak": 0.2, "width": 0.03, "frequency": 20.0}
    at_peak = onsets + 0.2
    locked = make({**spec, "phase_locked": True}, seed=seed)[0].course(at_peak)
    assert locked == pytest.approx(1.0, abs=1e-6)
    random = make(spec, seed=seed)[0]
    found = random.course(at_peak)
    assert found == pytest.approx(np.cos(random.trials.phase), abs=1e-6)
    assert abs(found.mean()) < 3 * np.sqrt(0.5 / 900)
    assert (found**2).mean() == pytest.approx(0.5, abs=3 * np.sqrt(0.125 / 900))


def test_events_and_their_sizes_come_from_the_conditions_of_the_run():
    shown = {"trial_type": "face", "kind": "cortex", "onsets": [5.0, 2.0], "modulation": [2.0, 0.5], "duration": 1.0}
    spec = {"name": "x", "waveform": "n170", "trial_type": "face"}
    sized, plain = (make({**spec, "modulation": m}, duration=20.0, conditions=[shown])[0].trials for m in (True, False))
    assert sized.onset.tolist() == plain.onset.tolist() == [2.0, 5.0]
    assert (sized.amplitude.tolist(), plain.amplitude.tolist()) == ([0.5, 2.0], [1.0, 1.0])


LEADER = {"name": "a", "waveform": "rhythm", "frequency": 10.0, "bandwidth": 4.0}
RATE = 250.0
RUN = np.arange(0, 600, 1 / RATE)


def coherency(x, y, nperseg=500):
    _, cross = csd(x, y, RATE, nperseg=nperseg)
    frequencies, own = welch(x, RATE, nperseg=nperseg)
    return frequencies, cross / np.sqrt(own * welch(y, RATE, nperseg=nperseg)[1])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("coupling", "lag"), [(0.8, 0.02), (0.5, -0.015)])
def test_delivered_coherence_and_lag_are_those_asked_for(seed, coupling, lag):
    """Nine frequencies in the band, 600 s in segments of 2 s: at each SE (1 - c^2) / sqrt(2 n) with n about 300 x 1.5 effective."""
    follower = {**LEADER, "name": "b", "follows": "a", "coupling": coupling, "lag": lag}
    a, b = make(LEADER, follower, seed=seed)
    frequencies, found = coherency(a.course(RUN), b.course(RUN))
    band = (frequencies > 8) & (frequencies < 12)
    true = a.coherence(b, frequencies[band])
    assert np.abs(true) == pytest.approx(coupling, abs=1e-9)
    assert np.angle(true) == pytest.approx(-2 * np.pi * frequencies[band] * lag, abs=1e-9)
    se = (1 - coupling**2) / np.sqrt(2 * 450)
    assert np.abs(np.abs(found[band]) - coupling).max() < 4.5 * se
    assert np.abs(found[band].mean() - true.mean()) < 3 * se / np.sqrt(3)
    assert np.abs(np.angle(found[band] / true)).max() < 4.5 * se / (coupling * np.sqrt(1 - coupling**2))


def test_coherence_of_unequal_spectra_and_of_chains_is_known():
    follower = {**LEADER, "name": "b", "follows": "a", "coupling": 0.6, "lag": 0.01, "frequency": 12.0}
    third = {**LEADER, "name": "c", "follows": "b", "coupling": 0.5, "phase_lag": np.pi / 2}
    a, b, c = make(LEADER, follower, third)
    frequencies = np.array([9.0, 10.0, 12.0])
    shape = [np.exp(-(((frequencies - f) / (4 / FWHM)) ** 2) / 2) for f in (10.0, 12.0)]
    in_b = 0.36 * shape[0] + 0.64 * shape[1]
    assert np.abs(a.coherence(b, frequencies)) == pytest.approx(0.6 * np.sqrt(shape[0] / in_b))
    in_c = 0.25 * in_b + 0.75 * shape[0]
    assert np.abs(b.coherence(c, frequencies)) == pytest.approx(0.5 * np.sqrt(in_b / in_c))
    assert np.abs(a.coherence(c, frequencies)) == pytest.approx(0.3 * np.sqrt(shape[0] / in_c))
    assert np.angle(a.coherence(c, frequencies)) == pytest.approx(-2 * np.pi * frequencies * (0.01 + 0.25 / 12))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("coupling", [1.0, 0.7])
def test_a_shared_envelope_correlates_and_its_phase_does_not(seed, coupling):
    """600 s of 4 Hz bandwidth are about 2500 independent values: SE of a correlation 0.02; segments as above."""
    follower = {**LEADER, "name": "b", "follows": "a", "coupling": coupling, "envelope": True, "frequency": 21.0}
    a, b = make(LEADER, follower, seed=seed)
    x, y = a.course(RUN), b.course(RUN)
    assert y.std() == pytest.approx(1.0, rel=0.06)
    power = [np.abs(hilbert(course)) ** 2 for course in (x, y)]
    assert np.corrcoef(*power)[0, 1] == pytest.approx(coupling**2, abs=0.06)
    closed = (np.pi / 4) * (hyp2f1(-0.5, -0.5, 1, coupling**2) - 1) / (1 - np.pi / 4)
    assert np.corrcoef(*np.sqrt(power))[0, 1] == pytest.approx(closed, abs=0.06)
    same = make(LEADER, {**follower, "frequency": 10.0}, seed=seed)[1]
    frequencies, found = coherency(x, same.course(RUN))
    band = (frequencies > 8) & (frequencies < 12)
    assert np.sqrt((np.abs(found[band]) ** 2).mean()) < 3 / np.sqrt(450)
    assert (a.coherence(same, frequencies) == 0).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_spectra_are_the_closed_forms(seed):
    """600 s in segments of 2 s with overlap: SE of a power about 1 / sqrt(450), of its log over 20 values 0.011."""
    rhythm, noise, shared = make(
        LEADER, {"name": "n", "waveform": "noise", "exponent": 1.5, "band": (0.5, 60.0)},
        {**LEADER, "name": "e", "follows": "a", "envelope": True}, seed=seed,
    )  # fmt: skip
    frequencies, power = welch(noise.course(RUN), RATE, nperseg=2500)
    band = (frequencies > 0.3) & (frequencies < 58)
    ratio = power[band] / noise.ongoing.spectrum(frequencies[band])
    assert abs(np.log(ratio).mean()) < 0.03
    falls = np.polyfit(np.log(frequencies[band][50:]), np.log(power[band][50:]), 1)[0]
    assert falls == pytest.approx(-1.5, abs=0.05)
    assert power[frequencies > 80].max() < 1e-4 * power[band].min()
    for source in (rhythm, shared):
        frequencies, power = welch(source.course(RUN), RATE, nperseg=2500)
        middle = (power * frequencies).sum() / power.sum()
        width = np.sqrt((power * (frequencies - middle) ** 2).sum() / power.sum())
        assert (middle, width) == (pytest.approx(10.0, abs=0.15), pytest.approx(4 / FWHM, rel=0.06))
        assert power.sum() * 0.1 == pytest.approx(1.0, rel=0.07)
    closed = rhythm.ongoing.spectrum(np.arange(0, 40, 0.1))
    assert closed.sum() * 0.1 == pytest.approx(1.0, abs=1e-6)


def test_a_follower_in_trials_shares_their_draws():
    """n = 4000 trials: SE of a correlation 0.016."""
    leader = {
        "name": "a",
        "waveform": "spike",
        "rate": 6.6,
        "latency": 0.2,
        "latency_jitter": 0.01,
        "amplitude_jitter": 0.3,
    }
    copy = {"name": "copy", "waveform": "gaussian", "follows": "a", "lag": 0.03}
    late = {**copy, "name": "late", "latency": 0.1}
    half = {"name": "half", "waveform": "spike", "follows": "a", "lag": 0.03, "coupling": 0.5}
    a, copied, later, shared = (source.trials for source in make(leader, copy, late, half))
    assert copied.begins == pytest.approx(a.begins + 0.03, abs=1e-12)
    assert later.begins == pytest.approx(a.begins + 0.13, abs=1e-12)
    assert copied.amplitude == pytest.approx(a.amplitude)
    assert (shared.onset == a.onset).all()
    assert shared.latency.std() == pytest.approx(0.01, rel=3 / 89)
    assert np.corrcoef(shared.latency, a.latency)[0, 1] == pytest.approx(0.5, abs=3 * 0.016)
    assert np.corrcoef(np.log(shared.amplitude), np.log(a.amplitude))[0, 1] == pytest.approx(0.5, abs=3 * 0.016)


@pytest.mark.parametrize("seed", SEEDS)
def test_coupled_bursts_are_coherent_over_trials(seed):
    """n = 3000 trials: SE of the coherence about (1 - c^2) / sqrt(2 n) = 0.007."""
    leader = {"name": "a", "waveform": "burst", "rate": 5.0}
    a, b = (
        s.trials
        for s in make(
            leader, {"name": "b", "waveform": "burst", "follows": "a", "coupling": 0.7, "lag": 0.01}, seed=seed
        )
    )
    turns = [t.amplitude * np.exp(1j * t.phase) for t in (a, b)]
    found = (turns[1] * turns[0].conj()).mean() / np.sqrt(
        (np.abs(turns[0]) ** 2).mean() * (np.abs(turns[1]) ** 2).mean()
    )
    assert abs(found - 0.7) < 4 * 0.013
    assert (np.abs(turns[1]) ** 2).mean() == pytest.approx(1.0, abs=4 * np.sqrt(2 * 0.49 * 0.51 / 3000))


EVERYTHING = [
    LEADER,
    {**LEADER, "name": "lagged", "follows": "a", "coupling": 0.4, "lag": 0.0123},
    {**LEADER, "name": "shared", "follows": "lagged", "envelope": True, "coupling": 0.8},
    {"name": "pink", "waveform": "noise"},
    {"name": "line", "waveform": "sinusoid"},
    {"name": "own", "waveform": "samples", "samples": [0.5, 1.0, 0.2], "sampling_rate": 3.0, "rate": 1.0},
    *(
        {"name": w, "waveform": w, "rate": 1.0, "latency_jitter": 0.01}
        for w in ("gaussian", "n170", "damped", "burst", "spike")
    ),
]


def test_a_course_has_the_same_bits_however_a_run_is_cut():
    sources = make(*EVERYTHING, duration=100.0)
    times = np.arange(-2, 101, 1 / 333.0)
    cuts = np.sort(np.random.default_rng(5).choice(len(times), 40, replace=False))
    parts = np.split(times, [1, 2, 5, *cuts[cuts > 5]])
    for source, again in zip(sources, make(*EVERYTHING, duration=100.0), strict=True):
        whole = source.course(times)
        backwards = [again.course(part) for part in reversed(parts)]
        assert np.array_equal(whole, np.concatenate(backwards[::-1])), source.name
        assert np.isfinite(whole).all()
        assert np.abs(whole).max() > 0.1
    assert sources[0].course(np.zeros(0)).shape == (0,)
    assert sources[-1].course(np.zeros(0)).shape == (0,)


def test_the_sampling_rate_has_no_part_in_a_course():
    for source in make(*EVERYTHING, duration=100.0):
        fine, coarse = source.course(np.arange(0, 20, 1 / 1000)), source.course(np.arange(0, 20, 1 / 250))
        assert fine[::4] == pytest.approx(coarse, abs=1e-9), source.name


def test_a_source_changes_no_other_and_no_tap():
    times = np.arange(0, 100, 1e-2)
    alone, few = make(LEADER, duration=100.0), make(*EVERYTHING[::-1], duration=100.0)
    assert (alone[0].course(times) == few[-1].course(times)).all()
    other = make({**LEADER, "name": "z"}, duration=100.0)[0].course(times)
    assert abs(np.corrcoef(alone[0].course(times), other)[0, 1]) < 0.2
    jittered = {**EVERYTHING[-1], "amplitude_jitter": 0.3}
    assert (make(jittered)[0].trials.latency == make(EVERYTHING[-1])[0].trials.latency).all()
    sources = [{**HERE, **spec} for spec in EVERYTHING]
    bare, full = (fi.simulate_activity(tiny_subject(), model="linear", duration=2.0, sources=s) for s in ((), sources))
    assert bare.sources == ()
    assert [source.name for source in full.sources] == [spec["name"] for spec in EVERYTHING]
    for name, tap in bare.taps.items():
        assert (tap.by_region == full.taps[name].by_region).all()
    again = fi.simulate_activity(tiny_subject(), model="linear", duration=2.0, sources=sources, run=2)
    assert abs(np.corrcoef(*(run.sources[0].course(times) for run in (full, again)))[0, 1]) < 0.2
    both = fi.simulate_activities(
        tiny_subject(), [{"run": 1}, {"run": 2}], model="linear", duration=2.0, sources=sources
    )
    for one_by_one, side_by_side in zip((full, again), both, strict=True):
        for x, y in zip(one_by_one.sources, side_by_side.sources, strict=True):
            assert (x.course(times) == y.course(times)).all()


def test_places_are_regions_patches_or_points():
    regions = tiny_subject().regions
    name = regions[2].name
    whole, patch, network, point, round_point = (
        source.place
        for source in make(
            {"name": "1", "region": name, "near": None, "waveform": "noise"},
            {"name": "2", "region": name, "near": None, "extent": 12.0, "waveform": "noise"},
            {"name": "3", "region": "network:NetA", "near": None, "waveform": "noise"},
            {"name": "4", "near": (10, -20, 30), "waveform": "noise"},
            {"name": "5", "near": (10, -20, 30), "extent": 8.0, "waveform": "noise"},
        )
    )
    assert (whole.regions, whole.extent, whole.point) == ((2,), None, pytest.approx(regions[2].centroid))
    assert (patch.regions, patch.extent) == ((2,), 12.0)
    assert network.regions == tuple(i for i, region in enumerate(regions) if region.network == "NetA")
    assert (point.point, point.regions, point.extent) == ((10, -20, 30), (), 0.0)
    assert round_point.extent == 8.0


def test_the_truth_is_json_and_holds_every_trial():
    for source in make(*EVERYTHING, duration=20.0):
        told = json.loads(json.dumps(source.to_dict()))
        assert SourceSpec.parse(told["spec"]) == source.spec
        assert ("trials" in told) == (source.trials is not None)
        if source.trials is not None:
            assert told["trials"]["latency"] == source.trials.latency.tolist()


def test_the_registry_is_what_a_study_may_say_and_highest_frequencies_are_true():
    assert set(Kind.__args__) == set(WAVEFORMS)
    times = np.arange(0, 60, 1 / 4000)
    for source in make(*EVERYTHING, duration=60.0):
        if source.spec.waveform == "samples":
            continue
        frequencies, power = welch(source.course(times), 4000, nperseg=16384)
        assert power[frequencies > 1.05 * source.highest + 1].sum() < 2e-3 * power.sum(), source.name


def problem(*specs, **more):
    with pytest.raises(ParameterError) as caught:
        make(*specs, **more)
    return "\n".join(caught.value.problems)


ALPHA = {"name": "a", "waveform": "rhythm"}
ERP = {"name": "a", "waveform": "gaussian", "onsets": [1.0]}


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ([{**ALPHA, "density": 0.1}], "`sources[0].moment`: give either the `moment`"),
        ([{**ALPHA, "moment": None}], "`sources[0].moment`: give either"),
        ([{**ALPHA, "moment": None, "density": 0.1}], "`sources[0].density`: a single dipole has no area"),
        ([{**ALPHA, "region": "x"}], "`sources[0].region`: give either a `region` or template coordinates"),
        ([{**ALPHA, "waveform": "rythm"}], "did you mean 'rhythm'?"),
        (
            [{**ALPHA, "width": 0.1}],
            "`sources[0].width`: waveform 'rhythm' has no use for it; it belongs to 'gaussian' or",
        ),
        ([{**ALPHA, "bandwidth": 12.0}], "`sources[0].bandwidth`: 12 Hz is wider than the 10 Hz in its middle"),
        ([{**ALPHA, "frequncy": 9.0}], "`sources[0].frequncy`: no such key; did you mean 'frequency'?"),
        ([{**ALPHA, "rate": 1.0}], "`sources[0].rate`: waveform 'rhythm' goes on through the run"),
        ([{**ERP, "rate": 1.0}], "`sources[0].rate`: it has events from `onsets` already"),
        ([{**ERP, "onsets": None}], "`sources[0].trial_type`: waveform 'gaussian' needs events"),
        ([{**ERP, "onsets": [700.0]}], "`sources`: 'a': onset 700 s lies outside the run of 600 s"),
        ([{**ERP, "onsets": None, "trial_type": "face"}], "'a': no condition of the run has the trial_type 'face'"),
        ([{**ERP, "waveform": "peaks"}], "`sources[0].peaks`: missing; waveform 'peaks' needs it"),
        ([{**ERP, "waveform": "peaks", "peaks": [[0.1, 0.0, 1.0]]}], "`sources[0].peaks`: each is a time in s"),
        ([{**ERP, "waveform": "samples", "samples": [1.0], "sampling_rate": 10.0}], "at least 2 are needed"),
        ([{**ERP, "coupling": 0.5}], "`sources[0].coupling`: it follows no source"),
        ([{**ERP, "latency": 30.0}], "`sources[0].latency`: 30 s is outside [0, 10]"),
        ([{**ALPHA, "name": " "}], "`sources[0].name`: ' ' cannot stand in a table"),
        ([ALPHA, ALPHA], "two of them are called 'a'"),
        ([ALPHA, {**ALPHA, "name": "b", "follows": "aa"}], "'b': there is no source 'aa' to follow; did you mean 'a'?"),
        (
            [{**ALPHA, "follows": "b"}, {**ALPHA, "name": "b", "follows": "a"}],
            "'a' follows itself: 'a' follows 'b' follows 'a'",
        ),
        ([{**ALPHA, "follows": "a"}], "'a' follows itself: 'a' follows 'a'"),
        (
            [ALPHA, {**ERP, "name": "b", "onsets": None, "follows": "a"}],
            "'b': a gaussian cannot follow the rhythm of 'a'",
        ),
        ([ALPHA, {"name": "b", "waveform": "sinusoid", "follows": "a"}], "a sinusoid has its own `phase`"),
        (
            [ALPHA, {**ALPHA, "name": "b", "follows": "a", "lag": 0.1, "phase_lag": 1.0}],
            "`sources[1].lag`: give either `lag`",
        ),
        ([ERP, {**ERP, "name": "b", "follows": "a"}], "`sources[1].onsets`: it follows 'a' and has its events"),
        (
            [ERP, {**ERP, "name": "b", "onsets": None, "follows": "a", "phase_lag": 1.0}],
            "'a' has no frequency that `phase_lag`",
        ),
        ([{"name": "n", "waveform": "noise", "band": [0.02, 300.0]}], "[0.02, 300.0] Hz is wider than 10000 to 1"),
        (
            [{"name": "n", "waveform": "noise", "band": [100.0, 1.0]}],
            "`sources[0].band`: [100.0, 1.0] Hz is no rising pair",
        ),
        (
            [{"name": "n", "waveform": "noise"}, {"name": "m", "waveform": "noise", "follows": "n", "envelope": True}],
            "`sources[1].envelope`: it belongs to waveform 'rhythm'",
        ),
        ([{**ALPHA, "near": [0, 0, 9000]}], "`run.sources[0].near`: (0, 0, 9000) lies"),
        ([{**ALPHA, "near": None, "region": "network:NetAA"}], "no such network as 'NetAA'; did you mean 'NetA'?"),
        ([{**ALPHA, "near": None, "region": "all", "extent": 9.0}], "`run.sources[0].extent`: 'all' means 10 regions"),
    ],
)
def test_what_cannot_be_is_told_with_its_place(specs, message):
    assert message in problem(*specs)


def test_the_spectrum_of_a_borrowed_envelope_is_not_made_up():
    a, b, c = make(
        LEADER, {**LEADER, "name": "b", "follows": "a", "envelope": True}, {**LEADER, "name": "c", "follows": "b"}
    )
    with pytest.raises(InputError, match="no closed form"):
        b.coherence(c, np.array([10.0]))


STUDY = """
seed = 1
[subject]
anatomy = "tiny"
[[sessions]]
[[sessions.runs]]
task = "faces"
duration = 80.0
model = "linear"
[[sessions.runs.conditions]]
trial_type = "face"
kind = "cortex"
onsets = [10.0, 60.0]
[[sessions.runs.sources]]
name = "left"
near = [-40, -50, -20]
extent = 10.0
density = 0.2
waveform = "n170"
trial_type = "face"
[[sessions.runs.sources]]
name = "right"
region = "REGION"
moment = 20.0
waveform = "n170"
follows = "left"
lag = 0.01
[[sessions.runs.sources]]
name = "spikes"
near = [40, 0, -30]
moment = 50.0
waveform = "spike"
onsets = [3.0, 70.0]
[[sessions.acquisitions]]
modality = "bold"
task = "faces"
"""


def study(text):
    return fi.Study.check(tomllib.loads(text))


def test_a_study_holds_sources_and_finds_its_mistakes_before_anything_runs():
    sound = STUDY.replace("REGION", tiny_subject().regions[0].name)
    read = study(sound)
    assert fi.Study.check(read.content()) == read
    assert plan(read)
    assert read.sessions[0].runs[0].sources[0].density == 0.2
    small = read.small().sessions[0].runs[0]
    assert [source.onsets for source in small.sources] == [None, None, (3.0,)]
    with pytest.raises(
        ParameterError, match=r"`sessions\[0\].runs\[0\].sources\[1\].region`: .* no such region as 'REGION'"
    ):
        plan(study(STUDY))
    for wrong, message in (
        (sound.replace('follows = "left"', 'follows = "lef"'), "no source 'lef' to follow; did you mean 'left'?"),
        (
            sound.replace("70.0]", "90.0]"),
            "`sessions[0].runs[0].sources`: 'spikes': onset 90 s lies outside the run of 80 s",
        ),
        (
            sound.replace('trial_type = "face"\n[[', 'trial_type = "fase"\n[['),
            "has the trial_type 'fase'; did you mean 'face'?",
        ),
        (
            sound.replace("lag = 0.01", "lag = 100.0"),
            "`sessions[0].runs[0].sources[1].lag`: 100 s is outside [-10, 10]",
        ),
    ):
        with pytest.raises(ParameterError) as caught:
            study(wrong)
        assert message in str(caught.value)


def test_sources_come_back_from_disk_as_they_were(tmp_path):
    sound = STUDY.replace("REGION", tiny_subject().regions[0].name)
    fi.simulate_study(study(sound).small(), tmp_path / "data", jobs=1)
    subject, read = fi.make_subject("01", seed=1, anatomy="tiny"), study(sound).small().sessions[0].runs[0]
    made = fi.simulate_activity(subject, model=read.model, task="faces", **read.timing).sources
    loaded = fi.load(tmp_path / "data").activity("01", task="faces").sources
    assert [source.to_dict() for source in loaded] == [source.to_dict() for source in made]
    times = np.arange(0, 40, 0.004)
    assert all((x.course(times) == y.course(times)).all() for x, y in zip(loaded, made, strict=True))


def test_a_condition_that_a_small_study_has_no_room_for_leaves_its_source_without_trials():
    text = STUDY.replace("REGION", tiny_subject().regions[0].name).replace("[10.0, 60.0]", "[50.0]")
    small = study(text).small()
    assert small.sessions[0].runs[0].sources[0].onsets == ()
    assert plan(small)


def test_a_wrong_waveform_is_the_only_problem_told():
    with pytest.raises(ParameterError) as caught:
        SourceSpec.parse({"name": "a", "near": [-50, -10, -20], "moment": 20.0, "waveform": "spikes", "onsets": [3.0]})
    (line,) = caught.value.problems
    assert line.startswith("`waveform`: 'spikes' is not")
    assert line.endswith("did you mean 'spike'?")


def test_a_place_in_metres_is_refused():
    with pytest.raises(ParameterError, match=r"`near`: .* did you mean \(-50, -10, -20\) mm"):
        SourceSpec.parse({"name": "a", "near": [-0.05, -0.01, -0.02], "moment": 20.0, "onsets": [3.0]})


def test_a_size_told_in_ampere_metres_is_refused():
    with pytest.raises(ParameterError, match="moment`: 2e-08 is next to nothing in nAm; told in Am, it is 20"):
        one("gaussian", moment=20e-9)
    assert one("gaussian", moment=2e-5).total
