"""Layers: from the clean image to the observed one by named stages in a fixed order.

A stage first draws its recipe (parameters, random draws, low-rank factors: small), then acts volume by volume. Recipe and
volumes have streams of their own, so their bits do not depend on what else is switched on, nor on order. An additive stage
makes a term that is summed; an operator changes the image so far.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.clocks import Clock
from fakeimaging.core.spaces import Grid

if TYPE_CHECKING:
    import nibabel

Recipe = Mapping[str, Any]


@dataclass(frozen=True, eq=False, repr=False)
class Image:
    """An image made volume by volume when asked.

    Parameters
    ----------
    grid : Grid
    clock : Clock or None
        Start of each volume in s; None for a single static image.
    make : callable
        ``make(v)`` returns volume v, shape grid.shape.
    slope : float
        Size of one step of the stored int16.
    """

    grid: Grid
    clock: Clock | None
    make: Callable[[int], npt.NDArray]
    slope: float

    def __repr__(self) -> str:
        return f"Image(shape {self.shape}, voxels {self.grid.voxel_size.round(3).tolist()} mm)"

    @property
    def n_volumes(self) -> int:
        """Number of volumes; 1 for a static image."""
        return 1 if self.clock is None else self.clock.n

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array: 3-D for a static image, else 4-D with time last."""
        return self.grid.shape if self.clock is None else (*self.grid.shape, self.clock.n)

    def volume(self, v: int) -> npt.NDArray:
        """Return volume ``v``, shape grid.shape; raises IndexError beyond the last one."""
        if not 0 <= v < self.n_volumes:
            raise IndexError(f"volume {v} of an image of {self.n_volumes}")
        return self.make(v)

    def volumes(self) -> Iterator[npt.NDArray]:
        """Yield the volumes in order."""
        return (self.make(v) for v in range(self.n_volumes))

    def to_array(self) -> npt.NDArray:
        """Return the whole image, of the dtype of its volumes."""
        first = self.make(0)
        if self.clock is None:
            return first
        array = np.empty(self.shape, dtype=first.dtype, order="F")
        for v in range(self.n_volumes):
            array[..., v] = self.make(v)
        return array

    def to_nifti(self) -> nibabel.Nifti1Image:
        """Return the whole image as a NIfTI image in memory (scanner space, mm and s)."""
        import nibabel as nib

        image = nib.Nifti1Image(self.to_array(), self.grid.affine)
        image.header.set_xyzt_units("mm", "sec")
        image.set_sform(self.grid.affine, code=1)
        image.set_qform(self.grid.affine, code=1)
        if self.clock is not None:
            image.header.set_zooms((*self.grid.voxel_size, self.clock.step))
        return image


@dataclass(frozen=True, eq=False)
class Forward:
    """What a modality's forward model returns.

    Parameters
    ----------
    clean : Image
        The observed image without any stage.
    reference : float
        Signal of pure grey matter, in image units; noise levels refer to it.
    baseline : ndarray, shape clean.grid.shape, float32
        The clean image at rest.
    truth : mapping of str to ndarray
        What only the simulator knows, one row a region.
    """

    clean: Image
    reference: float
    baseline: npt.NDArray[np.float32]
    truth: Mapping[str, npt.NDArray]

    def __post_init__(self) -> None:
        for array in (self.baseline, *self.truth.values()):
            frozen(array)


@dataclass(frozen=True)
class Stage:
    """One named layer.

    Parameters
    ----------
    name : str
    kind : {"additive", "operator"}
    draw : callable
        ``draw(forward, parameters, rng=...)`` returns the recipe, a mapping of numbers and small arrays.
    act : callable
        Additive: ``act(forward, recipe, v, rng=...)`` returns the term of volume v. Operator:
        ``act(image, forward, recipe, v, rng=...)`` returns the changed volume.
    """

    name: str
    kind: Literal["additive", "operator"]
    draw: Callable[..., Recipe]
    act: Callable[..., npt.NDArray]
