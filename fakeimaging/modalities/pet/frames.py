"""When and where a scan measures: its grid, its frames, and what decay leaves of each."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fakeimaging.core.clocks import Frames
from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import Grid
from fakeimaging.modalities.pet.arterial import problem_of_curve
from fakeimaging.modalities.pet.kinetics import decayed_time
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.plasma import Array
from fakeimaging.modalities.pet.scanners import Three
from fakeimaging.modalities.pet.tracers import MINUTE, TRACERS


def geometry(parameters: PetParameters, duration: float) -> tuple[Grid, Frames]:
    """Return the native grid and the frames that fit the scan; the run does not set its length.

    Raises
    ------
    InputError
        If not one frame fits, or what is asked of a time lies outside them.
    """
    edges = parameters.voxel_edges
    nx, ny, nz = (max(1, round(length / edge)) for length, edge in zip(parameters.field_of_view, edges, strict=True))
    frames = frames_of(parameters)
    if problem := _out_of_time(parameters, frames):
        raise InputError(problem)
    return boxed_grid((nx, ny, nz), edges), frames


def inside(frames: Frames, window: tuple[float, float]) -> npt.NDArray[np.intp]:
    """Return the frames that lie within a window, in min after injection."""
    first, last = (MINUTE * minute for minute in window)
    return np.flatnonzero((frames.starts >= first - 1e-6) & (frames.ends <= last + 1e-6))


def _out_of_time(parameters: PetParameters, frames: Frames) -> str | None:
    """Say what is to be seen when no frame sees it, if anything is."""
    start, end = float(frames.starts[0]), float(frames.ends[-1])
    if parameters.suv_window is not None and not len(inside(frames, parameters.suv_window)):
        lasts = f"the scan lasts from {start / MINUTE:g} to {end / MINUTE:g} min"
        first, last = parameters.suv_window
        return f"`pet.suv_window`: no frame lies within {first:g} to {last:g} min after injection; {lasts}"
    for name in ("challenges", "displaced"):
        for i, one in enumerate(getattr(parameters, name)):
            if one.onset >= end:
                return f"`pet.{name}[{i}].onset`: at {one.onset:g} s after injection the scan is over, at {end:g} s; nothing would show it"
    if problem := problem_of_curve(parameters, end):
        return f"`pet.input_function`: {problem}"
    return None


def frames_of(parameters: PetParameters) -> Frames:
    """Return the frames of a scan: its own, or those of the tracer from the one that would run when the scan starts.

    The last one is repeated until the scan is full, and what does not fit is left out.

    Raises
    ------
    InputError
        If not one frame fits.
    """
    p = parameters
    if p.frames is not None:
        return Frames(np.repeat([seconds for _, seconds in p.frames], [n for n, _ in p.frames]), p.scan_start)
    lengths = np.array(TRACERS.get(p.tracer).frames.durations)
    late = int(np.searchsorted(np.cumsum(lengths), p.scan_start + 1e-6))
    lengths = lengths[min(late, len(lengths) - 1) :]
    lasts = lengths.sum() if p.duration is None else p.duration
    more = max(0, math.ceil((lasts - lengths.sum()) / lengths[-1]))
    lengths = np.append(lengths, np.full(more, lengths[-1]))
    n = int(np.searchsorted(np.cumsum(lengths), lasts + 1e-6))
    if n == 0:
        raise InputError(f"`pet.duration`: {lasts:g} s is shorter than the first frame of {lengths[0]:g} s")
    return Frames(lengths[:n], p.scan_start)


def boxed_grid(shape: tuple[int, int, int], edges: Three) -> Grid:
    """Return an axis-aligned RAS+ grid of voxels of these edges (mm) whose middle is the isocentre.

    Examples
    --------
    >>> boxed_grid((3, 3, 3), (2.0, 2.0, 3.0)).affine[:3, 3]
    array([-2., -2., -3.])
    """
    affine = np.diag([*edges, 1.0])
    affine[:3, 3] = -np.array(edges) * (np.array(shape) - 1) / 2
    return Grid(shape, affine)


def effective_seconds(frames: Frames, decay: float) -> Array:
    """Return how long each frame would be if nothing had decayed since injection, in s; ``decay`` in 1/min."""
    weighted = np.exp(-decay * frames.starts / MINUTE) * decayed_time(frames.durations / MINUTE, decay)
    return np.asarray(weighted * MINUTE)
