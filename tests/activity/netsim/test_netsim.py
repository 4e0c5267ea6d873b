from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import butter, sosfreqz

from fakeimaging.activity.netsim import CASES, netsim, session
from fakeimaging.activity.netsim.inputs import switches
from fakeimaging.activity.netsim.kernel import blood_step
from fakeimaging.activity.netsim.networks import draw_network
from fakeimaging.activity.netsim.simulate import measured
from fakeimaging.core.errors import InputError
from fakeimaging.core.streams import Streams
from fakeimaging.scoring.discovery import (
    d_accuracy,
    full_correlation,
    lagged_product,
    partial_correlation,
    patel,
    score_discovery,
)
from tests.reference import netsim as reference

SECONDS = 60


def apart(number, seed=3, factor=1.0):
    """Largest difference to an adaptive solver over the largest BOLD, without noise of the inputs."""
    case = replace(CASES[number], minutes=SECONDS / 60, tr=1.0)
    streams = Streams(seed).at(str(number))
    one = draw_network(case, streams)
    one = replace(one, inputs=factor * one.inputs, input_noise=1e-9)
    table = switches(one.rates, 200 * SECONDS, rng=streams.at("inputs").rng())
    edges, levels = reference.courses(table, len(one.rates), 200 * SECONDS)
    times, more = np.arange(1.0, SECONDS + 1), {"gates": one.gates, "b": case.gate}
    truth = reference.bold(one.weights, one.inputs, case.sigma, edges, levels, one.constants, times, **more)
    found = session.bold(one, case, streams, gaussian=False)
    assert np.abs(truth).max() > 3
    return np.abs(found - truth).max() / np.abs(truth).max()


@pytest.mark.parametrize("number", [1, 8, 13, 15, 19, 22])
def test_bold_is_that_of_an_adaptive_solver_of_the_published_equations(number):
    assert apart(number) < 4e-3


def test_it_also_is_where_flow_reaches_its_bounds():
    assert apart(1, factor=3.0) < 1e-2


def test_gaussian_inputs_gate_connections_as_the_bilinear_model_says():
    case, n_steps = CASES[22], 600
    one = replace(draw_network(case, Streams(7).at("test")), input_noise=1e-9)
    neural = session.network_part(one, case, Streams(7).at("run"), n_steps, gaussian=True)
    normals = Streams(7).at("normals").rng().standard_normal((n_steps, 20), dtype=np.float32)
    share, rho = one.rates[:, 0] / one.rates.sum(axis=1), 1 - 0.005 * one.rates.sum(axis=1)
    w, z = neural[2][5:].copy(), np.zeros(5)
    for t in range(n_steps):
        A = one.weights - np.eye(5)
        for target, source, number in one.gates:
            A[target, source] += -0.12 * one.inputs[0, 0] * (share + w)[number]
        z = z + 0.005 * (20 * A @ z + one.inputs @ (share + w))
        w = rho * w + np.sqrt(share * (1 - share) * (1 - rho**2)) * normals[t, 5:15]
    session.kernel()(normals, np.zeros(2, dtype=np.int64), *neural, *session.blood_part(one, case), np.empty((200, 5)))
    np.testing.assert_allclose(neural[2], [*z, *w], atol=1e-6)


def test_half_the_step_leaves_a_third_of_the_error(monkeypatch):
    coarse = apart(1)
    monkeypatch.setattr(session, "BLOOD_STEP", 0.025)
    assert apart(1) < coarse / 3


def at_rest(tau=0.98, alpha=0.32):
    """State and constants of one node."""
    constants = np.array([[0.65], [0.41], [tau], [alpha], [0.34], [np.log(0.66)]])
    return np.vstack([np.zeros(1), np.ones((5, 1))]), constants


