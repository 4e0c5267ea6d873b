"""Integrators: order of convergence, meaning of the noise, exact linear parts, delays; slow twins in tests/reference/schemes.py."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import lambertw

from fakeimaging import Model, Observable, Parameters, Setup, parameter
from fakeimaging.activity import engine
from fakeimaging.activity.engine import Method
from fakeimaging.activity.model import Rotation
from fakeimaging.core.errors import ModelError
from fakeimaging.core.streams import Streams
from tests.reference.schemes import integrate, refined
from tests.reference.xoshiro import Xoshiro256pp

SCHEMES = ("euler", "heun", "rk4")
SEEDS = (501, 502, 503)


class Free(Parameters):
    rate: float = parameter(0.0, unit="1/s")
    cubic: float = parameter(0.0, unit="1/s")
    growth: float = parameter(0.0, unit="1/s")
    sigma: float = parameter(0.0, unit="1")
    share: float = parameter(0.0, unit="1")


def drift(x, y, coupled_x, rate, cubic, growth):
    return (-rate * x - cubic * x * x * x + coupled_x, growth * y, 0.0, 0.0)


def diffusion(y, sigma, share):
    return (sigma, share * y, 1.0, 1.0)


def observe_x(x):
    return x


def observe_y(y):
    return y


def observe_v(v):
    return v


def observe_w(w):
    return w


def observed(functions):
    return {function.__name__[8:]: Observable(function, "1", 1000.0) for function in functions}


GENERAL = Model(
    name="general",
    parameters=Free,
    states=("x", "y", "v", "w"),
    coupled=("x",),
    drift=drift,
    driven=(("x", 0), ("y", 1), ("v", 0), ("w", 1)),
    diffusion=diffusion,
    observables=observed([observe_x, observe_y, observe_v, observe_w]),
)
"""x: cubic, coupled, additive noise; y: multiplicative noise; v and w: the Brownian motions that drive x and y."""


def play(
    model, n_steps, step, *, method, start, weights=None, delays=None, seed=1, block=None, members=1, **parameters
):
    """States of the engine before each step and after the last, shape (n_steps + 1, n_states, n), of the last member."""
    values = {name: np.broadcast_to(value, np.shape(start[0])) for name, value in zip(model.states, start, strict=True)}
    n = len(values[model.states[0]])
    nothing = np.zeros((n, n))
    rated = {name: replace(tap, rate=1 / step) for name, tap in model.observables.items()}
    setup = Setup(nothing if weights is None else weights, values)
    kernel = engine.build(replace(model, observables=rated), model.parameters(**parameters), setup, method)
    several = [engine.Member(kernel, setup, Streams(seed + k)) for k in range(members)]
    schedule = engine.Schedule(step, 0, n_steps)
    progress = engine.begin(several, nothing if delays is None else delays, schedule)
    parts, size = [], block or n_steps
    for first in range(0, n_steps, size):
        made = engine.advance(progress, schedule, min(size, n_steps - first))
        parts.append(np.stack([made[name][:, :, -1] for name in model.states], axis=1))
    last = progress.state.reshape(len(model.states), -1)[:, : n * progress.layout.n_sims]
    last = last.reshape(len(model.states), n, -1)[:, :, members - 1]
    return np.concatenate([*parts, last[None]])


def order(errors):
    """Observed order of convergence of errors at steps that halve."""
    return np.log2(errors[0] / errors[-1]) / (len(errors) - 1)


ORDERS = {"euler": 1, "heun": 2, "rk4": 4}


def ring(n, seed=3):
    weights = np.random.default_rng(seed).uniform(-1, 1, (n, n))
    np.fill_diagonal(weights, 0)
    return weights


@pytest.mark.parametrize("scheme", SCHEMES)
def test_deterministic_order_of_a_coupled_network(scheme):
    weights, start = ring(5), np.linspace(-1, 1.5, 5)
    exact = solve_ivp(
        lambda t, x: -0.3 * x - x**3 + weights @ x, (0, 2), start, rtol=1e-12, atol=1e-13, method="DOP853"
    ).y[:, -1]
    errors = []
    for n_steps in (32, 64, 128):
        path = play(
            GENERAL, n_steps, 2 / n_steps, method=Method(scheme), start=(start, 0.0, 0.0, 0.0), weights=weights,
            rate=0.3, cubic=1.0,
        )  # fmt: skip
        errors.append(np.abs(path[-1, 0] - exact).max())
    assert errors[-1] < {"euler": 0.1, "heun": 1e-3, "rk4": 1e-6}[scheme]
    assert order(errors) == pytest.approx(ORDERS[scheme], abs=0.2)


def straight_drift(rate, cubic, growth):
    """The drift of `GENERAL` for the twin."""
    return lambda x, c: np.stack([-rate * x[0] - cubic * x[0] ** 3 + c, growth * x[1], 0 * x[2], 0 * x[3]])


def amplitudes(sigma, share):
    return lambda x: np.stack([sigma + 0 * x[0], share * x[1], 1 + 0 * x[2], 1 + 0 * x[3]])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_strong_order_with_additive_noise(scheme):
    """Mean distance at 1 s from a path 32 times finer along the same Brownian motion; 3 x 400 paths."""
    n, errors = 400, np.zeros(3)
    for seed in SEEDS:
        for k, n_steps in enumerate((8, 16, 32)):
            step, start = 1 / n_steps, (np.full(n, 0.5), 0.0, 0.0, 0.0)
            path = play(
                GENERAL,
                n_steps,
                step,
                method=Method(scheme),
                start=start,
                seed=seed + k,
                rate=1.0,
                cubic=1.0,
                sigma=0.8,
            )
            fine = refined(np.diff(path[:, 2:3], axis=0), step, 32, np.random.default_rng(seed))
            exact = integrate(
                lambda x, c: -x - x**3, path[0, :1], step / 32, n_steps * 32, scheme="heun",
                amplitude=lambda x: 0.8 + 0 * x, increments=fine,
            )  # fmt: skip
            errors[k] += np.abs(path[-1, 0] - exact[-1, 0]).mean() / len(SEEDS)
    assert order(errors) == pytest.approx(1, abs=0.2)


def geometric(scheme, calculus, n_steps, *, n, seed, growth, share, span=1.0):
    """Last y of the engine from 1 on, and the exact one along the same Brownian motion."""
    model = replace(GENERAL, calculus=calculus)
    path = play(
        model, n_steps, span / n_steps, method=Method(scheme), start=(np.zeros(n), 1.0, 0.0, 0.0), seed=seed,
        growth=growth, share=share,
    )  # fmt: skip
    lower = share**2 / 2 if calculus == "ito" else 0.0
    return path[-1, 1], np.exp((growth - lower) * span + share * path[-1, 3])


@pytest.mark.parametrize(("calculus", "expected"), [("ito", 0.5), ("stratonovich", 1.0)])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_strong_order_with_multiplicative_noise(scheme, calculus, expected):
    """Mean distance at 1 s from the closed form along the same Brownian motion; 3 x 500 paths."""
    errors = np.zeros(3)
    for seed in SEEDS:
        for k, n_steps in enumerate((64, 128, 256)):
            y, exact = geometric(scheme, calculus, n_steps, n=500, seed=seed + k, growth=-0.5, share=1.0)
            errors[k] += np.abs(y - exact).mean() / len(SEEDS)
    assert order(errors) == pytest.approx(expected, abs=0.2)


@pytest.mark.parametrize(("calculus", "expected"), [("ito", -0.125), ("stratonovich", 0.0)])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_meaning_of_multiplicative_noise(scheme, calculus, expected):
    """dx = s x dW, s = 0.5, T = 1: E log x = -s^2 T / 2 (Ito), 0 (Stratonovich); 3 x 800 paths, with and without W_T taken out."""
    logs, rest = [], []
    for seed in SEEDS:
        y, exact = geometric(scheme, calculus, 128, n=800, seed=seed, growth=0.0, share=0.5)
        logs.append(np.log(y))
        rest.append(np.log(y) - np.log(exact) + expected)
    for found in (np.concatenate(logs), np.concatenate(rest)):
        error = found.std() / math.sqrt(len(found))
        assert abs(found.mean() - expected) < 3 * error + 5e-4
    assert error < 1e-3


def second_moment(scheme, n_steps, growth, share):
    """E x^2 after 1 s of the scheme itself: each step multiplies x by a factor with mean g and standard deviation s."""
    h, ah = 1 / n_steps, growth / n_steps
    mean = {"euler": 1 + ah, "heun": 1 + ah + ah**2 / 2, "rk4": 1 + ah + ah**2 / 2 + ah**3 / 6 + ah**4 / 24}[scheme]
    return (mean**2 + share**2 * h * (1 + ah / 2 * (scheme == "heun")) ** 2) ** n_steps


@pytest.mark.parametrize("scheme", SCHEMES)
def test_weak_order_with_multiplicative_noise(scheme):
    """E x^2 over 3 x 1000 paths, the exact path's taken out: the scheme's own closed form, whose order is 1."""
    growth, share, errors, closed = -2.0, 0.5, [], []
    exact = math.exp(2 * growth + share**2)
    for n_steps in (4, 8, 16):
        pairs = [geometric(scheme, "ito", n_steps, n=1000, seed=seed, growth=growth, share=share) for seed in SEEDS]
        apart = np.concatenate([y**2 - along**2 for y, along in pairs])
        closed.append(second_moment(scheme, n_steps, growth, share) - exact)
        errors.append(abs(apart.mean()))
        assert abs(apart.mean() - closed[-1]) < 4 * apart.std() / math.sqrt(len(apart))
        assert abs(closed[-1]) > 5 * apart.std() / math.sqrt(len(apart))
    assert order(errors) == pytest.approx(order(np.abs(closed)), abs=0.2)
    finer = [abs(second_moment(scheme, n, growth, share) - exact) for n in (64, 128, 256)]
    assert order(finer) == pytest.approx(1, abs=0.2)


LAGS = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 40])


def lagged(n, seed=5):
    rng = np.random.default_rng(seed)
    lags = rng.choice(LAGS, (n, n))
    lags[0, 1:5] = (0, 1, 5, 40)
    return lags


@pytest.mark.parametrize(("block", "delayed"), [(120, True), (1, True), (7, True), (120, False)])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_engine_is_its_slow_twin(scheme, block, delayed):
    n, step, seed = 6, 0.05, 21
    weights, lags = ring(n) / 2, lagged(n) * delayed
    start = (np.linspace(-1, 1, n), 1.0, 0.0, 0.0)
    path = play(
        GENERAL, 120, step, method=Method(scheme), start=start, weights=weights, delays=lags * step, seed=seed,
        block=block, rate=0.5, cubic=0.3, growth=-0.2, sigma=0.4, share=0.3,
    )  # fmt: skip
    increments = np.diff(path[:, [2, 3, 2, 3]], axis=0)
    twin = integrate(
        straight_drift(0.5, 0.3, -0.2), path[0], step, 120, scheme=scheme, amplitude=amplitudes(0.4, 0.3),
        increments=increments, send=lambda x: x[0], weights=weights, lags=lags,
    )  # fmt: skip
    np.testing.assert_allclose(path, twin, rtol=1e-10, atol=1e-10)
    for i in (0, n - 1):
        generator = Xoshiro256pp(Streams(seed).at(f"region-{i + 1}").key(4))
        drawn = np.array([generator.normals() for _ in range(120)]) * math.sqrt(step)
        np.testing.assert_allclose(increments[:, 2:, i], drawn, atol=1e-12)


@pytest.mark.parametrize("block", [120, 7])
@pytest.mark.parametrize("scheme", ["euler", "heun"])
def test_delays_around_a_register_of_32_bits_arrive_on_time(scheme, block):
    n, step = 6, 0.05
    weights, lags = ring(n) / 2, lagged(n)
    start = (np.linspace(-1, 1, n), 0.0, 0.0, 0.0)
    path = play(
        GENERAL, 120, step, method=Method(scheme, "float32"), start=start, weights=weights, delays=lags * step,
        block=block, rate=0.5, cubic=0.3,
    )  # fmt: skip
    twin = integrate(
        straight_drift(0.5, 0.3, 0), path[0], step, 120, scheme=scheme, send=lambda x: x[0], weights=weights, lags=lags
    )
    np.testing.assert_allclose(path[:, 0], twin[:, 0], atol=2e-5)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_stratonovich_amplitude_is_that_of_the_slow_twin(scheme):
    start = (np.zeros(5), 1.0, 0.0, 0.0)
    model = replace(GENERAL, calculus="stratonovich")
    path = play(model, 50, 0.05, method=Method(scheme), start=start, growth=-0.2, sigma=0.4, share=0.8)
    twin = integrate(
        straight_drift(0, 0, -0.2), path[0], 0.05, 50, scheme=scheme, amplitude=amplitudes(0.4, 0.8),
        increments=np.diff(path[:, [2, 3, 2, 3]], axis=0), stratonovich=True,
    )  # fmt: skip
    np.testing.assert_allclose(path, twin, rtol=1e-11, atol=1e-12)


def echo(delay, span, n_steps, scheme, *, interpolate=False):
    """x' = -x(t - delay) from a past of 1, each of two regions the other's echo: states before each step and after the last."""
    method = Method(scheme, interpolate=interpolate)
    start = (np.ones(2), 0.0, 0.0, 0.0)
    delays = np.full((2, 2), delay)
    weights = np.eye(2) - 1
    return play(GENERAL, n_steps, span / n_steps, method=method, start=start, weights=weights, delays=delays)[:, 0, 0]


def echo_exact(t, delay):
    """Method of steps: sum over k of (-1)^k (t - (k - 1) delay)^k / k! while t > (k - 1) delay."""
    terms = range(int(t / delay + 1e-9) + 2)
    return sum((-1) ** k * max(t - (k - 1) * delay, 0.0) ** k / math.factorial(k) for k in terms)


@pytest.mark.parametrize(("scheme", "expected"), [("euler", 1), ("heun", 2), ("rk4", 2)])
def test_order_with_delays(scheme, expected):
    """Stages between steps take the delayed value halfway between those at the steps, so that RK4 is of order 2."""
    errors = [abs(echo(1.0, 3.5, n, scheme)[-1] - echo_exact(3.5, 1.0)) for n in (56, 112, 224)]
    assert order(errors) == pytest.approx(expected, abs=0.2)


def test_interpolation_keeps_the_order_where_delays_are_no_whole_steps():
    exact = echo_exact(3.0, 1.1)
    finer = {
        interpolate: [abs(echo(1.1, 3.0, n, "heun", interpolate=interpolate)[-1] - exact) for n in (48, 96, 192, 384)]
        for interpolate in (True, False)
    }
    assert order(finer[True]) == pytest.approx(2, abs=0.2)
    assert order(finer[False]) < 1.5
    assert finer[True][-1] < 0.02 * finer[False][-1]


@pytest.mark.parametrize(("delay", "ratio"), [(1.40, 0.0301), (math.pi / 2, 1.00), (1.75, 14.04)])
def test_a_delayed_echo_bursts_into_rhythm_at_a_quarter_turn(delay, ratio):
    """Envelope after 60 s more; the rightmost root of s = -exp(-s delay) is W(-delay) / delay."""
    path = echo(delay, 100.0, 100_000, "heun", interpolate=True)
    root = lambertw(-delay) / delay
    assert np.exp(60 * root.real) == pytest.approx(ratio, rel=0.002)
    t = 1e-3 * np.arange(7000)
    waves = np.exp(root * t)
    shapes = np.column_stack([waves.real, waves.imag])
    early, late = (np.linalg.lstsq(shapes, path[first : first + 7000], rcond=None)[0] for first in (33_000, 93_000))
    assert np.linalg.norm(late) / np.linalg.norm(early) == pytest.approx(ratio, rel=0.01)


@pytest.mark.parametrize(("delay", "largest"), [(1.5, 0.017), (1.6, 5.7)])
def test_a_delayed_echo_after_200_seconds(delay, largest):
    """The largest |x| of the last 10 s: that of the slowest mode, whose residue is -1 / (s (1 + delay s)) for a past of 1."""
    root = lambertw(-delay) / delay
    t = np.linspace(190, 200, 2001)
    closed = np.abs(2 * (np.exp(root * t) / (root * (1 + delay * root))).real).max()
    assert np.abs(echo(delay, 200.0, 40_000, "heun")[38_000:]).max() == pytest.approx(closed, rel=0.01)
    assert closed == pytest.approx(largest, rel=0.05)


@pytest.mark.parametrize("delayed", [False, True])
def test_held_coupling_is_refreshed_every_so_many_steps(delayed):
    """On against off: held coupling is half an interval late on average, so that the error goes with the interval."""
    weights, lags = ring(6), lagged(6) * delayed
    start = (np.linspace(-1, 1, 6), 0.0, 0.0, 0.0)

    def last(hold):
        return play(
            GENERAL, 400, 0.005, method=Method("euler", hold=hold), start=start, weights=weights, delays=lags * 0.005,
            rate=1.0, cubic=0.3,
        )  # fmt: skip

    free, held, longer = last(1), last(5), last(10)
    changes = np.diff(held[:, 0], axis=0) / 0.005 + held[:-1, 0] + 0.3 * held[:-1, 0] ** 3
    received = changes.reshape(80, 5, 6)
    np.testing.assert_allclose(received, np.repeat(received[:, :1], 5, axis=1), atol=1e-9)
    now = np.arange(0, 400, 5)[:, None, None]
    sent = held[np.maximum(now - lags, 0), 0, np.arange(6)]
    np.testing.assert_allclose(received[:, 0], (weights * sent).sum(axis=2), atol=1e-9)
    errors = [np.abs(path - free).max() for path in (held, longer)]
    assert errors[0] < 0.05
    assert errors[1] / errors[0] == pytest.approx(9 / 4, rel=0.1)


def test_held_coupling_is_for_euler():
    with pytest.raises(ModelError, match="`coupling_interval`: .* 'euler' only"):
        Method("heun", hold=2)


@pytest.mark.parametrize("seed", SEEDS)
def test_coloured_noise_has_its_variance_its_correlation_and_the_density_of_white_noise(seed):
    """Of 200 regions over 100 s, after 2 s: variance 1 / (2 tau), correlation exp(-t / tau), and var of its integral T."""
    tau, step, n = 0.1, 0.01, 200
    path = play(
        GENERAL, 10_200, step, method=Method(noise_time=tau), start=(np.zeros(n), 0.0, 0.0, 0.0), seed=seed, block=100
    )
    colour = np.diff(path[200:, 2], axis=0) / step
    independent = colour.size * step / (2 * tau)
    assert colour.var() * 2 * tau == pytest.approx(1, abs=4 * math.sqrt(2 / independent))
    for lag in (1, 10, 20):
        found = (colour[lag:] * colour[:-lag]).mean() / colour.var()
        assert found == pytest.approx(math.exp(-lag * step / tau), abs=4 / math.sqrt(independent))
    spans = path[200::1000, 2][1:] - path[200::1000, 2][:-1]
    assert spans.var() / (10 - tau) == pytest.approx(1, abs=4 * math.sqrt(2 / spans.size))


def test_noise_of_a_time_constant_far_below_the_step_is_white():
    path = play(GENERAL, 60, 0.01, method=Method(noise_time=1e-5), start=(np.zeros(4), 0.0, 0.0, 0.0), seed=8)
    white = play(GENERAL, 60, 0.01, method=Method(), start=(np.zeros(4), 0.0, 0.0, 0.0), seed=8)
    np.testing.assert_allclose(np.diff(path[1:, 2:], axis=0), np.diff(white[:-1, 2:], axis=0), atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_driven_by_coloured_noise_a_decay_is_as_in_closed_form_and_near_the_white_limit(seed):
    """x' = -k x + s u with u of time constant tau: variance s^2 / (2 k (1 + k tau)), s^2 / 2 k as tau goes to 0; 300 regions, 40 s."""
    rate, sigma, n, step = 2.0, 1.5, 300, 0.005
    for tau in (0.5, 0.02):
        path = play(
            GENERAL, 8000, step, method=Method(noise_time=tau), start=(np.zeros(n), 0.0, 0.0, 0.0), seed=seed,
            rate=rate, sigma=sigma,
        )  # fmt: skip
        x = path[800:, 0]
        independent = x.size * step / (2 * (1 / rate + tau))
        closed = sigma**2 / (2 * rate * (1 + rate * tau))
        assert x.var() / closed == pytest.approx(1, abs=4 * math.sqrt(2 / independent) + rate * step)


