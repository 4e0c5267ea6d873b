import numpy as np
import pytest

from fakeimaging.modalities.electro.pops import DECAY, POPS, pop_events, unit_factor
from tests.modalities.electro.series import empty_forward, layer, options, rng_of

OFTEN = options(pop_rate=6.0, pop_amplitude=1.5e-4)


def slow_twin(times, names, recipe):
    """The equation, one event after the other in double precision."""
    expected = np.zeros((len(names), len(times)))
    for onset, name, size, decay in zip(
        recipe["onset"], recipe["channel"], recipe["amplitude"], recipe["decay"], strict=True
    ):
        since = times - onset
        with np.errstate(over="ignore", divide="ignore"):
            shape = np.exp(-since / decay) if decay else np.ones(len(times))
        expected[names.index(name)] += np.where(since >= 0, size * shape, 0)
    return expected


@pytest.mark.parametrize("kinds", [["EEG"] * 8 + ["ECG"], ["MEGMAG", "MEGGRADPLANAR"] * 4])
def test_the_layer_is_the_sum_of_its_events_over_all_parts(kinds):
    forward = empty_forward(kinds)
    recipe = POPS.draw(forward, OFTEN, rng=rng_of(3))
    assert len(recipe["onset"]) > 20
    names = [channel.name for channel in forward.clean.channels]
    expected = slow_twin(forward.clean.clock.times, names, recipe)
    # A pop is dropped after eight time constants: 0.03 % of its size.
    np.testing.assert_allclose(layer(POPS, forward, recipe), expected, atol=4e-4 * np.abs(recipe["amplitude"]).max())


@pytest.mark.parametrize("seed", [41, 42, 43])
def test_pops_come_at_their_rate_with_their_sizes(seed):
    forward = empty_forward(["EEG"] * 60 + ["ECG"], duration=600.0)
    recipe = POPS.draw(forward, options(pop_rate=1.0, pop_amplitude=1e-4), rng=rng_of(seed))
    n = len(recipe["onset"])
    assert n == pytest.approx(600, abs=4 * np.sqrt(600))
    assert np.log(np.abs(recipe["amplitude"]) / 1e-4).mean() == pytest.approx(0, abs=4 * 0.6 / np.sqrt(n))
    assert (recipe["amplitude"] > 0).mean() == pytest.approx(0.5, abs=2 / np.sqrt(n))
    assert DECAY[0] <= recipe["decay"].min() < recipe["decay"].max() <= DECAY[1]
    assert "c60" not in recipe["channel"]
    each = np.unique(recipe["channel"], return_counts=True)[1]
    assert each.var() == pytest.approx(each.mean(), rel=6 * np.sqrt(2 / 60))  # Poisson in each channel


def test_jumps_of_squids_stay_and_gradiometers_have_their_own_size():
    forward = empty_forward(["MEGMAG"] * 30 + ["MEGGRADPLANAR"] * 30, duration=300.0)
    recipe = POPS.draw(forward, options(pop_rate=3.0, pop_amplitude=2e-12), rng=rng_of(5))
    assert (recipe["decay"] == 0).all()
    size = np.abs(recipe["amplitude"])
    magnetic = np.array([int(name[1:]) < 30 for name in recipe["channel"]])
    ratio = np.log(size[~magnetic]).mean() - np.log(size[magnetic]).mean()
    assert ratio == pytest.approx(np.log(unit_factor("T/m")), abs=4 * 0.6 * np.sqrt(2 / (len(size) / 2)))
    last = layer(POPS, forward, recipe)[:, -1]
    total = {name: 0.0 for name in recipe["channel"]}
    for name, amplitude in zip(recipe["channel"], recipe["amplitude"], strict=True):
        total[name] += amplitude
    row = {channel.name: i for i, channel in enumerate(forward.clean.channels)}
    np.testing.assert_allclose([last[row[name]] for name in total], list(total.values()), rtol=1e-4, atol=1e-15)


def test_the_events_are_a_table_of_the_truth():
    forward = empty_forward(["EEG"] * 4)
    recipe = POPS.draw(forward, OFTEN, rng=rng_of(3))
    (table,) = POPS.tell((), forward, recipe)
    assert table.truth
    assert table.name == "desc-pops_events"
    assert list(table.rows) == pop_events(recipe)
    assert [row[0] for row in table.rows] == sorted(recipe["onset"])
    assert {row[3] for row in table.rows} <= {channel.name for channel in forward.clean.channels}


def test_none_is_none():
    forward = empty_forward(["EEG"] * 4)
    recipe = POPS.draw(forward, options(pop_rate=0.0, pop_amplitude=1e-4), rng=rng_of(1))
    assert not layer(POPS, forward, recipe).any()
    assert POPS.tell((), forward, recipe) == ()
