"""Functions without branches against plain Python: written at random, run in numpy's arrays and in registers."""

import ast
import math
import random
import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fakeimaging as fi
from fakeimaging.activity import emit, kernels, straight
from fakeimaging.core.errors import ModelError
from fakeimaging.testing.fixtures import tiny_subject

LANES = 48
SEVERAL = range(100, 107)


def spread(function):
    """Apply a function of math to each lane; where it raises, registers go on with something that nobody takes."""

    def one(*numbers):
        try:
            return function(*numbers)
        except (ArithmeticError, ValueError):
            return math.nan

    return np.vectorize(one, otypes=[float])


def extra(name):
    """A function of math called lane by lane, as the registers have it: its arguments in a tuple."""
    return lambda arguments: spread(getattr(math, name))(*arguments)


ARRAYS = {
    "math": math, "number": np.float64, "select": np.where, "both": np.logical_and, "either": np.logical_or, "negation": np.logical_not,
    "truth": lambda x: np.asarray(x) != 0, "fabs": np.abs, "floor": np.floor, "power": np.power,
    **{name: spread(getattr(math, name)) for name in ("exp", "expm1", "log", "sin", "cos", "tanh", "sqrt")},
    **{f"lanewise_{name}": extra(name) for name in straight.LANEWISE},
}  # fmt: skip
"""What registers do, done by numpy."""


class Writer:
    """Writes a function of a, b and c at random: only what has a value on every way is read."""

    def __init__(self, rng):
        self.rng = rng

    def number(self, names, depth):
        one_of, deeper = self.rng.choice, lambda: self.number(names, depth - 1)
        if depth == 0:
            return one_of([*names, "1.5", "2", "-0.25", "math.pi"])
        kind = self.rng.randrange(11)
        if kind < 4:
            return f"({deeper()} {one_of('+-*/')} {deeper()})"
        return [
            lambda: f"-{deeper()}",
            lambda: f"({deeper()} if {self.condition(names, depth - 1)} else {deeper()})",
            lambda: f"{one_of(['min', 'max'])}({', '.join(deeper() for _ in range(self.rng.randrange(2, 5)))})",
            lambda: f"{one_of(['abs', 'math.fabs', 'math.floor', 'float', 'own', 'math.sin'])}({deeper()})",
            # The sign of a remainder of 0 is left open: + 0.0 takes it away.
            lambda: f"({deeper()} {one_of(['%', '//'])} {one_of(['2.0', '0.5', '-4'])} + 0.0)",
            lambda: f"(({self.condition(names, depth - 1)}) * {deeper()})",
            lambda: f"math.atan2({deeper()}, {deeper()})",
        ][kind - 4]()

    def condition(self, names, depth):
        signs = ["<", "<=", ">", ">=", "==", "!="]
        sides = [self.number(names, max(depth - 1, 0)) for _ in range(self.rng.choice([2, 2, 3]))]
        compared = sides[0] + "".join(f" {self.rng.choice(signs)} {side}" for side in sides[1:])
        if depth < 1:
            return compared
        again = self.condition(names, depth - 1)
        return self.rng.choice(
            [compared, f"({compared} and {again})", f"({compared} or {again})", f"not {again}", sides[0]]
        )

    def assignment(self, names):
        name = self.rng.choice([*names, "u", "v", "w"])
        kind = self.rng.randrange(5)
        if kind == 0 and name in names:
            return [f"{name} {self.rng.choice(['+=', '-=', '*='])} {self.number(names, 2)}"], names
        if kind == 1:
            other = self.rng.choice("pq")
            line = f"{name}, {other} = {self.number(names, 2)}, {self.number(names, 1)}"
            return [line], sorted({*names, name, other})
        if kind == 2:
            return [f"{name} = {self.rng.randrange(4)}"], sorted({*names, name})
        return [f"{name} = {self.number(names, 2)}"], sorted({*names, name})

    def block(self, names, depth, *, last):
        """Lines, and the names they leave; the last block of a function returns."""
        lines = []
        for _ in range(self.rng.randrange(1, 4)):
            kind = self.rng.randrange(4) if depth else 3
            if kind == 0:
                lines += self.branches(names, depth)
            elif kind == 1:
                turns, inner = self.rng.randrange(4), self.block([*names, "k"], 0, last=False)[0]
                lines += [f"for k in range({turns}):", *indented(inner)]
            else:
                more, names = self.assignment(names)
                lines += more
        return lines + ([self.returned(names)] if last else []), names

    def branches(self, names, depth):
        lines = [f"if {self.condition(names, 1)}:", *indented(self.side(names, depth))]
        for _ in range(self.rng.randrange(2)):
            lines += [f"elif {self.condition(names, 1)}:", *indented(self.side(names, depth))]
        return [*lines, "else:", *indented(self.side(names, depth))] if self.rng.random() < 0.5 else lines

    def side(self, names, depth):
        lines, after = self.block(names, depth - 1, last=False)
        return [*lines, self.returned(after)] if self.rng.random() < 0.3 else lines

    def returned(self, names):
        if self.rng.random() < 0.2:
            pairs = [f"({self.number(names, 1)}, {self.number(names, 0)})" for _ in range(2)]
            return f"return {pairs[0]} if {self.condition(names, 1)} else {pairs[1]}"
        return f"return {self.number(names, 2)}, {self.number(names, 1)}"