class Exact(Parameters):
    k: float = parameter(2.0, unit="1/s")
    growth: float = parameter(-1.0, unit="1/s")
    omega: float = parameter(20.0, unit="rad/s")
    push: float = parameter(0.0, unit="1")
    cubic: float = parameter(0.0, unit="1/s")
    sigma: float = parameter(0.0, unit="1")


def linear_drift(x, re, im, push, cubic):
    size = re * re + im * im
    return (push - cubic * x * x * x, -cubic * size * re, -cubic * size * im)


def linear_diffusion(sigma):
    return (sigma, sigma, sigma)


def observe_re(re):
    return re


def observe_im(im):
    return im


PARTS = Model(
    name="parts",
    parameters=Exact,
    states=("x", "re", "im"),
    drift=linear_drift,
    driven=(("x", 0), ("re", 1), ("im", 2)),
    diffusion=linear_diffusion,
    decays={"x": "k"},
    rotating=(Rotation("re", "im", "growth", "omega"),),
    observables=observed([observe_x, observe_re, observe_im]),
)
"""A decay and a rotating pair, taken in exact steps under euler."""


@pytest.mark.parametrize("step", [0.01, 0.5, 3.0])
@pytest.mark.parametrize("k", [2.0, 0.0, -0.3])
def test_a_decay_is_exact_at_any_step(step, k):
    """x' = push - k x; growth and a rate of 0 too."""
    path = play(PARTS, 12, step, method=Method(), start=(np.array([1.0, -2.0]), 1.0, 0.0), k=k, push=0.5)
    t = step * np.arange(13)[:, None]
    start = np.array([1.0, -2.0])
    exact = start + 0.5 * t if k == 0 else start * np.exp(-k * t) + 0.5 * (1 - np.exp(-k * t)) / k
    np.testing.assert_allclose(path[:, 0], exact, rtol=1e-9, atol=1e-10)
    z = path[:, 1] + 1j * path[:, 2]
    np.testing.assert_allclose(z, np.exp((-1 + 20j) * t) * np.ones(2), atol=1e-12)


