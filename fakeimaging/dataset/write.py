"""Writes one subject: raw files, their truth, and what has no BIDS name."""

from __future__ import annotations

from pathlib import Path

from fakeimaging.activity.activity import Activity, simulate_activity
from fakeimaging.core.files import write_json
from fakeimaging.dataset import names
from fakeimaging.dataset.effects import for_subject
from fakeimaging.dataset.export import export_grid, write_structural_export
from fakeimaging.dataset.images import write_array
from fakeimaging.dataset.manifest import Manifest
from fakeimaging.dataset.names import Scan
from fakeimaging.dataset.recordings import write_recording
from fakeimaging.dataset.structure import write_structure
from fakeimaging.dataset.study import Run, Session, Study
from fakeimaging.modalities.acquire import acquire
from fakeimaging.modalities.recording import Recording
from fakeimaging.structure.subject import Subject, make_subject


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
    study = for_subject(study, label)
    manifest = Manifest(label, study.digest())
    subject = subject_of(study, label)
    write_structure(subject, study, root, manifest)
    write_structural_export(subject, export_grid(study), root, manifest, study.sessions[0].label)
    for session in study.sessions:
        _write_session(session, study, subject, root, manifest)
    manifest.save(root)


def _write_session(session: Session, study: Study, subject: Subject, root: Path, manifest: Manifest) -> None:
    """Write scans and activities; scans without an activity come first, so that the largest images find the most room."""
    scans = [scan for scan in names.scans(study, subject.label) if scan.session == session.label]
    for scan in scans:
        if scan.task is None:
            write_recording(recording_of(scan, subject, None), scan, subject, None, root, manifest)
    activities = {(run.task, run.run): activity_of(subject, session, run) for run in session.runs}
    for activity in activities.values():
        write_activity(activity, session, subject.label, root, manifest)
    for scan in scans:
        if scan.task is not None and scan.run is not None:
            activity = activities[scan.task, scan.run]
            write_recording(recording_of(scan, subject, activity), scan, subject, activity, root, manifest)


def subject_of(study: Study, label: str) -> Subject:
    """Return a subject of a study."""
    own = for_subject(study, label)
    return make_subject(label, seed=own.seed, **own.subject.model_dump(mode="json"))


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
        scan.modality, subject, activity, session=session, repeat=wanted.repeat, off=wanted.off, **scan.given
    )


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
        content |= (
            {"regional": {key: map_.tolist() for key, map_ in activity.regional.items()}} if activity.regional else {}
        )
        about = path.with_suffix(".json")
        manifest.add(about, write_json(root / about, content))
    if activity.sources:
        path = names.run_file(label, session, activity.task, activity.run, "sources.json")
        manifest.add(path, write_json(root / path, [source.to_dict() for source in activity.sources]))
