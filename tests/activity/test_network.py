"""Wires and registers: odd sizes, simulations side by side, what pads a register, and machine code that stays in registers."""

import math
import platform
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from numba import njit

from fakeimaging import Model, Observable, Parameters, Setup, parameter
from fakeimaging.activity import engine, network
from fakeimaging.activity.engine import Member, Method, Schedule
from fakeimaging.activity.models import MODELS
from fakeimaging.activity.network import Layout
from fakeimaging.activity.simd.sums import weigh, weigh_mirrored, weigh_side_by_side
from fakeimaging.core.errors import ModelError
from fakeimaging.core.streams import Streams
from fakeimaging.testing.fixtures import tiny_subject
from tests.activity.test_schemes import GENERAL, amplitudes, play, straight_drift
from tests.conftest import environment
from tests.reference.schemes import integrate

SIZES = (2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31, 32, 33, 40)


def wires(n, seed=11):
    rng = np.random.default_rng(seed)
    weights = rng.uniform(-1, 1, (n, n)) * (rng.uniform(size=(n, n)) < 0.7) / math.sqrt(n)
    np.fill_diagonal(weights, 0)
    weights[0, -1] = 0.5
    return weights


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_weights_are_summed_for_any_number_of_regions(precision):
    """Against numpy, one by one and side by side; side by side gives the same bits."""
    for n in (*SIZES, 65):
        alone, beside = Layout(n, 1, precision), Layout(n, 32, precision)
        weights, x = wires(n), np.random.default_rng(n).normal(size=n).astype(precision)
        one, many = (np.full(layout.room, np.nan, dtype=precision) for layout in (alone, beside))
        sent = np.full(alone.room, 3.0, dtype=precision)
        sent[:n] = x
        weigh(network.packed(weights, alone), sent, 0, one, 0, n, alone.room, n)
        repeated = np.full(beside.room, 3.0, dtype=precision)
        repeated[: n * 32] = np.repeat(x, 32)
        weigh_side_by_side(network.packed(weights, beside), repeated, 0, many, 0, n, 32)
        tolerance = 20 * np.finfo(precision).eps
        np.testing.assert_allclose(one[:n], weights @ x.astype(float), rtol=tolerance, atol=tolerance)
        np.testing.assert_array_equal(many[: n * 32].reshape(n, 32), np.repeat(one[:n, None], 32, axis=1))


