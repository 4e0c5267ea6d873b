"""How regions are chosen in words, everywhere: by name, by ``kind:``, ``network:`` or ``hemisphere:``, or ``all`` of them.

A region's own name is meant before anything else, so that no atlas can name a region out of reach.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import ParameterError, did_you_mean
from fakeimaging.structure.parcellation import Region

GROUPS = ("kind", "network", "hemisphere")
"""What regions may have in common; each is a field of `Region`."""
ALL = "all"


def chosen(selectors: Iterable[str], regions: Sequence[Region]) -> npt.NDArray[np.bool_]:
    """Return which regions any of the selectors means, shape (n_regions,).

    Parameters
    ----------
    selectors : iterable of str
        ``"L_Hippocampus_01"`` (a name), ``"kind:thalamus"``, ``"network:DefaultMode"``, ``"hemisphere:L"`` or ``"all"``.
    regions : sequence of Region

    Examples
    --------
    >>> from fakeimaging import make_subject
    >>> regions = make_subject("01", seed=1, anatomy="tiny").regions
    >>> int(chosen([regions[3].name], regions).sum()), int(chosen(["hemisphere:L", "hemisphere:R"], regions).sum())
    (1, 10)
    """
    found = np.zeros(len(regions), dtype=bool)
    for selector in selectors:
        found |= _meant(selector, regions)
    return found


def specificity(selector: str, regions: Sequence[Region]) -> int:
    """Return 2 for the name of a region, 1 for a group of them, 0 for all: what is more specific holds where both reach."""
    if any(region.name == selector for region in regions):
        return 2
    return 0 if selector == ALL else 1


def unknown(selector: str, regions: Sequence[Region]) -> str | None:
    """Return what is wrong with a selector, None when it means a region.

    Examples
    --------
    >>> from fakeimaging import make_subject
    >>> unknown("network:NetAA", make_subject("01", seed=1, anatomy="tiny").regions)
    "the subject has no such network as 'NetAA'; did you mean 'NetA'?"
    """
    if chosen([selector], regions).any():
        return None
    group, colon, value = selector.partition(":")
    if colon and group in GROUPS:
        return f"the subject has no such {group} as '{value}'{did_you_mean(value, _values(group, regions))}"
    words = [f"{group}:{value}" for group in GROUPS for value in _values(group, regions)]
    return f"the subject has no such region as '{selector}'{did_you_mean(selector, [*_names(regions), ALL, *words])}"


def check_known(selectors: Iterable[str], regions: Sequence[Region], *, where: str) -> None:
    """Check that every selector means a region.

    Raises
    ------
    ParameterError
        Naming each that does not, with the nearest that would.
    """
    problems = [f"`{where}`: {problem}" for selector in selectors if (problem := unknown(selector, regions))]
    if problems:
        raise ParameterError(problems)


def filled(
    values: Mapping[str, float], regions: Sequence[Region], own: float, *, where: str, problems: list[str]
) -> npt.NDArray[np.float64]:
    """Return a value for each region; what is said of one region holds against what is said of its group.

    Parameters
    ----------
    values : mapping of str to float
        By selector.
    regions : sequence of Region
    own : float
        Of a region that no selector means.
    where : str
        Key that the values stand under, for messages.
    problems : list of str
        Takes a line for each selector that means no region, or says otherwise than another of its rank.

    Returns
    -------
    ndarray, shape (n_regions,)
    """
    found, level = np.full(len(regions), own, dtype=float), np.full(len(regions), -1)
    for selector in sorted(values, key=lambda word: specificity(word, regions)):
        if problem := unknown(selector, regions):
            problems.append(f"`{where}`: {problem}")
        meant, rank = chosen([selector], regions), specificity(selector, regions)
        both = np.flatnonzero(meant & (level == rank) & (found != values[selector]))
        if len(both):
            problems.append(
                f"`{where}`: '{selector}' and another group both reach '{regions[both[0]].name}', with different values; name that region"
            )
        found[meant], level[meant] = values[selector], rank
    return found


def _meant(selector: str, regions: Sequence[Region]) -> npt.NDArray[np.bool_]:
    named = np.array([region.name == selector for region in regions], dtype=bool)
    group, colon, value = selector.partition(":")
    if named.any() or (selector != ALL and not (colon and group in GROUPS)):
        return named
    return np.array([selector == ALL or getattr(region, group) == value for region in regions], dtype=bool)


def _names(regions: Sequence[Region]) -> set[str]:
    return {region.name for region in regions}


def _values(group: str, regions: Sequence[Region]) -> set[str]:
    return {getattr(region, group) for region in regions}
