"""Whether a time step is short enough: no mode that dies out in the equations may grow in the scheme.

Near the start, the eigenvalues l of a region's Jacobian, with the network pulling either way as hard as its weights can, are put into
the scheme's factor for one step, R(h l): 1 + z for euler, 1 + z + z^2 / 2 for heun, the exponential series to z^4 for rk4 (Hairer &
Wanner 1996, doi:10.1007/978-3-642-05221-7). A decay that takes exact steps enters as such a step makes it, a rotating pair not at all;
of the network only modes in which all regions move together, or against each other, are looked at. Far from the start a model may
still be faster: a run that grows without bound is stopped by the engine.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.method import Kernel, first_sent, initial_states
from fakeimaging.activity.model import STIMULUS, Model, Scheme, Setup
from fakeimaging.activity.steps import fitting
from fakeimaging.core.errors import ModelError

TERMS: dict[Scheme, int] = {"euler": 1, "heun": 2, "rk4": 4}
"""Terms of the exponential series in a step's factor."""
MOST_REGIONS = 16
"""Regions that are looked at: of more, evenly spaced ones and those with the extremes of a parameter (assumed to be enough)."""
SLACK = 1e-6
"""Growth a step that is left alone may have, and damping relative to the eigenvalue that is taken for none."""
SIZES = (1e-6, 1e-5)
"""Distances over which slopes are taken, relative to the value where that is above 1."""

Numbers = npt.NDArray[np.float64]
Values = Mapping[str, float]


def check_step(kernel: Kernel, setup: Setup, step: float) -> None:
    """Refuse a step at which a decaying mode of some region would grow.

    Raises
    ------
    ModelError
        With the region, its eigenvalue and the longest step that would do.
    """
    scheme, model = kernel.method.scheme, kernel.model
    for region, modes in _modes(kernel, setup, step):
        fading = modes[modes.real < -SLACK * np.abs(modes)]
        grows = fading[growth(fading * step, scheme) > 1 + SLACK]
        if not len(grows):
            continue
        worst = grows[growth(grows * step, scheme).argmax()]
        raise ModelError(
            f"model {model.name}: a step of {step:g} s is too long for '{scheme}': region {region + 1} has a mode that decays "
            f"within {-1 / worst.real:.3g} s (eigenvalue {worst.real:.4g} {worst.imag:+.4g}i per s) and would grow; "
            f"take at most {_advised(model, longest(fading, scheme, step))}",
            value=step,
        )


def growth(z: npt.NDArray, scheme: Scheme) -> Numbers:
    """Return the size of a scheme's factor for one step, of modes with these z = step times eigenvalue.

    Examples
    --------
    >>> growth(np.array([-2.1, -1.9, 0.5j]), "euler").round(3)
    array([1.1  , 0.9  , 1.118])
    """
    return np.asarray(np.abs(sum(z**k / math.factorial(k) for k in range(TERMS[scheme] + 1))))


def longest(modes: npt.NDArray, scheme: Scheme, step: float) -> float:
    """Return the longest step, at most ``step``, at which none of these decaying modes grows."""
    low, high = 0.0, step
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if (growth(modes * middle, scheme) <= 1 + SLACK).all() else (low, middle)
    return low


def _advised(model: Model, step: float) -> str:
    """Return the longest step up to this one that a user may ask for: it divides the intervals of all taps, too."""
    found = fitting(model, step)
    return f"{step:.2g} s" if found is None else f"{found:.8g} s"


