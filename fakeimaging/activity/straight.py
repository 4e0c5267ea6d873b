"""Model functions without branches: what a function of numbers says, said so that it holds for a register of numbers at once.

Both sides of a condition are worked out and one is taken, loops over a fixed range are written out, ``math`` and built-ins become
their counterparts for vectors. A side that is not taken may divide by zero: that raises nothing there. ``a // b`` is the floor of
the quotient as it was rounded, and ``a % b`` goes with it: where a is a multiple of b but for rounding, Python may give
one b more, and a remainder of 0 may have the other sign.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fakeimaging.core.errors import ModelError

SERIES = ("exp", "expm1", "log", "sin", "cos", "tanh", "sqrt", "floor", "fabs")
"""Functions of ``math`` that are written for vectors; its other functions of one or two numbers are called lane by lane."""
LANEWISE = (
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "copysign", "cosh", "erf", "erfc", "fmod", "gamma",
    "hypot", "lgamma", "log10", "log1p", "log2", "sinh", "tan",
)  # fmt: skip
CONSTANTS = ("pi", "e", "tau", "inf", "nan")
BUILTINS = ("abs", "max", "min", "float", "range")
LONGEST_LOOP = 64
HIGHEST_POWER = 64
"""Whole powers up to here are products."""
OWN = "own_"
"""Before the names of a model's own functions and constants, so that they meet none of the kernel's."""


@dataclass
class _Writer:
    """Lines written so far; each name is written once, numbered. ``own`` are the function's own names."""

    where: str
    own: frozenset[str] = frozenset()
    lines: list[str] = field(default_factory=list)
    count: int = 0
    lanewise: set[str] = field(default_factory=set)
    conditions: set[str] = field(default_factory=set)

    def fresh(self, name: str, value: str) -> str:
        """Write a value under a name that nothing else has: no other ends in the same number."""
        self.count += 1
        unique = f"{name}__{self.count}"
        self.lines.append(f"{unique} = {value}")
        return unique

    def refuse(self, node: ast.AST, what: str) -> ModelError:
        line = getattr(node, "lineno", 0)
        return ModelError(f"`{self.where}`, line {line}: {what}", value=ast.unparse(node) if node else None)


Names = dict[str, str]
Result = tuple[list[str], str] | None
"""Values a part of a function returns and the condition under which it does, ALWAYS or not; None if it never does."""
ALWAYS = ""


def straightened(node: ast.FunctionDef, decorator: str) -> tuple[str, set[str]]:
    """Return the source of a function without branches, and the functions of ``math`` it calls lane by lane.

    Raises
    ------
    ModelError
        If it does what cannot be done in lanes: ``while``, a loop of unknown length, a result that depends on the branch.
    """
    stored = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    writer = _Writer(node.name, frozenset(stored))
    given, others = node.args, ("vararg", "kwarg", "kwonlyargs", "posonlyargs", "defaults")
    if any(getattr(given, kind) for kind in others):
        raise writer.refuse(node, "only plain arguments, without defaults")
    if not any(isinstance(part, ast.Return) for part in ast.walk(node)):
        raise writer.refuse(node, "returns nothing; end it with `return`")
    names = {argument.arg: f"{argument.arg}__0" for argument in given.args}
    arguments = list(names.values())
    result, _ = _block(node.body, names, writer)
    if result is None or result[1] != ALWAYS:
        raise writer.refuse(node, "returns nothing" if result is None else "returns nothing on one of its ways")
    writer.lines.append(f"return {', '.join(result[0])}")
    body = "\n".join(f"    {line}" for line in writer.lines)
    return f"{decorator}\ndef {OWN}{node.name}({', '.join(arguments)}):\n{body}", writer.lanewise