@pytest.mark.parametrize("drive", [-20.0, -2.0, 3.0, 50.0])
@pytest.mark.parametrize("tau", [0.1, 3.0])
def test_blood_stays_finite_and_above_0_whatever_drives_it(drive, tau):
    blood, constants = at_rest(tau=tau, alpha=0.25)
    for k in range(2000):
        z = drive if k % 400 < 200 else 0.0
        blood_step(blood, constants, 0, z, z, 0.05)
        assert np.isfinite(blood).all()
        assert (blood[2:] > 0).all()


def test_blood_that_nothing_drives_stays_at_rest():
    blood, constants = at_rest()
    for _ in range(100):
        blood_step(blood, constants, 0, 0.0, 0.0, 0.05)
    np.testing.assert_allclose(blood[:, 0], [0, 1, 1, 1, 1, 1], atol=1e-14)


@pytest.mark.parametrize("inputs", ["on_off", "gaussian"])
@pytest.mark.parametrize("number", [14, 15, 22, 24])
def test_no_subject_diverges(number, inputs):
    found = netsim(number, 25, seed=711, inputs=inputs)
    assert np.isfinite(found.ts).all()
    assert np.isfinite(found.clean).all()
    assert (found.clean.std(axis=1) > 0.01).all()


def test_bits_depend_on_seed_and_subject_alone():
    one, two, more = netsim(26, 2, seed=1, jobs=1), netsim(26, 2, seed=1, jobs=2), netsim(26, 3, seed=1)
    for name in ("ts", "clean", "net", "input_weights"):
        assert (getattr(one, name) == getattr(two, name)).all()
        assert (getattr(one, name) == getattr(more, name)[:2]).all()
    other = netsim(26, 2, seed=2)
    assert (other.ts != one.ts).all()
    assert (one.ts[0] != one.ts[1]).all()
    with pytest.raises(ValueError, match="read-only"):
        one.ts[0, 0, 0] = 1


def test_the_twin_differs_in_its_inputs_alone():
    one, twin = netsim(26, 2, seed=1), netsim(26, 2, seed=1, inputs="gaussian")
    assert (one.net == twin.net).all()
    assert all((one.hemodynamics[name] == twin.hemodynamics[name]).all() for name in one.hemodynamics)
    assert (one.clean != twin.clean).all()


# 50 subjects x 5 nodes: means of halves of a session to 3 %.
@pytest.mark.parametrize("inputs", ["on_off", "gaussian"])
def test_a_session_is_stationary_once_blood_has_come_from_rest(inputs):
    clean = netsim(1, 50, seed=712, inputs=inputs).clean
    early, late = clean[:, 10:105], clean[:, 105:]
    error = np.hypot(*(part.mean(axis=1).std() / np.sqrt(250) for part in (early, late)))
    assert early.mean() == pytest.approx(late.mean(), abs=4 * error)
    assert early.std(axis=1).mean() == pytest.approx(late.std(axis=1).mean(), rel=0.08)
    assert abs(clean[:, 0]).mean() < abs(late).mean()


def test_noise_has_its_size_and_slow_courses_go():
    case, n = CASES[7], 200
    quiet = measured(np.zeros((case.n_timepoints, n)), case, rng=Streams(1).rng())
    assert quiet.mean(axis=0) == pytest.approx(np.zeros(n), abs=1e-12)
    _, gain = sosfreqz(butter(4, 1 / 200, "highpass", fs=1 / 3, output="sos"), 20_000)
    expected = np.sqrt((np.abs(gain) ** 2).mean())
    assert quiet.std() == pytest.approx(expected, rel=3 / np.sqrt(2 * quiet.size))
    times = 3.0 * np.arange(case.n_timepoints)[:, None]
    courses = np.sin(2 * np.pi * np.array([1 / 2000, 1 / 200, 1 / 20]) * times)
    silent = replace(case, noise=0.0)
    passed = measured(courses, silent, rng=Streams(1).rng())[2000:].std(axis=0) * np.sqrt(2)
    assert passed == pytest.approx([1e-4, np.sqrt(0.5), 1.0], abs=0.01)


