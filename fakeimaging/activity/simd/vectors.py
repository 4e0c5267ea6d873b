"""The numba types `Vector` and `Mask`: arithmetic, comparison, choice, and transfer between memory and registers.

A vector holds 256 bits: 8 numbers of 32 bits or 4 of 64.
Scalars that meet a vector are spread over its lanes; truth values in arithmetic are 0 and 1, as in Python.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from fakeimaging.activity.simd.sizes import BITS

FAST = ("contract", "nsz")
"""What LLVM may do to arithmetic of 32 bits: fuse a product with a sum; infinities and NaN stay what they are."""
INDEX = ir.IntType(32)


class Vector(types.Type):
    """As many floating-point numbers of ``bits`` bits as fill a register."""

    def __init__(self, bits: int) -> None:
        self.bits, self.lanes = bits, BITS // bits
        super().__init__(f"Vector({bits})")

    @property
    def scalar(self) -> types.Type:
        """Type of one lane."""
        return types.float32 if self.bits == 32 else types.float64

    @property
    def storage(self) -> ir.VectorType:
        """The LLVM type."""
        return ir.VectorType(ir.FloatType() if self.bits == 32 else ir.DoubleType(), self.lanes)

    @property
    def integers(self) -> ir.VectorType:
        """LLVM type of as many integers of the same width."""
        return ir.VectorType(ir.IntType(self.bits), self.lanes)

    @property
    def flags(self) -> tuple[str, ...]:
        """Freedom of its arithmetic."""
        return FAST if self.bits == 32 else ()


class Mask(types.Type):
    """One truth value for each lane."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(f"Mask({lanes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, kind.storage)


@register_model(Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Mask) -> None:
        super().__init__(manager, kind, ir.VectorType(ir.IntType(1), kind.lanes))


def spread(builder: Any, value: Any, lanes: int) -> Any:
    """Return an LLVM vector with ``value`` in each lane."""
    empty = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(INDEX, 0))
    return builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(INDEX, lanes), [0] * lanes))


def as_vector(context: Any, builder: Any, kind: types.Type, value: Any, wanted: Vector) -> Any:
    """Return a vector as it is, a mask as zeros and ones, and a number spread over the lanes."""
    if isinstance(kind, Vector):
        return value
    if isinstance(kind, Mask):
        return builder.uitofp(value, wanted.storage)
    return spread(builder, context.cast(builder, value, kind, wanted.scalar), wanted.lanes)


