"""Writes one subject: raw files, their truth, and what has no BIDS name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from fakeimaging.activity.activity import Activity, simulate_activity
from fakeimaging.core.files import write_json, write_tsv
from fakeimaging.core.spaces import Grid
from fakeimaging.dataset import names
from fakeimaging.dataset.images import write_array, write_image, write_labels
from fakeimaging.dataset.manifest import Manifest
from fakeimaging.dataset.names import SOURCE, Scan
from fakeimaging.dataset.study import Run, Session, Study
from fakeimaging.modalities import t1w
from fakeimaging.modalities.acquire import acquire
from fakeimaging.modalities.layers import Image
from fakeimaging.modalities.recording import Recording
from fakeimaging.structure.subject import Subject, make_subject

TRUTH_VOXEL = 2.0
"""mm, of the anatomical truth of a study without a T1w."""
FRACTION_STEP = 1e-4
"""Step of the stored tissue fractions."""


def write_subject(study: Study, label: str, root: Path) -> None:
    """Simulate and write everything of one subject, the manifest last.

    Parameters
    ----------
    study : Study
        With a seed.
    label : str
        One of the study's subjects.
    root : Path
        Folder of the dataset.
    """
    manifest = Manifest(label, study.digest())
    subject = subject_of(study, label)
    write_structure(subject, study, root, manifest)
    for session in study.sessions:
        activities = {(run.task, run.run): activity_of(subject, session, run) for run in session.runs}
        for run in session.runs:
            write_activity(activities[run.task, run.run], session, label, root, manifest)
        for scan in names.scans(study, label):
            if scan.session == session.label:
                key = (scan.task, scan.run)
                activity = activities[key] if scan.task is not None else None  # type: ignore[index]
                write_recording(recording_of(scan, subject, activity), scan, root, manifest)
    manifest.save(root)


def subject_of(study: Study, label: str) -> Subject:
    """Return a subject of a study."""
    return make_subject(label, seed=study.seed, **study.subject.model_dump(mode="json"))


def activity_of(subject: Subject, session: Session, run: Run) -> Activity:
    """Simulate the activity of one run of a study."""
    return simulate_activity(
        subject,
        model=run.model,
        task=run.task,
        run=run.run,
        session=session.label,
        parameters=run.parameters,
        **run.timing,
    )


def recording_of(scan: Scan, subject: Subject, activity: Activity | None) -> Recording:
    """Acquire one recording of a study."""
    wanted = scan.acquisition
    session = scan.session if activity is None else None
    return acquire(
        scan.modality, subject, activity, session=session, repeat=wanted.repeat, off=wanted.off, **wanted.parameters
    )


def write_structure(subject: Subject, study: Study, root: Path, manifest: Manifest) -> None:
    """Write regions, connectome, tissue fractions and the transform to the template."""
    session = study.sessions[0].label
    grid = anatomy_grid(study)
    _write_dseg(subject, session, grid, root, manifest)
    tissue = subject.anatomy.tissue(grid)
    for label, fraction in (("GM", tissue.grey), ("WM", tissue.white), ("CSF", tissue.csf)):
        path = names.truth_anat(subject.label, session, f"label-{label}_probseg.nii.gz")
        image = Image(grid, None, lambda v, fraction=fraction: fraction, FRACTION_STEP)  # type: ignore[misc]
        manifest.add(path, write_image(root / path, image))
        _sidecar(
            path, {"SkullStripped": True, "Description": f"true fraction of {label} in each voxel"}, root, manifest
        )
    _write_source(subject, root, manifest)


def anatomy_grid(study: Study) -> Grid:
    """Return the native grid of the anatomical truth: that of the study's first T1w, else `TRUTH_VOXEL`."""
    scans = [scan for session in study.sessions for scan in session.acquisitions if scan.modality == "t1w"]
    wanted = scans[0].parameters if scans else {"voxel_size": TRUTH_VOXEL}
    grid, _ = t1w.geometry(t1w.T1wParameters.parse(wanted), 0.0)
    return grid


