"""Inner skull, outer skull and scalp of fsaverage in MNI152, nested along common rays around the template's brain."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
from scipy.spatial import cKDTree

from fakeimaging.core.spaces import Grid, apply_affine
from fakeimaging.structure.head import Head

MNI305_TO_MNI152 = np.array(
    [
        [0.9975, -0.0073, 0.0176, -0.0429],
        [0.0146, 1.0009, -0.0024, 1.5496],
        [-0.0130, -0.0093, 0.9971, 1.1840],
        [0, 0, 0, 1],
    ]
)
"""FreeSurfer's, from its page on coordinate systems (mm)."""
BRAIN_MARGIN = 1.0
"""mm between brain and inner skull, at least."""
SKULL_SHARE, THINNEST_SKULL, THICKEST_SKULL = 0.5, 3.0, 8.0
"""The outer skull lies half of the way to the scalp outside the inner one, between 3 and 8 mm (assumed; no outer skull is shipped)."""
THINNEST_SCALP = 2.5
"""mm (assumed)."""


def fsaverage(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return vertices (MNI305 mm) and triangles of a surface in the mne wheel, the inner skull reduced to 2562 vertices."""
    path = Path(mne.__file__).parent / "data" / "fsaverage" / f"fsaverage-{name}.fif"
    surface = mne.read_bem_surfaces(path, verbose=False)[0]
    if len(surface["rr"]) > 2562:
        surface = mne.bem._ico_downsample(surface, 4)
    return surface["rr"] * 1e3, surface["tris"]


def ray_lengths(rays: np.ndarray, vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Distance from the origin to a closed surface along unit rays (one hit each, else ValueError)."""
    inverse = np.linalg.inv(vertices[triangles].transpose(0, 2, 1))
    lengths = np.empty(len(rays))
    for i, ray in enumerate(rays):
        weights = inverse @ ray
        hits = 1 / weights[(weights >= -1e-12).all(axis=1)].sum(axis=1)
        if not len(hits) or np.ptp(hits) > 1e-6:
            raise ValueError(f"ray {i} meets the surface at {hits} mm")
        lengths[i] = hits[0]
    return lengths


def brain_reach(rays: np.ndarray, brain: np.ndarray, grid: Grid, centre: np.ndarray) -> np.ndarray:
    """Distance from the centre to the farthest voxel of the brain within 2.5 degrees of each ray."""
    points = apply_affine(grid.affine, np.argwhere(brain)) - centre
    radius = np.linalg.norm(points, axis=1)
    near = cKDTree(points / radius[:, None]).query_ball_point(rays, np.deg2rad(2.5))
    return np.array([radius[found].max(initial=0) for found in near])


def build_head(brain: np.ndarray, grid: Grid) -> Head:
    """Return the nested surfaces in MNI152 around a brain mask."""
    inner, triangles = fsaverage("inner_skull-bem")
    scalp, scalp_triangles = fsaverage("head")
    inner, scalp = (apply_affine(MNI305_TO_MNI152, vertices) for vertices in (inner, scalp))
    centre = inner.mean(axis=0)
    radius = np.linalg.norm(inner - centre, axis=1)
    rays = (inner - centre) / radius[:, None]
    scalp_radius = ray_lengths(rays, scalp - centre, scalp_triangles)
    inner_radius = np.maximum(radius, brain_reach(rays, brain, grid, centre) + BRAIN_MARGIN)
    outer_radius = inner_radius + np.clip(SKULL_SHARE * (scalp_radius - inner_radius), THINNEST_SKULL, THICKEST_SKULL)
    scalp_radius = np.maximum(scalp_radius, outer_radius + THINNEST_SCALP)
    print(
        f"inner skull moved outward at {(inner_radius > radius).sum()} vertices, most by {(inner_radius - radius).max():.1f} mm"
    )
    radii = {"inner_skull": inner_radius, "outer_skull": outer_radius, "scalp": scalp_radius}
    return Head(centre, {name: centre + rays * r[:, None] for name, r in radii.items()}, triangles.astype(np.intp))


def depths(head: Head, grid: Grid) -> dict[str, np.ndarray]:
    """Depth of each voxel's centre below each surface in mm, shape grid.shape, float32."""
    result = {name: np.zeros(grid.shape, np.float32) for name in head.vertices}
    for k in range(grid.shape[2]):
        index = np.stack(np.meshgrid(*map(np.arange, grid.shape[:2]), [k], indexing="ij"), -1).reshape(-1, 3)
        for name, depth in head.depth(apply_affine(grid.affine, index)).items():
            result[name][:, :, k] = depth.reshape(grid.shape[:2])
    return result
