"""How the tissue of a subject takes up a tracer relative to what the tracer's table says: more delivery, less binding, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.activity import Activity
from fakeimaging.core.clocks import Frames
from fakeimaging.modalities.pet.classes import Classes
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.patches import Places
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
    frames : Frames
    places : Places
        Of displaced binding; each class of places is one of its rows.
    """

    subject: Subject
    activity: Activity | None
    tracer: Tracer
    parameters: PetParameters
    classes: Classes
    frames: Frames
    places: Places = field(default_factory=Places)

    @property
    def seconds(self) -> float:
        """From injection to the end of the last frame."""
        return float(self.frames.ends[-1])


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
    left : ndarray, shape (n_steps, n_classes), optional
        Share of the binding that what a design imposes leaves; all of it when left out.
    kept : mapping of str to ndarray
        Truth of any other shape, its first axis the regions.
    """

    starts: Array
    delivery: Array
    binding: Array
    truth: Mapping[str, npt.NDArray] = field(default_factory=dict)
    about: Mapping[str, str | float] = field(default_factory=dict)
    left: Array | None = None
    kept: Mapping[str, npt.NDArray] = field(default_factory=dict)

    def at(self, starts: Array) -> Modulation:
        """Return the same factors in finer steps, each held until its own next one."""
        if len(starts) == len(self.starts):
            return self
        now = np.searchsorted(self.starts, starts + 1e-9, side="right") - 1
        truth = {name: values[now] if values.ndim == 2 else values for name, values in self.truth.items()}
        left = self.left if self.left is None else self.left[now]
        return replace(
            self, starts=starts, delivery=self.delivery[now], binding=self.binding[now], truth=truth, left=left
        )


def unchanged(classes: Classes, n_steps: int = 1) -> Array:
    """Return factors that change nothing, shape (n_steps, n_classes)."""
    return np.ones((n_steps, classes.n))