@pytest.mark.parametrize("n", [5, 32, 70])
def test_mirrored_weights_are_read_once_for_both_ways(n):
    rng = np.random.default_rng(n)
    symmetric, factor = rng.uniform(0, 1, (n, n)), rng.uniform(0.5, 2, n)
    weights = factor[:, None] * (symmetric + symmetric.T)
    np.fill_diagonal(weights, 0)
    found = network.mirror_factor(weights)
    np.testing.assert_allclose(found / found[0], factor / factor[0], rtol=1e-12)
    assert network.mirror_factor(weights + np.triu(rng.uniform(size=(n, n)), 1)) is None
    layout = Layout(n, 1, "float32")
    factors, x = np.zeros(layout.room, dtype=np.float32), np.ones(layout.room, dtype=np.float32)
    factors[:n], x[:n] = found, rng.normal(size=n)
    out, partial = np.zeros(layout.room, dtype=np.float32), np.zeros(layout.room * layout.lane, dtype=np.float32)
    half = network.packed_half(weights / found[:, None], layout)
    weigh_mirrored(half, factors, partial, x, 0, out, 0, n, layout.room)
    np.testing.assert_allclose(out[:n], weights @ x[:n], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("n", [2, 3, 5, 8, 13, 31, 40])
def test_any_number_of_regions_is_the_slow_twin(n, precision):
    weights, start = wires(n), (np.linspace(-1, 1, n), 1.0, 0.0, 0.0)
    path = play(
        GENERAL, 41, 0.05, method=Method(precision=precision), start=start, weights=weights, seed=n, rate=0.5,
        cubic=0.3, growth=-0.2, sigma=0.4, share=0.3,
    )  # fmt: skip
    twin = integrate(
        straight_drift(0.5, 0.3, -0.2), path[0], 0.05, 41, amplitude=amplitudes(0.4, 0.3),
        increments=np.diff(path[:, [2, 3, 2, 3]].astype(float), axis=0), send=lambda x: x[0], weights=weights,
        lags=np.zeros((n, n), dtype=int),
    )  # fmt: skip
    np.testing.assert_allclose(path, twin, atol=1e-11 if precision == "float64" else 2e-5)


@pytest.mark.parametrize("members", [2, 3, 9])
@pytest.mark.parametrize("n", [2, 5, 16, 33])
def test_side_by_side_is_as_alone(n, members):
    """Members have seeds of their own; float64 to the same bits, float32 near."""
    weights, start = wires(n), (np.linspace(-1, 1, n), 1.0, 0.0, 0.0)
    given = {"rate": 0.5, "cubic": 0.3, "growth": -0.2, "sigma": 0.4, "share": 0.3}
    for precision in ("float64", "float32"):
        common = {"method": Method(precision=precision), "start": start, "weights": weights, **given}
        beside = play(GENERAL, 37, 0.05, members=members, seed=40, **common)
        alone = play(GENERAL, 37, 0.05, seed=40 + members - 1, **common)
        if precision == "float64":
            np.testing.assert_array_equal(beside, alone)
        else:
            np.testing.assert_allclose(beside, alone, atol=2e-5)


def test_side_by_side_is_as_alone_with_several_stages_and_coloured_noise():
    common = {
        "method": Method("heun", noise_time=0.2), "start": (np.linspace(-1, 1, 7), 1.0, 0.0, 0.0), "weights": wires(7),
        "rate": 0.5, "cubic": 0.3, "growth": -0.2, "sigma": 0.4, "share": 0.3,
    }  # fmt: skip
    alone = play(GENERAL, 37, 0.05, seed=42, **common)
    np.testing.assert_array_equal(play(GENERAL, 37, 0.05, members=3, seed=40, **common), alone)
    assert np.abs(alone[-1, 0]).min() > 1e-3


def members_of(weights, **more):
    n, method = len(weights), more.pop("method", Method())
    setup = Setup(weights, {"x": np.full(n, 0.1)})
    kernel = engine.build(GENERAL, GENERAL.parameters(**more), setup, method)
    return Member(kernel, setup, Streams(1))


def test_side_by_side_is_for_equal_coupling_without_delays():
    one, other, delays = members_of(wires(5)), members_of(2 * wires(5)), np.full((5, 5), 0.01)
    with pytest.raises(ModelError, match="the same coupling"):
        engine.begin([one, other], 0 * delays, Schedule(1e-3, 0, 100))
    with pytest.raises(ModelError, match="have no delays"):
        engine.begin([one, one], delays, Schedule(1e-3, 0, 100))
    engine.begin([one, one], delays / 100, Schedule(1e-3, 0, 100))
    between = members_of(wires(5), method=Method(interpolate=True))
    with pytest.raises(ModelError, match="have no delays"):
        engine.begin([between, between], delays / 100, Schedule(1e-3, 0, 100))


@pytest.mark.parametrize("members", [1, 3])
def test_divergence_is_named_with_region_and_time_side_by_side_too(members, monkeypatch):
    """x' = 80 x in region 4 of the last member alone: 1e30 after ln(1e31) / 80 = 0.89 s, in the second block of 0.5 s."""
    n, rate = 6, np.zeros(6)
    rate[3] = -80.0
    several = [members_of(np.zeros((n, n))) for _ in range(members)]
    kernel = several[-1].kernel
    params = kernel.params.copy()
    params[kernel.names.index("rate")] = rate
    several[-1] = replace(several[-1], kernel=replace(kernel, params=params))
    taps = [{name: np.zeros((1500, n), dtype=np.float32) for name in GENERAL.observables} for _ in several]
    schedule = Schedule(1e-3, 0, 1500, start=-2.0)
    monkeypatch.setattr(engine, "BLOCK_SECONDS", 0.5)
    named = "model general: `x` of region 4 is not finite between -1.5 and -1 s on the run's clock"
    with pytest.raises(ModelError, match=named):
        engine.run(several, np.zeros((n, n)), schedule, taps)


class Restrained(Parameters):
    speed: float = parameter(20.0, unit="1/s")


def restrained_drift(x, coupled_x, speed):
    return (speed * (1.0 - x + x * x * (1.0 - coupled_x)),)


def itself(x):
    return x


RESTRAINED = Model(
    name="restrained",
    parameters=Restrained,
    states=("x",),
    coupled=("x",),
    drift=restrained_drift,
    observables={"x": Observable(itself, "1", 1000.0)},
)
"""x' = s (1 - x + x^2 (1 - what comes in)): stable at 1 where 1 comes in, infinite within 2 / s seconds where nothing does."""


@pytest.mark.parametrize(("n", "precision"), [(5, "float64"), (5, "float32"), (505, "float32")])
def test_what_pads_a_register_disturbs_no_region(n, precision):
    """A network at rest, whose regions would be infinite without it; 505 regions read their weights once for both ways."""
    weights = (np.ones((n, n)) - np.eye(n)) / (n - 1)
    path = play(RESTRAINED, 400, 0.01, method=Method(precision=precision), start=(np.ones(n),), weights=weights)
    np.testing.assert_allclose(path, 1.0, atol=1e-3)


@pytest.mark.parametrize(("interval", "error"), [(0.001, 0.02), (0.002, 0.06)])
def test_coupling_refreshed_every_millisecond_changes_the_field_little(interval, error):
    """Deco et al. (2014) at 0.1 ms, 16 regions without delays, the same noise: on against off, relative to the spread in time."""
    model, subject, step = MODELS.get("deco2014"), tiny_subject(), 1e-4
    parameters = model.parameters()
    setup = model.prepare(parameters, subject, step)
    n, made = len(setup.coupling), []
    for hold in (1, round(interval / step)):
        kernel = engine.build(model, parameters, setup, Method("euler", hold=hold))
        member = Member(kernel, setup, Streams(3))
        taps = {}
        every, _ = engine.intervals(model, step)
        for name, k in zip(model.observables, every, strict=True):
            taps[name] = np.zeros((10_000 // k, n), dtype=np.float32)
        engine.run([member], np.zeros((n, n)), Schedule(step, 2_000, 10_000), [taps])
        made.append(taps["rate"].astype(float))
    free, held = made
    assert 0 < np.abs(held - free).max() < error * free.std(axis=0).max()


PACKED = re.compile(r"\bv?(?:(?:mul|add|sub|div)|fn?m(?:add|sub)\d+)p[sd]\b")
SCALAR = re.compile(r"\bv?(?:(?:mul|add|sub|div)|fn?m(?:add|sub)\d+)s[sd]\b")
LIBRARY = re.compile(r"\b(?:exp|expm1|log|log1p|sin|cos|sincos|tanh|pow|sinh|erf|fmod)f?\b(?=[\s,(@]|$)", re.MULTILINE)


def machine_code(function, signature):
    """Compile anew (code from the cache cannot be read) and count packed and scalar arithmetic and calls of the library."""
    fresh = njit(nogil=True, error_model="numpy")(function)
    fresh.compile(signature)
    text = fresh.inspect_asm(signature)
    lines = [line for line in text.splitlines() if "call" in line or "mov" in line or "jmp" in line]
    return len(PACKED.findall(text)), len(SCALAR.findall(text)), LIBRARY.findall("\n".join(lines)), text


def kernel_of(model, precision, delays):
    """The compiled loop of a model and its signature."""
    subject = tiny_subject()
    parameters = model.parameters()
    setup = model.prepare(parameters, subject, model.step)
    kernel = engine.build(model, parameters, setup, Method(precision=precision))
    schedule = Schedule(model.step, 0, 1000)
    progress = engine.begin([Member(kernel, setup, Streams(1))], delays * np.ones_like(setup.coupling), schedule)
    engine.advance(progress, schedule, 100)
    signature = next(s for s in progress.advance.signatures if s[7].dtype.name == precision)
    return progress.advance.py_func, signature


on_x86 = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="reads x86 assembly: names of packed instructions"
)


@on_x86
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_default_models_loop_stays_in_registers(precision):
    packed, scalar, calls, text = machine_code(*kernel_of(MODELS.get("dmf"), precision, 0.02))
    assert packed > 150
    assert packed > 20 * scalar
    assert not calls
    assert len(re.findall(r"%[yz]mm", text)) > 4 * packed or "%ymm" not in text


def slow_drift(x, tau):
    return (-math.erf(x) / tau,)


def slow_rate(x):
    return x


@on_x86
def test_a_function_called_lane_by_lane_is_seen_in_the_machine_code():
    linear = MODELS.get("linear")
    taps = {"rate": replace(linear.observables["rate"], function=slow_rate)}
    slow = replace(
        linear, name="slow", drift=slow_drift, driven=(), diffusion=None, coupled=(), observables=taps, decays={}
    )
    _, _, calls, _ = machine_code(*kernel_of(slow, "float32", 0.0))
    assert "erf" in calls


@on_x86
def test_a_loop_number_by_number_is_seen_in_the_machine_code():
    def plain(x, out):
        for i in range(1, len(x)):
            out[i] = out[i - 1] * math.exp(x[i]) + x[i]

    fresh = njit(error_model="numpy")(plain)
    x = np.zeros(9)
    fresh(x, x.copy())
    packed, scalar, calls, _ = machine_code(plain, fresh.signatures[0])
    assert scalar > 0
    assert not packed > 20 * scalar
    assert "exp" in calls


def test_the_example_of_an_own_network_agrees_with_plain_numpy(tmp_path):
    command = [sys.executable, "examples/own_network.py", "--small", "--figure", str(tmp_path / "figure.png")]
    result = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True)
    found = re.search(r"largest difference from plain numpy: (\S+) Hz, of rates up to (\S+) Hz", result.stdout)
    assert float(found[1]) < 1e-4 < 10 < float(found[2])
    assert (tmp_path / "figure.png").is_file()
