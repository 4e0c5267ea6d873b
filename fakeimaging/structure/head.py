"""The head: inner skull, outer skull and scalp as nested closed surfaces in template space (mm), and what lies inside them.

Inner skull and scalp are fsaverage's, as MNE-Python ships them, moved from MNI305 to MNI152; the inner skull is united with the
template's brain dilated by 1 mm; the outer skull lies between. All three have the vertex order of the fourth subdivision of an
icosahedron, along the same rays from one centre, so each is star-shaped and they never cross.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.citations import Reference

SurfaceName = Literal["scalp", "outer_skull", "inner_skull"]
SURFACES: tuple[SurfaceName, ...] = ("inner_skull", "outer_skull", "scalp")
"""From the inside out."""
REFERENCE = Reference("Fischl", 2012, "10.1016/j.neuroimage.2012.01.021", "fsaverage (FreeSurfer): skull and scalp")


@dataclass(frozen=True, eq=False)
class Head:
    """Nested closed surfaces along common rays.

    Parameters
    ----------
    centre : ndarray, shape (3,), mm
        Where the rays start.
    vertices : mapping of surface name to ndarray, shape (n_vertices, 3), mm
        Vertex i of every surface lies on ray i.
    triangles : ndarray of int, shape (n_triangles, 3)
        Of every surface; outward by the right-hand rule.
    """

    centre: npt.NDArray[np.float64]
    vertices: dict[SurfaceName, npt.NDArray[np.float64]]
    triangles: npt.NDArray[np.intp]

    def depth(self, points: npt.ArrayLike) -> dict[SurfaceName, npt.NDArray[np.float64]]:
        """Return how deep points lie below the triangle of each surface that their ray meets.

        Parameters
        ----------
        points : array_like, shape (n, 3)
            Template mm.

        Returns
        -------
        dict of surface name to ndarray, shape (n,)
            mm from the triangle's plane, positive inside.
        """
        points = np.asarray(points, dtype=float) - self.centre
        triangle = self._triangle_of(points)
        found = {}
        for name, vertices in self.vertices.items():
            # On the plane of a triangle, sum(inverse @ p) = 1: its normal is the sum of the inverse's rows.
            normal = np.linalg.inv((vertices - self.centre)[self.triangles].transpose(0, 2, 1)).sum(axis=1)
            along = np.einsum("ij,ij->i", normal[triangle], points)
            found[name] = (1 - along) / np.linalg.norm(normal, axis=1)[triangle]
        return found

    def on_scalp(self, points: npt.ArrayLike) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
        """Return where the ray through each point meets the scalp.

        Parameters
        ----------
        points : array_like, shape (n, 3)
            Template mm.

        Returns
        -------
        nodes : ndarray of int, shape (n, 3)
            Vertices of the triangle that is met.
        weights : ndarray, shape (n, 3)
            Of their places in that of the meeting; they sum to 1.

        Examples
        --------
        >>> head = template_head()
        >>> nodes, weights = head.on_scalp([[0.0, 0.0, 300.0]])
        >>> (weights[0] @ head.vertices["scalp"][nodes[0]]).round(0)[1:]
        array([-14.,  98.])
        """
        away = np.asarray(points, dtype=float) - self.centre
        nodes = self.triangles[self._triangle_of(away, near=16)]
        corners = (self.vertices["scalp"] - self.centre)[nodes]
        weights = np.linalg.solve(corners.transpose(0, 2, 1), away[:, :, None])[:, :, 0]
        return nodes, weights / weights.sum(axis=1, keepdims=True)

    def _triangle_of(self, points: npt.NDArray[np.float64], near: int = 4) -> npt.NDArray[np.intp]:
        """Return the triangle that the ray through each point meets: one of those around the nearest vertex or its neighbours."""
        from scipy.spatial import cKDTree

        rays = (self.vertices["inner_skull"] - self.centre).astype(float)
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        inverse = np.linalg.inv(rays[self.triangles].transpose(0, 2, 1))
        unit = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
        middle = rays[self.triangles].mean(axis=1)
        middle /= np.linalg.norm(middle, axis=1, keepdims=True)
        _, found = cKDTree(middle).query(unit, k=near)
        least = np.stack([np.einsum("nij,nj->ni", inverse[found[:, k]], unit).min(axis=1) for k in range(near)], axis=1)
        return np.asarray(found[np.arange(len(unit)), least.argmax(axis=1)])


@lru_cache(maxsize=1)
def template_head() -> Head:
    """Return the head of the template: 2562 vertices a surface.

    Examples
    --------
    >>> head = template_head()
    >>> head.vertices["scalp"].shape, head.triangles.shape
    ((2562, 3), (5120, 3))
    """
    with np.load(files("fakeimaging.data") / "head.npz") as data:  # type: ignore[arg-type]
        vertices = {name: frozen(data[name].astype(float)) for name in SURFACES}
        return Head(frozen(data["centre"]), vertices, frozen(data["triangles"].astype(np.intp)))
