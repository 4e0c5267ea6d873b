"""What the default model does: targets of docs/architecture.md, measured by benchmarks/activity.py. The slow test prints them all."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.activity.hemodynamics import Hemodynamics, blood_flow
from fakeimaging.activity.models import dmf
from fakeimaging.activity.models.dmf_setup import DmfParameters
from fakeimaging.core.errors import ParameterError
from fakeimaging.testing.fixtures import tiny_subject
from tests.activity.test_models import QUIET

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "activity.py"
NOISY_WHEN_SHORT = ("FC", "rate, correlation")


@pytest.fixture(scope="module")
def targets():
    spec = importlib.util.spec_from_file_location("benchmarks_activity", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def person():
    return fi.make_subject("01", seed=401, n_regions=50)


@pytest.fixture(scope="module")
def minutes(person):
    return fi.simulate_activity(person, duration=120.0)


def test_two_minutes_at_fifty_regions_meet_what_two_minutes_can(targets, person, minutes):
    missed = [
        (name, value, target)
        for name, value, _, target in targets.run_rows(person, minutes, judged=False)
        if target is not None and not name.startswith(NOISY_WHEN_SHORT) and not target[0] <= value <= target[1]
    ]
    assert not missed


def test_a_pulse_arrives_later_and_weaker_where_it_projects_to(targets, person):
    rows = {name: (value, target) for name, value, _, target in targets.evoked_rows(person, duration=31.0)}
    assert rows["evoked rate: peak at its region"][0] > 3
    for name, (value, target) in rows.items():
        assert target is None or target[0] <= value <= target[1], name


def test_regions_deliver_the_rates_asked_for(minutes):
    mean = minutes.tap("rate").from_start().samples.mean(axis=0, dtype=float)
    target = minutes.truth["target_rate"]
    assert np.log(target).std() == pytest.approx(0.18, abs=4 * 0.18 / np.sqrt(2 * 50))
    assert np.corrcoef(mean, target)[0, 1] > 0.85
    assert mean.mean() / target.mean() == pytest.approx(0.95, abs=0.15)


def test_alpha_is_strongest_at_the_back_and_cortical_alone(person, minutes):
    kinds = np.array([region.kind for region in person.regions])
    dipole = np.asarray(minutes.tap("dipole").samples)
    assert (dipole.std(axis=0) > 0.03).all()
    y = person.parcellation.centroids[:, 1]
    back, front = ((kinds == "cortex") & side for side in (y < -70, y > 10))
    frequency, density = np.fft.rfftfreq(len(dipole), 1 / 250), np.abs(np.fft.rfft(dipole, axis=0)) ** 2
    alpha = density[(frequency > 8) & (frequency < 12)].sum(axis=0)
    assert alpha[back].mean() > 2.5 * alpha[front].mean()
    # Over what lies beside it, the 1/f background taken out: a peak in cortex, nothing below.
    flat = density * frequency[:, None] ** 1.8
    beside = ((frequency > 4) & (frequency < 6.5)) | ((frequency > 15) & (frequency < 18))
    peak = flat[(frequency > 9) & (frequency < 11.5)].mean(axis=0) / flat[beside].mean(axis=0)
    assert peak[kinds != "cortex"].max() < 1.5
    assert peak[back].min() > 4


def test_the_same_subject_keeps_its_rates_and_rhythms_in_every_run(person, minutes):
    second = dmf.prepare(DmfParameters(), person, 1e-3).truth
    other = dmf.prepare(DmfParameters(), fi.make_subject("02", seed=401, n_regions=50), 1e-3).truth
    for name in ("target_rate", "noise_sd", "alpha_frequency"):
        assert (second[name] == minutes.truth[name]).all()
        assert (second[name] != other[name]).any()


def test_fifty_hertz_of_rate_are_enough_for_blood_flow():
    """Flow from the tap as it is against flow from the same run at every step, where the stimulus is steep."""
    pulses = {"trial_type": "p", "kind": "cortex", "onset": 5.0, "period": 4.0, "duration": 0.1, "amplitude": 0.05}
    fast = fi.Model(
        **{
            **dmf.MODEL.__dict__,
            "observables": {"rate": fi.Observable(dmf.excitatory_rate, "Hz", 1000.0)},
            "modes": None,
        }
    )
    flows = [
        blood_flow(
            fi.simulate_activity(tiny_subject(), model=model, duration=40.0, conditions=[pulses]), Hemodynamics()
        )
        for model in (dmf.MODEL, fast)
    ]
    times = np.arange(0.5, 39.0, 0.25)
    slow, exact = (np.array([np.interp(times, f.clock.times, column) for column in f.flow.T]) for f in flows)
    assert np.sqrt(((slow - exact) ** 2).mean()) < 0.01 * exact.std()


def test_a_step_of_one_millisecond_is_fine_enough():
    """Noise-free response to a pulse against a step eight times as fine."""
    pulse = {
        "trial_type": "p",
        "regions": [tiny_subject().regions[0].name],
        "onset": 0.5,
        "duration": 0.1,
        "amplitude": 0.05,
    }
    responses = []
    for step in (1e-3, 1.25e-4):
        activity = fi.simulate_activity(
            tiny_subject(), duration=2.0, transient=0.0, step=step, parameters=QUIET, conditions=[pulse]
        )
        tap = activity.tap("rate").from_start().samples.astype(float)
        responses.append(tap - tap[:20].mean(axis=0))
    # Clocks differ by half a step, so the whole response is compared: its area.
    areas = [response.sum(axis=0) for response in responses]
    assert areas[0][0] == pytest.approx(areas[1][0], rel=0.005)
    np.testing.assert_allclose(areas[0], areas[1], rtol=0.03)


def test_over_strong_coupling_is_refused_with_the_reason():
    with pytest.raises(
        ParameterError, match=r"`dmf.loop_gain`: 0.97 is outside \[0, 0.95\] .*near 1 it locks into one mode"
    ):
        fi.simulate_activity(tiny_subject(), duration=1.0, parameters={"loop_gain": 0.97})


@pytest.mark.slow
@pytest.mark.parametrize("regions", [100, 50, 200])
def test_every_target_in_ten_minute_runs(targets, regions, monkeypatch, capfd):
    """5 runs of 2 subjects that were not used in tuning; 3 runs at the other sizes."""
    sizes = ["--subjects", "2", "--seeds", "5"] if regions == 100 else ["--subjects", "3", "--seeds", "1"]
    monkeypatch.setattr("sys.argv", ["activity.py", "--regions", str(regions), *sizes])
    missed = targets.main()
    with capfd.disabled():
        print(capfd.readouterr().out)
    assert not missed
