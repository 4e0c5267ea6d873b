"""Weak noise: every model fluctuates around rest with the covariance of its linearisation (a Lyapunov equation)."""

import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov

from fakeimaging.activity.models import MODELS
from fakeimaging.testing.fixtures import tiny_subject
from tests.activity.models.nodes import call, field, jacobian, waves

# Tap, how far it moves with each state, and parameters of an isolated region that rests.
RESTING = {
    "deco2014": ("synaptic", {"S_E": 1.0}, {"G": 0.0, "sigma": 1e-4}),
    "epileptor": ("rate", {"x1": 10.0}, {"K": 0.0, "sigma": 1e-3, "tau0": 100.0}),
    "jansen_rit": ("synaptic", {"y1": 1.0, "y2": -1.0}, {"G": 0.0, "sigma": 0.1, "p": 60.0}),
    "montbrio_pazo_roxin": ("rate", {"r": 1.0}, {"G": 0.0, "sigma": 1e-2}),
    "reduced_wong_wang": ("synaptic", {"S": 1.0}, {"G": 0.0, "sigma": 1e-5}),
    "wilson_cowan": ("rate", {"E": 100.0}, {"G": 0.0, "sigma": 1e-4}),
}


def linear_sd(name, reads, parameters):
    """SD of the tap from the Jacobian of the drift at rest and the amplitudes of the noise."""
    model = MODELS.get(name)
    checked = model.parameters(**parameters)
    setup = model.prepare(checked, tiny_subject(), model.step)
    known = {key: np.broadcast_to(value, 10)[0].item() for key, value in setup.derived.items()}
    rest = [np.broadcast_to(setup.initial.get(state, 0.0), 10)[0].item() for state in model.states]
    flow = jacobian(field(name, **parameters, **known), rest)
    noise = np.zeros((len(rest), model.n_noises))
    for (state, process), size in zip(model.driven, call(model.diffusion, checked.model_dump() | known), strict=True):
        noise[model.states.index(state), process] = size
    covariance = solve_continuous_lyapunov(flow, -noise @ noise.T)
    weights = np.array([reads.get(state, 0.0) for state in model.states])
    return np.sqrt(weights @ covariance @ weights)


@pytest.mark.parametrize("seed", [91, 92, 93])
@pytest.mark.parametrize("name", RESTING)
def test_weak_noise_gives_the_covariance_of_the_linearisation(name, seed):
    tap, reads, parameters = RESTING[name]
    step = min(MODELS.get(name).step, 1e-4 if name == "epileptor" else 1.0)  # its x1 settles within 0.7 ms
    subject = tiny_subject("01", seed)
    samples = waves(name, tap, subject=subject, duration=30.0, rate=1 / step, step=step, **parameters)
    variances = ((samples - samples.mean()) ** 2).mean(axis=0)
    # Ten regions are ten independent draws of the variance; the bias of the step is below 1 %, of float32 samples nothing.
    error = 4 * variances.std(ddof=1) / np.sqrt(10)
    expected = linear_sd(name, reads, parameters) ** 2
    assert abs(variances.mean() - expected) < error + 0.02 * expected
    assert error < 0.3 * expected
