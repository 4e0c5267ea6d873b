"""Pathology that spreads along the tracts: network diffusion with local growth (Fisher and Kolmogorov's equation on a graph).

    dx/dt = -rate L x + growth x (1 - x),        L = (diag(sum over targets of W) - W) / mean of that sum

x is the load of each region, 0 (none) to 1 (as much as there can be); what a region sends leaves it, so that without growth the sum of
the loads stays. W is the connectome in absolute values, row receives, column sends; the mean is that before a lesion. Diffusion: Raj et
al. 2012, doi:10.1016/j.neuron.2011.12.040; with growth, fitted to tau PET: Schäfer et al. 2021, doi:10.3389/fphys.2021.702975. The
load follows the wiring and changes no tissue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import field_validator

from fakeimaging.core.citations import Reference
from fakeimaging.core.errors import InputError
from fakeimaging.core.parameters import Parameters, one_or_more, parameter
from fakeimaging.structure.connectome import Connectome
from fakeimaging.structure.parcellation import Region
from fakeimaging.structure.selection import check_known, chosen

Floats = npt.NDArray[np.float64]

SEEDS = {"tau": ("kind:hippocampus", "kind:amygdala"), "amyloid": ("network:DefaultMode",)}
"""Where each pathology begins unless told otherwise (after the stages of Braak & Braak 1991 and Palmqvist et al. 2017; regions assumed)."""
REFERENCES = (
    Reference("Raj et al.", 2012, "10.1016/j.neuron.2011.12.040", "spread of pathology along the connectome"),
    Reference("Schäfer et al.", 2021, "10.3389/fphys.2021.702975", "growth and spread of tau on a network"),
)
ACCURACY = 1e-10
"""Of the integration over time when loads grow, relative and absolute."""


class Pathology(Parameters):
    """How a pathology began and spread."""

    seed: tuple[str, ...] = parameter(
        (),
        unit="-",
        description="regions it began in: names, kind:hippocampus, network:DefaultMode ...; those of its name when left out",
    )
    years: float = parameter(15.0, unit="year", bounds=(0, 100), description="time since it began")
    rate: float = parameter(
        0.05,
        unit="1/year",
        bounds=(0, 10),
        symbol="beta",
        description="share of its load that a region sends on in a year",
    )
    growth: float = parameter(
        0.3, unit="1/year", bounds=(0, 10), symbol="alpha", description="local growth of small loads"
    )
    spared: tuple[str, ...] = parameter(
        ("kind:cerebellum",), unit="-", description="regions it neither reaches nor passes, in the same words"
    )
    start: float = parameter(0.1, unit="1", bounds=(0, 1), description="load of the seeds when it began")

    @field_validator("seed", "spared", mode="before")
    @classmethod
    def _one_word_is_a_list_of_one(cls, words: Any) -> Any:
        return one_or_more(words)


def laplacian(connectome: Connectome, spared: npt.NDArray[np.bool_] | None = None) -> Floats:
    """Return L of the equation above, shape (n_regions, n_regions), without the tracts of regions that are spared; its columns add to 0."""
    weights = np.abs(connectome.weights)
    if spared is not None:
        weights[spared], weights[:, spared] = 0, 0
    scale = np.abs(connectome.healthy.weights).sum(axis=0).mean()
    return np.asarray((np.diag(weights.sum(axis=0)) - weights) / scale)


def spread(
    connectome: Connectome,
    seeds: npt.ArrayLike,
    years: npt.ArrayLike,
    *,
    rate: float,
    growth: float = 0.0,
    spared: npt.NDArray[np.bool_] | None = None,
) -> Floats:
    """Return the loads of all regions at some times: exactly without growth, else to `ACCURACY`.

    Parameters
    ----------
    connectome : Connectome
    seeds : array_like, shape (n_regions,)
        Loads at time 0, in [0, 1].
    years : array_like, shape (n_times,)
        At least 0, in order.
    rate, growth : float
        1/year.
    spared : ndarray of bool, shape (n_regions,), optional
        Regions whose tracts nothing passes.

    Returns
    -------
    ndarray, shape (n_times, n_regions)

    Raises
    ------
    InputError
        If seeds, times or rates cannot be.

    Examples
    --------
    >>> from fakeimaging import make_subject
    >>> subject = make_subject("01", seed=1, anatomy="tiny")
    >>> loads = spread(subject.connectome, [1.0] + 9 * [0.0], [0, 5, 5000], rate=0.1)
    >>> loads.sum(axis=1).round(6), loads[2, :3].round(3)
    (array([1., 1., 1.]), array([0.1, 0.1, 0.1]))
    """
    start, times = np.asarray(seeds, dtype=float), np.atleast_1d(np.asarray(years, dtype=float))
    _check(connectome, start, times, rate, growth)
    flow = -rate * laplacian(connectome, spared)
    if growth == 0:
        from scipy.linalg import expm

        return np.stack([expm(flow * time) @ start for time in times])
    from scipy.integrate import solve_ivp

    def change(_: float, x: Floats) -> Floats:
        return np.asarray(flow @ x + growth * x * (1 - x))

    end = max(float(times[-1]), 1e-9)
    solved = solve_ivp(change, (0.0, end), start, "DOP853", times, rtol=ACCURACY, atol=ACCURACY)
    return np.asarray(solved.y.T)


def load_after(pathology: Pathology, name: str, connectome: Connectome, regions: Sequence[Region]) -> Floats:
    """Return the load that a pathology has brought each region, shape (n_regions,), in [0, 1].

    Parameters
    ----------
    pathology : Pathology
    name : str
        ``"tau"`` or ``"amyloid"``: names the seeds if it has none of its own.
    connectome : Connectome
    regions : sequence of Region

    Raises
    ------
    ParameterError
        If a seed is not there.
    InputError
        If no region is left among the seeds.
    """
    check_known(pathology.seed, regions, where=f"subject.pathology.{name}.seed")
    words = pathology.seed or SEEDS[name]
    spared = chosen(pathology.spared, regions)
    began = chosen(words, regions) & ~spared
    if not began.any():
        raise InputError(
            f"`pathology.{name}.seed`: the subject has none of {', '.join(words)}; name regions of its own"
        )
    start = pathology.start * began
    rates = {"rate": pathology.rate, "growth": pathology.growth}
    load = spread(connectome, start, [pathology.years], spared=spared, **rates)[-1]
    return np.clip(load, 0, 1)


def _check(connectome: Connectome, start: Floats, times: Floats, rate: float, growth: float) -> None:
    n = connectome.n_regions
    if start.shape != (n,) or not ((start >= 0) & (start <= 1)).all():
        raise InputError(f"`seeds`: {n} loads in [0, 1] are needed, one a region", value=start.tolist())
    if times.ndim != 1 or not len(times) or not (np.diff(times, prepend=0.0) >= 0).all() or np.isinf(times).any():
        raise InputError("`years`: times from 0 on, in order", value=times.tolist())
    if not (0 <= rate < np.inf and 0 <= growth < np.inf):
        raise InputError(f"`rate`, `growth`: rates from 0 on, not {rate:g} and {growth:g}", value=(rate, growth))
