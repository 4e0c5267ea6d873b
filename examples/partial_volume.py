"""Atrophy looks like loss of uptake: FDG in a cortex that gets thinner while its tissue stays the same, and corrected.

The point spread mixes a thin cortex with the fluid and white matter beside it, so that the mean over a region falls
with its thickness. The geometric transfer matrix knows tissue and point spread and undoes that, as far as both are
known: here also with a point spread taken 1 mm too narrow. Regions are those of a perfect segmentation.
Knob: --fwhm, the resolution of the scanner in mm.
"""

from __future__ import annotations

import argparse

import numpy as np

import fakeimaging as fi
from fakeimaging.modalities.pet.resolution import PointSpread, point_spread
from fakeimaging.modalities.pet.signal import paint
from fakeimaging.modalities.pet.tracers import TRACERS
from fakeimaging.plotting import Volume
from fakeimaging.plotting.canvas import BLUE, GREEN, OBSERVED, TRUTH, bar, row, styled
from fakeimaging.plotting.structure import window_of
from fakeimaging.plotting.volumes import draw_plane
from fakeimaging.scoring.kinetics import suv
from fakeimaging.scoring.partial_volume import partial_volume

STATIC = {"tracer": "fdg", "scan_start": 2400.0, "frames": ((1, 1200.0),)}
"""One frame, 40 to 60 min after injection."""
MOST, NARROWER = 0.3, 1.0
"""Largest share of grey matter that is lost; mm by which a point spread is misjudged."""
WAYS = {"seen": OBSERVED, "corrected": GREEN, "misjudged": BLUE}
WORDS = {
    "seen": "mean over the region",
    "corrected": "corrected",
    "misjudged": f"corrected, point spread {NARROWER:g} mm too narrow",
}


def main() -> None:
    """Simulate, correct, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fwhm", type=float, default=5.0, help="resolution of the scanner in mm, above 1")
    parser.add_argument("--small", action="store_true", help="coarse voxels, less in between")
    parser.add_argument("--figure", default="partial_volume.png", help="where to save the figure")
    options = parser.parse_args()

    losses, voxel_size = np.linspace(0, MOST, 2 if options.small else 4), 4.0 if options.small else 3.0
    healthy = fi.make_subject("01", seed=1)
    activity = fi.simulate_activity(healthy, duration=30.0)
    seen = []
    for loss in losses.tolist():
        subject = fi.make_subject("01", seed=1, atrophy={"kind:cortex": loss})
        scan = fi.acquire("pet", subject, activity, voxel_size=voxel_size, psf_fwhm=options.fwhm, **STATIC)
        seen.append(Seen(subject, scan))
    print(f"FDG in the cortex, its tissue the same throughout; scanner of {options.fwhm:g} mm")
    for way, words in WORDS.items():
        whole, less = (getattr(one, way) for one in (seen[0], seen[-1]))
        bias, apparent = (100 * (np.median(ratio) - 1) for ratio in (whole / seen[0].truth, less / whole))
        print(f"{words}: {bias:+z.1f} % off the truth, and {apparent:+z.1f} % when {100 * MOST:.0f} % are gone")
    draw(healthy, seen, losses).savefig(options.figure, dpi=130)


class Seen:
    """Uptake of each cortical region (Bq/mL) as seen, corrected, misjudged, in truth, and images of both (SUV)."""

    def __init__(self, subject, scan):
        grid, image, spread = scan.clean.grid, scan.observed.volume(0), point_spread(scan.parameters)
        painted, labels, n = paint(subject, grid), subject.labels(grid), subject.n_regions
        narrower = PointSpread(tuple(width - NARROWER for width in spread.near))
        undo, wrong = (partial_volume(painted, labels, n, one) for one in (spread, narrower))
        means = undo.means([image])
        cortex = [region.kind == "cortex" for region in subject.regions]
        right, misjudged = undo.corrected(means), wrong.corrected(means)
        self.seen, self.corrected, self.misjudged, self.truth = (
            values[:n, 0][cortex] for values in (means, right, misjudged, scan.truth["tacs"])
        )
        dose, weight = TRACERS.get("fdg").injected_activity.value, scan.parameters.body_weight
        self.images = [Volume(suv(one, dose, weight), grid.affine) for one in (image, undo.image(image, right[:, 0]))]


@styled
def draw(subject, seen, losses):
    """Draw the cortex as it was and with less of it, as seen and corrected, and what is found of its uptake."""
    figure, axes = row(4, 2.9, 3.1, width_ratios=[1, 1, 1, 1.5])
    z, window = float(np.median(subject.native_centroids()[:, 2])) + 15, window_of(subject)
    images = {
        "whole cortex": seen[0].images[0],
        f"{100 * losses[-1]:.0f} % less": seen[-1].images[0],
        f"{100 * losses[-1]:.0f} % less, corrected": seen[-1].images[1],
    }
    top = float(np.quantile(seen[0].images[1].array, 0.995))
    for ax, (title, image) in zip(axes, images.items(), strict=False):
        shown = draw_plane(ax, image, 2, z, letters=ax is axes[0], cmap="hot", vmax=top)
        ax.set(title=title, xlim=window[:2], ylim=window[2:])
    bar(figure, axes[:3], shown, "SUV")
    axes[3].axhline(0, color=TRUTH, ls="--", lw=0.8, label="truth")
    for way, colour in WAYS.items():
        bias = np.array([100 * (getattr(one, way) / one.truth - 1) for one in seen])
        low, middle, high = np.quantile(bias, [0.1, 0.5, 0.9], axis=1)
        axes[3].fill_between(100 * losses, low, high, color=colour, alpha=0.2, lw=0)
        axes[3].plot(100 * losses, middle, "o-", ms=3, color=colour, label=WORDS[way])
    axes[3].set(xlabel="cortex lost (%)", ylabel="bias of its uptake (%)", title="median and 80 % of its regions")
    axes[3].legend(loc="center right")
    return figure


if __name__ == "__main__":
    main()
