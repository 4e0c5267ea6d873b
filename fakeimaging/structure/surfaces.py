"""The cortical surfaces of fsaverage5 in template space (mm): white matter's, the brain's, and where there is no cortex.

They come with nilearn, in millimetres of MNI305, and are moved to MNI152 by FreeSurfer's affine. The template is another brain than
fsaverage: at mid thickness a vertex lies in grey matter to 62 % on average (at 1 mm), as it would after an affine registration alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.citations import Reference
from fakeimaging.core.spaces import Affine, apply_affine
from fakeimaging.structure.template import data_folder

Hemisphere = Literal["L", "R"]
HEMISPHERES: tuple[Hemisphere, ...] = ("L", "R")
MESH = "fsaverage5"
MNI305_TO_MNI152: Affine = np.array(
    [
        [0.9975, -0.0073, 0.0176, -0.0429],
        [0.0146, 1.0009, -0.0024, 1.5496],
        [-0.0130, -0.0093, 0.9971, 1.1840],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
"""FreeSurfer's ``mni152.register.dat`` as an affine (its wiki, CoordinateSystems, use case 8a)."""
THINNEST = 1.0
"""mm of mean thickness below which a vertex is of the medial wall (assumed: about 600 a side; FreeSurfer's label has 888)."""
REFERENCE = Reference("Fischl", 2012, "10.1016/j.neuroimage.2012.01.021", "fsaverage (FreeSurfer)")


@dataclass(frozen=True, eq=False)
class Cortex:
    """One hemisphere; vertex i is the same place on both surfaces.

    Parameters
    ----------
    white, pial : ndarray, shape (n_vertices, 3), template mm
    triangles : ndarray of int, shape (n_triangles, 3)
    inside : ndarray of bool, shape (n_vertices,)
        Whether a vertex has cortex; False on the medial wall.
    """

    white: npt.NDArray[np.float64]
    pial: npt.NDArray[np.float64]
    triangles: npt.NDArray[np.intp]
    inside: npt.NDArray[np.bool_]

    def at(self, depth: float) -> npt.NDArray[np.float64]:
        """Return the vertices at a share of the way from white matter to the pia, shape (n_vertices, 3)."""
        return np.asarray((1 - depth) * self.white + depth * self.pial)


@lru_cache(maxsize=2)
def cortex(hemisphere: Hemisphere) -> Cortex:
    """Return the surfaces of a hemisphere.

    Examples
    --------
    >>> cortex("L").white.shape, cortex("L").triangles.shape
    ((10242, 3), (20480, 3))
    """
    side = {"L": "left", "R": "right"}[hemisphere]
    white, triangles = _arrays(f"white_{side}")
    pial, _ = _arrays(f"pial_{side}")
    (thickness,) = _arrays(f"thick_{side}")
    white, pial = (frozen(apply_affine(MNI305_TO_MNI152, points)) for points in (white, pial))
    return Cortex(white, pial, frozen(triangles.astype(np.intp)), frozen(thickness >= THINNEST))


def _arrays(name: str) -> list[npt.NDArray]:
    import nibabel as nib
    from isal import igzip

    packed = (data_folder() / MESH / f"{name}.gii.gz").read_bytes()
    return [array.data for array in nib.GiftiImage.from_bytes(bytes(igzip.decompress(packed))).darrays]