def _block(statements: Sequence[ast.stmt], names: Names, writer: _Writer) -> tuple[Result, Names]:
    """Write statements; return what they return and the names they leave where they run on."""
    for position, statement in enumerate(statements):
        rest = statements[position + 1 :]
        if isinstance(statement, ast.Return):
            return _returned(statement, names, writer), names
        if isinstance(statement, ast.For):
            return _block([*_unrolled(statement, writer), *rest], names, writer)
        if not isinstance(statement, ast.If):
            names = _plain(statement, names, writer)
            continue
        early, names = _choice(statement, names, writer)
        if early is not None:
            late, names = _block(rest, names, writer) if early[1] != ALWAYS else (None, names)
            return _either(early[1], early, late, statement, writer), names
    return None, names


def _returned(node: ast.Return, names: Names, writer: _Writer) -> Result:
    value = node.value
    if value is None:
        raise writer.refuse(node, "returns nothing")
    if isinstance(value, ast.IfExp) and isinstance(value.body, ast.Tuple):
        yes, no = (ast.copy_location(ast.Return(side), node) for side in (value.body, value.orelse))
        return _choice(ast.copy_location(ast.If(value.test, [yes], [no]), node), names, writer)[0]
    if isinstance(value, ast.List):
        raise writer.refuse(node, f"`{ast.unparse(node)}` returns a list; return a tuple, in round brackets")
    if not isinstance(value, ast.Tuple):
        return [_expression(value, names, writer)], ALWAYS
    written = [_expression(part, names, writer) for part in value.elts]
    return ([f"{written[0]},"] if len(written) == 1 else written), ALWAYS


def _choice(node: ast.If, names: Names, writer: _Writer) -> tuple[Result, Names]:
    """Write both branches; return what they return and the names they leave where one of them runs on."""
    condition = writer.fresh("holds", _test(node.test, names, writer))
    yes, after_yes = _block(node.body, dict(names), writer)
    no, after_no = _block(node.orelse, dict(names), writer)
    ends = [side is not None and side[1] == ALWAYS for side in (yes, no)]
    going_on = after_no if ends[0] else after_yes
    after = going_on if any(ends) else _merged(condition, after_yes, after_no, writer)
    if yes is not None and no is None:
        yes = (yes[0], condition if ends[0] else writer.fresh("holds", f"both({condition}, {yes[1]})"))
    elif no is not None and yes is None:
        otherwise = writer.fresh("holds", f"negation({condition})")
        no = (no[0], otherwise if ends[1] else writer.fresh("holds", f"both({otherwise}, {no[1]})"))
    elif yes is not None and no is not None and not all(ends):
        when = writer.fresh("holds", f"select({condition}, {yes[1] or 'True'}, {no[1] or 'True'})")
        yes, no = (yes[0], when), (no[0], when)
    return _either(condition, yes, no, node, writer), after


def _either(condition: str, yes: Result, no: Result, node: ast.AST, writer: _Writer) -> Result:
    """Return the values of one side where the condition holds, else those of the other."""
    if yes is None or no is None:
        return yes or no
    if len(yes[0]) != len(no[0]):
        raise writer.refuse(node, "one branch returns another number of values than the other")
    comma = "," if yes[0][0].endswith(",") else ""
    pairs = zip(yes[0], no[0], strict=True)
    when = no[1] if ALWAYS in (no[1], yes[1]) or yes[1] == no[1] else f"either({yes[1]}, {no[1]})"
    return [f"select({condition}, {a.rstrip(',')}, {b.rstrip(',')}){comma}" for a, b in pairs], when


def _merged(condition: str, yes: Names, no: Names, writer: _Writer) -> Names:
    """Names after both branches; what only one of them defines is gone."""
    merged = {}
    for name in yes.keys() & no.keys():
        same = yes[name] == no[name]
        merged[name] = yes[name] if same else writer.fresh(name, f"select({condition}, {yes[name]}, {no[name]})")
        if {yes[name], no[name]} <= writer.conditions:
            writer.conditions.add(merged[name])
    return merged


