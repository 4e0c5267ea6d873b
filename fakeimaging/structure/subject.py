"""A Subject: everything static about one simulated person."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from fakeimaging.core.citations import Reference, collect
from fakeimaging.core.errors import InputError
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.core.spaces import Grid, apply_affine
from fakeimaging.core.streams import Streams, fresh_seed
from fakeimaging.structure import connectome as wiring
from fakeimaging.structure import patterns, template
from fakeimaging.structure.anatomy import Anatomy, Pose, ellipsoid_maps, random_pose
from fakeimaging.structure.connectome import Connectome, DistanceRule, generate_connectome
from fakeimaging.structure.parcellation import (
    DEFAULT_REGIONS,
    Parcellation,
    Region,
    shell_parcellation,
    template_parcellation,
)

TINY_REGIONS = 10
REGION_COUNTS = {"template": (20, 300), "tiny": (2, 60)}
"""Fewest and most regions of each anatomy."""


class SubjectParameters(Parameters):
    """What a subject is made from."""

    anatomy: Literal["template", "tiny"] = parameter(
        "template", unit="-", description="brain of the MNI template, or an ellipsoid"
    )
    n_regions: int | None = parameter(None, unit="1", bounds=(2, 300), description="number of regions (100; tiny 10)")
    pose: Pose = Pose()
    distance_rule: DistanceRule = DistanceRule()

    @model_validator(mode="after")
    def _regions_come_in_pairs(self) -> Self:
        low, high = REGION_COUNTS[self.anatomy]
        if self.n_regions is not None and (self.n_regions % 2 or not low <= self.n_regions <= high):
            raise ValueError(
                f"`n_regions`: {self.n_regions} is not an even number from {low} to {high} ({self.anatomy} anatomy)"
            )
        return self


@dataclass(frozen=True, eq=False, repr=False)
class Subject:
    """Everything static: anatomy in native space, parcellation, connectome.

    Parameters
    ----------
    label : str
        BIDS label, without ``sub-``.
    streams : Streams
        Place of this subject in the tree of random streams.
    anatomy : Anatomy
    parcellation : Parcellation
        Row i of the connectome is region i, label i + 1.
    connectome : Connectome
    """

    label: str
    streams: Streams
    anatomy: Anatomy
    parcellation: Parcellation
    connectome: Connectome

    def __repr__(self) -> str:
        return f"Subject({self.label!r}, seed {self.streams.seed}: {self.n_regions} regions, {self.anatomy.maps.space})"

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return len(self.parcellation.regions)

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions, in the order of every matrix and series."""
        return self.parcellation.regions

    @property
    def references(self) -> tuple[Reference, ...]:
        """The papers behind this subject."""
        images = (template.REFERENCE, template.SEEDS_REFERENCE) if self.anatomy.maps.space == template.SPACE else ()
        return collect(images, wiring.REFERENCES)

    def labels(self, grid: Grid) -> npt.NDArray[np.uint16]:
        """Return the region labels on a native grid, shape grid.shape; 0 outside every region."""
        return self.parcellation.on(grid, self.anatomy.to_template)

    def patterns_on(self, grid: Grid) -> npt.NDArray[np.float32]:
        """Return the spatial patterns of the activity's modes on a native grid, shape (N_MODES, *grid.shape); 0 outside regions."""
        return patterns.patterns_on(self._patterns, grid, self.labels(grid), self.anatomy.to_template)

    def patterns_at(
        self, points: npt.ArrayLike, labels: npt.NDArray[np.integer] | None = None
    ) -> npt.NDArray[np.float32]:
        """Return the patterns at points (n, 3) in template mm, shape (N_MODES, n).

        ``labels`` (n,) says which region each point counts for (0 for none); that of the voxel it lies in when left out.
        """
        wanted = patterns.labels_at(self.parcellation, points) if labels is None else np.asarray(labels)
        return self._patterns.at(points, wanted)

    @property
    def _patterns(self) -> patterns.Patterns:
        return patterns.make_patterns(self.parcellation, self.anatomy.maps, self.streams.at("structure"))

    def native_centroids(self) -> npt.NDArray[np.float64]:
        """Return the centroids of the regions in native mm, shape (n_regions, 3)."""
        return apply_affine(
            np.asarray(np.linalg.inv(self.anatomy.to_template), dtype=np.float64), self.parcellation.centroids
        )


