"""What this core can do at best: the parts of one step timed apart, in float32, each by the fastest way found in numba.

Matrix times vector (BLAS, loops or explicit vectors, whichever is fastest), normal numbers (xoshiro128++ in lanes, Box-Muller),
node update with polynomials for exp, delayed sums in blocks of 8 or 16 steps. Nothing is stored or recorded. The sum of
the parts is called the limit; code that fuses them, or finds a better way for one, may come above it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np

STEP = 1e-4
"""Seconds of simulated time in a step."""
compiled = numba.njit(fastmath=True, error_model="numpy", nogil=True)
f4, i4 = np.float32, np.int32


def parts(case: str, weights: np.ndarray, delays: np.ndarray) -> dict[str, float]:
    """Return seconds per step of each part of a case: ``coupling``, ``normals``, ``update``."""
    n = len(weights)
    if case == "hopf_delays":
        return {"coupling": delayed_sum(weights, delays), "normals": normals(2 * n), "update": oscillator_update(n)}
    return {"coupling": matvec(weights), "normals": normals(2 * n), "update": gating_update(n)}


def per_call(work: Callable[[int], object], at_least: float = 0.05, tries: int = 5) -> float:
    """Return CPU seconds of one repetition, best of several; ``work(count)`` repeats inside compiled code."""
    work(1)
    count, seconds = 1, 0.0
    while seconds < at_least:
        count *= 2
        seconds = _cpu(work, count)
    return min(_cpu(work, count) for _ in range(tries)) / count


def _cpu(work: Callable[[int], object], count: int) -> float:
    start = time.process_time()
    work(count)
    return time.process_time() - start


def matvec(weights: np.ndarray) -> float:
    """Seconds of one product of the weights with a vector: the fastest of BLAS, two loops, and explicit vectors."""
    W, s, out = weights.astype(f4), np.ones(len(weights), f4), np.zeros(len(weights), f4)
    columns = np.ascontiguousarray(W.T)
    ways = ((_blas, W), (_axpy, columns), (_to_and_fro, W))
    loops = [per_call(lambda k, way=way, matrix=matrix: way(k, matrix, s, out)) for way, matrix in ways]
    return min(*loops, *(_blocked(W, lanes) for lanes in (16, 32)))


def _blocked(W: np.ndarray, lanes: int) -> float:
    """Seconds of one product, ``lanes`` rows at once in registers: the weighted sum of pieces of the columns."""
    n, n_blocks = len(W), -(-len(W) // lanes)
    columns = np.zeros((n, n_blocks * lanes), f4)
    columns[:, :n] = W.T
    places = np.arange(n)[None] * columns.shape[1] + lanes * np.arange(n_blocks)[:, None]
    sweep, arrays = _sweep(lanes), (np.ones(n, f4), places.astype(np.int64), columns, np.zeros(columns.shape[1], f4))
    addresses = [array.ctypes.data for array in arrays]
    return per_call(lambda k: sweep(k, *addresses, n_blocks, n, 0))


@compiled
def _blas(count, W, s, out):  # type: ignore[no-untyped-def]
    for _ in range(count):
        np.dot(W, s, out)
        s[0] = out[0]


@compiled
def _axpy(count, columns, s, out):  # type: ignore[no-untyped-def]
    n = len(s)
    for _ in range(count):
        out[:] = 0
        for j in range(0, n - n % 4, 4):
            a, b, c, d = s[j], s[j + 1], s[j + 2], s[j + 3]
            p, q, r, t = columns[j], columns[j + 1], columns[j + 2], columns[j + 3]
            for i in range(n):
                out[i] += a * p[i] + b * q[i] + c * r[i] + d * t[i]
        for j in range(n - n % 4, n):
            for i in range(n):
                out[i] += s[j] * columns[j, i]
        s[0] = out[0]


@compiled
def _to_and_fro(count, W, s, out):  # type: ignore[no-untyped-def]
    n = len(s)
    for step in range(count):
        for k in range(0, n - n % 4, 4):
            # Every other product goes backwards: the rows read last are still in the cache when the matrix is larger than that.
            i = n - n % 4 - 4 - k if step & 1 else k
            a = b = c = d = f4(0)
            for j in range(n):
                a += W[i, j] * s[j]
                b += W[i + 1, j] * s[j]
                c += W[i + 2, j] * s[j]
                d += W[i + 3, j] * s[j]
            out[i], out[i + 1], out[i + 2], out[i + 3] = a, b, c, d
        for i in range(n - n % 4, n):
            a = f4(0)
            for j in range(n):
                a += W[i, j] * s[j]
            out[i] = a
        s[0] = out[0]


def normals(n: int) -> float:
    """Seconds of ``n`` standard normal numbers."""
    return per_call(Normals(n).draw)


class Normals:
    """A source of ``n`` standard normals at a time, one generator for every two."""

    def __init__(self, n: int):
        half = (n + 1) // 2
        self.words = np.random.default_rng(1).integers(1, 2**32, (4, half), dtype=np.uint32)
        self.bits = np.zeros((4, half), i4)
        self.out = np.zeros((2, half), f4)

    def draw(self, count: int = 1) -> np.ndarray:
        """Fill ``out`` so many times and return it."""
        _box_muller(count, tuple(self.words), self.bits, self.bits.view(f4), self.out)
        return self.out


@compiled
def _xoshiro(words, bits):  # type: ignore[no-untyped-def]
    a, b, c, d = words
    for i in range(len(a)):
        total = np.uint32(a[i] + d[i])
        turned = np.uint32((total << np.uint32(7)) | (total >> np.uint32(25)))
        bits[i] = i4(np.uint32(turned + a[i]) >> np.uint32(8))
    for i in range(len(a)):
        shifted = np.uint32(b[i] << np.uint32(9))
        w, x, y, z = a[i], b[i], c[i] ^ a[i], d[i] ^ b[i]
        b[i] = x ^ y
        a[i] = w ^ z
        c[i] = y ^ shifted
        d[i] = np.uint32((z << np.uint32(11)) | (z >> np.uint32(21)))


@compiled
def _quarter_sine(x):  # type: ignore[no-untyped-def]
    """Sine of a quarter turn times x, for x in [-1, 1]; error 4e-6."""
    t = x * f4(1.5707963)
    q = t * t
    return t * (f4(1) + q * (f4(-1 / 6) + q * (f4(1 / 120) + q * (f4(-1 / 5040) + q * f4(1 / 362880)))))


@compiled
def _box_muller(count, words, bits, floats, out):  # type: ignore[no-untyped-def]
    n, draws, mantissa, radius, turns = bits.shape[1], bits[0], bits[3], out[0], bits[1]
    for _ in range(count):
        _xoshiro(words, draws)
        _xoshiro(words, turns)
        for i in range(n):
            floats[2, i] = (f4(draws[i]) + f4(0.5)) * f4(2.0**-24)
        for i in range(n):
            mantissa[i] = (bits[2, i] & i4(0x007FFFFF)) | i4(0x3F800000)
        for i in range(n):
            exponent = f4(i4((bits[2, i] >> i4(23)) - i4(127)))
            s = (floats[3, i] - f4(1)) / (floats[3, i] + f4(1))
            q = s * s
            log = f4(2) * s * (f4(1) + q * (f4(1 / 3) + q * (f4(0.2) + q * (f4(1 / 7) + q * f4(1 / 9)))))
            radius[i] = np.sqrt(max(f4(0), f4(-2) * (log + exponent * f4(0.6931472))))
        for i in range(n):
            turn = f4(turns[i]) * f4(2.0**-22) - f4(2)
            size = abs(turn)
            folded = min(size, f4(2) - size)
            out[1, i] = radius[i] * _quarter_sine(folded if turn > 0 else -folded)
            radius[i] *= _quarter_sine(f4(1) - size)


def gating_update(n: int) -> float:
    """Seconds of one Euler step of ``n`` nodes of the dynamic mean field, coupling and noise given."""
    state = np.stack([np.full(n, 0.16, f4), np.full(n, 0.04, f4)])
    given, work = np.zeros((3, n), f4), np.zeros((5, n), f4)
    bits = np.zeros((2, n), i4)
    return per_call(lambda k: _gating(k, tuple(state), tuple(given), tuple(work), bits, bits.view(f4)))


@compiled
def _exp(x, rest, bits, floats):  # type: ignore[no-untyped-def]
    """exp(x) into x by 2^whole times a polynomial of the rest; relative error 1e-6."""
    for i in range(len(x)):
        y = x[i] * f4(1.442695)
        whole = np.floor(y + f4(0.5))
        rest[i] = (y - whole) * f4(0.6931472)
        bits[i] = i4(i4(whole) + i4(127)) << i4(23)
    for i in range(len(x)):
        r = rest[i]
        tail = f4(1 / 6) + r * (f4(1 / 24) + r * (f4(1 / 120) + r * f4(1 / 720)))
        x[i] = floats[i] * (f4(1) + r * (f4(1) + r * (f4(0.5) + r * tail)))


@compiled
def _gating(count, state, given, work, bits, floats):  # type: ignore[no-untyped-def]
    S, inhibition = state
    coupled, first, second = given
    u, v, eu, ev, rest = work
    # Short loops over few arrays: the compiler vectorises none that needs many checks for overlap.
    for _ in range(count):
        for i in range(len(S)):
            u[i] = f4(310) * (f4(0.382) + f4(0.21) * S[i] + coupled[i] - inhibition[i]) - f4(125)
        for i in range(len(S)):
            v[i] = f4(615) * (f4(0.2674) + f4(0.15) * S[i] - inhibition[i]) - f4(177)
        for i in range(len(S)):
            eu[i] = f4(-0.16) * u[i]
        for i in range(len(S)):
            ev[i] = f4(-0.087) * v[i]
        _exp(eu, rest, bits[0], floats[0])
        _exp(ev, rest, bits[1], floats[1])
        for i in range(len(S)):
            rate = u[i] / (f4(1) - eu[i])
            S[i] += f4(0.1) * (f4(-0.01) * S[i] + (f4(1) - S[i]) * f4(0.641e-3) * rate) + first[i]
        for i in range(len(S)):
            rate = v[i] / (f4(1) - ev[i])
            inhibition[i] += f4(0.1) * (f4(-0.1) * inhibition[i] + f4(1e-3) * rate) + second[i]


def oscillator_update(n: int) -> float:
    """Seconds of one Euler step of ``n`` Stuart-Landau oscillators, coupling and noise given."""
    state, given = np.full((2, n), 0.01, f4), np.zeros((3, n), f4)
    return per_call(lambda k: _oscillate(k, tuple(state), tuple(given)))


@compiled
def _oscillate(count, state, given):  # type: ignore[no-untyped-def]
    x, y = state
    coupled, first, second = given
    for _ in range(count):
        for i in range(len(x)):
            a, b = x[i], y[i]
            radial = f4(0.02) - a * a - b * b
            x[i] = a + f4(0.1) * (radial * a - f4(0.0628) * b + coupled[i]) + first[i]
            y[i] = b + f4(0.1) * (radial * b + f4(0.0628) * a) + second[i]


def delayed_sum(weights: np.ndarray, delays: np.ndarray) -> float:
    """Seconds per step of the delayed sums of every region, 8 or 16 steps at once, history with time innermost."""
    return min(_delayed_sum(weights.astype(f4), delays, lanes) for lanes in (8, 16))


def _delayed_sum(weights: np.ndarray, delays: np.ndarray, lanes: int) -> float:
    n, length = len(weights), int(delays.max()) + lanes
    row = length + 24  # not a power of two, else rows fall on the same cache sets
    history, out = np.ones(n * row, f4), np.zeros((n, lanes), f4)
    places = (np.arange(n)[None] * row + length - np.maximum(delays, lanes)).astype(np.int64)
    sweep = _sweep(lanes)
    addresses = [array.ctypes.data for array in (weights, places, history, out)]
    return per_call(lambda k: sweep(k, *addresses, n, n, n)) / lanes


@cache
def _sweep(lanes: int) -> Callable[..., Any]:
    dot = _row_intrinsic(lanes)

    @numba.njit
    def sweep(count, weights, places, samples, out, n_targets, n, stride):  # type: ignore[no-untyped-def]
        for _ in range(count):
            for i in range(n_targets):
                dot(weights + 4 * stride * i, places + 8 * n * i, samples, out + 4 * lanes * i, n)

    return sweep


def _row_intrinsic(lanes: int) -> Any:
    """Sum over sources of weight times ``lanes`` contiguous samples from each one's place, four sums at a time; all are addresses."""
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    @intrinsic
    def dot(_context, weights, places, history, out, n):  # type: ignore[no-untyped-def]
        def build(_, builder, signature, arguments):  # type: ignore[no-untyped-def]
            _emit_row(builder, arguments, lanes, cgutils)
            return cgutils.get_null_value(cgutils.voidptr_t)

        return types.voidptr(weights, places, history, out, n), build

    return dot


