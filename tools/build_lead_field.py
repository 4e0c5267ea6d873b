"""Build `fakeimaging/data/lead_field.npz`: the EEG lead field of fsaverage by a three-layer boundary-element model.

Everything comes from two wheels: scalp, inner skull, montage and fiducials of fsaverage from mne, its white and pial surfaces
(fsaverage5) from nilearn. The outer skull lies between inner skull and scalp. Needs mne; about 6 CPU minutes and 3 GB at
``--ico 4``. What took long is kept in ``--work`` and not computed again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import mne
import nibabel as nib
import nilearn
import numpy as np
import numpy.typing as npt

from fakeimaging.core.files import writing
from fakeimaging.core.spaces import apply_affine

DATA = Path(__file__).parents[1] / "fakeimaging" / "data"
SHIPPED_BY_MNE = Path(mne.__file__).parent / "data" / "fsaverage"
FSAVERAGE5 = Path(nilearn.__file__).parent / "datasets" / "data" / "fsaverage5"
SUBJECT = "fsaverage"
MONTAGE = "fsaverage_1005"
CONDUCTIVITIES = (0.3, 0.006, 0.3)
"""S/m of brain, skull and scalp: the defaults of `mne.make_bem_model`."""
SKULL_SHARE, THICKEST_SKULL, THINNEST_SKULL = 0.5, 8.0, 3.0
"""Outer skull: this share of the gap from inner skull to scalp, within these bounds in mm (assumed)."""
MNI305_TO_MNI152 = np.array(
    [
        [0.9975, -0.0073, 0.0176, -0.0429],
        [0.0146, 1.0009, -0.0024, 1.5496],
        [-0.0130, -0.0093, 0.9971, 1.1840],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
"""Millimetres of fsaverage to millimetres of MNI152: FreeSurfer's documentation of its coordinate systems."""
THIN = 1.0
"""Where fsaverage's cortex is thinner than this, in mm, there is none: the medial wall (assumed; it is 0 there)."""
RANK, LEVELS = 224, 1000
"""Number of components kept, and steps in the field of one vertex: each vertex has a step of its own."""


def main() -> None:
    """Build the model, solve it, compress the lead field and print what that costs in accuracy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ico", type=int, default=4, help="subdivision of each layer: 3 is 642 nodes, 4 is 2562")
    parser.add_argument("--work", type=Path, required=True, help="folder for intermediate files")
    parser.add_argument("--out", type=Path, default=DATA / "lead_field.npz")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    positions = electrodes()
    forward = lead_field(options.work, options.ico, positions)
    full = forward["sol"]["data"].astype(np.float64)
    full -= full.mean(axis=0)
    surface = cortex() | {"normals": forward["source_nn"]}
    factors = compressed(full)
    report(full, factors["maps"].astype(float) @ (factors["amounts"] * factors["step"]), surface)
    save(options.out, factors, surface, positions)


def electrodes() -> dict[str, npt.NDArray[np.float64]]:
    """Return the positions of the montage on the scalp in fsaverage mm, by name."""
    from mne.surface import _project_onto_surface

    placed = mne.channels.make_standard_montage(MONTAGE).get_positions()["ch_pos"]
    scalp = mne.read_bem_surfaces(SHIPPED_BY_MNE / "fsaverage-head.fif", verbose=False)[0]
    *_, on_scalp = _project_onto_surface(np.array(list(placed.values())), scalp, project_rrs=True, return_nn=False)
    moved = 1e3 * np.linalg.norm(on_scalp - np.array(list(placed.values())), axis=1)
    print(f"electrodes moved onto the scalp by {np.median(moved):.2f} mm (median), {moved.max():.2f} mm (most)")
    return dict(zip(placed, 1e3 * on_scalp, strict=True))


def layers(ico: int) -> dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.int_]]]:
    """Return inner skull, outer skull and scalp in mm, all with the triangles of one subdivided icosahedron."""
    skull = mne.read_bem_surfaces(SHIPPED_BY_MNE / "fsaverage-inner_skull-bem.fif", verbose=False)[0]
    head = mne.read_bem_surfaces(SHIPPED_BY_MNE / "fsaverage-head.fif", verbose=False)[0]
    coarse = mne.bem._ico_downsample(skull, ico)  # the inner skull is a subdivided icosahedron: this only selects
    inner, triangles = 1e3 * coarse["rr"], np.asarray(coarse["tris"])
    centre = inner.mean(axis=0)
    rays = inner - centre
    reach = np.linalg.norm(rays, axis=1)
    rays /= reach[:, None]
    gap = _distances(centre, rays, 1e3 * head["rr"][head["tris"]]) - reach
    thickness = np.minimum(np.clip(SKULL_SHARE * gap, THINNEST_SKULL, THICKEST_SKULL), gap - 1.0)
    print(f"inner skull to scalp {gap.min():.1f} mm (least), {np.median(gap):.1f} mm (median)")
    outer, scalp = (inner + distance[:, None] * rays for distance in (thickness, gap))
    return {"inner_skull": (inner, triangles), "outer_skull": (outer, triangles), "outer_skin": (scalp, triangles)}


def _distances(origin: npt.NDArray, rays: npt.NDArray, corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Distance at which each unit ray leaves a closed surface, corners of shape (n_triangles, 3, 3) (Moller and Trumbore 1997)."""
    a, edge1, edge2 = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    across = np.cross(origin - a, edge1)
    found = np.empty(len(rays))
    for i, ray in enumerate(rays):
        p = np.cross(ray, edge2)
        scale = np.einsum("ij,ij->i", edge1, p)
        with np.errstate(divide="ignore", invalid="ignore"):
            u = np.einsum("ij,ij->i", origin - a, p) / scale
            v = across @ ray / scale
            distance = np.einsum("ij,ij->i", edge2, across) / scale
            hit = (u >= -1e-9) & (v >= -1e-9) & (u + v <= 1 + 1e-9) & (distance > 0)
        found[i] = distance[hit].max()
    return found


