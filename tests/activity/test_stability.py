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
