"""Synaptic density is read off the wiring, never off activity (our assumption, see the reference below).

    binding_i = g(s_i) / mean of g,   g(s) = (l + (1 - l) s / mean s)^e,   s_i = (1 - o) sum_j |w_ij| + o sum_j |w_ji|

Both means are those of the healthy connectome; row i receives. SV2A sits in nearly all terminals, excitatory and inhibitory; that a
tract's weight stands for its number of synapses is assumed, as are e (0.3) and l, what a region has without tracts: the strengths of a
connectome differ several fold between regions, and densities of synapses by about a sixth. e = 1 and l = 0 give density in proportion to
strength.

References
----------
Finnema et al. (2016), Sci Transl Med 8:348ra96
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet.modulation import Imaged, Modulation, unchanged
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.plasma import Array


def synapses(imaged: Imaged) -> Modulation:
    """Scale binding."""
    wiring = imaged.subject.connectome
    density = synaptic_density(wiring.weights, imaged.parameters, wiring.healthy.weights)
    binding = imaged.classes.spread(density[None], 1.0)
    truth = {"synaptic_density": density}
    return Modulation(np.zeros(1), unchanged(imaged.classes), binding, truth, {"DrivenBy": "strength of its tracts"})


def synaptic_density(weights: npt.NDArray, parameters: PetParameters, healthy: npt.NDArray | None = None) -> Array:
    """Return synaptic density relative to the mean over the regions of a healthy brain.

    Parameters
    ----------
    weights : ndarray, shape (n_regions, n_regions)
        Row receives, column sends.
    parameters : PetParameters
    healthy : ndarray, shape (n_regions, n_regions), optional
        The weights before any was lost, so that what is cut in one place raises nothing elsewhere; ``weights`` when left out.

    Returns
    -------
    ndarray, shape (n_regions,)

    Raises
    ------
    InputError
        If there is not one tract.
    """
    whole = _strength(weights if healthy is None else healthy, parameters.out_strength)
    if not whole.any():
        raise InputError("a connectome without tracts says nothing of synapses")
    local, mean = parameters.local_synapses, whole.mean()
    left, before = (
        (local + (1 - local) * strength / mean) ** parameters.synapse_exponent
        for strength in (_strength(weights, parameters.out_strength), whole)
    )
    return np.asarray(left / before.mean())


def _strength(weights: npt.NDArray, sent: float) -> Array:
    size = np.abs(np.asarray(weights, dtype=float))
    return np.asarray((1 - sent) * size.sum(axis=1) + sent * size.sum(axis=0))
