"""Noise of the phantom: the terms of `terms` times maps of where they act.

A volume is seen at one instant, its slices together. Autoregressive noise has one spatial correlation in all of the brain and
follows the signal of each tissue; drift has a gradient in space; the pulse is strongest at the base of the brain and in fluid;
breathing moves edges along y, the phase-encoding axis, and adds a part that is everywhere.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fakeimaging.core.streams import Streams
from fakeimaging.modalities.phantom import terms
from fakeimaging.modalities.phantom.head import EXTENT, Head, Image
from fakeimaging.modalities.phantom.parameters import PhantomParameters
from fakeimaging.modalities.smoothness import embed

DRIFT_GRADIENT = 0.5
"""Change of drift from the middle of the grid to its edge, relative to its mean (assumed; that of `bold`)."""
LAG_SD = 1.0
"""rad, how much pulse and breathing lag from one side of the head to the other (assumed)."""
BASE = ((0.0, 0.0, -0.7), 0.45)
"""Where the large arteries lie and how far they are felt, in units of the brain's half axes (assumed)."""
EVERYWHERE = 0.15
"""Pulsation far from arteries and fluid, relative to the most (assumed)."""
EDGES = 0.6
"""Share of the variance of breathing that lies at edges (assumed)."""


def make_noise(
    clean: Image, head: Head, p: PhantomParameters, left_out: frozenset[str], streams: Streams
) -> dict[str, Image]:
    """Return each term in the order of `TERMS`, shape (n_volumes, nx, ny, nz), float32; each has a stream of its own."""
    body = terms.body(p, streams.at("body"))
    makers = {
        "autoregressive": lambda stream: _autoregressive(head, p, stream),
        "drift": lambda stream: _drift(head, p, stream.rng()),
        "cardiac": lambda stream: _cycle(body.cardiac_phase, _pulse(head, p), p, stream.rng()),
        "respiratory": lambda stream: _cycle(body.respiratory_phase, _breath(head, p), p, stream.rng()),
        "thermal": lambda stream: stream.rng().standard_normal(clean.shape, dtype=np.float32) / np.float32(p.snr),
    }
    gain = np.float32(p.baseline)
    noise = {name: gain * make(streams.at(name)) for name, make in makers.items() if name not in left_out}
    if p.noise != "gaussian" and not {"thermal", "magnitude"} & left_out:
        signal = clean + sum(noise.values())
        noise["magnitude"] = terms.magnitude(signal, p.baseline / p.snr, p, rng=streams.at("magnitude").rng())
    return noise


def _autoregressive(head: Head, p: PhantomParameters, streams: Streams) -> Image:
    field = embed(p.shape, (p.voxel_size,) * 3, p.correlation)
    noise = terms.autoregression(p.coefficients, field.draw(p.n_volumes, streams=streams))
    share = p.lambda_grey * head.grey + p.lambda_white * head.white + p.lambda_csf * head.csf
    total = np.maximum(head.grey + head.white + head.csf, np.float32(1e-6))
    return noise * (head.rest * share / total).astype(np.float32)


def _axes(p: PhantomParameters) -> Image:
    """Places from -1 to 1 over the grid, shape (3, nx, ny, nz)."""
    axes = [np.linspace(-1, 1, n, dtype=np.float32) for n in p.shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def _drift(head: Head, p: PhantomParameters, rng: np.random.Generator) -> Image:
    courses, axes = terms.drift_courses(p.n_volumes, p.tr), _axes(p)
    power = 1 + DRIFT_GRADIENT**2 * float((axes[:, head.brain] ** 2).mean(axis=1).sum())
    size = p.drift_percent / 100 / np.sqrt(power) * np.array([1.0, *[DRIFT_GRADIENT] * 3])
    weights = size * rng.standard_normal((courses.shape[1], 4))
    maps = head.rest * np.concatenate([np.ones((1, *p.shape), dtype=np.float32), axes])
    return np.tensordot((courses @ weights).astype(np.float32), maps, axes=1)


def _pulse(head: Head, p: PhantomParameters) -> Image:
    """Size of the pulse in each voxel, in units of grey matter's signal."""
    half = EXTENT / 2 * np.array(p.shape)
    index = np.moveaxis(np.indices(p.shape), 0, -1)
    u = (index - (np.array(p.shape) - 1) / 2) / half
    near = np.exp(-0.5 * (((u - np.array(BASE[0])) / BASE[1]) ** 2).sum(axis=-1))
    return _sized(head.rest * np.minimum(EVERYWHERE + near + 0.5 * head.csf, 1.0), head, p.cardiac_percent)


def _breath(head: Head, p: PhantomParameters) -> Image:
    """Size of breathing in each voxel, in units of grey matter's signal: edges along y, and everywhere."""
    edges, grey = np.gradient(head.rest, axis=1), head.labels > 0
    scale = np.sqrt(EDGES * (head.rest[grey] ** 2).mean() / (edges[grey] ** 2).mean())
    return _sized(scale * edges + np.sqrt(1 - EDGES) * head.rest, head, p.respiratory_percent)


def _sized(amplitude: npt.NDArray, head: Head, percent: float) -> Image:
    """Scale so that the root mean square over grey matter, relative to its signal, is ``percent``."""
    grey = head.labels > 0
    power = ((amplitude[grey] / head.rest[grey]) ** 2).mean()
    return np.asarray(percent / 100 / np.sqrt(power) * amplitude, dtype=np.float32)


def _cycle(
    phase: Callable[[npt.ArrayLike], npt.NDArray], amplitude: Image, p: PhantomParameters, rng: np.random.Generator
) -> Image:
    """Pulse or breathing with lags that change smoothly over the head."""
    start, slopes = 2 * np.pi * rng.random((2, 1, 1, 1)), LAG_SD * rng.standard_normal((2, 3))
    lags = (start + np.tensordot(slopes, _axes(p), axes=1)).astype(np.float32)
    courses = terms.harmonics(phase(terms.seen_times(p))).T.astype(np.float32)
    return np.tensordot(courses, amplitude * terms.lagged(lags), axes=1)
