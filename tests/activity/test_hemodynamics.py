import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.activity import kernels
from fakeimaging.activity.hemodynamics import (
    Hemodynamics,
    blood_flow,
    classic_change,
    mode_drive,
    mode_flow,
    neural_drive,
    respond,
)
from fakeimaging.activity.hemodynamics_kernel import LEAST
from fakeimaging.activity.hemodynamics_kernel import balloon as kernel
from fakeimaging.activity.hemodynamics_parameters import CONSTANTS
from fakeimaging.activity.hemodynamics_regional import RegionalHemodynamics, same_everywhere
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError, ModelError
from fakeimaging.core.parameters import bounds_of
from fakeimaging.modalities.bold import BoldParameters
from fakeimaging.modalities.bold.changes import bold_change
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
    classic = 100 * classic_change(flow, 0.02)[:, 0]
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


def test_times_taken_for_rates_would_peak_before_3_seconds():
    # The mix-up of published code, past our own check.
    mixed = np.array([[1 / 0.65], [1 / 0.41], [0.98], [0.32], [0.34]])
    wrong = react(PULSE, parameters=RegionalHemodynamics(*mixed))
    classic = 100 * classic_change(wrong)[:, 0]
    assert classic.max() == pytest.approx(0.94, rel=0.02)
    assert wrong.clock.times[classic.argmax()] == pytest.approx(2.17, abs=0.05)
    assert 3 < react(PULSE).clock.times[percent(react(PULSE)).argmax()] < 6


# Rows of Stephan 2007 output at 3 T, V0 4 %, states of SPM12; expected values by 5 ms Euler steps on log states.
LONG = Clock(0.0, 0.01, 6000)
SPM12 = Hemodynamics(preset="spm12")


def spm12(seconds, size, **scan):
    flow = react(np.where(LONG.times < seconds, size, 0.0)[:, None], LONG, SPM12)
    return flow, percent(flow, V0=0.04, hemodynamics=SPM12, **scan)


def test_spm12_response_to_a_one_second_pulse():
    flow, signal = spm12(1.0, 1.0)
    times = flow.clock.times
    assert signal.max() == pytest.approx(4.22, rel=0.01)
    assert times[signal.argmax()] == pytest.approx(4.68, abs=0.05)
    above = times[signal > signal.max() / 2]
    assert above[-1] - above[0] == pytest.approx(5.5, abs=0.1)
    assert signal.min() / signal.max() == pytest.approx(-0.09, abs=0.01)
    assert times[signal.argmin()] == pytest.approx(13.0, abs=0.2)
    assert flow.flow.max() == pytest.approx(1.90, rel=0.01)
    assert times[flow.flow[:, 0].argmax()] == pytest.approx(2.6, abs=0.05)


def test_spm12_response_to_a_block():
    flow, signal = spm12(20.0, 0.4)
    assert signal.max() == pytest.approx(6.6, rel=0.01)
    assert flow.clock.times[signal.argmax()] == pytest.approx(8.9, abs=0.1)
    assert signal.min() / signal.max() == pytest.approx(-0.08, abs=0.01)
    assert flow.clock.times[signal.argmin()] == pytest.approx(30.4, abs=0.2)


def test_responses_saturate():
    peaks = [spm12(1.0, z)[1].max() / z for z in (0.05, 0.1, 0.3, 1.0)]
    assert peaks == pytest.approx([5.29, 5.23, 4.99, 4.22], rel=0.01)


def test_a_second_pulse_soon_after_the_first_does_less():
    one, t = spm12(1.0, 0.3)[1], LONG.times
    second = []
    for gap in (1.0, 2.0, 4.0, 8.0):
        both = np.where((t < 1) | ((t >= 1 + gap) & (t < 2 + gap)), 0.3, 0.0)[:, None]
        two = percent(react(both, LONG, SPM12), V0=0.04, hemodynamics=SPM12)
        second.append((two - one).max() / one.max())
    assert second == pytest.approx([0.86, 0.89, 0.96, 1.01], abs=0.01)


@pytest.mark.parametrize(("field", "dip"), [(3.0, -0.02), (7.0, -0.14)])
def test_blood_dimmer_than_tissue_gives_an_initial_dip(field, dip):
    _, signal = spm12(1.0, 1.0, field_strength=field)
    assert signal[: signal.argmax()].min() == pytest.approx(dip, abs=0.005)


def test_blood_brighter_than_tissue_gives_none():
    _, signal = spm12(1.0, 1.0, field_strength=1.5)
    assert signal[: signal.argmax()].min() >= 0


def test_rest_is_a_fixed_point():
    flow = react(np.zeros((4000, 1)))
    for part in (flow.flow, flow.volume, flow.deoxyhemoglobin, flow.oxygen_metabolism):
        assert (part == 1).all()
    assert (percent(flow) == 0).all()
    assert (classic_change(flow) == 0).all()


@pytest.mark.parametrize("drive", [-0.2, 0.1, 0.5])
def test_a_steady_drive_ends_where_the_equations_say(drive):
    clock, p = Clock(0.0, 0.02, 6000), Hemodynamics()
    flow = react(np.full((6000, 1), drive), clock, p)
    f = 1 + drive / p.gamma
    extraction = (1 - (1 - p.E0) ** (1 / f)) / p.E0
    ends = [part[-1, 0] for part in (flow.flow, flow.volume, flow.deoxyhemoglobin, flow.oxygen_metabolism)]
    assert ends == pytest.approx([f, f**p.alpha, f**p.alpha * extraction, f * extraction], rel=1e-5)


