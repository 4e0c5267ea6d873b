"""What an analysis got right: standard tools run on the files of a dataset, compared with its truth.

Estimates read raw files and the label image alone; truth is what they are compared with. `SCORES` finds by modality what yields
the rows of a scan: ``score(dataset, scan)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from fakeimaging.core.registry import Registry
from fakeimaging.dataset.load import Dataset, load
from fakeimaging.dataset.names import Scan
from fakeimaging.scoring.table import Row, Score

__all__ = ["SCORES", "Row", "Score", "score_dataset"]

SCORES: Registry[Callable[[Dataset, Scan], Iterable[Row]]] = Registry(
    "score", "fakeimaging.scores", {"bold": "fakeimaging.scoring.bold:score_bold"}
)


def score_dataset(dataset: Dataset | str | Path, *, progress: Callable[[str], None] | None = None) -> Score:
    """Score every recording of a dataset that a score exists for.

    Parameters
    ----------
    dataset : Dataset or path
    progress : callable, optional
        Called with the name of each scan before it is scored.

    Returns
    -------
    Score
    """
    opened = dataset if isinstance(dataset, Dataset) else load(dataset)
    rows: list[Row] = []
    for scan in opened.scans():
        if scan.modality in SCORES:
            if progress is not None:
                progress(scan.stem)
            rows += SCORES.get(scan.modality)(opened, scan)
    return Score(tuple(rows))
