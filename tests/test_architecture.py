"""Rules of the house: imports go one way, randomness has a name, importing costs nothing, public names are documented."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import fakeimaging
from tests.conftest import environment

PACKAGE = Path(fakeimaging.__file__).parent
DOCS = Path(__file__).parents[1] / "docs"
ROOMS = ["core", "structure", "activity", "modalities", "dataset", "scoring", "plotting", "cli"]
HEAVY = ["nilearn", "mne", "matplotlib", "numba", "pandas", "scipy.signal"]
DRAWN_FROM = {"Generator", "SeedSequence", "SFC64", "BitGenerator"}


def files():
    return sorted(PACKAGE.rglob("*.py"))


def imported(tree, module):
    """Line and absolute name of every import in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{stem}.{alias.name}") for alias in node.names)


def room(module):
    parts = module.split(".")
    return parts[1] if parts[0] == "fakeimaging" and len(parts) > 1 else None


def violations(path, text):
    """File and line of each import against the direction, and of each import of the testing room."""
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    here = room(module)
    for line, name in imported(ast.parse(text), module):
        there = room(name)
        if here in ROOMS and there in ROOMS and ROOMS.index(there) > ROOMS.index(here):
            yield f"{path}:{line}: {here} imports {name}"
        if here in ROOMS and there == "testing":
            yield f"{path}:{line}: {here} imports {name}"


def hidden_randomness(path, text):
    """File and line of every draw that does not come from a named stream."""
    for node in ast.walk(ast.parse(text)):
        name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        parts = name.split(".")
        if parts[:2] in (["np", "random"], ["numpy", "random"]) and parts[2] not in DRAWN_FROM:
            yield f"{path}:{node.lineno}: {name}"
        if parts[0] == "random" or parts[-1] in {"default_rng", "RandomState"}:
            yield f"{path}:{node.lineno}: {name}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
            if "random" in names or ("secrets" in names and path.name != "streams.py"):
                yield f"{path}:{node.lineno}: imports {names}"


def test_imports_go_one_way():
    assert [problem for path in files() for problem in violations(path, path.read_text())] == []


def test_core_imports_numpy_pydantic_and_isal_only():
    allowed = {"numpy", "pydantic", "isal", "fakeimaging", *sys.stdlib_module_names}
    for path in (PACKAGE / "core").rglob("*.py"):
        for line, name in imported(ast.parse(path.read_text()), "fakeimaging.core.x"):
            assert name.split(".")[0] in allowed, f"{path}:{line} imports {name}"


@pytest.mark.parametrize(
    "planted", ["from fakeimaging.scoring import table", "import fakeimaging.cli", "from ..dataset import study"]
)
def test_an_import_against_the_direction_is_found_with_file_and_line(planted):
    path = PACKAGE / "modalities" / "bold.py"
    found = list(violations(path, f"import math\n{planted}\n"))
    assert len(found) == 1
    assert found[0].startswith(f"{path}:2: modalities imports")


def test_no_hidden_randomness():
    assert [problem for path in files() for problem in hidden_randomness(path, path.read_text())] == []


@pytest.mark.parametrize(
    "planted",
    [
        "np.random.seed(1)",
        "x = np.random.normal()",
        "import random",
        "np.random.default_rng()",
        "from secrets import randbits",
    ],
)
def test_hidden_randomness_is_found(planted):
    assert list(hidden_randomness(PACKAGE / "modalities" / "bold.py", f"import numpy as np\n{planted}\n"))


@pytest.mark.parametrize(
    "statement",
    [
        "import fakeimaging",
        "import sys; sys.argv = ['x', '--help']; from fakeimaging.cli import app; app(standalone_mode=False)",
    ],
)
def test_importing_and_help_load_nothing_heavy(statement):
    code = f"{statement}\nimport sys, json; print('LOADED' + json.dumps(sorted(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    loaded = set(json.loads(result.stdout.split("LOADED")[1]))
    assert not loaded & set(HEAVY)


def test_workers_import_neither_nilearn_nor_mne(tmp_path, tiny_study):
    tiny_study["subjects"] = 1
    code = (
        "import json, sys, fakeimaging as fi\n"
        f"fi.simulate_study(json.loads({json.dumps(json.dumps(tiny_study))}), {str(tmp_path / 'out')!r})\n"
        "print(sorted({'nilearn', 'mne', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert result.stdout.strip() == "[]"


def test_public_names_exist_are_listed_once_and_documented():
    assert set(fakeimaging.__all__) == set(fakeimaging._HOMES)
    pages = "\n".join(page.read_text() for page in DOCS.glob("*.md"))
    for name in fakeimaging.__all__:
        thing = getattr(fakeimaging, name)
        assert thing.__doc__, name
        assert f"`{name}" in pages or f"fi.{name}" in pages, f"{name} is on no page of docs/"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fakeimaging.nothing


def test_package_data_is_shipped_with_its_source():
    listed = (PACKAGE / "data" / "README.md").read_text()
    for path in (PACKAGE / "data").iterdir():
        if path.suffix not in {".py", ".pyc"} and path.name not in {"README.md", "__pycache__"}:
            assert path.name in listed, f"{path.name} has no line in data/README.md"
