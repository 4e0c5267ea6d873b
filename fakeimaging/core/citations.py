"""The papers behind what was used: a reference carries its DOI and the reason it is cited."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Reference:
    """One paper and why it is cited.

    Examples
    --------
    >>> print(Reference("Stephan et al.", 2007, "10.1016/j.neuroimage.2007.07.040", "BOLD output equation"))
    Stephan et al. (2007), https://doi.org/10.1016/j.neuroimage.2007.07.040: BOLD output equation
    """

    authors: str
    year: int
    doi: str
    reason: str

    def __str__(self) -> str:
        return f"{self.authors} ({self.year}), https://doi.org/{self.doi}: {self.reason}"


def collect(*groups: Iterable[Reference]) -> tuple[Reference, ...]:
    """Merge groups of references, each once, sorted by author and year."""
    return tuple(sorted({reference for group in groups for reference in group}))
