"""Examples of electrophysiology run with --small and find what they are about."""

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


def numbers(pattern, text):
    """Return the numbers in the groups of a pattern."""
    return [float(each) for each in re.search(pattern, text).groups()]


def test_the_inverse_crime_lands_nearer_than_a_head_model_of_ones_own(printed):
    text = printed("source_localisation")
    crime, own, chance = (numbers(rf"{name}.*: median (\d+) mm", text)[0] for name in ("same", "own", "a place"))
    assert crime < own < chance / 2


def test_coherence_finds_ghosts_and_its_imaginary_part_the_pair(printed):
    text = printed("ghost_coupling")
    for where in ("electrodes", "sources"):
        coherence, imaginary = numbers(rf"{where}: (\d+) % by coherence, (\d+) %", text)
        assert coherence > 30 > 15 > imaginary
    size, number = numbers(r"imaginary part: ([\d.]+), number (\d+) \(true: 0.80\)", text)
    assert size > 0.25
    assert number == 1


def test_an_average_nears_the_evoked_response_as_the_root_of_trials(printed):
    text = printed("evoked_response")
    assert numbers(r"true response: r = ([\d.]+)", text)[0] > 0.35
    assert 0.4 < numbers(r"grows as trials\^([\d.]+)", text)[0] < 0.6
    found, true = numbers(r"uV at (\d+) ms \(true: .* (\d+) ms\)", text)
    assert abs(found - true) <= 20
    stimulated, later = numbers(r"after (\d+) ms .*, (\d+) ms", text)
    assert later > stimulated + 10


def test_the_map_of_alpha_is_that_of_the_truth(printed):
    assert numbers(r"r = ([\d.]+)", printed("eeg_alpha"))[0] > 0.9
