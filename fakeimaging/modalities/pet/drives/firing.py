"""Firing relative to baseline, which drives metabolism and release.

A is the excitatory plus the inhibitory firing rate, A0 its mean over all regions and the run (the scan, when that follows the run's course)
unless `baseline_rate` says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet.drives.course import Stretch, stretch_of
from fakeimaging.modalities.pet.modulation import Imaged
from fakeimaging.modalities.pet.plasma import Array


@dataclass(frozen=True, eq=False)
class Firing:
    """Firing relative to baseline.

    Parameters
    ----------
    stretch : Stretch
        What of the run this is, and its steps.
    ratio : ndarray, shape (n_steps, n_regions)
        A / A0, at least 0.
    rate : ndarray, shape (n_regions,)
        Mean A in Hz: of the run, or of the part of it that a scan follows.
    baseline : float
        A0 in Hz.
    """

    stretch: Stretch
    ratio: Array
    rate: Array
    baseline: float

    @property
    def truth(self) -> dict[str, Array]:
        """Mean rate of each region, and its ratio to baseline step by step."""
        return {"firing": self.rate, "firing_ratio": self.ratio}

    @property
    def about(self) -> Mapping[str, str | float]:
        """What of the activity this is, in words."""
        return {**self.stretch.about, "BaselineRate": self.baseline}


def firing(stretch: Stretch, *, baseline: float | None) -> Firing:
    """Return the firing that drives a scan.

    Parameters
    ----------
    stretch : Stretch
    baseline : float, optional
        A0 in Hz; the mean of ``rate`` over the regions when left out.

    Raises
    ------
    InputError
        If nothing fires.
    """
    taps = stretch.activity.taps
    names = ["rate", *(name for name in ("inhibitory_rate",) if name in taps)]
    records = [taps[name].from_start() for name in names]
    course = np.sum([stretch.means(tap.samples, tap.clock) for tap in records], axis=0)
    rate = np.asarray(stretch.shares @ course)
    reference = float(rate.mean()) if baseline is None else baseline
    if not reference > 0:
        raise InputError(f"the mean firing of this run is {reference:g} Hz; give pet a `baseline_rate` above 0")
    return Firing(stretch, np.maximum(course / reference, 0), rate, reference)


def firing_of(imaged: Imaged) -> Firing:
    """Return the firing that drives a scan."""
    return firing(stretch_of(imaged), baseline=imaged.parameters.baseline_rate)
