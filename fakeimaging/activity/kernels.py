"""Compiled kernels from plain Python functions.

A function may name its arguments, ``math``, a few built-ins, constants and functions of its own file, and what it imports from
`fakeimaging.activity.functions`. What it uses is gathered from the files as they stand now, written to one source file named by
the hash of its contents and versions, and compiled by numba from there, so that an edited file is never served by a stale cache.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import linecache
import math
import os
import platform
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from fakeimaging.activity import functions as shared
from fakeimaging.activity import straight
from fakeimaging.core.errors import ModelError

LOADING = threading.Lock()
PARSING = threading.Lock()
"""Two threads at once confuse CPython 3.11's count of nested nodes (SystemError)."""
"""Held while a kernel is looked for, so that threads share one."""
BUILTINS = frozenset({"abs", "bool", "float", "int", "len", "max", "min", "range"})
HEADER = "import math\n\nimport numpy as np\nfrom numba import njit\n"
DECORATOR = '@njit(cache=True, nogil=True, error_model="numpy")'
INLINE = '@njit(forceinline=True, error_model="numpy")'


def gather(functions: Iterable[Callable[..., Any]]) -> str:
    """Return the source of ``functions`` with the functions and constants of their file that they use, ready to compile.

    Parameters
    ----------
    functions : iterable of callable
        Functions of one file.

    Raises
    ------
    ModelError
        If one names anything but its arguments, ``math``, the built-ins above and its own file.
    """
    return "\n\n".join(_emitted(node) for node in _needed(functions, BUILTINS)) + "\n"


def gather_straight(functions: Iterable[Callable[..., Any]]) -> str:
    """Return the same for registers of numbers: without branches, names of the file with `straight.OWN` before them.

    Raises
    ------
    ModelError
        Also if a function does what cannot be done on many regions at once.
    """
    parts, lanewise = [], set()
    for node in _needed(functions, frozenset(straight.BUILTINS)):
        if isinstance(node, ast.FunctionDef):
            text, called = straight.straightened(node, INLINE)
            lanewise |= called
        else:
            _check_constant(node)
            text = f"{straight.OWN}{_emitted(node, straight.OWN)}"
        parts.append(text)
    calls = [f'lanewise_{name} = lanewise("{name}")' for name in sorted(lanewise)]
    return "\n\n".join([*calls, *parts]) + "\n"


def _check_constant(node: ast.stmt) -> None:
    """Refuse a constant that compiled code cannot hold."""
    if any(isinstance(part, ast.List | ast.Set | ast.Dict | ast.ListComp) for part in ast.walk(node)):
        raise ModelError(f"line {node.lineno}: `{ast.unparse(node)}`: use a tuple, in round brackets, for a constant")


def _needed(functions: Iterable[Callable[..., Any]], builtins: frozenset[str]) -> list[ast.stmt]:
    """Return what functions need, in an order in which it can be defined."""
    functions = list(functions)
    files = {function.__code__.co_filename for function in functions} - {shared.__file__}
    if len(files) > 1:
        raise ModelError(f"the functions of a model stand in one file, not in {sorted(files)}")
    file = files.pop() if files else str(shared.__file__)
    known = _definitions(file)
    needed: dict[str, ast.stmt] = {}
    for function in functions:
        _require(function.__name__, known, needed, builtins, path=(file,))
    return list(needed.values())


def _parsed(text: str, mode: str = "exec") -> Any:
    with PARSING:
        return ast.parse(text, mode=mode)


def _definitions(filename: str) -> dict[str, ast.stmt]:
    """Return the top-level functions and constants of a file by name."""
    path = Path(filename)
    text = path.read_text() if path.is_file() else "".join(linecache.getlines(filename))
    known: dict[str, ast.stmt] = {}
    for node in _parsed(text).body:
        if isinstance(node, ast.FunctionDef):
            known[node.name] = node
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            known[node.targets[0].id] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            known[node.target.id] = node
        elif isinstance(node, ast.ImportFrom) and node.module == shared.__name__:
            wanted = {alias.name for alias in node.names if alias.asname is None}
            own = _definitions(str(shared.__file__))
            known |= {key: definition for key, definition in own.items() if key in wanted or key.startswith("_")}
    return known


def _require(
    name: str,
    known: dict[str, ast.stmt],
    needed: dict[str, ast.stmt],
    builtins: frozenset[str],
    *,
    path: tuple[str, ...],
) -> None:
    """Add a name and all it uses to what is needed, those first."""
    if name in needed:
        return
    if name not in known:
        raise _unknown(name, known, builtins, path)
    node = known[name]
    for used in sorted(_free_names(node)):
        if used in path[1:] or used == name:
            raise ModelError(f"`{used}` calls itself; a model function cannot", value=used)
        if used in builtins and used in known:
            raise ModelError(f"'{used}' of this file is a built-in; name it otherwise", value=used)
        if used != "math" and used not in builtins:
            _require(used, known, needed, builtins, path=(*path, name))
    needed[name] = node


