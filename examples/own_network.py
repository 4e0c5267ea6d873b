"""A network model of your own: neurons that adapt, send what they fire along tracts with delays, and are stimulated.

    du_i/dt = [-u_i - b a_i + G sum_j C_ij s_j(t - d_ij) + stimulus_i] / tau        s_j = tanh(u_j) if u_j > 0, else 0
    da_i/dt = [s_i - a_i] / tau_a                                                   -0.2 <= u_i <= 0.8

C are the weights with rows that sum to 1; what is sent is a function of the sender. The left half is stimulated, the right hears of
it through the tracts. Without noise the course is known: the same equations in plain numpy, step by step. Knob: --G, the coupling.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

import fakeimaging as fi
from fakeimaging import Model, Observable, Setup, parameter
from fakeimaging.activity.wiring import WiringParameters, wiring

STEP = 1e-3
LOWEST, HIGHEST = -0.2, 0.8
FLASH = fi.Condition(trial_type="flash", regions="hemisphere:L", amplitude=0.9, duration=0.5, onsets=[0.5])


class Adapting(WiringParameters):
    """Parameters of the network; how weights are scaled is inherited."""

    tau: float = parameter(0.02, unit="s", bounds=(0.001, 1), description="time constant of the input")
    tau_a: float = parameter(0.3, unit="s", bounds=(0.01, 10), description="time constant of adaptation")
    b: float = parameter(1.0, unit="1", bounds=(0, 10), description="strength of adaptation")
    G: float = parameter(0.9, unit="1", bounds=(0, 10), description="coupling")
    sigma: float = parameter(0.0, unit="1/sqrt(s)", bounds=(0, 10), description="noise")


def firing(u):
    """Sent: what a region fires, nothing below threshold."""
    if u > 0:
        return math.tanh(u)
    return 0.0


def drift(u, a, coupled_firing, stimulus, tau, tau_a, b, G):
    """Time derivatives of input and adaptation."""
    return ((-u - b * a + G * coupled_firing + stimulus) / tau, (firing(u) - a) / tau_a)


def diffusion(sigma):
    """Amplitude of the noise of the input."""
    return (sigma,)


def rate(u):
    """Firing rate; 50 Hz at most."""
    return 50.0 * firing(u)


def prepare(parameters, subject, step):
    """Couple by the weights as the parameters scale them, and start a little above rest."""
    return Setup(wiring(parameters, subject), initial={"u": 0.1})


MODEL = Model(
    name="adapting",
    parameters=Adapting,
    states=("u", "a"),
    sent={"firing": firing},
    drift=drift,
    driven=(("u", 0),),
    diffusion=diffusion,
    limits={"u": (LOWEST, HIGHEST)},
    observables={"rate": Observable(rate, "Hz", 1 / STEP)},
    prepare=prepare,
    stimulus_unit="1",
    largest_stimulus=10.0,
    step=STEP,
    transient=0.0,
)


def flash(times: np.ndarray) -> np.ndarray:
    """Return the stimulus at times in s: on with raised-cosine edges, a latency after its onset."""
    since = times - FLASH.onsets[0] - FLASH.latency
    edges = [np.clip(s / FLASH.rise, 0, 1) for s in (since, since - FLASH.duration)]
    return FLASH.amplitude * (np.cos(np.pi * edges[1]) - np.cos(np.pi * edges[0])) / 2


def expected(subject: fi.Subject, activity: fi.Activity) -> np.ndarray:
    """Return the rates by the same equations in plain Euler steps, shape (n_steps, n_regions)."""
    p, weights, stimulus = (
        activity.parameters,
        subject.connectome.row_normalised(),
        flash(activity.tap("rate").clock.times),
    )
    steps = np.rint(activity.truth["delays"] / STEP).astype(int)
    left = np.array([region.hemisphere == "L" for region in subject.regions])
    longest, senders = steps.max(), np.arange(len(left))
    u, a = np.full(len(left), 0.1), np.zeros(len(left))
    fired = np.tile(np.tanh(u), (longest + len(stimulus), 1))
    for now in range(longest, len(fired)):
        fired[now] = np.tanh(np.maximum(u, 0.0))
        arriving = (weights * fired[now - steps, senders]).sum(axis=1)
        slope = (-u - p.b * a + p.G * arriving + stimulus[now - longest] * left) / p.tau
        a = a + STEP * (fired[now] - a) / p.tau_a
        u = np.clip(u + STEP * slope, LOWEST, HIGHEST)
    return 50.0 * fired[longest:]


def main() -> None:
    """Simulate, score, draw."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--G", type=float, default=0.9, help="coupling")
    arguments.add_argument("--small", action="store_true", help="a tiny brain")
    arguments.add_argument("--figure", default="own_network.png", help="where to save the figure")
    options = arguments.parse_args()

    subject = fi.make_subject("01", seed=1, anatomy="tiny" if options.small else "template")
    activity = fi.simulate_activity(subject, model=MODEL, duration=2.0, parameters={"G": options.G}, conditions=[FLASH])
    tap = activity.tap("rate")
    exact = expected(subject, activity)
    difference = np.abs(tap.samples - exact).max()
    print(f"largest difference from plain numpy: {difference:.1e} Hz, of rates up to {exact.max():.1f} Hz")

    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.subplots()
    shown = tap.clock.times >= 0
    for side, colour in (("L", "tab:red"), ("R", "tab:blue")):
        on = [region.hemisphere == side for region in subject.regions]
        axes.plot(tap.clock.times[shown], tap.samples[shown][:, on].mean(axis=1), colour, lw=2.5, alpha=0.5, label=side)
        axes.plot(tap.clock.times[shown], exact[shown][:, on].mean(axis=1), "k:", lw=1)
    axes.plot([], [], "k:", lw=1, label="numpy")
    axes.set(xlabel="s", ylabel="mean rate (Hz)")
    axes.legend(frameon=False)
    figure.savefig(options.figure, dpi=150)


if __name__ == "__main__":
    main()
