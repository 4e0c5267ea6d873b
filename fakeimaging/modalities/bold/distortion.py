"""Distortion by the field: an echo-planar image is shifted along its phase-encoding axis in proportion to the frequency.

Lines of k-space lie 1 / (N voxel) apart and are read dt apart (the effective echo spacing), so that a frequency f, which adds a
phase of 2 pi f dt from line to line, counts as a shift of

    s = +- f dt N   voxels,

+ for a phase encoding of ``j`` and - for ``j-``, towards higher indices of the axis: what is at y shows at y + s(y). It is the sign
of sdcflows, which reads the undistorted image at y + f TotalReadoutTime, and of FSL's vectors 0 1 0 (P >> A) and 0 -1 0 (A >> P): positive
frequencies over the sinuses move backwards in the latter. TotalReadoutTime is dt (N - 1), the time from the first line to the last:
a shift computed from it is an N-th part smaller.

Signal is neither made nor lost: a voxel of the distorted image holds the integral of all that lands in it. With C(y) the integral of the
image up to y along a line, it is C(Y(j + 1/2)) - C(Y(j - 1/2)), Y the place that is shifted to the face of voxel j. Where the image
folds over, several places are, and C counts with alternating sign. C is a cubic spline whose slope has the voxels as its means.

The field is taken as it was at t = 0, fixed in the scanner: that it turns with a moving head is left out, and what is shifted out of
the field of view does not come in on the other side.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import kernels
from fakeimaging.core.citations import Reference
from fakeimaging.modalities.bold.parameters import BoldParameters
from fakeimaging.modalities.layers import Forward, Recipe, Stage
from fakeimaging.modalities.spline import Shift, filter_middle

if TYPE_CHECKING:
    from fakeimaging.modalities.recording import Recording

FINER = 4
"""Steps a voxel between which the shift is taken as linear."""
REFERENCES = (
    Reference("Jezzard and Balaban", 1995, "10.1002/mrm.1910340111", "distortion of echo-planar images by the field"),
    Reference("Andersson et al.", 2003, "10.1016/S1053-8119(03)00336-7", "pairs of reversed phase encoding"),
)


@dataclass(frozen=True, eq=False)
class Warp:
    """How the voxels of a distorted image are gathered from running sums along its lines.

    Parameters
    ----------
    axis : int
        0 or 1, that of phase encoding; ``n_other`` below runs along the other one.
    first : ndarray of int32, shape (n_other, n + 1, n_slices)
        For each face between voxels: the first of the four running sums that make the integral up to where it came from.
    weights : ndarray of float32, shape (n_other, n + 1, 4, n_slices)
    folds : ndarray of int32, shape (n_folds, 3)
        Where the image folds over, a face came from several places: face, slice and first running sum of the others, by line.
    fold_weights : ndarray of float32, shape (4, n_folds)
    first_fold : ndarray of int, shape (n_other + 1,)
        Number of the first fold of each n_other.
    """

    axis: int
    first: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    folds: npt.NDArray[np.int32]
    fold_weights: npt.NDArray[np.float32]
    first_fold: npt.NDArray[np.intp]


def axis_of(parameters: BoldParameters) -> int:
    """Return the axis of phase encoding."""
    return "ij".index(parameters.phase_encoding[0])


def voxels_per_hz(parameters: BoldParameters, n_lines: int) -> float:
    """Return by how many voxels 1 Hz shifts, with the sign of the phase encoding.

    Examples
    --------
    >>> voxels_per_hz(BoldParameters(phase_encoding="j-", echo_spacing=0.00025), 64)
    -0.016
    """
    sign = -1.0 if parameters.phase_encoding.endswith("-") else 1.0
    return sign * parameters.echo_spacing * n_lines


def readout(parameters: BoldParameters, n_lines: int) -> dict[str, Any]:
    """Return what BIDS wants to know of the readout."""
    spacing = parameters.echo_spacing
    times = {"EffectiveEchoSpacing": spacing, "TotalReadoutTime": float(f"{spacing * (n_lines - 1):.9g}")}
    return {"PhaseEncodingDirection": parameters.phase_encoding} | (times if spacing > 0 else {})


def make_warp(shift: npt.NDArray[np.float32], axis: int) -> Warp:
    """Return the warp of a shift.

    Parameters
    ----------
    shift : ndarray of float32, shape (nx, ny, nz)
        By how many voxels the signal at each voxel's centre is shifted along the axis, at least two voxels long.
    axis : int
        0 or 1.
    """
    along = np.ascontiguousarray(np.moveaxis(shift, axis, 1), dtype=np.float64)
    n_other, n, n_slices = along.shape
    fine = np.linspace(-0.5, n - 0.5, FINER * n + 1)
    lands = np.ascontiguousarray((fine[:, None] + _finer(along, fine)).swapaxes(1, 2))
    faces, counts = np.empty((n_other, n + 1, n_slices)), np.zeros(n_other, dtype=np.intp)
    crossings = _kernels().find_crossings
    crossings(lands, faces, np.empty((0, 4)), counts)
    folds = np.empty((int(counts.sum()), 4))
    crossings(lands, faces, folds, counts)
    first, weights = _taps(faces, n)
    fold_first, fold_weights = _taps(folds[:, 2], n)
    return Warp(
        axis,
        (first * n_slices + np.arange(n_slices)).astype(np.int32),
        np.stack(weights, axis=2).astype(np.float32),
        np.stack([*folds[:, :2].T, fold_first * n_slices + folds[:, 1]], axis=1).astype(np.int32),
        (folds[:, 3] * np.stack(fold_weights)).astype(np.float32),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.intp),
    )


def _taps(places: npt.NDArray[np.float64], n: int) -> tuple[npt.NDArray[np.intp], tuple[npt.NDArray[np.float64], ...]]:
    """Return the first of four running sums that make the integral up to each place, and their weights.

    The running sums begin two before the first voxel, and a place between faces i and i + 1 of voxels is one between sums.
    """
    second = np.minimum((places + 1.5).astype(np.intp), n)
    past = places + 1.5 - second
    left = 1 - past
    inner = tuple(2 / 3 - far**2 * (2 - far) / 2 for far in (past, left))
    return second - 1, (left**3 / 6, *inner, past**3 / 6)


def _finer(along: npt.NDArray[np.float64], fine: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Interpolate lines at finer places by cubic splines, constant beyond the middles of the outer voxels."""
    from scipy.interpolate import CubicSpline

    n = along.shape[1]
    return np.asarray(CubicSpline(np.arange(n), along, axis=1)(np.clip(fine, 0, n - 1)))


