"""The default wiring against what was measured in people.

Density: 8 to 27 % of pairs of cortical regions, over the thresholds of Gong et al. (2009), doi:10.1523/JNEUROSCI.2308-09.2009.
Slope: log weight falls by 1 in 23.4 mm of tract in Rosen & Halgren (2021), doi:10.1523/ENEURO.0416-20.2020, over all pairs, as
their tractography leaves almost none at zero; 15 % to either side is allowed (assumed: one atlas, one method). Log-normal: there too.
Small-worldness: above 1 (Humphries & Gurney 2008, doi:10.1371/journal.pone.0002051), as in the human cortex (Gong et al. 2009,
doi:10.1093/cercor/bhn102); 4 is the top (assumed).
Modularity: 0.4 to 0.7 with weights, between the 0.3 from which Newman & Girvan (2004), doi:10.1103/PhysRevE.69.026113, call a
division significant and the 0.7 above which they find networks rare, and above that of rewired networks of the same degrees.
"""

import numpy as np
import pytest
from scipy.stats import norm

import fakeimaging as fi
from tests.reference.graphs import louvain, rewired, small_worldness

CASES = [(n, seed) for n in (50, 100, 200) for seed in (11, 12, 13)]
PUBLISHED_DECAY = 23.4
"""mm of tract (Rosen & Halgren 2021)."""
CALLOSAL_SHARE = 0.13
"""Of all axons between cortical regions (Rosen & Halgren 2022, doi:10.1371/journal.pbio.3001575); ours counts tracts of nuclei too."""


def weights_of(n, seed, **rule):
    return fi.make_subject("01", seed=seed, n_regions=n, distance_rule=rule).connectome


@pytest.mark.parametrize(("n", "seed"), CASES)
def test_density_is_that_of_people(n, seed):
    weights = weights_of(n, seed).weights
    assert 0.08 < (weights > 0).sum() / (n * (n - 1)) < 0.27


@pytest.mark.parametrize(("n", "seed"), CASES)
def test_weights_fall_with_length_as_in_people_and_are_log_normal(n, seed):
    everything = weights_of(n, seed, density=1.0)
    pairs = np.triu_indices(n, 1)
    length, log_weight = everything.tract_lengths[pairs], np.log(everything.weights[pairs])
    slope, start = np.polyfit(length, log_weight, 1)
    assert -1 / slope == pytest.approx(PUBLISHED_DECAY, rel=0.15)
    rest = np.sort(log_weight - start - slope * length)
    normal = norm.ppf((np.arange(len(rest)) + 0.5) / len(rest))
    assert np.corrcoef(rest, normal)[0, 1] > 0.96


@pytest.mark.parametrize(("n", "seed"), CASES)
def test_it_is_a_small_world_with_modules(n, seed):
    rng = np.random.default_rng(seed)
    weights = weights_of(n, seed).weights
    assert 1.2 < small_worldness(weights > 0, rng, n_random=1) < 4
    found = louvain(weights, rng)
    assert 0.4 < found < 0.7
    shuffled = rewired(weights > 0, rng).astype(float)
    assert louvain(weights > 0, rng) > 1.2 * louvain(shuffled, rng)


def crossing_share(n, seed):
    subject = fi.make_subject("01", seed=seed, n_regions=n)
    side = np.array([region.hemisphere for region in subject.regions])
    weights = subject.connectome.weights
    return weights[side[:, None] != side].sum() / weights.sum()


@pytest.mark.parametrize("n", [100, 200])
def test_most_weight_stays_within_its_hemisphere(n):
    share = np.mean([crossing_share(n, seed) for seed in (11, 12, 13)])
    assert CALLOSAL_SHARE < share < 0.5
