from dataclasses import replace

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.activity.hrf import regressor
from fakeimaging.activity.models import MODELS
from fakeimaging.activity.run import RunParameters
from fakeimaging.activity.stimuli import Condition, Event, efficiency, events_of, lay_out, make_stimulus, presented
from fakeimaging.activity.task import stimulus_of
from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.core.streams import Streams
from fakeimaging.testing.fixtures import tiny_subject

PAIR = {"trial_types": ("face", "house"), "n": 20, "duration": 1.5}
STREAMS = Streams(11).at("sub-01", "task-faces", "design", "1")
FACE = {"trial_type": "face", "network": "NetA"}


def intervals(events):
    return np.array([b.onset - a.onset - a.duration for a, b in zip(events, events[1:], strict=False)])


@pytest.mark.parametrize(("name", "spread"), [("exponential", 3.0), ("uniform", 3.0 / 3**0.5), ("geometric", 3.0)])
def test_intervals_have_the_mean_minimum_and_spread_of_their_distribution(name, spread):
    design = fi.Design(**PAIR | {"n": 100}, interval=name, mean_interval=5.0, minimum=2.0, grain=0.25)
    found = intervals(lay_out(design, 1400.0, streams=STREAMS))
    assert len(found) == 199
    assert found.mean() == pytest.approx(5.0, abs=0.002)
    assert found.min() > 2.0 - 0.002
    assert found.std() == pytest.approx(spread, rel=0.1)
    assert abs(np.corrcoef(found[:-1], found[1:])[0, 1]) < 3 / 199**0.5
    if name == "geometric":
        np.testing.assert_allclose((found - 2.0) / 0.25, np.rint((found - 2.0) / 0.25), atol=0.01)
    else:
        # No two quantiles are the same; a geometric distribution has few values.
        assert len(set(found.round(3))) > 150


def test_a_draw_belongs_to_its_stream_and_its_length_to_no_draw():
    design = fi.Design(**PAIR)
    first, again = lay_out(design, 300.0, streams=STREAMS), lay_out(design, 300.0, streams=STREAMS)
    other = lay_out(design, 300.0, streams=Streams(12))
    assert first == again != other
    assert [e.trial_type for e in first] != [e.trial_type for e in other]
    assert first[-1].onset == pytest.approx(other[-1].onset, abs=0.002)
    assert sorted(e.trial_type for e in first) == ["face"] * 20 + ["house"] * 20


def test_blocks_come_in_turn_and_fill_the_run():
    design = fi.Design(kind="block", trial_types=("face", "house", "rest"), duration=12.0, start=5.0, end=0.0)
    events = lay_out(design, 200.0, streams=STREAMS)
    assert [e[:3] for e in events] == [
        (5.0, 12.0, "face"), (32.0, 12.0, "house"), (86.0, 12.0, "face"), (113.0, 12.0, "house"),
    ]  # fmt: skip
    assert len(lay_out(design, 200.0, streams=STREAMS, silent=False)) == 6


def test_in_a_counterbalanced_order_each_type_follows_each_equally_often():
    design = fi.Design(trial_types=("a", "b", "c"), n=12, duration=1.0, order="counterbalanced")
    for seed in range(3):
        names = [e.trial_type for e in lay_out(design, 600.0, streams=Streams(seed))]
        assert sorted(names) == sorted(["a", "b", "c"] * 12)
        pairs = list(zip(names, names[1:], strict=False))
        counts = [pairs.count((x, y)) for x in "abc" for y in "abc"]
        assert sorted(counts) == [3] + [4] * 8


@pytest.mark.parametrize("measure", ["detection", "estimation"])
@pytest.mark.parametrize("seed", [3, 14, 15])
def test_an_optimised_design_is_better_than_random_ones(measure, seed):
    plain = [lay_out(fi.Design(**PAIR), 300.0, streams=Streams(seed).at(str(k))) for k in range(60)]
    by_chance = [efficiency(events, 300.0, measure=measure, contrast="differences") for events in plain]
    design = fi.Design(**PAIR, optimise=measure, contrast="differences", tries=100)
    best = efficiency(lay_out(design, 300.0, streams=Streams(seed)), 300.0, measure=measure, contrast="differences")
    assert best > np.quantile(by_chance, 0.9)
    assert best > np.median(by_chance) * 1.03


