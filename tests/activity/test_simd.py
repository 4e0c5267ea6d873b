"""Vectors of the processor: arithmetic and functions against numpy's long doubles, the generators against slow ones."""

import math

import numpy as np
import pytest
from numba import njit

from fakeimaging.activity.simd.functions import (
    cos,
    exp,
    expm1,
    fabs,
    floor,
    lanewise,
    log,
    power,
    sin,
    sqrt,
    tanh,
)  # fmt: skip
from fakeimaging.activity.simd.random import normal_pair, uniforms
from fakeimaging.activity.simd.vectors import (
    both,
    column,
    either,
    lanes,
    load,
    negation,
    select,
    store,
    total,
    truth,
)  # fmt: skip
from tests.reference.xoshiro import Xoshiro128pp, Xoshiro256pp

WIDTHS = (np.float32, np.float64)
SEEDS = (901, 902, 903)
N = 100_000
lanewise_atan2, lanewise_log1p = lanewise("atan2"), lanewise("log1p")


@njit(error_model="numpy")
def functions(x, y, out):
    n = x.shape[0]
    for i in range(0, n, lanes(x)):
        a, b = load(x, i), load(y, i)
        store(out, i, exp(a))
        store(out, n + i, expm1(a))
        store(out, 2 * n + i, log(a))
        store(out, 3 * n + i, sin(a))
        store(out, 4 * n + i, cos(a))
        store(out, 5 * n + i, tanh(a))
        store(out, 6 * n + i, sqrt(a))
        store(out, 7 * n + i, floor(a))
        store(out, 8 * n + i, fabs(a))
        store(out, 9 * n + i, power(a, b))
        store(out, 10 * n + i, lanewise_atan2((a, b)))
        store(out, 11 * n + i, lanewise_log1p((a,)))
        store(out, 12 * n + i, lanewise_atan2((a, 2.0)))


NAMES = (
    "exp",
    "expm1",
    "log",
    "sin",
    "cos",
    "tanh",
    "sqrt",
    "floor",
    "fabs",
    "power",
    "atan2",
    "log1p",
    "atan2_of_two",
)


