"""Sensors: where electrodes, contacts and coils are, in native mm."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fakeimaging.core.spaces import Affine, apply_affine

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sensors:
    """What a recording feels with; row i is channel i.

    Parameters
    ----------
    names, kinds : tuple of str
        Kinds are BIDS' types of channels.
    positions : ndarray, shape (n, 3), native mm
        Middle of the electrode, contact or coil; NaN for channels that are nowhere.
    points, directions : ndarray, shape (n_points, 3)
        Of coils: native mm where each feels, and along what, weights put in (1/m for gradiometers).
    owner : ndarray of int, shape (n_points,)
        Channel of each point.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    positions: Floats
    points: Floats = field(default_factory=lambda: np.zeros((0, 3)))
    directions: Floats = field(default_factory=lambda: np.zeros((0, 3)))
    owner: npt.NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, dtype=np.intp))

    def rows(self, *kinds: str) -> npt.NDArray[np.intp]:
        """Return the rows of these kinds."""
        return np.array([i for i, kind in enumerate(self.kinds) if kind in kinds], dtype=np.intp)

    def coils_in(self, affine: Affine) -> tuple[Floats, Floats]:
        """Return points and directions moved by an affine; directions keep their length, since a gradiometer keeps its baseline."""
        turned = self.directions @ affine[:3, :3].T
        length = np.linalg.norm(turned, axis=1, keepdims=True)
        kept = np.linalg.norm(self.directions, axis=1, keepdims=True)
        return apply_affine(affine, self.points), np.asarray(turned * kept / np.where(length > 0, length, 1.0))
