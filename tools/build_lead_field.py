"""Build `lead_field.npz` and `magnetic_field.npz`: the fields of dipoles in the template's head by a three-layer boundary-element model.

The surfaces are those of `structure.head` (2562 nodes each, in MNI152): scalp, outer and inner skull, the same that T1w and PET
image. Sources are the 20,484 vertices in the middle of fsaverage5's cortex and a lattice of points in deep grey matter and
cerebellum, these with three directions. Potentials are kept at every node of the scalp, so that electrodes may lie anywhere
on it, relative to their mean over the 335 of the 10-05 system. Magnetic fields are kept as magnetic charges below the scalp
that make the same field everywhere beyond `SHELL` mm off it, so that any sensor may hang anywhere. Needs mne; about 15 CPU
minutes and 4 GB. What took long is kept in ``--work`` and not computed again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import mne
import numpy as np
import numpy.typing as npt

from fakeimaging.core.files import writing
from fakeimaging.core.spaces import apply_affine
from fakeimaging.structure.head import template_head
from fakeimaging.structure.surfaces import HEMISPHERES, MNI305_TO_MNI152, cortex
from fakeimaging.structure.template import STRUCTURES, template_maps, template_structures

DATA = Path(__file__).parents[1] / "fakeimaging" / "data"
SHIPPED_BY_MNE = Path(mne.__file__).parent / "data" / "fsaverage"
SUBJECT = "template"
MONTAGE = "fsaverage_1005"
CONDUCTIVITIES = (0.3, 0.006, 0.3)
"""S/m of brain, skull and scalp: the defaults of `mne.make_bem_model`."""
LAYERS = {"inner_skull": "inner_skull", "outer_skull": "outer_skull", "outer_skin": "scalp"}
LATTICE = 6.0
"""mm between the points in deep grey matter and cerebellum."""
SHELL, DEPTH = 16.0, 6.0
"""mm off the scalp at which the magnetic field is computed, and below it at which the charges lie that stand for it."""
RIDGE = 1e-8
"""Of the charges' fit, relative to the largest squared singular value."""
RANK, MAGNETIC_RANK, LEVELS = 280, 280, 1000
"""Number of components kept, and steps in the field of one source: each has a step of its own."""
CHUNK = 320
"""Magnetic points computed at once."""
MILLI = 1e-3


