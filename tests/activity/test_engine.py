from dataclasses import replace

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.activity import engine
from fakeimaging.activity.model import Rotation
from fakeimaging.activity.models import MODELS
from fakeimaging.core.errors import InputError, ModelError, ParameterError, RateError, UnknownNameError
from fakeimaging.core.streams import Streams
from fakeimaging.testing.fixtures import tiny_subject
from tests.activity import euler_linear
from tests.reference.networks import linear_network
from tests.reference.xoshiro import Xoshiro256pp

STEP = 1e-3


def run_linear(weights, delays, n_steps, *, streams, step=STEP, dropped=0, initial=0.0, **parameters):
    """Run a linear network with a tap at every step and return the states, shape (n_steps, n)."""
    observable = fi.Observable(euler_linear.rate, "Hz", 1 / step)
    model = replace(euler_linear.MODEL, observables={"rate": observable})
    checked = model.parameters.parse(parameters)
    setup = fi.Setup(np.asarray(weights, dtype=float), {"x": initial})
    taps = {"rate": np.zeros((n_steps, len(weights)), dtype=np.float32)}
    kernel = engine.build(model, checked, setup)
    schedule = engine.Schedule(step, dropped, n_steps)
    engine.run([engine.Member(kernel, setup, streams)], np.asarray(delays), schedule, [taps])
    return taps["rate"]


def reference_noise(streams, n_steps, n, n_noises=1):
    """Normals as the kernel draws them, shape (n_steps, n) or (n_steps, n_noises, n); n_steps even.

    Each step takes whole pairs; the last of an odd number of processes takes one half of a pair and the next step the other.
    """
    generators = [Xoshiro256pp(streams.at(f"region-{i + 1}").key(4)) for i in range(n)]
    noise = np.zeros((n_steps, n_noises, n))
    for i, generator in enumerate(generators):
        for t in range(n_steps):
            for w in range(0, n_noises - 1, 2):
                noise[t, w : w + 2, i] = generator.normals()
            if n_noises % 2 and t % 2 == 0:
                noise[t : t + 2, -1, i] = generator.normals()
    return noise[:, 0] if n_noises == 1 else noise


def random_network(seed, n=5):
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0, 1, (n, n)) * (rng.uniform(size=(n, n)) < 0.6)
    np.fill_diagonal(weights, 0)
    return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9), rng.integers(0, 25, (n, n))


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_the_engine_is_its_slow_twin(seed):
    weights, lags = random_network(seed)
    streams = Streams(seed)
    fast = run_linear(weights, lags * STEP, 300, streams=streams, tau=0.02, sigma=1.0, gain=0.9)
    slow = linear_network(
        weights, lags, tau=0.02, gain=0.9, sigma=1.0, step=STEP, n_steps=300, noise=reference_noise(streams, 300, 5)
    )
    np.testing.assert_allclose(fast, slow, rtol=1e-5, atol=1e-6)


def test_a_kick_arrives_after_the_delay_and_not_before():
    weights = np.array([[0.0, 0.0], [1.0, 0.0]])
    delays = np.array([[0.0, 0.0], [0.017, 0.0]])
    x = run_linear(weights, delays, 60, streams=Streams(1), tau=0.05, sigma=0.0, gain=0.9, initial=np.array([1.0, 0.0]))
    # The past of region 1 is constant at 1, so region 2 is driven from the first step; its drive starts to fall 17 steps later.
    drive = np.diff(x[:, 1]) / STEP * 0.05 + x[:-1, 1]
    np.testing.assert_allclose(drive[:18], 0.9, rtol=1e-3)
    np.testing.assert_allclose(drive[18:], 0.9 * x[1 : len(drive) - 17, 0], rtol=1e-3)


def test_blocks_and_dropping_leave_no_trace(monkeypatch):
    weights, lags = random_network(4)
    whole = run_linear(weights, lags * STEP, 2500, streams=Streams(2), sigma=1.0)
    monkeypatch.setattr(engine, "BLOCK_SECONDS", 0.037)
    assert (run_linear(weights, lags * STEP, 2500, streams=Streams(2), sigma=1.0) == whole).all()
    late = run_linear(weights, lags * STEP, 1987, streams=Streams(2), sigma=1.0, dropped=513)
    assert (late == whole[513:]).all()


def test_regions_have_noise_of_their_own():
    x = run_linear(
        np.array([[0, 1e-12], [1e-12, 0]]),
        np.zeros((2, 2)),
        200_000,
        streams=Streams(5),
        tau=0.005,
        sigma=1.0,
    )
    n = len(x) * STEP / (2 * 0.005)
    assert abs(np.corrcoef(x.T)[0, 1]) < 4 / np.sqrt(n)


