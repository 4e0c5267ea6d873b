"""Pathology on the connectome: closed forms of diffusion and growth, order along tracts, and what it leaves alone."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import fakeimaging as fi
from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.core.streams import Streams
from fakeimaging.structure.pathology import laplacian, spread
from fakeimaging.structure.receptors import load_of
from fakeimaging.testing.fixtures import tiny_subject

RNG = Streams(11).at("test", "pathology").rng()


def wired(weights):
    weights = np.asarray(weights, dtype=float)
    return fi.Connectome(weights, 50 * (weights > 0))


def chain(n):
    return wired(np.eye(n, k=1) + np.eye(n, k=-1))


def random(n=12):
    weights = RNG.random((n, n)) * (RNG.random((n, n)) < 0.5)
    np.fill_diagonal(weights, 0)
    weights[0, 1:] += 0.1
    weights[1:, 0] += 0.1
    return wired(weights)


def test_two_regions_even_out_as_in_the_closed_form():
    years = np.array([0.0, 1.0, 7.0, 40.0])
    loads = spread(wired([[0, 3], [3, 0]]), [0.8, 0.0], years, rate=0.1)
    np.testing.assert_allclose(loads[:, 0], 0.4 * (1 + np.exp(-0.2 * years)), rtol=1e-12)


def test_symmetric_wiring_gives_the_heat_kernel_of_its_eigenvectors():
    weights = RNG.random((9, 9))
    weights = weights + weights.T - 2 * np.diag(weights.diagonal())
    values, vectors = np.linalg.eigh(laplacian(wired(weights)))
    start = RNG.random(9)
    expected = vectors @ (np.exp(-0.3 * 5 * values) * (vectors.T @ start))
    np.testing.assert_allclose(spread(wired(weights), start, 5.0, rate=0.3)[0], expected, rtol=1e-10)
    assert values[0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_without_growth_the_sum_stays_whatever_the_directions(seed):
    connectome, start = random(), Streams(seed).at("start").rng().random(12)
    loads = spread(connectome, start, [0, 3, 30, 300], rate=0.2)
    np.testing.assert_allclose(loads.sum(axis=1), start.sum(), rtol=1e-10)
    assert loads.min() >= 0


def test_loads_go_with_the_tract_from_sender_to_receiver():
    weights = np.zeros((3, 3))
    weights[1, 0] = weights[2, 1] = 1.0
    loads = spread(wired(weights), [1.0, 0, 0], [50.0], rate=1.0)[0]
    np.testing.assert_allclose(loads, [0, 0, 1], atol=1e-9)


def test_without_spread_growth_is_logistic_and_ends_at_one():
    years, start = np.array([0.0, 4.0, 20.0, 300.0]), np.array([0.05, 0.5])
    grown = np.exp(0.3 * years)[:, None]
    expected = start * grown / (1 - start + start * grown)
    found = spread(wired([[0, 1], [1, 0]]), start, years, rate=0.0, growth=0.3)
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    np.testing.assert_allclose(found[-1], 1, rtol=1e-8)


def test_spread_with_growth_is_the_equation():
    connectome, start = random(), np.eye(12)[3] * 0.2
    flow = laplacian(connectome)
    with_jacobian = solve_ivp(
        lambda t, x: -0.2 * flow @ x + 0.4 * x * (1 - x),
        (0, 12),
        start,
        "Radau",
        [3.0, 12.0],
        jac=lambda t, x: -0.2 * flow + np.diag(0.4 * (1 - 2 * x)),
        rtol=1e-9,
        atol=1e-12,
    )
    found = spread(connectome, start, [3.0, 12.0], rate=0.2, growth=0.4)
    np.testing.assert_allclose(found, with_jacobian.y.T, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("growth", [0.0, 0.3])
def test_nearer_regions_come_first(growth):
    loads = spread(chain(8), np.eye(8)[0] * 0.3, [1.0, 5.0, 20.0], rate=0.1, growth=growth)
    assert (np.diff(loads, axis=1) < 0).all()
    assert (np.diff(loads[:, 1:], axis=0) > 0).all()


def test_stronger_wiring_as_a_whole_changes_nothing_and_a_lesion_slows():
    connectome = chain(5)
    double = wired(2 * connectome.weights)
    start = np.eye(5)[0]
    np.testing.assert_allclose(
        spread(double, start, 3.0, rate=0.2), spread(connectome, start, 3.0, rate=0.2), rtol=1e-12
    )
    subject = tiny_subject()
    cut = fi.lesion(subject, "L_NetA_01", share=0.5).connectome
    slow, fast = (spread(wiring, np.eye(10)[0], 2.0, rate=0.2)[0, 0] for wiring in (cut, subject.connectome))
    assert slow > fast
    assert laplacian(cut)[0, 0] == pytest.approx(laplacian(subject.connectome)[0, 0] / 2)


def test_spared_regions_get_none_and_pass_none():
    spared = np.array([False, False, True, False, False])
    loads = spread(chain(5), np.eye(5)[0], [100.0], rate=0.5, growth=0.2, spared=spared)[0]
    np.testing.assert_array_equal(loads[2:], 0)
    assert loads[1] > 0.9
    np.testing.assert_allclose(
        spread(chain(5), np.eye(5)[2], [9.0], rate=0.5, spared=spared)[0], np.eye(5)[2], atol=1e-12
    )


def test_a_subject_has_the_loads_of_its_years():
    early, late = (
        fi.make_subject("01", seed=1, pathology={"tau": {"years": years}, "amyloid": {"years": years}})
        for years in (8.0, 25.0)
    )
    kind = np.array([region.kind for region in early.regions])
    seeds = np.isin(kind, ["hippocampus", "amygdala"])
    assert load_of(early, "tau")[seeds].min() > 3 * load_of(early, "tau")[~seeds].max()
    assert (load_of(late, "tau")[kind != "cerebellum"] > load_of(early, "tau")[kind != "cerebellum"]).all()
    assert load_of(late, "tau")[kind == "cerebellum"].max() == 0
    network = np.array([region.network for region in early.regions])
    assert load_of(early, "amyloid")[network == "DefaultMode"].min() > 0.3
    assert 0 <= load_of(late, "amyloid").min() <= load_of(late, "amyloid").max() <= 1
    assert late.anatomy.maps is early.anatomy.maps
    assert late.atrophy is None


def test_the_load_follows_the_wiring_and_t1w_does_not():
    tau = {"tau": {"seed": ["L_NetA_01"], "years": 10.0}}
    one = fi.make_subject("01", seed=1, anatomy="tiny", pathology=tau)
    other = fi.make_subject("01", seed=1, anatomy="tiny", pathology=tau, connectome=chain(10))
    assert not np.array_equal(load_of(one, "tau"), load_of(other, "tau"))
    images = [fi.acquire("t1w", person, voxel_size=6.0).observed.to_array() for person in (tiny_subject(), one, other)]
    np.testing.assert_array_equal(images[0], images[1])
    np.testing.assert_array_equal(images[0], images[2])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seeds": [0.5]}, "`seeds`: 2 loads"),
        ({"seeds": [0.5, 1.5]}, "`seeds`: 2 loads"),
        ({"seeds": [0.5, np.nan]}, "`seeds`: 2 loads"),
        ({"years": [-1.0]}, "`years`"),
        ({"years": [2.0, 1.0]}, "`years`"),
        ({"years": []}, "`years`"),
        ({"rate": -0.1}, "`rate`"),
        ({"growth": np.inf}, "`rate`"),
    ],
)
def test_what_cannot_spread_is_refused(settings, message):
    arguments = {"seeds": [0.5, 0.0], "years": [1.0], "rate": 0.1} | settings
    with pytest.raises(InputError, match=message):
        spread(wired([[0, 1], [1, 0]]), **arguments)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"prion": {}}, ParameterError, "no pathology called 'prion'"),
        ({"tau": {"year": 3.0}}, ParameterError, "`subject.pathology.tau.year`: no such key; did you mean 'years'"),
        ({"tau": {"years": -3.0}}, ParameterError, r"`subject.pathology.tau.years`: -3 year is outside \[0, 100\]"),
        ({"tau": {"seed": "L_NetA_1"}}, ParameterError, "`subject.pathology.tau.seed`: .*did you mean 'L_NetA_01'"),
        ({"tau": {}}, InputError, "none of kind:hippocampus, kind:amygdala; name regions of its own"),
    ],
)
def test_pathology_that_cannot_be_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        fi.make_subject("01", seed=1, anatomy="tiny", pathology=given)
