"""Volumes before the steady state: the first excitations meet more magnetisation than all later ones.

Longitudinal magnetisation from excitation to excitation, at rest 1 (flip angle a, time dt between them):

    gradient echo    M' = 1 - (1 - M cos a) exp(-dt / T1)
    spin echo        M' = 1 - (2 - exp(-TE / 2 T1)) exp(-(dt - TE / 2) / T1)

The scanner drops the first ``dummy_scans``; what is left above the steady state goes with (cos a exp(-TR / T1))^n, slowest in fluid.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.bold import field
from fakeimaging.modalities.bold.parameters import BoldParameters
from fakeimaging.modalities.bold.shares import shares
from fakeimaging.modalities.layers import Forward, Recipe, Stage

BRIGHT = 0.01
"""Excess of grey matter above which a volume counts as not steady (assumed)."""
INVISIBLE = 1e-4
"""Excess below which a volume is left as it is."""


def excited_again(m: float, interval: npt.ArrayLike, t1: float, p: BoldParameters) -> npt.NDArray[np.float64]:
    """Return the magnetisation at an excitation ``interval`` s after one that met ``m``, relative to that at rest."""
    dt = np.asarray(interval, dtype=float)
    if p.sequence == "spin_echo":
        half = p.echo_time / 2
        return np.asarray(1 - (2 - math.exp(-half / t1)) * np.exp(-np.maximum(dt - half, 0) / t1))
    return np.asarray(1 - (1 - m * math.cos(math.radians(p.flip_angle))) * np.exp(-dt / t1))


def kept(t1: float, p: BoldParameters) -> float:
    """Return the share of a change of magnetisation that is left one repetition later."""
    angle = math.pi / 2 if p.sequence == "spin_echo" else math.radians(p.flip_angle)
    return math.cos(angle) * math.exp(-p.tr / t1)


def settled(t1: float, p: BoldParameters) -> float:
    """Return the magnetisation that every excitation meets in the steady state.

    Examples
    --------
    >>> round(settled(1.331, BoldParameters()), 3)
    0.832
    """
    fresh = float(excited_again(0.0, p.tr, t1, p))
    return fresh / (1 - kept(t1, p)) if p.sequence == "gradient_echo" else fresh


def excess(t1: float, p: BoldParameters, v: int) -> float:
    """Return how much brighter a tissue is in volume ``v`` than in the steady state, relative to that."""
    return (1 / settled(t1, p) - 1) * kept_after(p.dummy_scans + v, t1, p)


def kept_after(n: int, t1: float, p: BoldParameters) -> float:
    """Return what ``n`` repetitions leave of a change."""
    if p.sequence == "spin_echo":
        return float(n == 0)
    return kept(t1, p) ** n


def unsteady_volumes(p: BoldParameters, n_volumes: int) -> tuple[int, ...]:
    """Return the volumes whose grey matter is brighter than in the steady state by more than `BRIGHT`.

    Examples
    --------
    >>> unsteady_volumes(BoldParameters(dummy_scans=0), 100)
    (0, 1)
    """
    t1 = field.fields()[p.field_strength].tissues["grey"].t1
    return tuple(v for v in range(n_volumes) if excess(t1, p, v) > BRIGHT)


def _draw(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    n_volumes = forward.clean.n_volumes
    return {"dummy_scans": parameters.dummy_scans, "volumes": np.array(unsteady_volumes(parameters, n_volumes), int)}


def _act(image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray:
    p, tissues = forward.context["parameters"], _tissues(forward.context["parameters"].field_strength)
    more = {name: excess(t1, p, v) for name, t1 in tissues.items()}
    if max(more.values()) < INVISIBLE:
        return image
    factor = np.ones(image.shape, dtype=np.float32)
    for name, share in shares(forward).items():
        factor += np.float32(more[name]) * share
    return image * factor


@lru_cache(maxsize=4)
def _tissues(field_strength: float) -> dict[str, float]:
    return {name: tissue.t1 for name, tissue in field.fields()[field_strength].tissues.items()}


STEADY_STATE = Stage("steady_state", "operator", _draw, _act)
"""The first volumes are brighter; needs ``parameters.dummy_scans`` and the context ``parameters``, ``maps``, ``tissue``."""
