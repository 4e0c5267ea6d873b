"""Shapes of stimuli against their closed forms: area, frequency, variance, autocorrelation; the same bits for any blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import hilbert

import fakeimaging as fi
from fakeimaging.activity.stimuli import Condition, make_stimulus
from fakeimaging.core.errors import FakeImagingError, InputError, ParameterError
from fakeimaging.core.streams import Streams
from fakeimaging.testing.fixtures import tiny_subject

STEP = 1e-3
EVENT = {"trial_type": "x", "network": "NetB", "onsets": [1.0], "duration": 4.0, "latency": 0.0}
PULSES = {**EVENT, "shape": "pulses", "pulse_rate": 7.0, "pulse_width": 0.013}
SINE = {**EVENT, "shape": "sine", "frequency": 13.0}
CHIRP = {**EVENT, "shape": "chirp", "frequency": 5.0, "end_frequency": 45.0}
NOISE = {**EVENT, "shape": "noise", "time_constant": 0.05}
BAND = {**EVENT, "shape": "noise", "band": [2.0, 12.0]}


def stimulus(condition, *, duration=5000.0, step=STEP, seed=1):
    regions = tiny_subject().regions
    return make_stimulus([Condition.parse(condition)], regions, duration, step=step, streams=Streams(seed))


def course(condition, times, **settings):
    return stimulus(condition, **settings).course(times)[0]


@given(
    width=st.floats(1e-4, 0.06),
    onset=st.floats(0, 1),
    step=st.sampled_from([1e-4, 3e-4, 1e-3, 2e-3]),
    edge=st.sampled_from(["cosine", "rectangle"]),
)
def test_pulses_deliver_their_area_at_any_phase_and_step(width, onset, step, edge):
    train = {**PULSES, "pulse_width": width, "pulse_edge": edge, "onsets": [onset]}
    found = course(train, np.arange(0, 6, step), step=step)
    n = int((4.0 - width + 1e-6) * 7) + 1
    assert found.sum() * step == pytest.approx(n * width, rel=1e-9)
    assert found.min() > -1e-9
    assert found.max() < 1 + 1e-9


def test_a_pulse_has_the_height_and_the_form_asked_for():
    times = np.arange(0, 6, 1e-5)
    for edge, expected in (("rectangle", 1.0), ("cosine", 0.5)):
        found = course({**PULSES, "pulse_edge": edge, "pulse_width": 0.05, "pulse_rate": 10.0}, times, step=1e-5)
        on = np.flatnonzero(found > 1e-9) * 1e-5
        assert on[0] == pytest.approx(1.0, abs=1e-3)
        assert found[:99_999].max() == 0
        assert found.max() == pytest.approx(1, abs=1e-6)
        assert found[round(1.325e5)] == pytest.approx(expected, abs=1e-3)  # half a width into the fourth pulse
    # Ten pulses of a second follow each other by a tenth of it.
    starts = np.flatnonzero(np.diff((course({**PULSES, "pulse_rate": 10.0}, times, step=1e-5) > 0.5).astype(int)) == 1)
    np.testing.assert_allclose(np.diff(starts) * 1e-5, 0.1, atol=2e-5)
    assert len(starts) == 40


def test_a_sine_has_its_frequency_phase_and_amplitude():
    times = 1.0 + np.arange(0, 4, STEP)
    for phase in (0.0, 1.2):
        found = course({**SINE, "phase": phase, "rise": 0.001}, times)
        line = np.fft.rfft(found) * 2 / len(times)
        assert np.argmax(np.abs(line)) == 13 * 4
        assert abs(line[52]) == pytest.approx(1, abs=1e-3)
        assert np.angle(line[52] * 1j) == pytest.approx(phase, abs=1e-3)


@pytest.mark.parametrize(("low", "high"), [(5.0, 45.0), (60.0, 10.0)])
def test_the_instantaneous_frequency_of_a_chirp_is_linear(low, high):
    step = 1e-4
    times = np.arange(1, 5, step)
    found = course({**CHIRP, "frequency": low, "end_frequency": high, "rise": 0.2, "phase": 0.3}, times, step=step)
    frequency = np.diff(np.unwrap(np.angle(hilbert(found)))) / (2 * np.pi * step)
    middle = (times[1:] + times[:-1]) / 2 - 1
    inner = (middle > 0.6) & (middle < 3.4)
    smooth = np.convolve(frequency, np.ones(1000) / 1000, "same")
    np.testing.assert_allclose(smooth[inner], (low + (high - low) * middle / 4)[inner], rtol=0.02)
    exact = np.sin(2 * np.pi * (low * 2 + (high - low) * 4 / 8) + 0.3)
    assert found[round(2 / step)] == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("seed", [31, 32, 33])
def test_relaxing_noise_has_its_variance_and_autocorrelation(seed):
    tau, length = 0.05, 2000.0
    long = {**NOISE, "onsets": [0.0], "duration": length, "time_constant": tau}
    x = course(long, 0.1 + np.arange(0, length - 0.2, STEP), seed=seed)
    error = (2 * tau / length) ** 0.5  # of every product mean; n = length / (2 tau) = 20 000 independent samples
    assert abs(x.mean()) < 4 * error
    for lag in (0, 10, 50, 150):
        assert np.mean(x[lag:] * x[: len(x) - lag]) == pytest.approx(np.exp(-lag * STEP / tau), abs=4 * error)
    assert np.mean(x**4) == pytest.approx(3, abs=4 * (96 * tau / length / 4) ** 0.5)


@pytest.mark.parametrize("seed", [31, 32, 33])
def test_noise_of_a_band_lies_in_it(seed):
    low, high, length = 2.0, 12.0, 2000.0
    long = {**BAND, "onsets": [0.0], "duration": length}
    x = course(long, 0.1 + np.arange(0, length - 0.2, STEP), seed=seed)
    error = (1 / ((high - low) * length)) ** 0.5
    for lag in (0, 20, 70, 130):
        u = lag * STEP
        exact = np.cos(np.pi * (low + high) * u) * np.sinc((high - low) * u)
        assert np.mean(x[lag:] * x[: len(x) - lag]) == pytest.approx(exact, abs=4 * error)
    power, frequency = np.abs(np.fft.rfft(x)) ** 2, np.fft.rfftfreq(len(x), STEP)
    soft = 2 * (high - low) / 64
    outside = (frequency < low - soft) | (frequency > high + soft)
    assert power[outside].sum() < 1e-3 * power.sum()
    halves = [power[(frequency > edge) & (frequency < edge + 4.8)].sum() for edge in (2.1, 7.1)]
    assert halves[0] == pytest.approx(halves[1], rel=4 * (2 / (4.8 * length)) ** 0.5)


@pytest.mark.parametrize("seed", [31, 32, 33])
def test_each_region_may_have_noise_of_its_own(seed):
    long = {**NOISE, "onsets": [0.0], "duration": 500.0, "amplitude": 0.01}
    shared, own = (stimulus({**long, "independent": wish}, seed=seed) for wish in (False, True))
    times = np.arange(0.1, 500, 5e-3)
    names = [region.network for region in tiny_subject().regions]
    assert shared.gain.shape == (1, 10)
    np.testing.assert_array_equal(own.gain, 0.01 * np.eye(10)[np.array(names) == "NetB"])
    correlation = np.corrcoef(own.course(times))
    off = correlation[~np.eye(len(correlation), dtype=bool)]
    assert np.abs(off).max() < 4.5 * (0.05 / 500) ** 0.5  # the largest of six pairs; n = 10 000 each


def test_two_conditions_of_one_name_and_two_runs_have_noise_of_their_own():
    twice = [Condition.parse(NOISE), Condition.parse({**NOISE, "onsets": [1.5]})]
    both = make_stimulus(twice, tiny_subject().regions, 10.0, step=STEP, streams=Streams(1))
    one, two = both.course(np.arange(2, 5, STEP))
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.5
    assert (course(NOISE, np.arange(2, 5, STEP)) == one).all()
    assert not (course(NOISE, np.arange(2, 5, STEP), seed=2) == one).any()


@pytest.fixture
def own_course(tmp_path):
    """A file of one column at 100 Hz, 5 s long."""
    samples = Streams(5).at("test").rng().standard_normal(501)
    np.save(tmp_path / "mine.npy", samples)
    return samples, {**EVENT, "shape": "file", "file": str(tmp_path / "mine.npy"), "sampling_rate": 100.0}


def test_a_file_is_joined_by_straight_lines(own_course):
    samples, condition = own_course
    times = np.arange(0, 7, STEP)
    found = course({**condition, "latency": 0.25}, times)
    inside = (times >= 1.25) & (times <= 5.25)
    np.testing.assert_allclose(found[inside], np.interp(times[inside] - 1.25, np.arange(501) / 100, samples), atol=1e-9)
    assert not found[~inside].any()


def test_columns_go_to_the_regions_of_their_names(tmp_path):
    names = [region.name for region in tiny_subject().regions if region.network == "NetB"]
    values = Streams(6).at("test").rng().standard_normal((401, len(names)))
    text = "\n".join(",".join(map(repr, row)) for row in values[:, ::-1].tolist())
    (tmp_path / "mine.csv").write_text(",".join(names[::-1]) + "\n" + text + "\n")
    np.save(tmp_path / "mine.npy", values)
    condition = {**EVENT, "shape": "file", "sampling_rate": 100.0, "amplitude": 0.1}
    times = np.arange(1, 5, STEP)
    felt = [
        made.gain.T @ made.course(times)
        for made in (stimulus({**condition, "file": str(tmp_path / name)}) for name in ("mine.csv", "mine.npy"))
    ]
    np.testing.assert_array_equal(felt[0], felt[1])
    rows = np.flatnonzero([region.network == "NetB" for region in tiny_subject().regions])
    np.testing.assert_allclose(felt[0][rows][:, ::10], 0.1 * values[:400].T, atol=1e-9)
    assert not np.delete(felt[0], rows, axis=0).any()


@pytest.mark.parametrize("kind", ["pulses", "sine", "chirp", "noise", "band", "independent", "file"])
def test_blocks_of_time_leave_no_trace(kind, own_course):
    own = {"pulses": PULSES, "sine": SINE, "chirp": CHIRP, "noise": NOISE, "band": BAND, "file": own_course[1]}
    condition = own.get(kind, {**NOISE, "independent": True})
    condition = {**condition, "onsets": None, "onset": 0.5037, "period": 4.2, "latency": 0.0301}
    times = np.arange(100_000) * STEP
    whole = stimulus(condition, duration=100.0).course(times)
    for n in (7, 263):
        again = stimulus(condition, duration=100.0)
        assert (np.concatenate([again.course(part) for part in np.array_split(times, n)], axis=1) == whole).all()
    backwards = [again.course(part) for part in reversed(np.array_split(times, 7))]
    assert (np.concatenate(backwards[::-1], axis=1) == whole).all()
    assert (whole != 0).any(axis=1).all()


def test_a_step_that_a_pulse_begins_in_has_its_share_whichever_block_it_ends():
    times = np.arange(990, 1010) * STEP
    train = {**PULSES, "pulse_edge": "rectangle", "onsets": [1.0004]}
    whole = course(train, times)
    np.testing.assert_allclose(whole[9:12], [0, 0.6, 1], atol=1e-9)
    assert ([course(train, times[k : k + 1])[0] for k in range(20)] == whole).all()


@pytest.mark.parametrize("seed", [31, 32, 33])
def test_chunks_leave_no_trace_in_noise(seed):
    """Around the places where one ends, variance and memory are those of everywhere; n = 970 of them."""
    tau, length = 0.05, 2000.0
    x = course({**NOISE, "onsets": [0.0], "duration": length}, np.arange(0, length, STEP), seed=seed)
    ends = np.rint(np.arange(1, 970) * 4096 * tau / 100 / STEP).astype(int)
    for lag in (0, 10):
        products = x[ends - lag // 2] * x[ends + lag // 2]
        assert products.mean() == pytest.approx(np.exp(-lag * STEP / tau), abs=4 * (2 / 970) ** 0.5)


def test_a_run_gets_its_shapes():
    """A pulse train at alpha's rate shows in the dipole at its rate; noise raises the variance; both stay in their regions."""
    quiet = {"noise_sd": 0.0, "alpha_noise": 0.0, "alpha_current": 0.0, "loop_gain": 0.0}
    reached = np.array([region.network == "NetB" for region in tiny_subject().regions])
    long = {"onsets": [0.0], "duration": 9.0, "amplitude": 0.03}
    for condition in ({**PULSES, **long}, {**NOISE, **long}):
        run = fi.simulate_activity(tiny_subject(), duration=10.0, parameters=quiet, conditions=[condition])
        dipole = run.tap("dipole").samples
        spread = dipole[500:2000].std(axis=0)
        assert spread[reached].min() > 1e3 * spread[~reached].max()
        power = np.abs(np.fft.rfft(dipole[500:2000] - dipole[500:2000].mean(axis=0), axis=0)) ** 2
        peak = np.fft.rfftfreq(1500, 1 / 250)[power.sum(axis=1).argmax()]
        assert (peak == pytest.approx(7.0, abs=0.2)) == (condition["shape"] == "pulses")


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({**EVENT, "shape": "pulse"}, "`shape`: 'pulse'"),
        ({**EVENT, "shape": "pulses"}, "`pulse_rate`: missing; shape 'pulses' needs it"),
        ({**PULSES, "pulse_width": 0.08}, "a cosine of 0.08 s takes 0.16 s, longer than the 0.142857 s from pulse to pulse"),
        ({**PULSES, "pulse_width": 0.15, "pulse_edge": "rectangle"}, "a rectangle of 0.15 s takes 0.15 s, longer"),
        ({**PULSES, "duration": 0.01}, "`pulse_width`: 0.013 s is longer than the event of 0.01 s"),
        ({**PULSES, "pulse_edge": "soft"}, "pulse_edge"),
        ({**PULSES, "frequency": 3.0}, "`frequency`: shape 'pulses' has no use for it; it belongs to 'sine' or 'chirp'"),
        ({**EVENT, "phase": 1.0}, "`phase`: shape 'block' has no use for it"),
        ({**EVENT, "shape": "sine"}, "`frequency`: missing"),
        ({**EVENT, "shape": "chirp", "frequency": 3.0}, "`end_frequency`: missing; shape 'chirp' needs it"),
        ({**EVENT, "shape": "noise"}, "`time_constant`: give noise either a `time_constant` or a `band`"),
        ({**NOISE, "band": [1.0, 2.0]}, "either"),
        ({**BAND, "band": [2.0, 1.0]}, r"`band`: \[2.0, 1.0\] Hz is no rising pair within \[0, 1000\]"),
        ({**NOISE, "time_constant": -1.0}, r"-1 s is outside \[0.001, 1000\]"),
        ({**EVENT, "shape": "file"}, "`file`: missing; shape 'file' needs it"),
        ({**EVENT, "shape": "file", "file": "x.npy"}, "`sampling_rate`: missing"),
        ({**EVENT, "shape": "file", "file": "x.mat", "sampling_rate": 9.0}, "`file`: no course ends in '.mat'"),
    ],
)  # fmt: skip
def test_a_shape_that_cannot_be_is_refused(condition, message):
    with pytest.raises(ParameterError, match=message.replace("`", "[`.]?", 1) if message.startswith("`") else message):
        Condition.parse(condition)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (
            {**PULSES, "pulse_rate": 600.0, "pulse_width": 5e-4},
            "pulse_rate`: 600 Hz is not below 500 Hz, half the rate",
        ),
        ({**SINE, "frequency": 500.0}, "frequency`: 500 Hz is not below 500 Hz"),
        ({**CHIRP, "end_frequency": 501.0}, "end_frequency`: 501 Hz is not below 500 Hz"),
        ({**BAND, "band": [2.0, 600.0]}, "band`: 600 Hz"),
    ],
)
def test_what_is_too_fast_for_the_step_is_refused(condition, message):
    with pytest.raises(ParameterError, match=r"`run.conditions\[0\]." + message):
        fi.simulate_activity(tiny_subject(), duration=10.0, conditions=[condition])
    slow = {"time_constant": 0.001} if "band" in condition else {}
    if slow:
        with pytest.raises(ParameterError, match="0.001 s is shorter than the step of 0.002 s"):
            fi.simulate_activity(tiny_subject(), duration=10.0, step=2e-3, conditions=[{**NOISE, **slow}])


