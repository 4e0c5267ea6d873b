"""Deposits of a protein bind the tracer: binding is their load, from 0 to 1, and the table's BPND or k3 that of a full load.

What binds without deposits, in white matter or off target, is in the tracer's table and stays.
"""

from __future__ import annotations

import numpy as np

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet.modulation import Imaged, Modulation, unchanged
from fakeimaging.structure.receptors import load_of


def pathology(imaged: Imaged) -> Modulation:
    """Scale binding."""
    tracer = imaged.tracer
    if tracer.target is None:
        raise InputError(f"the tracer {tracer.tracer_name} binds deposits and does not say of which `target`")
    load = load_of(imaged.subject, tracer.target)
    about = {"DrivenBy": f"load of {tracer.target}"}
    binding = imaged.classes.spread(load[None], 1.0)
    return Modulation(np.zeros(1), unchanged(imaged.classes), binding, {"load": load}, about)
