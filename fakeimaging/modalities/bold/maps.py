"""The head at rest as a scan sees it: maps of S0 and R2*, and what of a voxel's signal is grey matter's.

    S(x, TE) = S0(x) exp(-TE R2*(x))

S0 is the sum over tissues of fraction times steady-state signal, R2* their mean weighted by it, so that a voxel decays with one
exponential. Where the field of air in the head varies across a slice, R2* is larger: frequencies spread evenly over df (Hz) halve the
signal at TE = 0.603 / df (a sinc), and so does an exponential of rate ln 2 / 0.603 df.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities import susceptibility
from fakeimaging.modalities.bold import field
from fakeimaging.modalities.bold.parameters import BoldParameters
from fakeimaging.modalities.relaxation import GREY_SIGNAL, Relaxation, mixed, spin_echo, spoiled_gradient_echo
from fakeimaging.structure.anatomy import Tissue
from fakeimaging.structure.subject import Subject

Map = npt.NDArray[np.float32]

DEPHASING = math.log(2) / 0.603
"""Rate per Hz of frequencies across a slice: sin(pi x) / (pi x) is one half at x = 0.603."""


@dataclass(frozen=True, eq=False)
class Maps:
    """What does not change during a scan, each shape grid.shape, float32.

    Parameters
    ----------
    s0 : ndarray
        Signal at echo time 0, image units.
    r2 : ndarray
        Rate of its decay in 1/s: R2*, or R2 of a spin echo; 0 in air.
    grey : ndarray
        Share of the signal that is grey matter's.
    frequency : ndarray
        Offset from the scanner's frequency in Hz.
    """

    s0: Map
    r2: Map
    grey: Map
    frequency: Map

    def baseline(self, echo_time: float) -> Map:
        """Return the image at rest."""
        return np.asarray(self.s0 * np.exp(-np.float32(echo_time) * self.r2))


def make_maps(subject: Subject, tissue: Tissue, p: BoldParameters) -> Maps:
    """Return the maps of a subject on the grid of its tissue."""
    known = field.fields()[p.field_strength].tissues
    signals = tissue_signals(p, echo_time=0.0)
    s0 = mixed(tissue, signals)
    decays = {name: signals[name] * _rate(known[name], p) for name in signals}
    r2 = np.divide(mixed(tissue, decays), s0, out=np.zeros_like(s0), where=s0 > 0)
    frequency = susceptibility.frequency(subject.anatomy, tissue.grid, p.field_strength, p.susceptibility)
    if p.sequence == "gradient_echo":
        r2 += np.where(s0 > 0, np.float32(DEPHASING) * across_slices(frequency), 0)
    grey = np.divide(tissue.grey * np.float32(signals["grey"]), s0, out=np.zeros_like(s0), where=s0 > 0)
    if p.susceptibility > 0:
        s0 *= 1 - susceptibility.air(subject.anatomy, tissue.grid)
    return Maps(s0, r2, grey, frequency)


def across_slices(frequency: Map) -> Map:
    """Return how far frequencies spread from one face of a slice to the other, in the unit of ``frequency``.

    It is the mean of the steps to the slices on both sides, so that an extremum between two steep slopes spreads as they do.
    """
    spread = np.zeros_like(frequency)
    if frequency.shape[2] > 1:
        steps = np.abs(np.diff(frequency, axis=2))
        spread[..., 1:-1] = (steps[..., 1:] + steps[..., :-1]) / 2
        spread[..., 0], spread[..., -1] = steps[..., 0], steps[..., -1]
    return spread


def tissue_signals(p: BoldParameters, echo_time: float | None = None) -> dict[str, float]:
    """Return the signal of each pure tissue at rest in image units; grey matter has `GREY_SIGNAL` with the default sequence of its field.

    ``echo_time`` (s) stands in for that of the scan.
    """
    tissues = field.fields()[p.field_strength].tissues
    usual = BoldParameters.parse({"field_strength": p.field_strength})
    gain = GREY_SIGNAL / _signal(tissues["grey"], usual, usual.echo_time)
    time = p.echo_time if echo_time is None else echo_time
    return {name: gain * _signal(tissue, p, time) for name, tissue in tissues.items()}


def _signal(tissue: Relaxation, p: BoldParameters, echo_time: float) -> float:
    if p.sequence == "spin_echo":
        return spin_echo(tissue, p.tr, p.echo_time, echo_time)
    return spoiled_gradient_echo(tissue, p.tr, p.flip_angle, echo_time)


def _rate(tissue: Relaxation, p: BoldParameters) -> float:
    return 1 / (tissue.t2 if p.sequence == "spin_echo" else tissue.t2_star)
