"""Spikes: a spark during the readout puts one wrong number into k-space, and a wave over the whole slice.

    S'(x, y) = S(x, y) + A exp(i (2 pi (k_x x / N_x + k_y y / N_y) + phase))

The image is complex from there on; its magnitude has stripes in tissue and is raised evenly in air.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.layers import Forward, Recipe, Stage


def at_random(forward: Forward, per_minute: float, *, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return the volumes in which something happens that has this rate (Poisson), in order."""
    clock = forward.clean.clock
    step = 0.0 if clock is None else clock.step
    n = rng.poisson(per_minute / 60 * step * forward.clean.n_volumes)
    return np.sort(rng.integers(forward.clean.n_volumes, size=n))


def _draw(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    nx, ny, nz = forward.clean.grid.shape
    volume = at_random(forward, parameters.spikes, rng=rng)
    n = len(volume)
    # Not the middle of k-space, where a spike would be a brighter slice: one of the other nx ny - 1 numbers.
    place = (nx // 2 * ny + ny // 2 + 1 + rng.integers(nx * ny - 1, size=n)) % (nx * ny)
    return {
        "amplitude": forward.reference * parameters.spike_percent / 100,
        "volume": volume,
        "slice": rng.integers(nz, size=n),
        "k": np.stack([place // ny - nx // 2, place % ny - ny // 2], axis=1),
        "phase": 2 * np.pi * rng.random(n),
    }


def wave(shape: tuple[int, int], k: npt.ArrayLike, phase: float) -> npt.NDArray[np.complex64]:
    """Return the plane wave of unit amplitude that one number of k-space makes, ``k`` periods along each axis."""
    x, y = (np.exp(2j * np.pi * n * np.arange(size) / size) for n, size in zip(np.asarray(k), shape, strict=True))
    return np.asarray(np.exp(1j * phase) * np.outer(x, y), dtype=np.complex64)


def _act(image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray:
    hits = np.flatnonzero(np.asarray(recipe["volume"]) == v)
    if not len(hits):
        return image
    result = image.astype(np.complex64)
    for hit in hits:
        stripes = wave(image.shape[:2], recipe["k"][hit], recipe["phase"][hit])
        result[:, :, recipe["slice"][hit]] += np.float32(recipe["amplitude"]) * stripes
    return result


SPIKES = Stage("spikes", "operator", _draw, _act, of_part=True)
"""Each readout has its own. The recipe lists them (volume, slice, k in periods over the image, phase); needs ``parameters.spikes`` a
minute and ``spike_percent``, their amplitude over grey matter."""
