"""Growing regions from seeds: each voxel goes to the seed with the cheapest path through the mask (a geodesic Voronoi partition)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fakeimaging.core.spaces import Grid, apply_affine

if TYPE_CHECKING:
    from scipy.spatial import cKDTree


def grow_regions(
    inside: npt.NDArray[np.bool_], cost: npt.NDArray, grid: Grid, seeds: npt.NDArray, *, rounds: int = 0
) -> npt.NDArray[np.uint16]:
    """Partition a mask among seeds by the cheapest path through it, from face to face.

    Parameters
    ----------
    inside : ndarray of bool
        Voxels to share out; the first corner of the array is that of the grid.
    cost : ndarray, shape inside.shape
        Of a step, per mm.
    grid : Grid
    seeds : ndarray, shape (n, 3)
        Positions in mm; each snaps to the nearest free voxel inside.
    rounds : int
        Times that the seeds move to the middle of their regions and all grow anew.

    Returns
    -------
    ndarray of uint16, shape inside.shape
        i + 1 where the path to seed i is cheapest, 0 outside and where no path leads; each region is one piece.
    """
    from scipy.sparse.csgraph import dijkstra
    from scipy.spatial import cKDTree

    graph = _voxel_graph(cost, inside, grid.voxel_size)
    points = apply_affine(grid.affine, np.argwhere(inside))
    tree = cKDTree(points)
    for _ in range(rounds + 1):
        nodes = _snap(tree, seeds)
        _, _, nearest = dijkstra(graph, indices=nodes, min_only=True, return_predecessors=True)
        owner = np.zeros(len(points), dtype=np.uint16)
        owner[nodes] = np.arange(1, len(nodes) + 1)
        found = np.where(nearest >= 0, owner[nearest], 0)
        seeds = means_of(points, found, len(nodes))
    labels = np.zeros(inside.shape, dtype=np.uint16)
    labels[inside] = found
    return labels


def grow_place(inside: npt.NDArray[np.bool_], grid: Grid, seed: npt.ArrayLike, n: int) -> npt.NDArray[np.bool_]:
    """Return the ``n`` voxels of a mask that are nearest to a seed along paths through the mask, from face to face.

    Parameters
    ----------
    inside : ndarray of bool, shape grid.shape
    grid : Grid
    seed : array_like, shape (3,)
        mm; snaps to the nearest voxel inside.
    n : int
        At least 1; all that a path leads to when there are fewer.

    Returns
    -------
    ndarray of bool, shape grid.shape
        One piece, as irregular as the mask it lies in.
    """
    from scipy.sparse.csgraph import dijkstra

    points = apply_affine(grid.affine, np.argwhere(inside))
    start = int(np.linalg.norm(points - np.asarray(seed), axis=1).argmin())
    graph = _voxel_graph(np.ones(inside.shape), inside, grid.voxel_size)
    path = dijkstra(graph, indices=start)
    order = np.lexsort((np.linalg.norm(points - points[start], axis=1), path))[:n]
    grown = np.zeros(len(points), dtype=bool)
    grown[order[np.isfinite(path[order])]] = True
    place = np.zeros(inside.shape, dtype=bool)
    place[inside] = grown
    return place


def _voxel_graph(cost: npt.NDArray, inside: npt.NDArray[np.bool_], voxel_size: npt.NDArray) -> object:
    """Sparse graph of the voxels inside that share a face, weighted by length times mean cost."""
    from scipy.sparse import coo_matrix

    number = np.full(inside.shape, -1)
    number[inside] = np.arange(inside.sum())
    rows, columns, costs = [], [], []
    for axis in range(3):
        here = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        there = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        joined = inside[here] & inside[there]
        rows.append(number[here][joined])
        columns.append(number[there][joined])
        costs.append(voxel_size[axis] * (cost[here][joined] + cost[there][joined]) / 2)
    n = int(inside.sum())
    upper = coo_matrix((np.concatenate(costs), (np.concatenate(rows), np.concatenate(columns))), shape=(n, n))
    return (upper + upper.T).tocsr()


def _snap(tree: cKDTree, seeds: npt.NDArray) -> npt.NDArray[np.intp]:
    """Return the nearest free point of each seed."""
    _, near = tree.query(seeds, k=min(len(seeds), tree.n))
    nodes: list[int] = []
    for candidates in np.reshape(near, (len(seeds), -1)):
        nodes.append(next(int(node) for node in candidates if node not in nodes))
    return np.array(nodes)


def centroids_of(labels: npt.NDArray[np.uint16], grid: Grid, n_regions: int) -> npt.NDArray[np.float64]:
    """Return the centre of mass of each label in mm, shape (n_regions, 3), rounded to 0.01 mm."""
    points = apply_affine(grid.affine, np.argwhere(labels > 0))
    return np.asarray(np.round(means_of(points, labels[labels > 0], n_regions), 2))


def means_of(points: npt.NDArray, labels: npt.NDArray, n: int) -> npt.NDArray[np.float64]:
    """Return the mean of the points of each label from 1 to n, shape (n, 3)."""
    count = np.bincount(labels, minlength=n + 1)[1:]
    sums = [np.bincount(labels, weights=points[:, axis], minlength=n + 1)[1:] for axis in range(3)]
    return np.asarray(np.stack(sums, axis=1) / np.maximum(count, 1)[:, None])
