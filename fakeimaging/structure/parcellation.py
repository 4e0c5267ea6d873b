"""Regions of grey matter: a label image in template space and a table of regions; label i + 1 is row i of every matrix.

Regions grow from seeds through grey matter along the shortest path (a geodesic Voronoi partition on a 2 mm grid), so that none
jumps across a sulcus. Seeds are published coordinates, mirrored, and so are the regions: each has a homotopic one.
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
from fakeimaging.core.spaces import Affine, Grid, apply_affine, centred_grid
from fakeimaging.structure.anatomy import blocks_of, resample
from fakeimaging.structure.template import SPACE, Seed, TissueMaps, published_seeds, template_maps

DEFAULT_REGIONS = 100
GREY_MATTER = 0.25
"""Share of grey matter from which a voxel belongs to a region (assumed: the template is blurred)."""
_SUBCORTICAL = {"thalamus": 1, "hippocampus": 1, "amygdala": 1, "basal ganglia": 3}
_CEREBELLAR_SHARE = 0.08


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
        ``cortex``, ``thalamus``, ``hippocampus``, ``amygdala``, ``basal ganglia`` or ``cerebellum``.
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

    def on(self, grid: Grid, to_template: Affine) -> npt.NDArray[np.uint16]:
        """Return the labels on a native grid: the most frequent label inside each voxel, 0 where there is none.

        Parameters
        ----------
        grid : Grid
            Native grid.
        to_template : ndarray, shape (4, 4)
            Native mm to template mm.
        """
        factor = int(np.ceil(grid.voxel_size.max() / (2.0 * self.grid.voxel_size.max())))
        samples = resample(self.labels, self.grid, grid.finer(factor), to_template, order=0).astype(np.uint16)
        labels = samples if factor == 1 else _most_frequent(blocks_of(samples, factor), len(self.regions))
        return frozen(labels)


def _most_frequent(samples: npt.NDArray[np.uint16], n_regions: int) -> npt.NDArray[np.uint16]:
    """Return the most frequent non-zero label along the last axis."""
    flat = samples.reshape(-1, samples.shape[-1])
    inside = np.flatnonzero(flat.any(axis=1))
    keys = np.arange(len(inside))[:, None] * (n_regions + 1) + flat[inside]
    counts = np.bincount(keys.ravel(), minlength=len(inside) * (n_regions + 1)).reshape(len(inside), -1)
    result = np.zeros(len(flat), dtype=np.uint16)
    result[inside] = counts[:, 1:].argmax(axis=1) + 1
    return result.reshape(samples.shape[:-1])


def template_parcellation(n_regions: int = DEFAULT_REGIONS) -> Parcellation:
    """Return the parcellation of the template in ``n_regions`` (even, 20 to 300); the default one is shipped, others are grown."""
    if n_regions == DEFAULT_REGIONS:
        return _shipped()
    return grow_template_parcellation(n_regions)


@lru_cache(maxsize=1)
def _shipped() -> Parcellation:
    import nibabel as nib

    folder = files("fakeimaging.data")
    image = nib.Nifti1Image.from_bytes(_gunzip((folder / "parcellation_dseg.nii.gz").read_bytes()))
    rows = csv.DictReader(io.StringIO((folder / "parcellation_dseg.tsv").read_text()), delimiter="\t")
    labels = np.asarray(image.dataobj).astype(np.uint16)
    return Parcellation(SPACE, Grid(labels.shape, image.affine), frozen(labels), tuple(_region(row) for row in rows))


def _gunzip(data: bytes) -> bytes:
    from isal import igzip

    return bytes(igzip.decompress(data))


def _region(row: dict[str, str]) -> Region:
    centroid = (float(row["x"]), float(row["y"]), float(row["z"]))
    return Region(row["name"], row["hemisphere"], row["network"], row["kind"], centroid, float(row["volume"]))


def grow_template_parcellation(n_regions: int) -> Parcellation:
    """Grow regions on the template from published coordinates: on a 2 mm grid, then carried to 1 mm.

    Parameters
    ----------
    n_regions : int
        Even, from 20 to 300.
    """
    maps = template_maps()
    seeds = mirrored_seeds(n_regions)
    coarse = centred_grid((84, 104, 90), 2.0, (0.0, -17.0, 8.0))
    grey = resample(maps.grey, maps.grid, coarse, np.eye(4), order=1) / 255
    left = apply_affine(coarse.affine, np.moveaxis(np.indices(coarse.shape), 0, -1))[..., 0] < 0
    labels = grow_regions(grey, coarse, np.array([seed.position for seed in seeds]), sides=left)
    return _assemble(_mirrored(_carry(labels, coarse, maps)), maps, seeds)


def _mirrored(labels: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    """Give the right half the mirror image of the left (the template is symmetric); the midline plane is the right half's."""
    half, labels = len(labels) // 2, labels.copy()
    left = labels[:half]
    # Seeds alternate left, right: the mirror region of label 1 is 2, of 3 is 4 ...
    labels[len(labels) - half :] = np.where(left > 0, (left - 1 ^ 1) + 1, 0)[::-1]
    return labels


