"""The head between frames: it drifts, and now and then it settles anew. One pose holds for a frame, its mean: no blur within one.

The level is the root mean square, over the head and over scans, of how far a place has moved after an hour; it grows with the root of
time. Heads under a mask turned by up to 4.1 degrees in the sagittal plane and 2.4 in the coronal one within 130 min (Ruttimann et al.
1995, doi:10.1016/0925-4927(95)02565-F): some millimetres. Images of studies are mostly realigned, so the head lies still unless told.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.physiology import SPHERE
from fakeimaging.core.citations import Reference
from fakeimaging.core.clocks import Frames
from fakeimaging.modalities.layers import Companion, Forward, Recipe, Stage
from fakeimaging.modalities.motion import rigid
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.survival import mismatch
from fakeimaging.modalities.spline import resample_volume

Array = npt.NDArray[np.float64]

HOUR = 3600.0
STEP = 5.0
"""s between the poses that a frame's is the mean of, at most."""
SETTLES = 3.0
"""How often an hour the head settles anew (assumed)."""
OF_DRIFT = 0.5
"""Share of the mean square displacement that is drift; the rest comes of settling (assumed)."""
RELATIVE = np.array([0.5, 0.8, 1.0, 1.0 / SPHERE, 0.5 / SPHERE, 0.6 / SPHERE])
"""Relative SD along x, y, z (mm) and about x, y, z (rad): heads nod and slide along the table, as between volumes of fMRI (assumed)."""
COLUMNS = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
REFERENCE = Reference("Ruttimann et al.", 1995, "10.1016/0925-4927(95)02565-F", "head motion during PET")


def displacement(poses: npt.ArrayLike) -> Array:
    """Return the root mean square displacement of the surface of a sphere of 50 mm around the isocentre, in mm, shape (n,).

    Parameters
    ----------
    poses : array_like, shape (n, 6)
        Shifts in mm, rotations in rad.

    Examples
    --------
    >>> displacement([[3.0, 0, 4.0, 0, 0, 0], [0, 0, 0, 0.02, 0, 0]]).round(3)
    array([5.   , 0.816])
    """
    poses = np.asarray(poses, dtype=float)
    turned = SPHERE**2 * 2 / 3 * (poses[:, 3:] ** 2).sum(axis=1)
    return np.asarray(np.sqrt((poses[:, :3] ** 2).sum(axis=1) + turned))


def drawn_poses(frames: Frames, level: float, *, rng: np.random.Generator) -> Array:
    """Return the mean pose of each frame relative to the start of the scan, shape (n_frames, 6).

    Parameters
    ----------
    frames : Frames
    level : float
        Root mean square displacement after an hour in mm.
    """
    steps, n_of = _steps(frames)
    unit = RELATIVE * level / displacement(RELATIVE[None])[0] / np.sqrt(HOUR)
    drift = rng.standard_normal((len(steps), 6)) * np.sqrt(OF_DRIFT * steps)[:, None]
    n_settles = rng.poisson(SETTLES / HOUR * steps)
    settling = rng.standard_normal((len(steps), 6)) * np.sqrt(n_settles * (1 - OF_DRIFT) * HOUR / SETTLES)[:, None]
    courses = np.cumsum((drift + settling) * unit, axis=0)
    return np.stack([part.mean(axis=0) for part in np.split(courses, np.cumsum(n_of)[:-1])])


def _steps(frames: Frames) -> tuple[Array, npt.NDArray[np.intp]]:
    """Lengths in s of the steps of all frames, and how many each frame has."""
    n_of = np.ceil(frames.durations / STEP).astype(int)
    return np.repeat(frames.durations / n_of, n_of), n_of


def poses_of_run(frames: Frames, physiology: Any) -> Array:
    """Return the mean pose of each frame in the run that the scan follows, relative to its start, shape (n_frames, 6)."""
    steps, n_of = _steps(frames)
    middles = frames.start + np.cumsum(steps) - steps / 2
    poses = np.split(physiology.motion(middles), np.cumsum(n_of)[:-1])
    return np.stack([part.mean(axis=0) for part in poses]) - physiology.motion(np.array([frames.start]))


def _draw_motion(forward: Forward, parameters: PetParameters, *, rng: np.random.Generator) -> Recipe:
    p, frames = parameters, forward.clean.clock
    if p.follow and p.motion is None:
        poses = poses_of_run(frames, forward.context["activity"].physiology)
    else:
        poses = drawn_poses(frames, p.motion or 0.0, rng=rng)
    return {"parameters": poses, "displacement": displacement(poses), "attenuation_moves": p.attenuation_moves}


def _move(image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray:
    pose = recipe["parameters"][v]
    if not pose.any():
        return image
    grid, back = forward.clean.grid, np.asarray(np.linalg.inv(rigid(pose)), dtype=float)
    moved = resample_volume(image, grid, grid, back)
    return moved if recipe["attenuation_moves"] else moved * mismatch(forward.context["attenuation"], back, grid)


def _told(companions: tuple[Companion, ...], forward: Forward, recipe: Recipe) -> tuple[Companion, ...]:
    """Add the table of true poses where the head moves."""
    if not recipe["parameters"].any():
        return companions
    frames = forward.clean.clock
    rows = [
        [float(start), float(end), *np.round(pose, 6).tolist(), round(float(moved), 4)]
        for start, end, pose, moved in zip(
            frames.starts, frames.ends, recipe["parameters"], recipe["displacement"], strict=True
        )
    ]
    about = {
        "Description": "true mean pose of the head in each frame, from where it lay at the start of the scan (native space, isocentre)",
        **{name: {"Units": "mm" if name.startswith("trans") else "rad"} for name in COLUMNS},
        "displacement": {"Description": "root mean square over a sphere of 50 mm", "Units": "mm"},
    }
    columns = ("frame_start", "frame_end", *COLUMNS, "displacement")
    return (*companions, Companion("desc-motion", columns, rows, about, truth=True, named=False))


MOTION = Stage("motion", "operator", _draw_motion, _move, tell=_told)
"""The head as it lies in each frame; the recipe's ``parameters`` (n_frames, 6) are its true poses (see `modalities.motion.rigid`)."""
