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
    assert found["slope_chance"] > 0.3


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


def test_a_response_nobody_can_see_gives_no_row():
    model, clean, observed = made(1, 1.04 * a.FAINT / made(1, 1.0, 0.0)[0].task.max(), 0.001)
    assert a.recovered(observed, clean, model)["auc"] > 0.9
    assert a.recovered(0.9 * observed, 0.9 * clean, model) is None
    # Imposed at 1 %, but for a moment: what the regressor makes of it counts.
    moments = EVENTS.assign(duration=0.01)
    short = a.design(moments, TIMES, np.ones((N, 1)))
    imposed = {"look": np.maximum(0.0, 1 - np.arange(40) / 8)}
    assert a.recovered(observed, imposed["look"][:, None] * short.task[:, 0], short, imposed) is None


def test_chance_does_not_know_of_the_response():
    areas = []
    for response in (0.0, 3.0):
        model, _, observed = made(6, response, 1.0)
        true = np.maximum(0.0, 1 - np.arange(40) / 8)[None]
        areas.append(a.chance(observed, model, true, true > 0.1)[0])
    assert areas[1] == pytest.approx(areas[0], abs=0.03)


def test_turns_are_all_different_and_none_is_the_design():
    course = np.random.default_rng(1).standard_normal((20, 1))
    ways = a.turned(course)
    assert len(ways) == 38
    assert len({way.tobytes() for way in ways}) == 38
    assert not any((way == course).all() for way in ways)
    assert len(a.turned(np.random.default_rng(1).standard_normal((300, 2)))) == a.N_TURNS >= 200


@pytest.mark.parametrize("names", [("constant", "drift"), ("1", "2"), ("True", "NA")])
def test_conditions_may_be_called_anything(names):
    events = pd.DataFrame({"onset": [10.0, 40.0], "duration": 5.0, "trial_type": list(names)})
    model = a.design(events, TIMES, np.ones((N, 1)))
    assert model.conditions == tuple(sorted(names))
    assert model.task[:, sorted(names).index(names[0])].argmax() < model.task[:, sorted(names).index(names[1])].argmax()


def test_a_small_response_counts_as_inactive():
    model, clean, observed = made(7, 2.0, 0.3)
    true, _ = a.least_squares(clean, model)
    assert a.recovered(observed, clean, model)["auc"] == pytest.approx(
        a.area_under_curve(np.abs(a.responses(observed, model)[1][0]), (np.abs(true) > 0.1 * np.abs(true).max())[0])
    )


def test_an_imposed_response_is_the_truth_whatever_the_clean_series_say():
    model, clean, observed = made(7, 2.0, 0.05)
    known = np.where(np.arange(40) < 5, 2.0, 0.0)
    beta, active = a.truth(clean, model, {"look": known})
    np.testing.assert_array_equal(beta[0], known)
    np.testing.assert_array_equal(active[0], known != 0)
    series = known[:, None] * model.task[:, 0] + (observed - clean)
    found = a.recovered(0.7 * series, clean, model, {"look": known})
    assert found["auc"] == 1.0
    assert found["slope"] == pytest.approx(0.7, abs=0.03)
    assert a.recovered(observed, clean, model, {"look": np.ones(40)}) is None
    assert a.recovered(observed, clean, model, {"look": np.zeros(40)}) is None


def test_sizes_of_events_and_the_response_are_those_of_the_run():
    sized = EVENTS.assign(modulation=[1.0, 2.0, 0.5, 1.0, 1.0, 3.0])
    plain = a.design(EVENTS, TIMES, np.ones((N, 1))).task[:, 0]
    assert not np.allclose(a.design(sized, TIMES, np.ones((N, 1))).task[:, 0], plain)
    assert a.design(sized, TIMES, np.ones((N, 1))).task.max() > 2.5 * plain.max()
    assert a.design(EVENTS, TIMES, np.ones((N, 1)), response="glover").task.min() < 1.3 * plain.min() < 0
