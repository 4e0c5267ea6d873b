"""Densities per region: a number of each kind of tissue, with the differences between people and between a person's regions.

A density acts on what a tracer binds to; on activity it acts only through an explicit gain. Those of a subject are factors on
the number of a healthy person of 30 years (`condition`); loads of pathology are shares of the most there can be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen

if TYPE_CHECKING:
    from fakeimaging.structure.subject import Subject

SYSTEMS = {
    "D2": "dopamine D2 and D3 receptors",
    "SERT": "serotonin transporter",
    "GABAA": "GABA-A receptors, benzodiazepine site",
    "SV2A": "synaptic vesicle protein 2A: synapses",
    "AADC": "aromatic amino acid decarboxylase: dopaminergic terminals",
    "metabolism": "glucose metabolism at rest",
    "amyloid": "amyloid plaques",
    "tau": "tau tangles",
}
"""What densities can be given of by name, in words; a table of densities may have others."""
LOADS = ("amyloid", "tau")
"""Pathology: of these a healthy person has nothing, and the number is a share of the most there can be."""
DENSEST = 10.0
"""Largest factor on the density of a healthy person (assumed)."""
SAME_AS = {"basal ganglia": "putamen", "striatum": "putamen"}
"""Coarser names of a kind, and the kind whose numbers they take."""


def densities_of(subject: Subject, system: str) -> npt.NDArray[np.float64]:
    """Return the density of a system in each region relative to a healthy person, shape (n_regions,); 1 where nothing is said of it.

    Examples
    --------
    >>> from fakeimaging import make_subject
    >>> densities_of(make_subject("01", seed=1, anatomy="tiny", densities={"D2": 0.8}), "D2")[:2]
    array([0.8, 0.8])
    """
    return _said(subject, system, 1.0)


def load_of(subject: Subject, system: str) -> npt.NDArray[np.float64]:
    """Return the load of a pathology in each region, shape (n_regions,), in [0, 1]; 0 where nothing is said of it."""
    return _said(subject, system, 0.0)


def unsaid(system: str) -> float:
    """Return the number of a region of which nothing is said: no load, or the density of a healthy person."""
    return 0.0 if system in LOADS else 1.0


def _said(subject: Subject, system: str, otherwise: float) -> npt.NDArray[np.float64]:
    found = subject.densities.get(system)
    return frozen(np.full(subject.n_regions, otherwise)) if found is None else found


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
