"""From receptors to the binding potential a PET centre would report: one subject, one raclopride scan, one score.

Knob: --gain, how strongly dopamine, which competes with the tracer, follows each region's firing (0 switches it off).
"""

from __future__ import annotations

import argparse

import numpy as np

import fakeimaging as fi
from fakeimaging.plotting import plot_constants
from fakeimaging.scoring.kinetics import Timing, reference_tissue_fit

CARBON_11 = np.log(2) / 20.363
"""Decay constant in 1/min."""


def main() -> None:
    """Simulate, fit, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gain", type=float, default=1.0, help="dopamine change over firing change")
    parser.add_argument("--small", action="store_true", help="coarse voxels and a short run")
    parser.add_argument("--figure", default="receptor_to_binding.png", help="where to save the figure")
    options = parser.parse_args()

    subject = fi.make_subject("01", seed=1)
    activity = fi.simulate_activity(subject, duration=30.0 if options.small else 300.0)
    voxel_size = 4.0 if options.small else 3.0
    scan = fi.acquire("pet", subject, activity, tracer="raclopride", voxel_size=voxel_size, release_gain=options.gain)

    labels, voxels = subject.labels(scan.clean.grid), scan.observed.to_array()
    curves = np.stack([voxels[labels == i + 1].mean(axis=0) for i in range(subject.n_regions)]).astype(float)
    kinds = np.array([region.kind for region in subject.regions])
    reference = curves[kinds == "cerebellum"].mean(axis=0)
    frames = scan.clean.clock
    timing = Timing(frames.starts / 60, frames.ends / 60, CARBON_11)
    estimate, _, _ = reference_tissue_fit(curves, reference, timing)

    truth = scan.truth["bpnd"]
    r = np.corrcoef(estimate, truth)[0, 1]
    print(f"binding potential, estimated against true: r = {r:.2f} over {len(truth)} regions")
    for kind in ("putamen", "caudate", "ventral striatum", "cortex"):
        here = kinds == kind
        print(f"{kind}: {estimate[here].mean():.2f} of {truth[here].mean():.2f}, the rest is lost to resolution")
    behind = scan.truth["tacs_psf"].astype(float)
    reachable, _, _ = reference_tissue_fit(behind, behind[kinds == "cerebellum"].mean(axis=0), timing)
    plot_constants(estimate, reachable, truth.astype(float), kinds, "BP$_{ND}$").savefig(options.figure)


if __name__ == "__main__":
    main()
