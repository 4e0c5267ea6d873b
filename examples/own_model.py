"""A neural mass of your own: a noisy Stuart-Landau oscillator in one file of plain functions, compiled and scanned.

This file is the model: `MODEL` below could live anywhere, and `fi.simulate_activity(subject, model="own_model.py")` finds it.
Below the Hopf bifurcation (a < 0) the variance of a lone region is known: sigma^2 / (2 |a|) for each component, in the limit
of small amplitude. Knob: --a, the distance from the bifurcation.
"""

from __future__ import annotations

import argparse

import numpy as np

import fakeimaging as fi
from fakeimaging import Model, Observable, Parameters, parameter


class Oscillator(Parameters):
    """Parameters of the oscillator."""

    a: float = parameter(-5.0, unit="1/s", bounds=(-100, 10), description="growth rate; the bifurcation is at 0")
    omega: float = parameter(62.8, unit="rad/s", bounds=(1, 1000), description="angular frequency")
    sigma: float = parameter(0.05, unit="1/sqrt(s)", bounds=(0, 10), description="noise")
    coupling: float = parameter(0.0, unit="1/s", bounds=(0, 100), description="drive through the tracts")


def drift(x, y, coupled_x, a, omega, coupling):
    """Time derivatives of the two components."""
    radius = x * x + y * y
    return ((a - radius) * x - omega * y + coupling * coupled_x, (a - radius) * y + omega * x)


def diffusion(sigma):
    """Noise amplitude of each component."""
    return (sigma, sigma)


def rate(x):
    """A firing rate around 5 Hz."""
    return 5.0 + x


MODEL = Model(
    name="oscillator",
    parameters=Oscillator,
    states=("x", "y"),
    coupled=("x",),
    drift=drift,
    driven=(("x", 0), ("y", 1)),
    diffusion=diffusion,
    observables={"rate": Observable(rate, "Hz", 1000.0)},
    transient=2.0,
    step=5e-5,
)


def main() -> None:
    """Simulate, score, draw."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--a", type=float, default=-5.0, help="growth rate in 1/s, below 0")
    arguments.add_argument("--small", action="store_true", help="a shorter run")
    arguments.add_argument("--figure", default="own_model.png", help="where to save the figure")
    options = arguments.parse_args()
    if options.a >= 0:
        arguments.error("--a is below 0: above the bifurcation the region oscillates, and the formula does not hold")

    subject = fi.make_subject("01", seed=1, anatomy="tiny")
    duration = 20.0 if options.small else 120.0
    activity = fi.simulate_activity(subject, model=MODEL, duration=duration, parameters={"a": options.a})
    tap = activity.tap("rate").from_start()
    found, expected = np.var(tap.by_region, axis=1).mean(), 0.05**2 / (2 * abs(options.a))
    print(f"variance of a region: {found:.3g} simulated, {expected:.3g} in theory (ratio {found / expected:.3f})")

    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(tap.clock.times[:2000], tap.by_region[0, :2000], lw=0.8)
    axes.set(xlabel="s", ylabel="Hz")
    figure.savefig(options.figure)


if __name__ == "__main__":
    main()