def indented(lines):
    return [f"    {line}" for line in lines]


def written(rng, name="f"):
    lines, _ = Writer(rng).block(["a", "b", "c"], 3, last=True)
    return f"def {name}(a, b, c):\n" + "\n".join(indented(lines))


OWN = "def own(x):\n    if x > 1.0:\n        return 2.0 - x\n    return x * 0.5\n"


def plain(source, name="f"):
    space = {"math": math}
    exec(OWN + source, space)
    return space[name]


def straightened(source):
    space = dict(ARRAYS)
    for node in ast.parse(OWN + source).body:
        text = Numpys().visit(ast.parse(straight.straightened(node, "")[0]))
        exec(compile(ast.fix_missing_locations(text), "<straight>", "exec"), space)
    return space["own_f"]


class Numpys(ast.NodeTransformer):
    """Makes constants numpy's, which divide by zero as registers do."""

    def visit_Subscript(self, node):
        return node

    def visit_Constant(self, node):
        return node if isinstance(node.value, bool) else ast.Call(ast.Name("number", ast.Load()), [node], [])


def numbers(seed=0):
    """Three rows of numbers, with zeros, equal ones and both signs."""
    rng = np.random.default_rng(seed)
    return rng.integers(-12, 13, (3, LANES)) / rng.choice([1.0, 2.0, 7.0], (3, LANES))


def expected(function, arguments):
    """What Python gives for each lane, and in which lanes it gives something."""
    results, valid = np.zeros((2, arguments.shape[1])), np.zeros(arguments.shape[1], dtype=bool)
    for lane, values in enumerate(arguments.T.tolist()):
        try:
            results[:, lane] = function(*values)
            valid[lane] = True
        except (ArithmeticError, ValueError):
            continue
    return results, valid


@settings(max_examples=40)
@given(st.randoms(use_true_random=False))
def test_any_function_gives_what_python_gives(rng):
    source = written(rng)
    want, valid = expected(plain(source), numbers())
    with np.errstate(all="ignore"):
        got = straightened(source)(*numbers())
    found = np.array([np.broadcast_to(part, LANES) for part in got], dtype=float)
    np.testing.assert_array_equal(found[:, valid], want[:, valid], err_msg=source)


