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

from fakeimaging.core.spaces import Grid
from fakeimaging.modalities.layers import Companion, Image
from fakeimaging.modalities.pet.mu_map import mu_map
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.plasma import Array
from fakeimaging.modalities.pet.resolution import Painted
from fakeimaging.modalities.pet.tracers import BEYOND, Tracer
from fakeimaging.modalities.pet.uptake import Uptake
from fakeimaging.structure.anatomy import Anatomy
from fakeimaging.structure.subject import Subject

TABLE = "desc-constants"
"""Name of the table of all constants."""


@dataclass(frozen=True)
class Known:
    """A constant: its unit, what it is, and whether a curve is linear in it."""

    unit: str
    what: str
    linear: bool = True


MU = "mu"
FOLLOWING = {"DVR", "density", "k2a"}
"""Constants without a map, since others say the same: 1 + BPND, BPND before anything competes, k2 / (1 + BPND)."""
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
    MU: Known("1/cm", "linear attenuation at 511 keV"),
    "occupancy": Known(
        "1", "largest share of the binding that drugs, challenges and displaced places take during the scan", False
    ),
}
"""By the name in files (``desc-K1_pet``: BIDS has no suffix yet for maps of constants)."""
TRUTH_NAMES = {
    "vt": "VT", "dvr": "DVR", "bpnd": "BPND", "ki": "Ki", "ki_reference": "KiREF", "cmrglc": "CMRglc",
    **{name: name for name in ("K1", "k2", "k3", "k4", "R1", "flow", "density", "occupancy")},
}  # fmt: skip
"""Names in the truth of a recording."""


def of_classes(taken: Uptake) -> dict[str, Array]:
    """Return the constants of every class by the names of `KNOWN`, shape (n_classes,).

    What changes during the scan is a mean, weighted by the plasma curve.
    """
    found = {TRUTH_NAMES[key]: np.asarray(values) for key, values in taken.known.items() if key in TRUTH_NAMES}
    found["vB"] = taken.blood_volume
    if "BPND" in found and "k3" not in found:
        ratio = 1 + found["BPND"]
        found["k2a"] = np.divide(found["k2"], ratio, out=np.zeros_like(ratio), where=ratio > 0)
    return {name: found[name] for name in KNOWN if name in found}


def map_name(name: str) -> str:
    """Return the end of the file name of the map of a constant, or of another quantity of each voxel."""
    return f"desc-{name}_pet"


def known_constants(
    subject: Subject, painted: Painted, tracer: Tracer, taken: Uptake, parameters: PetParameters
) -> tuple[tuple[Companion, ...], dict[str, Image]]:
    """Return the table of all constants, one row a class of tissue, and the map of each, made when asked, with what is said of it.

    Parameters
    ----------
    subject : Subject
    painted : Painted
    tracer : Tracer
    taken : Uptake
    parameters : PetParameters
    """
    values = of_classes(taken)
    table = _table(subject, tracer, taken, values)
    if not parameters.maps:
        return (table,), {}
    grid = painted.grid
    maps = {
        map_name(name): Image(grid, None, partial(_map, painted, values[name], KNOWN[name].linear), 1.0)
        for name in mapped(values)
    }
    maps[map_name(MU)] = Image(grid, None, partial(_mu, subject.anatomy, grid), 1.0)
    return (table, *(_said(name) for name in (*mapped(values), MU))), maps


def _table(subject: Subject, tracer: Tracer, taken: Uptake, values: Mapping[str, Array]) -> Companion:
    names, hosts = [region.name for region in subject.regions], taken.classes.hosts.tolist()
    places = [f"{names[host]}_place{k + 1}" for k, host in enumerate(hosts)]
    kinds = [*taken.classes.kinds, *(taken.classes.kinds[host] for host in hosts), *BEYOND]
    numbers = zip(*(np.round(column, 9).tolist() for column in values.values()), strict=True)
    rows = [[name, kind, *row] for name, kind, row in zip([*names, *places, *BEYOND], kinds, numbers, strict=True)]
    about = {
        "Description": "true constants of each class of tissue; of what changes during the scan the mean, weighted by the plasma curve",
        "Model": tracer.model,
        "name": {"Description": "region, place of its own within one, or tissue beyond them"},
        "kind": {"Description": "kind of tissue in the tracer's table"},
        **{name: {"Description": KNOWN[name].what, "Units": KNOWN[name].unit} for name in values},
    }
    return Companion(TABLE, ("name", "kind", *values), rows, about, truth=True, named=False)


def mapped(values: Mapping[str, Array]) -> tuple[str, ...]:
    """Return the names of the constants that have a map: not those that are 0 everywhere, or follow from another one."""
    return tuple(name for name, column in values.items() if column.any() and name not in FOLLOWING)


def _said(name: str) -> Companion:
    known = KNOWN[name]
    mixing = "sum over its tissues, each by its share of the volume" if known.linear else "that of its largest tissue"
    about = {"Description": f"true {name}: {known.what}", "Units": known.unit, "InEachVoxel": mixing}
    return Companion(map_name(name), about={"SkullStripped": False, **about}, truth=True)


def _mu(anatomy: Anatomy, grid: Grid, v: int) -> npt.NDArray[np.float32]:
    return mu_map(anatomy, grid)


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
