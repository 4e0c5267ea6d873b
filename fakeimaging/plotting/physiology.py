"""The body of a run: heart, breathing, blinks and head motion, which every instrument of the run shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.physiology import Physiology
from fakeimaging.plotting.canvas import BLUE, GREEN, GREY, OBSERVED, TRUTH, blank, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STEP = 0.1
"""s between the points that are drawn."""
AXES = ("x", "y", "z")
AXIS_COLOURS = (TRUTH, GREEN, BLUE)


@styled
def plot_physiology(physiology: Physiology) -> Figure:
    """Draw heart rate, breathing with blinks, and the pose of the head.

    Parameters
    ----------
    physiology : Physiology
        Of a run, such as ``activity.physiology``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = blank(9.0, 4.2)
    heart, breath, shift, turn = figure.subplots(4, 1, sharex=True)
    times = np.arange(0.0, physiology.duration, STEP)
    inside = (physiology.beats[1:] >= 0) & (physiology.beats[1:] <= physiology.duration)
    heart.plot(physiology.beats[1:][inside], 60 / np.diff(physiology.beats)[inside], color=TRUTH, lw=0.9)
    heart.set_ylabel("heart\n1/min")
    breath.plot(times, physiology.belt(times), color=BLUE, lw=0.8)
    blinks = physiology.blink_onsets[(physiology.blink_onsets >= 0) & (physiology.blink_onsets <= physiology.duration)]
    breath.vlines(blinks, -0.45, -0.15, color=OBSERVED, lw=0.7)
    breath.text(physiology.duration, -0.3, " blinks", va="center", fontsize=7)
    breath.set_ylabel("belt, relative")
    poses = physiology.motion(times)
    draw_motion(shift, times, poses[:, :3], "shift\nmm")
    draw_motion(turn, times, np.rad2deg(poses[:, 3:]), "rotation\ndeg")
    shift.legend(loc="lower left", bbox_to_anchor=(0, 0.9), ncols=3)
    turn.set_xlabel("s")
    turn.set_xlim(0, physiology.duration)
    figure.align_ylabels()
    return figure


def draw_motion(ax: Axes, times: npt.NDArray, poses: npt.NDArray, label: str, **options: Any) -> None:
    """Draw three courses along or about x, y and z."""
    for course, name, colour in zip(poses.T, AXES, AXIS_COLOURS, strict=True):
        ax.plot(times, course, color=colour, label=name, **{"lw": 0.9, **options})
    ax.axhline(0, color=GREY, lw=0.5)
    ax.set_ylabel(label)