EARLY = {
    "nested": """
        u = 0.5
        if a > 0:
            u = 5.0
            if b > 0:
                return u, a
            u = 7.0
        elif c > 0:
            u = 3.0
            return a, u
        else:
            u = u - 1.0
        return u, c
    """,
    "one side ends": """
        u, v = 1.0, 1.0
        if a > 0:
            u, v = b, 2.0
        else:
            v = 9.0
            return v, c
        if b > 0:
            v = 4.0
            return v, u
        else:
            v += u
        return u, v
    """,
    "both sides in part": """
        u = a
        if a > b:
            if c > 1:
                return c, u
            u = 2 * b
        else:
            if c < -1:
                return a, c
            u = 3 * c
        return u, a if u > 1 and not b else b
    """,
    "in a loop": """
        u = 0
        for k in range(4):
            u = u + a * k
            if u > b:
                return u, k
        return -1.0, u
    """,
}


@pytest.mark.parametrize("name", EARLY)
def test_returns_on_the_way_give_what_python_gives(name):
    source = "def f(a, b, c):\n" + textwrap.indent(textwrap.dedent(EARLY[name]), "    ")
    want, valid = expected(plain(source), numbers())
    found = [np.broadcast_to(part, LANES) for part in straightened(source)(*numbers())]
    np.testing.assert_array_equal(np.array(found, dtype=float), want)
    assert valid.all()


def compiled(sources, name):
    """Compile functions of three numbers that return two for registers of float64; return (n_functions, 2, n_lanes)."""
    nodes = [node for source in sources for node in ast.parse(source).body]
    texts, called = zip(*(straight.straightened(node, kernels.INLINE) for node in nodes), strict=True)
    extra = [f'lanewise_{name} = lanewise("{name}")' for name in sorted(set().union(*called))]
    lines = ["    n = given.shape[1]", "    for i in range(0, n, lanes(given)):"]
    lines += [f"        {x} = load(given, {k} * n + i)" for k, x in enumerate("abc")]
    for k, node in enumerate(node for node in nodes if node.name.startswith("f")):
        lines += [f"        u, v = own_{node.name}(a, b, c)", f"        store(out, {2 * k} * n + i, u)"]
        lines += [f"        store(out, {2 * k + 1} * n + i, v)"]
    kernel = ['@njit(cache=True, error_model="numpy")', "def every(given, out):", *lines]
    module = kernels.load(name, "\n\n".join((kernels.HEADER + emit.IMPORTS, *extra, *texts, "\n".join(kernel))) + "\n")
    given = numbers()
    out = np.zeros((sum(node.name.startswith("f") for node in nodes), 2, given.shape[1]))
    module.every(given, out)
    return out


def test_registers_give_what_python_gives():
    sources = [written(random.Random(seed), f"f{seed}") for seed in SEVERAL]
    got = compiled([OWN, *sources], "random")
    counted = 0
    for seed, source, found in zip(SEVERAL, sources, got, strict=True):
        want, valid = expected(plain(source, f"f{seed}"), numbers())
        # math.sin is the library's in Python, a series in registers.
        np.testing.assert_allclose(found[:, valid], want[:, valid], rtol=1e-12, atol=1e-13, err_msg=source)
        counted += valid.sum()
    assert counted > len(SEVERAL) * LANES / 2


POWERS = [f"def f{k}(a, b, c):\n    return {text}\n" for k, text in enumerate((
    "a ** 2, a ** 3", "a ** 5, a ** 17", "a ** 0, (a - a) ** 0", "a ** -1, a ** -2", "abs(a) ** 0.5, abs(a) ** -0.5",
    "abs(a) ** 1.5, abs(a) ** b", "2.0 ** a, math.pow(2, a)", "a ** (c // 1.0), math.pow(a, 4)", "a ** (1 + 1), a ** 99.0",
    "a % b, a // b",
))]  # fmt: skip


