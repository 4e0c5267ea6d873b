"""Blood: what a catheter in an artery draws during a scan."""

from __future__ import annotations

import numpy as np

from fakeimaging.core.clocks import Frames
from fakeimaging.modalities.layers import Companion
from fakeimaging.modalities.pet.plasma import Array, parent_fraction
from fakeimaging.modalities.pet.tracers import MINUTE, Tracer
from fakeimaging.modalities.pet.uptake import Uptake

SAMPLES = (*range(5, 125, 5), 150, 180, 240, 300, 420, 600, 900, 1200, 1800, 2400, 3000, 3600, 4800, 5400)
"""Seconds at which blood is drawn by hand."""
LATE_STEP = 900.0
"""Seconds between the samples after these (assumed)."""


def total_plasma(taken: Uptake, tracer: Tracer, times: Array) -> Array:
    """Return tracer and metabolites in plasma in Bq/mL at ``times`` (min)."""
    return taken.plasma.at(times) / parent_fraction(times, tracer.parent_fraction.value)


def whole_blood(taken: Uptake, tracer: Tracer, times: Array) -> Array:
    """Return the activity of whole blood in Bq/mL at ``times`` (min)."""
    return tracer.whole_blood.value * total_plasma(taken, tracer, times)


def drawn(end: float) -> Array:
    """Return when blood is drawn during a scan that ends at ``end``, in s: from injection to that end, so that analyses need not guess.

    Examples
    --------
    >>> drawn(7000.0)[-4:]
    array([4800., 5400., 6300., 7000.])
    """
    every = np.array([0.0, *SAMPLES, *np.arange(SAMPLES[-1] + LATE_STEP, end, LATE_STEP)])
    return np.append(every[every < end - 1e-6], end)


def blood_table(tracer: Tracer, taken: Uptake, frames: Frames) -> Companion:
    """Return the table of blood drawn by hand, as PET-BIDS has it."""
    seconds = drawn(float(frames.ends[-1]))
    t = seconds / MINUTE
    columns = ("time", "plasma_radioactivity", "whole_blood_radioactivity", "metabolite_parent_fraction")
    table = [seconds, total_plasma(taken, tracer, t), whole_blood(taken, tracer, t)]
    table.append(parent_fraction(t, tracer.parent_fraction.value))
    about = {
        "PlasmaAvail": True,
        "WholeBloodAvail": True,
        "MetaboliteAvail": True,
        "MetaboliteMethod": "simulated",
        "MetaboliteRecoveryCorrectionApplied": False,
        "DispersionCorrected": False,
        "time": {"Description": "time after injection", "Units": "s"},
        "plasma_radioactivity": {"Description": "plasma, decay-corrected to TimeZero", "Units": "Bq/mL"},
        "whole_blood_radioactivity": {"Description": "whole blood, decay-corrected to TimeZero", "Units": "Bq/mL"},
        "metabolite_parent_fraction": {"Description": "share of plasma that is still the tracer", "Units": "arbitrary"},
    }
    rows = [[round(float(cell), 6) for cell in row] for row in np.stack(table, axis=1)]
    return Companion("recording-manual_blood", columns, rows, about)
