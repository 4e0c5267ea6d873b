"""Why do clusters of nothing pass? Family-wise error of cluster inference on null data with Gaussian and with heavy-tailed correlation.

The extent that a cluster must have comes from simulated Gaussian noise as smooth as neighbouring voxels say, the way packages did it.

Knob: --forming, the p value above which voxels form clusters.
"""

from __future__ import annotations

import argparse

import numpy as np

from fakeimaging.modalities.moments import gaussian_fwhm
from fakeimaging.modalities.smoothness import SpatialCorrelation, null_maps
from fakeimaging.plotting.canvas import BLUE, GREY, OBSERVED, TRUTH, row, styled

SHAPE, VOXEL, SUBJECTS, NOMINAL = (24, 28, 20), 4.0, 12, 0.05


def main() -> None:
    """Simulate groups of null subjects, test each, count, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--forming", type=float, default=0.01, help="p value that voxels of a cluster have")
    parser.add_argument("--small", action="store_true", help="fewer groups")
    parser.add_argument("--figure", default="cluster_failure.png", help="where to save the figure")
    options = parser.parse_args()

    heavy = SpatialCorrelation()
    assumed = SpatialCorrelation.gaussian(gaussian_fwhm(float(heavy.at(VOXEL)), VOXEL))
    n = 150 if options.small else 600
    extent = np.quantile(largest_clusters(assumed, 2 * n, options.forming, seed=1), 1 - NOMINAL, method="higher")
    errors, shown = {}, {}
    for name, correlation in {"Gaussian": assumed, "heavy tail": heavy}.items():
        found = largest_clusters(correlation, n, options.forming, seed=2)
        errors[name] = np.mean(found > extent)
        shown[name] = next(group_t(correlation, 1, seed=3))
        print(f"{name}: {100 * errors[name]:.1f} % of {n} null groups have a significant cluster (nominal 5 %)")
    print(
        f"a cluster must have more than {extent:.0f} voxels; forming p {options.forming:g}, {SUBJECTS} subjects a group"
    )
    draw(assumed, heavy, shown, errors, n, options.forming).savefig(options.figure, dpi=130)


def group_t(correlation, n_groups, seed):
    """Yield the t map of each group of subjects in whom nothing happens."""
    maps = null_maps(
        n_groups * SUBJECTS, shape=SHAPE, voxel_size=VOXEL, correlation=correlation, seed=seed, block=SUBJECTS
    )
    for group in maps:
        yield group.mean(axis=0) / (group.std(axis=0, ddof=1) / np.sqrt(SUBJECTS))


def largest_clusters(correlation, n_groups, forming, seed):
    """Return the size of the largest cluster of each group, in voxels that share a face."""
    from scipy.ndimage import label
    from scipy.stats import t

    limit = t.isf(forming, SUBJECTS - 1)
    sizes = []
    for values in group_t(correlation, n_groups, seed):
        clusters, n = label(values > limit)
        sizes.append(np.bincount(clusters.ravel())[1:].max() if n else 0)
    return np.array(sizes)


@styled
def draw(assumed, heavy, shown, errors, n, forming):
    """Draw the two correlations, a null group of each, and how often something is found."""
    from scipy.stats import t

    figure, axes = row(4, width=2.6, height=2.9)
    r = np.linspace(0, 50, 200)
    axes[0].plot(r, assumed.at(r), color=BLUE, label="Gaussian")
    axes[0].plot(r, heavy.at(r), color=TRUTH, label="heavy tail")
    axes[0].plot(VOXEL, heavy.at(VOXEL), "o", color=OBSERVED, ms=4, label="next voxel: the same")
    axes[0].set(xlabel="distance (mm)", ylabel="correlation of noise", title="two kinds of noise")
    axes[0].legend()
    for ax, (name, values) in zip(axes[1:3], shown.items(), strict=True):
        middle = values[:, :, SHAPE[2] // 2].T
        ax.imshow(middle, origin="lower", cmap="RdBu_r", vmin=-4, vmax=4)
        ax.contour(middle, levels=[t.isf(forming, SUBJECTS - 1)], colors="k", linewidths=0.8)
        ax.set(title=f"{name}: t of a null group", xticks=[], yticks=[])
    rates = 100 * np.array(list(errors.values()))
    spread = 1.96 * np.sqrt(rates * (100 - rates) / n)
    axes[3].bar(list(errors), rates, yerr=spread, color=[BLUE, TRUTH], width=0.6, ecolor=OBSERVED, capsize=3)
    axes[3].axhline(100 * NOMINAL, color=GREY, ls="--")
    axes[3].set(ylabel="groups with a significant cluster (%)", title=f"forming p {forming:g}; dashed: nominal")
    return figure


if __name__ == "__main__":
    main()
