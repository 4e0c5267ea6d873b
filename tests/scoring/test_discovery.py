import numpy as np
import pytest

from fakeimaging.core.errors import InputError
from fakeimaging.core.streams import Streams
from fakeimaging.scoring.discovery import (
    c_sensitivity,
    d_accuracy,
    full_correlation,
    lagged_product,
    partial_correlation,
    patel,
    score_discovery,
)


def symmetric(n, entries):
    matrix = np.zeros((n, n))
    for (i, j), value in entries.items():
        matrix[i, j] = matrix[j, i] = value
    return matrix


NET = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 0.5, 0, 0], [0, 0, -0.3, 0.0]])  # 1 to 2 to 3 to 4


def test_c_sensitivity_counts_links_above_the_percentile_of_the_rest():
    # Pairs without a link: 0.1, 0.2, 0.6; their 95th percentile is 0.2 + 0.9 (0.6 - 0.2) = 0.56.
    strength = symmetric(4, {(0, 1): 0.57, (1, 2): 0.55, (2, 3): 0.9, (0, 2): 0.1, (0, 3): 0.2, (1, 3): 0.6})
    assert c_sensitivity(strength, NET, percentile="pooled") == pytest.approx(2 / 3)
    assert c_sensitivity(strength, NET, percentile="per_subject") == pytest.approx(2 / 3)


def test_pooled_and_per_subject_are_different_percentiles():
    # The second subject's strengths are ten times the first's: its false ones hide the first's true ones only when pooled.
    strength = symmetric(4, {(0, 1): 0.7, (1, 2): 0.7, (2, 3): 0.7, (0, 2): 0.1, (0, 3): 0.1, (1, 3): 0.1})
    both, nets = np.array([strength, 10 * strength]), np.array([NET, NET])
    found = score_discovery(both, nets)
    assert found.per_subject == 1
    assert found.pooled == 0.5
    assert (found.n_links, found.n_directed) == (6, 6)
    assert np.isnan(found.d_accuracy)


def test_the_sign_of_a_strength_counts_and_its_way_does_not():
    strength = np.array([[0, 0.05, 0.1, 0.1], [0.9, 0, -5, 0.1], [0.1, -6, 0, 0.1], [0.1, 0.1, 0.8, 0]])
    assert c_sensitivity(strength, NET, percentile="pooled") == pytest.approx(2 / 3)


def test_d_accuracy_looks_at_links_that_go_one_way():
    right = np.where(NET != 0, 0.2, 0.1)
    assert d_accuracy(right, NET) == 1
    assert d_accuracy(right.T, NET) == 0
    half = right.copy()
    half[1, 0] = half[0, 1] = 0.3
    assert d_accuracy(half, NET) == pytest.approx((0.5 + 1 + 1) / 3)
    both_ways = NET.copy()
    both_ways[0, 1] = -0.4
    assert d_accuracy(right, both_ways) == 1
    found = score_discovery(right, both_ways)
    assert (found.n_links, found.n_directed) == (3, 2)


def test_what_cannot_be_scored():
    assert np.isnan(c_sensitivity(np.ones((3, 3)), np.zeros((3, 3)), percentile="pooled"))
    assert np.isnan(c_sensitivity(np.ones((3, 3)), np.ones((3, 3)), percentile="per_subject"))
    with pytest.raises(InputError, match=r"`estimate` \(3, 3\) and `net` \(4, 4\)"):
        score_discovery(np.ones((3, 3)), NET)
    with pytest.raises(InputError, match="not all strengths are finite"):
        score_discovery(np.where(NET != 0, np.nan, 0), NET)
    with pytest.raises(InputError, match="`percentile`: 'all' is neither"):
        c_sensitivity(NET, NET, percentile="all")
    score_discovery(np.where(np.eye(4), np.nan, 1.0), NET)  # a diagonal may be empty


def gaussian(seed, covariance, n=4000):
    return Streams(seed).rng().standard_normal((n, len(covariance))) @ np.linalg.cholesky(covariance).T


