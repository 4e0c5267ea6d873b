"""What the stages of the scanner need beside the clean frames: counts, attenuation, and the frames behind the point spread."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.clocks import Frames
from fakeimaging.modalities.layers import Image
from fakeimaging.modalities.pet.counts import counted
from fakeimaging.modalities.pet.mu_map import mu_map
from fakeimaging.modalities.pet.noise import attenuated
from fakeimaging.modalities.pet.once import Seen
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.resolution import Painted, point_spread
from fakeimaging.modalities.pet.survival import coarse, voxel_survival
from fakeimaging.modalities.pet.tracers import TRACERS
from fakeimaging.structure.anatomy import Anatomy

PER_MM = np.float32(0.1)
"""1/cm in 1/mm."""


def scan_context(
    parameters: PetParameters, anatomy: Anatomy, painted: Painted, curves: npt.NDArray[np.float64], clean: Image
) -> dict[str, Any]:
    """Return what the stages need of a scan.

    Parameters
    ----------
    parameters : PetParameters
    anatomy : Anatomy
        Its tissue attenuates.
    painted : Painted
    curves : ndarray, shape (n_classes, n_frames)
        Of the classes that are painted, in Bq/mL.
    clean : Image
        The frames themselves, which remember their last.

    Returns
    -------
    dict
        ``counts`` (`Counts`), ``seen`` (`Seen`), ``attenuation`` (`Attenuation`), ``attenuated``: variance of the noise in each voxel
        over that in the middle of the cylinder that set it.
    """
    frames: Frames = clean.clock  # type: ignore[assignment]
    attenuation = coarse(mu_map(anatomy, clean.grid) * PER_MM, clean.grid)
    shares = voxel_survival(attenuation, clean.grid)
    return {
        "counts": counted(parameters, frames, TRACERS.get(parameters.tracer).decay, curves, painted, shares),
        "seen": Seen(clean.make, clean.grid, point_spread(parameters)),
        "attenuation": attenuation,
        "attenuated": attenuated(shares),
    }
