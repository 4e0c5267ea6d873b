"""Regions of grey matter: a label image in template space and a table of regions; label i + 1 is row i of every matrix.

Deep nuclei are one region a side each, as wide as published; cortex and cerebellum are split by growing regions from seeds along the
shortest path through grey matter (a geodesic Voronoi partition), so that none jumps across a sulcus. Regions of the left side
are mirrored: each has a homotopic one. Every region is one piece whose voxels touch by their faces.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import Affine, Grid, apply_affine
from fakeimaging.structure.anatomy import blocks_of, resample
from fakeimaging.structure.growth import centroids_of as centroids_of
from fakeimaging.structure.growth import grow_regions
from fakeimaging.structure.template import (
    SPACE,
    STRUCTURES,
    Seed,
    TissueMaps,
    published_seeds,
    read_image,
    template_maps,
    template_structures,
)

DEFAULT_REGIONS = 100
GREY_MATTER = 0.25
"""Share of grey matter from which a voxel of an atlas counts as grey (assumed)."""
LEAST_GREY = 0.1
"""Share of grey matter that a native voxel beside a region must hold to belong to it: leaves out 0.6 % of the grey matter at 1 mm."""
CRUMB = 0.02
"""Share of a region below which a piece that comes apart from it on a native grid belongs to none."""
KINDS = STRUCTURES[1:-1]
"""Structures that regions are part of: all but the brainstem."""
_CEREBELLAR_SHARE = 0.08
_ROUNDS = 3
"""Times that the seeds move to the middle of their regions, which evens their sizes."""


@dataclass(frozen=True)
class Region:
    """One region.

    Parameters
    ----------
    name : str
        Unique name, hemisphere first.
    hemisphere : str
        ``"L"`` or ``"R"``.
    network : str
        Functional network, or the structure for subcortical regions.
    kind : str
        One of `KINDS`.
    centroid : (x, y, z)
        Template mm.
    volume : float
        mm3 in template space.
    """

    name: str
    hemisphere: str
    network: str
    kind: str
    centroid: tuple[float, float, float]
    volume: float


@dataclass(frozen=True, eq=False)
class Parcellation:
    """A label image in template space and its regions.

    Parameters
    ----------
    space : str
        Template the grid lies in.
    grid : Grid
        Of the label image.
    labels : ndarray of uint16, shape grid.shape
        0 outside; i + 1 in region i.
    regions : tuple of Region
    """

    space: str
    grid: Grid
    labels: npt.NDArray[np.uint16]
    regions: tuple[Region, ...]

    @property
    def centroids(self) -> npt.NDArray[np.float64]:
        """Centroids in template mm, shape (n_regions, 3)."""
        return np.array([region.centroid for region in self.regions])

    def on(
        self, grid: Grid, to_template: Affine, *, grey: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.uint16]:
        """Return the labels on a native grid: the most frequent label inside each voxel, 0 where there is none.

        Parameters
        ----------
        grid : Grid
            Native grid.
        to_template : ndarray, shape (4, 4)
            Native mm to template mm.
        grey : ndarray, shape grid.shape, optional
            Share of grey matter: a voxel without a label that holds more than `LEAST_GREY` takes one from a face.
        """
        factor = int(np.ceil(grid.voxel_size.max() / (2.0 * self.grid.voxel_size.max())))
        samples = resample(self.labels, self.grid, grid.finer(factor), to_template, order=0).astype(np.uint16)
        labels = samples if factor == 1 else _most_frequent(blocks_of(samples, factor), len(self.regions))
        return frozen(_without_crumbs(labels if grey is None else spilled(labels, grey)))


def _most_frequent(samples: npt.NDArray[np.uint16], n_regions: int) -> npt.NDArray[np.uint16]:
    """Return the most frequent non-zero label along the last axis."""
    flat = samples.reshape(-1, samples.shape[-1])
    inside = np.flatnonzero(flat.any(axis=1))
    keys = np.arange(len(inside))[:, None] * (n_regions + 1) + flat[inside]
    counts = np.bincount(keys.ravel(), minlength=len(inside) * (n_regions + 1)).reshape(len(inside), -1)
    result = np.zeros(len(flat), dtype=np.uint16)
    result[inside] = counts[:, 1:].argmax(axis=1) + 1
    return result.reshape(samples.shape[:-1])


def spilled(labels: npt.NDArray[np.uint16], grey: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Give unlabelled voxels that hold grey matter the label of a neighbour by a face, where there is one."""
    padded = np.pad(labels, 1)
    wanted = np.flatnonzero(np.pad((labels == 0) & (grey > LEAST_GREY), 1))
    before, after = padded.reshape(-1), padded.copy().reshape(-1)
    for stride in padded.strides:
        for step in (-stride // padded.itemsize, stride // padded.itemsize):
            after[wanted] = np.where(after[wanted] == 0, before[wanted + step], after[wanted])
    return np.ascontiguousarray(after.reshape(padded.shape)[1:-1, 1:-1, 1:-1])


def _without_crumbs(labels: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    """Take the label from small pieces that share not even a corner with the rest of their region."""
    from scipy.ndimage import find_objects, label

    kept = labels.copy()
    for i, box in enumerate(find_objects(labels)):
        if box is None:
            continue
        pieces, n = label(labels[box] == i + 1, np.ones((3, 3, 3)))
        sizes = np.bincount(pieces.ravel())
        small = sizes < CRUMB * sizes[1:].sum()
        small[0] = False
        if n > 1 and small.any():
            kept[box][small[pieces]] = 0
    return kept


def template_parcellation(n_regions: int = DEFAULT_REGIONS) -> Parcellation:
    """Return the parcellation of the template in ``n_regions`` (20 to 300); the default one is shipped, others are grown."""
    if n_regions == DEFAULT_REGIONS:
        return _shipped()
    return grow_template_parcellation(n_regions)


@lru_cache(maxsize=1)
def _shipped() -> Parcellation:
    image, grid = read_image("parcellation_dseg.nii.gz")
    table = (files("fakeimaging.data") / "parcellation_dseg.tsv").read_text()
    rows = csv.DictReader(io.StringIO(table), delimiter="\t")
    return Parcellation(SPACE, grid, frozen(image.astype(np.uint16)), tuple(_region(row) for row in rows))


def unlabelled_grey(parcellation: Parcellation, maps: TissueMaps) -> npt.NDArray[np.bool_]:
    """Return which voxels of the maps' grid hold grey matter of no region (in the template: the brainstem).

    Parameters
    ----------
    parcellation : Parcellation
        On the grid of the maps.
    maps : TissueMaps

    Raises
    ------
    InputError
        If the grids differ.
    """
    if parcellation.grid != maps.grid:
        raise InputError("the parcellation and the tissue maps lie on different grids")
    return (maps.grey > 0) & (parcellation.labels == 0)


def _region(row: dict[str, str]) -> Region:
    centroid = (float(row["x"]), float(row["y"]), float(row["z"]))
    return Region(row["name"], row["hemisphere"], row["network"], row["kind"], centroid, float(row["volume"]))


@lru_cache(maxsize=8)
def grow_template_parcellation(n_regions: int) -> Parcellation:
    """Grow regions on the template from published coordinates, on the left side of its 1 mm grid.

    Parameters
    ----------
    n_regions : int
        From 20 to 300. An odd one splits the largest cortical region of the left side in two.

    Raises
    ------
    InputError
        If there are too few published coordinates.
    """
    maps, structures = template_maps(), template_structures()
    half = len(structures) // 2
    seeds = left_seeds(n_regions // 2)
    labels = np.zeros(structures[:half].shape, dtype=np.uint16)
    for kind in KINDS:
        numbers = [i + 1 for i, seed in enumerate(seeds) if seed.kind == kind]
        points = np.array([seeds[i - 1].position for i in numbers])
        inside = structures[:half] == STRUCTURES.index(kind)
        labels[inside] = np.array([0, *numbers])[_split(inside, maps.grey[:half], maps.grid, points)[inside]]
    return _assemble(_both_sides(labels, structures, maps.grid), maps, _networks(labels, maps.grid, seeds), n_regions)


def _split(
    inside: npt.NDArray[np.bool_], grey: npt.NDArray[np.uint8], grid: Grid, points: npt.NDArray
) -> npt.NDArray[np.uint16]:
    """Partition a structure among points that move to the middle of their regions `_ROUNDS` times."""
    if len(points) == 1:
        return inside.astype(np.uint16)
    cost = 1 / np.maximum(grey / np.float32(255), GREY_MATTER)
    return grow_regions(inside, cost, grid, points, rounds=_ROUNDS)


def _both_sides(left: npt.NDArray[np.uint16], structures: npt.NDArray[np.uint8], grid: Grid) -> npt.NDArray[np.uint16]:
    """Put the mirror image of the left half on the right: label i to 2i - 1 on the left and 2i on the right.

    Grey matter on the plane between goes to either side like the fields of a chess board, each touching its own side.
    """
    half = len(left)
    labels = np.zeros(grid.shape, dtype=np.uint16)
    odd = np.where(left > 0, 2 * left - 1, 0).astype(np.uint16)
    labels[:half] = odd
    labels[: len(labels) - half - 1 : -1] = odd + (odd > 0)
    if len(labels) > 2 * half:
        y, z = np.indices(left.shape[1:])
        beside = np.where(structures[half] == structures[half - 1], odd[-1], 0)
        labels[half] = np.where(beside > 0, beside + (y + z) % 2, 0)
    return labels


def left_seeds(n: int) -> tuple[Seed, ...]:
    """Choose ``n`` seeds of the left side (10 to 150): one for each deep nucleus, well-spread coordinates for cortex and cerebellum."""
    pool = [_to_left(seed) for seed in published_seeds()]
    deep = [kind for kind in KINDS if kind not in ("cortex", "cerebellum")]
    cerebellum = max(1, round(_CEREBELLAR_SHARE * n))
    spread = {kind: [seed for seed in pool if seed.kind == kind] for kind in ("cortex", "cerebellum")}
    nuclei = [Seed((0.0, 0.0, 0.0), kind, kind) for kind in deep]
    cortex = _spread(spread["cortex"], n - len(deep) - cerebellum)
    return (*cortex, *nuclei, *_spread(spread["cerebellum"], cerebellum))


def _to_left(seed: Seed) -> Seed:
    x, y, z = seed.position
    return Seed((-max(abs(x), 5.0), y, z), seed.kind, seed.network)


def _networks(left: npt.NDArray[np.uint16], grid: Grid, seeds: tuple[Seed, ...]) -> list[Seed]:
    """Give each cortical region the network of the assigned coordinate nearest to its middle."""
    assigned = [_to_left(seed) for seed in published_seeds() if seed.kind == "cortex" and seed.network != "unassigned"]
    points = np.array([seed.position for seed in assigned])
    placed = []
    for seed, centroid in zip(seeds, centroids_of(left, grid, len(seeds)), strict=True):
        nearest = assigned[int(np.linalg.norm(points - centroid, axis=1).argmin())].network
        network = nearest if seed.kind == "cortex" else seed.kind
        placed.append(Seed(tuple(centroid.tolist()), seed.kind, network))
    return placed


def _spread(pool: list[Seed], n: int) -> list[Seed]:
    """Farthest-point sampling, starting from the hindmost coordinate."""
    if n > len(pool):
        raise InputError(f"only {len(pool)} published coordinates of {pool[0].kind} a side, {n} are needed", value=n)
    points = np.array([seed.position for seed in pool])
    order = [int(points[:, 1].argmin())]
    distance = np.linalg.norm(points - points[order[0]], axis=1)
    while len(order) < n:
        order.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[order[-1]], axis=1))
    return [pool[i] for i in sorted(order, key=lambda i: -pool[i].position[1])]


def _assemble(labels: npt.NDArray[np.uint16], maps: TissueMaps, left: list[Seed], n_regions: int) -> Parcellation:
    """Name the regions and measure them; ``left`` are the regions 1, 3, 5 ..., in order."""
    pairs = [Seed((sign * s.position[0], *s.position[1:]), s.kind, s.network) for s in left for sign in (1, -1)]
    if n_regions % 2:
        labels, divided = _divide_largest(labels, maps.grid, pairs)
        pairs.append(pairs[divided])
    volumes = np.bincount(labels.ravel(), minlength=n_regions + 1)[1:] * abs(np.linalg.det(maps.grid.affine[:3, :3]))
    centroids = centroids_of(labels, maps.grid, n_regions)
    regions = tuple(
        Region(name, name[0], seed.network, seed.kind, tuple(centroid), float(volume))
        for name, seed, centroid, volume in zip(_names(pairs), pairs, centroids.tolist(), volumes, strict=True)
    )
    return Parcellation(maps.space, maps.grid, frozen(labels), regions)


def _divide_largest(
    labels: npt.NDArray[np.uint16], grid: Grid, regions: list[Seed]
) -> tuple[npt.NDArray[np.uint16], int]:
    """Split the largest cortical region of the left side; its hind part gets a label of its own, one above the last."""
    volumes = np.bincount(labels.ravel(), minlength=len(regions) + 1)[1:]
    largest = max(range(0, len(regions), 2), key=lambda i: volumes[i] if regions[i].kind == "cortex" else 0)
    inside, labels = labels == largest + 1, labels.copy()
    points = apply_affine(grid.affine, np.argwhere(inside))
    ends = points[[points[:, 1].argmax(), points[:, 1].argmin()]]
    halves = _split(inside, np.full(inside.shape, 255, np.uint8), grid, ends)
    labels[halves == 2] = len(regions) + 1
    return labels, largest


def _names(seeds: list[Seed]) -> list[str]:
    counts: dict[str, int] = {}
    names = []
    for seed in seeds:
        stem = seed.network if seed.kind == "cortex" else seed.kind.title().replace(" ", "")
        stem = f"{'L' if seed.position[0] < 0 else 'R'}_{stem[0].upper()}{stem[1:]}"
        counts[stem] = counts.get(stem, 0) + 1
        names.append(f"{stem}_{counts[stem]:02d}")
    return names


def shell_parcellation(maps: TissueMaps, n_regions: int) -> Parcellation:
    """Partition the shell of the tiny anatomy among mirrored points spread evenly over it.

    Parameters
    ----------
    maps : TissueMaps
    n_regions : int
        From 2 to 60; an odd one splits the largest region of the left side.
    """
    half, middle = n_regions // 2, len(maps.grey) // 2
    height = 1 - (2 * np.arange(half) + 1) / half
    around = np.pi / 2 + np.pi * ((np.arange(half) * 0.618034 % 1) * 0.8 + 0.1)
    ring = np.sqrt(1 - height**2)
    points = np.stack([ring * np.cos(around) * 58, ring * np.sin(around) * 73, height * 54], axis=1)
    inside = (maps.grey > 0)[:middle]
    left = _split(inside, maps.grey[:middle], maps.grid, points)
    networks = [f"Net{chr(65 + i * 2 // half)}" for i in range(half)]
    centroids = centroids_of(left, maps.grid, half).tolist()
    seeds = [Seed(tuple(c), "cortex", network) for c, network in zip(centroids, networks, strict=True)]
    structures = (maps.grey > 0).astype(np.uint8)
    return _assemble(_both_sides(left, structures, maps.grid), maps, seeds, n_regions)
