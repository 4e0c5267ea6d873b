"""Physiological noise without a name: fluctuations in proportion to the signal that have a memory in time and space.

    sigma_p^2 = S^2 lambda^2 (b (TE / TE0)^2 + 1 - b),   tSNR = SNR0 / sqrt(1 + lambda^2 SNR0^2) at TE0   (Krueger and Glover 2001)

The share b is BOLD-like, a change of R2*, the rest one of S0, each with draws of its own, which the echoes of a scan share; TE0 is the
usual echo time of the field.

In time it is autoregressive, rho = exp(-TR / tau). A volume has to be had alone, so the recursion is written as what it sums
to, a moving average of fresh fields with weights rho^k, cut where they fall below 1 %: any volume needs a handful of fields,
and in order each is drawn once. In space fresh fields live on a coarse grid and pass a Gaussian whose weights have unit
length, so that the variance is exactly 1 everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import kernels
from fakeimaging.core.citations import Reference
from fakeimaging.core.spaces import Grid
from fakeimaging.core.streams import Streams
from fakeimaging.modalities.bold.parameters import BoldParameters
from fakeimaging.modalities.bold.shares import echo_ratio, shares
from fakeimaging.modalities.boxes import Box, box_of
from fakeimaging.modalities.layers import Forward, Recipe, Stage
from fakeimaging.modalities.normals import normals

MEMORY = {"grey": 1.0, "white": 0.5, "csf": 0.5}
"""Memory of each tissue's noise over that of grey matter (assumed)."""
SPACING = 0.6
"""Of the coarse grid, over the width of the Gaussian: below 1.5 of its SD, so that the grid does not show."""
NEGLIGIBLE = 0.01
"""Weight of a past field below which it is left out."""
TINY = 1e-6
"""Weight of a coarse point below which it is left out."""
REFERENCE = Reference("Krueger and Glover", 2001, "10.1002/mrm.1240", "physiological noise follows the signal")


@dataclass(frozen=True, eq=False)
class _Field:
    """What makes a smooth field of unit variance on a box of voxels: one matrix an axis, and the SD of each memory there."""

    box: Box
    shape: tuple[int, int, int]
    along: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]
    sigma: tuple[npt.NDArray[np.float32], ...]
    taus: tuple[float, ...]


