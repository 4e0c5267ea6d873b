"""One scanner sees structure or function: UCB-J binds to synapses, FDG is trapped where neurons fire. Three visits.

Between the visits the left half of a network first loses tracts while activity stays as it was, then has them again
and is kept silent. UCB-J shows the first and FDG the second; the other tracer gives the same bits each time. That
synapses follow the strength of tracts is an assumption of this package. Noise is drawn once, so that visits differ by
the subject alone. Curves of regions have their partial volume undone by the geometric transfer matrix.
Knob: --share, the share of the weight of those tracts that is lost.
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
from fakeimaging.plotting.canvas import BLUE, GREY, OBSERVED, TRUTH, bar, blank, equal_line, note, styled
from fakeimaging.plotting.structure import window_of
from fakeimaging.plotting.volumes import draw_plane
from fakeimaging.scoring.kinetics import Plasma, Timing, one_tissue_fit, patlak, suv, window_mean
from fakeimaging.scoring.partial_volume import partial_volume

NETWORK, SILENCE = "DefaultMode", -0.02
"""What is changed, in its left half, and the current in nA that silences it."""
NAMES = {"ucbj": "UCB-J", "fdg": "FDG"}
CONSTANTS = {"ucbj": "V$_T$, mL/cm$^3$", "fdg": "CMR$_{glc}$, \N{MICRO SIGN}mol/100 mL/min"}


def main() -> None:
    """Simulate, fit, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=0.7, help="of the tracts' weight that is lost")
    parser.add_argument("--small", action="store_true", help="coarse voxels and a short run")
    parser.add_argument("--figure", default="structure_and_function.png", help="where to save the figure")
    options = parser.parse_args()

    subject = fi.make_subject("01", seed=1)
    here = np.array([region.network == NETWORK and region.hemisphere == "L" for region in subject.regions])
    names = [region.name for region, changed in zip(subject.regions, here, strict=True) if changed]
    run = {"duration": 30.0 if options.small else 60.0}
    silence = fi.Condition(trial_type="silence", regions=names, amplitude=SILENCE, onset=0.0, **run)
    active, silent = (fi.simulate_activity(subject, conditions=shown, **run) for shown in ([], [silence]))
    cut = fi.lesion(subject, names, share=options.share)
    visits = {"healthy": (subject, active), "fewer tracts": (cut, active), "silent": (subject, silent)}

    voxel_size = 4.0 if options.small else 3.0
    own = {"ucbj": {}, "fdg": {"baseline_rate": firing(active)}}
    scans = {
        tracer: [
            fi.acquire("pet", *visit, tracer=tracer, voxel_size=voxel_size, **own[tracer]) for visit in visits.values()
        ]
        for tracer in NAMES
    }
    grid = scans["fdg"][0].clean.grid
    spread = point_spread(scans["fdg"][0].parameters)
    undo = partial_volume(paint(subject, grid), subject.labels(grid), subject.n_regions, spread)
    seen = {
        "ucbj": [synapses(scan, undo) for scan in scans["ucbj"]],
        "fdg": [metabolism(scan, undo) for scan in scans["fdg"]],
    }
    for tracer, name in NAMES.items():
        report(subject, name, seen[tracer], list(visits), here)
    draw(subject, undo, seen, list(visits), here).savefig(options.figure, dpi=130)


def firing(activity):
    """Return the mean firing of all regions in Hz, to which that at each visit is compared."""
    return sum(activity.tap(name).from_start().samples.mean() for name in ("rate", "inhibitory_rate"))


def synapses(scan, undo):
    """Return what a scan with UCB-J shows: distribution volumes by one tissue compartment, driven by arterial blood."""
    curves, timing, plasma, blood = measured(scan, undo)
    found = one_tissue_fit(curves, timing, plasma, blood=blood).constants.distribution
    return Seen(scan, timing, found, scan.truth["vt"])


def metabolism(scan, undo):
    """Return what a scan with FDG shows: metabolism by Patlak's plot, vessels apart, which trap nothing."""
    curves, timing, plasma, _ = measured(scan, undo)
    fdg = TRACERS.get("fdg")
    found = patlak(curves, timing, plasma) / (1 - fdg.constant("vB")) / to_ki(fdg)
    return Seen(scan, timing, found, scan.truth["cmrglc"])


class Seen:
    """The image, its late frames in SUV, and the constant of each region as found and as it is."""

    def __init__(self, scan, timing, found, truth):
        self.image, self.found, self.truth = scan.observed.to_array(), found, truth
        tracer, weight = TRACERS.get(scan.parameters.tracer), scan.parameters.body_weight
        late = window_mean(self.image, timing, tracer.late_window.value)
        self.late = Volume(suv(late, tracer.injected_activity.value, weight), scan.clean.grid.affine)
        self.density = scan.truth.get("synaptic_density")