def main() -> None:
    """Build the model, solve it, compress the fields and print what that costs in accuracy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for intermediate files")
    parser.add_argument("--out", type=Path, default=DATA)
    parser.add_argument("--electric", action="store_true", help="leave the magnetic field alone")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    positions, sources = electrodes(), source_space(options.work)
    potentials = scalp_potentials(options.work)
    check_against_electrodes(options.work, potentials, positions, sources)
    potentials -= between(potentials, positions).mean(axis=0)
    factors = compressed(potentials, RANK)
    kept = restored(factors)
    report("potentials", between(potentials, positions), between(kept, positions), sources)
    report("potentials, whole scalp", potentials, kept, sources)
    save_electric(options.out / "lead_field.npz", factors, sources, positions)
    if options.electric:
        return
    points, normals = shell(SHELL)
    normal_field = magnetic_field(options.work, points, normals)
    charges = shell(-DEPTH)[0]
    magnetic = magnetic_factors(points, normals, normal_field, charges)
    check_against_helmet(options.work, magnetic, charges, sources)
    save_magnetic(options.out / "magnetic_field.npz", magnetic, charges)


def electrodes() -> dict[str, npt.NDArray[np.float64]]:
    """Return the positions of the montage on the scalp in template mm, by name."""
    from mne.surface import _project_onto_surface

    placed = mne.channels.make_standard_montage(MONTAGE).get_positions()["ch_pos"]
    wanted = apply_affine(MNI305_TO_MNI152, 1e3 * np.array(list(placed.values())))
    scalp = {"rr": template_head().vertices["scalp"], "tris": template_head().triangles}
    scalp = mne.surface.complete_surface_info(scalp, copy=False, verbose=False)
    *_, found = _project_onto_surface(wanted, scalp, project_rrs=True, return_nn=False)
    moved = np.linalg.norm(found - wanted, axis=1)
    print(f"electrodes moved onto the scalp by {np.median(moved):.2f} mm (median), {moved.max():.2f} mm (most)")
    return dict(zip(placed, found, strict=True))


def source_space(work: Path) -> dict[str, npt.NDArray[Any]]:
    """Return cortex (points, normals, areas, which is cortex; left first) and the lattice of deep points, template mm."""
    surfaces = [cortex(side) for side in HEMISPHERES]
    points = np.concatenate([surface.at(0.5) for surface in surfaces])
    shapes = [vertex_normals(surface.at(0.5), surface.triangles) for surface in surfaces]
    return {
        "points": points,
        "normals": np.concatenate([normals for normals, _ in shapes]),
        "areas": np.concatenate([areas for _, areas in shapes]),
        "cortex": np.concatenate([surface.inside for surface in surfaces]),
        "deep": deep_points(),
    }


def vertex_normals(points: npt.NDArray, triangles: npt.NDArray) -> tuple[npt.NDArray, npt.NDArray]:
    """Return unit normals weighted by area, and a third of the area of the triangles around each vertex."""
    corners = points[triangles]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals, areas = np.zeros_like(points), np.zeros(len(points))
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], across)
        np.add.at(areas, triangles[:, corner], np.linalg.norm(across, axis=1) / 6)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True), areas


def deep_points() -> npt.NDArray[np.float64]:
    """Return the lattice points in grey matter that is not cortex."""
    labels, grid = template_structures(), template_maps().grid
    kept = labels > STRUCTURES.index("cortex")
    step = round(LATTICE / grid.voxel_size[0])
    index = np.argwhere(kept[::step, ::step, ::step]) * step
    found = apply_affine(grid.affine, index)
    print(f"{len(found)} deep points")
    return np.asarray(found)


def solution(work: Path) -> Any:
    """Return the solved boundary-element model, computed once."""
    stored = work / "bem-sol.fif"
    if not stored.exists():
        head = template_head()
        folder = work / SUBJECT / "bem"
        folder.mkdir(parents=True, exist_ok=True)
        for name, ours in LAYERS.items():
            mne.write_surface(folder / f"{name}.surf", head.vertices[ours], head.triangles, overwrite=True)
        model = mne.make_bem_model(SUBJECT, ico=None, conductivity=CONDUCTIVITIES, subjects_dir=work)
        mne.write_bem_solution(stored, mne.make_bem_solution(model), overwrite=True)
    return mne.read_bem_solution(stored)


def mne_sources(work: Path) -> Any:
    """Return cortex and deep points as discrete sources of mne; the deep ones three times, along x, y and z."""
    space = source_space(work)
    deep, axes = np.repeat(space["deep"], 3, axis=0), np.tile(np.eye(3), (len(space["deep"]), 1))
    points = np.concatenate([space["points"], deep])
    normals = np.concatenate([space["normals"], axes])
    return mne.setup_volume_source_space(pos={"rr": MILLI * points, "nn": normals}, verbose="error")


def fixed_gain(work: Path, info: Any, kind: str) -> npt.NDArray[np.float64]:
    """Return the field of every source along its direction; head coordinates are the template's own, so no transform enters."""
    sources = mne_sources(work)
    wanted = {"meg": kind == "meg", "eeg": kind == "eeg"}
    forward = mne.make_forward_solution(
        info, None, sources, solution(work), mindist=0.0, n_jobs=1, verbose="error", **wanted
    )
    nn = sources[0]["nn"][sources[0]["vertno"]]
    assert forward["nsource"] == sources[0]["nuse"], "a source was left out"
    free = forward["sol"]["data"].reshape(len(info["ch_names"]), -1, 3)
    return np.einsum("csk,sk->cs", free, nn)


