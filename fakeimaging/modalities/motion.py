"""Head motion: rigid poses, framewise displacement, and the stage that moves the head.

A pose is three shifts (mm) and three rotations (rad, about x, then y, then z of the native space, centre at the isocentre, the
origin of native mm). It takes a point of the head from where it was at t = 0 to where it is. One pose holds for a whole volume:
what moves while its slices are taken is left out; the spins' memory of another slice is a stage of BOLD of its own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.physiology import SPHERE
from fakeimaging.core.citations import Reference
from fakeimaging.core.parameters import Parameters
from fakeimaging.core.spaces import Affine, pose
from fakeimaging.modalities import spline
from fakeimaging.modalities.layers import Forward, Recipe, Stage
from fakeimaging.modalities.spline import resample_volume

REFERENCES = (
    spline.REFERENCE,
    Reference("Power et al.", 2012, "10.1016/j.neuroimage.2011.10.018", "framewise displacement"),
)


def rigid(parameters: npt.ArrayLike) -> Affine:
    """Return the pose as an affine: native mm at t = 0 to native mm now.

    Parameters
    ----------
    parameters : array_like, shape (6,)
        Shifts along x, y, z in mm, rotations about x, y, z in rad.

    Examples
    --------
    >>> rigid([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])[:3, 3]
    array([1., 0., 0.])
    """
    values = np.asarray(parameters, dtype=float)
    return pose(values[3:], np.ones(3), values[:3])


def framewise_displacement(parameters: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the sum of absolute changes from volume to volume, rotations as arcs of a 50 mm sphere, in mm; 0 for the first.

    Parameters
    ----------
    parameters : array_like, shape (n_volumes, 6)

    References
    ----------
    Power et al. (2012), doi:10.1016/j.neuroimage.2011.10.018

    Examples
    --------
    >>> framewise_displacement([[0, 0, 0, 0, 0, 0], [0.1, 0, -0.2, 0.01, 0, 0]]).round(3)
    array([0. , 0.8])
    """
    changes = np.abs(np.diff(np.asarray(parameters, dtype=float), axis=0))
    return np.concatenate([[0.0], changes @ np.array([1.0] * 3 + [SPHERE] * 3)])


def mean_displacement(parameters: npt.ArrayLike) -> float:
    """Return the mean framewise displacement from volume to volume in mm; 0 of a single volume."""
    return float(framewise_displacement(parameters)[1:].mean()) if len(np.asarray(parameters)) > 1 else 0.0


def _draw_motion(forward: Forward, parameters: Parameters, *, rng: np.random.Generator) -> Recipe:
    clock = forward.clean.clock
    middle = np.zeros(1) if clock is None else clock.times + clock.step / 2
    body = forward.context["physiology"]
    moved = {"": body.motion(middle)} | {f"_{name}": part for name, part in body.motion_parts(middle).items()}
    means = {f"mean_displacement{name}": mean_displacement(poses) for name, poses in moved.items()}
    return {"parameters": moved[""], **means, "jerks": body.jerks[(body.jerks >= 0) & (body.jerks < body.duration)]}


def _move(image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray:
    parameters = recipe["parameters"][v]
    if not parameters.any():
        return image
    grid = forward.clean.grid
    return resample_volume(image, grid, grid, np.asarray(np.linalg.inv(rigid(parameters))))


MOTION = Stage("motion", "operator", _draw_motion, _move)
"""The head as it lies in the middle of each volume; the recipe's ``parameters`` (n_volumes, 6) are the true motion (see `rigid`),
``mean_displacement`` its mean framewise displacement, also of each kind by itself, ``jerks`` when the head jerked."""