def test_the_mean_is_gone_before_the_filter_starts():
    constant = measured(np.full((200, 1), 7.0), replace(CASES[1], noise=0.0), rng=Streams(1).rng())
    assert np.abs(constant).max() < 1e-12


def own(found, number, seed):
    """Series before what a case does to them afterwards."""
    root = Streams(seed).at("netsim", f"case-{number}")
    rngs = (root.at(f"sub-{k + 1:02d}", "noise").rng() for k in range(len(found.clean)))
    return np.array([measured(clean, found.case, rng=rng) for clean, rng in zip(found.clean, rngs, strict=True)])


def test_a_global_course_is_added_at_half_the_size_of_the_series():
    found = netsim(10, 4, seed=5)
    before, shared = own(found, 10, 5), found.truth["confound"]
    np.testing.assert_allclose(found.ts - before, np.repeat(shared[:, :, None], 5, axis=2), atol=1e-12)
    assert shared.std(axis=1) == pytest.approx(0.5 * before.std(axis=1).mean(axis=1), rel=3 / np.sqrt(400))


def test_bad_regions_hold_a_fifth_of_another_series():
    nodes, subjects = netsim(11, 3, seed=5), netsim(12, 11, seed=5)
    before, partner = own(nodes, 11, 5), nodes.truth["partner"]
    assert sorted(partner) == list(range(10))
    np.testing.assert_allclose(nodes.ts, 0.8 * before + 0.2 * before[:, :, partner], atol=1e-12)
    before, partner = own(subjects, 12, 5), subjects.truth["partner"]
    assert partner[3].tolist() == [
        4,
        5,
        6,
        7,
        8,
        9,
        10,
        0,
        1,
        2,
    ]  # nodes 1 to 10 of the next ten subjects, as published
    for k, i in ((3, 0), (3, 9), (10, 4)):
        expected = 0.8 * before[k, :, i] + 0.2 * before[partner[k, i], :, i]
        np.testing.assert_allclose(subjects.ts[k, :, i], expected, atol=1e-12)


def test_the_second_group_repeats_the_first_with_one_link_halved():
    found = netsim(21, 4, seed=5)
    ratio = np.divide(found.net[2:], found.net[:2], out=np.ones((2, 5, 5)), where=found.net[:2] != 0)
    assert (ratio != 1).sum() == 2
    assert (ratio[:, 2, 1] == 0.5).all()
    assert (found.clean[2:] != found.clean[:2]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"case": 29}, "none of the NetSim cases, 1 to 28"),
        ({"n_subjects": 0}, "`n_subjects`: 0 is not a whole number of at least 1"),
        ({"inputs": "noise"}, "`inputs`: 'noise' is neither 'on_off' nor 'gaussian'"),
        ({"case": 21, "n_subjects": 3}, "case 21 has two groups, 3 is odd"),
        ({"case": 12, "n_subjects": 1}, "case 12 mixes subjects"),
        ({"jobs": 0}, "`jobs`"),
        ({"seed": -1}, "`seed`"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        netsim(**{"case": 26, "n_subjects": 2, "seed": 1, **arguments})


@pytest.mark.parametrize("seed", [721, 722, 723])
def test_methods_find_in_case_1_what_they_are_known_to_find(seed):
    """50 subjects, 250 links: a share to 0.03 (SE)."""
    found, twin = netsim(1, seed=seed), netsim(1, seed=seed, inputs="gaussian")
    full, partial = (score_discovery(method(found.ts), found.net) for method in (full_correlation, partial_correlation))
    assert partial.per_subject >= 0.85
    assert full.per_subject < partial.per_subject
    assert full.pooled < partial.pooled
    assert 0.45 <= d_accuracy(lagged_product(found.ts), found.net) <= 0.60
    # What tau tells of the direction is in the skew of on/off inputs; Smith et al. found about 65 %.
    assert d_accuracy(patel(found.ts)[1], found.net) > 0.5 + 3 * 0.03 / 2
    assert d_accuracy(patel(twin.ts)[1], twin.net) == pytest.approx(0.5, abs=3 * 0.032)
