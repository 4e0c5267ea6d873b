"""Blood: what a catheter in an artery draws during a scan, by hand and through the tubing of a sampling machine.

A sample is counted: its noise is Poisson's of the decays its counter sees, and that of its volume. The share that is still the tracer is
that of the counts in one peak of a chromatogram. All activities are corrected for decay to TimeZero, and times start there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.clocks import Frames
from fakeimaging.modalities.layers import Companion, Forward, Recipe, Stage
from fakeimaging.modalities.pet.administration import through_tubing
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.plasma import Array, from_samples, parent_fraction
from fakeimaging.modalities.pet.time_base import TimeBase, time_base
from fakeimaging.modalities.pet.tracers import MINUTE, TRACERS, Tracer
from fakeimaging.modalities.pet.uptake import Uptake

SAMPLES = (*range(5, 125, 5), 150, 180, 240, 300, 420, 600, 900, 1200, 1800, 2400, 3000, 3600, 4800, 5400)
"""Seconds at which blood is drawn by hand."""
LATE_STEP = 900.0
"""Seconds between the samples after these (assumed)."""
COUNTED = 0.5 * 0.5 * 60.0
"""Decays that a well counter sees of a sample, over its activity in Bq/mL: 0.5 mL, half of the decays, 60 s (assumed)."""
VOLUME_ERROR = 0.01
"""Relative SD of the volume of a sample (assumed)."""
CHROMATOGRAPHED = 1.0 * 0.3 * 60.0
"""The same of the plasma that goes through a chromatograph: 1 mL, three in ten decays, 60 s (assumed)."""
SEEN_IN_TUBING = 0.01
"""Counts per second of a sampling machine, over the activity in its tube in Bq/mL (assumed)."""
WITHDRAWN = 5.0 / 60
"""mL/s that its pump draws (assumed)."""
TUBING = "PTFE, inner diameter 1 mm"
RECOVERY = (0.98, 0.90)
"""Share of the activity that the chromatograph recovers, in the first and the last sample (assumed)."""
FINE, COARSE, EARLY = 1.0, 10.0, 600.0
"""Seconds between the points of the true curves in their first `EARLY` seconds and later."""
STEP = 0.5
"""Seconds between the points that whole blood is taken through the tubing by, straight lines between them."""
MANUAL, MACHINE, TRUE = "recording-manual_blood", "recording-autosampler_blood", "recording-true_blood"
CLEAN = {name: name.replace("_blood", "_desc-clean_blood") for name in (MANUAL, MACHINE)}
"""Names of the tables, and of their copies without noise."""
WHOLE, PLASMA, PARENT = "whole_blood_radioactivity", "plasma_radioactivity", "metabolite_parent_fraction"
UNCHANGED, RECOVERED = "parent_radioactivity", "hplc_recovery_fractions"
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "time": {"Description": "time after TimeZero", "Units": "s"},
    WHOLE: {"Description": "whole blood, decay-corrected to TimeZero", "Units": "Bq/mL"},
    PLASMA: {"Description": "plasma, decay-corrected to TimeZero", "Units": "Bq/mL"},
    PARENT: {"Description": "share of plasma that is still the tracer", "Units": "arbitrary"},
    UNCHANGED: {"Description": "unchanged tracer in plasma, decay-corrected to TimeZero", "Units": "Bq/mL"},
    RECOVERED: {"Description": "share of the activity that the HPLC recovers; corrected for", "Units": "arbitrary"},
}


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


def blood_tables(parameters: PetParameters, tracer: Tracer, taken: Uptake, frames: Frames) -> tuple[Companion, ...]:
    """Return the blood files as PET-BIDS has them, their copies in the truth, and the true curves.

    Noise comes with the stage `BLOOD`.
    """
    base, end = time_base(parameters, frames), float(frames.ends[-1])
    made = []
    if parameters.blood != "none":
        made.append(_manual(parameters, tracer, taken, base, end))
    if parameters.blood == "both":
        made.append(_machine(parameters, tracer, taken, base, end))
    copies = (replace(table, name=CLEAN[table.name], truth=True) for table in made)
    return (*made, *copies, _true(parameters, tracer, taken, base, end))


def _manual(p: PetParameters, tracer: Tracer, taken: Uptake, base: TimeBase, end: float) -> Companion:
    seconds = drawn(end)
    t = seconds / MINUTE
    columns: dict[str, Array] = {
        PLASMA: total_plasma(taken, tracer, t),
        WHOLE: whole_blood(taken, tracer, t),
        PARENT: parent_fraction(t, tracer.parent_fraction.value),
    }
    if p.hplc_recovery:
        columns[RECOVERED] = RECOVERY[0] + (RECOVERY[1] - RECOVERY[0]) * seconds / end
    if 0 < p.metabolite_samples < len(seconds):
        left_out = np.ones(len(seconds), dtype=bool)
        left_out[np.unique(np.linspace(0, len(seconds) - 1, p.metabolite_samples).round().astype(int))] = False
        for name in columns.keys() & {PARENT, RECOVERED}:
            columns[name] = np.where(left_out, np.nan, columns[name])
    about = {
        "PlasmaAvail": True,
        "WholeBloodAvail": True,
        "MetaboliteAvail": True,
        "MetaboliteMethod": "simulated HPLC",
        "MetaboliteRecoveryCorrectionApplied": p.hplc_recovery,
        "DispersionCorrected": False,
        "Haematocrit": p.haematocrit,
    }
    return _table(MANUAL, seconds, columns, about, base, tracer)


def _machine(p: PetParameters, tracer: Tracer, taken: Uptake, base: TimeBase, end: float) -> Companion:
    """Whole blood once a second, late and dispersed by the way through the tubing."""
    seconds = np.arange(0.0, min(p.sampler_seconds, end) + 1e-6)
    fine = np.arange(0.0, seconds[-1] + STEP, STEP) / MINUTE
    artery = from_samples(fine, np.maximum(whole_blood(taken, tracer, fine), 0.0))
    seen = through_tubing(artery, p.sampler_delay / MINUTE, p.sampler_dispersion / MINUTE)
    about = {
        "PlasmaAvail": False,
        "WholeBloodAvail": True,
        "MetaboliteAvail": False,
        "DispersionCorrected": False,
        "DispersionConstant": p.sampler_dispersion,
        "WithdrawalRate": round(WITHDRAWN, 6),
        "TubingType": TUBING,
        "Haematocrit": p.haematocrit,
    }
    return _table(MACHINE, seconds, {WHOLE: seen.at(seconds / MINUTE)}, about, base, tracer)


def _true(p: PetParameters, tracer: Tracer, taken: Uptake, base: TimeBase, end: float) -> Companion:
    """Return the true curves in the artery, finely."""
    seconds = np.union1d(np.arange(0.0, min(EARLY, end), FINE), np.append(np.arange(EARLY, end, COARSE), end))
    t = seconds / MINUTE
    columns = {
        PLASMA: total_plasma(taken, tracer, t),
        WHOLE: whole_blood(taken, tracer, t),
        PARENT: parent_fraction(t, tracer.parent_fraction.value),
        UNCHANGED: taken.plasma.at(t),
    }
    about = {
        "Description": "true curves in the artery: no delay, no dispersion, no noise",
        "PlasmaAvail": True,
        "WholeBloodAvail": True,
        "MetaboliteAvail": True,
        "MetaboliteMethod": "truth",
        "MetaboliteRecoveryCorrectionApplied": False,
        "DispersionCorrected": True,
        "MachineDelay": p.sampler_delay,
    }
    return replace(_table(TRUE, seconds, columns, about, base, tracer), truth=True)


def _table(
    name: str, seconds: Array, columns: Mapping[str, Array], about: Mapping[str, Any], base: TimeBase, tracer: Tracer
) -> Companion:
    """Put times (after injection) and activities (corrected to it) on the base of the scan."""
    left = base.left(tracer.decay)
    moved = {name: values * left if name.endswith("radioactivity") else values for name, values in columns.items()}
    rows = _rows([np.array([base.of(second) for second in seconds]), *moved.values()])
    names = ("time", *moved)
    return Companion(name, names, rows, {**about, **{name: dict(COLUMNS[name]) for name in names}})


def _rows(columns: list[Array]) -> list[list[float | None]]:
    """Return rows of numbers, None for what was not measured."""
    return [[None if np.isnan(cell) else round(float(cell), 6) for cell in row] for row in zip(*columns, strict=True)]


def _draw(forward: Forward, parameters: PetParameters, *, rng: np.random.Generator) -> Recipe:
    """Draw a standard normal for each cell of each raw table, whatever the level of the noise."""
    p, frames = parameters, forward.clean.clock
    n, end = len(drawn(float(frames.ends[-1]))), float(frames.ends[-1])
    n_machine = int(min(p.sampler_seconds, end) + 1e-6) + 1
    base = time_base(p, frames)
    return {
        "manual": rng.standard_normal((n, 5)),
        "machine": rng.standard_normal(n_machine),
        "level": p.blood_noise,
        "zero": base.zero,
        "decay": TRACERS.get(p.tracer).decay,
    }


def _act(image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: None) -> npt.NDArray:
    """Leave the image alone."""
    return image


def _tell(companions: tuple[Companion, ...], forward: Forward, recipe: Recipe) -> tuple[Companion, ...]:
    noisy = {MANUAL: _noisy_manual, MACHINE: _noisy_machine}
    return tuple(noisy[table.name](table, recipe) if table.name in noisy else table for table in companions)


def _columns(table: Companion) -> dict[str, Array]:
    cells = np.array([[np.nan if cell is None else cell for cell in row] for row in table.rows], dtype=float)
    return dict(zip(table.columns, cells.T, strict=True))


def _noisy_manual(table: Companion, recipe: Recipe) -> Companion:
    """Give each sample the noise of its counts and of its volume."""
    columns, z = _columns(table), recipe["level"] * np.asarray(recipe["manual"])
    for k, name in enumerate((PLASMA, WHOLE)):
        counts = _counts(columns, name, recipe, COUNTED)
        spread = np.sqrt(1 / np.maximum(counts, 1.0)) * z[:, k] + VOLUME_ERROR * z[:, 2 + k]
        columns[name] = np.maximum(columns[name] * (1 + spread), 0.0)
    share, counts = columns[PARENT], _counts(_columns(table), PLASMA, recipe, CHROMATOGRAPHED)
    spread = np.sqrt(np.maximum(share * (1 - share), 0) / np.maximum(counts, 1.0))
    columns[PARENT] = np.clip(share + spread * z[:, 4], 0.0, 1.0)
    return replace(table, rows=_rows(list(columns.values())))


def _noisy_machine(table: Companion, recipe: Recipe) -> Companion:
    """Give each second the noise of its counts."""
    columns = _columns(table)
    left = _left(columns, recipe)
    rate = columns[WHOLE] * left * SEEN_IN_TUBING
    # Without activity a machine counts background, which is subtracted: about one count a second.
    noise = np.sqrt(rate + 1.0) * recipe["level"] * np.asarray(recipe["machine"])
    columns[WHOLE] = columns[WHOLE] + noise / (SEEN_IN_TUBING * left)
    return replace(table, rows=_rows(list(columns.values())))


def _left(columns: Mapping[str, Array], recipe: Recipe) -> Array:
    """Return what decay since TimeZero leaves at each time."""
    return np.asarray(np.exp(-recipe["decay"] * columns["time"] / MINUTE))


def _counts(columns: Mapping[str, Array], name: str, recipe: Recipe, seen: float) -> Array:
    return columns[name] * _left(columns, recipe) * seen


BLOOD = Stage("blood", "operator", _draw, _act, noisy=False, tell=_tell)
"""Noise of the blood samples; the image passes through untouched."""