def test_powers_and_remainders_are_pythons_but_for_rounding():
    got = compiled(POWERS, "powers")
    for k, source in enumerate(POWERS[:-1]):
        want, valid = expected(plain(source, f"f{k}"), numbers())
        np.testing.assert_allclose(got[k][:, valid], want[:, valid], rtol=1e-13, err_msg=source)
        assert valid.sum() > LANES / 2
    some = numbers()[1] != 0
    (a, b, _), (remainder, whole) = numbers()[:, some], got[-1][:, some]
    np.testing.assert_allclose(whole * b + remainder, a, atol=1e-13)
    apart = (remainder - np.mod(a, b)) / b
    np.testing.assert_allclose(apart, np.rint(apart), atol=1e-13)
    assert (np.abs(remainder) <= np.abs(b)).all()


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        ("while a > 0:\n    a = a - 1\nreturn a", 2, "`while` cannot be done on many regions at once"),
        ("u = [a, b]\nreturn a", 2, r"`\[a, b\]` cannot be done"),
        ("return [k for k in range(3)]", 2, "cannot be done"),
        ("return math.factorial(a)", 2, "`math.factorial` is not among acos, .*pow"),
        ("return math.exp", 2, "`math.exp` is neither a constant nor a function"),
        ("return own(x=a)", 2, "arguments by position only"),
        ("if a > 0:\n    u = 1.0\nreturn u", 4, "`u` has no value on every way there"),
        ("u = a\nif a > 0:\n    del u\nreturn u", 4, "`delete` cannot be done"),
        ("if a > 0:\n    u = 1.0\nu += a\nreturn u", 4, "`u` has no value on every way there"),
        ("for k in range(2):\n    u = a\nif b > 0:\n    v = u\nelse:\n    w = u\nreturn w", 8, "`w` has no value"),
        ("u = a", 1, "returns nothing"),
        ("if a > 0:\n    return a", 1, "returns nothing on one of its ways"),
        ("if a > 0:\n    return a, b\nreturn a", 2, "one branch returns another number of values"),
        ("return", 2, "returns nothing"),
        ("for k in range(c):\n    a = a + k\nreturn a", 2, "a loop runs over `range` of whole numbers"),
        ("for k in (1, 2):\n    a = a + k\nreturn a", 2, "a loop runs over `range` of whole numbers"),
        ("for k in range(65):\n    a = a + k\nreturn a", 2, "at most 64 turns"),
        ("for k in range(3):\n    if a > k:\n        break\nreturn a", 4, "`break` cannot be done"),
        ("return a if b in (1, 2) else c", 2, "compares no numbers"),
        ("return a @ b", 2, "no arithmetic of numbers"),
        ("return ~a", 2, "no arithmetic of numbers"),
        ("return a or 1.0", 2, "`a or 1.0` is no condition: compare its parts"),
        ("u, v = (a, b) if c > 0 else (b, a)\nreturn u", 2, "chooses between tuples"),
        ("return 'a'", 2, "'a' is no number"),
        ("def g(x):\n    return x\nreturn g(a)", 2, "`functiondef` cannot be done"),
        ("u = v = a\nreturn u", 2, "assign to a name, or to names"),
        ("u[0] = a\nreturn a", 2, "assign to a name, or to names"),
        ("return (lambda x: x)(a)", 2, "cannot be called"),
        ("return abs(a, b)", 2, r"`abs\(a, b\)` cannot be done"),
        ("return max(a)", 2, r"`max\(a\)` cannot be done"),
        ("return math.exp(a, b)", 2, "`math.exp` is not among"),
        ("return range(3)[1]", 2, "cannot be done"),
        ("global u\nreturn a", 2, "`global` cannot be done"),
    ],
)
def test_what_cannot_be_done_in_lanes_is_refused_by_name_and_line(body, line, message):
    source = "def f(a, b, c):\n" + textwrap.indent(body, "    ")
    with pytest.raises(ModelError, match=rf"`f`, line {line}: .*{message}|`f`, line {line}: {message}"):
        straight.straightened(ast.parse(source).body[0], "")


