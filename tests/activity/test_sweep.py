import io
import re
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.activity.models.linear import LinearParameters, covariance
from fakeimaging.activity.sweep import summary
from fakeimaging.core.errors import InputError, ModelError, ParameterError
from fakeimaging.testing.fixtures import short_activity, tiny_subject
from tests.activity.test_together import RUNAWAY
from tests.conftest import environment

SHORT = {"model": "linear", "duration": 2.0, "transient": 1.0, "delays": False}


def total(activity):
    return {"total": float(np.sum(activity.tap("rate").samples, dtype=float))}


def test_a_table_has_one_row_for_each_combination_subject_and_run():
    people = [tiny_subject("01"), tiny_subject("02")]
    grid = {"gain": [0.1, 0.5, 0.9], "sigma": np.array([0.2, 0.3]), "tau": 0.05}
    table = fi.sweep(people, parameters=grid, runs=2, measure=total, jobs=2, **SHORT)
    assert list(table.columns) == ["subject", "gain", "sigma", "tau", "run", "total"]
    assert len(table) == 2 * 3 * 2 * 2
    assert table["subject"].tolist() == ["01"] * 12 + ["02"] * 12
    assert table[["gain", "sigma", "run"]].iloc[:5].to_numpy().tolist() == [
        [0.1, 0.2, 1], [0.1, 0.2, 2], [0.1, 0.3, 1], [0.1, 0.3, 2], [0.5, 0.2, 1]
    ]  # fmt: skip
    assert table["total"].nunique() == len(table)


def test_every_row_is_the_simulation_it_says():
    paired = [{"gain": 0.2, "sigma": 0.3}, {"gain": 0.7, "sigma": 0.1}]
    table = fi.sweep(tiny_subject(), parameters=paired, runs=2, measure=total, **SHORT)
    for row in table.itertuples():
        own = {"gain": row.gain, "sigma": row.sigma}
        assert total(fi.simulate_activity(tiny_subject(), parameters=own, run=row.run, **SHORT))["total"] == row.total


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_a_table_does_not_depend_on_threads_or_order(jobs, order):
    gains = list(np.linspace(0, 0.9, 9))
    table = fi.sweep(tiny_subject(), parameters={"gain": gains[::order]}, jobs=jobs, **SHORT)
    expected = [summary(fi.simulate_activity(tiny_subject(), parameters={"gain": g}, **SHORT)) for g in gains[::order]]
    assert table.drop(columns=["subject", "gain", "run"]).to_dict("records") == expected


def test_one_run_number_has_the_same_noise_at_every_value():
    """Without feedback x is sigma times a fixed course, to the rounding of taps; another run has another course."""
    table = fi.sweep(tiny_subject(), parameters={"gain": 0.0, "sigma": [1.0, 2.0, 4.0]}, runs=2, **SHORT)
    ratios = table.pivot(index="sigma", columns="run", values="rate_sd")
    np.testing.assert_allclose(ratios.loc[2.0] / ratios.loc[1.0], 2, rtol=1e-5)
    np.testing.assert_allclose(ratios.loc[4.0] / ratios.loc[1.0], 4, rtol=1e-5)
    assert abs(ratios[1] / ratios[2] - 1).min() > 1e-3


@pytest.mark.parametrize("seed", [21, 22, 23])
def test_fluctuations_follow_the_lyapunov_equation(seed):
    """16 runs of 40 s at each gain: the mean variance around the known baseline within 4 standard errors (t of 15) of the exact one."""
    subject = tiny_subject("01", seed)

    def variance(activity):
        return {"variance": np.mean((activity.tap("rate").from_start().samples - 5.0) ** 2, dtype=float)}

    timing = SHORT | {"duration": 40.0, "transient": 10.0, "taps": {"rate": 1000.0}}
    table = fi.sweep(subject, parameters={"gain": [0.0, 0.5, 0.8]}, runs=16, measure=variance, **timing)
    found = table.groupby("gain")["variance"].agg(["mean", "sem"])
    weights = subject.connectome.row_normalised()
    exact = [covariance(LinearParameters(gain=gain), weights).diagonal().mean() for gain in found.index]
    assert (abs(found["mean"] - exact) < 4 * found["sem"]).all()
    assert (found["sem"] < 0.1 * found["mean"]).all()


