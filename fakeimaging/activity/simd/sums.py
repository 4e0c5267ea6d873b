"""What regions receive: weighted sums of what others sent, at once or some steps ago, in registers and in a fixed order.

Cells are regions; with several simulations side by side, region * n_sims + simulation. Rows of cells are ``room`` apart. Orders of
summing depend on neither the processor nor on how a run is cut into blocks.
"""

from __future__ import annotations

from numba import njit

from fakeimaging.activity.simd.sizes import BLOCK, ROWS
from fakeimaging.activity.simd.vectors import column, lanes, load, store, total

QUIET = {"error_model": "numpy"}


@njit(**QUIET)
def weigh(packed, sent, start, received, put, n, room, turn):
    """Sum over all sources: received[put + i] = sum_j w_ij sent[start + j].

    ``packed`` holds the weights in blocks of `BLOCK` registers of targets, source after source, an even number of sources. Blocks
    are taken backwards on every other ``turn``: those read last are then still in the nearer caches.
    """
    lane = lanes(packed)
    width = BLOCK * lane
    for k in range(room // width):
        block = k if turn % 2 == 0 else room // width - 1 - k
        place = block * width * (n + n % 2)
        a0 = load(packed, place) * 0.0
        a1, a2, a3, b0, b1, b2, b3 = a0, a0, a0, a0, a0, a0, a0
        for j in range(0, n, 2):
            x, y = sent[start + j], sent[start + j + 1]
            a0, a1 = a0 + load(packed, place) * x, a1 + load(packed, place + lane) * x
            a2, a3 = a2 + load(packed, place + 2 * lane) * x, a3 + load(packed, place + 3 * lane) * x
            b0, b1 = b0 + load(packed, place + width) * y, b1 + load(packed, place + width + lane) * y
            b2, b3 = b2 + load(packed, place + width + 2 * lane) * y, b3 + load(packed, place + width + 3 * lane) * y
            place += 2 * width
        here = put + block * width
        store(received, here, a0 + b0)
        store(received, here + lane, a1 + b1)
        store(received, here + 2 * lane, a2 + b2)
        store(received, here + 3 * lane, a3 + b3)


@njit(**QUIET)
def weigh_mirrored(packed, factor, partial, sent, start, received, put, n, room):
    """Sum over all sources where w_ij = factor_i s_ij, s_ij = s_ji: each s is read once and serves both ways.

    ``packed`` holds s in blocks of targets as for `weigh`, sources up to the block's own; ``partial`` is room for a register a
    region. Cells that pad the last register receive what the last region does.
    """
    lane = lanes(packed)
    width, place = BLOCK * lane, 0
    for j in range(room):
        store(partial, j * lane, 0.0)
    for block in range(0, room, width):
        here = start + block
        x0, x1 = load(sent, here), load(sent, here + lane)
        x2, x3 = load(sent, here + 2 * lane), load(sent, here + 3 * lane)
        a0 = x0 * 0.0
        a1, a2, a3 = a0, a0, a0
        for j in range(block):
            x, s0, s1 = sent[start + j], load(packed, place), load(packed, place + lane)
            s2, s3 = load(packed, place + 2 * lane), load(packed, place + 3 * lane)
            a0, a1, a2, a3 = a0 + s0 * x, a1 + s1 * x, a2 + s2 * x, a3 + s3 * x
            store(partial, j * lane, load(partial, j * lane) + ((s0 * x0 + s1 * x1) + (s2 * x2 + s3 * x3)))
            place += width
        for j in range(block, block + width):
            x = sent[start + j]
            a0, a1 = a0 + load(packed, place) * x, a1 + load(packed, place + lane) * x
            a2, a3 = a2 + load(packed, place + 2 * lane) * x, a3 + load(packed, place + 3 * lane) * x
            place += width
        there = put + block
        store(received, there, a0)
        store(received, there + lane, a1)
        store(received, there + 2 * lane, a2)
        store(received, there + 3 * lane, a3)
    for i in range(n):
        received[put + i] = factor[i] * (received[put + i] + total(load(partial, i * lane)))
    for i in range(n, room):
        received[put + i] = received[put + n - 1]


@njit(**QUIET)
def weigh_side_by_side(packed, sent, start, received, put, n, n_sims):
    """Sum over all sources for simulations with the same weights, a product of matrices, in the order of `weigh`.

    ``packed`` holds the weights in blocks of `ROWS` targets, source after source; n_sims is a multiple of two registers.
    """
    lane = lanes(packed)
    for block in range((n + ROWS - 1) // ROWS):
        for sim in range(0, n_sims, 2 * lane):
            a0 = load(sent, start) * 0.0
            a1, b0, b1, c0, c1, d0, d1, e0, e1, f0, f1 = a0, a0, a0, a0, a0, a0, a0, a0, a0, a0, a0
            place, there = block * ROWS * (n + n % 2), start + sim
            for _ in range(0, n, 2):
                x, y = load(sent, there), load(sent, there + lane)
                a0, a1 = a0 + packed[place] * x, a1 + packed[place] * y
                b0, b1 = b0 + packed[place + 1] * x, b1 + packed[place + 1] * y
                c0, c1 = c0 + packed[place + 2] * x, c1 + packed[place + 2] * y
                x, y = load(sent, there + n_sims), load(sent, there + n_sims + lane)
                d0, d1 = d0 + packed[place + 3] * x, d1 + packed[place + 3] * y
                e0, e1 = e0 + packed[place + 4] * x, e1 + packed[place + 4] * y
                f0, f1 = f0 + packed[place + 5] * x, f1 + packed[place + 5] * y
                place, there = place + 2 * ROWS, there + 2 * n_sims
            here = put + block * ROWS * n_sims + sim
            store(received, here, a0 + d0)
            store(received, here + lane, a1 + d1)
            store(received, here + n_sims, b0 + e0)
            store(received, here + n_sims + lane, b1 + e1)
            store(received, here + 2 * n_sims, c0 + f0)
            store(received, here + 2 * n_sims + lane, c1 + f1)


@njit(**QUIET)
def gather_long(history, place, weight, target, head, summed, n, n_signals, apart):
    """Sum long delays for as many steps as a register holds: summed[(i n_signals + c) lanes + k] for step k from ``head`` on.

    Edges are sorted by source, whose past is then close at hand; an edge's ``place`` is where it lies when head is 0, signals
    ``apart``.
    """
    lane = lanes(history)
    for c in range(n_signals):
        for i in range(n):
            store(summed, (i * n_signals + c) * lane, 0.0)
    for k in range(len(place)):
        there, here, w = head + place[k], target[k] * n_signals * lane, weight[k]
        for c in range(n_signals):
            store(summed, here + c * lane, load(summed, here + c * lane) + load(history, there + c * apart) * w)


@njit(**QUIET)
def take_step(summed, offset, received, n, n_signals, room):
    """Take one step of the summed long delays: received[c room + i]."""
    lane = lanes(summed)
    for c in range(n_signals):
        for i in range(0, n, lane):
            place = (i * n_signals + c) * lane + offset
            store(received, c * room + i, column(summed, place, n_signals * lane))


@njit(**QUIET)
def add_short(recent, now, target, source, weight, lag, received, n_signals, room):
    """Add edges whose delay is short; ``recent`` holds the last rows sent, step after step."""
    n_rows = 2 * lanes(recent)
    for k in range(len(target)):
        there = ((now - lag[k]) & (n_rows - 1)) * n_signals * room + source[k]
        for c in range(n_signals):
            received[c * room + target[k]] += weight[k] * recent[there + c * room]


@njit(**QUIET)
def add_now(sent, start, target, source, weight, received, n_signals, room):
    """Add edges without delay, of what is sent now."""
    for k in range(len(target)):
        for c in range(n_signals):
            received[c * room + target[k]] += weight[k] * sent[start + c * room + source[k]]


@njit(**QUIET)
def remember(recent, base, history, head, apart, mirror, n, n_signals, room, stride):
    """Move a register of steps from the recent rows, the first at step ``base``, to the history, twice: at head and a mirror on."""
    lane = lanes(history)
    row = base % (2 * lane)
    for c in range(n_signals):
        for i in range(n):
            steps = column(recent, (row * n_signals + c) * room + i, n_signals * room)
            place = c * apart + i * stride + head
            store(history, place, steps)
            store(history, place + mirror, steps)
