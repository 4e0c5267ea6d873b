"""The wiring: weights and lengths of the tracts between regions; row receives, column sends.

The generator draws log w = -d / lambda + N(0, 1) + preferences (same network, homotopic, other hemisphere) and keeps the
strongest pairs. Distance rule: Ercsey-Ravasz et al. (2013), doi:10.1016/j.neuron.2013.07.036; log-normal weights: Markov
et al. (2014), doi:10.1093/cercor/bhs270.
"""

from __future__ import annotations

import warnings
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
)


class DistanceRule(Parameters):
    """Parameters of the connectome generator."""

    length_constant: float = parameter(
        30.0, unit="mm", bounds=(5, 200), symbol="lambda", description="fall of log weight with distance"
    )
    log_sd: float = parameter(1.0, unit="1", bounds=(0, 3), description="spread of the log weight")
    shared: float = parameter(0.9, unit="1", bounds=(0, 1), description="correlation of that spread between subjects")
    network_factor: float = parameter(3.0, unit="1", bounds=(0.1, 100), description="preference within a network")
    homotopic_factor: float = parameter(
        5.0, unit="1", bounds=(0.1, 100), description="preference for the mirror region"
    )
    crossing_factor: float = parameter(0.5, unit="1", bounds=(0.001, 10), description="other pairs across the midline")
    density: float = parameter(0.2, unit="1", bounds=(0.01, 1), description="share of pairs kept")
    strongest_kept: int = parameter(
        3, unit="1", bounds=(1, 20), description="pairs kept at each region whatever the density"
    )
    tortuosity: float = parameter(1.3, unit="1", bounds=(1, 3), description="tract length over straight distance")


@dataclass(frozen=True, eq=False, repr=False)
class Connectome:
    """Weights and lengths of tracts.

    Parameters
    ----------
    weights : ndarray, shape (n_regions, n_regions), dimensionless
        ``weights[target, source]``: row receives, column sends; at least 0, diagonal 0.
    tract_lengths : ndarray, shape (n_regions, n_regions), mm
        Finite and at least 0.

    Raises
    ------
    InputError
        If a matrix is not square, not finite, negative, or has something on its diagonal.
    """

    weights: npt.NDArray[np.float64]
    tract_lengths: npt.NDArray[np.float64]

    def __repr__(self) -> str:
        return f"Connectome({self.n_regions} regions, {np.count_nonzero(self.weights)} weights)"

    def __post_init__(self) -> None:
        for name in ("weights", "tract_lengths"):
            matrix = _numbers(name, getattr(self, name))
            _check(name, matrix)
            object.__setattr__(self, name, frozen(matrix))
        if self.weights.shape != self.tract_lengths.shape:
            raise InputError(f"`weights` is {self.weights.shape} and `tract_lengths` is {self.tract_lengths.shape}")
        if not self.weights.any():
            raise InputError("`weights`: all zero, nothing is connected")
        if len(self.isolated):
            warnings.warn(f"regions without any tract: {', '.join(str(i + 1) for i in self.isolated)}", stacklevel=3)

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return len(self.weights)

    @property
    def isolated(self) -> npt.NDArray[np.intp]:
        """Indices of regions that neither receive nor send."""
        return np.flatnonzero(~self.weights.any(axis=0) & ~self.weights.any(axis=1))

    def row_normalised(self) -> npt.NDArray[np.float64]:
        """Return the weights with every row that receives anything summing to 1."""
        total = self.weights.sum(axis=1, keepdims=True)
        return np.divide(self.weights, total, out=np.zeros_like(self.weights), where=total > 0)

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


def _check(name: str, matrix: npt.NDArray) -> None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        raise InputError(
            f"`{name}`: a square matrix of at least 2 x 2 is needed, not {matrix.shape}", value=matrix.shape
        )
    if not np.isfinite(matrix).all():
        row, column = np.argwhere(~np.isfinite(matrix))[0] + 1
        raise InputError(
            f"`{name}`: {matrix[row - 1, column - 1]} in row {row}, column {column}; finite numbers are needed"
        )
    if (matrix < 0).any():
        row, column = np.argwhere(matrix < 0)[0] + 1
        raise InputError(f"`{name}`: negative value {matrix[row - 1, column - 1]:g} in row {row}, column {column}")
    if matrix.diagonal().any():
        raise InputError(
            f"`{name}`: the diagonal is not zero (region {np.flatnonzero(matrix.diagonal())[0] + 1} connects to itself)"
        )


def generate_connectome(
    regions: tuple[Region, ...], parameters: DistanceRule, *, group: Streams, own: Streams
) -> Connectome:
    """Draw a symmetric connectome by the distance rule.

    Parameters
    ----------
    regions : tuple of Region
    parameters : DistanceRule
    group, own : Streams
        What all subjects share of the spread of the weights, and what is this subject's alone.
    """
    n = len(regions)
    centroids = np.array([region.centroid for region in regions])
    distance = np.linalg.norm(centroids[:, None] - centroids[None], axis=-1)
    log_weight = -distance / parameters.length_constant + _preferences(regions, distance, parameters)
    spread = parameters.shared**0.5 * _symmetric(n, group) + (1 - parameters.shared) ** 0.5 * _symmetric(n, own)
    log_weight = log_weight + parameters.log_sd * spread
    np.fill_diagonal(log_weight, -np.inf)
    kept = _kept(log_weight, parameters)
    weights = np.where(kept, np.exp(log_weight), 0.0)
    return Connectome(weights, np.where(kept, parameters.tortuosity * distance, 0.0))


def _symmetric(n: int, stream: Streams) -> npt.NDArray[np.float64]:
    upper = np.triu(stream.rng().standard_normal((n, n)), 1)
    return upper + upper.T


def _preferences(
    regions: tuple[Region, ...], distance: npt.NDArray, parameters: DistanceRule
) -> npt.NDArray[np.float64]:
    network = np.array([region.network for region in regions])
    side = np.array([region.hemisphere for region in regions])
    stem = np.array([region.name[1:] for region in regions])
    crossing = side[:, None] != side[None]
    homotopic = crossing & (stem[:, None] == stem[None])
    named = network != "unassigned"
    within = (network[:, None] == network[None]) & named[:, None] & named[None]
    bonus = np.log(parameters.network_factor) * within
    bonus = bonus + np.log(parameters.crossing_factor) * (crossing & ~homotopic)
    # The mirror region is tied by the callosum whatever the distance: most of the distance penalty is taken back.
    return np.asarray(
        bonus + (np.log(parameters.homotopic_factor) + 0.7 * distance / parameters.length_constant) * homotopic
    )


def _kept(log_weight: npt.NDArray, parameters: DistanceRule) -> npt.NDArray[np.bool_]:
    n = len(log_weight)
    upper = np.sort(log_weight[np.triu_indices(n, 1)])[::-1]
    threshold = upper[max(1, round(parameters.density * len(upper))) - 1]
    strongest = np.zeros((n, n), dtype=bool)
    nearest = np.argsort(-log_weight, axis=1)[:, : min(parameters.strongest_kept, n - 1)]
    np.put_along_axis(strongest, nearest, True, axis=1)
    kept = (log_weight >= threshold) | strongest | strongest.T
    np.fill_diagonal(kept, False)
    return np.asarray(kept)