def test_timing_is_swept_by_name():
    timing = {**SHORT, "delays": True}
    table = fi.sweep(tiny_subject(), parameters={"speed": [1.0, 10.0], "gain": [0.5, 0.9]}, measure=total, **timing)
    assert table["speed"].tolist() == [1.0, 1.0, 10.0, 10.0]
    assert table["total"].nunique() == 4
    slow = fi.simulate_activity(tiny_subject(), **timing, speed=1.0, parameters={"gain": 0.5})
    assert total(slow)["total"] == table["total"][0]


def test_the_summary_is_what_numpy_makes_of_the_taps():
    activity = short_activity()
    rate, found = activity.tap("rate").from_start().by_region.astype(float), summary(activity)
    assert list(found) == ["rate_mean", "rate_sd", "fc_mean", "fc_weight_r", "dipole_mean", "dipole_sd"]
    assert found["rate_mean"] == pytest.approx(rate.mean())
    assert found["rate_sd"] == pytest.approx(np.sqrt(rate.var(axis=1).mean()))
    pairs = np.triu_indices(10, 1)
    fc = np.corrcoef(rate)[pairs]
    assert found["fc_mean"] == pytest.approx(fc.mean())
    weights = activity.truth["effective_weights"]
    both = (weights + weights.T)[pairs]
    assert found["fc_weight_r"] == pytest.approx(np.corrcoef(np.log(both[both > 0]), fc[both > 0])[0, 1])


def test_a_network_without_fluctuations_has_no_correlations():
    table = fi.sweep(tiny_subject(), parameters={"sigma": [0.0]}, **SHORT)
    assert table["rate_mean"][0] == pytest.approx(5.0)
    assert table["rate_sd"][0] == 0
    assert table[["fc_mean", "fc_weight_r"]].isna().to_numpy().all()


@pytest.mark.slow
def test_no_more_activities_are_held_than_the_threads_need(monkeypatch):
    """Of 40 simulations with delays, two threads and one waiting leave at most a few alive while one is measured."""
    import gc
    import weakref

    alive, most = weakref.WeakSet(), []

    def measure(activity):
        alive.add(activity)
        gc.collect()
        most.append(len(alive))
        return total(activity)

    fi.sweep(
        tiny_subject(),
        parameters={"gain": np.linspace(0, 0.9, 40)},
        measure=measure,
        jobs=2,
        **SHORT | {"delays": True},
    )
    assert len(most) == 40
    assert max(most) <= 4


@pytest.fixture
def runaway(tmp_path):
    path = tmp_path / "runaway.py"
    path.write_text(RUNAWAY)
    return path


def test_divergence_stops_a_sweep_or_leaves_a_gap(runaway):
    order = {"model": runaway, "parameters": {"k": [-1.0, 50.0, -2.0]}, "duration": 1.0, "measure": total}
    with pytest.raises(ModelError, match=r"^subject = 01, k = 50.0, run = 1: model runaway: `x` of region 1 is not"):
        fi.sweep(tiny_subject(), **order)
    table = fi.sweep(tiny_subject(), **order, diverged="nan")
    assert table["total"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("changed", "error", "match"),
    [
        ({"parameters": {"gian": [0.1]}}, ParameterError, "`parameters.gian`: no such key; did you mean 'gain'"),
        ({"parameters": {"sped": [1.0]}}, ParameterError, "`parameters.sped`: no such key; did you mean 'speed'"),
        ({"parameters": {"gain": [0.5, 1.5]}}, ParameterError, r"`linear.gain`: 1.5 is outside \[0, 0.99\]"),
        ({"parameters": {"speed": [7000.0]}}, ParameterError, r"`run.speed`: 7000 m/s is outside .*did you mean 7\?"),
        ({"parameters": {"duration": [2.0]}}, ParameterError, "`parameters.duration`: also given as an argument"),
        ({"parameters": {}}, InputError, "nothing to sweep"),
        ({"parameters": []}, InputError, "nothing to sweep"),
        ({"parameters": {"gain": []}}, InputError, "`parameters.gain`: no value to sweep"),
        ({"parameters": [{"gain": 0.1}, {"tau": 0.1}]}, InputError, r"\['tau'\] are not the names of the first"),
        ({"runs": 0}, InputError, "`runs`: 0 is not a whole number"),
        ({"jobs": -1}, InputError, "`jobs`: -1"),
        ({"diverged": "skip"}, InputError, "`diverged`: 'skip'"),
        ({"measure": lambda activity: 3.0}, InputError, "`measure` returns float, not a mapping"),
        ({"measure": lambda activity: {"fc": np.zeros(3)}}, InputError, "`measure` returns fc = array.*not a number"),
        ({"measure": lambda activity: {"gain": 1.0}}, InputError, "returns 'gain', which is a column already"),
    ],
)
def test_bad_input_is_told_of(changed, error, match):
    with pytest.raises(error, match=match):
        fi.sweep(tiny_subject(), **{"parameters": {"gain": [0.1, 0.2]}, **SHORT, **changed})


