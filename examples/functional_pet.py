"""What a task costs: FDG infused for 50 min, in which the subject looks for ten and moves for ten; one scan shows both.

A region that works harder traps more, and its curve turns steeper. Each curve is taken apart into that of the regions
at rest, what is in its blood, and for each task a ramp that climbs by the plasma of its time: the size of that ramp is
the change of glucose metabolism. Decays are counted along lines here and reconstructed, since the noise of a region's
mean is what matters.
Knob: --amplitude, the current in nA that a task drives into its network.
"""

from __future__ import annotations

import argparse

import numpy as np

import fakeimaging as fi
from fakeimaging.modalities.pet.constants import to_ki
from fakeimaging.modalities.pet.resolution import point_spread
from fakeimaging.modalities.pet.signal import paint
from fakeimaging.modalities.pet.tracers import TRACERS
from fakeimaging.plotting import Volume
from fakeimaging.plotting.canvas import BLUE, GREEN, GREY, bar, blank, equal_line, styled
from fakeimaging.plotting.structure import window_of
from fakeimaging.plotting.volumes import draw_plane
from fakeimaging.scoring.activation import area_under_curve
from fakeimaging.scoring.kinetics import Plasma
from fakeimaging.scoring.partial_volume import partial_volume

TASKS = {"look": ("Visual", 12), "move": ("SomatomotorDorsal", 32)}
"""Network that each drives, and the minute at which it begins."""
MINUTES, LENGTH = 50, 10
"""Of the scan, and of a task."""
COLOURS = {"look": BLUE, "move": GREEN}
UNIT = "\N{MICRO SIGN}mol/100 mL/min"


