"""When and where a scan measures: its grid, its frames, and what decay leaves of each."""

from __future__ import annotations

import math

import numpy as np

from fakeimaging.core.clocks import Frames
from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import Grid, centred_grid
from fakeimaging.modalities.pet.kinetics import decayed_time
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.plasma import Array
from fakeimaging.modalities.pet.tracers import MINUTE, TRACERS

FIELD_OF_VIEW = (192.0, 240.0, 192.0)
"""mm, centred on the isocentre."""


def geometry(parameters: PetParameters, duration: float) -> tuple[Grid, Frames]:
    """Return the native grid and the frames that fit the scan; the run does not set its length.

    Raises
    ------
    InputError
        If not one frame fits.
    """
    nx, ny, nz = (round(length / parameters.voxel_size) for length in FIELD_OF_VIEW)
    lengths = TRACERS.get(parameters.tracer).frames.durations
    wanted = sum(lengths) if parameters.duration is None else parameters.duration
    more = max(0, math.ceil((wanted - sum(lengths)) / lengths[-1]))
    lengths = [*lengths, *[lengths[-1]] * more]
    n = int(np.searchsorted(np.cumsum(lengths), wanted + 1e-6))
    if n == 0:
        raise InputError(f"`pet.duration`: {wanted:g} s is shorter than the first frame of {lengths[0]:g} s")
    return centred_grid((nx, ny, nz), parameters.voxel_size), Frames(np.array(lengths[:n]))


def effective_seconds(frames: Frames, decay: float) -> Array:
    """Return how long each frame would be if nothing had decayed since injection, in s; ``decay`` in 1/min."""
    weighted = np.exp(-decay * frames.starts / MINUTE) * decayed_time(frames.durations / MINUTE, decay)
    return np.asarray(weighted * MINUTE)
