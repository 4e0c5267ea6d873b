"""When and where a BOLD scan samples: the grid of its slices, the time of each slice and volume."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import Grid, rotation
from fakeimaging.modalities.bold.parameters import BoldParameters


def slice_times(n_slices: int, tr: float, order: str, multiband: int = 1) -> npt.NDArray[np.float64]:
    """Return the time of each slice after the start of its volume in s, bottom slice first.

    Slices ``n_slices / multiband`` apart are excited at once; ``multiband`` divides the number of slices.

    Examples
    --------
    >>> slice_times(4, 2.0, "interleaved")
    array([0. , 1. , 0.5, 1.5])
    >>> slice_times(4, 2.0, "ascending", multiband=2)
    array([0., 1., 0., 1.])
    """
    if order == "simultaneous":
        return np.full(n_slices, tr / 2)
    n_shots = n_slices // multiband
    rank = np.arange(n_shots)
    if order == "interleaved":
        rank[np.concatenate([rank[0::2], rank[1::2]])] = np.arange(n_shots)
    elif order == "descending":
        rank = rank[::-1]
    return rank[np.arange(n_slices) % n_shots] * tr / n_shots


def scan_grid(p: BoldParameters) -> Grid:
    """Return the native grid: its middle at the isocentre, slices rotated by ``oblique``."""
    shape = tuple(max(1, round(length / edge)) for length, edge in zip(p.field_of_view, p.voxel_edges, strict=True))
    turn = rotation(np.deg2rad(p.oblique))
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(p.voxel_edges) @ np.diag([-1 if p.orientation == "LAS" else 1, 1, 1])
    affine[:3, 3] = -affine[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    return Grid(shape, affine)  # type: ignore[arg-type]


def geometry(parameters: BoldParameters, duration: float) -> tuple[Grid, Clock]:
    """Return the native grid and the start of each volume; volumes that do not fit the run are left out.

    Raises
    ------
    InputError
        If not one volume fits.
    """
    n_volumes = int(duration / parameters.tr + 1e-9)
    if n_volumes < 1:
        raise InputError(
            f"`bold.tr`: {parameters.tr:g} s is longer than the run of {duration:g} s", value=parameters.tr
        )
    return scan_grid(parameters), Clock(0.0, parameters.tr, n_volumes)
