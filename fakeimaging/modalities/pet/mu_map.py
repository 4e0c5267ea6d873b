"""What the head takes from the photons: attenuation at 511 keV, and the share of pairs that leave along each line.

A pair is lost if either photon is, so the whole line counts: exp(-integral of mu), wherever on it the pair arose.
"""

from __future__ import annotations

import numpy as np

from fakeimaging.core.citations import Reference
from fakeimaging.core.spaces import Grid
from fakeimaging.modalities.pet.projector import Lines, project
from fakeimaging.modalities.pet.slabs import Volume
from fakeimaging.structure.anatomy import Anatomy

WATER = 0.096
"""1/cm (NIST: 0.0960 cm2/g at 511 keV); cerebrospinal fluid is taken for water."""
SOFT = 0.0975
"""1/cm: brain and the soft tissue outside the skull (brainweb; 0.095 to 0.1 in Wagenknecht et al. 2013, table 2)."""
FAT = 0.086
"""1/cm (Wagenknecht et al. 2013, table 2, three of its sources)."""
BONE = 0.13
"""1/cm: skull as a whole, diploe included (brainweb; 0.116 to 0.172 in Wagenknecht et al. 2013, table 2)."""
REFERENCE = Reference("Wagenknecht et al.", 2013, "10.1007/s10334-012-0353-4", "attenuation of tissues at 511 keV")


def mu_map(anatomy: Anatomy, grid: Grid) -> Volume:
    """Return linear attenuation at 511 keV in 1/cm, shape grid.shape; 0 in air."""
    tissue = anatomy.tissue(grid)
    mu = np.float32(SOFT) * (tissue.grey + tissue.white + tissue.scalp)
    mu += np.float32(FAT - SOFT) * tissue.fat
    mu += np.float32(WATER) * tissue.csf
    mu += np.float32(BONE) * tissue.bone
    return mu


def line_survival(mu: Volume, lines: Lines) -> Volume:
    """Return the share of photon pairs that leave along each line.

    Parameters
    ----------
    mu : ndarray, shape lines.grid.shape
        1/cm.

    Returns
    -------
    ndarray, shape lines.shape, float32
    """
    millimetres = np.float32(-0.1)
    return np.exp(millimetres * project(mu, lines))
