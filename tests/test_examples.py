"""Examples of electrophysiology and PET run with --small and find what they are about."""

import re
import runpy
import sys
from pathlib import Path

import mne
import pytest

pytestmark = pytest.mark.slow

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


def test_ica_takes_the_blinks_and_leaves_the_brain(printed):
    text = printed("artefact_removal")
    left = {name: float(share) for name, share in re.findall(r"(\w+) .* uV rms, +(\d+)% of its variance", text)}
    assert left["blinks"] < 5
    assert left["brain"] < 10
    # Beats are too small on the scalp to be told from alpha.
    assert left["heart"] > 50
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


def test_one_scanner_sees_structure_or_function(printed):
    text = printed("structure_and_function")
    assert len(re.findall("the same bits", text)) == 2
    assert min(float(r) for r in re.findall(r"r = ([\d.]+) with the truth", text)) > 0.9
    for found, true in re.findall(r"(-\d+) % found, (-\d+) % true", text):
        assert abs(int(found) - int(true)) <= 3


def test_partial_volume_is_undone_by_the_right_width(printed):
    text = printed("partial_volume")
    assert numbers(r"mean over the region: (-[\d.]+) %", text)[0] < -30
    assert all(abs(bias) < 1 for bias in numbers(r"corrected: ([+-][\d.]+) % off the truth, and ([+-][\d.]+) %", text))


def test_released_dopamine_is_found(printed):
    text = printed("displacement")
    true, found = numbers(r"\+200 % takes (\d+) % of the binding; found (\d+)", text)
    assert 0.5 * true < found < 1.25 * true


def test_the_ratio_of_uptake_moves_with_flow(printed):
    text = printed("reference_region")
    srtm, _, ratio = numbers(r"flow: SRTM ([+-]\d+) %, Logan ([+-]\d+) %, SUVR ([+-]\d+) %", text)
    assert abs(ratio) > 10 > abs(srtm)


def test_the_cost_of_two_tasks_is_found_in_one_scan(printed):
    assert min(float(area) for area in re.findall(r"AUC ([\d.]+)", printed("functional_pet"))) > 0.8