def _modes(kernel: Kernel, setup: Setup, step: float) -> list[tuple[int, npt.NDArray]]:
    """Return the eigenvalues of some regions near the start, in 1/s, as one step of this length sees them."""
    n, model = len(setup.coupling), kernel.model
    strength = float(np.abs(setup.coupling).sum(axis=1).max(initial=0.0))
    state = initial_states(model, setup)
    found: list[tuple[int, npt.NDArray]] = []
    try:
        arriving = setup.coupling @ first_sent(kernel, state[:, :, None], kernel.params[:, :, None])[:, :, 0].T
    except (ArithmeticError, ValueError):
        return found
    names = (*model.states, *kernel.names, *(f"coupled_{name}" for name in model.signals))
    rows = np.concatenate([state, kernel.params, arriving.T])
    for region in _looked_at(kernel.params, n):
        given = dict(zip(names, rows[:, region].tolist(), strict=True)) | {STIMULUS: 0.0}
        try:
            own, pulled = _jacobians(kernel, given, step)
        except (ArithmeticError, ValueError, TypeError):  # the last: beside the start a power is no real number
            continue
        both = [own + pull * pulled for pull in (-strength, 0.0, strength)]
        if all(np.isfinite(matrix).all() for matrix in both):
            found.append((region, np.concatenate([np.linalg.eigvals(matrix) for matrix in both])))
    return found


def _looked_at(params: Numbers, n: int) -> list[int]:
    """Return evenly spaced regions, and those where a parameter is smallest or largest."""
    spaced = np.linspace(0, n - 1, min(n, MOST_REGIONS)).astype(int)
    return np.unique([*spaced, *params.argmin(axis=1), *params.argmax(axis=1)]).tolist()


def _sent(model: Model, name: str, given: Values) -> float:
    function = model.sent.get(name)
    return given[name] if function is None else function(*(given[key] for key in _arguments(function)))


@lru_cache(maxsize=256)
def _arguments(function: Callable[..., object]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def _jacobians(kernel: Kernel, given: Values, step: float) -> tuple[Numbers, Numbers]:
    """Return the Jacobian of a region, and that of what comes through the network if all regions moved as it does, per unit of weight."""
    model = kernel.model

    def drift(values: Values) -> Numbers:
        return np.array(model.drift(*(values[name] for name in _arguments(model.drift))), dtype=float)

    def slope(function: Callable[[Values], Any], name: str) -> Numbers:
        return slope_of(lambda value: np.asarray(function({**given, name: value})), given[name])

    own = np.stack([slope(drift, state) for state in model.states], axis=1)
    pulled = np.zeros_like(own)
    for name in model.signals:
        arriving = slope(drift, f"coupled_{name}")
        sender = partial(_sent, model, name)
        sending = [slope(sender, state) for state in model.states]
        pulled += np.outer(arriving, sending)
    if kernel.method.scheme != "euler":
        return own + _linear(model, given), pulled
    for state, rate in model.decays.items():
        row, share = model.states.index(state), given[rate] * step
        own[row, row] -= given[rate]
        for matrix in (own, pulled):
            matrix[row] *= -math.expm1(-share) / share if share else 1.0
    return own, pulled


def slope_of(function: Callable[[float], Numbers], at: float) -> Numbers:
    """Return the slope of each result of a function, a jump at or beside ``at`` left out: it decays nothing.

    Over a distance s, a jump of J looks like a slope of J / s. Of three stretches side by side it lies in one, and the other two
    agree: their median holds.

    Examples
    --------
    >>> slope_of(lambda x: np.array([-3.0 * x - (1.0 if x > 0 else -1.0)]), 0.0).round(6)
    array([-3.])
    """
    near, far = (size * max(1.0, abs(at)) for size in SIZES)
    low, lower, higher, high = (function(at + shift) for shift in (-far, -near, near, far))
    beside = far - near
    return np.asarray(
        np.median([(lower - low) / beside, (higher - lower) / (2 * near), (high - higher) / beside], axis=0)
    )


def _linear(model: Model, given: Values) -> Numbers:
    """Return the Jacobian of the linear parts, which only euler takes in exact steps."""
    matrix, row = np.zeros((len(model.states), len(model.states))), model.states.index
    for state, rate in model.decays.items():
        matrix[row(state), row(state)] -= given[rate]
    for pair in model.rotating:
        x, y = row(pair.real), row(pair.imaginary)
        matrix[[x, y], [x, y]] += given[pair.growth]
        matrix[y, x] += given[pair.frequency]
        matrix[x, y] -= given[pair.frequency]
    return matrix
