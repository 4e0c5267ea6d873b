"""Things that are tables of numbers by name: those of a file of the package, or one's own in a file that ends in ``.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Generic, TypeVar

from fakeimaging.core.errors import InputError, ParameterError, UnknownNameError, did_you_mean
from fakeimaging.core.parameters import Parameters

Kind = TypeVar("Kind", bound=Parameters)
Table = Mapping[str, Any]


def over(base: Table, changes: Table) -> dict[str, Any]:
    """Return a table with some of its numbers replaced."""
    return {**base, **changes}


class Shelf(Generic[Kind]):
    """Things of one kind by name.

    Parameters
    ----------
    what : str
        What one is called: ``"tracer"``.
    resource : str
        File of the package's data with a table each.
    kind : type of Parameters
        What a table is read as.
    row : callable
        ``row(name, thing)`` returns its line of a listing, by column.
    merged : callable
        ``merged(base, changes)`` returns the table of a thing that is like another but for some numbers (`like`).
    """

    def __init__(
        self,
        what: str,
        resource: str,
        kind: type[Kind],
        row: Callable[[str, Kind], dict[str, str]],
        merged: Callable[[Table, Table], Table] = over,
    ) -> None:
        self._what, self._resource, self._kind, self._row, self._merged = what, resource, kind, row, merged
        self._ours = lru_cache(maxsize=32)(self._one_of_ours)
        # The text is looked at again when it has changed.
        self._own = lru_cache(maxsize=32)(self._one_of_your_own)

    @cached_property
    def _shipped(self) -> Mapping[str, dict[str, Any]]:
        return tomllib.loads((files("fakeimaging.data") / self._resource).read_text())

    def names(self) -> list[str]:
        """Return the names of the package's, sorted."""
        return sorted(self._shipped)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self._shipped

    def get(self, name: str) -> Kind:
        """Return a thing by name or file.

        Raises
        ------
        UnknownNameError, InputError, ParameterError
            If there is no such thing or file, or what it says cannot be used.
        """
        if name.endswith(".toml"):
            return self._own(name, self._content(name))
        if name not in self:
            hint = f"{did_you_mean(name, self.names())}; a file of your own ends in .toml"
            raise UnknownNameError(f"no {self._what} called '{name}'{hint}", value=name)
        return self._ours(name)

    def table(self) -> list[dict[str, str]]:
        """Return the line of each in a listing."""
        return [self._row(name, self.get(name)) for name in self.names()]

    def numbers(self, name: str) -> list[tuple[str, str, str, str]]:
        """Return key, value, unit and source of each entry of one of the package's tables; words have neither unit nor source."""
        return list(_entries(self._shipped[name]))

    def _one_of_ours(self, name: str) -> Kind:
        return self._kind.parse(self._shipped[name], where=name)

    def _content(self, path: str) -> str:
        try:
            return Path(path).read_text()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise InputError(f"cannot read the {self._what} {path}: {why}", value=path) from None

    def _one_of_your_own(self, path: str, text: str) -> Kind:
        try:
            content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"cannot read the {self._what} {path}: {error}", value=path) from None
        if loose := [key for key, value in content.items() if not isinstance(value, dict)]:
            raise ParameterError(
                [f"{path}: `{loose[0]}` stands outside of a table; a {self._what} is one, under [its name]"]
            )
        if len(content) != 1 or not isinstance(table := next(iter(content.values())), dict):
            raise ParameterError([f"{path}: one table with one {self._what} is needed, not {len(content)}"])
        base = table.pop("like", None)
        if base is not None and (not isinstance(base, str) or base not in self):
            hint = did_you_mean(str(base), self.names())
            raise ParameterError([f"{path}: `like`: no {self._what} called '{base}'{hint}"])
        try:
            whole = table if base is None else self._merged(self._shipped[base], table)
            return self._kind.parse(whole, where=next(iter(content)))
        except ParameterError as error:
            raise ParameterError([f"{path}: {problem}" for problem in error.problems]) from None


def _entries(table: Table, above: str = "") -> Iterator[tuple[str, str, str, str]]:
    for key, value in table.items():
        if isinstance(value, Mapping) and "value" in value:
            yield f"{above}{key}", str(value["value"]), value["unit"], value["source"]
        elif isinstance(value, Mapping):
            yield from _entries(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", ", ".join(value) if isinstance(value, list) else str(value), "-", "-"
