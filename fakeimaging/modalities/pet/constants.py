"""From the table of a tracer to the rate constants of each class of tissue of one subject, and what they mean: Ki, binding, volumes.

trapping      K1, k2, k3 of the tracer, scaled to each kind's CMRglc = Ki Cglc / LC: flow follows metabolism (k4 where a user gives it)
reference     K1 = R1 K1', k2 = R1 k2' / (1 + BPND): the simplified reference tissue model
compartments  each kind's own K1 and k2 = K1 / VND; then k3 and k4 (k3 = (BPND + off_target) k4; k3 without k4: trapped), or one
              tissue with VT = VND (1 + off_target + BPND), k2 = K1 / VT; its binding potential is VT / VT of the reference region - 1
flow          K1 = E F, k2 = K1 / p of a tracer that diffuses freely
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fakeimaging.modalities.pet.classes import Classes
from fakeimaging.modalities.pet.kinetics import Constants, reference_tissue
from fakeimaging.modalities.pet.plasma import Array
from fakeimaging.modalities.pet.tracers import BEYOND, Tracer
from fakeimaging.structure.receptors import varied
from fakeimaging.structure.subject import Subject


@dataclass(frozen=True, eq=False)
class AtRest:
    """Constants of each class before activity or structure changes them.

    Parameters
    ----------
    tracer : Tracer
    classes : Classes
    constants : Constants
        Of the classes; of one tissue, without any binding.
    bpnd : ndarray, shape (n_classes,)
        Binding potential over free and nonspecific tracer: what binding slows k2 by where that is one tissue, 0 elsewhere.
    k3_off : ndarray, shape (n_classes,)
        What binds elsewhere than at the target, in 1/min: no factor changes it.
    """

    tracer: Tracer
    classes: Classes
    constants: Constants
    bpnd: Array
    k3_off: Array

    def at(self, delivery: Array, binding: Array) -> Constants:
        """Return the constants under factors of each class, shape (n_classes,) or (n_steps, n_classes)."""
        c = self.constants
        return Constants(
            c.K1 * delivery, c.k2 * delivery / (1 + self.bpnd * binding), c.k3 * binding + self.k3_off, c.k4
        )

    def truth(self, delivery: Array, binding: Array) -> dict[str, Array]:
        """Return what an analyst looks for, from factors (n_steps, n_classes): (n_steps, n_regions) each."""
        shown = SHOWN[self.tracer.model](self, delivery, binding)
        n = self.classes.n_regions
        return {name: np.broadcast_to(values, delivery.shape)[..., :n] for name, values in shown.items()}


def at_rest(tracer: Tracer, classes: Classes, subject: Subject) -> AtRest:
    """Return the constants of each class of a subject, its own differences included."""
    return MODELS[tracer.model](tracer, classes, subject)


def to_ki(tracer: Tracer) -> float:
    """Return net uptake in mL/cm3/min over metabolism in umol/100 mL/min."""
    return tracer.constant("lumped_constant") / (100 * tracer.constant("plasma_glucose"))


def own(subject: Subject, tracer: Tracer, classes: Classes, values: Array, name: str) -> Array:
    """Give the regions this subject's own values; what lies beyond them stays."""
    n, spread = classes.n_regions, tracer.variation
    regional = varied(subject, values[:n], name, between=spread.between.value, within=spread.within.value)
    return classes.spread(regional, values[n + len(classes.hosts) :])


@dataclass(frozen=True)
class OfKind:
    """What a model of compartments makes of one kind of tissue.

    Parameters
    ----------
    K1, k2 : float
        mL/cm3/min and 1/min, k2 without binding.
    bpnd : float
        Binding within one tissue; 0 where k3 stands for it.
    k3, k4 : float
        1/min.
    k3_off : float
        1/min, of what binds elsewhere than at the target.
    """

    K1: float
    k2: float
    bpnd: float = 0.0
    k3: float = 0.0
    k4: float = 0.0
    k3_off: float = 0.0

    @property
    def distribution(self) -> float:
        """Distribution volume VT in mL/cm3, infinite where tracer is trapped."""
        k3 = self.k3 + self.k3_off
        bound = k3 / self.k4 if self.k4 else np.inf if k3 else 0.0
        return self.K1 / self.k2 * (1 + self.bpnd + bound) if self.k2 else np.inf


def of_kind(tracer: Tracer, kind: str) -> OfKind:
    """Return the constants of one kind of tissue; a kind's own numbers go before the tracer's.

    Of a VT, what exceeds VND is binding; without a VND, what exceeds the VT of the reference region.
    """
    tables = tracer.kinds[kind], tracer.constants
    value = {name: number.value for table in reversed(tables) for name, number in table.items()}
    out = next(name for table in tables for name in ("VT", "VND", "k2") if name in table)
    K1, k4, off = value["K1"], value.get("k4", 0.0), value.get("off_target", 0.0)
    if out == "VT":
        free = min(value["VT"], value.get("VND", _of_reference(tracer)))
        return OfKind(K1, K1 / free, value["VT"] / free - 1)
    k2, bpnd = value["k2"] if out == "k2" else K1 / value["VND"], value.get("BPND", 0.0)
    if "k3" in value and ("k3" in tables[0] or "BPND" not in value):
        return OfKind(K1, k2, 0.0, value["k3"], k4, off * k4)
    if k4:
        return OfKind(K1, k2, 0.0, bpnd * k4, k4, off * k4)
    return OfKind(K1, k2 / (1 + off), bpnd / (1 + off))


