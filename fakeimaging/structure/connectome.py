"""The wiring: weights and lengths of the tracts between regions; row receives, column sends.

The generator draws log w = -d / lambda + N(0, log_sd) + preferences (same network, homotopic, other hemisphere) and keeps the
strongest pairs. Distance rule: Ercsey-Ravasz et al. (2013), doi:10.1016/j.neuron.2013.07.036; log-normal weights: Markov
et al. (2014), doi:10.1093/cercor/bhs270; both in people, with strong tracts between mirror regions: Rosen & Halgren (2021),
doi:10.1523/ENEURO.0416-20.2020.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.citations import Reference
from fakeimaging.core.errors import InputError
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.core.streams import Streams
from fakeimaging.structure.parcellation import Region

REFERENCES = (
    Reference(
        "Ercsey-Ravasz et al.", 2013, "10.1016/j.neuron.2013.07.036", "exponential distance rule of the connectome"
    ),
    Reference("Markov et al.", 2014, "10.1093/cercor/bhs270", "log-normal tract weights"),
    Reference("Rosen & Halgren", 2021, "10.1523/ENEURO.0416-20.2020", "both rules, and mirror regions, in people"),
)
MIRROR_DISTANCE = 10.0
"""mm between a region's mirror image and its partner, at most, where names do not say which they are (assumed)."""


class DistanceRule(Parameters):
    """Parameters of the connectome generator."""

    length_constant: float = parameter(
        20.0,
        unit="mm",
        bounds=(5, 200),
        symbol="lambda",
        source="with the preferences, over all pairs, 23.4 mm of tract: Rosen & Halgren 2021, doi:10.1523/ENEURO.0416-20.2020",
        description="fall of log weight with distance",
    )
    log_sd: float = parameter(1.0, unit="1", bounds=(0, 3), description="spread of the log weight")
    shared: float = parameter(0.9, unit="1", bounds=(0, 1), description="correlation of that spread between subjects")
    network_factor: float = parameter(3.0, unit="1", bounds=(0.1, 100), description="preference within a network")
    homotopic_factor: float = parameter(
        1.5,
        unit="1",
        bounds=(0.1, 100),
        source="assumed: about 40 % of all weight crosses; of human axons 13 %, Rosen & Halgren 2022, doi:10.1371/journal.pbio.3001575",
        description="preference for the mirror region, beside the distance it is spared",
    )
    crossing_factor: float = parameter(0.5, unit="1", bounds=(0.001, 10), description="other pairs across the midline")
    density: float = parameter(0.2, unit="1", bounds=(0.01, 1), description="share of pairs kept")
    strongest_kept: int = parameter(
        3, unit="1", bounds=(1, 20), description="pairs kept at each region whatever the density"
    )
    tortuosity: float = parameter(1.3, unit="1", bounds=(1, 3), description="tract length over straight distance")
    asymmetry: float = parameter(
        0.0,
        unit="1",
        bounds=(0, 1),
        description="share of the spread that each direction has for itself; 0 is symmetric",
    )
    inhibitory: float = parameter(
        0.0, unit="1", bounds=(0, 1), description="share of the tracts that inhibit (negative weights)"
    )


