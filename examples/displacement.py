"""Dopamine released during a scan displaces raclopride: how large must a release be to be seen, and is its size found?

The tracer is given as bolus and infusion, and a challenge releases dopamine in the striatum. The mean curve of that is
fitted by the model of a transient release (lp-ntPET), the onset known to 5 min. A release is seen where it explains
more than in 19 of 20 scans without one. What the scanner's resolution mixes in binds little and is not displaced, so
that large releases look smaller. Each size has the same noise.
Knob: --onset, when the challenge is given, in min: late in the scan it goes unseen.
"""

from __future__ import annotations

import argparse

import numpy as np

import fakeimaging as fi
from fakeimaging.modalities.pet.reference_models import binding_course
from fakeimaging.modalities.pet.tracers import TRACERS
from fakeimaging.plotting.canvas import BLUE, GREY, OBSERVED, TRUTH, equal_line, row, styled
from fakeimaging.scoring.kinetics import Timing, gamma_variates, release_fit
from fakeimaging.structure.selection import chosen

STRIATUM = ("kind:putamen", "kind:caudate", "kind:ventral striatum")
FRAMES = ((4, 15.0), (8, 30.0), (10, 60.0), (5, 120.0), (13, 300.0))
"""90 min."""
PEAK, RISES, ROOM = 10.0, (5.0, 10.0, 20.0), 5.0
"""min from the challenge to the peak of the release; those that are tried; how far off its onset may be."""
SIZES, SHOWN = (0.0, 0.5, 1.0, 2.0, 4.0), 2.0
"""Change of dopamine at its largest, relative to rest; that of the scans which are drawn."""


def main() -> None:
    """Simulate, fit, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--onset", type=float, default=40.0, help="of the release, min after injection")
    parser.add_argument("--small", action="store_true", help="fewer scans and sizes")
    parser.add_argument("--figure", default="displacement.png", help="where to save the figure")
    options = parser.parse_args()

    subject = fi.make_subject("01", seed=1)
    activity = fi.simulate_activity(subject, duration=30.0)
    sizes, n = ((0.0, SHOWN), 8) if options.small else (SIZES, 16)
    scans = [Scans(subject, activity, size, options.onset, n) for size in sizes]
    threshold = np.quantile(scans[0].evidence, 0.95)
    for one in scans[1:]:
        found, seen = 100 * one.found, 100 * np.mean(one.evidence > threshold)
        print(
            f"dopamine {100 * one.size:+.0f} % takes {100 * one.truth:.0f} % of the binding; found {found.mean():.0f} "
            f"(SD {found.std(ddof=1):.0f}) %, seen in {seen:.0f} % of {n} scans"
        )
    draw(scans, threshold, options.onset).savefig(options.figure, dpi=130)


class Scans:
    """Scans that differ by their noise alone, and what is found in them.

    ``truth`` and ``found`` are the share of the binding that is gone at the peak, ``evidence`` is what the release
    explains over what is left unexplained, below 0 where binding seems to grow.
    """

    def __init__(self, subject, activity, size, onset, n):
        challenge = {"onset": 60 * onset, "size": size, "peak": 60 * PEAK, "where": STRIATUM}
        # The challenge alone releases dopamine here, firing does not.
        scan = {"tracer": "raclopride", "administration": "bolus_infusion", "frames": FRAMES, "voxel_size": 4.0}
        scan |= {"challenges": [challenge], "release_gain": 0.0}
        self.responses = gamma_variates(onset + ROOM * np.linspace(-1, 1, 5), RISES)
        self.size, self.curves, self.fits = size, [], []
        for repeat in range(1, n + 1):
            made = fi.acquire("pet", subject, activity, repeat=repeat, **scan)
            if repeat == 1:
                masks = masks_of(subject, made.clean.grid)
                frames = made.clean.clock
                self.timing = Timing(frames.starts / 60, frames.ends / 60, TRACERS.get("raclopride").decay)
            image = made.observed.to_array()
            striatum, cerebellum = (image[mask].mean(axis=0).astype(float) for mask in masks)
            self.curves.append((striatum, cerebellum))
            self.fits.append(release_fit(striatum[None], cerebellum, self.timing, self.responses))
        where = chosen(STRIATUM, subject.regions)
        self.truth, self.taken = (made.truth[name][where].mean(axis=0) for name in ("occupancy", "occupancy_course"))
        self.edges = made.forward.context["uptake"].edges / 60
        self.found = np.array([1 - fit.lowest()[0] / fit.bpnd[0] for fit in self.fits])
        self.evidence = np.array([np.sign(fit.gain[0]) * (1 / fit.ratio[0] - 1) for fit in self.fits])


def masks_of(subject, grid):
    """Return where striatum and cerebellum lie."""
    labels = subject.labels(grid)
    groups = (STRIATUM, ("kind:cerebellum",))
    return [np.isin(labels, 1 + np.flatnonzero(chosen(words, subject.regions))) for words in groups]


@styled
def draw(scans, threshold, onset):
    """Draw curves of one scan, binding in time, what is found against the truth, and how often a release is seen."""
    figure, axes = row(4, 3.0, 2.9)
    one = next(one for one in scans if one.size == SHOWN)
    for curve, colour, name in zip(one.curves[0], (OBSERVED, GREY), ("striatum", "cerebellum"), strict=True):
        axes[0].plot(one.timing.middle, curve / 1000, "o-", ms=2.5, lw=0.6, color=colour, label=name)
    axes[0].axvline(onset, color=BLUE, lw=0.8, ls=":", label="challenge")
    axes[0].set(
        xlabel="min after injection", ylabel="kBq/mL", title=f"one scan, dopamine {100 * SHOWN:+.0f} %", ylim=(0, None)
    )
    axes[0].legend()
    times = np.linspace(0, one.edges[-1], 400)
    for k, fit in enumerate(one.fits):
        course = binding_course(fit.k2, fit.k2a, fit.gain, one.responses[fit.which[0]], times)[0] / fit.bpnd[0]
        axes[1].plot(times, 100 * course, color=OBSERVED, lw=0.5, alpha=0.6, label=None if k else "found, each scan")
    axes[1].stairs(100 * (1 - one.taken), one.edges, baseline=None, color=TRUTH, lw=1.6, label="truth")
    axes[1].set(xlabel="min after injection", ylabel="binding (% of rest)", title="binding in time", ylim=(40, 115))
    axes[1].legend(loc="lower left")
    draw_sizes(axes[2], axes[3], scans, threshold)
    return figure


def draw_sizes(left, right, scans, threshold):
    """Draw share of binding found against the true one, and share of scans in which the release is seen."""
    truth = 100 * np.array([one.truth for one in scans])
    for x, one in zip(truth, scans, strict=True):
        left.plot(np.full(len(one.found), x), 100 * one.found, "o", ms=2.5, color=OBSERVED, alpha=0.5, mew=0)
        left.plot(x, 100 * np.median(one.found), "_", ms=14, mew=1.5, color=BLUE)
    equal_line(left, truth)
    left.set(xlabel="binding truly taken at the peak (%)", ylabel="found (%)", title="blue: median", ylim=(-70, 80))
    seen = [100 * np.mean(one.evidence > threshold) for one in scans]
    right.plot(truth, seen, "o-", ms=4, color=OBSERVED)
    right.axhline(5, color=GREY, lw=0.8, ls="--", label="by chance")
    right.set(xlabel="binding truly taken at the peak (%)", ylabel="scans in which it is seen (%)", ylim=(-3, 103))
    right.set_title("detectability")
    right.legend(loc="center right")


if __name__ == "__main__":
    main()
