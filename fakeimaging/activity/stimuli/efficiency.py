"""How well a design tells responses: the inverse of the summed variance of what is estimated.

    efficiency = 1 / trace(C (X'X)^-1 C')

X has a column for each type of trial convolved with the canonical response of SPM (detection: the size of a response of known shape),
or one for each type and each 2 s since an onset (estimation: the shape itself), without what a constant and the slow cosines of a
high-pass filter explain. C asks for each column or for the difference of each two types.

References: Dale 1999, doi:10.1002/(SICI)1097-0193(1999)8:2/3<109::AID-HBM7>3.0.CO;2-W; Liu and Frank 2004,
doi:10.1016/j.neuroimage.2003.09.030.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.stimuli.condition import Event

Matrix = npt.NDArray[np.float64]
INTERVAL = 1.0
"""Seconds between the rows of X (assumed: the repetition time is a scanner's, and a design serves any)."""
BIN, N_BINS = 2, 12
"""Rows of a bin and number of bins of an estimated shape: 24 s (assumed)."""
HIGH_PASS = 1 / 128
"""Hz, of the filter that an analysis is taken to have (SPM, fMRIPrep)."""
FINE = 0.05
"""Seconds between points of the response."""


def efficiency(
    events: Sequence[Event],
    run_duration: float,
    *,
    measure: Literal["detection", "estimation"] = "detection",
    contrast: Literal["each", "differences"] = "each",
) -> float:
    """Return the efficiency of a design, 0 when something cannot be told at all.

    Parameters
    ----------
    events : sequence of Event
        Their modulation does not count.
    run_duration : float
        Seconds.
    measure : {"detection", "estimation"}
    contrast : {"each", "differences"}

    Examples
    --------
    >>> far, near = ([Event(t, 1.0, "a") for t in times] for times in ((20.0, 60.0, 100.0), (20.0, 24.0, 28.0)))
    >>> efficiency(far, 140.0, measure="estimation") > efficiency(near, 140.0, measure="estimation")
    True
    """
    names = sorted({event.trial_type for event in events})
    n = int(run_duration / INTERVAL)
    make = _expected if measure == "detection" else _since_onset
    columns = np.concatenate([make([e for e in events if e.trial_type == name], n) for name in names], axis=1)
    slow = _slow(n)
    columns = columns - slow @ (slow.T @ columns)
    wanted = np.kron(_contrasts(len(names), contrast), np.eye(columns.shape[1] // len(names)))
    values, vectors = np.linalg.eigh(columns.T @ columns)
    if not len(wanted) or values[0] <= 1e-9 * values[-1]:
        return 0.0
    return float(1 / np.sum((wanted @ vectors) ** 2 / values))


def _contrasts(n_types: int, contrast: str) -> Matrix:
    if contrast == "each":
        return np.eye(n_types)
    return np.array([np.eye(n_types)[a] - np.eye(n_types)[b] for a, b in combinations(range(n_types), 2)])


def _expected(events: Sequence[Event], n: int) -> Matrix:
    """Return the canonical response to the events, shape (n, 1)."""
    risen = _risen()
    since, row, durations = _pairs(events, n, risen[-1, 0])
    each = np.interp(since, *risen.T) - np.interp(since - durations, *risen.T)
    return np.asarray(np.bincount(row, each, minlength=n)[:n, None], dtype=np.float64)


def _since_onset(events: Sequence[Event], n: int) -> Matrix:
    """Return how many events began so many bins ago, shape (n, N_BINS)."""
    since, row, _ = _pairs(events, n, BIN * INTERVAL * N_BINS)
    which = (since / (BIN * INTERVAL)).astype(int)
    counted = np.zeros((n, N_BINS))
    inside = (which < N_BINS) & (row < n)
    np.add.at(counted, (row[inside], which[inside]), 1.0)
    return counted


def _pairs(events: Sequence[Event], n: int, length: float) -> tuple[Matrix, npt.NDArray[np.intp], Matrix]:
    """Return each event with each row that it reaches: seconds since its onset, the row, and the event's duration (at least a point)."""
    onsets, durations = np.array([event.onset for event in events]), np.array([event.duration for event in events])
    first = np.ceil(onsets / INTERVAL).astype(np.intp)
    row = first[:, None] + np.arange(int((length + durations.max()) / INTERVAL) + 1)
    since = row * INTERVAL - onsets[:, None]
    lasting = np.broadcast_to(np.maximum(durations, FINE)[:, None], since.shape)
    return since.ravel(), row.ravel(), lasting.ravel()


@lru_cache(maxsize=1)
def _risen() -> Matrix:
    """Times in s and the integral of the canonical response up to them, shape (n_points, 2)."""
    from fakeimaging.activity.hrf import LENGTH, response

    times = np.arange(0, LENGTH + FINE, FINE)
    return np.stack([times, np.cumsum(response("spm", times)) * FINE], axis=1)


@lru_cache(maxsize=8)
def _slow(n: int) -> Matrix:
    """Return the constant and the slow cosines, shape (n, n_columns), each of length 1."""
    k = np.arange(0, int(2 * n * INTERVAL * HIGH_PASS) + 1)
    waves = np.cos(np.pi * np.outer(np.arange(n) + 0.5, k) / n)
    return np.asarray(waves / np.linalg.norm(waves, axis=0))
