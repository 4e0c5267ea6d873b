"""Tables for people: one row a line where there is room, else what is long below the name."""

from itertools import pairwise

import pytest

from fakeimaging.core.text import aligned, folded
from fakeimaging.modalities.bold.parameters import BoldParameters

COLUMNS = ("name", "default", "unit", "bounds", "description", "source")
ROWS = [COLUMNS, *([row[column] for column in COLUMNS] for row in BoldParameters.table())]


@pytest.mark.parametrize("width", [80, 100, 160])
def test_a_table_fits_the_terminal_and_loses_no_word(width):
    lines = folded(ROWS, width, indent="  ").splitlines()
    assert max(map(len, lines)) <= width
    wanted = sorted(word.rstrip(";") for row in ROWS[1:] for cell in row for word in cell.split())
    assert sorted(word.rstrip(";") for line in lines[1:] for word in line.split()) == wanted


def test_a_table_with_room_has_one_row_a_line():
    assert folded(ROWS, 1000, indent="  ") == aligned(ROWS, indent="  ")


def test_long_words_stand_indented_below_their_name():
    lines = folded(ROWS, 100, indent="  ").splitlines()
    at = {line.split()[0]: below for line, below in pairwise(lines) if not line.startswith("      ")}
    assert at["nu0"].startswith(
        "      [10, 400]; frequency offset at the surface of a vessel without any oxygen; Stephan"
    )
