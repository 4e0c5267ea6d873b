"""What people give for a run, checked against its model, with hints at where else it belongs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fakeimaging.activity.model import Model
from fakeimaging.activity.run import RunParameters
from fakeimaging.core.errors import ParameterError, did_you_mean
from fakeimaging.core.parameters import Parameters


def timing_of(model: Model, given: Mapping[str, Any], *, where: str = "run") -> RunParameters:
    """Return how a run is simulated.

    Raises
    ------
    ParameterError
        If a value is not allowed or a name unknown; says when it is a parameter of the model.

    Examples
    --------
    >>> from fakeimaging import MODELS
    >>> timing_of(MODELS.get("linear"), {"gain": 0.2})
    Traceback (most recent call last):
    fakeimaging.core.errors.ParameterError: `run.gain`: gain is a parameter of model linear; give it as parameters={"gain": ...}
    """
    problems = [f"`{where}.{name}`: {hint}" for name in given if (hint := misplaced(model, name))]
    if problems:
        raise ParameterError(problems)
    return RunParameters.parse(given, where=where)


def misplaced(model: Model, name: str) -> str:
    """Return where a key of a run belongs if it is a parameter of the model; nothing when it is not."""
    if name in RunParameters.model_fields or name not in model.parameters.model_fields:
        return ""
    return f'{name} is a parameter of model {model.name}; give it as parameters={{"{name}": ...}}'


def parameters_of(model: Model, given: Mapping[str, Any] | None, *, where: str | None = None) -> Parameters:
    """Return the parameters of a model, ``where`` shown in messages (the model's name when left out).

    Raises
    ------
    ParameterError
        If a name is unknown or a value not allowed; says when values of regions belong into ``regional``.
    """
    key, fields = where or model.name, model.parameters.model_fields
    if given is not None and not isinstance(given, Mapping):
        raise ParameterError([f"`{key}`: {given!r} is not a mapping of name to value"], value=given)
    problems = []
    for name, value in (given or {}).items():
        if name not in fields or fields[name].annotation is not float or not _several(value):
            continue
        if name in model.uniform:
            problems.append(f"`{key}.{name}`: one number for the whole network is needed")
        else:
            problems.append(
                f"`{key}.{name}`: one number for all regions is needed; what differs between regions goes "
                f'into the run\'s `regional`: {{"{name}": ...}}'
            )
    if problems:
        raise ParameterError(problems)
    return model.parameters.parse(given or {}, where=key)


def _several(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        np.ndim(value) > 0
        if isinstance(value, np.ndarray)
        else isinstance(value, Sequence) and not isinstance(value, str)
    )


def unknown_key(where: str, name: Any, model: Model, names: Sequence[str]) -> str:
    """Return the line about a key of a run that there is not."""
    hint = misplaced(model, str(name))
    return f"`{where}.{name}`: {hint}" if hint else f"`{where}.{name}`: no such key{did_you_mean(str(name), names)}"
