"""No drive: the scan shows what the tracer's table says, with the differences between people."""

from __future__ import annotations

import numpy as np

from fakeimaging.modalities.pet.modulation import Imaged, Modulation, unchanged


def nothing(imaged: Imaged) -> Modulation:
    """Change nothing."""
    return Modulation(np.zeros(1), unchanged(imaged.classes), unchanged(imaged.classes))
