"""Dopamine competes for the receptors: BPND_i = density_i (1 + d0) / (1 + d0 D_i), D_i = 1 + gain (A_i / A0 - 1).

d0 = occupancy / (1 - occupancy) is what dopamine holds at rest.
"""

from __future__ import annotations

import numpy as np

from fakeimaging.modalities.pet.drives.firing import firing_of
from fakeimaging.modalities.pet.modulation import Imaged, Modulation, unchanged


def release(imaged: Imaged) -> Modulation:
    """Scale binding."""
    fired, tracer, given = firing_of(imaged), imaged.tracer, imaged.parameters.release_gain
    held = tracer.constant("occupancy")
    at_rest = held / (1 - held)
    dopamine = np.maximum(1 + (tracer.constant("gain") if given is None else given) * (fired.ratio - 1), 0)
    free = (1 + at_rest) / (1 + at_rest * dopamine)
    delivery = unchanged(imaged.classes, len(fired.starts))
    return Modulation(fired.starts, delivery, imaged.classes.spread(free, 1.0), fired.truth, fired.about)
