"""Who took part: participants.tsv as BIDS has it, and the truth beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fakeimaging.core.files import write_json, write_tsv
from fakeimaging.dataset.contrasts import contrasts
from fakeimaging.dataset.covariates import Covariate, Value
from fakeimaging.dataset.effects import covariates_of, touched_by, values_of
from fakeimaging.dataset.names import SOURCE
from fakeimaging.dataset.study import Study

TABLE = "participants.tsv"
TRUE_VALUES = SOURCE / "participants.tsv"
TRUE_EFFECTS = SOURCE / "effects.json"
_WORDS = {"age": "age of the participant", "sex": "sex of the participant"}


def participants(study: Study) -> list[dict[str, Value]]:
    """Return the rows of participants.tsv.

    Parameters
    ----------
    study : Study
        With a seed, if it has covariates.

    Examples
    --------
    >>> from fakeimaging import read_study
    >>> participants(read_study(overrides=["subjects=1", "covariates.age={distribution='normal', mean=50, sd=0.001, decimals=0}"]))
    [{'participant_id': 'sub-01', 'age': 50.0}]
    """
    return [{"participant_id": f"sub-{label}", **covariates_of(study, label)} for label in study.labels]


def true_values(study: Study) -> list[dict[str, Value]]:
    """Return the rows of participants.tsv, and in each the subject's own value of every number that differs between subjects."""
    touched = touched_by(study)
    rows = zip(participants(study), study.labels, strict=True)
    return [{**row, **values_of(study, label, touched)} for row, label in rows]


def write_participants(study: Study, root: Path) -> None:
    """Write participants.tsv with its JSON, and for a study whose subjects differ by design what the effects truly are."""
    _write_rows(root / TABLE, participants(study))
    about = {"participant_id": {"Description": "label of a simulated subject"}}
    about |= {name: _about(name, covariate) for name, covariate in study.covariates.items()}
    write_json((root / TABLE).with_suffix(".json"), about)
    if study.effects or study.variability:
        _write_rows(root / TRUE_VALUES, true_values(study))
        write_json(root / TRUE_EFFECTS, {"null": study.null, "effects": [one.content() for one in contrasts(study)]})


def _write_rows(path: Path, rows: list[dict[str, Value]]) -> None:
    write_tsv(path, list(rows[0]), [list(row.values()) for row in rows])


def _about(name: str, covariate: Covariate) -> dict[str, Any]:
    words = {"Description": covariate.description or _WORDS.get(name, f"{name} of the participant")}
    if covariate.categorical:
        return words | {"Levels": {level: covariate.meanings.get(level, level) for level in covariate.levels}}
    return words | ({"Units": covariate.unit} if covariate.unit is not None else {})
