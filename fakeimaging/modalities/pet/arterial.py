"""What is in the artery during a scan: the tracer's own curve as its dose is given, or a subject's own from a table."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from fakeimaging.core.errors import InputError, did_you_mean
from fakeimaging.modalities.pet.administration import infused, sum_of
from fakeimaging.modalities.pet.parameters import PetParameters, suv
from fakeimaging.modalities.pet.plasma import Array, InputFunction, from_samples, parent_fraction
from fakeimaging.modalities.pet.tracers import MINUTE, TRACERS, Tracer

TIME, PLASMA, PARENT = "time", "plasma_radioactivity", "metabolite_parent_fraction"
"""Columns, as in the blood tables of PET-BIDS; the last one may be left out."""
SHORT, FAINT = 10.0, 10.0
"""So many times shorter than the scan, or below the injected activity over body weight, a curve is in other units (assumed)."""


def arterial(tracer: Tracer, parameters: PetParameters, seconds: float) -> InputFunction:
    """Return unchanged tracer in arterial plasma in Bq/mL, decay-corrected to injection.

    Parameters
    ----------
    tracer : Tracer
    parameters : PetParameters
    seconds : float
        From injection to the end of the scan: how long an infusion lasts that says nothing else.

    Raises
    ------
    InputError
        If a table of one's own cannot be used.
    """
    p = parameters
    if p.input_function is not None:
        return measured_curve(p.input_function, tracer)
    dose = tracer.input.curve().scaled(suv(p))
    bolus = infused(dose, p.bolus_duration / MINUTE) if p.bolus_duration > 0 else dose
    share, length = infused_share(p, seconds)
    parts = [bolus.scaled(1 - share)] if share < 1 else []
    parts += [infused(dose, length / MINUTE).scaled(share)] if share > 0 else []
    return bolus if share == 0 else sum_of(parts)


def infused_share(parameters: PetParameters, seconds: float) -> tuple[float, float]:
    """Return what share of the dose is infused, and for how long in s; ``seconds`` is the end of the scan.

    Examples
    --------
    >>> infused_share(PetParameters(administration="bolus_infusion", kbol=30.0, infusion_duration=5400.0), 5400.0)
    (0.75, 5400.0)
    """
    p = parameters
    length = seconds if p.infusion_duration is None else p.infusion_duration
    if p.administration == "bolus":
        return 0.0, 0.0
    return (1.0 if p.administration == "infusion" else length / (p.kbol * MINUTE + length)), length


def measured_curve(path: str, tracer: Tracer) -> InputFunction:
    """Return unchanged tracer in plasma from a table of all plasma activity; the share that is unchanged is the table's or the tracer's.

    The curve rises from 0 at injection to the first sample, and falls on after the last one as the last three say.
    """
    table = _columns(path)
    times = table[TIME]
    share = table.get(PARENT)
    share = parent_fraction(times / MINUTE, tracer.parent_fraction.value) if share is None else share
    later, values = times >= 0, table[PLASMA] * share
    times, values = times[later] / MINUTE, values[later]
    if len(times) and times[0] > 0:
        times, values = np.append(0.0, times), np.append(0.0, values)
    try:
        return from_samples(times, values)
    except InputError as error:
        raise InputError(f"{Path(path).name}: {error}", value=path) from None


def problem_of_curve(parameters: PetParameters, end: float) -> str | None:
    """Say whether a table of one's own seems to be in other units: far shorter than the scan (s), or far below what was injected.

    Raises
    ------
    InputError
        If it cannot be used at all.
    """
    path = parameters.input_function
    if path is None or not Path(path).is_file():
        return None  # A file that is not there is told of where the study is checked.
    measured_curve(path, TRACERS.get(parameters.tracer))
    table, name = _columns(path), Path(path).name
    last, peak = (float(table[column].max(initial=0.0)) for column in (TIME, PLASMA))
    if last < end / SHORT:
        return f"{name}: its samples end at {last:g} s and the scan at {end:g} s; column '{TIME}' is in s"
    if peak < suv(parameters) / FAINT:
        return f"{name}: its peak of {peak:g} Bq/mL is little after an injection of {suv(parameters):.4g} Bq/g; '{PLASMA}' is in Bq/mL"
    return None


def _columns(path: str) -> dict[str, Array]:
    """Return the columns, rows without a plasma sample left out; a parent fraction between its samples is interpolated."""
    name = Path(path).name
    try:
        rows = list(csv.DictReader(Path(path).read_text(encoding="utf-8-sig").splitlines(), delimiter="\t"))
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read the arterial curve {name}: {why}", value=path) from None
    known = list(rows[0]) if rows else []
    for column in (TIME, PLASMA):
        if column not in known:
            raise InputError(f"{name}: there is no column '{column}'{did_you_mean(column, known)}", value=path)
    found = {
        key: np.array([_number(row[key], name, key) for row in rows]) for key in (TIME, PLASMA, PARENT) if key in known
    }
    if PARENT in found and (there := np.isfinite(found[PARENT])).any():
        found[PARENT] = np.interp(found[TIME], found[TIME][there], found[PARENT][there])
    sampled = np.isfinite(found[TIME]) & np.isfinite(found[PLASMA])
    return {key: values[sampled] for key, values in found.items()}


def _number(cell: str | None, name: str, column: str) -> float:
    if cell is None or cell.strip() in ("", "n/a"):
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        raise InputError(f"{name}: '{cell}' in column '{column}' is no number", value=cell) from None
