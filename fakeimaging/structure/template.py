"""The MNI152NLin2009aSym tissue maps that the nilearn wheel ships, read as plain files (nilearn itself is not imported).

Grey and white matter are probabilities in 255ths on a 1 mm RAS+ grid; cerebrospinal fluid is what is left of the brain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.citations import Reference
from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import Grid

SPACE = "MNI152NLin2009aSym"
REFERENCE = Reference("Fonov et al.", 2011, "10.1016/j.neuroimage.2010.07.033", "ICBM 2009a template")
SEEDS_REFERENCE = Reference("Seitzman et al.", 2020, "10.1016/j.neuroimage.2019.116290", "coordinates of the regions")
_SEED_KINDS = ("cortex", "cortex", "cortex", "hippocampus", "amygdala", "basal ganglia", "thalamus", "cerebellum")


@dataclass(frozen=True, eq=False)
class TissueMaps:
    """Tissue probabilities of a brain on a grid, uint8 in 255ths, each of the grid's shape."""

    space: str
    grid: Grid
    grey: npt.NDArray[np.uint8]
    white: npt.NDArray[np.uint8]
    csf: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Seed:
    """A published coordinate (mm, MNI) with the structure and the functional network it belongs to."""

    position: tuple[float, float, float]
    kind: str
    network: str


def _data_folder() -> Path:
    spec = find_spec("nilearn")
    if spec is None or spec.origin is None:
        raise InputError("the template comes with nilearn, which is not installed: pip install nilearn")
    return Path(spec.origin).parent / "datasets" / "data"


def _read_map(tissue: str) -> tuple[npt.NDArray[np.uint8], Any]:
    import nibabel as nib

    image: Any = nib.load(_data_folder() / f"mni_icbm152_{tissue}_tal_nlin_sym_09a_converted.nii.gz")
    return np.asarray(image.dataobj), image.affine


@lru_cache(maxsize=1)
def template_maps() -> TissueMaps:
    """Return the template's tissue maps, shape (197, 233, 189)."""
    grey, affine = _read_map("gm")
    white, _ = _read_map("wm")
    head, _ = _read_map("t1")
    tissue = grey.astype(np.int16) + white
    csf = np.where((head > 0) | (tissue > 0), np.maximum(255 - tissue, 0), 0).astype(np.uint8)
    return TissueMaps(SPACE, Grid(grey.shape, affine), frozen(grey), frozen(white), frozen(csf))


@lru_cache(maxsize=1)
def published_seeds() -> tuple[Seed, ...]:
    """Return the 300 coordinates of Seitzman et al. (2020) with structure and network."""
    folder = _data_folder()
    kinds = (folder / "seitzman_2018_ROIs_anatomicalLabels.txt").read_text().split()[1:]
    rows = (folder / "seitzman_2018_ROIs_300inVol_MNI_allInfo.txt").read_text().splitlines()[1:]
    seeds = []
    for row, kind in zip(rows, kinds, strict=True):
        x, y, z, _, _, network = row.split()
        seeds.append(Seed((float(x), float(y), float(z)), _SEED_KINDS[int(kind)], network))
    return tuple(seeds)
