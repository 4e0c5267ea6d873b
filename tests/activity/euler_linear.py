"""The linear network in plain Euler steps, for tests of the engine: tau dx = (g c - x) dt + sigma sqrt(2 tau) dW."""

from fakeimaging import Model, Observable, Parameters, parameter


class EulerParameters(Parameters):
    """Parameters of the linear network."""

    tau: float = parameter(0.1, unit="s")
    gain: float = parameter(0.9, unit="1")
    sigma: float = parameter(0.5, unit="Hz")


def drift(x, coupled_x, tau, gain):
    """Time derivative in Hz/s."""
    return ((gain * coupled_x - x) / tau,)


def diffusion(tau, sigma):
    """Amplitude in Hz per square root of second."""
    return (sigma * (2.0 / tau) ** 0.5,)


def rate(x):
    """Rate in Hz."""
    return x


MODEL = Model(
    name="euler_linear",
    parameters=EulerParameters,
    states=("x",),
    coupled=("x",),
    drift=drift,
    driven=(("x", 0),),
    diffusion=diffusion,
    observables={"rate": Observable(rate, "Hz", 1000.0)},
)
