"""How the tissue of a subject takes up a tracer relative to what the tracer's table says: more delivery, less binding, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.activity import Activity
from fakeimaging.modalities.pet.classes import Classes
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.plasma import Array
from fakeimaging.modalities.pet.tracers import Tracer
from fakeimaging.structure.subject import Subject


@dataclass(frozen=True, eq=False)
class Imaged:
    """What a drive can read.

    Parameters
    ----------
    subject : Subject
    activity : Activity or None
        None for a tracer that sees structure alone.
    tracer : Tracer
    parameters : PetParameters
    classes : Classes
    seconds : float
        From injection to the end of the last frame.
    """

    subject: Subject
    activity: Activity | None
    tracer: Tracer
    parameters: PetParameters
    classes: Classes
    seconds: float


@dataclass(frozen=True, eq=False)
class Modulation:
    """Factors on the constants of each class.

    Parameters
    ----------
    starts : ndarray, shape (n_steps,)
        Minutes after injection; one step at 0 when nothing changes during the scan.
    delivery : ndarray, shape (n_steps, n_classes)
        On K1 and k2 (R1 in a reference model).
    binding : ndarray, shape (n_steps, n_classes)
        On k3, or on the binding potential.
    truth : mapping of str to ndarray
        What the drive knows of each region, shape (n_regions,) or (n_steps, n_regions).
    about : mapping of str to str or float
        What drove the scan, in words for the tables of the truth.
    """

    starts: Array
    delivery: Array
    binding: Array
    truth: Mapping[str, npt.NDArray] = field(default_factory=dict)
    about: Mapping[str, str | float] = field(default_factory=dict)


def unchanged(classes: Classes, n_steps: int = 1) -> Array:
    """Return factors that change nothing, shape (n_steps, n_classes)."""
    return np.ones((n_steps, classes.n))
