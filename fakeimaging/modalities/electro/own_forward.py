"""A forward solution of one's own, made with MNE-Python, in place of the shipped field. Imports mne.

Sources are taken along their normals; each stands for the area of the surface that is nearer to it than to any other. They are moved to the
template through the head's coordinates, so that each counts for the region it lies in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError, UnknownNameError, did_you_mean
from fakeimaging.core.spaces import apply_affine
from fakeimaging.modalities.electro.electrodes import native_to_captrak
from fakeimaging.modalities.electro.lead_field import electric
from fakeimaging.modalities.electro.sources import Dense, SourceSpace
from fakeimaging.structure.subject import Subject

Floats = npt.NDArray[np.float64]

MILLI = 1e-3
CORTEX = 142_000.0
"""mm2 that sources without a surface share: the middle of fsaverage5's cortex, as shipped."""


@dataclass(frozen=True, eq=False)
class OwnField:
    """The gains of a file.

    Parameters
    ----------
    names : tuple of str
        Its channels.
    space : SourceSpace
    gain : ndarray, shape (n_channels, n_sources)
        V/(Am) or T/(Am), along the normals.
    """

    names: tuple[str, ...]
    space: SourceSpace
    gain: Floats

    def at(self, names: Sequence[str]) -> Dense:
        """Return the field at some channels.

        Raises
        ------
        UnknownNameError
            If the file has no such channel.
        """
        for name in names:
            if name not in self.names:
                raise UnknownNameError(
                    f"the forward solution has no channel '{name}'{did_you_mean(name, self.names)}", value=name
                )
        return Dense(self.space, self.gain[[self.names.index(name) for name in names]])


def read_forward(path: str, subject: Subject) -> OwnField:
    """Read a forward solution for a subject's head.

    Raises
    ------
    InputError
        If the file is no forward solution, or its sources have no normals.
    """
    file = Path(path)
    return _read(path, subject, file.stat().st_mtime_ns if file.is_file() else 0)


@lru_cache(maxsize=2)
def _read(path: str, subject: Subject, written: int) -> OwnField:
    """Read a file once, and anew when it was written anew."""
    return field_of(read_solution(path), subject)


def read_solution(path: str) -> Any:
    """Return the forward solution of a file, its sources along their normals; raises as `read_forward`."""
    import mne

    try:
        forward = mne.read_forward_solution(path, verbose="error")
    except (OSError, ValueError, RuntimeError, AttributeError) as error:
        # mne finds nothing where a FIF file should begin, and asks that for its kind.
        raise InputError(f"{path} is no forward solution of MNE-Python: {error}", value=path) from None
    if any(space["type"] == "vol" or _all_up(space["nn"][space["vertno"]]) for space in forward["src"]):
        raise InputError(f"{path}: sources of a volume have no normals; a surface or discrete sources do", value=path)
    return mne.convert_forward_solution(forward, surf_ori=True, force_fixed=True, use_cps=False, verbose="error")


def _all_up(normals: npt.NDArray) -> bool:
    """Whether many normals are all (0, 0, 1), which mne gives to the sources of a volume."""
    return len(normals) > 1 and bool((normals == (0, 0, 1)).all())


def field_of(forward: Any, subject: Subject) -> OwnField:
    """Return the field of a forward solution of mne whose sources point along their normals."""
    to_template = subject.anatomy.to_template @ np.linalg.inv(native_to_captrak(subject))
    places, normals, areas = (np.concatenate(parts) for parts in zip(*map(_of_space, forward["src"]), strict=True))
    to_head = np.eye(4) if forward["src"][0]["coord_frame"] == 4 else forward["mri_head_t"]["trans"]
    head = apply_affine(to_head, places)
    points = apply_affine(to_template, head / MILLI)
    # A plane's normal turns with the inverse transpose.
    turned = _unit(normals @ np.asarray(to_head)[:3, :3].T @ np.linalg.inv(to_template[:3, :3]))
    n = len(points)
    left = points[:, 0] < 0
    if len(forward["src"]) == 2:
        left = np.arange(n) < forward["src"][0]["nuse"]
    space = SourceSpace(
        points.astype(np.float32), turned.astype(np.float32), areas.astype(np.float32), _on_cortex(points),
        np.zeros((0, 3), dtype=np.float32), left, native=True,
    )  # fmt: skip
    return OwnField(tuple(forward["info"]["ch_names"]), space, np.asarray(forward["sol"]["data"], dtype=np.float64))


def _on_cortex(points: Floats) -> npt.NDArray[np.bool_]:
    """Whether the shipped vertex nearest to each point has cortex: files do not tell the medial wall."""
    from scipy.spatial import cKDTree

    shipped = electric().scalp.space
    return np.asarray(shipped.cortex[cKDTree(shipped.points).query(points)[1]])


def _of_space(space: Any) -> tuple[Floats, Floats, Floats]:
    """Places in m, normals, and the area in mm2 that each source in use stands for."""
    from scipy.spatial import cKDTree

    used = space["vertno"]
    places, normals = space["rr"][used], space["nn"][used]
    if not space.get("ntri"):
        return places, normals, np.full(len(used), CORTEX / len(used))
    corners = space["rr"][space["tris"]] / MILLI
    across = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 6
    own = np.zeros(len(space["rr"]))
    for corner in range(3):
        np.add.at(own, space["tris"][:, corner], across)
    _, nearest = cKDTree(places).query(space["rr"])
    return places, normals, np.asarray(np.bincount(nearest, weights=own, minlength=len(used)), dtype=np.float64)


def _unit(vectors: npt.NDArray) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
