"""The tissue of one subject in its own native space, and the true transform from there to the template.

The maps stay on the template's grid; any native grid samples them through the transform. A voxel larger than the maps'
gets the mean over its volume (partial volume), not the value at its centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import Kept, frozen
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.core.spaces import Affine, Grid, apply_affine, centred_grid, pose
from fakeimaging.structure.head import Head, SurfaceName, template_head
from fakeimaging.structure.template import TissueMaps

COARSEST_SAMPLE = 1.25
"""Largest spacing, in voxels of the map, at which it is sampled inside a larger voxel."""

COARSE = 4.0
"""Size of a voxel, in voxels of the map, from which means over cubes of two stand in for the map: eight times less to sample."""


class Pose(Parameters):
    """How heads differ in position, orientation and size (standard deviations over subjects)."""

    rotation_sd: float = parameter(3.0, unit="deg", bounds=(0, 20), description="head rotation about each axis")
    shift_sd: float = parameter(3.0, unit="mm", bounds=(0, 20), description="head position along each axis")
    size_sd: float = parameter(0.03, unit="1", bounds=(0, 0.1), description="size of the brain along each axis")


@dataclass(frozen=True, eq=False)
class Tissue:
    """Shares of tissue in each voxel of a grid, float32 in 0..1, sampled when asked; what is left of a voxel is air.

    Parameters
    ----------
    anatomy : Anatomy
    grid : Grid
        Native.
    """

    anatomy: Anatomy
    grid: Grid

    @property
    def grey(self) -> npt.NDArray[np.float32]:
        """Grey matter, shape grid.shape."""
        return _share(self.anatomy, "grey", self.grid)

    @property
    def white(self) -> npt.NDArray[np.float32]:
        """White matter, shape grid.shape."""
        return _share(self.anatomy, "white", self.grid)

    @property
    def csf(self) -> npt.NDArray[np.float32]:
        """Cerebrospinal fluid, shape grid.shape."""
        return _share(self.anatomy, "csf", self.grid)

    @property
    def bone(self) -> npt.NDArray[np.float32]:
        """Skull, shape grid.shape."""
        return _share(self.anatomy, "bone", self.grid)

    @property
    def scalp(self) -> npt.NDArray[np.float32]:
        """Soft tissue outside the skull, shape grid.shape."""
        return _share(self.anatomy, "scalp", self.grid)

    @property
    def fat(self) -> npt.NDArray[np.float32]:
        """Fat, a part of ``scalp``, shape grid.shape."""
        return _share(self.anatomy, "fat", self.grid)

    @property
    def brain(self) -> npt.NDArray[np.float32]:
        """Everything inside the skull, shape grid.shape: grey and white matter and fluid."""
        return self.grey + self.white + self.csf


TISSUES = ("grey", "white", "csf", "bone", "scalp", "fat")


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Tissue maps and where this subject's head lies.

    Parameters
    ----------
    maps : TissueMaps
        Tissue on the template's grids.
    to_template : ndarray, shape (4, 4)
        Native mm to template mm.
    intact : TissueMaps, optional
        What the maps were before atrophy.
    """

    maps: TissueMaps
    to_template: Affine
    intact: TissueMaps | None = None

    @property
    def healthy(self) -> TissueMaps:
        """The maps without what atrophy took."""
        return self.maps if self.intact is None else self.intact

    def tissue(self, grid: Grid) -> Tissue:
        """Return the tissue on a native grid; the shares asked for last are kept."""
        return Tissue(self, grid)

    def head_surface(self, name: SurfaceName) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
        """Return a closed surface of this head.

        Parameters
        ----------
        name : {"scalp", "outer_skull", "inner_skull"}

        Returns
        -------
        vertices : ndarray, shape (n_vertices, 3), native mm
        triangles : ndarray of int, shape (n_triangles, 3)
            Outward by the right-hand rule.
        """
        head = head_of(self.maps)
        to_native = np.asarray(np.linalg.inv(self.to_template), dtype=np.float64)
        return apply_affine(to_native, head.vertices[name]), head.triangles


