"""Hopfield's network of 1982: regions are 1 or -1 and follow the sign of what they receive, one at a time."""

from __future__ import annotations

import numpy as np


def settle(patterns, start, *, rng, sweeps=50, stimulus=0.0):
    """The state a start falls into, shape (n,): Hebb's weights without diagonal, regions asked in random order until none turns;
    ``stimulus``, shape (n,), adds to what they receive.
    """
    n = len(start)
    pushed = np.broadcast_to(stimulus, n)
    state = np.array(start, dtype=float)
    for _ in range(sweeps):
        turned = 0
        for i in rng.permutation(n):
            field = sum(pattern[i] * (pattern @ state - pattern[i] * state[i]) for pattern in patterns) / n + pushed[i]
            wanted = 1.0 if field >= 0 else -1.0
            turned += wanted != state[i]
            state[i] = wanted
        if not turned:
            break
    return state
