"""Parameters: pydantic models whose every number carries unit, bounds, symbol and source.

From this metadata come the range checks, the error messages, the tables of the documentation and the JSON schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from fakeimaging.core.errors import ParameterError, did_you_mean

_TYPE_WORDS = {
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "model_type": "a table of keys",
    "dict_type": "a table of keys",
    "finite_number": "a finite number",
}


SCALED_UNITS = {"s", "mm", "m/s"}
"""Units that people mix up with a thousandth or a thousandfold of them."""
RATE = "1/s"
"""Unit of rates, for which people give times."""


def parameter(
    default: Any = ...,
    *,
    unit: str,
    bounds: tuple[float | None, float | None] = (None, None),
    symbol: str = "",
    source: str = "assumed",
    description: str = "",
) -> Any:
    """Declare a parameter of a `Parameters` class.

    Parameters
    ----------
    default : object
        Default value; leave out for a required one.
    unit : str
        SI unit, ``"1"`` for a pure number, ``"-"`` for text.
    bounds : (low, high)
        Allowed range, both ends included; None is open.
    symbol : str
        Symbol in the equation of the source.
    source : str
        Where the value comes from (DOI or author and year), or ``"assumed"``.
    description : str
        A few words for tables and messages.
    """
    low, high = bounds
    extra: dict[str, Any] = {"unit": unit, "symbol": symbol, "source": source}
    return Field(default, ge=low, le=high, description=description, json_schema_extra=extra)


class Parameters(BaseModel):
    """A frozen set of named parameters; unknown names, wrong types and values out of bounds are refused, lists stand for tuples.

    Examples
    --------
    >>> class Scan(Parameters):
    ...     tr: float = parameter(unit="s", bounds=(0.05, 20), description="repetition time")
    >>> Scan()
    Traceback (most recent call last):
    fakeimaging.core.errors.ParameterError: `tr`: missing, and it has no default
    """

    elsewhere: ClassVar[Mapping[str, str]] = {}
    """Keys that people look for here, and where they are."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**{name: self._with_tuples(name, value) for name, value in values.items()})
        except ValidationError as error:
            raise ParameterError(explain(error, type(self))) from None

    # Tells pydantic that reading from JSON need not come through here: it would lose there that lists stand for tuples.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def _with_tuples(cls, name: str, value: Any) -> Any:
        """Return a value with tuples for its lists where the field is a tuple."""
        field = cls.model_fields.get(name)
        return _tuples(value) if field is not None and _takes_tuple(field.annotation) else value

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, where: str = "") -> Self:
        """Build from plain values (as TOML or keywords give them), reporting all problems at once.

        Parameters
        ----------
        values : mapping
            Names and values; lists stand for tuples.
        where : str
            What the names belong to, shown in messages (``"bold"`` gives ``bold.tr``).

        Raises
        ------
        ParameterError
            With one line for each problem.

        Examples
        --------
        >>> class Scan(Parameters):
        ...     tr: float = parameter(2.0, unit="s", bounds=(0.05, 20), description="repetition time")
        >>> Scan.parse({"tr": 2000.0}, where="bold")
        Traceback (most recent call last):
        fakeimaging.core.errors.ParameterError: `bold.tr`: 2000 s is outside [0.05, 20] (repetition time); did you mean 2?
        """
        try:
            return cls.model_validate_json(json.dumps(dict(values), default=_plain))
        except ValidationError as error:
            raise ParameterError(explain(error, cls, where=where)) from None

    @classmethod
    def table(cls) -> list[dict[str, str]]:
        """Return one row a parameter: name, symbol, default, unit, bounds, source, description.

        Those of the class itself come before those of its bases; nested ones have a dotted name.
        """
        return list(cls._rows(""))

    @classmethod
    def _rows(cls, prefix: str) -> Iterator[dict[str, str]]:
        for name, field in sorted(cls.model_fields.items(), key=lambda row: row[0] not in cls.__annotations__):
            if isinstance(field.default, Parameters):
                yield from type(field.default)._rows(f"{prefix}{name}.")
            else:
                yield _row(prefix + name, field)


