from dataclasses import replace

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.activity import engine
from fakeimaging.activity.models import MODELS, dmf
from fakeimaging.activity.stimuli import Condition, events_of, make_stimulus
from fakeimaging.core.errors import ParameterError
from fakeimaging.core.streams import Streams
from fakeimaging.testing.fixtures import tiny_subject
from tests.activity.test_models import QUIET
from tests.reference.networks import dmf_network, pink_gains

PULSE = {"trial_type": "pulse", "kind": "cortex", "onsets": [0.5, 1.5], "duration": 0.2, "amplitude": 0.02}


def course(condition, times, duration=100.0):
    return make_stimulus([Condition.parse(condition)], tiny_subject().regions, duration).course(times)[0]


@pytest.mark.parametrize("duration", [0.002, 0.02, 0.7])
def test_an_event_delivers_its_duration_whatever_its_rise(duration):
    times = np.arange(0, 3, 1e-4)
    for rise in (0.005, 0.02):
        found = course({**PULSE, "onsets": [1.0], "duration": duration, "rise": rise, "latency": 0.1}, times)
        assert found.sum() * 1e-4 == pytest.approx(duration, rel=1e-6)
        assert found[times < 1.1].max() == 0
        assert found[times > 1.1 + duration + rise].max() == 0
        assert np.abs(np.diff(found)).max() <= np.pi / 2 * 1e-4 / rise * 1.001


def test_blocks_of_time_leave_no_trace_in_a_course():
    times = np.arange(0, 100, 1e-2)
    blocks = {**PULSE, "onsets": None, "onset": 5.0, "period": 7.0, "duration": 3.0, "rise": 0.5}
    whole = course(blocks, times)
    parts = np.concatenate([course(blocks, part) for part in np.array_split(times, 37)])
    assert (whole == parts).all()
    assert whole.mean() == pytest.approx(14 * 3 / 100, rel=1e-3)


def test_events_are_sorted_and_blocks_fill_the_run():
    a = Condition(trial_type="a", network="NetA", onset=10.0, duration=20.0, period=40.0)
    b = Condition(trial_type="b", network="NetA", onsets=(95.0, 12.0), duration=5.0)
    assert [event[:3] for event in events_of([a, b], 110.0)] == [
        (10, 20, "a"), (12, 5, "b"), (50, 20, "a"), (90, 20, "a"), (95, 5, "b"),
    ]  # fmt: skip
    assert len(a.times(109.9)) == 2
    activity = fi.simulate_activity(tiny_subject(), duration=110.0, conditions=[a, b.model_dump()])
    assert activity.events == events_of([a, b], 110.0)
    assert fi.simulate_activity(tiny_subject(), duration=1.0).events == ()


def test_jitter_makes_intervals_irregular_within_the_period_and_the_run():
    even = Condition(trial_type="x", kind="cortex", onset=8.0, duration=14.0, period=30.0)
    spread = Condition(trial_type="x", kind="cortex", onset=8.0, duration=14.0, period=30.0, jitter=12.0)
    times = np.array(spread.times(220.0))
    shifts = times - even.times(220.0)[: len(times)]
    assert shifts[0] == 0
    assert shifts.min() == 0
    assert 8 < shifts.max() < 12
    assert len(set(np.diff(times).round(6))) > 2
    assert times[-1] + 14 <= 220
    assert not spread.problems(220.0)
    assert not spread.problems(60.0)
    with pytest.raises(ParameterError, match="jitter"):
        Condition.parse({**PULSE, "jitter": 3.0})


def test_network_kind_hemisphere_and_names_choose_the_regions():
    regions = tiny_subject().regions
    chosen = [
        Condition(trial_type="x", network=regions[0].network, amplitude=0.01, onset=0.0),
        Condition(trial_type="x", kind="cortex", hemisphere="L", amplitude=-0.02, onset=0.0),
        Condition(trial_type="x", regions=(regions[3].name,), network=regions[0].network, onset=0.0),
        Condition(trial_type="x", near=(regions[5].centroid, tuple(1.1 * x for x in regions[2].centroid)), onset=0.0),
    ]
    gain = make_stimulus(chosen, regions, 100.0).gain
    same = np.array([region.network == regions[0].network for region in regions])
    np.testing.assert_array_equal(gain[0], 0.01 * same)
    np.testing.assert_array_equal(gain[1], [-0.02 * (region.hemisphere == "L") for region in regions])
    np.testing.assert_array_equal(gain[2], 0.02 * (same | (np.arange(10) == 3)))
    np.testing.assert_array_equal(np.flatnonzero(gain[3]), [2, 5])


