"""A Subject: everything static about one simulated person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.citations import Reference, collect
from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import Grid, apply_affine
from fakeimaging.core.streams import Streams, fresh_seed
from fakeimaging.structure import patterns, template
from fakeimaging.structure.anatomy import Anatomy, brain_centre, ellipsoid_maps, random_pose
from fakeimaging.structure.atlas import read_atlas
from fakeimaging.structure.atrophy import Atrophy
from fakeimaging.structure.atrophy import forget as forget_atrophy
from fakeimaging.structure.condition import conditioned
from fakeimaging.structure.connectome import Connectome, generate_connectome
from fakeimaging.structure.formats import connectome_of, read_parts
from fakeimaging.structure.lesion import lesion
from fakeimaging.structure.parameters import REGION_COUNTS, SubjectParameters
from fakeimaging.structure.parcellation import (
    DEFAULT_REGIONS,
    Parcellation,
    Region,
    shell_parcellation,
    template_parcellation,
)
from fakeimaging.structure.pathology import REFERENCES as SPREAD
from fakeimaging.structure.pathology import SEEDS
from fakeimaging.structure.selection import check_known

TINY_REGIONS = 10


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
    densities : mapping of str to ndarray of shape (n_regions,)
        By system, factors on the density of a healthy person, and loads of pathology in [0, 1]; `receptors.densities_of` reads them.
    atrophy : Atrophy, optional
        What its grey matter has lost; anatomy and parcellation are what is left.
    """

    label: str
    streams: Streams
    anatomy: Anatomy
    parcellation: Parcellation
    connectome: Connectome
    densities: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    atrophy: Atrophy | None = None

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
        return collect(images, self.connectome.references, SPREAD if set(self.densities) & set(SEEDS) else ())

    def labels(self, grid: Grid) -> npt.NDArray[np.uint16]:
        """Return the region labels on a native grid, shape grid.shape; 0 outside every region."""
        return self.parcellation.on(grid, self.anatomy.to_template, grey=self.anatomy.tissue(grid).grey)

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

    def response_pattern_at(self, points: npt.ArrayLike, labels: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
        """Return how much stronger or weaker places respond than their region, at points (n, 3) in template mm, shape (n,).

        Mean 0 and variance 1 over the grey matter of each region; ``labels`` (n,) says which region each point counts for.
        """
        own = self.streams.at("structure", "response")
        return patterns.make_patterns(self.parcellation, self.anatomy.maps, own, n=1).at(points, np.asarray(labels))[0]

    @property
    def _patterns(self) -> patterns.Patterns:
        return patterns.make_patterns(self.parcellation, self.anatomy.maps, self.streams.at("structure"))

    def native_centroids(self) -> npt.NDArray[np.float64]:
        """Return the centroids of the regions in native mm, shape (n_regions, 3)."""
        return apply_affine(
            np.asarray(np.linalg.inv(self.anatomy.to_template), dtype=np.float64), self.parcellation.centroids
        )


def make_subject(
    label: str = "01", *, seed: int | None = None, connectome: Connectome | str | Path | None = None, **parameters: Any
) -> Subject:
    """Make a subject: brain, regions and wiring.

    Parameters
    ----------
    label : str
        BIDS label (letters and digits).
    seed : int, optional
        Root of all random streams; None draws one, found afterwards as ``subject.streams.seed``.
    connectome : Connectome or path, optional
        Your own wiring in place of a generated one, or the file it is in (see `read_connectome`); as many regions as the
        parcellation, row i is label i + 1.
    **parameters
        Fields of `SubjectParameters`: ``anatomy="tiny"`` needs no image and takes under a second; ``atlas="mine.nii.gz"``
        brings regions of your own; ``lesion=["kind:thalamus"]`` cuts tracts as `lesion` does; ``age=70.0, disease="alzheimer"``,
        ``atrophy={"kind:cortex": 0.1}``, ``densities={"D2": {"kind:putamen": 0.7}}`` and ``pathology={"tau": {"years": 20.0}}`` change its
        grey matter and what tracers bind to.

    Raises
    ------
    ParameterError
        If a parameter is unknown or out of bounds.
    InputError
        If the label is not legal, a file cannot be used, or the connectome does not fit the parcellation.

    Examples
    --------
    >>> subject = make_subject("01", seed=1, anatomy="tiny")
    >>> subject.n_regions, subject.connectome.weights.shape
    (10, (10, 10))
    """
    if isinstance(connectome, str | Path):
        parameters, connectome = {**parameters, "connectome": str(connectome)}, None
    checked = SubjectParameters.parse(parameters, where="subject")
    root = Streams(fresh_seed() if seed is None else seed)
    own = root.at(f"sub-{legal_label(label)}")
    maps, parcellation = _structure(checked)
    anatomy = Anatomy(maps, random_pose(checked.pose, brain_centre(maps), rng=own.at("structure", "pose").rng()))
    if connectome is None:
        connectome = _wiring(
            parcellation.regions, checked, root.at("cohort", "connectome"), own.at("structure", "connectome")
        )
    elif not isinstance(connectome, Connectome):
        raise InputError(
            f"`connectome`: a file or fakeimaging.Connectome(weights, tract_lengths) is needed, not {type(connectome).__name__}"
        )
    _check_fit(connectome, parcellation.regions, checked)
    subject = Subject(label, own, anatomy, parcellation, connectome)
    if checked.lesion or checked.lesion_edges:
        subject = lesion(subject, checked.lesion, edges=checked.lesion_edges, share=checked.lesion_share)
    return conditioned(subject, checked)


def _wiring(regions: tuple[Region, ...], parameters: SubjectParameters, group: Streams, own: Streams) -> Connectome:
    """Read the subject's own connectome, or generate one."""
    rule = parameters.distance_rule
    if parameters.connectome is None:
        return generate_connectome(regions, rule, group=group, own=own)
    path = Path(parameters.connectome)
    parts = read_parts(path, tract_lengths=parameters.tract_lengths)
    _check_count(len(parts.weights), len(regions), parameters)
    names, centres = tuple(region.name for region in regions), np.array([region.centroid for region in regions])
    return connectome_of(
        parts, path, names=names, centres=centres, tortuosity=rule.tortuosity, signed=parameters.signed
    )


def _check_count(n: int, n_regions: int, parameters: SubjectParameters) -> None:
    if n == n_regions:
        return
    where = f"{parameters.connectome}: " if parameters.connectome is not None else ""
    low, high = REGION_COUNTS[parameters.anatomy]
    grown = parameters.atlas is None and n % 2 == 0 and low <= n <= high
    hint = f"give n_regions={n}" if grown else "give the atlas it belongs to"
    raise InputError(f"{where}the connectome has {n} regions, the parcellation {n_regions}; {hint}")


def _check_fit(connectome: Connectome, regions: tuple[Region, ...], parameters: SubjectParameters) -> None:
    """Check that row i of the connectome can be region i: as many, and not the same names in another order."""
    _check_count(connectome.n_regions, len(regions), parameters)
    names = tuple(region.name for region in regions)
    if connectome.names is not None and connectome.names != names and set(connectome.names) == set(names):
        where = f"{parameters.connectome}: " if parameters.connectome is not None else ""
        first = next(i for i, (a, b) in enumerate(zip(connectome.names, names, strict=True)) if a != b)
        raise InputError(
            f"{where}row {first + 1} of the connectome is {connectome.names[first]!r}, label {first + 1} is {names[first]!r}: "
            "bring them into one order"
        )


def forget_template() -> None:
    """Release the template that the subjects made so far keep in memory; it is read again when it is needed."""
    for cached in (_maps, template.template_maps, template.template_structures):
        cached.cache_clear()
    forget_atrophy()


def legal_label(label: str) -> str:
    """Return the label if BIDS allows it (letters and digits), else raise InputError."""
    if not isinstance(label, str) or not (label.isascii() and label.isalnum()) or len(label) > 64:
        hint = f"; did you mean {label[4:]!r}?" if str(label).startswith("sub-") else ""
        raise InputError(f"label {label!r}: BIDS labels are 1 to 64 letters and digits{hint}", value=label)
    return label


def count_regions(parameters: SubjectParameters) -> int:
    """Return how many regions a subject of these parameters has."""
    if parameters.n_regions is not None:
        return parameters.n_regions
    if parameters.atlas is not None:
        return len(_structure(parameters)[1].regions)
    return TINY_REGIONS if parameters.anatomy == "tiny" else DEFAULT_REGIONS


def regions_of(parameters: SubjectParameters) -> tuple[Region, ...]:
    """Return the regions of a subject of these parameters."""
    return _structure(parameters)[1].regions


def check_words(parameters: SubjectParameters) -> None:
    """Check that the regions that lesion, atrophy, densities and pathology name are there.

    Raises
    ------
    ParameterError
        Naming each that is not.
    """
    named = {
        "lesion": [*parameters.lesion, *(word for edge in parameters.lesion_edges for word in edge)],
        "atrophy": list(parameters.atrophy),
        "densities": [word for given in parameters.densities.values() if isinstance(given, dict) for word in given],
        "pathology": [word for spread in parameters.pathology.values() for word in spread.seed],
    }
    for key, words in named.items():
        if words:
            check_known(words, _structure(parameters)[1].regions, where=f"subject.{key}")


def _structure(parameters: SubjectParameters) -> tuple[template.TissueMaps, Parcellation]:
    """Return the tissue of the template and the regions on it."""
    if parameters.atlas is None:
        return _maps(parameters.anatomy), _grown(parameters.anatomy, parameters.n_regions)
    files = (parameters.atlas, parameters.atlas_table)
    states = tuple(_state(Path(file)) for file in files if file is not None)
    return _maps(parameters.anatomy), _own_atlas(parameters.anatomy, *files, states)


def _state(path: Path) -> tuple[int, int]:
    """Return what changes when a file does, so that a new one under an old name is read again."""
    try:
        found = path.stat()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", value=path) from None
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=2)
def _maps(anatomy: str) -> template.TissueMaps:
    return ellipsoid_maps() if anatomy == "tiny" else template.template_maps()


@lru_cache(maxsize=4)
def _grown(anatomy: str, n_regions: int | None) -> Parcellation:
    if anatomy == "tiny":
        return shell_parcellation(_maps(anatomy), n_regions or TINY_REGIONS)
    return template_parcellation(n_regions or DEFAULT_REGIONS)


@lru_cache(maxsize=2)
def _own_atlas(anatomy: str, path: str, table: str | None, states: tuple[tuple[int, int], ...]) -> Parcellation:
    return read_atlas(path, _maps(anatomy), table=table)