def _unrolled(node: ast.For, writer: _Writer) -> list[ast.stmt]:
    """Return the statements of a loop over ``range`` of whole numbers, one turn after the other."""
    call = node.iter
    arguments = call.args if isinstance(call, ast.Call) and ast.unparse(call.func) == "range" else []
    bounds = [part.value for part in arguments if isinstance(part, ast.Constant) and isinstance(part.value, int)]
    if not bounds or len(bounds) < len(arguments) or not isinstance(node.target, ast.Name) or node.orelse:
        raise writer.refuse(node, "a loop runs over `range` of whole numbers")
    turns = range(*bounds)
    if len(turns) > LONGEST_LOOP:
        raise writer.refuse(node, f"a loop has at most {LONGEST_LOOP} turns")
    written: list[ast.stmt] = []
    for turn in turns:
        written += [ast.copy_location(ast.Assign([node.target], ast.Constant(turn)), node), *node.body]
    return written


def _plain(node: ast.stmt, names: Names, writer: _Writer) -> Names:
    """Write an assignment."""
    if isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        return names
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        before = ast.copy_location(ast.Name(node.target.id, ast.Load()), node)
        value = ast.copy_location(ast.BinOp(before, node.op, node.value), node)
        return names | {node.target.id: writer.fresh(node.target.id, _expression(value, names, writer))}
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        return names | {node.target.id: writer.fresh(node.target.id, _expression(node.value, names, writer))}
    if isinstance(node, ast.Expr):
        raise writer.refuse(node, f"`{ast.unparse(node)}` stands alone and changes nothing; assign or return it")
    if not isinstance(node, ast.Assign):
        raise writer.refuse(node, f"`{type(node).__name__.lower()}` cannot be done on many regions at once")
    return _assigned(node, names, writer)


def _assigned(node: ast.Assign, names: Names, writer: _Writer) -> Names:
    target = node.targets[0]
    if len(node.targets) == 1 and isinstance(target, ast.Name):
        return names | {target.id: _kept(node.value, target.id, names, writer)}
    if len(node.targets) > 1 or not isinstance(target, ast.Tuple):
        raise writer.refuse(node, "assign to a name, or to names")
    wanted = [part.id for part in target.elts if isinstance(part, ast.Name)]
    if len(wanted) < len(target.elts):
        raise writer.refuse(node, "assign to a name, or to names")
    if isinstance(node.value, ast.Tuple):
        values = [_expression(part, names, writer) for part in node.value.elts]
    else:
        whole = writer.fresh("several", _expression(node.value, names, writer))
        values = [f"{whole}[{k}]" for k in range(len(wanted))]
    return names | {name: writer.fresh(name, value) for name, value in zip(wanted, values, strict=True)}


def _kept(value: ast.expr, name: str, names: Names, writer: _Writer) -> str:
    """Write a value under a name; whole numbers stay constants, so that powers and indices by them are known."""
    if isinstance(value, ast.Constant) and isinstance(value.value, int):
        return str(value.value)
    kept = writer.fresh(name, _expression(value, names, writer))
    if _is_condition(value, names, writer):
        writer.conditions.add(kept)
    return kept


def _expression(node: ast.expr, names: Names, writer: _Writer) -> str:
    known: dict[type, Callable[..., str]] = {
        ast.Constant: _constant, ast.Name: _name, ast.BinOp: _binary, ast.UnaryOp: _unary, ast.Compare: _compare,
        ast.BoolOp: _boolean, ast.IfExp: _conditional, ast.Call: _call, ast.Attribute: _attribute,
        ast.Subscript: _subscript, ast.Tuple: _tuple,
    }  # fmt: skip
    if type(node) not in known:
        raise writer.refuse(node, f"`{ast.unparse(node)}` cannot be done on many regions at once")
    return known[type(node)](node, names, writer)


def _constant(node: ast.Constant, names: Names, writer: _Writer) -> str:
    if not isinstance(node.value, bool | int | float):
        raise writer.refuse(node, f"{node.value!r} is no number")
    return repr(node.value) if abs(node.value) < math.inf else "math.inf"


