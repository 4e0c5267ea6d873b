"""Densities per region: a number of each kind of tissue, with the differences between people and between a person's regions.

A density acts on what a tracer binds to; on activity it acts only through an explicit gain.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fakeimaging.structure.subject import Subject

SAME_AS = {"basal ganglia": "putamen", "striatum": "putamen"}
"""Coarser names of a kind, and the kind whose numbers they take."""


def kinds_of(subject: Subject) -> list[str]:
    """Return the kind of tissue of each region, coarser names resolved."""
    return [SAME_AS.get(region.kind, region.kind) for region in subject.regions]


def varied(
    subject: Subject, values: npt.ArrayLike, name: str, *, between: float, within: float
) -> npt.NDArray[np.float64]:
    """Return regional values with this subject's own differences, from its stream.

    Parameters
    ----------
    subject : Subject
    values : array_like, shape (n_regions,)
        Of the average person.
    name : str
        What is varied; names the random stream.
    between, within : float
        SD of the logarithm over subjects, and over the regions of one.

    Returns
    -------
    ndarray, shape (n_regions,)
        Each value times a log-normal factor with median 1.
    """
    rng = subject.streams.at("structure", "density", name).rng()
    shared = between * rng.standard_normal()
    return np.asarray(values) * np.exp(shared + within * rng.standard_normal(subject.n_regions))
