import pytest

from fakeimaging.core import registry
from fakeimaging.core.errors import UnknownNameError
from fakeimaging.core.registry import Registry


class Point:
    def __init__(self, name, thing):
        self.name, self.thing = name, thing

    def load(self):
        if isinstance(self.thing, Exception):
            raise self.thing
        return self.thing


@pytest.fixture
def things(monkeypatch):
    points = [Point("outside", 42), Point("broken", ImportError("no such package"))]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == "test.things" else [])
    return Registry("thing", "test.things", {"pi": "math:pi"})


def test_built_in_registered_and_foreign_things_are_found_by_name(things):
    things.register("mine", "here")
    assert list(things) == ["broken", "mine", "outside", "pi"]
    assert (things.get("pi"), things.get("mine"), things.get("outside")) == (
        pytest.approx(3.14159, abs=1e-5),
        "here",
        42,
    )


def test_an_unknown_name_gets_the_nearest(things):
    with pytest.raises(UnknownNameError, match="no thing called 'outsid'; did you mean 'outside'"):
        things.get("outsid")


def test_a_broken_plug_in_warns(things):
    with pytest.warns(UserWarning, match="cannot be loaded"), pytest.raises(UnknownNameError, match="no such package"):
        things.get("broken")


def test_a_name_is_taken_once(things):
    with pytest.raises(UnknownNameError, match="already"):
        things.register("pi", 3)


def test_a_registry_shows_its_names():
    assert repr(Registry("thing", "no.such.group", {"b": "math:pi", "a": "math:e"})) == "Registry(thing: a, b)"


def test_a_name_that_people_look_for_leads_to_what_there_is():
    shelf = Registry("modality", "fakeimaging.none", {"eeg": "x:y", "ieeg": "x:z"}, {"seeg": "ieeg"})
    with pytest.raises(UnknownNameError, match="no modality called 'sEEG'; did you mean 'ieeg'"):
        shelf.get("sEEG")
    assert shelf.nearest("ege") == "; did you mean 'eeg'?"
