"""What a tracer meets in this subject during this run: plasma, and the rate constants of each class of tissue from each time on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.pet.classes import Classes
from fakeimaging.modalities.pet.constants import at_rest
from fakeimaging.modalities.pet.drives import DRIVES
from fakeimaging.modalities.pet.kinetics import Schedule
from fakeimaging.modalities.pet.modulation import Imaged
from fakeimaging.modalities.pet.parameters import suv
from fakeimaging.modalities.pet.plasma import Array, InputFunction
from fakeimaging.modalities.pet.tracers import MINUTE


@dataclass(frozen=True, eq=False)
class Uptake:
    """What drives the curves of each class.

    Parameters
    ----------
    classes : Classes
    plasma : InputFunction
        Unchanged tracer in arterial plasma, Bq/mL.
    schedule : Schedule
        Constants of each class from each time on.
    blood_volume : ndarray, shape (n_classes,)
    truth : mapping of str to ndarray
        One row a region: of what changes during the scan the mean, weighted by the plasma curve; the plain one ends in ``_plain``.
    about : mapping
        What drove the scan, in words.
    weights : ndarray, shape (n_steps,)
        Share of each step of the schedule in the area of the plasma curve.
    """

    classes: Classes
    plasma: InputFunction
    schedule: Schedule
    blood_volume: Array
    truth: dict[str, npt.NDArray]
    about: Mapping[str, str | float]
    weights: Array


def uptake(imaged: Imaged) -> Uptake:
    """Return plasma curve and constants of every class.

    Raises
    ------
    InputError
        If the tracer says nothing about a kind of region of this subject.
    """
    tracer, classes = imaged.tracer, imaged.classes
    plasma = tracer.input.curve().scaled(suv(imaged.parameters))
    rest = at_rest(tracer, classes, imaged.subject)
    change = DRIVES[tracer.drive](imaged)
    series = [rest.at(d, b) for d, b in zip(change.delivery, change.binding, strict=True)]
    known = {**rest.truth(change.delivery, change.binding), **change.truth}
    weights = _exposure(plasma, change.starts, imaged.seconds / MINUTE)
    truth = _means(known, change.starts, weights)
    schedule = list(zip(change.starts.tolist(), series, strict=True))
    return Uptake(classes, plasma, schedule, classes.column(tracer, "vB"), truth, change.about, weights)


def _means(known: Mapping[str, npt.NDArray], starts: Array, weights: Array) -> dict[str, npt.NDArray]:
    """Return the mean over the steps of what has them, weighted by the plasma curve; and the plain one where they differ."""
    stepped = {name: values for name, values in known.items() if values.ndim == 2}
    found = {name: values for name, values in known.items() if values.ndim == 1}
    found |= {name: weights @ values for name, values in stepped.items()}
    if len(starts) > 1:
        found |= {f"{name}_plain": values.mean(axis=0) for name, values in stepped.items()}
    return found


def _exposure(plasma: InputFunction, starts: Array, end: float) -> Array:
    """Share of each step in the area of the plasma curve: early activity counts most."""
    if len(starts) == 1:
        return np.ones(1)
    steps = np.diff(np.append(starts, end))[:, None]
    area = (steps * plasma.at(starts[:, None] + steps * (np.arange(200) + 0.5) / 200)).sum(axis=1)
    return np.asarray(area / area.sum())
