import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import InputError


def full(n=3, value=1.0):
    return value * (np.ones((n, n)) - np.eye(n))


@pytest.fixture(scope="module")
def subject():
    return fi.make_subject("01", seed=1)


def test_weights_fall_with_distance_at_the_rate_asked_for(subject):
    free = {"network_factor": 1.0, "crossing_factor": 1.0, "density": 1.0, "log_sd": 0.5, "length_constant": 25.0}
    weights = fi.make_subject("01", seed=2, distance_rule=free).connectome.weights
    centroids = subject.parcellation.centroids
    distance = np.linalg.norm(centroids[:, None] - centroids[None], axis=-1)
    pairs = np.triu_indices(100, 1)
    homotopic = [b - a == 1 and a % 2 == 0 for a, b in zip(*pairs, strict=True)]
    x, y = distance[pairs][~np.array(homotopic)], np.log(weights[pairs])[~np.array(homotopic)]
    slope, error = np.polyfit(x, y, 1)[0], 0.5 / (x.std() * np.sqrt(len(x)))
    assert abs(slope + 1 / 25) < 3 * error


def test_the_default_network_is_symmetric_and_as_dense_as_asked(subject):
    weights = subject.connectome.weights
    assert (weights == weights.T).all()
    assert 0.19 < (weights > 0).mean() < 0.23
    assert ((weights > 0).sum(axis=1) >= 3).all()
    assert ((subject.connectome.tract_lengths > 0) == (weights > 0)).all()


def test_homotopic_and_within_network_pairs_are_preferred(subject):
    weights = subject.connectome.weights
    network = np.array([region.network for region in subject.regions])
    same = (network[:, None] == network) & ~np.eye(100, dtype=bool)
    assert (weights[same] > 0).mean() > 2 * (weights[~same] > 0).mean()
    homotopic = weights[np.arange(0, 100, 2), np.arange(1, 100, 2)]
    assert (homotopic > 0).mean() > 0.9


def test_subjects_share_most_of_their_wiring():
    rule = {"density": 1.0}
    one, two = (fi.make_subject(label, seed=1, distance_rule=rule).connectome.weights for label in ("01", "02"))
    flat = {"density": 1.0, "log_sd": 0.0}
    mean = fi.make_subject("01", seed=1, distance_rule=flat).connectome.weights
    pairs = np.triu_indices(100, 1)
    spread = [np.log(w[pairs] / mean[pairs]) for w in (one, two)]
    assert np.corrcoef(spread)[0, 1] == pytest.approx(0.9, abs=3 * 0.19 / np.sqrt(4950))
    assert np.std(spread[0]) == pytest.approx(1.0, abs=3 / np.sqrt(2 * 4950))


def test_row_normalised_rows_sum_to_one_where_anything_is_received():
    weights = full(4)
    weights[0] = 0
    normalised = fi.Connectome(weights, full(4)).row_normalised()
    np.testing.assert_allclose(normalised.sum(axis=1), [0, 1, 1, 1])


def test_delays_are_length_over_speed():
    delays = fi.Connectome(full(), full(3, 70.0)).delays(7.0)
    np.testing.assert_allclose(delays, full(3, 0.01))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w[:2], "square"),
        (lambda w: w * np.nan, "nan in row 1, column 1"),
        (lambda w: np.where(w > 0, np.inf, 0), "inf in row 1, column 2"),
        (lambda w: -w, "negative value -1 in row 1, column 2"),
        (lambda w: w + np.eye(3), "connects to itself"),
        (lambda w: w * 0, "all zero"),
        (lambda w: np.ones((1, 1)), "at least 2 x 2"),
        (lambda w: full(4), r"\(4, 4\) and `tract_lengths` is \(3, 3\)"),
    ],
)
def test_bad_weights_are_named(change, message):
    with pytest.raises(InputError, match=message):
        fi.Connectome(change(full()), full())


@pytest.mark.parametrize("lengths", [full() * np.nan, -full()])
def test_bad_lengths_are_named(lengths):
    with pytest.raises(InputError, match="tract_lengths"):
        fi.Connectome(full(), lengths)


def test_a_region_without_tracts_is_allowed_and_named():
    weights = full(4)
    weights[2] = weights[:, 2] = 0
    with pytest.warns(UserWarning, match="regions without any tract: 3"):
        connectome = fi.Connectome(weights, full(4))
    assert connectome.isolated.tolist() == [2]


def test_matrices_are_copied_and_read_only():
    weights = full()
    connectome = fi.Connectome(weights, full())
    weights[0, 1] = 5
    assert connectome.weights[0, 1] == 1
    with pytest.raises(ValueError, match="read-only"):
        connectome.weights[0, 1] = 2


