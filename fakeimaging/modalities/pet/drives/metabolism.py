"""Glucose metabolism follows firing: CMRglc_i = m_i CMR0_i (1 - f + f A_i / A0), f the share that signalling takes.

m is the subject's own metabolism at rest, relative to a healthy person: what age and disease leave of it.
"""

from __future__ import annotations

from fakeimaging.modalities.pet.drives.firing import firing_of
from fakeimaging.modalities.pet.modulation import Imaged, Modulation
from fakeimaging.structure.receptors import densities_of


def metabolism(imaged: Imaged) -> Modulation:
    """Scale transport and trapping together."""
    fired, share = firing_of(imaged), imaged.tracer.constant("share")
    at_rest = densities_of(imaged.subject, "metabolism")
    change = imaged.classes.spread(at_rest * (1 - share + share * fired.ratio), 1.0)
    return Modulation(fired.stretch.starts, change, change, fired.truth, fired.about)
