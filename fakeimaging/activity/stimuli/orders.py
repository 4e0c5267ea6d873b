"""Orders of trials of several types: in turn, shuffled, or counterbalanced.

In a counterbalanced order each type follows each, itself included, equally often: a random walk that uses every step from type to
type as often as every other (an Eulerian circuit, by Hierholzer's algorithm).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Order = npt.NDArray[np.intp]


def given(n_types: int, n: int, rng: np.random.Generator) -> Order:
    """Return the types in turn, ``n`` times."""
    return np.tile(np.arange(n_types), n)


def shuffled(n_types: int, n: int, rng: np.random.Generator) -> Order:
    """Return ``n`` of each type in random order."""
    return np.asarray(rng.permutation(given(n_types, n, rng)))


def counterbalanced(n_types: int, n: int, rng: np.random.Generator) -> Order:
    """Return an order of ``n`` of each type, a multiple of ``n_types``, in which each follows each equally often.

    One pair comes once less: the last trial has no follower.
    """
    ahead = [list(rng.permutation(np.repeat(np.arange(n_types), n // n_types))) for _ in range(n_types)]
    path, circuit = [int(rng.integers(n_types))], []
    while path:
        if ahead[path[-1]]:
            path.append(int(ahead[path[-1]].pop()))
        else:
            circuit.append(path.pop())
    return np.array(circuit[:-1])


ORDERS = {"given": given, "random": shuffled, "counterbalanced": counterbalanced}