def test_efficiency_is_the_inverse_of_the_summed_variance():
    """Against a linear model written out, with the regressors of an analysis at each second."""
    events = lay_out(fi.Design(**PAIR), 300.0, streams=STREAMS)
    frames, n = np.arange(300.0), 300
    own = [[e for e in events if e.trial_type == name] for name in ("face", "house")]
    task = [regressor("spm", [e.onset for e in es], [e.duration for e in es], [1.0] * len(es), frames) for es in own]
    slow = [np.cos(np.pi * k * (np.arange(n) + 0.5) / n) for k in range(int(2 * 300 / 128) + 1)]
    x = np.stack([*task, *slow], axis=1)
    inverse = np.linalg.inv(x.T @ x)
    each, difference = 1 / (inverse[0, 0] + inverse[1, 1]), 1 / (inverse[0, 0] + inverse[1, 1] - 2 * inverse[0, 1])
    assert efficiency(events, 300.0) == pytest.approx(each, rel=0.02)
    assert efficiency(events, 300.0, contrast="differences") == pytest.approx(difference, rel=0.02)
    later = [e._replace(onset=e.onset + 0.25) for e in events]
    assert efficiency(later, 300.0) == pytest.approx(each, rel=0.1)


def test_what_cannot_be_told_has_no_efficiency():
    same = [Event(t, 1.0, name) for t in (20.0, 60.0, 90.0) for name in ("a", "b")]
    assert efficiency(same, 120.0) == 0
    assert efficiency(same, 120.0, measure="estimation") == 0
    blocks, fast = ([Event(t, d, "a") for t in np.arange(10.0, 280, s)] for d, s in ((15.0, 30.0), (2.0, 4.0)))
    assert efficiency(blocks, 300.0) > 10 * efficiency(fast, 300.0)


def test_sizes_scale_the_current_of_each_event():
    base = {"trial_type": "a", "kind": "cortex", "onsets": [4.0, 1.0], "duration": 0.5}
    times = np.arange(0, 6, 1e-3)
    plain, sized = (
        make_stimulus([Condition.parse(base | more)], tiny_subject().regions, 6.0).course(times)[0]
        for more in ({}, {"modulation": [3.0, -0.5]})
    )
    early = times < 3
    np.testing.assert_allclose(sized[early], -0.5 * plain[early], atol=1e-12)
    np.testing.assert_allclose(sized[~early], 3 * plain[~early], atol=1e-12)
    condition = Condition.parse(base | {"modulation": [3.0, -0.5]})
    assert events_of([condition], 6.0) == (Event(1.0, 0.5, "a", -0.5), Event(4.0, 0.5, "a", 3.0))


def test_rules_of_sizes():
    def sizes(**more):
        own = Condition.parse({**FACE, "onset": 0.0, "period": 1.0, "count": 400, "duration": 0.5, **more})
        (found,) = presented([own], (), None, 500.0, streams=STREAMS)
        return np.array(found.sizes(400))

    np.testing.assert_allclose(sizes(modulation="linear", modulation_range=[0, 2]), np.linspace(0, 2, 400))
    drawn = sizes(modulation="random")
    assert drawn.min() > 0.5
    assert drawn.max() < 1.5
    assert drawn.mean() == pytest.approx(1.0, abs=3 / 12**0.5 / 20)
    assert drawn.std() == pytest.approx(12**-0.5, rel=0.1)
    assert (drawn == sizes(modulation="random")).all()
    assert (sizes() == 1).all()


def written(tmp_path, text):
    path = tmp_path / "events.tsv"
    path.write_text(text.replace(" ", "\t"))
    return str(path)