@pytest.mark.parametrize("step", [0.01, 0.25, 2.0])
def test_the_variance_of_a_decay_does_not_depend_on_the_step(step):
    """sigma^2 / 2 k, over 3 x 300 regions and 400 steps."""
    found, independent = [], 0.0
    for seed in SEEDS:
        start = (np.random.default_rng(seed).normal(size=300) * 0.5 * 1.3, 0.0, 0.0)
        x = play(PARTS, 400, step, method=Method(), start=start, seed=seed, sigma=1.3)[:, 0]
        found.append(x.var())
        kept = math.exp(-2 * step)
        independent += x.size * (1 - kept**2) / (1 + kept**2)
    assert np.mean(found) / (1.3**2 / 4) == pytest.approx(1, abs=4 * math.sqrt(2 / independent))


def test_coloured_noise_enters_a_decay_as_a_drift_does():
    """Where a step is longer than the decay's time constant: x = E x + (1 - E) / k times the colour of that step."""
    path = play(PARTS, 60, 0.5, method=Method(noise_time=2.0), start=(np.zeros(9), 0.0, 0.0), k=4.0, sigma=0.7, seed=3)
    free = play(PARTS, 60, 0.5, method=Method(noise_time=2.0), start=(np.zeros(9), 0.0, 0.0), k=0.0, sigma=0.7, seed=3)
    colour = np.diff(free[:, 0], axis=0) / 0.5
    kept = math.exp(-4.0 * 0.5)
    np.testing.assert_allclose(path[1:, 0], kept * path[:-1, 0] + (1 - kept) / 4.0 * colour, atol=1e-9)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_order_where_linear_parts_are_taken_apart(scheme):
    """Heun and RK4 add them to the drift; under euler the drift alone limits the order."""

    def exact_drift(t, s):
        size = s[1] ** 2 + s[2] ** 2
        turn = (-s[1] - 3 * s[2], 3 * s[1] - s[2])
        return [0.5 - s[0] ** 3 - 2 * s[0], turn[0] - size * s[1], turn[1] - size * s[2]]

    exact = solve_ivp(exact_drift, (0, 2), [1.5, 1, 0], rtol=1e-12, atol=1e-13, method="DOP853").y[:, -1]
    errors = []
    for n_steps in (32, 64, 128):
        path = play(
            PARTS, n_steps, 2 / n_steps, method=Method(scheme), start=(np.full(2, 1.5), 1.0, 0.0), omega=3.0, push=0.5,
            cubic=1.0,
        )  # fmt: skip
        errors.append(np.abs(path[-1, :, 0] - exact).max())
    assert order(errors) == pytest.approx(ORDERS[scheme], abs=0.2)