def _emit_row(builder: Any, arguments: Any, lanes: int, cgutils: Any) -> None:
    from llvmlite import ir

    single, vector, whole = ir.FloatType(), ir.VectorType(ir.FloatType(), lanes), ir.IntType(64)
    kinds = (single, whole, single, vector)
    weights, places, history, out = (
        builder.inttoptr(a, k.as_pointer()) for a, k in zip(arguments, kinds, strict=False)
    )
    sums = [cgutils.alloca_once_value(builder, vector(None)) for _ in range(4)]
    with cgutils.for_range(builder, builder.udiv(arguments[4], whole(4)), intp=whole) as loop:
        for k, total in enumerate(sums):
            j = builder.add(builder.mul(loop.index, whole(4)), whole(k))
            place = builder.gep(history, [builder.load(builder.gep(places, [j]))])
            samples = builder.load(builder.bitcast(place, vector.as_pointer()), align=4)
            weight = builder.load(builder.gep(weights, [j]))
            one = builder.insert_element(vector(ir.Undefined), weight, ir.IntType(32)(0))
            spread = builder.shuffle_vector(one, vector(ir.Undefined), ir.VectorType(ir.IntType(32), lanes)(None))
            product = builder.fmul(spread, samples, flags=("fast",))
            builder.store(builder.fadd(product, builder.load(total), flags=("fast",)), total)
    a, b, c, d = (builder.load(total) for total in sums)
    builder.store(builder.fadd(builder.fadd(a, b), builder.fadd(c, d)), out, align=4)
