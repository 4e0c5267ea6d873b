"""What a PET scan has beside the files of every recording: right keys of its clean frames, events on its own clock, derived images."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

import fakeimaging.modalities.pet as pet
from fakeimaging.activity.stimuli import Event
from fakeimaging.dataset.images import write_floats, write_image
from fakeimaging.dataset.job import Job
from fakeimaging.dataset.names import TRUTH
from fakeimaging.modalities.pet.frames import inside
from fakeimaging.modalities.pet.sidecar import clean_keys
from fakeimaging.modalities.recording import Recording

NAME = "pet"
REST = "rest"
"""How the labels of tasks without events begin (BIDS)."""


def clean_sidecar(recording: Recording, keys: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of the clean frames, from ``keys`` of the raw file: right even where those are wrong on purpose."""
    if recording.modality.name != NAME:
        return keys
    right = clean_keys(recording.parameters, recording.forward)
    general = {
        key: value for key, value in keys.items() if key in {"TaskName", "Manufacturer", "ManufacturersModelName"}
    }
    return general | right


def scan_events(job: Job) -> list[Event]:
    """Return the events of a run on the clock of its scan: 0 is the first frame's start, as BIDS has onsets.

    Those before it come with onsets below 0, since tissue remembers them; a task without events is one event itself.
    """
    recording, activity = job.recording, job.activity
    if activity is None or recording.modality.name != NAME:
        return list(activity.events) if activity is not None else []
    frames = recording.clean.clock
    begin = pet.run_second(recording.parameters, frames.start)
    events = [event._replace(onset=round(event.onset - begin, 6)) for event in activity.events]
    length = float(frames.durations.sum())
    if not events and not activity.task.startswith(REST):
        return [Event(0.0, length, activity.task)]
    return [event for event in events if event.onset < length]


def write_derived(job: Job) -> None:
    """Write the images a PET scan can have beside its frames: behind the point spread without noise, and standardized uptake."""
    recording, p = job.recording, job.recording.parameters
    if p.psf_frames:
        path = TRUTH / job.scan.beside("desc-psf_pet.nii.gz")
        job.note(path, write_image(job.root / path, recording.after("psf")))
        about = {"Description": "the frames behind the point spread, without noise", **job.reference}
        job.describe(
            path,
            clean_sidecar(recording, {}) | about | {"Sources": [f"bids:raw:{job.scan.raw}"], "SkullStripped": False},
        )
    if p.suv_window is not None:
        path = job.prepared("desc-suv_pet.nii.gz", part=True)
        volume, keys = standardized_uptake(recording)
        job.note(path, write_floats(job.root / path, recording.clean.grid, [volume], None))
        job.describe(path, keys | {"Sources": job.sources})


def standardized_uptake(recording: Recording) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
    """Return the mean observed image within the window over injected activity per body weight, and what is said of it."""
    p, frames = recording.parameters, recording.clean.clock
    within = inside(frames, p.suv_window)
    to_injection = pet.to_injection(p, frames)
    lengths = frames.durations[within]
    volumes = (
        np.float32(w * to_injection[v]) * recording.observed.make(v)
        for w, v in zip(lengths / lengths.sum(), within, strict=True)
    )
    keys = clean_sidecar(recording, {}) | {
        "Description": "standardized uptake value: activity over injected activity per body weight",
        "Units": "g/mL",
        "FrameTimesStart": [right_start(recording, int(within[0]))],
        "FrameDuration": [float(lengths.sum())],
        "BodyWeight": p.body_weight,
        "SkullStripped": False,
    }
    keys.pop("DecayCorrectionFactor", None)
    return np.asarray(sum(volumes) / np.float32(pet.suv(p)), dtype=np.float32), keys | {"ScaleFactor": [1.0]}


def right_start(recording: Recording, frame: int) -> float:
    """Return the start of a frame after TimeZero, in s."""
    return float(clean_keys(recording.parameters, recording.forward)["FrameTimesStart"][frame])