def measured(scan, undo):
    """Return curves of the regions, partial volume undone, their frames, and plasma and blood as samples show them."""
    curves, frames = undo.corrected(undo.means(scan.observed.volumes())), scan.clean.clock
    timing = Timing(frames.starts / 60, frames.ends / 60, TRACERS.get(scan.parameters.tracer).decay)
    table = next(table for table in scan.companions if table.name == "recording-manual_blood")
    values = dict(zip(table.columns, np.array(table.rows, dtype=float).T, strict=True))
    unchanged = values["plasma_radioactivity"] * values["metabolite_parent_fraction"]
    drawn = (Plasma(values["time"] / 60, of) for of in (unchanged, values["whole_blood_radioactivity"]))
    return curves[: len(scan.truth["K1"])], timing, *drawn


def report(subject, name, scans, visits, here):
    """Print how well a tracer shows the truth, and what of the changes."""
    first = scans[0]
    print(f"{name}: r = {np.corrcoef(first.found, first.truth)[0, 1]:.2f} with the truth over {len(here)} regions")
    if first.density is not None:
        cortex = np.array([region.kind == "cortex" for region in subject.regions])
        r = np.corrcoef(first.found[cortex], first.density[cortex])[0, 1]
        print(f"  r = {r:.2f} with the density of synapses over the cortex")
    for visit, other in zip(visits[1:], scans[1:], strict=True):
        found, true = (
            100 * (after / before - 1)[here].mean()
            for before, after in ((first.found, other.found), (first.truth, other.truth))
        )
        same = np.array_equal(first.image, other.image)
        change = "the same bits" if same else f"{found:+.0f} % found, {true:+.0f} % true, in the {here.sum()} regions"
        print(f"  {visit}: {change}")


@styled
def draw(subject, undo, seen, visits, here):
    """Draw late images of the first visit, the change at the others, and constants against the truth."""
    figure = blank(11.0, 5.6)
    changed, affine = np.isin(undo.masks, 1 + np.flatnonzero(here)), undo.painted.grid.affine
    z = affine[2, 3] + affine[2, 2] * changed.sum(axis=(0, 1)).argmax()
    left, right, back, front = window_of(subject)
    for part, (tracer, scans) in zip(figure.subfigures(2, 1), seen.items(), strict=True):
        axes = part.subplots(1, 4, width_ratios=[1, 1, 1, 1.3])
        late, top = scans[0].late, np.quantile(scans[0].late.array, 0.999)
        shown = draw_plane(axes[0], late, 2, z, cmap="hot", vmax=top)
        axes[0].set_title(f"{NAMES[tracer]}, {visits[0]}")
        bar(part, axes[0], shown, "SUV")
        head = late.array > top / 5
        for ax, visit, scan in zip(axes[1:3], visits[1:], scans[1:], strict=True):
            change = np.where(head, 100 * (scan.late.array / np.where(head, late.array, 1) - 1), np.nan)
            shown = draw_plane(ax, late.made(change), 2, z, letters=False, cmap="RdBu_r", vmin=-30, vmax=30)
            ax.set_title(f"{NAMES[tracer]}, {visit}: change")
            if not np.nanmax(np.abs(change)):
                note(ax, "the same bits", colour="white")
        for ax in axes[:3]:
            ax.set(xlim=(left, right), ylim=(back, front))
        bar(part, list(axes[1:3]), shown, "%")
        draw_constants(axes[3], scans, visits, here, CONSTANTS[tracer])
    return figure


def draw_constants(ax, scans, visits, here, name):
    """Draw the constants found against the true ones, those of the changed regions at each visit."""
    ax.plot(scans[0].truth[~here], scans[0].found[~here], "o", ms=2.5, color=GREY, mew=0, label="other regions")
    looks = ((OBSERVED, OBSERVED, 4), (TRUTH, "none", 6), (BLUE, "none", 8))
    for visit, scan, (colour, face, size) in zip(visits, scans, looks, strict=True):
        ax.plot(scan.truth[here], scan.found[here], "o", ms=size, color=colour, mfc=face, mew=0.9, label=visit)
    equal_line(ax, *(scan.truth for scan in scans))
    ax.set(xlabel=f"true {name}", ylabel="found")
    ax.legend(loc="upper left")


if __name__ == "__main__":
    main()