class Turning(Parameters):
    omega: float = parameter(3.0, unit="rad/s")
    strength: float = parameter(0.0, unit="1/s")
    climb: float = parameter(0.0, unit="1/s")


def turning_drift(theta, z, coupled_sine, coupled_cosine, omega, strength, climb):
    pull = math.cos(theta) * coupled_sine - math.sin(theta) * coupled_cosine
    return (omega + strength * pull, climb * math.cos(theta))


def send_sine(theta):
    return math.sin(theta)


def send_cosine(theta):
    return math.cos(theta)


def observe_theta(theta):
    return theta


def observe_z(z):
    return z


PHASES = Model(
    name="phases",
    parameters=Turning,
    states=("theta", "z"),
    sent={"sine": send_sine, "cosine": send_cosine},
    drift=turning_drift,
    limits={"z": (-0.25, 0.5)},
    angles=("theta",),
    observables=observed([observe_theta, observe_z]),
)


@pytest.mark.parametrize("scheme", ["euler", "heun"])
def test_angles_wrap_and_go_on_and_limits_hold(scheme):
    step, n_steps = 0.01, 2000
    weights, start = np.abs(ring(5)), np.linspace(-1, 1, 5)
    path = play(
        PHASES, n_steps, step, method=Method(scheme), start=(start, 0.0), weights=weights, climb=2.0, strength=0.4
    )
    twin = integrate(
        lambda x, c: np.stack([
            3 + 0.4 * (np.cos(x[0]) * (weights @ np.sin(x[0])) - np.sin(x[0]) * (weights @ np.cos(x[0]))), 0 * x[0]
        ]), path[0], step, n_steps, scheme=scheme,
    )  # fmt: skip
    assert np.abs(path[:, 0]).max() <= math.pi * (1 + 1e-12)
    assert np.abs(twin[-1, 0]).min() > 50
    np.testing.assert_allclose(np.unwrap(path[:, 0], axis=0), twin[:, 0], atol=1e-8)
    z = path[:, 1]
    assert z.min() == -0.25
    assert z.max() == 0.5
    inside = (z[:-1] > -0.25) & (z[:-1] < 0.5) & (z[1:] > -0.25) & (z[1:] < 0.5)
    rises = np.diff(z, axis=0)
    slope = 2 * np.cos(path[:-1, 0]) if scheme == "euler" else np.cos(path[:-1, 0]) + np.cos(path[1:, 0])
    np.testing.assert_allclose(rises[inside], step * slope[inside], atol=1e-4 if scheme == "heun" else 1e-12)