def mirrored_seeds(n_regions: int) -> tuple[Seed, ...]:
    """Choose ``n_regions / 2`` well-spread coordinates with their mirror images: left, right, left, right ..."""
    pool = [_to_left(seed) for seed in published_seeds()]
    half = n_regions // 2
    cerebellum = max(1, round(_CEREBELLAR_SHARE * half))
    wanted = {**_SUBCORTICAL, "cerebellum": cerebellum}
    wanted = {"cortex": half - sum(wanted.values()), **wanted}
    chosen = [seed for kind, n in wanted.items() for seed in _spread([s for s in pool if s.kind == kind], n)]
    return tuple(side for seed in chosen for side in (seed, _mirror(seed)))


def _to_left(seed: Seed) -> Seed:
    x, y, z = seed.position
    return Seed((-max(abs(x), 5.0), y, z), seed.kind, seed.network)


def _mirror(seed: Seed) -> Seed:
    x, y, z = seed.position
    return Seed((-x, y, z), seed.kind, seed.network)


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


def grow_regions(
    grey: npt.NDArray, grid: Grid, seeds: npt.NDArray, *, sides: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.uint16]:
    """Partition grey matter among seeds by the shortest path through it.

    Parameters
    ----------
    grey : ndarray, shape grid.shape
        Share of grey matter, 0..1; the cost of a step is its length over this share.
    grid : Grid
    seeds : ndarray, shape (n, 3)
        Positions in mm; each snaps to the nearest free voxel of grey matter.
    sides : ndarray of bool, shape grid.shape, optional
        Paths do not cross between True and False.

    Returns
    -------
    ndarray of uint16, shape grid.shape
        i + 1 where seed i is nearest, 0 outside grey matter and where no path leads.
    """
    from scipy.sparse.csgraph import dijkstra

    inside = grey > GREY_MATTER
    graph = _voxel_graph(np.maximum(grey, GREY_MATTER), inside, grid.voxel_size, sides)
    nodes = _snap(inside, grid, seeds)
    _, _, nearest = dijkstra(graph, indices=nodes, min_only=True, return_predecessors=True)
    owner = np.full(int(inside.sum()) + 1, 0, dtype=np.uint16)
    owner[nodes] = np.arange(1, len(nodes) + 1)
    labels = np.zeros(grid.shape, dtype=np.uint16)
    labels[inside] = np.where(nearest >= 0, owner[nearest], 0)
    return labels


def _voxel_graph(
    grey: npt.NDArray, inside: npt.NDArray[np.bool_], voxel_size: npt.NDArray, sides: npt.NDArray[np.bool_] | None
) -> object:
    """Sparse graph of the 26 neighbours of each voxel inside, weighted by length over grey matter."""
    from scipy.sparse import coo_matrix

    number = np.full(inside.shape, -1)
    number[inside] = np.arange(inside.sum())
    rows, columns, costs = [], [], []
    for step in np.ndindex(3, 3, 3):
        offset = np.array(step) - 1
        if tuple(offset) <= (0, 0, 0):
            continue
        here = tuple(slice(max(0, -o), size - max(0, o)) for o, size in zip(offset, inside.shape, strict=True))
        there = tuple(slice(max(0, o), size - max(0, -o)) for o, size in zip(offset, inside.shape, strict=True))
        joined = inside[here] & inside[there]
        if sides is not None:
            joined &= sides[here] == sides[there]
        rows.append(number[here][joined])
        columns.append(number[there][joined])
        costs.append(np.linalg.norm(offset * voxel_size) * 2 / (grey[here][joined] + grey[there][joined]))
    n = int(inside.sum())
    upper = coo_matrix((np.concatenate(costs), (np.concatenate(rows), np.concatenate(columns))), shape=(n, n))
    return (upper + upper.T).tocsr()


