"""Files about the whole dataset: descriptions, README, participants, and the record it can be made again from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fakeimaging
from fakeimaging.core.errors import InputError
from fakeimaging.core.files import read_bytes, write_bytes, write_json, write_text
from fakeimaging.dataset.inputs import own_files, renamed
from fakeimaging.dataset.names import CONNECTOME, INPUTS, PREP, RECORD, SOURCE, TRUTH
from fakeimaging.dataset.participants import write_participants
from fakeimaging.dataset.study import Study
from fakeimaging.modalities.electro.lead_field import attribution

BIDS_VERSION = "1.10.0"
_DERIVATIVES = (
    (TRUTH, "truth", "True signals of the dataset two folders up"),
    (
        PREP,
        "preprocessed",
        "The BOLD series of the dataset two folders up, in template space as fMRIPrep would leave them",
    ),
    (
        CONNECTOME,
        "connectome",
        "Volume j of each *_desc-weights_probseg image holds the weight of the tract from region j to the region of each voxel;\n"
        "a masker with the dseg image beside it returns the matrix. Weights are no probabilities: BIDS has no suffix for them. "
        "Tables,\nGraphML and a zip for The Virtual Brain lie in sourcedata/fakeimaging of the dataset two folders up",
    ),
)
_UNNAMED = {
    TRUTH: ("*_timeseries.*", "*_xfm.*", "*_space-fsaverage5_*", "*_statmap.*"),
    PREP: ("*_timeseries.*", "*_xfm.*", "*_boldref.*", "*_T2starmap.*", "*_space-fsaverage5_*"),
}
"""What BIDS has no name for yet in a derivative: fMRIPrep lists the same in its ``.bidsignore``."""
_GENERATED = {
    "Name": "fakeimaging",
    "Version": fakeimaging.__version__,
    "Description": "synthetic neuroimaging simulator",
}
_README = """\
{name}
{rule}

Every number in this dataset was simulated with fakeimaging {version}; no human took part.

A simulated brain network (regions and tracts of each subject) generated activity, which passed through forward models of
instruments. Each file has its truth:

- raw files at the root are what an instrument would have recorded (BIDS);
- derivatives/fakeimaging-truth holds the same signals without noise, the true regions and tissue fractions, and the true courses
  and maps behind the noise;
- derivatives/fakeimaging-prep holds the BOLD series in template space with confounds, as preprocessing would leave them;
- derivatives/fakeimaging-connectome holds the wiring as images;
- sourcedata/fakeimaging holds the connectome, the activity, the recipe of every noise layer, and record.json, from which
  `fakeimaging verify` makes the dataset again and compares.

Not for clinical use.

Anatomy: ICBM 2009a nonlinear symmetric template, Copyright (C) 1993-2009 Louis Collins, McConnell Brain Imaging Centre, Montreal
Neurological Institute, McGill University. Head and cortical surfaces: fsaverage.

{surfaces}"""
_SOURCE_README = """\
What has no BIDS name, one folder a subject. Row i of every table and matrix is label i + 1 of the region image.

- inputs/: files of the study's own (models, connectomes, atlases, tracers), as they were
- participants.tsv, effects.json: each subject's own value of every number that differs by design, and the true size of each effect
- *_regions.tsv: names, hemisphere, network, centroid in template and native mm, volume in mm3
- *_weights.tsv, *_lengths.tsv: connectome, weights[target, source], lengths in mm
- *_edges.tsv: one line a tract, from source to target
- *_connectome.graphml, *_tvb.zip: the same connectome for other programs
- *_transform.json: native mm to template mm
- *_tap-*.npy with .json: activity, time x region, unit and clock in the .json; times below 0 are warm-up
- *_recipe.json: parameters and random draws of each stage, and the stream of its random numbers
- *_betas.tsv: response of each region to each type of trial in percent
- *_regional-*.npy: regional truth of a recording, region x volume; of several echoes also the changes of R2* (1/s) and of S0
- *_relmat.tsv: correlations of the regions: of their firing, of their clean signal, of the preprocessed signal
- *_slice-phases.npy: phase of heart and breathing in each slice of each volume
- manifest.json: every file of the subject with size and hash of its decompressed bytes, and versions and machine that made it
"""


def write_description(study: Study, root: Path) -> None:
    """Write every file that describes the dataset as a whole; the same study gives the same bytes."""
    for path in own_files(study.content()):
        write_bytes(root / INPUTS / path.name, read_bytes(path))
    write_json(root / RECORD, {"study": study.portable(), "digest": study.digest(), "made_by": _GENERATED})
    description = {"Name": study.name, "BIDSVersion": BIDS_VERSION, "DatasetType": "raw", "License": "CC0"}
    write_json(
        root / "dataset_description.json", description | {"Authors": ["fakeimaging"], "GeneratedBy": [_GENERATED]}
    )
    write_text(
        root / "README",
        _README.format(
            name=study.name, rule="=" * len(study.name), version=fakeimaging.__version__, surfaces=attribution()
        ),
    )
    write_participants(study, root)
    for folder, what, words in _DERIVATIVES:
        about: dict[str, Any] = {
            "Name": f"{study.name}: {what}", "BIDSVersion": BIDS_VERSION, "DatasetType": "derivative",
            "GeneratedBy": [_GENERATED], "SourceDatasets": [{"URL": "../../"}], "DatasetLinks": {"raw": "../../"},
        }  # fmt: skip
        write_json(root / folder / "dataset_description.json", about)
        write_text(root / folder / "README", f"{words}, simulated with fakeimaging {fakeimaging.__version__}.\n")
    for folder, patterns in _UNNAMED.items():
        write_text(root / folder / ".bidsignore", "\n".join(patterns) + "\n")
    write_text(root / SOURCE / "README", _SOURCE_README)


def read_record(root: Path) -> dict[str, Any]:
    """Return the record of a dataset: ``study``, its ``digest`` and ``made_by``.

    Raises
    ------
    InputError
        If the folder is not a dataset of ours.
    """
    try:
        content: dict[str, Any] = json.loads((root / RECORD).read_text())
        _ = [run["model"] for session in content["study"]["sessions"] for run in session["runs"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{root} is not a dataset written by fakeimaging: it has no readable {RECORD}", value=root
        ) from None
    return content


def recorded_study(root: Path) -> Study:
    """Return the study a dataset was made from, the files it names being the copies in the dataset."""
    content = read_record(root)["study"]
    renamed(content, lambda path: root / INPUTS / path.name)
    return Study.check(content)
