"""A recording on its way to disk, and what every writer of its files needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy.typing as npt

from fakeimaging.activity.activity import Activity
from fakeimaging.core.files import Written, write_json, write_tsv
from fakeimaging.dataset.manifest import Manifest
from fakeimaging.dataset.names import PREP, Scan
from fakeimaging.dataset.sidecars import reference_of, write_sidecar
from fakeimaging.modalities.recording import Recording
from fakeimaging.structure.subject import Subject

DIGITS = 9
"""Significant digits of the cells of a table."""


@dataclass(frozen=True, eq=False)
class Job:
    """One recording to write.

    Parameters
    ----------
    recording : Recording
    scan : Scan
        Where it goes.
    subject : Subject
    activity : Activity or None
    root : Path
        Of the dataset.
    manifest : Manifest
        Takes note of every file.
    """

    recording: Recording
    scan: Scan
    subject: Subject
    activity: Activity | None
    root: Path
    manifest: Manifest

    @property
    def space(self) -> str:
        """Name of the template's space."""
        return self.subject.anatomy.maps.space

    @property
    def reference(self) -> dict[str, str]:
        """What BIDS asks for beside a file in a space of our own."""
        return reference_of(self.space)

    @property
    def sources(self) -> list[str]:
        """The raw files behind what is made of all parts of the scan, as BIDS addresses them."""
        return [f"bids:raw:{part.raw}" for part in self.scan.parts]

    def prepared(self, ending: str, *, part: bool = False) -> PurePosixPath:
        """Return a file of the preprocessed derivative."""
        return PREP / self.scan.beside(ending, part=part)

    def note(self, path: PurePosixPath, written: Written) -> None:
        """Take a file into the manifest."""
        self.manifest.add(path, written)

    def describe(self, path: PurePosixPath, content: dict[str, Any]) -> None:
        """Write the JSON file that belongs to a data file."""
        write_sidecar(path, content, self.root, self.manifest)

    def table(self, path: PurePosixPath, columns: dict[str, npt.NDArray], about: dict[str, Any]) -> None:
        """Write columns of numbers, NaN as ``n/a``, and the JSON file beside them."""
        cells = zip(*(column.tolist() for column in columns.values()), strict=True)
        rows = [[None if cell != cell else float(f"{cell:.{DIGITS}g}") for cell in row] for row in cells]
        self.note(path, write_tsv(self.root / path, list(columns), rows))
        self.note(path.with_suffix(".json"), write_json(self.root / path.with_suffix(".json"), about))
