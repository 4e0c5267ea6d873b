"""Parameters that differ between regions: how they are written, checked, and handed to a model as arrays.

A value for each region comes as a table of regions (``{"L_Hippocampus_01": -1.6, "kind:thalamus": -2.0}``; what it leaves out keeps
the model's own value), as a list with one number a region, or from a file: ``.npy``, or ``.csv`` and ``.tsv`` with or without the
names of the regions before the numbers. Where a name and a group both reach a region, the name holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.model import Model
from fakeimaging.core.arrays import frozen
from fakeimaging.core.errors import InputError, ParameterError, did_you_mean
from fakeimaging.core.parameters import Parameters
from fakeimaging.structure.parcellation import Region
from fakeimaging.structure.selection import filled
from fakeimaging.structure.tables import ENDINGS, read_table

Maps = Mapping[str, npt.NDArray[np.float64]]
"""Values by the name of a parameter, each of shape (n_regions,)."""
Own = TypeVar("Own", bound=Parameters)


def regional_maps(
    model: Model, parameters: Parameters, regional: Mapping[str, Any], regions: Sequence[Region], *, where: str = "run"
) -> dict[str, npt.NDArray[np.float64]]:
    """Return the value that each region has of each parameter that differs between them.

    Parameters
    ----------
    model : Model
    parameters : Parameters
        Of the model; what no table reaches keeps its value.
    regional : mapping of str to mapping, sequence or path
    regions : sequence of Region
        Of the subject.
    where : str
        What ``regional`` belongs to, shown in messages.

    Returns
    -------
    dict of str to ndarray of shape (n_regions,)

    Raises
    ------
    ParameterError
        With one line for each parameter, region or value that cannot be.
    InputError
        If a file cannot be used.

    Examples
    --------
    >>> from fakeimaging import MODELS, make_subject
    >>> model, regions = MODELS.get("linear"), make_subject("01", seed=1, anatomy="tiny").regions
    >>> regional_maps(model, model.parameters(), {"sigma": {"all": 0.2, regions[0].name: 0.9}}, regions)["sigma"][:3]
    array([0.9, 0.2, 0.2])
    """
    problems, maps = list(regional_problems(model, parameters, regional, where=where)), {}
    if not problems:
        for name, value in regional.items():
            key, own = f"{where}.regional.{name}", getattr(parameters, name)
            maps[name] = _filled(key, value, own, regions, problems)
        problems += [] if problems else _invalid(parameters, maps, regions, where)
    if problems:
        raise ParameterError(problems)
    return {name: frozen(values) for name, values in maps.items()}


def with_maps(parameters: Own, maps: Maps) -> Own:
    """Return parameters of which those in ``maps`` are arrays over regions; the others stay numbers."""
    return parameters.model_copy(update=dict(maps)) if maps else parameters


def regional_problems(
    model: Model, parameters: Parameters, regional: Mapping[str, Any], *, where: str = "run"
) -> Iterator[str]:
    """Yield what can be told to be wrong without a subject: names of parameters, forms, and values in tables and lists."""
    fields = type(parameters).model_fields
    may = {name for name, field in fields.items() if field.annotation is float} - set(model.uniform)
    for name, value in regional.items():
        key = f"{where}.regional.{name}"
        if name not in fields:
            yield f"`{key}`: model {model.name} has no such parameter{did_you_mean(name, may)}"
        elif name not in may:
            why = "holds for the whole network" if name in model.uniform else "is no plain number"
            yield f"`{key}`: {name} of model {model.name} {why} and cannot differ between regions"
        elif isinstance(value, Mapping | list | tuple):
            given = list(value.items() if isinstance(value, Mapping) else enumerate(value, start=1))
            yield from _bad_values(parameters, name, given, where)
        elif not str(value).lower().endswith(ENDINGS):
            yield f"`{key}`: {value!r} is neither a table of regions, a list of numbers nor a file ({', '.join(ENDINGS)})"


def _bad_values(parameters: Parameters, name: str, given: Sequence[tuple[Any, Any]], where: str) -> Iterator[str]:
    if not given:
        yield f"`{where}.regional.{name}`: empty; name at least one region"
    bad: list[str] = []
    for place, value in given:
        try:
            type(parameters).parse({**parameters.model_dump(), name: value}, where=f"{where}.regional")
        except ParameterError as error:
            at = f"for '{place}'" if isinstance(place, str) else f"in place {place}"
            bad += [f"{problem}; {at}" for problem in error.problems[:1]]
    if bad:
        yield bad[0] + (f", and {len(bad) - 1} more of its {len(given)} values cannot be" if len(bad) > 1 else "")


def _filled(
    key: str, value: Any, own: float, regions: Sequence[Region], problems: list[str]
) -> npt.NDArray[np.float64]:
    """Return a value for each region, adding to ``problems`` what does not fit these regions."""
    if isinstance(value, str):
        value = _from_file(value, len(regions))
    if isinstance(value, Mapping):
        return filled(value, regions, own, where=key, problems=problems)
    if len(value) != len(regions):
        problems.append(f"`{key}`: {len(value)} numbers for {len(regions)} regions")
        return np.full(len(regions), own)
    return np.array(value, dtype=float)


def _from_file(path: str, n_regions: int) -> dict[str, float] | list[float]:
    """Return what a file holds: values by name, or one a region."""
    table = read_table(path)
    if table.values.shape[1] != 1:
        raise InputError(f"{path}: one column of numbers is needed, not {table.values.shape[1]}", value=path)
    values: list[float] = np.array(table.values[:, 0], dtype=float).tolist()
    if table.rows is not None:
        if len(set(table.rows)) < len(table.rows):
            raise InputError(f"{path}: two rows have one name", value=path)
        return dict(zip(table.rows, values, strict=True))
    if len(values) != n_regions:
        raise InputError(f"{path}: {len(values)} numbers for {n_regions} regions", value=path)
    return values


def _invalid(parameters: Parameters, maps: Maps, regions: Sequence[Region], where: str) -> list[str]:
    """Check the parameters of each region as a whole; of what is wrong in many regions the first is named."""
    problems: dict[str, str] = {}
    plain = parameters.model_dump()
    for i, region in enumerate(regions):
        try:
            type(parameters).parse(
                {**plain, **{name: float(values[i]) for name, values in maps.items()}}, where=f"{where}.regional"
            )
        except ParameterError as error:
            problems |= {
                problem: f"{problem}; in '{region.name}'" for problem in error.problems if problem not in problems
            }
    return list(problems.values())
