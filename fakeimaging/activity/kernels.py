"""Compiled kernels from plain Python functions.

A function may name its arguments, ``math``, a few built-ins, and constants and functions of its own file. What it uses is
gathered from the file as it stands now, written to one source file named by the hash of its contents and versions, and
compiled by numba from there, so that an edited file is never served by a stale cache.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import linecache
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from fakeimaging.core.errors import ModelError
from fakeimaging.core.files import write_text

BUILTINS = frozenset({"abs", "bool", "float", "int", "len", "max", "min", "range"})
HEADER = "import math\n\nimport numpy as np\nfrom numba import njit\n"
DECORATOR = '@njit(cache=True, error_model="numpy")'


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
    functions = list(functions)
    files = {function.__code__.co_filename for function in functions}
    if len(files) != 1:
        raise ModelError(f"the functions of a model stand in one file, not in {sorted(files)}")
    known = _definitions(files.pop())
    needed: dict[str, ast.stmt] = {}
    for function in functions:
        _require(function.__name__, known, needed, asked_by=function.__name__)
    in_order = sorted(needed.values(), key=lambda node: node.lineno)
    return "\n\n".join(_emitted(node) for node in in_order) + "\n"


def _definitions(filename: str) -> dict[str, ast.stmt]:
    """Return the top-level functions and constants of a file by name."""
    path = Path(filename)
    text = path.read_text() if path.is_file() else "".join(linecache.getlines(filename))
    known: dict[str, ast.stmt] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            known[node.name] = node
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            known[node.targets[0].id] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            known[node.target.id] = node
    return known


def _require(name: str, known: dict[str, ast.stmt], needed: dict[str, ast.stmt], *, asked_by: str) -> None:
    if name in needed:
        return
    if name not in known:
        raise ModelError(
            f"`{asked_by}` uses '{name}': a model function may name its arguments, math, "
            f"{', '.join(sorted(BUILTINS))}, and constants and functions of its own file",
            value=name,
        )
    node = known[name]
    needed[name] = node
    for used in sorted(_free_names(node)):
        if used != "math" and used not in BUILTINS:
            _require(used, known, needed, asked_by=name)


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


def _emitted(node: ast.stmt) -> str:
    if not isinstance(node, ast.FunctionDef):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target  # type: ignore[attr-defined]
        return f"{ast.unparse(target)} = {ast.unparse(node.value)}"  # type: ignore[attr-defined]
    names = ", ".join(argument.arg for argument in _arguments(node))
    body = "\n".join(f"    {line}" for part in _body(node) for line in ast.unparse(part).splitlines())
    return f"{DECORATOR}\ndef {node.name}({names}):\n{body}"


def load(name: str, source: str) -> ModuleType:
    """Write ``source`` under a name made of its hash and the versions that compile it, and import it.

    Parameters
    ----------
    name : str
        Shown in the file name.
    source : str
        Whole module, starting with `HEADER`.
    """
    stamp = "\n".join((source, version("numba"), version("numpy"), platform.python_version(), platform.machine()))
    return _load(f"{name}_{hashlib.sha256(stamp.encode()).hexdigest()[:16]}", source)


@lru_cache(maxsize=128)
def _load(stem: str, source: str) -> ModuleType:
    path = cache_folder() / f"{stem}.py"
    if not path.is_file():
        write_text(path, source)
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
