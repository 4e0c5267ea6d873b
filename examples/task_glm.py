"""Which regions does a task activate? A general linear model on the noisy images, against what the noise-free regions did.

Knob: --amplitude, the current in nA that the stimulus drives into the visual regions.
"""

from __future__ import annotations

import argparse

import numpy as np

import fakeimaging as fi
from fakeimaging.plotting import Response, Volume, plot_activation
from fakeimaging.scoring import activation


def main() -> None:
    """Simulate, fit, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--amplitude", type=float, default=0.02, help="stimulus current in nA")
    parser.add_argument("--small", action="store_true", help="coarse images and a short run")
    parser.add_argument("--figure", default="task_glm.png", help="where to save the figure")
    options = parser.parse_args()

    subject = fi.make_subject("01", seed=1)
    look = fi.Condition(
        trial_type="look", network="Visual", amplitude=options.amplitude, onset=10.0, period=30.0, duration=15.0
    )
    duration = 100.0 if options.small else 240.0
    activity = fi.simulate_activity(subject, task="look", duration=duration, conditions=[look])
    bold = fi.acquire("bold", subject, activity, voxel_size=7.0 if options.small else 3.5)

    labels, truth = subject.labels(bold.clean.grid), 100 * bold.truth["regional_bold"]
    estimate = fitted(bold, activity, labels, subject.n_regions)
    events, frames = table(activity), bold.parameters.tr * (np.arange(truth.shape[1]) + 0.5)
    design = activation.design(events, frames, np.ones((truth.shape[1], 1)))
    true_beta = activation.least_squares(truth, design)[0][0]
    active = np.abs(true_beta) > activation.ACTIVE * np.abs(true_beta).max()
    strong = np.abs(true_beta) > 0.5 * np.abs(true_beta).max()
    known = np.isfinite(estimate)
    r = np.corrcoef(estimate[known], true_beta[known])[0, 1]
    auc = activation.area_under_curve(estimate[known], strong[known])
    print(f"estimated against true response: r = {r:.2f} over {known.sum()} regions, {active.sum()} of them active")
    print(
        f"area under the curve for the {strong.sum()} regions with at least half of the strongest response: {auc:.2f}"
    )
    shown = Volume(labels, bold.clean.grid.affine)
    plot_activation([Response("look", estimate, true_beta)], shown, subject.native_centroids()).savefig(options.figure)


def table(activity):
    """Return the events as nilearn takes them."""
    import pandas as pd

    return pd.DataFrame(list(activity.events))[["onset", "duration", "trial_type"]]


def fitted(bold, activity, labels, n_regions):
    """Return the response of each region in percent as nilearn's first-level model finds it in the observed images."""
    import nibabel as nib
    from nilearn.glm.first_level import FirstLevelModel
    from nilearn.maskers import NiftiMasker

    image = bold.observed.to_nifti()
    brain = NiftiMasker(nib.Nifti1Image((labels > 0).astype(np.uint8), image.affine), standardize=None).fit()
    tr = bold.parameters.tr
    model = FirstLevelModel(
        t_r=tr, slice_time_ref=0.5, hrf_model="spm", high_pass=1 / 128, mask_img=brain, signal_scaling=0
    )
    effect = model.fit(image, events=table(activity)).compute_contrast("look", output_type="effect_size")
    values = np.asarray(effect.dataobj)
    means = [values[labels == i + 1].mean() if (labels == i + 1).any() else np.nan for i in range(n_regions)]
    return np.array(means)


if __name__ == "__main__":
    main()