def _name(node: ast.Name, names: Names, writer: _Writer) -> str:
    if node.id not in names and node.id in writer.own:
        raise writer.refuse(node, f"`{node.id}` has no value on every way there; give it one before the branches")
    return names.get(node.id, f"{OWN}{node.id}")


def _tuple(node: ast.Tuple, names: Names, writer: _Writer) -> str:
    return f"({', '.join(_expression(part, names, writer) for part in node.elts)},)"


def _subscript(node: ast.Subscript, names: Names, writer: _Writer) -> str:
    return f"{_expression(node.value, names, writer)}[{_expression(node.slice, names, writer)}]"


SYMBOLS: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


def _binary(node: ast.BinOp, names: Names, writer: _Writer) -> str:
    left, right = (_expression(side, names, writer) for side in (node.left, node.right))
    if type(node.op) in SYMBOLS:
        return f"({left} {SYMBOLS[type(node.op)]} {right})"
    if isinstance(node.op, ast.Pow):
        return _power(left, right, writer)
    if isinstance(node.op, ast.Mod | ast.FloorDiv):
        a, b = writer.fresh("a", left), writer.fresh("b", right)
        whole = f"floor({a} / {b})"
        return whole if isinstance(node.op, ast.FloorDiv) else f"({a} - {b} * {whole})"
    raise writer.refuse(node, f"`{ast.unparse(node)}` is no arithmetic of numbers")


def _power(base: str, exponent: str, writer: _Writer) -> str:
    """Small whole powers by multiplication, roots by the square root, the rest by exp and log."""
    try:
        number = float(exponent.strip("()"))
    except ValueError:
        return f"power({base}, {exponent})"
    if abs(number) == 0.5:
        return f"sqrt({base})" if number > 0 else f"(1.0 / sqrt({base}))"
    if number == 0:
        return "1.0"
    if number != number // 1 or abs(number) > HIGHEST_POWER:
        return f"power({base}, {exponent})"
    product = _product(writer.fresh("base", base), int(abs(number)), writer)
    return f"({product})" if number > 0 else f"(1.0 / ({product}))"


