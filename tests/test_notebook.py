"""The notebook for teaching runs from top to bottom, and carries no output."""

import ast
import json
import re
from pathlib import Path

import pytest
from matplotlib.figure import Figure

NOTEBOOK = json.loads((Path(__file__).parents[1] / "docs" / "teaching.ipynb").read_text())
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_is_clean_and_small():
    assert NOTEBOOK["nbformat"] == 4
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in CODE)
    assert "SMALL = True" in "".join(CODE[0]["source"])


def test_its_cells_run_in_order_and_find_what_they_tell(capsys):
    names = {}
    for number, cell in enumerate(CODE):
        tree = ast.parse("".join(cell["source"]))
        shown = tree.body.pop() if ast.unparse(tree.body[-1]).startswith("plotting.") else None
        exec(compile(tree, f"cell {number}", "exec"), names)
        if shown is not None:
            drawn = eval(compile(ast.Expression(shown.value), f"cell {number}", "eval"), names)
            assert isinstance(drawn, Figure)
    printed = capsys.readouterr().out
    found = {key: float(value) for key, value in re.findall(r"(\w+) regions: ([\d.]+) Hz with", printed)}
    still = {key: float(value) for key, value in re.findall(r"(\w+) regions: .*, ([\d.]+) Hz without", printed)}
    assert found["visual"] - still["visual"] > 3 * abs(found["other"] - still["other"])
    assert float(re.search(r"true connectivity: r = ([\d.-]+)", printed).group(1)) > 0.2
    bound, true = map(float, re.search(r"putamen: ([\d.]+) found, ([\d.]+) true", printed).groups())
    assert bound == pytest.approx(true, rel=0.5)
