import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.activity.hemodynamics import Hemodynamics, blood_flow, mode_drive, mode_flow, neural_drive, respond
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError, ModelError
from fakeimaging.modalities.bold import BoldParameters
from fakeimaging.modalities.bold.field import bold_change
from fakeimaging.testing.fixtures import constant_activity, short_activity, tiny_subject
from tests.reference.balloon import balloon

CLOCK = Clock(0.0, 0.01, 4000)
PULSE = np.where(CLOCK.times < 1.0, 1.0, 0.0)[:, None]


def react(drive, clock=CLOCK, parameters=None):
    return respond(lambda part: drive[part], clock, parameters or Hemodynamics())


def percent(flow, **parameters):
    return 100 * bold_change(flow, BoldParameters(**parameters))[:, 0]


def test_flow_volume_and_deoxyhemoglobin_are_those_of_an_adaptive_solver():
    flow = react(PULSE)
    f, v, q = balloon(lambda t: 1.0 if t < 0.995 else 0.0, flow.clock.times, breaks=(0.995,))
    for fast, slow in ((flow.flow, f), (flow.volume, v), (flow.deoxyhemoglobin, q)):
        np.testing.assert_allclose(fast[:, 0], slow, atol=2e-3)


def test_friston_2003_response_to_a_one_second_pulse():
    flow = react(PULSE)
    times = flow.clock.times
    # Expected values: 5 ms Euler on log states, V0 2 % classic output (7 E0, 2, 2 E0 - 0.2): peak 2.53 % at 3.37 s.
    v, q = flow.volume[:, 0].astype(float), flow.deoxyhemoglobin[:, 0].astype(float)
    classic = 2 * (7 * 0.34 * (1 - q) + 2 * (1 - q / v) + (2 * 0.34 - 0.2) * (1 - v))
    assert classic.max() == pytest.approx(2.53, rel=0.01)
    assert times[classic.argmax()] == pytest.approx(3.37, abs=0.05)
    above = times[classic > classic.max() / 2]
    assert above[-1] - above[0] == pytest.approx(4.2, abs=0.1)
    assert classic.min() / classic.max() == pytest.approx(-0.22, abs=0.01)
    assert times[classic.argmin()] == pytest.approx(9.6, abs=0.2)
    assert flow.flow.max() == pytest.approx(1.84, rel=0.01)
    assert times[flow.flow[:, 0].argmax()] == pytest.approx(2.4, abs=0.05)


@pytest.mark.parametrize(
    ("constants", "peak"),
    [
        ({}, 3.98),
        ({"field_strength": 1.5}, 3.47),
        ({"field_strength": 7.0}, 6.37),
        ({"nu0": 40.3, "r0": 25.0, "epsilon": 1.43, "echo_time": 0.04}, 3.47),
        ({"nu0": 40.3, "r0": 25.0, "epsilon": 1.0, "echo_time": 0.04}, 2.91),
    ],
)
def test_stephan_2007_output_by_field_strength(constants, peak):
    signal = percent(react(PULSE), V0=0.04, **constants)
    assert signal.max() == pytest.approx(peak, rel=0.01)
    assert 3.2 < react(PULSE).clock.times[signal.argmax()] < 3.7


def test_rates_are_not_times():
    wrong = react(PULSE, parameters=Hemodynamics(kappa=1 / 0.65, gamma=1 / 0.65))
    assert wrong.clock.times[percent(wrong).argmax()] < 3 < react(PULSE).clock.times[percent(react(PULSE)).argmax()]


def test_responses_saturate_and_stay_positive():
    peaks = [percent(react(z * PULSE)).max() / z for z in (0.05, 0.3, 1.0)]
    assert peaks[0] > peaks[1] > peaks[2]
    silent = react(np.where(CLOCK.times < 20, -0.3, 0.0)[:, None])
    assert 0 < silent.flow.min() < 0.35
    assert min(silent.volume.min(), silent.deoxyhemoglobin.min()) > 0
    with pytest.raises(ModelError, match="blood flow of region 1 stops"):
        react(np.full((4000, 1), -5.0))


def test_a_mode_whose_flow_stops_is_named_with_its_region(monkeypatch):
    def drive(activity, efficacy):
        z = np.zeros((4000, 20))
        z[:, 15] = -5.0
        return (lambda part: z[part]), CLOCK

    monkeypatch.setattr("fakeimaging.activity.hemodynamics.mode_drive", drive)
    with pytest.raises(ModelError, match="blood flow of mode 2 of region 6 stops"):
        mode_flow(short_activity(), Hemodynamics())


def test_halving_the_step_changes_little():
    fine = Clock(0.0, 0.001, 40_000)
    smooth = lambda clock: np.where(clock.times < 1.0, np.sin(np.pi * clock.times) ** 2, 0.0)[:, None]  # noqa: E731
    coarse, exact = (percent(react(smooth(clock), clock)) for clock in (CLOCK, fine))
    assert coarse.max() == pytest.approx(exact.max(), rel=0.005)


def test_activity_that_never_changes_keeps_blood_at_rest():
    flow = blood_flow(constant_activity(short_activity()), Hemodynamics())
    assert (flow.flow == 1).all()
    assert (flow.deoxyhemoglobin == 1).all()


def test_the_drive_is_relative_and_a_silent_region_has_none():
    activity = short_activity()
    rate = activity.tap("rate").from_start().samples
    expected = 0.3 * (activity.tap("rate").samples / rate.mean(axis=0) - 1)
    np.testing.assert_allclose(neural_drive(activity, 0.3)(slice(None)), expected, atol=1e-6)
    assert (neural_drive(constant_activity(activity, 0.0), 0.3)(slice(None)) == 0).all()


def test_the_drive_of_modes_levels_off_at_the_efficacy():
    activity = fi.simulate_activity(tiny_subject(), duration=5.0, parameters={"mode_drive": 5.0})
    drive, clock = mode_drive(activity, 0.3)
    modes, rates = activity.modes("rate"), activity.tap("rate").from_start().samples
    relative = np.asarray(modes.samples, dtype=float).reshape(clock.n, -1, 10) / rates.mean(axis=0, dtype=float)
    found = drive(slice(None))
    assert clock == modes.clock
    np.testing.assert_allclose(found.reshape(relative.shape), 0.3 * np.tanh(relative), atol=1e-6)
    assert np.abs(relative).max() > 1 >= np.abs(found).max() / 0.3


def test_a_slow_drive_is_refused():
    with pytest.raises(InputError, match="40 Hz or more"):
        react(np.zeros((100, 1)), Clock(0.0, 0.1, 100))


def test_blocks_leave_no_trace(monkeypatch):
    noisy = PULSE + 0.1 * np.random.default_rng(1).standard_normal((4000, 3))
    whole = react(noisy)
    monkeypatch.setattr("fakeimaging.activity.hemodynamics.BLOCK", 333)
    parts = react(noisy)
    for name in ("flow", "volume", "deoxyhemoglobin"):
        assert (getattr(parts, name) == getattr(whole, name)).all()


def test_blood_forgets_within_the_warm_up():
    signal = percent(react(PULSE))
    late = react(PULSE).clock.times > 20
    assert np.abs(signal[late]).max() < 0.05 * signal.max()
