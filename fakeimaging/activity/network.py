"""The wires of a simulation as arrays a kernel reads: packed weights where nothing is delayed, lists of edges and a past where it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

BLOCK, ROWS = 4, 3
"""Registers of targets, and targets side by side, that a pass sums (`simd.sums`)."""
LANES = {"float32": 8, "float64": 4}
"""Numbers in a register (`simd.vectors`)."""


@dataclass(frozen=True)
class Layout:
    """Where cells lie.

    Parameters
    ----------
    n : int
        Regions.
    n_sims : int
        Simulations side by side; a multiple of two registers, or 1.
    precision : {"float32", "float64"}
    """

    n: int
    n_sims: int
    precision: str

    @property
    def lane(self) -> int:
        """Numbers in a register."""
        return LANES[self.precision]

    @property
    def room(self) -> int:
        """Cells in a row, padding included."""
        if self.n_sims > 1:
            return -(-self.n // (2 * ROWS)) * 2 * ROWS * self.n_sims
        return -(-self.n // (BLOCK * self.lane)) * BLOCK * self.lane

    def cells(self, values: npt.NDArray) -> npt.NDArray:
        """Return values of shape (rows, n, simulations) as rows of cells; padding repeats the last."""
        if not len(values):
            return np.zeros((0, self.room), dtype=values.dtype)
        more = self.n_sims - values.shape[2]
        flat = np.pad(values, ((0, 0), (0, 0), (0, more)), mode="edge").reshape(len(values), -1)
        return np.ascontiguousarray(np.pad(flat, ((0, 0), (0, self.room - flat.shape[1])), mode="edge"))


@dataclass(frozen=True, eq=False)
class Edges:
    """Edges of a network with their delays in whole steps, sorted by target.

    Parameters
    ----------
    target, source, lag : ndarray of int64
    weight : ndarray of float64
    """

    target: npt.NDArray[np.int64]
    source: npt.NDArray[np.int64]
    lag: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float64]

    def among(self, chosen: npt.NDArray) -> Edges:
        """Return the chosen edges, in the order of their numbers."""
        return Edges(self.target[chosen], self.source[chosen], self.lag[chosen], self.weight[chosen])

    def by_source(self) -> Edges:
        """Return the edges sorted by source, targets in order."""
        return self.among(np.lexsort((self.target, self.source)))


def edges_of(
    coupling: npt.NDArray[np.float64], delays: npt.NDArray[np.float64], step: float, *, interpolate: bool
) -> Edges:
    """Return the edges of a network.

    Parameters
    ----------
    coupling, delays : ndarray, shape (n_regions, n_regions)
        Row receives; delays in s.
    step : float
        Seconds.
    interpolate : bool
        Share an edge between the whole steps before and after its delay, instead of rounding.
    """
    target, source = np.nonzero(coupling)
    weight, steps = coupling[target, source], delays[target, source] / step
    if not interpolate:
        return Edges(target, source, np.rint(steps).astype(np.int64), weight)
    before = np.floor(steps + 1e-9).astype(np.int64)
    share = np.clip(steps - before, 0, 1)
    parts = ((target, target), (source, source), (before, before + 1), (weight * (1 - share), weight * share))
    targets, sources, lags, weights = (np.stack(pair, axis=1).ravel() for pair in parts)
    both = Edges(targets, sources, lags.astype(np.int64), weights.astype(np.float64))
    return both.among(both.weight != 0)


def packed(coupling: npt.NDArray[np.float64], layout: Layout) -> npt.NDArray:
    """Return dense weights in the order in which `simd.sums.weigh`, or `weigh_side_by_side`, reads them."""
    n = layout.n
    if layout.n_sims > 1:
        blocks = -(-n // ROWS)
        rows = np.zeros((blocks * ROWS, n + n % 2), dtype=layout.precision)
        rows[:n, :n] = coupling
        return np.ascontiguousarray(rows.reshape(blocks, ROWS, -1).transpose(0, 2, 1)).ravel()
    width = BLOCK * layout.lane
    columns = np.zeros((n + n % 2, layout.room), dtype=layout.precision)
    columns[:n, :n] = coupling.T
    return np.ascontiguousarray(columns.reshape(len(columns), -1, width).transpose(1, 0, 2)).ravel()


@dataclass(frozen=True, eq=False)
class Wiring:
    """What a kernel reads of a network, and the past it starts from.

    Parameters
    ----------
    delayed : bool
    wires : tuple of ndarray
    sent : ndarray
        Rows of what was sent lately, or now; flat.
    past : tuple
        History and room for sums, with delays; else an empty array.
    """

    delayed: bool
    wires: tuple[Any, ...]
    sent: npt.NDArray
    past: tuple[Any, ...]


def wired(
    coupling: npt.NDArray[np.float64], edges: Edges, layout: Layout, first_sent: npt.NDArray, *, n_stages: int
) -> Wiring:
    """Return the wires and a constant past.

    Parameters
    ----------
    coupling : ndarray, shape (n_regions, n_regions)
    edges : Edges
    layout : Layout
    first_sent : ndarray, shape (n_signals, room)
        What is sent at the start, and was before.
    n_stages : int
        Of the scheme.
    """
    nothing = (np.zeros(0, dtype=layout.precision),)
    if not edges.lag.any() or not len(first_sent):
        dense = packed(coupling, layout) if len(first_sent) else nothing[0]
        return Wiring(False, (dense,), np.ascontiguousarray(first_sent).ravel(), nothing)
    ahead = int(n_stages > 1)
    at_once = edges.among(edges.lag < ahead)
    later = edges.among(edges.lag >= ahead)
    now = (at_once.target, at_once.source, at_once.weight.astype(layout.precision))
    return _with_a_past(later, now, layout, first_sent, layout.lane + ahead)


def _listed(edges: Edges, layout: Layout) -> tuple[npt.NDArray, ...]:
    return edges.target, edges.source, edges.weight.astype(layout.precision), edges.lag


def _with_a_past(edges: Edges, now: tuple[Any, ...], layout: Layout, first_sent: npt.NDArray, long: int) -> Wiring:
    """Wires with delays: those of at least ``long`` steps are read a register of steps at a time."""
    lane, n, n_signals = layout.lane, layout.n, len(first_sent)
    slow = edges.among(edges.lag >= long).by_source()
    length = -(-(int(edges.lag.max()) + lane + 2) // lane) * lane
    stride = 2 * length + lane * (1 + length // lane % 2)
    history = np.repeat(first_sent[:, :n], stride, axis=1).ravel()
    summed = np.zeros(layout.room * n_signals * lane, dtype=layout.precision)
    place = slow.source * stride + length - slow.lag
    wires = (place.astype(np.int32), slow.weight.astype(layout.precision), slow.target.astype(np.int32))
    past = (history, summed, summed.copy(), (n * stride, length, stride))
    sent = np.tile(first_sent.ravel(), 2 * lane)
    return Wiring(True, (*wires, *_listed(edges.among(edges.lag < long), layout), *now), sent, past)
