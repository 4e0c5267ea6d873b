"""Examples of artefacts and seizures run with --small and find what they are about."""

import re
import runpy
import sys
from pathlib import Path

import mne
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def printed(tmp_path, monkeypatch, capsys):
    """Return a function that runs an example and gives what it printed."""

    def run(name, *options):
        figure = tmp_path / "figure.png"
        monkeypatch.setattr(sys, "argv", [name, "--small", "--figure", str(figure), *options])
        with mne.use_log_level("error"):
            runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        assert figure.stat().st_size > 10_000
        return capsys.readouterr().out

    return run


def test_ica_takes_the_blinks_and_leaves_the_brain(printed):
    text = printed("artefact_removal")
    left = {name: float(share) for name, share in re.findall(r"(\w+) .* uV rms, +(\d+)% of its variance", text)}
    assert left["blinks"] < 5
    assert left["brain"] < 5
    # Beats are too small on the scalp to be told from alpha.
    assert left["heart"] > 80
    before, after = (float(r) for r in re.search(r"r = ([\d.]+) before, ([\d.]+) after", text).groups())
    assert before < 0.8 < 0.9 < after


def test_shafts_and_bold_find_where_a_seizure_starts_and_the_scalp_sees_nothing(printed):
    text = printed("seizure")
    zone, onset = re.search(r"truth: (\w+) from ([\d.]+)", text).groups()
    contact, found, region = re.search(r"first grows at (\w+), ([\d.]+) s; .* in (\w+)", text).groups()
    assert (zone, contact, region) == ("L_Hippocampus_01", "LAH1", zone)
    assert float(found) == pytest.approx(float(onset), abs=1.0)
    assert 100 < float(re.search(r"dB to (\d+) uV", text)[1]) < 2000
    assert float(re.search(r"of the zone the scalp sees ([\d.]+) uV", text)[1]) < 1
    assert f"most in {zone}" in text
    assert "number 1 of 100" in text
