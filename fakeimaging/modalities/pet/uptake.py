"""What a tracer meets in this subject during this run: plasma, and the rate constants of each class of tissue from each time on.

binding of a class = what the drive says x density of the tracer's target x what a design leaves of it (drugs, displaced places)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet.administration import area
from fakeimaging.modalities.pet.arterial import arterial
from fakeimaging.modalities.pet.classes import Classes
from fakeimaging.modalities.pet.constants import SHOWN, at_rest
from fakeimaging.modalities.pet.drives import DRIVES
from fakeimaging.modalities.pet.imposed import refined, regional_course, united
from fakeimaging.modalities.pet.kinetics import Schedule
from fakeimaging.modalities.pet.modulation import Imaged, Modulation
from fakeimaging.modalities.pet.plasma import Array, InputFunction
from fakeimaging.modalities.pet.tracers import MINUTE
from fakeimaging.structure.receptors import densities_of

OWN_DENSITY = ("metabolism", "pathology")
"""Drives that look at the density of the target themselves."""


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
        One row a region: of what changes during the scan the mean, weighted by the plasma curve; the plain one ends in ``_plain``, and
        the course, shape (n_regions, n_steps), in ``_course``; a constant that does not change has neither.
    about : mapping
        What drove the scan, in words.
    weights : ndarray, shape (n_steps,)
        Share of each step of the schedule in the area of the plasma curve.
    edges : ndarray, shape (n_steps + 1,)
        Seconds after injection: the steps of the courses.
    known : mapping of str to ndarray, shape (n_classes,)
        Constants of every class, as the truth has those of the regions; ``occupancy`` is the largest share of the binding that drugs,
        challenges and displaced places take during the scan.
    """

    classes: Classes
    plasma: InputFunction
    schedule: Schedule
    blood_volume: Array
    truth: dict[str, npt.NDArray]
    about: Mapping[str, str | float]
    weights: Array
    edges: Array
    known: Mapping[str, Array]


def uptake(imaged: Imaged) -> Uptake:
    """Return plasma curve and constants of every class.

    Raises
    ------
    InputError
        If the tracer says nothing about a kind of region of this subject, or cannot be challenged as asked.
    """
    tracer, classes = imaged.tracer, imaged.classes
    plasma = arterial(tracer, imaged.parameters, imaged.seconds)
    rest = at_rest(tracer, classes, imaged.subject)
    change = with_imposed(imaged, DRIVES[tracer.drive](imaged))
    edges, density = np.append(change.starts * MINUTE, imaged.seconds), _density(imaged)
    binding = change.binding * density * (1.0 if change.left is None else change.left)
    shown = SHOWN[tracer.model](rest, change.delivery, binding)
    shown = {name: np.broadcast_to(values, binding.shape) for name, values in shown.items()}
    shown |= {"density": shown["density"] * density} if "density" in shown else {}
    weights = _exposure(plasma, change.starts, imaged.seconds / MINUTE)
    regional = {name: _one_if_same(values[:, : classes.n_regions]) for name, values in shown.items()}
    truth = _means({**regional, **change.truth}, np.diff(edges), weights) | dict(change.kept)
    known = {name: weights @ values for name, values in shown.items()}
    if change.left is not None:
        known["occupancy"] = 1 - change.left.min(axis=0)
        truth["occupancy"] = known["occupancy"][: classes.n_regions]
        truth["occupancy_course"] = 1 - change.left[:, : classes.n_regions].T
    series = [rest.at(d, b) for d, b in zip(change.delivery, binding, strict=True)]
    schedule = list(zip(change.starts.tolist(), series, strict=True))
    volume = classes.column(tracer, "vB")
    return Uptake(classes, plasma, schedule, volume, truth, change.about, weights, edges, known)


def with_imposed(imaged: Imaged, driven: Modulation) -> Modulation:
    """Return what a drive does, and on top what drugs and displaced places take of the binding, in steps that show both."""
    p, places = imaged.parameters, imaged.places
    if imaged.tracer.drive != "release" and any(c.size is not None for c in p.challenges):
        raise InputError(
            f"`pet.challenges`: {imaged.tracer.tracer_name} does not compete with a transmitter; give `occupancy` in place of `size`"
        )
    drugs = [challenge for challenge in p.challenges if challenge.occupancy is not None]
    if not drugs and not places.n:
        return driven
    edges = np.append(driven.starts * MINUTE, imaged.seconds)
    edges = united(refined(edges, drugs), np.array([place.onset for place in places.wanted]))
    fine = driven.at(edges[:-1] / MINUTE)
    taken = np.minimum(regional_course(drugs, "occupancy", edges, imaged.subject.regions), 1.0)
    left = imaged.classes.spread(1 - taken, 1.0) * (1.0 if fine.left is None else fine.left)
    if places.n:
        left[:, imaged.classes.n_regions :][:, : places.n] *= places.left(edges)
    return replace(fine, left=left)


def _density(imaged: Imaged) -> Array:
    """Return the density of what the tracer binds, relative to the average person's, shape (n_classes,)."""
    tracer, classes = imaged.tracer, imaged.classes
    if tracer.target is None or tracer.drive in OWN_DENSITY:
        return np.ones(classes.n)
    return classes.spread(densities_of(imaged.subject, tracer.target), 1.0)


def _means(known: Mapping[str, npt.NDArray], lengths: Array, weights: Array) -> dict[str, npt.NDArray]:
    """Return the mean over the steps of what has them, weighted by the plasma curve; of several also the plain one and the course."""
    stepped = {name: values for name, values in known.items() if values.ndim == 2}
    found = {name: values for name, values in known.items() if values.ndim == 1}
    found |= {name: weights @ values for name, values in stepped.items()}
    if len(lengths) > 1:
        shares = lengths / lengths.sum()
        found |= {f"{name}_plain": shares @ values for name, values in stepped.items()}
        found |= {f"{name}_course": values.T.copy() for name, values in stepped.items()}
    return found


def _one_if_same(values: Array) -> Array:
    """Return one row in place of steps that are all the same."""
    return np.asarray(values[0] if (values == values[0]).all() else values)


def _exposure(plasma: InputFunction, starts: Array, end: float) -> Array:
    """Share of each step in the area of the plasma curve: early activity counts most. Shares of time where no tracer arrives."""
    if len(starts) == 1:
        return np.ones(1)
    edges = np.append(starts, end)
    areas = np.maximum(np.diff(area(plasma, edges)), 0.0)
    return np.asarray(areas / areas.sum() if areas.sum() > 0 else np.diff(edges) / (end - starts[0]))
