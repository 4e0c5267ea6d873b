"""Images beside a BOLD scan: the single-band reference that a scanner stores, and the true maps of T2* and S0."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.clocks import Clock
from fakeimaging.modalities.bold.maps import make_maps
from fakeimaging.modalities.bold.parameters import BoldParameters
from fakeimaging.modalities.bold.sequence import slice_times
from fakeimaging.modalities.layers import Extra, Forward, Image
from fakeimaging.modalities.recording import Recording

STEPS = 32_000
"""Steps of a stored map, from 0 to its largest value."""
NOT_IN_REFERENCE = frozenset({"motion", "drift", "spin_history", "steady_state", "spikes", "dropouts"})
"""Stages that a volume alone, taken before the scan with the head where it is at t = 0, has nothing of."""
Sidecar = Callable[[BoldParameters, Forward], dict[str, Any]]


def true_maps(recording: Recording) -> Iterator[Extra]:
    """Yield T2* (T2 of a spin echo) and S0 of the head at rest."""
    maps, spin_echo = recording.forward.context["maps"], recording.parameters.sequence == "spin_echo"
    time = np.divide(1, maps.r2, out=np.zeros_like(maps.r2), where=maps.r2 > 0)
    named = {"T2map" if spin_echo else "T2starmap": (time, "s"), "S0map": (maps.s0, "arbitrary")}
    for suffix, (values, unit) in named.items():
        image = Image(recording.clean.grid, None, lambda v, values=values: values, _step(values))  # type: ignore[misc]
        words = {
            "Description": "true map of the head at rest, as the scan sees it",
            "Units": unit,
            "SkullStripped": False,
        }
        yield Extra(f"desc-truth_{suffix}", image, words, folder="anat", truth=True, shared=True)


def _step(values: npt.NDArray[np.float32]) -> float:
    return float(np.float32(values.max() / STEPS)) or 1.0


def single_band(recording: Recording, sidecar: Sidecar) -> Iterator[Extra]:
    """Yield the reference volume of a scan that asks for it: no multiband, a noise of its own, the head where it is at t = 0.

    Its slices are excited one after another at the same pace, so that a volume takes ``multiband`` times as long and tissue recovers
    further; there is no BOLD change in it.
    """
    wanted = recording.parameters
    if not wanted.sbref:
        return
    p = wanted.model_copy(update={"tr": wanted.tr * wanted.multiband, "multiband": 1, "sbref": False})
    alone = _alone(recording, p)
    keys = sidecar(p, alone.forward)
    yield Extra("sbref", replace(alone.observed, clock=None), keys)


def _alone(recording: Recording, p: BoldParameters) -> Recording:
    """Return the volume before the scan as a recording of its own."""
    forward, (subject, _) = recording.forward, recording.source
    context, grid = dict(forward.context), forward.clean.grid
    if recording.parameters.multiband > 1:
        context["maps"] = make_maps(subject, context["tissue"], p)
    baseline = context["maps"].baseline(p.echo_time)
    context |= {"slice_times": slice_times(grid.shape[2], p.tr, p.slice_order), "parameters": p}
    clean = Image(grid, Clock(-p.tr, p.tr, 1), lambda v: baseline, forward.clean.slope)
    still = replace(forward, clean=clean, baseline=baseline, truth={}, context=context)
    return replace(
        recording, parameters=p, streams=recording.streams.at("sbref"), forward=still,
        off=recording.off | NOT_IN_REFERENCE, _recipes={},
    )  # fmt: skip
