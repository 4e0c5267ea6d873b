"""The shipped potentials: what the cortex's dipoles make on the scalp, from a three-layer boundary-element model.

The field was computed once on the template's head (`tools/build_lead_field.py`: scalp, skull and brain of 0.3, 0.006 and 0.3 S/m, 2562
nodes a layer, on the surfaces that T1w and PET image) and is shipped as low-rank factors. Potentials are relative to their
mean over all 335 electrodes; only differences between electrodes have a meaning. Electrodes move and grow with the subject's head.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.citations import Reference
from fakeimaging.core.errors import UnknownNameError, did_you_mean
from fakeimaging.core.spaces import Affine, apply_affine
from fakeimaging.modalities.electro.sources import SourceSpace
from fakeimaging.structure.head import template_head
from fakeimaging.structure.subject import Subject

Floats = npt.NDArray[np.float64]

RANKS = 32
"""Components of a field that are projected at once, which bounds memory."""
N_LEFT = 10_242
"""Vertices of the left hemisphere, which come first."""
REFERENCES = (
    Reference("Fischl et al.", 1999, "10.1006/nimg.1998.0396", "surfaces of the lead field"),
    Reference("Gramfort et al.", 2013, "10.3389/fnins.2013.00267", "boundary-element model of the lead field"),
)


@dataclass(frozen=True, eq=False)
class LowRank:
    """A field as maps over sensors times amounts of sources.

    Parameters
    ----------
    space : SourceSpace
    maps : ndarray, shape (n_sensors, rank)
    amounts : ndarray of int16, shape (rank, n_columns)
        In units of ``step``.
    step : ndarray, shape (n_columns,)
    """

    space: SourceSpace
    maps: Floats
    amounts: npt.NDArray[np.int16]
    step: npt.NDArray[np.float32]

    def project(self, moments: Any) -> Floats:
        """Return what weighted sums of sources make, shape (n_sensors, n_sums); ``moments`` (n_sums, n_columns) in Am."""
        from scipy.sparse import csr_array

        parts, moments = [], csr_array(moments)
        used = np.unique(moments.indices)
        own = moments[:, used]
        for first in range(0, len(self.amounts), RANKS):
            some = slice(first, first + RANKS)
            summed = own @ (self.step[used] * self.amounts[some, used]).T
            parts.append(self.maps[:, some] @ np.asarray(summed).T)
        return np.asarray(sum(parts))

    def columns(self) -> Floats:
        """Return the field of every source per Am, shape (n_sensors, n_columns)."""
        return np.asarray(self.maps @ self.amounts * self.step)


@dataclass(frozen=True, eq=False)
class Electric:
    """The shipped potentials and where electrodes lie, in template mm.

    Parameters
    ----------
    channels : tuple of str
        Of the 10-05 system.
    electrodes : ndarray, shape (n_channels, 3)
        On the scalp.
    fiducials : ndarray, shape (3, 3)
        Nasion, left and right preauricular point.
    scalp : LowRank
        At the 2562 nodes of the scalp, in V/(Am); between nodes the model is linear.
    """

    channels: tuple[str, ...]
    electrodes: npt.NDArray[np.float32]
    fiducials: npt.NDArray[np.float32]
    scalp: LowRank

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.channels)}

    @cached_property
    def field(self) -> LowRank:
        """The field at all electrodes of the 10-05 system."""
        return self.on(self.electrodes)

    def rows(self, names: Sequence[str]) -> list[int]:
        """Return the row of each channel.

        Raises
        ------
        UnknownNameError
            If an electrode of this name does not exist.
        """
        for name in names:
            if name not in self._index:
                raise UnknownNameError(f"no electrode '{name}'{_suggested(name, self.channels)}", value=name)
        return [self._index[name] for name in names]

    def at(self, names: Sequence[str]) -> LowRank:
        """Return the field at some electrodes of the 10-05 system."""
        return self.on(self.electrodes[self.rows(names)])

    def on(self, points: npt.ArrayLike) -> LowRank:
        """Return the field at any points of the scalp, template mm, shape (n, 3); others are moved onto it along their rays."""
        nodes, weights = template_head().on_scalp(points)
        return replace(self.scalp, maps=np.einsum("nk,nkr->nr", weights, self.scalp.maps[nodes]))


def _suggested(name: str, known: Sequence[str]) -> str:
    same = [other for other in known if other.lower() == name.lower()]
    return did_you_mean(same[0], same) if same else did_you_mean(name, known)


@lru_cache(maxsize=1)
def electric() -> Electric:
    """Return the shipped potentials.

    Examples
    --------
    >>> shipped = electric()
    >>> len(shipped.channels), shipped.at(["Cz"]).columns().shape
    (335, (1, 23622))
    """
    stored = shipped("lead_field.npz")
    space = SourceSpace(
        points=stored["points"],
        normals=frozen(stored["normals"].astype(np.float32)),
        areas=stored["areas"],
        cortex=stored["cortex"],
        deep=stored["deep"],
        left=frozen(np.arange(len(stored["points"])) < N_LEFT),
    )
    field = LowRank(space, frozen(stored["maps"].astype(np.float64)), stored["amounts"], stored["step"])
    return Electric(tuple(stored["channels"].tolist()), stored["electrodes"], stored["fiducials"], field)


def shipped(name: str) -> dict[str, npt.NDArray]:
    """Return the arrays of a file of the package's data."""
    with np.load(io.BytesIO((files("fakeimaging.data") / name).read_bytes())) as stored:
        return {key: frozen(stored[key]) for key in stored.files}


def attribution() -> str:
    """Return the notice and the terms that go with everything made from FreeSurfer's surfaces."""
    return (files("fakeimaging.data") / "FREESURFER.txt").read_text()


def to_native(subject: Subject) -> Affine:
    """Return the transform from template mm to native mm."""
    return np.asarray(np.linalg.inv(subject.anatomy.to_template), dtype=np.float64)


def native_electrodes(subject: Subject, names: Sequence[str]) -> Floats:
    """Return where electrodes lie on a subject's head in native mm, shape (n, 3)."""
    all_of_them = electric()
    return apply_affine(to_native(subject), all_of_them.electrodes[all_of_them.rows(names)])


def native_fiducials(subject: Subject) -> dict[str, Floats]:
    """Return nasion and preauricular points in native mm, by their BIDS names."""
    points = apply_affine(to_native(subject), electric().fiducials)
    return dict(zip(("NAS", "LPA", "RPA"), points, strict=True))
