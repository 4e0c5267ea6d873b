import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeimaging import Streams
from fakeimaging.core.errors import InputError
from fakeimaging.core.streams import fresh_seed

names = st.lists(st.text(min_size=1, max_size=8), max_size=4)


@given(st.integers(0, 2**63 - 1), names)
def test_same_path_gives_the_same_bits_however_it_is_reached(seed, path):
    whole, stepwise = Streams(seed).at(*path), Streams(seed)
    for name in path:
        stepwise = stepwise.at(name)
    assert whole == stepwise
    assert whole.rng().bytes(16) == stepwise.rng().bytes(16)
    assert (whole.key(4) == stepwise.key(4)).all()


@given(names, names)
def test_different_paths_give_different_streams(one, two):
    same = Streams(1).at(*one).digest() == Streams(1).at(*two).digest()
    assert same == (one == two)


def test_names_are_not_run_together():
    assert Streams(1).at("ab", "c").digest() != Streams(1).at("a", "bc").digest()


def test_neighbouring_seeds_and_paths_are_uncorrelated():
    n = 100_000
    draws = [Streams(seed).at(f"sub-{i}").rng().standard_normal(n) for seed in (1, 2, 3) for i in (1, 2)]
    correlations = np.corrcoef(draws)[np.triu_indices(len(draws), 1)]
    assert np.abs(correlations).max() < 4 / np.sqrt(n)


@pytest.mark.parametrize("seed", [-1, 1.5, "1", True, None])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(InputError, match="seed"):
        Streams(seed)


@pytest.mark.parametrize("name", ["", 1, None])
def test_a_name_is_text(name):
    with pytest.raises(InputError, match="stream name"):
        Streams(1).at(name)


def test_fresh_seeds_differ():
    assert len({fresh_seed() for _ in range(10)}) == 10
