"""Mathematical functions of vectors, from series in plain arithmetic: the same bits whatever mathematical library is installed.

    exp x = 2^k e^r,  k = round(x / log 2),  |r| <= log 2 / 2                log x = e log 2 + 2 artanh((m - 1) / (m + 1)),  x = m 2^e
    tanh x = E / (E + 2),  E = e^2x - 1                                      sin, cos: a quarter of a circle at a time

Series are cut where the next term is below the rounding of the numbers (Abramowitz & Stegun 1964, chapter 4). Measured against the
library (tests): exp within 1.5 units in the last place, expm1, log and tanh within 3.5, sin and cos within 2.5 of the rounding of 1
up to 10^4 rad. exp and expm1 are held at exponents of 87 (708 for 64 bits), so that none overflows; numbers below the smallest normal
one count as about that, and infinity as about the largest, for log. Of numbers, and of functions not in here, the library's own is called.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core.typing.templates import signature
from numba.extending import intrinsic, overload

from fakeimaging.activity.simd.vectors import INDEX, Vector, as_vector, call_llvm, either, select

FLAGS = {"forceinline": True, "error_model": "numpy"}
ROOT_HALF, LOG2 = math.sqrt(0.5), math.log(2)
LOG2_HIGH, LOG2_LOW = 0.693359375, -2.1219444005469058277e-4
"""Two parts of log 2: a whole number of times the first has no rounding."""
QUARTER_HIGH, QUARTER_LOW = 1.5703125, 4.8382679489661923e-4
"""The same of pi / 2."""


def _llvm(name: str) -> Any:
    def typed(typing: Any, vector: Any) -> Any:
        if isinstance(vector, Vector):
            return vector(vector), lambda context, builder, sig, values: call_llvm(builder, name, vector, values)
        library = getattr(math, name)

        def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
            number = context.cast(builder, values[0], sig.args[0], types.float64)
            found = context.get_function(library, _typed(typing, library, types.float64))(builder, [number])
            return context.cast(builder, found, _typed(typing, library, types.float64).return_type, types.float64)

        return types.float64(vector), generate

    typed.__name__ = typed.__qualname__ = f"vector_{name}"
    return intrinsic(typed)


def _typed(typing: Any, library: Any, *kinds: Any) -> Any:
    return typing.resolve_function_type(typing.resolve_value_type(library), kinds, {})


sqrt, floor, fabs = _llvm("sqrt"), _llvm("floor"), _llvm("fabs")


@intrinsic
def scaled(typing: Any, x: Any, power: Any) -> Any:
    """Return x 2^power, power a whole number within the range of exponents."""

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        bias, shift = (127, 23) if x.bits == 32 else (1023, 52)
        whole = builder.fptosi(values[1], ir.VectorType(INDEX, x.lanes))
        whole = builder.sext(whole, x.integers) if x.bits == 64 else whole
        exponent = builder.shl(builder.add(whole, _all(x, bias)), _all(x, shift))
        return builder.fmul(values[0], builder.bitcast(exponent, x.storage), flags=x.flags)

    return x(x, power), generate


@intrinsic
def parts(typing: Any, x: Any) -> Any:
    """Return mantissa in [1/2, 1) and exponent of positive numbers."""

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        bias, shift = (126, 23) if x.bits == 32 else (1022, 52)
        bits = builder.bitcast(values[0], x.integers)
        exponent = builder.sub(builder.lshr(bits, _all(x, shift)), _all(x, bias))
        narrow = builder.trunc(exponent, ir.VectorType(INDEX, x.lanes)) if x.bits == 64 else exponent
        mantissa = builder.or_(builder.and_(bits, _all(x, (1 << shift) - 1)), _all(x, bias << shift))
        halves = [builder.bitcast(mantissa, x.storage), builder.sitofp(narrow, x.storage)]
        return context.make_tuple(builder, sig.return_type, halves)

    return types.UniTuple(x, 2)(x), generate


def _all(x: Vector, number: int) -> Any:
    return ir.Constant(x.integers, [number] * x.lanes)


def _series(variable: str, coefficients: Sequence[float]) -> str:
    """Write a polynomial by Horner's rule, lowest power first."""
    text = repr(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        text = f"{coefficient!r} + {variable} * ({text})"
    return text


SOURCE = """
def exponential(x):
    x = select(x < -{top}, -{top}, select(x > {top}, {top}, x))
    k = floor(x * {per_log2!r} + 0.5)
    r = x - k * {high!r} - k * {low!r}
    return scaled({exponential}, k)


def exponential_less_one(x):
    x = select(x < -{top}, -{top}, select(x > {top}, {top}, x))
    k = floor(x * {per_log2!r} + 0.5)
    r = x - k * {high!r} - k * {low!r}
    power = scaled(1.0 + 0.0 * x, k)
    return power * (r * ({less_one})) + (power - 1.0)


def logarithm(x):
    m, e = parts(x)
    low = m < {root_half!r}
    m, e = select(low, m + m, m), select(low, e - 1.0, e)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    found = e * {log2!r} + s * ({logarithm})
    return select(x > 0.0, found, select(x == 0.0, -math.inf, math.nan))


def quadrant(quarter, x):
    z = x * x
    s, c = x * ({sine}), {cosine}
    quarter = quarter - 4.0 * floor(0.25 * quarter)
    odd = either(quarter == 1.0, quarter == 3.0)
    first, second = select(odd, s, c), select(odd, c, s)
    minus = either(quarter == 1.0, quarter == 2.0)
    return select(minus, -first, first), select(quarter >= 2.0, -second, second)


def circle(x):
    quarter = floor(x * {per_quarter!r} + 0.5)
    return quadrant(quarter, x - quarter * {quarter_high!r} - quarter * {quarter_low!r})


def turned(turn):
    quarter = floor(4.0 * turn + 0.5)
    return quadrant(quarter, (4.0 * turn - quarter) * {half_pi!r})
"""
TERMS = {32: (8, 5, 5, 6, 87.0), 64: (14, 12, 9, 10, 708.0)}
"""Terms of exp, log, sin and cos, and the largest exponent, for each width."""


def _compiled(bits: int) -> dict[str, Callable[..., Any]]:
    n_exp, n_log, n_sin, n_cos, top = TERMS[bits]
    text = SOURCE.format(
        top=top, per_log2=1 / LOG2, high=LOG2_HIGH, low=LOG2_LOW, log2=LOG2, root_half=ROOT_HALF, half_pi=math.pi / 2,
        per_quarter=2 / math.pi, quarter_high=QUARTER_HIGH, quarter_low=QUARTER_LOW,
        exponential=_series("r", [1 / math.factorial(k) for k in range(n_exp)]),
        less_one=_series("r", [1 / math.factorial(k + 1) for k in range(n_exp)]),
        logarithm=_series("z", [2 / (2 * k + 1) for k in range(n_log)]),
        sine=_series("z", [(-1) ** k / math.factorial(2 * k + 1) for k in range(n_sin)]),
        cosine=_series("z", [(-1) ** k / math.factorial(2 * k) for k in range(n_cos)]),
    )  # fmt: skip
    names = {"select": select, "floor": floor, "scaled": scaled, "parts": parts, "math": math, "either": either}
    exec(compile(text, __file__, "exec"), names)
    for name in ("exponential", "exponential_less_one", "logarithm", "quadrant", "circle", "turned"):
        names[name] = njit(**FLAGS)(names[name])
    return names


WIDTHS = {bits: _compiled(bits) for bits in TERMS}


def _of_vectors(name: str, formula: Callable[[dict[str, Any]], Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """Make a function that is a formula of the width for vectors, and the library's own for numbers."""
    library = getattr(math, name)

    def function(x):
        return library(x)

    function.__name__ = function.__qualname__ = name

    @overload(function, jit_options=FLAGS)
    def _chosen(x):
        return formula(WIDTHS[x.bits]) if isinstance(x, Vector) else lambda x: library(x)

    return function


def _plain(name: str) -> Callable[[dict[str, Any]], Callable[[Any], Any]]:
    def formula(width: dict[str, Any]) -> Callable[[Any], Any]:
        series = width[name]
        return lambda x: series(x)

    return formula


def _turns(which: int) -> Callable[[dict[str, Any]], Callable[[Any], Any]]:
    def formula(width: dict[str, Any]) -> Callable[[Any], Any]:
        circle = width["circle"]
        return lambda x: circle(x)[which]

    return formula


def _hyperbolic(width: dict[str, Any]) -> Callable[[Any], Any]:
    less_one = width["exponential_less_one"]

    def tangent(x):
        rise = less_one(select(x > 20.0, 40.0, select(x < -20.0, -40.0, 2.0 * x)))
        return rise / (rise + 2.0)

    return tangent


exp = _of_vectors("exp", _plain("exponential"))
expm1 = _of_vectors("expm1", _plain("exponential_less_one"))
log = _of_vectors("log", _plain("logarithm"))
sin = _of_vectors("sin", _turns(1))
cos = _of_vectors("cos", _turns(0))
tanh = _of_vectors("tanh", _hyperbolic)


def power(x, y):
    """Return x^y: of vectors exp(y log |x|), with the sign of a whole power where x is negative."""
    return x**y


def _power_of_vectors(x, y):
    size = select(x == 0.0, select(y == 0.0, 1.0, select(y > 0.0, 0.0, math.inf)), exp(y * log(fabs(x))))
    odd = y - 2.0 * floor(0.5 * y)
    return select(x < 0.0, select(odd == 0.0, size, select(odd == 1.0, -size, math.nan)), size)


_compiled_power = njit(**FLAGS)(_power_of_vectors)


@overload(power, jit_options=FLAGS)
def _power(x, y):
    if isinstance(x, Vector) or isinstance(y, Vector):
        return lambda x, y: _compiled_power(x, y)
    return lambda x, y: x**y


def lanewise(name: str) -> Any:
    """Return the library's function of one or two numbers, applied lane by lane."""
    library = getattr(math, name)

    def typed(typing: Any, values: Any) -> Any:
        kinds = tuple(values)
        vectors = [kind for kind in kinds if isinstance(kind, Vector)]
        result = vectors[0] if vectors else types.float64
        doubles = (types.float64,) * len(kinds)

        def one(context: Any, builder: Any, numbers: Sequence[Any]) -> Any:
            return context.get_function(library, _typed(typing, library, *doubles))(builder, numbers)

        def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
            given = [builder.extract_value(arguments[0], k) for k in range(len(kinds))]
            if not vectors:
                plain = zip(kinds, given, strict=True)
                return one(context, builder, [context.cast(builder, v, kind, types.float64) for kind, v in plain])
            spreads = [as_vector(context, builder, kind, v, vectors[0]) for kind, v in zip(kinds, given, strict=True)]
            found = ir.Constant(vectors[0].storage, ir.Undefined)
            for lane in range(vectors[0].lanes):
                numbers = [builder.extract_element(v, ir.Constant(INDEX, lane)) for v in spreads]
                wide = [context.cast(builder, v, vectors[0].scalar, types.float64) for v in numbers]
                number = context.cast(builder, one(context, builder, wide), types.float64, vectors[0].scalar)
                found = builder.insert_element(found, number, ir.Constant(INDEX, lane))
            return found

        return signature(result, values), generate

    typed.__name__ = typed.__qualname__ = f"lanewise_{name}"
    return intrinsic(typed)
