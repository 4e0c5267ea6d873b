import math
from typing import Literal

import pytest

from fakeimaging.core.errors import ParameterError
from fakeimaging.core.parameters import Parameters, in_metres, parameter, told_once


class Coil(Parameters):
    gain: float = parameter(1.0, unit="1", bounds=(0, 10), description="gain")


class Scanner(Parameters):
    tr: float = parameter(2.0, unit="s", bounds=(0.05, 20), description="repetition time")
    n_slices: int = parameter(40, unit="1", bounds=(1, 100))
    name: str = parameter("x", unit="-")
    times: tuple[float, ...] = parameter((), unit="s")
    coils: tuple[Coil, ...] = ()


def problems(**values):
    with pytest.raises(ParameterError) as caught:
        Scanner.parse(values, where="bold")
    return caught.value.problems


def test_milliseconds_for_seconds_are_told_from_seconds():
    assert problems(tr=2000.0) == ("`bold.tr`: 2000 s is outside [0.05, 20] (repetition time); did you mean 2?",)


def test_all_problems_come_at_once_with_their_keys():
    found = problems(tr="fast", n_slices=1.5, nslices=3, coils=[{"gain": 1.0}, {"gain": 11.0, "gian": 1}])
    text = "\n".join(found)
    assert "`bold.tr`: 'fast' is not a number" in text
    assert "`bold.n_slices`: 1.5 is not a whole number" in text
    assert "`bold.nslices`: no such key; did you mean 'n_slices'?" in text
    assert "`bold.coils[1].gain`: 11 is outside [0, 10] (gain)" in text
    assert "`bold.coils[1].gian`: no such key; did you mean 'gain'?" in text
    assert len(found) == 5


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_are_finite(value):
    assert "bold.tr" in problems(tr=value)[0]


@pytest.mark.parametrize("value", [True, "2", None, [2.0]])
def test_a_number_is_a_number(value):
    assert "is not a number" in problems(tr=value)[0]


class Choice(Parameters):
    kind: Literal["none", "epi", "phasediff"] = "none"
    size: float | Literal["relaxation"] = 1.0
    motion: Literal["low", "high"] | float = "low"
    voxel: float | tuple[float, float, float] = 1.0


class Rack(Parameters):
    choices: tuple[Choice, ...] = ()


def test_a_key_of_several_types_or_words_has_one_line_that_names_the_nearest():
    assert explained(Choice, kind="EPII") == ["`kind`: 'EPII' is not 'none', 'epi' or 'phasediff'; did you mean 'epi'?"]
    assert explained(Choice, kind=True) == ["`kind`: True is not 'none', 'epi' or 'phasediff'"]
    assert explained(Choice, size="relax") == [
        "`size`: 'relax' is not a number, nor 'relaxation'; did you mean 'relaxation'?"
    ]
    assert explained(Choice, motion="hgih") == [
        "`motion`: 'hgih' is not 'low' or 'high', nor a number; did you mean 'high'?"
    ]
    assert explained(Choice, voxel=(3, 3)) == ["`voxel[2]`: missing, and it has no default"]
    assert explained(Rack, choices=[{"voxel": (3, 3)}]) == ["`choices[0].voxel[2]`: missing, and it has no default"]
    assert explained(Choice, SIZE=2) == ["`SIZE`: no such key; did you mean 'size'?"]


def explained(model, **values):
    with pytest.raises(ParameterError) as caught:
        model.parse(values)
    return str(caught.value).splitlines()


def test_whole_numbers_serve_as_numbers_and_lists_as_tuples():
    scanner = Scanner.parse({"tr": 2, "times": [1, 2.5]})
    assert (scanner.tr, scanner.times) == (2.0, (1.0, 2.5))


def test_the_table_says_unit_bounds_and_source():
    row = Scanner.table()[0]
    assert (row["name"], row["unit"], row["bounds"], row["source"]) == ("tr", "s", "[0.05, 20]", "assumed")


def test_parameters_cannot_change():
    with pytest.raises(ValueError, match="frozen"):
        Scanner().tr = 1.0


def test_the_constructor_takes_lists_for_tuples_and_says_what_is_wrong_as_parse_does():
    assert Scanner(times=[1.0, 2.5], coils=[Coil(gain=2.0)]).times == (1.0, 2.5)
    with pytest.raises(ParameterError, match="`tr`: 2000 s is outside") as caught:
        Scanner(tr=2000.0, nslices=3)
    assert len(caught.value.problems) == 2
    with pytest.raises(ParameterError, match="`tr`: '2' is not a number"):
        Scanner(tr="2")
    with pytest.raises(ParameterError, match="`name`: .* is not text"):
        Scanner(name=["a"])
    with pytest.raises(ParameterError, match=r"`times\[1\]`: '2' is not a number"):
        Scanner(times=[1.0, "2"])


class Chair(Parameters):
    seat: float = parameter(1.0, unit="-")


class Sofa(Chair):
    length: float = parameter(2.0, unit="-")
    seat: float = parameter(3.0, unit="-")


class Bench(Chair):
    width: float = parameter(2.0, unit="-")


def test_a_table_begins_with_what_the_class_itself_declares():
    assert [row["name"] for row in Bench.table()] == ["width", "seat"]
    assert {row["name"] for row in Sofa.table()} == {"seat", "length"}


def test_the_same_line_of_several_runs_is_told_once():
    lines = [
        "`sessions[0].runs[0].step`: a",
        "`sessions[0].runs[1].step`: a",
        "`sessions[1].runs[1].step`: a",
        "other",
        "other",
    ]
    assert told_once(lines) == ["`sessions[0].runs[0, 1].step`: a", "`sessions[1].runs[1].step`: a", "other"]


def test_places_in_metres_are_told_from_places_in_millimetres():
    assert in_metres((-0.05, 0.0, 0.02)) == "(-0.05, 0, 0.02) is told in m; did you mean (-50, 0, 20) mm?"
    assert in_metres((0.0, 0.0, 0.0)) is in_metres((0.0, 0.0, 5.0)) is None