def test_all_values_out_of_bounds_are_told_of_at_once():
    with pytest.raises(ParameterError) as caught:
        fi.sweep(tiny_subject(), parameters={"gain": [0.5, 1.5], "tau": [0.1, 1e6]}, **SHORT)
    assert len(caught.value.problems) == 2


def test_the_bar_shows_simulated_seconds_where_asked_and_nothing_elsewhere(monkeypatch, capsys):
    fi.simulate_activity(tiny_subject(), **SHORT)  # a kernel that is compiled says so
    capsys.readouterr()
    fi.sweep(tiny_subject(), parameters={"gain": [0.1]}, measure=total, **SHORT)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    fi.sweep(tiny_subject(), parameters={"gain": [0.1, 0.2, 0.3]}, measure=total, progress=True, **SHORT)
    assert "66 of 66 s simulated" in stream.getvalue()


def test_the_example_agrees_with_the_lyapunov_equation(tmp_path):
    figure = tmp_path / "figure.png"
    command = [sys.executable, "examples/sweep_coupling.py", "--small", "--figure", str(figure)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True)
    deviation = re.search(r"largest deviation: ([\d.]+) standard errors", result.stdout)
    assert float(deviation[1]) < 4
    assert figure.is_file()


def refusing(parameters, subject, step):
    if parameters.tau < 0.01:
        raise ModelError("no working point")
    return fi.MODELS.get("linear").prepare(parameters, subject, step)


IMPOSSIBLE = {"parameters": {"tau": [0.05, 0.005, 0.03]}, **SHORT}


def test_a_point_that_cannot_be_set_up_stops_a_sweep_before_it_starts(monkeypatch):
    monkeypatch.setattr("fakeimaging.activity.sweep.simulate_each", lambda *given, **more: pytest.fail("simulates"))
    with pytest.raises(ModelError, match=r"^subject = 01, tau = 0.005, run = 1: no working point"):
        fi.sweep(tiny_subject(), **IMPOSSIBLE | {"model": replace(fi.MODELS.get("linear"), prepare=refusing)})


def test_a_point_that_cannot_be_set_up_leaves_a_gap_and_the_other_rows():
    more = {"runs": 2, "measure": total, "diverged": "nan"}
    gap = fi.sweep(tiny_subject(), **IMPOSSIBLE | more | {"model": replace(fi.MODELS.get("linear"), prepare=refusing)})
    whole = fi.sweep(tiny_subject(), **IMPOSSIBLE, **more)
    assert gap["total"].isna().tolist() == [False, False, True, True, False, False]
    assert gap["total"].dropna().tolist() == whole["total"].drop([2, 3]).tolist()


@pytest.mark.parametrize("measure", ["fc", {"fc": 1.0}])
def test_a_measure_that_is_no_function_is_refused_before_anything_runs(monkeypatch, measure):
    monkeypatch.setattr("fakeimaging.activity.sweep.simulate_each", lambda *given, **more: pytest.fail("simulates"))
    with pytest.raises(InputError, match="`measure`: .* is not a function"):
        fi.sweep(tiny_subject(), parameters={"gain": [0.1]}, measure=measure, **SHORT)


def test_a_sweep_that_fails_leaves_no_simulation_running(runaway):
    with pytest.raises(ModelError, match="k = 50.0"):
        fi.sweep(
            tiny_subject(), model=runaway, parameters={"k": [50.0, -1.0]}, duration=20_000.0, taps={"rate": 1.0}, jobs=2
        )
    running = [thread.name for thread in threading.enumerate() if "ThreadPoolExecutor" in thread.name]
    assert running == []