def test_a_table_of_events_presents_conditions_with_times_lengths_and_sizes(tmp_path):
    path = written(tmp_path, "duration onset trial_type modulation rt\n1 30 face 0.5 7\n2 3 face 2 8\n1 12 house 1 9\n")
    conditions = [
        {**FACE, "percent": 2.0}, {**FACE, "network": "NetB", "percent": -1.0},
        {"trial_type": "house", "kind": "cortex", "amplitude": 0.01},
    ]  # fmt: skip
    activity = fi.simulate_activity(tiny_subject(), duration=40.0, conditions=conditions, events=path)
    assert activity.events == (Event(3, 2, "face", 2), Event(12, 1, "house", 1), Event(30, 1, "face", 0.5))
    (face,) = activity.imposed
    for name, expected in (("onsets", [3, 30]), ("durations", [2, 1]), ("modulation", [2, 0.5])):
        np.testing.assert_array_equal(getattr(face, name), expected)
    networks = np.array([region.network for region in tiny_subject().regions])
    np.testing.assert_array_equal(face.percent, 2.0 * (networks == "NetA") - 1.0 * (networks == "NetB"))
    unsized = written(tmp_path, "duration onset trial_type rt\n1 30 face 7\n2 3 face 8\n")
    (again,) = fi.simulate_activity(
        tiny_subject(), duration=40.0, conditions=[{**FACE, "percent": 2.0, "modulation": "rt"}], events=unsized
    ).imposed
    np.testing.assert_array_equal(again.modulation, [8, 7])


def test_blocks_of_a_current_and_imposed_events_share_a_run_and_leave_each_other_alone():
    block = {"trial_type": "film", "kind": "cortex", "onset": 2.0, "duration": 10.0}
    events = {**FACE, "percent": 1.0, "duration": 1.0}
    design = fi.Design(trial_types="face", n=4, start=3.0, end=2.0)
    mixed, alone = (
        fi.simulate_activity(tiny_subject(), model="linear", duration=30.0, **more)
        for more in ({"conditions": [block, events], "design": design}, {"conditions": [block]})
    )
    assert {e.trial_type for e in mixed.events} == {"film", "face"}
    np.testing.assert_array_equal(mixed.tap("rate").samples, alone.tap("rate").samples)
    assert not alone.imposed


def test_a_response_can_be_imposed_on_a_model_that_takes_no_stimulus():
    deaf = replace(MODELS.get("linear"), drift=lambda coupled_x, tau, gain: (gain * coupled_x / tau,))
    moment = {**FACE, "onset": 1.0, "duration": 0.0}
    run = RunParameters.parse({"duration": 3.0, "conditions": [{**moment, "percent": 1.0}]})
    assert stimulus_of(deaf, run, tiny_subject().regions, STREAMS) is None
    current = RunParameters.parse({"duration": 3.0, "conditions": [{**moment, "duration": 1.0}]})
    with pytest.raises(ParameterError, match="impose their responses"):
        stimulus_of(deaf, current, tiny_subject().regions, STREAMS)
    (shown,) = run.presented(STREAMS)
    assert shown.events(3.0) == (Event(1.0, 0.0, "face"),)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trial_types": []}, "`trial_types`: empty"),
        ({"trial_types": ["a", "a"]}, "is there twice"),
        ({"mean_interval": 1.0}, "`mean_interval`: 1 s is below the minimum of 2 s"),
        ({"order": "counterbalanced", "n": 5}, "`n`: 5 is no multiple of 2"),
        ({"kind": "block", "optimise": "detection"}, "`optimise`: nothing is drawn here"),
        ({"trial_types": ["a"], "optimise": "detection", "contrast": "differences"}, "differences need two"),
        ({"optimize": "detection"}, "did you mean 'optimise'"),
        ({"kind": "events"}, "'block' or 'event_related'"),
    ],
)
def test_bad_designs_are_refused(changes, message):
    with pytest.raises(ParameterError, match=message):
        fi.Design.parse(PAIR | changes)