def test_a_tap_is_the_mean_over_its_interval():
    activity = fi.simulate_activity(tiny_subject(), model="dmf", duration=2.0)
    assert [activity.tap(name).clock.rate for name in ("rate", "inhibitory_rate", "dipole")] == pytest.approx(
        [50, 10, 250]
    )
    tap = activity.tap("rate")
    assert tap.clock.start == pytest.approx(-20 + 0.0095)
    assert tap.from_start().clock.start == pytest.approx(0.0095)
    averaged = tap.at_rate(10.0)
    np.testing.assert_allclose(averaged.samples[3], tap.samples[15:20].mean(axis=0), rtol=1e-6)
    assert averaged.clock.start == pytest.approx(tap.clock.times[:5].mean())


def test_a_rate_above_the_taps_own_raises():
    tap = fi.simulate_activity(tiny_subject(), model="linear", duration=1.0).tap("rate")
    with pytest.raises(RateError, match="recorded at 100 Hz; 200 Hz"):
        tap.at_rate(200.0)
    with pytest.raises(RateError, match="whole fraction"):
        tap.at_rate(30.0)


def test_blocks_of_a_tap_are_the_tap():
    tap = fi.simulate_activity(tiny_subject(), model="linear", duration=7.0).tap("rate")
    parts = list(tap.blocks(4.0))
    assert (np.concatenate([samples for _, samples in parts]) == tap.samples).all()
    assert np.concatenate([clock.times for clock, _ in parts]) == pytest.approx(tap.clock.times)


def test_a_long_tap_lives_in_a_file_and_holds_the_same_numbers(tmp_path, monkeypatch):
    short = fi.simulate_activity(tiny_subject(), model="linear", duration=3.0)
    stored = fi.simulate_activity(tiny_subject(), model="linear", duration=3.0, store=tmp_path)
    assert isinstance(stored.tap("rate").samples, np.memmap)
    assert (np.load(tmp_path / "rate.npy") == short.tap("rate").samples).all()
    monkeypatch.setattr("fakeimaging.activity.taps.HELD", 4096)
    let_go = fi.simulate_activity(tiny_subject(), model="linear", duration=3.0, store=tmp_path / "let_go")
    assert (let_go.tap("rate").samples == short.tap("rate").samples).all()
    monkeypatch.setattr("fakeimaging.activity.taps.IN_MEMORY", 1)
    spooled = fi.simulate_activity(tiny_subject(), model="linear", duration=3.0).tap("rate").samples
    assert isinstance(spooled, np.memmap)
    assert (spooled == short.tap("rate").samples).all()


@pytest.mark.parametrize(("k", "when"), [(100.0, "-20 and -19"), (3.05, "2 and 3")])
def test_divergence_is_named_with_model_region_and_time_on_the_runs_clock(tmp_path, k, when):
    """x grows as exp(k t) and passes 1e30 after 69 / k s: 0.7 s and 23.0 s, the first 20 s of them warm-up."""
    path = tmp_path / "runaway.py"
    path.write_text(
        "from fakeimaging import Model, Observable, Parameters, parameter\n"
        "class P(Parameters):\n    k: float = parameter(200.0, unit='1/s')\n"
        "def drift(x, k):\n    return (k * (x + 1.0),)\n"
        "def rate(x):\n    return x\n"
        "MODEL = Model(name='runaway', parameters=P, states=('x',), coupled=(), drift=drift,"
        " observables={'rate': Observable(rate, 'Hz', 100.0)}, transient=0.0)\n"
    )
    with pytest.raises(ModelError, match=rf"model runaway: `x` of region 1 is not finite between {when} s on the"):
        fi.simulate_activity(tiny_subject(), model=path, duration=6.0, parameters={"k": k})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"duration": 600_000.0}, ParameterError, "did you mean 600"),
        ({"duration": 1.0, "speed": 0.0}, ParameterError, "run.speed"),
        ({"duration": 1.0, "step": 0.003}, ModelError, "does not divide"),
        ({"duration": 1.0037}, ParameterError, "whole number of"),
        ({"duration": 1.0, "model": "dmff"}, UnknownNameError, "did you mean 'dmf'"),
        ({"duration": 1.0, "run": 0}, InputError, "`run`"),
        ({"duration": 1.0, "task": "rest state"}, InputError, "BIDS labels"),
        ({"duration": 1.0, "parameters": {"loop_gain": 0.99}}, ParameterError, "near 1 it locks"),
    ],
)
def test_bad_runs_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        fi.simulate_activity(tiny_subject(), **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"coupling_interval": 1.49e-3},
            "1.49e-03|0.00149 s is not a whole number of steps of 0.001 s; the nearest is 0.001",
        ),
        ({"coupling_interval": 1e-3}, "0.001 s is one step and holds nothing; leave it out or take a shorter `step`"),
        ({"model": "deco2014", "coupling_interval": 2e-3}, "held between steps under the scheme 'euler' only"),
    ],
)
def test_coupling_that_cannot_be_held_is_refused(arguments, message):
    with pytest.raises(ModelError, match=message):
        fi.simulate_activity(tiny_subject(), duration=1.0, **arguments)


