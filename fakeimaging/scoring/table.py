"""A Score: a flat table of what an analysis recovered, against the truth and against chance."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from fakeimaging.core.errors import InputError, UnknownNameError, did_you_mean
from fakeimaging.core.files import write_text, write_tsv
from fakeimaging.core.text import aligned


@dataclass(frozen=True)
class Row:
    """One thing that was recovered.

    Parameters
    ----------
    subject : str
    scan : str
        File it was recovered from, without ending.
    name : str
        What was recovered, such as ``fc``.
    estimate, truth : float
        In ``unit``.
    error : float
        Estimate minus truth.
    chance : float
        95th percentile of the estimate when there is nothing to recover.
    n : int
        Number of values compared.
    snr : float
        Median temporal signal-to-noise ratio in grey matter; NaN for a static image.
    unit : str
    better : {"higher", "closer"}
        Which estimate is good: a high one, or one close to the truth; ``chance`` is then the 5th percentile of the absolute
        error when there is nothing to recover.
    """

    subject: str
    scan: str
    name: str
    estimate: float
    truth: float
    error: float
    chance: float
    n: int
    snr: float
    unit: str
    better: Literal["higher", "closer"] = "higher"

    @property
    def beats_chance(self) -> bool:
        """Whether it is better than what chance gives."""
        return self.estimate > self.chance if self.better == "higher" else abs(self.error) < self.chance


@dataclass(frozen=True)
class Score:
    """Rows of what was recovered.

    Examples
    --------
    >>> score = Score((Row("01", "sub-01_bold", "fc", 0.9, 1.0, -0.1, 0.05, 4950, 60.0, "r"),))
    >>> print(score)
    subject  scan         name  estimate  truth  error   chance  n     snr   unit  better
    01       sub-01_bold  fc    0.900     1.000  -0.100  0.050   4950  60.0  r     higher
    """

    rows: tuple[Row, ...]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __str__(self) -> str:
        header = [field.name for field in fields(Row)]
        return aligned([header, *([_cell(name, value) for name, value in asdict(row).items()] for row in self.rows)])

    def summary(self) -> str:
        """Return one line for each name, and each tracer of it: means over subjects and scans, and how many of them beat chance."""
        lines = [["name", "scans", "estimate", "truth", "error", "chance", "better than chance", "unit"]]
        for name, rows in self._of_one_kind():
            means = (
                sum(getattr(row, what) for row in rows) / len(rows) for what in ("estimate", "truth", "error", "chance")
            )
            beaten = f"{sum(row.beats_chance for row in rows)} of {len(rows)}"
            lines.append([name, str(len(rows)), *(f"{mean:.3f}" for mean in means), beaten, rows[0].unit])
        return aligned(lines)

    def _of_one_kind(self) -> Iterator[tuple[str, list[Row]]]:
        """Yield rows that can be averaged: of one name, and of one tracer where several have that name."""
        for name in dict.fromkeys(row.name for row in self.rows):
            rows = [row for row in self.rows if row.name == name]
            tracers = dict.fromkeys(_tracer(row) for row in rows)
            for tracer in tracers:
                label = f"{name} ({tracer})" if len(tracers) > 1 else name
                yield label, [row for row in rows if _tracer(row) == tracer]

    def worst(self, name: str) -> float:
        """Return the lowest estimate of the rows called ``name``.

        Raises
        ------
        UnknownNameError
            If no row has this name.
        """
        values = [row.estimate for row in self.rows if row.name == name]
        if not values:
            raise UnknownNameError(
                f"no score called '{name}'{did_you_mean(name, {row.name for row in self.rows})}", value=name
            )
        return min(values)

    def failures(self, floors: dict[str, float]) -> list[str]:
        """Return one line for each floor that the worst row of its name misses."""
        worst = {name: self.worst(name) for name in floors}
        return [
            f"{name}: {worst[name]:.3f} is below {floor:g}"
            for name, floor in floors.items()
            if not worst[name] >= floor
        ]

    def save(self, path: Path) -> None:
        """Write the table as ``.tsv`` or ``.json``, by its ending."""
        rows = [asdict(row) for row in self.rows]
        plain = [{key: None if value != value else value for key, value in row.items()} for row in rows]
        if path.suffix == ".tsv":
            write_tsv(path, [field.name for field in fields(Row)], [list(row.values()) for row in plain])
        elif path.suffix == ".json":
            write_text(path, json.dumps(plain, indent=2) + "\n")
        else:
            raise InputError(f"a score is saved as .tsv or .json, not as {path.name}", value=path)


def _tracer(row: Row) -> str:
    """Return the tracer in the name of a scan, nothing for a scan without one."""
    found = re.search(r"_trc-([^_]+)", row.scan)
    return found.group(1) if found else ""


def _cell(name: str, value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    if value != value:
        return "n/a"
    return f"{value:.1f}" if name == "snr" else f"{value:.3f}"
