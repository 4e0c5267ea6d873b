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