@dataclass(frozen=True, eq=False, repr=False)
class Connectome:
    """Weights and lengths of tracts.

    Parameters
    ----------
    weights : ndarray, shape (n_regions, n_regions), dimensionless
        ``weights[target, source]``: row receives, column sends; at least 0 unless ``signed``, diagonal 0.
    tract_lengths : ndarray, shape (n_regions, n_regions), mm
        Finite and at least 0.
    signed : bool
        Allows negative weights (tracts that inhibit); a model that takes none refuses them.
    names : tuple of str, optional
        One for each region.
    centres : ndarray, shape (n_regions, 3), mm, optional
        Centre of each region in the space it came with.
    references : tuple of Reference
        The papers behind it.
    intact : Connectome, optional
        What it was before a `lesion`; models scale by those weights, so that what is cut is not made up for elsewhere.

    Raises
    ------
    InputError
        If a matrix is not square, not finite, negative, or has something on its diagonal, or names or centres do not fit.
    """

    weights: npt.NDArray[np.float64]
    tract_lengths: npt.NDArray[np.float64]
    signed: bool = False
    names: tuple[str, ...] | None = None
    centres: npt.NDArray[np.float64] | None = None
    references: tuple[Reference, ...] = ()
    intact: Connectome | None = None

    def __repr__(self) -> str:
        return f"Connectome({self.n_regions} regions, {np.count_nonzero(self.weights)} weights)"

    def __post_init__(self) -> None:
        for name in ("weights", "tract_lengths"):
            matrix = _numbers(name, getattr(self, name))
            _check(name, matrix, signed=self.signed and name == "weights")
            object.__setattr__(self, name, frozen(matrix))
        if self.weights.shape != self.tract_lengths.shape:
            raise InputError(f"`weights` is {self.weights.shape} and `tract_lengths` is {self.tract_lengths.shape}")
        if not self.weights.any():
            raise InputError("`weights`: all zero, nothing is connected")
        self._check_regions()
        if len(self.isolated):
            warnings.warn(f"regions without any tract: {self.listed(self.isolated)}", stacklevel=3)

    def _check_regions(self) -> None:
        if self.names is not None and (len(self.names) != self.n_regions or len(set(self.names)) < self.n_regions):
            raise InputError(f"`names`: {self.n_regions} different ones are needed, one a region", value=self.names)
        if self.centres is not None:
            centres = _numbers("centres", self.centres)
            if centres.shape != (self.n_regions, 3) or not np.isfinite(centres).all():
                raise InputError(
                    f"`centres`: finite numbers of shape ({self.n_regions}, 3) are needed", value=self.centres
                )
            object.__setattr__(self, "centres", frozen(centres))

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return len(self.weights)

    @property
    def isolated(self) -> npt.NDArray[np.intp]:
        """Indices of regions that neither receive nor send."""
        return np.flatnonzero(~self.weights.any(axis=0) & ~self.weights.any(axis=1))

    @property
    def healthy(self) -> Connectome:
        """The connectome without its lesion; itself when it has none."""
        return self if self.intact is None else self.intact

    def listed(self, indices: Iterable[int]) -> str:
        """Return numbers and names of regions, for messages."""
        return ", ".join(str(i + 1) + (f" ({self.names[i]})" if self.names else "") for i in indices)

    def row_normalised(self, *, signed: bool = False) -> npt.NDArray[np.float64]:
        """Return the weights with every row that receives anything summing to 1 (in absolute values where they are signed).

        Rows that a lesion weakened sum to less: they are divided by what they were.

        Parameters
        ----------
        signed : bool
            That the caller can do with negative weights.

        Raises
        ------
        InputError
            If there are negative weights and the caller takes none.
        """
        if not signed:
            self.refuse_negative()
        total = np.abs(self.healthy.weights).sum(axis=1, keepdims=True)
        return np.divide(self.weights, total, out=np.zeros_like(self.weights), where=total > 0)

    def refuse_negative(self) -> None:
        """Raise if there are negative weights, for those who take none.

        Raises
        ------
        InputError
            With how many there are, and the first.
        """
        if (self.weights < 0).any():
            row, column = np.argwhere(self.weights < 0)[0] + 1
            raise InputError(
                f"`weights`: {(self.weights < 0).sum()} are negative, the first in row {row}, column {column}; "
                "the model takes none"
            )

    def delays(self, speed: float) -> npt.NDArray[np.float64]:
        """Return conduction delays in s, shape (n_regions, n_regions), at ``speed`` in m/s."""
        return np.asarray(self.tract_lengths / (1e3 * speed))


def _numbers(name: str, matrix: object) -> npt.NDArray[np.float64]:
    array = np.array(matrix)
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"`{name}`: real numbers are needed, not {type(matrix).__name__} of {array.dtype}", value=matrix
        )
    return array.astype(np.float64)


def _check(name: str, matrix: npt.NDArray, *, signed: bool) -> None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        raise InputError(
            f"`{name}`: a square matrix of at least 2 x 2 is needed, not {matrix.shape}", value=matrix.shape
        )
    if not np.isfinite(matrix).all():
        row, column = np.argwhere(~np.isfinite(matrix))[0] + 1
        raise InputError(
            f"`{name}`: {matrix[row - 1, column - 1]} in row {row}, column {column}; finite numbers are needed"
        )
    if not signed and (matrix < 0).any():
        row, column = np.argwhere(matrix < 0)[0] + 1
        hint = "; tracts that inhibit need signed=True" if name == "weights" else ""
        raise InputError(
            f"`{name}`: negative value {matrix[row - 1, column - 1]:g} in row {row}, column {column}{hint}"
        )
    if matrix.diagonal().any():
        raise InputError(
            f"`{name}`: the diagonal is not zero (region {np.flatnonzero(matrix.diagonal())[0] + 1} connects to itself)"
        )


def generate_connectome(
    regions: tuple[Region, ...], parameters: DistanceRule, *, group: Streams, own: Streams
) -> Connectome:
    """Draw a connectome by the distance rule; symmetric unless ``asymmetry`` is above 0, signed if ``inhibitory`` is.

    Parameters
    ----------
    regions : tuple of Region
    parameters : DistanceRule
    group, own : Streams
        What all subjects share of the spread of the weights, and what is this subject's alone.
    """
    distance = distances(np.array([region.centroid for region in regions]))
    log_weight = -distance / parameters.length_constant + _preferences(regions, distance, parameters)
    log_weight = log_weight + parameters.log_sd * _spread(len(regions), parameters, group, own)
    np.fill_diagonal(log_weight, -np.inf)
    kept = _kept(log_weight, parameters)
    weights = np.where(kept, np.exp(log_weight), 0.0)
    weights[_inhibitory(kept, parameters, group)] *= -1
    return Connectome(
        weights,
        lengths_between(distance, weights, parameters.tortuosity),
        signed=parameters.inhibitory > 0,
        names=tuple(region.name for region in regions),
        references=REFERENCES,
    )


