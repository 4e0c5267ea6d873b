"""Do patients respond less? A group difference of known size, measured from noisy images, and its null twin without the difference.

The stimulus drives less current into the visual regions of patients. The twin has the same people and the same noise, so that what
is found there is chance. Voxels of 7 mm hold other tissue as well, so all estimates lie below the noise-free responses. Knob:
--difference, in nA; between subjects of a group the current has an SD of 0.003 nA.
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

STUDY = Path(__file__).parents[1] / "data" / "studies" / "group_difference.toml"


def main() -> None:
    """Simulate two groups twice, fit, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--difference", type=float, default=-0.006, help="patients minus controls, in nA")
    parser.add_argument("--small", action="store_true", help="fewer subjects and shorter runs")
    parser.add_argument("--figure", default="group_study.png", help="where to save the figure")
    options = parser.parse_args()

    small = ["subjects=10", "runs.duration=100.0"] if options.small else []
    study = fi.read_study(STUDY, [f"effects.add={options.difference}", *small])
    (imposed,) = contrasts(study)
    print(f"imposed: {imposed.size:g} nA, {imposed.standardised:.1f} SD of the current between subjects")
    groups = [row["group"] for row in participants(study)]
    found = {"with the difference": measured(study), "null twin": measured(study.null_twin())}
    for name, (estimates, truth) in found.items():
        observed, clean = (fi.score.group_effect(values, {"group": groups}, "group") for values in (estimates, truth))
        print(
            f"{name}: patients - controls {observed.estimate:+.2f} % (95 % from {observed.low:+.2f} to {observed.high:+.2f}, "
            f"t = {observed.t:.1f}); noise-free signals of the same people: {clean.estimate:+.2f} %"
        )
    draw(found, np.array(groups), options.figure)


def measured(study):
    """Return each subject's response in percent, estimated from its images and in its noise-free regions, shape (n_subjects,) each."""
    pairs = [response(study.for_subject(label), label) for label in study.labels]
    return np.transpose(pairs)


def response(own, label):
    """Return the mean response of the stimulated regions of one subject: of the observed images, of the clean regions."""
    subject = fi.make_subject(label, seed=own.seed, **own.subject.model_dump(mode="json"))
    run, scan = own.sessions[0].runs[0], own.sessions[0].acquisitions[0]
    activity = fi.simulate_activity(subject, task=run.task, **run.timing)
    bold = fi.acquire("bold", subject, activity, **scan.parameters)

    labels = subject.labels(bold.observed.grid).ravel()
    sums = [np.bincount(labels, volume.ravel(), subject.n_regions + 1) for volume in bold.observed.volumes()]
    series = (np.array(sums) / np.bincount(labels, minlength=subject.n_regions + 1)).T[1:]
    clean, tr = 100 * bold.truth["regional_bold"].astype(float), bold.parameters.tr
    nuisance = np.hstack([np.ones((len(sums), 1)), cosines(len(sums), tr)])
    design = activation.design(table(activity), tr * (np.arange(len(sums)) + 0.5), nuisance)
    percent = 100 * (series / series.mean(axis=1, keepdims=True) - 1)
    reached = [region.network == run.conditions[0].network for region in subject.regions]
    return tuple(activation.least_squares(signal, design)[0][0, reached].mean() for signal in (percent, clean))


def table(activity):
    """Return the events as nilearn takes them."""
    import pandas as pd

    return pd.DataFrame(activity.events, columns=["onset", "duration", "trial_type"])


def draw(found, groups, path):
    """Draw each subject's response by group, estimated over noise-free, with the means of the groups."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    panels = figure.subplots(1, len(found), sharey=True)
    for axes, (name, (estimates, truth)) in zip(panels, found.items(), strict=True):
        for place, group in enumerate(("control", "patient")):
            own = groups == group
            across = place + np.linspace(-0.2, 0.2, own.sum())
            axes.plot([across, across], [estimates[own], truth[own]], color="0.8", lw=1, zorder=1)
            axes.scatter(
                across, truth[own], s=22, facecolors="none", edgecolors="k", label="noise-free" if not place else None
            )
            axes.scatter(across, estimates[own], s=18, color=f"C{place}", label="estimated" if not place else None)
            axes.plot([place - 0.3, place + 0.3], [estimates[own].mean()] * 2, color=f"C{place}", lw=2)
        axes.set(title=name, xticks=[0, 1], xticklabels=["controls", "patients"])
    panels[0].set_ylabel("response of the stimulated regions (%)")
    panels[0].legend(frameon=False)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
