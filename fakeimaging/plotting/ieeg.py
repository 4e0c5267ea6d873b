"""Pictures of an intracranial EEG: traces, power, and where the contacts are in the brain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan, subject_folder
from fakeimaging.plotting.canvas import GREY, OBSERVED, Picture, blank, styled
from fakeimaging.plotting.structure import draw_silhouette
from fakeimaging.plotting.traces import SHOWN_BAND, SHOWN_SECONDS, Traces, draw_spectrum, draw_traces
from fakeimaging.scoring.electro.files import IEEG, read_channels, read_table
from fakeimaging.scoring.ieeg import read_clean
from fakeimaging.structure.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

VIEWS = ((0, 1, "from above"), (1, 2, "from the side"), (0, 2, "from behind"))
"""Axis across and axis up of each view (0 right, 1 front, 2 up)."""
HALF = 95.0
"""mm from the middle of the brain to each side of a view."""
NAME_AWAY, NAME_SIZE = 10.0, (18.0, 9.0)
"""mm from a contact to the name of its device, and width and height of a name."""
NO_REGION = {"white matter", "grey matter", "cerebrospinal fluid", "bone", "scalp", "outside"}
"""What stands in place of a region where there is none."""


@dataclass(frozen=True, eq=False)
class Ieeg:
    """An intracranial EEG as it is drawn.

    Parameters
    ----------
    traces : Traces
        Both against the reference of the recording.
    contacts : tuple of str
    groups : tuple of str
        Device of each contact.
    points : ndarray, shape (n_contacts, 3)
        Template mm.
    regions : tuple of str
        Region of each contact; empty where there is none.
    """

    traces: Traces
    contacts: tuple[str, ...]
    groups: tuple[str, ...]
    points: Floats
    regions: tuple[str, ...]


def read_ieeg(dataset: Dataset, scan: Scan) -> Ieeg:
    """Read the good channels of a recording, of its clean twin, and where the contacts are, from a dataset."""
    observed, clean = read_channels(dataset.root, scan, IEEG), read_clean(dataset.root, scan)
    start = "_".join(subject_folder(scan.subject, scan.session).parts)
    lines = read_table(dataset.root / scan.folder / f"{start}_space-ScanRAS_electrodes.tsv")
    points = np.array([[float(line[f"{axis}_template"]) for axis in "xyz"] for line in lines])
    regions = tuple("" if line["region"] in NO_REGION else line["region"] for line in lines)
    names, groups = (tuple(line[key] for line in lines) for key in ("name", "group"))
    return Ieeg(Traces(observed.names, observed.rate, observed.samples, clean.samples), names, groups, points, regions)


@styled
def plot_ieeg(ieeg: Ieeg, subject: Subject) -> Figure:
    """Draw traces and their mean power above, and below them the contacts in the brain, from above, from their side and from behind."""
    figure = blank(9.0, 7.4)
    halves = figure.add_gridspec(2, 1, height_ratios=[1.35, 1])
    upper, lower = halves[0].subgridspec(1, 2, width_ratios=[2.3, 1]), halves[1].subgridspec(1, 3)
    draw_traces(figure.add_subplot(upper[0, 0]), ieeg.traces)
    draw_spectrum(figure.add_subplot(upper[0, 1]), ieeg.traces)
    for k, (a, b, title) in enumerate(VIEWS):
        ax = figure.add_subplot(lower[0, k])
        draw_contacts(ax, ieeg, subject, a, b)
        ax.set_title(title)
    return figure


def draw_contacts(ax: Axes, ieeg: Ieeg, subject: Subject, a: int, b: int) -> None:
    """Draw contacts on the outline of the brain, a colour for each region, hollow where there is none, a name for each device."""
    draw_silhouette(ax, subject, a, b)
    near = np.array([bool(region) for region in ieeg.regions])
    known = list(dict.fromkeys(region for region in ieeg.regions if region))
    x, y = ieeg.points[:, a], ieeg.points[:, b]
    ax.scatter(x[~near], y[~near], s=9, facecolors="white", edgecolors=GREY, linewidths=0.6, zorder=2)
    colour = [known.index(region) % 20 for region in ieeg.regions if region]
    ax.scatter(
        x[near], y[near], c=colour, cmap="tab20", vmin=0, vmax=19, s=12, edgecolors=OBSERVED, linewidths=0.3, zorder=3
    )
    _name_devices(ax, ieeg, a, b)
    left = a == 1 and ieeg.points[:, 0].mean() < 0
    centre = subject.parcellation.centroids.mean(axis=0)
    across = (centre[a] - HALF, centre[a] + HALF)
    ax.set(xlim=across[::-1] if left else across, ylim=(centre[b] - HALF, centre[b] + HALF))
    ax.set_aspect("equal")
    ax.axis("off")


def _name_devices(ax: Axes, ieeg: Ieeg, a: int, b: int) -> None:
    """Write the name of each device beside the contact that is farthest from the middle of all, clear of names that stand there."""
    middle, taken = ieeg.points[:, [a, b]].mean(axis=0), np.zeros((0, 2))
    for group in dict.fromkeys(ieeg.groups):
        mine = ieeg.points[[other == group for other in ieeg.groups]][:, [a, b]]
        tip = mine[np.linalg.norm(mine - middle, axis=1).argmax()]
        place = tip + NAME_AWAY * (tip - middle) / max(float(np.linalg.norm(tip - middle)), 1e-9)
        while len(taken) and np.abs((taken - place) / NAME_SIZE).max(axis=1).min() < 1:
            place = place - (0.0, 2.0)
        taken = np.vstack([taken, place])
        ax.text(float(place[0]), float(place[1]), group, fontsize=6.5, ha="center", va="center", zorder=4)


def pictures(dataset: Dataset, scan: Scan) -> Iterator[Picture]:
    """Yield the picture of an intracranial EEG."""
    ieeg = read_ieeg(dataset, scan)
    words = (
        f"{scan.raw}: {SHOWN_SECONDS:g} s of some channels from {SHOWN_BAND[0]:g} to {SHOWN_BAND[1]:g} Hz, the mean power of all "
        "good ones, and the contacts in the brain's outline, a colour for each region and hollow where none is near; truth is the "
        "same without noise and artefacts, against the same reference."
    )
    yield Picture("Traces, power and contacts", words, plot_ieeg(ieeg, dataset.subject(scan.subject)))