def make_subject(
    label: str = "01", *, seed: int | None = None, connectome: Connectome | None = None, **parameters: Any
) -> Subject:
    """Make a subject: brain, regions and wiring.

    Parameters
    ----------
    label : str
        BIDS label (letters and digits).
    seed : int, optional
        Root of all random streams; None draws one, found afterwards as ``subject.streams.seed``.
    connectome : Connectome, optional
        Your own wiring in place of a generated one; as many regions as the parcellation.
    **parameters
        Fields of `SubjectParameters`: ``anatomy="tiny"`` needs no image and takes under a second.

    Raises
    ------
    ParameterError
        If a parameter is unknown or out of bounds.
    InputError
        If the label is not legal or the connectome does not fit the parcellation.

    Examples
    --------
    >>> subject = make_subject("01", seed=1, anatomy="tiny")
    >>> subject.n_regions, subject.connectome.weights.shape
    (10, (10, 10))
    """
    checked = SubjectParameters.parse(parameters, where="subject")
    root = Streams(fresh_seed() if seed is None else seed)
    own = root.at(f"sub-{legal_label(label)}")
    maps, parcellation = _atlas(checked.anatomy, checked.n_regions)
    centre = _brain_centre(checked.anatomy, checked.n_regions)
    anatomy = Anatomy(maps, random_pose(checked.pose, centre, rng=own.at("structure", "pose").rng()))
    if connectome is None:
        group = root.at("cohort", "connectome")
        rule = checked.distance_rule
        connectome = generate_connectome(parcellation.regions, rule, group=group, own=own.at("structure", "connectome"))
    if not isinstance(connectome, Connectome):
        raise InputError(
            f"`connectome`: a fakeimaging.Connectome(weights, tract_lengths) is needed, not {type(connectome).__name__}"
        )
    if connectome.n_regions != len(parcellation.regions):
        raise InputError(
            f"the connectome has {connectome.n_regions} regions, the parcellation {len(parcellation.regions)}"
        )
    return Subject(label, own, anatomy, parcellation, connectome)


def legal_label(label: str) -> str:
    """Return the label if BIDS allows it (letters and digits), else raise InputError."""
    if not isinstance(label, str) or not (label.isascii() and label.isalnum()) or len(label) > 64:
        hint = f"; did you mean {label[4:]!r}?" if str(label).startswith("sub-") else ""
        raise InputError(f"label {label!r}: BIDS labels are 1 to 64 letters and digits{hint}", value=label)
    return label


@lru_cache(maxsize=4)
def _atlas(anatomy: str, n_regions: int | None) -> tuple[template.TissueMaps, Parcellation]:
    if anatomy == "tiny":
        maps = ellipsoid_maps()
        return maps, shell_parcellation(maps, n_regions or TINY_REGIONS)
    return template.template_maps(), template_parcellation(n_regions or DEFAULT_REGIONS)


@lru_cache(maxsize=4)
def _brain_centre(anatomy: str, n_regions: int | None) -> tuple[float, float, float]:
    """Return the middle of the box around the brain in template mm: what a radiographer centres on."""
    maps, _ = _atlas(anatomy, n_regions)
    brain = (maps.grey > 25) | (maps.white > 25)
    edges = [np.flatnonzero(brain.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    middle = [(edge[0] + edge[-1]) / 2 for edge in edges]
    x, y, z = apply_affine(maps.grid.affine, middle).tolist()
    return x, y, z