@pytest.mark.parametrize("arguments", ["a, b=1.0", "a, *b", "a, **b", "a, *, b", "a, /, b"])
def test_other_than_plain_arguments_are_refused(arguments):
    with pytest.raises(ModelError, match="`f`, line 1: only plain arguments"):
        straight.straightened(ast.parse(f"def f({arguments}):\n    return a").body[0], "")


FILE = "from fakeimaging import Model, Observable, Parameters, parameter\nimport math\n"


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ("def again(x):\n    return again(x - 1.0) if x > 0.0 else 0.0\n", "`again` calls itself"),
        ("def again(x):\n    return other(x)\ndef other(x):\n    return again(x)\n", "calls itself"),
        (
            "def max(x):\n    return 2.0 * x\ndef again(x):\n    return max(x)\n",
            "'max'.* is a built-in; name it otherwise",
        ),
        ("def again(x):\n    return sum(x)\n", "uses 'sum'"),
    ],
)
def test_functions_that_call_themselves_or_hide_built_ins_are_refused(tmp_path, functions, message):
    path = tmp_path / "again.py"
    path.write_text(functions)
    space = {}
    exec(compile(functions, str(path), "exec"), space)
    with pytest.raises(ModelError, match=message):
        kernels.gather_straight([space["again"]])


LEAKY = """
class P(Parameters):
    tau: float = parameter(0.05, unit="s")
def pair(x):
    return x, 2.0
def drift(x, tau):
    u = pair(x) if x > 0.0 else pair(1.0)
    return (-u[0] / tau,)
def rate(x):
    return x
MODEL = Model(name="leaky", parameters=P, states=("x",), drift=drift, transient=0.0,
    observables={"rate": Observable(rate, "Hz", 100.0)})
"""


def test_what_the_compiler_refuses_is_a_fault_of_the_model(tmp_path):
    (tmp_path / "leaky.py").write_text(FILE + LEAKY)
    with pytest.raises(ModelError, match="model leaky: its functions cannot be compiled: .*getitem"):
        fi.simulate_activity(tiny_subject(), model=tmp_path / "leaky.py", duration=1.0)


COLLIDING = """
def exp(x):
    return x + 1.0
def select(x, y):
    return x - y if x > y else y - x
own_select = 3.0
class P(Parameters):
    lane: float = parameter(2.0, unit="1")
    room: float = parameter(3.0, unit="1")
    floor: float = parameter(-1.5, unit="1")
    truth: float = parameter(0.5, unit="1")
    now: float = parameter(7.0, unit="1")
    new_0: float = parameter(5.0, unit="1")
    x__1: float = parameter(11.0, unit="1")
def drift(load, i, lane):
    return (0.0 * load * lane, 0.0 * i)
def rate(load, i, lane, room, floor, truth, now, new_0, x__1):
    x = 1.0 * load
    x__2 = x + 0.5
    x = x + x__2
    sqrt = abs(floor) if truth and not i else 0.0
    holds = exp(x) + select(lane, room) + own_select
    return x + x__1 + x__2 + math.floor(floor) + sqrt + holds + now + new_0 + math.exp(i)
MODEL = Model(name="colliding", parameters=P, states=("load", "i"), drift=drift, transient=0.0,
    observables={"rate": Observable(rate, "Hz", 100.0)})
"""


def test_a_models_names_meet_none_of_ours(tmp_path):
    """Parameters, states, functions and locals called as things of the kernel are."""
    (tmp_path / "colliding.py").write_text(FILE + COLLIDING)
    activity = fi.simulate_activity(tiny_subject(), model=tmp_path / "colliding.py", duration=1.0)
    space = {}
    exec(FILE + COLLIDING, space)
    want = space["rate"](0.0, 0.0, 2.0, 3.0, -1.5, 0.5, 7.0, 5.0, 11.0)
    np.testing.assert_allclose(activity.tap("rate").samples, want, rtol=1e-6)
