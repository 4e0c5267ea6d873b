"""What a modality is: a parameter class, a deterministic forward model, a fixed order of stages, and its names in BIDS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fakeimaging.activity.activity import Activity
from fakeimaging.core.citations import Reference
from fakeimaging.core.clocks import Clock
from fakeimaging.core.parameters import Parameters
from fakeimaging.core.spaces import Grid
from fakeimaging.modalities.layers import Forward, Stage
from fakeimaging.structure.subject import Subject


@dataclass(frozen=True)
class Modality:
    """An instrument.

    Parameters
    ----------
    name : str
    parameters : type of Parameters
        With a default for every field.
    images : {"tissue", "function", "connectivity"}
        What it maps; only function needs an Activity.
    geometry : callable
        ``geometry(parameters, duration) -> (grid, clock)`` of a scan of a run of that many seconds; no clock when static.
    forward : callable
        ``forward(subject, activity, parameters) -> Forward``; no randomness. Activity is None unless it images function.
    observe : tuple of Stage
        From clean to observed, in this order.
    datatype, suffix : str
        BIDS folder and suffix.
    sidecar : callable
        ``sidecar(parameters, forward) -> dict`` of BIDS keys.
    references : tuple of Reference
    small : mapping
        Parameters for a look within seconds (``--small``).
    """

    name: str
    parameters: type[Parameters]
    images: Literal["tissue", "function", "connectivity"]
    geometry: Callable[[Any, float], tuple[Grid, Clock | None]]
    forward: Callable[[Subject, Activity | None, Any], Forward]
    observe: tuple[Stage, ...]
    datatype: str
    suffix: str
    sidecar: Callable[[Any, Forward], dict[str, Any]]
    references: tuple[Reference, ...] = ()
    small: Mapping[str, Any] = field(default_factory=dict)
