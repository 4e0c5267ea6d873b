"""Series without anatomy: one voxel or some regions, with every part of them known.

observed = baseline (1 + task + spontaneous signal) + autoregressive + drift + cardiac + respiratory + thermal (+ magnitude)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.stimuli.condition import Event
from fakeimaging.core.arrays import frozen, memory_bytes
from fakeimaging.core.errors import InputError, UnknownNameError, did_you_mean
from fakeimaging.core.streams import Streams, fresh_seed
from fakeimaging.modalities.phantom import events as designs
from fakeimaging.modalities.phantom import terms
from fakeimaging.modalities.phantom.connectivity import fluctuations
from fakeimaging.modalities.phantom.parameters import TERMS, SeriesParameters
from fakeimaging.structure.connectome import Connectome

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]

WORKING = 5
"""Arrays beside the terms at the peak: observed, clean, and what the magnitude is made of (measured; 2 fewer without it)."""
MOST_OF_MEMORY = 0.75
"""Share of the machine's memory above which nothing is begun."""
EFFECT = 1.0
"""%, signal change of each condition where `effects` says nothing."""


@dataclass(frozen=True, eq=False, repr=False)
class Series:
    """Some series and all that they are made of.

    Parameters
    ----------
    observed : ndarray, shape (n_series, n_volumes)
        ``clean`` plus all ``terms``.
    clean : ndarray, shape (n_series, n_volumes)
        Without noise.
    terms : mapping of str to ndarray, shape (n_series, n_volumes)
        Each part of the noise, in the units of ``observed``.
    times : ndarray, shape (n_volumes,)
        When each volume is seen, in s: the frame times of a design matrix.
    conditions : tuple of str
    regressors : ndarray, shape (n_conditions, n_volumes)
        What each condition is expected to do; a long block reaches 1.
    effects : ndarray, shape (n_conditions, n_series)
        Percent signal change; ``baseline * effects / 100`` are the betas.
    connectivity : ndarray, shape (n_series, n_series), or None
        Correlation of the spontaneous signals, as it is in expectation.
    lag1 : float
        Autocorrelation from volume to volume of autoregressive and thermal noise together.
    parameters : SeriesParameters
    seed : int
    """

    observed: Array
    clean: Array
    terms: Mapping[str, Array]
    times: Array
    conditions: tuple[str, ...]
    regressors: Array
    effects: Array
    connectivity: Array | None
    lag1: float
    parameters: SeriesParameters
    seed: int
    _events: tuple[Event, ...] = field(default=(), repr=False)

    def __repr__(self) -> str:
        made_of = ", ".join(("clean", *self.terms))
        size = f"shape {self.observed.shape}, TR {self.parameters.tr:g} s, seed {self.seed}"
        return f"Series({size}: {made_of}; conditions {', '.join(self.conditions) or 'none'})"

    @property
    def events(self) -> pd.DataFrame:
        """The events as nilearn takes them."""
        return designs.table(self._events)

    @property
    def betas(self) -> Array:
        """Effects in the units of ``observed``, shape (n_conditions, n_series)."""
        return self.parameters.baseline * self.effects / 100


def simulate_series(
    n_series: int = 1,
    *,
    events: designs.Events | None = None,
    effects: designs.Effects = None,
    connectivity: npt.ArrayLike | Connectome | None = None,
    off: str | Iterable[str] = (),
    seed: int | None = None,
    **parameters: Any,
) -> Series:
    """Make fMRI series of one voxel or some regions, without any image.

    Parameters
    ----------
    n_series : int
    events : pandas.DataFrame, mapping of columns, iterable of (onset, duration, trial_type[, modulation]), or path, optional
        Times in s; a path is that of a BIDS table.
    effects : float or mapping of str to float or array_like (n_series,), optional
        Percent signal change of each condition (of the plateau of a long block); 1 % by default.
    connectivity : array_like, shape (n_series, n_series), or Connectome, optional
        Correlation of spontaneous signals; a connectome drives a linear network instead. Without it there are none.
    off : str or iterable of str
        Noise to leave out, names of `TERMS`; the rest keeps its bits.
    seed : int, optional
        Drawn and kept in the result when left out.
    **parameters
        Of `SeriesParameters`, such as ``tr=0.8, snr=100.0``.

    Returns
    -------
    Series

    Raises
    ------
    ParameterError, InputError, UnknownNameError
        If a parameter, event, effect, matrix or name is not allowed.

    Examples
    --------
    >>> voxel = simulate_series(events=[(20.0, 20.0, "look"), (60.0, 20.0, "look")], n_volumes=60, seed=1)
    >>> voxel.observed.shape, list(voxel.terms)
    ((1, 60), ['autoregressive', 'drift', 'cardiac', 'respiratory', 'thermal'])
    >>> import numpy as np
    >>> bool(np.allclose(voxel.observed, voxel.clean + sum(voxel.terms.values())))
    True
    """
    p = SeriesParameters.parse(parameters)
    if isinstance(n_series, bool) or not isinstance(n_series, int | np.integer) or n_series < 1:
        raise InputError(f"`n_series`: {n_series!r} is not a whole number of at least 1", value=n_series)
    seed = fresh_seed() if seed is None else seed
    streams, left_out = Streams(seed).at("series"), check_off(off)
    _check_memory(int(n_series), p.n_volumes, len(TERMS) - len(left_out))
    wanted = designs.events_in(events)
    designs.check_room(wanted, p.n_volumes * p.tr)
    conditions, times = designs.conditions_of(wanted), terms.seen_times(p)
    courses = designs.regressors(wanted, p.response, times)
    size = designs.read_effects(effects, conditions, n_series, EFFECT)
    percent, correlation = size.T @ courses, None
    if connectivity is not None:
        spontaneous, correlation = fluctuations(connectivity, n_series, p, rng=streams.at("fluctuations").rng())
        percent = percent + spontaneous
    clean = p.baseline * (1 + percent / 100)
    noise = _noise(clean, p, left_out, streams)
    observed = frozen(clean + sum(noise.values()))
    held = MappingProxyType({name: frozen(term) for name, term in noise.items()})
    return Series(
        observed, frozen(clean), held, frozen(times), conditions, frozen(courses), frozen(size),
        None if correlation is None else frozen(correlation), lag1_of(p, left_out), p, seed, wanted,
    )  # fmt: skip