def test_the_generators_other_factors_do_what_they_say():
    def weights(**rule):
        return fi.make_subject("01", seed=3, distance_rule={"density": 1.0, "log_sd": 0.0, **rule}).connectome.weights

    subject = fi.make_subject("01", seed=3)
    side = np.array([region.hemisphere for region in subject.regions])
    crossing = side[:, None] != side
    homotopic = np.zeros((100, 100), dtype=bool)
    homotopic[np.arange(0, 100, 2), np.arange(1, 100, 2)] = homotopic[np.arange(1, 100, 2), np.arange(0, 100, 2)] = True
    ratio = weights(crossing_factor=0.25) / np.where(np.eye(100), 1, weights(crossing_factor=0.5))
    assert ratio[crossing & ~homotopic] == pytest.approx(0.5)
    assert ratio[~crossing & ~np.eye(100, dtype=bool)] == pytest.approx(1)
    centroids = subject.parcellation.centroids
    distance = np.linalg.norm(centroids[:, None] - centroids[None], axis=-1)
    lengths = fi.make_subject("01", seed=3, distance_rule={"density": 1.0, "tortuosity": 1.5}).connectome.tract_lengths
    np.testing.assert_allclose(lengths, 1.5 * distance)
    sparse = fi.make_subject("01", seed=3, distance_rule={"density": 0.01, "strongest_kept": 5}).connectome.weights
    assert (sparse > 0).sum(axis=1).min() == 5


@pytest.mark.parametrize("matrix", ["weights.csv", full() * 1j, np.full((3, 3), "a")])
def test_what_is_no_matrix_of_numbers_is_named(matrix):
    with pytest.raises(InputError, match="real numbers are needed"):
        fi.Connectome(matrix, full())


def tiny(label="01", **rule):
    return fi.make_subject(label, seed=4, anatomy="tiny", n_regions=50, distance_rule=rule).connectome


def test_asymmetry_splits_the_spread_between_pair_and_direction():
    rule = {"density": 1.0, "strongest_kept": 1}
    flat = np.log(np.where(np.eye(50), 1, tiny(log_sd=0.0, **rule).weights))
    for asymmetry in (0.0, 0.3, 1.0):
        spread = np.log(np.where(np.eye(50), 1, tiny(asymmetry=asymmetry, **rule).weights)) - flat
        pairs = np.triu_indices(50, 1)
        found = np.corrcoef(spread[pairs], spread.T[pairs])[0, 1]
        assert found == pytest.approx(1 - asymmetry, abs=3 / np.sqrt(1225) + 1e-9)
        assert np.std(spread[~np.eye(50, dtype=bool)]) == pytest.approx(1, abs=3 / np.sqrt(2 * 1225))


def test_a_directed_network_has_one_way_tracts_and_every_region_sends_and_receives():
    weights = tiny(asymmetry=0.5, density=0.1).weights
    there = weights > 0
    assert there.sum() / (50 * 49) == pytest.approx(0.1, abs=0.05)
    assert (there & ~there.T).any()
    assert there.sum(axis=0).min() >= 3
    assert there.sum(axis=1).min() >= 3
    lengths = tiny(asymmetry=0.5, density=0.1).tract_lengths
    assert ((lengths > 0) == there).all()


@pytest.mark.parametrize("asymmetry", [0.0, 0.4])
def test_the_share_asked_for_inhibits_and_nothing_else_changes(asymmetry):
    plain, signed = tiny(asymmetry=asymmetry), tiny(asymmetry=asymmetry, inhibitory=0.25)
    assert not plain.signed
    assert signed.signed
    assert (np.abs(signed.weights) == plain.weights).all()
    share = (signed.weights < 0).sum() / (signed.weights != 0).sum()
    assert share == pytest.approx(0.25, abs=0.005)
    if asymmetry == 0:
        assert (signed.weights == signed.weights.T).all()
    other = tiny("02", asymmetry=asymmetry, inhibitory=0.25).weights
    both = (other != 0) & (signed.weights != 0)
    assert (np.sign(other) == np.sign(signed.weights))[both].mean() > 0.8


def test_models_refuse_negative_weights_they_do_not_take():
    signed = fi.Connectome(full() * [[1], [-1], [1]], full(), signed=True)
    with pytest.raises(InputError, match="2 are negative, the first in row 2, column 1; the model takes none"):
        signed.row_normalised()
    np.testing.assert_allclose(signed.row_normalised(signed=True).sum(axis=1), [1, -1, 1])
    subject = fi.make_subject("01", seed=1, anatomy="tiny", distance_rule={"inhibitory": 0.2})
    with pytest.raises(InputError, match="are negative"):
        fi.simulate_activity(subject, model="kuramoto", duration=20.0)
    fi.simulate_activity(subject, model="linear", duration=20.0)


def test_names_and_centres_must_fit():
    with pytest.raises(InputError, match="`names`: 3 different ones"):
        fi.Connectome(full(), full(), names=("a", "b", "a"))
    with pytest.raises(InputError, match=r"`centres`: finite numbers of shape \(3, 3\)"):
        fi.Connectome(full(), full(), centres=np.zeros((2, 3)))
    assert not fi.Connectome(full(), full(), centres=np.eye(3)).centres.flags.writeable
