"""How does coupling make a network fluctuate? A sweep over the loop gain, against the exact answer.

Fluctuations of a linear network grow as its feedback approaches instability; the Lyapunov equation says by how much. Every gain is
simulated with the same noises, a few independent ones each. Knob: --runs, how many.
"""

from __future__ import annotations

import argparse

import numpy as np

import fakeimaging as fi
from fakeimaging.activity.models.linear import LinearParameters, covariance
from fakeimaging.structure.subject import Subject


def measure(activity: fi.Activity) -> dict[str, float]:
    """Variance of a region around its known mean, averaged over the regions."""
    deviations = activity.tap("rate").from_start().samples - activity.parameters.baseline
    return {"variance": np.mean(deviations**2, dtype=float)}


def exact_variance(subject: Subject, gain: float) -> float:
    """The same from the Lyapunov equation."""
    return covariance(LinearParameters(gain=gain), subject.connectome.row_normalised()).diagonal().mean()


def main() -> None:
    """Sweep, score, draw."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=8, help="independent runs at each gain, at least 3")
    arguments.add_argument("--small", action="store_true", help="a tiny brain and shorter runs")
    arguments.add_argument("--figure", default="sweep_coupling.png", help="where to save the figure")
    options = arguments.parse_args()
    if options.runs < 3:
        arguments.error("--runs is at least 3: the standard error comes from the differences between them")

    subject = fi.make_subject("01", seed=1, anatomy="tiny" if options.small else "template")
    table = fi.sweep(
        subject,
        model="linear",
        parameters={"gain": np.linspace(0, 0.9, 10)},
        runs=options.runs,
        measure=measure,
        delays=False,
        duration=30.0 if options.small else 40.0,
        taps={"rate": 1000.0},
    )
    found = table.groupby("gain")["variance"].agg(["mean", "sem"])
    exact = np.array([exact_variance(subject, gain) for gain in found.index])
    errors = (found["mean"] - exact) / found["sem"]
    print(table.groupby("gain")["variance"].mean().round(4).to_frame("simulated").assign(exact=exact.round(4)))
    print(f"largest deviation: {np.abs(errors).max():.1f} standard errors, at gain {np.abs(errors).idxmax():.1f}")

    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    gains = np.linspace(0, 0.95, 60)
    axes.plot(gains, [np.sqrt(exact_variance(subject, gain)) for gain in gains], "k", lw=1, label="Lyapunov equation")
    sd = np.sqrt(found["mean"])
    axes.errorbar(found.index, sd, found["sem"] / (2 * sd), fmt="o", ms=4, label=f"{options.runs} runs")
    axes.set(xlabel="loop gain", ylabel="SD of a region's rate (Hz)")
    axes.legend(frameon=False)
    figure.savefig(options.figure, dpi=150)


if __name__ == "__main__":
    main()
