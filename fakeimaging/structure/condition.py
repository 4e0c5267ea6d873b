"""What age, disease and a subject's own numbers make of its grey matter and of the densities that tracers bind to.

Changes with age and disease are rows of ``data/ageing.toml``, each with its source. Densities are factors on those of a healthy
person of 30 years, and multiply: age, disease, own numbers. Loads of pathology (amyloid, tau) are shares of the most there can be:
those of a disease, in their place those that spread along the connectome, in their place those given as numbers.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.arrays import frozen
from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.core.parameters import Parameters
from fakeimaging.structure import pathology
from fakeimaging.structure.atrophy import MOST_LOST, Atrophy, atrophied, grey_volumes, region_labels, thinned
from fakeimaging.structure.parcellation import Region
from fakeimaging.structure.receptors import DENSEST, LOADS, unsaid
from fakeimaging.structure.selection import chosen, filled
from fakeimaging.structure.tables import read_table

if TYPE_CHECKING:
    from fakeimaging.structure.parameters import SubjectParameters
    from fakeimaging.structure.subject import Subject

Floats = npt.NDArray[np.float64]
Changes = dict[str, Floats]
"""By ``"volume"`` or the name of a system, a number for each region, shape (n_regions,)."""
VOLUME = "volume"


class Amount(Parameters):
    """A number with its unit and its source."""

    value: float
    unit: str
    source: str


class Amounts(Parameters):
    """Numbers with their unit and their source."""

    value: tuple[float, ...]
    unit: str
    source: str


class Carrier(Parameters):
    """Load of pathology of healthy people who carry it, and how many do by age."""

    what: str
    where: str
    load: Amount
    ages: Amounts
    shares: Amounts


class Row(Parameters):
    """One line of the table: what changes, in which regions, and by how much."""

    what: str
    where: str
    behind: float | None = None
    name: str = "age"
    since: float = 0.0
    change: Amount | None = None
    load: Amount | None = None

    def reached(self, regions: Sequence[Region]) -> npt.NDArray[np.bool_]:
        """Return which regions the row is about, shape (n_regions,)."""
        far = [self.behind is None or region.centroid[1] < self.behind for region in regions]
        return chosen([self.where], regions) & np.array(far)

    @property
    def amount(self) -> float:
        """The change, or the load."""
        return next(amount.value for amount in (self.change, self.load) if amount is not None)


def _read() -> dict[str, Any]:
    return tomllib.loads((files("fakeimaging.data") / "ageing.toml").read_text())


@lru_cache(maxsize=1)
def carrier() -> Carrier:
    """Return the table of healthy people who carry a pathology."""
    return Carrier.parse(_read()["carrier"], where="carrier")


def prevalence(age: float) -> float:
    """Return the share of healthy people of an age who carry amyloid.

    Examples
    --------
    >>> round(prevalence(70.0), 3)
    0.27
    """
    return float(np.interp(age, carrier().ages.value, carrier().shares.value))


@lru_cache(maxsize=1)
def table() -> Mapping[str, tuple[Row, ...]]:
    """Return the rows by ``"age"`` and by the name of a disease."""
    read = _read()
    rows = [Row.parse(row, where=group) for group in ("age", "disease") for row in read[group]]
    return {name: tuple(row for row in rows if row.name == name) for name in dict.fromkeys(row.name for row in rows)}


def diseases() -> list[str]:
    """Return the names of the diseases."""
    return [name for name in table() if name != "age"]


def aged(age: float, regions: Sequence[Region]) -> Changes:
    """Return what age changes, as factors.

    Examples
    --------
    >>> from fakeimaging import make_subject
    >>> regions = make_subject("01", seed=1, anatomy="tiny").regions
    >>> {what: round(float(factor[0]), 3) for what, factor in aged(70.0, regions).items()}
    {'volume': 0.89, 'D2': 0.76, 'metabolism': 0.8, 'SV2A': 1.0}
    """
    found: Changes = {}
    for row in table()["age"]:
        factor = found.setdefault(row.what, np.ones(len(regions)))
        factor += row.amount * max(age - row.since, 0.0) * row.reached(regions)
    return found


def diseased(name: str, severity: float, regions: Sequence[Region]) -> Changes:
    """Return what a disease changes: factors, and loads of pathology.

    Raises
    ------
    InputError
        If the subject has none of the regions that it touches.
    """
    found: Changes = {}
    for row in table()[name]:
        reached = row.reached(regions)
        if row.load is not None:
            before = found.get(row.what, np.zeros(len(regions)))
            found[row.what] = np.maximum(before, severity * row.amount * reached)
        else:
            found[row.what] = found.get(row.what, np.ones(len(regions))) * (1 + severity * row.amount * reached)
    if not any(row.reached(regions).any() for row in table()[name]):
        raise InputError(f"`subject.disease`: the subject has none of the regions that {name} touches", value=name)
    return found


def conditioned(subject: Subject, parameters: SubjectParameters) -> Subject:
    """Return the subject with the grey matter and the densities that its parameters give it; itself if they say nothing.

    Raises
    ------
    ParameterError
        If a region is not there, or two groups that share one say different things.
    InputError
        If a table of densities cannot be used.
    """
    changes = _known_changes(parameters, subject)
    losses = _losses(parameters, changes.pop(VOLUME, None), subject.regions)
    densities = _densities(parameters, changes, subject)
    subject = replace(subject, densities=densities) if densities else subject
    return _thinner(subject, losses) if losses.any() else subject


def _known_changes(parameters: SubjectParameters, subject: Subject) -> Changes:
    """Return what age and disease change."""
    age, regions = parameters.age, subject.regions
    changes: Changes = {} if age is None else aged(age, regions)
    if age is not None and parameters.preclinical:
        carries = subject.streams.at("structure", "preclinical").rng().random() < prevalence(age)
        load = carrier().load.value * chosen([carrier().where], regions)
        changes[carrier().what] = np.asarray(carries * load, dtype=float)
    if parameters.disease is not None:
        for what, change in diseased(parameters.disease, parameters.severity, regions).items():
            before = changes.get(what, np.full(len(regions), unsaid(what)))
            changes[what] = np.maximum(before, change) if what in LOADS else before * change
    return changes


def _losses(parameters: SubjectParameters, kept: Floats | None, regions: Sequence[Region]) -> Floats:
    problems: list[str] = []
    own = filled(parameters.atrophy, regions, 0.0, where="subject.atrophy", problems=problems)
    if problems:
        raise ParameterError(problems)
    return own if kept is None else np.minimum(1 - (1 - own) * np.minimum(kept, 1), MOST_LOST)


def _densities(parameters: SubjectParameters, changes: Changes, subject: Subject) -> Changes:
    """Return the densities of every system that anything is said of."""
    found = dict(changes)
    for name, spread in parameters.pathology.items():
        found[name] = pathology.load_after(spread, name, subject.connectome, subject.regions)
    for name, values in [*_own(parameters, subject.regions), *_from_table(parameters.density_table, subject.regions)]:
        found[name] = values if name in LOADS else values * found.get(name, 1.0)
    return {name: frozen(values) for name, values in found.items()}


def _own(parameters: SubjectParameters, regions: Sequence[Region]) -> Iterable[tuple[str, Floats]]:
    problems: list[str] = []
    for name, given in parameters.densities.items():
        words = given if isinstance(given, dict) else {"all": given}
        where = f"subject.densities.{name}"
        yield name, filled(words, regions, unsaid(name), where=where, problems=problems)
    if problems:
        raise ParameterError(problems)


def _from_table(path: str | None, regions: Sequence[Region]) -> Iterable[tuple[str, Floats]]:
    """Yield the columns of a table of densities: one a system, a row a region (in order, or by name)."""
    if path is None:
        return
    read = read_table(path)
    if read.columns is None:
        raise InputError(f"{path}: its first line names the systems, one a column", value=path)
    if read.rows is None and len(read.values) != len(regions):
        raise InputError(f"{path}: {len(read.values)} rows for {len(regions)} regions", value=path)
    if read.rows is not None and len(set(read.rows)) < len(read.rows):
        raise InputError(f"{path}: two rows have one name", value=path)
    for name, column in zip(read.columns, np.asarray(read.values, dtype=float).T, strict=True):
        yield name, _column(path, name, column, read.rows, regions)


def _column(path: str, name: str, column: Floats, rows: tuple[str, ...] | None, regions: Sequence[Region]) -> Floats:
    most = 1.0 if name in LOADS else DENSEST
    if column.min() < 0 or column.max() > most:
        worst = column.min() if column.min() < 0 else column.max()
        what = "shares of the most there can be" if name in LOADS else "factors on the density of a healthy person"
        raise InputError(f"{path}: {worst:g} in column '{name}' is outside [0, {most:g}] ({what})", value=path)
    if rows is None:
        return column
    problems: list[str] = []
    values = dict(zip(rows, column.tolist(), strict=True))
    found = filled(values, regions, unsaid(name), where=path, problems=problems)
    if problems:
        raise ParameterError(problems)
    return found


def _thinner(subject: Subject, losses: Floats) -> Subject:
    """Return the subject with the grey matter gone."""
    before, parcellation = subject.anatomy.healthy, subject.parcellation
    after = atrophied(before, parcellation, losses)
    labels = region_labels(before, parcellation)
    truth = Atrophy(frozen(losses), *(frozen(grey_volumes(maps, labels)) for maps in (before, after)))
    anatomy = replace(subject.anatomy, maps=after, intact=before)
    return replace(subject, anatomy=anatomy, parcellation=thinned(parcellation, before, after), atrophy=truth)
