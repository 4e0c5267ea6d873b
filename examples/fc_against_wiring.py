"""Does functional connectivity show the wiring? One subject, one resting run, and the correlation a user would compute.

Knob: --loop-gain, how strongly the whole network feeds back on itself (0 to 0.95).
"""

from __future__ import annotations

import argparse

import numpy as np

import fakeimaging as fi
from fakeimaging.plotting import plot_connectivity


def main() -> None:
    """Simulate, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loop-gain", type=float, default=0.9, help="gain of the whole network")
    parser.add_argument("--small", action="store_true", help="a tiny brain and a short run")
    parser.add_argument("--figure", default="fc_against_wiring.png", help="where to save the figure")
    options = parser.parse_args()

    subject = fi.make_subject("01", seed=1, anatomy="tiny" if options.small else "template")
    duration = 120.0 if options.small else 300.0
    activity = fi.simulate_activity(subject, duration=duration, parameters={"loop_gain": options.loop_gain})
    bold = fi.acquire("bold", subject, activity, voxel_size=7.0 if options.small else 3.5)

    labels = subject.labels(bold.clean.grid)
    voxels = bold.observed.to_array()
    observed = np.stack([voxels[labels == i + 1].mean(axis=0) for i in range(subject.n_regions)])
    estimate, truth = np.corrcoef(observed), np.corrcoef(bold.truth["regional_bold"])

    pairs = np.triu_indices(subject.n_regions, 1)
    weights = subject.connectome.weights[pairs]
    wired = weights > 0
    recovered = np.corrcoef(estimate[pairs], truth[pairs])[0, 1]
    shown = np.corrcoef(estimate[pairs][wired], np.log(weights[wired]))[0, 1]
    print(f"observed against true connectivity: r = {recovered:.2f} over {len(weights)} pairs")
    print(f"observed connectivity against log weight: r = {shown:.2f} over {wired.sum()} tracts")
    plot_connectivity(estimate, truth).savefig(options.figure)


if __name__ == "__main__":
    main()
