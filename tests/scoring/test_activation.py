import numpy as np
import pandas as pd
import pytest

from fakeimaging.scoring import activation as a

TR, N = 2.0, 110
TIMES = TR * (np.arange(N) + 0.5)
EVENTS = pd.DataFrame({"onset": np.arange(10.0, 200, 36), "duration": 15.0, "trial_type": "look"})


def made(seed, response, noise_sd, n_regions=40):
    model = a.design(EVENTS, TIMES, np.ones((N, 1)))
    size = response * np.maximum(0.0, 1 - np.arange(n_regions) / 8)
    clean = size[:, None] * model.task[:, 0]
    return model, clean, clean + noise_sd * np.random.default_rng(seed).standard_normal((n_regions, N))


def test_without_noise_the_response_is_exact():
    model, clean, observed = made(1, 1.5, 1e-6)
    found = a.recovered(observed, clean, model)
    assert found["auc"] == 1.0
    assert found["slope"] == pytest.approx(1.0, rel=1e-4)
    assert found["slope_chance"] < 1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_noise_alone_does_not_beat_chance_by_much(seed):
    model, clean, _ = made(seed, 1.0, 0.0)
    noise = np.random.default_rng(100 + seed).standard_normal(clean.shape)
    found = a.recovered(noise, clean, model)
    # 8 of 40 regions: the area has an SD of 0.115 by chance
    assert abs(found["auc"] - 0.5) < 4 * 0.115
    assert 0.5 < found["auc_chance"] < 0.5 + 4 * 0.115
    assert abs(found["slope"]) < 1


def test_a_response_that_is_seen_by_half_has_a_slope_of_one_half():
    model, clean, observed = made(5, 2.0, 0.05)
    assert a.recovered(0.5 * clean + (observed - clean), clean, model)["slope"] == pytest.approx(0.5, abs=0.05)


def test_ordinary_least_squares_agrees_with_nilearn_on_white_noise():
    model, _, observed = made(4, 1.0, 0.5)
    own, own_t = a.least_squares(observed, model)
    theirs, their_t = a.responses(observed, model)
    np.testing.assert_allclose(own, theirs, atol=0.08)
    assert np.corrcoef(own_t[0], their_t[0])[0, 1] > 0.99
    assert abs(np.polyfit(own_t[0], their_t[0], 1)[0] - 1) < 0.15


def test_nothing_to_tell_apart_gives_no_row():
    model, clean, observed = made(1, 1.0, 0.1)
    assert a.recovered(observed, np.ones((40, 1)) * model.task[:, 0], model) is None
