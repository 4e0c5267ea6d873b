"""What is true of the tissue of a scan: constants of each class as a table and as maps.

Where tissues share a voxel, what a curve is linear in (K1, Ki, VT, BPND, R1, flow, metabolic rate) is the sum of the tissues' values, each
by its share of the volume: what a voxel's own curve gives without noise and blur. Rate constants do not mix like that; a voxel has those
of the tissue with the largest share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.layers import Companion, Image
from fakeimaging.modalities.pet.constants import to_ki
from fakeimaging.modalities.pet.kinetics import Constants
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.plasma import Array
from fakeimaging.modalities.pet.resolution import Painted
from fakeimaging.modalities.pet.tracers import BEYOND, Tracer
from fakeimaging.modalities.pet.uptake import Uptake
from fakeimaging.structure.subject import Subject

SUFFIX = "mimap"
"""BIDS suffix of molecular images of a quantity (proposal 23)."""
TABLE = "desc-truth_kinpar"


@dataclass(frozen=True)
class Known:
    """A constant: its unit, what it is, and whether a curve is linear in it."""

    unit: str
    what: str
    linear: bool = True


KNOWN: Mapping[str, Known] = {
    "K1": Known("mL/cm3/min", "from plasma into tissue"),
    "k2": Known(
        "1/min", "from tissue back to plasma; where binding is one compartment with free tracer, without binding", False
    ),
    "k2a": Known("1/min", "the same under binding, k2 / (1 + BPND)", False),
    "k3": Known("1/min", "from free to bound or trapped", False),
    "k4": Known("1/min", "from bound back to free", False),
    "vB": Known("1", "share of blood vessels in the volume", False),
    "VT": Known("mL/cm3", "distribution volume"),
    "DVR": Known("1", "distribution volume over that of the reference region"),
    "BPND": Known("1", "binding potential relative to free and nonspecific tracer"),
    "R1": Known("1", "K1 over that of the reference region"),
    "Ki": Known("mL/cm3/min", "net uptake of trapped tracer"),
    "KiREF": Known("1/min", "net uptake over the distribution volume of the reference region"),
    "CMRglc": Known("umol/100 mL/min", "metabolic rate of glucose"),
    "flow": Known("mL/cm3/min", "blood flow"),
    "density": Known("1", "binding potential before anything competes", False),
    "occupancy": Known(
        "1", "largest share of the binding that drugs, challenges and displaced places take during the scan", False
    ),
}
"""By the name in files (``meas-K1_mimap``)."""
TRUTH_NAMES = {
    "vt": "VT", "dvr": "DVR", "bpnd": "BPND", "ki": "Ki", "ki_reference": "KiREF", "cmrglc": "CMRglc",
    **{name: name for name in ("K1", "k2", "k3", "k4", "R1", "flow", "density", "occupancy")},
}  # fmt: skip
"""Names in the truth of a recording."""


def of_classes(tracer: Tracer, taken: Uptake) -> dict[str, Array]:
    """Return the constants of every class by the names of `KNOWN`, shape (n_classes,); means over the scan, weighted by the plasma curve.

    Of regions they are what the truth of the recording says; of the tissue beyond, what follows from its rate constants.
    """
    classes, n = taken.classes, taken.classes.n_regions
    everywhere = _from_rates(tracer, taken)
    found = {}
    for name, key in ((TRUTH_NAMES[key], key) for key in taken.truth if key in TRUTH_NAMES):
        regional = np.asarray(taken.truth[key], dtype=float)
        elsewhere = np.asarray(taken.known.get(key, everywhere.get(name, np.zeros(classes.n))))[n:]
        found[name] = np.concatenate([regional, elsewhere])
    for name in ("vB", *(("k2a",) if "BPND" in found and "k3" not in found else ())):
        found[name] = everywhere[name]
    return {name: found[name] for name in KNOWN if name in found}


def _from_rates(tracer: Tracer, taken: Uptake) -> dict[str, Array]:
    """Return what follows from the rate constants of the classes and from the ratios that the regions have."""
    c, truth = mean_constants(taken), taken.truth
    found = {"K1": c.K1, "k2": c.k2, "k2a": c.k2, "k3": c.k3, "k4": c.k4, "vB": taken.blood_volume}
    found |= {"VT": c.distribution, "Ki": c.trapping}
    if "lumped_constant" in tracer.constants:
        found["CMRglc"] = c.trapping / to_ki(tracer)
    if "flow" in truth:
        found["flow"] = c.K1 * _shared(truth["flow"], truth["K1"])
    if "R1" in truth:
        found["R1"] = c.K1 * _shared(truth["R1"], truth["K1"])
    if "ki_reference" in truth:
        found["KiREF"] = c.trapping * _shared(truth["ki_reference"], truth["ki"])
    if "dvr" in truth:
        found["DVR"] = c.distribution * _shared(truth["dvr"], truth["vt"])
        found["BPND"] = np.maximum(found["DVR"] - 1, 0.0)
        found["density"] = found["BPND"]
        found["k2"] = c.k2 * (1 + found["BPND"]) if not c.k3.any() else c.k2
    return found


def _shared(above: npt.NDArray, below: npt.NDArray) -> float:
    """Return the ratio that all regions have in common, as a constant of the tracer."""
    known = np.asarray(below) > 0
    return float(np.median(np.asarray(above)[known] / np.asarray(below)[known])) if known.any() else 0.0


def mean_constants(taken: Uptake) -> Constants:
    """Return the rate constants of every class: means over the scan, weighted by the plasma curve where they change."""
    weights = np.asarray(taken.weights)
    stacked = {name: np.stack([getattr(c, name) for _, c in taken.schedule]) for name in ("K1", "k2", "k3", "k4")}
    return Constants(
        *(weights @ np.broadcast_to(values, (len(weights), values.shape[-1])) for values in stacked.values())
    )


def constant_tables(
    subject: Subject, tracer: Tracer, taken: Uptake, parameters: PetParameters
) -> tuple[Companion, ...]:
    """Return the table of all constants, one row a class of tissue; and what is said of each map."""
    values = of_classes(tracer, taken)
    names = [region.name for region in subject.regions]
    places = [f"{names[host]}_place{k + 1}" for k, host in enumerate(taken.classes.hosts)]
    kinds = [*taken.classes.kinds, *(taken.classes.kinds[host] for host in taken.classes.hosts), *BEYOND]
    table = zip(*(np.round(column, 9).tolist() for column in values.values()), strict=True)
    rows = [[name, kind, *row] for name, kind, row in zip([*names, *places, *BEYOND], kinds, table, strict=True)]
    about = {
        "Description": "true constants of each class of tissue; of what changes during the scan the mean, weighted by the plasma curve",
        "Model": tracer.model,
        "name": {"Description": "region, place of its own within one, or tissue beyond them"},
        "kind": {"Description": "kind of tissue in the tracer's table"},
        **{name: {"Description": KNOWN[name].what, "Units": KNOWN[name].unit} for name in values},
    }
    made = [Companion(TABLE, ("name", "kind", *values), rows, about, truth=True)]
    return (*made, *(_said(name) for name in (mapped(values) if parameters.maps else ())))


def mapped(values: Mapping[str, Array]) -> tuple[str, ...]:
    """Return the names of the constants that are worth a map: not those that are 0 everywhere."""
    return tuple(name for name, column in values.items() if column.any())


def _said(name: str) -> Companion:
    known = KNOWN[name]
    mixing = (
        "sum over the tissues of a voxel, each by its share of the volume"
        if known.linear
        else "of the tissue with the largest share"
    )
    about = {"Description": f"true {name}: {known.what}", "Units": known.unit, "Mixing": mixing}
    return Companion(f"meas-{name}_{SUFFIX}", about=about, truth=True)


def parametric_maps(painted: Painted, tracer: Tracer, taken: Uptake) -> dict[str, Image]:
    """Return the map of each constant by the end of its file name, made when asked."""
    values = of_classes(tracer, taken)
    return {
        f"meas-{name}_{SUFFIX}": Image(
            painted.grid, None, partial(_map, painted, values[name], KNOWN[name].linear), 1.0
        )
        for name in mapped(values)
    }


def _map(painted: Painted, values: Array, linear: bool, v: int) -> npt.NDArray[np.float32]:
    paint = mixed if linear else dominant
    return paint(painted, values)


def mixed(painted: Painted, values: Array) -> npt.NDArray[np.float32]:
    """Return the sum over tissues of share times value; ``values`` of shape (n_classes,)."""
    own, beyond = _split(values)
    image = painted.grey * own[painted.labels]
    for share, value in zip(painted.others[1:], beyond, strict=True):
        image = image + share * value
    return np.asarray(image, dtype=np.float32)


def dominant(painted: Painted, values: Array) -> npt.NDArray[np.float32]:
    """Return the value of the tissue that has the largest share of each voxel, 0 where there is none."""
    own, beyond = _split(values)
    image, largest = np.where(painted.grey > 0, own[painted.labels], np.float32(0)), painted.grey
    for share, value in zip(painted.others[1:], beyond, strict=True):
        image = np.where(share > largest, value, image)
        largest = np.maximum(largest, share)
    return np.asarray(image, dtype=np.float32)


def _split(values: Array) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the values by label of the grey matter (0 is the one without a label), and those of the other tissues."""
    n_grey = len(values) - len(BEYOND)
    unlabelled, *outer = values[n_grey:]
    return np.array([unlabelled, *values[:n_grey]], dtype=np.float32), np.array(outer, dtype=np.float32)