def _write_dseg(subject: Subject, session: str | None, grid: Grid, root: Path, manifest: Manifest) -> None:
    path = names.dseg(subject.label, session)
    manifest.add(path, write_labels(root / path, subject.labels(grid), grid))
    description = {
        "SkullStripped": True,
        "Description": "true regions; label i + 1 is row i of every matrix",
        "hemisphere": {"Description": "L or R"},
        "network": {"Description": "functional network, or the structure of a subcortical region"},
        "kind": {"Description": "cortex, thalamus, hippocampus, amygdala, basal ganglia or cerebellum"},
    }
    _sidecar(path, description, root, manifest)
    rows = [
        [i + 1, region.name, region.hemisphere, region.network, region.kind] for i, region in enumerate(subject.regions)
    ]
    table = path.with_name(path.name.replace(".nii.gz", ".tsv"))
    manifest.add(table, write_tsv(root / table, ["index", "name", "hemisphere", "network", "kind"], rows))


def _write_source(subject: Subject, root: Path, manifest: Manifest) -> None:
    folder, stem = SOURCE / f"sub-{subject.label}", f"sub-{subject.label}"
    for name, matrix in (("weights", subject.connectome.weights), ("lengths", subject.connectome.tract_lengths)):
        path = names.table(subject.label, name)
        columns = [region.name for region in subject.regions]
        manifest.add(path, write_tsv(root / path, columns, matrix.tolist()))
    columns = [
        "index",
        "name",
        "hemisphere",
        "network",
        "kind",
        "x",
        "y",
        "z",
        "x_native",
        "y_native",
        "z_native",
        "volume",
    ]
    rows = [
        [i + 1, region.name, region.hemisphere, region.network, region.kind, *region.centroid, *native, region.volume]
        for i, (region, native) in enumerate(
            zip(subject.regions, subject.native_centroids().round(3).tolist(), strict=True)
        )
    ]
    path = names.table(subject.label, "regions")
    manifest.add(path, write_tsv(root / path, columns, rows))
    path = folder / f"{stem}_transform.json"
    transform = {"from": "native", "to": subject.anatomy.maps.space, "mm": subject.anatomy.to_template.tolist()}
    manifest.add(path, write_json(root / path, transform))


def write_activity(activity: Activity, session: Session, label: str, root: Path, manifest: Manifest) -> None:
    """Write every tap of an activity with a JSON file that says what it is."""
    for name, tap in activity.taps.items():
        path = names.tap_file(label, session, activity.task, activity.run, name)
        manifest.add(path, write_array(root / path, tap.samples))
        clock = {"start": tap.clock.start, "step": tap.clock.step, "n": tap.clock.n}
        content = {
            "quantity": name, "unit": tap.unit, "axes": ["time", "region"], "clock_s": clock, "duration_s": activity.duration,
            "stream": list(activity.streams.path), "model": activity.model, "parameters": activity.parameters.model_dump(mode="json"),
        }  # fmt: skip
        about = path.with_suffix(".json")
        manifest.add(about, write_json(root / about, content))


def write_recording(recording: Recording, scan: Scan, root: Path, manifest: Manifest) -> None:
    """Write the observed and the clean image, the sidecars, the recipe of each stage and the regional truth."""
    manifest.add(scan.raw, write_image(root / scan.raw, recording.observed))
    manifest.add(scan.clean, write_image(root / scan.clean, recording.clean))
    keys = raw_sidecar(recording, scan)
    _sidecar(scan.raw, keys, root, manifest)
    about_truth = {
        "SkullStripped": True,  # there is no head around the brain yet
        "Description": "the image without any noise or artefact",
        "Sources": [f"bids:raw:{scan.raw}"],
    }
    _sidecar(scan.clean, keys | about_truth, root, manifest)
    path = scan.source.with_name(scan.source.name + "_recipe.json")
    manifest.add(path, write_json(root / path, recipe_of(recording)))
    for name, array in recording.truth.items():
        path = scan.regional(name)
        manifest.add(path, write_array(root / path, np.asarray(array, dtype=np.float32)))


def raw_sidecar(recording: Recording, scan: Scan) -> dict[str, Any]:
    """Return the BIDS sidecar of a raw file."""
    keys: dict[str, Any] = {"TaskName": scan.task} if scan.task is not None else {}
    keys |= recording.modality.sidecar(recording.parameters, recording.forward)
    keys |= {"Manufacturer": "fakeimaging", "ManufacturersModelName": "simulated", "Units": "arbitrary"}
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


def _sidecar(path: PurePosixPath, content: dict[str, Any], root: Path, manifest: Manifest) -> None:
    about = path.with_name(path.name.replace(".nii.gz", ".json"))
    manifest.add(about, write_json(root / about, content))
