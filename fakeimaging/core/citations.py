"""The papers behind what was used: a reference carries its DOI and the reason it is cited."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Reference:
    """One paper and why it is cited; ``doi`` is its DOI, or another name such as ``pubmed:9591599`` where it has none.

    Examples
    --------
    >>> print(Reference("Stephan et al.", 2007, "10.1016/j.neuroimage.2007.07.040", "BOLD output equation"))
    Stephan et al. (2007), https://doi.org/10.1016/j.neuroimage.2007.07.040: BOLD output equation
    >>> print(Reference("Rousset et al.", 1998, "pubmed:9591599", "transfer of signal between regions"))
    Rousset et al. (1998), pubmed:9591599: transfer of signal between regions
    """

    authors: str
    year: int
    doi: str
    reason: str

    def __str__(self) -> str:
        address = f"https://doi.org/{self.doi}" if self.doi.startswith("10.") else self.doi
        return f"{self.authors} ({self.year}), {address}: {self.reason}"


def collect(*groups: Iterable[Reference]) -> tuple[Reference, ...]:
    """Merge groups of references, each once, sorted by author and year."""
    return tuple(sorted({reference for group in groups for reference in group}))
