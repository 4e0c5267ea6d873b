"""Random normals in compiled kernels: one generator a region (and simulation), a register of them at a time.

Generators xoshiro256++ for 64 bits and xoshiro128++ for 32 (Blackman and Vigna 2021, doi:10.1145/3460772), normals by Box and
Muller (1958, doi:10.1214/aoms/1177706645): sqrt(-2 log u) times cosine and sine of 2 pi v. A generator depends on its own four
words alone, so that neither the number of regions nor that of simulations side by side changes what it draws.
"""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload

from fakeimaging.activity.simd.functions import FLAGS, WIDTHS, sqrt
from fakeimaging.activity.simd.vectors import Vector

ROTATIONS = {32: (7, 9, 11), 64: (23, 17, 45)}
"""Rotation of the sum, shift and rotation of the last word."""
UNUSED = {32: 8, 64: 11}
"""Low bits left out: what remains fits a mantissa."""


def _step(builder: Any, words: list[Any], bits: int, lanes: int) -> tuple[Any, list[Any]]:
    """Return what the generators give, and their next words."""

    def by(number: int) -> Any:
        return ir.Constant(ir.VectorType(ir.IntType(bits), lanes), [number] * lanes)

    def rotated(value: Any, left: int) -> Any:
        return builder.or_(builder.shl(value, by(left)), builder.lshr(value, by(bits - left)))

    turn, shift, last = ROTATIONS[bits]
    s0, s1, s2, s3 = words
    given = builder.add(rotated(builder.add(s0, s3), turn), s0)
    shifted = builder.shl(s1, by(shift))
    s2, s3 = builder.xor(s2, s0), builder.xor(s3, s1)
    s1, s0 = builder.xor(s1, s2), builder.xor(s0, s3)
    return given, [s0, s1, builder.xor(s2, shifted), rotated(s3, last)]


@intrinsic
def uniforms(typing: Any, words: Any, first: Any, apart: Any) -> Any:
    """Two numbers from 0 (never there) to 1 for each lane; a generator's four words lie ``apart`` in a flat array of unsigned integers."""
    bits = words.dtype.bitwidth
    vector, unit = Vector(bits), 2.0 ** (UNUSED[bits] - bits)

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        data = context.make_array(sig.args[0])(context, builder, values[0]).data
        places, index = [], values[1]
        for _ in range(4):
            places.append(builder.bitcast(builder.gep(data, [index]), vector.integers.as_pointer()))
            index = builder.add(index, values[2])
        state, drawn = [builder.load(place) for place in places], []
        for word in state:
            word.align = bits // 8
        for _ in range(2):
            given, state = _step(builder, state, bits, vector.lanes)
            whole = builder.sitofp(builder.lshr(given, _constant(vector.integers, UNUSED[bits])), vector.storage)
            middle = builder.fadd(whole, _constant(vector.storage, 0.5))
            drawn.append(builder.fmul(middle, _constant(vector.storage, unit)))
        for place, word in zip(places, state, strict=True):
            builder.store(word, place).align = bits // 8
        return context.make_tuple(builder, sig.return_type, drawn)

    return types.UniTuple(vector, 2)(words, types.intp, types.intp), generate


def _constant(kind: ir.VectorType, number: float) -> Any:
    return ir.Constant(kind, [number] * kind.count)


def logarithm_and_circle(u, v):
    """Return log u, and cos 2 pi v and sin 2 pi v."""
    return math.log(u), (math.cos(2 * math.pi * v), math.sin(2 * math.pi * v))


@overload(logarithm_and_circle, jit_options=FLAGS)
def _logarithm_and_circle(u, v):
    logarithm, turned = WIDTHS[u.bits]["logarithm"], WIDTHS[u.bits]["turned"]
    return lambda u, v: (logarithm(u), turned(v))


@njit(**FLAGS)
def normal_pair(words, first, apart):
    """Two independent standard normals for each lane; words as for `uniforms`."""
    u, v = uniforms(words, first, apart)
    height, (cosine, sine) = logarithm_and_circle(u, v)
    radius = sqrt(-2.0 * height)
    return radius * cosine, radius * sine
