"""Whole runs with delays and noise: the compiled models against their slow twins written from the papers."""

from functools import partial

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.activity.models import MODELS
from tests.activity.models.nodes import quick
from tests.activity.test_engine import reference_noise
from tests.reference import masses
from tests.reference.networks import deco_rate, deco_set_point

N_STEPS, ROOT_MS = 600, 1000**0.5
SHARES = ((0, 0.0, 1.0), (1, 0.0, 1.0))


def wilson_cowan(person, weights):
    return partial(masses.wilson_cowan, P=1.0, G=1.2), lambda x: x[0], {0: 0.01 * 250**0.5, 1: 0.01 * 250**0.5}, SHARES


def jansen_rit(person, weights):
    return partial(masses.jansen_rit, p=220.0, G=40.0), lambda x: masses.pulses(x[1] - x[2]), {4: 325 * 2.0}, ()


def reduced_wong_wang(person, weights):
    return partial(masses.reduced_wong_wang, G=0.8), lambda x: x[0], {0: 1e-3 * ROOT_MS}, SHARES[:1]


def deco2014(person, weights):
    i_e, s_e, s_i = deco_set_point(3.0631, 0.0)
    J = (0.382 + 0.21 * s_e - i_e + 0.7 * 0.15 * s_e * weights.sum(axis=1)) / s_i
    return partial(masses.deco2014, G=0.7, J=J), lambda x: x[0], {0: 0.01 * ROOT_MS, 1: 0.01 * ROOT_MS}, SHARES


def montbrio_pazo_roxin(person, weights):
    return partial(masses.montbrio_pazo_roxin, G=10.0, tau=0.01), lambda x: x[0], {1: 3.0}, ((0, 0.0, np.inf),)


def epileptor(person, weights):
    return (
        partial(masses.epileptor, x0=-2.2, K=2.0, unit=0.01, row_sum=weights.sum(axis=1)),
        lambda x: x[0],
        {0: 0.5, 3: 0.5},
        (),
    )


def inhibitory_rate(x):
    return deco_rate(0.7 * 0.382 + 0.15 * x[:, 0] - x[:, 1], 615, 177, 0.087)


# Taps to compare, and what they read from the twin's states before each step; dipoles but for what they are at rest.
TAPS = {
    wilson_cowan: {"rate": lambda x: 100 * x[:, 0], "dipole": lambda x: x[:, 0]},
    jansen_rit: {
        "synaptic": lambda x: x[:, 1] - x[:, 2],
        "rate": lambda x: masses.pulses(x[:, 1] - x[:, 2]),
        "dipole": lambda x: 0.05 * (x[:, 1] - x[:, 2]),
    },
    reduced_wong_wang: {"synaptic": lambda x: x[:, 0]},
    deco2014: {"synaptic": lambda x: x[:, 0], "inhibitory_rate": inhibitory_rate},
    montbrio_pazo_roxin: {"rate": lambda x: x[:, 0]},
    epileptor: {"rate": lambda x: 10 * (x[:, 0] + 2), "dipole": lambda x: 0.3 * (x[:, 3] - x[:, 0])},
}


@pytest.fixture(scope="module")
def lopsided():
    """Weights and lengths differ between the two directions of a tract, and the first region receives nothing."""
    rng = np.random.default_rng(9)
    weights = np.exp(rng.standard_normal((10, 10))) * (rng.uniform(size=(10, 10)) < 0.5)
    np.fill_diagonal(weights, 0)
    weights[0] = 0
    lengths = np.where(weights > 0, rng.uniform(0, 150, (10, 10)), 0)
    return fi.make_subject("01", seed=1, anatomy="tiny", connectome=fi.Connectome(weights, lengths))


@pytest.mark.parametrize("paper", TAPS, ids=lambda paper: paper.__name__)
def test_a_whole_run_is_its_slow_twin(paper, lopsided, monkeypatch):
    monkeypatch.setattr("fakeimaging.activity.run.LEAD", 0.0)
    model = MODELS.get(paper.__name__)
    step = model.step
    activity = fi.simulate_activity(
        lopsided, model=quick(model, TAPS[paper], 1 / step), duration=1.0, transient=0.0, speed=3.5
    )
    weights = lopsided.connectome.weights
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    lags = np.rint(lopsided.connectome.tract_lengths / 3500.0 / step).astype(int)
    field, sent, amplitudes, limits = paper(lopsided, weights)
    noise = reference_noise(activity.streams.at("activity"), N_STEPS, 10, model.n_noises).reshape(N_STEPS, -1, 10)
    kicks = np.zeros((N_STEPS, len(model.states), 10))
    for process, (row, amplitude) in enumerate(amplitudes.items()):
        kicks[:, row] = amplitude * np.sqrt(step) * noise[:, process]
    setup = model.prepare(model.parameters(), lopsided, step)
    start = np.array([np.broadcast_to(setup.initial.get(state, 0.0), 10) for state in model.states])
    slow = masses.run(
        field, start, step=step, n_steps=N_STEPS, scheme=model.scheme, kicks=kicks,
        weights=weights, lags=lags, sent=sent, limits=limits,
    )  # fmt: skip
    for tap, read in TAPS[paper].items():
        expected = read(slow[:-1]) - (read(start[None]) if tap == "dipole" else 0.0)
        samples, error = activity.tap(tap).samples[:N_STEPS], 2e-5 * np.abs(expected).max()
        np.testing.assert_allclose(samples, expected, rtol=2e-5, atol=error if tap == "dipole" else 1e-6, err_msg=tap)