# 4000 volumes: a correlation to 3 / sqrt(4000) = 0.05.
@pytest.mark.parametrize("seed", [731, 732, 733])
def test_correlations_are_those_of_the_covariance(seed):
    precision = np.array([[2, -0.8, 0], [-0.8, 2, -0.6], [0, -0.6, 1.5]])
    covariance = np.linalg.inv(precision)
    series = np.stack([gaussian(seed, covariance), gaussian(seed + 50, covariance)])
    scale = np.sqrt(covariance.diagonal())
    expected = covariance / np.outer(scale, scale)
    assert full_correlation(series).shape == (2, 3, 3)
    np.testing.assert_allclose(full_correlation(series)[1], expected - np.eye(3), atol=0.05)
    partial = np.array([[0, 0.4, 0], [0.4, 0, 0.6 / np.sqrt(3)], [0, 0.6 / np.sqrt(3), 0]])
    for ridge in (0.0, 1e-6, "ledoit-wolf"):
        np.testing.assert_allclose(partial_correlation(series, ridge=ridge)[0], partial, atol=0.05)
    assert (abs(partial_correlation(series, ridge=10.0)) < 0.1).all()


def test_shrinkage_holds_where_there_are_fewer_volumes_than_nodes():
    series = Streams(734).rng().standard_normal((8, 12))
    assert np.isfinite(partial_correlation(series, ridge="ledoit-wolf")).all()
    assert abs(partial_correlation(series, ridge=0.1)).max() < 1
    for ridge in (-1.0, "lasso"):
        with pytest.raises(InputError, match="`ridge`"):
            partial_correlation(series, ridge=ridge)


def kappa_and_tau(a, b):
    """Patel's kappa and NetSim's tau into a from b, of two 0/1 series, from the definitions with four probabilities."""
    theta1, theta2, theta3 = (a & b).mean(), (a & ~b).mean(), (b & ~a).mean()
    expected = (theta1 + theta2) * (theta1 + theta3)
    most, least = min(theta1 + theta2, theta1 + theta3), max(0, 2 * theta1 + theta2 + theta3 - 1)
    if theta1 >= expected:
        lean = 0.5 + (theta1 - expected) / (2 * (most - expected))
    else:
        lean = 0.5 - (theta1 - expected) / (2 * (expected - least))
    kappa = (theta1 - expected) / (lean * (most - expected) + (1 - lean) * (expected - least))
    return kappa, 1 - (theta1 + theta3) / (theta1 + theta2) if theta2 > theta3 else (theta1 + theta2) / (
        theta1 + theta3
    ) - 1


def test_patel_follows_the_four_probabilities():
    rng = Streams(735).rng()
    a = rng.uniform(size=2000) < 0.4
    b = (rng.uniform(size=2000) < 0.3) & (a | (rng.uniform(size=2000) < 0.5))
    c = ~a & (rng.uniform(size=2000) < 0.5)
    series = np.column_stack([a, b, c]).astype(float)  # percentiles 10 and 90 are 0 and 1
    kappa, tau = patel(series)
    for i, j in ((0, 1), (1, 0), (0, 2), (1, 2)):
        bits = series[:, i].astype(bool), series[:, j].astype(bool)
        assert (kappa[i, j], tau[i, j]) == pytest.approx(kappa_and_tau(*bits))
    np.testing.assert_allclose(tau, -tau.T)
    np.testing.assert_allclose(kappa, kappa.T)
    assert kappa[0, 2] < 0 < kappa[0, 1]
    assert tau[0, 1] > 0  # b is active less often: from b to a


def test_a_node_that_follows_another_is_its_target():
    x = Streams(736).rng().standard_normal(3001)
    series = np.column_stack([x[1:], x[:-1]])  # node 2 is what node 1 was a volume before
    found = lagged_product(series)
    assert found[1, 0] == pytest.approx(1, abs=0.05)
    assert abs(found[0, 1]) < 0.06
    assert d_accuracy(found, [[0, 0], [1, 0]]) == 1
    for lag in (0, 3000, 1.0):
        with pytest.raises(InputError, match="`lag`"):
            lagged_product(series, lag=lag)
