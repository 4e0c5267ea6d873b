"""What does denoising leave of head motion, and what does it take of the truth? Runs of one brain that moves more and more.

Motion shows where connectivity follows it from run to run (QC-FC; its dependence on distance; Ciric et al. 2017,
doi:10.1016/j.neuroimage.2017.03.020). Only a simulation adds the last axis: how close connectivity comes to that of the true signals.
The last axis is drawn for each run. Regressors and dropped volumes cost degrees of freedom, and a short run has few of them: where the head
lies still, leaving the run as it is comes nearest to the truth; a run that moves much gains from some strategies.
Knob: --most, mean framewise displacement in mm of the run with most motion. --small has four runs, too few for QC-FC to mean much; its last
one moves so much (5 mm) that what denoising gains is seen all the same.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings

import numpy as np

import fakeimaging as fi
from fakeimaging.scoring import bold as score
from fakeimaging.scoring import connectivity as fc

STRATEGIES = {
    "none": None,
    "6 motion": {"strategy": ("high_pass", "motion"), "motion": "basic"},
    "simple": {"denoise_strategy": "simple"},
    "simple, global": {"denoise_strategy": "simple", "global_signal": "basic"},
    "scrubbing": {"denoise_strategy": "scrubbing", "fd_threshold": 1.0, "std_dvars_threshold": 3},
    "compcor": {"denoise_strategy": "compcor", "n_compcor": 6},
}
"""Confounds as nilearn's `load_confounds` and `load_confounds_strategy` choose them."""

FEWEST = 10
"""Degrees of freedom below which a strategy leaves a run out."""
FEWEST_RUNS = 4
"""Runs below which a correlation over them says nothing."""


