"""How a model scales the weights of a connectome before it couples by them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import ModelError
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.structure.subject import Subject

Scaling = Literal["rows", "radius", "none"]


class WiringParameters(Parameters):
    """How strongly a model's regions are coupled; other models' parameters inherit these."""

    scaling: Scaling = parameter(
        "rows",
        unit="-",
        description="weights: each row summing to 1, all over their spectral radius, or none (as they are)",
    )


def cortical(subject: Subject) -> npt.NDArray[np.float64]:
    """Return 1 for each region of the cortex and 0 for the others, shape (n_regions,)."""
    return np.array([float(region.kind == "cortex") for region in subject.regions])


def everywhere(subject: Subject, value: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return a number, or one for each region, as an array, shape (n_regions,)."""
    return np.array(np.broadcast_to(np.asarray(value, dtype=np.float64), (subject.n_regions,)))


def wiring(parameters: WiringParameters, subject: Subject, *, signed: bool = False) -> npt.NDArray[np.float64]:
    """Return the weights as the parameters scale them, shape (n_regions, n_regions), row receives.

    Parameters
    ----------
    parameters : WiringParameters
    subject : Subject
    signed : bool
        That the model can do with negative weights.

    Raises
    ------
    InputError
        If there are negative weights and the model takes none.
    ModelError
        If the weights have no loop, so that their spectral radius is 0.
    """
    own = subject.connectome
    if not signed:
        own.refuse_negative()
    return scaled(own.weights, parameters.scaling, reference=own.healthy.weights)


def scaled(
    weights: npt.NDArray[np.float64], scaling: Scaling, *, reference: npt.NDArray[np.float64] | None = None
) -> npt.NDArray[np.float64]:
    """Return weights scaled by their own sums or radius, or by those of ``reference`` (the weights before a lesion).

    Examples
    --------
    >>> scaled(np.array([[0.0, 2.0], [6.0, 0.0]]), "rows")
    array([[0., 1.],
           [1., 0.]])
    """
    if scaling == "none":
        return np.array(weights)
    whole = weights if reference is None else reference
    if scaling == "rows":
        sums = np.abs(whole).sum(axis=1, keepdims=True)
        return np.asarray(np.divide(weights, sums, out=np.zeros_like(weights), where=sums > 0))
    radius = float(np.abs(np.linalg.eigvals(whole)).max())
    if radius == 0:
        raise ModelError("`scaling`: weights without a loop have no spectral radius; take 'rows' or 'none'")
    return np.asarray(weights / radius)
