"""Glucose metabolism follows firing: CMRglc_i = CMR0_i (1 - f + f A_i / A0), f the share that signalling takes."""

from __future__ import annotations

from fakeimaging.modalities.pet.drives.firing import firing_of
from fakeimaging.modalities.pet.modulation import Imaged, Modulation


def metabolism(imaged: Imaged) -> Modulation:
    """Scale transport and trapping together."""
    fired, share = firing_of(imaged), imaged.tracer.constant("share")
    change = imaged.classes.spread(1 - share + share * fired.ratio, 1.0)
    return Modulation(fired.stretch.starts, change, change, fired.truth, fired.about)
