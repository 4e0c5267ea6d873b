"""Which fluctuations are BOLD? Three echoes of one scan: T2* fitted and true, and kappa and rho of courses whose kind is known.

Knob: --snr, grey matter over thermal noise. Where tedana is installed, its decay fit is shown; else ours.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec

import numpy as np

import fakeimaging as fi
from fakeimaging.dataset.echoes import fit_decay, weights_of
from fakeimaging.plotting.canvas import OBSERVED, TRUTH, bar, equal_line, hidden, row, styled
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
    activity = fi.simulate_activity(subject, duration=80.0 if options.small else 200.0)
    # Without distortion, so that the true maps lie where the images show them.
    scan = {"voxel_size": 7.0 if options.small else 3.5, "echo_times": ECHO_TIMES, "echo_spacing": 0.0}
    bold = fi.acquire("bold", subject, activity, snr=options.snr, **scan)

    grid = bold.clean.grid
    brain = subject.anatomy.tissue(grid).brain > 0.9
    echoes = np.stack([part.observed.to_array()[brain] for part in bold.parts], axis=1)
    truth = 1 / bold.forward.context["maps"].r2[brain]
    estimate = fitted(echoes)
    seen = echoes[:, -1].mean(axis=1) > 50
    error = np.abs(estimate[seen] / truth[seen] - 1)
    print(f"T2*: median error {100 * np.median(error):.1f} % over {seen.sum()} voxels")

    names, courses, is_bold = known_courses(bold)
    combined = (weights_of(estimate, ECHO_TIMES).T[..., None] * echoes).sum(axis=1)
    kappa, rho = kappa_rho(echoes[seen], combined[seen], courses, ECHO_TIMES)
    print(f"kind of course told by kappa > rho: {np.mean((kappa > rho) == is_bold):.0%} of {len(names)} right")
    draw(brain, truth, estimate, kappa, rho, is_bold).savefig(options.figure)


def fitted(echoes):
    """Return T2* in s from the means of the echoes over time."""
    if find_spec("tedana") is None:
        return fit_decay(echoes.mean(axis=-1).T, ECHO_TIMES)[0]
    from tedana.decay import fit_decay as tedana_fit

    all_echoes, milliseconds = np.full(len(echoes), len(ECHO_TIMES)), [1000 * time for time in ECHO_TIMES]
    return tedana_fit(echoes, milliseconds, all_echoes, "loglin", report=False)[0].astype(np.float32) / 1000


def known_courses(bold):
    """Return courses of both kinds: the strongest patterns of true changes of R2*, and what the scanner's drift does."""
    changes = bold.truth["regional_r2"] - bold.truth["regional_r2"].mean(axis=1, keepdims=True)
    patterns = np.linalg.svd(changes, full_matrices=False)[2][:4]
    n = patterns.shape[1]
    drifts = np.stack([np.cos(np.pi * k * (np.arange(n) + 0.5) / n) for k in (1, 2)])
    names = [f"BOLD {k + 1}" for k in range(4)] + ["drift 1", "drift 2"]
    return names, np.concatenate([patterns, drifts]), np.array([True] * 4 + [False] * 2)


@styled
def draw(brain, truth, estimate, kappa, rho, is_bold):
    """Draw a slice of both maps, one against the other, and kappa against rho."""
    figure, axes = row(4, 2.4, 2.6)
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
    for kind, colour, label in (
        (is_bold, TRUTH, "changes of R2* (BOLD)"),
        (~is_bold, OBSERVED, "changes of S0 (drift)"),
    ):
        axes[3].plot(rho[kind], kappa[kind], "o", color=colour, ms=5, label=label)
    equal_line(axes[3], kappa, rho)
    axes[3].set(xlabel="rho", ylabel="kappa", xscale="log", yscale="log")
    axes[3].legend(loc="upper center", bbox_to_anchor=(0.5, 1.18))
    return figure


if __name__ == "__main__":
    main()
