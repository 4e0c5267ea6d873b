"""Which constants a scan is asked for, and how: by each of the tracer's own methods that the scan allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from fakeimaging.core.errors import InputError
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.modalities.pet.tracers import Tracer
from fakeimaging.scoring import kinetics
from fakeimaging.scoring.kinetics import Array
from fakeimaging.scoring.pet.opened import Measured, Opened

T = TypeVar("T")
SHORTEST = 40.0
"""Minutes a scan must last for a fit of all of it to a reference region (assumed)."""
WINDOW, LATE_ENOUGH = 20.0, 40.0
"""Minutes at the end of a scan over which the late ratio is taken where the tracer states no window that it holds, and after injection from
which it may begin (assumed)."""
UNITS = {
    "ki": "mL/cm3/min",
    "ki_reference": "1/min",
    "vt": "mL/cm3",
    "dvr": "1",
    "bpnd": "1",
    "flow": "mL/cm3/min",
    "suvr": "1",
}
"""Unit of each constant."""
USUAL = {"trapping": ("patlak",), "reference": ("srtm",), "compartments": ("logan",), "flow": ("one_tissue",)}
"""What a tracer of each model is analysed by when it does not say."""
CONSTANTS = {
    "patlak": ("ki",),
    "reference_patlak": ("ki_reference",),
    "logan": ("vt",),
    "reference_logan": ("dvr",),
    "srtm": ("bpnd",),
    "one_tissue": ("flow", "vt"),
    "two_tissue": ("ki", "vt"),
    "suvr": ("suvr",),
}
"""What each method yields: the first of these that the scan has a truth of."""


@dataclass(frozen=True, eq=False)
class Recovered:
    """A constant of each region.

    Parameters
    ----------
    name, unit, method : str
    everywhere : bool
        Whether it is net uptake of a tracer that all regions trap.
    found, reachable, corrected, truth : ndarray, shape (n_regions,)
        From the raw image; from the clean one behind the point spread, with the true blood; from the raw image, partial volume undone;
        of the tissue itself.
    """

    name: str
    unit: str
    method: str
    everywhere: bool
    found: Array
    reachable: Array
    corrected: Array
    truth: Array


def recovered(dataset: Dataset, scan: Scan, seen: Opened) -> Iterator[Recovered]:
    """Yield the constants that the tracer's methods find, each once; none of a method that this scan does not allow.

    It does not if it begins too late or is too short, or has no blood or no reference region.
    """
    done: set[str] = set()
    for method in methods_of(seen.tracer):
        known = [name for name in CONSTANTS[method] if name == "suvr" or (dataset.root / scan.regional(name)).exists()]
        if not known or known[0] in done:
            continue
        name, estimate = known[0], estimator(method, known[0], seen.tracer)
        found, reachable, corrected = (estimate(one) for one in (seen.observed, seen.behind, seen.corrected))
        truth = estimate(seen.tissue) if name == "suvr" else np.load(dataset.root / scan.regional(name)).astype(float)
        if found is None or reachable is None or corrected is None or truth is None:
            continue
        done.add(name)
        everywhere = method == "patlak" and seen.tracer.model == "trapping"
        yield Recovered(name, UNITS[name], method, everywhere, found, reachable, corrected, truth)


def methods_of(tracer: Tracer) -> tuple[str, ...]:
    """Return by what a tracer is analysed, the usual method first."""
    return tracer.methods or USUAL[tracer.model]


def estimator(method: str, name: str, tracer: Tracer) -> Callable[[Measured], Array | None]:
    """Return what finds a constant by a method: None where the curves do not allow it."""

    def estimate(seen: Measured) -> Array | None:
        if method in FITTED and seen.timing.ends[-1] - seen.timing.starts[0] < SHORTEST:
            return None
        try:
            return ESTIMATES[method](seen, name, tracer)
        except InputError:
            return None

    return estimate


def _one_tissue(seen: Measured, name: str, tracer: Tracer) -> Array:
    fitted = kinetics.one_tissue_fit(seen.curves, seen.timing, _of(seen.plasma), blood=seen.blood).constants
    extracted = tracer.constants["extraction"].value if "extraction" in tracer.constants else 1.0
    return fitted.K1 / extracted if name == "flow" else fitted.distribution


def _two_tissue(seen: Measured, name: str, tracer: Tracer) -> Array:
    plasma, trapped = _of(seen.plasma), name == "ki"
    fitted = kinetics.two_tissue_fit(seen.curves, seen.timing, plasma, blood=seen.blood, trapped=trapped).constants
    return fitted.trapping if trapped else fitted.distribution


def _reference_logan(seen: Measured, name: str, tracer: Tracer) -> Array:
    """Return DVR; k2' is the median over regions that bind, from the reference tissue model."""
    reference = _of(seen.reference)
    bpnd, R1, k2 = kinetics.reference_tissue_fit(seen.curves, reference, seen.timing)
    with np.errstate(divide="ignore", invalid="ignore"):
        washout = np.where(bpnd > np.nanmedian(bpnd), k2 / R1, np.nan)
    shared = float(np.nanmedian(washout))
    return kinetics.reference_logan(seen.curves, reference, seen.timing, k2_reference=shared)


def _suvr(seen: Measured, name: str, tracer: Tracer) -> Array:
    return kinetics.suvr(seen.curves, _of(seen.reference), seen.timing, late_window(seen, tracer))


def late_window(seen: Measured, tracer: Tracer) -> tuple[float, float]:
    """Return start and end (min) of the late ratio: the tracer's own if a frame lies in it, else the end of a scan that is late enough."""
    starts, ends = seen.timing.starts, seen.timing.ends
    if tracer.late_window is not None:
        start, end = tracer.late_window.value
        if ((starts >= start - 1e-6) & (ends <= end + 1e-6)).any():
            return start, end
    end = float(ends[-1])
    return max(end - WINDOW, LATE_ENOUGH), end


def _of(one: T | None) -> T:
    """Return what must not be missing."""
    if one is None:
        raise InputError("there is no blood, or no reference region")
    return one


ESTIMATES: dict[str, Callable[[Measured, str, Tracer], Array]] = {
    "patlak": lambda seen, name, tracer: kinetics.patlak(seen.curves, seen.timing, _of(seen.plasma)),
    "reference_patlak": lambda seen, name, tracer: kinetics.reference_patlak(
        seen.curves, _of(seen.reference), seen.timing
    ),
    "logan": lambda seen, name, tracer: kinetics.logan(seen.curves, seen.timing, _of(seen.plasma)),
    "reference_logan": _reference_logan,
    "srtm": lambda seen, name, tracer: kinetics.reference_tissue_fit(seen.curves, _of(seen.reference), seen.timing)[0],
    "one_tissue": _one_tissue,
    "two_tissue": _two_tissue,
    "suvr": _suvr,
}
"""How each method finds its constant."""
FITTED = {"srtm", "reference_logan"}
"""Methods that need the course of the curve over most of an hour."""
