from functools import lru_cache

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import ParameterError
from fakeimaging.modalities.eeg import EegParameters
from fakeimaging.modalities.electro.bad import BAD, DEAD, LEFT, SLOW, bad_channels, problem_of
from tests.modalities.electro.series import changed, empty_forward, options, rng_of
from tests.modalities.test_eeg import noise, person, run_of

NAMED = {"T7": "flat", "Fp2": "noisy", "C3": "bridged", "O1": "loose"}


@lru_cache(maxsize=1)
def activity():
    return run_of(person(), 0.1 * noise(250 * 60, 100, seed=7))


def recording(**changes):
    return fi.acquire("eeg", person(), activity(), **changes)


def chosen(**values):
    usual = {
        "bad_channels": 0,
        "bad_kinds": ("flat", "noisy", "loose", "bridged"),
        "noisy_amplitude": 1e-4,
        "mark_bad": True,
    }
    return options(**(usual | {"amplifier_noise": 4e-8} | values))


def raw_of(scan):
    raw = scan.to_mne()
    raw.info["bads"] = []
    return raw


def good_enough(found, truth):
    """Precision and recall."""
    hits = len(set(found) & set(truth))
    return hits / max(1, len(set(found))) >= 0.9 and hits / max(1, len(set(truth))) >= 0.9


@pytest.mark.parametrize("repeat", [1, 2, 3])
def test_local_outlier_factors_find_lost_contacts(repeat):
    from mne.preprocessing import find_bad_channels_lof

    scan = recording(bad_channels=5, bad_kinds=["noisy", "loose"], repeat=repeat)
    truth = bad_channels(scan.recipe("bad"))
    assert len(truth) == 5
    found = find_bad_channels_lof(raw_of(scan).filter(1, None, verbose="error"), verbose="error")
    assert good_enough(found, truth)
    none = recording(bad_channels=0, repeat=repeat)
    assert find_bad_channels_lof(raw_of(none).filter(1, None, verbose="error"), verbose="error") == []


@pytest.mark.parametrize("repeat", [1, 2, 3])
def test_amplitudes_find_flat_channels(repeat):
    from mne.preprocessing import annotate_amplitude

    scan = recording(bad_channels=4, bad_kinds=["flat"], reference="Cz", repeat=repeat)
    raw = raw_of(scan).drop_channels(["Cz"])
    _, found = annotate_amplitude(raw, flat={"eeg": 6e-7}, min_duration=0.1, verbose="error")
    assert good_enough(found, set(bad_channels(scan.recipe("bad"))) - {"Cz"})


@pytest.mark.parametrize("repeat", [1, 2, 3])
def test_electrical_distances_find_bridges(repeat):
    from mne.preprocessing import compute_bridged_electrodes

    scan = recording(bad_channels=6, bad_kinds=["bridged"], repeat=repeat)
    raw = raw_of(scan)
    found, _ = compute_bridged_electrodes(raw, verbose="error")
    recipe = scan.recipe("bad")
    truth = {frozenset(pair) for pair in zip(recipe["name"], recipe["partner"], strict=True)}
    assert len(truth) == 3
    assert good_enough({frozenset(raw.ch_names[i] for i in pair) for pair in found}, truth)


def test_bridged_electrodes_are_neighbours_and_show_their_mean():
    forward = empty_forward(["EEG"] * 6)
    recipe = BAD.draw(forward, chosen(bad_channels=(("c4", "bridged"),), amplifier_noise=0.0), rng=rng_of(1))
    assert recipe["partner"][0] in {"c3", "c5"}
    signal = rng_of(2).standard_normal(forward.clean.shape).astype(np.float32)
    after = changed(BAD, forward, recipe, signal)
    pair = [4, int(recipe["partner"][0][1:])]
    np.testing.assert_allclose(after[pair], np.broadcast_to(signal[pair].mean(axis=0), (2, len(signal[0]))), atol=1e-6)
    rest = [i for i in range(6) if i not in pair]
    np.testing.assert_array_equal(after[rest], signal[rest])


