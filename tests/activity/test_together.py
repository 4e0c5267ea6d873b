from dataclasses import replace

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.activity import orders, together
from fakeimaging.activity.models import MODELS, as_model
from fakeimaging.activity.run import RunParameters
from fakeimaging.activity.together import Order, best_tiles, simulate_activities, simulate_each
from fakeimaging.core.errors import InputError, ModelError, ParameterError
from fakeimaging.testing.fixtures import tiny_subject

SHORT = {"model": "linear", "duration": 1.0, "transient": 1.0}
RUNAWAY = (
    "from fakeimaging import Model, Observable, Parameters, parameter\n"
    "class P(Parameters):\n    k: float = parameter(-1.0, unit='1/s')\n"
    "def drift(x, k):\n    return (k * x + 1.0,)\n"
    "def rate(x):\n    return x\n"
    "MODEL = Model(name='runaway', parameters=P, states=('x',), drift=drift,"
    " observables={'rate': Observable(rate, 'Hz', 100.0)}, transient=0.0, step=0.001)\n"
)


@pytest.fixture
def tiles(monkeypatch):
    """Tiles whatever they cost, so that padded ones are tried too."""
    monkeypatch.setattr(together, "TILE_COST", 0.01)


@pytest.fixture
def sizes(monkeypatch):
    """How many go side by side each time."""
    found, simulate = [], together._side_by_side
    monkeypatch.setattr(
        together, "_side_by_side", lambda runs, count: [found.append(len(runs)), simulate(runs, count)][1]
    )
    return found


def ring(n):
    """A subject of n regions, each of which hears from the two before it."""
    weights = np.roll(np.eye(n), 1, axis=1) + 0.3 * np.roll(np.eye(n), 2, axis=1)
    whole = tiny_subject()
    parcellation = replace(whole.parcellation, regions=whole.regions[:n])
    return replace(whole, parcellation=parcellation, connectome=fi.Connectome(weights, 20.0 * (weights > 0)))


def gains(n):
    return [{"parameters": {"gain": 0.9 * k / n, "sigma": 0.2 + 0.01 * k}, "run": 1 + k % 3} for k in range(n)]


def samples(activities, tap="rate"):
    return [activity.tap(tap).samples for activity in activities]


def alone(subject, runs, **timing):
    return [fi.simulate_activity(subject, **{**timing, **run}) for run in runs]


