"""Constants of the Balloon-Windkessel model that differ between people and between the regions of one.

    p_ij = p_j exp(d_ij - var(d_ij) / 2),   d_i = L(a) z_subject + L(b) z_i,   L(a) L(a)' = ln(1 + a^2 C / (m m'))

C is the published covariance of the constants from place to place, m their means there (Friston et al. 2003); a and b are
`subject_variability` and `regional_variability`. Log-normal: every draw is above 0, and for a = 0, b = 1 mean and covariance are the
published ones. A draw beyond what a parameter allows takes the bound.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.hemodynamics_parameters import CONSTANTS, Hemodynamics, relative_covariance
from fakeimaging.core.arrays import frozen
from fakeimaging.core.errors import InputError
from fakeimaging.core.parameters import bounds_of
from fakeimaging.structure.subject import Subject


@dataclass(frozen=True, eq=False)
class RegionalHemodynamics:
    """Constants of each region, each shape (n_regions,); kappa and gamma are rates (1/s), tau is in s."""

    kappa: npt.NDArray[np.float64]
    gamma: npt.NDArray[np.float64]
    tau: npt.NDArray[np.float64]
    alpha: npt.NDArray[np.float64]
    E0: npt.NDArray[np.float64]

    @property
    def stacked(self) -> npt.NDArray[np.float64]:
        """All constants in the order of `CONSTANTS`, shape (5, n_regions)."""
        return np.array(astuple(self))

    def tiled(self, n: int) -> RegionalHemodynamics:
        """Return them for ``n`` columns: those of all regions, again for each further mode.

        Raises
        ------
        InputError
            If that is no multiple of the regions.
        """
        if n % len(self.kappa):
            raise InputError(f"constants of {len(self.kappa)} regions do not fit {n} columns of activity", value=n)
        return _of(np.tile(self.stacked, n // len(self.kappa)))


def _of(stacked: npt.NDArray[np.float64]) -> RegionalHemodynamics:
    return RegionalHemodynamics(*frozen(np.ascontiguousarray(stacked)))


def same_everywhere(parameters: Hemodynamics, n: int) -> RegionalHemodynamics:
    """Return the constants of ``parameters`` for each of ``n`` regions."""
    return _of(np.repeat([[getattr(parameters, name)] for name in CONSTANTS], n, axis=1))


def regional_constants(parameters: Hemodynamics, subject: Subject) -> RegionalHemodynamics:
    """Return the constants of a subject's regions: the same for all its runs, modalities and modes.

    Draws come from the subject's own stream; their sizes do not change which way a region departs.

    Parameters
    ----------
    parameters : Hemodynamics
    subject : Subject

    Returns
    -------
    RegionalHemodynamics

    Examples
    --------
    >>> from fakeimaging import make_subject
    >>> subject = make_subject("01", seed=1, anatomy="tiny")
    >>> regional_constants(Hemodynamics(regional_variability=1.0), subject).tau.shape
    (10,)
    """
    p, own = parameters, subject.streams.at("structure", "hemodynamics")
    if p.regional_variability == 0 == p.subject_variability:
        return same_everywhere(p, subject.n_regions)
    shared = own.at("subject").rng().standard_normal(len(CONSTANTS))
    places = own.at("regions").rng().standard_normal((subject.n_regions, len(CONSTANTS)))
    factors = log_normal(shared, p.subject_variability) * log_normal(places, p.regional_variability)
    low, high = np.transpose([bounds_of(Hemodynamics.model_fields[name]) for name in CONSTANTS])
    mean = [getattr(p, name) for name in CONSTANTS]
    return _of(np.clip(mean * factors, low, high).T)


def log_normal(normals: npt.NDArray[np.float64], scale: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return factors on the constants with mean 1 and the published covariance.

    Parameters
    ----------
    normals : ndarray, shape (..., 5)
        Standard normals.
    scale : float or array_like, shape (5,)
        On the published SD of each constant; NetSim (Smith et al. 2011) has 1, 1, 2, 2, 2.

    Returns
    -------
    ndarray, shape (..., 5)
    """
    sizes = np.broadcast_to(np.asarray(scale, dtype=float), len(CONSTANTS))
    covariance = np.log1p(np.outer(sizes, sizes) * relative_covariance())
    # The published covariance has rank 3, and its logarithm need not be positive: what is below 0 is left out.
    strength, direction = np.linalg.eigh(covariance)
    root = direction * np.sqrt(np.maximum(strength, 0.0))
    return np.asarray(np.exp(normals @ root.T - (root**2).sum(axis=1) / 2))