def test_the_kernel_delivers_the_stimulus_of_the_equations():
    """Noise-free, two overlapping conditions: rate and dipole are the slow twin's, step by step."""
    subject, n = tiny_subject(), 2000
    names = [region.name for region in subject.regions]
    conditions = [
        Condition(trial_type="a", regions=(names[2],), onsets=(0.3,), duration=0.5, amplitude=0.03),
        Condition(trial_type="b", regions=(names[2], names[5]), onsets=(0.1, 0.6), duration=0.4, amplitude=-0.01),
    ]
    p = dmf.DmfParameters.parse(QUIET)
    setup = dmf.prepare(p, subject, 1e-3)
    stimulus, delays = make_stimulus(conditions, subject.regions, 2.0), subject.connectome.delays(7.0)
    taps = {
        name: np.zeros((n // k, 10), dtype=np.float32)
        for name, k in (("rate", 20), ("inhibitory_rate", 100), ("dipole", 4))
    }
    kernel = engine.build(dmf.MODEL, p, setup)
    member = engine.Member(kernel, setup, Streams(1))
    engine.run([member], delays, engine.Schedule(1e-3, 0, n), [taps], stimulus=stimulus)
    current = (stimulus.gain[:, None] * stimulus.course(np.arange(n) * 1e-3)[:, :, None]).sum(axis=0)
    alpha = {"growth": -15.0, "omega": 60.0, "drive": 0.0, "coupling": 10.0}
    rates, currents, _ = dmf_network(
        setup.coupling, np.rint(delays / 1e-3).astype(int), np.zeros((n, 3, 10)), G=setup.derived["G"], J=setup.derived["J"],
        gains=pink_gains((0.1, 1.0), 1.0, 0.0, 1e-3), filter_times=(0.1, 1.0), step=1e-3, alpha=alpha, stimulus=current,
        start=(setup.truth["target_rate"], setup.initial["S_E"], setup.initial["S_I"]),
    )  # fmt: skip
    np.testing.assert_allclose(taps["rate"], rates.reshape(-1, 20, 10).mean(axis=1), rtol=1e-5)
    source = 0.25 * (currents - setup.derived["rest_current"])
    dendrite = np.zeros_like(source)
    for k in range(1, n):
        dendrite[k] = dendrite[k - 1] + (source[k - 1] - dendrite[k - 1]) * 1e-3 / 0.008
    felt = 8 * dendrite
    np.testing.assert_allclose(taps["dipole"], felt.reshape(-1, 4, 10).mean(axis=1), atol=1e-6)


def test_a_condition_changes_nothing_before_its_onset():
    with_it = fi.simulate_activity(tiny_subject(), duration=3.0, conditions=[PULSE]).tap("dipole").from_start()
    without = fi.simulate_activity(tiny_subject(), duration=3.0).tap("dipole").from_start()
    same = (with_it.samples == without.samples).all(axis=1)
    first = with_it.clock.times[np.argmin(same)]
    assert 0.54 <= first <= 0.548


def test_the_response_is_later_and_weaker_in_the_regions_it_projects_to():
    weights = np.roll(np.eye(10), 1, axis=0)  # a ring: region i sends to region i + 1
    own = fi.Connectome(weights, 70 * weights)
    subject = fi.make_subject("01", seed=1, anatomy="tiny", connectome=own)
    pulse = {**PULSE, "kind": None, "regions": [subject.regions[0].name], "onsets": [0.5], "duration": 0.1}
    activity = fi.simulate_activity(subject, duration=2.0, parameters={**QUIET, "loop_gain": 0.5}, conditions=[pulse])
    for name in ("rate", "dipole"):
        tap = activity.tap(name).from_start()
        change = tap.samples - tap.samples[:10].mean(axis=0)
        peak = change.max(axis=0)
        assert peak[0] > 1.2 * peak[1] > 1.44 * peak[2] > 0
        halfway = [np.argmax(change[:, i] > peak[i] / 2) for i in range(3)]
        assert halfway[0] < halfway[1] < halfway[2]
        assert peak[9] < 0.01 * peak[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": None}, "no region is reached"),
        (
            {"kind": "cortexx"},
            r"`run.conditions\[0\].kind`: the subject has no such kind as 'cortexx'; did you mean 'cortex'",
        ),
        ({"network": "NetX"}, "no such network as 'NetX'; did you mean 'Net"),
        ({"regions": ["nowhere"]}, r"conditions\[0\].regions`: the subject has no such region as 'nowhere'"),
        ({"onsets": None}, "give `onsets`, or `onset`"),
        ({"onset": 1.0}, "not both"),
        ({"onsets": [2.9]}, "2.9 s \\+ 0.2 s ends after the run of 3 s"),
        ({"onsets": [-1.0]}, "before the start"),
        ({"onsets": []}, "has no onset"),
        ({"onsets": None, "onset": 0.0, "count": 3}, "`run.conditions\\[0\\].period`: missing"),
        ({"onsets": None, "onset": 1.0, "count": 3, "period": 1.0}, "ends after the run"),
        ({"duration": 5000.0}, r"5000 s is outside .*did you mean 5\?"),
        ({"trial_type": "a\tb"}, "cannot stand in an events table"),
        ({"trial_type": " "}, "cannot stand in an events table"),
        ({"trial_type": "constant"}, "design matrices take 'constant' for the intercept"),
        *[
            ({"trial_type": name}, f"design matrices take '{name}' for a missing value; choose another name")
            for name in ("NA", "n/a", "nan", "NaN", "null", "None")
        ],
        ({"onsets": [2.0, 0.5, 0.6]}, "the events at 0.5 s and 0.6 s overlap, as each lasts 0.2 s; their currents"),
        ({"onsets": None, "onset": 0.0, "period": 0.1}, "'pulse': the events at 0 s and 0.1 s overlap"),
        ({"amplitud": 1.0}, "did you mean 'amplitude'"),
    ],
)
def test_bad_conditions_are_refused(changes, message):
    with pytest.raises(ParameterError, match=message):
        fi.simulate_activity(tiny_subject(), duration=3.0, conditions=[{**PULSE, **changes}])


def test_events_may_touch_and_other_names_may_stand():
    for name in ("Constant", "constants", "Nan", "nothing", "-1"):
        condition = Condition(trial_type=name, kind="cortex", onset=0.0, period=0.7, duration=0.7, amplitude=0.02)
        assert not condition.problems(70.0)
        assert len(condition.times(70.0)) == 100
    touching = make_stimulus([condition], tiny_subject().regions, 70.0).course(np.arange(0.1, 70.0, 1e-3))[0]
    np.testing.assert_allclose(touching, 1.0, atol=1e-9)


def test_a_model_without_a_stimulus_says_so():
    deaf = replace(MODELS.get("linear"), drift=lambda coupled_x, tau, gain: (gain * coupled_x / tau,))
    assert deaf.stimulus_range == "takes none"
    with pytest.raises(ParameterError, match="model linear takes no stimulus"):
        fi.simulate_activity(tiny_subject(), model=deaf, duration=3.0, conditions=[PULSE])


def test_a_condition_takes_lists_and_a_region_alone():
    wanted = Condition(trial_type="a", regions=("L_A",), near=((1.0, 2.0, 3.0),), onsets=(2.0, 8.0))
    assert Condition(trial_type="a", regions=["L_A"], near=[[1.0, 2.0, 3.0]], onsets=[2.0, 8.0]) == wanted
    assert Condition(trial_type="a", regions="L_A", near=[(1.0, 2.0, 3.0)], onsets=[2.0, 8.0]) == wanted
    plain = {"trial_type": "a", "near": [[1, 2, 3]], "onsets": [2, 8]}
    assert all(Condition.parse({**plain, "regions": regions}) == wanted for regions in ("L_A", ["L_A"]))
    with pytest.raises(ParameterError, match="`trial_type`: missing"):
        Condition(regions="L_A", onset=1.0)
    with pytest.raises(ParameterError, match="`onset`: missing"):
        Condition(trial_type="a", regions="L_A", period=3.0)


def test_places_far_outside_the_head_are_refused():
    regions = tiny_subject().regions
    x, y, z = regions[0].centroid
    far = Condition(trial_type="a", near=[[1000 * x, y, z + 5000.0]], onset=1.0)
    with pytest.raises(ParameterError, match=r"near`: \(.*\) lies \d+ mm from .*, outside the head; places are in mm"):
        make_stimulus([far], regions, 30.0, step=1e-3)
    make_stimulus([Condition(trial_type="a", near=[[x, y, z + 20.0]], onset=1.0)], regions, 30.0, step=1e-3)
