"""Which fluctuations are BOLD? Three echoes of one scan: T2* fitted and true, and kappa and rho of courses whose kind is known.

Where the true T2* is below 10 ms, later echoes hold no more than the ghost and the floor that noise has in a magnitude: there the fit is
too long, the hook at the left of the third panel.
Knob: --snr, grey matter over thermal noise. Where tedana is installed, its decay fit is shown; else ours.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec

import numpy as np

import fakeimaging as fi
from fakeimaging.dataset.echoes import fit_decay, weights_of
from fakeimaging.modalities.bold.drift import drift_courses
from fakeimaging.plotting.canvas import GREY, OBSERVED, TRUTH, bar, equal_line, hidden, row, styled
from fakeimaging.scoring.echoes import kappa_rho

ECHO_TIMES = (0.0145, 0.0385, 0.0625)


def main() -> None:
    """Simulate, fit, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--snr", type=float, default=150.0, help="grey matter over thermal noise")
    parser.add_argument("--small", action="store_true", help="coarse images and a short run")
    parser.add_argument("--figure", default="multi_echo.png", help="where to save the figure")
    options = parser.parse_args()

    subject = fi.make_subject("01", seed=1)
    activity = fi.simulate_activity(subject, duration=80.0 if options.small else 150.0)
    # Without distortion, so that the true maps lie where the images show them; with the drift of a warm scanner.
    scan = {"voxel_size": 7.0 if options.small else 3.5, "echo_times": ECHO_TIMES, "echo_spacing": 0.0}
    bold = fi.acquire("bold", subject, activity, snr=options.snr, drift_percent=2.0, **scan)

    grid = bold.clean.grid
    brain = subject.anatomy.tissue(grid).brain > 0.9
    echoes = np.stack([part.observed.to_array()[brain] for part in bold.parts], axis=1)
    truth = 1 / bold.forward.context["maps"].r2[brain]
    estimate = fitted(echoes)
    seen = echoes[:, -1].mean(axis=1) > 50
    error = np.abs(estimate[seen] / truth[seen] - 1)
    print(f"T2*: median error {100 * np.median(error):.1f} % over {seen.sum()} voxels")

    courses, kinds = known_courses(bold)
    combined = (weights_of(estimate, ECHO_TIMES).T[..., None] * echoes).sum(axis=1)
    kappa, rho = kappa_rho(echoes[seen], combined[seen], courses, ECHO_TIMES)
    right = [(kappa[kinds == "R2*"] > rho[kinds == "R2*"]).mean(), (kappa[kinds == "S0"] < rho[kinds == "S0"]).mean()]
    print(f"kappa above rho for {right[0]:.0%} of the BOLD courses, below for {right[1]:.0%} of drift")
    draw(brain, truth, estimate, kappa, rho, kinds).savefig(options.figure)


def fitted(echoes):
    """Return T2* in s from the means of the echoes over time."""
    if find_spec("tedana") is None:
        return fit_decay(echoes.mean(axis=-1).T, ECHO_TIMES)[0]
    from tedana.decay import fit_decay as tedana_fit

    all_echoes, milliseconds = np.full(len(echoes), len(ECHO_TIMES)), [1000 * time for time in ECHO_TIMES]
    return tedana_fit(echoes, milliseconds, all_echoes, "loglin", report=False)[0].astype(np.float32) / 1000


def known_courses(bold):
    """Return courses and their kinds: the strongest true changes of R2*, the drift of S0, and head motion, which is of both."""
    n = bold.clean.n_volumes
    patterns = strongest(bold.truth["regional_r2"], 4)
    drift = strongest(drift_courses(bold.recipe("drift"), n).T, 1)
    motion = strongest(bold.recipe("motion")["parameters"].T * np.array([1.0] * 3 + [50.0] * 3)[:, None], 1)
    return np.concatenate([patterns, drift, motion]), np.array(["R2*"] * 4 + ["S0", "both"])


def strongest(courses, n):
    """Return the principal courses of rows."""
    return np.linalg.svd(courses - courses.mean(axis=1, keepdims=True), full_matrices=False)[2][:n]


@styled
def draw(brain, truth, estimate, kappa, rho, kinds):
    """Draw a slice of both maps, one against the other, and kappa against rho."""
    figure, axes = row(4, 2.5, 2.8)
    for ax, values, title in zip(axes, (truth, estimate), ("true T2*", "fitted T2*"), strict=False):
        image = np.full(brain.shape, np.nan)
        image[brain] = 1000 * values
        shown = ax.imshow(image[:, :, brain.shape[2] // 2].T, origin="lower", vmin=0, vmax=120, cmap="viridis")
        ax.set_title(title)
        hidden(ax)
    bar(figure, axes[:2], shown, "ms")
    axes[2].plot(1000 * truth, 1000 * estimate, ".", ms=1, color=OBSERVED, rasterized=True)
    equal_line(axes[2], np.array([0.0, 120.0]))
    axes[2].set(xlabel="true T2* (ms)", ylabel="fitted T2* (ms)", xlim=(0, 120), ylim=(0, 120))
    axes[2].set_title("below 10 ms: floor of noise, ghost")
    for kind, colour, label in (("R2*", TRUTH, "R2* (BOLD)"), ("S0", OBSERVED, "S0 (drift)"), ("both", GREY, "motion")):
        axes[3].plot(rho[kinds == kind], kappa[kinds == kind], "o", color=colour, ms=5, label=label)
    equal_line(axes[3], kappa, rho)
    axes[3].set(xlabel="rho", ylabel="kappa", xlim=(0, None), ylim=(0, None))
    axes[3].legend(loc="lower left")
    return figure


if __name__ == "__main__":
    main()
