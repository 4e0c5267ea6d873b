"""From the table of a tracer to the rate constants of each class of tissue of one subject, and what they mean: Ki, binding, volumes.

metabolism   CMRglc = Ki Cglc / LC; a region's own rate scales transport and trapping together (flow follows metabolism)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fakeimaging.modalities.pet.classes import Classes
from fakeimaging.modalities.pet.kinetics import Constants, reference_tissue
from fakeimaging.modalities.pet.plasma import Array
from fakeimaging.modalities.pet.tracers import Tracer
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
        Of the classes; in a reference model, without any binding.
    bpnd : ndarray, shape (n_classes,), or None
        Binding potential in a reference model.
    """

    tracer: Tracer
    classes: Classes
    constants: Constants
    bpnd: Array | None = None

    def at(self, delivery: Array, binding: Array) -> Constants:
        """Return the constants under factors of each class, shape (n_classes,)."""
        c = self.constants
        if self.bpnd is not None:
            return Constants(c.K1 * delivery, c.k2 * delivery / (1 + self.bpnd * binding), c.k3, c.k4)
        return Constants(c.K1 * delivery, c.k2 * delivery, c.k3 * binding, c.k4)

    def truth(self, delivery: Array, binding: Array) -> dict[str, Array]:
        """Return what an analyst looks for, from factors (n_steps, n_classes): (n_steps, n_regions) each."""
        n, c = self.classes.n_regions, self.at(delivery, binding)
        if self.bpnd is not None:
            free = Constants(self.constants.K1 * delivery, self.constants.k2 * delivery, c.k3, c.k4)
            R1 = free.K1 / self.tracer.constant("K1")
            shown = {"bpnd": self.bpnd * binding, "density": self.bpnd + 0 * binding}
            shown |= {"R1": R1, "K1": free.K1, "k2": free.k2}
        else:
            shown = {"ki": c.trapping, "K1": c.K1, "k2": c.k2, "k3": c.k3}
            if "lumped_constant" in self.tracer.constants:
                shown["cmrglc"] = c.trapping / to_ki(self.tracer)
        return {name: values[..., :n] for name, values in shown.items()}


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


def _trapping(tracer: Tracer, classes: Classes, subject: Subject) -> AtRest:
    K1, k2, k3 = (classes.column(tracer, name) for name in ("K1", "k2", "k3"))
    constants = Constants(K1, k2, k3, np.zeros_like(k3))
    tabled = constants.trapping / to_ki(tracer)
    rates = own(subject, tracer, classes, classes.column(tracer, "cmrglc", np.nan), "metabolism")
    rates = np.where(np.isnan(rates), tabled, rates)
    scale = np.divide(rates, tabled, out=np.ones_like(rates), where=tabled > 0)
    return AtRest(tracer, classes, Constants(K1 * scale, k2 * scale, k3 * scale, constants.k4))


def _reference(tracer: Tracer, classes: Classes, subject: Subject) -> AtRest:
    R1 = classes.column(tracer, "R1", 1.0)
    density = own(subject, tracer, classes, classes.column(tracer, "BPND", 0.0), "receptors")
    without = reference_tissue(R1, 0.0, tracer.constant("K1"), tracer.constant("k2"))
    return AtRest(tracer, classes, without, density)


MODELS = {"trapping": _trapping, "reference": _reference}
"""Models of a tracer's table."""
