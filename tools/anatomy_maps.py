"""Sharpen the tissue maps of the ICBM template on themselves, and name the structure of each voxel of grey matter.

The template is the mean of many brains: its maps are blurred over 4 to 6 mm. Here the white surface is the 0.5 level set of its
white matter; the cortex lies up to `THICKNESS` outward of it, inside its own grey matter; deep nuclei are cut from its grey
matter around published coordinates to published volumes. All at 0.5 mm on the left half (the template is symmetric), then
averaged to 1 mm, so an edge is one voxel wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from fakeimaging.core.spaces import Grid
from fakeimaging.structure.template import STRUCTURES

HALF = 99
"""Planes of the left half, that of the midline included."""
THICKNESS = 2.75
"""mm from the white surface to the pial one, where the fold has room (Fischl and Dale 2000, doi:10.1073/pnas.200033797: mean 2.5)."""
THICKEST = 4.5
"""mm up to which it goes where the template has hardly any fluid, in gyri whose thin white blade the mean has lost (ibid.: 1 to 4.5)."""
DENSE = 0.94
"""Least grey and white matter together there (assumed: between 0.9 and 0.96 the cortex has 575 to 515 mL)."""
GREY_LEVEL = 0.3
"""Least grey matter in the cortex."""
FOLIA = 0.88
"""Least grey and white matter together in the cerebellum, so that its fissures show (assumed)."""
DEEP_BOX = ((-45.0, 0.0), (-48.0, 30.0), (-32.0, 32.0))
"""mm between which the deep nuclei of the left side lie along each axis."""
RIM = 4.0
"""mm around the ventricles in which grey between white matter and fluid is only the mean of the two."""


@dataclass(frozen=True)
class Nucleus:
    """A deep nucleus of the left side.

    Parameters
    ----------
    volume : float
        mL a side.
    spine : tuple of (x, y, z, radius)
        Points along it in MNI mm, x counted to the left, with the radius there in mm.
    stretch : (x, y, z)
        Half-axes of its cross-section relative to the radius.
    """

    volume: float
    spine: tuple[tuple[float, float, float, float], ...]
    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)


# Centres: Seitzman et al. 2020 (in the nilearn wheel) and the maximum-probability peaks of the Harvard-Oxford atlas (caudate -12.6
# 14.7 11.6, putamen -23.1 8.4 -1, hippocampus -29.4 -16.8 -17.9, amygdala -25.2 -2.1 -20, accumbens -10.5 12.6 -5.3); the spines
# between them are assumed. Volumes: usual means of healthy adults in segmented T1w, to about 10 % (assumed; compare Potvin et al. 2016,
# doi:10.1016/j.neuroimage.2016.05.016).
NUCLEI = {
    "ventral striatum": Nucleus(0.58, ((9.5, 11.0, -7.0, 5.5),), (0.95, 1.15, 0.95)),
    "caudate": Nucleus(
        3.7, ((10.5, 17.0, -1.0, 6), (12.5, 14.5, 9, 7.5), (14.5, 5, 15, 6), (16.5, -5, 19, 5), (18, -15, 20.5, 4))
    ),
    "putamen": Nucleus(4.9, ((22, 12, -2, 8), (25, 5, 2, 9.5), (28, -4, 3, 9), (30, -14, 3, 7)), (0.75, 1.0, 1.2)),
    "thalamus": Nucleus(7.0, ((6, -9, 7, 8), (10, -17, 8, 10.5), (14, -25, 7, 9.5)), (1.0, 1.0, 1.0)),
    "hippocampus": Nucleus(
        3.8, ((20.5, -10, -20, 6.5), (26, -16, -17, 6.5), (30, -25, -11.5, 6), (28, -33, -6, 5.5), (23, -38, -1, 4.5))
    ),
    "amygdala": Nucleus(1.65, ((23, -3.5, -19, 8.0),), (1.0, 0.9, 1.0)),
}


@dataclass(frozen=True, eq=False)
class Fine:
    """Template maps of the left half at 0.5 mm, and the millimetres of each axis."""

    grey: np.ndarray
    white: np.ndarray
    axes: tuple[np.ndarray, np.ndarray, np.ndarray]

    @property
    def tissue(self) -> np.ndarray:
        """Grey and white together."""
        return self.grey + self.white


def read_template(tissue: str) -> tuple[np.ndarray, Grid]:
    """Return a map of the template in the nilearn wheel, uint8, and its grid."""
    folder = Path(find_spec("nilearn").origin).parent / "datasets" / "data"
    image = nib.load(folder / f"mni_icbm152_{tissue}_tal_nlin_sym_09a_converted.nii.gz")
    return np.asarray(image.dataobj), Grid(image.shape, image.affine)


def refine(array: np.ndarray, *, order: int = 1) -> np.ndarray:
    """Sample the left half at twice the resolution: shape (2 * HALF, 2 * ny, 2 * nz)."""
    shape = (2 * HALF, 2 * array.shape[1], 2 * array.shape[2])
    half = array[: HALF + 1].astype(np.float32)
    return ndimage.affine_transform(half, [0.5] * 3, [-0.25] * 3, shape, order=order, mode="nearest")


def fine_template() -> tuple[Fine, Grid]:
    """Read the template and refine it."""
    grey, grid = read_template("gm")
    white, _ = read_template("wm")
    corner = grid.affine[:3, 3] - 0.25
    maps = [refine(array) / np.float32(255) for array in (grey, white)]
    axes = tuple(corner[i] + 0.5 * np.arange(maps[0].shape[i], dtype=np.float32) for i in range(3))
    return Fine(*maps, axes), grid


def hindbrain(fine: Fine) -> tuple[np.ndarray, np.ndarray]:
    """Return the masks of cerebellum and brainstem: what a cut through the midbrain and the gap of the tentorium part from the cerebrum."""
    x, y, z = (axis[::2] + 0.25 for axis in fine.axes)
    tissue = fine.tissue[::2, ::2, ::2]
    x, y, z = np.meshgrid(x, y, z, indexing="ij", sparse=True)
    stem = (tissue > 0.5) & (x > -19) & (y > -46 - 0.25 * (z + 8)) & (y < -10 + 0.35 * (z + 10)) & (z < -8)
    core = (tissue > 0.9) & ~(stem & (y < 0) & (z < 15))
    pieces, _ = ndimage.label(ndimage.binary_erosion(core))
    at = [np.abs(axis.ravel() - mm).argmin() for axis, mm in zip((x, y, z), (-20.0, -60.0, -40.0), strict=True)]
    cerebellum = pieces == pieces[tuple(at)]
    cerebrum = (
        pieces
        == pieces[np.abs(x.ravel() + 30).argmin(), np.abs(y.ravel() - 20).argmin(), np.abs(z.ravel() - 30).argmin()]
    )
    kind = np.zeros(pieces.shape, np.uint8)
    stem = ndimage.binary_opening(stem, iterations=2)
    for code, mask in ((1, cerebrum), (2, cerebellum), (3, stem)):
        kind[mask] = code
    nearest = ndimage.distance_transform_edt(kind == 0, return_distances=False, return_indices=True)
    kind = kind[tuple(nearest)]
    big = np.repeat(np.repeat(np.repeat(kind, 2, 0), 2, 1), 2, 2)
    return big == 2, big == 3


def spine_distance(fine: Fine, nucleus: Nucleus) -> np.ndarray:
    """Distance to a nucleus's spine in units of its radius there, with its cross-section's stretch; shape as the maps."""
    stretch = np.array(nucleus.stretch)
    points = np.array([point[:3] for point in nucleus.spine]) * [-1, 1, 1] / stretch
    radii = np.array([point[3] for point in nucleus.spine])
    x, y, z = (axis / s for axis, s in zip(fine.axes, stretch, strict=True))
    x, y, z = x[:, None, None], y[None, :, None], z[None, None, :]
    best = np.full(fine.grey.shape, np.inf, np.float32)
    ends = (
        zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True)
        if len(points) > 1
        else [(points[0], points[0], radii[0], radii[0])]
    )
    for a, b, ra, rb in ends:
        along = b - a
        square = max(float(along @ along), 1e-6)
        t = np.clip(((x - a[0]) * along[0] + (y - a[1]) * along[1] + (z - a[2]) * along[2]) / square, 0, 1)
        squares = (x - a[0] - t * along[0]) ** 2 + (y - a[1] - t * along[1]) ** 2 + (z - a[2] - t * along[2]) ** 2
        np.minimum(best, np.sqrt(squares) / (ra + t * (rb - ra)), out=best)
    return best


def nuclei(fine: Fine) -> np.ndarray:
    """Return the structure of each voxel of a deep nucleus, 0 elsewhere."""
    box = tuple(slice(*np.searchsorted(axis, ends)) for axis, ends in zip(fine.axes, DEEP_BOX, strict=True))
    axes = tuple(axis[part] for axis, part in zip(fine.axes, box, strict=True))
    found = np.zeros(fine.grey.shape, np.uint8)
    found[box] = _nuclei(Fine(fine.grey[box], fine.white[box], axes))
    return found


def _nuclei(fine: Fine) -> np.ndarray:
    """The greyest voxels around each spine, to the published volume."""
    distances = {kind: spine_distance(fine, nucleus) for kind, nucleus in NUCLEI.items()}
    nearest = np.argmin(np.stack(list(distances.values())), axis=0)
    found = np.zeros(fine.grey.shape, np.uint8)
    share = fine.grey / np.maximum(fine.tissue, 1e-3) * np.clip(2 * fine.tissue - 0.6, 0, 1)
    inside = fine.axes[0][:, None, None] < -0.5
    for i, (kind, nucleus) in enumerate(NUCLEI.items()):
        score = share * np.clip(2.4 - 1.6 * distances[kind], 0, 1)
        score[(nearest != i) | ~inside] = 0
        score = ndimage.gaussian_filter(score, 1.0)
        found[largest(at_volume(score, nucleus.volume)) & (found == 0)] = STRUCTURES.index(kind)
    return found


def at_volume(score: np.ndarray, volume: float) -> np.ndarray:
    """The voxels of highest score that make up a volume in mL (0.125 mm3 each)."""
    count = int(volume * 1000 / 0.125)
    return score > max(np.partition(score.ravel(), -count)[-count], 0.05)


def largest(mask: np.ndarray) -> np.ndarray:
    """The largest piece of a mask."""
    pieces, _ = ndimage.label(mask)
    return pieces == np.bincount(pieces.ravel())[1:].argmax() + 1


def ventricles(fine: Fine) -> np.ndarray:
    """Fluid inside the brain: what a sphere of 4 mm radius cannot reach from outside the skull, in a box around the ventricles."""
    x, y, z = np.meshgrid(*fine.axes, indexing="ij", sparse=True)
    box = (x > -42) & (y > -62) & (y < 42) & (z > -24) & (z < 34)
    pieces, _ = ndimage.label((fine.tissue < 0.5) & box & ((np.abs(y + 10) < 40) | (np.abs(x) > 8)))
    at = [np.abs(axis - mm).argmin() for axis, mm in zip(fine.axes, (-8.0, 5.0, 16.0), strict=True)]
    return pieces == pieces[tuple(at)]


def sharpen(fine: Fine) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return grey and white fractions (0..1) and structures of the left half at 0.5 mm."""
    cerebellum, stem = hindbrain(fine)
    deep, fluid = nuclei(fine), ventricles(fine)
    tissue, core = fine.tissue, fine.white > 0.5
    rim = (ndimage.distance_transform_edt(~fluid, sampling=0.5) < RIM) & (deep == 0) & ~cerebellum & ~stem
    cerebral = core & ~cerebellum & ~stem & (deep == 0)
    white = np.where(rim, fine.white > 1 - tissue, cerebral)
    outward = ndimage.distance_transform_edt(~cerebral, sampling=0.5)
    falx = (np.abs(fine.axes[0]) < 1.0)[:, None, None] & (tissue < 0.95)
    ribbon = (outward <= THICKNESS) | ((outward <= THICKEST) & (tissue > DENSE))
    ribbon &= (fine.grey > GREY_LEVEL) & (tissue > 0.5) & ~falx
    ribbon &= ~(white | rim | cerebellum | stem | (deep > 0))
    kinds = deep.copy()
    kinds[ribbon] = STRUCTURES.index("cortex")
    kinds[cerebellum & (tissue > FOLIA) & ~core] = STRUCTURES.index("cerebellum")
    kinds[stem & (tissue > 0.5)] = STRUCTURES.index("brainstem")
    own = fine.grey / np.maximum(tissue, 1e-3)
    grey = np.where(kinds > 0, 1.0, 0.0).astype(np.float32)
    grey[deep > 0] = np.minimum(0.5 + 0.5 * own[deep > 0], 1)
    grey[stem & (kinds > 0)] = own[stem & (kinds > 0)]
    white = np.where((kinds == 0) & (white | (cerebellum & core)), 1, np.where(kinds > 0, 1 - grey, 0)).astype(
        np.float32
    )
    return grey, white, kinds


def averaged(array: np.ndarray) -> np.ndarray:
    """Mean over cubes of two: 0.5 mm to 1 mm."""
    nx, ny, nz = (size // 2 for size in array.shape)
    return array.reshape(nx, 2, ny, 2, nz, 2).mean(axis=(1, 3, 5))


def both_sides(left: np.ndarray) -> np.ndarray:
    """Add the mirror image of the left half; the plane of the midline is made its own mirror image by its left half."""
    return np.concatenate([left, left[-2::-1]])


def coarse_kinds(grey: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """The structure with the most grey matter in each voxel of 1 mm."""
    best, result = np.zeros([size // 2 for size in kinds.shape], np.float32), None
    result = np.zeros(best.shape, np.uint8)
    for code in range(1, len(STRUCTURES)):
        amount = averaged(np.where(kinds == code, grey, 0))
        result[amount > best] = code
        np.maximum(best, amount, out=best)
    return result
