"""The same series on surfaces: GIFTI for each hemisphere of fsaverage5, and CIFTI with the deep structures' voxels, of observed and clean.

Brain models of the CIFTI file: the vertices that have cortex, then each deep structure and the cerebellum in template space.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.files import write_bytes
from fakeimaging.core.spaces import Grid, apply_affine
from fakeimaging.dataset.job import Job
from fakeimaging.dataset.names import TRUTH
from fakeimaging.modalities.bold.surface import Places, vertices_of
from fakeimaging.modalities.layers import Image
from fakeimaging.modalities.spline import Shift
from fakeimaging.structure.surfaces import HEMISPHERES, MESH, Hemisphere, cortex

if TYPE_CHECKING:
    from nibabel.cifti2 import Cifti2Image, cifti2_axes

    from fakeimaging.dataset.prep import Undone

STRUCTURES = {
    "caudate": "CAUDATE",
    "putamen": "PUTAMEN",
    "ventral striatum": "ACCUMBENS",
    "thalamus": "THALAMUS",
    "hippocampus": "HIPPOCAMPUS",
    "amygdala": "AMYGDALA",
    "cerebellum": "CEREBELLUM",
}
"""Kinds of region as CIFTI names them, before ``_LEFT`` or ``_RIGHT``."""
SIDES = {"L": "left", "R": "right"}
Series = npt.NDArray[np.float32]


@contextmanager
def surface_files(job: Job, undone: Undone, grid: Grid, clean: Image) -> Iterator[Callable[[int, npt.NDArray], None]]:
    """Open the surface derivative; what is yielded takes each observed volume, and the end writes it with its clean twin.

    ``grid`` is that of the derivative in template space, which the deep voxels lie on.
    """
    observed, truth = Sampler(job, grid), Sampler(job, grid)

    def take(v: int, volume: npt.NDArray) -> None:
        observed.take(v, volume, undone.poses[v], undone.shift)
        truth.take(v, clean.make(v), np.eye(4))

    yield take
    observed.write(lambda ending: job.prepared(ending), "")
    truth.write(lambda ending: TRUTH / job.scan.beside(ending, part=False), "desc-clean_")


class Sampler:
    """Gathers a series at vertices and deep voxels, then writes it.

    Parameters
    ----------
    job : Job
    grid : Grid
        In template space.
    """

    def __init__(self, job: Job, grid: Grid) -> None:
        self._job, self._grid = job, grid
        self._deep = deep_voxels(job, grid)
        anatomy, native = job.subject.anatomy, np.linalg.inv(job.subject.anatomy.to_template)
        self._places: dict[str, Places] = {side: vertices_of(anatomy, side) for side in HEMISPHERES}
        index = np.concatenate([voxels for _, voxels in self._deep]) if self._deep else np.zeros((0, 3))
        self._places["deep"] = Places(apply_affine(np.asarray(native @ grid.affine), index)[None])
        n = job.recording.clean.n_volumes
        self._series = {name: np.empty((n, p.points.shape[1]), np.float32) for name, p in self._places.items()}

    def take(self, v: int, volume: npt.NDArray, pose: npt.NDArray[np.float64], shift: Shift | None = None) -> None:
        """Read a volume."""
        for name, places in self._places.items():
            self._series[name][v] = places.values(volume, self._job.recording.clean.grid, pose, shift)

    def write(self, place: Callable[[str], PurePosixPath], desc: str) -> None:
        """Write both hemispheres and the CIFTI file."""
        job, tr = self._job, self._job.recording.clean.clock.step
        keys = {"RepetitionTime": tr, "StartTime": tr / 2, "TaskName": job.scan.task, "Sources": job.sources}
        keys |= {"SkullStripped": True, "SliceTimingCorrected": False}
        for side in HEMISPHERES:
            path = place(f"hemi-{side}_space-{MESH}_{desc}bold.func.gii")
            job.note(path, write_bytes(job.root / path, gifti_bytes(self._series[side], side, tr)))
            job.describe(path, keys)
        path = place(f"space-{MESH}_{desc}bold.dtseries.nii")
        job.note(path, write_bytes(job.root / path, self._cifti(tr).to_bytes()))
        reference = {f"CIFTI_STRUCTURE_CORTEX_{SIDES[side].upper()}": MESH for side in HEMISPHERES}
        job.describe(path, keys | {"SpatialReference": {"VolumeReference": job.space, **reference}})

    def _cifti(self, tr: float) -> Cifti2Image:
        from nibabel.cifti2 import Cifti2Image, SeriesAxis

        parts = [self._series[side][:, cortex(side).inside] for side in HEMISPHERES]
        matrix = np.concatenate([*parts, self._series["deep"]], axis=1)
        start = tr / 2
        image = Cifti2Image(matrix, (SeriesAxis(start, tr, len(matrix)), brain_models(self._deep, self._grid)))
        image.update_headers()
        image.nifti_header["pixdim"][4] = tr
        return image


def deep_voxels(job: Job, grid: Grid) -> list[tuple[str, npt.NDArray[np.intp]]]:
    """Return the structures below the cortex, by their names in CIFTI, with the voxels of each, shape (n, 3), in template space."""
    labels = job.subject.parcellation.on(grid, np.eye(4), grey=_template_grey(job, grid))
    found = []
    for kind, name in STRUCTURES.items():
        for side in HEMISPHERES:
            own = [i + 1 for i, r in enumerate(job.subject.regions) if (r.kind, r.hemisphere) == (kind, side)]
            voxels = np.argwhere(np.isin(labels, own)) if own else np.zeros((0, 3), dtype=np.intp)
            found += [(f"CIFTI_STRUCTURE_{name}_{SIDES[side].upper()}", voxels)] if len(voxels) else []
    return found


def _template_grey(job: Job, grid: Grid) -> npt.NDArray[np.float32]:
    return replace(job.subject.anatomy, to_template=np.eye(4)).tissue(grid).grey


def brain_models(deep: list[tuple[str, npt.NDArray[np.intp]]], grid: Grid) -> cifti2_axes.BrainModelAxis:
    """Return the columns of the CIFTI matrix: both hemispheres' cortex, then the voxels of each deep structure."""
    from nibabel.cifti2 import BrainModelAxis

    left, right = (
        BrainModelAxis.from_mask(cortex(side).inside, name=f"Cortex{SIDES[side].capitalize()}") for side in HEMISPHERES
    )
    axis = left + right
    for name, voxels in deep:
        axis = axis + BrainModelAxis(name, voxel=voxels, affine=grid.affine, volume_shape=grid.shape)
    return axis


def gifti_bytes(series: Series, side: Hemisphere, tr: float) -> bytes:
    """Return a GIFTI file of a series, shape (n_volumes, n_vertices)."""
    import nibabel as nib
    from nibabel.gifti import GiftiDataArray, GiftiImage, GiftiMetaData

    arrays: list[Any] = [
        GiftiDataArray(
            np.ascontiguousarray(row),
            intent=nib.nifti1.intent_codes["NIFTI_INTENT_TIME_SERIES"],
            datatype="NIFTI_TYPE_FLOAT32",
            encoding="GIFTI_ENCODING_B64BIN",
            endian="little",
        )
        for row in series
    ]
    meta = {"AnatomicalStructurePrimary": f"Cortex{SIDES[side].capitalize()}", "TimeStep": f"{1000 * tr:g}"}
    return bytes(GiftiImage(meta=GiftiMetaData(meta), darrays=arrays).to_bytes())
