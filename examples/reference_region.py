"""Which reference region and method? Binding in the cortex over white matter or cerebellum, of UCB-J and of PiB.

A ratio of distribution volumes (DVR) says how much is bound only where the reference region binds nothing: white
matter for UCB-J (synapses), the cerebellum for PiB (amyloid). Over the other one all methods agree on a number that is
too low. A late ratio of uptake (SUVR) is no ratio of volumes: plasma falls, tissue lags behind it by its washout, and
so the ratio may move with blood flow, as that of UCB-J does. Models of the whole curve stay where tissue is as they
assume; PiB has two compartments, and with it they move instead. Partial volume is undone by the geometric transfer
matrix; what vessels hold lowers a DVR by some percent.
Knob: --change, the largest change of blood flow in the cortex in %.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import fakeimaging as fi
from fakeimaging.modalities.pet.resolution import point_spread
from fakeimaging.modalities.pet.signal import paint
from fakeimaging.modalities.pet.tracers import BEYOND, TRACERS
from fakeimaging.plotting.canvas import BLUE, GREEN, GREY, OBSERVED, TRUTH, blank, styled
from fakeimaging.scoring.kinetics import Timing, reference_logan, reference_tissue_fit, suvr
from fakeimaging.scoring.partial_volume import partial_volume

TRACERS_SHOWN = ("ucbj", "pib")
REFERENCES = ("white", "cerebellum")
METHODS = {"SRTM": OBSERVED, "Logan": BLUE, "SUVR": GREEN}
AMYLOID = {"amyloid": {"years": 15.0}}
"""Has spread along the connectome for that long."""
FIRST = 5.0
"""min from which ratios are drawn."""


def main() -> None:
    """Simulate, analyse, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--change", type=float, default=40.0, help="of blood flow in the cortex, largest, in %%")
    parser.add_argument("--small", action="store_true", help="coarse voxels, fewer flows")
    parser.add_argument("--figure", default="reference_region.png", help="where to save the figure")
    options = parser.parse_args()

    subject = fi.make_subject("01", seed=1, pathology=AMYLOID)
    flows, voxel_size = np.linspace(-1, 1, 3 if options.small else 5), 5.0 if options.small else 3.0
    flows = 1 + options.change / 100 * flows
    seen = {tracer: scanned(subject, tracer, flows, voxel_size) for tracer in TRACERS_SHOWN}
    for tracer, scans in seen.items():
        usual = scans[len(flows) // 2]
        print(f"{name_of(tracer)}: the DVR of the cortex is {usual.truth:.2f}; reference {usual.right}")
        for name, found in usual.dvr.items():
            words = (f"{method} {value:.2f} ({percent(value, usual.truth)})" for method, value in found.items())
            print(f"  over {name}: {', '.join(words)}; true ratio of volumes {usual.own[name]:.2f}")
        low, high = (scans[k].dvr[usual.right] for k in (0, -1))
        moved = ", ".join(f"{method} {percent(high[method], low[method])}" for method in METHODS)
        print(f"  from {100 * flows[0]:.0f} to {100 * flows[-1]:.0f} % of the flow: {moved}, truth +0 %")
    draw(seen, flows).savefig(options.figure, dpi=130)


def percent(value, of):
    """Return a change in words."""
    return f"{100 * (value / of - 1):+z.0f} %"


def name_of(tracer):
    """Return the name of a tracer."""
    return TRACERS.get(tracer).title.partition(",")[0]


def scanned(subject, tracer, flows, voxel_size):
    """Return what a scan at each blood flow shows."""
    with TemporaryDirectory() as folder:
        files = [with_flow(tracer, flow, Path(folder) / f"flow{k}.toml") for k, flow in enumerate(flows)]
        scans = [fi.acquire("pet", subject, tracer=file, voxel_size=voxel_size) for file in files]
        grid, spread = scans[0].clean.grid, point_spread(scans[0].parameters)
        undo = partial_volume(paint(subject, grid), subject.labels(grid), subject.n_regions, spread)
        return [Seen(scan, undo, subject, TRACERS.get(tracer)) for scan in scans]


def with_flow(tracer, flow, file):
    """Write a tracer's table in which the cortex has more or less blood flow (K1) and the same distribution volume."""
    K1 = TRACERS.get(tracer).kinds["cortex"]["K1"].value * flow
    number = f'{{ value = {K1}, unit = "mL/cm3/min", source = "{flow:g} of the usual" }}'
    file.write_text(f'[own]\nlike = "{tracer}"\n[own.kinds]\ncortex = {{ K1 = {number} }}\n')
    return str(file)


class Seen:
    """DVR of the cortex: by reference and method, in truth, and what a perfect method gives over each (own)."""

    def __init__(self, scan, undo, subject, tracer):
        frames, self.window, self.right = scan.clean.clock, tracer.late_window.value, tracer.reference_kind
        self.timing = Timing(frames.starts / 60, frames.ends / 60, tracer.decay)
        curves = undo.corrected(undo.means(scan.observed.volumes()))
        kinds = np.array([*(region.kind for region in subject.regions), *BEYOND])
        cortex, volumes, K1 = kinds == "cortex", *(true(scan, name) for name in ("VT", "K1"))
        self.own, self.ratio, self.dvr = {}, {}, {}
        for name in REFERENCES:
            where = kinds == name
            reference = curves[where].mean(axis=0)
            self.own[name] = volumes[cortex].mean() / volumes[where].mean()
            late = self.timing.middle > FIRST
            self.ratio[name] = self.timing.middle[late], (curves[cortex].mean(axis=0)[late] / reference[late])
            self.dvr[name] = self.by_methods(curves[cortex], reference, K1[where].mean() / volumes[where].mean())
        self.truth = self.own[self.right]

    def by_methods(self, curves, reference, washout):
        """Return the mean DVR by each method; Logan's takes the washout of the reference region (k2') as known."""
        logan = reference_logan(curves, reference, self.timing, k2_reference=washout)
        late = suvr(curves, reference, self.timing, self.window)
        srtm = 1 + reference_tissue_fit(curves, reference, self.timing)[0]
        return {"SRTM": srtm.mean(), "Logan": logan.mean(), "SUVR": late.mean()}


def true(scan, name):
    """Return a constant of each class of tissue as it is."""
    table = next(table for table in scan.companions if table.name == "desc-constants")
    return np.array([line[table.columns.index(name)] for line in table.rows])


@styled
def draw(seen, flows):
    """Draw uptake over that of each reference, what references and methods give, and what they make of blood flow."""
    figure = blank(9.6, 5.8)
    for axes, (tracer, scans) in zip(figure.subplots(2, 3), seen.items(), strict=True):
        usual, name = scans[len(flows) // 2], name_of(tracer)
        for reference, colour in zip(REFERENCES, (OBSERVED, GREY), strict=True):
            axes[0].plot(*usual.ratio[reference], "o-", ms=2.5, color=colour, label=f"over {reference}")
            axes[0].axhline(usual.own[reference], color=colour, ls="--", lw=0.8)
        axes[0].axvspan(*usual.window, color=GREEN, alpha=0.15, lw=0, label="window of the SUVR")
        axes[0].set(xlabel="min after injection", ylabel="cortex over reference", ylim=(0, None))
        axes[0].set_title(f"{name}: ratio of uptake, of volumes (dashed)")
        axes[0].legend(loc="lower right")
        for k, (method, colour) in enumerate(METHODS.items()):
            found = [usual.dvr[reference][method] for reference in REFERENCES]
            axes[1].bar(np.arange(2) + 0.25 * (k - 1), found, 0.22, color=colour, label=method)
            bias = 100 * (np.array([one.dvr[usual.right][method] for one in scans]) / usual.truth - 1)
            axes[2].plot(100 * flows, bias, "o-", ms=4, color=colour, label=method)
        axes[1].axhline(usual.truth, color=TRUTH, ls="--", lw=0.8, label="truth")
        axes[1].set_xticks(range(2), REFERENCES)
        axes[1].set(ylabel="DVR of the cortex", title=f"{name}: right over {usual.right}", ylim=(0, 1.5 * usual.truth))
        axes[1].legend(ncols=2)
        axes[2].axhline(0, color=TRUTH, ls="--", lw=0.8)
        axes[2].set(xlabel="blood flow of the cortex (% of usual)", ylabel="bias (%)", ylim=(-27, 27))
        axes[2].set_title(f"{name}, over {usual.right}")
    return figure


if __name__ == "__main__":
    main()
