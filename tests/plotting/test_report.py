import re
import xml.etree.ElementTree as ElementTree
from base64 import b64decode
from dataclasses import replace

import pytest

import fakeimaging as fi
from fakeimaging.core.citations import Reference
from fakeimaging.plotting import PICTURES
from fakeimaging.plotting.report import _references, _scores, plain_pictures, write_report
from fakeimaging.scoring import score_dataset
from fakeimaging.scoring.table import Row, Score
from tests.test_cli import run


@pytest.fixture(scope="module")
def page(every_modality, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    dataset = fi.load(every_modality)
    score = score_dataset(dataset)
    first, second = (write_report(fi.load(every_modality), folder / name, score=score) for name in ("a.html", "b.html"))
    assert first.read_bytes() == second.read_bytes()
    return first.read_text()


@pytest.fixture(scope="module")
def tree(page):
    kind, _, content = page.partition("\n")
    assert kind == "<!DOCTYPE html>"
    return ElementTree.fromstring(content)


def test_every_scan_has_its_picture(every_modality, tree):
    alts = [image.get("alt") for image in tree.iter("img")]
    for scan in fi.load(every_modality).scans():
        assert tree.find(f".//h3[@id='{scan.recording}']") is not None
        assert any(alt.startswith(f"{scan.recording}: ") for alt in alts), scan.recording
    assert "sub-01 connectome: Connectome" in alts
    assert "sub-01 structural export: Structural export" in alts
    assert len(alts) == len(set(alts))
    assert all(image.get("src").startswith("data:image/png;base64,") for image in tree.iter("img"))
    assert all(b64decode(image.get("src").split(",")[1]).startswith(b"\x89PNG") for image in tree.iter("img"))
    assert all("".join(caption.itertext()).strip() for caption in tree.iter("figcaption"))


def test_it_needs_no_network_and_no_script(page, tree):
    assert not list(tree.iter("script"))
    assert not list(tree.iter("link"))
    assert set(re.findall(r"(?:https?:)?//[\w.]+", re.sub(r"base64,[^\"]*", "", page))) == {"https://doi.org"}
    assert "url(" not in page


def test_names_are_escaped(page, tree):
    assert "<everything>" not in page
    assert tree.find(".//h1").text == "all & <everything>"


def test_it_lists_what_was_simulated_and_the_scores(every_modality, tree):
    text = "".join(tree.itertext())
    for scan in fi.load(every_modality).scans():
        assert scan.raw.as_posix() in text
    assert "seed 7" in text
    assert "fc_weights" in text


def test_a_row_that_misses_its_chance_is_marked():
    good = Row("01", "sub-01_bold", "fc", 0.9, 1.0, -0.1, 0.05, 4950, 60.0, "r")
    lines = list(_scores(Score((good, replace(good, estimate=0.01)))))
    rows = [line for line in lines if "<td" in line]
    assert [line.startswith('<tr class="missed">') for line in rows] == [False, True]
    assert rows[0].endswith("<td>yes</td></tr>")
    assert rows[1].endswith("<td>no</td></tr>")
    assert any("1 do not beat chance" in line for line in lines)


def test_a_reference_without_a_doi_gets_no_link():
    lines = "".join(_references([Reference("A & B", 1998, "pubmed:1", "x"), Reference("C", 2000, "10.1/a<b>", "y")]))
    assert lines.count("<a ") == 1
    assert "A &amp; B (1998), pubmed:1" in lines
    assert "https://doi.org/10.1/a%3Cb%3E" in lines


def test_every_modality_has_pictures_and_another_one_a_plain_one(every_modality):
    assert set(PICTURES) >= set(fi.MODALITIES)
    dataset = fi.load(every_modality)
    plain = {scan.modality: list(plain_pictures(dataset, scan)) for scan in dataset.scans()}
    assert all(pictures for pictures in plain.values())


@pytest.mark.slow
def test_the_command_writes_beside_the_dataset_or_where_it_is_told(tiny_dataset, tmp_path):
    out = tmp_path / "page.html"
    result = run("report", tiny_dataset, "--out", out)
    assert result.returncode == 0, result.stderr
    assert f"report: {out}" in result.stdout
    assert "sub-02_task-rest_run-1_bold" in out.read_text()
    missing = run("report", tmp_path / "nothing")
    assert missing.returncode == 2
    assert "is not a dataset" in missing.stderr
