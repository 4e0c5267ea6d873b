"""Who took part: participants.tsv as BIDS has it, and the truth beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from fakeimaging.core.files import UNREADABLE, tsv_text, write_json, write_text
from fakeimaging.dataset.contrasts import contrasts
from fakeimaging.dataset.covariates import Covariate, Value
from fakeimaging.dataset.effects import Touched, covariates_of, for_subject, touched_by, values_of
from fakeimaging.dataset.names import SOURCE
from fakeimaging.dataset.study import Study
from fakeimaging.modalities import MODALITIES

TRUE_VALUES = SOURCE / "participants.tsv"
TRUE_EFFECTS = SOURCE / "effects.json"
WEIGHT = "weight"
_WORDS = {"age": "age of the participant", "sex": "sex of the participant"}


def participants(study: Study, touched: Sequence[Touched] = ()) -> list[dict[str, Value]]:
    """Return the rows of participants.tsv, and in each the subject's own values of what is touched.

    Parameters
    ----------
    study : Study
        With a seed, if it has covariates.
    touched : sequence of Touched
        Numbers of the study that differ between subjects, as `touched_by` finds them.

    Examples
    --------
    >>> from fakeimaging import read_study
    >>> participants(read_study(overrides=["subjects=1", "covariates.age={distribution='normal', mean=50, sd=0.001, decimals=0}"]))
    [{'participant_id': 'sub-01', 'age': 50, 'weight': 70.0}]
    """
    return [_row(study, label, touched) for label in study.labels]


def _row(study: Study, label: str, touched: Sequence[Touched]) -> dict[str, Value]:
    known = {"participant_id": f"sub-{label}", **covariates_of(study, label)}
    if WEIGHT not in known and has_pet(study):
        known[WEIGHT] = body_weight(for_subject(study, label))
    return {**known, **values_of(study, label, touched)}


def has_pet(study: Study) -> bool:
    """Tell whether a study has PET scans: BIDS wants to know the weight of those in them."""
    return any(scan.modality == "pet" for session in study.sessions for scan in session.acquisitions)


def body_weight(study: Study) -> float:
    """Return the weight in kg that the first PET scan of a study takes a subject to have."""
    scans = (scan for session in study.sessions for scan in session.acquisitions if scan.modality == "pet")
    modality = MODALITIES.get("pet")
    parameters: Any = modality.parameters.parse(next(scans).parameters, where=modality.name)
    return float(parameters.body_weight)


def _tables(study: Study) -> dict[PurePosixPath, tuple[Touched, ...]]:
    """Return each table of the participants and what it tells beside the covariates."""
    differ = bool(study.effects or study.variability)
    return {PurePosixPath("participants.tsv"): ()} | ({TRUE_VALUES: touched_by(study)} if differ else {})


def write_participants(study: Study, root: Path) -> None:
    """Write participants.tsv with its JSON, and for a study whose subjects differ by design what the effects truly are."""
    for path, touched in _tables(study).items():
        write_text(root / path, _text(participants(study, touched)))
    about = {"participant_id": {"Description": "label of a simulated subject"}}
    if has_pet(study):
        about |= {WEIGHT: {"Description": "body weight", "Units": "kg"}}
    about |= {name: _about(name, covariate) for name, covariate in study.covariates.items()}
    write_json(root / "participants.json", about)
    if study.effects or study.variability:
        write_json(root / TRUE_EFFECTS, {"null": study.null, "effects": [one.content() for one in contrasts(study)]})


def row_problems(study: Study, label: str, root: Path) -> list[str]:
    """Return a line for each table of the participants in which a subject's row is not what the study says."""
    wanted = {path: _text([_row(study, label, touched)]).splitlines() for path, touched in _tables(study).items()}
    found = {path: _lines(root / path) for path in wanted}
    return [
        f"{path}: the row of sub-{label} is not what the record says"
        for path, (header, row) in wanted.items()
        if found[path][:1] != [header] or row not in found[path]
    ]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except UNREADABLE:
        return []


def _text(rows: list[dict[str, Value]]) -> str:
    return tsv_text(list(rows[0]), [list(row.values()) for row in rows])


def _about(name: str, covariate: Covariate) -> dict[str, Any]:
    words = {"Description": covariate.description or _WORDS.get(name, f"{name} of the participant")}
    if covariate.categorical:
        return words | {"Levels": {level: covariate.meanings.get(level, level) for level in covariate.levels}}
    return words | ({"Units": covariate.unit} if covariate.unit is not None else {})