def main() -> None:
    """Simulate, fit, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--amplitude", type=float, default=0.004, help="current of a task in nA")
    parser.add_argument("--small", action="store_true", help="coarse voxels, half as many regions")
    parser.add_argument("--figure", default="functional_pet.png", help="where to save the figure")
    options = parser.parse_args()

    subject = fi.make_subject("01", seed=1, n_regions=50 if options.small else 100)
    tasks = [
        fi.Condition(
            trial_type=task, network=network, amplitude=options.amplitude, onset=60.0 * start, duration=60.0 * LENGTH
        )
        for task, (network, start) in TASKS.items()
    ]
    run = {"duration": 60.0 * MINUTES, "step": 0.002, "taps": {"rate": 1.0, "inhibitory_rate": 1.0}}
    activity = fi.simulate_activity(subject, task="fpet", conditions=tasks, **run)
    scan = {
        "administration": "infusion",
        "frames": ((MINUTES, 60.0),),
        "follow": True,
        "tier": "projection",
        "psf_model": False,
    }
    pet = fi.acquire("pet", subject, activity, tracer="fdg", voxel_size=5.0 if options.small else 4.0, **scan)

    grid, networks = pet.clean.grid, np.array([region.network for region in subject.regions])
    undo = partial_volume(paint(subject, grid), subject.labels(grid), subject.n_regions, point_spread(pet.parameters))
    curves = undo.corrected(undo.means(pet.observed.volumes()))[: subject.n_regions]
    driven = {task: networks == network for task, (network, _) in TASKS.items()}
    rest = curves[~np.any(list(driven.values()), axis=0)].mean(axis=0)
    design = np.stack([*ramps(drawn(pet)), rest])
    parts = np.linalg.lstsq(design.T, curves.T, rcond=None)[0]
    found = {task: in_umol(parts[k]) for k, task in enumerate(TASKS)}
    truth = {task: true_change(pet, task) for task in TASKS}
    for task, here in driven.items():
        r, auc = np.corrcoef(found[task], truth[task])[0, 1], area_under_curve(found[task], here)
        print(
            f"{task}: CMRglc of the {here.sum()} regions of its network {found[task][here].mean():+.1f} found, "
            f"{truth[task][here].mean():+.1f} umol/100 mL/min true; r = {r:.2f} over all regions, AUC {auc:.2f}"
        )
    draw(subject, undo, curves, design, parts, driven, found, truth).savefig(options.figure, dpi=130)


def drawn(scan):
    """Return the plasma curve as samples show it."""
    table = next(table for table in scan.companions if table.name == "recording-manual_blood")
    values = dict(zip(table.columns, np.array(table.rows, dtype=float).T, strict=True))
    return Plasma(values["time"] / 60, values["plasma_radioactivity"])


def ramps(plasma):
    """Return the mean in each frame of what plasma has brought during each task, and of plasma itself."""
    times = (np.arange(60 * MINUTES) + 0.5) / 60
    blood = plasma.at(times)
    during = [(times > start) & (times < start + LENGTH) for _, start in TASKS.values()]
    return [
        course.reshape(MINUTES, 60).mean(axis=1) for course in (*(np.cumsum(blood * on) / 60 for on in during), blood)
    ]


def in_umol(ki):
    """Return glucose metabolism (umol/100 mL/min) from net uptake (mL/cm3/min); vessels trap nothing."""
    fdg = TRACERS.get("fdg")
    return ki / (1 - fdg.constant("vB")) / to_ki(fdg)


def true_change(scan, task):
    """Return the true metabolism of each region during a task over that at rest."""
    edges = scan.forward.context["uptake"].edges / 60
    middle = (edges[1:] + edges[:-1]) / 2
    on = {name: (middle > start) & (middle < start + LENGTH) for name, (_, start) in TASKS.items()}
    course = scan.truth["cmrglc_course"]
    return course[:, on[task]].mean(axis=1) - course[:, ~np.any(list(on.values()), axis=0)].mean(axis=1)


@styled
def draw(subject, undo, curves, design, parts, driven, found, truth):
    """Draw curves, what tasks add to them, changes found against true, and where."""
    figure = blank(10.5, 5.6)
    above, below = figure.subfigures(2, 1, height_ratios=[1.1, 1])
    axes, times = above.subplots(1, 3), np.arange(MINUTES) + 0.5
    axes[0].plot(times, design[-1] / 1000, color=GREY, label="others")
    for task, (network, start) in TASKS.items():
        colour, here = COLOURS[task], driven[task]
        added = curves[here] - parts[2:, here].T @ design[2:]
        axes[0].plot(times, curves[here].mean(axis=0) / 1000, color=colour, label=network)
        axes[1].plot(times, added.mean(axis=0) / 1000, "o", ms=2, color=colour)
        axes[1].plot(times, parts[:2, here].mean(axis=1) @ design[:2] / 1000, color=colour, label=network)
        axes[2].plot(truth[task], found[task], "o", ms=3, color=colour, mfc="none", mew=0.8, label=task)
        for ax in axes[:2]:
            ax.axvspan(start, start + LENGTH, color=colour, alpha=0.15, lw=0)
    axes[0].set(xlabel="min of infusion", ylabel="kBq/mL", title="FDG, partial volume undone")
    axes[1].set(xlabel="min of infusion", ylabel="kBq/mL", title="what the tasks add (shaded), and the fit")
    equal_line(axes[2], *truth.values())
    axes[2].set(xlabel=f"true change of CMR$_{{glc}}$, {UNIT}", ylabel="found")
    for ax, place in zip(axes, ("upper left", "upper left", "lower right"), strict=True):
        ax.legend(loc=place)
    draw_maps(below, subject, undo, found, truth)
    return figure


def draw_maps(figure, subject, undo, found, truth):
    """Draw changes found and true of each region in a plane through what each task drives."""
    axes = figure.subplots(1, 4)
    labels, affine, (left, right, back, front) = undo.painted.labels, undo.painted.grid.affine, window_of(subject)
    limit = 1.5 * max(values.max() for values in truth.values())
    for k, (task, (network, _)) in enumerate(TASKS.items()):
        there = [i + 1 for i, region in enumerate(subject.regions) if region.network == network]
        plane = np.isin(labels, there).sum(axis=(0, 1)).argmax()
        for ax, (word, values) in zip(axes[2 * k :], (("found", found), ("true", truth)), strict=False):
            painted = np.append(np.nan, values[task])[labels]
            z = affine[2, 3] + plane * affine[2, 2]
            shown = draw_plane(
                ax, Volume(painted, affine), 2, z, letters=word == "found", cmap="RdBu_r", vmin=-limit, vmax=limit
            )
            ax.set(title=f"{task}, {word}", xlim=(left, right), ylim=(back, front))
    bar(figure, list(axes), shown, UNIT)


if __name__ == "__main__":
    main()
