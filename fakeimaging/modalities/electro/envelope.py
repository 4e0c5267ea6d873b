"""The outer surface of each hemisphere, on which subdural electrodes lie: the pia without its sulci, in template mm.

The pial surface is filled and closed with a ball of 15 mm, as FreeSurfer's outer smoothed surface is (Schaer et al. 2008,
doi:10.1109/TMI.2007.903576), and kept as the depth of each voxel below it. A place moves onto the surface along the slope of the depth.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.structure.surfaces import HEMISPHERES, Hemisphere, cortex

Floats = npt.NDArray[np.float64]

CLOSING = 15.0
"""mm, radius of the ball (Schaer et al. 2008)."""
STEP = 2.0
"""mm, edge of a voxel."""
MARGIN = 24.0
"""mm around the hemisphere that the depths reach."""
SMOOTH = 4.0
"""mm, SD of the smoothing: a sheet of silicone does not bend into a notch (assumed; neighbours then stay within 4 % of their spacing)."""
ON_TOP = 0.01
"""Share of pial vertices that stand out of the surface: it rests on the crowns of the gyri."""
PER_EDGE = 8
"""Parts of a triangle's edge when the surface is filled: below a voxel for the longest edge."""


@dataclass(frozen=True, eq=False)
class Envelope:
    """The outer surface of a hemisphere as a field of depths.

    Parameters
    ----------
    origin : ndarray, shape (3,)
        Template mm of the first voxel.
    depths : ndarray, shape (nx, ny, nz)
        mm below the surface, negative outside.
    """

    origin: Floats
    depths: npt.NDArray[np.float32]

    def depth(self, points: npt.ArrayLike) -> Floats:
        """Return how deep points (n, 3) lie below the surface in mm, shape (n,); negative outside."""
        from scipy.ndimage import map_coordinates

        where = (np.asarray(points, dtype=float) - self.origin) / STEP
        return np.asarray(map_coordinates(self.depths, where.T, order=1, mode="nearest"), dtype=np.float64)

    def normals(self, points: npt.ArrayLike) -> Floats:
        """Return the outward directions at points (n, 3), shape (n, 3)."""
        points = np.asarray(points, dtype=float)
        shifts = STEP * np.concatenate([np.eye(3), -np.eye(3)])
        around = self.depth((points[:, None] + shifts).reshape(-1, 3)).reshape(-1, 2, 3)
        outward = around[:, 1] - around[:, 0]
        return np.asarray(outward / np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9))

    def onto(self, points: npt.ArrayLike, steps: int = 4) -> Floats:
        """Return the places on the surface near points (n, 3)."""
        found = np.asarray(points, dtype=float)
        for _ in range(steps):
            found = found + self.depth(found)[:, None] * self.normals(found)
        return found


@lru_cache(maxsize=2)
def envelope(hemisphere: Hemisphere) -> Envelope:
    """Return the outer surface of a hemisphere; made in about 0.5 s."""
    from scipy.ndimage import binary_fill_holes, distance_transform_edt, gaussian_filter

    shell = _dense(hemisphere)
    origin = shell.min(axis=0) - MARGIN
    solid = np.zeros(np.ceil((shell.max(axis=0) + MARGIN - origin) / STEP).astype(int) + 1, dtype=bool)
    solid[tuple(np.rint((shell - origin) / STEP).astype(int).T)] = True
    grown = STEP * distance_transform_edt(~binary_fill_holes(solid)) <= CLOSING
    inside, outside = (STEP * distance_transform_edt(part) for part in (grown, ~grown))
    rough = Envelope(origin, gaussian_filter((inside - outside - CLOSING).astype(np.float32), SMOOTH / STEP))
    level = np.quantile(rough.depth(cortex(hemisphere).pial), ON_TOP)
    return Envelope(frozen(origin), frozen((rough.depths - level).astype(np.float32)))


def brain_depth(points: npt.ArrayLike) -> Floats:
    """Return how deep points (n, 3) lie below the outer surface of the hemisphere they are in, or nearest to, shape (n,)."""
    return np.maximum(*(envelope(side).depth(points) for side in HEMISPHERES))


def _dense(hemisphere: Hemisphere) -> Floats:
    """Return points all over the pial surface, nearer to each other than a voxel is wide."""
    surface, n = cortex(hemisphere), PER_EDGE
    weights = np.array([(i, j, n - i - j) for i in range(n + 1) for j in range(n + 1 - i)]) / n
    return np.asarray(np.einsum("kc,tcx->tkx", weights, surface.pial[surface.triangles]).reshape(-1, 3))