def _product(base: str, number: int, writer: _Writer) -> str:
    """Write base^number: the power below, squared, for large ones."""
    if number <= 4:
        return " * ".join([base] * number)
    half = writer.fresh("base", _product(base, number // 2, writer))
    return f"{half} * {half}" + f" * {base}" * (number % 2)


def _unary(node: ast.UnaryOp, names: Names, writer: _Writer) -> str:
    if isinstance(node.op, ast.Not):
        return _test(node, names, writer)
    value = _expression(node.operand, names, writer)
    if isinstance(node.op, ast.Invert):
        raise writer.refuse(node, f"`{ast.unparse(node)}` is no arithmetic of numbers")
    return f"(-{value})" if isinstance(node.op, ast.USub) else value


COMPARISONS: dict[type, str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


def _compare(node: ast.Compare, names: Names, writer: _Writer) -> str:
    sides = [_expression(side, names, writer) for side in (node.left, *node.comparators)]
    if any(type(operation) not in COMPARISONS for operation in node.ops):
        raise writer.refuse(node, f"`{ast.unparse(node)}` compares no numbers")
    symbols = [COMPARISONS[type(operation)] for operation in node.ops]
    sides[1:-1] = [writer.fresh("side", side) for side in sides[1:-1]]
    triples = zip(sides, symbols, sides[1:], strict=False)
    return _folded("both", [f"({left} {symbol} {right})" for left, symbol, right in triples])


def _boolean(node: ast.BoolOp, names: Names, writer: _Writer) -> str:
    if not _is_condition(node, names, writer):
        raise writer.refuse(node, f"`{ast.unparse(node)}` is no condition: compare its parts with numbers")
    return _test(node, names, writer)


def _test(node: ast.expr, names: Names, writer: _Writer) -> str:
    """Write a condition; a number stands for its not being zero."""
    if isinstance(node, ast.BoolOp):
        values = [_test(value, names, writer) for value in node.values]
        return _folded("both" if isinstance(node.op, ast.And) else "either", values)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return f"negation({_test(node.operand, names, writer)})"
    value = _expression(node, names, writer)
    return value if _is_condition(node, names, writer) else f"truth({value})"


def _is_condition(node: ast.expr, names: Names, writer: _Writer) -> bool:
    """Whether an expression is known to be true or false, not a number."""
    if isinstance(node, ast.BoolOp):
        return all(_is_condition(value, names, writer) for value in node.values)
    if isinstance(node, ast.IfExp):
        return _is_condition(node.body, names, writer) and _is_condition(node.orelse, names, writer)
    if isinstance(node, ast.Name):
        return names.get(node.id) in writer.conditions
    if isinstance(node, ast.Constant):
        return isinstance(node.value, bool)
    return isinstance(node, ast.Compare) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))


def _folded(function: str, values: Sequence[str]) -> str:
    result = values[0]
    for value in values[1:]:
        result = f"{function}({result}, {value})"
    return result


def _conditional(node: ast.IfExp, names: Names, writer: _Writer) -> str:
    if any(isinstance(side, ast.Tuple) for side in (node.body, node.orelse)):
        raise writer.refuse(node, f"`{ast.unparse(node)}` chooses between tuples; choose each number")
    sides = [_expression(side, names, writer) for side in (node.body, node.orelse)]
    return f"select({', '.join([_test(node.test, names, writer), *sides])})"


def _attribute(node: ast.Attribute, names: Names, writer: _Writer) -> str:
    if isinstance(node.value, ast.Name) and node.value.id == "math" and node.attr in CONSTANTS:
        return f"math.{node.attr}" if node.attr in ("inf", "nan") else repr(getattr(math, node.attr))
    raise writer.refuse(node, f"`{ast.unparse(node)}` is neither a constant nor a function of math")


def _call(node: ast.Call, names: Names, writer: _Writer) -> str:
    values = [_expression(argument, names, writer) for argument in node.args]
    if node.keywords:
        raise writer.refuse(node, "arguments by position only")
    if isinstance(node.func, ast.Attribute):
        return _call_math(node, node.func, values, writer)
    if not isinstance(node.func, ast.Name):
        raise writer.refuse(node, f"`{ast.unparse(node.func)}` cannot be called")
    name = node.func.id
    if name not in BUILTINS:
        return f"{OWN}{name}({', '.join(values)})"
    if name in ("max", "min") and len(values) > 1:
        return _extreme(name, values, writer)
    if name in ("max", "min", "range") or len(values) != 1:
        raise writer.refuse(node, f"`{ast.unparse(node)}` cannot be done on many regions at once")
    return f"fabs({values[0]})" if name == "abs" else f"(1.0 * {values[0]})"


def _extreme(name: str, values: list[str], writer: _Writer) -> str:
    symbol, result = (">" if name == "max" else "<"), values[0]
    for value in values[1:]:
        a, b = writer.fresh("a", result), writer.fresh("b", value)
        result = f"select({b} {symbol} {a}, {b}, {a})"
    return result


def _call_math(node: ast.Call, function: ast.Attribute, values: list[str], writer: _Writer) -> str:
    name = function.attr
    if not isinstance(function.value, ast.Name) or function.value.id != "math":
        raise writer.refuse(node, f"`{ast.unparse(function)}` cannot be called")
    if name == "pow" and len(values) == 2:
        return _power(values[0], values[1], writer)
    if name in SERIES and len(values) == 1:
        return f"{name}({values[0]})"
    if name in LANEWISE:
        writer.lanewise.add(name)
        return f"lanewise_{name}(({', '.join(values)},))"
    raise writer.refuse(node, f"`math.{name}` is not among {', '.join(sorted((*SERIES, *LANEWISE, 'pow')))}")
