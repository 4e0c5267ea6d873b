"""Files of one recording: the observed and the clean signal, sidecars, companion tables, events, recipes, regional truth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from fakeimaging.core.files import write_json, write_tsv
from fakeimaging.dataset.images import write_array, write_image
from fakeimaging.dataset.manifest import Manifest
from fakeimaging.dataset.names import TRUTH, Scan
from fakeimaging.modalities.layers import Companion, Image
from fakeimaging.modalities.recording import Recording


def write_recording(recording: Recording, scan: Scan, root: Path, manifest: Manifest) -> None:
    """Write everything of one recording."""
    keys = raw_sidecar(recording, scan)
    _write_signal(recording.observed, scan.raw, keys, root, manifest)
    about_truth: dict[str, Any] = {
        "Description": "the signal without any noise or artefact",
        "Sources": [f"bids:raw:{scan.raw}"],
    }
    if isinstance(recording.clean, Image):
        about_truth["SkullStripped"] = False
    _write_signal(recording.clean, scan.clean, keys | about_truth, root, manifest)
    for companion in recording.forward.companions:
        _write_companion(companion, scan, root, manifest)
    path = scan.source.with_name(scan.source.name + "_recipe.json")
    manifest.add(path, write_json(root / path, recipe_of(recording)))
    for name, array in recording.truth.items():
        path = scan.regional(name)
        manifest.add(path, write_array(root / path, np.asarray(array, dtype=np.float32)))


def _write_signal(signal: Any, path: PurePosixPath, keys: dict[str, Any], root: Path, manifest: Manifest) -> None:
    manifest.add(path, write_image(root / path, signal))
    write_sidecar(path, keys, root, manifest)


def _write_companion(companion: Companion, scan: Scan, root: Path, manifest: Manifest) -> None:
    path = scan.beside(f"{companion.name}.tsv")
    if companion.truth:
        path = TRUTH / path
    if companion.columns:
        manifest.add(path, write_tsv(root / path, list(companion.columns), [list(row) for row in companion.rows]))
    if companion.about:
        about = path.with_suffix(".json")
        manifest.add(about, write_json(root / about, dict(companion.about)))


def raw_sidecar(recording: Recording, scan: Scan) -> dict[str, Any]:
    """Return the BIDS sidecar of a raw file."""
    keys: dict[str, Any] = {"TaskName": scan.task} if scan.task is not None and recording.modality.names_run else {}
    keys |= recording.modality.sidecar(recording.parameters, recording.forward)
    keys |= {"Manufacturer": "fakeimaging", "ManufacturersModelName": "simulated", "Units": recording.modality.unit}
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
    parameters = recording.parameters.model_dump(mode="json")
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


def write_sidecar(path: PurePosixPath, content: dict[str, Any], root: Path, manifest: Manifest) -> None:
    """Write the JSON file that belongs to a data file."""
    about = path.with_name(f"{path.name.split('.')[0]}.json")
    manifest.add(about, write_json(root / about, content))
