"""The wirings that every simulator of `network.py` gets: distance-weighted, all pairs connected, the same file for all."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fakeimaging.core.streams import Streams

SIZES = {"deco2014": 84, "hopf_delays": 80, "deco2014_1000": 1000}
"""Regions of each case."""
SEMI_AXES = (65.0, 85.0, 60.0)
"""Of the ellipsoid that holds the regions, in mm (assumed, about a brain)."""
LENGTH_CONSTANT = 30.0
"""Fall of the weights with distance, in mm (assumed)."""
LONGEST = 197
"""Longest tract in mm: at 10 m/s one millimetre is one step of 0.1 ms."""


def write_connectomes(folder: Path, seed: int = 1) -> dict[str, Path]:
    """Write one ``.npz`` for each case and return their paths.

    Each holds ``weights``, shape (n_regions, n_regions), row receives, rows sum to 1, and ``tract_lengths`` in whole mm.
    """
    paths = {}
    for case, n in SIZES.items():
        paths[case] = folder / f"{case}.npz"
        weights, tract_lengths = _wiring(n, Streams(seed).at("benchmark", case).rng())
        np.savez(paths[case], weights=weights, tract_lengths=tract_lengths)
    return paths


def _wiring(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    direction = rng.standard_normal((n, 3))
    radius = rng.random((n, 1)) ** (1 / 3)
    places = np.array(SEMI_AXES) * radius * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    weights = np.exp(-distance / LENGTH_CONSTANT + 0.5 * rng.standard_normal((n, n)))
    np.fill_diagonal(weights, 0)
    tract_lengths = np.clip(np.rint(1.3 * distance), 1, LONGEST)
    np.fill_diagonal(tract_lengths, 0)
    return weights / weights.sum(axis=1, keepdims=True), tract_lengths
