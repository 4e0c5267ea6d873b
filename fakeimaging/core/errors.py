"""Errors that say where, what, what is allowed and what was probably meant.

Each class inherits the built-in error a caller would expect and keeps the offending value.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FakeImagingError(Exception):
    """Base of every error a user can cause; the command line prints it as one line and exits with 2."""

    def __init__(self, message: str, *, value: object = None) -> None:
        super().__init__(message)
        self.value = value


class ParameterError(FakeImagingError, ValueError):
    """A parameter has a wrong name, type or value; ``problems`` lists all that were found."""

    def __init__(self, problems: Iterable[str], *, value: object = None) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems), value=value)

    def __reduce__(self) -> tuple[type, tuple[tuple[str, ...]]]:
        return type(self), (self.problems,)


class UnknownNameError(FakeImagingError, KeyError):
    """A name that no registry knows."""

    def __str__(self) -> str:
        return str(self.args[0])


class InputError(FakeImagingError, ValueError):
    """An array, file or object handed to us cannot be used."""


class RateError(FakeImagingError, ValueError):
    """A rate above the one a tap was recorded at was asked for."""


class ModelError(FakeImagingError, ValueError):
    """A neural mass cannot be compiled or left its range while running."""


class OutputError(FakeImagingError, OSError):
    """The output folder cannot be used."""


MOST = 60
"""Names that are listed in an error."""


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest allowed name, or the list of allowed names.

    Examples
    --------
    >>> did_you_mean("bolt", ["bold", "t1w"])
    "; did you mean 'bold'?"
    >>> did_you_mean("TR", ["tr", "snr"])
    "; did you mean 'tr'?"
    """
    names = sorted(allowed)
    folded = {each.casefold(): each for each in names}
    # Half the letters are enough of a short name alone: 'rt' is 'tr', and 'abeta' is not 'tau'.
    cutoff = 0.5 if len(name) < 4 else 0.51
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=cutoff)
    if near:
        return f"; did you mean '{folded[near[0]]}'?"
    if len(names) > MOST:
        return f"; {len(names)} are known, such as {', '.join(names[:5])}"
    return f"; allowed: {', '.join(names)}" if names else ""
