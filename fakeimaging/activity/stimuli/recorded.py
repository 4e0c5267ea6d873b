"""Courses from a file: samples at a rate of their own, joined by straight lines, read a stretch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.stimuli.condition import Condition
from fakeimaging.activity.stimuli.rules import SLACK
from fakeimaging.core.errors import InputError, did_you_mean
from fakeimaging.structure.tables import Table, read_table


@dataclass(frozen=True, eq=False)
class Samples:
    """A course for each column of a file, from the arrival of an event to its end; 0 before and after.

    Parameters
    ----------
    values : ndarray, shape (n_samples, n_columns)
    rate : float
        Samples per second.
    duration : float
        Of one event in s.
    order : ndarray of int
        Columns in the order of the courses.
    """

    values: npt.NDArray
    rate: float
    duration: float
    order: npt.NDArray[np.intp]

    def at(self, since: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the courses at ascending times since arrival in s, shape (n_columns, n)."""
        inside = np.flatnonzero((since >= 0) & (since <= self.duration))
        courses = np.zeros((len(self.order), len(since)))
        if not len(inside):
            return courses
        position = since[inside] * self.rate
        below = np.minimum(np.floor(position).astype(np.int64), len(self.values) - 2)
        part, first = position - below, below[0]
        stretch = np.asarray(self.values[first : below[-1] + 2], dtype=np.float64)[:, self.order].T
        below -= first
        courses[:, inside] = stretch[:, below] * (1 - part) + stretch[:, below + 1] * part
        return courses


def read_samples(condition: Condition, reached: Sequence[str]) -> Samples:
    """Read the course of a condition: one column for all regions it reaches (``reached``, their names), or one for each.

    Raises
    ------
    InputError
        If the file cannot be read, is too short, or its columns are not those regions.
    """
    table, rate = read_table(condition.file or ""), condition.sampling_rate or 1.0
    held = (len(table.values) - 1) / rate
    if len(table.values) < 2 or held < condition.duration - SLACK:
        raise InputError(
            f"{condition.file}: {len(table.values)} samples at {rate:g} Hz span {held:g} s, and each event of condition "
            f"'{condition.trial_type}' lasts {condition.duration:g} s",
            value=condition.file,
        )
    return Samples(table.values, rate, condition.duration, _order(table, condition, reached))


def _order(table: Table, condition: Condition, reached: Sequence[str]) -> npt.NDArray[np.intp]:
    n = table.values.shape[1]
    if n == 1:
        return np.zeros(1, dtype=np.intp)
    if n != len(reached):
        many = f"one column, or one for each of the {len(reached)} regions it reaches, are needed"
        raise InputError(f"{condition.file}: {n} columns in condition '{condition.trial_type}'; {many}")
    if table.columns is None:
        return np.arange(n)
    for name in table.columns:
        if name not in reached:
            raise InputError(
                f"{condition.file}: condition '{condition.trial_type}' reaches no region '{name}'{did_you_mean(name, reached)}"
            )
    if len(set(table.columns)) < n:
        raise InputError(f"{condition.file}: two columns have one name")
    return np.array([table.columns.index(name) for name in reached], dtype=np.intp)
