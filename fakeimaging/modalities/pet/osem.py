"""Reconstruction by ordered subsets expectation maximisation (Shepp and Vardi 1982, Hudson and Larkin 1994).

Counts y of bin j are Poisson about k a_j [P H x]_j + b_j: x the image in Bq/mL, H the point spread where the model
has it, P line integrals, a the share of pairs that leave, k counts for each Bq/mL mm, b scatter and randoms. One step
with the views of a subset: x <- x / [H P' a] . H P' [ a y / (k a P H x + b) ] / k.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.citations import Reference
from fakeimaging.modalities.pet.projector import Lines, backward, empty
from fakeimaging.modalities.pet.slabs import (
    NOTHING,
    WIDE,
    SlabBlur,
    Slabs,
    Volume,
    from_slabs,
    kernel,
    slab_blur,
    to_bins,
    to_slabs,
)

REFERENCES = (
    Reference("Shepp and Vardi", 1982, "10.1109/TMI.1982.4307558", "reconstruction by expectation maximisation"),
    Reference("Hudson and Larkin", 1994, "10.1109/42.363108", "ordered subsets"),
)
SEEN = 1e-3
"""Voxels whose sensitivity is less than this share of the highest stay at 0."""


@dataclass(frozen=True, eq=False)
class Model:
    """What a reconstruction takes for the way from activity to counts, the same for all frames of a scan.

    Parameters
    ----------
    lines : Lines
    survival : ndarray, shape lines.shape
        Share of pairs that leave along each line.
    spread : SlabBlur or None
        The point spread, where it is modelled.
    weights : tuple of Slabs
        One over what each subset sees of each voxel, 0 where all of them together see next to nothing.
    sensitivity : float
        What all see of all voxels.
    """

    lines: Lines
    survival: Volume
    spread: SlabBlur | None
    weights: tuple[Slabs, ...]
    sensitivity: float

    @property
    def subsets(self) -> int:
        """Number of subsets."""
        return len(self.weights)


def model(lines: Lines, survival: npt.NDArray, subsets: int, fwhm: float | tuple[float, float, float] = 0.0) -> Model:
    """Return the model of a scan.

    Parameters
    ----------
    lines : Lines
    survival : ndarray, shape lines.shape
    subsets : int
        Views of a subset are as many apart.
    fwhm : float or (x, y, z)
        Of the point spread along the axes of the grid, mm; 0 leaves it out.
    """
    bins, spread = to_bins(survival), slab_blur(lines.grid, fwhm)
    sees = [_spread(backward(bins, lines, first=s, step=subsets), spread) for s in range(subsets)]
    total = np.sum(sees, axis=0)
    seen = (to_slabs(_within(lines)) > 0) & (total > SEEN * total.max())
    weights = tuple(frozen(np.divide(1, part, out=np.zeros_like(part), where=seen & (part > 0))) for part in sees)
    return Model(lines, frozen(np.asarray(survival)), spread, weights, float(total[seen].sum(dtype=np.float64)))


def _within(lines: Lines) -> npt.NDArray[np.bool_]:
    """Mark the voxels that all views see."""
    nx, ny, nz = lines.grid.shape
    dx, dy, _ = lines.grid.voxel_size
    x, y = ((np.arange(n) - (n - 1) / 2) * d for n, d in ((nx, dx), (ny, dy)))
    inside = np.hypot(x[:, None], y[None]) <= lines.n_bins * lines.bin_width / 2
    return np.repeat(inside[:, :, None], nz, axis=2)


def _spread(slabs: Slabs, spread: SlabBlur | None, out: Slabs | None = None) -> Slabs:
    return slabs if spread is None else spread.of(slabs, out)


def reconstruct(
    counts: npt.NDArray,
    background: npt.NDArray,
    model: Model,
    *,
    scale: float,
    iterations: int,
    post_filter: float = 0.0,
) -> Volume:
    """Return the activity that lets expect such counts, in the unit of activity.

    Parameters
    ----------
    counts : ndarray, shape model.lines.shape
        Prompts.
    background : ndarray, shape model.lines.shape
        Scatter and randoms that are expected among them.
    model : Model
    scale : float
        Counts for each Bq/mL mm where all pairs leave; nothing is reconstructed where there are none.
    iterations : int
        Times all subsets are gone through.
    post_filter : float
        FWHM of a Gaussian at the end, mm.
    """
    lines = model.lines
    if scale <= 0:
        return np.zeros(lines.grid.shape, dtype=np.float32)
    measured = to_bins(counts) * np.float32(1 / scale)
    beyond = to_bins(background / (np.float32(scale) * model.survival))
    x = _start(measured, model)
    rooms = empty(lines), empty(lines)
    for step in range(iterations * model.subsets):
        x *= _correction(x, measured, beyond, model, step % model.subsets, rooms)
    smooth = slab_blur(lines.grid, post_filter)
    return from_slabs(_spread(x, smooth), lines.grid.shape)


def _start(measured: Slabs, model: Model) -> Slabs:
    """Return the uniform image that lets expect as many counts."""
    level = measured.sum(dtype=np.float64) / model.sensitivity
    return np.where(model.weights[0] > 0, np.float32(level), np.float32(0))


def _correction(
    x: Slabs, measured: Slabs, beyond: Slabs, model: Model, subset: int, rooms: tuple[Slabs, Slabs]
) -> Slabs:
    """Return what one step multiplies each voxel by, in one of two rooms; 0 where nothing is seen."""
    lines, (one, other) = model.lines, rooms
    views = np.empty(-(-lines.n_views // model.subsets) * lines.n_bins * WIDE, dtype=np.float32)
    where = lines.table, lines.plane, lines.n_bins, subset, model.subsets
    kernel().compare(_spread(x, model.spread, one), *where, measured, beyond, NOTHING, views, other)
    correction = _spread(other, model.spread, one)
    correction *= model.weights[subset]
    return correction
