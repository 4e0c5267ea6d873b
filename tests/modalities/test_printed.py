"""What objects print: one line, whatever they hold."""

import pytest

import fakeimaging as fi
from fakeimaging.modalities.match import match


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: fi.phantom(seed=1, n_volumes=30), ["Phantom(", "conditions face", "seed 1"]),
        (lambda: fi.phantom(seed=1, n_volumes=30).truth, ["PhantomTruth(", "30 volumes", "thermal"]),
        (lambda: fi.simulate_series(3, seed=1, n_volumes=30), ["Series(", "(3, 30)", "conditions none"]),
        (lambda: fi.netsim(1, 2, seed=1), ["NetSim(2 subjects", "case 1"]),
        (lambda: match(fi.phantom(seed=1, n_volumes=30).image), ["Match(", "x 30, TR 2 s", "SNR"]),
    ],
)
def test_an_object_prints_as_one_line(make, words):
    printed = repr(make())
    assert "\n" not in printed
    assert len(printed) < 200
    assert all(word in printed for word in words), printed
