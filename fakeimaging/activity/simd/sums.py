"""What regions receive: weighted sums of what others sent, at once or some steps ago, in registers and in a fixed order.

Cells are regions; with several simulations side by side, region * n_sims + simulation. Rows of cells are ``room`` apart. Orders of
summing depend on neither the processor nor on how a run is cut into blocks.
"""

from __future__ import annotations

from numba import njit

from fakeimaging.activity.simd.vectors import column, lanes, load, store

QUIET = {"error_model": "numpy"}
BLOCK = 4
"""Registers of targets that one pass over the sources of `weigh` sums."""
ROWS = 6
"""Targets that one pass of `weigh_side_by_side` sums, each in two registers of simulations."""


@njit(**QUIET)
def weigh(packed, sent, start, received, put, n, room):
    """Sum over all sources: received[put + i] = sum_j w_ij sent[start + j].

    ``packed`` holds the weights in blocks of `BLOCK` registers of targets, source after source, an even number of sources.
    """
    lane = lanes(packed)
    width = BLOCK * lane
    for block in range(room // width):
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
def weigh_side_by_side(packed, sent, start, received, put, n, n_sims):
    """Sum over all sources for simulations with the same weights: a product of matrices.

    ``packed`` holds the weights in blocks of `ROWS` targets, source after source; n_sims is a multiple of two registers.
    """
    lane = lanes(packed)
    for block in range((n + ROWS - 1) // ROWS):
        for sim in range(0, n_sims, 2 * lane):
            a0 = load(sent, start) * 0.0
            a1, b0, b1, c0, c1, d0, d1, e0, e1, f0, f1 = a0, a0, a0, a0, a0, a0, a0, a0, a0, a0, a0
            place, there = block * ROWS * n, start + sim
            for _ in range(n):
                x, y = load(sent, there), load(sent, there + lane)
                a0, a1 = a0 + packed[place] * x, a1 + packed[place] * y
                b0, b1 = b0 + packed[place + 1] * x, b1 + packed[place + 1] * y
                c0, c1 = c0 + packed[place + 2] * x, c1 + packed[place + 2] * y
                d0, d1 = d0 + packed[place + 3] * x, d1 + packed[place + 3] * y
                e0, e1 = e0 + packed[place + 4] * x, e1 + packed[place + 4] * y
                f0, f1 = f0 + packed[place + 5] * x, f1 + packed[place + 5] * y
                place, there = place + ROWS, there + n_sims
            here = put + block * ROWS * n_sims + sim
            store(received, here, a0)
            store(received, here + lane, a1)
            store(received, here + 1 * n_sims, b0)
            store(received, here + 1 * n_sims + lane, b1)
            store(received, here + 2 * n_sims, c0)
            store(received, here + 2 * n_sims + lane, c1)
            store(received, here + 3 * n_sims, d0)
            store(received, here + 3 * n_sims + lane, d1)
            store(received, here + 4 * n_sims, e0)
            store(received, here + 4 * n_sims + lane, e1)
            store(received, here + 5 * n_sims, f0)
            store(received, here + 5 * n_sims + lane, f1)


@njit(**QUIET)
def gather_long(history, place, weight, first, head, signal, apart, summed, n, n_signals):
    """Sum long delays for as many steps as a register holds: summed[(i n_signals + c) lanes + k] for step k from ``head`` on.

    An edge's ``place`` is where its past lies in the history when head is 0; ``apart`` numbers lie between signals. Edges of a
    target are padded with weights of 0 to a multiple of four.
    """
    lane = lanes(history)
    for i in range(n):
        for c in range(n_signals):
            from_here = head + (signal + c) * apart
            a = load(history, 0) * 0.0
            b, d, e = a, a, a
            for k in range(first[i], first[i + 1], 4):
                a = a + load(history, place[k] + from_here) * weight[k]
                b = b + load(history, place[k + 1] + from_here) * weight[k + 1]
                d = d + load(history, place[k + 2] + from_here) * weight[k + 2]
                e = e + load(history, place[k + 3] + from_here) * weight[k + 3]
            store(summed, (i * n_signals + c) * lane, (a + b) + (d + e))


@njit(**QUIET)
def add_short(summed, offset, recent, now, first, source, weight, lag, received, n, n_signals, room):
    """Take one step of the long delays and add the short ones: received[c room + i]; ``recent`` holds the last rows sent."""
    lane = lanes(summed)
    n_rows = 2 * lane
    for i in range(n):
        for c in range(n_signals):
            value = summed[(i * n_signals + c) * lane + offset]
            for k in range(first[i], first[i + 1]):
                row = (now - lag[k]) & (n_rows - 1)
                value += weight[k] * recent[(row * n_signals + c) * room + source[k]]
            received[c * room + i] = value


@njit(**QUIET)
def take_step(summed, offset, received, n, n_signals, room):
    """Take one step of the long delays where there are no short ones."""
    lane = lanes(summed)
    for c in range(n_signals):
        for i in range(0, n, lane):
            place = (i * n_signals + c) * lane + offset
            store(received, c * room + i, column(summed, place, n_signals * lane))


@njit(**QUIET)
def add_now(sent, start, first, source, weight, received, n, n_signals, room, n_sims):
    """Add edges without delay, of what is sent now."""
    for i in range(n):
        for k in range(first[i], first[i + 1]):
            for c in range(n_signals):
                for sim in range(n_sims):
                    there = start + c * room + source[k] * n_sims + sim
                    received[c * room + i * n_sims + sim] += weight[k] * sent[there]


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


@njit(**QUIET)
def gather_side_by_side(history, now, first, source, weight, lag, received, n, n_signals, room, n_sims):
    """Sum delays for simulations side by side, one step: history holds a row a step, ``len(history) // (n_signals room)`` of them."""
    lane = lanes(history)
    whole = n_signals * room
    length = len(history) // whole
    here = now % length
    for i in range(n):
        for c in range(n_signals):
            for sim in range(0, n_sims, lane):
                a = load(history, 0) * 0.0
                for k in range(first[i], first[i + 1]):
                    row = here - lag[k]
                    if row < 0:
                        row += length
                    a = a + load(history, row * whole + c * room + source[k] * n_sims + sim) * weight[k]
                store(received, c * room + i * n_sims + sim, a)
