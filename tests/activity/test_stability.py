"""Steps that are too long, or do not fit the taps: what is refused, and whether the advice can be followed."""

import re
from dataclasses import replace

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.activity.stability import slope_of
from fakeimaging.activity.steps import fitting, intervals
from fakeimaging.core.errors import ModelError
from fakeimaging.testing.fixtures import tiny_subject


class Stiff(fi.Parameters):
    rate: float = fi.parameter(1.0, unit="1/s")


def switched(x, y, rate):
    return (-1.0 if x > 0 else 1.0, -rate * y + (1.0 if y > 0 else -1.0))


def shown(x):
    return x


def switch(rate=50.0):
    taps = {"rate": fi.Observable(shown, "Hz", rate)}
    return fi.Model("switch", Stiff, ("x", "y"), switched, taps, transient=0.0)


def simulate(model=None, **given):
    return fi.simulate_activity(tiny_subject(), **{"model": model or switch(), "duration": 1.0, **given})


def test_a_branch_at_the_starting_point_is_no_stiff_mode():
    assert np.isfinite(simulate().tap("rate").samples).all()


@pytest.mark.parametrize("rate", [2100.0, 1e5])
def test_a_stiff_mode_beside_a_branch_is_caught(rate):
    simulate(parameters={"rate": 1900.0})
    with pytest.raises(
        ModelError, match=f"too long for 'euler': region 1 has a mode that decays within {1 / rate:.3g} s"
    ):
        simulate(parameters={"rate": rate})


@pytest.mark.parametrize("at", [0.0, 3e-6, -2e-5, 1.0, 500.0])
def test_slopes_leave_out_jumps_and_nothing_else(at):
    def smooth(x):
        return np.array([-3e4 * x, np.sin(x)])

    wanted = [-3e4, np.cos(at)]
    np.testing.assert_allclose(slope_of(smooth, at), wanted, rtol=1e-3, atol=1e-2)
    for place in (at, at + 4e-6 * max(1, at), at - 4e-6 * max(1, at)):
        found = slope_of(lambda x, place=place: smooth(x) + (7.0 if x > place else -7.0), at)
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("rate", [2100.0, 3333.0])
@pytest.mark.parametrize("tap", [50.0, 300.0])
def test_the_step_that_is_advised_can_be_taken(rate, tap):
    with pytest.raises(ModelError, match="take at most") as refused:
        simulate(switch(tap), parameters={"rate": rate}, step=1 / 900)
    advised = float(re.search(r"take at most (\S+) s", str(refused.value))[1])
    assert 1 / rate < advised <= 2 / rate * (1 + 1e-5)
    simulate(switch(tap), parameters={"rate": rate}, step=advised)


def test_the_nearest_steps_that_fit_are_named_and_do():
    with pytest.raises(ModelError, match="does not divide the interval of tap 'rate'") as refused:
        simulate(step=0.0029)
    near = [float(found) for found in re.findall(r"(\S+) s(?: and|$)", str(refused.value).split("all taps: ")[1])]
    assert near == pytest.approx([0.02 / 7, 0.02 / 6])
    for step in near:
        simulate(step=step)


def test_steps_fit_all_taps_at_once():
    taps = {name: fi.Observable(shown, "Hz", rate) for name, rate in (("rate", 120.0), ("dipole", 500.0))}
    model = replace(switch(), observables=taps)
    assert fitting(model, 0.0009) == pytest.approx(1 / 3000)
    assert intervals(model, 1 / 3000)[0].tolist() == [25, 6]
    impossible = replace(model, observables=taps | {"rate": fi.Observable(shown, "Hz", 100 * np.sqrt(2))})
    with pytest.raises(ModelError, match="no step fits all taps"):
        intervals(impossible, 0.001)


def test_a_tap_faster_than_the_steps_is_told_of_as_such():
    with pytest.raises(
        ModelError, match=r"tap 'rate' has a rate of 2000 Hz, above the 1000 Hz of a step of 0.001 s.*0.0005 s"
    ):
        simulate(taps={"rate": 2000.0})


def damped(x, y, rate, turn, arriving, coupled_x):
    return (-rate * x - turn * y + arriving * (coupled_x - x), turn * x - rate * y)


class Damping(fi.Parameters):
    rate: float = fi.parameter(1.0, unit="1/s")
    turn: float = fi.parameter(0.0, unit="rad/s")
    arriving: float = fi.parameter(0.0, unit="1/s")


def spiral(**regional):
    def prepare(parameters, subject, step):
        given = {name: np.full(subject.n_regions, getattr(parameters, name)) for name in Damping.model_fields}
        for name, (region, value) in regional.items():
            given[name][region] = value
        return fi.Setup(subject.connectome.row_normalised(), {"x": 1.0}, given)

    taps = {"rate": fi.Observable(shown, "Hz", 1000.0)}
    return fi.Model("spiral", Damping, ("x", "y"), damped, taps, coupled=("x",), prepare=prepare, transient=0.0)


@pytest.mark.parametrize(("scheme", "reach"), [("euler", 2.0), ("heun", 2.0), ("rk4", 2.785)])
def test_real_modes_are_stable_up_to_the_known_end_of_each_scheme(scheme, reach):
    """Hairer & Wanner 1996: the real axis up to -2, -2 and -2.785."""
    given = {"scheme": scheme, "step": 1e-3, "delays": False}
    simulate(spiral(), parameters={"rate": 0.99 * reach / 1e-3}, **given)
    with pytest.raises(ModelError, match=f"too long for '{scheme}'"):
        simulate(spiral(), parameters={"rate": 1.01 * reach / 1e-3}, **given)


@pytest.mark.parametrize(("scheme", "turn"), [("euler", 44.72), ("rk4", 2828.0)])
def test_damped_rotations_are_stable_up_to_the_known_end(scheme, turn):
    """Euler: |1 + z| < 1, so turn^2 < 2 rate / h; rk4: the imaginary axis up to 2 sqrt(2)."""
    given = {"scheme": scheme, "step": 1e-3, "delays": False}
    simulate(spiral(), parameters={"turn": 0.98 * turn}, **given)
    with pytest.raises(ModelError, match=f"too long for '{scheme}'"):
        simulate(spiral(), parameters={"turn": 1.03 * turn}, **given)


def test_a_mode_that_only_the_coupling_makes_fast_is_caught():
    """Diffusion of 1100 per s: one region alone decays at 1101 per s, two against each other at up to twice that."""
    simulate(spiral(), parameters={"arriving": 900.0}, step=1e-3, delays=False)
    with pytest.raises(ModelError, match="too long for 'euler'"):
        simulate(spiral(), parameters={"arriving": 1100.0}, step=1e-3, delays=False)


def test_one_fast_region_among_forty_is_found():
    subject = fi.make_subject("01", seed=1, anatomy="tiny", n_regions=40)
    fi.simulate_activity(subject, model=spiral(rate=(20, 1900.0)), duration=1.0, step=1e-3)
    with pytest.raises(ModelError, match="region 21 has a mode"):
        fi.simulate_activity(subject, model=spiral(rate=(20, 2100.0)), duration=1.0, step=1e-3)


def test_a_decay_in_exact_steps_may_be_fast():
    timing = {"model": "linear", "step": 0.04, "taps": {"rate": 25.0}, "delays": False, "duration": 60.0}
    activity = fi.simulate_activity(tiny_subject(), parameters={"tau": 0.015, "gain": 0.9}, **timing)
    assert 0.3 < activity.tap("rate").samples.std() < 1.5
