"""What the pages say is what the code does."""

import re
import tomllib
from pathlib import Path

import fakeimaging as fi

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_ci_runs_the_readmes_second_command():
    commands = [line for line in README.splitlines() if line.startswith("python3 -m venv .venv && ")]
    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci/run").read_text().splitlines()


def test_the_study_file_of_the_docs_is_sound():
    block = re.search(r"```toml\n(.*?)```", (ROOT / "docs/api.md").read_text(), re.S).group(1)
    study = fi.Study.check(
        tomllib.loads(block.replace('model = "dmf"                          # or "my_model.py"', 'model = "dmf"'))
    )
    assert [session.label for session in study.sessions] == ["pre", "post"]


def test_python_of_the_docs_runs(tiny_dataset, monkeypatch):
    block = re.search(r"```python\n(.*?)```", (ROOT / "docs/api.md").read_text(), re.S).group(1)
    monkeypatch.chdir(tiny_dataset.parent)
    names = {}
    exec(block.replace("my-dataset", tiny_dataset.name), names)
    assert names["bold"].modality.name == "bold"


def test_python_of_the_readme_prints_a_score(capsys):
    block = re.search(r"```python\n(.*?)```", README, re.S).group(1)
    exec(block.replace("seed=1)", 'seed=1, anatomy="tiny")').replace("duration=300.0", "duration=80.0"), {})
    printed = capsys.readouterr().out
    assert 0 < float(re.search(r"r = ([01]\.\d+)", printed).group(1)) <= 1


def test_the_built_in_study_of_the_readme_is_the_built_in_study():
    study = fi.read_study()
    assert f"seed {study.seed}" in README
    assert f"{study.name}: {len(study.labels)} subjects" in README


def test_the_version_is_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == fi.__version__
    assert f"version: {fi.__version__}" in (ROOT / "CITATION.cff").read_text()
    assert fi.__version__ in (ROOT / "CHANGELOG.md").read_text()
