"""Registries: name to object, from a table of built-ins and from the entry points of other packages.

Nothing is imported before it is asked for. An entry point that fails to load warns and is left out.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from fakeimaging.core.errors import UnknownNameError, did_you_mean

T = TypeVar("T")


@dataclass(frozen=True, repr=False)
class Registry(Generic[T]):
    """Named objects of one kind.

    Parameters
    ----------
    kind : str
        What is registered, singular, for messages (``"modality"``).
    group : str
        Entry-point group that third parties use.
    builtin : mapping of str to str
        Name to ``"module:attribute"``.
    elsewhere : mapping of str to str
        Names that people look for here, and those they have here.
    """

    kind: str
    group: str
    builtin: Mapping[str, str]
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    _extra: dict[str, T] = field(default_factory=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"Registry({self.kind}: {', '.join(self)})"

    def names(self) -> list[str]:
        """Return every name known here, sorted."""
        return sorted({*self.builtin, *self._extra, *(point.name for point in entry_points(group=self.group))})

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def register(self, name: str, thing: T) -> None:
        """Add an object for this process; a name can be taken once."""
        if name in self:
            raise UnknownNameError(f"{self.kind} '{name}' is registered already", value=name)
        self._extra[name] = thing

    def unregister(self, name: str) -> None:
        """Take back what `register` added."""
        self._extra.pop(name)

    def get(self, name: str) -> T:
        """Return the object called ``name``.

        Raises
        ------
        UnknownNameError
            With the nearest known name.
        """
        if name in self._extra:
            return self._extra[name]
        if name in self.builtin:
            module, _, attribute = self.builtin[name].partition(":")
            thing: T = getattr(importlib.import_module(module), attribute)
            return thing
        for point in entry_points(group=self.group):
            if point.name == name:
                return self._load(point)
        raise UnknownNameError(f"no {self.kind} called '{name}'{self.nearest(name)}", value=name)

    def nearest(self, name: str, more: Iterable[str] = ()) -> str:
        """Return the hint for a name that is neither here nor among ``more``: what was probably meant, or all there are."""
        meant = self.elsewhere.get(name.casefold())
        return f"; did you mean '{meant}'?" if meant else did_you_mean(name, {*self.names(), *more})

    def _load(self, point: object) -> T:
        try:
            loaded: T = point.load()  # type: ignore[attr-defined]
        except (ImportError, AttributeError, SyntaxError) as error:
            warnings.warn(f"{self.kind} plug-in {point} cannot be loaded: {error}", stacklevel=3)
            raise UnknownNameError(f"the {self.kind} plug-in {point} cannot be loaded: {error}") from error
        return loaded
