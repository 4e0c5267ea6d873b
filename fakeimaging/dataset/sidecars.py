"""What is said of a recording in JSON: its BIDS sidecar, and the recipe that rebuilds every layer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from fakeimaging.core.files import write_json
from fakeimaging.dataset.inputs import without_folders
from fakeimaging.dataset.manifest import Manifest
from fakeimaging.dataset.names import Scan
from fakeimaging.modalities.layers import Extra
from fakeimaging.modalities.recording import Recording
from fakeimaging.structure.template import SPACE

MAKER = {"Manufacturer": "fakeimaging", "ManufacturersModelName": "simulated"}


def raw_sidecar(recording: Recording, scan: Scan) -> dict[str, Any]:
    """Return the BIDS sidecar of a raw file."""
    keys: dict[str, Any] = {"TaskName": scan.task} if scan.names_task else {}
    keys |= MAKER
    # Series have a unit for each channel, which their header and the table of channels state; PET says its unit itself.
    image = recording.modality.format == "nifti" and recording.modality.name != "pet"
    keys |= {"Units": recording.modality.unit} if image else {}
    return keys | recording.modality.sidecar(recording.parameters, recording.forward)


def extra_sidecar(extra: Extra, scan: Scan) -> dict[str, Any]:
    """Return the sidecar of an image beside a recording."""
    if extra.truth:
        return {**extra.sidecar, "Sources": [f"bids:raw:{scan.raw}"]}
    keys = {**extra.sidecar, **MAKER} | ({} if extra.folder or scan.task is None else {"TaskName": scan.task})
    # BIDS asks this of every MR image that has PET beside it.
    keys |= {"NonlinearGradientCorrection": True} if scan.instrument.datatype in {"anat", "func"} else {}
    if extra.maps_field:
        keys |= {
            "IntendedFor": [f"bids::{part.raw}" for part in scan.parts],
            "B0FieldIdentifier": scan.field_identifier,
        }
    return keys


def recipe_of(recording: Recording) -> dict[str, Any]:
    """Return what rebuilds every layer: stream path, parameters, and the recipe of each stage in order."""
    stages = [
        {
            "name": stage.name,
            "kind": stage.kind,
            "on": stage.name not in recording.off,
            "recipe": _plain(recording.recipe(stage.name)),
        }
        for stage in recording.modality.observe
    ]
    parameters = without_folders(recording.parameters.model_dump(mode="json"))
    return {
        "modality": recording.modality.name,
        "stream": list(recording.streams.path),
        "parameters": parameters,
        "stages": stages,
    }


def _plain(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value.tolist() if isinstance(value, np.ndarray | np.generic) else value for key, value in recipe.items()
    }


def reference_of(space: str | None) -> dict[str, str]:
    """Return what BIDS asks for beside a file in a space of our own; the template's name says it all."""
    own = space is not None and space != SPACE
    return {"SpatialReference": f"the '{space}' anatomy of fakeimaging, mm, RAS+"} if own else {}


def write_sidecar(path: PurePosixPath, content: dict[str, Any], root: Path, manifest: Manifest) -> None:
    """Write the JSON file that belongs to a data file."""
    about = path.with_name(f"{path.name.split('.')[0]}.json")
    manifest.add(about, write_json(root / about, content))
