"""Do patients respond less? A group difference of known size, measured from noisy images, and its null twin without the difference.

The response imposed on the visual regions of patients is smaller. The twin has the same people and the same noise, so that what is
found there is who happened to take part, and noise. Knob: --difference, in percent of the signal; within a group the response has
an SD of 0.4 %.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import fakeimaging as fi
from fakeimaging.dataset.confounds import cosines
from fakeimaging.dataset.contrasts import contrasts
from fakeimaging.dataset.participants import participants
from fakeimaging.scoring import activation

GREY = 0.9
"""Share of grey matter from which a voxel counts."""
STUDY = Path(__file__).parents[1] / "data" / "studies" / "group_difference.toml"


def main() -> None:
    """Simulate two groups twice, fit, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--difference", type=float, default=-0.6, help="patients minus controls, in percent")
    parser.add_argument("--small", action="store_true", help="fewer subjects and shorter runs")
    parser.add_argument("--figure", default="group_study.png", help="where to save the figure")
    options = parser.parse_args()

    small = ["subjects=8", "runs.duration=100.0"] if options.small else []
    study = fi.read_study(STUDY, [f"effects.add={options.difference}", *small])
    (imposed,) = contrasts(study)
    print(f"in the population: {imposed.size:+.2f} %, {imposed.standardised:.1f} SD between subjects")
    groups = [row["group"] for row in participants(study)]
    found = {"with the difference": measured(study), "null twin": measured(study.null_twin())}
    for name, (estimates, truth) in found.items():
        images, people = (fi.score.group_effect(values, {"group": groups}, "group") for values in (estimates, truth))
        print(
            f"{name}: patients - controls {images.estimate:+.2f} % (95 % from {images.low:+.2f} to {images.high:+.2f}, "
            f"t = {images.t:.1f}); imposed on these people: {people.estimate:+.2f} %"
        )
    draw(found, np.array(groups), options.figure)


def measured(study):
    """Return each subject's response in percent, estimated from its images and as it was imposed, shape (n_subjects,) each."""
    return np.transpose([response(study.for_subject(label), label) for label in study.labels])


def response(own, label):
    """Return the mean response of the stimulated regions of one subject, estimated and imposed, in percent."""
    subject = fi.make_subject(label, seed=own.seed, **own.subject.model_dump(mode="json"))
    run, scan = own.sessions[0].runs[0], own.sessions[0].acquisitions[0]
    activity = fi.simulate_activity(subject, model=run.model, task=run.task, **run.timing)
    bold = fi.acquire("bold", subject, activity, **scan.parameters)

    grid, look = bold.observed.grid, run.conditions[0]
    labels = np.where(subject.anatomy.tissue(grid).grey > GREY, subject.labels(grid), 0)
    wanted = [labels == i + 1 for i, region in enumerate(subject.regions) if region.network == look.network]
    series = np.array([[volume[mask].mean() for mask in wanted] for volume in bold.observed.volumes()]).T
    n = series.shape[1]
    frames, nuisance = (
        bold.parameters.tr * (np.arange(n) + 0.5),
        np.hstack([np.ones((n, 1)), cosines(n, bold.parameters.tr)]),
    )
    percent = 100 * (series / series.mean(axis=1, keepdims=True) - 1)
    beta, _ = activation.least_squares(percent, activation.design(table(activity), frames, nuisance))
    return beta[0].mean(), look.percent


def table(activity):
    """Return the events as nilearn takes them."""
    import pandas as pd

    return pd.DataFrame(list(activity.events))[["onset", "duration", "trial_type"]]


def draw(found, groups, path):
    """Draw each subject's response by group, estimated beside the imposed one, with the means of the groups."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    panels = figure.subplots(1, len(found), sharey=True)
    for axes, (name, (estimates, truth)) in zip(panels, found.items(), strict=True):
        for place, group in enumerate(("control", "patient")):
            own = groups == group
            across = place + np.linspace(-0.2, 0.2, own.sum())
            axes.plot([across, across], [estimates[own], truth[own]], color="0.8", lw=1, zorder=1)
            axes.scatter(
                across, truth[own], s=22, facecolors="none", edgecolors="k", label="imposed" if not place else None
            )
            axes.scatter(across, estimates[own], s=18, color="C0", label="estimated" if not place else None)
            mean = "mean of the estimates" if not place else None
            axes.plot([place - 0.3, place + 0.3], [estimates[own].mean()] * 2, color="C0", lw=2, label=mean)
        axes.set(title=name, xticks=[0, 1], xticklabels=["controls", "patients"])
    panels[0].set_ylabel("response of the stimulated regions (%)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
