"""Whose signal a voxel holds: the share of each tissue, and how a scan's echo time compares with the usual one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.bold import field
from fakeimaging.modalities.bold.maps import tissue_signals
from fakeimaging.modalities.bold.parameters import BoldParameters
from fakeimaging.modalities.layers import Forward
from fakeimaging.modalities.relaxation import mixed

Map = npt.NDArray[np.float32]


@lru_cache(maxsize=2)
def shares(forward: Forward) -> Mapping[str, Map]:
    """Return the share that each tissue out of `field.TISSUES` has of the signal at rest, each shape grid.shape; 0 in air."""
    context = forward.context
    signals = tissue_signals(context["parameters"], echo_time=0.0)
    each = {name: mixed(context["tissue"], {name: signal}) for name, signal in signals.items()}
    whole = np.sum(list(each.values()), axis=0)
    # Air of the head takes as much of each.
    here = (whole > 0) & (context["maps"].s0 > 0)
    return {name: np.divide(part, whole, out=np.zeros_like(whole), where=here) for name, part in each.items()}


def echo_ratio(p: BoldParameters) -> float:
    """Return what a BOLD-like change is at this echo, over what it is at the usual one of the field in a gradient echo."""
    share = field.SPIN_ECHO_SHARE if p.sequence == "spin_echo" else 1.0
    return float(share * p.echo_time / usual_echo(p))


def usual_echo(p: BoldParameters) -> float:
    """Return the usual echo time of the field in s."""
    return field.fields()[p.field_strength].defaults["echo_time"]


def phase_axis(p: Any) -> int:
    """Return the axis of the image that phase encoding runs along."""
    return "ijk".index(p.phase_encoding[0])
