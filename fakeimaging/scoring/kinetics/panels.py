"""Integrals of curves and their means over frames, so that no analysis has to pretend that a frame is a moment.

A frame holds the decay-weighted mean of a curve. Every equation of kinetic analysis that is linear in the curve and its integrals holds for
such means too, so here both sides are averaged over each frame with the same weights, and no time in the middle of a frame is needed. What
frames do not say is the course of the curve inside them: a cubic spline through the running sum of counts, whose increments are the data,
gives it. It is linear in the data, so noise does not bias it. Its integral is right within 0.005 % for the usual framings, where steps
and trapezoids through the middles of frames are wrong by up to 0.4 %.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.scoring.kinetics.timing import Array, Timing

ORDER = 5
"""Points of Gauss and Legendre in a panel: what is smooth over it is integrated to 1e-9."""
EARLY, FINE, COARSE = 6.0, 0.125, 0.5
"""Minutes: no panel before `EARLY` is longer than `FINE`, none after it than `COARSE`."""
LATEST = 1.0
"""Minutes after injection at which the first frame starts at the latest, where the past of a curve is needed."""
LEAST_FRAMES = 4
"""Fewest frames whose sum of counts a cubic spline follows."""


@dataclass(frozen=True, eq=False)
class Panels:
    """Points in time between injection and the end of the last frame at which curves are known.

    Parameters
    ----------
    times : ndarray, shape (n_points,)
        min; `ORDER` points in each panel.
    lengths : ndarray, shape (n_panels,)
        min.
    weights : ndarray, shape (n_points,)
        Of each point in the mean over its frame, 0 outside every frame.
    first : ndarray, shape (n_frames,)
        The point with which each frame begins.
    """

    times: Array
    lengths: Array
    weights: Array
    first: npt.NDArray[np.intp]

    def mean(self, values: Array) -> Array:
        """Return the decay-weighted mean over each frame, shape (..., n_frames), of values of shape (..., n_points)."""
        return np.asarray(np.add.reduceat(values * self.weights, self.first, axis=-1))

    def area(self, values: Array) -> Array:
        """Return the integral from injection to each point, of the shape of ``values``."""
        nodes, whole = _rule()
        split = values.reshape(*values.shape[:-1], -1, ORDER)
        half = self.lengths / 2
        before = np.cumsum(half * (split @ whole), axis=-1) - half * (split @ whole)
        return np.asarray(before[..., None] + half[:, None] * (split @ nodes.T)).reshape(values.shape)

    def convolved(self, values: Array, rates: Array) -> Array:
        """Return values convolved with exp(-rate t).

        Parameters
        ----------
        values : ndarray, shape (n_points,) or (n, n_points)
        rates : ndarray, shape (n,)
            1/min.

        Returns
        -------
        ndarray, shape (n, n_points)
        """
        nodes, whole = _rule()
        half, since = self.lengths / 2, self._since
        rates = np.asarray(rates, dtype=float)[:, None]
        falling = np.exp(-rates[..., None] * since)
        grown = values.reshape(-1, len(half), ORDER) / falling
        gained, left = half * (grown @ whole), np.exp(-rates * self.lengths)
        carried = np.zeros((len(rates), len(half)))
        for k in range(1, len(half)):
            carried[:, k] = (carried[:, k - 1] + gained[:, k - 1]) * left[:, k - 1]
        return np.asarray(falling * (carried[..., None] + half[:, None] * (grown @ nodes.T))).reshape(len(rates), -1)

    @property
    def _since(self) -> Array:
        points, _ = np.polynomial.legendre.leggauss(ORDER)
        return np.asarray(self.lengths[:, None] * (points + 1) / 2)


@lru_cache(maxsize=1)
def _rule() -> tuple[Array, Array]:
    """Return what integrates a polynomial known at the points over [-1, 1]: up to each point, and as a whole."""
    points, whole = np.polynomial.legendre.leggauss(ORDER)
    powers = np.arange(ORDER)
    upto = (points[:, None] ** (powers + 1) - (-1.0) ** (powers + 1)) / (powers + 1)
    return np.asarray(upto @ np.linalg.inv(points[:, None] ** powers)), whole


def panels(timing: Timing, breaks: Iterable[float] = ()) -> Panels:
    """Return panels between injection, the edges of frames, and ``breaks`` (min), at which a curve may have a kink.

    Raises
    ------
    InputError
        If frames overlap or have no length.
    """
    if (timing.ends <= timing.starts).any() or (timing.starts[1:] < timing.ends[:-1] - 1e-6).any():
        raise InputError("frames overlap, or have no length", value=timing.starts)
    end = float(timing.ends[-1])
    sharp = np.array([0.0, *timing.starts, *timing.ends, *(b for b in breaks if 0 < b < end)])
    edges = _split(np.unique(np.round(sharp, 9)))
    lengths, middles = np.diff(edges), (edges[1:] + edges[:-1]) / 2
    points, whole = np.polynomial.legendre.leggauss(ORDER)
    times = (edges[:-1, None] + lengths[:, None] * (points + 1) / 2).ravel()
    frame = np.searchsorted(timing.starts, middles, side="right") - 1
    inside = (frame >= 0) & (middles < timing.ends[np.maximum(frame, 0)])
    weights = (np.where(inside, lengths, 0.0)[:, None] * whole).ravel() * np.exp(-timing.decay * times)
    first = ORDER * np.searchsorted(middles, timing.starts)
    sums = np.add.reduceat(weights, first)
    return Panels(times, lengths, weights / sums[np.repeat(np.maximum(frame, 0), ORDER)], first)


def _split(edges: Array) -> Array:
    """Divide what lies between edges so that no panel is too long."""
    parts = [
        np.linspace(start, end, 1 + int(np.ceil((end - start) / (FINE if start < EARLY else COARSE) - 1e-9)))[:-1]
        for start, end in zip(edges[:-1], edges[1:], strict=True)
    ]
    return np.concatenate([*parts, edges[-1:]])


def through(curves: Array, timing: Timing, at: Panels) -> Array:
    """Return curves at the points of panels, such that their means over frames are the data.

    Parameters
    ----------
    curves : ndarray, shape (n, n_frames) or (n_frames,)
        Frame means, decay-corrected.
    timing : Timing
    at : Panels

    Returns
    -------
    ndarray, shape (n, n_points) or (n_points,)
        What a gap between frames hides is taken from both sides of it.

    Raises
    ------
    InputError
        If the frames are fewer than four, or do not begin at injection.
    """
    from scipy.interpolate import CubicSpline

    edges, means = _without_gaps(np.asarray(curves, dtype=float), timing)
    whole = Timing(edges[:-1], edges[1:], timing.decay)
    counts = np.cumsum(means * whole.weights, axis=-1)
    summed = np.concatenate([np.zeros((*counts.shape[:-1], 1)), counts], axis=-1)
    nothing_yet = (1, np.zeros(counts.shape[:-1]))
    spline = CubicSpline(edges, summed, axis=-1, bc_type=(nothing_yet, "not-a-knot"))
    return np.asarray(spline(at.times, 1) * np.exp(timing.decay * at.times))


def _without_gaps(curves: Array, timing: Timing) -> tuple[Array, Array]:
    """Return edges of frames without a gap from injection on, and the means over them."""
    if timing.starts[0] > LATEST + 1e-9:
        raise InputError(
            f"the first frame starts {timing.starts[0]:g} min after injection, and this needs the curve from injection on",
            value=timing.starts[0],
        )
    if len(timing.starts) < LEAST_FRAMES:
        raise InputError(f"a curve needs {LEAST_FRAMES} frames; there are {len(timing.starts)}", value=timing.starts)
    ends = np.concatenate([[min(0.0, timing.starts[0])], timing.ends])
    edges, means = [ends[0]], []
    for frame, start in enumerate(timing.starts):
        if start > edges[-1] + 1e-6:
            before = curves[..., frame - 1] if frame else np.zeros(curves.shape[:-1])
            means.append((before + curves[..., frame]) / 2)
            edges.append(start)
        means.append(curves[..., frame])
        edges.append(timing.ends[frame])
    return np.array(edges), np.stack(means, axis=-1)
