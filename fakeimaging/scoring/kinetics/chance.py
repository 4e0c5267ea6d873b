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


def slope_by_chance(x: Array, y: Array, *, rng: np.random.Generator) -> float:
    """Return the 95th percentile of the mean slope of a plot when each region's late frames are shuffled."""
    found = [slopes(x, rng.permuted(y, axis=1)).mean() for _ in range(N_PERMUTATIONS)]
    return float(np.quantile(found, 0.95))


def mean_by_chance(values: Array, n: int, *, rng: np.random.Generator) -> float:
    """Return the 95th percentile of the mean over n regions drawn at random."""
    found = [rng.choice(values, n, replace=False).mean() for _ in range(N_PERMUTATIONS)]
    return float(np.quantile(found, 0.95))
