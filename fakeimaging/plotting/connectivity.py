"""Matrices of connections between regions: what was recovered beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fakeimaging.plotting.canvas import OBSERVED, bar, equal_line, note, row, styled
from fakeimaging.structure.parcellation import Region

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STRONGEST_SHOWN = 0.8
"""Correlation at which the colours end."""
LEAST_TICK = 4
"""Regions a network needs for its name to stand beside a matrix."""


@styled
def plot_connectivity(estimate: npt.NDArray, truth: npt.NDArray, regions: Sequence[Region] = ()) -> Figure:
    """Draw an estimated beside the true connectivity matrix, and each pair of regions of one against the other.

    Parameters
    ----------
    estimate, truth : ndarray, shape (n_regions, n_regions)
    regions : sequence of Region, optional
        Name the networks along the matrices, and put regions of one network together.
    """
    figure, axes = row(3, height=3.0)
    order = by_network(regions) if regions else np.arange(len(truth))
    for ax, matrix, title in zip(axes, (estimate, truth), ("recovered", "truth"), strict=False):
        shown = draw_matrix(ax, matrix[np.ix_(order, order)])
        ax.set_title(title)
    for ax in axes[:2] if regions else ():
        name_networks(ax, [regions[i] for i in order])
    axes[1].set_yticks([])
    bar(figure, axes[:2], shown, "correlation")
    draw_pairs(axes[2], estimate, truth)
    return figure


def by_network(regions: Sequence[Region]) -> npt.NDArray[np.intp]:
    """Return the rows of the regions with those of one network together, networks in the order of their first region."""
    first: dict[str, int] = {}
    for i, region in enumerate(regions):
        first.setdefault(region.network, i)
    return np.array(sorted(range(len(regions)), key=lambda i: (first[regions[i].network], i)), dtype=np.intp)


def name_networks(ax: Axes, regions: Sequence[Region]) -> None:
    """Write the name of each network along the rows of a matrix whose regions are in this order."""
    at, names, edges, start = [], [], [], 0
    for name, group in groupby(regions, key=lambda region: region.network):
        n = len(list(group))
        edges.append(start - 0.5)
        if n >= LEAST_TICK:
            at.append(start + (n - 1) / 2)
            names.append(name)
        start += n
    ax.set_yticks(at, names, fontsize=6)
    ax.tick_params(length=0)
    ax.hlines(edges[1:], -0.5, len(regions) - 0.5, color="0.5", lw=0.3)
    ax.vlines(edges[1:], -0.5, len(regions) - 0.5, color="0.5", lw=0.3)


def draw_matrix(ax: Axes, matrix: npt.NDArray) -> Any:
    """Draw a matrix of correlations, diagonal left out."""
    shown = np.array(matrix, dtype=float)
    np.fill_diagonal(shown, np.nan)
    ax.set(xticks=[], yticks=[])
    return ax.imshow(shown, cmap="RdBu_r", vmin=-STRONGEST_SHOWN, vmax=STRONGEST_SHOWN)


def draw_pairs(ax: Axes, estimate: npt.NDArray, truth: npt.NDArray) -> None:
    """Draw every pair of regions, truth across and estimate up."""
    pairs = np.triu_indices(len(truth), 1)
    x, y = truth[pairs], estimate[pairs]
    known = np.isfinite(x) & np.isfinite(y)
    ax.scatter(x[known], y[known], s=2, alpha=0.3, color=OBSERVED, linewidths=0, rasterized=True)
    equal_line(ax, x[known])
    note(ax, f"r = {np.corrcoef(x[known], y[known])[0, 1]:.2f}, {known.sum()} pairs")
    ax.set(xlabel="true correlation", ylabel="recovered correlation")