def worked_out(x, y=None):
    """Every function of x (and y), by name; any length."""
    length = -(-len(x) // 8) * 8
    given = [np.resize(row, length).astype(x.dtype) for row in (x, x if y is None else y)]
    out = np.zeros((len(NAMES), length), dtype=x.dtype)
    functions(*given, out)
    return dict(zip(NAMES, out[:, : len(x)], strict=True))


def units(found, exact):
    """Distance in units in the last place of the exact value."""
    spacing = np.spacing(np.abs(exact).astype(found.dtype)).astype(np.longdouble)
    return float((np.abs(found.astype(np.longdouble) - exact) / spacing).max())


def spans(kind, rng):
    """Arguments of each function over its range: (name, arguments, largest distance allowed in units in the last place)."""
    top, power_of_ten = (87, 30) if kind == np.float32 else (708, 300)
    sign = rng.choice([-1, 1], N)
    yield "exp", rng.uniform(-top, top, N), 1.5
    yield "expm1", rng.uniform(-5, top, N), 3
    yield "expm1", sign * 10 ** rng.uniform(-12, 0, N), 3
    yield "log", 10 ** rng.uniform(-power_of_ten, power_of_ten, N), 3.5
    yield "log", rng.uniform(0.5, 2, N), 3.5
    yield "log", 1 + sign * 10 ** rng.uniform(-7, -1, N), 3.5
    yield "tanh", rng.uniform(-25, 25, N), 3.5
    yield "tanh", sign * 10 ** rng.uniform(-12, 0, N), 3.5
    yield "sqrt", 10 ** rng.uniform(-power_of_ten, power_of_ten, N), 0.51
    yield "floor", rng.uniform(-1e6, 1e6, N), 0
    yield "fabs", sign * 10 ** rng.uniform(-power_of_ten, power_of_ten, N), 0
    yield "sin", rng.uniform(-0.75, 0.75, N), 2.5
    yield "cos", rng.uniform(-0.75, 0.75, N), 2.5


@pytest.mark.parametrize("kind", WIDTHS)
def test_functions_are_right_to_a_few_units_in_the_last_place(kind):
    for name, x, allowed in spans(kind, np.random.default_rng(901)):
        x = x.astype(kind)
        assert units(worked_out(x)[name], getattr(np, name)(x.astype(np.longdouble))) <= allowed, name


@pytest.mark.parametrize("kind", WIDTHS)
def test_sine_and_cosine_are_right_to_the_rounding_of_one_far_out(kind):
    """Zeros far out are not resolved: the error is absolute."""
    for reach, allowed in ((3.2, 1), (100, 1), (1e4, 2.5)):
        x = np.random.default_rng(902).uniform(-reach, reach, N).astype(kind)
        for name in ("sin", "cos"):
            apart = np.abs(worked_out(x)[name].astype(np.longdouble) - getattr(np, name)(x.astype(np.longdouble)))
            assert apart.max() <= allowed * np.finfo(kind).eps, (name, reach)


@pytest.mark.parametrize("kind", WIDTHS)
def test_powers_are_as_right_as_their_exponents_allow(kind):
    rng = np.random.default_rng(903)
    x, y = (10 ** rng.uniform(-5, 5, N)).astype(kind), rng.uniform(-6, 6, N).astype(kind)
    exact = np.power(x.astype(np.longdouble), y.astype(np.longdouble))
    apart = np.abs(worked_out(x, y)["power"] / exact - 1) / (1 + np.abs(y * np.log(x)))
    assert apart.max() < 3 * np.finfo(kind).eps


@pytest.mark.parametrize("kind", WIDTHS)
def test_powers_of_zero_and_of_negative_numbers_are_pythons(kind):
    x = np.array([0, 0, 0, -2, -2, -2, -2, -0.5, 3, -3], dtype=kind)
    y = np.array([2.5, 0, -1, 3, 4, -3, 2.5, 0, 0, 1], dtype=kind)
    want = [0, 1, math.inf, -8, 16, -0.125, math.nan, 1, 1, -3]
    np.testing.assert_allclose(worked_out(x, y)["power"], want, rtol=4 * np.finfo(kind).eps)


EDGES = np.array([0.0, -0.0, math.inf, -math.inf, math.nan, -1.0, 1000.0, -1000.0])
AT_EDGES = {
    "log": [-math.inf, -math.inf, None, math.nan, math.nan, math.nan, math.log(1000), math.nan],
    "sqrt": [0, 0, math.inf, math.nan, math.nan, math.nan, math.sqrt(1000), math.nan],
    "tanh": [0, 0, 1, -1, math.nan, math.tanh(-1), 1, -1],
    "expm1": [0, 0, None, -1, math.nan, math.expm1(-1), None, -1],
    "sin": [0, 0, math.nan, math.nan, math.nan, math.sin(-1), math.sin(1000), math.sin(-1000)],
    "cos": [1, 1, math.nan, math.nan, math.nan, math.cos(-1), math.cos(1000), math.cos(-1000)],
    "floor": [0, 0, math.inf, -math.inf, math.nan, -1, 1000, -1000],
    "fabs": [0, 0, math.inf, math.inf, math.nan, 1, 1000, 1000],
    "log1p": [0, 0, math.inf, math.nan, math.nan, -math.inf, math.log1p(1000), math.nan],
}
"""What functions give at the edges; None where they are held in range."""


@pytest.mark.parametrize("kind", WIDTHS)
def test_edges(kind):
    found = worked_out(EDGES.astype(kind))
    for name, values in AT_EDGES.items():
        kept = np.array([value is not None for value in values])
        want = np.array([value for value in values if value is not None], dtype=float)
        np.testing.assert_allclose(
            found[name][kept], want, rtol=4 * np.finfo(kind).eps, atol=1e-7 * (kind == np.float32)
        )
    top = {np.float32: 87.0, np.float64: 708.0}[kind]
    high, low = math.exp(top), math.exp(-top)
    np.testing.assert_allclose(found["exp"], [1, 1, high, low, math.nan, math.exp(-1), high, low], rtol=1e-6)
    np.testing.assert_allclose(found["expm1"][[2, 6]], high, rtol=1e-6)
    assert np.isfinite(found["log"][2])


@pytest.mark.parametrize("kind", WIDTHS)
def test_functions_lane_by_lane_are_the_librarys(kind):
    rng = np.random.default_rng(904)
    x, y = rng.normal(size=(2, 1000)).astype(kind)
    found = worked_out(x, y)
    np.testing.assert_allclose(found["atan2"], np.arctan2(x.astype(float), y.astype(float)), rtol=np.finfo(kind).eps)
    np.testing.assert_allclose(found["atan2_of_two"], np.arctan2(x.astype(float), 2.0), rtol=np.finfo(kind).eps)


@njit(error_model="numpy")
def scalars(x):
    return exp(x), log(x), tanh(x), floor(x), power(x, 2), lanewise_atan2((x, 1.0)), select(x > 1, 2, x), truth(x)


def test_of_numbers_the_librarys_own_are_called():
    want = (math.exp(1.7), math.log(1.7), math.tanh(1.7), 1.0, 1.7**2, math.atan2(1.7, 1.0), 2.0, True)
    assert scalars(1.7) == pytest.approx(want, rel=1e-15)


@njit(error_model="numpy")
def choices(x, flag, out):
    n = x.shape[0]
    for i in range(0, n, lanes(x)):
        a = load(x, i)
        low, high = a < 1.0, a >= 2
        store(out, i, select(both(a > -1, low), 1.0, 0.0))
        store(out, n + i, select(either(low, high), a, -a))
        store(out, 2 * n + i, select(negation(low), a, 5))
        store(out, 3 * n + i, select(both(flag, low), a, 0.0))
        store(out, 4 * n + i, select(either(low, flag), a, 0.0))
        store(out, 5 * n + i, select(flag, a, 7.0))
        store(out, 6 * n + i, select(select(low, flag, high), 1.0, 2.0))
        store(out, 7 * n + i, select(truth(a), a == a, a != a) * 3.0)
        store(out, 8 * n + i, select(negation(flag), 1.0, a * low))
        store(out, 9 * n + i, low + high + flag)
        store(out, 10 * n + i, +a / 2 - 3 * -a + 1)


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("kind", WIDTHS)
def test_choices_conditions_and_arithmetic(kind, flag):
    x = np.array([-3, -1, 0, 0.5, 1, 1.5, 2, math.nan], dtype=kind)
    out = np.zeros((11, 8), dtype=kind)
    choices(x, flag, out)
    low, high = x < 1, x >= 2
    want = [
        np.where((x > -1) & low, 1, 0), np.where(low | high, x, -x), np.where(~low, x, 5), np.where(flag & low, x, 0),
        np.where(low | flag, x, 0), x if flag else np.full(8, 7), np.where(np.where(low, flag, high), 1, 2),
        np.where(x != 0, x == x, x != x) * 3, x * low if flag else np.ones(8), low * 1 + high * 1 + flag, x / 2 + 3 * x + 1,
    ]  # fmt: skip
    np.testing.assert_array_equal(out, np.array(want, dtype=kind))


@njit(error_model="numpy")
def moves(x, out, sums):
    for i in range(0, x.shape[0] - 8, lanes(x)):
        store(out, i, load(x, i + 1))
    for k in range(3):
        store(out, x.shape[0] + k * lanes(x), column(x, k, 5))
        sums[k] = total(load(x, k))
    store(out, x.shape[0] + 3 * lanes(x), 2)


@pytest.mark.parametrize("kind", WIDTHS)
def test_transfer_between_memory_and_registers(kind):
    lane = 32 // np.dtype(kind).itemsize
    x = np.arange(48, dtype=kind) ** 2 + 1
    out, sums = np.zeros(48 + 4 * lane, dtype=kind), np.zeros(3, dtype=kind)
    moves(x, out, sums)
    np.testing.assert_array_equal(out[:40], x[1:41])
    tails = out[48:].reshape(4, lane)
    np.testing.assert_array_equal(tails[:3], [x[k : k + 5 * lane : 5][:lane] for k in range(3)])
    np.testing.assert_array_equal(tails[3], 2)
    np.testing.assert_array_equal(sums, [x[k : k + lane].sum() for k in range(3)])


@njit(error_model="numpy")
def draw_uniforms(words, n_lanes, out):
    for k in range(out.shape[0]):
        u, v = uniforms(words, 0, n_lanes)
        store(out, (k * 2) * n_lanes, u)
        store(out, (k * 2 + 1) * n_lanes, v)


@njit(error_model="numpy")
def draw_normals(words, room, out):
    n_pairs, _, cells = out.shape
    for k in range(n_pairs):
        for i in range(0, cells, lanes(out)):
            a, b = normal_pair(words, i, room)
            store(out, (k * 2) * cells + i, a)
            store(out, (k * 2 + 1) * cells + i, b)


GENERATORS = {np.float32: (Xoshiro128pp, np.uint32, 8, 24), np.float64: (Xoshiro256pp, np.uint64, 11, 53)}


def test_the_slow_generator_of_32_bits_gives_the_published_numbers():
    """The first outputs of xoshiro128++ from the words 1, 2, 3, 4, as the crate rand_xoshiro has them from its authors' C code."""
    slow = Xoshiro128pp([1, 2, 3, 4])
    want = [641, 1573767, 3222811527, 3517856514, 836907274, 4247214768, 3867114732, 1355841295, 495546011, 621204420]
    assert [slow.next() for _ in range(10)] == want


@pytest.mark.parametrize("kind", WIDTHS)
def test_generators_are_the_slow_ones_bit_by_bit(kind):
    """The words after 300 steps, and the numbers in (0, 1): the high bits, in the middle of their interval."""
    slow, whole, unused, kept = GENERATORS[kind]
    lane = 32 // np.dtype(kind).itemsize
    words = np.random.default_rng(905).integers(1, np.iinfo(whole).max, (4, lane), dtype=whole)
    generators = [slow(words[:, i].tolist()) for i in range(lane)]
    flat, out = words.ravel().copy(), np.zeros((150, 2, lane), dtype=kind)
    draw_uniforms(flat, lane, out)
    given = [[generator.next() for _ in range(300)] for generator in generators]
    np.testing.assert_array_equal(flat.reshape(4, lane), np.transpose([generator.s for generator in generators]))
    want = ((np.array(given, dtype=np.uint64) >> unused).T.astype(float) + 0.5) / 2.0**kept
    np.testing.assert_array_equal(out.reshape(300, lane), want.astype(kind))
    np.testing.assert_allclose(out.reshape(300, lane), want, rtol=0, atol=2.0**-kept)


def normals(kind, seed, cells=64, n_pairs=2500):
    whole = GENERATORS[kind][1]
    words = np.random.default_rng(seed).integers(1, np.iinfo(whole).max, (4, cells), dtype=whole)
    out = np.zeros((n_pairs, 2, cells), dtype=kind)
    draw_normals(words.ravel().copy(), cells, out)
    return out.reshape(2 * n_pairs, cells).astype(float), words


@pytest.mark.parametrize("kind", WIDTHS)
def test_normals_are_those_of_the_slow_generator(kind):
    slow, _, unused, kept = GENERATORS[kind]
    found, words = normals(kind, 906, n_pairs=50)
    for i in (0, 1, 63):
        generator = slow(words[:, i].tolist())
        u, v = (np.array([generator.next() >> unused for _ in range(100)], dtype=float) + 0.5).reshape(
            50, 2
        ).T / 2**kept
        radius = np.sqrt(-2 * np.log(u))
        want = np.stack([radius * np.cos(2 * np.pi * v), radius * np.sin(2 * np.pi * v)], axis=1).ravel()
        np.testing.assert_allclose(found[:, i], want, atol=40 * np.finfo(kind).eps)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", WIDTHS)
def test_moments_and_independence_of_normals(kind, seed):
    """320 000 numbers of 64 generators: moments 1 to 4, lag 1 within a generator, squares, and each pair of generators."""
    z, _ = normals(kind, seed)
    n = z.size
    for order, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert (z**order).mean() == pytest.approx(mean, abs=4 * math.sqrt(variance / n)), order
    assert abs((z[1:] * z[:-1]).mean()) < 4 / math.sqrt(n)
    assert abs(((z[1:] ** 2 - 1) * (z[:-1] ** 2 - 1)).mean()) < 4 * 2 / math.sqrt(n)
    between = np.corrcoef(z.T)[np.triu_indices(64, 1)]
    assert np.abs(between).max() < 5 / math.sqrt(len(z))
    assert between.std() * math.sqrt(len(z)) == pytest.approx(1, abs=4 / math.sqrt(2 * 2016))


@pytest.mark.parametrize("kind", WIDTHS)
def test_a_generator_does_not_see_its_neighbours(kind):
    """The same words in another lane, among others, draw the same numbers."""
    whole = GENERATORS[kind][1]
    words = np.random.default_rng(907).integers(1, np.iinfo(whole).max, (4, 32), dtype=whole)
    moved = np.roll(words, 5, axis=1)
    moved[:, 0] = 1
    first, second = (np.zeros((20, 2, 32), dtype=kind) for _ in range(2))
    draw_normals(words.ravel().copy(), 32, first)
    draw_normals(moved.ravel().copy(), 32, second)
    np.testing.assert_array_equal(second[:, :, 5:], first[:, :, :-5])
    assert (second[:, :, 0] != first[:, :, -5]).any()
