"""The wires of a simulation as arrays a kernel reads: packed weights where nothing is delayed, lists of edges and a past where it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.simd.sizes import BLOCK, LANES, ROWS

CACHE = 1_000_000
"""Bytes of weights above which memory, not arithmetic, is what a step waits for (measured with 500 to 1000 regions)."""


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
    columns: list[Any] = [np.stack(pair, axis=1).ravel() for pair in parts]
    both = Edges(*columns)
    return both.among(both.weight != 0)


def packed(coupling: npt.NDArray[np.float64], layout: Layout) -> npt.NDArray:
    """Return dense weights in the order in which `simd.sums.weigh`, or `weigh_side_by_side`, reads them.

    Cells that pad the last register receive what the last region does, so that they stay finite as long as it does.
    """
    n = layout.n
    if layout.n_sims > 1:
        blocks = -(-n // ROWS)
        rows = np.zeros((blocks * ROWS, n + n % 2), dtype=layout.precision)
        rows[:n, :n] = coupling
        return np.ascontiguousarray(rows.reshape(blocks, ROWS, -1).transpose(0, 2, 1)).ravel()
    width = BLOCK * layout.lane
    columns = np.zeros((n + n % 2, layout.room), dtype=layout.precision)
    columns[:n, :n] = coupling.T
    columns[:n, n:] = coupling[-1][:, None]
    return np.ascontiguousarray(columns.reshape(len(columns), -1, width).transpose(1, 0, 2)).ravel()


def mirror_factor(coupling: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """Return d of a coupling w_ij = d_i s_ij with s_ij = s_ji, as normalised rows of undirected tracts are; None if there is none.

    Examples
    --------
    >>> mirror_factor(np.array([[0.0, 2.0, 2.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])).tolist()
    [1.0, 0.5, 0.5]
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import breadth_first_order

    factor = np.zeros(len(coupling))
    if ((coupling != 0) != (coupling != 0).T).any():
        return None
    graph = csr_matrix(coupling != 0)
    while (factor == 0).any():
        root = int(np.argmin(factor != 0))
        order, before = breadth_first_order(graph, root, directed=False)
        factor[root] = 1.0
        for i in order[1:]:
            factor[i] = factor[before[i]] * coupling[i, before[i]] / coupling[before[i], i]
    symmetric = coupling / factor[:, None]
    return factor if np.allclose(symmetric, symmetric.T, rtol=1e-9, atol=0) else None


def packed_half(symmetric: npt.NDArray[np.float64], layout: Layout) -> npt.NDArray:
    """Return symmetric weights in the order in which `simd.sums.weigh_mirrored` reads them."""
    width = BLOCK * layout.lane
    whole = np.zeros((layout.room, layout.room), dtype=layout.precision)
    whole[: layout.n, : layout.n] = symmetric
    blocks = range(0, layout.room, width)
    return np.concatenate([whole[: block + width, block : block + width].ravel() for block in blocks])


@dataclass(frozen=True, eq=False)
class Wiring:
    """What a kernel reads of a network, and the past it starts from.

    Parameters
    ----------
    delayed, mirrored : bool
    wires : tuple of ndarray
    sent : ndarray
        Rows of what was sent lately, or now; flat.
    past : tuple
        History and room for sums, with delays; else an empty array.
    """

    delayed: bool
    mirrored: bool
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
    if not edges.lag.any() or not len(first_sent):
        return _dense(coupling, layout, np.ascontiguousarray(first_sent))
    ahead = int(n_stages > 1)
    at_once = edges.among(edges.lag < ahead)
    later = edges.among(edges.lag >= ahead)
    now = (at_once.target, at_once.source, at_once.weight.astype(layout.precision))
    return _with_a_past(later, now, layout, first_sent, layout.lane + ahead)


def _dense(coupling: npt.NDArray[np.float64], layout: Layout, first_sent: npt.NDArray) -> Wiring:
    """Wires without delays; weights too many for the nearer caches are read once for both directions where they can be."""
    none = np.zeros(0, dtype=layout.precision)
    many = layout.precision == "float32" and layout.n_sims == 1 and coupling.size * 4 > CACHE
    factor = mirror_factor(coupling) if many else None
    if not len(first_sent) or factor is None:
        dense = packed(coupling, layout) if len(first_sent) else none
        return Wiring(False, False, (dense,), first_sent.ravel(), (none,))
    half = packed_half(coupling / factor[:, None], layout)
    factors = np.pad(factor, (0, layout.room - layout.n)).astype(layout.precision)
    partial = np.zeros(layout.room * layout.lane, dtype=layout.precision)
    return Wiring(False, True, (half, factors, partial), first_sent.ravel(), (none,))


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
    return Wiring(True, False, (*wires, *_listed(edges.among(edges.lag < long), layout), *now), sent, past)
