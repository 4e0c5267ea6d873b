import numpy as np
import pytest

from fakeimaging.activity.netsim import CASES, case_of
from fakeimaging.activity.netsim.networks import draw_network, input_strength
from fakeimaging.core.errors import InputError
from fakeimaging.core.streams import Streams

# Smith et al. (2011), table 2: nodes, minutes, TR in s, noise in %, spread of the HRF in s.
PUBLISHED = """
1  5 10 3 1 .5
2  10 10 3 1 .5
3  15 10 3 1 .5
4  50 10 3 1 .5
5  5 60 3 1 .5
6  10 60 3 1 .5
7  5 250 3 1 .5
8  5 10 3 1 .5
9  5 250 3 1 .5
10 5 10 3 1 .5
11 10 10 3 1 .5
12 10 10 3 1 .5
13 5 10 3 1 .5
14 5 10 3 1 .5
15 5 10 3 .1 .5
16 5 10 3 1 .5
17 10 10 3 .1 .5
18 5 10 3 1 0
19 5 10 .25 .1 .5
20 5 10 .25 .1 0
21 5 10 3 1 .5
22 5 10 3 .1 .5
23 5 10 3 .1 .5
24 5 10 3 .1 .5
25 5 5 3 1 .5
26 5 2.5 3 1 .5
27 5 2.5 3 .1 .5
28 5 5 3 .1 .5
"""
CHAIN = {(1, 2), (2, 3), (3, 4), (4, 5)}
RING = CHAIN | {(1, 5)}


def network(number, seed=1, **more):
    return draw_network(CASES[number], Streams(seed).at("test"), **more)


def links(weights):
    targets, sources = np.nonzero(weights)
    return {(int(j) + 1, int(i) + 1) for i, j in zip(targets, sources, strict=True)}


@pytest.mark.parametrize("line", PUBLISHED.strip().splitlines())
def test_the_table_is_the_published_one(line):
    number, *numbers = line.split()
    case = CASES[int(number)]
    found = (case.n_nodes, case.minutes, case.tr, case.noise, case.hrf_sd)
    assert found == tuple(float(value) for value in numbers)
    assert case.n_timepoints == round(60 * case.minutes / case.tr)
    assert case.sigma == (10 if case.number in (19, 20) else 20)
    assert len(CASES) == 28


@pytest.mark.parametrize("number", [0, 29, "1x", True, 1.5])
def test_a_case_that_does_not_exist_is_refused(number):
    with pytest.raises(InputError, match=r"`case`: .* is none of the NetSim cases, 1 to 28"):
        case_of(number)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, RING),
        (2, RING | {(i + 5, j + 5) for i, j in RING} | {(3, 8)}),
        (14, CHAIN | {(5, 1)}),
        (15, RING),
        (16, RING | {(2, 4), (3, 5)}),
        (22, RING),
    ],
)
def test_links_of_each_kind(number, expected):
    assert links(network(number).weights) == expected


def test_links_back_are_negative_and_half_as_many_as_the_chain():
    found = [network(13, seed).weights for seed in range(200)]
    back = [links(weights) - RING for weights in found]
    assert all(one <= {(j, i) for i, j in CHAIN} for one in back)
    assert sum(map(len, back)) / 800 == pytest.approx(0.5, abs=3 * 0.5 / np.sqrt(800))
    assert all(weights[i - 1, j - 1] < 0 for weights, one in zip(found, back, strict=True) for j, i in one)


def test_weights_lie_in_the_published_range_and_strong_ones_are_2_25_times_that():
    weak, strong = (np.concatenate([network(k, seed).weights.ravel() for seed in range(200)]) for k in (1, 15))
    weak, strong = weak[weak > 0], strong[strong > 0]
    assert len(weak) == 1000
    assert (weak.min(), weak.max()) == (0.2, 0.6)
    assert weak.mean() == pytest.approx(0.4, abs=3 * 0.1 / np.sqrt(1000))
    np.testing.assert_allclose(strong, 2.25 * weak)


def test_inputs_of_each_kind():
    own = input_strength(20.0)
    assert own == pytest.approx(80 / np.exp(-np.arange(101) / 10).sum())
    np.testing.assert_allclose(network(1).inputs, own * np.eye(5))
    np.testing.assert_allclose(network(24).inputs, own * np.diag([1, 0.1, 0.1, 0.1, 0.1]))
    np.testing.assert_allclose(network(23).inputs, own * np.diag([1, 0.3, 0.3, 0.3, 0.3]))
    np.testing.assert_allclose(network(19).inputs, input_strength(10.0) * np.eye(5))
    shared = np.array([network(8, seed).inputs for seed in range(200)])[:, ~np.eye(5, dtype=bool)] / own
    assert set(np.unique(shared.round(6))) == {0, 0.3}
    assert (shared > 0).mean() == pytest.approx(0.2, abs=3 * 0.4 / np.sqrt(4000))


def test_each_link_of_case_22_has_a_slow_input_of_its_own():
    found = network(22)
    assert [tuple(gate) for gate in found.gates] == [(1, 0, 5), (2, 1, 6), (3, 2, 7), (4, 0, 8), (4, 3, 9)]
    np.testing.assert_allclose(found.rates, [(0.1, 0.4)] * 5 + [(0.05, 0.03)] * 5)
    assert not found.inputs[:, 5:].any()
    assert len(network(23).gates) == 0


def test_the_second_group_has_half_the_link_from_2_to_3():
    one, other = network(21).weights, network(21, halved=True).weights
    assert other[2, 1] == one[2, 1] / 2
    assert (one != other).sum() == 1


# 2000 nodes: a variance to 3 sqrt(2 / 2000) = 10 %.
def test_hemodynamic_constants_scatter_by_the_published_covariance():
    drawn = [network(4, seed).constants for seed in range(40)]
    kappa, gamma, tau, alpha, E0 = (
        np.concatenate([one[name] for one in drawn]) for name in ("kappa", "gamma", "tau", "alpha", "E0")
    )
    assert [kappa.mean(), gamma.mean(), alpha.mean(), E0.mean()] == pytest.approx([0.65, 0.41, 0.32, 0.34], abs=0.01)
    np.testing.assert_allclose(np.cov(kappa, gamma), [[0.0148, -0.0001], [-0.0001, 0.0018]], rtol=0.1, atol=4e-4)
    free = tau > 0.1
    assert tau.min() == 0.1
    assert (~free).mean() == pytest.approx(0.026, abs=0.011)  # the tail of 0.98 +- 0.453 s below 0.1 s
    assert (alpha.var(), E0.var()) == pytest.approx((4 * 0.0002, 4 * 0.0001), rel=0.1)  # balloon_defaults.m
    assert np.abs(np.corrcoef(kappa, alpha)[0, 1]) < 3 / np.sqrt(2000)
    assert np.corrcoef(tau[free], alpha[free])[0, 1] > 0.5


def test_without_variability_only_kappa_and_gamma_scatter():
    found = network(18).constants
    assert found["tau"].tolist() == [0.98] * 5
    assert found["alpha"].tolist() == [0.32] * 5
    assert found["kappa"].std() > 0