def _of_reference(tracer: Tracer) -> float:
    """Return the VT that the table states of the reference region; infinite if it states none."""
    stated = tracer.kinds[tracer.reference_kind].get("VT")
    return np.inf if stated is None else stated.value


def _trapping(tracer: Tracer, classes: Classes, subject: Subject) -> AtRest:
    K1, k2, k3 = (classes.column(tracer, name) for name in ("K1", "k2", "k3"))
    constants = Constants(K1, k2, k3, classes.column(tracer, "k4", 0.0))
    tabled = constants.trapping / to_ki(tracer)
    rates = own(subject, tracer, classes, classes.column(tracer, "cmrglc", np.nan), "metabolism")
    rates = np.where(np.isnan(rates), tabled, rates)
    scale = np.divide(rates, tabled, out=np.ones_like(rates), where=tabled > 0)
    return AtRest(
        tracer, classes, Constants(K1 * scale, k2 * scale, k3 * scale, constants.k4), *np.zeros((2, classes.n))
    )


def _reference(tracer: Tracer, classes: Classes, subject: Subject) -> AtRest:
    R1 = classes.column(tracer, "R1", 1.0)
    density = own(subject, tracer, classes, classes.column(tracer, "BPND", 0.0), tracer.target or "receptors")
    without = reference_tissue(R1, 0.0, tracer.constant("K1"), tracer.constant("k2"))
    return AtRest(tracer, classes, without, density, np.zeros(classes.n))


def _compartments(tracer: Tracer, classes: Classes, subject: Subject) -> AtRest:
    found = [of_kind(tracer, kind) for kind in (*classes.kinds, *BEYOND)]
    n = classes.n_regions
    K1, k2, bpnd, k3, k4, k3_off = (
        classes.spread([getattr(each, name) for each in found[:n]], [getattr(each, name) for each in found[n:]])
        for name in ("K1", "k2", "bpnd", "k3", "k4", "k3_off")
    )
    density = own(subject, tracer, classes, np.ones(classes.n), tracer.target or "receptors")
    return AtRest(tracer, classes, Constants(K1, k2, k3 * density, k4), bpnd * density, k3_off)


def _flow(tracer: Tracer, classes: Classes, subject: Subject) -> AtRest:
    flow = own(subject, tracer, classes, classes.column(tracer, "flow"), "flow")
    K1 = classes.column(tracer, "extraction", 1.0) * flow
    zero = np.zeros(classes.n)
    return AtRest(tracer, classes, Constants(K1, K1 / classes.column(tracer, "partition"), zero, zero), zero, zero)


MODELS = {"trapping": _trapping, "reference": _reference, "compartments": _compartments, "flow": _flow}
"""Models of a tracer's table."""


def _shown_of_trapping(rest: AtRest, delivery: Array, binding: Array) -> dict[str, Array]:
    c = rest.at(delivery, binding)
    shown = {"ki": c.trapping, "K1": c.K1, "k2": c.k2, "k3": c.k3, "cmrglc": c.trapping / to_ki(rest.tracer)}
    return shown | ({"k4": c.k4} if np.any(c.k4 > 0) else {})


def _shown_of_reference(rest: AtRest, delivery: Array, binding: Array) -> dict[str, Array]:
    K1, k2 = rest.constants.K1 * delivery, rest.constants.k2 * delivery
    R1 = K1 / rest.tracer.constant("K1")
    # Where no tracer gets to there is no volume of distribution: DVR is 0, as the curve of such a voxel says.
    bpnd = np.where(K1 > 0, rest.bpnd * binding, -1.0)
    vt = rest.at(delivery, binding).distribution
    return {"bpnd": bpnd, "density": rest.bpnd, "R1": R1, "K1": K1, "k2": k2, "vt": vt, "dvr": 1 + bpnd}


def _shown_of_compartments(rest: AtRest, delivery: Array, binding: Array) -> dict[str, Array]:
    """Ratios are to the reference region as the table has it; trapped tracer has a Ki, other tracer volumes and binding potentials."""
    c, elsewhere = rest.at(delivery, binding), of_kind(rest.tracer, rest.tracer.reference_kind)
    shown = {"K1": c.K1, "k2": c.k2, "R1": c.K1 / elsewhere.K1}
    if np.any(c.k3 > 0):
        shown |= {"k3": c.k3, "k4": c.k4}
    if np.any((c.k3 > 0) & (c.k4 == 0)):
        return shown | {"ki": c.trapping, "ki_reference": c.trapping / elsewhere.distribution}
    vt = c.distribution
    density = rest.bpnd + np.divide(rest.constants.k3, c.k4, out=np.zeros_like(c.k4), where=c.k4 > 0)
    dvr = vt / elsewhere.distribution
    return shown | {"vt": vt, "dvr": dvr, "bpnd": dvr - 1, "density": density}


def _shown_of_flow(rest: AtRest, delivery: Array, binding: Array) -> dict[str, Array]:
    c = rest.at(delivery, binding)
    flow = c.K1 / rest.classes.column(rest.tracer, "extraction", 1.0)
    return {"flow": flow, "K1": c.K1, "k2": c.k2, "vt": c.distribution}


SHOWN = {
    "trapping": _shown_of_trapping,
    "reference": _shown_of_reference,
    "compartments": _shown_of_compartments,
    "flow": _shown_of_flow,
}
"""What is known of each class in a model, from factors (n_steps, n_classes) on delivery and binding."""
