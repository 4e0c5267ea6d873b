"""MEG head movement: what a head that moves in the helmet adds to the signal of the head at rest.

    term(t) = sum_k p_k(t) (dG / dp_k) q(t),   k = 1..6

p: pose of the head since the start of the run (three shifts, three rotations; the run's physiology, the same that moves the head in BOLD);
G: gains of activity q at the coils, whose derivatives are exact, from the magnetic charges of `magnetic`. First order: for a head 1, 3
and 5 mm off, the term is wrong by up to 4, 9 and 15 % of itself, and the signal by 0.2, 1.5 and 3 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.physiology import SPHERE, Physiology
from fakeimaging.core.clocks import Clock
from fakeimaging.core.spaces import Affine, apply_affine
from fakeimaging.modalities.electro.helmet import dev_head_t
from fakeimaging.modalities.electro.lead_field import LowRank
from fakeimaging.modalities.electro.magnetic import charges_and_amounts
from fakeimaging.modalities.electro.projection import Courses, Gains, moments
from fakeimaging.modalities.electro.sensors import Sensors
from fakeimaging.modalities.layers import Companion, Factors, Forward, Recipe, Stage
from fakeimaging.modalities.motion import rigid
from fakeimaging.structure.subject import Subject

Floats = npt.NDArray[np.float64]

POSES = 6
"""Numbers of a pose: shifts along x, y, z in mm, rotations about x, y, z in rad, of native space."""
SIZES = np.array([1.0] * 3 + [SPHERE] * 3)
"""mm that each number of a pose stands for."""
LEFT_OUT = 0.02
"""Largest share of the movement along each of its axes (root of the sum of squares) that is left out to save time; 6 % in all."""
TINY = 1e-300
RATE = 5.0
"""Hz of the table of head positions."""
POSITION_COLUMNS = ("Time", "q1", "q2", "q3", "q4", "q5", "q6", "g-value", "error", "velocity")
"""Of MaxFilter's and MNE-Python's tables of head positions: s; rotation and shift (m) of helmet to head; goodness of fit; m; m/s."""


def moved(sensors: Sensors, poses: npt.ArrayLike) -> Sensors:
    """Return the coils as a head in some pose sees them: the head moves, so in its own coordinates they move the other way."""
    back = np.asarray(np.linalg.inv(rigid(poses)), dtype=np.float64)
    points, directions = apply_affine(back, sensors.points), sensors.directions @ back[:3, :3].T
    return replace(sensors, positions=apply_affine(back, sensors.positions), points=points, directions=directions)


def pose_derivatives(sensors: Sensors, to_template: Affine) -> Floats:
    """Return how the maps of `magnetic_field` change with the head's pose, shape (6, n_sensors, rank), per mm and per rad.

    Parameters
    ----------
    sensors : Sensors
        Native mm.
    to_template : ndarray, shape (4, 4)
    """
    points, directions = sensors.coils_in(to_template)
    shifts, turns = _changes(sensors, to_template)
    charges, layer, *_ = charges_and_amounts()
    found = np.empty((POSES, len(sensors.names), len(charges)))
    for i in range(len(sensors.names)):
        own = np.flatnonzero(sensors.owner == i)
        found[:, i] = _felt_changes(points[own], directions[own], shifts[:, own], turns[:, own], charges)
    return np.asarray(found.reshape(-1, len(charges)) @ layer).reshape(POSES, len(sensors.names), -1)


def _changes(sensors: Sensors, to_template: Affine) -> tuple[Floats, Floats]:
    """Return how points and directions change with each number of the pose, template mm, each shape (6, n_points, 3)."""
    axes, linear = np.eye(3), to_template[:3, :3]
    still = np.zeros_like(sensors.points)
    shifts = [-axis + still for axis in axes] + [-np.cross(axis, sensors.points) for axis in axes]
    turns = [still] * 3 + [-np.cross(axis, sensors.directions) for axis in axes]
    # Directions keep their length on the way to the template: only what turns them counts.
    size = np.linalg.norm(sensors.directions, axis=1, keepdims=True)
    along = sensors.directions @ linear.T
    length = np.linalg.norm(along, axis=1, keepdims=True)
    along /= length
    across = [turn @ linear.T for turn in turns]
    turned = [(turn - along * (turn * along).sum(axis=1, keepdims=True)) * size / length for turn in across]
    return np.stack(shifts) @ linear.T, np.stack(turned)


def _felt_changes(points: Floats, directions: Floats, shifts: Floats, turns: Floats, charges: Floats) -> Floats:
    """Return how what a coil feels of each charge changes, shape (6, n_charges).

    With a = x - c, what a point feels, d.a / r^3, changes by (d.dx + dd.a) / r^3 - 3 d.a dx.a / r^5. Products with the charges' places
    are taken out of the sum over points.
    """
    square = ((points[:, None] - charges) ** 2).sum(axis=2)
    cube = square**-1.5
    stretch = 3 * ((points * directions).sum(axis=1)[:, None] - directions @ charges.T) * cube / square
    turned = (shifts * directions + turns * points).sum(axis=2)
    along = (shifts * points).sum(axis=2)
    found = turned @ cube - along @ stretch
    for axis in range(3):
        found += (shifts[:, :, axis] @ stretch - turns[:, :, axis] @ cube) * charges[:, axis]
    return found


@dataclass(frozen=True, eq=False)
class PoseFactors:
    """The derivatives as maps times courses.

    Parameters
    ----------
    maps : ndarray, shape (6, n_sensors, rank + n_imposed)
        Per mm and per mm on a sphere of `SPHERE`.
    basis : Gains
        Of the courses; the largest first, then the imposed ones.
    rest : ndarray, shape (n_columns,)
        Share of the derivatives that is beyond the first courses: none, one, two ... of them.
    """

    maps: Floats
    basis: Gains
    rest: Floats

    def rows(self, most: float) -> npt.NDArray[np.intp]:
        """Return the courses that leave out at most this share: none when it is 1, else the imposed ones too."""
        n, rank = int((self.rest > most).sum()), len(self.basis.regions) - self.basis.sources.shape[1]
        chosen = [*range(min(n, rank)), *range(rank, len(self.basis.regions))]
        return np.array(chosen if n else [], dtype=np.intp)


@dataclass(frozen=True, eq=False)
class Movement:
    """How a recording's signal changes when the head moves; computed when first asked for.

    Parameters
    ----------
    subject : Subject
    courses : Courses
        Of the recording.
    field : LowRank
        At the coils, the head at rest.
    sensors : Sensors
        Native mm.
    """

    subject: Subject
    courses: Courses
    field: LowRank
    sensors: Sensors

    @cached_property
    def gains(self) -> Gains:
        """Derivatives of the gains, one pose number after the other: rows (6 * n_sensors)."""
        maps = pose_derivatives(self.sensors, self.subject.anatomy.to_template)
        field = replace(self.field, maps=maps.reshape(-1, maps.shape[2]))
        parts = moments(self.subject, self.courses.activity, field.space)
        regions, modes, sources = parts
        return Gains(field.project(regions), None if modes is None else field.project(modes), field.project(sources))

    @cached_property
    def _factors(self) -> PoseFactors:
        gains, n_sensors = self.gains, len(self.sensors.names)
        taps = gains.of_taps.astype(np.float64)
        weighted = taps / np.repeat(SIZES, n_sensors)[:, None]
        _, sizes, right = np.linalg.svd(weighted, full_matrices=False)
        rest = np.sqrt(np.cumsum(sizes[::-1] ** 2)[::-1] / max(float((sizes**2).sum()), TINY))
        basis = right[: int((rest > LEFT_OUT).sum())]
        sources = gains.sources / np.repeat(SIZES, n_sensors)[:, None]
        maps = np.concatenate([weighted @ basis.T, sources], axis=1).reshape(POSES, n_sensors, -1)
        rank, n_imposed = len(basis), sources.shape[1]
        whole = np.zeros((rank + n_imposed, taps.shape[1] + n_imposed))
        whole[:rank, : taps.shape[1]], whole[rank:, taps.shape[1] :] = basis, np.eye(n_imposed)
        return PoseFactors(maps, Gains(whole[:, : taps.shape[1]], None, whole[:, taps.shape[1] :]), rest)

    def term(self, part: Clock, poses: Floats) -> Factors:
        """Return what movement adds in a part of the recording, shape (n_sensors, part.n).

        The poses of a part are nearly on a line or a plane: they are turned to principal axes, and the smaller the movement along one
        is, the less of the derivatives is needed there.

        Parameters
        ----------
        part : Clock
        poses : ndarray, shape (part.n, 6)
        """
        factors = self._factors
        courses = self.courses.projected(factors.basis, part)
        weighted = poses * SIZES
        squares, axes = np.linalg.eigh(weighted.T @ weighted)
        along = np.sqrt(np.maximum(squares, 0.0) / max(float(squares.sum()), TINY))
        rows = [factors.rows(LEFT_OUT / max(float(size), TINY)) for size in along]
        maps = [np.tensordot(axis, factors.maps[:, :, own], 1) for axis, own in zip(axes.T, rows, strict=True)]
        sizes = (weighted @ axes).astype(np.float32).T
        several = [size * courses[own] for size, own in zip(sizes, rows, strict=True)]
        return Factors(np.concatenate(maps, axis=1), np.concatenate(several))


def _draw_movement(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    return {"scale": parameters.movement}


def _move(forward: Forward, recipe: Recipe, v: int, *, rng: None) -> Factors | None:
    part, movement = forward.clean.part(v), forward.context["movement"]
    poses = recipe["scale"] * forward.context["physiology"].motion(part.times)
    if not poses.any():
        return None
    term = movement.term(part, poses)
    rest = np.zeros((len(forward.clean.channels) - len(term.maps), term.maps.shape[1]))
    return Factors(np.concatenate([term.maps, rest]), term.courses)


def head_positions(subject: Subject, body: Physiology, to_head: Affine, scale: float) -> Companion:
    """Return the table of true head positions, as `mne.chpi.read_head_pos` reads it.

    Parameters
    ----------
    subject : Subject
    body : Physiology
    to_head : ndarray, shape (4, 4)
        Helmet mm to native mm, the head at rest.
    scale : float
        Of the run's motion.
    """
    times = np.arange(int(body.duration * RATE) + 1) / RATE
    rest = dev_head_t(subject, to_head)
    rows: list[list[float]] = []
    before: Floats = np.zeros(3)
    for time, pose in zip(times, scale * body.motion(times), strict=True):
        matrix = dev_head_t(subject, np.linalg.inv(rigid(pose)) @ to_head) if pose.any() else rest
        where = np.asarray(np.linalg.inv(matrix)[:3, 3], dtype=np.float64)
        speed = RATE * float(np.linalg.norm(where - before)) if rows else 0.0
        rows.append([round(v, 7) for v in (time, *quaternion(matrix[:3, :3]), *matrix[:3, 3], 1.0, 0.0, speed)])
        before = where
    about = {
        "Description": "true positions of the head: rotation (q1 to q3, unit quaternion) and shift (q4 to q6, m) of helmet to head",
        "Units": {"Time": "s", "velocity": "m/s"},
    }
    return Companion("headpositions", POSITION_COLUMNS, rows, about, truth=True, named=False)


def _tell(companions: tuple[Companion, ...], forward: Forward, recipe: Recipe) -> tuple[Companion, ...]:
    context = forward.context
    return (*companions, head_positions(context["subject"], context["physiology"], context["helmet"], recipe["scale"]))


def quaternion(turn: npt.NDArray) -> Sequence[float]:
    """Return the three numbers of the unit quaternion of a rotation by less than half a turn, the fourth being positive.

    Examples
    --------
    >>> [round(float(q), 3) for q in quaternion(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]))]
    [0.0, 0.0, 0.707]
    """
    real = np.sqrt(max(1 + np.trace(turn), 1e-12)) / 2
    return [
        (turn[2, 1] - turn[1, 2]) / 4 / real,
        (turn[0, 2] - turn[2, 0]) / 4 / real,
        (turn[1, 0] - turn[0, 1]) / 4 / real,
    ]


MOVEMENT = Stage("movement", "additive", _draw_movement, _move, tell=_tell, noisy=False)
"""What the run's head motion, times ``scale``, changes in the signal; the clean one is that of the head as it lay at the start.

Needs ``movement`` and the context ``movement`` (`Movement`) and ``helmet`` (helmet mm to native mm).
"""
