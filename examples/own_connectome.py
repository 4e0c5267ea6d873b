"""Your atlas and your connectome, from files: what functional connectivity shows of the wiring, and what a lesion takes away.

Knob: --lesion, the label of a region whose tracts are all cut.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import fakeimaging as fi
from fakeimaging.plotting import plot_connectivity

DATA = Path(__file__).parents[1] / "data"


def main() -> None:
    """Simulate, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lesion", type=int, default=0, help="label of a region to cut off, 1 to 24; 0 for none")
    parser.add_argument("--small", action="store_true", help="coarse images and a short run")
    parser.add_argument("--figure", default="own_connectome.png", help="where to save the figure")
    options = parser.parse_args()

    wiring = fi.read_connectome(DATA / "connectome24.csv")
    if not 0 <= options.lesion <= wiring.n_regions:
        parser.error(f"--lesion is a label from 1 to {wiring.n_regions}, or 0")
    weights = np.array(wiring.weights)
    if options.lesion:
        weights[options.lesion - 1] = weights[:, options.lesion - 1] = 0
    own = fi.Connectome(weights, wiring.tract_lengths)
    subject = fi.make_subject(
        "01", seed=2, connectome=own, atlas=str(DATA / "atlas24.nii.gz"), atlas_table=str(DATA / "atlas24.tsv")
    )
    activity = fi.simulate_activity(subject, duration=100.0 if options.small else 300.0)
    bold = fi.acquire("bold", subject, activity, voxel_size=7.0 if options.small else 3.5)

    labels, voxels = subject.labels(bold.clean.grid), bold.observed.to_array()
    observed = np.stack([voxels[labels == i + 1].mean(axis=0) for i in range(subject.n_regions)])
    estimate, truth = np.corrcoef(observed), np.corrcoef(bold.truth["regional_bold"])
    pairs = np.triu_indices(subject.n_regions, 1)
    joined = (weights + weights.T)[pairs]
    recovered = np.corrcoef(estimate[pairs], truth[pairs])[0, 1]
    shown = np.corrcoef(estimate[pairs][joined > 0], np.log(joined[joined > 0]))[0, 1]
    print(f"observed against true connectivity: r = {recovered:.2f} over {len(joined)} pairs")
    print(f"observed connectivity against log weight: r = {shown:.2f} over {(joined > 0).sum()} tracts")
    if options.lesion:
        row = np.delete(truth[options.lesion - 1], options.lesion - 1)
        print(f"true connectivity of {subject.regions[options.lesion - 1].name}, cut off: {row.mean():.2f} on average")
    plot_connectivity(estimate, truth, subject.regions).savefig(options.figure)


if __name__ == "__main__":
    main()
