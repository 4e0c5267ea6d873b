"""Uptake without a model: activity over injected activity per weight, and over that of a reference region late in a scan.

Frames are averaged with the counts a constant activity would give, which is what one long frame over all of them holds.
"""

from __future__ import annotations

import numpy as np

from fakeimaging.core.errors import InputError
from fakeimaging.scoring.kinetics.timing import Array, Timing


def suv(curves: Array, injected: float, weight: float) -> Array:
    """Return standardised uptake values in g/mL.

    Parameters
    ----------
    curves : ndarray
        Bq/mL, decay-corrected to injection.
    injected : float
        MBq.
    weight : float
        Of the body in kg.

    Examples
    --------
    >>> suv(np.array([5000.0]), 350.0, 70.0)
    array([1.])
    """
    return np.asarray(curves) * (weight * 1e3) / (injected * 1e6)


def window_mean(curves: Array, timing: Timing, window: tuple[float, float]) -> Array:
    """Return the mean over the frames that lie in a window (start and end in min), shape (n,): what one frame of that length holds.

    Raises
    ------
    InputError
        If no frame lies in it.
    """
    inside = (timing.starts >= window[0] - 1e-6) & (timing.ends <= window[1] + 1e-6)
    if not inside.any():
        raise InputError(f"no frame lies between {window[0]:g} and {window[1]:g} min after injection", value=window)
    return np.asarray(np.asarray(curves)[..., inside] @ timing.weights[inside] / timing.weights[inside].sum())


def suvr(curves: Array, reference: Array, timing: Timing, window: tuple[float, float]) -> Array:
    """Return the uptake ratio of each curve to the reference region over a window (start and end in min), shape (n,).

    Parameters
    ----------
    curves : ndarray, shape (n, n_frames)
    reference : ndarray, shape (n_frames,)
    timing : Timing
    window : (start, end)
        Minutes after injection; frames that lie in it count.

    Notes
    -----
    At transient equilibrium plasma still falls and tissue lags behind it, so the ratio is above VT over that of the reference region, and
    changes with blood flow and clearance (Carson et al. 1993).
    """
    return window_mean(curves, timing, window) / window_mean(reference, timing, window)