def cortex() -> dict[str, npt.NDArray[Any]]:
    """Return the middle of fsaverage5's cortex, left hemisphere first: points (mm), areas (mm2), and what is cortex."""
    points, areas, thickness = [], [], []
    for side in ("left", "right"):
        middle, triangles = _middle(side)
        corners = middle[triangles]
        flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        area = np.zeros(len(middle))
        for corner in range(3):
            np.add.at(area, triangles[:, corner], np.linalg.norm(flat, axis=1) / 6)
        points.append(middle)
        areas.append(area)
        thickness.append(nib.load(FSAVERAGE5 / f"thick_{side}.gii.gz").darrays[0].data)
    return {
        "points": np.concatenate(points),
        "areas": np.concatenate(areas),
        "cortex": np.concatenate(thickness) > THIN,
    }


def _middle(side: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int_]]:
    white, pial = (nib.load(FSAVERAGE5 / f"{name}_{side}.gii.gz") for name in ("white", "pial"))
    middle = (white.darrays[0].data.astype(np.float64) + pial.darrays[0].data) / 2
    return middle, white.darrays[1].data.astype(int)


def lead_field(work: Path, ico: int, positions: dict[str, npt.NDArray[np.float64]]) -> Any:
    """Return mne's forward solution with sources along the surface normal, computed in steps that are kept."""
    stored = work / f"ico{ico}-fwd.fif"
    if not stored.exists():
        bem = _solution(work, ico)
        sources = _sources(work)
        info = _info(positions)
        forward = mne.make_forward_solution(info, None, sources, bem, meg=False, eeg=True, mindist=0.0, n_jobs=1)
        mne.write_forward_solution(stored, forward, overwrite=True)
    forward = mne.read_forward_solution(stored)
    fixed = mne.convert_forward_solution(forward, surf_ori=True, force_fixed=True, use_cps=False)
    assert fixed["nsource"] == 20484, "a source was left out"
    return fixed


def _solution(work: Path, ico: int) -> Any:
    stored = work / f"ico{ico}-bem-sol.fif"
    if not stored.exists():
        folder = work / SUBJECT / "bem"
        folder.mkdir(parents=True, exist_ok=True)
        for name, (points, triangles) in layers(ico).items():
            mne.write_surface(folder / f"{name}.surf", points, triangles, overwrite=True)
        model = mne.make_bem_model(SUBJECT, ico=None, conductivity=CONDUCTIVITIES, subjects_dir=work)
        mne.write_bem_solution(stored, mne.make_bem_solution(model), overwrite=True)
    return mne.read_bem_solution(stored)


