"""A series on the cortical surface: means over the ribbon between white matter and pia, at the vertices of fsaverage5.

Each volume is read once, linearly, where each vertex lies in it: through the true pose of the head and the true transform.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import Affine, Grid, apply_affine
from fakeimaging.modalities.bold.distortion import true_unwarping
from fakeimaging.modalities.layers import Image
from fakeimaging.modalities.motion import rigid
from fakeimaging.modalities.recording import Recording
from fakeimaging.modalities.spline import Shift
from fakeimaging.structure.anatomy import Anatomy
from fakeimaging.structure.subject import Subject
from fakeimaging.structure.surfaces import HEMISPHERES, Hemisphere, cortex

DEPTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Shares of the way from white matter to the pia that are averaged (fMRIPrep's)."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where to read a volume.

    Parameters
    ----------
    points : ndarray, shape (n_depths, n, 3)
        Native mm of the head at t = 0; a value is the mean over the first axis.
    """

    points: npt.NDArray[np.float64]

    def values(
        self, volume: npt.NDArray, grid: Grid, pose: Affine, shift: Shift | None = None
    ) -> npt.NDArray[np.float32]:
        """Return what a volume shows there, shape (n,).

        ``pose`` takes the head at t = 0 to where it was in that volume, ``shift`` says where a distorted volume shows it.
        """
        index = apply_affine(np.linalg.inv(grid.affine) @ pose, self.points).reshape(-1, 3).T
        factor: npt.NDArray[np.float32] | float = 1.0
        if shift is not None:
            factor = _read(shift.stretch, index, mode="nearest")
            index[shift.axis] += _read(shift.voxels, index, mode="nearest")
        read = factor * _read(volume, index)
        return np.asarray(read.reshape(self.points.shape[:2]).mean(axis=0))


def _read(volume: npt.NDArray, index: npt.NDArray[np.float64], mode: str = "constant") -> npt.NDArray[np.float32]:
    from scipy.ndimage import map_coordinates

    return np.asarray(map_coordinates(np.asarray(volume, np.float32), index, order=1, output=np.float32, mode=mode))


@lru_cache(maxsize=2)
def vertices_of(anatomy: Anatomy, hemisphere: Hemisphere) -> Places:
    """Return the vertices of a hemisphere in a head, at each of the `DEPTHS`."""
    to_native = np.asarray(np.linalg.inv(anatomy.to_template))
    return Places(np.stack([apply_affine(to_native, cortex(hemisphere).at(depth)) for depth in DEPTHS]))


def surface_series(
    recording: Recording, subject: Subject, *, clean: bool = False
) -> dict[Hemisphere, npt.NDArray[np.float32]]:
    """Return a BOLD series at the vertices of fsaverage5, the head's motion and the image's distortion undone.

    Parameters
    ----------
    recording : Recording
        A BOLD scan.
    subject : Subject
        Whose head it shows.
    clean : bool
        The noise-free series in place of the observed one.

    Returns
    -------
    dict of "L" and "R" to ndarray, shape (10242, n_volumes), float32
        Also on the medial wall, where there is no cortex.

    Raises
    ------
    InputError
        If the recording is not a series of images.
    """
    signal = recording.clean if clean else recording.observed
    if not isinstance(signal, Image) or signal.clock is None:
        raise InputError(f"{recording.modality.name} is no series of images; surfaces need one", value=recording)
    moves = "motion" in recording.stages and not clean
    motion = recording.recipe("motion")["parameters"] if moves else np.zeros((signal.n_volumes, 6))
    shift = None if clean else true_unwarping(recording)
    places = {side: vertices_of(subject.anatomy, side) for side in HEMISPHERES}
    series = {side: np.empty((p.points.shape[1], signal.n_volumes), dtype=np.float32) for side, p in places.items()}
    for v, volume in enumerate(signal.volumes()):
        for side, place in places.items():
            series[side][:, v] = place.values(volume, signal.grid, rigid(motion[v]), shift)
    return series