def _snap(inside: npt.NDArray[np.bool_], grid: Grid, seeds: npt.NDArray) -> npt.NDArray[np.intp]:
    """Return the nearest free node of each seed, on its own side of the midline."""
    from scipy.spatial import cKDTree

    positions = apply_affine(grid.affine, np.argwhere(inside))
    nodes: list[int] = []
    for seed in seeds:
        same = np.flatnonzero(positions[:, 0] * seed[0] > 0) if seed[0] else np.arange(len(positions))
        _, near = cKDTree(positions[same]).query(seed, k=len(seeds))
        nodes.append(next(int(node) for node in same[near] if node not in nodes))
    return np.array(nodes)


def _carry(labels: npt.NDArray[np.uint16], coarse: Grid, maps: TissueMaps) -> npt.NDArray[np.uint16]:
    """Carry labels from the coarse grid to the template's own: nearest label, inside grey matter, at most 3 mm away."""
    from scipy.ndimage import distance_transform_edt

    away, nearest = distance_transform_edt(labels == 0, sampling=coarse.voxel_size, return_indices=True)
    spread = np.where(away <= 3.0, labels[tuple(nearest)], 0)
    fine = resample(spread, coarse, maps.grid, np.eye(4), order=0).astype(np.uint16)
    fine[maps.grey <= GREY_MATTER * 255] = 0
    return fine


def _assemble(labels: npt.NDArray[np.uint16], maps: TissueMaps, seeds: tuple[Seed, ...]) -> Parcellation:
    volumes = np.bincount(labels.ravel(), minlength=len(seeds) + 1)[1:] * abs(np.linalg.det(maps.grid.affine[:3, :3]))
    centroids = centroids_of(labels, maps.grid, len(seeds))
    names = _names(seeds)
    regions = tuple(
        Region(
            name,
            name[0],
            seed.network if seed.kind == "cortex" else seed.kind,
            seed.kind,
            tuple(centroid),
            float(volume),
        )
        for name, seed, centroid, volume in zip(names, seeds, centroids.tolist(), volumes, strict=True)
    )
    return Parcellation(maps.space, maps.grid, frozen(labels), regions)


def centroids_of(labels: npt.NDArray[np.uint16], grid: Grid, n_regions: int) -> npt.NDArray[np.float64]:
    """Return the centre of mass of each label in mm, shape (n_regions, 3), rounded to 0.01 mm."""
    index = np.argwhere(labels > 0)
    label = labels[labels > 0]
    points = apply_affine(grid.affine, index)
    count = np.bincount(label, minlength=n_regions + 1)[1:]
    sums = [np.bincount(label, weights=points[:, axis], minlength=n_regions + 1)[1:] for axis in range(3)]
    return np.asarray(np.round(np.stack(sums, axis=1) / np.maximum(count, 1)[:, None], 2))


def _names(seeds: tuple[Seed, ...]) -> list[str]:
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
        Even, from 2 to 60.
    """
    half = n_regions // 2
    height = 1 - (2 * np.arange(half) + 1) / half
    around = np.pi / 2 + np.pi * ((np.arange(half) * 0.618034 % 1) * 0.8 + 0.1)
    ring = np.sqrt(1 - height**2)
    left = np.stack([ring * np.cos(around) * 58, ring * np.sin(around) * 73, height * 54], axis=1)
    seeds = [
        Seed(tuple(point), "cortex", f"Net{chr(65 + i * 2 // max(half, 1))}") for i, point in enumerate(left.tolist())
    ]
    pairs = tuple(side for seed in seeds for side in (seed, _mirror(seed)))
    x = apply_affine(maps.grid.affine, np.moveaxis(np.indices(maps.grid.shape), 0, -1))[..., 0]
    labels = grow_regions(maps.grey / 255, maps.grid, np.array([seed.position for seed in pairs]), sides=x < 0)
    return _assemble(labels, maps, pairs)