def head_of(maps: TissueMaps) -> Head:
    """Return the surfaces of the head that the maps show, in template mm."""
    return _ellipsoid_head() if maps.space == TINY else template_head()


_SHARES = Kept(45_000_000)
"""One share of a head in voxels of 1 mm, or all those of many coarser grids: two workers take 1.5 GB together."""


def _share(anatomy: Anatomy, name: str, grid: Grid) -> npt.NDArray[np.float32]:
    """Return one share, sampled or kept."""
    return _SHARES.get((anatomy, name, grid), lambda: _sampled(anatomy, name, grid))


def _sampled(anatomy: Anatomy, name: str, grid: Grid) -> npt.NDArray[np.float32]:
    """Sample one map where it has anything, as the mean over each voxel."""
    size = grid.voxel_size.max()
    array, source, box = _source(anatomy.maps, name, size >= COARSE * anatomy.maps.grid_of(name).voxel_size.max())
    factor = int(np.ceil(size / (COARSEST_SAMPLE * source.voxel_size.max())))
    fractions = np.zeros(grid.shape, dtype=np.float32)
    corner, part = _part_within(grid, anatomy.to_template, source, box)
    if part is not None:
        samples = resample(array, source, part.finer(factor), anatomy.to_template, order=1)
        samples /= 255
        if factor > 1:
            samples = blocks_of(samples, factor).mean(axis=-1, dtype=np.float32)
        fractions[tuple(slice(c, c + size) for c, size in zip(corner, part.shape, strict=True))] = samples
    return frozen(fractions)