def electric_field(work: Path, positions: dict[str, npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Return potentials in V/(Am) at every electrode, shape (n_electrodes, n_columns)."""
    stored = work / "electric.npy"
    if not stored.exists():
        info = mne.create_info(list(positions), 1000.0, "eeg")
        metres = {name: position * MILLI for name, position in positions.items()}
        info.set_montage(mne.channels.make_dig_montage(metres, coord_frame="head"))
        np.save(stored, fixed_gain(work, info, "eeg"))
    return np.load(stored)


def scalp_potentials(work: Path) -> npt.NDArray[np.float64]:
    """Return potentials in V/(Am) at every node of the scalp, shape (n_nodes, n_columns): between nodes the model is linear."""
    from mne.forward._compute_forward_numba import _bem_inf_pots

    stored = work / "scalp.npy"
    if not stored.exists():
        model, sources = solution(work), mne_sources(work)[0]
        surfaces = model["surfs"]
        factor = np.repeat(model["source_mult"] / (4 * np.pi), [len(surface["rr"]) for surface in surfaces])
        weights = model["solution"][: len(surfaces[0]["rr"])] * factor
        nodes = np.concatenate([surface["rr"] for surface in surfaces])
        found = np.empty((len(weights), sources["np"]))
        for first in range(0, sources["np"], CHUNK):
            chosen = slice(first, first + CHUNK)
            free = _bem_inf_pots(sources["rr"][chosen], nodes, np.eye(3))
            found[:, chosen] = weights @ np.einsum("skn,sk->ns", free, sources["nn"][chosen])
        np.save(stored, found)
    return np.load(stored)


def between(potentials: npt.NDArray, positions: dict[str, npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Return potentials at electrodes from those at the nodes of the scalp."""
    nodes, weights = template_head().on_scalp(np.array(list(positions.values())).astype(np.float32))
    return np.einsum("nk,nkc->nc", weights, potentials[nodes])


def check_against_electrodes(
    work: Path, potentials: npt.NDArray, positions: dict[str, npt.NDArray[np.float64]], sources: dict[str, Any]
) -> None:
    """Print how far potentials between nodes are from those that mne gives at the electrodes themselves."""
    report("between nodes, against mne", electric_field(work, positions), between(potentials, positions), sources)


def shell(offset: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return points off the scalp along the head's rays in mm (inwards when negative) and the normals of the surface they make.

    Around each point the farthest neighbour counts (the nearest, inwards), so that ears and neck leave no sharp valleys.
    """
    head = template_head()
    away = head.vertices["scalp"] - head.centre
    radius = np.linalg.norm(away, axis=1)
    chosen = np.maximum if offset > 0 else np.minimum
    wide = radius.copy()
    for a, b in ((0, 1), (1, 2), (2, 0)):
        for here, there in ((a, b), (b, a)):
            chosen.at(wide, head.triangles[:, here], radius[head.triangles[:, there]])
    points = head.centre + away * ((wide + offset) / radius)[:, None]
    return points, vertex_normals(points, head.triangles)[0]


def point_info(points: npt.NDArray, normals: npt.NDArray) -> Any:
    """Return mne's description of magnetometers of no size, in head coordinates."""
    from mne.io.constants import FIFF

    info = mne.create_info([f"P{i}" for i in range(len(points))], 1000.0, "mag")
    with info._unlock():
        info["dev_head_t"] = mne.transforms.Transform("meg", "head")
    for channel, point, normal in zip(info["chs"], points, normals, strict=True):
        across = np.linalg.svd(normal[None])[2][1:]
        across[1] = np.cross(normal, across[0])
        channel["coil_type"] = FIFF.FIFFV_COIL_POINT_MAGNETOMETER
        channel["loc"] = np.concatenate([point * MILLI, across[0], across[1], normal])
        channel["coord_frame"] = FIFF.FIFFV_COORD_DEVICE
    return info


def magnetic_field(work: Path, points: npt.NDArray, normals: npt.NDArray) -> npt.NDArray[np.float64]:
    """Return the normal component in T/(Am) at every point, shape (n_points, n_columns)."""
    parts = []
    for first in range(0, len(points), CHUNK):
        stored = work / f"magnetic-{first}.npy"
        if not stored.exists():
            chosen = slice(first, first + CHUNK)
            np.save(stored, fixed_gain(work, point_info(points[chosen], normals[chosen]), "meg"))
        parts.append(np.load(stored))
    return np.concatenate(parts)


def charge_field(points: npt.NDArray, directions: npt.NDArray, charges: npt.NDArray) -> npt.NDArray[np.float64]:
    """Return what unit charges make along directions: d . e / |d|^3 per mm2, shape (n_points, n_charges)."""
    away = points[:, None, :] - charges[None]
    return np.einsum("pck,pk->pc", away, directions) / np.linalg.norm(away, axis=2) ** 3


def magnetic_factors(
    points: npt.NDArray, normals: npt.NDArray, field: npt.NDArray, charges: npt.NDArray
) -> dict[str, npt.NDArray[Any]]:
    """Return the leading components of the field, as charges (n_charges, rank) and amounts (rank, n_columns) in steps."""
    u, s, vt = np.linalg.svd(field, full_matrices=False)
    print(f"field on the shell: share left out {np.sqrt((s[MAGNETIC_RANK:] ** 2).sum() / (s**2).sum()):.2e}")
    factors = quantised(s[:MAGNETIC_RANK, None] * vt[:MAGNETIC_RANK])
    design = charge_field(points, normals, charges)
    left, size, right = np.linalg.svd(design, full_matrices=False)
    shrunk = size / (size**2 + RIDGE * size[0] ** 2)
    layer = right.T @ (shrunk[:, None] * (left.T @ u[:, :MAGNETIC_RANK]))
    print(
        f"charges: misfit on the shell {np.linalg.norm(design @ layer - u[:, :MAGNETIC_RANK]) / np.sqrt(MAGNETIC_RANK):.2e}"
    )
    return factors | {"layer": layer.astype(np.float32)}


def check_against_helmet(work: Path, factors: dict[str, Any], charges: npt.NDArray, sources: dict[str, Any]) -> None:
    """Print how far the charges' field is from the model's own at a helmet of 306 sensors, 40 mm up."""
    stored = work / "helmet.npy"
    info = mne.channels.read_meg_canonical_info("neuromag")
    info = mne.pick_info(info, mne.pick_types(info, meg=True))
    with info._unlock():
        shift = np.eye(4)
        shift[:3, 3] = MILLI * around_head(np.array([channel["loc"][:3] for channel in info["chs"]]) / MILLI)
        info["dev_head_t"] = mne.transforms.Transform("meg", "head", shift)
    if not stored.exists():
        np.save(stored, fixed_gain(work, info, "meg"))
    full = np.load(stored)
    from mne.forward._make_forward import _create_meg_coils

    coils = _create_meg_coils(info["chs"], "normal", info["dev_head_t"])
    points = np.concatenate([coil["rmag"] for coil in coils]) / MILLI
    directions = np.concatenate([coil["cosmag"] * coil["w"][:, None] for coil in coils])
    which = np.repeat(np.arange(len(coils)), [len(coil["w"]) for coil in coils])
    layer = charge_field(points, directions, charges) @ factors["layer"]
    summed = np.zeros((len(coils), layer.shape[1]))
    np.add.at(summed, which, layer)
    found = summed @ (factors["amounts"] * factors["step"])
    for kind, rows in (("mag", mne.pick_types(info, meg="mag")), ("grad", mne.pick_types(info, meg="grad"))):
        report(f"helmet, {kind}", full[rows], found[rows], sources)


def around_head(coils: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the shift in mm that keeps the nearest coil farthest off the scalp, left and right alike."""
    scalp = template_head().vertices["scalp"]
    head = template_head()
    shifts = [np.array([0.0, y, z]) for y in range(-40, 41, 4) for z in range(-60, 61, 4)]
    gaps = [-head.depth(coils + shift)["scalp"].max() for shift in shifts]
    best = shifts[int(np.argmax(gaps))]
    print(
        f"helmet shifted by {best} mm: coils at least {max(gaps):.1f} mm off the scalp, z from {scalp[:, 2].min():.0f}"
    )
    return best


def compressed(full: npt.NDArray[np.float64], rank: int) -> dict[str, npt.NDArray[Any]]:
    """Return the leading components: `maps` (n_channels, rank), and for each column its `amounts` (rank) in its own `step`."""
    from scipy.linalg import eigh

    n = len(full)
    maps = eigh(full @ full.T, subset_by_index=(n - rank, n - 1))[1][:, ::-1]
    return {"maps": maps.astype(np.float32)} | quantised(maps.T @ full)


def quantised(amounts: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[Any]]:
    """Return amounts as int16 in one step a column."""
    step = (np.linalg.norm(amounts, axis=0) / LEVELS).astype(np.float32)
    return {"amounts": np.rint(amounts / step).astype(np.int16), "step": step}


def restored(factors: dict[str, Any]) -> npt.NDArray[np.float64]:
    """Return the field that the factors stand for."""
    return np.asarray(factors["maps"].astype(float) @ (factors["amounts"] * factors["step"]))


def report(what: str, full: npt.NDArray, approximate: npt.NDArray, sources: dict[str, npt.NDArray]) -> None:
    """Print relative difference measure and magnitude of the compressed field against the full one."""
    inside, n = sources["cortex"], len(sources["cortex"])
    _print_errors(f"{what}: sources", full[:, :n][:, inside], approximate[:, :n][:, inside])
    _print_errors(f"{what}: deep sources", full[:, n:], approximate[:, n:])
    seeds = np.random.Generator(np.random.SFC64(1)).choice(np.flatnonzero(inside), 100, replace=False)
    distance = np.linalg.norm(sources["points"][:, None] - sources["points"][seeds][None], axis=2)
    membership = np.zeros((n, 100))
    membership[np.arange(n), distance.argmin(axis=1)] = sources["areas"] * inside
    _print_errors(f"{what}: sums over 100 patches", full[:, :n] @ membership, approximate[:, :n] @ membership)


def _print_errors(what: str, full: npt.NDArray, approximate: npt.NDArray) -> None:
    size, found = np.linalg.norm(full, axis=0), np.linalg.norm(approximate, axis=0)
    rdm = np.linalg.norm(full / size - approximate / found, axis=0)
    error = np.linalg.norm(full - approximate, axis=0) / size
    levels = (5, 50, 95, 100)
    for name, values in (("RDM", rdm), ("MAG", found / size), ("relative error", error)):
        print(f"{what}: {name} " + ", ".join(f"{np.percentile(values, q):.5f} ({q} %)" for q in levels), flush=True)


def save_electric(
    path: Path,
    factors: dict[str, npt.NDArray],
    sources: dict[str, npt.NDArray],
    positions: dict[str, npt.NDArray[np.float64]],
) -> None:
    """Write sources, electrodes, fiducials and potentials, deterministically."""
    points, _ = mne.io.read_fiducials(SHIPPED_BY_MNE / "fsaverage-fiducials.fif")
    order = {1: "LPA", 2: "NAS", 3: "RPA"}
    fiducials = {order[int(point["ident"])]: 1e3 * np.asarray(point["r"], dtype=np.float64) for point in points}
    with writing(path) as file:
        np.savez_compressed(
            file,
            **factors,
            points=sources["points"].astype(np.float32),
            normals=sources["normals"].astype(np.float16),
            areas=sources["areas"].astype(np.float32),
            cortex=sources["cortex"],
            deep=sources["deep"].astype(np.float32),
            channels=np.array(list(positions)),
            electrodes=np.array(list(positions.values())).astype(np.float32),
            fiducials=apply_affine(
                MNI305_TO_MNI152, np.array([fiducials[name] for name in ("NAS", "LPA", "RPA")])
            ).astype(np.float32),
        )
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


def save_magnetic(path: Path, factors: dict[str, npt.NDArray], charges: npt.NDArray[np.float64]) -> None:
    """Write the charges' places (template mm), their components and each source's share of those."""
    with writing(path) as file:
        np.savez_compressed(file, **factors, charges=charges.astype(np.float32))
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