def main() -> None:
    """Simulate, denoise, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=float, help="mean displacement (mm) of the last run; 1.5, and 5 when small")
    parser.add_argument("--small", action="store_true", help="coarse images and four runs")
    parser.add_argument("--figure", default="denoising.png", help="where to save the figure")
    options = parser.parse_args()

    most = options.most or (5.0 if options.small else 1.5)
    motion = np.geomspace(0.1, most, 4) if options.small else np.geomspace(0.05, most, 10)
    with tempfile.TemporaryDirectory() as folder:
        dataset = fi.simulate_study(study(motion, small=options.small), folder)
        runs = [measured(dataset, scan) for scan in dataset.scans() if scan.modality == "bold"]
    displacement, truth = (np.array([run[key] for run in runs]) for key in ("displacement", "truth"))
    table = {name: axes_of(name, runs, displacement, truth) for name in STRATEGIES}
    true = np.median(np.abs(correlations(displacement, truth)))
    still = displacement < np.median(displacement)
    print(f"{'':16}|QC-FC|  distance  freedom  r with the true connectivity: still runs, moving runs")
    for name, (follows, far, left, near) in table.items():
        halves = [mean_of(near[half]) for half in (still, ~still)]
        print(f"{name:16}{follows:7.2f}{far:10.2f}{left:9.0f}{halves[0]:33.2f}{halves[1]:13.2f}")
    best = [max(table, key=lambda name: np.nan_to_num(mean_of(table[name][3][half]))) for half in (still, ~still)]
    print(
        f"|QC-FC| of the true connectivity: {true:.2f}; nearest to it: '{best[0]}' in still runs, '{best[1]}' in moving ones"
    )
    draw(table, displacement, true).savefig(options.figure, dpi=150)


def mean_of(values):
    """Return the mean of what is known, NaN where nothing is."""
    known = values[np.isfinite(values)]
    return known.mean() if len(known) else np.nan


def axes_of(name, runs, displacement, truth):
    """Return median |QC-FC|, its correlation with distance, mean degrees of freedom left, and r with the truth of each run."""
    found = np.array([run[name] for run in runs])
    used = np.isfinite(found).all(axis=1)
    enough = used.sum() >= FEWEST_RUNS
    follows = correlations(displacement[used], found[used]) if enough else np.full(found.shape[1], np.nan)
    near = [np.corrcoef(one, true)[0, 1] for one, true in zip(found, truth, strict=True)]
    far = np.corrcoef(follows, runs[0]["distance"])[0, 1]
    return np.median(np.abs(follows)), far, np.mean([run[f"{name} left"] for run in runs]), np.array(near)


def study(motion, *, small):
    """Return a study of one subject whose head moves more in each run."""
    runs = [
        {"task": "rest", "run": k + 1, "duration": 200.0, "physiology": {"motion": float(mm)}}
        for k, mm in enumerate(motion)
    ]
    scans = [
        {"modality": "bold", "task": "rest", "run": k + 1, "voxel_size": 8.0 if small else 6.0}
        for k in range(len(motion))
    ]
    return {"seed": 4, "subjects": 1, "subject": {"n_regions": 50}, "sessions": [{"runs": runs, "acquisitions": scans}]}


def measured(dataset, scan):
    """Return mean displacement, true connectivity and that after each strategy, with the volumes that are left."""
    regions, tr = dataset.subject(scan.subject).regions, score.repetition_time(dataset, scan)
    clean = np.load(dataset.root / scan.regional("regional_bold")).astype(float)
    series = score.observed_series(dataset, scan, len(regions))
    known, table = np.isfinite(series).all(axis=1), confound_table(dataset, scan)
    found = {
        "displacement": table["framewise_displacement"].mean(),
        "distance": distances(np.array([region.centroid for region in regions])[known]),
        "truth": edges(fc.cleaned(clean[known], tr)),
    }
    for name, options in STRATEGIES.items():
        confounds, kept = chosen(dataset, scan, options)
        left = len(kept) - confounds.shape[1]
        enough = left >= FEWEST
        denoised = (
            edges(cleaned(series[known], tr, confounds, kept)) if enough else np.full(len(found["truth"]), np.nan)
        )
        found |= {name: denoised, f"{name} left": left}
    return found


def confound_table(dataset, scan):
    """Return every confound of a scan."""
    import pandas as pd

    image = str(dataset.root / score.prepared(dataset, scan))
    stem = image[: image.index("_space-")]
    return pd.read_csv(f"{stem}_desc-confounds_timeseries.tsv", sep="\t")


def chosen(dataset, scan, options):
    """Return the confounds of a strategy and the volumes it keeps."""
    from nilearn.interfaces.fmriprep import load_confounds, load_confounds_strategy

    image = str(dataset.root / score.prepared(dataset, scan))
    if options is None:
        options = {"strategy": ("high_pass",)}
    load = load_confounds if "strategy" in options else load_confounds_strategy
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        confounds, kept = load(image, **options)
    columns = confounds.to_numpy(dtype=float)
    return columns, np.arange(len(columns)) if kept is None else kept


def cleaned(series, tr, confounds, kept):
    """Return series without trend and confounds, in the volumes that are kept."""
    from nilearn.signal import clean

    return clean(
        series.T, detrend=True, standardize=None, filter=False, confounds=confounds, sample_mask=kept, t_r=tr
    ).T


def edges(series):
    """Return the correlation of each pair of regions."""
    return np.corrcoef(series)[np.triu_indices(len(series), 1)]


def distances(places):
    """Return the distance of each pair of places in mm."""
    return np.linalg.norm(places[:, None] - places, axis=2)[np.triu_indices(len(places), 1)]


def correlations(displacement, found):
    """Return the correlation of displacement with each edge over the runs."""
    x, y = displacement - displacement.mean(), found - found.mean(axis=0)
    return (x @ y) / np.sqrt((x @ x) * (y * y).sum(axis=0))


def draw(table, displacement, true):
    """Return a figure with a panel for each axis, the last one run by run."""
    from matplotlib.figure import Figure

    names, colours = list(table), ["#1f2933", "#9aa5b1", "#2b6cb0", "#3b8f5a", "#e0a458", "#d1495b"]
    figure = Figure(figsize=(11, 3), layout="constrained")
    *bars, last = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.6])
    titles = ("median |QC-FC|", "QC-FC against distance (r)", "degrees of freedom left")
    for k, (axes, title) in enumerate(zip(bars, titles, strict=True)):
        axes.barh(names, [table[name][k] for name in names], color=colours)
        axes.set_title(title, fontsize=9)
        axes.axvline(0, color="k", lw=0.6)
        axes.invert_yaxis()
        axes.set_yticks(range(len(names)), names if k == 0 else [""] * len(names))
    bars[0].axvline(true, color="k", lw=1, ls="--")
    bars[0].text(true, -0.6, "truth", fontsize=8, ha="center", va="bottom")
    bars[0].set_title(titles[0], fontsize=9, pad=12)
    for name, colour in zip(names, colours, strict=True):
        last.plot(displacement, table[name][3], "o-", ms=3, lw=1, color=colour, label=name)
    last.set(xscale="log", xlabel="mean framewise displacement (mm)")
    last.set_title("r with the true connectivity", fontsize=9)
    last.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    for axes in (*bars, last):
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    main()