def same(found, expected):
    return len(found) == len(expected) and all((a == b).all() for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("n_runs", [1, 3, 9, 17])
@pytest.mark.parametrize("n_regions", [7, 10])
def test_company_leaves_no_trace_in_float64(n_runs, n_regions, tiles):
    subject, runs = ring(n_regions), gains(n_runs)
    expected = alone(subject, runs, **SHORT, delays=False)
    for jobs in (1, 3):
        found = simulate_activities(subject, runs, **SHORT, delays=False, jobs=jobs)
        for tap in ("rate", "dipole"):
            assert same(samples(found, tap), samples(expected, tap))
    backwards = simulate_activities(subject, runs[::-1], **SHORT, delays=False, jobs=2)
    assert same(samples(backwards[::-1]), samples(expected))
    assert [activity.streams for activity in found] == [activity.streams for activity in expected]


@pytest.mark.parametrize("n_runs", [3, 17])
def test_side_by_side_in_float32_is_one_alone_before_chaos_grows_it(n_runs, tiles):
    timing = {"model": "reduced_wong_wang", "duration": 1.0, "transient": 0.0, "delays": False, "precision": "float32"}
    runs = [{"parameters": {"G": 0.02 * k}, "run": k + 1} for k in range(n_runs)]
    found = samples(simulate_activities(tiny_subject(), runs, **timing, jobs=1))
    for one, expected in zip(found, samples(alone(tiny_subject(), runs, **timing)), strict=True):
        np.testing.assert_allclose(one[:50], expected[:50], rtol=1e-5)
    # Neither neighbours nor the place in a tile matter.
    assert same(samples(simulate_activities(tiny_subject(), runs[::-1], **timing, jobs=2))[::-1], found)


def test_in_float32_threads_do_not_choose_between_alone_and_side_by_side(sizes):
    def divided(jobs, precision):
        sizes.clear()
        simulate_activities(tiny_subject(), gains(17), **SHORT, delays=False, jobs=jobs, precision=precision)
        return sorted(sizes)

    assert divided(1, "float32") == divided(3, "float32") == divided(20, "float32") == [1, 16]
    assert divided(1, "float64") == [1, 8, 8]
    assert divided(20, "float64") == [1] * 17


def test_loops_are_compiled_before_a_thread_needs_them(monkeypatch):
    """Also with delays longer than the one step that is taken to compile."""
    ready = []
    simulate = together._side_by_side

    def look(runs, count):
        advance = runs[0].kernel.module(delayed=True, side_by_side=False, mirrored=False).advance
        ready.append(len(advance.signatures))
        return simulate(runs, count)

    monkeypatch.setattr(together, "_side_by_side", look)
    simulate_activities(ring(9), gains(3), **SHORT, noise_time=0.0123, jobs=2)
    assert ready == [1, 1, 1]


def test_delays_are_kept_and_go_one_a_thread(tiles):
    subject, runs = ring(9), gains(5)
    found = simulate_activities(subject, runs, **SHORT, jobs=2)
    assert same(samples(found), samples(alone(subject, runs, **SHORT)))
    assert not same(samples(found), samples(simulate_activities(subject, runs, **SHORT, delays=False)))
    assert not simulate_activities(subject, runs[:1], **SHORT, delays=False)[0].truth["delays"].any()


def test_only_what_differs_in_parameters_or_noise_goes_side_by_side(tiles, sizes):
    """Other wires, taps, lengths, schemes and stimuli keep apart; the same stimulus, of the same run, does not."""
    pulse = {
        "trial_type": "a",
        "onset": 0.2,
        "duration": 0.3,
        "regions": [tiny_subject().regions[2].name],
        "amplitude": 0.1,
    }
    noise = {**pulse, "shape": "noise", "band": [1.0, 20.0]}
    runs = [
        {"taps": {"rate": 50.0}},
        {"duration": 2.0},
        {"conditions": [pulse]},
        {"conditions": [{**pulse, "onset": 0.1}]},
        {"conditions": [noise]},
        {"conditions": [noise], "run": 2},
        {"conditions": [noise], "parameters": {"gain": 0.1}},
        {"scheme": "heun"},
        {"parameters": {"scaling": "radius"}},
        {},
        {"run": 2, "parameters": {"gain": 0.1}},
    ]
    found = simulate_activities(tiny_subject(), runs, **SHORT, delays=False, jobs=1)
    assert sorted(sizes) == [1] * 7 + [2, 2]
    expected = alone(tiny_subject(), runs, **SHORT, delays=False)
    assert same(samples(found), samples(expected))
    assert len({activity.tap("rate").samples.tobytes() for activity in found}) == len(runs)
    assert [list(activity.taps) for activity in found[:2]] == [["rate"], ["rate", "dipole"]]


def test_no_more_subjects_are_prepared_than_are_waited_for(monkeypatch):
    prepared, prepare = [], orders.prepare_run
    monkeypatch.setattr(orders, "prepare_run", lambda *given, **more: [prepared.append(1), prepare(*given, **more)][1])
    model, times = MODELS.get("linear"), RunParameters(duration=1.0, delays=False)
    asked = [Order(tiny_subject(f"{k}"), model.parameters(), times) for k in range(1, 9)]
    assert len(next(together._tiles(asked, model, 1))) == 1
    assert len(prepared) == 2


def test_many_subjects_have_wiring_and_noise_of_their_own(tiles):
    people = [tiny_subject(label) for label in ("01", "02", "03")]
    found = simulate_activities(people, [{}, {"run": 2}], **SHORT, delays=False, jobs=2)
    expected = [one for person in people for one in alone(person, [{}, {"run": 2}], **SHORT, delays=False)]
    assert same(samples(found), samples(expected))


def test_many_taps_at_once_share_the_memory_of_one(monkeypatch):
    monkeypatch.setattr("fakeimaging.activity.taps.IN_MEMORY", 3 * 2100 * 10 * 4)
    runs = gains(8)
    found = simulate_activities(tiny_subject(), runs, **SHORT, delays=False, jobs=1)
    assert all(isinstance(one, np.memmap) for one in samples(found))
    assert same(samples(found), samples(alone(tiny_subject(), runs, **SHORT, delays=False)))


def test_progress_counts_simulated_seconds_to_the_end():
    told = []
    simulate_activities(
        tiny_subject(), gains(11), **SHORT, delays=False, jobs=3, progress=lambda *seen: told.append(seen)
    )
    done = [seconds for seconds, _ in told]
    assert (np.diff(done) > 0).all()
    assert done[-1] == pytest.approx(told[-1][1])


@pytest.fixture
def runaway(tmp_path):
    path = tmp_path / "runaway.py"
    path.write_text(RUNAWAY)
    return path


def test_divergence_in_company_is_told_of_the_run_it_happens_in(runaway, tiles):
    runs = [{"parameters": {"k": k}} for k in (-1.0, -2.0, 50.0, -3.0)]
    with pytest.raises(ModelError, match=r"^runs\[2\] of sub-01: model runaway: `x` of region 1 is not finite between"):
        simulate_activities(tiny_subject(), runs, model=runaway, duration=1.0, jobs=2)


def test_the_others_of_a_tile_are_simulated_and_counted_once(runaway, tiles):
    """x grows as exp(50 t) and passes 1e30 in the second second: the first of 21 is done."""
    model, told = as_model(runaway), []
    orders = [
        Order(tiny_subject(), model.parameters(k=k), RunParameters(duration=1.0), run=n + 1)
        for n, k in enumerate((-1.0, 50.0, -2.0))
    ]
    found = dict(simulate_each(orders, model, jobs=1, tell=told.append))
    assert [isinstance(found[n], ModelError) for n in range(3)] == [False, True, False]
    assert sum(told) == pytest.approx(21 + 1 + 21)


def test_a_caller_who_stops_waits_for_no_run():
    lengths, told = (1.0, 30_000.0, 30_000.0), []
    model = MODELS.get("linear")
    orders = [
        Order(tiny_subject(), model.parameters(), RunParameters(duration=duration, taps={"rate": 1.0}), where="run")
        for duration in lengths
    ]
    outcomes = simulate_each(orders, model, jobs=1, tell=told.append)
    assert next(outcomes)[0] == 0
    outcomes.close()
    assert sum(told) < 10_000


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("n", [1, 5, 8, 9, 16, 31])
def test_the_plan_ends_no_later_than_any_other(n, threads):
    def end(tiles):
        left = sorted([6.4] * tiles + [1.0] * max(0, n - 8 * tiles), reverse=True)
        loads = [0.0] * threads
        for cost in left:
            loads[loads.index(min(loads))] += cost
        return max(loads)

    ends = [end(tiles) for tiles in range(-(-n // 8) + 1)]
    assert end(best_tiles(n, 8, threads, 6.4)) <= min(ends) + 1


@pytest.mark.parametrize(
    ("runs", "timing", "match"),
    [
        ([{}, {"dration": 3.0}], {}, r"`runs\[1\].dration`: no such key; did you mean 'duration'"),
        ([{"parameters": {"gian": 0.1}}], {}, r"`runs\[0\].parameters.gian`: no such key; did you mean 'gain'"),
        ([{}, {"parameters": {"gain": 2.0}}], {}, r"`runs\[1\].parameters.gain`: 2 is outside \[0, 0.99\]"),
        ([{}, {"duration": 0.1}], {}, r"`runs\[1\].duration`: 0.1 s is outside"),
        ([{}], {"speed": 7000.0}, r"`run.speed`: 7000 m/s is outside .*did you mean 7\?"),
    ],
)
def test_a_mistake_names_the_run_and_the_key(runs, timing, match):
    with pytest.raises(ParameterError, match=match):
        simulate_activities(tiny_subject(), runs, **{**SHORT, **timing})


@pytest.mark.parametrize("jobs", [0, 1.5, True])
def test_jobs_is_a_whole_number(jobs):
    with pytest.raises(InputError, match="`jobs`"):
        simulate_activities(tiny_subject(), [{}], **SHORT, jobs=jobs)


def test_a_model_that_cannot_be_set_up_is_told_of_with_the_run(monkeypatch):
    def refuse(parameters, subject, step):
        raise ModelError("no working point")

    model = replace(MODELS.get("linear"), prepare=refuse)
    with pytest.raises(ModelError, match=r"^runs\[0\] of sub-01: no working point"):
        simulate_activities(tiny_subject(), [{}], **{**SHORT, "model": model})
