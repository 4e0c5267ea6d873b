"""What an analysis would find by luck: the same numbers with their order destroyed."""

from __future__ import annotations

import numpy as np

from fakeimaging.scoring.kinetics.patlak import slopes
from fakeimaging.scoring.kinetics.timing import Array

N_PERMUTATIONS = 200


def correlation_by_chance(estimate: Array, truth: Array, *, rng: np.random.Generator) -> float:
    """Return the 95th percentile of the correlation over regions when the regions' names are shuffled."""
    found = [np.corrcoef(rng.permutation(estimate), truth)[0, 1] for _ in range(N_PERMUTATIONS)]
    return float(np.quantile(found, 0.95))


def shuffled_slopes(x: Array, y: Array, *, rng: np.random.Generator) -> Array:
    """Return mean slopes of a plot when each region's late frames are shuffled, shape (N_PERMUTATIONS,)."""
    return np.array([slopes(x, rng.permuted(y, axis=1)).mean() for _ in range(N_PERMUTATIONS)])


def drawn_means(values: Array, n: int, *, rng: np.random.Generator) -> Array:
    """Return means over n regions drawn at random, shape (N_PERMUTATIONS,)."""
    return np.array([rng.choice(values, n, replace=False).mean() for _ in range(N_PERMUTATIONS)])


def highest(by_luck: Array) -> float:
    """Return the 95th percentile of what luck gives: what an estimate is to exceed."""
    return float(np.quantile(by_luck, 0.95))


def nearest(by_luck: Array, truth: float) -> float:
    """Return the 5th percentile of how far what luck gives is from the truth: what an error is to stay below."""
    return float(np.quantile(np.abs(by_luck - truth), 0.05))
