"""What an analysis got right: standard tools run on the files of a dataset, compared with its truth.

Estimates read raw files and the label image alone; truth is what they are compared with. `SCORES` finds by modality what yields
the rows of a scan: ``score(dataset, scan)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from fakeimaging.core.errors import InputError
from fakeimaging.core.registry import Registry
from fakeimaging.dataset.load import Dataset, load
from fakeimaging.dataset.manifest import missing, read_manifest
from fakeimaging.dataset.names import Scan
from fakeimaging.scoring.group import GroupEffect, group_effect, score_group
from fakeimaging.scoring.structure import score_structure
from fakeimaging.scoring.table import Row, Score

__all__ = ["SCORES", "GroupEffect", "Row", "Score", "group_effect", "score_dataset", "score_group"]

SCORES: Registry[Callable[[Dataset, Scan], Iterable[Row]]] = Registry(
    "score",
    "fakeimaging.scores",
    {
        "bold": "fakeimaging.scoring.bold:score_bold",
        "pet": "fakeimaging.scoring.pet:score_pet",
        "eeg": "fakeimaging.scoring.eeg:score_eeg",
        "meg": "fakeimaging.scoring.meg:score_meg",
        "ieeg": "fakeimaging.scoring.ieeg:score_ieeg",
        "t1w": "fakeimaging.scoring.tissue:score_t1w",
    },
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

    Raises
    ------
    InputError
        If a subject is not finished or a file of it is missing or cut short.
    """
    opened = dataset if isinstance(dataset, Dataset) else load(dataset)
    rows: list[Row] = []
    say = progress or (lambda name: None)
    for subject in opened.subjects:
        _check_whole(opened, subject)
    for subject in opened.subjects:
        say(f"sub-{subject} structure")
        rows += score_structure(opened, subject)
        for scan in opened.scans(subject):
            if scan.modality in SCORES:
                say(scan.recording)
                rows += SCORES.get(scan.modality)(opened, scan)
    if opened.study.effects and len(opened.subjects) > 2:
        say("group")
        rows += score_group(opened)
    return Score(tuple(rows))


def _check_whole(dataset: Dataset, subject: str) -> None:
    manifest = read_manifest(dataset.root, subject)
    if manifest is None:
        raise InputError(f"{dataset.root}: sub-{subject} is not finished; run the same `simulate` again", value=subject)
    if absent := missing(dataset.root, manifest):
        raise InputError(
            f"{dataset.root / absent[0]} is missing or cut short; run the same `simulate` again", value=absent[0]
        )
