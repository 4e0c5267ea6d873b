"""The Stuart-Landau oscillators of `common.py`, as a model file of a user: coupled through x alone, so that each reads what
the others read. Times in s; the equations are written out, with no exact steps, so that the scheme is the others' too.
"""

from __future__ import annotations

from fakeimaging.activity.model import Model, Observable, Setup
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.structure.subject import Subject


class OscillatorParameters(Parameters):
    """Parameters of the oscillators."""

    a: float = parameter(-20.0, unit="1/s", bounds=(-1000, 1000), symbol="a", description="bifurcation parameter")
    omega: float = parameter(62.8, unit="rad/s", bounds=(0, 1000), symbol="w", description="angular frequency")
    K: float = parameter(50.0, unit="1/s", bounds=(0, 1000), symbol="K", description="diffusive coupling of x")
    sigma: float = parameter(0.06, unit="1/sqrt(s)", bounds=(0, 100), symbol="s", description="noise of x and y")
    start: float = parameter(0.1, unit="1", bounds=(-10, 10), description="first value of x")


def drift(x, y, coupled_x, a, omega, K, received):  # type: ignore[no-untyped-def]
    """Time derivatives of x and y in 1/s."""
    radial = a - 1000.0 * (x * x + y * y)
    return (radial * x - omega * y + K * (coupled_x - received * x), radial * y + omega * x)


def diffusion(sigma):  # type: ignore[no-untyped-def]
    """Amplitude of the noise per square root of second."""
    return (sigma, sigma)


def position(x):  # type: ignore[no-untyped-def]
    """The state x."""
    return x


def prepare(parameters: OscillatorParameters, subject: Subject, step: float) -> Setup:
    """Couple by the weights as they are."""
    weights = subject.connectome.weights
    return Setup(weights, {"x": parameters.start}, {"received": weights.sum(axis=1)})


MODEL = Model(
    name="benchmark_oscillators",
    parameters=OscillatorParameters,
    states=("x", "y"),
    coupled=("x",),
    drift=drift,
    driven=(("x", 0), ("y", 1)),
    diffusion=diffusion,
    observables={"x": Observable(position, "1", 1000.0)},
    prepare=prepare,
    step=1e-4,
    transient=0.0,
)
