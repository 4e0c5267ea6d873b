"""The simplified reference tissue model: binding potential without blood.

    C = R1 CR + (k2 - R1 k2a) CR * exp(-k2a t),   k2a = k2 / (1 + BPND),   k2' = k2 / R1

by basis functions (Gunn et al. 1997: linear in R1 and k2 for each k2a), with k2' fixed (SRTM2, Wu and Carson 2002), or by non-linear least
squares (Lammertsma and Hume 1996). Curves are weighted by inverse variance.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fakeimaging.scoring.kinetics.fitting import descend, rate_fit
from fakeimaging.scoring.kinetics.panels import panels, through
from fakeimaging.scoring.kinetics.timing import Array, Timing

FASTEST, SLOWEST, N_BASIS = 0.6, 0.006, 100
"""1/min: range of the apparent washout k2a tried (Gunn et al. 1997), and how many values."""
LOW, HIGH = np.array([0.0, 0.0, -0.9]), np.array([10.0, 5.0, 100.0])
"""Bounds of R1, k2 (1/min) and BPND (assumed)."""


def reference_tissue_fit(
    curves: Array, reference: Array, timing: Timing, *, k2_reference: float | None = None
) -> tuple[Array, Array, Array]:
    """Fit the simplified reference tissue model by basis functions.

    Parameters
    ----------
    curves : ndarray, shape (n, n_frames)
    reference : ndarray, shape (n_frames,)
        Curve of a region without specific binding, from injection on.
    timing : Timing
    k2_reference : float, optional
        k2' in 1/min that all regions share (SRTM2); each has its own when left out.

    Returns
    -------
    bpnd, R1, k2 : ndarray, shape (n,)
        Binding potential, relative delivery, washout in 1/min. NaN for a curve that is not finite.

    References
    ----------
    Gunn, Lammertsma, Hume and Cunningham (1997), doi:10.1006/nimg.1997.0303; Wu and Carson (2002), doi:10.1097/01.WCB.0000033967.83623.34
    """
    results = np.full((3, len(curves)), np.nan)
    known = np.isfinite(curves).all(axis=1)
    if not known.any():
        return results[0], results[1], results[2]
    data, convolved = np.asarray(curves)[known], _convolution(reference, timing)
    weights, rates = timing.inverse_variance(data.mean(axis=0)), np.geomspace(SLOWEST, FASTEST, N_BASIS)

    def designs(rates: Array) -> Array:
        carried = convolved(rates)
        if k2_reference is None:
            return np.stack([np.broadcast_to(reference, carried.shape), carried], axis=-1)
        return np.asarray((reference + (k2_reference - rates[:, None]) * carried)[..., None])

    found, rate = rate_fit(data, weights, designs, rates)
    R1 = found[:, 0]
    k2 = found[:, 1] + R1 * rate if k2_reference is None else R1 * k2_reference
    results[:, known] = k2 / rate - 1, R1, k2
    return results[0], results[1], results[2]


def reference_tissue_descent(curves: Array, reference: Array, timing: Timing) -> tuple[Array, Array, Array]:
    """Fit the simplified reference tissue model by non-linear least squares, from where the basis functions lead.

    Takes and returns what `reference_tissue_fit` does.

    References
    ----------
    Lammertsma and Hume (1996), doi:10.1006/nimg.1996.0066
    """
    bpnd, R1, k2 = reference_tissue_fit(curves, reference, timing)
    known = np.isfinite(bpnd)
    data, convolved = np.asarray(curves)[known], _convolution(reference, timing)

    def model(constants: Array) -> Array:
        R1, k2, bpnd = constants.T[..., None]
        slow = k2 / (1 + bpnd)
        return np.asarray(R1 * reference + (k2 - R1 * slow) * convolved(slow[:, 0]))

    start = np.stack([R1, k2, bpnd], axis=1)[known]
    found, _ = descend(model, data, timing.inverse_variance(data.mean(axis=0)), start, LOW, HIGH)
    R1[known], k2[known], bpnd[known] = found.T
    return bpnd, R1, k2


def _convolution(reference: Array, timing: Timing) -> Callable[[Array], Array]:
    """Return what gives the frame means of the reference curve convolved with exp(-rate t), shape (n, n_frames), for rates (n,)."""
    at = panels(timing)
    driving = through(reference, timing, at)
    return lambda rates: at.mean(at.convolved(driving, rates))