def _vector_among(kinds: Any) -> Vector | None:
    found = [kind for kind in kinds if isinstance(kind, Vector)]
    found += [Vector(BITS // kind.lanes) for kind in kinds if isinstance(kind, Mask)]
    fits = all(isinstance(kind, Vector | Mask | types.Number | types.Boolean) for kind in kinds)
    return found[0] if found and fits else None


PAIRS = [(a, b) for a in (Vector, Mask, types.Number, types.Boolean) for b in (Vector, Mask)]
PAIRS += [(b, a) for a, b in PAIRS if a in (types.Number, types.Boolean)]


def _declare(function: Any, result: Any) -> None:
    @infer_global(function)
    class _Template(AbstractTemplate):
        def generic(self, kinds: Any, keywords: Any) -> Any:
            vector = _vector_among(kinds)
            return None if vector is None else signature(result(vector), *kinds)


def _arithmetic(function: Any, instruction: str) -> None:
    _declare(function, lambda vector: vector)

    def lower(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        wanted = sig.return_type
        a, b = (as_vector(context, builder, kind, value, wanted) for kind, value in zip(sig.args, values, strict=True))
        return getattr(builder, instruction)(a, b, flags=wanted.flags)

    for kinds in PAIRS:
        lower_builtin(function, *kinds)(lower)


def _comparison(function: Any, symbol: str) -> None:
    _declare(function, lambda vector: Mask(vector.lanes))

    def lower(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        wanted = next(kind for kind in sig.args if isinstance(kind, Vector))
        a, b = (as_vector(context, builder, kind, value, wanted) for kind, value in zip(sig.args, values, strict=True))
        compare = builder.fcmp_unordered if symbol == "!=" else builder.fcmp_ordered
        return compare(symbol, a, b)

    for kinds in PAIRS:
        lower_builtin(function, *kinds)(lower)


for _function, _instruction in {"add": "fadd", "sub": "fsub", "mul": "fmul", "truediv": "fdiv"}.items():
    _arithmetic(getattr(operator, _function), _instruction)
for _function, _symbol in {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}.items():
    _comparison(getattr(operator, _function), _symbol)
_declare(operator.neg, lambda vector: vector)
_declare(operator.pos, lambda vector: vector)


@lower_builtin(operator.neg, Vector)
def _negated(context: Any, builder: Any, sig: Any, values: Any) -> Any:
    return builder.fneg(values[0])


@lower_builtin(operator.pos, Vector)
def _itself(context: Any, builder: Any, sig: Any, values: Any) -> Any:
    return values[0]


def _bit(builder: Any, value: Any) -> Any:
    return builder.trunc(value, ir.IntType(1)) if value.type.width > 1 else value


def _as_mask(builder: Any, kind: types.Type, value: Any, lanes: int | None) -> Any:
    """Return a mask as it is, and a bool spread over the lanes where there are some."""
    if isinstance(kind, Mask):
        return value
    return _bit(builder, value) if lanes is None else spread(builder, _bit(builder, value), lanes)


def _mask_among(kinds: Any) -> Mask | None:
    return next((kind for kind in kinds if isinstance(kind, Mask)), None)


@intrinsic
def select(typing: Any, condition: Any, yes: Any, no: Any) -> Any:
    """``yes`` where the condition holds, else ``no``; both are worked out. A condition is a mask or a bool."""
    mask = _mask_among((yes, no, condition))
    truths = all(isinstance(kind, Mask | types.Boolean) for kind in (yes, no))
    vector = _vector_among((yes, no)) or (Vector(BITS // condition.lanes) if isinstance(condition, Mask) else None)
    result = (mask or types.boolean) if truths else (vector or types.float64)

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        chosen = []
        for kind, value in zip(sig.args[1:], values[1:], strict=True):
            if truths:
                chosen.append(_as_mask(builder, kind, value, mask.lanes if mask else None))
            elif vector:
                chosen.append(as_vector(context, builder, kind, value, vector))
            else:
                chosen.append(context.cast(builder, value, kind, types.float64))
        lone = isinstance(sig.args[0], types.Boolean)
        return builder.select(_bit(builder, values[0]) if lone else values[0], *chosen)

    return signature(result, condition, yes, no), generate


@intrinsic
def truth(typing: Any, value: Any) -> Any:
    """Whether a number is not zero; conditions are what they are."""
    if isinstance(value, Mask | types.Boolean):
        return value(value), lambda context, builder, sig, values: values[0]
    vector = value if isinstance(value, Vector) else None

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        number = values[0] if vector else context.cast(builder, values[0], value, types.float64)
        return builder.fcmp_unordered("!=", number, ir.Constant(number.type, [0.0] * vector.lanes if vector else 0.0))

    return (Mask(vector.lanes) if vector else types.boolean)(value), generate


def _logic(instruction: str, doc: str) -> Any:
    """Make an intrinsic of two conditions, masks or bools; a bool that meets a mask is spread."""

    def typed(typing: Any, a: Any, b: Any) -> Any:
        mask = _mask_among((a, b))

        def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
            pairs = zip(sig.args, values, strict=True)
            parts = [_as_mask(builder, kind, value, mask.lanes if mask else None) for kind, value in pairs]
            return getattr(builder, instruction)(*parts)

        result = mask or types.boolean
        return signature(result, a, b), generate

    typed.__name__ = typed.__qualname__ = instruction.strip("_") + "_conditions"
    typed.__doc__ = doc
    return intrinsic(typed)


both = _logic("and_", "Whether both conditions hold.")
either = _logic("or_", "Whether one of two conditions holds.")


@intrinsic
def negation(typing: Any, condition: Any) -> Any:
    """Whether a condition does not hold."""

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        if isinstance(sig.args[0], Mask):
            return builder.not_(values[0])
        return builder.xor(values[0], ir.Constant(values[0].type, 1))

    return signature(condition, condition), generate


def _address(context: Any, builder: Any, kind: Any, array: Any, index: Any, storage: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), storage.as_pointer())


def _kind_of(array: Any) -> Vector:
    return Vector(array.dtype.bitwidth)


@intrinsic
def lanes(typing: Any, array: Any) -> Any:
    """How many numbers of an array fill a register."""
    count = _kind_of(array).lanes
    return types.intp(array), lambda context, builder, sig, values: ir.Constant(ir.IntType(64), count)


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """Read a register from a C-contiguous array of floating-point numbers, from a flat index on."""
    vector = _kind_of(array)

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        read = builder.load(_address(context, builder, sig.args[0], *values, vector.storage))
        read.align = vector.bits // 8
        return read

    return vector(array, types.intp), generate


@intrinsic
def store(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Write a register (or a number to all its lanes) to an array, from a flat index on."""
    vector = _kind_of(array)

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        numbers = as_vector(context, builder, sig.args[2], values[2], vector)
        place = _address(context, builder, sig.args[0], values[0], values[1], vector.storage)
        builder.store(numbers, place).align = vector.bits // 8
        return context.get_dummy_value()

    return types.void(array, types.intp, value), generate


@intrinsic
def column(typing: Any, array: Any, index: Any, stride: Any) -> Any:
    """Read one number for each lane, ``stride`` apart, from a flat index on."""
    vector = _kind_of(array)

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        data = context.make_array(sig.args[0])(context, builder, values[0]).data
        result, place = ir.Constant(vector.storage, ir.Undefined), values[1]
        for lane in range(vector.lanes):
            result = builder.insert_element(result, builder.load(builder.gep(data, [place])), ir.Constant(INDEX, lane))
            place = builder.add(place, values[2])
        return result

    return vector(array, types.intp, types.intp), generate


@intrinsic
def total(typing: Any, vector: Any) -> Any:
    """Sum of the lanes, in their order."""

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        lanes = [builder.extract_element(values[0], ir.Constant(INDEX, k)) for k in range(vector.lanes)]
        while len(lanes) > 1:
            lanes = [builder.fadd(a, b, flags=vector.flags) for a, b in zip(lanes[::2], lanes[1::2], strict=True)]
        return lanes[0]

    return vector.scalar(vector), generate


@intrinsic
def total_of_four(typing: Any, vector: Any) -> Any:
    """Sum of the first four lanes."""

    def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        a, b, c, d = (builder.extract_element(values[0], ir.Constant(INDEX, k)) for k in range(4))
        pairs = builder.fadd(a, b, flags=vector.flags), builder.fadd(c, d, flags=vector.flags)
        return builder.fadd(*pairs, flags=vector.flags)

    return vector.scalar(vector), generate


def call_llvm(builder: Any, name: str, vector: Vector, values: Any) -> Any:
    """Call an LLVM intrinsic of one kind of vector, such as ``sqrt``."""
    storage = vector.storage
    kind = ir.FunctionType(storage, [storage] * len(values))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{vector.lanes}f{vector.bits}")
    return builder.call(function, values)
