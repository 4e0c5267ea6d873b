"""Steady-state signal of tissues in MR sequences; relaxation times come from ``data/tissues.toml``.

Signals are per unit of receiver gain; a voxel's signal is the sum of its tissues' signals times their fractions.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from fakeimaging.core.citations import Reference
from fakeimaging.structure.anatomy import Tissue

BRAIN = ("grey", "white", "csf")
HEAD = (*BRAIN, "bone", "muscle", "fat")
"""Tissues with a signal; muscle is the soft tissue outside the skull that is not fat."""
GREY_SIGNAL = 1000.0
"""Receiver gain of every sequence: pure grey matter has this signal with its default parameters, in image units."""
REFERENCE = Reference(
    "Wansapura et al.", 1999, "10.1002/(SICI)1522-2586(199904)9:4<531::AID-JMRI4>3.0.CO;2-L", "relaxation at 3 T"
)


@dataclass(frozen=True)
class Relaxation:
    """Relaxation of a tissue at one field strength: T1, T2* and T2 in s (0 where unknown), proton density relative to fluid."""

    t1: float
    t2_star: float
    proton_density: float
    t2: float = 0.0


@lru_cache(maxsize=2)
def relaxation_at_3t(tissues: tuple[str, ...] = BRAIN) -> dict[str, Relaxation]:
    """Return the relaxation of tissues (names out of `HEAD`) at 3 T."""
    table = tomllib.loads((files("fakeimaging.data") / "tissues.toml").read_text())["3T"]
    return {
        name: Relaxation(*(table[name][key]["value"] for key in ("t1", "t2_star", "proton_density")))
        for name in tissues
    }


def mixed(tissue: Tissue, signals: Mapping[str, float]) -> npt.NDArray[np.float32]:
    """Return the image of a sequence: the sum over tissues of fraction times signal.

    Parameters
    ----------
    tissue : Tissue
    signals : mapping of tissue to float
        In image units, by names out of `HEAD`; tissues left out have none.

    Returns
    -------
    ndarray, shape tissue.grid.shape, float32
    """
    image = np.zeros(tissue.grid.shape, dtype=np.float32)
    for name, signal in signals.items():
        image += np.float32(signal) * (tissue.scalp - tissue.fat if name == "muscle" else getattr(tissue, name))
    return image


def spoiled_gradient_echo(tissue: Relaxation, tr: float, flip_angle: float, echo_time: float) -> float:
    """Return the steady-state signal of a spoiled gradient echo: times in s, flip angle in degrees.

    Examples
    --------
    >>> round(spoiled_gradient_echo(Relaxation(1.6, 0.05, 0.8), 2.0, 73.0, 0.03), 4)
    0.327
    """
    recovery = math.exp(-tr / tissue.t1)
    angle = math.radians(flip_angle)
    longitudinal = (1 - recovery) / (1 - math.cos(angle) * recovery)
    return tissue.proton_density * math.sin(angle) * longitudinal * math.exp(-echo_time / tissue.t2_star)


def spin_echo(tissue: Relaxation, tr: float, echo_time: float, decay: float | None = None) -> float:
    """Return the steady-state signal of a spin echo of 90 and 180 degrees: times in s.

    ``decay`` (s) is how long the signal has lost to T2 where that is not ``echo_time``.

    Examples
    --------
    >>> round(spin_echo(Relaxation(1.6, 0.05, 0.8, 0.08), 2.0, 0.08), 4)
    0.2057
    """
    longitudinal = 1 - 2 * math.exp(-(tr - echo_time / 2) / tissue.t1) + math.exp(-tr / tissue.t1)
    lost = echo_time if decay is None else decay
    return tissue.proton_density * longitudinal * math.exp(-lost / tissue.t2)


@dataclass(frozen=True)
class MprageTiming:
    """An MPRAGE shot: times in s, flip angle in degrees, ``n_echoes`` readouts with the centre of k-space in the middle."""

    tr: float
    inversion_time: float
    echo_spacing: float
    flip_angle: float
    n_echoes: int


def mprage(tissue: Relaxation, timing: MprageTiming) -> float:
    """Return the steady-state MPRAGE signal at the centre of k-space, inversion and spoiling ideal, the echo immediate.

    Magnetisation from inversion to inversion is an affine map m -> a m + b, solved for its fixed point; each readout takes it
    towards its own steady state (Look-Locker). Inversion takes m to -m. The sign is kept: it may be negative where the tissue has not
    recovered, and tissues that share a voxel then cancel.

    References
    ----------
    Mugler and Brookeman (1990), doi:10.1002/mrm.1910150117
    """
    cosine = math.cos(math.radians(timing.flip_angle))
    short = math.exp(-timing.echo_spacing / tissue.t1)
    settled = (1 - short) / (1 - cosine * short)
    half = timing.n_echoes // 2
    before = math.exp(-(timing.inversion_time - half * timing.echo_spacing) / tissue.t1)
    rest = timing.tr - timing.inversion_time - (timing.n_echoes - half) * timing.echo_spacing
    after = math.exp(-rest / tissue.t1)
    through = (cosine * short) ** timing.n_echoes
    a = -before * through * after
    b = ((1 - before) * through + settled * (1 - through)) * after + 1 - after
    start = 1 - before * (1 + b / (1 - a))
    centre = settled + (start - settled) * (cosine * short) ** half
    return tissue.proton_density * math.sin(math.radians(timing.flip_angle)) * centre
