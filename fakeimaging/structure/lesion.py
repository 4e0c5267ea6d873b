"""Lesions: tracts that are weakened or gone, in a brain whose tissue stays as it is."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.structure.connectome import Connectome
from fakeimaging.structure.selection import check_known, chosen

if TYPE_CHECKING:
    from fakeimaging.structure.subject import Subject


def lesion(
    subject: Subject,
    regions: str | Sequence[str] = (),
    *,
    edges: Sequence[tuple[str, str]] = (),
    share: float = 1.0,
) -> Subject:
    """Return the subject with some tracts weakened or gone; everything else of it is the same, bit for bit.

    Models scale by the weights before the lesion, so that what is cut is not made up for elsewhere.

    Parameters
    ----------
    subject : Subject
    regions : str or sequence of str
        Regions that lose of all their tracts, from and to them: ``"L_Hippocampus_01"``, ``"kind:thalamus"``,
        ``"network:DefaultMode"``, ``"hemisphere:L"``.
    edges : sequence of (str, str)
        Pairs of regions, in the same words, that lose of the tracts between both, in both directions.
    share : float
        Share of each weight that is lost, in [0, 1]. A tract that keeps some keeps its length.

    Returns
    -------
    Subject
        ``subject.connectome.intact`` is the connectome without the lesion.

    Raises
    ------
    ParameterError
        If a region is not there, none is named, an edge joins a region with itself, or the share is outside [0, 1].
    InputError
        If nothing would remain connected.

    Warns
    -----
    UserWarning
        If a region that was not asked for loses its last tract, or a pair of regions has none to lose.

    Examples
    --------
    >>> from fakeimaging import make_subject
    >>> subject = make_subject("01", seed=1, anatomy="tiny")
    >>> cut = lesion(subject, "L_NetA_01", share=0.5)
    >>> float(cut.connectome.weights[0].sum() / subject.connectome.weights[0].sum())
    0.5
    """
    named = [regions] if isinstance(regions, str) else _texts(regions, "lesion")
    words = [word for edge in _listed(edges) for word in _texts(_pair(edge), "lesion.edges")]
    check_known([*named, *words], subject.regions, where="lesion")
    _check(named, edges, share)
    asked = chosen(named, subject.regions)
    cut = asked[:, None] | asked[None]
    for edge in edges:
        one, other = (chosen([word], subject.regions) for word in edge)
        between = (one[:, None] & other[None]) | (other[:, None] & one[None])
        _check_edge(edge, between, subject.connectome)
        cut |= between
    return replace(subject, connectome=_weakened(subject.connectome, cut, share, asked))


def _pair(edge: tuple[str, str]) -> tuple[str, str]:
    if not isinstance(edge, tuple | list) or len(edge) != 2:
        raise ParameterError([f"`lesion.edges`: {edge!r} is not a pair of regions"], value=edge)
    return edge


def _listed(edges: Any) -> Sequence[Any]:
    if not isinstance(edges, Sequence) or isinstance(edges, str):
        raise ParameterError([f"`lesion.edges`: {edges!r} is not a list of pairs of regions"], value=edges)
    return edges


def _texts(words: Any, key: str) -> list[str]:
    odd = [words] if isinstance(words, int | float) else [word for word in words if not isinstance(word, str)]
    if odd:
        raise ParameterError([f"`{key}`: {odd[0]!r} is not the name of a region or group of regions"], value=odd[0])
    return list(words)


def _check_edge(edge: tuple[str, str], between: npt.NDArray[np.bool_], connectome: Connectome) -> None:
    """Refuse a region and itself, and warn of a pair that has no tract."""
    if not (between & ~np.eye(len(between), dtype=bool)).any():
        raise ParameterError([f"`lesion.edges`: {edge!r} is one region and itself; name two"], value=edge)
    if not connectome.weights[between].any():
        warnings.warn(f"`lesion.edges`: there is no tract between '{edge[0]}' and '{edge[1]}' to cut", stacklevel=3)


def _check(named: Sequence[str], edges: Sequence[tuple[str, str]], share: float) -> None:
    if not named and not edges:
        raise ParameterError(["`lesion`: nothing to cut; name `regions` or `edges`"])
    if not 0 <= share <= 1:
        raise ParameterError(
            [f"`lesion.share`: {share:g} is outside [0, 1] (share of each weight that is lost)"], value=share
        )


def _weakened(before: Connectome, cut: npt.NDArray[np.bool_], share: float, asked: npt.NDArray[np.bool_]) -> Connectome:
    """Weaken tracts, and warn of regions that lose their last one though they were not asked for."""
    weights = np.where(cut, before.weights * (1 - share), before.weights)
    if not weights.any():
        raise InputError("`lesion`: no tract would be left; take fewer regions or a lower share", value=share)
    lengths = np.where(cut & (weights == 0), 0.0, before.tract_lengths)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="regions without any tract")
        after = replace(before, weights=weights, tract_lengths=lengths, intact=before.healthy)
    unasked = sorted(set(after.isolated) - set(before.isolated) - set(np.flatnonzero(asked)))
    if unasked:
        warnings.warn(f"the lesion leaves regions without any tract: {after.listed(unasked)}", stacklevel=3)
    return after
