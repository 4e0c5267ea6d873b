"""Which time steps fit the taps of a model: a sample is the mean over a whole number of steps."""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.model import Model
from fakeimaging.core.errors import ModelError

WHOLE = 1e-6
"""How near a whole number of steps a tap's interval must be, relative to it."""
MOST_TRIED = 10_000
"""Numbers of steps in the fastest tap's interval that are tried."""


def intervals(model: Model, step: float) -> tuple[npt.NDArray[np.int64], float]:
    """Return the steps in a sample of each tap, and the step made exact so that they are whole.

    Raises
    ------
    ModelError
        If the step does not divide the interval of a tap.
    """
    counts = {name: 1 / (tap.rate * step) for name, tap in model.observables.items()}
    for name, count in counts.items():
        if count < 1 - WHOLE or not _whole(count):
            raise ModelError(f"model {model.name}: {_misfit(model, name, step)}", value=step)
    name = min(counts, key=lambda name: counts[name])
    exact = 1 / (model.observables[name].rate * round(counts[name]))
    return np.array([round(count) for count in counts.values()], dtype=np.int64), exact


def fitting(model: Model, step: float, *, longer: bool = False) -> float | None:
    """Return the nearest step that divides the interval of every tap, in s; None when none is found.

    Parameters
    ----------
    model : Model
    step : float
        Seconds.
    longer : bool
        Whether to look among the steps of at least ``step``, and not among those of at most that.

    Examples
    --------
    >>> from fakeimaging import MODELS
    >>> model = MODELS.get("linear")
    >>> [tap.rate for tap in model.observables.values()], fitting(model, 0.003), fitting(model, 0.003, longer=True)
    ([100.0, 250.0], 0.002, None)
    """
    rates = [tap.rate for tap in model.observables.values()]
    if not rates:
        return step
    fastest = max(rates)
    count = 1 / (fastest * step)
    start = math.floor(count * (1 + 1e-9)) if longer else max(1, math.ceil(count * (1 - 1e-9)))
    tried = range(start, 0, -1) if longer else range(start, start + MOST_TRIED)
    for k in islice(tried, MOST_TRIED):
        if all(_whole(k * fastest / rate, 1e-9) for rate in rates):
            return 1 / (fastest * k)
    return None


def _whole(count: float, tolerance: float = WHOLE) -> bool:
    return math.isclose(count, round(count), rel_tol=tolerance)


def _misfit(model: Model, name: str, step: float) -> str:
    """Say why a step does not fit a tap, and what would."""
    rate, shorter, longer = model.observables[name].rate, fitting(model, step), fitting(model, step, longer=True)
    near = [f"{found:.8g} s" for found in (shorter, longer) if found is not None]
    advice = (
        f"the nearest that fit all taps: {' and '.join(near)}" if near else "no step fits all taps: change their rates"
    )
    if rate * step > 1 + WHOLE:
        return (
            f"tap '{name}' has a rate of {rate:g} Hz, above the {1 / step:g} Hz of a step of {step:g} s; "
            f"lower that rate in `taps`, or take another step ({advice})"
        )
    return f"a step of {step:g} s does not divide the interval of tap '{name}', 1/{rate:g} s; {advice}"