def _check_memory(n_series: int, n_volumes: int, n_terms: int) -> None:
    """Refuse what would not fit into memory."""
    needed = (n_terms + WORKING) * n_series * n_volumes * np.dtype(np.float64).itemsize
    memory = memory_bytes()
    if memory is not None and needed > MOST_OF_MEMORY * memory:
        raise InputError(
            f"`n_series`: {n_series} series of {n_volumes} volumes take {needed / 1e9:.3g} GB while they are made; this machine has "
            f"{memory / 1e9:.3g} GB; make fewer of them at a time",
            value=n_series,
        )


def check_off(off: str | Iterable[str]) -> frozenset[str]:
    """Return the names of the terms to leave out after having looked at them."""
    names = frozenset((off,) if isinstance(off, str) else off)
    for name in sorted(names, key=str):
        if name not in TERMS:
            raise UnknownNameError(f"`off`: no term is called '{name}'{did_you_mean(str(name), TERMS)}", value=name)
    return names


def lag1_of(p: SeriesParameters, left_out: frozenset[str]) -> float:
    """Return the autocorrelation from volume to volume of autoregressive and thermal noise together."""
    memory = 0.0 if "autoregressive" in left_out else p.lambda_grey**2
    power = memory + (0.0 if "thermal" in left_out else p.snr**-2)
    return float(terms.autocorrelations(p.coefficients, 1)[1] * memory / power) if power else 0.0


def _noise(clean: Array, p: SeriesParameters, left_out: frozenset[str], streams: Streams) -> dict[str, Array]:
    """Make each term from its own stream, in the order of `TERMS`."""
    n, n_volumes = clean.shape
    makers = {
        "autoregressive": lambda rng: p.lambda_grey * _autoregressive(p, rng.standard_normal((n_volumes, n))),
        "drift": lambda rng: p.drift_percent / 100 * _drift(p, n, rng),
        "cardiac": lambda rng: p.cardiac_percent / 100 * _cycle("cardiac_phase", n, p, streams, rng),
        "respiratory": lambda rng: p.respiratory_percent / 100 * _cycle("respiratory_phase", n, p, streams, rng),
        "thermal": lambda rng: rng.standard_normal((n, n_volumes)) / p.snr,
    }
    noise = {name: p.baseline * make(streams.at(name).rng()) for name, make in makers.items() if name not in left_out}
    if p.noise != "gaussian" and not {"thermal", "magnitude"} & left_out:
        signal = clean + sum(noise.values())
        noise["magnitude"] = terms.magnitude(signal, p.baseline / p.snr, p, rng=streams.at("magnitude").rng())
    return noise


def _autoregressive(p: SeriesParameters, innovations: Array) -> Array:
    return np.ascontiguousarray(terms.autoregression(p.coefficients, innovations).T)


def _drift(p: SeriesParameters, n: int, rng: np.random.Generator) -> Array:
    courses = terms.drift_courses(p.n_volumes, p.tr)
    return rng.standard_normal((n, courses.shape[1])) @ courses.T


def _cycle(phase: str, n: int, p: SeriesParameters, streams: Streams, rng: np.random.Generator) -> Array:
    """Pulse or breathing, at the same beats in every series, each with lags of its own."""
    beats = terms.body(p, streams.at("body"))
    courses = terms.harmonics(getattr(beats, phase)(terms.seen_times(p)))
    return np.asarray(terms.lagged(2 * np.pi * rng.random((2, n))).T @ courses)