def _takes_tuple(annotation: Any) -> bool:
    return get_origin(annotation) is tuple or any(get_origin(part) is tuple for part in get_args(annotation))


def _tuples(value: Any) -> Any:
    return tuple(_tuples(part) for part in value) if isinstance(value, list | tuple) else value


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)


def _metadata(field: FieldInfo) -> dict[str, str]:
    extra = field.json_schema_extra
    return {key: str(value) for key, value in extra.items()} if isinstance(extra, dict) else {}


def bounds_of(field: FieldInfo) -> tuple[float | None, float | None]:
    """Return the allowed range of a field, None where it is open."""
    low = next((m.ge for m in field.metadata if hasattr(m, "ge")), None)
    high = next((m.le for m in field.metadata if hasattr(m, "le")), None)
    return low, high


def _interval(field: FieldInfo) -> str:
    low, high = bounds_of(field)
    left = "(-inf" if low is None else f"[{low:g}"
    right = "inf)" if high is None else f"{high:g}]"
    return f"{left}, {right}"


def _allowed(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return " | ".join(map(str, get_args(field.annotation)))
    return _interval(field) if bounds_of(field) != (None, None) else ""


def _row(name: str, field: FieldInfo) -> dict[str, str]:
    extra = _metadata(field)
    default = "required" if field.is_required() else f"{field.default}"
    return {
        "name": name,
        "symbol": extra.get("symbol", ""),
        "default": default,
        "unit": extra.get("unit", "-"),
        "bounds": _allowed(field),
        "source": extra.get("source", ""),
        "description": field.description or "",
    }


def explain(error: ValidationError, model: type[BaseModel], *, where: str = "") -> list[str]:
    """Turn pydantic's error into our lines: path of the key, value, what is allowed, what was probably meant."""
    # A key that takes several types has a problem with each: one line says all of them, or the one of what lies inside it.
    told: dict[str, str] = {}
    for line in (_line(item, model, where) for item in error.errors(include_url=False)):
        key = line.partition(": ")[0]
        told[key] = _joined(told[key], line) if key in told else line
    inside = {key[: place.start()] + "`" for key in told for place in re.finditer(r"\[", key)}
    return [line for key, line in told.items() if key not in inside]


def _joined(earlier: str, line: str) -> str:
    type_of, other = earlier.partition(" is not ")[1], line.partition(" is not ")
    wrong, hint, meant = earlier.partition("; did you mean")
    if type_of and other[1]:
        return f"{wrong}, nor {other[2]}{hint}{meant}"
    return line if type_of else f"{earlier}; {line.partition(': ')[2]}"


def _line(item: Any, model: type[BaseModel], where: str) -> str:
    # Where a key takes several types, pydantic adds the name of each to the path: people did not write those.
    location = tuple(part for part in item["loc"] if part not in {"int", "str", "float"} and "[" not in str(part))
    key = dotted(location, where)
    owner, field = _owner(model, location)
    kind, value = item["type"], item["input"]
    if kind == "extra_forbidden":
        return f"`{key}`: no such key{_nearest(owner, str(location[-1]))}"
    if kind == "missing":
        return f"`{key}`: missing, and it has no default"
    if kind in {"greater_than_equal", "less_than_equal"} and field is not None:
        return _out_of_bounds(key, value, field)
    if kind in _TYPE_WORDS:
        return f"`{key}`: {value!r} is not {_TYPE_WORDS[kind]}"
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", item["ctx"]["expected"])
        hint = did_you_mean(value, allowed) if isinstance(value, str) else ""
        return f"`{key}`: {value!r} is not {item['ctx']['expected']}{'' if '; allowed' in hint else hint}"
    message = str(item.get("ctx", {}).get("error", "") or item["msg"])
    if inner := re.match(r"`(\w+)`: (.*)", message, re.S):
        return f"`{dotted((*location, inner[1]), where)}`: {inner[2]}"
    return f"`{key}`: {message}" if kind == "value_error" else f"`{key}`: {value!r}: {message}"


def _nearest(owner: Any, name: str) -> str:
    """Return where a key is that its owner does not have, or the nearest that it has."""
    if owner is not None and name in getattr(owner, "elsewhere", {}):
        return f"; did you mean `{owner.elsewhere[name]}`?"
    return did_you_mean(name, owner.model_fields if owner is not None else ())


def _out_of_bounds(key: str, value: float, field: FieldInfo) -> str:
    extra, unit = _metadata(field), ""
    if extra.get("unit", "-") not in {"1", "-"}:
        unit = f" {extra['unit']}"
    words = f" ({field.description})" if field.description else ""
    hint = _rescaled(value, bounds_of(field)) if extra.get("unit") in SCALED_UNITS else ""
    if extra.get("unit") == RATE and value > 0 and _within(1 / value, bounds_of(field)):
        hint = f"; did you mean {1 / value:.3g}, the rate of a time of {value:g} s (1/{value:g})?"
    return f"`{key}`: {value:g}{unit} is outside {_interval(field)}{words}{hint}"


def _rescaled(value: float, bounds: tuple[float | None, float | None]) -> str:
    guess = rescaled(value, bounds)
    return "" if guess is None else f"; did you mean {guess:g}?"


def rescaled(value: float, bounds: tuple[float | None, float | None]) -> float | None:
    """Return a thousandth or a thousandfold of a value, whichever is allowed; None when neither is."""
    return next((value * factor for factor in (1e-3, 1e3) if value and _within(value * factor, bounds)), None)


METRES = 0.2
"""m, a head's size: a place with no coordinate beyond it was not told in mm."""


def in_metres(place: Sequence[float]) -> str | None:
    """Return what is wrong with a place in mm that was told in m, None with any other.

    Examples
    --------
    >>> in_metres((-0.05, 0.0, 0.02))
    '(-0.05, 0, 0.02) is told in m; did you mean (-50, 0, 20) mm?'
    """
    if not 0 < max(map(abs, place)) <= METRES:
        return None
    told, meant = (", ".join(f"{factor * x:g}" for x in place) for factor in (1, 1000))
    return f"({told}) is told in m; did you mean ({meant}) mm?"


def _within(value: float, bounds: tuple[float | None, float | None]) -> bool:
    low, high = bounds
    return (low is None or value >= low) and (high is None or value <= high)


def told_once(problems: Iterable[str]) -> list[str]:
    """Return lines that differ in the last index of a list of tables alone as one, and no line twice.

    Examples
    --------
    >>> told_once(["`runs[0].step`: too long", "`runs[2].step`: too long", "`runs[2].taps`: none"])
    ['`runs[0, 2].step`: too long', '`runs[2].taps`: none']
    """
    found: dict[tuple[str, str], list[str]] = {}
    for line in problems:
        parts = re.match(r"(`[^`]*\b(?:runs|acquisitions)\[)(\d+)(\].*)", line, re.S)
        start, index, end = parts.groups() if parts else (line, "", "")
        numbers = found.setdefault((start, end), [])
        numbers += [] if index in numbers else [index]
    return [f"{start}{', '.join(numbers)}{end}" for (start, end), numbers in found.items()]


def one_or_more(value: Any) -> Any:
    """Return a word or a number alone as a tuple of one, a list as a tuple, anything else as it is."""
    alone = isinstance(value, str | int | float) and not isinstance(value, bool)
    return (value,) if alone else tuple(value) if isinstance(value, list) else value


def dotted(location: tuple[str | int, ...], where: str = "") -> str:
    """Write a location as a path.

    Examples
    --------
    >>> dotted(("sessions", 0, "runs", 1, "duration"))
    'sessions[0].runs[1].duration'
    """
    text = where
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _owner(model: type[BaseModel], location: tuple[str | int, ...]) -> tuple[type[BaseModel] | None, FieldInfo | None]:
    """Walk down to the model that owns the last key, through tuples of models."""
    owner: type[BaseModel] | None = model
    field: FieldInfo | None = None
    for part in location:
        if isinstance(part, int):
            continue
        if field is not None:
            owner = next(_models_in(field.annotation), None)
        field = owner.model_fields.get(part) if owner is not None else None
    return owner, field


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models_in(inner)
