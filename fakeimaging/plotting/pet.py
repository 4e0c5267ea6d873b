"""Pictures of PET: a late slice, curves over time with the blood, binding potential against its truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.pet import injected
from fakeimaging.modalities.recording import Recording
from fakeimaging.plotting.figures import _figure
from fakeimaging.structure.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LATE = 4
"""Frames at the end of a scan that are averaged in a picture."""


def plot_curves(recording: Recording, subject: Subject) -> Figure:
    """Draw a late axial slice, the true curve of each kind of region, and what was drawn from the artery.

    Parameters
    ----------
    recording : Recording
        Of ``pet``.
    subject : Subject

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = _figure(3)
    draw_late_slice(axes[0], recording, subject)
    draw_curves(axes[1], recording, subject)
    draw_blood(axes[2], recording)
    return figure


def plot_binding(recording: Recording, subject: Subject, estimate: npt.NDArray) -> Figure:
    """Draw a late axial slice, the true curves, and the estimated binding potential of each region against the true one.

    Parameters
    ----------
    recording : Recording
        Of ``pet`` with a tracer that binds reversibly.
    subject : Subject
    estimate : ndarray, shape (n_regions,)

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = _figure(3)
    draw_late_slice(axes[0], recording, subject)
    draw_curves(axes[1], recording, subject)
    truth = recording.truth["bpnd"]
    axes[2].scatter(truth, estimate, s=12)
    axes[2].plot([0, truth.max()], [0, truth.max()], color="0.7", lw=0.8, zorder=0)
    axes[2].set(xlabel="true binding potential", ylabel="estimated")
    return figure


def suv(recording: Recording) -> float:
    """Return the injected activity over body weight in Bq/g: what a concentration in Bq/mL is divided by to give SUV."""
    p = recording.parameters
    return float(injected(p) * 1e6 / (p.body_weight * 1e3))  # type: ignore[arg-type, attr-defined]


def draw_late_slice(ax: Axes, recording: Recording, subject: Subject) -> None:
    """Draw the mean of the last frames in SUV, across the height at which the true curves are highest at the end."""
    n = recording.observed.n_volumes
    late = np.mean([recording.observed.make(v) for v in range(max(0, n - LATE), n)], axis=0) / suv(recording)
    grid = recording.clean.grid
    brightest = subject.native_centroids()[np.argsort(recording.truth["tacs"][:, -1])[-4:]].mean(axis=0)
    z = int(round((np.linalg.inv(grid.affine) @ [*brightest, 1.0])[2]))
    plane = late[:, :, min(max(z, 0), late.shape[2] - 1)]
    ax.imshow(plane.T, origin="lower", cmap="gray_r", vmin=0, vmax=float(np.quantile(plane, 0.998)))
    ax.set_title("last frames, SUV", fontsize=9)
    ax.axis("off")


def draw_curves(ax: Axes, recording: Recording, subject: Subject) -> None:
    """Draw the mean true curve of each kind of region in SUV: line as the scanner's resolution shows it, dots of the tissue itself."""
    minutes = recording.clean.clock.times / 60
    kinds = np.array([region.kind for region in subject.regions])
    for number, kind in enumerate(dict.fromkeys(kinds.tolist())):
        own, seen = (
            recording.truth[name][kinds == kind].mean(axis=0) / suv(recording) for name in ("tacs", "tacs_psf")
        )
        ax.plot(minutes, seen, color=f"C{number % 10}", lw=1, label=kind)
        ax.plot(minutes, own, ":", color=f"C{number % 10}", lw=0.8)
    ax.set(xlabel="min", ylabel="SUV")
    ax.legend(fontsize=6, frameon=False)


def draw_blood(ax: Axes, recording: Recording) -> None:
    """Draw plasma, whole blood and unchanged tracer in SUV on a logarithmic scale."""
    (table,) = (c for c in recording.forward.companions if c.name.endswith("_blood"))
    time, plasma, whole, parent = np.array(table.rows)[1:].T
    for values, label in ((plasma, "plasma"), (whole, "whole blood"), (plasma * parent, "unchanged tracer")):
        shown = values > 0
        ax.semilogy(time[shown] / 60, values[shown] / suv(recording), lw=1, label=label)
    ax.set(xlabel="min", ylabel="SUV")
    ax.legend(fontsize=6, frameon=False)