def _sources(work: Path) -> Any:
    folder = work / SUBJECT / "surf"
    folder.mkdir(parents=True, exist_ok=True)
    for side, short in (("left", "lh"), ("right", "rh")):
        mne.write_surface(folder / f"{short}.mid", *_middle(side), overwrite=True)
    return mne.setup_source_space(SUBJECT, spacing="all", surface="mid", subjects_dir=work, add_dist=False, n_jobs=1)


def _info(positions: dict[str, npt.NDArray[np.float64]]) -> mne.Info:
    """Head coordinates are taken as fsaverage's own, so no transform enters."""
    info = mne.create_info(list(positions), 1000.0, "eeg")
    metres = {name: position / 1e3 for name, position in positions.items()}
    return info.set_montage(mne.channels.make_dig_montage(metres, coord_frame="head"))


def compressed(full: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[Any]]:
    """Return the leading components: `maps` (n_channels, rank), and for each vertex its `amounts` (rank) in its own `step`."""
    u, s, vt = np.linalg.svd(full, full_matrices=False)
    amounts = s[:RANK, None] * vt[:RANK]
    step = (np.linalg.norm(amounts, axis=0) / LEVELS).astype(np.float32)
    return {
        "maps": u[:, :RANK].astype(np.float32),
        "amounts": np.rint(amounts / step).astype(np.int16),
        "step": step,
    }


def report(full: npt.NDArray, approximate: npt.NDArray, surface: dict[str, npt.NDArray]) -> None:
    """Print relative difference measure and magnitude of the compressed field against the full one."""
    inside = surface["cortex"]
    _print_errors("sources", full[:, inside], approximate[:, inside])
    seeds = np.random.Generator(np.random.SFC64(1)).choice(np.flatnonzero(inside), 100, replace=False)
    distance = np.linalg.norm(surface["points"][:, None] - surface["points"][seeds][None], axis=2)
    membership = np.zeros((len(inside), 100))
    membership[np.arange(len(inside)), distance.argmin(axis=1)] = surface["areas"] * inside
    _print_errors("sums over 100 patches", full @ membership, approximate @ membership)


def _print_errors(what: str, full: npt.NDArray, approximate: npt.NDArray) -> None:
    size, found = np.linalg.norm(full, axis=0), np.linalg.norm(approximate, axis=0)
    rdm = np.linalg.norm(full / size - approximate / found, axis=0)
    error = np.linalg.norm(full - approximate, axis=0) / size
    levels = (5, 50, 95, 100)
    for name, values in (("RDM", rdm), ("MAG", found / size), ("relative error", error)):
        print(f"{what}: {name} " + ", ".join(f"{np.percentile(values, q):.5f} ({q} %)" for q in levels))


def save(
    path: Path,
    factors: dict[str, npt.NDArray],
    surface: dict[str, npt.NDArray],
    positions: dict[str, npt.NDArray[np.float64]],
) -> None:
    """Write everything, positions and normals in the space of the template, deterministically."""
    turned = surface["normals"] @ np.linalg.inv(MNI305_TO_MNI152[:3, :3])
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    points, info = mne.io.read_fiducials(SHIPPED_BY_MNE / "fsaverage-fiducials.fif")
    order = {1: "LPA", 2: "NAS", 3: "RPA"}
    fiducials = {order[int(point["ident"])]: 1e3 * np.asarray(point["r"], dtype=np.float64) for point in points}
    with writing(path) as file:
        np.savez_compressed(
            file,
            **factors,
            points=apply_affine(MNI305_TO_MNI152, surface["points"]).astype(np.float32),
            normals=turned.astype(np.float16),
            areas=surface["areas"].astype(np.float32),
            cortex=surface["cortex"],
            channels=np.array(list(positions)),
            electrodes=apply_affine(MNI305_TO_MNI152, np.array(list(positions.values()))).astype(np.float32),
            fiducials=apply_affine(
                MNI305_TO_MNI152, np.array([fiducials[name] for name in ("NAS", "LPA", "RPA")])
            ).astype(np.float32),
        )
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
