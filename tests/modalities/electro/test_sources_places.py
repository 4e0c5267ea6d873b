"""Places of imposed sources that patches and dipoles cannot lie in."""

import pytest

import fakeimaging as fi
from fakeimaging.core.errors import InputError


@pytest.fixture(scope="module")
def person():
    return fi.make_subject("01", seed=1, n_regions=40)


def run(person, **source):
    spec = {"name": "deep", "density": 0.1, "waveform": "rhythm", "frequency": 10.0, **source}
    return fi.simulate_activity(person, model="linear", duration=2.0, sources=[spec])


@pytest.mark.parametrize(
    "source",
    [{"near": (-10, -20, 8), "extent": 8.0}, {"region": "L_Thalamus_01", "extent": 8.0}],
    ids=["place", "nucleus"],
)
def test_a_patch_far_from_cortex_is_refused(person, source):
    with pytest.raises(InputError, match=r"source 'deep': its place is \d+ mm from the cortex"):
        fi.acquire("eeg", person, run(person, **source))


def test_a_whole_nucleus_and_a_place_on_cortex_are_fine(person):
    for source in ({"region": "L_Thalamus_01"}, {"near": (-40, -25, 55), "extent": 10.0}):
        assert fi.acquire("eeg", person, run(person, **source)).forward.context["gains"].sources.any()
