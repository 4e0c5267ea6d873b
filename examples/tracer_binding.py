"""From receptors to a number on a report: raclopride binding by the simplified reference tissue model, against the receptors there are.

Knob: --psf-fwhm, the point spread of scanner and reconstruction in mm: small structures lose their signal to it.
"""

from __future__ import annotations

import argparse

import numpy as np

import fakeimaging as fi
from fakeimaging.plotting import plot_constants
from fakeimaging.scoring.kinetics import Timing, reference_tissue_fit

STRIATUM = ("caudate", "putamen", "ventral striatum")
CARBON_11 = 1221.8 / 60  # min, half life


def main() -> None:
    """Simulate, fit, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--psf-fwhm", type=float, default=4.5, help="point spread in mm")
    parser.add_argument("--small", action="store_true", help="coarse voxels and a short run")
    parser.add_argument("--figure", default="tracer_binding.png", help="where to save the figure")
    options = parser.parse_args()

    subject = fi.make_subject("01", seed=1)
    activity = fi.simulate_activity(subject, duration=20.0 if options.small else 120.0)
    voxel_size = 6.0 if options.small else 3.0
    pet = fi.acquire("pet", subject, activity, tracer="raclopride", voxel_size=voxel_size, psf_fwhm=options.psf_fwhm)

    kinds = [region.kind for region in subject.regions]
    cerebellum = np.array([kind == "cerebellum" for kind in kinds])
    frames = pet.clean.clock
    timing = Timing(frames.starts / 60, frames.ends / 60, np.log(2) / CARBON_11)
    found, best = (
        reference_tissue_fit(curves, np.nanmean(curves[cerebellum], axis=0), timing)[0]
        for curves in (regional_means(pet, subject), pet.truth["tacs_psf"].astype(float))
    )
    truth = pet.truth["bpnd"].astype(float)
    striatum = np.array([kind in STRIATUM for kind in kinds])
    mean = [values[striatum].mean() for values in (found, best, truth)]
    known = np.isfinite(found)
    r = np.corrcoef(found[known], truth[known])[0, 1]
    print(
        f"binding potential of the striatum: {mean[0]:.2f} found, {mean[1]:.2f} within reach of the scanner, {mean[2]:.2f} true"
    )
    print(f"over all regions, found against true: r = {r:.2f}")
    plot_constants(found, best, truth, kinds, "BP$_{ND}$").savefig(options.figure)


def regional_means(pet, subject):
    """Return the mean curve of each region in the noisy image, NaN where it has no voxel."""
    labels = subject.labels(pet.clean.grid).ravel()
    n = np.bincount(labels, minlength=subject.n_regions + 1)
    sums = [np.bincount(labels, volume.ravel(), subject.n_regions + 1) for volume in pet.observed.volumes()]
    return (np.stack(sums, axis=1) / np.where(n > 0, n, np.nan)[:, None])[1:]


if __name__ == "__main__":
    main()