ITO = """
from fakeimaging import Model, Observable, Parameters, parameter
class P(Parameters):
    s: float = parameter(0.1, unit="1")
def drift(x):
    return (-x,)
def diffusion(x, s):
    return (s * x,)
def rate(x):
    return x
MODEL = Model(name="growing", parameters=P, states=("x",), drift=drift, driven=(("x", 0),), diffusion=diffusion,
    observables={"rate": Observable(rate, "Hz", 100.0)}, calculus="ito")
"""


def test_coloured_noise_has_the_meaning_of_stratonovich(tmp_path):
    (tmp_path / "growing.py").write_text(ITO)
    with pytest.raises(ModelError, match="meant as Ito; noise with a time constant has the meaning of Stratonovich"):
        fi.simulate_activity(tiny_subject(), model=tmp_path / "growing.py", duration=1.0, noise_time=0.01)
    (tmp_path / "growing.py").write_text(ITO.replace('"ito"', '"stratonovich"'))
    fi.simulate_activity(tiny_subject(), model=tmp_path / "growing.py", duration=1.0, noise_time=0.01)


def test_a_step_that_nearly_divides_is_made_exact():
    activity = fi.simulate_activity(tiny_subject(), model="linear", duration=2.0, step=0.0019999995)
    exact = fi.simulate_activity(tiny_subject(), model="linear", duration=2.0, step=0.002)
    assert (activity.tap("rate").samples == exact.tap("rate").samples).all()
    assert activity.tap("rate").clock.n == 2200


TWO_NOISES = """
from fakeimaging import Model, Observable, Parameters, parameter
class P(Parameters):
    tau: float = parameter(0.01, unit="s")
def drift(x, y, z, tau):
    return (-x / tau, -y / tau, -z / tau)
def diffusion():
    return (1.0, 1.0, 1.0)
def rate(x):
    return x
def second(y):
    return y
def third(z):
    return z
MODEL = Model(name="three", parameters=P, states=("x", "y", "z"), coupled=(), drift=drift, driven=(("x", 0), ("y", 1), ("z", 2)),
    diffusion=diffusion, transient=0.0,
    observables={"rate": Observable(rate, "Hz", 1000.0), "y": Observable(second, "1", 1000.0), "z": Observable(third, "1", 1000.0)})
"""


def test_several_noises_of_a_region_are_independent_and_as_strong_as_asked(tmp_path):
    (tmp_path / "three.py").write_text(TWO_NOISES)
    activity = fi.simulate_activity(tiny_subject(), model=tmp_path / "three.py", duration=100.0)
    series = np.array([activity.tap(name).samples[:, i] for name in ("rate", "y", "z") for i in range(10)]).astype(
        float
    )
    n = series.shape[1] * 1e-3 / (2 * 0.01)
    assert np.abs(np.corrcoef(series)[np.triu_indices(30, 1)]).max() < 4.5 / np.sqrt(n)
    # Euler with step h: variance tau / 2 / (1 - h / (2 tau)).
    assert series.var(axis=1) == pytest.approx(0.005 / 0.95, rel=5 * np.sqrt(2 / n))


def test_taps_start_when_the_dropped_steps_are_over():
    weights, lags = random_network(6)
    slow = {name: fi.Observable(euler_linear.rate, "Hz", rate) for name, rate in (("rate", 100.0), ("dipole", 250.0))}
    model = replace(euler_linear.MODEL, observables=slow)
    setup = fi.Setup(weights, {"x": 0.0})
    kernel = engine.build(model, model.parameters(), setup)
    taps = {"rate": np.zeros((50, 5), dtype=np.float32), "dipole": np.zeros((125, 5), dtype=np.float32)}
    engine.run([engine.Member(kernel, setup, Streams(4))], lags * STEP, engine.Schedule(STEP, 513, 500), [taps])
    every_step = run_linear(weights, lags * STEP, 1013, streams=Streams(4))
    np.testing.assert_allclose(taps["rate"], every_step[513:].reshape(50, 10, 5).mean(axis=1), rtol=1e-4, atol=1e-6)


