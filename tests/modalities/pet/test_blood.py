import numpy as np
import pytest
from scipy.integrate import trapezoid

import fakeimaging as fi
from fakeimaging.modalities.pet import blood
from fakeimaging.modalities.pet.tracers import TRACERS
from fakeimaging.testing.fixtures import short_activity, tiny_subject


def scan(tracer="raclopride", **parameters):
    off = parameters.pop("off", ())
    return fi.acquire("pet", tiny_subject(), short_activity(), tracer=tracer, voxel_size=16.0, off=off, **parameters)


def tables(recording):
    return {table.name: table for table in recording.companions if "blood" in table.name}


def columns(table):
    cells = np.array([[np.nan if cell is None else cell for cell in row] for row in table.rows], dtype=float)
    return dict(zip(table.columns, cells.T, strict=True))


def test_which_files_there_are_is_a_parameter():
    true = {blood.TRUE}
    assert set(tables(scan(blood="none"))) == true
    assert set(tables(scan())) == true | {blood.MANUAL, blood.CLEAN[blood.MANUAL]}
    both = tables(scan(blood="both"))
    assert set(both) == true | {*blood.CLEAN, *blood.CLEAN.values()}
    assert [name for name, table in both.items() if not table.truth] == [blood.MANUAL, blood.MACHINE]


def test_the_true_curves_are_those_that_drive_the_tissue():
    made = scan(duration=1800.0)
    true, taken = columns(tables(made)[blood.TRUE]), made.forward.context["uptake"]
    np.testing.assert_allclose(true["parent_radioactivity"], taken.plasma.at(true["time"] / 60), rtol=1e-6, atol=1e-5)
    unchanged = true["plasma_radioactivity"] * true["metabolite_parent_fraction"]
    np.testing.assert_allclose(unchanged, true["parent_radioactivity"], rtol=1e-5, atol=0.1)
    np.testing.assert_allclose(
        true["whole_blood_radioactivity"], 0.6 * true["plasma_radioactivity"], rtol=1e-6, atol=1e-5
    )
    assert np.diff(true["time"][:600]).max() == 1.0
    assert true["time"][-1] == made.clean.clock.ends[-1]


def test_noise_is_that_of_counts_and_volumes():
    # A low dose, so that counts outweigh what the volume of a sample adds.
    settings = {"tracer": "raclopride", "voxel_size": 16.0, "duration": 3600.0, "injected_activity": 10.0}
    made = fi.acquire("pet", tiny_subject(), short_activity(), **settings)
    clean = columns(tables(made)[blood.CLEAN[blood.MANUAL]])
    decay = TRACERS.get("raclopride").decay
    n, seen = 150, []
    for repeat in range(1, n + 1):
        other = fi.acquire("pet", *made.source, repeat=repeat, **settings)
        seen.append([columns(tables(other)[blood.MANUAL])[name] for name in ("plasma_radioactivity", blood.PARENT)])
    plasma, parent = np.moveaxis(np.array(seen), 1, 0)
    for k in (8, 28, -1):
        value, left = clean["plasma_radioactivity"][k], np.exp(-decay * clean["time"][k] / 60)
        expected = np.sqrt(1 / (value * left * 15.0) + 0.01**2)  # 0.5 mL, half of the decays, 60 s
        relative = plasma[:, k] / value - 1
        assert relative.std() == pytest.approx(expected, rel=4 / np.sqrt(2 * n))
        assert abs(relative.mean()) < 4 * expected / np.sqrt(n)
        share = clean[blood.PARENT][k]
        expected = np.sqrt(share * (1 - share) / (value * left * 18.0))  # 1 mL, three in ten decays, 60 s
        assert parent[:, k].std() == pytest.approx(expected, rel=4 / np.sqrt(2 * n))


def test_without_noise_or_the_stage_the_files_are_the_clean_ones():
    for made in (scan(blood="both", blood_noise=0.0), scan(blood="both", off=["blood"])):
        found = tables(made)
        for name, copy in blood.CLEAN.items():
            for column, values in columns(found[copy]).items():
                np.testing.assert_allclose(columns(found[name])[column], values, rtol=1e-12)
    loud = tables(scan(blood="both"))
    assert columns(loud[blood.MANUAL])[blood.WHOLE][20] != columns(loud[blood.CLEAN[blood.MANUAL]])[blood.WHOLE][20]


