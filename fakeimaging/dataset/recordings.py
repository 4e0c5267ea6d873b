"""Files of one recording: the observed and the clean signal, companion tables, events, recipe, regional truth, derivative."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.activity import Activity
from fakeimaging.activity.stimuli import Event
from fakeimaging.core.errors import InputError
from fakeimaging.core.files import Written, tsv_text, write_json, write_tsv
from fakeimaging.dataset.anatomical import anatomical
from fakeimaging.dataset.artefacts import with_artefacts
from fakeimaging.dataset.courses import write_courses
from fakeimaging.dataset.electro import write_series
from fakeimaging.dataset.fmriprep import preprocessing
from fakeimaging.dataset.images import write_array, write_floats, write_image, write_labels
from fakeimaging.dataset.job import Job
from fakeimaging.dataset.manifest import Manifest
from fakeimaging.dataset.names import TRUTH, Scan, subject_folder
from fakeimaging.dataset.pet import clean_sidecar, scan_events, write_derived
from fakeimaging.dataset.physio import write_physio
from fakeimaging.dataset.sidecars import extra_sidecar, raw_sidecar, recipe_of, write_sidecar
from fakeimaging.modalities.layers import Companion, Extra, Image
from fakeimaging.modalities.recording import Recording
from fakeimaging.structure.subject import Subject

PREPARED = {"bold": preprocessing, "t1w": anatomical}
"""Modalities with a derivative as preprocessing would leave it, made from the observed volumes on their way to the raw file."""


def write_recording(
    recording: Recording, scan: Scan, subject: Subject, activity: Activity | None, root: Path, manifest: Manifest
) -> None:
    """Write everything of one recording."""
    job = Job(recording, scan, subject, activity, root, manifest)
    keys, extras = raw_sidecar(recording, scan), recording.extras
    mapped = {"B0FieldSource": scan.field_identifier} if any(extra.maps_field for extra in extras) else {}
    _write_observed(job)
    write_sidecar(scan.raw, keys | mapped, root, manifest)
    _write_clean(recording, scan, keys, root, manifest)
    for companion in with_artefacts(recording):
        if scan.is_first or not _is_mask(companion.name):
            _write_companion(companion, scan, root, manifest)
    for name, image in recording.forward.maps.items():
        if scan.is_first or not _is_mask(name):
            path = TRUTH / scan.beside(f"{name}.nii.gz", part=not _is_mask(name))
            manifest.add(path, _write_map(root / path, image))
    for extra in (extra for extra in extras if not extra.shared or scan.is_first):
        _write_extra(extra, scan, root, manifest)
    if scan.is_first:
        _write_of_all_parts(job)
    path = scan.source.with_name(scan.source.name + "_recipe.json")
    manifest.add(path, write_json(root / path, recipe_of(recording)))
    for name, array in recording.truth.items():
        path = scan.regional(name)
        manifest.add(path, write_array(root / path, np.asarray(array, dtype=np.float32)))


def _is_mask(name: str) -> bool:
    """Tell whether an image of the truth is a mask: the parts of a scan have those in common."""
    return name.endswith("_mask")


def _write_of_all_parts(job: Job) -> None:
    """Write what the files of one scan have in common: events, sensors, true courses."""
    events = scan_events(job)
    if job.activity is not None and events and job.scan.names_task:
        _write_events(job.activity, events, job)
    if job.recording.modality.name == "pet":
        write_derived(job)
    if job.recording.modality.name == "bold":
        write_physio(job)
        write_courses(job)


def _write_observed(job: Job) -> None:
    recording = job.recording
    derivative: AbstractContextManager[Callable[[int, npt.NDArray], None]] = nullcontext(lambda v, volume: None)
    if recording.modality.name in PREPARED:
        derivative = PREPARED[recording.modality.name](job)
    with derivative as take:

        def make(v: int) -> npt.NDArray:
            part = recording.observed.make(v)
            take(v, part)
            return part

        _write_signal(recording, recording.observed.made_by(make), job.scan.raw, job.root, job.manifest, marked=True)


def _write_clean(recording: Recording, scan: Scan, keys: dict[str, Any], root: Path, manifest: Manifest) -> None:
    about: dict[str, Any] = {
        "Description": "the signal without any noise or artefact",
        "Sources": [f"bids:raw:{scan.raw}"],
    }
    skull = {"SkullStripped": False} if isinstance(recording.clean, Image) else {}
    _write_signal(recording, recording.clean, scan.clean, root, manifest, marked=False)
    about |= recording.forward.context.get("about_clean", {})
    write_sidecar(scan.clean, clean_sidecar(recording, keys) | about | skull, root, manifest)


def _write_signal(
    recording: Recording, signal: Any, path: PurePosixPath, root: Path, manifest: Manifest, *, marked: bool
) -> None:
    if isinstance(signal, Image):
        manifest.add(path, write_image(root / path, signal))
        return
    for name, written in write_series(recording, root / path, series=signal, marked=marked).items():
        manifest.add(path.with_name(name), written)


def _write_companion(companion: Companion, scan: Scan, root: Path, manifest: Manifest) -> None:
    path = scan.beside(f"{companion.name}.tsv", part=not _is_mask(companion.name))
    if companion.shared:
        path = scan.folder / f"{'_'.join(subject_folder(scan.subject, scan.session).parts)}_{companion.name}.tsv"
        _check_same(path, companion, root, manifest)
    if not companion.named:
        path = scan.source.with_name(path.name)
    elif companion.truth:
        path = TRUTH / path
    if companion.columns:
        manifest.add(path, write_tsv(root / path, list(companion.columns), [list(row) for row in companion.rows]))
    if companion.about:
        about = path.with_suffix(".json")
        manifest.add(about, write_json(root / about, dict(companion.about)))


def _write_map(path: Path, image: Image) -> Written:
    """Write a still image of the truth: numbers as they are, a mask as 0 and 1."""
    values = image.make(0)
    if values.dtype == bool:
        return write_labels(path, values, image.grid)
    return write_floats(path, image.grid, [values], None)


def _write_extra(extra: Extra, scan: Scan, root: Path, manifest: Manifest) -> None:
    path = scan.extra(extra)
    manifest.add(path, write_image(root / path, extra.image))
    write_sidecar(path, extra_sidecar(extra, scan), root, manifest)


def _check_same(path: PurePosixPath, companion: Companion, root: Path, manifest: Manifest) -> None:
    """Refuse two tables of one name, as two montages in a session would have."""
    known = manifest.files.get(str(path))
    text = tsv_text(list(companion.columns), [list(row) for row in companion.rows])
    if known is not None and known.sha256 != hashlib.sha256(text.encode()).hexdigest():
        raise InputError(
            f"{path}: BIDS has one such table a session, and two recordings differ in it; give them sessions of their own",
            value=companion.name,
        )


def _write_events(activity: Activity, events: Sequence[Event], job: Job) -> None:
    """Write the events; sizes only where there are other ones than 1."""
    path = job.scan.events
    sized = any(event.modulation != 1 for event in events)
    n = 4 if sized else 3
    columns = ["onset", "duration", "trial_type", "modulation"][:n]
    job.note(path, write_tsv(job.root / path, columns, [list(event[:n]) for event in events]))
    imposed = {one.trial_type for one in activity.imposed}
    acts = {False: "stimulus current into its regions", True: "response imposed on BOLD"}
    levels = {event.trial_type: acts[event.trial_type in imposed] for event in events}
    what = "condition: what stimulated the network" + (" or was imposed" if imposed else "")
    words: dict[str, Any] = {"trial_type": {"Description": what, "Levels": levels}}
    words |= {"modulation": {"Description": "size of the event; 1 is full strength"}} if sized else {}
    job.describe(path, words)