def _unknown(name: str, known: dict[str, ast.stmt], builtins: frozenset[str], path: tuple[str, ...]) -> ModelError:
    """Return the error for a name that the file ``path[0]`` does not define; the last of ``path`` uses it."""
    file = Path(path[0]).name
    if len(path) == 1:
        return ModelError(f"'{name}' is no function at the top of {file}; write it there, as a `def`", value=name)
    parts = list(ast.walk(known[path[-1]]))
    line = next((part.lineno for part in parts if isinstance(part, ast.Name) and part.id == name), 0)
    calls = (part for part in parts if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name))
    attribute = next((part.attr for part in calls if part.value.id == name), "")  # type: ignore[attr-defined]
    hint = f"use `math.{attribute}` for `{name}.{attribute}`; " if hasattr(math, attribute) else ""
    return ModelError(
        f"`{path[-1]}` uses '{name}' ({file}, line {line}): {hint}a model function may name its arguments, math, "
        f"{', '.join(sorted(builtins))}, constants and functions of its own file, and {shared.__name__}",
        value=name,
    )


def _free_names(node: ast.stmt) -> set[str]:
    """Names a function or constant takes from outside itself."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)} if node.value is not None else set()
    names = [n for part in _body(node) for n in ast.walk(part) if isinstance(n, ast.Name)]
    arguments = {argument.arg for argument in _arguments(node)}
    bound = arguments | {n.id for n in names if isinstance(n.ctx, ast.Store)}
    return {n.id for n in names if isinstance(n.ctx, ast.Load)} - bound


def _arguments(node: ast.stmt) -> list[ast.arg]:
    return list(node.args.args) if isinstance(node, ast.FunctionDef) else []


def _body(node: ast.stmt) -> list[ast.stmt]:
    if not isinstance(node, ast.FunctionDef):
        return []
    return node.body[1:] if ast.get_docstring(node) is not None else node.body


def _emitted(node: ast.stmt, before: str = "") -> str:
    if not isinstance(node, ast.FunctionDef):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target  # type: ignore[attr-defined]
        value = _Prefixed(before).visit(_parsed(ast.unparse(node.value), "eval"))  # type: ignore[attr-defined]
        return f"{ast.unparse(target)} = {ast.unparse(value)}"
    names = ", ".join(argument.arg for argument in _arguments(node))
    body = "\n".join(f"    {line}" for part in _body(node) for line in ast.unparse(part).splitlines())
    return f"{DECORATOR}\ndef {node.name}({names}):\n{body}"


class _Prefixed(ast.NodeTransformer):
    """Puts something before every name but ``math`` and built-ins."""

    def __init__(self, before: str) -> None:
        self.before = before

    def visit_Name(self, node: ast.Name) -> ast.Name:  # noqa: N802
        plain = node.id == "math" or node.id in BUILTINS
        return node if plain else ast.Name(f"{self.before}{node.id}", node.ctx)


def load(name: str, source: str, kind: str = "") -> ModuleType:
    """Write ``source`` under a name made of its hash and the versions that compile it, and import it.

    Parameters
    ----------
    name : str
        Shown in the file name.
    source : str
        Whole module, starting with `HEADER`.
    kind : str
        Which of the kernels of that name it is, for the message that it is compiled.
    """
    versions = (version("numba"), version("llvmlite"), version("numpy"), platform.python_version(), platform.machine())
    stamp = "\n".join((source, *versions, _own_sources()))
    stem = f"{name}_{hashlib.sha256(stamp.encode()).hexdigest()[:16]}"
    with LOADING:
        if not (cache_folder() / f"{stem}.py").is_file():
            which = f"{name} ({kind})" if kind else name
            print(f"fakeimaging: compiling {which}, once on this machine, some seconds", file=sys.stderr)
        return _load(stem, source)


@lru_cache(maxsize=1)
def _own_sources() -> str:
    """Digest of the vectors' own files, which are compiled into every kernel."""
    files = sorted((Path(__file__).parent / "simd").glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _write(path: Path, source: str) -> None:
    """Write a file in one piece, whoever else writes the same one."""
    hidden = path.with_name(f".{path.stem}-{os.getpid()}-{threading.get_ident()}")
    hidden.write_text(source)
    os.replace(hidden, path)


@lru_cache(maxsize=128)
def _load(stem: str, source: str) -> ModuleType:
    path = cache_folder() / f"{stem}.py"
    if not path.is_file():
        _write(path, source)
    spec = importlib.util.spec_from_file_location(f"fakeimaging_kernels_{stem}", path)
    if spec is None or spec.loader is None:
        raise ModelError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@lru_cache(maxsize=1)
def cache_folder() -> Path:
    """Return where kernels are kept: FAKEIMAGING_CACHE, else the user's cache folder, else a temporary one."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("FAKEIMAGING_CACHE") or Path(home) / "fakeimaging") / "kernels"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="fakeimaging-kernels-"))


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a plain function of a file, compiled with all it uses."""
    module = load(function.__name__, f"{HEADER}\n\n{gather([function])}")
    kernel: Callable[..., Any] = getattr(module, function.__name__)
    return kernel