def test_oxygen_use_follows_flow_by_less_than_flow():
    flow = react(PULSE)
    assert 1 < flow.oxygen_metabolism.max() < flow.flow.max()
    assert flow.oxygen_metabolism.dtype == np.float32


def test_responses_saturate_and_stay_positive():
    peaks = [percent(react(z * PULSE)).max() / z for z in (0.05, 0.3, 1.0)]
    assert peaks[0] > peaks[1] > peaks[2]
    silent = react(np.where(CLOCK.times < 20, -0.3, 0.0)[:, None])
    assert 0 < silent.flow.min() < 0.35
    assert min(silent.volume.min(), silent.deoxyhemoglobin.min()) > 0
    with pytest.raises(ModelError, match="blood flow of region 1 stops"):
        react(np.full((4000, 1), -5.0))


def allowed(n, rng):
    """Constants anywhere within the bounds of their parameters."""
    low, high = np.transpose([bounds_of(Hemodynamics.model_fields[name]) for name in CONSTANTS])
    return RegionalHemodynamics(*(low + rng.random((n, 5)) * (high - low)).T)


# Drives change every 0.1 to 5 s, between -size (for 5 s at most) and size; 40 Hz is the slowest allowed.
@pytest.mark.parametrize("size", [0.5, 3.0, 30.0])
@pytest.mark.parametrize("seed", [741, 742, 743])
def test_blood_stays_above_zero_and_finite_whatever_drives_it(size, seed):
    rng, clock, n = np.random.default_rng(seed), Clock(0.0, 0.025, 2400), 200
    held = rng.integers(4, 200, n)
    levels = size * rng.uniform(-1, 1, (601, n))
    levels[1::2] = np.abs(levels[1::2])
    drive = np.take_along_axis(levels, np.arange(2400)[:, None] // held, axis=0)
    flow = react(drive, clock, allowed(n, rng))
    for part in (flow.flow, flow.volume, flow.deoxyhemoglobin, flow.oxygen_metabolism):
        assert np.isfinite(part).all()
        assert part.min() > 0
    assert flow.flow.min() >= np.float32(LEAST) * (1 - 1e-6)


def test_flow_that_stops_for_a_moment_comes_back():
    # A strong drive ends, flow undershoots below 0 in the linear equation behind it: it is held at its least, and returns to rest.
    clock = Clock(0.0, 0.02, 6000)
    flow = react(np.where(clock.times < 10, 5.0, 0.0)[:, None], clock, Hemodynamics(kappa=0.3))
    assert LEAST <= flow.flow.min() < 1.1 * LEAST
    assert flow.flow[-1, 0] == pytest.approx(1, abs=0.01)


def test_a_region_that_falls_silent_for_less_than_half_a_minute_is_not_refused():
    clock, slow = Clock(0.0, 0.02, 4000), Hemodynamics(gamma=0.28)
    silent = lambda seconds: np.where(clock.times < seconds, -0.3, 0.0)[:, None]  # noqa: E731
    assert react(silent(25.0), clock, slow).flow[-1, 0] == pytest.approx(1, abs=0.05)
    with pytest.raises(ModelError, match=r"region 1 stops: .*\(-0.28\)"):
        react(silent(60.0), clock, slow)


def test_short_steps_keep_a_strong_response_exact():
    p, clock = Hemodynamics(kappa=1.5, gamma=0.5, tau=0.3), Clock(0.0, 0.025, 1200)
    drive = np.where(clock.times <= 2.0, 20 * np.sin(np.pi * clock.times / 2) ** 2, 0.0)[:, None]
    flow = react(drive, clock, p)
    f, v, q = balloon(
        lambda t: np.interp(t, clock.times, drive[:, 0]), flow.clock.times, breaks=(2.0,),
        **{name: getattr(p, name) for name in CONSTANTS},
    )  # fmt: skip
    assert f.max() > 10
    for fast, slow in ((flow.flow, f), (flow.volume, v), (flow.deoxyhemoglobin, q)):
        assert np.abs(fast[:, 0] - slow).max() < 1e-3 * np.ptp(slow)


def test_the_error_falls_with_the_square_of_the_step():
    ends = []
    for step in (0.02, 0.01, 0.005, 0.00125):
        clock = Clock(0.0, step, round(5.0 / step) + 1)
        drive = (0.5 * np.sin(np.pi * clock.times / 5) ** 2)[:, None]
        every = max(1, int(clock.rate / 20 + 1e-9))
        state, sums = np.zeros((4, 1)), np.zeros((3, 1))
        kept = [np.ones((clock.n // every + 1, 1), dtype=np.float32) for _ in range(3)]
        kernels.compiled(kernel)(drive, step, every, same_everywhere(Hemodynamics(), 1).stacked, state, sums, *kept)
        ends.append(state[:, 0])
    errors = [np.abs(end - ends[-1]).max() for end in ends[:-1]]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.15)


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


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_drive_that_is_no_number_is_refused(wrong):
    drive = np.repeat(PULSE, 2, axis=1)
    drive[500, 1] = wrong
    with pytest.raises(ModelError, match="blood flow of region 2"):
        react(drive)