@pytest.mark.parametrize(
    ("conditions", "more", "message"),
    [
        ([FACE], {}, "condition 'face' has no onset; give `onsets`"),
        ([FACE], {"design": fi.Design(trial_types="face", n=90, duration=1.0)}, "90 of each of 1 types need .* lasts 60 s"),
        ([FACE], {"design": fi.Design(trial_types="faces", duration=1.0)}, "the trial_type 'faces'; did you mean 'face'"),
        ([FACE], {"design": fi.Design(trial_types="rest")}, "`duration` is missing; how long is a trial of 'rest'"),
        ([{**FACE, "onset": 3.0}], {"design": fi.Design(trial_types="face")}, "from its own times and `run.design`"),
        ([{**FACE, "percent": 1.0, "amplitude": 0.1, "onset": 1.0}], {}, "`percent` imposes the response without"),
        ([{**FACE, "percent": 90.0, "onset": 1.0}], {}, r"90 % is outside \[-50, 50\]"),
        ([{**FACE, "duration": 0.0, "onset": 1.0}], {}, "a current of 0 s is shorter"),
        ([{**FACE, "onsets": [1.0, 30.0], "modulation": [1.0]}], {}, "has 1 sizes for 2 events"),
        ([{**FACE, "onset": 1.0, "modulation": "linaer"}], {}, "'linaer' is no rule; did you mean 'linear'"),
        ([{**FACE, "onset": 1.0, "modulation": [30.0]}], {}, "amplitude 0.6 nA is outside"),
        ([{**FACE, "onset": 1.0, "modulation_range": [2.0, 1.0]}], {}, "modulation_range`: 2 is above 1"),
        ([{**FACE, "onset": 1.0}, {**FACE, "onset": 30.0, "percent": 1.0}], {}, "is a current and imposed"),
        (
            [{**FACE, "onset": 1.0, "percent": 2.0}, {**FACE, "onset": 30.0, "percent": 1.0}], {},
            "'face' imposes other responses at other events",
        ),
        ([{**FACE, "network": "NetX", "percent": 1.0, "onset": 1.0}], {}, "no such network as 'NetX'"),
    ],
)  # fmt: skip
def test_runs_that_cannot_be_are_refused(conditions, more, message):
    with pytest.raises((ParameterError, InputError), match=message):
        fi.simulate_activity(tiny_subject(), duration=60.0, conditions=conditions, **more)


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("onset duration\n1 1\n", {}, "no column 'trial_type' among onset, duration"),
        ("onset duration trial_type\n", {}, "no events"),
        ("onset duration trial_type\n1 n/a face\n", {}, "'n/a' in column 'duration' is not a number"),
        ("onset duration trial_type\n1 1\n", {}, "row 1 has 2 cells under 3 names"),
        ("onset duration trial_type\n1 1 fase\n", {}, "no condition has the trial_type 'fase'; did you mean 'face'"),
        ("onset duration trial_type\n1 5 face\n3 1 face\n", {}, "events of 'face' at 1 s and 3 s overlap"),
        ("onset duration trial_type\n1 5 face\n3 5 face\n", {}, "events at 1 s and 3 s overlap"),
        ("onset duration trial_type\n58 5 face\n", {}, "ends after the run of 60 s"),
        ("onset duration trial_type\n1 5 face\n", {"modulation": "rt"}, "no column 'rt'"),
        ("onset duration trial_type modulation\n1 5 face 1\n", {"modulation": "linear"}, "sizes of its own"),
        ("onset duration trial_type\n1 5 face\n", {"onset": 1.0}, "from its own times and .*events.tsv"),
    ],
)
def test_tables_that_cannot_be_are_refused(tmp_path, text, more, message):
    with pytest.raises((ParameterError, InputError), match=message):
        fi.simulate_activity(tiny_subject(), duration=60.0, conditions=[FACE | more], events=written(tmp_path, text))
    with pytest.raises(InputError, match="cannot read the events"):
        fi.simulate_activity(tiny_subject(), duration=60.0, conditions=[FACE], events=str(tmp_path / "none.tsv"))