@pytest.mark.parametrize(("tau", "side"), [(0.2, 1), (1.3, -1)])
def test_a_delayed_pair_locks_at_the_frequency_of_the_closed_form(tau, side):
    """Omega = omega - K sin(Omega tau) in step, omega + K sin(Omega tau) in opposition.

    Yeung & Strogatz 1999, doi:10.1103/PhysRevLett.82.648.
    """
    weights, delays = np.array([[0.0, 1.0], [1.0, 0.0]]), np.full((2, 2), tau)
    start = (np.array([0.0, 0.3]), 0.0)
    path = play(PHASES, 12_000, 0.005, method=Method("heun"), start=start, weights=weights, delays=delays, strength=0.8)
    theta = np.unwrap(path[:, 0], axis=0)
    frequency = (theta[-1] - theta[-4001]) / 20
    np.testing.assert_allclose(frequency, 3.0 - side * 0.8 * np.sin(frequency * tau), rtol=1e-3)
    assert np.cos(theta[-1, 0] - theta[-1, 1]) == pytest.approx(side, abs=1e-6)
    assert side * np.cos(frequency[0] * tau) > 0


def send_received(coupled_sine):
    return coupled_sine


def test_what_is_sent_knows_nothing_of_what_is_received():
    model = replace(PHASES, sent={"sine": send_sine, "cosine": send_received})
    with pytest.raises(ModelError, match="`send_received` asks for 'coupled_sine'.*what is sent"):
        play(model, 1, 0.01, method=Method(), start=(np.zeros(3), 0.0), weights=np.abs(ring(3)))