def test_a_flat_channel_is_flat_against_an_electrode_and_not_against_the_average():
    single, average = (
        recording(bad_channels={"T7": "flat"}, reference=name, off=["quantisation", "filter"])
        for name in ("Cz", "average")
    )
    row = [channel.name for channel in single.clean.channels].index("T7")
    level = DEAD * single.parameters.amplifier_noise * np.sqrt(125)
    assert single.observed.to_array()[row].std() == pytest.approx(level, rel=0.05)
    others = average.after("bad").to_array()[average.clean.rows("EEG")].mean(axis=0)
    np.testing.assert_allclose(average.observed.to_array()[row], -others, atol=6 * level)


@pytest.mark.parametrize("seed", [51, 52, 53])
def test_a_lost_contact_has_its_noise_and_a_rest_of_the_signal(seed):
    forward = empty_forward(["EEG"] * 40, duration=120.0)
    pairs = tuple((f"c{i}", "noisy") for i in range(40))
    recipe = BAD.draw(forward, chosen(bad_channels=pairs), rng=rng_of(seed))
    signal = np.outer(np.ones(40), np.sin(2 * np.pi * 20 * forward.clean.clock.times)).astype(np.float32)
    after = changed(BAD, forward, recipe, signal, seed)
    kept = 2 * (after * signal[0]).mean(axis=1)
    np.testing.assert_allclose(kept, LEFT, atol=1e-3)
    lost = after - np.float32(LEFT) * signal
    np.testing.assert_allclose(lost.std(axis=1) / recipe["noise"], 1, rtol=0.35)  # few slow waves beat
    assert (lost.std(axis=1) / recipe["noise"]).mean() == pytest.approx(1, rel=0.08)
    power = np.abs(np.fft.rfft(lost, axis=1)) ** 2
    frequencies = np.fft.rfftfreq(lost.shape[1], 1 / 250)
    slow = power[:, (frequencies > 0) & (frequencies < 1.1 * SLOW[1])].sum() / power[:, 1:].sum()
    assert slow == pytest.approx(0.5, abs=0.08)
    assert np.log(recipe["noise"] / 1e-4).std() == pytest.approx(0.25, rel=4 / np.sqrt(80))


def test_a_loose_contact_is_bad_while_it_is_lost():
    forward = empty_forward(["EEG"] * 3, duration=100.0)
    recipe = BAD.draw(forward, chosen(bad_channels=(("c1", "loose"),)), rng=rng_of(3))
    signal = np.full(forward.clean.shape, 1e-9, dtype=np.float32)
    off = np.abs(changed(BAD, forward, recipe, signal)[1] - 1e-9)
    times = forward.clean.clock.times
    inside = np.zeros(len(times), dtype=bool)
    for onset, duration in zip(recipe["loss_onset"], recipe["loss_duration"], strict=True):
        inside |= (times > onset) & (times < onset + duration)
    assert off[~inside].max() == 0
    assert np.median(off[inside]) > 5e-5
    assert 0.05 < inside.mean() < 0.6
    *_, table = BAD.tell((), forward, recipe)
    assert [tuple(row[:2]) for row in table.rows] == list(
        zip(recipe["loss_onset"], recipe["loss_duration"], strict=True)
    )
    assert {row[3] for row in table.rows} == {"c1"}


def test_the_table_of_channels_says_which_are_bad_and_why():
    scan = recording(bad_channels=NAMED)
    (table,) = (c for c in scan.companions if c.name == "channels")
    status, why = table.columns.index("status"), table.columns.index("status_description")
    told = {row[0]: row[why] for row in table.rows if row[status] == "bad"}
    partner = scan.recipe("bad")["partner"][2]
    assert told == {
        "T7": "flat",
        "Fp2": "noisy",
        "O1": "loose",
        "C3": f"bridged with {partner}",
        partner: "bridged with C3",
    }
    assert scan.to_mne().info["bads"] == [channel.name for channel in scan.clean.channels if channel.name in told]
    assert all(len(row) == len(table.columns) for row in table.rows)
    for silent in (recording(bad_channels=NAMED, mark_bad=False), recording(bad_channels=NAMED, off=["bad"])):
        (table,) = (c for c in silent.companions if c.name == "channels")
        assert all(row[table.columns.index("status")] == "good" for row in table.rows)