def _npz(path):
    np.savez(path.with_suffix(".npz"), a=np.zeros(600))
    path.with_suffix(".npz").rename(path)


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("a.npy", lambda p: np.save(p, np.zeros(300)), "300 samples at 100 Hz span 2.99 s, and each event of .* lasts 4 s"),
        ("a.npy", lambda p: np.save(p, np.zeros((500, 3))), "3 columns in condition 'x'; one column, or one for each of the 4"),
        ("a.npy", lambda p: np.save(p, np.r_[np.zeros(499), np.nan]), "nan in row 500, column 1; finite numbers"),
        ("a.npy", lambda p: np.save(p, np.zeros(500, dtype=complex)), "not complex128"),
        ("a.npy", lambda p: np.save(p, np.zeros((5, 5, 5))), r"not float64 of shape \(5, 5, 5\)"),
        ("a.npy", _npz, "several arrays"),
        ("a.npy", lambda p: p.write_bytes(b"junk"), "cannot read"),
        ("a.csv", lambda p: p.write_text("1\n2\nx\n"), "line 3: 'x' is not a number"),
        ("a.csv", lambda p: p.write_text("1,2\n2\n"), "line 2 has 1 numbers, the first one 2"),
        ("a.tsv", lambda p: p.write_text(""), "there are no numbers in it"),
        ("a.csv", lambda p: p.write_text("L_NetB_01,R_NetB_01,L_NetB_02,nowhere\n" + "1,2,3,4\n" * 401), "no region 'nowhere'"),
        ("a.csv", lambda p: p.write_text("L_NetB_01,R_NetB_01,L_NetB_02,L_NetB_02\n" + "1,2,3,4\n" * 401), "one name"),
        ("a.csv", lambda p: None, "cannot read"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_by_name(tmp_path, name, write, message):
    write(tmp_path / name)
    condition = {**EVENT, "shape": "file", "file": str(tmp_path / name), "sampling_rate": 100.0}
    with pytest.raises(FakeImagingError, match=message) as caught:
        stimulus(condition)
    assert str(tmp_path / name) in str(caught.value)


def test_noise_needs_a_stream_and_pulses_a_step():
    regions = tiny_subject().regions
    with pytest.raises(InputError, match="`streams`"):
        make_stimulus([Condition.parse(NOISE)], regions, 10.0)
    with pytest.raises(InputError, match="`step`"):
        make_stimulus([Condition.parse(PULSES)], regions, 10.0)


def test_groups_may_stand_among_the_regions():
    words = {**EVENT, "network": None, "regions": ["hemisphere:L"]}
    left = [region.hemisphere == "L" for region in tiny_subject().regions]
    np.testing.assert_array_equal(stimulus(words).gain[0], 0.02 * np.array(left))
    with pytest.raises(ParameterError, match="no such hemisphere as 'l'"):
        stimulus({**words, "regions": ["hemisphere:l"]})
    assert stimulus({**words, "regions": ["all"]}).gain.all()