def unwarping(shift: npt.NDArray[np.float32], axis: int) -> Shift:
    """Return what undoes the distortion when a volume is resampled: the shift, and how far it stretches the image.

    Where the image folds over, nothing brings it back apart: the stretch is held at 0 there.
    """
    stretch = 1 + np.gradient(shift, axis=axis)
    return Shift(axis, np.ascontiguousarray(shift), np.maximum(stretch, 0).astype(np.float32))


def true_unwarping(recording: Recording) -> Shift | None:
    """Return what undoes the scan's distortion, nothing where it has none."""
    if "distortion" not in recording.stages:
        return None
    recipe = recording.recipe("distortion")
    shift = shift_of(recording.forward, recipe["voxels_per_hz"])
    return unwarping(shift, recipe["axis"]) if shift.any() else None


def distort(volume: npt.NDArray[np.float32], warp: Warp) -> npt.NDArray[np.float32]:
    """Return the distorted image of a volume, which is real."""
    along = np.array(np.moveaxis(volume, warp.axis, 1), dtype=np.float32, order="C")
    _, n, n_slices = along.shape
    result, room = np.empty_like(along), np.empty((n + 3, n_slices), dtype=np.float32)
    coefficients = along * np.float32(6)
    filter_middle(coefficients)
    _kernels().remap(
        coefficients, warp.first, warp.weights, warp.folds, warp.fold_weights, warp.first_fold, room, result
    )
    return np.ascontiguousarray(np.moveaxis(result, 1, warp.axis))


@lru_cache(maxsize=1)
def _kernels() -> Any:
    path = Path(__file__).with_name("distortion_kernel.py")
    return kernels.load("distortion", path.read_text())


def _draw(forward: Forward, parameters: BoldParameters, *, rng: np.random.Generator) -> Recipe:
    axis = axis_of(parameters)
    return {"axis": axis, "voxels_per_hz": voxels_per_hz(parameters, forward.clean.grid.shape[axis])}


def _act(
    image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    warp = _warp_of(forward, recipe["axis"], recipe["voxels_per_hz"])
    return image if warp is None else distort(image, warp)


@lru_cache(maxsize=2)
def _warp_of(forward: Forward, axis: int, voxels: float) -> Warp | None:
    shift = shift_of(forward, voxels)
    return make_warp(shift, axis) if shift.any() and shift.shape[axis] > 1 else None


def shift_of(forward: Forward, voxels: float) -> npt.NDArray[np.float32]:
    """Return by how many voxels the signal at each voxel's centre is shifted, shape grid.shape, for that many voxels a Hz."""
    return np.asarray(np.float32(voxels) * forward.context["maps"].frequency)


DISTORTION = Stage("distortion", "operator", _draw, _act)
"""Needs ``parameters.phase_encoding`` and ``echo_spacing`` and the context ``maps``; without shift the image is left as it is."""
