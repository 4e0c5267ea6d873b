from fakeimaging.core.clocks import Clock
from fakeimaging.dataset.marks import Mark, marks_of


def test_marks_are_told_from_the_first_sample_in_order_and_within_the_recording():
    clock = Clock(10.0, 0.5, 20)
    bad = [(19.0, 6.0, "jump"), (5.0, 6.0, "pop"), (3.0, 6.0, "before")]
    marks = marks_of(clock, [(19.9, 1.0, "late"), (9.8, 0.0, "go"), (12.0, 0.0, "stop")], [9.0, 11.0], bad)
    assert marks == [
        Mark(0.0, 0.0, "go"),
        Mark(0.0, 1.0, "pop", "bad"),
        Mark(1.0, 0.0, "R128", "volume"),
        Mark(2.0, 0.0, "stop"),
        Mark(9.0, 1.0, "jump", "bad"),
    ]
    assert [mark.text for mark in marks] == ["go", "BAD_pop", "R128", "stop", "BAD_jump"]
