"""The pages in docs/models say what the models say of themselves."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import fakeimaging as fi

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "models"
NAMES = sorted(fi.MODELS.builtin)


@pytest.fixture(scope="module")
def tool():
    """The tool that writes the pages, as a module."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import build_model_pages
    finally:
        sys.path.remove(str(ROOT / "tools"))
    return build_model_pages


def rows(text, heading):
    """Return the cells of the table under a heading."""
    section = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def test_no_page_is_stale():
    done = subprocess.run(
        [sys.executable, ROOT / "tools/build_model_pages.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stale_page_a_missing_one_and_one_of_no_model_are_named(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "PAGES", tmp_path)
    (tmp_path / "linear.md").write_text(tool.page("linear", fi.MODELS.get("linear")).replace("0.9", "0.8"))
    (tmp_path / "linear.png").write_bytes((PAGES / "dmf.png").read_bytes())
    (tmp_path / "brain.md").touch()
    (tmp_path / "README.md").write_text(tool.index())
    problems = list(tool.stale(["linear", "dmf"]))
    assert [re.match(r"docs/models/(\S+) (is stale|is missing|belongs)", problem).groups() for problem in problems] == [
        ("linear.md", "is stale"),
        ("dmf.md", "is missing"),
        ("linear.png", "is stale"),
        ("dmf.png", "is missing"),
        ("brain.md", "belongs"),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_names_every_parameter_with_unit_and_source(name):
    table = rows((PAGES / f"{name}.md").read_text(), "Parameters")
    assert [row[0].strip("`") for row in table] == [row["name"] for row in fi.MODELS.get(name).parameters.table()]
    for found, _, default, unit, _, _, source in table:
        assert "" not in {default, unit, source}, found


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_equations_observables_references_and_a_small_picture(name):
    text, model = (PAGES / f"{name}.md").read_text(), fi.MODELS.get(name)
    assert "```text\n" in text
    assert f"]({name}.png)" in text
    assert (PAGES / f"{name}.png").stat().st_size < 70_000
    assert [row[0].strip("`") for row in rows(text, "What it shows")] == list(model.observables)
    assert all(row[-1] for row in rows(text, "What it shows"))
    assert all(reference.doi in text for reference in model.references)


def test_the_python_of_a_page_runs():
    block = re.search(r"```python\n(.*?)```", (PAGES / "linear.md").read_text(), re.S).group(1)
    names = {}
    exec(block.replace("seed=1)", 'seed=1, anatomy="tiny")').replace("duration=60.0", "duration=1.0"), names)
    assert names["rates"].shape[0] == names["subject"].n_regions


def test_the_index_lists_every_model():
    listed = re.findall(r"^\| \[(\w+)\]\(\1\.md\)", (PAGES / "README.md").read_text(), re.M)
    assert listed == NAMES


def test_text_stands_for_itself_in_markdown(tool):
    assert tool.escaped("r* of `a*b` where a < b | c") == r"r\* of `a*b` where a \< b \| c"
    old = "x, doi:10.1016/S0006-3495(72)86068-5; value assumed"
    new = "[doi:10.1016/S0006-3495(72)86068-5](https://doi.org/10.1016/S0006-3495(72)86068-5); value assumed"
    assert tool.linked(old) == f"x, {new}"


def test_pictures_are_declared_for_models_and_parameters_that_exist(tool):
    for name in {*tool.DIAGRAMS, *tool.SHOWN}:
        assert name in fi.MODELS.builtin
    for name, diagram in tool.DIAGRAMS.items():
        fields = fi.MODELS.get(name).parameters.model_fields
        assert {diagram.parameter, *(key for branch in diagram.branches for key in branch.fixed)} <= set(fields)
        assert set(diagram.taps) <= {*fi.MODELS.get(name).observables, *fi.MODELS.get(name).sent}
