"""The MNI152NLin2009aSym template: its tissue, sharpened, and the structure each voxel of grey matter belongs to.

The maps that the nilearn wheel ships are means over many brains, blurred over several millimetres. Ours are made from them once,
by ``tools/build_anatomy.py``: the cortex is a ribbon outside the template's white surface, and an edge is one voxel wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.citations import Reference
from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import Grid

SPACE = "MNI152NLin2009aSym"
REFERENCE = Reference("Fonov et al.", 2011, "10.1016/j.neuroimage.2010.07.033", "ICBM 2009a template")
SEEDS_REFERENCE = Reference("Seitzman et al.", 2020, "10.1016/j.neuroimage.2019.116290", "coordinates of the regions")
STRUCTURES = (
    "",
    "cortex",
    "caudate",
    "putamen",
    "ventral striatum",
    "thalamus",
    "hippocampus",
    "amygdala",
    "cerebellum",
    "brainstem",
)
"""Structures of grey matter; those of a Region are all but the last, which belongs to no region."""
_SEED_KINDS = ("cortex", "cortex", "cortex", "hippocampus", "amygdala", "basal ganglia", "thalamus", "cerebellum")


@dataclass(frozen=True, eq=False)
class TissueMaps:
    """Tissue of a head, as shares of each voxel in 255ths (uint8).

    Parameters
    ----------
    space : str
        Template whose millimetres the grids are in.
    grid : Grid
        Of the brain.
    grey, white, csf : ndarray of uint8, shape grid.shape
        They fill the inside of the skull.
    head_grid : Grid
        Of the whole head.
    bone, scalp : ndarray of uint8, shape head_grid.shape
        Skull, and the soft tissue outside it.
    fat : ndarray of uint8, shape head_grid.shape
        Share of fat, a part of ``scalp``.
    """

    space: str
    grid: Grid
    grey: npt.NDArray[np.uint8]
    white: npt.NDArray[np.uint8]
    csf: npt.NDArray[np.uint8]
    head_grid: Grid
    bone: npt.NDArray[np.uint8]
    scalp: npt.NDArray[np.uint8]
    fat: npt.NDArray[np.uint8]

    def grid_of(self, tissue: str) -> Grid:
        """Return the grid that the map of a tissue lies on."""
        return self.head_grid if tissue in ("bone", "scalp", "fat") else self.grid


@dataclass(frozen=True)
class Seed:
    """A published coordinate (mm, MNI) with the structure and the functional network it belongs to."""

    position: tuple[float, float, float]
    kind: str
    network: str


def data_folder() -> Path:
    """Return the folder of what nilearn ships, without importing it."""
    spec = find_spec("nilearn")
    if spec is None or spec.origin is None:
        raise InputError("the template comes with nilearn, which is not installed: pip install nilearn")
    return Path(spec.origin).parent / "datasets" / "data"


def read_image(name: str) -> tuple[npt.NDArray, Grid]:
    """Return a shipped image, as stored, and its grid."""
    import nibabel as nib
    from isal import igzip

    image = nib.Nifti1Image.from_bytes(bytes(igzip.decompress((files("fakeimaging.data") / name).read_bytes())))
    array = np.asarray(image.dataobj)
    return array, Grid(array.shape[:3], np.asarray(image.affine))


@lru_cache(maxsize=1)
def template_maps() -> TissueMaps:
    """Return the template's tissue maps, the brain's of shape (197, 233, 189) at 1 mm."""
    brain, grid = read_image("template_tissue.nii.gz")
    head, head_grid = read_image("head_tissue.nii.gz")
    grey, white, csf = (frozen(np.ascontiguousarray(brain[..., i])) for i in range(3))
    bone, scalp, fat = (frozen(np.ascontiguousarray(head[..., i])) for i in range(3))
    return TissueMaps(SPACE, grid, grey, white, csf, head_grid, bone, scalp, fat)


@lru_cache(maxsize=1)
def template_structures() -> npt.NDArray[np.uint8]:
    """Return the structure of each voxel of the template's brain that holds grey matter, an index into `STRUCTURES`."""
    structures, _ = read_image("template_structures.nii.gz")
    return frozen(structures)


@lru_cache(maxsize=1)
def published_seeds() -> tuple[Seed, ...]:
    """Return the 300 coordinates of Seitzman et al. (2020) with structure and network."""
    folder = data_folder()
    kinds = (folder / "seitzman_2018_ROIs_anatomicalLabels.txt").read_text().split()[1:]
    rows = (folder / "seitzman_2018_ROIs_300inVol_MNI_allInfo.txt").read_text().splitlines()[1:]
    seeds = []
    for row, kind in zip(rows, kinds, strict=True):
        x, y, z, _, _, network = row.split()
        seeds.append(Seed((float(x), float(y), float(z)), _SEED_KINDS[int(kind)], network))
    return tuple(seeds)