@lru_cache(maxsize=24)
def _source(maps: TissueMaps, name: str, reduced: bool) -> tuple[npt.NDArray, Grid, tuple[tuple[int, int], ...]]:
    """Return a map, or its means over cubes of two, with its grid and the first and last index of its box that is not empty."""
    array, grid = getattr(maps, name), maps.grid_of(name)
    if reduced:
        array = np.pad(array, [(0, size % 2) for size in array.shape])
        grid = Grid(array.shape, grid.affine).coarser(2)
        array = frozen(blocks_of(array, 2).mean(axis=-1, dtype=np.float32))
    edges = [np.flatnonzero(array.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    return array, grid, tuple((int(edge[0]), int(edge[-1])) if len(edge) else (0, 0) for edge in edges)


def _part_within(
    grid: Grid, to_source: Affine, source: Grid, box: tuple[tuple[int, int], ...]
) -> tuple[npt.NDArray[np.intp], Grid | None]:
    """Return the part of a grid that a box of the source's voxels reaches: its first voxel, and its grid or None."""
    ends = np.array(np.meshgrid(*((low - 1.0, high + 1.0) for low, high in box))).reshape(3, -1).T
    index = apply_affine(np.linalg.inv(to_source @ grid.affine) @ source.affine, ends)
    first = np.maximum(np.floor(index.min(axis=0)).astype(int), 0)
    shape = np.minimum(np.ceil(index.max(axis=0)).astype(int) + 1, grid.shape) - first
    return first, grid.part(first, tuple(shape.tolist())) if (shape > 0).all() else None


def resample(
    array: npt.NDArray, source: Grid, target: Grid, to_source: Affine, *, order: int
) -> npt.NDArray[np.float32]:
    """Sample an image at the voxel centres of another grid.

    Parameters
    ----------
    array : ndarray, shape source.shape
        The image.
    source, target : Grid
        Its grid, and the grid wanted.
    to_source : ndarray, shape (4, 4)
        Millimetres of the target's space to millimetres of the source's.
    order : int
        0 nearest neighbour, 1 linear.

    Returns
    -------
    ndarray, shape target.shape, float32
        0 outside the image.
    """
    from scipy.ndimage import affine_transform

    step = np.linalg.inv(source.affine) @ to_source @ target.affine
    return np.asarray(
        affine_transform(
            array, step[:3, :3], step[:3, 3], target.shape, output=np.float32, order=order, prefilter=False
        )
    )


def blocks_of(array: npt.NDArray, factor: int) -> npt.NDArray:
    """Group an image into cubes: shape (nx * f, ny * f, nz * f) to (nx, ny, nz, f**3)."""
    nx, ny, nz = (size // factor for size in array.shape)
    split = array.reshape(nx, factor, ny, factor, nz, factor).transpose(0, 2, 4, 1, 3, 5)
    return split.reshape(nx, ny, nz, factor**3)


@lru_cache(maxsize=2)
def brain_centre(maps: TissueMaps) -> tuple[float, float, float]:
    """Return the middle of the box around the brain in template mm: what a radiographer centres on."""
    brain = (maps.grey > 25) | (maps.white > 25)
    edges = [np.flatnonzero(brain.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    x, y, z = apply_affine(maps.grid.affine, [(edge[0] + edge[-1]) / 2 for edge in edges]).tolist()
    return x, y, z


def random_pose(parameters: Pose, centre: npt.ArrayLike, *, rng: np.random.Generator) -> Affine:
    """Draw where a head lies: the affine from native mm to template mm.

    The middle of the template's brain comes to rest near the native origin (the isocentre of the scanner).

    Parameters
    ----------
    parameters : Pose
        Standard deviations.
    centre : array_like, shape (3,)
        Middle of the brain in template mm.
    rng : numpy.random.Generator
        Drawn from nine times.
    """
    angles = np.deg2rad(parameters.rotation_sd) * rng.standard_normal(3)
    shift = parameters.shift_sd * rng.standard_normal(3)
    size = np.exp(parameters.size_sd * rng.standard_normal(3))
    to_native = pose(angles, size, shift) @ pose(np.zeros(3), np.ones(3), -np.asarray(centre))
    return frozen(np.asarray(np.linalg.inv(to_native)))


TINY = "tiny"
_TINY_AXES = np.array([68.0, 86.0, 64.0])
_TINY_EDGES = {"inner_skull": 1.0, "outer_skull": 1.08, "scalp": 1.16}
"""Surfaces of the tiny head in its half-axes: bone and scalp of 5 to 7 mm."""


def ellipsoid_maps() -> TissueMaps:
    """Return the tissue maps of the tiny anatomy: white matter in a shell of grey matter, fluid, bone and scalp; voxels of 4 mm.

    Half-axes of the brain 68, 86 and 64 mm (about those of the template's); the shell of grey matter takes the outer 30 % of each.
    """
    grid, head_grid = centred_grid((40, 48, 38), 4.0), centred_grid((44, 54, 42), 4.0)
    radius, far = _tiny_radius(grid), _tiny_radius(head_grid)
    white, cortex, brain = (_within(radius, edge) for edge in (0.70, 0.95, 1.0))
    grey, fluid = cortex - white, brain - cortex
    inner, outer, skin = (_within(far, edge) for edge in _TINY_EDGES.values())
    shares = (grey, white, fluid, outer - inner, skin - outer, 0.5 * (skin - outer))
    g, w, c, b, s, f = (frozen(np.rint(255 * share).astype(np.uint8)) for share in shares)
    return TissueMaps(TINY, grid, g, w, c, head_grid, b, s, f)


def _tiny_radius(grid: Grid) -> npt.NDArray[np.float64]:
    points = apply_affine(grid.affine, np.moveaxis(np.indices(grid.shape), 0, -1))
    return np.asarray(np.linalg.norm(points / _TINY_AXES, axis=-1))


def _within(radius: npt.NDArray[np.float64], edge: float) -> npt.NDArray[np.float64]:
    return np.clip((edge - radius) / 0.05 + 0.5, 0, 1)


@lru_cache(maxsize=1)
def _ellipsoid_head() -> Head:
    head = template_head()
    rays = head.vertices["inner_skull"] - head.centre
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    vertices = {name: frozen(edge * _TINY_AXES * rays) for name, edge in _TINY_EDGES.items()}
    return Head(frozen(np.zeros(3)), vertices, head.triangles)  # type: ignore[arg-type]