def test_noise_of_blood_leaves_the_image_and_its_other_draws_alone():
    quiet, loud = scan(blood_noise=0.0), scan(blood_noise=3.0)
    assert (quiet.observed.make(5) == loud.observed.make(5)).all()
    one, two = (columns(tables(made)[blood.MANUAL])[blood.PLASMA][20:] for made in (scan(), scan(blood="both")))
    assert (one == two).all()


def test_a_machine_sees_whole_blood_late_and_dispersed():
    made = scan(blood="both", duration=1200.0, sampler_delay=20.0, sampler_dispersion=8.0, blood_noise=0.0)
    found, true = tables(made), columns(tables(made)[blood.TRUE])
    machine = columns(found[blood.MACHINE])
    assert np.diff(machine["time"]).tolist() == [1.0] * 600
    # By hand: the artery 20 s ago, and before that with weights exp(-u / 8) / 8.
    u = np.arange(0.0, 200.0, 0.01)
    for k in (40, 60, 120, 500):
        artery = np.interp(k - 20 - u, true["time"], true[blood.WHOLE])
        assert machine[blood.WHOLE][k] == pytest.approx(trapezoid(artery * np.exp(-u / 8) / 8, u), rel=5e-3)
    about = found[blood.MACHINE].about
    assert (about["DispersionConstant"], about["DispersionCorrected"], about["PlasmaAvail"]) == (8.0, False, False)
    plain = columns(
        tables(scan(blood="both", duration=1200.0, sampler_delay=0.0, sampler_dispersion=0.0, blood_noise=0.0))[
            blood.MACHINE
        ]
    )
    np.testing.assert_allclose(
        plain[blood.WHOLE][100:], np.interp(plain["time"], true["time"], true[blood.WHOLE])[100:], rtol=1e-3
    )


def test_counting_noise_of_a_machine_grows_as_the_tracer_decays():
    made = scan(blood="both", duration=3600.0, sampler_seconds=3600.0)
    found = tables(made)
    noise = columns(found[blood.MACHINE])[blood.WHOLE] - columns(found[blood.CLEAN[blood.MACHINE]])[blood.WHOLE]
    clean, left = (
        columns(found[blood.CLEAN[blood.MACHINE]]),
        np.exp(-TRACERS.get("raclopride").decay * np.arange(3601) / 60),
    )
    expected = np.sqrt(clean[blood.WHOLE] * left * blood.SEEN_IN_TUBING + 1) / (blood.SEEN_IN_TUBING * left)
    for some in (slice(100, 600), slice(3000, 3600)):
        assert np.std(noise[some] / expected[some]) == pytest.approx(1, rel=4 / np.sqrt(2 * 500))


def test_times_and_activities_are_on_the_base_of_the_scan():
    on_injection = columns(tables(scan(blood_noise=0.0))[blood.MANUAL])
    assert on_injection["time"][0] == 0.0
    made = scan(blood_noise=0.0)
    moved = blood._table(
        "x", np.array([4800.0]), {blood.WHOLE: np.array([100.0])}, {}, blood.TimeBase(4500.0), TRACERS.get("raclopride")
    )
    assert moved.rows == [[300.0, pytest.approx(100 * 2 ** (-4500 / 1221.8), rel=1e-6)]]
    assert made.forward.companions


def test_metabolites_can_be_measured_in_few_samples_and_corrected_for_recovery():
    table = tables(scan(metabolite_samples=6, hplc_recovery=True))[blood.MANUAL]
    found = columns(table)
    assert np.isfinite(found[blood.PARENT]).sum() == np.isfinite(found[blood.RECOVERED]).sum() == 6
    assert np.isfinite(found[blood.PLASMA]).all()
    assert table.about["MetaboliteRecoveryCorrectionApplied"] is True
    assert found[blood.RECOVERED][[0, -1]].tolist() == list(blood.RECOVERY)
    plain = tables(scan())[blood.MANUAL]
    assert blood.RECOVERED not in plain.columns
    assert np.isfinite(columns(plain)[blood.PARENT]).all()


def test_a_tracer_without_metabolites_has_none_in_any_sample():
    found = columns(tables(scan("fdg"))[blood.MANUAL])
    assert (found[blood.PARENT] == 1).all()