SPINNER = """
from fakeimaging import Model, Observable, Parameters, Setup, parameter
from fakeimaging.activity.model import Rotation
class P(Parameters):
    a: float = parameter(-0.5, unit="1/s")
    omega: float = parameter(65.0, unit="rad/s")
    cubic: float = parameter(0.0, unit="1/s")
def drift(x, y, cubic):
    return (-cubic * (x * x + y * y) * x, -cubic * (x * x + y * y) * y)
def rate(x):
    return x
def other(y):
    return y
def prepare(parameters, subject, step):
    return Setup(subject.connectome.weights, {"x": 1.0})
MODEL = Model(name="spinner", parameters=P, states=("x", "y"), coupled=(), drift=drift, transient=0.0, prepare=prepare,
    rotating=(Rotation("x", "y", "a", "omega"),),
    observables={"rate": Observable(rate, "1", RATE), "y": Observable(other, "1", RATE)})
"""


def spin(tmp_path, step, **parameters):
    """The complex state of one region before each step, from 1 on."""
    (tmp_path / "spinner.py").write_text(SPINNER.replace("RATE", repr(1 / step)))
    path = tmp_path / "spinner.py"
    activity = fi.simulate_activity(tiny_subject(), model=path, duration=1.0, step=step, parameters=parameters)
    return activity.tap("rate").samples[:, 0] + 1j * activity.tap("y").samples[:, 0]


@pytest.mark.parametrize("step", [1e-3, 2e-2])
def test_a_linear_rotation_is_exact_at_any_step(tmp_path, step):
    z = spin(tmp_path, step)
    np.testing.assert_allclose(z, np.exp((-0.5 + 65j) * step * np.arange(len(z))), atol=2e-6)


def test_the_rest_of_a_rotating_pair_takes_euler_steps_of_order_one(tmp_path):
    # dz = (a + i w - c |z|^2) z has |z|^2 = 1 / ((1 + c/a') exp(2 a' t) - c/a') with a' = -a.
    a, c, t = 0.5, 3.0, 4.0
    exact = ((1 + c / a) * np.exp(2 * a * t) - c / a) ** -0.5
    errors = [abs(abs(spin(tmp_path, step, cubic=c)[round(t / step)]) / exact - 1) for step in (0.01, 0.005, 0.0025)]
    assert errors[0] < 0.02
    assert np.log2(errors[0] / errors[1]) == pytest.approx(1, abs=0.1)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(1, abs=0.1)


def test_a_pair_that_is_no_pair_of_states_is_refused():
    model = MODELS.get("linear")
    for pair, message in ((("x", "z"), "'z' is not a state"), (("x", "x"), "only once")):
        with pytest.raises(ModelError, match=message):
            fi.Model(**{**model.__dict__, "rotating": (Rotation(*pair, "tau", "tau"),)})


@pytest.mark.parametrize("n_steps", [1, 2, 3, 5, 7])
def test_delays_around_a_chunk_of_steps_arrive_on_time(n_steps, monkeypatch):
    """Lags from 0 to 9 steps, blocks of any length: the same as the slow twin."""
    monkeypatch.setattr(engine, "BLOCK_SECONDS", n_steps * STEP)
    weights = (np.ones((10, 10)) - np.eye(10)) / 9
    lags = np.add.outer(np.arange(10), np.arange(10)) % 10
    start = np.linspace(-1, 1, 10)
    fast = run_linear(weights, lags * STEP, 60, streams=Streams(1), tau=0.01, sigma=0.0, gain=0.9, initial=start)
    slow = linear_network(
        weights, lags, tau=0.01, gain=0.9, sigma=0.0, step=STEP, n_steps=60, noise=np.zeros((60, 10)), start=start
    )
    np.testing.assert_allclose(fast, slow, rtol=1e-5, atol=1e-6)


def test_a_model_may_use_the_names_of_the_loop_itself(tmp_path):
    (tmp_path / "names.py").write_text(
        "from fakeimaging import Model, Observable, Parameters, parameter\n"
        "class P(Parameters):\n    step: float = parameter(3.0, unit='1')\n    weight: float = parameter(2.0, unit='1')\n"
        "    n: float = parameter(1.0, unit='1')\n"
        "def drift(now, head, step, weight, n):\n    return (-now * n, -head)\n"
        "def rate(now, step, weight, n):\n    return step + weight + n + now\n"
        "MODEL = Model(name='names', parameters=P, states=('now', 'head'), coupled=('head',), drift=drift,"
        " observables={'rate': Observable(rate, 'Hz', 100.0)}, transient=0.0)\n"
    )
    activity = fi.simulate_activity(tiny_subject(), model=tmp_path / "names.py", duration=1.0)
    np.testing.assert_allclose(activity.tap("rate").samples, 6.0)


def test_a_tap_shows_what_it_is_and_no_arrays():
    tap = fi.simulate_activity(tiny_subject(), model="linear", duration=2.0).tap("rate").from_start()
    assert repr(tap) == f"Tap(rate in Hz: 10 regions, 200 samples at 100 Hz from {tap.clock.start:.6g} s)"