def distances(centres: npt.NDArray) -> npt.NDArray[np.float64]:
    """Return the straight distances between points of shape (n, 3), shape (n, n), in their unit."""
    return np.asarray(np.linalg.norm(centres[:, None] - centres[None], axis=-1))


def lengths_between(distance: npt.NDArray, weights: npt.NDArray, tortuosity: float) -> npt.NDArray[np.float64]:
    """Return tract lengths in the unit of ``distance``: ``tortuosity`` times it where there is a weight, else 0."""
    return np.where(weights != 0, tortuosity * distance, 0.0)


def _spread(n: int, parameters: DistanceRule, group: Streams, own: Streams) -> npt.NDArray[np.float64]:
    """Standard normal, shape (n, n): part shared by all subjects, and part by both directions of a pair."""
    both = parameters.shared**0.5 * _symmetric(n, group) + (1 - parameters.shared) ** 0.5 * _symmetric(n, own)
    if parameters.asymmetry == 0:
        return both
    each = parameters.shared**0.5 * _full(n, group.at("asymmetry"))
    each = each + (1 - parameters.shared) ** 0.5 * _full(n, own.at("asymmetry"))
    return np.asarray((1 - parameters.asymmetry) ** 0.5 * both + parameters.asymmetry**0.5 * each)


def _full(n: int, stream: Streams) -> npt.NDArray[np.float64]:
    return stream.rng().standard_normal((n, n))


def _symmetric(n: int, stream: Streams) -> npt.NDArray[np.float64]:
    upper = np.triu(_full(n, stream), 1)
    return upper + upper.T


def _inhibitory(kept: npt.NDArray[np.bool_], parameters: DistanceRule, group: Streams) -> npt.NDArray[np.bool_]:
    """Choose the wanted share of tracts, the same in all subjects as far as these have them; both directions of a pair alike."""
    draw = group.at("inhibitory").rng().permutation(kept.size).reshape(kept.shape).astype(float)
    if parameters.asymmetry == 0:
        draw = np.triu(draw, 1) + np.triu(draw, 1).T
    wanted = round(parameters.inhibitory * kept.sum())
    edge = np.sort(draw[kept])[wanted - 1] if wanted else -1.0
    return np.asarray(kept & (draw <= edge))


def _preferences(
    regions: tuple[Region, ...], distance: npt.NDArray, parameters: DistanceRule
) -> npt.NDArray[np.float64]:
    network = np.array([region.network for region in regions])
    side = np.array([region.hemisphere for region in regions])
    crossing = side[:, None] != side[None]
    homotopic = crossing & _mirrors(regions)
    named = network != "unassigned"
    within = (network[:, None] == network[None]) & named[:, None] & named[None]
    bonus = np.log(parameters.network_factor) * within
    bonus = bonus + np.log(parameters.crossing_factor) * (crossing & ~homotopic)
    # The mirror region is tied by the callosum whatever the distance: most of the distance penalty is taken back.
    return np.asarray(
        bonus + (np.log(parameters.homotopic_factor) + 0.7 * distance / parameters.length_constant) * homotopic
    )


def _mirrors(regions: tuple[Region, ...]) -> npt.NDArray[np.bool_]:
    """Tell which regions mirror each other: equal names but for the side, or (other naming) where each lies nearest the other's image."""
    stem = np.array([region.name[1:] for region in regions])
    named = (stem[:, None] == stem[None]) & ~np.eye(len(regions), dtype=bool)
    if named.any():
        return np.asarray(named)
    centres = np.array([region.centroid for region in regions])
    away = np.linalg.norm(centres[:, None] * [-1, 1, 1] - centres[None], axis=-1)
    nearest = away == away.min(axis=1, keepdims=True)
    return np.asarray(nearest & nearest.T & (away <= MIRROR_DISTANCE))


def _kept(log_weight: npt.NDArray, parameters: DistanceRule) -> npt.NDArray[np.bool_]:
    n = len(log_weight)
    symmetric = (log_weight == log_weight.T).all()
    pairs = np.triu(np.ones((n, n), dtype=bool), 1) if symmetric else ~np.eye(n, dtype=bool)
    ordered = np.sort(log_weight[pairs])[::-1]
    threshold = ordered[max(1, round(parameters.density * len(ordered))) - 1]
    kept = (log_weight >= threshold) | _strongest(log_weight, parameters) | _strongest(log_weight.T, parameters).T
    np.fill_diagonal(kept, False)
    return np.asarray(kept)


def _strongest(log_weight: npt.NDArray, parameters: DistanceRule) -> npt.NDArray[np.bool_]:
    """Mark the strongest pairs of each row."""
    marked = np.zeros(log_weight.shape, dtype=bool)
    columns = np.argsort(-log_weight, axis=1)[:, : min(parameters.strongest_kept, len(log_weight) - 1)]
    np.put_along_axis(marked, columns, True, axis=1)
    return marked