def _draw(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    lambdas = {f"lambda_{name}": getattr(parameters, f"lambda_{name}") for name in (*MEMORY, "bold")}
    smooth = {"memory": parameters.noise_memory, "fwhm": parameters.noise_fwhm}
    return {"seed": int(rng.integers(2**63)), **smooth, **lambdas}


def _act(forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    lambdas = tuple(recipe[f"lambda_{name}"] for name in MEMORY)
    field = _field_of(forward, recipe["memory"], recipe["fwhm"], lambdas)
    step = 1.0 if forward.clean.clock is None else forward.clean.clock.step
    term = np.zeros(forward.baseline.shape, dtype=np.float32)
    parts = kinds(recipe["lambda_bold"], forward.context["parameters"])
    for sigma, tau in zip(field.sigma, field.taus, strict=True):
        weights = enumerate(memory(step, tau))
        coarse = sum(weight * _fresh(recipe["seed"], v - k, field.shape, parts) for k, weight in weights)
        term[field.box] += sigma * _spread(coarse, field.along)
    return term


def kinds(share: float, p: BoldParameters) -> tuple[tuple[str, float], ...]:
    """Return the size of each kind of noise at the scan's echo time, all of it 1 at the usual one; ``share`` is BOLD-like."""
    sizes = (("bold", math.sqrt(share) * echo_ratio(p)), ("s0", math.sqrt(1 - share)))
    return tuple((kind, size) for kind, size in sizes if size > 0)


PHYSIOLOGICAL = Stage("physiological", "additive", _draw, _act)
"""Needs the parameters ``lambda_...`` and ``noise_...``, and the context ``tissue``, ``maps``, ``parameters``."""


def memory(step: float, tau: float) -> npt.NDArray[np.float32]:
    """Return the weights of the fresh fields of this volume, the one before ..., unit sum of squares.

    Examples
    --------
    >>> memory(2.0, 2.0).round(3)
    array([0.93 , 0.342, 0.126, 0.046, 0.017], dtype=float32)
    """
    share = np.exp(-step / tau)
    weights = share ** np.arange(int(np.log(NEGLIGIBLE) / np.log(share)) + 1)
    return (weights / np.linalg.norm(weights)).astype(np.float32)


@lru_cache(maxsize=64)
def _fresh(
    seed: int, v: int, shape: tuple[int, int, int], parts: tuple[tuple[str, float], ...]
) -> npt.NDArray[np.float32]:
    """A fresh field: the sum of its kinds, each of its own draws and size."""
    streams = Streams(seed)
    fields = [np.float32(size) * normals(shape, rng=streams.at(kind, f"volume-{v}").rng()) for kind, size in parts]
    return np.asarray(sum(fields, np.zeros(shape, dtype=np.float32)))


def _spread(coarse: npt.NDArray[np.float32], along: tuple[npt.NDArray[np.float32], ...]) -> npt.NDArray[np.float32]:
    """Return the field whose coarse points pass the Gaussian, one axis after the other."""
    x, y, z = along
    rows = np.zeros((len(x), *coarse.shape[1:]), dtype=np.float32)
    columns = np.zeros((len(x), len(y), coarse.shape[2]), dtype=np.float32)
    field = np.zeros((len(x), len(y), len(z)), dtype=np.float32)
    across = np.ascontiguousarray(z.T)
    _compiled(spread)(np.ascontiguousarray(coarse), x, y, across, _reach(across), rows, columns, field)
    return field


def _reach(weights: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    """Return the first column of each row that is not 0, and the one after the last."""
    filled = weights != 0
    last = weights.shape[1] - filled[:, ::-1].argmax(axis=1)
    return np.stack([filled.argmax(axis=1), np.where(filled.any(axis=1), last, 0)], axis=1)


@lru_cache(maxsize=1)
def _compiled(function: Callable[..., None]) -> Callable[..., None]:
    """Keep the compiled kernel: finding it again means reading this file."""
    return kernels.compiled(function)


def spread(coarse, x, y, z, reach, rows, columns, field):  # type: ignore[no-untyped-def]
    """Add to ``field`` what coarse points give it by their weights along x, y and (transposed) z; most weights are 0.

    ``reach`` says from where to where along z each coarse point has any.
    Loops rather than products of matrices: those take more threads than such small ones are worth.
    """
    for i in range(x.shape[0]):
        for p in range(x.shape[1]):
            if x[i, p] != 0.0:
                for j in range(coarse.shape[1]):
                    for k in range(coarse.shape[2]):
                        rows[i, j, k] += x[i, p] * coarse[p, j, k]
        spread_plane(y, z, reach, rows[i], columns[i], field[i])


def spread_plane(y, z, reach, rows, columns, field):  # type: ignore[no-untyped-def]
    """The same within one plane across x."""
    for j in range(y.shape[0]):
        for p in range(y.shape[1]):
            if y[j, p] != 0.0:
                for k in range(rows.shape[1]):
                    columns[j, k] += y[j, p] * rows[p, k]
        for p in range(z.shape[0]):
            for k in range(reach[p, 0], reach[p, 1]):
                field[j, k] += z[p, k] * columns[j, p]


@lru_cache(maxsize=2)
def _field_of(forward: Forward, memory: float, fwhm: float, lambdas: tuple[float, ...]) -> _Field:
    grid, held = forward.clean.grid, shares(forward)
    box = box_of(np.sum([held[name] for name in MEMORY], axis=0))
    spread = {
        name: np.float32(value) * forward.baseline[box] * held[name][box]
        for name, value in zip(MEMORY, lambdas, strict=True)
    }
    tau = {name: share * memory for name, share in MEMORY.items()}
    taus = tuple(sorted(set(tau.values())))
    sigma = tuple(np.sum([spread[name] for name in MEMORY if tau[name] == one], axis=0) for one in taus)
    along = tuple(_kernel(grid, axis, part, fwhm) for axis, part in enumerate(box))
    return _Field(box, tuple(matrix.shape[1] for matrix in along), along, sigma, taus)  # type: ignore[arg-type]


def _kernel(grid: Grid, axis: int, part: slice, fwhm: float) -> npt.NDArray[np.float32]:
    """Gaussian weights of the coarse points for each voxel of a part of an axis, each row of unit length."""
    size, voxel = part.stop - part.start, grid.voxel_size[axis]
    position = (np.arange(size) + 0.5) * voxel
    sd, spacing = fwhm / np.sqrt(8 * np.log(2)), SPACING * fwhm
    coarse = np.arange(-2, int(size * voxel / spacing) + 4) * spacing
    weights = np.exp(-0.5 * ((position[:, None] - coarse) / sd) ** 2)
    # Smaller numbers are slow to multiply.
    weights[weights < TINY] = 0
    return np.asarray(weights / np.linalg.norm(weights, axis=1, keepdims=True), dtype=np.float32)
