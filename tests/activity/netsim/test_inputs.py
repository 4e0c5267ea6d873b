from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm, solve_discrete_lyapunov

from fakeimaging.activity.netsim import CASES, session
from fakeimaging.activity.netsim.inputs import mean_and_sd, stepped, switches
from fakeimaging.activity.netsim.networks import draw_network
from fakeimaging.core.streams import Streams
from tests.reference import netsim as reference

STEP = 0.005
RATES = np.tile([0.1, 0.4], (10, 1))


def network(number, seed=1):
    return draw_network(CASES[number], Streams(seed).at("test"))


def levels(table, n_inputs, n_steps):
    """Every input at every step."""
    change = np.zeros((n_steps, n_inputs))
    np.add.at(change, (table[:, 0], table[:, 1]), table[:, 2])
    return change.cumsum(axis=0)


# 10 inputs for 4000 s: about 3200 stretches of each kind.
@pytest.mark.parametrize("seed", [701, 702, 703])
def test_inputs_stay_off_and_on_as_long_as_published(seed):
    n_steps = 800_000
    u = levels(switches(RATES, n_steps, rng=Streams(seed).rng()), 10, n_steps)
    assert set(np.unique(u)) == {0, 1}
    off, on = (np.concatenate(parts) * STEP for parts in zip(*map(reference.durations, u.T), strict=True))
    for found, mean in ((off, 10.0), (on, 2.5)):
        assert len(found) > 2500
        assert found.mean() == pytest.approx(mean, abs=3 * mean / np.sqrt(len(found)))
        assert found.std() == pytest.approx(mean, rel=5 * np.sqrt(2 / len(found)))
    # The course forgets at 0.5 per s: as many independent values as seconds / 4 and input.
    assert u.mean() == pytest.approx(0.2, abs=3 * np.sqrt(0.16 / 10_000))
    for lag in (1.0, 3.0):
        k = round(lag / STEP)
        found = ((u[k:] - 0.2) * (u[:-k] - 0.2)).mean(axis=0) / 0.16
        assert found.mean() == pytest.approx(np.exp(-0.5 * lag), abs=3 * found.std() / 3)


def test_inputs_start_stationary_and_gates_turn_at_their_own_rates():
    first = switches(np.tile([0.1, 0.4], (4000, 1)), 2, rng=Streams(704).rng())
    assert (first[:, 0] == 0).sum() / 4000 == pytest.approx(0.2, abs=3 * 0.4 / np.sqrt(4000))
    assert (np.diff(first[:, 0]) >= 0).all()
    slow = levels(switches(np.tile([0.05, 0.03], (10, 1)), 800_000, rng=Streams(705).rng()), 10, 800_000)
    assert slow.mean() == pytest.approx(0.625, abs=3 * np.sqrt(0.234 / (4000 * 10 * 0.04)))


def test_gaussian_inputs_have_the_autocovariance_of_the_markov_chain_at_every_lag():
    up, down = 0.1 * STEP, 0.4 * STEP
    chain, share = np.array([[1 - up, up], [down, 1 - down]]), 0.2
    mean, sd = mean_and_sd(RATES)
    rho = stepped(network(1), 20.0, 10, gaussian=True).rho
    for lag in (0, 1, 10, 400, 4000):
        exact = share * np.linalg.matrix_power(chain, lag)[1, 1] - share**2
        assert sd[0] ** 2 * rho[0] ** lag == pytest.approx(exact, rel=1e-9)
    assert mean[0] == share


@pytest.mark.parametrize("gaussian", [False, True])
@pytest.mark.parametrize("number", [1, 8, 14])
def test_a_long_step_is_ten_short_ones(number, gaussian):
    one = network(number)
    short, long = (stepped(one, 20.0, n, gaussian=gaussian) for n in (1, 10))
    np.testing.assert_allclose(long.transition, np.linalg.matrix_power(short.transition, 10), atol=1e-12)
    still = [solve_discrete_lyapunov(part.transition, part.spread @ part.spread.T) for part in (short, long)]
    np.testing.assert_allclose(still[0], still[1], rtol=1e-6, atol=1e-9)
    flow = 20 * (one.weights - np.eye(5))
    np.testing.assert_allclose(long.transition[:5, :5], expm(flow * 0.05), atol=1e-12)
    n_on = np.linalg.solve(flow, (expm(flow * 0.02) - np.eye(5)) @ one.inputs)  # on from part 6 of 10
    np.testing.assert_allclose(long.jumps[6, :5], n_on, atol=1e-12)


def test_the_noise_of_inputs_has_the_published_size():
    one = network(1)
    steps = stepped(one, 20.0, 10, gaussian=False)
    z = solve_discrete_lyapunov(steps.transition, steps.spread @ steps.spread.T)
    # White noise of SD 0.05 at 200 Hz in a node that receives nothing else: variance C^2 0.05^2 / 200 / (2 sigma).
    assert np.sqrt(z[0, 0]) == pytest.approx(one.inputs[0, 0] * 0.05 * np.sqrt(STEP / 40), rel=0.01)


def course(number, seconds, seed, *, gaussian):
    """z of each node each second."""
    case = replace(CASES[number], minutes=seconds / 60, tr=1.0)
    one = network(number)
    neural = session.network_part(one, case, Streams(seed).at("run"), round(seconds / STEP), gaussian=gaussian)
    blood, place, result = session.blood_part(one, case), np.zeros(2, dtype=np.int64), np.empty((seconds, 5))
    rng, found = Streams(seed).at("normals").rng(), []
    for _ in range(seconds):
        normals = rng.standard_normal((20, len(neural[2])), dtype=np.float32)
        session.kernel()(normals, place, *neural, *blood, result)
        found.append(neural[2][:5].copy())
    return np.array(found)


# Values forget at 0.5 per s: 10,000 independent ones in 40,000 s; a variance of a skewed input to 5 %.
def test_both_kinds_of_inputs_give_the_network_the_same_mean_and_covariance():
    one, mean = network(1), 0.2
    steps = stepped(one, 20.0, 10, gaussian=True)
    exact = solve_discrete_lyapunov(steps.transition, steps.spread @ steps.spread.T)[:5, :5]
    level = np.linalg.solve(20 * (np.eye(5) - one.weights), one.inputs @ np.full(5, mean))
    for gaussian in (False, True):
        z = course(1, 40_000, 706, gaussian=gaussian)[10:]
        np.testing.assert_allclose(z.mean(axis=0), level, rtol=0.06)
        np.testing.assert_allclose(np.cov(z.T), exact, atol=0.06 * exact.diagonal().max())
        skew = ((z - z.mean(axis=0)) ** 3).mean(axis=0) / z.std(axis=0) ** 3
        assert abs(skew[0] - (0 if gaussian else 1.5)) < 0.15