@pytest.mark.parametrize(("wanted", "n"), [(0, 0), (3, 3), (0.125, 8), (1.0, 64), (64, 64)])
def test_a_number_or_a_share_of_channels_is_drawn(wanted, n):
    forward = empty_forward(["EEG"] * 64 + ["ECG"])
    found = bad_channels(BAD.draw(forward, chosen(bad_channels=wanted), rng=rng_of(4)))
    assert len(found) == n
    assert "c64" not in found


def test_other_draws_are_other_channels_and_kinds_come_alike():
    forward = empty_forward(["EEG"] * 64)
    drawn = [BAD.draw(forward, chosen(bad_channels=8), rng=rng_of(seed)) for seed in range(60)]
    assert len({tuple(recipe["name"]) for recipe in drawn}) == 60
    kinds = [kind for recipe in drawn for kind in recipe["kind"]]
    for kind in ("flat", "noisy", "loose", "bridged"):
        assert kinds.count(kind) / len(kinds) == pytest.approx(0.25, abs=0.08)


def test_coils_are_flat_or_noisy():
    forward = empty_forward(["MEGMAG", "MEGGRADPLANAR"] * 20)
    recipe = BAD.draw(forward, chosen(bad_channels=12, noisy_amplitude=1e-12), rng=rng_of(5))
    assert set(recipe["kind"]) == {"flat", "noisy"}
    signal = np.full(forward.clean.shape, 1e-13, dtype=np.float32)
    after = changed(BAD, forward, recipe, signal)
    rows = {channel.name: i for i, channel in enumerate(forward.clean.channels)}
    for name, kind, level in zip(recipe["name"], recipe["kind"], recipe["noise"], strict=True):
        row = rows[name]
        if kind == "flat":
            assert not after[row].any()
        else:
            assert after[row].std() == pytest.approx(level, rel=0.4)
            assert 1e-13 < level / (25 if forward.clean.channels[row].unit == "T/m" else 1) < 1e-11


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"bad_channels": {"T9x": "flat"}}, "no channel 'T9x'"),
        ({"bad_channels": {"T7": "flatt"}}, "flat"),
        ({"bad_channels": [["T7", "flat"], ["T7", "noisy"]]}, "'T7' stands there twice"),
        ({"bad_channels": 65}, r"65 is outside \[0, 64\]"),
        ({"bad_channels": 1.5}, r"1.5 is outside \[0, 1\]"),
        ({"bad_channels": -1}, "-1 is outside"),
        ({"bad_kinds": ["floating"]}, "floating"),
    ],
)
def test_a_wrong_choice_is_named(wrong, words):
    with pytest.raises(ParameterError, match=words):
        EegParameters.parse(wrong, where="eeg")


def test_a_table_and_pairs_are_the_same_choice():
    table = EegParameters(bad_channels=NAMED)
    pairs = EegParameters.parse({"bad_channels": [list(pair) for pair in NAMED.items()]})
    assert table == pairs == EegParameters.parse(table.model_dump(mode="json"))
    assert problem_of(table.bad_channels, list(NAMED)) is None


@pytest.mark.slow
@pytest.mark.parametrize("repeat", [1, 2, 3])
def test_maxwell_filtering_finds_bad_coils(repeat):
    from mne.preprocessing import find_bad_channels_maxwell

    run = run_of(person(), 0.1 * noise(250 * 32, 100, seed=7))
    scan = fi.acquire("meg", person(), run, bad_channels=6, repeat=repeat)
    noisy, flat = find_bad_channels_maxwell(
        raw_of(scan), min_count=1, int_order=6, h_freq=None, origin=(0.0, 0.0, 0.04), verbose="error"
    )
    truth = bad_channels(scan.recipe("bad"))
    assert good_enough(noisy, {name for name, kind in truth.items() if kind == "noisy"})
    assert good_enough(flat, {name for name, kind in truth.items() if kind == "flat"})
